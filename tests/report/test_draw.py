"""A drawing shows its numbers: read back from the SVG they are the ones that went in, on axes with round marks."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lianpu.report import draw
from lianpu.report.draw import Bar, Point, Series

finite = st.floats(-1e6, 1e6, allow_nan=False)


@given(finite, finite, st.integers(2, 9))
@example(0.0, 5e-324, 3)
@example(1e-310, 3e-310, 2)
def test_marks_are_round_enclose_and_are_few(low, high, count):
    low, high = min(low, high), max(low, high)
    assume(high == low or high - low > 1e-6 * max(abs(low), abs(high)))
    marks = draw.ticks(low, high, count)
    step = marks[1] - marks[0]
    slack = 1e-6 * step + 1e-9 * max(map(abs, marks))
    assert marks[0] <= low + slack
    assert marks[-1] >= high - slack
    assert all(b - a == pytest.approx(step, rel=1e-6, abs=slack) for a, b in pairwise(marks))
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(mantissa - m) for m in (1, 2, 5, 10)) < 1e-3
    assert len(marks) <= 3 * count


def test_marks_of_what_is_no_number_are_refused():
    with pytest.raises(ValueError, match="no axis"):
        draw.ticks(float("nan"), 1)


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        ([0.0, 0.2, 0.4], ["0.0", "0.2", "0.4"]),
        ([0.0, 50.0, 100.0], ["0", "50", "100"]),
        ([-0.05, 0.0, 0.05], ["\u22120.05", "0.00", "0.05"]),
        ([50.0, 100.0, 300.0, 1782.0], ["50", "100", "300", "1,782"]),
        ([0.0, 2000.0], ["0", "2,000"]),
    ],
)
def test_labels_tell_marks_apart(marks, words):
    assert draw.labels(marks) == words


def numbers(element: ET.Element, key: str) -> float:
    return float(element.attrib[key])


def axis(svg: ET.Element, anchor: str, at: str) -> tuple[float, float]:
    """(slope, offset) from place to value of the y axis (end, y) or the x axis (middle, x), read from two of its labels."""
    labels = [
        (numbers(e, at), float(e.text.replace(",", "").replace("\u2212", "-")))
        for e in svg.iter("text")
        if e.attrib.get("text-anchor") == anchor and re.fullmatch(r"[\u2212\d.,]+", e.text or "")
    ]
    (p0, v0), (p1, v1) = labels[0], labels[-1]
    slope = (v1 - v0) / (p1 - p0)
    return slope, v0 - slope * p0


def test_a_curve_read_back_is_the_curve():
    points = [(0.0, 3.0), (40.0, 9.5), (100.0, 0.5)]
    line = Series("a", tuple(Point(*p) for p in points), marked=False)
    svg = ET.fromstring(draw.curves([line], "x", "y", title="t"))
    path = next(e for e in svg.iter("polyline")).attrib["points"]
    sx, ox = axis(svg, "middle", "x")
    sy, oy = axis(svg, "end", "y")
    assert sy < 0, "up is more"
    shift = 4.0  # a label stands four units below its mark
    for pair, (x, y) in zip(path.split(), points, strict=True):
        px, py = map(float, pair.split(","))
        assert sx * px + ox == pytest.approx(x, abs=0.3)
        assert sy * (py + shift) + oy == pytest.approx(y, abs=0.05)


def test_a_logarithmic_axis_makes_equal_ratios_equal_lengths():
    line = Series("a", tuple(Point(x, 1.0) for x in (50, 100, 200, 400)))
    svg = ET.fromstring(draw.curves([line], "x", "y", title="t", log_x=True))
    xs = [float(p.split(",")[0]) for p in next(svg.iter("polyline")).attrib["points"].split()]
    gaps = [b - a for a, b in pairwise(xs)]
    assert max(gaps) - min(gaps) < 0.2


def test_whiskers_reach_from_low_to_high_and_bars_stand_on_zero():
    made = draw.bars(["g"], [("s", 1, [Bar(4.0, 3.0, 6.0)])], "y", title="t")
    svg = ET.fromstring(made)
    sy, oy = axis(svg, "end", "y")
    rect = next(e for e in svg.iter("rect") if float(e.attrib["height"]) > 20)
    top, height = numbers(rect, "y"), numbers(rect, "height")
    assert sy * (top + 4) + oy == pytest.approx(4.0, abs=0.05)
    assert sy * (top + height + 4) + oy == pytest.approx(0.0, abs=0.05)
    whisker = next(e for e in svg.iter("path") if "whisker" in e.attrib["class"]).attrib["d"]
    low, high = map(float, re.match(r"M[\d.]+ ([\d.]+)V([\d.]+)", whisker).groups())
    assert sy * (low + 4) + oy == pytest.approx(3.0, abs=0.05)
    assert sy * (high + 4) + oy == pytest.approx(6.0, abs=0.05)


def test_a_whisker_in_a_cell_keeps_the_order_of_its_numbers():
    svg = ET.fromstring(draw.whisker(5.0, 4.0, 7.0, 0.0, 10.0, title="t"))
    low, high = map(float, re.match(r"M([\d.]+) 9H([\d.]+)", next(svg.iter("path")).attrib["d"]).groups())
    middle = numbers(next(svg.iter("circle")), "cx")
    assert low < middle < high
    assert (middle - low) / (high - low) == pytest.approx(1 / 3, abs=0.01)


def test_what_cannot_be_drawn_is_left_out_or_refused():
    line = Series("a", (Point(0, float("nan")), Point(1, 2.0), Point(2, float("inf"))))
    svg = ET.fromstring(draw.curves([line], "x", "y", title="t"))
    assert len(next(svg.iter("polyline")).attrib["points"].split()) == 1
    with pytest.raises(ValueError, match="no point"):
        draw.curves([Series("a", (Point(0, float("nan")),))], "x", "y", title="t")
    with pytest.raises(ValueError, match="no bar"):
        draw.bars(["g"], [("s", 1, [None])], "y", title="t")


def test_series_are_told_apart_without_colour():
    lines = [Series(f"s{i}", (Point(0, i), Point(1, i)), i) for i in range(4)]
    svg = ET.fromstring(draw.curves(lines, "x", "y", title="t"))
    looks = {(e.attrib.get("stroke-dasharray"), draw.MARKS[i]) for i, e in enumerate(svg.iter("polyline"))}
    assert len(looks) == 4
    words = [e.text for e in svg.iter("text")]
    assert {"s0", "s1", "s2", "s3", "x", "y"} <= set(words)
    assert svg.find("title").text == "t"
    assert svg.attrib["role"] == "img"


def test_names_of_many_bars_are_broken_into_lines_that_do_not_meet():
    names = [
        "StyleGAN2",
        "StyleGAN2-ADA",
        "StyleGAN2-APA",
        "Diffusion-GAN",
        "Matcher",
        "SPADE",
        "SPADE-VAE",
        "脸谱生成器",
    ]
    made = str(draw.bars([*names, "Real masks"], [("s", 1, [Bar(1.0)] * 9)], "y", title="t"))
    placed = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="middle" class="label">([^<]*)<', made)
    assert "".join(text for *_, text in placed).replace(" ", "") == "".join(names) + "Realmasks"
    rows: dict[str, list[tuple[float, str]]] = {}
    for x, y, text in placed:
        rows.setdefault(y, []).append((float(x), text))
    assert len(rows) == 2
    top, height = map(float, re.search(r'viewBox="0 (\S+) \S+ (\S+)"', made).groups())
    assert top + height > max(map(float, rows))
    for row in rows.values():
        for (x, text), (other, its) in pairwise(sorted(row)):
            assert other - x > (draw._breadth(text) + draw._breadth(its)) / 2
