"""The matcher's promises: the reference's very paints within the lines, white paper outside, the same on both sides of a face, and no
paint through a small gap.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from scipy import linalg, ndimage

from lianpu import images, matcher, palette
from lianpu.data.samples import masks
from lianpu.data.sketch import sketch
from lianpu.errors import DataError, UsageError

SIZE = 192


@functools.cache
def mask(index: int, kind: str | None = None) -> np.ndarray:
    return masks.draw(31, index, kind=kind).pixels(SIZE)


@functools.cache
def lines(index: int, kind: str | None = None) -> np.ndarray:
    return 1 - sketch(mask(index, kind)).astype(np.float32) / 255


def circle(size: int = 128, gap: int = 0) -> np.ndarray:
    """A face of one outline, with a mouth; its outline open on `gap` pixels at the top."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    out = (np.abs(np.hypot(x, y) - 0.42 * size) < 1.5) | (np.abs(np.hypot(x, y - 0.2 * size) - 0.08 * size) < 1.5)
    out[: size // 2, size // 2 - gap // 2 : size // 2 - gap // 2 + gap] = False
    return out.astype(np.float32)


def test_a_drawing_of_the_reference_gets_its_own_paints():
    right = []
    for index in range(6):
        found = matcher.match(lines(index), mask(index))
        true = palette.shares(mask(index), found.palette).main()
        here = (found.drawing.number >= 0) & (lines(index) < 0.05)
        off = found.palette.lab[found.paint[found.drawing.number[here]]] - found.palette.lab[true[here]]
        right.append((np.linalg.norm(off, axis=-1) < 15).mean())  # two shades of one paint are as good
    assert np.mean(right) > 0.8
    assert min(right) > 0.6


def test_every_pixel_off_the_lines_is_exactly_a_paint_and_the_ground_is_white():
    found = matcher.match(lines(0), mask(1))
    away = ndimage.maximum_filter(lines(0), 9) < 0.04
    inside, ground = away & (found.drawing.number >= 0), away & (found.drawing.number < 0)
    colours = set(map(tuple, np.unique(found.pixels[inside], axis=0).tolist()))
    assert len(colours) > 2
    assert colours <= set(map(tuple, found.palette.rgb.tolist()))
    assert (found.pixels[ground] == 255).all()


def test_there_is_no_halo_between_line_and_paint():
    found = matcher.match(lines(0), mask(1))
    level = found.pixels.max(-1)
    beside = ndimage.maximum_filter(np.where(lines(0) < 0.04, level, 0), 9)
    paints = np.concatenate([found.palette.rgb[found.paint], [[255, 255, 255]]])[found.drawing.number]
    light = matcher._between_dark(lines(0), paints) > 0  # there lines are light on purpose
    assert (level <= beside)[~light].mean() > 0.999


def test_lines_between_two_black_fields_are_light():
    drawing = circle()
    drawing[36:38, 48:80] = 1  # a wrinkle on the forehead
    reference = np.full((128, 128, 3), 255, np.uint8)
    y, x = np.mgrid[:128, :128] - 63.5
    reference[np.hypot(x, y) < 54] = (12, 10, 11)
    reference[np.hypot(x, y - 26) < 10] = (240, 240, 238)
    pixels = matcher.match(drawing, reference).pixels.max(-1)
    assert (pixels[36:38, 52:76] > 200).all()
    assert (pixels[(drawing > 0.9) & (np.hypot(x, y) > 52)] < 60).all(), "the outline has paper on one side"
    drawing[20:60, 40:88] = 1  # a field of ink is no line
    assert (matcher.match(drawing, reference).pixels.max(-1)[30:50, 50:78] < 60).all()


def test_partners_have_the_same_paint():
    found = matcher.match(lines(0), mask(6, "wailian"), symmetric="both")
    twin = matcher.partners(found.drawing)
    assert (twin != np.arange(len(twin))).sum() >= 6
    assert (found.paint == found.paint[twin]).all()
    left = found.drawing.centre[:, 0]
    pairs = twin != np.arange(len(twin))
    assert (np.sign(left[pairs]) == -np.sign(left[twin][pairs])).all()


def test_either_half_may_lead():
    """A reference of two halves, red and blue, on a symmetric drawing: off keeps both, left and right take one of them."""
    y, x = np.mgrid[:128, :128] - 63.5
    face = np.hypot(x, y) < 54
    reference = np.full((128, 128, 3), 255, np.uint8)
    reference[face & (x < 0)], reference[face & (x >= 0)] = (200, 30, 30), (40, 60, 190)
    drawing = (np.abs(np.hypot(x, y) - 54) < 1.5) | (face & (np.abs(x) < 1.5))
    drawing = drawing.astype(np.float32)
    seen = {}
    for symmetric in ("off", "left", "right", "both"):
        pixels = matcher.match(drawing, reference, symmetric).pixels
        seen[symmetric] = ["red" if p[0] > 150 else "blue" for p in (pixels[64, 40], pixels[64, 88])]
    assert seen["off"] == ["red", "blue"]
    assert seen["left"] == ["red", "red"]
    assert seen["right"] == ["blue", "blue"]
    assert len(set(seen["both"])) == 1
    with pytest.raises(UsageError, match="Did you mean left"):
        matcher.match(drawing, reference, "lefft")


@pytest.mark.parametrize("gap", [1, 3])
def test_a_small_gap_lets_no_paint_through(gap):
    whole, _ = matcher.regions_of_lines(circle())
    torn, notes = matcher.regions_of_lines(circle(gap=gap))
    assert not notes
    assert len(torn.size) == len(whole.size) == 2
    assert ((torn.number >= 0) == (whole.number >= 0)).mean() > 0.995


def test_a_wide_gap_is_closed_and_said():
    torn, notes = matcher.regions_of_lines(circle(gap=14))
    assert len(notes) == 1
    whole, _ = matcher.regions_of_lines(circle())
    assert ((torn.number >= 0) == (whole.number >= 0)).mean() > 0.97


def test_faint_lines_of_a_reduced_drawing_close_regions_as_strong_ones_do():
    strong, _ = matcher.regions_of_lines(circle())
    faint, _ = matcher.regions_of_lines(circle() * 0.4)
    assert (strong.number == faint.number).all()


def test_a_caption_is_not_painted():
    drawing = circle()
    drawing[120:126, 4:10] = 1
    drawing[122:124, 6:8] = 0  # the letter o
    regions, _ = matcher.regions_of_lines(drawing)
    assert (regions.number[118:, :14] == -1).all()


def test_drawings_without_lines_or_regions_are_refused():
    with pytest.raises(DataError, match="no lines"):
        matcher.match(np.zeros((64, 64), np.float32), mask(0))
    stroke = np.zeros((64, 64), np.float32)
    stroke[32, 10:50] = 1
    with pytest.raises(DataError, match="close no region"):
        matcher.match(stroke, mask(0))


def test_a_reference_may_have_any_size():
    small, large = (images.resize(mask(2), n) for n in (160, 224))
    one, two = (matcher.match(lines(0), r).pixels.astype(int) for r in (small, large))
    assert (np.abs(one - two).max(-1) < 24).mean() > 0.9


def test_the_distance_of_regions_is_that_of_normal_distributions():
    a, _ = matcher.regions_of_lines(lines(0))
    b, _ = matcher.regions_of_lines(lines(1))
    found = matcher._wasserstein(a, b, 1)
    for i, j in ((0, 0), (1, 3), (4, 2)):
        s, t = a.spread[i], b.spread[j]
        root = linalg.sqrtm(s)
        cross = np.trace(s + t - 2 * np.real(linalg.sqrtm(root @ t @ root)))
        assert found[i, j] == pytest.approx(((a.centre[i] - b.centre[j]) ** 2).sum() + cross, abs=1e-9)
    np.testing.assert_allclose(np.diagonal(matcher._wasserstein(a, a, 1)), 0, atol=1e-9)


def test_a_mirror_image_is_found_as_one():
    a, _ = matcher.regions_of_lines(circle())
    moved = a._replace(centre=a.centre + np.array([0.3, 0]), spread=a.spread + np.array([[0.1, 0.02], [0.02, 0]]))
    mirrored = moved._replace(centre=moved.centre * (-1, 1), spread=moved.spread * np.array([[1, -1], [-1, 1]]))
    np.testing.assert_allclose(np.diagonal(matcher._wasserstein(moved, mirrored, -1)), 0, atol=1e-9)


def test_of_a_picture_with_itself_each_place_corresponds_to_itself():
    found = matcher.match(lines(0), mask(0))
    match = matcher.correspondence(found, 48)
    here = np.argwhere(match.index >= 0)
    there = np.stack(np.divmod(match.index[tuple(here.T)], 48), -1)
    assert np.median(np.abs(here - there).max(-1)) <= 1
    assert (match.index >= 0).mean() > 0.4
    assert ((match.confidence > 0) == (match.index >= 0)).all()
    assert match.entropy.max() <= np.log(len(found.reference.size)) + 1e-5


def test_a_place_corresponds_to_a_region_of_the_paint_it_got():
    found = matcher.match(lines(0), mask(2))
    match = matcher.correspondence(found, 48)
    rows, columns = np.divmod(match.index[match.index >= 0], 48)
    step = SIZE // 48
    own = found.drawing.number[step // 2 :: step, step // 2 :: step][match.index >= 0]
    cells = found.reference.number.reshape(48, step, 48, step)[rows, :, columns, :].reshape(len(own), -1)
    paints = np.where(cells >= 0, found.paint_there[cells], -1)
    assert (paints == found.paint[own][:, None]).any(1).mean() > 0.95
