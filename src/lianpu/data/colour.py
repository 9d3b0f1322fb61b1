"""The colour class of a mask: which paint covers most of the skin. Every pixel of the face is given the nearest paint
in CIE Lab; the ground does not count, and black and white count by what is left when lines, rims and eyes are taken
away.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from lianpu import images
from lianpu.data import ground
from lianpu.data.lab import from_hex, to_lab

__all__ = ["CLASSES", "NAMES", "PAINTS", "Colour", "classify", "paint_map"]

CLASSES: tuple[str, ...] = ("red", "black", "white", "blue", "green", "yellow", "purple")
"""The seven colour classes of Yan et al. 2023 (Fig. 7), in the order of their labels 0 to 6."""

# paint -> (its class or "" for paints that never are a main colour, its shades)
PAINTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "red": ("red", ("#d8301c", "#c92a22", "#b01c1c", "#8e1b16", "#ff0000", "#d7263d")),
    "orange": ("red", ("#df6a35", "#e0763c", "#c05a2a", "#b85a3c", "#a0522d")),
    "black": ("black", ("#000000", "#141214", "#2a2828")),
    "white": ("white", ("#ffffff", "#f4f2ee", "#e6e4e4", "#fbeeea")),
    "lilac": ("white", ("#d9d6e8", "#d3d3e2")),
    "silver": ("white", ("#c2c8d0", "#b7bec8")),
    "blue": ("blue", ("#2f62ad", "#3a6f9f", "#1f55b5", "#4a6ea3", "#0000ff", "#16355e", "#0f6fb0", "#6b7d9e")),
    "sky": ("blue", ("#9cc4e0", "#7fb2dc", "#5aa0d8")),
    "green": ("green", ("#2f7d4f", "#3c8a4a", "#23744f", "#4a8f45", "#00a040", "#14502c", "#7fc06a", "#00ff00")),
    "yellow": ("yellow", ("#f6cf1f", "#f2c531", "#ffff00", "#efc01c", "#f3d95c", "#e8a81c")),
    "gold": ("yellow", ("#d3a634", "#c99a2b", "#b8862a", "#a07a2c")),
    "purple": ("purple", ("#7a4a9a", "#6b4391", "#8b58a6", "#744b8c", "#a030c0", "#4a2560", "#c0a0d0")),
    "pink": ("", ("#f2a3b3", "#eeb0b5", "#e99aab", "#f7c6cf")),
    "skin": ("", ("#f6dcc3", "#f0cba4", "#e8b98c", "#f8e2cd")),
    "grey": ("", ("#8b909e", "#9a9cab", "#7f8594", "#808080", "#606060")),
}
NAMES = tuple(PAINTS)
WORK = 256  # pixels: classes are told at this size, whatever the picture's
# Black and white are on every mask, as ink and rims and eyes: they count by less, and only where they are no lines.
# These two and the weight of the middle column were fitted on 400 drawn and 44 real masks; nearby ones do as well.
PLAIN = {"black": 0.5, "white": 0.5}
COLUMN = 2.0


class Colour(NamedTuple):
    """The class, how sure it is in [0, 1] (its lead over the second, as a share), and each class's share of the
    painted skin.
    """

    name: str
    confidence: float
    shares: dict[str, float]


@functools.cache
def _nearest_paint() -> np.ndarray:
    """int8 (32, 32, 32): the paint nearest to each colour, five bits a channel. Lightness counts half, because paint
    is shaded.
    """
    weight = np.array([0.5, 1, 1], np.float32)
    shades = np.stack([from_hex(code) for _, codes in PAINTS.values() for code in codes]) * weight
    owner = np.array([i for i, (_, codes) in enumerate(PAINTS.values()) for _ in codes], np.int8)
    steps = np.arange(4, 256, 8, dtype=np.uint8)
    colours = to_lab(np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1)).reshape(-1, 3) * weight
    distance = (shades**2).sum(-1) - 2 * colours @ shades.T  # |colour - shade|^2 less |colour|^2
    return owner[distance.argmin(-1)].reshape(32, 32, 32)


def paint_map(pixels: np.ndarray) -> np.ndarray:
    """uint8 (h, w, 3) -> the index in NAMES of each pixel's nearest paint, int8 (h, w)."""
    return _nearest_paint()[tuple(np.moveaxis(pixels >> 3, -1, 0))]


def classify(pixels: np.ndarray, face: np.ndarray | None = None) -> Colour:
    """The colour class of a mask, uint8 (h, w, 3). `face` (h, w) is found where not given."""
    small = _at_work_size(pixels)
    face = ground.face(small) if face is None else face
    paints = paint_map(small)
    weight = face * (1 + COLUMN * _column(face))
    amount: dict[str, float] = dict.fromkeys(CLASSES, 0.0)
    for i, (kind, _) in enumerate(PAINTS.values()):
        if kind:
            mask = (paints == i) & face
            mask = _solid(mask, face) if kind in PLAIN else mask
            amount[kind] += PLAIN.get(kind, 1.0) * float(weight[mask].sum())
    total = sum(amount.values()) or 1.0
    shares = {kind: amount[kind] / total for kind in CLASSES}
    first, second = sorted(shares.values(), reverse=True)[:2]
    return Colour(max(shares, key=lambda kind: shares[kind]), round(first - second, 3), shares)


def _column(face: np.ndarray) -> np.ndarray:
    """bool (h, w): the middle tenth of the face from the forehead to the nose, where the main colour stands in every
    type of mask,
    even in those that leave it no more than a strip (six-tenths, cross)."""
    rows, columns = np.flatnonzero(face.any(1)), np.flatnonzero(face.any(0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    y = (np.arange(face.shape[0]) - rows[0]) / height
    x = (np.arange(face.shape[1]) - columns[0] + 0.5) / width - 0.5
    return ((y > 0.04) & (y < 0.6))[:, None] & (np.abs(x) < 0.05)


def _at_work_size(pixels: np.ndarray) -> np.ndarray:
    scale = min(1.0, WORK / max(pixels.shape[:2]))
    return images.resize(pixels, *(max(1, round(n * scale)) for n in pixels.shape[:2]))


def _solid(mask: np.ndarray, face: np.ndarray) -> np.ndarray:
    """`mask` without its lines: what is left of it after an opening by a 40th of the face's breadth."""
    reach = max(1.0, np.sqrt(face.sum()) / 40)
    core = ground.depth(mask) > reach
    return mask & (ground.depth(~core) <= reach)
