"""Lab, the ground, the seven classes, and the colour change."""

import json

import numpy as np
import pytest

from lianpu import images
from lianpu.data import colour, crop, ground, lab, recolour
from lianpu.errors import DataError, UsageError

from .faces import PAINT, face

EVERY = np.stack(np.meshgrid(*[np.arange(0, 256, 15, dtype=np.uint8)] * 3), -1).reshape(-1, 3)

# --- Lab ---------------------------------------------------------------------------------------------


def test_lab_has_its_published_values():
    codes = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128]], np.uint8)
    published = [
        [100, 0, 0],
        [0, 0, 0],
        [53.24, 80.09, 67.20],
        [87.73, -86.18, 83.18],
        [32.30, 79.19, -107.86],
        [53.59, 0, 0],
    ]
    np.testing.assert_allclose(lab.to_lab(codes), published, atol=0.02)
    np.testing.assert_allclose(lab.lightness(codes), [p[0] for p in published], atol=0.02)


def test_lab_and_back_is_exact():
    np.testing.assert_array_equal(lab.to_rgb(lab.to_lab(EVERY)), EVERY)
    assert lab.to_hex(lab.from_hex("#c8321e")) == "#c8321e"


# --- ground and crop ---------------------------------------------------------------------------------


@pytest.mark.parametrize("paint", ["white", "red", "yellow"])
@pytest.mark.parametrize("paper", ["white", "#e8e0cc", "#204080"])
def test_the_face_is_told_from_its_ground_even_white_on_white(paint, paper):
    size = 160
    found = ground.face(face(3, paint, size, paper))
    y, x = np.mgrid[:size, :size] / size
    true = ((x - 0.5) / 0.38) ** 2 + ((y - 0.5) / 0.46) ** 2 <= 1
    overlap = (found & true).sum() / (found | true).sum()
    assert overlap > 0.96


def test_noise_and_a_gap_in_the_outline_do_not_let_the_ground_in():
    pixels = face(3, "white", 160).astype(int)
    pixels[70:72, :40] = 255  # a break in the outline, two pixels wide
    pixels = np.clip(pixels + np.random.default_rng(0).integers(-6, 7, pixels.shape), 0, 255).astype(np.uint8)
    found = ground.face(pixels)
    assert found[80, 80] and found[60, 60] and not found[5, 5]
    assert 0.5 < found.mean() < 0.62  # the oval covers 0.55


def test_where_nothing_stands_out_all_is_face():
    assert ground.face(np.full((40, 40, 3), 90, np.uint8)).all()
    assert ground.face(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).all()


@pytest.mark.parametrize(
    "mode", [m for m in crop.MODES if m != "face"]
)  # that is for photographs: tests of --crop face
@pytest.mark.parametrize("shape", [(200, 120), (90, 300), (128, 128), (500, 500)])
def test_every_mode_gives_the_square_asked_for(mode, shape):
    pixels = np.full((*shape, 3), (250, 250, 240), np.uint8)
    pixels[shape[0] // 3 : shape[0] // 2, shape[1] // 3 : shape[1] // 2] = (200, 20, 20)
    square, _ = crop.square(pixels, mode, 64)
    assert square.shape == (64, 64, 3) and square.dtype == np.uint8
    assert np.abs(square[0, 0].astype(int) - (250, 250, 240)).max() <= 8


def test_pad_keeps_all_centre_the_middle_subject_the_face():
    wide = np.full((64, 192, 3), 255, np.uint8)
    wide[:, :64], wide[:, 128:] = (255, 0, 0), (0, 0, 255)
    padded, centred = (crop.square(wide, mode, 64)[0] for mode in ("pad", "centre"))
    assert padded[32, 2].tolist() == [255, 0, 0] and padded[32, 61].tolist() == [0, 0, 255]
    assert (centred == 255).all()
    np.testing.assert_array_equal(
        crop.square(wide.swapaxes(0, 1), "pad", 64)[0], padded.swapaxes(0, 1)
    )  # top stays top
    small = np.full((256, 256, 3), 255, np.uint8)
    small[20:80, 150:200] = face(1, "red", 96)[18:78, 23:73]
    shown, _ = crop.square(small, "subject", 64)
    filled = (np.abs(shown.astype(int) - 255).sum(-1) > 60).any(1)
    assert filled[4:-4].all() and not filled[0]


def test_a_sliver_is_not_blown_up_to_a_square_of_its_length():
    with pytest.raises(DataError, match="too few"):
        crop.square(np.zeros((1, 30_000, 3), np.uint8), "pad", 64)
    assert crop.square(np.zeros((16, 30_000, 3), np.uint8), "pad", 64)[0].shape == (64, 64, 3)  # 2.7 GB if padded first


def test_too_small_and_unknown_are_refused_and_enlargement_is_said():
    for shape in ((1, 1), (7, 90), (12, 12)):
        with pytest.raises(DataError, match="too few"):
            crop.square(np.zeros((*shape, 3), np.uint8), "pad", 64)
    assert crop.square(np.zeros((40, 40, 3), np.uint8), "pad", 64)[1] == ("enlarged from 40 to 64 pixels",)
    with pytest.raises(UsageError, match="no crop mode"):
        crop.square(np.zeros((40, 40, 3), np.uint8), "square", 64)


# --- classes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("paint", colour.CLASSES)
@pytest.mark.parametrize("size", [32, 96, 400])
def test_the_main_paint_names_the_class(paint, size):
    found = colour.classify(face(5, paint, size))
    assert found.name == paint and found.confidence > 0.3
    assert sum(found.shares.values()) == pytest.approx(1)


def test_ink_over_a_red_face_leaves_it_red():
    pixels = face(2, "red", 128)
    lines = np.zeros((128, 128), bool)
    lines[:, ::5] = lines[:, 1::5] = True  # two columns of five: 40 % of the face is line work
    pixels = np.where(lines[..., None] & ground.face(pixels)[..., None], 0, pixels).astype(np.uint8)
    assert colour.classify(pixels).name == "red"


def test_the_ground_does_not_count():
    for paper in ("white", "black", "#2f62ad"):
        assert colour.classify(face(4, "yellow", 96, paper)).name == "yellow"


def test_gold_is_yellow_and_silver_is_white():
    from PIL import Image, ImageDraw

    for code, name in (("#d3a634", "yellow"), ("#c2c8d0", "white")):
        image = Image.new("RGB", (64, 64), "white")
        ImageDraw.Draw(image).ellipse((8, 4, 56, 60), fill=code, outline="black", width=2)
        assert colour.classify(np.asarray(image)).name == name


def test_drawn_masks_are_told_in_98_of_100(drawn):
    lines = [json.loads(line) for line in (drawn / "metadata.jsonl").read_text().splitlines()]
    right = [
        colour.classify(images.decode(drawn / row["file_name"]).pixels).name == row["colour_class"] for row in lines
    ]
    assert sum(right) >= len(lines) - 1  # of 40


@pytest.mark.slow
def test_300_more_drawn_masks_are_told_in_98_of_100():
    from lianpu.data.samples import masks

    right = [
        colour.classify(mask.pixels(128)).name == mask.label["colour_class"]
        for mask in (masks.draw(1, index) for index in range(300))
    ]
    assert sum(right) >= 0.98 * 300


# --- colour change -----------------------------------------------------------------------------------


@pytest.mark.parametrize("paint", colour.CLASSES)
def test_the_new_colour_is_another_class_and_is_seen_as_that(paint):
    for number in range(4):
        new = recolour.recolour(face(number, paint, 128), 0, number)
        assert new.colour != paint and new.colour in colour.CLASSES
        assert colour.classify(new.pixels).name == new.colour
        ((change,),) = (new.mapping,)
        assert change["from"]["paint"] == paint and change["to"]["paint"] == new.colour
        assert np.abs(np.array(change["from"]["lab"]) - lab.from_hex(PAINT[paint])).max() < 6


@pytest.mark.parametrize("paint", ["red", "blue", "green", "yellow", "purple"])
def test_only_the_main_paint_changes(paint):
    old = face(6, paint, 128)
    new = recolour.recolour(old, 0, "x").pixels
    paper = ~ground.face(old)
    np.testing.assert_array_equal(new[paper], old[paper])
    moved = np.abs(new.astype(int) - old).max(-1)
    ink, rims = old.max(-1) <= 3, old.min(-1) >= 252
    assert ink.sum() > 100 and moved[ink].max() <= 5 and moved[rims].max() <= 5
    before, after = lab.to_lab(old), lab.to_lab(new)
    main = np.sqrt(((before - lab.from_hex(PAINT[paint])) ** 2).sum(-1)) < 3
    assert (np.sqrt(((after - before) ** 2).sum(-1))[main] > 20).all()


def test_edges_are_mixed_anew():
    """Half ink, half red becomes half ink, half new paint: no red fringe is left."""
    old = face(6, "red", 256)
    new = recolour.recolour(old, 0, "x")
    to = lab.to_rgb(lab.from_hex(new.mapping[0]["to"]["hex"])).astype(float)
    red = np.array([0xC9, 0x2A, 0x22], float)
    share = old.astype(float) @ red / (red @ red)
    mixed = (np.abs(old - share[..., None] * red).max(-1) < 3) & (share > 0.2) & (share < 0.8) & ground.face(old)
    assert mixed.sum() > 40
    wrong = np.abs(new.pixels[mixed] - share[mixed][:, None] * to).max(-1)
    assert np.median(wrong) < 12 and np.percentile(wrong, 90) < 40


def test_shading_stays():
    old = face(6, "blue", 128).astype(float)
    y = np.linspace(0.75, 1.1, 128)[:, None, None]
    old = np.clip(np.where((old == old[64, 20]).all(-1, keepdims=True), old * y, old), 0, 255).astype(np.uint8)
    new = recolour.recolour(old, 0, "x").pixels
    column = slice(30, 100)
    before, after = lab.lightness(old[column, 20]), lab.lightness(new[column, 20])
    assert np.corrcoef(before, after)[0, 1] > 0.97


def test_the_change_is_a_function_of_its_key():
    old = face(6, "red", 64)
    np.testing.assert_array_equal(recolour.recolour(old, 1, "a").pixels, recolour.recolour(old, 1, "a").pixels)
    assert len({recolour.recolour(old, seed, "a").mapping[0]["to"]["hex"] for seed in range(12)}) > 4


@pytest.mark.parametrize("pixels", [np.full((16, 16, 3), 255), np.zeros((16, 16, 3)), np.full((8, 8, 3), 120)])
def test_even_an_empty_picture_has_a_colour_to_change(pixels):
    new = recolour.recolour(pixels.astype(np.uint8), 0)
    assert (new.pixels != pixels).any()


def test_ink_on_white_paint_is_not_lost_in_black_nor_rims_on_black_in_white():
    for paint, lines, never in (("white", 0, "black"), ("black", 255, "white")):
        pixels = face(1, paint, 96).copy()
        pixels[20:76:8, 20:76] = pixels[21:76:8, 20:76] = pixels[22:76:8, 20:76] = lines
        assert never not in {recolour.recolour(pixels, 0, draw, colour=paint).colour for draw in range(12)}
