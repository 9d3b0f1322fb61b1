"""Curves, bars and whiskers as SVG that a page carries in itself. Axes have titles with units and round ticks; each series has its own
colour, dash and mark, so that it is told apart in print and by those who do not see the colour.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lianpu.report.page import Markup, join, number, tag

__all__ = ["Bar", "Point", "Series", "bars", "curves", "labels", "ticks", "whisker"]

DASHES = ("", "", "7 4", "2 3", "9 3 2 3", "4 4")
MARKS = ("circle", "square", "diamond", "triangle", "cross", "ring")
WIDTH, HEIGHT = 760.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 16.0, 18.0, 48.0
LINE = 16.0  # between the lines of a label


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    name: str
    points: tuple[Point, ...]
    colour: int = 0
    """Which of the six series colours, dashes and marks."""
    marked: bool = True
    """A mark at each point; without, a line alone."""


def finite(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points that can be drawn."""
    return tuple(p for p in points if math.isfinite(p.x) and math.isfinite(p.y))


LEAST_SPAN = 1e-300  # of an axis: below, steps between marks are no normal numbers


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten apart) that enclose low to high."""
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"no axis from {low} to {high}")
    if high - low < LEAST_SPAN:
        span = abs(low) if abs(low) >= LEAST_SPAN else 1.0
        low, high = low - span / 2, high + span / 2
    raw = (high - low) / max(count - 1, 1)
    exponent = math.floor(math.log10(raw))
    times = next(m for m in (1, 2, 5, 10) if float(f"{m}e{exponent}") >= raw * 0.999)
    step = float(f"{times}e{exponent}")
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{i * times}e{exponent}") for i in range(first, last + 1)]  # decimal, so that 0.3 is 0.3


def labels(marks: Sequence[float]) -> list[str]:
    """Marks as text, all with the decimals that tell them apart: 0, 0.2, 0.4."""
    steps = [abs(b - a) for a, b in pairwise(marks) if b != a]
    least = min([*steps, *(abs(m) for m in marks if m)], default=1.0)
    if least < 1e-4 or max(map(abs, marks)) >= 1e7:
        return [number(float(m), 2) for m in marks]
    decimals = next(d for d in range(6) if all(abs(round(m, d) - m) < least * 1e-3 for m in marks) or d == 5)
    return [f"{m:,.{decimals}f}".replace("-", "\u2212") for m in marks]


class _Axis:
    """From a value to a place, linear or logarithmic."""

    def __init__(self, marks: Sequence[float], start: float, end: float, log: bool = False) -> None:
        self.marks, self.log, self.start, self.end = list(marks), log, start, end
        self.low, self.high = self._scale(min(marks)), self._scale(max(marks))
        if self.high == self.low:
            self.low, self.high = self.low - 0.5, self.high + 0.5

    def _scale(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def __call__(self, value: float) -> float:
        share = (self._scale(value) - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * share


def _frame(x: _Axis, y: _Axis, x_title: str, y_title: str, x_labels: Sequence[str]) -> list[Markup]:
    left, right, bottom, top = x.start, x.end, y.start, y.end
    parts = []
    for mark, label in zip(y.marks, labels(y.marks), strict=True):
        at = f"{y(mark):.1f}"
        parts.append(tag("line", x1=f"{LEFT}", x2=f"{WIDTH - RIGHT}", y1=at, y2=at, class_="gridline"))
        parts.append(tag("text", label, x=LEFT - 8, y=f"{y(mark) + 4:.1f}", text_anchor="end"))
    for mark, label in zip(x.marks, x_labels, strict=True):
        at = f"{x(mark):.1f}"
        parts.append(tag("line", x1=at, x2=at, y1=f"{bottom}", y2=f"{bottom + 5}", class_="axis"))
        parts.append(tag("text", label, x=at, y=f"{bottom + 19}", text_anchor="middle"))
    parts.append(tag("path", d=f"M{LEFT} {top - 6}V{bottom}H{WIDTH - RIGHT}", class_="axis"))
    middle = (left + right) / 2
    parts.append(tag("text", x_title, x=f"{middle:.1f}", y=f"{bottom + 40}", text_anchor="middle", class_="label"))
    parts.append(tag("text", y_title, x=0, y=f"{TOP - 24:.0f}", class_="label"))
    return parts


def _mark(kind: str, x: float, y: float, r: float, colour: int) -> Markup:
    if kind == "circle":
        return tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=r, class_=f"f{colour}")
    if kind == "ring":
        return tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=r, class_=f"curve s{colour}")
    if kind == "cross":
        return tag(
            "path", d=f"M{x - r:.1f} {y - r:.1f}l{2 * r} {2 * r}m0 {-2 * r}l{-2 * r} {2 * r}", class_=f"curve s{colour}"
        )
    shape = {
        "square": f"M{x - r:.1f} {y - r:.1f}h{2 * r}v{2 * r}h{-2 * r}z",
        "diamond": f"M{x:.1f} {y - 1.3 * r:.1f}l{1.3 * r} {1.3 * r}l{-1.3 * r} {1.3 * r}l{-1.3 * r} {-1.3 * r}z",
        "triangle": f"M{x:.1f} {y - 1.2 * r:.1f}l{1.2 * r} {2.2 * r}h{-2.4 * r}z",
    }[kind]
    return tag("path", d=shape, class_=f"f{colour}")


def _legend(names: Sequence[tuple[str, int, bool]], y: float) -> list[Markup]:
    """Name after name from the right edge of the label column."""
    parts, x = [], LEFT + 10
    for name, colour, marked in names:
        style = {"stroke_dasharray": DASHES[colour] or None}
        parts.append(
            tag("line", x1=f"{x:.0f}", x2=f"{x + 26:.0f}", y1=y - 4, y2=y - 4, class_=f"curve s{colour}", **style)
        )
        if marked:
            parts.append(_mark(MARKS[colour], x + 13, y - 4, 4, colour))
        parts.append(tag("text", name, x=f"{x + 33:.0f}", y=y, class_="label"))
        x += 33 + _breadth(name) + 24
    return parts


def curves(
    series: Sequence[Series],
    x_title: str,
    y_title: str,
    *,
    title: str,
    log_x: bool = False,
    x_marks: Sequence[float] | None = None,
    zero: bool = True,
) -> Markup:
    """Curves with bars or bands of their intervals.

    log_x: equal ratios are equal lengths; x_marks: where the x axis is marked, if not at round numbers. zero: the y axis starts at 0,
    so that a difference looks as large as it is. Points that are not finite are left out; without any, a sentence instead is the
    caller's duty (ValueError).
    """
    drawn = [Series(s.name, finite(s.points), s.colour % len(MARKS), s.marked) for s in series]
    points = [p for s in drawn for p in s.points]
    if not points:
        raise ValueError("there is no point to draw")
    ys = [v for p in points for v in (p.y, p.low, p.high) if v is not None and math.isfinite(v)]
    low, high = min(ys), max(ys)
    y_marks = ticks(min(low, 0.0) if zero else low, max(high, 0.0) if zero else high)
    xs = sorted({p.x for p in points})
    marks = list(x_marks) if x_marks else (xs if log_x and len(xs) <= 8 else ticks(min(0.0, min(xs)), max(xs), 6))
    legend_lines = 1
    top = TOP + 22 * legend_lines + 14
    bottom = HEIGHT - BOTTOM
    inset = 26.0 if log_x else 0.0
    x = _Axis(marks, LEFT + inset, WIDTH - RIGHT - inset, log_x)
    y = _Axis(y_marks, bottom, top)
    parts = _frame(x, y, x_title, y_title, labels(marks))
    for s in drawn:
        parts += _series(s, x, y)
    parts += _legend([(s.name, s.colour, s.marked) for s in drawn], TOP + 12)
    return _svg(parts, title, HEIGHT, TOP)


def _series(s: Series, x: _Axis, y: _Axis) -> list[Markup]:
    if not s.points:
        return []
    parts = []
    between = [p for p in s.points if p.low is not None and p.high is not None]
    if between and not s.marked:
        edge = [f"{x(p.x):.1f},{y(p.high or 0):.1f}" for p in between]
        edge += [f"{x(p.x):.1f},{y(p.low or 0):.1f}" for p in reversed(between)]
        parts.append(tag("polygon", points=" ".join(edge), class_=f"band f{s.colour}"))
    shift = 3.0 * (s.colour - 1.5) if s.marked else 0.0  # so that whiskers of one x stand side by side
    path = " ".join(f"{x(p.x) + shift:.1f},{y(p.y):.1f}" for p in s.points)
    dash = DASHES[s.colour] or None
    parts.append(tag("polyline", points=path, class_=f"curve s{s.colour}", stroke_dasharray=dash))
    if s.marked:
        for p in between:
            at = x(p.x) + shift
            ends = f"M{at:.1f} {y(p.low or 0):.1f}V{y(p.high or 0):.1f}"
            parts.append(tag("path", d=ends, class_=f"whisker s{s.colour}"))
        parts += [_mark(MARKS[s.colour], x(p.x) + shift, y(p.y), 4.2, s.colour) for p in s.points]
    return parts


@dataclass(frozen=True)
class Bar:
    value: float
    low: float | None = None
    high: float | None = None


def bars(
    groups: Sequence[str], series: Sequence[tuple[str, int, Sequence[Bar | None]]], y_title: str, *, title: str
) -> Markup:
    """Groups of bars from zero, one of each series, with whiskers; a bar that was not measured leaves its place empty."""
    made = [b for _, _, mine in series for b in mine if b is not None and math.isfinite(b.value)]
    if not made:
        raise ValueError("there is no bar to draw")
    tops = [v for b in made for v in (b.value, b.high) if v is not None and math.isfinite(v)]
    y_marks = ticks(min(0.0, min(tops)), max(tops))
    top, bottom = TOP + 36, HEIGHT - BOTTOM + 20
    y = _Axis(y_marks, bottom, top)
    slot = (WIDTH - LEFT - RIGHT) / len(groups)
    names = [_lines(group, slot - 6) for group in groups]
    breadth = min(46.0, slot * 0.62 / len(series))
    parts: list[Markup] = []
    for mark, label in zip(y_marks, labels(y_marks), strict=True):
        at = f"{y(mark):.1f}"
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="gridline"))
        parts.append(tag("text", label, x=LEFT - 8, y=f"{y(mark) + 4:.1f}", text_anchor="end"))
    for g, name in enumerate(names):
        centre = LEFT + slot * (g + 0.5)
        parts += [
            tag(
                "text", line, x=f"{centre:.1f}", y=f"{bottom + 20 + LINE * i:.1f}", text_anchor="middle", class_="label"
            )
            for i, line in enumerate(name)
        ]
        for i, (_, colour, mine) in enumerate(series):
            b = mine[g]
            if b is None or not math.isfinite(b.value):
                continue
            x = centre + breadth * (i - len(series) / 2) + 1.5
            height = abs(y(0) - y(b.value))
            parts.append(
                tag("rect", x=f"{x:.1f}", y=f"{min(y(b.value), y(0)):.1f}", width=f"{breadth - 3:.1f}",
                    height=f"{height:.1f}", class_=f"f{colour}", opacity=None if i == 0 else "0.55")
            )  # fmt: skip
            if b.low is not None and b.high is not None:
                at = x + (breadth - 3) / 2
                d = f"M{at:.1f} {y(b.low):.1f}V{y(b.high):.1f}M{at - 4:.1f} {y(b.low):.1f}h8M{at - 4:.1f} {y(b.high):.1f}h8"
                parts.append(tag("path", d=d, class_="axis whisker"))
    parts.append(tag("path", d=f"M{LEFT} {top - 6}V{bottom}H{WIDTH - RIGHT}", class_="axis"))
    parts.append(tag("text", y_title, x=0, y=f"{TOP - 24:.0f}", class_="label"))
    at = LEFT + 10
    for i, (name, colour, _) in enumerate(series):
        parts.append(
            tag(
                "rect",
                x=f"{at:.0f}",
                y=TOP - 1,
                width=14,
                height=14,
                class_=f"f{colour}",
                opacity=None if i == 0 else "0.55",
            )
        )
        parts.append(tag("text", name, x=f"{at + 21:.0f}", y=TOP + 11, class_="label"))
        at += 21 + _breadth(name) + 28
    return _svg(parts, title, HEIGHT + LINE * (max(map(len, names)) - 1), TOP)


def _breadth(text: str) -> float:
    """About how wide a label is; wide characters count double."""
    return sum(12.5 if ord(c) > 0x2E80 else 6.9 for c in text)


def _lines(text: str, width: float) -> list[str]:
    """A label in lines that fit a width, broken after spaces and hyphens; a longer word stays whole."""
    lines = [""]
    for word in re.findall(r"[^ -]*[ -]?", text):
        if lines[-1] and _breadth((lines[-1] + word).rstrip()) > width:
            lines.append("")
        lines[-1] += word
    return [line.rstrip() for line in lines]


def whisker(
    value: float, low: float | None, high: float | None, start: float, end: float, *, title: str, colour: int = 1
) -> Markup:
    """A value and its interval on a line from `start` to `end`, small enough for a cell."""
    x = _Axis([start, end], 4, 116)
    parts = [tag("line", x1=4, x2=116, y1=9, y2=9, class_="gridline")]
    if low is not None and high is not None and math.isfinite(low) and math.isfinite(high):
        parts.append(
            tag(
                "path",
                d=f"M{x(low):.1f} 9H{x(high):.1f}M{x(low):.1f} 5v8M{x(high):.1f} 5v8",
                class_=f"whisker s{colour}",
            )
        )
    parts.append(tag("circle", cx=f"{x(value):.1f}", cy=9, r=3.4, class_=f"f{colour}"))
    return tag("svg", tag("title", title), join(parts), view_box="0 0 120 18", role="img", class_="small")


def _svg(parts: Sequence[Markup], title: str, height: float, top: float) -> Markup:
    box = f"0 {-top:.0f} {WIDTH:.0f} {height + top:.0f}"
    return tag("svg", tag("title", title), join(parts), view_box=box, role="img", aria_label=title)
