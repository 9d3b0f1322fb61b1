"""True correspondences of drawn masks: two masks drawn from rules both know which part of the face each pixel is, so that a match
between them can be judged, which no photograph allows.

A match is right where it leads into a part of the same name. The name does not tell the side: a left brow painted like the right one of a
symmetric mask is painted right. The stricter rule (`sides`) asks for the same half of the face as well.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from lianpu.data.samples.masks import REGIONS, Mask
from lianpu.errors import UsageError

__all__ = ["Judged", "Places", "at_places", "carried", "judge", "places"]

FINE = 4  # samples along each side of a place
TOUCHED = 1 / 4  # of a place, from which it lies in a region that is not its main one: lines are thinner than places
MIDDLE = 0.1  # of half the width: so near to the middle line a place is on both sides


class Places(NamedTuple):
    """The places of a correspondence, side x side of them row by row, and the regions they lie in."""

    side: int
    main: np.ndarray
    """(side^2,) int64: the region that covers most of each place."""
    touched: np.ndarray
    """(side^2, regions) bool: the regions that cover at least a quarter of it, and the main one."""


class Judged(NamedTuple):
    """Which places of the sketch, each bool (side^2,), are on the face; are of a region that the reference lacks; are to be judged; have
    a match; have a right one.
    """

    face: np.ndarray
    absent: np.ndarray
    judged: np.ndarray
    matched: np.ndarray
    right: np.ndarray


def places(mask: Mask, side: int) -> Places:
    """The regions of a drawn mask at side x side places."""
    return of_map(mask.regions(FINE * side), side)


def of_map(regions: np.ndarray, side: int) -> Places:
    """The same from a region map, (h, h) with h a multiple of `side`."""
    h, w = regions.shape
    if h != w or h % side:
        raise UsageError(f"a region map of {w} x {h} pixels has no {side} x {side} places.")
    cells = regions.reshape(side, h // side, side, h // side).transpose(0, 2, 1, 3).reshape(side * side, -1)
    cover = np.stack([(cells == i).mean(1) for i in range(len(REGIONS))], 1)  # (side^2, regions)
    main = cover.argmax(1)
    touched = cover >= TOUCHED
    touched[np.arange(len(main)), main] = True
    return Places(side, main, touched)


def at_places(flow: np.ndarray, side: int) -> np.ndarray:
    """A flow (h, h, 2) as that of each of side^2 places, row by row, (side^2, 2): not-a-number where any pixel of a place has none."""
    block = len(flow) // side
    return flow.reshape(side, block, side, block, 2).mean((1, 3)).reshape(-1, 2)


def carried(sketch: Places, flow: np.ndarray) -> Places:
    """The regions of the sketch's places carried to the places of its deformed picture by the known flow, (h, h, 2) in [-1, 1] as
    `pairs.deform` says it, NaN where nowhere: each place there has those of the nearest that comes to it, and what none comes near is
    ground.
    """
    side, to = sketch.side, at_places(flow, sketch.side)
    known = np.flatnonzero(np.isfinite(to).all(1))
    centres = (2 * np.arange(side) + 1) / side - 1
    places = np.stack(np.meshgrid(centres, centres), -1).reshape(-1, 2)
    away, nearest = KDTree(to[known]).query(places)
    main, touched = sketch.main[known[nearest]], sketch.touched[known[nearest]]
    far = away > 4 / side  # two places
    ground = REGIONS.index("ground")
    return Places(side, np.where(far, ground, main), np.where(far[:, None], np.arange(len(REGIONS)) == ground, touched))


def judge(index: np.ndarray, sketch: Places, reference: Places, *, sides: bool = False) -> Judged:
    """A match for each place of the sketch, int (side^2,): the reference's place, row by row, or -1 for none.

    The ground, a third of the picture and matched by anything, is not judged, nor are regions that no place of the reference has as its
    main one.
    """
    if len(index) != len(sketch.main) or index.max(initial=-1) >= len(reference.main) or index.min(initial=0) < -1:
        raise UsageError(
            f"{len(index)} matches do not fit {len(sketch.main)} places and {len(reference.main)} of the reference."
        )
    face = sketch.main != REGIONS.index("ground")
    there = np.isin(sketch.main, reference.main)
    matched = index >= 0
    right = reference.touched[index, sketch.main]
    if sides:
        right &= _same_half(_across(sketch.side), _across(reference.side)[index])
    return Judged(face, face & ~there, face & there, matched, face & there & matched & right)


def _across(side: int) -> np.ndarray:
    """x of each place in [-1, 1]."""
    return np.tile((2 * np.arange(side) + 1) / side - 1, side)


def _same_half(x: np.ndarray, there: np.ndarray) -> np.ndarray:
    return (x * there > 0) | (np.abs(x) < MIDDLE) | (np.abs(there) < MIDDLE)
