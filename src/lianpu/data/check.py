"""Proof of a data set: what its files are, against what its descriptions say. Counts, hashes, sizes, labels, and that
nothing leaked: near-duplicates are sought anew among the pictures, and none may lie on the other side of the split.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lianpu import images
from lianpu.data import duplicates, pool, records, rights
from lianpu.data.prepare import Progress
from lianpu.errors import CheckFailed, DataError

__all__ = ["Report", "check", "facts"]

SHOWN = 5  # offences named in the error


@dataclass(frozen=True)
class Report:
    """What was found of a data set; it is proved where `offences` is empty."""

    path: Path
    pictures: int
    splits: dict[str, int]
    colours: dict[str, int]
    edited: int
    """Labels that differ from those the build wrote."""
    fingerprint: str
    """As the pictures and labels are now; equals dataset.json's where no label was edited."""
    rights: dict[str, Any]
    offences: list[str]
    notes: list[str]

    def facts(self) -> dict[str, Any]:
        """All of it as plain values, ready for json."""
        return asdict(self) | {"path": str(self.path)}

    def lines(self) -> list[str]:
        """It in sentences; the offences are left to `require`."""
        parts = ", ".join(f"{count} for {name}" for name, count in self.splits.items() if count)
        what = "All are what they should be, and none leaks" if not self.offences else f"Faults: {len(self.offences)}"
        return [f"Pictures: {self.pictures} ({parts}). {what}.", f"Rights {self.rights['status']}.", *self.notes]

    def require(self) -> None:
        """Raise CheckFailed with the first offences, if there is any."""
        if self.offences:
            more = f"\n... and {len(self.offences) - SHOWN} more." if len(self.offences) > SHOWN else ""
            raise CheckFailed(
                f"{self.path.name} does not hold what it says; faults: {len(self.offences)}.",
                "\n".join(self.offences[:SHOWN]) + more,
                "Build it again from its sources.",
            )


def check(path: Path | str, *, workers: int | None = None, progress: Progress | None = None) -> Report:
    """Read every picture and line of the data set at `path` and hold them against each other."""
    path = Path(path)
    info = records.read_info(path)
    splits = {name: records.read_records(path, name) for name in records.SPLITS if (path / name).exists()}
    rows = [(name, row) for name, lines in splits.items() for row in lines]
    found = _seen(path, rows, int(info["size"]), workers, progress)
    offences = [*_strangers(path, splits), *(fault for fault, _ in found if fault)]
    offences += _miscounted(info, splits) + _leaks(
        rows, [print_ for _, print_ in found], float(info["settings"]["similar"])
    )
    everything = [row for _, row in rows]
    edited = [row for row in everything if row["colour"] != row.get("colour_as_built", row["colour"])]
    return Report(
        path=path,
        pictures=len(rows),
        splits={name: len(lines) for name, lines in splits.items()},
        colours=records.counts(splits)["colours"],
        edited=len(edited),
        fingerprint=records.fingerprint(everything),
        rights=rights.summary(everything),
        offences=offences,
        notes=_notes(everything, edited),
    )


def facts(path: Path | str) -> dict[str, Any]:
    """What the data set at `path` says of itself, counts and fingerprint as its labels are now; no picture is read."""
    path = Path(path)
    info = records.read_info(path)
    splits = {name: records.read_records(path, name) for name in info["splits"]}
    rows = [row for lines in splits.values() for row in lines]
    return info | records.counts(splits) | {"fingerprint": records.fingerprint(rows)}


# --- picture by picture ---------------------------------------------------------------------------


def _seen(
    path: Path, rows: list[tuple[str, dict[str, Any]]], size: int, workers: int | None, progress: Progress | None
) -> list[tuple[str, bytes]]:
    """(offence or "", thumbprint of an original or b"") of each picture."""
    jobs = [(path / name / row["file_name"], f"{name}/{row['file_name']}", row, size) for name, row in rows]
    found = []
    for result in pool.each(_look, jobs, _lost, workers):
        found.append(result)
        if progress:
            progress(len(found), len(jobs), "checking")
    return found


_Look = tuple[Path, str, dict[str, Any], int]


def _look(job: _Look) -> tuple[str, bytes]:
    file, name, row, size = job
    try:
        data = images.read_bytes(file)
        pixels = images.decode(data).pixels
    except DataError as error:
        return f"{name}: {error.what}", b""
    if hashlib.sha256(data).hexdigest() != row.get("sha256"):
        return f"{name}: is not the picture that was built (SHA-256 differs).", b""
    if pixels.shape != (size, size, 3):
        return f"{name}: {pixels.shape[1]} x {pixels.shape[0]} pixels instead of {size}.", b""
    fault = _sketch_fault(file, row)
    original = not row.get("mirror") and not row.get("recolour")
    return fault and f"sketches/{name}: {fault}", duplicates.thumbprint(pixels).tobytes() if original else b""


def _sketch_fault(file: Path, row: dict[str, Any]) -> str:
    """What is wrong with the picture's sketch, if it has one."""
    if not row.get("sketch_sha256"):
        return ""
    try:
        data = images.read_bytes(file.parents[1] / "sketches" / file.parent.name / file.name)
    except DataError as error:
        return error.what
    same = hashlib.sha256(data).hexdigest() == row["sketch_sha256"]
    return "" if same else "is not the sketch that was drawn (SHA-256 differs)."


def _lost(job: _Look) -> tuple[str, bytes]:
    return f"{job[1]}: made the decoder crash.", b""


def _strangers(path: Path, splits: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Files in the split folders that metadata.jsonl does not name: loaders would take them in."""
    found = []
    for name, lines in splits.items():
        known = {row["file_name"] for row in lines} | {"metadata.jsonl"}
        found += [
            f"{name}/{p.name}: is not in metadata.jsonl."
            for p in sorted((path / name).iterdir())
            if p.name not in known
        ]
    return found


# --- as a whole -----------------------------------------------------------------------------------


def _miscounted(info: dict[str, Any], splits: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Where the lines do not add up to dataset.json; colours may have been edited, the rest may not."""
    now, offences = records.counts(splits), []
    for key in ("pictures", "originals", "groups"):
        if now[key] != info[key]:
            offences.append(f"dataset.json: says {info[key]} {key}, there are {now[key]}.")
    for name in sorted(set(info["splits"]) | set(now["splits"])):
        said, there = (s["splits"].get(name, {}).get("pictures", 0) for s in (info, now))
        if said != there:
            offences.append(f"dataset.json: says {said} pictures for {name}, there are {there}.")
    rows = [row for lines in splits.values() for row in lines]
    if records.fingerprint(rows, labels=False) != info["pixels"]:
        offences.append(
            "dataset.json: the fingerprint of the pictures differs; metadata.jsonl was changed beyond its labels."
        )
    if rights.summary(rows) != info["rights"]:
        offences.append("dataset.json: its rights are not those that metadata.jsonl gives.")
    return offences


def _leaks(rows: list[tuple[str, dict[str, Any]]], prints: list[bytes], similar: float) -> list[str]:
    """What lies on both sides of the split: a group, a source, or two pictures that look the same whatever their
    lines say.
    """
    offences = []
    for key in ("group", "source_sha256"):
        sides: dict[str, set[str]] = {}
        for name, row in rows:
            sides.setdefault(row.get(key, ""), set()).add(name)
        offences += [f"{key} {value}: on both sides of the split." for value, names in sides.items() if len(names) > 1]
    originals = [(i, print_) for i, print_ in enumerate(prints) if print_]
    side = duplicates.SIDE
    one, two = duplicates.pairs([np.frombuffer(p, np.uint8).reshape(side, side) for _, p in originals], similar)
    for a, b in zip(one, two, strict=True):
        (left, mine), (right, other) = rows[originals[a][0]], rows[originals[b][0]]
        if left != right:
            offences.append(f"{left}/{mine['file_name']}: is a near-copy of {right}/{other['file_name']}.")
    return offences


def _notes(rows: list[dict[str, Any]], edited: list[dict[str, Any]]) -> list[str]:
    notes = []
    if edited:
        notes.append(f"{len(edited)} colours were edited by hand.")
    colours: dict[tuple[str, bool], set[str]] = {}
    for row in rows:
        colours.setdefault((row.get("source_sha256", ""), bool(row.get("recolour"))), set()).add(row["colour"])
    if torn := sum(len(names) > 1 for names in colours.values()):
        notes.append(f"{torn} pictures have another colour than their mirror images; building again makes them agree.")
    return notes
