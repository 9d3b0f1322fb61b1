"""Faces with a shape, whole: of a seed and of a photograph, turned, relit, in maps, films and meshes; each file knows what it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh

from lianpu import api, checkpoint, images, lifter, provenance
from lianpu.checkpoint import Model
from lianpu.config import DiganConfig, to_dict
from lianpu.data import crop
from lianpu.errors import DataError, ModelError, UsageError
from lianpu.export import video
from lianpu.lifter import Lamp, Lifter, Wanted, yaws_of
from lianpu.nets import mtcnn
from lianpu.nets.digan import Digan, frontal
from lianpu.render import camera, surface
from tests.test_painter import CONFIG, make_model

NET = DiganConfig(teacher=CONFIG, hidden=8, transform_hidden=4, width=4)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = Digan(NET)
    with torch.no_grad():
        network.G2D.mapping.w_avg.normal_()
        network.G3D.DS.head[-1].weight.mul_(20)  # some relief
    folder = tmp_path_factory.mktemp("lifter") / "model"
    data = {"rights": "known", "fingerprint": "f"}
    checkpoint.save_model(folder, network, Model("digan", to_dict(NET), ["red", "black", "white"], data=data))
    return folder


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "warrior.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
    path.write_bytes(images.encode_png(pixels))
    return path


def test_a_seed_is_one_face_and_classes_take_turns(model):
    loaded = Lifter(model)
    a, b, c = loaded.of_seed(3), Lifter(model).of_seed(3), loaded.of_seed(4)
    assert a.name == "seed000003-red"
    assert c.name == "seed000004-black"
    assert all(torch.equal(x, y) for x, y in zip(a.face, b.face, strict=True))
    assert not torch.equal(a.face.picture, c.face.picture)
    assert loaded.of_seed(3, label="white").name == "seed000003-white"


def test_maps_are_what_they_say(model):
    lifted = Lifter(model).of_seed(0)
    made = lifted.maps(lifter.MAPS)
    assert {name: numbers.shape for name, (numbers, _) in made.items()} == {
        "depth": (16, 16), "normal": (16, 16, 3), "albedo": (16, 16, 3), "shading": (16, 16), "transform": (16, 16),
    }  # fmt: skip
    assert all(picture.shape == (16, 16, 3) and picture.dtype == np.uint8 for _, picture in made.values())
    depth, normal, transform = (made[name][0] for name in ("depth", "normal", "transform"))
    assert depth.min() >= np.float32(camera.NEAR)
    assert depth.max() <= np.float32(camera.FAR)
    assert np.allclose(np.linalg.norm(normal, axis=-1), 1, atol=1e-5)
    assert transform.min() == 0
    assert transform.max() <= 1
    bright, dark = (lifted.maps(["shading"], Lamp(ambient=a))["shading"][0] for a in (1.0, 0.0))
    assert np.allclose(bright - dark, 1, atol=1e-6), "ambient light is the same everywhere"


def test_the_light_comes_from_where_it_is_said(model):
    lifted = Lifter(model).of_seed(0)
    normal = lifted.maps(["normal"])["normal"][0]
    left, right = (lifted.maps(["shading"], Lamp(x, 0, 0.0, 1.0))["shading"][0] for x in (-1.0, 1.0))
    steep = np.abs(normal[..., 0]) > 0.05
    assert steep.any()
    assert (np.sign(right - left) == np.sign(normal[..., 0]))[steep].all()


def test_everything_that_can_be_asked_is_written(model, tmp_path):
    out = tmp_path / "out"
    meshes = [tmp_path / f"head.{ending}" for ending in ("glb", "obj", "ply", "stl")]
    made = api.lift(
        model, seed=5, yaw="-60:60:3", maps=["depth", "normal"], export=meshes, turntable=tmp_path / "t.mp4",
        relight=tmp_path / "l.mp4", light="0.5,-0.2,0.4,0.6", size=32, out=out, height_mm=300,
    )  # fmt: skip
    names = {path.name for path in made["files"]}
    assert names >= {
        "seed000005-white-yaw-60.png",
        "seed000005-white-yaw+00.png",
        "seed000005-white-depth.png",
        "seed000005-white-maps.npz",
        "t.mp4",
        "l.mp4",
    }
    assert all(path.is_file() for path in made["files"])
    assert [w for w in made["warnings"] if "trained on 45" in w]
    front = out / "seed000005-white-yaw+00.png"
    assert images.decode(front).pixels.shape == (32, 32, 3)
    recipe = provenance.read_recipe(front)
    assert recipe["verb"] == "lift"
    assert recipe["subject"] == {"seed": 5, "truncation": 0.7, "label": "white"}
    assert recipe["warnings"] == made["warnings"], "the warning is in the file"
    assert recipe["light"] == "0.5,-0.2,0.4,0.6"
    with np.load(out / "seed000005-white-maps.npz", allow_pickle=False) as maps:
        assert set(maps) == {"depth", "normal"}
    tall = np.ptp(trimesh.load(meshes[0], force="mesh").vertices[:, 1])
    assert tall == pytest.approx(0.3, rel=1e-5)
    assert provenance.parse(video.read_comment(tmp_path / "t.mp4"), "t.mp4")["verb"] == "lift"
    with pytest.raises(UsageError, match=r"of the files exist already(.|\n)*--overwrite"):
        api.lift(model, seed=5, yaw="0", out=out)
    assert api.lift(model, seed=5, yaw="0", out=out, overwrite=True)["files"] == [front]


def test_a_photograph_is_found_first_and_its_error_told(model, photo, tmp_path):
    said, steps = [], []
    made = api.lift(
        model,
        photo,
        crop="centre",
        steps=6,
        yaw="0,20",
        out=tmp_path,
        say=said.append,
        progress=lambda *one: steps.append(one[:2]),
    )
    assert [path.name for path in made["files"]] == ["warrior-yaw+00.png", "warrior-yaw+20.png"]
    assert made["inverted"]["error"] > 0
    assert "mean error" in said[0]
    assert steps[-1] == (6, 6)
    recipe = provenance.read_recipe(made["files"][0])
    assert recipe["inverted"]["picture"] == "warrior.png"
    assert recipe["inverted"]["features"]["name"]
    assert "compositeWithTrainedAlgorithmicMedia" in images.read_text(made["files"][0])["XML:com.adobe.xmp"]


def test_what_the_mask_hides_does_not_change_the_face(model, photo, tmp_path):
    pixels = images.decode(photo).pixels.copy()
    hidden = np.zeros((40, 48, 3), np.uint8)
    hidden[10:30, 14:34] = 255
    pixels[11:29, 15:33] = 7
    (tmp_path / "other.png").write_bytes(images.encode_png(pixels))
    (tmp_path / "mask.png").write_bytes(images.encode_png(hidden))
    loaded = Lifter(model)
    # where the mask is grey after shrinking, the photographs may differ too: both are shrunk first
    a, b = (
        loaded.of_picture(p, mask=tmp_path / "mask.png", crop="centre", steps=4)
        for p in (photo, tmp_path / "other.png")
    )
    assert abs(a.facts["inverted"]["error"] - b.facts["inverted"]["error"]) < 0.02
    plain = loaded.of_picture(tmp_path / "other.png", crop="centre", steps=4)
    assert plain.facts["inverted"]["error"] != b.facts["inverted"]["error"]
    (tmp_path / "small.png").write_bytes(images.encode_png(hidden[:20]))
    with pytest.raises(DataError, match="the mask is"):
        loaded.of_picture(photo, mask=tmp_path / "small.png", crop="centre")


def faces_at(*landmarks: np.ndarray):
    """Someone who finds a face with these landmarks, whatever he is shown."""
    return lambda pixels: [SimpleNamespace(landmarks=each) for each in landmarks]


def test_a_photograph_s_face_is_laid_upright_with_its_mask(model, tmp_path):
    rng = np.random.default_rng(1)
    head = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8).repeat(5, 0).repeat(5, 1)
    photograph = np.full((90, 120, 3), 40, np.uint8)
    photograph[20:60, 50:90] = head
    hidden = np.zeros_like(photograph)
    hidden[20:40, 50:70] = 255  # the head's upper left quarter
    for name, pixels in (("photo", photograph), ("mask", hidden), ("head", head), ("quarter", hidden[20:60, 50:90])):
        (tmp_path / f"{name}.png").write_bytes(images.encode_png(pixels))
    loaded, find = Lifter(model), faces_at(crop.PORTRAIT * 40 + [50, 20])
    options = {"steps": 4, "crop": "face", "find": find}
    found = loaded.of_picture(tmp_path / "photo.png", mask=tmp_path / "mask.png", **options)
    same = loaded.of_picture(tmp_path / "head.png", mask=tmp_path / "quarter.png", steps=4, crop="centre")
    whole = loaded.of_picture(tmp_path / "photo.png", steps=4, crop="centre")
    assert found.facts["inverted"]["crop"] == "face"
    error, wanted, other = (one.facts["inverted"]["error"] for one in (found, same, whole))
    assert abs(error - wanted) < 0.3 * abs(other - wanted), "it is the head that was looked for, not the whole picture"


def test_what_is_no_single_frontal_face_is_said(model, photo):
    loaded = Lifter(model)
    with pytest.raises(DataError, match=r"no face was found(.|\n)*--crop centre"):
        loaded.of_picture(photo, crop="face", find=faces_at())
    front = crop.PORTRAIT * 30 + 5
    aside = front.copy()
    aside[2, 0] = aside[0, 0] - 1  # the nose beyond an eye
    two = loaded.of_picture(photo, crop="face", find=faces_at(front, front), steps=2)
    assert Wanted().warnings(two)[0] == "2 faces: the largest was taken"
    profile = loaded.of_picture(photo, crop="face", find=faces_at(aside), steps=2)
    assert any("looks aside" in said for said in Wanted().warnings(profile))
    with pytest.raises(UsageError, match="no crop mode"):
        loaded.of_picture(photo, crop="fase")


def test_without_the_networks_that_find_faces_the_middle_is_taken_and_said(model, photo, monkeypatch):
    loaded, find = Lifter(model), faces_at(crop.PORTRAIT * 30 + 5)
    known = lifter.weights.available
    monkeypatch.setattr(lifter.weights, "available", lambda name: name in mtcnn.CARDS or known(name))
    assert loaded.of_picture(photo, find=find, steps=2).facts["inverted"]["crop"] == "face"
    monkeypatch.setattr(lifter.weights, "available", lambda name: name not in mtcnn.CARDS and known(name))
    plain = loaded.of_picture(photo, find=find, steps=2)
    assert plain.facts["inverted"]["crop"] == "centre"
    assert any("its middle was taken: lianpu weights get mtcnn-pnet" in said for said in Wanted().warnings(plain))


def test_every_view_has_a_name_of_its_own():
    wanted = Wanted(yaws_of("-5:5:21"), export=[Path("a head.obj")])
    names = [path.name for path in wanted.files("x")]
    assert len(set(names)) == 21 + 3
    assert {"x-yaw-05.png", "x-yaw-00.50.png", "x-yaw+00.png"} <= set(names)
    assert {"a_head.mtl", "a_head.png"} <= set(names)


def test_other_models_are_refused_by_what_they_are(model, tmp_path):
    with pytest.raises(ModelError, match=r"is a stylegan2, which knows no shapes(.|\n)*tiny-64-digan"):
        Lifter(make_model(tmp_path / "painter"))
    with pytest.raises(ModelError, match="is a digan"):
        api.load(model)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "say which face"),
        ({"seed": 0, "yaw": "-70:70:3"}, "beyond 60 degrees"),
        ({"seed": 0, "yaw": "left"}, "says no angles"),
        ({"seed": 0, "yaw": "nan"}, "says no angles"),
        ({"seed": 0, "light": "1,2,3"}, "outside -1 to 1"),
        ({"seed": 0, "light": "bright"}, "is no light"),
        ({"seed": 0, "light": "0,0,nan,0"}, "ambient is nan"),
        ({"seed": 0, "maps": ["dept"]}, "Did you mean depth"),
        ({"seed": 0, "export": [Path("head.fbx")]}, "not a kind of mesh"),
        ({"seed": 0, "turntable": Path("head.gif")}, "MP4"),
        ({"seed": 0, "label": "rde"}, "Did you mean red"),
        ({"seed": 0, "truncation": 2.0}, "outside 0 to 1"),
        ({"seed": 0, "size": 4}, "outside 16 to 2048"),
        ({"seed": 0, "mask": Path("m.png")}, "for a photograph"),
        ({"seed": 0, "export": [Path("a.glb")], "height_mm": -3.0}, "cannot be given"),
    ],
)
def test_what_cannot_be_asked_is_said_and_nothing_is_written(model, tmp_path, monkeypatch, options, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=says):
        api.lift(model, out=tmp_path / "out", **options)
    assert list(tmp_path.rglob("*.*")) == []


def test_a_tiny_photograph_is_refused(model, tmp_path):
    path = tmp_path / "tiny.png"
    path.write_bytes(images.encode_png(np.zeros((10, 10, 3), np.uint8)))
    with pytest.raises(DataError, match="10 x 10 pixels"):
        Lifter(model).of_picture(path)


def test_a_model_that_has_diverged_is_named(model, tmp_path):
    network, facts = checkpoint.load_model(model, "digan")
    with torch.no_grad():
        network.G3D.DS.head[-1].bias.fill_(float("nan"))
    checkpoint.save_model(tmp_path / "bad", network, facts)
    with pytest.raises((ModelError, DataError)):
        Lifter(tmp_path / "bad").of_seed(0)


@pytest.mark.parametrize(
    ("text", "yaws"), [("-60:60:5", [-60, -30, 0, 30, 60]), ("0,20,-20", [0, 20, -20]), ("15", [15]), ("-5:5:1", [-5])]
)
def test_angles_are_read(text, yaws):
    assert yaws_of(text) == pytest.approx(yaws)


# ---- heads that are cut out of their ground --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cut() -> lifter.Lifted:
    return lifter.Lifter("clay-head-64-digan").of_seed(1)


def test_a_head_that_was_cut_out_turns_before_its_ground(cut):
    assert cut.layered and cut.layers is not None
    left, front, right = (x.astype(int) for x in cut.seen([-40, 0, 40], size=64))
    corner = np.s_[:12, :8]
    assert np.abs(left[corner] - front[corner]).max() <= 1 >= np.abs(right[corner] - front[corner]).max()
    assert np.abs(left - right).mean() > 4
    picture = images.to_uint8(cut.face.picture)[0].astype(int)
    inner = np.s_[24:48, 24:40]
    lamp = surface.light(frontal(cut.face.light))  # in which the albedo was found
    assert np.abs(next(cut.turned([0], lamp, 64)).astype(int) - picture)[inner].mean() < 3


def test_its_light_moves_and_its_ground_does_not(cut):
    frames = [x.astype(int) for x in cut.relit([-60, 60], 64)]
    assert np.abs(frames[0][:8, :8] - frames[1][:8, :8]).max() <= 1
    halves = [(x[20:50, 22:32].mean(), x[20:50, 32:42].mean()) for x in frames]
    assert halves[0][0] > halves[0][1] and halves[1][0] < halves[1][1], "the side that the light comes from is brighter"


def test_kept_it_is_the_same_and_its_mesh_ends_at_its_outline(cut, tmp_path):
    cut.keep(tmp_path / "face.safetensors")
    again = lifter.kept(tmp_path / "face.safetensors")
    assert again.layered
    assert all(np.array_equal(*pair) for pair in zip(cut.seen([20]), again.seen([20]), strict=True))
    made = cut.mesh()
    assert made.vertices[:, 2].min() > 1 - camera.BORDER, "nothing of the ground"
    share = len(made.vertices) / (4 * 63 + 1) ** 2
    assert share == pytest.approx(float(cut.head.float().mean()), abs=0.02)
    one = replace(cut, layered=False).mesh()
    assert len(one.vertices) < len(made.vertices) / 8
