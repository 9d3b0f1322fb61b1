"""What a built data set says of itself: `dataset.json` for the whole, `metadata.jsonl` for each picture. Read here,
checked here, so that a torn line, a hand-edited label with a typing mistake or a file name that leads out of the
folder stops with its line number.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lianpu import images
from lianpu.data.colour import CLASSES
from lianpu.errors import DataError, did_you_mean

__all__ = ["SCHEMA", "SPLITS", "counts", "encode", "fingerprint", "read_info", "read_records"]

SCHEMA = 1
SPLITS = ("train", "test")
Record = dict[str, Any]


def read_info(path: Path) -> dict[str, Any]:
    """`dataset.json` of the data set at `path`; DataError where there is none, telling how to build one."""
    if not path.is_dir():
        raise DataError(
            f"There is no folder {path.name}.", str(path), "Give the folder that `lianpu data build` wrote."
        )
    file = path / "dataset.json"
    if not file.exists():
        building = (path / ".build").is_dir()
        raise DataError(
            f"{path.name} is not {'a finished' if building else 'a'} data set: it has no dataset.json.",
            str(path),
            "Run the same `lianpu data build` again: it continues where it stopped."
            if building
            else f"Build one from it: lianpu data build {path} --to NEW_FOLDER",
        )
    try:
        info = json.loads(images.read_bytes(file, limit=64 << 20))
    except (ValueError, RecursionError):
        raise DataError("dataset.json is damaged.", str(file), "Build the data set again.") from None
    if not isinstance(info, dict) or info.get("schema") != SCHEMA:
        raise DataError(
            "dataset.json has a schema this version of lianpu does not know.",
            str(file),
            "Build the data set again, or use the lianpu version that built it.",
        )
    kinds = {
        "size": int, "classes": list, "pictures": int, "originals": int, "groups": int, "splits": dict, "colours": dict,
        "quarantined": int, "rights": dict, "settings": dict, "fingerprint": str, "pixels": str, "made_by": str,
    }  # fmt: skip
    if wrong := [key for key, kind in kinds.items() if not isinstance(info.get(key), kind)]:
        raise DataError(f"dataset.json is damaged: no {wrong[0]}.", str(file), "Build the data set again.")
    return info


def read_records(path: Path, split: str) -> list[Record]:
    """The lines of `metadata.jsonl` of one split, each checked: file_name, sha256, and a colour out of the seven
    classes.
    """
    file = path / split / "metadata.jsonl"
    if split not in SPLITS or not file.exists():
        raise DataError(f"{path.name} has no split {split!r}.", str(path / split), did_you_mean(split, SPLITS))
    records, seen = [], set()
    for number, line in enumerate(images.read_bytes(file, limit=1 << 30).decode("utf-8", "replace").split("\n"), 1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError(f"Line {number} of metadata.jsonl is not JSON.", where, "Mend that line.") from None
        if not isinstance(record, dict) or not isinstance(name := record.get("file_name"), str):
            raise DataError(f"Line {number} of metadata.jsonl has no file_name.", where, "Mend that line.")
        if name in seen or not _plain(name):
            fault = "there twice" if name in seen else "not a plain file name"
            raise DataError(f"Line {number} of metadata.jsonl: {name!r} is {fault}.", where, "Mend that line.")
        if record.get("colour") not in CLASSES:
            raise DataError(
                f"{name}: colour {record.get('colour')!r} is not one of the seven classes.",
                where,
                did_you_mean(str(record.get("colour")), CLASSES),
            )
        seen.add(name)
        records.append(record)
    return records


def _plain(name: str) -> bool:
    """Whether `name` stays inside its folder on every system."""
    return name not in ("", ".", "..") and not any(c in name for c in "/\\:\0")


def fingerprint(records: Iterable[Mapping[str, Any]], *, labels: bool = True) -> str:
    """SHA-256 over the sorted (file name, SHA-256 of the file, colour) of the pictures: any changed, added or
    relabelled one changes it.
    """
    lines = sorted(f"{r['file_name']}\t{r.get('sha256')}\t{r['colour'] if labels else ''}\n" for r in records)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def counts(splits: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Numbers of pictures, originals, groups and colours, in all and by split; empty splits are left out."""
    rows = [row for lines in splits.values() for row in lines]
    return {
        **_count(rows),
        "groups": len({row.get("group") for row in rows}),
        "splits": {name: _count(lines) for name, lines in splits.items() if lines},
    }


def _count(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "pictures": len(rows),
        "originals": len({row.get("source_sha256") for row in rows}),
        "colours": {c: n for c in CLASSES if (n := sum(row["colour"] == c for row in rows))},
    }


def encode(value: Any, *, indent: int | None = None) -> bytes:
    """JSON in UTF-8, keys in their own order, ending in a newline."""
    return (json.dumps(value, ensure_ascii=False, indent=indent) + "\n").encode()
