"""From a picture of any shape to the square that training sees: all of it on a padded ground, its middle, or the face
alone.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from lianpu import images
from lianpu.data import ground
from lianpu.errors import DataError, UsageError, did_you_mean

__all__ = ["MODES", "Crop", "square"]

Crop = Literal["pad", "centre", "subject"]
MODES: tuple[str, ...] = get_args(Crop)
MARGIN = 0.04  # of the face's longer side, left free around it by "subject"
MAX_ENLARGEMENT = 4
MIN_SIDE = 8  # pixels: below, there is no face in it


def square(pixels: np.ndarray, mode: str, size: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """uint8 (h, w, 3) -> (size, size, 3), and what was done in words. DataError where the picture is too small for
    `size`.
    """
    if mode not in MODES:
        raise UsageError(f"there is no crop mode {mode!r}.", fix=did_you_mean(mode, MODES))
    notes: list[str] = []
    h, w = pixels.shape[:2]
    box = (0, 0, h, w)
    side = max(h, w)
    if mode == "centre":
        side = min(h, w)
    elif mode == "subject":
        box = _face_box(pixels)
        side = round(max(box[2] - box[0], box[3] - box[1]) * (1 + 2 * MARGIN))
        if box == (0, 0, h, w):
            notes.append("no ground told from the face: padded whole")
    if side * MAX_ENLARGEMENT < size or min(h, w) < max(MIN_SIDE, size // 16):
        raise DataError(f"it is only {w} x {h} pixels, too few for {size}.")
    if side < size:
        notes.append(f"enlarged from {side} to {size} pixels")
    top, left = round((box[0] + box[2] - side) / 2), round((box[1] + box[3] - side) / 2)
    return _cut(pixels, top, left, side, size), tuple(notes)


def _cut(pixels: np.ndarray, top: int, left: int, side: int, size: int) -> np.ndarray:
    """The square of `side` pixels at (top, left), at `size` pixels; what lies outside the picture takes its border's
    colour.

    Resized before it is padded: a picture of 40000 x 1 pixels must not become one of 40000 x 40000.
    """
    h, w = pixels.shape[:2]
    y0, y1, x0, x1 = max(top, 0), min(top + side, h), max(left, 0), min(left + side, w)
    scale = size / side
    part = images.resize(pixels[y0:y1, x0:x1], max(1, round((y1 - y0) * scale)), max(1, round((x1 - x0) * scale)))
    y, x = (min(round((a - b) * scale), size - n) for a, b, n in ((y0, top, part.shape[0]), (x0, left, part.shape[1])))
    out = np.empty((size, size, 3), np.uint8)
    out[:] = ground.border_colour(pixels)
    out[y : y + part.shape[0], x : x + part.shape[1]] = part
    return out


def _face_box(pixels: np.ndarray, work: int = 384) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of the face, found at no more than `work` pixels."""
    scale = min(1.0, work / max(pixels.shape[:2]))
    h, w = (max(1, round(n * scale)) for n in pixels.shape[:2])
    mask = ground.face(images.resize(pixels, h, w))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    fy, fx = pixels.shape[0] / h, pixels.shape[1] / w
    return round(rows[0] * fy), round(columns[0] * fx), round((rows[-1] + 1) * fy), round((columns[-1] + 1) * fx)
