"""Drawn masks keep their promises: same seed same bytes, symmetry, bounded colours, truthful labels, layers, fitting regions."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lianpu import api, images
from lianpu.data.samples import masks
from lianpu.data.samples.emblems import LOPSIDED
from lianpu.data.samples.masks import REGIONS, Mask, characters, draw, kinds, write
from lianpu.data.samples.palette import CLASS_OF, COLOURS
from lianpu.data.samples.patterns import KINDS
from lianpu.data.samples.plan import LAYERS
from lianpu.errors import DataError, UsageError

ID = {name: i for i, name in enumerate(REGIONS)}
SEVEN = ("red", "black", "white", "blue", "green", "yellow", "purple")


@pytest.fixture(scope="module")
def one_of_each() -> list[Mask]:
    """Two masks of every pattern type."""
    return [draw(11, i, kind=kind) for kind in kinds() for i in range(2)]


# ---- the same bytes ------------------------------------------------------------------------------------------------


def digest(seed: int, indices: range) -> str:
    return hashlib.sha256(b"".join(draw(seed, i).svg().encode() + draw(seed, i).png(32) for i in indices)).hexdigest()


def test_same_seed_same_bytes_in_another_process():
    code = f"from {__name__} import digest; print(digest(3, range(4)))"
    env = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    there = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    assert there.strip() == digest(3, range(4))


def test_seed_and_index_each_make_another_mask():
    assert len({draw(seed, i).svg(texture=False).split("</title>")[1] for seed in range(3) for i in range(8)}) == 24


def test_workers_change_no_byte_and_a_second_call_changes_nothing(tmp_path):
    def contents(folder):
        return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    one, two = tmp_path / "one", tmp_path / "two"
    seen = []
    write(one, 16, 5, 24, svg=True, workers=1, progress=lambda done, n: seen.append((done, n)))
    write(two, 16, 5, 24, svg=True, workers=2)
    assert contents(one) == contents(two)
    assert seen == [(i, 16) for i in range(1, 17)]
    before = {p: p.stat().st_mtime_ns for p in one.rglob("*.png")}
    write(one, 16, 5, 24, svg=True, workers=1)
    assert {p: p.stat().st_mtime_ns for p in one.rglob("*.png")} == before
    (one / "00003.png").unlink()  # as if interrupted
    write(one, 16, 5, 24, svg=True, workers=1)
    assert contents(one) == contents(two)


def test_what_a_killed_process_left_half_written_is_gone_after_the_next_call(tmp_path):
    masks.write(tmp_path, 2, 0, 32, svg=True, workers=1)
    for folder in (tmp_path, tmp_path / "regions", tmp_path / "svg"):
        (folder / ".partial-7591-00001.png").write_bytes(b"half")
    masks.write(tmp_path, 2, 0, 32, svg=True, workers=1)
    assert list(tmp_path.rglob(".partial-*")) == []


def test_another_series_in_the_same_folder_replaces_the_first(tmp_path):
    write(tmp_path / "a", 3, 0, 16, workers=1)
    write(tmp_path / "a", 2, 1, 16, workers=1)
    write(tmp_path / "b", 2, 1, 16, workers=1)
    names = sorted(str(p.relative_to(tmp_path / "a")) for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert names == sorted(str(p.relative_to(tmp_path / "b")) for p in (tmp_path / "b").rglob("*") if p.is_file())
    assert (tmp_path / "a/00001.png").read_bytes() == (tmp_path / "b/00001.png").read_bytes()


def test_fewer_masks_leave_none_of_the_others(tmp_path):
    write(tmp_path, 3, 0, 16, svg=True, workers=1)
    write(tmp_path, 1, 0, 16, svg=True, workers=1)
    assert sorted(p.name for p in tmp_path.rglob("0*")) == ["00000.png", "00000.png", "00000.svg"]


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    for name in ("2019-opera.png", "rights.csv"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(DataError, match="something else than drawn masks"):
        write(tmp_path, 2, 0, 16, workers=1)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"2019-opera.png": "mine", "rights.csv": "mine"}
    (tmp_path / "diary").mkdir()
    for name in ("series.json", "00000.png"):
        (tmp_path / "diary" / name).write_text("[1, 2]")
    with pytest.raises(DataError, match="something else than drawn masks"):
        write(tmp_path / "diary", 2, 0, 16, workers=1)
    assert (tmp_path / "diary" / "00000.png").read_text() == "[1, 2]"
    write(tmp_path / "new", 1, 0, 16, workers=1)
    (tmp_path / "new" / "2019-opera.png").write_text("mine")
    write(tmp_path / "new", 1, 1, 16, workers=1)
    assert (tmp_path / "new" / "2019-opera.png").read_text() == "mine"


def test_a_drawn_picture_knows_what_made_it_and_is_made_again(tmp_path):
    write(tmp_path, 12, 3, 32, workers=1)
    for path in sorted(tmp_path.glob("*.png")):
        recipe = api.inspect(path)
        assert (recipe["verb"], recipe["subject"]["index"]) == ("sample", int(path.stem))
        assert "algorithmicMedia" in images.read_text(path)["XML:com.adobe.xmp"]
        assert api.rerun(path, out=tmp_path / "again.png") == (True, tmp_path / "again.png")
        assert (tmp_path / "again.png").read_bytes() == path.read_bytes()
    asked = draw(0, 5, character="Dou Erdun")
    (tmp_path / "asked.png").write_bytes(asked.png(48))
    assert api.rerun(tmp_path / "asked.png")[0]


@pytest.mark.parametrize(
    "subject",
    [
        None,
        {"seed": 1},
        {"seed": 1, "index": True, "size": 16},
        {"seed": 1, "index": 1, "size": 10**9},
        {"seed": 1, "index": 1, "size": 16, "colour": 3},
        {"seed": 1, "index": 1, "size": 16, "workers": 3},
    ],
)
def test_a_hostile_recipe_draws_nothing(subject, tmp_path):
    text = json.dumps({"verb": "sample", "subject": subject})
    (tmp_path / "x.png").write_bytes(images.encode_png(np.zeros((4, 4, 3), np.uint8), {"lianpu": text}))
    with pytest.raises(DataError, match="damaged"):
        api.rerun(tmp_path / "x.png")


def test_a_written_folder_says_what_each_file_is(tmp_path):
    write(tmp_path, 5, 2, 32, workers=1)
    rows = [json.loads(line) for line in (tmp_path / "metadata.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [r["file_name"] for r in rows] == [f"{i:05d}.png" for i in range(5)]
    for i, row in enumerate(rows):
        mask = draw(2, i)
        assert row == {"file_name": f"{i:05d}.png", **mask.label}
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / row["file_name"])), mask.pixels(32))
        ids = Image.open(tmp_path / "regions" / row["file_name"])
        assert ids.mode == "L"
        np.testing.assert_array_equal(np.asarray(ids), mask.regions(32))
    with (tmp_path / "rights.csv").open(encoding="utf-8") as file:
        (right,) = csv.DictReader(file)
    assert (right["file"], right["licence"]) == ("*", "CC0-1.0")


# ---- how they look -------------------------------------------------------------------------------------------------


def unlike_its_mirror(mask: Mask) -> float:
    """Share of the face, away from marks that may be lopsided, whose pixels differ from the mirrored ones."""
    pixels, ids = mask.pixels(128, texture=False).astype(int), mask.regions(128)
    marks = np.isin(ids, (ID["emblem"], ID["mark"]))
    face = (ids != 0) & ~marks & ~marks[:, ::-1]
    return float(((abs(pixels - pixels[:, ::-1]).max(-1) > 60) & face).sum() / face.sum())


def test_masks_are_symmetric_but_for_slanting_ones(one_of_each):
    for mask in one_of_each:
        if mask.label["symmetric"]:
            # the light in an eye falls from one side
            assert unlike_its_mirror(mask) < 0.01, mask.label
        else:
            assert mask.label["kind"] == "wailian"
            assert unlike_its_mirror(mask) > 0.1, mask.label
    assert {"taiji", "tiger", "crescent"} <= set(LOPSIDED)


def touching(mask: Mask, size: int = 512) -> int:
    """Pairs of neighbouring pixels painted from two pots of colour with no black or white between; shading is allowed."""
    pots = mask.paints(size)
    soft = np.isin(mask.regions(size), (ID["rouge"],))
    colour = (pots > 1) & ~soft
    pairs = 0
    for a, b, both in (
        (pots[1:], pots[:-1], colour[1:] & colour[:-1]),
        (pots[:, 1:], pots[:, :-1], colour[:, 1:] & colour[:, :-1]),
    ):
        pairs += int(((a != b) & both).sum())
    return pairs


def test_a_black_or_white_line_bounds_every_change_of_colour(one_of_each):
    # a pair or two at the very tip of a stroke is below what a brush can do; an unbounded edge gives hundreds
    for mask in one_of_each[::2]:
        assert touching(mask) <= 30, mask.label
    mask = draw(11, 0, kind="suihua", colour="red")
    unlined = {name: tuple(replace(s, stroke=None) for s in shapes if s.fill) for name, shapes in mask.layers.items()}
    assert touching(replace(mask, layers=unlined)) > 300, "the same paints without their lines do touch"


def shares(mask: Mask, size: int = 72) -> Counter[str]:
    """Share of the head (ears and ground left out) painted from each pot."""
    ids, pots = mask.regions(size), mask.paints(size)
    inside = ~np.isin(ids, (ID["ground"], ID["ear"], ID["ear-line"], ID["edge"], ID["hat"]))
    return Counter({mask.paint_names[k]: float(v) for k, v in enumerate(np.bincount(pots[inside]) / inside.sum()) if v})


def test_the_label_is_the_paint_that_rules_the_face():
    wrong = []
    for i in range(64):
        mask = draw(21, i)
        main, share = mask.label["colour"], shares(mask)
        bare = share.pop("skin", 0.0)  # unpainted, and light
        others = [v for k, v in share.items() if k not in ("white", "black", main)]
        if main == "white":
            ok = share["white"] + bare > 1.2 * share["black"] and max(others, default=0) < 0.15
        elif main == "black":
            ok = share["black"] > 1.2 * share["white"] and max(others, default=0) < 0.15
        else:
            ok = share[main] > 0.15 and share[main] > 1.3 * max(others, default=0)
        if not ok:
            wrong.append((i, mask.label["kind"], main, share.most_common(4)))
    assert len(wrong) <= 1, wrong


def test_the_seven_classes_are_drawn_about_equally_often_and_types_after_the_prior():
    odds = masks._odds()
    assert sum(odds.values()) == pytest.approx(1)
    by_class = Counter()
    by_kind = Counter()
    for (kind, colour), w in odds.items():
        by_class[CLASS_OF[colour]] += w
        by_kind[kind] += w
    assert set(by_class) == set(SEVEN)
    for share in by_class.values():
        assert share == pytest.approx(1 / 7, abs=0.005)
    total = sum(k.often for k in KINDS.values())
    for kind, share in by_kind.items():
        assert share == pytest.approx(KINDS[kind].often / total, abs=0.02)
    seen = Counter(masks._label(0, i)["colour_class"] for i in range(1782))
    assert min(seen.values()) > 0.09 * 1782, seen


def test_every_type_in_every_colour_it_takes_can_be_drawn():
    assert len(kinds()) >= 12
    assert {c for k in KINDS.values() for c in k.colours} == set(COLOURS)
    for kind, entry in KINDS.items():
        for i, colour in enumerate(entry.colours):
            mask = draw(13, i, kind=kind, colour=colour)
            assert (mask.label["kind"], mask.label["colour"], mask.label["colour_class"]) == (
                kind,
                colour,
                CLASS_OF[colour],
            )
            for shape in (s for shapes in mask.layers.values() for s in shapes):
                assert shape.region in ID
                assert {shape.fill, shape.stroke} - {None} <= set(mask.palette.pigments) | set(masks.FLAT_PIGMENTS)


@pytest.mark.parametrize("name", characters())
def test_every_character_can_be_drawn(name):
    mask = draw(1, 0, character=name)
    assert mask.label["character"] == name
    assert mask.label["zh"]
    assert draw(1, 0, character=mask.label["zh"]).svg() == mask.svg()
    other = draw(1, 1, character=name)
    assert (other.label["kind"], other.label["colour"]) == (mask.label["kind"], mask.label["colour"])
    assert other.layers["brows"] != mask.layers["brows"], "what tradition leaves open varies"


def test_bao_zheng_has_a_white_moon_and_guan_yu_a_red_face():
    bao, guan = draw(1, 2, character="Bao Zheng"), draw(1, 2, character="关羽")
    moon = bao.regions(200) == ID["emblem"]
    ys, xs = np.nonzero(moon)
    assert ys.mean() < 60, "on the forehead"
    assert 80 < xs.mean() < 120
    assert np.median(bao.pixels(200, texture=False)[moon]) > 240
    assert shares(guan)["red"] > 0.35
    assert guan.label["zh"] == "关羽"


# ---- documents, regions, sizes -------------------------------------------------------------------------------------


def test_the_svg_holds_the_named_layers_in_painting_order():
    mask = draw(0, 1)
    for texture in (True, False):
        root = ET.fromstring(mask.svg(texture))
        svg, ink = "{http://www.w3.org/2000/svg}", "{http://www.inkscape.org/namespaces/inkscape}"
        groups = [g for g in root.iter(f"{svg}g") if g.get(f"{ink}groupmode") == "layer"]
        assert [g.get("id") for g in groups] == list(LAYERS)
        for group, (name, zh) in zip(groups, LAYERS.items(), strict=True):
            assert group.get(f"{ink}label") == f"{name} {zh}"
            drawn = [p.get("d") for p in group.findall(f"{svg}path")]
            assert drawn[: len(mask.layers[name])] == [s.d for s in mask.layers[name]] or name == "base"
        assert root.find(f".//{svg}radialGradient[@id='main']") is not None or not texture
        assert "url(#main)" not in mask.svg(texture=False)


def test_regions_are_where_the_pixels_say(one_of_each):
    for mask in one_of_each[::2]:
        ids, pixels = mask.regions(256), mask.pixels(256, texture=False).astype(float).mean(-1)
        assert mask.region_names[0] == "ground"
        assert ids.dtype == np.uint8
        assert (pixels[ids == ID["ground"]] > 250).mean() > 0.98
        assert (pixels[ids == ID["pupil"]] < 90).mean() > 0.7
        for name in ("iris", "pupil", "eye-white", "eyelid"):
            for side in (ids[:, :128], ids[:, 128:]):
                assert (side == ID[name]).sum() > 3, (mask.label, name)
        if (ids == ID["beard"]).sum() > 2000:
            assert np.median(pixels[ids == ID["beard"]]) < 40
        assert len(np.unique(ids)) > 12


@pytest.mark.parametrize("size", [16, 100, 1024])
def test_any_size(size):
    mask = draw(4, 2)
    assert mask.pixels(size).shape == (size, size, 3)
    assert mask.regions(size).shape == (size, size)
    small = np.asarray(Image.fromarray(mask.pixels(size)).resize((16, 16), Image.Resampling.BOX)).astype(float)
    assert abs(small - mask.pixels(16).astype(float)).mean() < 12, "the same picture at every size"


def test_a_mask_takes_well_under_a_tenth_of_a_second():
    draw(0, 0).png(256)

    def seconds(i: int) -> float:
        start = time.process_time()
        draw(9, i).png(256)
        return time.process_time() - start

    assert min(seconds(i) for i in range(6)) < 0.1


def test_names_that_do_not_exist_are_answered_with_those_that_do():
    with pytest.raises(UsageError, match="sankuaiwa"):
        draw(0, 0, kind="sankuaiwai")
    with pytest.raises(UsageError, match="Zhang Fei"):
        draw(0, 0, character="Zhang Fej")
    with pytest.raises(UsageError, match="purple"):
        draw(0, 0, colour="purpel")
    with pytest.raises(UsageError, match="Colours of chou: white"):
        draw(0, 0, kind="chou", colour="blue")
    with pytest.raises(UsageError, match="Guan Yu is zhenglian and red"):
        draw(0, 0, character="Guan Yu", colour="blue")
    assert draw(0, 0, kind="三块瓦", colour="蓝").label["colour"] == "blue"
