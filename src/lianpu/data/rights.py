"""Whose picture it is and under which licence it may be used, for each file: from a table `rights.csv`, a line of
text, or nowhere. What is unknown stays unknown: in the data set, in models trained on it, and in their pictures.
"""

from __future__ import annotations

import csv
import fnmatch
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lianpu import images
from lianpu.errors import DataError, UsageError

__all__ = ["UNKNOWN", "Right", "Rights", "from_option", "parse", "summary"]

HOW = "Columns: file,source,licence; one line with * as the file covers all."


@dataclass(frozen=True)
class Right:
    """Where a picture comes from, and its licence (best an SPDX or Creative Commons name)."""

    source: str
    licence: str

    @property
    def known(self) -> bool:
        return bool(self.source) and self.licence.lower() not in ("", "unknown", "?")


UNKNOWN = Right("", "unknown")


@dataclass(frozen=True)
class Rights:
    """Rules in the order of the table: (file name or pattern, right)."""

    rules: tuple[tuple[str, Right], ...]

    def of(self, name: str) -> Right:
        """The right of the file `name` (its path within its source, with /): an exact line before a pattern, an early
        one before a late.
        """
        base = name.rsplit("/", 1)[-1]
        for pattern, right in self.rules:
            if pattern in (name, base):
                return right
        for pattern, right in self.rules:
            if fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(base, pattern):
                return right
        return UNKNOWN


def parse(data: bytes, where: str) -> Rights:
    """The table in CSV bytes (UTF-8, with or without a byte-order mark, or GBK as a Chinese Excel saves it)."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gbk", "replace")
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise DataError(f"The rights table is damaged: {error}.", where, HOW) from None
    names = {(key or "").strip().lower(): key for key in (rows[0] if rows else {})}
    licence = names.get("licence", names.get("license"))
    if "file" not in names or "source" not in names or licence is None:
        raise DataError("The rights table lacks a column out of file, source and licence.", where, HOW)
    return Rights(
        tuple(
            (
                (row[names["file"]] or "").strip(),
                Right((row[names["source"]] or "").strip(), (row[licence] or "").strip()),
            )
            for row in rows
        )
    )


def from_option(text: str | Path) -> Rights:
    """`--rights`: a table's path, or "licence; source" for all pictures."""
    if Path(text).is_file():
        return parse(images.read_bytes(Path(text), limit=64 << 20), str(text))
    licence, semicolon, source = (part.strip() for part in str(text).partition(";"))
    if not (semicolon and licence and source):
        raise UsageError(
            f"--rights {str(text)!r} is neither a file nor a licence and a source.",
            fix='Write --rights "CC-BY-4.0; where the pictures come from", or give a CSV file. ' + HOW,
        )
    return Rights((("*", Right(source, licence)),))


def summary(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a model inherits: {"status": "known" | "unknown", "licences": {licence: pictures}, "sources": [...]}."""
    records = list(records)
    licences = Counter(r["licence"] for r in records)
    return {
        "status": "known" if all(Right(r["rights_source"], r["licence"]).known for r in records) else "unknown",
        "licences": dict(sorted(licences.items())),
        "sources": sorted({r["rights_source"] for r in records} - {""}),
    }
