"""A built data set as training reads it: pictures and colour classes by index, without torch. Sizes are never
guessed: a smaller power of two is made and said, a larger one is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lianpu import images
from lianpu.data import records
from lianpu.data.colour import CLASSES
from lianpu.errors import DataError

__all__ = ["Folder"]


@dataclass(frozen=True)
class Folder:
    """One split of a data set that `lianpu data build` wrote; open it with `Folder.open`."""

    path: Path
    split: str
    resolution: int
    """Height and width of the pictures that `image` returns."""
    stored: int
    """Height and width of the pictures on disk."""
    records: list[dict[str, Any]] = field(repr=False)
    """The lines of metadata.jsonl, in file order."""
    rights: dict[str, Any]
    """{"status": "known" or "unknown", "licences": {licence: pictures}, "sources": [...]}; models and their outputs
    inherit it.
    """
    fingerprint: str
    """SHA-256 over file hashes and labels of this split, as they are now (hand-edited labels included)."""
    classes: tuple[str, ...] = CLASSES

    @classmethod
    def open(cls, path: Path | str, split: str = "train", size: int | None = None) -> Folder:
        """The split of the data set at `path`, at `size` pixels (a power of two up to the stored size; None for the
        stored size).
        """
        path = Path(path)
        info = records.read_info(path)
        rows = records.read_records(path, split)
        if not rows:
            raise DataError(
                f"The {split} split of {path.name} holds no picture.",
                str(path / split),
                "Build it from more pictures." if split == "train" else "Build it with a larger --test share.",
            )
        stored = int(info["size"])
        size = stored if size is None else size
        if size > stored or size < 4 or size & (size - 1):
            raise DataError(
                f"{path.name} holds pictures of {stored} px; they cannot be had at {size} px.",
                str(path),
                f"Train at a power of two from 4 to {stored}, or build again with --size {size}.",
            )
        return cls(path, split, size, stored, rows, info["rights"], records.fingerprint(rows))

    def __len__(self) -> int:
        return len(self.records)

    def remarks(self) -> list[str]:
        """What one should know before training on it, in sentences."""
        notes = []
        if self.resolution < self.stored:
            notes.append(f"The pictures of {self.stored} px are reduced to {self.resolution} px.")
        if len({row.get("sha256") for row in self.records}) == 1 and len(self) > 1:
            notes.append(
                f"All {len(self)} pictures of the {self.split} split are the same: there is nothing to learn but that one."
            )
        return notes

    def image(self, i: int) -> np.ndarray:
        """Picture i, uint8 (resolution, resolution, 3); DataError where its file is not the one that was built."""
        file = self.path / self.split / self.records[i]["file_name"]
        content = images.read_bytes(file)
        if hashlib.sha256(content).hexdigest() != self.records[i].get("sha256"):
            raise DataError(
                f"{file.name} has changed since the data set was built.",
                str(file.parent),
                f"`lianpu data check {self.path}` names all such files; build the data set again.",
            )
        pixels = images.decode(content).pixels
        if pixels.shape != (self.stored, self.stored, 3):
            height, width, _ = pixels.shape
            raise DataError(
                f"{self.records[i]['file_name']} is {width} x {height} pixels in a data set of {self.stored} px.",
                str(self.path / self.split),
                f"Run `lianpu data check {self.path}`.",
            )
        return images.resize(pixels, self.resolution)

    def label(self, i: int) -> int:
        """Index of picture i's colour in `classes`."""
        return self.classes.index(self.records[i]["colour"])

    def labels(self) -> np.ndarray:
        """int64 (n,), the index of each picture's colour in `classes`."""
        return np.array([self.label(i) for i in range(len(self))], np.int64)

    def arrays(self) -> np.ndarray:
        """All pictures, uint8 (n, resolution, resolution, 3), read anew at each call; about 0.2 MB a picture at 256
        px.
        """
        out = np.empty((len(self), self.resolution, self.resolution, 3), np.uint8)
        for i in range(len(self)):
            out[i] = self.image(i)
        return out
