"""How well a sketch was painted, one number a picture: are the colours those of the true mask, do the edges follow the drawing, does the
network look at the right place of the reference. Yan et al. 2023 show the three in Figures 4 to 6 and measure none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from lianpu.data import ground
from lianpu.data.lab import to_lab
from lianpu.data.truth import Places, at_places, judge

__all__ = [
    "Found",
    "by_flow",
    "colour_error",
    "correspondence",
    "edge_precision",
    "edge_recall",
    "edges_of",
    "painted_places",
    "transfer_error",
]

DRAWN = 0.25  # ink above it is a stroke
EDGE = 10.0  # Delta E over two pixels, below which there is no edge: more than shading, less than a faint rim
SPECK = 1 / 1024  # of a picture, below which a region is too small to have a colour: 4 pixels at 64 px
NEAR = 1 / 16  # of a picture's width, within which a match by a known flow is right: 4 pixels at 64 px


# --- colours --------------------------------------------------------------------------------------


def painted_places(truth: np.ndarray, lines: np.ndarray, regions: np.ndarray | None = None) -> np.ndarray:
    """uint8 (n, h, w, 3), float (n, h, w) -> bool (n, h, w): on the face, and no stroke of the drawing.

    Where the face is, region maps of drawn masks tell, (n, h, w) with 0 for the ground; for other pictures it is told from the ground.
    """
    face = regions > 0 if regions is not None else np.stack([ground.face(picture) for picture in truth])
    return face & (lines <= DRAWN)


def colour_error(painted: np.ndarray, truth: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Mean Delta E (CIE 1976) between pictures uint8 (n, h, w, 3) over places (n, h, w): float64 (n,), NaN where there is no place."""
    return np.array([_mean_delta(*three) for three in zip(painted, truth, places, strict=True)])


def _mean_delta(painted: np.ndarray, truth: np.ndarray, places: np.ndarray) -> float:
    if not places.any():
        return float("nan")
    gap = to_lab(painted[places]).astype(np.float64) - to_lab(truth[places])
    return float(np.sqrt((gap**2).sum(-1)).mean())


def transfer_error(
    painted: np.ndarray, regions: np.ndarray, reference: np.ndarray, reference_regions: np.ndarray
) -> np.ndarray:
    """Delta E (CIE 1976) between the median Lab of each region in the painted sketch and in the reference, uint8 (n, h, w, 3) with region
    maps (n, h, w), averaged by the region's area in the sketch: float64 (n,), NaN where the two share no region.

    Regions are those of drawn masks (`samples.masks.REGIONS`), on whichever side; the ground, specks, and what the reference lacks do not
    count. A region of several paints counts by its middle one, and a thin one is mixed with its neighbours, so none reaches 0: of 24 drawn
    masks at 64 px, each with another as the reference, those drawn with the palette of the reference have 13, the reference itself laid
    over the sketch 21, the masks in their own paints 38, grey 42.
    """
    return np.array([_transfer(*four) for four in zip(painted, regions, reference, reference_regions, strict=True)])


def _transfer(painted: np.ndarray, regions: np.ndarray, reference: np.ndarray, reference_regions: np.ndarray) -> float:
    gap = weight = 0.0
    for region in np.intersect1d(regions[regions > 0], reference_regions):
        here, there = regions == region, reference_regions == region
        if here.mean() < SPECK or there.mean() < SPECK:
            continue
        mine, its = (
            np.median(to_lab(x[where]).astype(np.float64), 0) for x, where in ((painted, here), (reference, there))
        )
        gap += here.sum() * float(np.linalg.norm(mine - its))
        weight += here.sum()
    return float(gap / weight) if weight else float("nan")


# --- edges ----------------------------------------------------------------------------------------


def edges_of(pixels: np.ndarray) -> np.ndarray:
    """uint8 (h, w, 3) -> bool (h, w): ridges of the gradient of Lab, where it is above EDGE over two pixels.

    The gradient of a colour is that of its strongest change along each axis; a ridge is no lower than its two neighbours across the edge,
    which lie along the axis of the larger part (Canny 1986, with two directions for four).
    """
    lab = np.pad(to_lab(pixels), ((1, 1), (1, 1), (0, 0)), mode="edge")
    across = np.sqrt(((lab[1:-1, 2:] - lab[1:-1, :-2]) ** 2).sum(-1))
    down = np.sqrt(((lab[2:, 1:-1] - lab[:-2, 1:-1]) ** 2).sum(-1))
    size = np.hypot(across, down)
    ridge_across = size >= np.asarray(ndimage.maximum_filter1d(size, 3, axis=1)) - 1e-6
    ridge_down = size >= np.asarray(ndimage.maximum_filter1d(size, 3, axis=0)) - 1e-6
    return (size > EDGE) & np.where(across >= down, ridge_across, ridge_down)


def edge_recall(painted: np.ndarray, lines: np.ndarray, within: float = 2) -> np.ndarray:
    """Share of the drawing's ink, float (n, h, w), that has an edge of the picture, uint8 (n, h, w, 3), at most `within` pixels away:
    (n,); NaN for a drawing without ink.

    Masks resemble each other and lines are dense: at 64 px a quite different mask still has 0.88 within 2 pixels (0.73 within 1), the true
    one 1.00 (0.95); at 256 px it is 0.55 against 0.95. So it is read beside the precision, and beside what another mask scores.
    """
    shares = []
    for pixels, ink in zip(painted, lines, strict=True):
        total = float(ink.sum())
        shares.append(float(ink[_near(edges_of(pixels), within)].sum()) / total if total > 0 else float("nan"))
    return np.array(shares)


def edge_precision(painted: np.ndarray, lines: np.ndarray, within: float = 2) -> np.ndarray:
    """Share of the picture's edges that have a stroke of the drawing at most `within` pixels away: (n,); 0 for a picture without edges."""
    shares = []
    for pixels, ink in zip(painted, lines, strict=True):
        edges = edges_of(pixels)
        shares.append(float(_near(ink > DRAWN, within)[edges].mean()) if edges.any() else 0.0)
    return np.array(shares)


def _near(mask: np.ndarray, within: float) -> np.ndarray:
    """Where a pixel of the mask is at most `within` pixels away, from centre to centre."""
    if not mask.any():
        return np.zeros(mask.shape, bool)
    return np.asarray(ndimage.distance_transform_edt(~mask)) <= within


# --- matches --------------------------------------------------------------------------------------


class Found(NamedTuple):
    """For each pair of masks, (n,): the share of its matched places that lie in the true region of the reference, or by the true place;
    the share of places that have a match, of those the reference has the region or place of; and the share of the face it lacks.
    """

    accuracy: np.ndarray
    matched: np.ndarray
    absent: np.ndarray


def correspondence(
    index: Iterable[np.ndarray], sketches: Sequence[Places], references: Sequence[Places], *, sides: bool = False
) -> Found:
    """Matches (n, places) by index into the reference's places, -1 for none, judged by the regions of drawn masks (`data.truth`).

    Masks sit alike: of 16 drawn masks at 32 x 32 places, each judged against another, matching every place to the same place is right
    in 0.60, matching at random in 0.21 (0.14 with `sides`). NaN where nothing is left to judge.

    sides: a place must also be on the right half of the face.
    """
    rows = []
    for one, sketch, reference in zip(index, sketches, references, strict=True):
        said = judge(np.asarray(one).ravel(), sketch, reference, sides=sides)
        judged, matched = said.judged.sum(), (said.judged & said.matched).sum()
        rows.append(
            (_share(said.right.sum(), matched), _share(matched, judged), _share(said.absent.sum(), said.face.sum()))
        )
    return Found(*np.array(rows, np.float64).reshape(-1, 3).T)


def by_flow(index: Iterable[np.ndarray], flow: np.ndarray, sketches: Sequence[Places], within: float = NEAR) -> Found:
    """Matches as above, judged by where each pixel of the sketch truly is in the reference, (n, h, w, 2) in [-1, 1] as `pairs.deform` says
    it, NaN where nowhere: right at most `within` widths away. The ground is not judged; the mirrored place is wrong.
    """
    rows = []
    for one, to, sketch in zip(index, flow, sketches, strict=True):
        at, side = np.asarray(one).ravel(), sketch.side
        target = at_places(to, side)
        found = (2 * np.stack([at % side, at // side], 1) + 1) / side - 1
        face = sketch.main > 0
        judged = face & np.isfinite(target).all(1)
        matched = judged & (at >= 0)
        right = (np.linalg.norm(found - target, axis=1) <= 2 * within)[matched]
        rows.append(
            (
                _share(right.sum(), len(right)),
                _share(matched.sum(), judged.sum()),
                _share((face & ~judged).sum(), face.sum()),
            )
        )
    return Found(*np.array(rows, np.float64).reshape(-1, 3).T)


def _share(part: int, whole: int) -> float:
    return float(part / whole) if whole else float("nan")
