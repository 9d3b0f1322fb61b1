"""The paints of a picture, as a painter would name the pots it was painted from, and pictures brought back to them: in CIE Lab,
with the soft edges between two paints kept soft.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from lianpu.data import ground
from lianpu.data.basins import hills
from lianpu.data.lab import to_lab

__all__ = ["Locked", "Palette", "Shares", "lock", "paints", "shares"]

BIN = 3.0  # Lab units, edge of a cell of the histogram
VALLEY = 0.8  # of the lower summit: shades with a shallower valley between them are one paint under light and shadow
STEP = 6.0  # Lab units between neighbours up to which a pixel lies inside a paint, and not on an edge
LEAST = 0.0005  # of all that counts, below which a colour is no paint
MOST = 24
INSIDE = 0.05  # mean flatness of a paint that has an inside
MIXED = 20.0  # levels of 255, around the line between two paints
THIN = 0.3  # share of its paint that a thin line has at least
SHADE = np.array([0.6, 1, 1], np.float32)  # what a step of L*, a*, b* counts: paint is shaded more than it is tinted
REACH = 3  # pixels: an edge mixes paints that lie no further away


class Palette(NamedTuple):
    """Paints, the largest first."""

    rgb: np.ndarray
    """uint8 (k, 3)."""
    lab: np.ndarray
    """float32 (k, 3)."""
    shares: np.ndarray
    """float64 (k,), the share of the face that each covers; they sum to 1."""

    def with_paper(self) -> Palette:
        """The same with the white of the paper, which covers no share of the face."""
        white = np.full((1, 3), 255, np.uint8)
        return Palette(
            np.concatenate([self.rgb, white]), np.concatenate([self.lab, to_lab(white)]), np.append(self.shares, 0.0)
        )


class Shares(NamedTuple):
    """Each pixel as a mixture of two paints: (1 - share) of the first and `share` of the second."""

    first: np.ndarray
    """int (h, w), a row of the palette; inside a paint it is that paint, and the share is 0."""
    second: np.ndarray
    share: np.ndarray
    """float32 (h, w) in [0, 1]."""

    def main(self) -> np.ndarray:
        """int (h, w), the paint that each pixel has most of."""
        return np.where(self.share > 0.5, self.second, self.first)

    def mixed(self, palette: Palette) -> np.ndarray:
        """uint8 (h, w, 3), the picture that these mixtures make."""
        rgb = palette.rgb.astype(np.float32)
        x = rgb[self.first] + self.share[..., None] * (rgb[self.second] - rgb[self.first])
        return np.floor(x + 0.5).astype(np.uint8)


class Locked(NamedTuple):
    """A picture in the paints of a palette, uint8 (h, w, 3), and how far each pixel was moved, Delta E 1976 (h, w)."""

    pixels: np.ndarray
    delta_e: np.ndarray


# ---------------------------------------------------------------------------------------------------------------- paints


def paints(pixels: np.ndarray, face: np.ndarray | None = None) -> Palette:
    """The paints of a picture, uint8 (h, w, 3): its colours in Lab, gathered around the hills of their histogram.

    Pixels inside a paint count, those in the middle of a thin line a little, those on edges hardly; and what has no inside and
    can be mixed of two others is no paint. `face` (h, w) is found where not given.
    """
    face = ground.face(pixels) if face is None else face
    lab = to_lab(pixels)
    flat = np.exp(-((_steps(lab) / STEP) ** 2))
    weight = flat + np.where(_extreme(lab), 1e-2, 1e-3)
    lab, rgb, flat, weight = lab[face], pixels[face], flat[face], weight[face]
    cells = np.floor((lab - lab.min(0)) / BIN).astype(int) + 2
    shape = tuple(cells.max(0) + 3)
    cell = np.ravel_multi_index(tuple(cells.T), shape)
    histogram = np.bincount(cell, weight, int(np.prod(shape))).reshape(shape)
    histogram = ndimage.gaussian_filter(histogram, 0.8, mode="constant", truncate=2.5)
    own = hills(histogram, VALLEY).ravel()[cell]
    amount = np.bincount(own, weight)
    order = np.argsort(-amount)[:MOST]
    order = order[amount[order] >= LEAST * amount.sum()]
    colours = np.stack([_middle(rgb[own == i], weight[own == i]) for i in order])
    keep = _no_mixtures(colours.astype(np.float32), np.array([flat[own == i].mean() for i in order]) > INSIDE)
    order, colours = order[keep], colours[keep]
    return Palette(colours, to_lab(colours), amount[order] / amount[order].sum())


def _steps(lab: np.ndarray) -> np.ndarray:
    """float (h, w): how much Lab changes within each pixel's 3 x 3 neighbourhood."""
    size = (3, 3, 1)
    return np.linalg.norm(ndimage.maximum_filter(lab, size) - ndimage.minimum_filter(lab, size), axis=-1)


def _extreme(lab: np.ndarray) -> np.ndarray:
    """bool (h, w): pixels that are the lightest, the darkest or the most colourful of their neighbours, as the middles of thin
    lines are."""
    light, chroma = lab[..., 0], np.hypot(lab[..., 1], lab[..., 2])
    most = (light == ndimage.maximum_filter(light, 3)) | (light == ndimage.minimum_filter(light, 3))
    return most | (chroma == ndimage.maximum_filter(chroma, 3))


def _no_mixtures(rgb: np.ndarray, solid: np.ndarray) -> list[int]:
    """Rows of the colours (k, 3), the largest first, without those that are neither `solid` (k,) nor further than MIXED from what two
    others mix to; the smallest goes first."""
    keep = list(range(len(rgb)))
    for k in reversed(range(len(rgb))):
        others = [i for i in keep if i != k]
        if solid[k] or len(others) < 2:
            continue
        p = rgb[others]
        line = p[None] - p[:, None]  # (n, n, 3)
        share = ((rgb[k] - p)[:, None] * line).sum(-1) / np.maximum((line**2).sum(-1), 1)
        off = np.linalg.norm(p[:, None] + np.clip(share, 0, 1)[..., None] * line - rgb[k], axis=-1)
        if off.min() < MIXED:
            keep.remove(k)
    return keep


def _middle(rgb: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The weighted median of colours (n, 3), channel by channel: of a flat paint exactly its colour."""
    order = np.argsort(rgb, axis=0, kind="stable")
    mass = np.cumsum(weight[order], axis=0)  # (n, 3)
    at = (mass >= mass[-1] / 2).argmax(0)
    return rgb[order[at, range(3)], range(3)]


# ------------------------------------------------------------------------------------------------------------- mixtures


def shares(pixels: np.ndarray, palette: Palette) -> Shares:
    """Takes a picture apart into paints: pixels inside a paint are the nearest one in Lab, pixels on an edge a mixture of two.

    Anti-aliasing mixes encoded values: x = (1 - t) P + t Q, where P is the paint inside the nearest area and Q the one whose
    line to P passes nearest to x, among those that lie around it: so the grey between black and white is no grey paint. A line has
    no inside: its paint counts as near where enough pixels together hold enough of it.
    """
    lab = to_lab(pixels)
    nearest = _nearest(lab, palette.lab)
    exact = np.linalg.norm(lab - palette.lab[nearest], axis=-1) < 2  # a dot of a paint, however small
    inside = exact | (_steps(lab) < 2 * STEP)
    first, second, share = nearest.copy(), nearest.copy(), np.zeros(nearest.shape, np.float32)
    if not inside.any():
        return Shares(first, second, share)
    edge = ~inside
    first[edge] = nearest[ground.nearest(inside)][edge]
    x, rgb = pixels[edge].astype(np.float32), palette.rgb.astype(np.float32)
    near = _within(np.where(inside, nearest, -1), len(rgb), REACH)
    second[edge], share[edge] = _second(x, first[edge], near[edge], rgb)
    line = edge & (share > THIN) & ~_at(near, second)  # lines are too thin to have an inside
    line &= ndimage.uniform_filter(line.astype(np.float32), 3) > 2.5 / 9  # and too long to be noise
    thin = _within(np.where(line, second, -1), len(rgb), 1)
    second[edge], share[edge] = _second(x, first[edge], (near | thin)[edge], rgb, only=True)
    return Shares(first, second, share)


def _nearest(lab: np.ndarray, paints: np.ndarray) -> np.ndarray:
    """int (h, w): the paint (k, 3) nearest to each pixel in Lab."""
    lab, paints = lab * SHADE, paints * SHADE
    return ((paints**2).sum(-1) - 2 * lab @ paints.T).argmin(-1)  # |x - p|^2 less |x|^2


def _within(paint: np.ndarray, count: int, reach: int) -> np.ndarray:
    """bool (h, w, count): whether each paint, given as rows in `paint` (h, w) or -1, lies within `reach` pixels."""
    return np.stack([ndimage.maximum_filter(paint == k, 2 * reach + 1) for k in range(count)], -1)


def _at(table: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.take_along_axis(table, index[..., None], -1)[..., 0]


def _second(
    x: np.ndarray, first: np.ndarray, near: np.ndarray, rgb: np.ndarray, only: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """For pixels x (n, 3) beside the paint `first` (n,): the paint they are mixed with, and its share. Paints that lie around
    them, `near` (n, k), come before others, or are the only ones."""
    p = rgb[first]
    line = rgb[None] - p[:, None]  # (n, k, 3)
    length = (line**2).sum(-1)
    share = np.clip(((x - p)[:, None] * line).sum(-1) / np.maximum(length, 1), 0, 1)
    off = np.sqrt(((p[:, None] + share[..., None] * line - x[:, None]) ** 2).sum(-1))
    off += np.where(near, 0, np.inf if only else 16)
    best = off.argmin(1)
    return best, share[np.arange(len(x)), best]


def lock(pixels: np.ndarray, palette: Palette) -> Locked:
    """A picture, uint8 (h, w, 3), brought to the paints of a palette: flat where it is painted, and between two paints on an edge
    the same mixture of them as before, so that nothing is posterised.
    """
    out = shares(pixels, palette).mixed(palette)
    return Locked(out, np.linalg.norm(to_lab(out) - to_lab(pixels), axis=-1))
