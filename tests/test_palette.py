"""A picture's paints are its flat colours and nothing that two of them mix to; a locked picture has these paints and its soft edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from lianpu import palette
from lianpu.data.lab import to_lab
from lianpu.data.samples import masks

RED, BLACK, WHITE, GREY = (200, 40, 30), (16, 14, 15), (250, 247, 242), (128, 128, 130)


def discs(size: int = 96, soft: float = 0.8) -> np.ndarray:
    """A black disc with a red one in it on white, anti-aliased."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    out = np.full((size, size, 3), WHITE, float)
    for radius, paint in ((0.42, BLACK), (0.25, RED)):
        share = np.clip((radius * size - np.hypot(x, y)) / soft + 0.5, 0, 1)[..., None]
        out += share * (np.array(paint) - out)
    return np.floor(out + 0.5).astype(np.uint8)


WHOLE = np.ones((96, 96), bool)


def test_paints_are_the_flat_colours_and_no_mixture():
    found = palette.paints(discs(), WHOLE)
    assert sorted(map(tuple, found.rgb.tolist())) == sorted([RED, BLACK, WHITE])
    assert found.shares.sum() == pytest.approx(1)
    assert tuple(found.rgb[0]) == WHITE  # the largest first
    np.testing.assert_array_equal(found.lab, to_lab(found.rgb))


@pytest.mark.parametrize("index", range(3))
def test_the_paints_of_a_drawn_mask_are_its_palette(index):
    mask = masks.draw(21, index)
    pixels, pots = mask.pixels(256, texture=False), mask.paints(256)
    found = set(map(tuple, palette.paints(pixels).rgb.tolist()))
    same = ndimage.maximum_filter(pots, 5) == ndimage.minimum_filter(pots, 5)
    same &= (ndimage.maximum_filter(pixels, (5, 5, 1)) == ndimage.minimum_filter(pixels, (5, 5, 1))).all(-1)
    flat, count = np.unique(pixels[same & (mask.regions(256) > 0)], axis=0, return_counts=True)
    large = {tuple(c) for c, n in zip(flat.tolist(), count, strict=True) if n > 0.01 * same.size}
    assert large, "a mask has large areas of paint"
    assert large <= found


def test_thin_rims_of_a_small_mask_are_no_grey_paint():
    """At 64 px a white rim beside black is grey from end to end, and hardly anywhere white."""
    for index in (1, 2, 3):
        mask = masks.draw(9, index)
        lab = palette.paints(mask.pixels(64)).lab
        grey = (np.hypot(lab[:, 1], lab[:, 2]) < 8) & (lab[:, 0] > 30) & (lab[:, 0] < 80)
        assert not grey.any()


def test_a_picture_of_one_colour_has_one_paint():
    assert palette.paints(np.full((32, 32, 3), RED, np.uint8)).rgb.tolist() == [list(RED)]


def test_a_picture_in_its_own_paints_is_left_as_it_is():
    pixels = discs()
    locked, delta_e = palette.lock(pixels, palette.paints(pixels, WHOLE))
    assert np.abs(locked.astype(int) - pixels).max() <= 4  # what is within Delta E 2 of a paint is that paint
    assert delta_e.max() < 2


def test_a_tinted_picture_comes_back_to_the_paints_with_its_edges_soft():
    pixels = discs()
    paints = palette.paints(pixels, WHOLE)
    dice = np.random.default_rng(0)
    tinted = np.clip(pixels * 0.9 + 12 + dice.normal(0, 2, pixels.shape), 0, 255).astype(np.uint8)
    locked, delta_e = palette.lock(tinted, paints)
    inside = ndimage.binary_erosion((pixels[..., None, :] == paints.rgb).all(-1).any(-1), iterations=2)
    assert (locked[inside] == pixels[inside]).all(-1).mean() > 0.995
    off = np.abs(locked.astype(int) - pixels).max(-1)
    assert off.max() < 64, "an edge pixel keeps its mixture, within the noise: nothing is posterised"
    assert off[~inside].mean() < np.abs(tinted.astype(int) - pixels).max(-1)[~inside].mean() / 2
    np.testing.assert_allclose(delta_e, np.linalg.norm(to_lab(locked) - to_lab(tinted), axis=-1), rtol=1e-6)


def test_every_locked_pixel_lies_between_two_paints():
    pixels = masks.draw(21, 4).pixels(96)
    paints = palette.paints(pixels)
    locked = palette.lock(pixels, paints).pixels.astype(float)
    p = paints.rgb.astype(float)
    line = p[None] - p[:, None]  # (k, k, 3)
    off = locked[:, :, None, None] - p[:, None]
    share = np.clip((off * line).sum(-1) / np.maximum((line**2).sum(-1), 1), 0, 1)
    assert np.linalg.norm(off - share[..., None] * line, axis=-1).min((2, 3)).max() < 1.0


def test_what_is_locked_hardly_moves_again():
    pixels = masks.draw(21, 5).pixels(96)
    paints = palette.paints(pixels)
    once = palette.lock(pixels, paints)
    twice = palette.lock(once.pixels, paints)
    assert twice.delta_e.mean() < once.delta_e.mean() / 4
    assert (twice.delta_e < 1).mean() > 0.94


def test_grey_between_black_and_white_is_no_grey_paint():
    pixels = np.full((40, 240, 3), WHITE, np.uint8)
    edge = np.random.default_rng(0).normal((140, 134, 134), 3, (240, 3))  # half of each, and noise
    pixels[20], pixels[21:], pixels[24:] = edge, BLACK, GREY  # grey lies near
    colours = np.array([WHITE, BLACK, GREY], np.uint8)
    taken = palette.shares(pixels, palette.Palette(colours, to_lab(colours), np.ones(3) / 3))
    assert (taken.main()[26:] == 2).all()
    assert (taken.main()[:21] == 2).mean() < 0.002


def test_a_thin_line_stays_a_line():
    pixels = np.full((40, 40, 3), WHITE, np.uint8)
    pixels[:, 20] = (np.array(WHITE) * 0.5 + np.array(BLACK) * 0.5).astype(np.uint8)
    colours = np.array([WHITE, BLACK], np.uint8)
    paints = palette.Palette(colours, to_lab(colours), np.array([0.9, 0.1]))
    assert np.abs(palette.lock(pixels, paints).pixels.astype(int) - pixels).max() <= 1


def test_paper_is_added_without_a_share():
    paints = palette.paints(discs(), WHOLE)
    more = paints.with_paper()
    assert more.rgb[-1].tolist() == [255, 255, 255]
    assert more.shares.sum() == pytest.approx(1)
    assert len(more.lab) == len(paints.lab) + 1
