"""Palettes and symmetry of drawings whose paints and halves are known."""

from __future__ import annotations

import numpy as np
import pytest

from lianpu.data.colour import CLASSES
from lianpu.metrics import masks
from tests.data.faces import PAINT, face


@pytest.mark.parametrize("colour", PAINT)
def test_a_face_of_one_paint_is_mostly_that(colour):
    shares = masks.palette(face(3, colour, 96))
    assert CLASSES[shares.argmax()] == colour
    assert shares.sum() == pytest.approx(1)


def test_the_distance_of_palettes_is_the_share_to_be_painted_over():
    red, half = np.array([1.0, 0, 0, 0, 0, 0, 0]), np.array([0.5, 0.5, 0, 0, 0, 0, 0])
    assert masks.palette_distance(red, half) == 0.5
    assert masks.palette_distance(red, np.roll(red, 3)) == 1.0
    assert masks.palette_distance(half, half) == 0.0


def test_a_mirrored_picture_has_symmetry_one_and_an_opposed_one_minus_one():
    half = np.random.default_rng(0).integers(0, 256, (32, 16, 1)).astype(np.uint8).repeat(3, 2)
    assert masks.symmetry(np.concatenate([half, half[:, ::-1]], 1)) == pytest.approx(1, abs=1e-9)
    black_white = np.zeros((8, 8, 3), np.uint8)
    black_white[:, 4:] = 255
    assert masks.symmetry(black_white) == pytest.approx(-1, abs=1e-9)
    noise = np.random.default_rng(1).integers(0, 256, (128, 128, 1)).astype(np.uint8).repeat(3, 2)
    assert abs(masks.symmetry(noise)) < 0.05


def test_symmetry_sees_the_drawing_not_the_paint():
    """A red and a blue half of one lightness mirror each other in drawing."""
    from lianpu.data.lab import lightness

    red, blue = np.array([200, 30, 30], np.uint8), np.array([40, 90, 220], np.uint8)
    pixels = np.full((32, 32, 3), 255, np.uint8)
    pixels[8:24, 8:16], pixels[8:24, 16:24] = red, blue
    assert abs(float(lightness(red) - lightness(blue))) < 3, "the premise"
    assert masks.symmetry(pixels) > 0.99


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_has_neither(level):
    assert np.isnan(masks.describe(np.full((32, 32, 3), level, np.uint8))).all()
