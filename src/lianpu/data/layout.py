"""A data set on disk: prepared pieces moved to their places, the lines that describe them, and `dataset.json`,
written last because it says that all is there. What is there already, byte for byte, is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lianpu import __version__, files
from lianpu.data import card, prepare, records, rights
from lianpu.data.colour import CLASSES

__all__ = ["Row", "describe", "edits", "lay_out"]


@dataclass(frozen=True)
class Row:
    """One picture of the set: its split, its line of metadata.jsonl, and its pieces, each with its path in the set."""

    split: str
    record: dict[str, Any]
    pieces: list[tuple[dict[str, Any], str]]
    job: prepare.Job


def lay_out(
    to: Path, settings: prepare.Settings, rows: Sequence[Row], quarantine: Sequence[dict[str, str]]
) -> tuple[dict[str, Any], bool]:
    """Make `to` hold these rows and nothing of an earlier build. Returns what dataset.json says, and whether anything
    changed.
    """
    shop = to / ".build"
    placed = {path for row in rows for _, path in row.pieces}
    before = _placed_before(shop)
    _write(
        shop / "placed.json", records.encode(sorted(before | placed))
    )  # an interruption leaves no file that nobody knows
    if before - placed or any(prepare.digest(to / path) != p["sha256"] for row in rows for p, path in row.pieces):
        (to / "dataset.json").unlink(missing_ok=True)  # from here on it would say what is not there
    changed = _place(to, rows)
    for stale in sorted(before - placed):
        (to / stale).unlink(missing_ok=True)
        changed = True
    _write(shop / "placed.json", records.encode(sorted(placed)))
    lines = {split: [row.record for row in rows if row.split == split] for split in records.SPLITS}
    for split, mine in lines.items():
        if mine or (to / split / "metadata.jsonl").exists():
            changed |= _write(to / split / "metadata.jsonl", b"".join(map(records.encode, mine)))
    changed |= _write(to / "quarantine.jsonl", b"".join(map(records.encode, quarantine)))
    info = describe(settings, lines, len(quarantine))
    changed |= _write(to / "README.md", card.text(info))
    changed |= _write(to / "dataset.json", records.encode(info, indent=1))
    for left in (shop / "pictures").iterdir():
        left.unlink()
    return info, changed


def describe(
    settings: prepare.Settings, splits: Mapping[str, Sequence[Mapping[str, Any]]], quarantined: int
) -> dict[str, Any]:
    """What dataset.json says. No time and no place is in it, so that equal sets are equal bytes."""
    rows = [record for lines in splits.values() for record in lines]
    return {
        "schema": records.SCHEMA,
        "made_by": f"lianpu {__version__}",
        "size": settings.size,
        "classes": list(CLASSES),
        **records.counts(splits),
        "quarantined": quarantined,
        "rights": rights.summary(rows),
        "settings": asdict(settings),
        "fingerprint": records.fingerprint(rows),
        "pixels": records.fingerprint(rows, labels=False),
    }


def edits(to: Path) -> dict[tuple[str, str, str], str]:
    """Colours changed by hand since they were written, by source hash, variant and what its recolour says: a label given
    to one colour change does not fit another. A mirror image follows what it mirrors.
    """
    found: dict[tuple[str, str, str], str] = {}
    for split in records.SPLITS:
        for row in records.read_records(to, split) if (to / split / "metadata.jsonl").exists() else ():
            if row["colour"] != row.get("colour_as_built"):
                words = (("recolour", row.get("recolour")), ("mirror", row.get("mirror")))
                variant = "-".join(word for word, on in words if on)
                found[str(row.get("source_sha256")), variant, str(row.get("recolour") or "")] = row["colour"]
    twins = {"": "mirror", "recolour": "recolour-mirror"}
    return {(source, twins[v], paints): c for (source, v, paints), c in found.items() if v in twins} | found


def _placed_before(shop: Path) -> set[str]:
    try:
        return set(json.loads((shop / "placed.json").read_bytes()))
    except (OSError, ValueError):
        return set()


def _place(to: Path, rows: Iterable[Row]) -> bool:
    """Move every piece to its path; False where all lay there already."""
    changed = False
    for row in rows:
        for piece, path in row.pieces:
            goal = to / path
            if prepare.digest(goal) != piece["sha256"]:
                at = next(place for place in prepare.places(row.job, piece) if prepare.digest(place) == piece["sha256"])
                with files.writing(goal):
                    goal.parent.mkdir(parents=True, exist_ok=True)
                    at.replace(goal)
                changed = True
    return changed


def _write(path: Path, data: bytes) -> bool:
    """Write what differs from what is there; False where nothing does."""
    if path.exists() and path.read_bytes() == data:
        return False
    files.atomic_write(path, data)
    return True
