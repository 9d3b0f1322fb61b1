"""A line drawing painted after a reference without a neural network: the regions its lines close are matched to the regions of
the reference by place, size, shape and symmetry, and filled with its very paints. The honest baseline of the translators, and
their preview.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull, KDTree

from lianpu import images
from lianpu import palette as paint
from lianpu.config import SYMMETRIES
from lianpu.data import ground
from lianpu.data.basins import hills
from lianpu.data.lab import to_lab
from lianpu.errors import DataError, UsageError, did_you_mean
from lianpu.palette import Palette

__all__ = ["Correspondence", "Matched", "Regions", "correspondence", "match"]

WORK = (
    192,
    256,
)  # pixels: below the first, pictures are enlarged to be looked at; above the second, references are reduced
INK = 0.35  # of the ink of the darkest lines, from which a line closes a region
PAPER = 0.04  # ink below this is the paper's
GAP = 8.0  # pixels at 256: openings of a line up to this wide let no paint through
NECK = 0.6  # a region that narrows to this share of its width is still one
OUTLINED = 0.5  # share of the box around all lines that the regions of a closed outline fill; of an ellipse 0.79
INKED = (
    0.03  # share of the face in solid ink from which a drawing has its black painted already, and no region is black
)
SEAM = 0.6  # pixels, softness of a border between two paints where no line covers it
STRANGER = 25.0  # Delta E from which a colour is none of the paints
DARK = 30.0  # L* below which paint is black, and an outline of it a line

# What makes two regions alike: fitted on 200 pairs of drawn masks by the paints of regions of the same name, and then by eye.
PLACE = 6.8  # for the Wasserstein distance of their shapes, in faces
THICKNESS = 0.55  # for the square of the log ratio of their thickness
SIZE = 0.05  # for that of their sizes
OVERLAP = 0.04  # of the share of a region that lies on the other: this much counts as none
MIRRORED = 0.84  # what the overlap with the mirror image of a region counts
LINE = 0.026  # faces: black that is nowhere thicker is a line of the reference, not a region
BENEATH = 0.9  # most say of the paint that lies beneath a region, the larger the region the more
LARGE = 0.2  # of the face: a region with half of that say
DOUBT = 0.03  # the share of votes that no paint is denied
SAME = 0.8  # cost of one paint on both sides of a line
STRANGE = 0.31  # cost of paints side by side that nowhere touch in the reference


class Frame(NamedTuple):
    """Where a face lies in its picture, in pixels. As the face counts them, x and y run from -1 to 1 across and down it."""

    x: float
    y: float
    width: float
    """Half of it: of the ellipse as large and as high as the face, so that ears hardly count."""
    height: float

    @classmethod
    def of(cls, face: np.ndarray) -> Frame:
        rows = np.flatnonzero(face.any(1))
        left, right = face.argmax(1)[rows], face.shape[1] - 1 - face[:, ::-1].argmax(1)[rows]
        height = (rows[-1] - rows[0] + 1) / 2
        return cls(float(np.median(left + right)) / 2, (rows[0] + rows[-1]) / 2, face.sum() / (np.pi * height), height)

    def points(self, shape: tuple[int, ...]) -> np.ndarray:
        """(h, w, 2): x, y of each pixel."""
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        return np.stack([(columns - self.x) / self.width, (rows - self.y) / self.height], -1)

    def pixels(self, points: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the pixels at points (..., 2); of the nearest ones, where they lie outside."""
        at = np.rint(points * (self.width, self.height) + (self.x, self.y)).astype(int)
        return np.clip(at[..., 1], 0, shape[0] - 1), np.clip(at[..., 0], 0, shape[1] - 1)


class Regions(NamedTuple):
    """The regions of a face and what each looks like, in the coordinates of its frame."""

    number: np.ndarray
    """int (h, w), the region of each pixel from 0; -1 on the ground."""
    frame: Frame
    size: np.ndarray
    """(n,), share of the face."""
    thickness: np.ndarray
    """(n,), the largest distance to its border, in half widths of the face."""
    centre: np.ndarray
    """(n, 2)."""
    spread: np.ndarray
    """(n, 2, 2), covariance of its points: how long, how broad, how turned."""


class Matched(NamedTuple):
    """A painted drawing and how it came about."""

    pixels: np.ndarray
    """uint8 (h, w, 3)."""
    palette: Palette
    paint: np.ndarray
    """int (n,), the row of the palette that each region of the drawing is filled with."""
    drawing: Regions
    reference: Regions
    paint_there: np.ndarray
    """int (m,), the paint of each region of the reference."""
    likeness: np.ndarray
    """(n, m): the probability of each region of the reference to be what a region of the drawing corresponds to."""
    notes: tuple[str, ...]


class Correspondence(NamedTuple):
    """What each place of the drawing corresponds to in the reference, on a grid of side x side places over each picture."""

    index: np.ndarray
    """int64 (side, side): the place in the reference, row * side + column; -1 where there is none."""
    confidence: np.ndarray
    """float32 (side, side): its probability; 0 where there is none."""
    entropy: np.ndarray
    """float32 (side, side) in nats: 0 where the match is certain."""


def match(lines: np.ndarray, reference: np.ndarray, symmetric: str = "both", palette: Palette | None = None) -> Matched:
    """Paints `lines`, float (h, w), 1 ink and 0 paper, with the paints of `reference`, uint8 (h', w', 3) of any size.

    symmetric: both, regions that mirror each other take the same paint, which both vote for; left or right, the paint of that
    side of the picture; off, each its own. palette: the reference's, where it is known already.
    """
    if symmetric not in SYMMETRIES:
        raise UsageError(f"there is no symmetry {symmetric!r}.", fix=did_you_mean(symmetric, SYMMETRIES))
    scale = min(1, WORK[1] / max(reference.shape[:2]))
    reference = images.resize(reference, *(max(1, round(n * scale)) for n in reference.shape[:2]))
    palette = palette or paint.paints(reference)
    reference = np.stack([_enlarged(reference[..., k]) for k in range(3)], -1)
    drawing, notes = regions_of_lines(np.clip(_enlarged(lines.astype(np.float32)), 0, 1))
    there, paint_there = regions_of_paints(reference, palette)
    line = (there.thickness < LINE) & (palette.lab[paint_there, 0] < DARK)
    overlap = (_overlap(drawing, there, 1) + MIRRORED * _overlap(drawing, there, -1)) * (~line | line.all())
    likeness = _likeness(drawing, there, overlap, line & ~line.all())
    one = np.eye(len(palette.rgb))[paint_there]  # (m, k)
    beneath = overlap @ one / np.maximum(overlap.sum(1, keepdims=True), 1e-9)
    say = (BENEATH * drawing.size / (drawing.size + LARGE))[:, None]
    votes = (1 - say) * (likeness @ one) + say * beneath
    if _solid(lines).sum() > INKED * (drawing.number >= 0).sum():
        votes = votes * np.where(palette.lab[:, 0] < DARK, 0.05, 1) + 1e-6
    chosen = _choose(drawing, votes, one.T @ _borders(there) @ one, symmetric)
    pixels = _fill(lines, drawing, palette, chosen)
    return Matched(pixels, palette, chosen, drawing, there, paint_there, likeness, tuple(notes))


def _enlarged(picture: np.ndarray) -> np.ndarray:
    """(h, w) -> as many times as large as it takes to look at thin lines and what lies between them."""
    times = max(1, -(-WORK[0] // min(picture.shape)))
    size = (picture.shape[1] * times, picture.shape[0] * times)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)) if times > 1 else picture


# --------------------------------------------------------------------------------------------------------------- regions


def regions_of_lines(lines: np.ndarray) -> tuple[Regions, list[str]]:
    """The regions that lines (h, w) close, small gaps in them closed too, each grown to the middle of its lines; and remarks.

    The distance to the lines is a landscape whose hills are the regions (`basins.hills`), and a gap is a low pass. Where the
    outline has a wide gap, the ground and the face would be one: then wider gaps are closed, and failing that the face is
    taken to reach as far as its lines.
    """
    some = lines[lines > PAPER]
    if not len(some):
        raise DataError("the drawing has no lines.", fix="Draw darker lines, or give another sketch.")
    ink = lines > INK * np.percentile(some, 95)  # thin lines of a small picture are grey
    rows, columns = np.nonzero(ink)
    enough = OUTLINED * (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    depth = ground.depth(~ink)
    for gap in (GAP, 2 * GAP):
        number = _closed(depth, gap * min(ink.shape) / 256)
        if (number >= 0).sum() >= enough:
            notes = [f"gaps of up to {gap / 256:.0%} of the picture in its lines were closed"] if gap > GAP else []
            return _measured(number, depth), notes
    hull = _hull(ink)
    depth *= hull
    number = np.where(hull, _closed(depth, 2 * GAP * min(ink.shape) / 256), -1)
    if (number >= 0).sum() < max(16, 0.02 * ink.size):
        raise DataError(
            "the lines of this drawing close no region, so there is nothing to fill.",
            fix="Close the outline of the face, or paint it with a trained model.",
        )
    return _measured(number, depth), ["its outline is open: the face is taken to reach as far as its lines"]


def _hull(ink: np.ndarray) -> np.ndarray:
    """bool (h, w): the convex hull of a drawing, less its rim."""
    points = np.argwhere(ink)[:, ::-1]
    if np.ptp(points, axis=0).min() < 2:
        return np.zeros_like(ink)
    corners = points[ConvexHull(points).vertices]
    page = Image.new("1", ink.shape[::-1])
    ImageDraw.Draw(page).polygon([(int(x), int(y)) for x, y in corners], fill=1)
    return ndimage.binary_erosion(np.asarray(page))


def _closed(depth: np.ndarray, gap: float) -> np.ndarray:
    """int (h, w): the closed regions from 0, -1 on the ground; `depth` is the distance to ink, which lies where it is 0."""
    depth = np.pad(depth, 1, constant_values=1)  # the page goes on around the picture
    # of a gap of n pixels the middle is at least n / 2 from the nearest ink, and at most (n + 1) / 2
    number = hills(np.where(depth > 0, depth + 1, 0), NECK, 1 + gap / 2 + 0.75)
    number = number[ground.nearest(number > 0)]
    inside = ~np.isin(number, np.concatenate([number[0], number[-1], number[:, 0], number[:, -1]]))
    parts = ground.parts(inside)
    sizes = np.bincount(parts.ravel(), minlength=2)
    sizes[0] = 0
    inside = (sizes >= max(1, sizes.max() / 20))[parts]  # without captions and seals
    kept = np.unique(number[inside])
    return np.where(inside, np.searchsorted(kept, number), -1)[1:-1, 1:-1]


def regions_of_paints(pixels: np.ndarray, palette: Palette) -> tuple[Regions, np.ndarray]:
    """The regions of one paint each in a picture (h, w, 3), and the paint of each; parts held together by a thin neck are two."""
    taken = paint.shares(pixels, palette)
    kind = taken.main()
    away = np.linalg.norm(to_lab(taken.mixed(palette)) - to_lab(pixels), axis=-1)
    face = ground.face(pixels) & (away < STRANGER)  # without the brown of an eye, if nothing else is brown
    depth = np.zeros(face.shape)
    for k in range(len(palette.rgb)):
        mask = np.pad((kind == k) & face, 1)
        depth = np.maximum(depth, ground.depth(mask)[1:-1, 1:-1])
    number = hills(np.where(depth > 0, depth + 1, 0), NECK, countries=kind) - 1
    owner = np.zeros(number.max() + 1, int)
    owner[number[face]] = kind[face]
    return _measured(number, depth), owner


def _measured(number: np.ndarray, depth: np.ndarray) -> Regions:
    inside = number >= 0
    frame = Frame.of(inside)
    own, n = number[inside], int(number.max()) + 1
    area = np.bincount(own, minlength=n)
    points = frame.points(number.shape)[inside]
    centre = np.stack([np.bincount(own, points[:, k], n) for k in (0, 1)], -1) / area[:, None]
    off = points - centre[own]
    spread = np.stack([np.bincount(own, off[:, i] * off[:, j], n) for i in (0, 1) for j in (0, 1)], -1) / area[:, None]
    spread = spread.reshape(n, 2, 2) + np.eye(2) / frame.width**2 / 12  # a pixel is a square, not a point
    thickness = np.asarray(ndimage.maximum(depth, number, np.arange(n))) / frame.width
    return Regions(number, frame, area / area.sum(), np.maximum(thickness, 0.5 / frame.width), centre, spread)


# -------------------------------------------------------------------------------------------------------------- matching


def _likeness(a: Regions, b: Regions, overlap: np.ndarray, never: np.ndarray) -> np.ndarray:
    """(n, m): the probability of each region of `b` to be what a region of `a` corresponds to; 0 for those of `never` (m,)."""
    thickness = np.log(a.thickness[:, None] / b.thickness) ** 2
    size = np.log(a.size[:, None] / b.size) ** 2
    cost = PLACE * np.minimum(*(_wasserstein(a, b, side) + penalty for side, penalty in ((1, 0), (-1, 0.02))))
    cost += THICKNESS * thickness + SIZE * size - np.log(OVERLAP + overlap)
    cost += np.where(never, np.inf, 0)
    weight = np.exp(cost.min(1, keepdims=True) - cost)
    return weight / weight.sum(1, keepdims=True)


def _wasserstein(a: Regions, b: Regions, side: int) -> np.ndarray:
    """(n, m): the squared 2-Wasserstein distance of regions as normal distributions (Givens and Shortt 1984, Prop. 7), those of
    `b` mirrored where side is -1:  |m - m'|^2 + tr(S + S' - 2 (S S')^(1/2)), where for 2 x 2 matrices
    tr(M^(1/2)) = (tr M + 2 det(M)^(1/2))^(1/2).
    """
    centre, spread = b.centre * (side, 1), b.spread * ((1, side), (side, 1))
    away = ((a.centre[:, None] - centre) ** 2).sum(-1)
    trace = np.trace(a.spread, axis1=1, axis2=2)[:, None] + np.trace(spread, axis1=1, axis2=2)
    product = np.einsum("iab,jba->ij", a.spread, spread)
    root = np.sqrt(np.maximum(np.linalg.det(a.spread)[:, None] * np.linalg.det(spread), 0))
    return away + np.maximum(trace - 2 * np.sqrt(product + 2 * root), 0)


def _overlap(a: Regions, b: Regions, side: int) -> np.ndarray:
    """(n, m): the share of each region of `a` that lies on each of `b`, or on its mirror image, when face lies on face."""
    inside = a.number >= 0
    own, n, m = a.number[inside], len(a.size), len(b.size)
    there = b.number[b.frame.pixels(a.frame.points(a.number.shape)[inside] * (side, 1), b.number.shape)]
    table = np.bincount((own * m + there)[there >= 0], minlength=n * m).reshape(n, m)
    return table / np.bincount(own, minlength=n)[:, None]


def partners(a: Regions) -> np.ndarray:
    """int (n,): the region that is each one's mirror image about the middle of the face; itself where there is none."""
    union = a.size[:, None] + a.size
    shared = _overlap(a, a, -1) * a.size[:, None]
    alike = shared / np.maximum(union - shared, 1e-9)
    best, own = alike.argmax(1), np.arange(len(a.size))
    return np.where((best[best] == own) & (alike[own, best] > 0.3), best, own)


def _borders(a: Regions) -> np.ndarray:
    """(n, n): the length of the border between each two regions, in pixels."""
    n = len(a.size)
    table = np.zeros((n + 1) ** 2)
    for one, other in ((a.number[1:], a.number[:-1]), (a.number[:, 1:], a.number[:, :-1])):
        table += np.bincount(((one + 1) * (n + 1) + other + 1).ravel(), minlength=(n + 1) ** 2)
    square = table.reshape(n + 1, n + 1)[1:, 1:]
    square = square + square.T
    np.fill_diagonal(square, 0)
    return square


def _choose(a: Regions, votes: np.ndarray, touching: np.ndarray, symmetric: str) -> np.ndarray:
    """int (n,): the paint of each region, by votes (n, k), and so that neighbours have different paints, such as touch in the
    reference, where `touching` (k, k) is the length of their borders. Found region by region, the largest first, until
    nothing changes (iterated conditional modes, Besag 1986).
    """
    twin = np.arange(len(votes)) if symmetric == "off" else partners(a)
    if symmetric == "both":
        votes = votes + votes[twin]
    elif symmetric != "off":
        leads = (a.centre[:, 0] < 0) == (symmetric == "left")
        votes = np.where(leads[:, None], votes, votes[twin])
    alone = -np.log(votes / votes.sum(1, keepdims=True) + DOUBT)
    known = touching / np.sqrt(np.maximum(touching.sum(1)[:, None] * touching.sum(0), 1e-9))
    pair = STRANGE * (1 - known / max(known.max(), 1e-9))
    np.fill_diagonal(pair, SAME)
    border = _borders(a)
    border /= np.maximum(border.sum(1, keepdims=True), 1)
    chosen, one = alone.argmin(1), np.eye(votes.shape[1])
    for _ in range(8):
        before = chosen.copy()
        for i in np.argsort(-a.size, kind="stable"):
            beside = (border[i] + border[twin[i]]) / 2 @ one[chosen]
            chosen[[i, twin[i]]] = (alone[i] + pair @ beside).argmin()
        if np.array_equal(before, chosen):
            break
    return chosen


# -------------------------------------------------------------------------------------------------------------- painting


def _fill(lines: np.ndarray, drawing: Regions, palette: Palette, chosen: np.ndarray) -> np.ndarray:
    """The regions in their paints, the lines over them in ink: in the darkest paint, but in the lightest where both sides are dark."""
    ink = np.clip((lines - PAPER) / (1 - 2 * PAPER), 0, 1)[..., None]
    flat = np.concatenate([palette.rgb[chosen], [[255, 255, 255]]])[drawing.number].astype(
        np.float32
    )  # -1: white ground
    (h, w), times = lines.shape, len(flat) // len(lines)
    flat = flat.reshape(h, times, w, times, 3).mean((1, 3))
    soft = ndimage.gaussian_filter(flat, (SEAM, SEAM, 0))
    dark, light = palette.rgb[palette.lab[:, 0].argmin()], palette.rgb[palette.lab[:, 0].argmax()]
    dark = dark if palette.lab[:, 0].min() < DARK else np.zeros(3)
    turned = _between_dark(lines, flat)[..., None]
    out = soft + ink * (dark + turned * (light.astype(np.float32) - dark) - soft)
    return np.floor(out + 0.5).astype(np.uint8)


def _between_dark(lines: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """float (h, w): 1 on lines with nothing but black paint, `flat` (h, w, 3), on both sides; 0 elsewhere and on solid ink."""
    reach = max(2, round(min(lines.shape) / 40))  # beyond the other side of a line
    dark = ndimage.maximum_filter(to_lab(flat.astype(np.uint8))[..., 0], 2 * reach + 1) < DARK
    return ndimage.gaussian_filter((dark & ~_solid(lines)).astype(np.float32), reach / 4)


def _solid(lines: np.ndarray) -> np.ndarray:
    """bool (h, w): where ink is no line but an area."""
    reach = max(1, round(min(lines.shape) / 64))
    return ndimage.binary_opening(lines > 0.5, ground.SQUARE, iterations=reach)


# -------------------------------------------------------------------------------------------------------- correspondence


def correspondence(matched: Matched, side: int) -> Correspondence:
    """Where each place of the drawing lies in the reference: in the likest region of its paint, as far along and across it as in
    its own region.
    """
    a, b = matched.drawing, matched.reference
    fits = matched.likeness * (matched.paint_there == matched.paint[:, None])
    region = np.where(fits.sum(1) > 0, fits.argmax(1), matched.likeness.argmax(1))
    p = matched.likeness
    doubt = -(p * np.log(np.maximum(p, 1e-30))).sum(1)
    sure = p[np.arange(len(p)), region]
    index = np.full((side, side), -1, np.int64)
    own = a.number[_grid(side, a.number.shape)]
    points = a.frame.points(a.number.shape)[_grid(side, a.number.shape)]
    mirrored = _wasserstein(a, b, -1) + 0.02 < _wasserstein(a, b, 1)
    for i in np.unique(own[own >= 0]):
        j = region[i]
        here, there = own == i, np.argwhere(b.number == j)
        flip = np.array([-1, 1]) if mirrored[i, j] else np.array([1, 1])
        scale = np.sqrt(np.diagonal(b.spread[j]) / np.diagonal(a.spread[i]))
        target = b.centre[j] + (points[here] - a.centre[i]) * flip * scale
        wanted = target * (b.frame.width, b.frame.height) + (b.frame.x, b.frame.y)
        at = there[KDTree(there[:, ::-1]).query(wanted)[1]]  # the nearest pixel that is in the region
        cell = (at + 0.5) / b.number.shape * side
        index[here] = cell[:, 0].astype(int) * side + cell[:, 1].astype(int)
    ground_here = own < 0
    return Correspondence(
        index,
        np.where(ground_here, 0, sure[own]).astype(np.float32),
        np.where(ground_here, 0, doubt[own]).astype(np.float32),
    )


def _grid(side: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the pixels in the middle of side x side places."""
    rows, columns = (((np.arange(side) + 0.5) / side * n).astype(int) for n in shape)
    return rows[:, None], columns[None]
