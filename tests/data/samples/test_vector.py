"""Paths are what their points say: they pass through them, keep their corners, mirror and map exactly, and taper as told."""

from __future__ import annotations

import re

import numpy as np
import pytest

from lianpu.data.samples.vector import (
    Shape,
    affine,
    blade,
    curl,
    curve,
    ellipse,
    flip,
    lens,
    mirror,
    nest,
    remap_path,
    smooth,
    teardrop,
)

POINTS = np.array([(0, 0), (100, 40), (180, -20), (260, 60), (120, 150)], dtype=float)


def numbers(d: str) -> np.ndarray:
    return np.array([float(n) for n in re.findall(r"-?\d+\.\d", d)]).reshape(-1, 2)


def knots(d: str) -> np.ndarray:
    """The points a path of M and C pieces stands on."""
    return numbers(d)[::3]


@pytest.mark.parametrize("closed", [True, False])
def test_a_smooth_path_passes_through_its_points(closed):
    d = smooth(POINTS, closed)
    np.testing.assert_allclose(knots(d), [*POINTS, POINTS[0]] if closed else POINTS)
    assert d.endswith("Z") == closed


def test_a_smooth_path_bends_only_where_it_is_told_to():
    def turn_at(d: str, i: int) -> float:
        """Angle in degrees between the tangents before and after knot i."""
        p = numbers(d)
        into, out = p[3 * i] - p[3 * i - 1], p[3 * i + 1] - p[3 * i]
        return float(np.rad2deg(np.arccos(into @ out / np.linalg.norm(into) / np.linalg.norm(out))))

    assert all(turn_at(smooth(POINTS), i) < 1 for i in range(1, 5))
    sharp = smooth(POINTS, sharp=(0, 2))
    assert turn_at(sharp, 2) > 20
    assert turn_at(sharp, 1) < 1
    assert turn_at(sharp, 3) < 1


def test_a_circle_of_points_gives_a_circle():
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    dense = curve(100 * np.stack([np.cos(angles), np.sin(angles)], 1), 10, closed=True)
    np.testing.assert_allclose(np.hypot(*dense.T), 100, atol=0.6)


def test_mirroring_twice_is_nothing_and_once_is_minus_x():
    shape = Shape(blade(POINTS, [4, 40, 0]), "main", "black", 3, "brow")
    np.testing.assert_allclose(numbers(mirror(shape).d), numbers(shape.d) * (-1, 1))
    assert mirror(mirror(shape)) == shape
    assert "-0.0" not in mirror(Shape("M0.0 1.0L-0.0 5.0", None)).d
    ring = np.array([*POINTS[1:], *flip(POINTS[1:])])
    np.testing.assert_allclose(ring, flip(ring))


def test_a_similarity_of_the_points_is_a_similarity_of_the_path():
    a = np.deg2rad(25)
    matrix = 1.7 * np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    straight = smooth(POINTS @ matrix + (30, -8))
    np.testing.assert_allclose(
        numbers(remap_path(smooth(POINTS), lambda p: p @ matrix + (30, -8))), numbers(straight), atol=0.3
    )
    moved = affine(Shape(smooth(POINTS), "red", "black", 4), 1.7, 25, (30, -8))
    np.testing.assert_allclose(numbers(moved.d), numbers(straight), atol=0.3)
    assert moved.width == pytest.approx(6.8)


def test_a_blade_has_the_widths_it_was_given():
    d = blade([(0, 0), (100, 0), (200, 0)], [0, 40, 0])
    p = numbers(d)
    assert p[:, 1].max() == pytest.approx(20, abs=0.5)
    assert p[:, 1].min() == pytest.approx(-20, abs=0.5)
    assert p[:, 0].min() == 0.0, "a taper ends where the centre-line ends"
    assert p[:, 0].max() == 200.0
    rounded = numbers(blade([(0, 0), (100, 0), (200, 0)], [40, 40]))
    assert rounded[:, 0].min() == pytest.approx(-20, abs=1), "a round end reaches half a width beyond"
    assert rounded[:, 0].max() == pytest.approx(220, abs=1)


def test_curls_wind_inwards_and_the_hand_turns_them_over():
    right, left = curl((10, 20), 0, 100, 1.25, 1), curl((10, 20), 0, 100, 1.25, -1)
    np.testing.assert_allclose(right[0], (10, 20))
    np.testing.assert_allclose(right[:, 1] - 20, 20 - left[:, 1], atol=1e-9)
    radius = np.hypot(*(right - (10, 70)).T)
    assert (np.diff(radius) < 0).all()
    assert right[1, 0] > right[0, 0]
    assert right[3, 1] > right[0, 1], "clockwise on the canvas: from heading right it falls"


def test_simple_forms_have_their_extents():
    e = numbers(ellipse(10, 20, 30, 50))
    np.testing.assert_allclose([e.min(0), e.max(0)], [(-20, -30), (40, 70)])
    leaf = numbers(lens((0, 0), (200, 0), 40, 10))
    assert leaf[:, 1].min() == pytest.approx(-40, abs=2)
    assert leaf[:, 1].max() == pytest.approx(10, abs=2)
    drop = numbers(teardrop((0, 0), (0, 100), 30))
    assert drop[:, 1].min() == 0.0
    assert drop[:, 1].max() == pytest.approx(130, abs=2)


def test_nested_rims_lie_below_outermost_first():
    shape = Shape(ellipse(0, 0, 50, 50), "black", region="socket")
    assert [(s.fill, s.stroke, s.width) for s in nest(shape, ("white", 10), ("red", 6))] == [
        (None, "red", 32),
        (None, "white", 20),
        ("black", None, 0),
    ]
