"""Where the face is: the ground is what can be reached from the border without crossing the outline. White faces on
white paper are the common case, so gaps in the outline narrower than a 32nd of the picture do not let the ground in.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from lianpu.data.lab import to_lab

__all__ = ["border_colour", "depth", "face", "nearest", "parts"]

SQUARE = np.ones((3, 3), bool)

TOLERANCE = (
    4.0,
    12.0,
)  # Lab distance from the border's colours that still is ground: on clean paper, on a noisy or textured one


def face(pixels: np.ndarray) -> np.ndarray:
    """uint8 (h, w, 3) -> bool (h, w), the face with everything inside its outline; all True where no ground can be
    told.
    """
    lab = to_lab(pixels)
    like = np.zeros(lab.shape[:2], bool)
    for colour, spread in _border_colours(lab):
        like |= _distance(lab, colour) < np.clip(3 * spread, *TOLERANCE)
    gap = max(1, min(like.shape) // 64)
    wide = ~np.asarray(
        ndimage.binary_dilation(~like, SQUARE, iterations=gap), bool
    )  # where a window of 2 gap + 1 pixels is free
    ground = _reachable(wide)
    ground = ndimage.binary_dilation(ground, SQUARE, iterations=gap, mask=like)
    ground |= _rim(like, ground)
    inside = np.asarray(ndimage.binary_fill_holes(~ground))
    inside = _substantial(ndimage.binary_opening(inside, iterations=1) if min(like.shape) >= 64 else inside)
    # with under 2 % face or under 1 % ground there is nothing to tell apart
    return inside if 0.02 <= inside.mean() <= 0.99 else np.ones_like(inside)


def border_colour(pixels: np.ndarray) -> np.ndarray:
    """The median colour of the outermost pixels, uint8 (3,)."""
    return np.median(_border(pixels), axis=0).astype(np.uint8)


def _border(array: np.ndarray) -> np.ndarray:
    return np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])


def _border_colours(lab: np.ndarray, most: int = 4, share: float = 0.1) -> list[tuple[np.ndarray, float]]:
    """The border's main colours, each holding at least a tenth of it (a plain ground has one, a two-tone one two),
    and the
    distance from each below which 9 in 10 of its pixels lie."""
    left = _border(lab)
    total, colours = len(left), []
    while len(left) >= share * total and len(colours) < most:
        colour = np.median(left, axis=0)
        near = _distance(left, colour) < TOLERANCE[1]
        if not near.any():  # the median of two distant colours is neither
            colour = left[0]
            near = _distance(left, colour) < TOLERANCE[1]
        if near.sum() >= share * total:
            colours.append((colour, float(np.percentile(_distance(left[near], colour), 90))))
        left = left[~near]
    return colours


def _distance(lab: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return np.sqrt(((lab - colour) ** 2).sum(-1))


def _reachable(free: np.ndarray) -> np.ndarray:
    """The parts of `free` that touch the border."""
    numbers = parts(free)
    at_border = np.unique(_border(numbers))
    return np.isin(numbers, at_border[at_border > 0])


def _rim(like: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Anti-aliased pixels between the ground and the outline: one step outwards from the ground, onto pixels that are
    nearly ground.
    """
    return ndimage.binary_dilation(ground) & like


def _substantial(mask: np.ndarray) -> np.ndarray:
    """Without specks: parts under a twentieth of the largest, such as captions and seals."""
    numbers = parts(mask)
    sizes = np.bincount(numbers.ravel(), minlength=2)
    sizes[0] = 0
    return (sizes >= max(1, sizes.max() / 20))[numbers]


def parts(mask: np.ndarray) -> np.ndarray:
    """bool (h, w) -> int (h, w): the connected parts of a mask, numbered from 1; 0 outside it."""
    numbers = np.empty(mask.shape, np.int32)
    ndimage.label(mask, output=numbers)
    return numbers


def depth(mask: np.ndarray) -> np.ndarray:
    """bool (h, w) -> float (h, w): the distance of each pixel of a mask to the nearest one outside it, in pixels."""
    return np.asarray(ndimage.distance_transform_edt(mask))


def nearest(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """bool (h, w) -> row and column of the pixel of a mask that is nearest to each pixel, int (h, w) each."""
    at = np.empty((2, *mask.shape), np.int32)
    ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True, indices=at)
    return at[0], at[1]
