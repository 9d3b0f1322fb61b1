"""The whole experiment, made tiny: every row trained, evaluated, judged and put on its page; killed and gone on with, it is the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from lianpu import api, checkpoint, recipes
from lianpu.data import check, records
from lianpu.errors import CheckFailed, ResourceError, UsageError
from lianpu.experiments import base, stages, yan2023
from lianpu.experiments.yan2023 import ROWS, SCALES, Yan2023
from lianpu.metrics.classify import JudgeConfig
from lianpu.progress import Progress

QUIET = Progress(quiet=True)
MINI = replace(
    SCALES["rehearsal"],
    name="mini",
    kimg=0.096,
    originals=70,
    few=(6,),
    n=20,
    settings=(
        "net.channel_base=128", "net.channel_max=8", "net.z_dim=8", "net.w_dim=8", "batch=8", "tick_kimg=0.032",
        "snapshot_kimg=0.032", "samples=4", "augment.interval=2",
    ),
    painter_kimg=0.016,
    painter_settings=(
        "net.resolution=32", "net.width=4", "net.width_max=8", "net.hidden=4", "net.discriminator_width=4", "batch=4",
        "tick_kimg=0.008", "snapshot_kimg=0.008", "samples=2", "features=random",
    ),
    painted=6,
    judge=JudgeConfig(train_per_class=4, test_per_class=1, epochs=2),
    shown=6,
)  # fmt: skip
TWO = ("stylegan2", "ada")
PAINT = ("matcher", "spade-vae", "cocosnet")


def begin(folder: Path, **options) -> Yan2023:
    experiment = yan2023.create(folder, MINI, rows=TWO, device="cpu", **options)
    base.begin(experiment)
    return experiment


def perform(experiment: Yan2023) -> dict:
    return stages.run(experiment, threads=1, report=QUIET)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Yan2023:
    """An uninterrupted experiment."""
    experiment = begin(tmp_path_factory.mktemp("whole") / "x")
    plan = perform(experiment)
    assert {name: e["error"] for name, e in plan.items() if e["state"] != "done"} == {}
    return experiment


def essence(folder: Path) -> dict[str, object]:
    """What an experiment found, without how long it took."""
    found: dict[str, object] = {}
    for path in sorted((folder / "results").glob("*.json")):
        result = json.loads(path.read_text("utf-8"))
        for key in ("seconds", "cost", "judge"):
            result.pop(key, None)
        found[path.name] = result
    for path in sorted(folder.glob("runs/*/model/model.json")):
        found[str(path.relative_to(folder))] = json.loads(path.read_text("utf-8"))["sha256"]
    for path in sorted((folder / "figures").glob("*.png")):
        found[path.name] = path.read_bytes()
    return found


@pytest.mark.slow
def test_every_row_is_there_with_its_protocol(whole):
    summary = yan2023.summary(whole)
    assert summary["finished"]
    assert [(e["row"], e["seed"]) for e in summary["main"]] == [("stylegan2", 0), ("ada", 0)]
    assert {(e["row"], e["originals"]) for e in summary["few_shot"]} == {(r, n) for r in TWO for n in (6, None)}
    for e in [*summary["main"], summary["real"]]:
        assert {r["extra"]["key"] for r in e["rows"]} >= {"ssim", "palette", "symmetry"}
        assert all(r["n"] == MINI.n for r in e["rows"] if r["value"] is not None)
    assert all(
        r["n_reference"] == summary["data"]["test"]["pictures"]
        for e in summary["main"]
        for r in e["rows"]
        if r["n_reference"]
    )
    assert "memorisation" in {r["extra"]["key"] for r in summary["main"][0]["rows"]}
    assert "memorisation" not in {r["extra"]["key"] for r in summary["real"]["rows"]}
    cost = summary["main"][0]["cost"]
    assert cost["images"] == 96
    assert cost["seconds"] > 0
    assert {c["row"] for c in summary["claims"]} == {*TWO, "few-shot"}
    assert {g["what"]["en"] for g in summary["not_run"]} >= {ROWS["apa"], ROWS["diffusion"]}
    text = json.dumps(summary, allow_nan=False)
    assert str(whole.folder.parent) not in text, "folders of this machine do not belong into a result"


@pytest.mark.slow
def test_a_run_that_was_removed_after_it_was_measured_is_not_made_again(whole, tmp_path):
    folder = tmp_path / "x"
    shutil.copytree(whole.folder, folder)
    shutil.rmtree(folder / "runs")
    kept = Yan2023.open(folder)
    assert {e["state"] for e in stages.states(kept).values()} == {"done"}
    assert yan2023.summary(kept)["main"] == yan2023.summary(whole)["main"]
    (folder / "results" / "evaluate-ada-seed0.json").unlink()
    judged = folder / "results" / "evaluate-stylegan2-seed0-of6.json"
    judged.write_text(judged.read_text("utf-8").replace("batch=8", "batch=4"), "utf-8")
    left = {name for name, e in stages.states(kept).items() if e["state"] != "done"}
    ends = ("ada-seed0", "stylegan2-seed0-of6")
    assert left == {f"{verb}-{end}" for verb in ("train", "evaluate") for end in ends}, (
        "no result, or one of other settings"
    )


@pytest.fixture(scope="module")
def painted(whole, tmp_path_factory) -> Yan2023:
    """The same, gone on with: rows of Table 2 join what is done."""
    folder = tmp_path_factory.mktemp("painted") / "x"
    shutil.copytree(whole.folder, folder)
    experiment = yan2023.create(folder, MINI, rows=(*TWO, *PAINT), device="cpu")
    base.begin(experiment)
    before = stages.states(experiment)
    assert [name for name, e in before.items() if e["state"] != "done"] == [
        "evaluate-matcher", "train-spade-vae-seed0", "evaluate-spade-vae-seed0", "train-cocosnet-seed0", "evaluate-cocosnet-seed0",
    ]  # fmt: skip
    plan = perform(experiment)
    assert {name: e["error"] for name, e in plan.items() if e["state"] != "done"} == {}
    return experiment


@pytest.mark.slow
def test_translators_join_with_the_measures_of_both_tables(painted):
    summary = yan2023.summary(painted)
    assert summary["finished"]
    assert [(e["row"], e["seed"]) for e in summary["painted"]] == [("matcher", None), ("spade-vae", 0), ("cocosnet", 0)]
    assert {e["row"] for e in summary["main"]} == set(TWO)
    by_row = {e["row"]: {r["metric"]: r for r in e["rows"]} for e in [*summary["main"], *summary["painted"]]}
    shared = {m for m, r in by_row["ada"].items() if r["value"] is not None}
    for row in PAINT:
        assert shared <= set(by_row[row]), "one protocol for Tables 1 and 2"
        assert by_row[row]["edge recall within 1 px"]["n"] == MINI.painted
    assert "matches within 1/16 of the width" in by_row["cocosnet"]
    assert "matches within 1/16 of the width" in by_row["matcher"]
    assert "matches within 1/16 of the width" not in by_row["spade-vae"], "it matches nothing"
    matcher, coco = by_row["matcher"], by_row["cocosnet"]
    assert matcher["colour error (Delta E)"]["value"] < coco["colour error (Delta E)"]["value"], (
        "16 sketches teach nothing"
    )
    assert matcher["edge recall within 1 px"]["value"] > 0.8
    assert {c["row"] for c in summary["claims"]} == {*TWO, "cocosnet", "few-shot"}
    assert json.dumps(summary, allow_nan=False)


@pytest.mark.slow
def test_the_page_with_translators_shows_table_2_and_figures_4_and_5(painted, tmp_path):
    (painted.folder / "summary.json").write_text(json.dumps(yan2023.summary(painted), default=str), "utf-8")
    for lang, words in (("en", "Table 2 of the paper"), ("zh", "论文表 2")):
        page, table, _ = api.report([painted.folder], tmp_path / f"{lang}.html", lang=lang)
        html = page.read_text("utf-8")
        assert words in html
        assert html.count("data:image/png;base64,") == 6
        assert "seed None" not in html
        assert "cocosnet" in table.read_text("utf-8")


@pytest.mark.parametrize("name", ["tiny", "rehearsal", "paper"])
def test_generators_and_translators_paint_pictures_of_one_size(name, tmp_path):
    experiment = Yan2023(tmp_path, SCALES[name])
    sizes = {row: experiment.recipe(row).net.resolution for row in experiment.rows if row != "matcher"}
    assert set(sizes.values()) == {experiment.resolution}


@pytest.mark.slow
def test_no_test_picture_is_trained_on_anywhere(whole):
    try:
        check.check(whole.data, workers=1).require()
    except CheckFailed as leak:  # near-duplicates that the check's own search finds across the split
        pytest.fail(str(leak))
    test = {r["source_sha256"] for r in records.read_records(whole.data, "test")}
    trained = {r["source_sha256"] for r in records.read_records(whole.folder / "subsets" / "6", "train")}
    trained |= {r["source_sha256"] for r in records.read_records(whole.data, "train")}
    assert test
    assert not test & trained


@pytest.mark.slow
def test_a_second_call_does_nothing(whole, tmp_path):
    before = {
        p: p.stat().st_mtime_ns for p in whole.folder.rglob("*") if p.is_file() and p.name not in ("plan.json", ".lock")
    }
    perform(Yan2023.open(whole.folder))
    after = {
        p: p.stat().st_mtime_ns for p in whole.folder.rglob("*") if p.is_file() and p.name not in ("plan.json", ".lock")
    }
    assert after == before


@pytest.mark.slow
def test_an_evaluation_is_done_again_when_its_model_changes(whole, tmp_path):
    folder = tmp_path / "x"
    shutil.copytree(whole.folder, folder)
    experiment = Yan2023.open(folder)
    by_name = {s.name: s for s in experiment.stages()}
    assert experiment.done(by_name["evaluate-ada-seed0"])
    model = folder / "runs" / "ada-seed0" / "model" / "model.json"
    facts = json.loads(model.read_text("utf-8"))
    model.write_text(json.dumps({**facts, "sha256": "0" * 64}), "utf-8")
    assert not experiment.done(by_name["evaluate-ada-seed0"])
    assert experiment.done(by_name["evaluate-stylegan2-seed0"])
    model.write_text(json.dumps({**facts, "images_seen": 8}), "utf-8")
    assert not experiment.done(by_name["train-ada-seed0"])


@pytest.mark.slow
def test_the_page_shows_it_in_both_languages(whole, tmp_path):
    (whole.folder / "summary.json").write_text(json.dumps(yan2023.summary(whole), default=str), "utf-8")
    for lang, words in (("en", "What the paper says"), ("zh", "论文结论与本次结果")):
        page, table, facts = api.report([whole.folder], tmp_path / f"{lang}.html", lang=lang)
        html = page.read_text("utf-8")
        assert words in html
        assert html.count("data:image/png;base64,") == 3  # two rows and the real masks
        assert "StyleGAN2-ADA" in html
        lines = table.read_text("utf-8").splitlines()
        measured = json.loads(facts.read_text("utf-8"))["sources"][0]["main"]
        assert len(lines) > sum(len(e["rows"]) for e in measured)
    assert api.inspect(whole.folder)["done"] == len(whole.stages())


# ------------------------------------------------------------------------------------------------------- killed and gone on

SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from lianpu.progress import Progress
from tests.experiments.test_yan2023 import begin, perform
if __name__ == "__main__":
    perform(begin(Path(sys.argv[1])))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_in_every_kind_of_stage_and_gone_on_with_it_is_the_same(whole, tmp_path):
    """SIGKILL while drawing, judging, training and evaluating; the same command again each time; then equal, bit for bit."""
    folder = tmp_path / "x"
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "src")]), "OMP_NUM_THREADS": "1"}

    def past(*patterns: str) -> bool:
        return any(any(folder.glob(p)) for p in patterns)

    kills = [
        ("drawn/00010.png",),
        ("results/data.json",),
        ("runs/stylegan2-seed0/checkpoints/000000032",),
        ("runs/stylegan2-seed0/model/model.json",),
        ("runs/ada-seed0/checkpoints/000000064",),
        ("results/evaluate-ada-seed0.json",),
    ]
    for patterns in kills:
        process = subprocess.Popen([sys.executable, str(script), str(folder)], env=environment)
        end = time.monotonic() + 200
        while not past(*patterns) and process.poll() is None:
            assert time.monotonic() < end, patterns
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert past("results/evaluate-ada-seed0.json")
    perform(Yan2023.open(folder))
    assert essence(folder) == essence(whole.folder)
    assert list(folder.rglob(".partial-*")) == []


@pytest.mark.slow
def test_when_the_time_is_up_it_has_saved_and_goes_on(whole, tmp_path):
    """A training stage left early by --minutes is unfinished, not failed, and is resumed by the next call."""
    folder = tmp_path / "x"
    shutil.copytree(whole.folder, folder)
    shutil.rmtree(folder / "runs" / "ada-seed0")
    experiment = Yan2023.open(folder)
    stage = next(s for s in experiment.stages() if s.name == "train-ada-seed0")
    assert experiment.perform(stage, QUIET, minutes=0.0) is False
    assert checkpoint.states(folder / "runs" / "ada-seed0" / "checkpoints"), "a checkpoint was written"
    assert not experiment.done(stage)
    assert experiment.perform(stage, QUIET, minutes=None) is True
    assert (
        essence(folder)["runs/ada-seed0/model/model.json"] == essence(whole.folder)["runs/ada-seed0/model/model.json"]
    )


# -------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.slow
def test_another_experiment_in_the_folder_is_refused(whole, tmp_path):
    with pytest.raises(UsageError, match="another scale"):
        yan2023.create(whole.folder, replace(MINI, n=21), device="cpu")
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="something else"):
        yan2023.create(tmp_path, MINI, device="cpu")
    more = yan2023.create(whole.folder, MINI, rows=(*TWO, "apa"), seeds=(0, 1), device="cpu")
    kept = stages.states(more)
    assert kept["evaluate-ada-seed0"]["state"] == "done", "more rows and seeds keep what is done"
    assert kept["train-apa-seed1"]["state"] == "waiting"


def test_paper_scale_refuses_politely_without_cuda(tmp_path):
    with pytest.raises(ResourceError, match=r"needs CUDA(.|\n)*--scale tiny"):
        yan2023.create(tmp_path, "paper", device="cpu")
    assert yan2023.create(tmp_path, "paper", device="cpu", force=True).resolution == 256


@pytest.mark.parametrize(
    ("scale", "rows", "says"), [("tinny", (), "Did you mean tiny"), ("tiny", ("adaa",), "Did you mean ada")]
)
def test_near_misses_are_named(scale, rows, says, tmp_path):
    with pytest.raises(UsageError, match=says):
        yan2023.create(tmp_path, scale, rows=rows, device="cpu")


@pytest.mark.slow
def test_own_data_must_have_what_it_takes(whole, tmp_path):
    own = yan2023.create(tmp_path / "x", MINI, data=whole.data, device="cpu")
    assert own.data == whole.data.resolve()
    with pytest.raises(UsageError, match="a few-shot run of 5000 cannot be made"):
        yan2023.create(tmp_path / "x", MINI, data=whole.data, few=(5000,), device="cpu")


@pytest.mark.parametrize("name", SCALES)
def test_scales_are_complete(name, tmp_path):
    scale = SCALES[name]
    experiment = yan2023.create(tmp_path, scale, device="cpu", force=True)
    for row in ROWS:
        named = recipes.find(f"{scale.recipe}-{row}").config
        assert experiment.recipe(row).kimg == scale.kimg
        assert experiment.recipe(row).augment.mode == named.augment.mode
    assert Yan2023.open(_written(experiment)) == experiment
    names = [s.name for s in experiment.stages()]
    assert len(set(names)) == len(names)
    assert all(need in names[: names.index(s.name)] for s in experiment.stages() for need in s.needs)
    if name == "tiny":
        assert scale.kimg >= 100
        assert len(scale.seeds) == 2
        assert asdict(scale.judge) == asdict(JudgeConfig()), "the paper's own judge"


def _written(experiment: Yan2023) -> Path:
    base.begin(experiment)
    return experiment.folder


def test_all_rows_differ_only_in_what_the_discriminator_is_shown(tmp_path):
    experiment = yan2023.create(tmp_path, "tiny", device="cpu")
    made = [experiment.recipe(row) for row in ROWS]
    same = [replace(c, augment=made[0].augment, net=replace(c.net, time="none")) for c in made]
    assert all(c == same[0] for c in same)


@pytest.mark.slow
def test_forecast_measures_and_writes_nothing(tmp_path):
    experiment = yan2023.create(tmp_path / "x", MINI, rows=TWO, device="cpu")
    plan = yan2023.forecast(experiment, 2)
    assert set(plan["images_per_second"]) == set(TWO)
    assert all(v > 0 for v in plan["images_per_second"].values())
    train = [s["seconds"] for s in plan["stages"] if s["kind"] == "train"]
    assert all(t > 0 for t in train)
    assert plan["total_seconds"] >= sum(train) / 2
    assert not (tmp_path / "x").exists()
