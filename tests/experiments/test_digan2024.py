"""The whole experiment, made tiny: teacher, lifters, truth; gone on with, it is the same; a lifter of another teacher is no result."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lianpu import api, checkpoint
from lianpu.data.samples import heads
from lianpu.errors import UsageError
from lianpu.experiments import base, digan2024, lifting, stages
from lianpu.experiments.digan2024 import SCALES, Digan2024
from lianpu.metrics import geometry, identity
from lianpu.progress import Progress

QUIET = Progress(quiet=True)
MINI = replace(SCALES["rehearsal"], name="mini", held=3, heads=40, turned=2, n=8, steps=4)
ROWS = ("ada", "digan", "digan-wo-flip")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Digan2024:
    """An uninterrupted experiment."""
    experiment = digan2024.create(tmp_path_factory.mktemp("whole") / "x", MINI, rows=ROWS, device="cpu")
    base.begin(experiment)
    plan = stages.run(experiment, threads=1, report=QUIET)
    assert {name: e["error"] for name, e in plan.items() if e["state"] != "done"} == {}
    return experiment


@pytest.mark.slow
def test_every_row_is_measured_by_one_protocol(whole):
    summary = digan2024.summary(whole)
    assert summary["finished"]
    assert [e["row"] for e in summary["main"]] == ["teacher", "digan", "digan-wo-flip", "ada"]
    for e in summary["main"]:
        names = {r["metric"] for r in e["rows"]}
        lifter = e["row"] in digan2024.LIFTERS
        assert ({"SIDE", "MAD (degrees)", "yaw correlation"} <= names) == lifter
        assert ("identity (clay) kept at 30 degrees, share of the true heads'" in names) == lifter
        assert any(name.startswith("KD") for name in names) or not base.extractors()
        assert e["cost"]["images"] > 0
        side = [r for r in e["rows"] if r["metric"] == "SIDE"]
        assert all(r["n"] == 2 * MINI.held and r["extra"]["heads"] == MINI.held for r in side)
    assert set(summary["real"]["yardsticks"]) == {"flat", "mean"}
    text = json.dumps(summary, allow_nan=False)
    assert str(whole.folder.parent) not in text, "folders of this machine do not belong into a result"
    assert api.inspect(whole.folder)["done"] == len(summary["plan"])


@pytest.mark.slow
def test_a_new_teacher_makes_all_that_stands_on_it_stale(whole):
    model = whole.folder / "runs" / "teacher-seed0" / "model" / "model.json"
    was = model.read_text("utf-8")
    facts = json.loads(was)
    model.write_text(json.dumps({**facts, "sha256": "0" * 64}), "utf-8")
    try:
        states = stages.states(whole)
        stale = {name for name, entry in states.items() if entry["state"] != "done"}
        assert {"codes", "train-digan-seed0", "train-digan-wo-flip-seed0"} <= stale
        assert not stale & {"data", "evaluate-real", "train-ada-seed0"}
    finally:
        model.write_text(was, "utf-8")
    assert all(entry["state"] == "done" for entry in stages.states(whole).values())


@pytest.mark.slow
def test_shapes_are_those_of_the_held_out_pictures(whole):
    """What the rows say is what the geometry says of faces that are lifted one by one."""
    truth = heads.read(whole.folder / "held")
    codes = lifting.Codes.load(whole.folder / "codes.safetensors")
    network, _ = checkpoint.load_model(whole.folder / "runs" / "digan-seed0" / "model", "digan")
    rows = {row.metric: row for row in lifting.of_shape(network, codes, truth)}
    sides = []
    with torch.no_grad():
        for ws, depth in zip(codes.ws, truth.depth, strict=True):
            face = network.of_layers(ws[None])
            seen = network.look(face, face.view, face.light)
            sides.append(float(geometry.side(seen.depth, torch.from_numpy(depth)[None])))
    of_heads = np.array(sides).reshape(-1, 2).mean(1)
    assert rows["SIDE"].value == pytest.approx(of_heads.mean(), rel=1e-5)
    assert rows["SIDE"].low < rows["SIDE"].value < rows["SIDE"].high


class Perfect:
    """A network that knows each held-out picture."""

    def __init__(self, truth: heads.Truth) -> None:
        self.truth, self.at = truth, 0

    def lifted(self, network: object, ws: torch.Tensor) -> dict[str, torch.Tensor]:
        some = slice(self.at, self.at + len(ws))
        self.at += len(ws)
        t = self.truth
        names = {"depth": t.depth, "canonical": t.canonical, "view": t.view, "light": t.light}
        return {name: torch.from_numpy(values[some]) for name, values in names.items()}


def test_the_truth_itself_has_no_error(tmp_path, monkeypatch):
    heads.write(tmp_path, 8, 5, 64, views=2, damage=0.0, workers=1)
    truth = heads.read(tmp_path)
    monkeypatch.setattr(lifting, "_lifted", Perfect(truth).lifted)
    codes = lifting.Codes(torch.zeros(8, 1, 1), torch.zeros(8), torch.ones(8))
    rows = {row.metric: row for row in lifting.of_shape(None, codes, truth)}  # type: ignore[arg-type]
    for name in ("SIDE", "SIDE, straight ahead", "MAD (degrees)", "rotation error (degrees)", "light direction error (degrees)"):
        assert rows[name].value == pytest.approx(0, abs=1e-4), name
    assert rows["yaw correlation"].value == pytest.approx(1)
    assert rows["depth correlation"].value == pytest.approx(1)
    apart = rows["two views' depths apart"]
    assert apart.value < 0.004, "the views are rasterised, their depths interpolated"
    assert apart.n == 4
    walls = lifting.yardsticks(truth, truth.depth)
    for name in ("flat", "mean"):
        assert all(row.value > rows[row.metric].value + 1e-3 for row in walls[name])


def test_identity_rows_say_the_share_of_the_ceiling():
    yaws = identity.YAWS

    class Angle:
        """Sees nothing but the yaw, which is written in the picture."""

        name = "identity (angle)"

        def __call__(self, views):
            turn = np.radians([float(view[0, 0, 0]) for view in views])
            return np.stack([np.cos(turn), np.sin(turn)], 1)

    def show(i: int, yaw: int) -> np.ndarray:
        return np.full((2, 2, 3), abs(yaw), np.uint8)

    ceiling = {yaw: np.full(4, np.cos(np.radians(yaw / 2))) for yaw in yaws}
    rows, cosines = lifting.of_identity(Angle(), show, 4, ceiling)
    found = {row.metric: row.value for row in rows}
    assert found["identity (angle) kept at 30 degrees"] == pytest.approx(np.cos(np.radians(30)))
    share = found["identity (angle) kept at 60 degrees, share of the true heads'"]
    assert share == pytest.approx(np.cos(np.radians(60)) / np.cos(np.radians(30)))
    assert set(cosines) == set(yaws)


def test_what_it_cannot_be_told_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no scale"):
        digan2024.create(tmp_path / "x", "tny")
    with pytest.raises(UsageError, match="no row"):
        digan2024.create(tmp_path / "x", MINI, rows=["digna"])
    with pytest.raises(UsageError, match="few-shot"):
        api.experiment(tmp_path / "x", "rehearsal", paper="digan2024", few=[5], report=QUIET)
    assert not (tmp_path / "x").exists()


def test_every_recipe_of_every_scale_exists():
    for scale in SCALES.values():
        experiment = Digan2024(Path("x"), scale, tuple(digan2024.NAMES), scale.seeds)
        for row in digan2024.NAMES:
            chosen = experiment.recipe(row)
            assert chosen.net.resolution == experiment.resolution
            assert chosen.kimg == (scale.lifter_kimg if row in digan2024.LIFTERS else scale.kimg)
