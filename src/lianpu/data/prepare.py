"""One picture on its way into a data set: read, decoded, squared, labelled, and its variants laid into the workshop
DATA/.build. What comes out is a function of the picture's bytes and the settings, and is kept under their hash, so
that an interrupted build continues.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lianpu import __version__, files, images
from lianpu.data import archive, crop, duplicates, pool, recolour, records, sketch
from lianpu.data.colour import classify
from lianpu.errors import DataError, UsageError

__all__ = ["Job", "Progress", "Settings", "digest", "final", "hash_all", "places", "prepare_all"]

Progress = Callable[[int, int, str], None]
"""(done, total, what is being done)"""
SIZES = tuple(2**i for i in range(3, 11))


@dataclass(frozen=True)
class Settings:
    """What a data set is made with; it is written into `dataset.json`."""

    size: int = 256
    """Height and width of the pictures: a power of two."""
    crop: str = "pad"
    """pad: all of the picture on its ground; centre: the middle square; subject: the mask, told from its ground; face: a face that a
    network finds, upright.
    """
    expand: bool = False
    """Four pictures from each: mirror x colour change (Yan et al. 2023: 1782 become 7128)."""
    test: float = 0.1
    """Share of each colour that is kept for testing."""
    seed: int = 0
    """Draws the split and the new colours."""
    similar: float = duplicates.THRESHOLD
    """Correlation of line work from which two pictures are near-duplicates; above 1 only exact copies are."""
    sketches: str = ""
    """Style of the line drawings laid beside the pictures (lines, colour, bold, soft, woodcut); none if empty."""

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            near = min(SIZES, key=lambda n: abs(n - self.size))
            raise UsageError(f"--size {self.size} is not a power of two from 8 to 1024.", fix=f"Use --size {near}.")
        if not 0 <= self.test <= 0.5:
            raise UsageError(f"--test {self.test} is not a share from 0 to 0.5.", fix="Use --test 0.1.")
        if self.crop not in crop.MODES:
            raise UsageError(f"there is no crop mode {self.crop!r}.", fix=f"Use one of {', '.join(crop.MODES)}.")
        if self.sketches and self.sketches not in sketch.PRESETS:
            raise UsageError(
                f"there is no sketch style {self.sketches!r}.", fix=f"Use one of {', '.join(sketch.PRESETS)}."
            )


@dataclass(frozen=True)
class Job:
    """One picture to be prepared: its place and hash, its colour class where the source tells it, and the workshop."""

    item: archive.Item
    sha256: str
    settings: Settings
    given: str
    shop: Path
    find: crop.Find | None = None
    """Who looks for faces; a function of a module, for workers are sent its name."""

    @property
    def key(self) -> str:
        """What the pieces depend on: the bytes, the settings that touch pixels, the class told beforehand, and this
        version.
        """
        s = self.settings
        parts = (self.sha256, s.size, s.crop, s.expand, s.seed if s.expand else 0, s.sketches, self.given, __version__)
        return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32]

    @property
    def stem(self) -> str:
        """A file name that is safe on every system: letters and digits of the source's, and ten digits of its hash."""
        text = unicodedata.normalize("NFC", PurePosixPath(self.item.within).stem)
        slug = "".join(c if c.isalnum() or c in "-_" else " " for c in text).split()
        return "-".join(["_".join(slug)[:40], self.sha256[:10]]).lstrip("-_")


def hash_all(items: Sequence[archive.Item], refused: list[archive.Refusal], say: Progress) -> dict[archive.Item, str]:
    """SHA-256 of each source file, in order; unreadable files and exact copies go to `refused` instead."""
    hashes: dict[archive.Item, str] = {}
    first: dict[str, archive.Item] = {}
    for done, item in enumerate(items):
        if done % 64 == 0:
            say(done, len(items), "reading")
        try:
            sha256 = hashlib.sha256(item.read()).hexdigest()
        except DataError as error:
            refused.append(archive.Refusal(item.name, _reason(error, item)))
            continue
        if sha256 in first:
            refused.append(archive.Refusal(item.name, f"is the same file as {first[sha256].name}"))
        else:
            hashes[item] = sha256
            first[sha256] = item
    say(len(items), len(items), "reading")
    return hashes


def prepare_all(jobs: Sequence[Job], workers: int | None, say: Progress) -> list[dict[str, Any]]:
    """The results of all jobs in order, taken from an earlier run where that finished them."""
    results: dict[str, dict[str, Any]] = {job.key: found for job in jobs if (found := _kept(job))}
    todo = [job for job in jobs if job.key not in results]
    say(len(results), len(jobs), "preparing")
    for job, result in zip(todo, pool.each(_prepare, todo, _lost, workers), strict=True):
        results[job.key] = result
        say(len(results), len(jobs), "preparing")
    return [results[job.key] for job in jobs]


def places(job: Job, piece: dict[str, Any]) -> Iterator[Path]:
    """Where a piece can lie: in the workshop, or already in one of the splits."""
    yield job.shop / "pictures" / piece["file"]
    for split in records.SPLITS:
        yield job.shop.parent / final(job, piece, split)


def final(job: Job, piece: dict[str, Any], split: str) -> str:
    """A piece's path in the data set: train/guanyu-0123456789-mirror.png. Sketches lie apart, out of the way of
    loaders.
    """
    file = "-".join(filter(None, (job.stem, piece["variant"]))) + ".png"
    return f"{'sketches/' if piece['kind'] == 'sketch' else ''}{split}/{file}"


def digest(path: Path) -> str:
    """SHA-256 of a file, "" where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _kept(job: Job) -> dict[str, Any] | None:
    """The result of an earlier, perhaps interrupted run, if all its pieces are somewhere and whole."""
    try:
        result = json.loads((job.shop / "pieces" / f"{job.key}.json").read_bytes())
    except (OSError, ValueError):
        return None
    whole = all(any(digest(place) == piece["sha256"] for place in places(job, piece)) for piece in result["pieces"])
    return result if whole else None


def _lost(job: Job) -> dict[str, Any]:
    return {"refused": "made the decoder crash"}


def _prepare(job: Job) -> dict[str, Any]:
    """Decode, square, label, expand, sketch. The note of what was done is written last: it says that the pieces are
    there.
    """
    settings = job.settings
    try:
        data = job.item.read()
        if hashlib.sha256(data).hexdigest() != job.sha256:
            raise DataError("changed while it was read.")
        decoded = images.decode(data)
        pixels, cropped = crop.square(decoded.pixels, settings.crop, settings.size, job.find)
        large = _large(decoded.pixels, job, pixels)
    except DataError as error:
        return {"refused": _reason(error, job.item)}
    pieces, drawing = [], np.zeros(0)
    for variant in _variants(job, pixels, large):
        picture = variant.pop("pixels")
        pieces.append({"kind": "picture", **variant, **_put(job, variant["variant"], picture)})
        if settings.sketches:
            mirrored = variant["variant"].endswith("mirror")  # then the drawing is known already
            drawing = drawing[:, ::-1] if mirrored else sketch.sketch(picture, settings.sketches)
            pieces.append(
                {"kind": "sketch", "variant": variant["variant"], **_put(job, f"sketch-{variant['variant']}", drawing)}
            )
    result = {
        "notes": [*decoded.notes, *cropped],
        "print": duplicates.thumbprint(pixels).tobytes().hex(),
        "pieces": pieces,
    }
    _write(job.shop / "pieces" / f"{job.key}.json", records.encode(result))
    return result


def _reason(error: DataError, item: archive.Item) -> str:
    """An error's first line without the name, which the quarantine list gives already."""
    text = error.what.rstrip(".")
    for name in ("The picture: ", f"{item.path.name} ", f"{PurePosixPath(item.within).name} "):
        text = text.removeprefix(name)
    return text


PAINTED_AT = 256  # pixels from which a line is wide enough to tell it from the paints on its sides


def _large(original: np.ndarray, job: Job, pixels: np.ndarray) -> np.ndarray:
    """The square at up to 256 pixels, as many as the original has: paints are exchanged there, before it is made small.
    In a small picture every pixel of an outline is a mixture, and exchanged paint leaves jags and fringes.
    """
    settings, size = job.settings, job.settings.size
    while settings.expand and 2 * size <= min(PAINTED_AT, *original.shape[:2]):
        size *= 2
    return pixels if size == settings.size else crop.square(original, settings.crop, size, job.find)[0]


def _variants(job: Job, pixels: np.ndarray, large: np.ndarray) -> Iterator[dict[str, Any]]:
    """The picture and, if the set is expanded, its mirror image and both in another colour, each with its label."""
    seen = classify(pixels)
    label = {"colour": job.given or seen.name, "measured": seen.name, "confidence": seen.confidence, "recolour": []}
    yield {"variant": "", "pixels": pixels, **label}
    if not job.settings.expand:
        return
    yield {"variant": "mirror", "pixels": pixels[:, ::-1], **label}
    new = recolour.recolour(large, job.settings.seed, job.sha256, colour=label["colour"])
    repainted = images.resize(new.pixels, job.settings.size)
    seen = classify(repainted)
    label = {"colour": new.colour, "measured": seen.name, "confidence": seen.confidence, "recolour": new.mapping}
    yield {"variant": "recolour", "pixels": repainted, **label}
    yield {"variant": "recolour-mirror", "pixels": repainted[:, ::-1], **label}


def _put(job: Job, variant: str, pixels: np.ndarray) -> dict[str, str]:
    name = f"{job.key}-{variant or 'plain'}.png"
    data = images.encode_png(pixels)
    _write(job.shop / "pictures" / name, data)
    return {"file": name, "sha256": hashlib.sha256(data).hexdigest()}


def _write(path: Path, data: bytes) -> None:
    """Written plainly: what is torn here is found by its hash, or is no JSON, and made again."""
    with files.writing(path):
        path.write_bytes(data)
