"""Where the pictures of a comparison come from: a folder of files, a split of a data set, or a model that paints them when they are asked
for. All are one thing here: a known number of pictures of one size, read one at a time.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lianpu import files, images
from lianpu.data.colour import CLASSES
from lianpu.data.folder import Folder
from lianpu.errors import DataError, ResourceError, UsageError
from lianpu.metrics import bootstrap

__all__ = [
    "ENDINGS",
    "Source",
    "at_size",
    "dataset",
    "folder",
    "made",
    "match",
    "on_disk",
    "open_pictures",
    "painted",
    "pixel_hash",
]

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
SHOWN = 3  # names an error or a note gives


@dataclass(frozen=True)
class Source:
    """Pictures to be measured: `read(i)` is picture i, uint8 (height, width, 3), the same at every call."""

    name: str
    kind: str
    """folder, data set or model."""
    names: tuple[str, ...]
    height: int
    width: int
    read: Callable[[int], np.ndarray] = field(repr=False)
    labels: tuple[str, ...] | None = None
    """The colour class of each picture, where it is known of all."""
    note: str = ""
    """What was done or left out, in words."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What a reader needs to have the same pictures again: path, split, fingerprint; or model, seeds, truncation."""
    path: Path | None = None

    def __len__(self) -> int:
        return len(self.names)

    def take(self, n: int | None, seed: int) -> Source:
        """At most n of the pictures, chosen by seed, in their own order."""
        if n is None or n >= len(self):
            return self
        if n < 2:
            raise UsageError(f"--n is {n}; a comparison needs at least two pictures.", fix="Use --n 2048 or more.")
        keep = np.sort(bootstrap.dice(seed, "take", self.name, len(self)).choice(len(self), n, replace=False)).tolist()
        read = self.read
        labels = tuple(self.labels[i] for i in keep) if self.labels else None
        note = "; ".join(filter(None, (self.note, f"{n} of {len(self)} {self.name} pictures, drawn with seed {seed}")))
        names = tuple(self.names[i] for i in keep)
        return replace(self, names=names, read=lambda i: read(keep[i]), labels=labels, note=note)


def pixel_hash(pixels: np.ndarray) -> bytes:
    """SHA-256 of a picture's size and pixels: two files that show the same are the same."""
    return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).digest()


# ---------------------------------------------------------------------------------------------------------------- folders


def folder(path: Path) -> Source:
    """The pictures in a folder, and in its subfolders that bear a colour's name (red/, black/, ...), sorted by name."""
    if not path.is_dir():
        raise DataError(
            f"there is no folder {path.name}.", str(path), "Give a folder of pictures, a data set or a model."
        )
    paths, others = [], []
    classes = [p for p in path.iterdir() if p.is_dir() and p.name in CLASSES]
    for entry in sorted(p for folder_ in (path, *classes) for p in folder_.iterdir()):
        if entry.name.startswith(".") or entry in classes:
            continue
        (paths if _is_picture(entry) else others).append(entry)
    if not paths:
        raise DataError(
            f"{path.name} holds no picture.", str(path), "Give a folder of PNG, JPEG, WebP, TIFF or BMP pictures."
        )
    names = tuple(str(p.relative_to(path)) for p in paths)
    first = images.decode(paths[0]).pixels
    size = first.shape[0], first.shape[1]

    def read(i: int) -> np.ndarray:
        try:
            pixels = images.decode(paths[i]).pixels
        except DataError as error:
            raise _survey(path, paths, size, error) from None
        if pixels.shape[:2] != size:
            raise _survey(path, paths, size, None)
        return pixels

    note = (
        f"{len(others)} files of {path.name} are no pictures to compare and were left out ({_some(others)})"
        if others
        else ""
    )
    facts = {"path": str(path), "empty_classes": [p.name for p in classes if not any(q.parent == p for q in paths)]}
    return Source(path.name, "folder", names, *size, read, _labels(names, classes), note, facts, path)


def _is_picture(path: Path) -> bool:
    """Whether a file claims to be one picture; a sheet of many, as `generate --grid` writes it, is not one."""
    if not path.is_file() or path.suffix.lower() not in ENDINGS:
        return False
    if path.name.startswith("sheet-") and path.suffix.lower() == ".png":
        try:
            return json.loads(images.read_text(path).get("lianpu", "{}")).get("verb") != "sheet"
        except (DataError, ValueError, AttributeError):
            return True
    return True


def _some(paths: Sequence[Path]) -> str:
    return ", ".join(p.name for p in paths[:SHOWN]) + (", ..." if len(paths) > SHOWN else "")


def _labels(names: Sequence[str], classes: Sequence[Path]) -> tuple[str, ...] | None:
    """Colours from the subfolders, or from names as `generate` gives them (seed000001-red.png); None unless all have one."""
    if classes:
        found = [name.split("/")[0] if "/" in name else "" for name in (n.replace("\\", "/") for n in names)]
    else:
        found = [Path(name).stem.rpartition("-")[2] for name in names]
    return tuple(found) if all(label in CLASSES for label in found) else None


def _survey(path: Path, paths: Sequence[Path], size: tuple[int, int], error: DataError | None) -> DataError:
    """After a first bad picture: how many there are, so that one look mends all."""
    damaged, odd = [], []
    for p in paths:
        try:
            shape = images.decode(p).pixels.shape[:2]
        except DataError as problem:
            damaged.append(problem)
        else:
            if shape != size:
                odd.append((p, shape))
    if damaged or error:
        first = damaged[0] if damaged else error
        assert first is not None
        return DataError(
            f"{max(len(damaged), 1)} of {len(paths)} pictures cannot be decoded (the first, {first.what.rstrip('.')}).",
            str(path),
            "Take them out of the folder: a score that silently leaves pictures out is not of this set.",
        )
    where, (h, w) = odd[0]
    return DataError(
        f"{len(odd)} of {len(paths)} pictures are not {size[1]} x {size[0]} pixels (the first, {where.name}, is {w} x {h}).",
        str(path),
        "Give pictures of one size, or build a data set of them: lianpu data build",
    )


# -------------------------------------------------------------------------------------------------------- data sets and models


def dataset(path: Path, split: str = "test", size: int | None = None) -> Source:
    """One split of a data set that `lianpu data build` wrote, at `size` pixels (None for the stored size)."""
    opened = Folder.open(path, split, size)
    note = (
        f"{path.name} reduced from {opened.stored} to {opened.resolution} px (Lanczos)"
        if opened.resolution != opened.stored
        else ""
    )
    facts = {
        "path": str(path),
        "split": split,
        "fingerprint": opened.fingerprint,
        "rights": opened.rights.get("status", "unknown"),
    }
    names = tuple(str(row["file_name"]) for row in opened.records)
    labels = tuple(str(row["colour"]) for row in opened.records)
    n = opened.resolution
    return Source(f"{path.name}/{split}", "data set", names, n, n, opened.image, labels, note, facts, path)


class Paints(Protocol):
    """What `painter.Painter` can do that matters here (metrics lie below it)."""

    name: str

    @property
    def model(self) -> Any: ...
    def subjects(
        self, count: int, seed: int, *, label: str | None = None, truncation: float = 0.7
    ) -> Sequence[Any]: ...
    def paint(self, subject: Any) -> np.ndarray: ...


def painted(painter: Paints, count: int, *, seed: int = 0, truncation: float = 1.0, label: str | None = None) -> Source:
    """`count` new pictures of a model, with seeds seed, seed + 1, ...; classes take turns."""
    if count < 2:
        raise UsageError(f"--n is {count}; a comparison needs at least two pictures.", fix="Use --n 2048 or more.")
    subjects = painter.subjects(count, seed, label=label, truncation=truncation)
    names = tuple(f"seed{s.seed:06d}" + (f"-{s.label}" if s.label else "") for s in subjects)
    size = int(painter.model.config["resolution"])
    labels = tuple(str(s.label) for s in subjects) if all(s.label for s in subjects) else None
    facts = {
        "model": painter.name,
        "model_sha256": painter.model.sha256,
        "recipe": painter.model.recipe,
        "seeds": [seed, seed + count - 1],
        "truncation": truncation,
    }
    note = f"painted by {painter.name} {painter.model.sha256[:12]}, seeds {seed} to {seed + count - 1}, truncation {truncation:g}"
    return made(painter.name, names, size, lambda i: painter.paint(subjects[i]), note, facts, labels)


def made(
    name: str,
    names: tuple[str, ...],
    size: int,
    make: Callable[[int], np.ndarray],
    note: str,
    facts: dict[str, Any],
    labels: tuple[str, ...] | None = None,
) -> Source:
    """Pictures of a model, uint8 (size, size, 3), each made when first asked for and then kept in a temporary file, not in memory."""
    kept = _Kept(len(names), (size, size, 3), make)
    return Source(name, "model", names, size, size, kept.read, labels, note, facts)


class _Kept:
    """Pictures made once, kept on the disk until nobody needs them."""

    def __init__(self, count: int, shape: tuple[int, int, int], make: Callable[[int], np.ndarray]) -> None:
        self.make, self.done = make, np.zeros(count, bool)
        self.pictures = on_disk((count, *shape), np.uint8)

    def read(self, i: int) -> np.ndarray:
        if not self.done[i]:
            self.pictures[i] = self.make(i)
            self.done[i] = True
        return np.array(self.pictures[i])


def on_disk(shape: tuple[int, ...], kind: type[np.generic]) -> np.ndarray:
    """A new array in an unnamed temporary file, which vanishes with it; ResourceError where there is no room for it."""
    need, place = int(np.prod(shape)) * np.dtype(kind).itemsize, Path(tempfile.gettempdir())
    if (free := files.free_bytes(place)) < need + (64 << 20):
        raise ResourceError(
            f"{shape[0]} pictures need {need / 2**20:.0f} MiB of temporary space.",
            f"{free / 2**20:.0f} MiB are free in {place}",
            "Free some, or set TMPDIR to another disk.",
        )
    with files.writing(place / "a temporary file"), tempfile.TemporaryFile() as file:
        return np.memmap(file, kind, "w+", shape=shape)


def open_pictures(path: Path | str, *, split: str | None = None, size: int | None = None) -> Source:
    """A data set (its `split`: test where there is one and none is named, else train) or a folder of pictures."""
    path = Path(path)
    if (path / "dataset.json").is_file():
        if split is None:
            split = "test" if _has_lines(path / "test" / "metadata.jsonl") else "train"
        return dataset(path, split, size)
    if split is not None:
        raise UsageError(f"{path.name} has no splits: it is no data set.", fix="Leave --split away.")
    source = folder(path)
    return source if size is None else at_size(source, size, size)


def _has_lines(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 1


def at_size(source: Source, height: int, width: int) -> Source:
    """The same pictures at another size (Lanczos, antialiased), said in the note."""
    if (source.height, source.width) == (height, width):
        return source
    read = source.read
    said = f"{source.name} resized from {source.width} x {source.height} to {width} x {height} px (Lanczos)"
    return replace(
        source,
        height=height,
        width=width,
        read=lambda i: images.resize(read(i), height, width),
        note="; ".join(filter(None, (source.note, said))),
    )


def match(source: Source, like: Source) -> Source:
    """`source` at the size of `like`: a data set is read smaller, as training reads it; anything else must have that size already."""
    if (source.height, source.width) == (like.height, like.width):
        return source
    smaller = like.height == like.width and like.height < source.height
    if source.kind == "data set" and source.path is not None and smaller:
        return dataset(source.path, str(source.facts["split"]), like.height)
    raise DataError(
        f"{like.name} has pictures of {like.width} x {like.height} pixels, {source.name} of {source.width} x {source.height}.",
        "They are never resized silently: the size changes every score.",
        f"Say at which size to compare, for instance --size {min(source.height, like.height)}.",
    )
