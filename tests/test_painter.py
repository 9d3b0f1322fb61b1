"""A picture is a function of model and seed: same bytes every time, whatever stands beside it; and its file knows how it was made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lianpu import api, checkpoint, images, provenance
from lianpu.checkpoint import Model
from lianpu.config import StyleGAN2Config, to_dict
from lianpu.errors import DataError, ModelError, UsageError
from lianpu.nets.stylegan2 import Generator
from lianpu.painter import Painter, Subject

CONFIG = StyleGAN2Config(resolution=16, channel_base=128, channel_max=8, z_dim=8, w_dim=8, mapping_layers=2, classes=3)


def make_model(path: Path, seed: int = 0, **data: object) -> Path:
    torch.manual_seed(seed)
    network = Generator(CONFIG)
    with torch.no_grad():  # an untrained mapping is nearly constant: give it some life, and noise something to show
        network.mapping.w_avg.normal_()
        for name, p in network.named_parameters():
            if "noise_strength" in name:
                p.fill_(0.3)
    checkpoint.save_model(
        path, network, Model("stylegan2", to_dict(CONFIG), ["red", "black", "white"], data={"rights": "known", **data})
    )
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model(tmp_path / "model")


def test_same_seed_same_bytes_and_count_does_not_matter(model, tmp_path):
    many = {p.name: p.read_bytes() for p in api.generate(model, count=7, seed=3, out=tmp_path / "a")}
    again = {p.name: p.read_bytes() for p in api.generate(model, count=7, seed=3, out=tmp_path / "b")}
    one = next(iter(api.generate(model, count=1, seed=5, out=tmp_path / "c")))
    assert many == again
    assert one.read_bytes() == many[one.name]
    assert len({images.decode(data).pixels.tobytes() for data in many.values()}) == 7


def test_classes_take_turns_or_are_chosen(model):
    painter = Painter(model)
    assert [s.label for s in painter.subjects(4, 0)] == ["red", "black", "white", "red"]
    assert {s.label for s in painter.subjects(4, 0, label="white")} == {"white"}
    with pytest.raises(UsageError, match=r"unknown class 'rde'(.|\n)*Did you mean red"):
        painter.subjects(1, 0, label="rde")
    with pytest.raises(UsageError, match="at least one"):
        painter.subjects(0, 0)


def test_truncation_zero_is_the_average_of_the_class(model):
    painter = Painter(model)
    a, b = (painter.paint(Subject(seed, "red", truncation=0.0)) for seed in (1, 2))
    other = painter.paint(Subject(1, "black", truncation=0.0))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, other)


def test_mixing_takes_coarse_from_one_and_fine_from_the_other(model):
    painter = Painter(model)
    a, b = Subject(1, "red"), Subject(2, "red")
    for first in (1, 3, painter.layers - 1):
        ws = painter.styles(Subject(1, "red", mix_seed=2, mix_from=first))
        assert torch.equal(ws[:, :first], painter.styles(a)[:, :first])
        assert torch.equal(ws[:, first:], painter.styles(b)[:, first:])
    with pytest.raises(UsageError, match="--mix-from 6 is outside"):
        painter.styles(Subject(1, "red", mix_seed=2, mix_from=6))


def test_mix_of_pictures_equals_mix_of_their_seeds(model, tmp_path):
    by_seed = list(api.generate(model, mix=("4", "9"), label="red", out=tmp_path / "seeds"))
    (alone,) = api.generate(model, mix=("4", "9"), label="red", alone=True, out=tmp_path / "alone")
    assert alone.read_bytes() == by_seed[2].read_bytes()
    with pytest.raises(UsageError, match="--alone"):
        api.generate(model, alone=True, out=tmp_path / "alone")
    by_file = list(api.generate(model, mix=(str(by_seed[0]), str(by_seed[1])), out=tmp_path / "files"))
    assert [p.read_bytes() for p in by_seed] == [p.read_bytes() for p in by_file]
    assert len(by_seed) == 3


def test_a_morph_begins_at_one_picture_and_ends_at_the_other(model, tmp_path):
    painter = Painter(model)
    a, b = (painter.styles(Subject(seed, "red")) for seed in (1, 2))
    assert torch.equal(painter.styles(Subject(1, "red", morph_seed=2, morph=0.0)), a)
    assert torch.equal(painter.styles(Subject(1, "red", morph_seed=2, morph=1.0)), b)
    assert torch.allclose(painter.styles(Subject(1, "red", morph_seed=2, morph=0.25)), 0.75 * a + 0.25 * b, atol=1e-6)
    with pytest.raises(UsageError, match="outside 0 to 1"):
        painter.styles(Subject(1, "red", morph_seed=2, morph=1.5))
    (path,) = api.generate(model, morph=("1", "2"), at=0.25, label="red", out=tmp_path)
    assert api.rerun(path, model=model)[0]
    with pytest.raises(UsageError, match="itself a mix"):
        api.generate(model, mix=(str(path), "5"), out=tmp_path / "again")
    with pytest.raises(UsageError, match="one of them"):
        api.generate(model, mix=("1", "2"), morph=("1", "2"), out=tmp_path / "both")


def test_every_file_knows_what_made_it(model, tmp_path):
    path = next(iter(api.generate(model, count=1, seed=11, truncation=0.5, label="white", out=tmp_path)))
    facts = api.inspect(path)
    assert facts["subject"] == {"seed": 11, "label": "white", "truncation": 0.5}
    assert facts["model"]["sha256"] == checkpoint.read_model(model).sha256
    xmp = images.read_text(path)["XML:com.adobe.xmp"]
    assert "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia" in xmp
    import xml.etree.ElementTree as ET

    ET.fromstring(xmp[xmp.index("<x:") : xmp.index("<?xpacket end")])


def test_rerun_makes_the_same_pixels_and_notices_another_picture(model, tmp_path):
    path = next(iter(api.generate(model, count=1, seed=11, out=tmp_path)))
    same, again = api.rerun(path, model=model, out=tmp_path / "again.png")
    assert same
    assert again.read_bytes() == path.read_bytes()
    pixels = images.decode(path).pixels.copy()
    pixels[3, 4, 0] ^= 1
    path.write_bytes(images.encode_png(pixels, images.read_text(path)))
    assert api.rerun(path, model=model) == (False, None)


def test_rerun_with_another_model_is_refused(model, tmp_path):
    path = next(iter(api.generate(model, count=1, out=tmp_path)))
    with pytest.raises(ModelError, match="not the one that made this picture"):
        api.rerun(path, model=make_model(tmp_path / "other", seed=1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 5000,
        '{"verb": 3}',
        '{"verb": "generate"}',
        '{"verb": "generate", "subject": {"seed": "1; rm -rf"}}',
        '{"verb": "generate", "subject": {"seed": 1, "__class__": 2}}',
        '{"verb": "generate", "subject": {"seed": 1}, "model": {"name": "../../x"}}',
    ],
)
def test_hostile_recipes_are_refused(text, tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(images.encode_png(np.zeros((4, 4, 3), np.uint8), {"lianpu": text}))
    with pytest.raises((DataError, ModelError)):
        api.rerun(path)


def test_a_strangers_picture_has_no_recipe(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(images.encode_png(np.zeros((4, 4, 3), np.uint8)))
    with pytest.raises(DataError, match="carries no lianpu recipe"):
        api.inspect(path)


def test_nothing_is_overwritten_unless_said(model, tmp_path):
    list(api.generate(model, count=2, out=tmp_path, grid=True))
    with pytest.raises(UsageError, match="exist already"):
        list(api.generate(model, count=1, out=tmp_path))
    list(api.generate(model, count=2, out=tmp_path, grid=True, overwrite=True))


def test_a_sheet_shows_all_pictures_in_order(model, tmp_path):
    *paths, sheet = api.generate(model, count=6, out=tmp_path, grid=True)
    pixels = images.decode(sheet).pixels
    assert pixels.shape == (16 * 2 + 2, 16 * 3 + 4, 3)
    for i, path in enumerate(paths):
        y, x = i // 3 * 18, i % 3 * 18
        assert np.array_equal(pixels[y : y + 16, x : x + 16], images.decode(path).pixels)


def test_a_walk_is_a_closed_film(model, tmp_path):
    import av

    path = api.walk(model, tmp_path / "walk.mp4", stops=3, frames=5, scale=4)
    with av.open(str(path)) as film:
        frames = [f.to_ndarray(format="rgb24").astype(float) for f in film.decode(video=0)]
        assert json.loads(film.metadata["comment"])["verb"] == "walk"
    assert len(frames) == 15
    assert frames[0].shape == (64, 64, 3)
    painter = Painter(model)
    first = painter.paint(painter.subjects(1, 0)[0]).repeat(4, 0).repeat(4, 1)
    assert np.abs(frames[0] - first).mean() < 12  # H.264 with halved colour
    jumps = [np.abs(a - b).mean() for a, b in zip(frames, frames[1:] + frames[:1], strict=True)]
    assert max(jumps) < 3 * np.mean(jumps) + 1, "no jump, at the seam neither"
    with pytest.raises(UsageError, match=r"\.mp4"):
        api.walk(model, tmp_path / "walk.gif")


def test_unknown_rights_stay_in_the_outputs(tmp_path):
    model = make_model(tmp_path / "m", rights="unknown", licences=[])
    path = next(iter(api.generate(model, count=1, out=tmp_path / "out")))
    assert provenance.read_recipe(path)["data"]["rights"] == "unknown"


def test_a_request_that_cannot_be_met_is_refused_before_anything_is_asked_for(model, tmp_path):
    with pytest.raises(ModelError):
        api.generate(tmp_path / "nowhere", out=tmp_path)
    with pytest.raises(UsageError):
        api.generate(model, mix=("1", "2"), mix_from=99, out=tmp_path)
    assert list(tmp_path.glob("*.png")) == []


def test_a_picture_that_is_mixed_stays_what_it_is(model, tmp_path):
    given = next(iter(api.generate(model, count=1, seed=2, truncation=0.3, out=tmp_path / "given")))
    first, *_, mixed = api.generate(model, mix=(str(given), "5"), truncation=0.9, out=tmp_path / "mixed")
    assert np.array_equal(images.decode(first).pixels, images.decode(given).pixels)
    with pytest.raises(UsageError, match="itself a mix"):
        api.generate(model, mix=(str(mixed), "5"), out=tmp_path / "again")
    with pytest.raises(UsageError, match="not red"):
        api.generate(model, mix=(str(given), "5"), label="red", out=tmp_path / "again")


def test_a_film_knows_what_made_it(model, tmp_path):
    path = api.walk(model, tmp_path / "walk.mp4", stops=2, frames=2, scale=4)
    assert api.inspect(path)["what"] == "film"
    assert api.inspect(path)["model"]["name"] == "model"
    (tmp_path / "no.mp4").write_bytes(b"no film")
    with pytest.raises(DataError, match="not a readable MP4"):
        api.inspect(tmp_path / "no.mp4")


def test_a_path_in_a_strangers_picture_is_not_followed(model, tmp_path):
    path = next(iter(api.generate(model, count=1, out=tmp_path / "out")))
    recipe = provenance.read_recipe(path)
    recipe["model"]["name"] = str(model)
    path.write_bytes(images.encode_png(images.decode(path).pixels, {"lianpu": json.dumps(recipe)}))
    with pytest.raises(ModelError, match="no shipped model"):
        api.rerun(path)


@pytest.mark.parametrize("truncation", [float("nan"), float("inf"), 50, -3])
def test_a_truncation_out_of_range_is_the_users_not_the_models(truncation, model, tmp_path):
    with pytest.raises(UsageError, match="--truncation"):
        api.generate(model, truncation=truncation, out=tmp_path)
    with pytest.raises(UsageError, match="--stops"):
        api.walk(model, tmp_path / "w.mp4", stops=1)
