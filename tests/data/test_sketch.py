"""XDoG: its two forms, its threshold the right way round, and lines that do not tell the colours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from lianpu.data import sketch
from lianpu.errors import UsageError

from .faces import face

light = np.clip(np.add.outer(np.linspace(0, 1, 40), np.sin(np.arange(50) / 3) / 4), 0, 1).astype(np.float32)


def test_the_threshold_is_white_above_and_dark_below():
    u = np.array([-1, -0.02, -0.01, 0.0, 5])
    np.testing.assert_allclose(sketch.threshold(u, -0.01, 80), [0, 1 + np.tanh(80 * -0.01), 1, 1, 1], atol=1e-6)
    values = sketch.threshold(np.linspace(-1, 1, 999), 0.1, 30)
    assert (np.diff(values) >= 0).all()  # the popular copies fall here


@given(st.floats(2, 60), st.floats(-1, 1), st.floats(0.5, 40), st.floats(0.5, 2))
def test_both_forms_draw_the_same(p, eps, phi, sigma):
    style = sketch.XDoG.from_p(p, eps, phi, sigma)
    inner, outer = (ndimage.gaussian_filter(light, s, mode="reflect", truncate=4) for s in (sigma, sigma * 1.6))
    u = (1 + p) * inner - p * outer
    by_p = np.clip(np.where(u >= eps, 1, 1 + np.tanh(phi * (u - eps))), 0, 1)
    away = np.abs(u - eps) > 1e-3  # at the step itself float32 may fall on either side
    np.testing.assert_allclose(sketch.xdog(light, style)[away], by_p[away], atol=2e-3)
    np.testing.assert_allclose(style.to_p(), (p, eps, phi), rtol=1e-9, atol=1e-12)


def test_the_authors_demonstration_in_tau_form():
    woodcut = sketch.PRESETS["woodcut"]
    assert woodcut.tau == pytest.approx(0.956, abs=5e-4)
    assert woodcut.eps * 100 == pytest.approx(3.50, abs=5e-3)  # in their 0 to 100
    assert woodcut.phi == pytest.approx(38.6, abs=0.05)


def test_flat_paint_of_any_colour_is_blank_paper():
    for paint in ((255, 255, 255), (0, 0, 0), (200, 20, 20), (20, 20, 90)):
        flat = np.full((48, 48, 3), paint, np.uint8)
        for style in ("lines", "colour"):
            assert sketch.sketch(flat, style).min() == 255


def test_the_sketch_does_not_tell_the_colours_but_shows_every_line():
    red, blue = face(3, "red", 128), face(3, "blue", 128)
    one, two = sketch.sketch(red), sketch.sketch(blue)
    assert one.shape == (128, 128) and one.dtype == np.uint8
    assert np.mean(np.abs(one.astype(int) - two) > 128) < 0.02
    assert 0.02 < (one < 128).mean() < 0.2


def test_black_areas_are_outlined_and_not_filled():
    red = face(3, "red", 128).copy()
    red[40:64, 44:84] = 8
    one, dark = sketch.sketch(red), np.zeros((128, 128), bool)
    dark[46:58, 50:78] = True
    assert (one[dark] == 255).all() and one[38:42, 60].min() < 80
    assert (sketch.sketch(red, "woodcut")[dark] < 60).all()  # as a woodcut would


def test_a_change_of_hue_alone_is_drawn_when_asked():
    two = np.zeros((64, 64, 3), np.uint8)
    two[:, :32], two[:, 32:] = (196, 60, 60), (0, 120, 130)  # of nearly one lightness
    from lianpu.data.lab import lightness

    assert abs(lightness(two[0, 0]) - lightness(two[0, 63])) < 2
    seam = slice(28, 36)
    assert sketch.sketch(two, "lines")[:, seam].min() > 100
    assert sketch.sketch(two, "colour")[:, seam].min(1).max() < 80


def test_lines_grow_with_the_picture():
    small, large = sketch.sketch(face(3, "red", 64)), sketch.sketch(face(3, "red", 256))
    assert abs((small < 128).mean() - (large < 128).mean()) < 0.05


def test_mirroring_commutes():
    pixels = face(3, "red", 64)[:, :60]
    np.testing.assert_allclose(sketch.sketch(pixels[:, ::-1].copy()), sketch.sketch(pixels)[:, ::-1], atol=1)


def test_an_unknown_style_is_refused():
    with pytest.raises(UsageError, match="no sketch style"):
        sketch.sketch(light[..., None].repeat(3, 2).astype(np.uint8), "line")


@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_small_pictures_are_drawn_too(size):
    """Below 64 px both Gaussians of the usual width would be one pixel, and the paper would stay white."""
    ink = 1 - sketch.sketch(face(3, size=size)).mean() / 255
    large = 1 - sketch.sketch(face(3, size=256)).mean() / 255
    assert 0.5 * large < ink < 1.5 * large
