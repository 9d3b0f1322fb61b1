"""Vector drawing for the sample masks: points become SVG path data, and paths become shapes that are mirrored, moved and
warped.

The canvas is 1000 x 1000 units: x from -500 (left) to 500 with the mid-line of the face at 0, y from 0 (top) down to
1000. A brush stroke is a `blade`: a smooth centre-line with a width that swells and tapers, which is where the rhythm
of a painted face comes from. Paths hold absolute M, L, C and Z only, so a map of the plane is a map of their numbers.
All functions are pure; paints are names that a palette resolves when the mask is drawn.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Points",
    "Shape",
    "affine",
    "arc",
    "blade",
    "both",
    "curl",
    "curve",
    "ellipse",
    "flip",
    "lens",
    "mirror",
    "nest",
    "outline",
    "polygon",
    "remap",
    "smooth",
    "teardrop",
    "wobble",
]

Points = NDArray[np.float64]  # (n, 2): x, y in canvas units
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_PIECE = "C%.1f %.1f %.1f %.1f %.1f %.1f"


@dataclass(frozen=True)
class Shape:
    """One painted path. `fill` and `stroke` are paint names ("black", "white", "main", "second", ...) or None; `width`
    is the stroke's, in units.
    """

    d: str
    fill: str | None
    stroke: str | None = None
    width: float = 0.0
    region: str = ""


# ---- points --------------------------------------------------------------------------------------------------------


def as_points(points: ArrayLike) -> Points:
    return np.asarray(points, dtype=np.float64).reshape(-1, 2)


def _tangents(p: Points, closed: bool) -> tuple[Points, NDArray[np.float64]]:
    """Tangents (n, 2) per unit of the centripetal parameter, and the parameter's steps: |chord|^(1/2), which never
    overshoots or loops.
    """
    ahead = np.concatenate([p[1:], p[:1]]) - p
    steps = np.sqrt(np.sqrt((ahead * ahead).sum(1)) + 1e-6)  # step i leads from point i to i + 1
    to = ahead / steps[:, None]
    come, before = np.concatenate([to[-1:], to[:-1]]), np.concatenate([steps[-1:], steps[:-1]])
    tangent = (come * steps[:, None] + to * before[:, None]) / (before + steps)[:, None]
    if not closed and len(p) > 1:
        tangent[0] = 1.5 * to[0] - 0.5 * tangent[1] if len(p) > 2 else to[0]
        tangent[-1] = 1.5 * come[-1] - 0.5 * tangent[-2] if len(p) > 2 else come[-1]
    return tangent, steps


def curve(points: ArrayLike, per_segment: int = 8, closed: bool = False) -> Points:
    """Points along the smooth curve through `points` (centripetal Catmull-Rom): (segments * per_segment + 1, 2), or
    without the last if closed.
    """
    p = as_points(points)
    tangent, steps = _tangents(p, closed)
    last = len(p) if closed else len(p) - 1
    t = np.arange(per_segment) / per_segment
    h = np.stack(
        [2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t, -2 * t**3 + 3 * t**2, t**3 - t**2]
    )  # Hermite basis, (4, per)
    i, j, s = np.arange(last), (np.arange(last) + 1) % len(p), steps[:last, None]
    ends = np.stack([p[i], s * tangent[i], p[j], s * tangent[j]], 1)  # (segments, 4, 2)
    dense = np.einsum("kt,skx->stx", h, ends).reshape(-1, 2)
    return dense if closed else np.concatenate([dense, p[-1:]])


def arc(centre: tuple[float, float], rx: float, ry: float, start: float, stop: float, n: int = 9) -> Points:
    """n points of an ellipse's arc; angles in degrees, 0 to the right, 90 down."""
    a = np.deg2rad(np.linspace(start, stop, n))
    return np.stack([centre[0] + rx * np.cos(a), centre[1] + ry * np.sin(a)], 1)


def curl(
    start: tuple[float, float], heading: float, size: float, turns: float = 1.25, hand: int = 1, n: int = 14
) -> Points:
    """Points of a cloud-scroll curl that leaves `start` in direction `heading` (degrees, 90 down) and winds inwards to a
    point.

    `size` is the diameter of the outer turn, `hand` +1 winds clockwise on the canvas and -1 the other way. Give the
    result to `blade`, alone or after the points of a stroke whose last stretch runs in that heading.
    """
    t = np.linspace(0.0, 1.0, n)
    angle = np.deg2rad(heading) + hand * (2 * np.pi * turns * t - np.pi / 2)
    radius = size / 2 * (1 - 0.8 * t**0.8)
    spiral = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    return spiral - spiral[0] + np.asarray(start, dtype=np.float64)


def wobble(points: ArrayLike, rng: np.random.Generator, amount: float) -> Points:
    """The points moved by a slow random wave along their length, at most about `amount` units: an unsteady hand, not
    noise.
    """
    p = as_points(points)
    t = np.linspace(0, 2 * np.pi, len(p), endpoint=False)
    a = rng.normal(size=(2, 2, 2)) * amount / 2.5
    waves = sum(a[k, 0] * np.cos((k + 1) * t)[:, None] + a[k, 1] * np.sin((k + 1) * t)[:, None] for k in range(2))
    return p + waves


# ---- paths ---------------------------------------------------------------------------------------------------------


def _fill(template: str, points: Points) -> str:
    """The template with its %.1f fields filled by the points; -0.0 becomes 0.0 so that the text is the same however a
    zero was reached.
    """
    return template % tuple((np.round(points, 1) + 0.0).ravel().tolist())


def polygon(points: ArrayLike, closed: bool = True) -> str:
    """Straight lines through the points."""
    p = as_points(points)
    return _fill("M%.1f %.1f" + "L%.1f %.1f" * (len(p) - 1) + ("Z" if closed else ""), p)


def smooth(points: ArrayLike, closed: bool = True, sharp: Sequence[int] = ()) -> str:
    """A smooth cubic path through the points; it has a corner at the indices in `sharp` (negative ones count from the
    end).
    """
    p = as_points(points)
    n = len(p)
    corners = sorted({i % n for i in sharp})
    if not closed or corners:
        if closed:  # start at a corner and come back to it, so that every stretch between corners is an open curve
            p = np.concatenate([p[corners[0] :], p[: corners[0] + 1]])
            breaks = [i - corners[0] for i in corners] + [n]
        else:
            breaks = sorted({0, *corners, n - 1})
        runs = [_cubics(p[a : b + 1], False) for a, b in itertools.pairwise(breaks)]
        controls = np.concatenate(runs)
    else:
        controls = _cubics(p, True)
    pieces = _PIECE * (len(controls) // 3)
    return _fill(f"M%.1f %.1f{pieces}" + ("Z" if closed else ""), np.concatenate([p[:1], controls]))


def outline(points: ArrayLike, sharp: Sequence[int] = ()) -> str:
    """`smooth` of a closed outline: the everyday name for a painted area."""
    return smooth(points, True, sharp)


def _cubics(p: Points, closed: bool) -> Points:
    """Control points of the cubic pieces: (segments * 3, 2), each piece control, control, end."""
    tangent, steps = _tangents(p, closed)
    last = len(p) if closed else len(p) - 1
    i, j, third = np.arange(last), (np.arange(last) + 1) % len(p), steps[:last, None] / 3
    return np.stack([p[i] + tangent[i] * third, p[j] - tangent[j] * third, p[j]], 1).reshape(-1, 2)


def blade(points: ArrayLike, widths: Sequence[float]) -> str:
    """A brush stroke: a smooth centre-line through `points`, `widths` (any number >= 2) spread evenly along it and eased
    between.

    A width of 0 at an end tapers it to a point, more makes it round. Widths are full widths in units.
    """
    p = as_points(points)
    line = curve(
        p, max(2, min(5, 16 // (len(p) - 1)))
    )  # about 16 samples: few points bend much between them, many do not
    step = line[1:] - line[:-1]
    along = np.concatenate([[0.0], np.cumsum(np.hypot(step[:, 0], step[:, 1]))])
    u = along / max(along[-1], 1e-6) * (len(widths) - 1)
    w = np.asarray(widths, dtype=np.float64)
    k = np.minimum(u.astype(int), len(w) - 2)
    f = u - k
    slope = np.empty_like(w)
    slope[1:-1] = (w[2:] - w[:-2]) / 2
    slope[0], slope[-1] = w[1] - w[0], w[-1] - w[-2]
    if len(w) > 2:  # a taper starts at full slope: a brush lifts, it does not thin out for ever
        slope[0], slope[-1] = 1.5 * slope[0] - 0.5 * slope[1], 1.5 * slope[-1] - 0.5 * slope[-2]
    g = f * f
    h = g * f
    half = (2 * h - 3 * g + 1) * w[k] + (h - 2 * g + f) * slope[k] + (3 * g - 2 * h) * w[k + 1] + (h - g) * slope[k + 1]
    half = np.maximum(half, 0.0)[:, None] / 2
    direction = np.concatenate([step[:1], step[1:] + step[:-1], step[-1:]])
    direction /= np.maximum(np.hypot(direction[:, 0], direction[:, 1]), 1e-6)[:, None]
    normal = direction[:, ::-1] * (-1.0, 1.0)
    left, right = line + half * normal, (line - half * normal)[::-1]
    parts, corners = [], []
    for end, first, side in ((0, right[-1:], left), (-1, left[-1:], right)):  # head, left side, tail, right side
        if half[end, 0] > 0.4:
            out = direction[end] * half[end] * (1 if end else -1)
            parts += [(line[end] + (first - line[end]) * 0.72 + out * 0.7), (line[end] + out)[None]]
            parts += [line[end] + (side[:1] - line[end]) * 0.72 + out * 0.7, side[: len(line) - 1]]
        else:
            corners.append(sum(map(len, parts)))
            parts += [line[end][None], side[1 : len(line) - 1]]
        if half[-1 - end, 0] > 0.4:
            parts.append(side[len(line) - 1 :])
    return smooth(np.concatenate(parts), True, corners)


def ellipse(cx: float, cy: float, rx: float, ry: float, turn: float = 0.0) -> str:
    """An ellipse turned by `turn` degrees (four cubic pieces, error below 0.03 %)."""
    k = 0.5522847498
    quarter = [(1, 0), (1, k), (k, 1), (0, 1), (-k, 1), (-1, k), (-1, 0), (-1, -k), (-k, -1), (0, -1),
        (k, -1), (1, -k), (1, 0)]  # fmt: skip
    a = np.deg2rad(turn)
    p = np.asarray(quarter, dtype=np.float64) * (rx, ry) @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a),
        np.cos(a)]]) + (cx, cy)  # fmt: skip
    return _fill(f"M%.1f %.1f{_PIECE * 4}Z", p)


def lens(a: tuple[float, float], b: tuple[float, float], above: float, below: float, lean: float = 0.0) -> str:
    """A leaf from `a` to `b`, `above` and `below` its chord by so much in the middle; `lean` in (-1, 1) moves the belly
    towards `b`.

    Above is to the left of the way from a to b: upwards on the canvas when a is left of b.
    """
    start, end = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    way = end - start
    normal = np.array([way[1], -way[0]]) / max(float(np.hypot(*way)), 1e-6)
    at = start + way * (0.5 + lean / 2)
    quarter, three = start + way * (0.22 + lean / 4), start + way * (0.78 + lean / 4)
    points = [
        start, quarter + normal * above * 0.66, at + normal * above, three + normal * above * 0.66,
        end, three - normal * below * 0.66, at - normal * below, quarter - normal * below * 0.66,
    ]  # fmt: skip
    return smooth(points, True, (0, 4))


def teardrop(tip: tuple[float, float], centre: tuple[float, float], radius: float, bend: float = 0.0) -> str:
    """A drop with its point at `tip` and a round end of `radius` about `centre`; `bend` units push the neck sideways (a
    comma, a tadpole).
    """
    t, c = np.asarray(tip, dtype=np.float64), np.asarray(centre, dtype=np.float64)
    way = (c - t) / max(float(np.hypot(*(c - t))), 1e-6)
    neck = (t + c) / 2 + np.array([-way[1], way[0]]) * bend
    return blade([t, neck, c], [0.0, radius * 0.85, radius * 2])


# ---- maps of the plane ---------------------------------------------------------------------------------------------


def remap(shape: Shape, f: Callable[[Points], Points], scale: float = 1.0) -> Shape:
    """The shape with every point of its path sent through `f: (n, 2) -> (n, 2)`; `scale` multiplies its stroke width."""
    return replace(shape, d=remap_path(shape.d, f), width=shape.width * scale)


def remap_path(d: str, f: Callable[[Points], Points]) -> str:
    """Path data with every point sent through `f`; right for affine maps and for any map that is nearly so along a
    piece.
    """
    return _fill(_NUMBER.sub("%.1f", d), f(as_points([float(n) for n in _NUMBER.findall(d)])))


def affine(
    shape: Shape, scale: float | tuple[float, float] = 1.0, turn: float = 0.0, move: tuple[float, float] = (0.0, 0.0),
    about: tuple[float, float] = (0.0, 0.0),
) -> Shape:  # fmt: skip
    """Scaled and turned (degrees, clockwise on the canvas) about a point, then moved."""
    sx, sy = (scale, scale) if isinstance(scale, int | float) else scale
    a = np.deg2rad(turn)
    matrix = np.array([[sx * np.cos(a), sx * np.sin(a)], [-sy * np.sin(a), sy * np.cos(a)]])
    origin, to = np.asarray(about, dtype=np.float64), np.asarray(about, dtype=np.float64) + np.asarray(move,
        dtype=np.float64)  # fmt: skip
    return remap(shape, lambda p: (p - origin) @ matrix + to, float(np.sqrt(abs(sx * sy))))


@functools.lru_cache(maxsize=4096)
def _flip(d: str) -> str:
    return remap_path(d, lambda p: p * (-1.0, 1.0))


def flip(points: ArrayLike) -> Points:
    """Points on the other side of the mid-line, in reverse order, so that `[*right, *flip(right)]` goes round a
    symmetric outline.
    """
    return (as_points(points) * (-1.0, 1.0))[::-1]


def mirror(shape: Shape) -> Shape:
    """The shape on the other side of the mid-line."""
    return replace(shape, d=_flip(shape.d))


def both(shapes: Sequence[Shape]) -> list[Shape]:
    """Each shape and its mirror image, in painting order."""
    return [s for shape in shapes for s in (shape, mirror(shape))]


def nest(shape: Shape, *rims: tuple[str, float]) -> list[Shape]:
    """The shape over rims of its own outline: ("white", 10), ("red", 6) puts 10 units of white round it and 6 units of
    red round that.

    Rims are painted first, the outermost at the bottom; half of every stroke hides under the shape.
    """
    reach, below = 0.0, []
    for paint, breadth in rims:
        reach += breadth
        below.append(Shape(shape.d, None, paint, 2 * reach, shape.region))
    return [*below[::-1], shape]
