"""Whose picture it is and under which licence it may be used, for each file: from a table `rights.csv`, a line of
text, or nowhere. What is unknown stays unknown: in the data set, in models trained on it, and in their pictures.
"""

from __future__ import annotations

import csv
import fnmatch
import io
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lianpu import images
from lianpu.errors import DataError, UsageError

__all__ = ["UNKNOWN", "Right", "Rights", "from_option", "parse", "summary"]

HOW = 'Columns: file,source,licence; one line with * as the file covers all; text with a comma in "quotes".'
COLUMNS = {
    "file": ("file", "文件", "文件名"),
    "source": ("source", "来源"),
    "licence": ("licence", "license", "许可", "许可证", "授权"),
}
NOTHING_SAID = {"", "?", "-", "unknown", "none", "none stated", "n/a", "na", "null", "未知", "不明", "无", "未注明"}


@dataclass(frozen=True)
class Right:
    """Where a picture comes from, and its licence (best an SPDX or Creative Commons name)."""

    source: str
    licence: str

    @property
    def known(self) -> bool:
        """Whether both say something: "none stated: ask the painter" does not."""
        return not any(part.partition(":")[0].strip().lower() in NOTHING_SAID for part in (self.source, self.licence))


UNKNOWN = Right("", "unknown")


@dataclass(frozen=True)
class Rights:
    """Rules in the order of the table: (file name or pattern, right)."""

    rules: tuple[tuple[str, Right], ...]

    def of(self, name: str) -> Right:
        """The right of the file `name` (its path within its source, with /): an exact line before a pattern, an early
        one before a late.
        """
        name = unicodedata.normalize("NFC", name)  # macOS takes letters and accents apart
        base = name.rsplit("/", 1)[-1]
        for pattern, right in self.rules:
            if pattern in (name, base):
                return right
        for pattern, right in self.rules:
            if fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(base, pattern):
                return right
        return UNKNOWN


def parse(data: bytes, where: str) -> Rights:
    """The table in CSV bytes, as spreadsheets save it: UTF-8, UTF-16 or GBK; commas, semicolons or tabs."""
    text = _decoded(data)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        header, *rows = csv.reader(io.StringIO(text), strict=True, delimiter=delimiter)
    except (csv.Error, ValueError) as error:
        if not text.strip():
            header, rows = [], []
        else:
            raise DataError(f"The rights table is damaged: {error}.", where, HOW) from None
    at = {}
    for key, names in COLUMNS.items():
        found = [i for i, name in enumerate(header) if name.strip().lower() in names]
        if not found:
            raise DataError("The rights table lacks a column out of file, source and licence.", where, HOW)
        at[key] = found[0]
    rules = []
    for number, row in enumerate(rows, 2):
        if len(row) > len(header):
            raise DataError(
                f"Row {number} of the rights table has {len(row)} fields instead of {len(header)}.", where, HOW
            )
        row = [*map(str.strip, row), *[""] * (len(header) - len(row))]
        rules.append((unicodedata.normalize("NFC", row[at["file"]]), Right(row[at["source"]], row[at["licence"]])))
    return Rights(tuple(rules))


def _decoded(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gbk", "replace")


def from_option(text: str | Path) -> Rights:
    """`--rights`: a table's path, or "licence; source" for all pictures."""
    if str(text).lower().endswith(".csv") and not Path(text).is_file():
        raise UsageError(f"there is no table {Path(text).name}.", str(text), "Give a CSV file that exists. " + HOW)
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
