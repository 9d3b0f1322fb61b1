"""Jobs are files: what is killed is marked and goes on, nothing that was made is lost, and the same as on the command line is made."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import shlex
import threading
import zipfile
from pathlib import Path
from urllib.parse import quote

import numpy as np
import psutil
import pytest
from PIL import Image
from pydantic import ValidationError

from lianpu import api, cli, images, provenance
from lianpu.studio import commands, server, wishes
from lianpu.studio.guard import Door
from lianpu.studio.jobs import Jobs
from lianpu.studio.project import Project, safe_name, safe_path
from tests.studio.opened import WAIT, Studio, studio, wait_for

MASKS = {"kind": "generate", "model": "opera-mask-64"}


def worker(opened: Studio) -> psutil.Process:
    """The worker of a studio."""
    return wait_for(lambda: next(iter(psutil.Process(opened.process.pid).children()), None))


def named(opened: Studio) -> dict[str, dict]:
    return {i["name"]: i for i in opened.get("/api/library?limit=500")["items"]}


def pixels(opened: Studio, id: str):
    answer, body = opened.ask("GET", f"/api/library/{id}/picture")
    assert answer.status == 200
    return images.decode(body).pixels


# ------------------------------------------------------------------------------------------------------------- what is made


def test_masks_are_made_with_their_recipe_and_again_to_the_pixel(opened):
    subjects = [
        {"seed": 3},
        {"seed": 5, "label": "red", "truncation": 0.5},
        {"seed": 3, "morph_seed": 4, "morph": 0.25},
    ]
    job = opened.job({**MASKS, "subjects": [*subjects, {"seed": 3, "mix_seed": 9, "mix_from": 4}]})
    assert opened.ended(job["id"])["done"] == 4
    found = {k: v for k, v in named(opened).items() if v["job"] == job["id"]}
    assert len(found) == 4
    for item in found.values():
        again = opened.post(f"/api/library/{item['id']}/again")
        assert again["same"] is True
        assert again["model"] == "opera-mask-64"


def test_the_command_shown_makes_the_same_pixels(opened, tmp_path, monkeypatch):
    """ "same as": run by the command line itself."""
    subjects = [
        {"seed": 21, "label": None}, {"seed": 22}, {"seed": 21, "morph_seed": 22, "morph": 0.3},
        {"seed": 23, "mix_seed": 24}, {"seed": 23, "mix_seed": 24, "mix_from": 3, "label": "red", "truncation": 0.5},
    ]  # fmt: skip
    job = opened.ended(opened.job({**MASKS, "subjects": subjects})["id"])
    out = str(opened.project / "jobs" / job["id"] / "out")
    for number, line in enumerate(job["command"].splitlines()):
        words = shlex.split(line.replace(out, str(tmp_path / str(number))))
        with pytest.raises(SystemExit) as ended:
            cli.main(words[1:])
        assert ended.value.code == 0
    by_command = {hashlib.sha256(images.decode(p).pixels.tobytes()).hexdigest() for p in tmp_path.rglob("*.png")}
    mine = [v for v in named(opened).values() if v["job"] == job["id"]]
    assert {hashlib.sha256(pixels(opened, item["id"]).tobytes()).hexdigest() for item in mine} == by_command


def test_a_command_holds_in_any_folder(tmp_path):
    with studio(Path(os.path.relpath(tmp_path / "p"))) as opened:
        job = opened.enter().job({"kind": "draw", "count": 1})
        assert str(tmp_path / "p" / "jobs" / job["id"] / "out") in shlex.split(job["command"])


def test_a_class_may_be_called_what_a_model_may_call_it():
    def wished(label):
        return wishes.wish_of({"kind": "walk", "model": "abcd", "label": label})

    for name in ("红脸", "-x", "a_b-1", "x" * 64):
        assert wished(name)
    for name in ("", "a b", "x/y", "x\n", "x" * 65):
        with pytest.raises(ValidationError):
            wished(name)


def test_the_state_is_told_while_jobs_come_and_go(tmp_path):
    app = server.create(Project(tmp_path), Door(1, tmp_path / "none")).app
    jobs = app.state.jobs.all
    jobs.update({str(n): {"said": []} for n in range(2000)})
    state = next(route.endpoint for route in app.routes if route.path == "/api/state")
    done = threading.Event()

    def change():
        while not done.wait(1e-4):
            jobs[str(len(jobs))] = {"said": []}

    changing = threading.Thread(target=change)
    changing.start()
    try:
        assert all(len(state()["jobs"]) >= 2000 for _ in range(20))
    finally:
        done.set()
        changing.join()


def test_every_command_shown_is_one_that_lianpu_takes(opened, tmp_path):
    project = Project(tmp_path / "p")
    for wish in (
        {"kind": "walk", "model": "opera-mask-64", "label": "red"}, {"kind": "draw", "count": 3}, {"kind": "look", "source": "abcd"},
        {"kind": "build", "source": "abcd", "expand": True, "sketches": "lines", "licence": "CC0-1.0", "origin": "x", "crop": "subject"},
        {"kind": "build", "source": "abcd", "allow_unknown_rights": True},
        {"kind": "train", "data": "abcd", "recipe": "tiny-32-ada", "kimg": 2},
        {"kind": "translate", "sketches": ["abcd"], "references": ["abcd"], "symmetric": "both", "palette": "lock"},
        {"kind": "translate", "sketches": ["abcd"], "references": ["abcd"], "symmetric": "left"},
        {**MASKS, "subjects": [{"seed": 1, "mix_seed": 2, "mix_from": 3, "label": "-x"}]},
        {"kind": "build", "source": "abcd", "licence": "-", "origin": "x"},
        {"kind": "lift", "model": "abcd", "face": {"seed": 3}, "view": {"yaw": -30, "light": {"x": -1}}, "maps": ["depth"]},
        {"kind": "measure", "run": "abcd", "data": "abcd"},
        {"kind": "lift", "model": "abcd", "face": {"seed": 3}, "view": {"pitch": -5, "roll": -1}, "turntable": True},
        {"kind": "lift", "model": "abcd", "face": {"picture": "abcd"}, "export": ["glb", "obj"], "height_mm": 300},
    ):  # fmt: skip
        line = commands.command(wishes.wish_of(wish), project, tmp_path / "job")
        name, *words = shlex.split(line)
        assert name == "lianpu"
        cli.app.parse_args(words, exit_on_error=False, print_error=False)


def test_a_drawing_is_painted_and_dropped_back(opened):
    sketches, references = opened.starters()
    wish = {
        "kind": "translate",
        "sketches": sketches[:2],
        "references": references[:2],
        "palette": "lock",
        "symmetric": "both",
    }
    job = opened.ended(opened.job(wish)["id"])
    made = [i for i in named(opened).values() if i["job"] == job["id"] and not i["sheet"]]
    assert len(made) == 4
    _, content = opened.ask("GET", f"/api/library/{made[0]['id']}/picture")
    answer, body = opened.ask("PUT", "/api/restore", content)
    assert answer.status == 200
    back = json.loads(body)
    assert back["same"] is True
    assert back["recipe"]["settings"] == {"palette": "lock", "symmetric": "both"}
    assert back["sketch"] in sketches[:2]
    assert back["reference"] in references[:2]
    opened.ask("DELETE", f"/api/files/{back['sketch']}")  # without its drawing it says why it cannot be made again
    again = json.loads(opened.ask("PUT", "/api/restore", content)[1])
    # the job's folder beside it keeps a copy, but a dropped file is a stranger: only kept files count
    assert again["same"] is None
    assert "is not found" in again["why"][0]


def test_a_drawing_serves_whatever_its_name_and_format(opened):
    starters, references = opened.starters()
    ids = []
    kinds = (("mask.jfif", "JPEG"), ("drawing", "PNG"), ("scan.tif", "TIFF"))
    for (name, kind), starter in zip(kinds, starters, strict=False):
        content = io.BytesIO()
        Image.fromarray(images.decode(opened.ask("GET", f"/api/files/{starter}/picture")[1]).pixels).save(content, kind)
        ids.append(json.loads(opened.ask("PUT", "/api/files?role=sketch", content.getvalue(), x_name=name)[1])["id"])
        answer, _ = opened.ask("GET", f"/api/files/{ids[-1]}/picture")
        assert answer.getheader("content-type") in ("image/jpeg", "image/png"), name  # what a browser shows
    job = opened.ended(opened.job({"kind": "translate", "sketches": ids, "references": references[:1]})["id"])
    assert len([i for i in named(opened).values() if i["job"] == job["id"] and not i["sheet"]]) == 3


def test_what_a_job_needs_stays_until_it_has_ended_and_then_it_can_go(opened):
    """The job goes on without: it has its own copies."""
    starters, references = opened.starters()
    lines = images.decode(opened.ask("GET", f"/api/files/{starters[0]}/picture")[1]).pixels
    answer, body = opened.ask("PUT", "/api/files?role=sketch", images.encode_png(lines[::-1]), x_name="x.png")
    assert answer.status == 201
    sketch = json.loads(body)["id"]
    masks = opened.ended(opened.job({"kind": "draw", "count": 1, "size": 64})["id"])
    job = opened.job({"kind": "translate", "sketches": [sketch, *starters], "references": references})
    build = opened.job({"kind": "build", "source": masks["id"], "size": 32})
    for path in (f"/api/files/{sketch}", f"/api/files/{references[0]}", f"/api/jobs/{masks['id']}"):
        assert opened.ask("DELETE", path)[0].status == 409, path
    wait_for(lambda: opened.get(f"/api/jobs/{job['id']}")["done"] >= 1)
    opened.post(f"/api/jobs/{job['id']}/stop")
    opened.ended(job["id"], "stopped")
    opened.ended(build["id"])
    for path in (f"/api/files/{sketch}", f"/api/jobs/{masks['id']}"):
        assert opened.ask("DELETE", path)[0].status == 200, path
    opened.post(f"/api/jobs/{job['id']}/resume")
    opened.ended(job["id"])


def test_a_stranger_s_picture_brings_nothing_back(opened):
    content = images.encode_png(images.decode(next(iter(Path("docs/images").glob("*.png")))).pixels)
    answer, body = opened.ask("PUT", "/api/restore", content)
    assert answer.status == 422
    assert "no recipe" in json.loads(body)["error"]["what"]


def test_a_recipe_that_says_too_little_brings_nothing_back(opened):
    pixels = np.zeros((64, 64, 3), np.uint8)
    for recipe in (
        {"verb": "generate"}, {"verb": "generate", "subject": {"seed": 1}}, {"verb": "generate", "subject": 3},
        {"verb": "generate", "subject": {"seed": "x", "truncation": 0.7}}, {"verb": "lift", "subject": {"seed": 1}},
        {"verb": "lift", "yaw": "x"}, {"verb": "translate", "settings": {"palette": []}}, {"verb": "translate", "settings": 1},
    ):  # fmt: skip
        answer, body = opened.ask("PUT", "/api/restore", images.encode_png(pixels, provenance.png_text(recipe)))
        assert answer.status == 422, recipe
        assert "damaged" in json.loads(body)["error"]["what"]


def test_a_changed_pixel_is_noticed(opened):
    job = opened.ended(opened.job({**MASKS, "subjects": [{"seed": 77}]})["id"])
    item = next(i for i in named(opened).values() if i["job"] == job["id"])
    path = opened.project / "jobs" / job["id"] / "out" / item["name"]
    changed = images.decode(path).pixels.copy()
    changed[5, 6, 0] ^= 1
    answer, body = opened.ask("PUT", "/api/restore", images.encode_png(changed, images.read_text(path)))
    assert answer.status == 200
    assert json.loads(body)["same"] is False


def test_drawn_masks_bring_their_svg_as_a_download_only(opened):
    job = opened.ended(opened.job({"kind": "draw", "count": 2, "seed": 5, "size": 64})["id"])
    item = next(i for i in named(opened).values() if i["job"] == job["id"])
    assert item["svg"]
    answer, body = opened.ask("GET", f"/api/library/{item['id']}/svg")
    assert body.lstrip().startswith(b"<svg")
    assert answer.getheader("content-type") == "application/octet-stream"
    assert answer.getheader("content-disposition").startswith("attachment")


def test_a_result_becomes_a_reference(opened):
    job = opened.ended(opened.job({**MASKS, "subjects": [{"seed": 31}]})["id"])
    item = next(i for i in named(opened).values() if i["job"] == job["id"])
    kept = opened.post(f"/api/library/{item['id']}/keep")
    assert kept["id"] in [f["id"] for f in opened.get("/api/files?role=reference")]


def test_material_is_looked_through_and_built(opened, drawn):
    """Files and a zip, one damaged, one twice: the table says class, rights, copies and what was left out; then the set is built."""
    id = opened.post("/api/sources", {"title": "masks"}, 201)["id"]
    pictures = sorted(drawn.glob("*.png"))[:14]
    for path in pictures[:8]:
        opened.ask("PUT", f"/api/sources/{id}/files", path.read_bytes(), x_name=f"a/{path.name}")
    opened.ask("PUT", f"/api/sources/{id}/files", pictures[0].read_bytes(), x_name="a/twin.png")
    opened.ask("PUT", f"/api/sources/{id}/files", pictures[1].read_bytes()[:500], x_name="a/torn.png")
    opened.ask("PUT", f"/api/sources/{id}/files", b"", x_name="a/empty.png")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in pictures[8:]:
            archive.write(path, path.name)
    answer, _ = opened.ask(
        "PUT", f"/api/sources/{id}/files", packed.getvalue(), x_name="more.zip", content_type="application/zip"
    )
    assert answer.status == 201
    opened.ended(opened.job({"kind": "look", "source": id})["id"])
    found = opened.get(f"/api/sources/{id}")
    assert len(found["rows"]) == 14
    assert {row["licence"] for row in found["rows"]} == {"unknown"}
    reasons = " ".join(q["reason"] for q in found["quarantine"])
    assert "same file" in reasons
    assert "cut off" in reasons
    assert "files/a/empty.png" in {q["name"] for q in found["quarantine"]}
    answer, _ = opened.ask("GET", f"/api/sources/{id}/rows/{found['rows'][0]['file_name']}")
    assert answer.status == 200
    refused = opened.ended(opened.job({"kind": "build", "source": id, "size": 32})["id"], "failed")
    assert "no source and licence" in refused["error"]["what"]
    wish = {"kind": "build", "source": id, "size": 32, "licence": "CC0-1.0", "origin": "drawn", "title": "mine"}
    built = opened.ended(opened.job(wish)["id"])
    (data,) = [d for d in opened.get("/api/state")["datasets"] if d["id"] == built["id"]]
    assert (data["title"], data["pictures"], data["rights"]["status"]) == ("mine", 14, "known")
    api.check(opened.project / "jobs" / built["id"] / "data").require()


def test_no_file_of_a_source_takes_the_place_of_another(opened):
    id = opened.post("/api/sources", {"title": "x"}, 201)["id"]
    sent = (("a/m.zip", "zips/m.zip"), ("b/m.zip", "zips/m-2.zip"), ("a:b.png", "files/a_b.png"), ("a?b.png", "files/a_b-2.png"),
            ("x", "files/x"), ("x/y.png", "files/x-2/y.png"), ("x-2", "files/x-2-2"), ("x/z.png", "files/x-2/z.png"))  # fmt: skip
    for _ in range(2):  # the same once more changes nothing
        for name, _ in sent:
            answer, body = opened.ask("PUT", f"/api/sources/{id}/files", name.encode(), x_name=quote(name))
            assert answer.status == 201, body
    folder = opened.project / "sources" / id
    assert {name: (folder / place).read_text() for name, place in sent} == {name: name for name, _ in sent}
    assert opened.get("/api/sources")[-1]["files"] == len(sent)


# ------------------------------------------------------------------------------------------------------- stopped and killed


def test_a_killed_worker_leaves_its_job_marked_and_it_goes_on(opened):
    job = opened.job({**MASKS, "subjects": [{"seed": s, "truncation": 0.9} for s in range(120)]})
    wait_for(lambda: opened.get(f"/api/jobs/{job['id']}")["done"] >= 3)
    worker(opened).kill()
    marked = opened.ended(job["id"], "interrupted")
    before = {k: v["made"] for k, v in named(opened).items() if v["job"] == job["id"]}
    assert 3 <= len(before) < 120
    opened.post(f"/api/jobs/{marked['id']}/resume")
    opened.ended(job["id"])
    after = {k: v["made"] for k, v in named(opened).items() if v["job"] == job["id"]}
    assert len(after) == 120
    assert all(after[name] == made for name, made in before.items())  # what was there was kept, not made again


def test_a_killed_studio_loses_nothing(tmp_path):
    sketches = references = []
    with studio(tmp_path / "p") as first:
        first.enter()
        sketches, references = first.starters(6)
        done = first.ended(first.job({**MASKS, "subjects": [{"seed": 1}]})["id"])
        job = first.job({"kind": "translate", "sketches": sketches, "references": references})
        waiting = first.job({**MASKS, "subjects": [{"seed": 2}]})
        wait_for(lambda: len(named(first)) >= 3)
        child = worker(first)
        first.kill()
        child.wait(WAIT)  # nobody works on unseen
        there = {p.name for p in (tmp_path / "p" / "jobs").glob("*/out/*.png") if not p.name.startswith(".")}
    with studio(tmp_path / "p") as second:
        second.enter()
        jobs = {j["id"]: j["state"] for j in second.get("/api/state")["jobs"]}
        assert jobs[done["id"]] == "done"
        assert jobs[job["id"]] == "interrupted"
        assert there <= set(named(second))
        second.ended(waiting["id"])  # what waited is done
        second.post(f"/api/jobs/{job['id']}/resume")
        assert second.ended(job["id"])["total"] == 36
        assert len([i for i in named(second).values() if i["job"] == job["id"] and not i["sheet"]]) == 36
        assert not list((tmp_path / "p").rglob(".partial-*"))


def test_a_file_on_its_way_is_not_swept_away_by_whoever_opens_the_project_besides(tmp_path):
    """The worker does, and a second studio that is then refused."""
    project = Project(tmp_path)
    coming = tmp_path / "files" / ".partial-0"
    coming.write_bytes(b"half")
    Project(tmp_path)
    assert coming.exists()
    project.tidy()  # a studio that begins
    assert not coming.exists()


def test_two_studios_cannot_have_one_project(opened):
    import subprocess
    import sys

    words = [sys.executable, "-m", "lianpu", "studio", "--project", str(opened.project), "--port", "0", "--no-open"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=WAIT)
    assert done.returncode == 5
    assert "another studio" in done.stderr


def test_a_job_is_stopped_continued_and_only_then_removed(opened):
    job = opened.job({**MASKS, "subjects": [{"seed": s} for s in range(200)]})
    wait_for(lambda: opened.get(f"/api/jobs/{job['id']}")["done"] >= 1)
    assert opened.ask("DELETE", f"/api/jobs/{job['id']}")[0].status == 409  # while it runs
    opened.post(f"/api/jobs/{job['id']}/stop")
    opened.ended(job["id"], "stopped")
    opened.post(f"/api/jobs/{job['id']}/resume")
    wait_for(lambda: opened.get(f"/api/jobs/{job['id']}")["done"] >= 20)  # a stop counts once
    opened.post(f"/api/jobs/{job['id']}/stop")
    opened.ended(job["id"], "stopped")
    assert opened.ask("DELETE", f"/api/jobs/{job['id']}")[0].status == 200
    assert not (opened.project / "jobs" / job["id"]).exists()
    assert opened.ask("GET", f"/api/jobs/{job['id']}")[0].status == 404


def test_the_queue_has_an_end(opened):
    long = opened.job({**MASKS, "subjects": [{"seed": s} for s in range(256)]})
    status = [opened.ask("POST", "/api/jobs", {**MASKS, "subjects": [{"seed": 1}]})[0].status for _ in range(64)]
    assert status.count(201) == 32
    assert status.count(429) == 32
    opened.post(f"/api/jobs/{long['id']}/stop")
    wait_for(lambda: all(j["state"] not in ("queued", "running") for j in opened.get("/api/state")["jobs"]))


def test_a_job_whose_end_cannot_be_written_does_not_silence_the_studio(opened):
    job = opened.job({**MASKS, "subjects": [{"seed": s} for s in range(100, 140)]})
    note = opened.project / "jobs" / job["id"] / "job.json"
    wait_for(lambda: opened.get(f"/api/jobs/{job['id']}")["done"] >= 1)
    note.unlink()
    (note / "in the way").mkdir(parents=True)
    assert "cannot write job.json" in opened.ended(job["id"])["error"]["what"]
    assert opened.ended(opened.job({**MASKS, "subjects": [{"seed": 1}]})["id"])["error"] is None
    assert opened.ask("DELETE", f"/api/jobs/{job['id']}")[0].status == 200


def test_a_job_whose_worker_cannot_be_started_fails(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", "/nowhere")

    async def tried() -> dict:
        jobs = Jobs(Project(tmp_path))
        job = jobs.add(wishes.wish_of({**MASKS, "subjects": [{"seed": 1}]}))
        await asyncio.sleep(1)
        return job

    job = asyncio.run(tried())
    assert job["state"] == "failed"
    assert "cannot be started" in job["error"]["what"]


@pytest.mark.slow
def test_training_is_paused_by_a_snapshot_and_goes_on(opened, drawn):
    id = opened.post("/api/sources", {"title": "train"}, 201)["id"]
    for path in sorted(drawn.glob("*.png")):
        opened.ask("PUT", f"/api/sources/{id}/files", path.read_bytes(), x_name=path.name)
    wish = {"kind": "build", "source": id, "size": 32, "licence": "CC0-1.0", "origin": "drawn", "test": 0}
    data = opened.ended(opened.job(wish)["id"])
    job = opened.job({"kind": "train", "data": data["id"], "recipe": "tiny-32-stylegan2", "kimg": 500, "device": "cpu"})
    wait_for(lambda: opened.get(f"/api/jobs/{job['id']}").get("status", {}).get("images", 0) > 200)
    masks = opened.ended(opened.job({**MASKS, "subjects": [{"seed": 4}]})["id"])  # meanwhile, masks are made
    assert masks["state"] == "done"
    for _ in range(3):  # whoever is impatient loses nothing
        opened.post(f"/api/jobs/{job['id']}/stop")
    opened.ended(job["id"], "stopped")
    run = opened.project / "jobs" / job["id"] / "run"
    seen = api.inspect(run)
    assert seen["checkpoints"]
    opened.post(f"/api/jobs/{job['id']}/resume")
    wait_for(lambda: any("Going on at" in line for line in opened.get(f"/api/jobs/{job['id']}")["said"]))
    opened.post(f"/api/jobs/{job['id']}/stop")
    opened.ended(job["id"], "stopped")
    assert job["id"] in [m["id"] for m in opened.get("/api/state")["models"]]
    measured = opened.ended(opened.job({"kind": "measure", "run": job["id"], "data": data["id"], "n": 16})["id"])[
        "result"
    ]
    assert measured["images"] > 200
    values = {row["metric"]: row["value"] for row in measured["rows"]}
    assert any(value is not None for value in values.values())
    assert all(row["value"] is not None or row["note"] for row in measured["rows"])
    own = opened.ended(opened.job({"kind": "generate", "model": job["id"], "subjects": [{"seed": 1}]})["id"])
    item = next(i for i in named(opened).values() if i["job"] == own["id"])
    assert opened.post(f"/api/library/{item['id']}/again")["same"] is True  # found by what it is, not by a path


@pytest.mark.slow
def test_memory_does_not_grow_with_jobs(opened):
    def rss() -> float:
        here = psutil.Process(opened.process.pid)
        return sum(p.memory_info().rss for p in (here, *here.children(recursive=True)))

    def some(count: int, seed: int) -> None:
        for i in range(count):
            opened.ended(opened.job({**MASKS, "subjects": [{"seed": seed + i}]})["id"])

    some(30, 1000)
    before, files = rss(), psutil.Process(opened.process.pid).num_fds()
    some(470, 2000)
    assert rss() < 1.05 * before
    assert psutil.Process(opened.process.pid).num_fds() <= files + 2


# ------------------------------------------------------------------------------------------------------------------- parts


def test_names_are_safe_whatever_they_were():
    from hypothesis import given
    from hypothesis import strategies as st

    @given(st.text())
    def check(name):
        safe = safe_name(name)
        assert safe not in ("", ".", "..")
        assert not set(safe) & set('/\\:\0<>"|?*')
        assert len(safe.encode()) <= 102
        parts = safe_path(name)
        assert 1 <= len(parts) <= 8
        assert (Path("/x").joinpath(*parts)).resolve().is_relative_to("/x")

    check()


def test_the_server_itself_needs_no_torch():
    """It starts at once, and stays small beside the worker."""
    import subprocess
    import sys

    from lianpu import checkpoint
    from lianpu.studio import project

    script = (
        "import sys, lianpu.studio.server; assert not {'torch', 'scipy', 'av'} & set(sys.modules), set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=WAIT)
    assert project.SHIPPED == checkpoint.SHIPPED


def test_a_torn_job_file_hides_no_other(tmp_path):
    project = Project(tmp_path)
    project.write_job({"id": "20250101-000000-000000-aaaaaaaa", "kind": "draw", "state": "done"})
    torn = tmp_path / "jobs" / "20250101-000000-000000-bbbbbbbb"
    torn.mkdir()
    (torn / "job.json").write_text('{"id": "2025')
    assert [j["state"] for j in project.jobs()] == ["done"]


def test_pictures_of_a_job_are_whole_or_not_there(tmp_path):
    """A picture half written when the power went is no result."""
    project = Project(tmp_path)
    out = tmp_path / "jobs" / "20250101-000000-000000-aaaaaaaa" / "out"
    out.mkdir(parents=True)
    (out / ".partial-1-x.png").write_bytes(b"half")
    (out / "x.png").write_bytes(
        images.encode_png(images.of_lines(__import__("numpy").zeros((8, 8))), provenance.png_text({"verb": "x"}))
    )
    assert [r["name"] for r in project.results()] == ["x.png"]


def test_what_was_being_removed_when_the_power_went_is_gone(tmp_path):
    project = Project(tmp_path)
    id = "20250101-000000-000000-aaaaaaaa"
    for kind, note in (("jobs", "job.json"), ("sources", "source.json")):
        dying = tmp_path / kind / f".partial-dying-{id}"
        (dying / "out").mkdir(parents=True)
        (dying / "out" / "x.png").write_bytes(b"picture")
        (dying / note).write_text(json.dumps({"id": id, "kind": "draw", "state": "done"}))
    (tmp_path / ".again-x").mkdir()
    going = tmp_path / "jobs" / id / "out" / "x.png"
    going.parent.mkdir(parents=True)
    going.symlink_to("nowhere")  # listed, and then not there
    assert not [*project.jobs(), *project.sources(), *project.results()]
    project.tidy()
    assert not list(tmp_path.rglob(".*"))


def test_pages_open_with_the_masks(opened):
    generators = [model["id"] for model in opened.get("/api/state")["models"] if model["kind"] == "stylegan2"]
    assert generators[0] == "opera-mask-64"
    assert "clay-head-64" in generators
