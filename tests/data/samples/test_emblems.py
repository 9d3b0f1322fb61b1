"""Emblems and ornaments: they mirror, stay in their box, repeat, and keep a line between colours."""

from __future__ import annotations

import functools
import io
import re

import numpy as np
import pytest
import resvg_py
from PIL import Image
from scipy import ndimage

from lianpu.data.samples.emblems import EMBLEMS, LOPSIDED, ROOTED, SPECIAL
from lianpu.data.samples.ornaments import ORNAMENTS
from lianpu.data.samples.pen import Pen
from lianpu.data.samples.vector import Shape

MARKS = {**EMBLEMS, **ORNAMENTS, **SPECIAL}
PAINTS = {"main": "blue", "second": "green", "third": "yellow", "accent": "red"}
COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "blue": (0, 0, 255),
    "green": (0, 255, 0),
    "yellow": (255, 255, 0),
    "red": (255, 0, 0),
}
SIZE, LINE, CENTRE = 200.0, 8.0, (0.0, 180.0)
HALF = 200  # the window is CENTRE +- HALF units, one pixel a unit
SEEDS = range(4)
NUMBER = re.compile(r"-?\d+\.\d+")


def draw(name: str, seed: int = 0, centre: tuple[float, float] = CENTRE, size: float = SIZE) -> list[Shape]:
    return MARKS[name](np.random.default_rng(seed), size, centre, LINE, PAINTS)


def rgb(paint: str | None) -> str:
    return f"rgb{COLOURS[paint]}" if paint else "none"


def raster(shapes: list[Shape]) -> np.ndarray:
    """(400, 400, 3) uint8 without antialiasing, on the main paint, each pixel one of COLOURS."""
    side = 2 * HALF
    box = f"{-HALF} {CENTRE[1] - HALF} {side} {side}"
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" shape-rendering="crispEdges" stroke-linejoin="round">'
    ]
    for s in shapes:
        svg.append(f'<path d="{s.d}" fill="{rgb(s.fill)}" stroke="{rgb(s.stroke)}" stroke-width="{s.width}"/>')
    picture = "".join([*svg, "</svg>"])
    png = resvg_py.svg_to_bytes(
        svg_string=picture, width=side, height=side, background="#0000ff", skip_system_fonts=True
    )
    return np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB"))


@functools.cache
def picture_of(name: str, seed: int) -> np.ndarray:
    return raster(draw(name, seed))


def test_names_are_stable_and_many() -> None:
    """A saved recipe or a preset names its emblem: names may be added, none may go."""
    assert set(EMBLEMS) >= {
        "crescent", "taiji", "flame", "flame_three", "fire_scroll", "sun", "nine_suns", "sun_disc", "pearl_flame",
        "column", "pillar", "spear",
        "double_spear", "finger", "furrow", "curl", "twin_curl", "tongs", "horns", "halberds", "twin_hooks", "sword",
        "lotus", "plum", "peach",
        "gourd", "bat", "butterfly", "coin", "jade_disc", "oval", "relic_dot", "nine_dots", "ruyi", "ingot",
        "third_eye", "wang", "tiger", "bagua",
    }  # fmt: skip
    assert set(ORNAMENTS) >= {
        "cheek_scroll", "chin_spiral", "beard_curl", "brow_swirl", "jaw_hook", "cloud_bank", "eye_commas",
        "temple_flame", "cheek_bars",
        "nose_ribbons", "smile_line", "fang", "whiskers", "feather", "cheek_disc", "ring_disc", "cheek_lobe",
        "dots_row", "scales", "leaf_spray",
        "wing_lobe", "tear",
    }  # fmt: skip
    assert set(SPECIAL) >= {"moles", "brow_hook", "tiger_mark"}
    assert set(EMBLEMS) > LOPSIDED | ROOTED
    assert not set(EMBLEMS) & set(ORNAMENTS)


@pytest.mark.parametrize("name", sorted(MARKS))
def test_same_chance_same_shapes(name: str) -> None:
    assert draw(name, 7) == draw(name, 7)


@pytest.mark.parametrize("name", sorted(set(MARKS) - {"tiger_mark"}))
def test_chance_varies_the_shapes(name: str) -> None:
    assert len({tuple(draw(name, seed)) for seed in range(6)}) > 1


@pytest.mark.parametrize("name", sorted(MARKS))
def test_paths_have_fixed_decimals_and_known_paints(name: str) -> None:
    for shape in draw(name, 3):
        assert re.fullmatch(r"(?:[MLC]-?\d+\.\d(?: -?\d+\.\d)+|Z)+", shape.d)
        assert {shape.fill, shape.stroke} - {None} <= {"black", "white", "green", "yellow", "red"}
        assert (shape.width > 0) == (shape.stroke is not None)
        assert shape.region in {"emblem", "mark"}


@pytest.mark.parametrize("name", sorted(set(EMBLEMS) - LOPSIDED))
def test_emblem_is_its_own_mirror_image(name: str) -> None:
    for seed in SEEDS:
        image = picture_of(name, seed)
        # pixels round along edges; a slip of 2 units gives more
        differs = (image != image[:, ::-1]).any(-1).mean()
        assert differs < 2e-3, f"seed {seed}: {differs:.2%} of the pixels"


@pytest.mark.parametrize("name", sorted(LOPSIDED))
def test_lopsided_emblems_are_lopsided(name: str) -> None:
    """Guards the list itself, and the test above against a picture in which nothing could differ."""
    image = picture_of(name, 0)
    assert (image != image[:, ::-1]).any(-1).mean() > 5e-3


@pytest.mark.parametrize("name", sorted(MARKS))
def test_mark_keeps_inside_its_box(name: str) -> None:
    """Patches inside `size` by 1.5 `size`, with their rims at most six lines more; and they fill most of the height."""
    for seed in SEEDS:
        inked = (picture_of(name, seed) != COLOURS["blue"]).any(-1)
        rows, cols = np.flatnonzero(inked.any(1)) - HALF, np.flatnonzero(inked.any(0)) - HALF
        room = 6 * LINE
        assert max(-rows[0], rows[-1]) <= SIZE / 2 + room, (seed, rows[0], rows[-1])
        assert max(-cols[0], cols[-1]) <= 0.75 * SIZE + room, (seed, cols[0], cols[-1])
        assert rows[-1] - rows[0] > 0.55 * SIZE or name == "moles"


@pytest.mark.parametrize("name", sorted(ROOTED))
def test_rooted_emblems_fit_between_the_brows(name: str) -> None:
    """The lowest tenth is at most a third of the height wide: drawn tall, it passes between the brows."""
    for seed in SEEDS:
        inked = (picture_of(name, seed) != COLOURS["blue"]).any(-1)
        foot = slice(int(HALF + 0.4 * SIZE), int(HALF + 0.5 * SIZE))
        cols = np.flatnonzero(inked[foot].any(0)) - HALF
        assert max(-cols[0], cols[-1]) < SIZE / 6 + 4 * LINE, (seed, cols[0], cols[-1])


@pytest.mark.parametrize("name", sorted(MARKS))
def test_a_line_lies_between_any_two_colours(name: str) -> None:
    """Neighbouring pixels never bear two colours, the ground's included; black and white are none."""
    for seed in SEEDS:
        label = picture_of(name, seed) @ np.array([1, 2, 4]) // 255  # 0 black, 7 white, else one of the four colours
        coloured = (label > 0) & (label < 7)
        low = ndimage.minimum_filter(np.where(coloured, label, 9), 3)
        high = ndimage.maximum_filter(np.where(coloured, label, 0), 3)
        touch = int(((low < high) & (high > 0)).sum())
        assert touch == 0, f"seed {seed}: two colours meet over {touch} pixels"


@pytest.mark.parametrize("name", sorted(EMBLEMS))
def test_emblem_reads_at_64_pixels(name: str) -> None:
    """On a 64-pixel mask an emblem of typical size (220 units, 14 pixels) still changes what is seen."""
    image = Image.fromarray(raster(draw(name, 1, size=220.0)))
    small = np.asarray(image.resize((round(2 * HALF * 64 / 1000),) * 2, Image.Resampling.BOX)).astype(int)
    contrast = np.abs(small - COLOURS["blue"]).sum(-1)
    assert (contrast > 150).sum() >= 14


def test_centre_and_size_move_and_scale_the_mark() -> None:
    at_home = np.array([float(n) for s in draw("tiger", 2) for n in NUMBER.findall(s.d)])
    moved = np.array([float(n) for s in draw("tiger", 2, centre=(40.0, 200.0)) for n in NUMBER.findall(s.d)])
    assert np.allclose(moved[::2] - at_home[::2], 40.0, atol=0.11)
    assert np.allclose(moved[1::2] - at_home[1::2], 20.0, atol=0.11)
    one = Pen(np.random.default_rng(0), 100.0, CENTRE, LINE, PAINTS, "emblem").disc(0.1, 0.2, 0.3)
    two = Pen(np.random.default_rng(0), 200.0, CENTRE, LINE, PAINTS, "emblem").disc(0.1, 0.2, 0.3)
    small, large = (np.array(NUMBER.findall(d), dtype=float).reshape(-1, 2) - CENTRE for d in (one, two))
    assert np.allclose(2 * small, large, atol=0.21)


def test_a_rim_runs_to_a_point_at_a_sharp_corner_only() -> None:
    """A tapered stroke's rim goes out to 2.6 times its breadth at the tip; round ends and discs keep to once."""
    pen = Pen(np.random.default_rng(0), SIZE, CENTRE, LINE, PAINTS, "emblem")
    pen.paint("accent", pen.stroke([(0.0, 0.4), (0.0, 0.0), (0.0, -0.4)], 0.2, 0.2, 0.0), rims=(("white", 2.0),))
    rows = np.flatnonzero((raster(pen.shapes()) == 255).all(-1).any(1)) - HALF
    above, below = -0.4 * SIZE - rows[0], rows[-1] - (0.4 + 0.1) * SIZE
    assert 2.2 * 2 * LINE < above <= 2.6 * 2 * LINE + 1
    assert below == pytest.approx(2 * LINE, abs=1.5)
    ring = Pen(np.random.default_rng(0), SIZE, CENTRE, LINE, PAINTS, "emblem")
    ring.paint("accent", ring.disc(0, 0, 0.3), rims=(("white", 2.0),))
    assert len(ring.shapes()) == 2
