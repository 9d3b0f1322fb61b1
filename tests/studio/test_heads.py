"""Heads in the studio: a lifter put into the project is known, what is made of a head is what `lianpu lift` makes, a photograph is looked
for once, and a dropped picture of a head comes back."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest

from lianpu import api, cli, files, images, lifter, provenance
from lianpu.errors import LianpuError
from lianpu.studio import frames
from tests.studio.opened import tiny_lifter, wait_for
from tests.studio.test_guard import heard, page

VIEW = {"yaw": -30, "pitch": 10, "roll": 5, "light": {"x": 0.5, "y": -0.3, "ambient": 0.4, "diffuse": 0.6}}
HEAD = {"kind": "lift", "model": "tiny-lifter", "face": {"seed": 3}}


@pytest.fixture(scope="module")
def known(opened):
    tiny_lifter(opened.project)
    return opened


def items(opened, job):
    return [i for i in opened.get("/api/library?limit=500")["items"] if i["job"] == job["id"]]


def test_a_model_put_into_the_project_is_known(known):
    (found,) = [m for m in known.get("/api/state")["models"] if m["id"] == "tiny-lifter"]
    assert (found["kind"], found["classes"]) == ("digan", ["red", "black", "white"])
    assert known.ask("POST", "/api/jobs", {**HEAD, "model": "opera-mask-6"})[0].status == 422


def test_a_head_is_what_its_command_makes(known, tmp_path):
    wish = {
        **HEAD,
        "view": VIEW,
        "maps": ["depth", "normal"],
        "export": ["glb", "obj", "stl", "html"],
        "turntable": True,
        "height_mm": 300,
    }
    job = known.ended(known.job(wish)["id"])
    out = known.project / "jobs" / job["id"] / "out"
    words = shlex.split(job["command"].replace(str(out), str(tmp_path)))
    with pytest.raises(SystemExit) as ended:
        cli.main(words[1:])
    assert ended.value.code == 0

    def made(folder):
        return {p.relative_to(folder): files.sha256(p) for p in folder.rglob("*") if p.is_file() and p.suffix != ".mp4"}

    assert made(out) == made(tmp_path)
    assert (out / "turntable.mp4").is_file()
    assert {i["name"] for i in items(known, job)} == {
        "seed000003-red-yaw-30.png", "seed000003-red-depth.png", "seed000003-red-normal.png", "turntable.mp4",
    }  # fmt: skip
    picture = next(i for i in items(known, job) if "yaw" in i["name"])
    beside = known.get(f"/api/library/{picture['id']}")["beside"]
    assert {name.rpartition(".")[2] for name in beside} >= {"glb", "obj", "mtl", "stl", "html", "npz"}
    answer, content = known.ask("GET", f"/api/jobs/{job['id']}/files/head.glb")
    assert content == (out / "meshes" / "head.glb").read_bytes()
    assert answer.getheader("content-disposition").startswith("attachment")
    for name in ("..%2fjob.json", "job.json", "..", "%2fetc%2fpasswd"):
        assert known.ask("GET", f"/api/jobs/{job['id']}/files/{name}")[0].status == 404


def test_a_dropped_picture_of_a_head_comes_back(known):
    job = known.ended(
        known.job({**HEAD, "face": {"seed": 4, "label": "white"}, "view": VIEW, "maps": ["normal"]})["id"]
    )
    for item in items(known, job):
        _, content = known.ask("GET", f"/api/library/{item['id']}/picture")
        answer, body = known.ask("PUT", "/api/restore", content)
        assert answer.status == 200, body
        back = json.loads(body)
        assert back["same"] is True
        assert back["model"] == "tiny-lifter"
        assert back["recipe"]["subject"] == {"seed": 4, "label": "white", "truncation": 0.7}
    view = next(i for i in items(known, job) if "yaw" in i["name"])
    with pytest.raises(SystemExit) as ended:
        cli.main(shlex.split(known.get(f"/api/library/{view['id']}")["command"])[1:])
    assert ended.value.code == 0
    recipe = known.get(f"/api/library/{view['id']}")["recipe"]
    assert (recipe["yaw"], recipe["pitch"], recipe["roll"], recipe["light"]) == (-30, 10, 5, "0.5,-0.3,0.4,0.6")


def test_a_photograph_is_looked_for_once(known):
    pixels = np.random.default_rng(0).integers(
        0, 256, (64, 64, 3), np.uint8
    )  # as good as cropped: no face is sought in it
    answer, body = known.ask("PUT", "/api/files?role=photo", images.encode_png(pixels), x_name="warrior.png")
    assert answer.status == 201, body
    photo = json.loads(body)["id"]
    first = known.job({**HEAD, "face": {"picture": photo, "steps": 6, "crop": "centre"}})
    assert "--crop centre" in first["command"]
    first = known.ended(first["id"])
    assert first["result"]["inverted"]["error"] > 0
    kept = known.project / "jobs" / first["id"] / "face.safetensors"
    before = kept.read_bytes()
    second = known.ended(known.job({**HEAD, "face": {"found": first["id"]}, "view": VIEW, "export": ["ply"]})["id"])
    assert "warrior.png --steps 6" in second["command"]
    assert kept.read_bytes() == before
    view = items(known, second)[0]
    torn = (
        known.project / "jobs" / ("0" + first["id"]) / "face.safetensors"
    )  # of another job, before this one in their order
    torn.parent.mkdir()
    torn.write_bytes(kept.read_bytes()[:-10])
    assert (
        known.get(f"/api/library/{view['id']}")["command"] == second["command"]
    )  # its file alone does not make it again
    _, content = known.ask("GET", f"/api/library/{view['id']}/picture")
    back = json.loads(known.ask("PUT", "/api/restore", content)[1])
    assert (back["same"], back["found"]) == (True, first["id"])
    words = shlex.split(second["command"])
    yaw = api.lift(words[2], known.project.joinpath(*words[3].split("/")[-3:]), steps=6, yaw="-30", pitch=10, roll=5,
                   light="0.5,-0.3,0.4,0.6", out=known.project / "again", device="cpu")["files"][0]  # fmt: skip
    assert np.array_equal(images.decode(yaw).pixels, images.decode(content).pixels), "found again, it is the same"
    assert (
        known.ask("POST", "/api/jobs", {**HEAD, "face": {"found": second["id"]}})[0].status == 422
    )  # it has found none


def test_a_search_is_stopped_and_continued(known):
    answer, body = known.ask(
        "PUT", "/api/files?role=photo", images.encode_png(np.full((64, 64, 3), 90, np.uint8)), x_name="grey.png"
    )
    assert answer.status == 201
    job = known.job({**HEAD, "face": {"picture": json.loads(body)["id"], "steps": 2000}})
    wait_for(lambda: known.get(f"/api/jobs/{job['id']}")["done"] >= 2)
    with page(known) as socket:  # meanwhile another head is turned
        socket.send(
            frames.pack({"n": 7, "key": "head", "ask": {"kind": "head", "model": "tiny-lifter", "face": {"seed": 1}}})
        )
        head, maps = frames.unpack(heard(socket, 7))
        assert head["ok"]
        assert len(maps) == 5 * 4 * head["size"] ** 2
    known.post(f"/api/jobs/{job['id']}/stop")
    assert known.ended(job["id"], "stopped")
    assert not items(known, job)


@pytest.mark.parametrize(
    ("wish", "frames_of_it"),
    [
        ({"kind": "walk", "model": "opera-mask-64", "stops": 24}, 576),
        ({**HEAD, "turntable": True, "face": {"seed": 9}}, 72),
    ],
)
def test_a_film_lets_others_in_and_can_be_stopped(known, wish, frames_of_it):
    job = known.job(wish)
    wait_for(lambda: known.get(f"/api/jobs/{job['id']}")["total"] == frames_of_it)
    with page(known) as socket:
        ask = {"kind": "paint", "model": "opera-mask-64", "subject": {"seed": 1}}
        socket.send(frames.pack({"n": 7, "key": "paint", "ask": ask}))
        assert frames.unpack(heard(socket, 7))[0]["ok"]
    assert known.get(f"/api/jobs/{job['id']}")["state"] == "running"
    known.post(f"/api/jobs/{job['id']}/stop")
    known.ended(job["id"], "stopped")
    assert not [i for i in items(known, job) if i["film"]]


def test_a_face_that_is_none_is_refused(known):
    for face in (
        {},
        {"seed": 1, "found": "abcd"},
        {"seed": -1},
        {"seed": 1, "truncation": 2},
        {"found": "../.."},
        {"picture": "p-nothing"},
    ):
        assert known.ask("POST", "/api/jobs", {**HEAD, "face": face})[0].status == 422
    for view in ({"yaw": 90}, {"light": {"x": 3}}, {"yaw": "NaN"}, {"path": "/etc/passwd"}):
        assert known.ask("POST", "/api/jobs", {**HEAD, "view": view})[0].status == 422


@pytest.mark.parametrize(
    "change",
    [
        {"yaw": 1e9},
        {"pitch": float("nan")},
        {"light": "1,2"},
        {"light": None},
        {"subject": {"seed": "x"}},
        {"subject": {"seed": 1}},
        {"yaw": []},
    ],
)
def test_what_a_stranger_writes_into_a_recipe_is_checked(tmp_path, change):
    tiny_lifter(tmp_path)
    model = tmp_path / "models" / "tiny-lifter"
    (path,) = api.lift(model, seed=3, yaw="20", out=tmp_path / "out")["files"]
    assert api.rerun(path, model=model)[0]
    recipe = provenance.read_recipe(path) | change
    path.write_bytes(images.encode_png(images.decode(path).pixels, provenance.png_text(recipe)))
    with pytest.raises(LianpuError):
        api.rerun(path, model=model)


def test_a_damaged_face_is_noticed(tmp_path):
    tiny_lifter(tmp_path)
    loaded = api.load_lifter(tmp_path / "models" / "tiny-lifter", "cpu").of_seed(2)
    path = tmp_path / "face.safetensors"
    loaded.keep(path)
    assert np.array_equal(next(lifter.kept(path).seen([25])), next(loaded.seen([25])))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(LianpuError, match="holds no face"):
        lifter.kept(path)
