"""The pen that draws the small marks of a mask, emblems and ornaments, in a frame of their own.

A mark is patches of paint, each inside one to three rims. A rim is a stroke of the patch's outline, run out to a
point at every sharp corner: round ends make a sticker of it, points make it a brush's.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from lianpu.data.samples import vector
from lianpu.data.samples.vector import Points, Shape

__all__ = ["INKED", "KNIFE", "NESTED", "WHITE", "Draw", "Pen", "Rim", "register", "turned"]

Draw = Callable[[np.random.Generator, float, tuple[float, float], float, Mapping[str, str]], list[Shape]]
Rim = tuple[str, float]  # paint or role, breadth in lines

WHITE: tuple[Rim, ...] = (("white", 1.2),)
INKED: tuple[Rim, ...] = (("black", 0.6), ("white", 1.0))  # a black line round the patch and a white one round that
NESTED: tuple[Rim, ...] = (("white", 0.9), ("black", 0.6))  # the other way about: for patches that should glow
KNIFE: tuple[Rim, ...] = (("white", 0.8), ("black", 0.6), ("white", 0.8))  # three lines, a fighter's
_FRAMES = (WHITE, WHITE, INKED, NESTED, KNIFE)
_POINT = 2.6  # a rim runs to a point beyond a sharp corner, at most so many times its own reach
_NUMBER = re.compile(r"-?\d+\.\d+")


class Pen:
    """Draws in the mark's own frame: origin at its centre, y from -0.5 (top) to 0.5 (bottom), x to the right.

    Every length but a rim's breadth is therefore a fraction of the mark's height; a rim's is in lines, so that the
    bounding lines of all marks on one face are alike.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        size: float,
        centre: tuple[float, float],
        line: float,
        paints: Mapping[str, str],
        region: str,
    ) -> None:
        self.rng, self.size, self.centre, self.line, self.paints, self.region = rng, size, centre, line, paints, region
        self.frame = _FRAMES[int(rng.integers(len(_FRAMES)))]  # this mark's own choice of rims
        self._shapes: list[Shape] = []

    # chance

    def vary(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def one_of(self, *choices: str) -> str:
        return choices[int(self.rng.integers(len(choices)))]

    def hand(self) -> int:
        return int(self.rng.choice([-1, 1]))

    # paths

    def at(self, points: ArrayLike) -> Points:
        return vector.as_points(points) * self.size + (0.0, self.centre[1])

    def area(self, points: ArrayLike, *sharp: int) -> str:
        return vector.outline(self.at(points), sharp)

    def halves(self, right: Sequence[tuple[float, float]], *sharp: int) -> str:
        """A symmetric outline from its right half, given from the top down; `sharp` indexes the right half."""
        n, top, bottom = len(right), right[0][0] == 0, right[-1][0] == 0
        left = vector.flip(right)[int(bottom) : n - int(top)]
        other = [2 * n - 1 - i - int(bottom) for i in sharp if right[i][0] != 0]
        return self.area(np.concatenate([vector.as_points(right), left]), *sharp, *other)

    def corners(self, points: ArrayLike) -> str:
        return vector.polygon(self.at(points))

    def stroke(self, points: ArrayLike, *widths: float) -> str:
        return vector.blade(self.at(points), [w * self.size for w in widths])

    def scroll(self, points: ArrayLike, across: float, turns: float, hand: int, *widths: float) -> str:
        """A stroke that ends in a cloud curl, `across` wide, wound `turns` times, clockwise if `hand` is 1, else -1."""
        p = vector.as_points(points)
        dx, dy = p[-1] - p[-2]
        heading = float(np.degrees(np.arctan2(dy, dx)))
        wound = vector.curl((p[-1, 0], p[-1, 1]), heading, across, turns, hand, 6 + int(7 * turns))
        return self.stroke(np.concatenate([p, wound[1:]]), *widths)

    def disc(self, x: float, y: float, rx: float, ry: float | None = None, turn: float = 0.0) -> str:
        (cx, cy), s = self.at((x, y))[0], self.size
        return vector.ellipse(cx, cy, rx * s, (rx if ry is None else ry) * s, turn)

    def leaf(
        self, a: tuple[float, float], b: tuple[float, float], above: float, below: float, lean: float = 0.0
    ) -> str:
        (ax, ay), (bx, by) = self.at([a, b])
        return vector.lens((ax, ay), (bx, by), above * self.size, below * self.size, lean)

    def drop(self, tip: tuple[float, float], centre: tuple[float, float], radius: float, bend: float = 0.0) -> str:
        (tx, ty), (cx, cy) = self.at([tip, centre])
        return vector.teardrop((tx, ty), (cx, cy), radius * self.size, bend * self.size)

    # paint

    def paint(self, fill: str, *paths: str, rims: Sequence[Rim] = WHITE, both: bool = False) -> None:
        """Paint the paths as one patch inside common rims, innermost first; `both` adds their mirror images to it."""
        shapes = [Shape(d, self.paints.get(fill, fill), None, 0.0, self.region) for d in paths]
        if both:
            shapes = vector.both(shapes)
        reach, layers = 0.0, [shapes]
        for paint, breadth in rims:
            reach += breadth * self.line
            ink = self.paints.get(paint, paint)
            layers.append([replace(s, fill=None, stroke=ink, width=2 * reach) for s in shapes])
            layers[-1] += [replace(s, d=_spikes(s.d, reach), fill=ink) for s in shapes if _tips(s.d)]
        self._shapes += [s for layer in layers[::-1] for s in layer]

    def shapes(self) -> list[Shape]:
        x = self.centre[0]
        return [vector.remap(s, lambda p: p + np.array((x, 0.0))) for s in self._shapes] if x else list(self._shapes)


@functools.lru_cache(maxsize=1024)
def _tips(d: str) -> tuple[tuple[float, float, float, float, float], ...]:
    """Outward corners under 90 degrees of a closed path of cubics: x, y, unit vector out, half the angle (radians)."""
    if "L" in d:
        return ()
    p = vector.as_points([float(n) for n in _NUMBER.findall(d)])
    knots, into, out = p[3::3], p[3::3] - p[2::3], np.roll(p[1::3], -1, 0) - p[3::3]
    area = float(np.sum(knots[:, 0] * np.roll(knots[:, 1], -1) - np.roll(knots[:, 0], -1) * knots[:, 1]))
    found = []
    for (x, y), a, b in zip(knots.tolist(), into, out, strict=True):
        reach = float(np.hypot(*a) * np.hypot(*b))
        bend = float(np.arctan2(a[0] * b[1] - a[1] * b[0], a @ b)) * np.sign(area)
        # the sides of a needle may seem to cross by rounding: it is a tip all the same
        if reach > 0 and (bend > np.pi / 2 or bend < -0.97 * np.pi):
            u = a / np.hypot(*a) - b / np.hypot(*b)
            found.append((x, y, float(u[0] / np.hypot(*u)), float(u[1] / np.hypot(*u)), (np.pi - abs(bend)) / 2))
    return tuple(found)


def _spikes(d: str, reach: float) -> str:
    """What a rim of breadth `reach` lacks to end in points: a kite over each tip of the path."""
    kites = []
    for x, y, ux, uy, half in _tips(d):
        length = min(1 / max(np.sin(half), 1e-3), _POINT)  # in units of reach; the exact mitre where it is short
        cos, sin = 1 / length, np.sqrt(1 - 1 / length**2)
        sides = [(cos * ux - k * sin * uy, cos * uy + k * sin * ux) for k in (1, -1)]
        kite = np.array([(0, 0), sides[0], (length * ux, length * uy), sides[1]])
        kites.append(vector.polygon(kite * reach + (x, y)))
    return "".join(kites)


def turned(points: ArrayLike, degrees: float, about: tuple[float, float] = (0.0, 0.0)) -> Points:
    """The points turned clockwise on the canvas."""
    a, o = np.deg2rad(degrees), np.asarray(about)
    return (vector.as_points(points) - o) @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) + o


def register(table: dict[str, Draw], region: str) -> Callable[[Callable[[Pen], None]], Callable[[Pen], None]]:
    """A decorator that puts a drawing function into `table` under its own name."""

    def add(sketch: Callable[[Pen], None]) -> Callable[[Pen], None]:
        def draw(
            rng: np.random.Generator,
            size: float,
            centre: tuple[float, float],
            line_width: float,
            paints: Mapping[str, str],
        ) -> list[Shape]:
            pen = Pen(rng, size, centre, line_width, paints, region)
            sketch(pen)
            return pen.shapes()

        draw.__name__, draw.__doc__ = sketch.__name__, sketch.__doc__
        table[sketch.__name__] = draw
        return sketch

    return add
