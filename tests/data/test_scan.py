"""Drawings as they come: whatever the light, the paper, the pen and the frame, the same lines come out; what is no drawing is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import distance_transform_edt

from lianpu.data.pairs import condition
from lianpu.data.samples import masks
from lianpu.data.scan import read_lines
from lianpu.data.sketch import sketch
from lianpu.errors import DataError


@pytest.fixture(scope="module")
def drawing() -> np.ndarray:
    """A line drawing, uint8 (256, 256), 0 ink, 255 paper."""
    return sketch(masks.draw(3, 0).pixels(256), "colour")


def png(pixels: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def on_page(
    drawing: np.ndarray, pen=(0.1, 0.1, 0.1), paper=(1.0, 1.0, 1.0), shadow: float = 0.0, noise: float = 0.0
) -> np.ndarray:
    """The drawing, 900 px, somewhere on a wide page, as a telephone sees it."""
    page = np.ones((1100, 1500))
    page[100:1000, 450:1350] = np.asarray(Image.fromarray(drawing).resize((900, 900), Image.Resampling.BICUBIC)) / 255
    light = 1 - shadow * (1 - np.linspace(0, 1, 1500))[None, :, None]
    seen = (page[..., None] * np.array(paper) + (1 - page[..., None]) * np.array(pen)) * light
    seen += noise * np.random.default_rng(0).normal(size=(1100, 1500, 1))
    return (np.clip(seen, 0, 1) * 255).astype(np.uint8)


def shared(a: np.ndarray, b: np.ndarray, within: float = 3.0) -> float:
    """The smaller of the shares of each one's ink that lies within so many pixels of the other's."""
    a, b = a > 0.5, b > 0.5
    return min(float((distance_transform_edt(~x)[y] <= within).mean()) for x, y in ((a, b), (b, a)))


def test_a_clean_drawing_passes_almost_unchanged(drawing):
    scanned = read_lines(png(drawing), 256)
    a, b = scanned.lines > 0.5, drawing < 128
    assert (a & b).sum() / (a | b).sum() > 0.95
    assert scanned.notes == []
    assert scanned.lines.dtype == np.float32
    assert (scanned.lines.min(), scanned.lines.max()) == (0, 1)


PAGES = {
    "ink on white": {},
    "blue pen on yellowed paper": {"pen": (0.2, 0.25, 0.6), "paper": (0.95, 0.9, 0.72)},
    "half in shadow, with noise": {"shadow": 0.5, "noise": 0.02},
    "soft pencil": {"pen": (0.6, 0.6, 0.6), "noise": 0.01},
}


@pytest.mark.parametrize("how", PAGES.values(), ids=PAGES)
def test_the_same_lines_whatever_pen_paper_and_light(how, drawing):
    scanned = read_lines(png(on_page(drawing, **how)), 256)
    assert shared(scanned.lines, 1 - drawing / 255) > 0.97
    assert "the drawing was cut out and laid on the square as masks lie" in scanned.notes
    corner = scanned.lines[:8, :8]
    assert corner.max() == 0  # neither shadow nor paper is ink


def test_chalk_on_a_blackboard_is_inverted_and_said(drawing):
    chalk = read_lines(png(255 - drawing), 256)
    assert shared(chalk.lines, 1 - drawing / 255) > 0.99
    assert any("inverted" in note for note in chalk.notes)


def test_ink_in_the_alpha_channel(drawing):
    rgba = np.zeros((256, 256, 4), np.uint8)
    rgba[..., 3] = 255 - drawing
    assert shared(read_lines(png(rgba), 256).lines, 1 - drawing / 255) > 0.99


def test_a_picture_lying_on_its_side_is_set_upright(drawing):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned = read_lines(png(np.rot90(drawing).copy(), exif=exif), 256)
    assert shared(turned.lines, 1 - drawing / 255) > 0.99


def test_thin_lines_are_full_ink_after_reducing(drawing):
    """Reduced to 64 px the lines are grey; a translator would be told of no ink at all."""
    lines = read_lines(png(drawing), 64).lines
    grey = 1 - np.asarray(Image.fromarray(drawing).resize((64, 64), Image.Resampling.BOX)) / 255
    known, unknown = (condition(x.astype(np.float32)) for x in (lines, grey))
    near = shared(lines, grey > 0.2, within=1)
    assert near > 0.97
    assert (lines > 0.5).sum() > 1.5 * (grey > 0.5).sum()
    assert known[1].sum() > 1.1 * unknown[1].sum()  # the channel that tells of ink nearby
    assert (lines > 0.5).mean() < 0.3  # and no wider than they were: parallel lines stay apart


def test_twenty_megapixels(drawing):
    large = np.asarray(Image.fromarray(drawing).resize((4500, 4500), Image.Resampling.NEAREST))
    assert shared(read_lines(png(large), 128).lines, read_lines(png(drawing), 128).lines, 1) > 0.97


def test_dust_is_no_line(drawing):
    dusty = drawing.copy()
    dusty[2, 2:4] = 0
    dusty[250, 3] = 0
    assert read_lines(png(dusty), 256).lines[:10, :10].max() == 0
    assert read_lines(png(dusty), 256).lines[240:, :10].max() == 0


def test_a_painted_mask_is_refused_and_the_way_out_is_named():
    painted = [masks.draw(5, i) for i in range(24)]
    red = next(m for m in painted if m.label["colour"] == "red")
    with pytest.raises(DataError, match="painted") as refused:
        read_lines(png(red.pixels(256)), 256)
    assert "wrong way round" in str(refused.value)


SHEETS = {
    "white": np.full((300, 300, 3), 255, np.uint8),
    "grey": np.full((300, 300, 3), 128, np.uint8),
    "black": np.zeros((300, 300, 3), np.uint8),
    "paper grain": np.uint8(235 + np.random.default_rng(0).normal(0, 3, (300, 300, 3))),
    "10 px": np.zeros((10, 10, 3), np.uint8),
}


@pytest.mark.parametrize("sheet", SHEETS.values(), ids=SHEETS)
def test_what_is_no_drawing_is_refused(sheet):
    with pytest.raises(DataError):
        read_lines(png(sheet), 64)


def test_one_speck_is_nothing():
    speck = np.full((300, 300), 255, np.uint8)
    speck[100, 100] = 0
    with pytest.raises(DataError, match="specks"):
        read_lines(png(speck), 64)


def test_the_file_is_named(tmp_path, drawing):
    (tmp_path / "线稿.png").write_bytes(png(np.full((99, 99), 255, np.uint8)))
    with pytest.raises(DataError, match=r"线稿\.png"):
        read_lines(tmp_path / "线稿.png", 64)
