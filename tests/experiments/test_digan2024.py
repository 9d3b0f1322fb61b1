"""The whole experiment, made tiny: teacher, lifters, truth; gone on with, it is the same; a lifter of another teacher is no result."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lianpu import api, checkpoint, cli, images
from lianpu.config import to_dict
from lianpu.data.samples import heads
from lianpu.errors import DataError, ModelError, UsageError
from lianpu.experiments import base, digan2024, lifting, stages
from lianpu.experiments.claims import Measured, judge
from lianpu.experiments.claims2024 import ASYMMETRY, CLAIMS, LESS, SHARE, WHOLE
from lianpu.experiments.digan2024 import SCALES, Digan2024
from lianpu.metrics import geometry, identity
from lianpu.metrics import suite as measures
from lianpu.metrics.suite import Row
from lianpu.nets.digan import Face
from lianpu.nets.stylegan2 import Generator
from lianpu.progress import Progress
from lianpu.render import camera, surface
from lianpu.report.words import Words
from tests.test_painter import CONFIG

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
        assert ({"SIDE", "MAD (degrees)", "yaw correlation", ASYMMETRY} <= names) == lifter
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
        lifters = [f"{what}-{row}-seed0" for what in ("train", "evaluate") for row in ("digan", "digan-wo-flip")]
        assert {"codes", *lifters} <= stale
        assert not stale & {"data", "evaluate-real", "train-ada-seed0"}
        (train,) = (stage for stage in whole.stages() if stage.name == "train-digan-seed0")
        with pytest.raises(UsageError, match="begun with another teacher"):
            whole.train(train, QUIET, None)
    finally:
        model.write_text(was, "utf-8")
    assert all(entry["state"] == "done" for entry in stages.states(whole).values())


@pytest.mark.slow
def test_a_teacher_that_exists_is_lifted_and_none_is_trained(whole, tmp_path):
    given = tmp_path / "mine"
    shutil.copytree(whole.folder / "runs" / "teacher-seed0" / "model", given)
    began = digan2024.create(tmp_path / "x", MINI, rows=("digan",), teacher=str(given), device="cpu")
    assert {s.facts["row"] for s in began.stages() if s.kind == "train"} == {"digan"}
    assert {s["name"] for s in digan2024.forecast(began, 1)["stages"] if s["seconds"]} == {"train-digan-seed0", "codes"}
    base.begin(began)
    plan = stages.run(began, threads=1, report=QUIET)
    assert {name: e["error"] for name, e in plan.items() if e["state"] != "done"} == {}
    known = checkpoint.read_model(given)
    assert checkpoint.read_model(began.folder / "runs" / "digan-seed0" / "model").teacher["sha256"] == known.sha256
    summary = digan2024.summary(Digan2024.open(began.folder))
    teacher, lifter = summary["main"]
    assert (summary["given_teacher"], teacher["row"], teacher["model"]["sha256"]) == ("mine", "teacher", known.sha256)
    assert "cost" not in teacher and lifter["cost"]["images"] > 0
    assert str(tmp_path) not in json.dumps({k: v for k, v in summary.items() if k != "plan"})
    drawn = [json.loads((e.folder / "drawn" / "series.json").read_text("utf-8"))["seed"] for e in (began, whole)]
    assert drawn[0] != drawn[1], "what it was shown must not be what it is compared with"
    (tmp_path / "x" / "summary.json").write_text(json.dumps(summary), "utf-8")
    assert api.report([began.folder], tmp_path / "page.html")[0].is_file()
    with pytest.raises(UsageError, match="another given teacher"):
        digan2024.create(tmp_path / "x", MINI, rows=("digan",), device="cpu")
    lifted = str(began.folder / "runs" / "digan-seed0" / "model")
    with pytest.raises(ModelError, match="the teacher must be a stylegan2 of 64 px"):
        digan2024.create(tmp_path / "y", MINI, rows=("digan",), teacher=lifted, device="cpu")
    with pytest.raises(UsageError, match="yan2023 has no teacher"):
        api.experiment(tmp_path / "y", "rehearsal", teacher=str(given), report=QUIET)
    assert not (tmp_path / "y").exists()


def test_an_experiment_of_before_a_setting_was_there_is_opened(tmp_path):
    began = digan2024.create(tmp_path / "x", MINI, rows=("digan",), device="cpu")
    base.begin(began)
    path = began.folder / "experiment.json"
    facts = json.loads(path.read_text("utf-8"))
    assert facts.pop("given_teacher") == ""
    path.write_text(json.dumps(facts), "utf-8")
    assert Digan2024.open(began.folder) == began
    facts.pop("own_data")
    path.write_text(json.dumps(facts), "utf-8")
    with pytest.raises(DataError, match=r"experiment\.json is damaged"):
        Digan2024.open(began.folder)


@pytest.mark.slow
def test_shapes_are_those_of_the_held_out_pictures(whole):
    """What the rows say is what the geometry says of each face, one by one."""
    truth = heads.read(whole.folder / "held")
    codes = whole._found(whole._searching)
    assert codes is not None
    network, _ = checkpoint.load_model(whole.folder / "runs" / "digan-seed0" / "model", "digan")
    mean = geometry.mean_depth(torch.from_numpy(truth.depth))
    rows = {row.metric: row for row in lifting.of_shape(network, codes, truth, mean)}
    with torch.no_grad():  # lifted together: rounding alone may take a pixel over an edge of what is head
        face = network.of_layers(codes.ws)
        seen = network.look(face, face.view, face.light)
    sides = []
    for mine, its in zip(seen.depth, torch.from_numpy(truth.depth), strict=True):
        depth, true = mine[None], its[None]
        head = geometry.head(depth)
        there = torch.where(geometry.present(head), mean, camera.EMPTY)
        found = [geometry.side(x, true) for x in (head, depth, there)]
        sides.append([float(x) for x in (*found, geometry.overlap(head, true))])
    side, over_all, of_mean, iou = np.array(sides).reshape(-1, 2, 4).mean(1).mean(0)
    assert rows["SIDE"].value == pytest.approx(side, rel=1e-5)
    assert rows["SIDE over all of the true head"].value == pytest.approx(over_all, rel=1e-5)
    assert rows["SIDE less the mean depth's"].value == pytest.approx(side - of_mean, abs=1e-6)
    assert rows["head found (IoU)"].value == pytest.approx(iou, rel=1e-6)
    assert rows["SIDE"].low < rows["SIDE"].value < rows["SIDE"].high


class Perfect:
    """Answers as a lifter would that knows each held-out picture: ground behind the head, the light in the head's own frame."""

    def __init__(self, truth: heads.Truth) -> None:
        self.truth, self.at = truth, 0

    def lifted(self, network: object, ws: torch.Tensor) -> dict[str, torch.Tensor]:
        some = slice(self.at, self.at + len(ws))
        self.at += len(ws)
        depth, view, light = (torch.from_numpy(getattr(self.truth, k)[some]) for k in ("depth", "view", "light"))
        lamp = surface.light(light)
        x, y, z = surface.carried(lamp, camera.pose(view).rotation.mT).direction.unbind(1)
        own = torch.stack([light[:, 0], light[:, 1], x / z, y / z], 1)
        return {"depth": torch.where(depth < camera.EMPTY - 1e-6, depth, camera.BORDER), "view": view, "light": own}


def test_the_truth_itself_has_no_error(tmp_path, monkeypatch):
    heads.write(tmp_path, 8, 5, 64, views=2, damage=0.0, workers=1)
    truth = heads.read(tmp_path)
    monkeypatch.setattr(lifting, "_lifted", Perfect(truth).lifted)
    codes = lifting.Codes(torch.zeros(8, 1, 1), torch.zeros(8), torch.ones(8))
    mean = geometry.mean_depth(torch.from_numpy(truth.depth))
    rows = {row.metric: row for row in lifting.of_shape(None, codes, truth, mean)}  # type: ignore[arg-type]
    for name in ("SIDE", "MAD (degrees)", "rotation error (degrees)", "light direction error (degrees)"):
        assert rows[name].value == pytest.approx(0, abs=1e-3), name
    assert rows["yaw correlation"].value == pytest.approx(1)
    assert rows["depth correlation"].value == pytest.approx(1)
    apart = rows["two views' depths apart"]
    assert apart.value < 0.004, "the views are rasterised, their depths interpolated"
    assert apart.n == 4
    walls = lifting.yardsticks(truth, mean)
    for name in ("flat", "mean"):
        assert all(row.value > rows[row.metric].value + 1e-3 for row in walls[name])
    for row in walls["mean"]:
        assert rows[f"{row.metric} less the mean depth's"].value == pytest.approx(-row.value, rel=0.01)
    assert rows["head found (IoU)"].value > 0.99, "but for the few of its pixels that lie as deep as ground"
    assert rows["SIDE over all of the true head"].value == pytest.approx(0, abs=1e-3)


def test_faces_are_as_symmetric_as_they_are(monkeypatch):
    """A ball has two halves alike, a tilted one has not; and where no face is, nothing is said."""
    at = torch.linspace(-1, 1, 64)
    ball = 1 - 0.08 * (1 - at**2 - at[:, None] ** 2).clamp(min=0).sqrt()
    faces = {"ball": ball, "tilted": ball + 0.01 * at, "none": torch.full((64, 64), camera.BORDER)}

    def row(name: str, true: torch.Tensor | None = None) -> Row:
        monkeypatch.setattr(lifting, "new_face", lambda *x: SimpleNamespace(depth=faces[name][None]))
        return lifting.of_symmetry(None, 3, true)  # type: ignore[arg-type]

    assert row("ball").value == pytest.approx(0, abs=0.01)
    assert row("tilted", faces["ball"][None]).value > 5
    assert "true heads have 0.0" in row("tilted", faces["ball"][None]).note
    assert row("none").value is None and "undefined" in row("none").note


def test_a_head_that_shrinks_is_no_better_than_the_mean_depth_that_it_is(tmp_path, monkeypatch):
    """One that is the mean depth, on half of the pixels, is no better than the mean depth, and covers half."""
    heads.write(tmp_path, 4, 5, 64, views=2, damage=0.0, workers=1)
    truth = heads.read(tmp_path)
    mean = geometry.mean_depth(torch.from_numpy(truth.depth))
    left = torch.arange(64) < 32

    def half(network: object, ws: torch.Tensor) -> dict[str, torch.Tensor]:
        depth = torch.where(left & geometry.present(torch.from_numpy(truth.depth)), mean, camera.BORDER)
        return {"depth": depth, "view": torch.zeros(4, 6), "light": torch.zeros(4, 4)}

    monkeypatch.setattr(lifting, "_lifted", half)
    codes = lifting.Codes(torch.zeros(4, 1, 1), torch.zeros(4), torch.ones(4))
    rows = {row.metric: row for row in lifting.of_shape(None, codes, truth, mean)}  # type: ignore[arg-type]
    for name in ("SIDE", "MAD (degrees)"):
        assert rows[f"{name} less the mean depth's"].value == 0
    assert 0.3 < rows["head found (IoU)"].value < 0.7
    assert rows["SIDE over all of the true head"].value > 2 * rows["SIDE"].value


def test_a_head_is_turned_under_a_light_that_stays():
    """A true head's own depth and albedo, turned by the renderer of lifters, is shaded as the head that is truly turned."""
    one = heads.head(5, 0)
    still = one.see((0,) * 6, identity.NEUTRAL, 64)
    depth = torch.from_numpy(np.where(still.mask, still.depth, camera.BORDER))[None]
    albedo = images.to_float(still.albedo[None])
    T = torch.from_numpy(still.mask)[None, None].float()

    class Known:
        """A lifter whose only face is that head."""

        config = SimpleNamespace(teacher=SimpleNamespace(classes=0), outlined=False)

        def of_seed(self, seed, number, truncation):
            zero = torch.zeros(1, 6)
            return Face(zero, albedo, albedo, depth, T, zero, zero[:, :4])

    show, true = lifting.turning(Known(), 1, 64), lifting.true_heads(5, 64, 64, portrait=False)
    for yaw in (-30, 30):
        mine, its = show(0, yaw).astype(float), true(0, yaw).astype(float)
        on = one.see((0, yaw / 60, 0, 0, 0, 0), identity.NEUTRAL, 64).mask
        on[:, :12] = on[:, -12:] = False
        apart = np.abs(mine - its)[on].mean()
        fixed = np.abs(show(0, 0).astype(float) - its)[on].mean()
        assert apart < 0.75 * fixed
        assert np.corrcoef(mine[on].mean(-1), its[on].mean(-1))[0, 1] > 0.75


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


def test_an_embedder_that_sees_no_face_leaves_a_row_that_says_so():
    class Blind:
        name = "identity (blind)"

        def __call__(self, views):
            raise DataError("no face was found in the frontal view.")

    rows, cosines = lifting.of_identity(Blind(), lambda i, yaw: np.zeros((2, 2, 3), np.uint8), 3, None)
    assert [(row.value, row.n) for row in rows] == [(None, 0)] * 4
    assert all("no" in row.note and "face" in row.note for row in rows)
    assert json.dumps(cosines, allow_nan=False)


def test_a_search_that_was_stopped_goes_on(tmp_path, monkeypatch):
    torch.manual_seed(1)
    teacher = Generator(CONFIG).requires_grad_(False).eval()
    pictures = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    monkeypatch.setattr(lifting, "AT_ONCE", 2)
    told: list[int] = []
    options = {"steps": 2, "count": lambda done, total, what: told.append(done), "key": "a"}
    whole = lifting.codes(teacher, pictures, **options, keep=tmp_path / "whole")
    assert lifting.codes(teacher, pictures, **options, keep=tmp_path / "x", stop=lambda: len(told) > 4) is None
    assert lifting.found_codes(tmp_path / "x", "a", 5) is None
    first = (tmp_path / "x" / "00000.safetensors").stat().st_mtime_ns
    again = lifting.codes(teacher, pictures, **options, keep=tmp_path / "x")
    assert (tmp_path / "x" / "00000.safetensors").stat().st_mtime_ns == first, "what was found is not sought again"
    kept = lifting.found_codes(tmp_path / "x", "a", 5)
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(whole, again, kept, strict=True))
    assert lifting.found_codes(tmp_path / "x", "b", 5) is None, "another teacher's"
    (tmp_path / "x" / "00002.safetensors").write_bytes(b"torn")
    assert lifting.found_codes(tmp_path / "x", "a", 5) is None


def table(values: dict[tuple[str, str], float]):
    """A look at a table whose rows have these values, surely."""
    return lambda metric, row: Measured(*[(values[metric, row],)] * 3) if (metric, row) in values else None


GOOD = {
    ("frechet", "digan"): 10, ("frechet", "teacher"): 9.5, ("frechet", "ada"): 12, ("frechet", "digan-wo-flip"): 8,
    ("yaw correlation", "digan"): 0.95, (ASYMMETRY, "digan"): 5, (ASYMMETRY, "digan-wo-flip"): 7,
    **{("SIDE", wall): v for wall, v in (("flat", 0.014), ("mean", 0.009))},
    **{("MAD (degrees)", wall): v for wall, v in (("flat", 40), ("mean", 24))},
    (WHOLE.format("SIDE"), "digan"): 0.008, (WHOLE.format("MAD (degrees)"), "digan"): 20,
    (LESS.format("SIDE"), "digan"): -0.002, (LESS.format("MAD (degrees)"), "digan"): -6,
    (LESS.format("SIDE"), "liftedgan"): -0.001, (LESS.format("MAD (degrees)"), "liftedgan"): -4,
    **{(LESS.format(m), f"digan-wo-{x}"): v for x in ("flip", "idt", "rega") for m, v in (("SIDE", 0.003), ("MAD (degrees)", 6))},
    **{(SHARE.format(t), row): v for t in (15, 30, 45, 60) for row, v in (("digan", 0.9), ("liftedgan", 0.8))},
}  # fmt: skip


def test_a_table_that_says_what_is_claimed_agrees_and_its_opposite_does_not():
    assert {c["name"]: c["verdict"] for c in judge(table(GOOD), CLAIMS)} == dict.fromkeys(
        (c.name for c in CLAIMS), "agrees"
    )
    bad = {k: 1000 / v if k[1] == "digan" or k == ("frechet", "digan-wo-flip") else v for k, v in GOOD.items()}
    bad |= {k: 0.01 for k in GOOD if k[1] == "digan" and (k[0].startswith("identity") or k[0] == "yaw correlation")}
    bad |= {k: 9 for k in GOOD if k[1] == "digan" and k[0].endswith("mean depth's")}
    bad["frechet", "digan-wo-flip"] = 2000
    assert {c["name"]: c["verdict"] for c in judge(table(bad), CLAIMS)} == dict.fromkeys(
        (c.name for c in CLAIMS), "disagrees"
    )


def test_better_than_liftedgan_is_on_one_measure_and_clearly_worse_on_none():
    def verdict(**changed: float) -> str:
        names = {"side": "SIDE", "mad": "MAD (degrees)"}
        values = GOOD | {(LESS.format(names[k]), "digan"): v for k, v in changed.items()}
        return next(c["verdict"] for c in judge(table(values), CLAIMS) if c["name"] == "beats-liftedgan")

    assert verdict() == "agrees"
    assert verdict(mad=-4) == "agrees"
    assert verdict(mad=-3) == "disagrees"


def test_the_teachers_rivals_differ_from_it_in_nothing_but_what_the_discriminator_sees():
    for scale in SCALES.values():
        experiment = Digan2024(Path("x"), scale, tuple(digan2024.NAMES), scale.seeds)
        plain = [to_dict(experiment.recipe(row)) for row in digan2024.PAINTERS]
        for one in plain:
            one.pop("augment")
            one["net"].pop("time")
        assert all(one == plain[0] for one in plain), scale.name


def test_with_data_of_ones_own_there_is_no_truth(whole, tmp_path):
    own = digan2024.create(tmp_path / "x", MINI, rows=("digan",), data=whole.data, device="cpu")
    assert [s.name for s in own.stages()] == [
        "data", "evaluate-real", "train-teacher-seed0", "evaluate-teacher-seed0", "train-digan-seed0", "evaluate-digan-seed0",
    ]  # fmt: skip
    base.begin(own)
    stages.run(own, threads=1, report=QUIET, minutes=0.02)
    own.perform(own.stages()[0], QUIET, None)
    facts = digan2024.summary(own)
    assert str(tmp_path) not in json.dumps(facts)
    assert str(whole.data) not in json.dumps(facts)
    assert any("nobody knows the true shapes" in gap["why"]["en"] for gap in facts["not_run"])
    (own.folder / "summary.json").write_text(json.dumps(facts, ensure_ascii=False), "utf-8")
    html, *_ = api.report([own.folder], tmp_path / "page.html")
    assert "clay heads" not in html.read_text("utf-8").replace("embedder of clay heads", "")


@pytest.mark.slow
def test_a_forecast_times_every_run_and_the_search(tmp_path):
    experiment = digan2024.create(tmp_path / "x", MINI, rows=("digan",), device="cpu")
    plan = digan2024.forecast(experiment, 2)
    assert {s["name"] for s in plan["stages"] if s["seconds"]} == {"train-teacher-seed0", "train-digan-seed0", "codes"}
    assert not (tmp_path / "x").exists()


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


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_shows_every_table_and_figure(whole, lang, tmp_path):
    facts = json.dumps(digan2024.summary(whole), ensure_ascii=False)
    (whole.folder / "summary.json").write_text(facts, "utf-8")
    html, table, _ = api.report([whole.folder], tmp_path / "page.html", lang=lang)
    text = html.read_text("utf-8")
    words = Words(lang)
    for key in (
        "lift.shapes",
        "lift.table1",
        "lift.table2",
        "lift.table3",
        "lift.figure2",
        "lift.figure3",
        "lift.figure4",
        "lift.data",
    ):
        assert f">{words(key)}</h2>" in text, key
    assert text.count("data:image/png") == 4
    for name in ("flat", "mean"):
        assert words(f"lift.{name}") in text
    lines = table.read_text("utf-8")
    assert "digan-wo-flip" in lines
    assert "MAD (degrees)" in lines


@pytest.mark.slow
def test_a_lifter_of_ones_own_is_measured_by_the_command(whole, tmp_path, capsys):
    model = whole.folder / "runs" / "digan-seed0" / "model"
    rows = api.evaluate(model, suite="geometry", against=whole.folder / "held", n=4)
    found = {row.metric: row for row in rows}
    assert found["SIDE"].n == 4
    assert found["SIDE, flat depth"].value > 0
    assert set(lifting.CHECKS["geometry"]) <= {row.key for row in rows}
    assert len({row.key for row in rows if row.extra["key"]}) == sum(bool(row.extra["key"]) for row in rows)
    with pytest.raises(SystemExit, match="0"):
        cli.main(["evaluate", str(model), "--suite", "identity", "-n", "2", "--json", "--quiet"])
    said = {row["metric"] for row in json.loads(capsys.readouterr().out)}
    assert "identity (clay) kept at 30 degrees" in said
    assert not any("true heads" in name for name in said), "no true heads were given"


@pytest.mark.slow
def test_a_measure_of_shape_needs_a_lifter_and_true_heads_of_its_size(whole, tmp_path):
    model = whole.folder / "runs" / "digan-seed0" / "model"
    with pytest.raises(UsageError, match="true heads are needed"):
        api.evaluate(model, suite="geometry")
    with pytest.raises(ModelError, match="knows no shapes"):
        api.evaluate("opera-mask-64", suite="geometry", against=whole.folder / "held")
    with pytest.raises(UsageError, match="--against is missing"):
        api.evaluate("opera-mask-64")
    heads.write(tmp_path / "small", 2, 0, 32, workers=1)
    with pytest.raises(DataError, match="32 px"):
        api.evaluate(model, suite="geometry", against=tmp_path / "small")
    with pytest.raises(DataError, match="not a folder of drawn heads"):
        api.evaluate(model, suite="geometry", against=tmp_path)
    with pytest.raises(UsageError, match="-n is 0"):
        api.evaluate(model, suite="identity", n=0)
    with pytest.raises(UsageError, match="--size means nothing to --suite geometry"):
        api.evaluate(model, suite="geometry", against=whole.folder / "held", size=32)
    for suite, keys in lifting.CHECKS.items():
        assert all(measures.parse_check(f"{key}>0.5", keys)[0] == key for key in keys), suite
    with pytest.raises(UsageError, match="no metric named sidd"):
        measures.parse_check("sidd>0.5", lifting.CHECKS["geometry"])
