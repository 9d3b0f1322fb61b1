"""A drawing as it comes from a pencil, a scanner or a telephone, made into the lines that a translator was trained on: even light, white
paper, full ink, laid on the square as training masks lie.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from lianpu import images
from lianpu.data.lab import to_lab
from lianpu.errors import DataError

__all__ = ["Scanned", "read_lines"]

LEAST_SIDE = 24  # pixels: below, no face can be drawn
WORK = 1024  # pixels of the longer side that are looked at; more shows paper fibres, not lines
COARSE = 192  # pixels of the copy on which light and paper are estimated
WINDOW = 0.2  # of the picture: a patch of ink wider than this would pass for paper
FAINT = 0.12  # least darkness, of the paper's light, that can be a stroke
SPECK = 2e-5  # of the drawn area: smaller dots are dust, and dots below LEAST_DOT wherever they are
LEAST_DOT = 4  # pixels
PAINTED = 0.12  # share of strongly coloured pixels from which it is no drawing; XDoG drawings have none. Of 200 drawn masks 63 % have
# more: white, black and dull ones pass for drawings
CHROMA = 25.0  # CIE Lab: strongly coloured
FRAME = (0.016, 0.977)  # top and bottom of drawn masks, in heights of the picture
FREE = 0.72  # least share of the square's height that a drawing fills where it may stay as it lies
INKED = 70  # percentile of what is drawn on at all that counts as full ink


class Scanned(NamedTuple):
    """Lines float32 (size, size), 1 ink, 0 paper, and what was done to find them, in words."""

    lines: np.ndarray
    notes: list[str]


def read_lines(source: Path | bytes, size: int) -> Scanned:
    """The lines of a drawing in a file or in bytes, at `size` pixels.

    Every reason why it is no drawing is a DataError: blank, nothing but dust, too small, a painted mask.
    """
    decoded = images.decode(source)
    name = "The sketch" if isinstance(source, bytes) else source.name
    where = "" if isinstance(source, bytes) else str(source)
    notes = list(decoded.notes)
    try:
        ink = _ink(_at_work(decoded.pixels), notes)
        return Scanned(_laid(ink, size, notes), notes)
    except _NoDrawing as reason:
        raise DataError(f"{name}: {reason}.", where, reason.fix) from None


class _NoDrawing(Exception):
    """Why there are no lines to be had."""

    def __init__(self, what: str, fix: str = "Give a line drawing: dark lines on light paper.") -> None:
        super().__init__(what)
        self.fix = fix


def _at_work(pixels: np.ndarray) -> np.ndarray:
    h, w = pixels.shape[:2]
    if min(h, w) < LEAST_SIDE:
        raise _NoDrawing(f"it is only {w} x {h} pixels", f"Give a drawing of at least {LEAST_SIDE} x {LEAST_SIDE}.")
    scale = min(1.0, WORK / max(h, w))
    return images.resize(pixels, max(1, round(h * scale)), max(1, round(w * scale)))


def _ink(pixels: np.ndarray, notes: list[str]) -> np.ndarray:
    """uint8 (h, w, 3) -> float32 (h, w): how much of the paper's light is missing, 0 paper, 1 the drawing's own full ink."""
    lab = to_lab(_small(pixels))
    if _on_dark(lab[..., 0]):
        pixels = 255 - pixels
        notes.append("light lines on a dark ground: inverted")
    else:
        _require_unpainted(lab)
    # a blue line is dark in red: the darkest channel tells
    missing = 1 - (pixels.astype(np.float32) / np.maximum(_paper(pixels), 1)).min(-1)
    strokes = missing[missing > FAINT]
    strong = float(np.percentile(strokes, 90)) if len(strokes) else 0.0
    if strong < FAINT * 1.2:
        raise _NoDrawing("no line is to be seen on it")
    ink = _without_dust(np.clip((missing - 0.3 * strong) / (0.5 * strong), 0, 1).astype(np.float32))
    if (share := float((ink > 0.5).mean())) > 0.6:
        raise _NoDrawing(f"{share:.0%} of it is dark", "Give a line drawing: lines on paper, not a filled picture.")
    return ink


def _on_dark(light: np.ndarray) -> bool:
    """Whether most of a picture is dark, and something in it much lighter; L* (h, w)."""
    ground = np.median(light)
    return bool(ground < 35 and np.percentile(light, 99.5) - ground > 25)


def _require_unpainted(lab: np.ndarray) -> None:
    """Paper may have a colour, and a pen; strong colours over an area are paint."""
    a, b = (lab[..., k] - np.median(lab[..., k]) for k in (1, 2))
    share = float((np.hypot(a, b) > CHROMA).mean())
    if share > PAINTED:
        raise _NoDrawing(
            f"it is painted ({share:.0%} of it in strong colours), not a line drawing",
            "Are --sketch and --reference the wrong way round? `lianpu data build --sketches lines` draws a picture's lines.",
        )


def _without_dust(ink: np.ndarray) -> np.ndarray:
    """The same without small dots; what is kept keeps its soft rim."""
    parts = np.zeros(ink.shape, np.int32)
    ndimage.label(ink > 0.5, np.ones((3, 3)), output=parts)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0  # the paper
    large = sizes[parts] >= 9  # what the extent of the drawing is told from
    rows, columns = np.flatnonzero(large.any(1)), np.flatnonzero(large.any(0))
    extent = (np.ptp(rows) + 1) * (np.ptp(columns) + 1) if rows.size else 0
    kept = sizes >= max(SPECK * extent, LEAST_DOT)
    if not kept.any():
        raise _NoDrawing("there is nothing but specks on it")
    return np.where(ndimage.maximum_filter(kept[parts], 3), ink, 0)


def _small(pixels: np.ndarray) -> np.ndarray:
    h, w = pixels.shape[:2]
    scale = min(1.0, COARSE / max(h, w))
    return np.asarray(
        Image.fromarray(pixels).resize((max(1, round(w * scale)), max(1, round(h * scale))), Image.Resampling.BOX)
    )


def _paper(pixels: np.ndarray) -> np.ndarray:
    """The light of bare paper at every pixel, float32 (h, w, 3): shadow and yellowed paper are in it, strokes are not."""
    coarse = _small(pixels)
    window = max(3, round(WINDOW * min(coarse.shape[:2])))
    closed = np.stack([ndimage.grey_closing(channel, (window, window)) for channel in np.moveaxis(coarse, -1, 0)], -1)
    smooth = ndimage.gaussian_filter(closed.astype(np.float32), (window / 4, window / 4, 0))
    bands = [
        np.asarray(Image.fromarray(smooth[..., i]).resize(pixels.shape[1::-1], Image.Resampling.BILINEAR))
        for i in range(3)
    ]
    return np.stack(bands, -1)


def _laid(ink: np.ndarray, size: int, notes: list[str]) -> np.ndarray:
    """float32 (h, w) -> (size, size): framed as drawn masks are, unless it is already, with strokes that stay strokes."""
    h, w = ink.shape
    rows, columns = np.flatnonzero((ink > 0.5).any(1)), np.flatnonzero((ink > 0.5).any(0))
    tall, wide = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    if h == w and max(tall, wide) >= FREE * h:
        top, left, side = 0, 0, h
    else:
        side = max(tall, wide) / (FRAME[1] - FRAME[0])
        top = round((rows[0] + rows[-1] + 1) / 2 - side * sum(FRAME) / 2)
        left = round((columns[0] + columns[-1] + 1 - side) / 2)
        side = max(1, round(side))
        notes.append("the drawing was cut out and laid on the square as masks lie")
    if side < size:
        notes.append(f"enlarged from {side} to {size} pixels")
    page = np.zeros((side, side), np.float32)
    y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + side, h), min(left + side, w)
    page[y0 - top : y1 - top, x0 - left : x1 - left] = ink[y0:y1, x0:x1]
    method = Image.Resampling.BOX if side >= size else Image.Resampling.BICUBIC
    return _full_ink(np.asarray(Image.fromarray(page).resize((size, size), method)), notes)


def _full_ink(laid: np.ndarray, notes: list[str]) -> np.ndarray:
    """Strokes that reducing has turned grey, black again, no wider than they are: grey is no ink to a translator."""
    drawn = laid[laid > 0.1]
    strong = float(np.percentile(drawn, INKED)) if drawn.size else 1.0
    if strong < 0.75:
        notes.append("thin lines were strengthened")
    return np.clip(laid / strong, 0, 1).astype(np.float32)
