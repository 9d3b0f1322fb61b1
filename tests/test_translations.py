"""Many drawings after many references as one job: whole files only, nothing made twice, nothing lost, nothing of others overwritten."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lianpu import api, cli, explain, images, provenance, translations
from lianpu.errors import DataError, ModelError, ResourceError, Stopped, UsageError
from lianpu.metrics import sources

from . import translators

pytestmark = pytest.mark.slow  # starts programs or trains: `make check` has two minutes

SKETCHES, REFERENCES = ["窦尔敦.png", "b 2.png", "b 10.png"], ["红.png", "x.png"]


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("job")
    translators.make(folder / "model", translators.COCOSNET)
    translators.draw(folder / "s", SKETCHES)
    translators.paint(folder / "r", REFERENCES)
    list(api.translate(folder / "model", folder / "s", folder / "r", folder / "out", explain=True, symmetric="both"))
    return folder


@pytest.fixture
def job(made_once: Path, tmp_path: Path) -> Path:
    """A finished job of 3 x 2 pictures, all of its own."""
    return Path(shutil.copytree(made_once, tmp_path / "job"))


def again(job: Path, **options) -> list[translations.Made]:
    options = {"explain": True, "symmetric": "both", **options}
    return list(api.translate(job / "model", job / "s", job / "r", job / "out", **options))


def pictures(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_each_with_each_named_after_both_with_a_sheet(job):
    names = [f"{s}+{r}" for s in ("b 2", "b 10", "窦尔敦") for r in ("x", "红")]  # 2 before 10
    plan = json.loads((job / "out" / translations.JOB).read_text("utf-8"))
    assert [p["file"] for p in plan["pictures"]] == [f"{n}.png" for n in names]
    matches = {f"matches/{n}{end}" for n in names for end in (".npz", ".png")}
    found = set(pictures(job / "out"))
    assert found == {f"{n}.png" for n in names} | matches | {translations.JOB, translations.SHEET}
    sheet = images.decode(job / "out" / translations.SHEET).pixels
    assert sheet.shape == (4 * 34 - 2, 3 * 34 - 2, 3)
    for i, name in enumerate(names):
        y, x = (i // 2 + 1) * 34, (i % 2 + 1) * 34
        assert np.array_equal(sheet[y : y + 32, x : x + 32], images.decode(job / "out" / f"{name}.png").pixels)


def test_run_again_everything_is_kept(job):
    before = {p: p.stat().st_mtime_ns for p in (job / "out").rglob("*.png")}
    assert all(made.kept for made in again(job))
    assert {p: p.stat().st_mtime_ns for p in (job / "out").rglob("*.png")} == before


@pytest.mark.parametrize("stop_after", [0, 1, 4])
def test_stopped_and_gone_on_with_is_never_stopped(stop_after, job):
    whole = pictures(job / "out")
    shutil.rmtree(job / "out")

    def interrupt(done: int, total: int, what: str) -> None:
        if what == "pictures" and done > stop_after:
            raise KeyboardInterrupt

    with pytest.raises(Stopped, match=rf"stopped at {stop_after + 1} of 6") as stop:
        again(job, progress=interrupt)
    assert stop.value.exit_code == 130
    assert sum(made.kept for made in again(job)) == stop_after + 1
    assert pictures(job / "out") == whole


def test_what_a_killed_process_left_is_cleared_away(job):
    whole = pictures(job / "out")
    (job / "out" / ".partial-123-窦尔敦+x.png").write_bytes(b"half")
    (job / "out" / "窦尔敦+x.png").unlink()
    (job / "out" / translations.SHEET).unlink()
    assert [made.path.name for made in again(job) if not made.kept] == ["窦尔敦+x.png"]
    assert pictures(job / "out") == whole


def test_a_changed_sketch_is_painted_anew_and_no_other(job):
    before = pictures(job / "out")
    shutil.copy(job / "s" / "b 2.png", job / "s" / "窦尔敦.png")
    made = again(job)
    assert {m.sketch for m in made if not m.kept} == {"窦尔敦.png"}
    after = pictures(job / "out")
    changed = {name for name in before if before[name] != after[name]}
    assert {n for n in changed if n.startswith("b ")} == set()
    assert translations.SHEET in changed
    assert images.decode(after["窦尔敦+x.png"]).pixels.tobytes() == images.decode(after["b 2+x.png"]).pixels.tobytes()


def test_a_new_model_of_the_same_name_paints_all_anew(job):
    shutil.rmtree(job / "model")
    translators.make(job / "model", translators.COCOSNET, seed=1)
    assert not any(made.kept for made in again(job))


def test_pictures_made_otherwise_are_not_overwritten_unless_said(job):
    before = pictures(job / "out")
    with pytest.raises(UsageError, match="6 of the pictures exist already"):
        again(job, symmetric="off")
    (job / "out" / "b 2+x.png").write_bytes((job / "s" / "b 2.png").read_bytes())
    with pytest.raises(UsageError, match=r"1 of the pictures exist already(.|\n)*b 2\+x.png"):
        again(job)
    assert {k: v for k, v in pictures(job / "out").items() if k != "b 2+x.png"} == {
        k: v for k, v in before.items() if k != "b 2+x.png"
    }
    assert not any(made.kept for made in again(job, symmetric="off", overwrite=True))


def test_without_explain_there_is_no_match_and_with_it_what_is_missing_is_made(job):
    shutil.rmtree(job / "out" / "matches")
    assert all(made.kept for made in again(job, explain=False))
    assert not (job / "out" / "matches").exists()
    before = pictures(job / "out")
    assert not any(made.kept for made in again(job))
    assert {k: v for k, v in pictures(job / "out").items() if k.endswith("png") and "match" not in k} == {
        k: v for k, v in before.items() if k.endswith("png")
    }


def test_the_match_is_written_as_numbers_and_as_a_picture(job):
    with np.load(job / "out" / "matches" / "b 2+x.npz") as match:
        assert set(match) == {"index", "confidence", "entropy", "about"}
        assert match["index"].shape == match["confidence"].shape == match["entropy"].shape == (16, 16)
        assert str(match["about"]) == explain.ABOUT
        assert 0 <= match["index"].min() <= match["index"].max() < 256
    assert images.decode(job / "out" / "matches" / "b 2+x.png").pixels.shape[1] > 1000


def test_two_by_two(job):
    translators.paint(job / "r", ["z.png"], first=14)
    made = list(api.translate("matcher", job / "s", job / "r", job / "zip", pairs="zip"))
    assert [m.path.name for m in made] == ["b 2+x.png", "b 10+z.png", "窦尔敦+红.png"]
    assert images.decode(job / "zip" / translations.SHEET).pixels.shape == (3 * 258 - 2, 3 * 258 - 2, 3)


def test_counts_that_differ_are_refused_with_both(job):
    with pytest.raises(UsageError, match="3 sketches and 2 references"):
        api.translate("matcher", job / "s", job / "r", job / "zip", pairs="zip")
    assert not (job / "zip").exists()
    with pytest.raises(UsageError, match="--pairs"):
        api.translate("matcher", job / "s", job / "r", job / "zip", pairs="al")


def test_a_broken_file_among_good_ones_is_left_out_and_named_at_the_end(job):
    whole = (job / "r" / "x.png").read_bytes()
    (job / "r" / "broken.png").write_bytes(whole[:2000])
    shutil.copy(job / "s" / "b 2.png", job / "r" / "drawing.png")
    seen = []
    with pytest.raises(
        DataError, match=r"2 files could not be used \(first: broken.png: is cut off(.|\n)*other 6 pictures"
    ):
        seen.extend(api.translate(job / "model", job / "s", job / "r", job / "new"))
    assert len(list((job / "new").glob("*+*.png"))) == 6
    left_out = json.loads((job / "new" / translations.JOB).read_text("utf-8"))["left_out"]
    assert [entry["name"] for entry in left_out] == ["broken.png", "drawing.png"]
    with pytest.raises(DataError, match=r"^broken.png: is cut off"):
        api.translate(job / "model", job / "s", job / "r" / "broken.png", job / "one")


def test_all_the_wrong_way_round_is_said_at_once(job):
    with pytest.raises(DataError, match=r"line drawing|Nothing is left"):
        api.translate("matcher", job / "r", job / "s", job / "new")
    assert not list(job.glob("new/*.png"))


def test_folders_that_hold_nothing_or_are_not_there(job):
    (job / "empty").mkdir()
    (job / "empty" / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match="empty holds no picture"):
        api.translate("matcher", job / "empty", job / "r", job / "new")
    with pytest.raises(DataError, match="there is no"):
        api.translate("matcher", job / "s", job / "nowhere", job / "new")
    with pytest.raises(UsageError, match="folder the pictures come from"):
        api.translate("matcher", job / "s", job / "r", job / "s")


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_painted(job):
    (job / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot write"):
        api.translate(job / "model", job / "s", job / "r", job / "file" / "out")


def test_names_that_would_be_the_same_are_told_apart(job):
    shutil.rmtree(job / "s")
    shutil.rmtree(job / "r")
    translators.draw(job / "s", ["a.png", "a.PNG", "A+b.png", "a:*?.png", "长" * 70 + ".png"])
    translators.paint(job / "r", ["b+c.png", "c.png"])
    made = list(api.translate(job / "model", job / "s", job / "r", job / "new"))
    names = [m.path.name for m in made]
    assert len({n.casefold() for n in names}) == 10
    assert all(len(n.encode()) < 255 and not set(n) & set(':*?"<>|\\/') for n in names)
    assert "a___+c.png" in names, "a name is only made longer where it must be"
    assert sorted(n[:4] for n in names if n.startswith("a+")) == ["a+b+", "a+b+", "a+c-", "a+c-"]
    assert all(m.kept for m in api.translate(job / "model", job / "s", job / "r", job / "new"))


# ------------------------------------------------------------------------------------------------- what made a picture


def test_a_picture_knows_what_made_it(job):
    recipe = provenance.read_recipe(job / "out" / "窦尔敦+红.png")
    assert recipe["verb"] == "translate"
    assert recipe["sketch"]["name"] == "窦尔敦.png"
    assert recipe["settings"] == {"symmetric": "both", "palette": "free"}
    assert recipe["data"]["rights"] == "known"
    assert str(job) not in json.dumps(recipe), "no path of this machine is published"
    text = images.read_text(job / "out" / "窦尔敦+红.png")["XML:com.adobe.xmp"]
    assert "compositeWithTrainedAlgorithmicMedia" in text
    facts = api.inspect(job / "out")
    assert (facts["what"], facts["sketches"], facts["references"], facts["done"]) == ("translations", 3, 2, 6)


def test_made_again_it_is_the_same(job):
    path = job / "out" / "窦尔敦+红.png"
    same, out = api.rerun(path, model=job / "model", out=job / "again.png")
    assert same
    assert out.read_bytes() == path.read_bytes()
    moved = Path(shutil.move(job, job.with_name("elsewhere")))  # with all it was made from
    assert api.rerun(moved / "out" / "窦尔敦+红.png", model=moved / "model")[0]


def test_what_is_needed_to_make_it_again_is_said(job):
    path = Path(shutil.copy(job / "out" / "b 2+x.png", job / "alone.png"))
    with pytest.raises(ModelError, match="no shipped model is named 'model'"):
        api.rerun(path)
    with pytest.raises(DataError, match=r"sketch of this picture, b 2.png, is not found(.|\n)*--sources"):
        api.rerun(path, model=job / "model")
    assert api.rerun(path, model=job / "model", sources=[job / "s", job / "r"])[0]
    shutil.copy(job / "s" / "b 10.png", job / "s" / "b 2.png")
    with pytest.raises(DataError, match=r"b 2\.png, has changed since"):
        api.rerun(path, model=job / "model", sources=[job / "s", job / "r"])
    with pytest.raises(ModelError, match="not the one that made this picture"):
        api.rerun(path, model=translators.make(job / "other", translators.COCOSNET, seed=2))


def test_paths_of_a_strangers_job_are_not_followed_out_of_its_place(job, monkeypatch):
    path = job / "out" / "b 2+x.png"
    plan = json.loads((job / "out" / translations.JOB).read_text("utf-8"))
    for wrong in (str(job / "s" / "b 2.png"), "//server/share/b 2.png", "\\\\server\\b 2.png", "C:/b 2.png", 3, None):
        plan["sketches"][0]["path"] = wrong
        (job / "out" / translations.JOB).write_text(json.dumps(plan), "utf-8")
        with pytest.raises(DataError, match="is not found"):
            api.rerun(path, model=job / "model")


@pytest.mark.parametrize(
    "change", [{"settings": 3}, {"settings": {"symmetric": "sideways"}}, {"settings": {"seed": 1}}, {"sketch": None}]
)
def test_a_damaged_recipe_is_refused(change, job):
    recipe = provenance.read_recipe(job / "out" / "b 2+x.png") | change
    (job / "x.png").write_bytes(images.encode_png(np.zeros((4, 4, 3), np.uint8), {"lianpu": json.dumps(recipe)}))
    with pytest.raises(DataError, match="damaged"):
        api.rerun(job / "x.png", model=job / "model")


def test_the_matcher_needs_no_model_to_make_it_again(job):
    made = list(api.translate("matcher", job / "s" / "b 2.png", job / "r" / "x.png", job / "one", palette="lock"))
    assert [m.path.name for m in made] == ["b 2+x.png"]
    assert set(made[0].result["delta_e"]) == {"mean", "max"}
    assert not (job / "one" / translations.SHEET).exists()
    assert api.rerun(made[0].path)[0]
    text = images.read_text(made[0].path)["XML:com.adobe.xmp"]
    assert "digitalsourcetype/algorithmicMedia" in text
    with pytest.raises(ModelError):
        api.rerun(job / "out" / "b 2+x.png", model="matcher")


def test_a_sheet_is_not_one_of_the_pictures_to_measure(job):
    shutil.rmtree(job / "out" / "matches")
    assert len(sources.folder(job / "out")) == 6


# ------------------------------------------------------------------------------------------------------ the command line


def lianpu(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    return int(end.value.code or 0)


def test_paths_on_stdout_progress_on_stderr(job, capsys):
    words = ("translate", job / "model", "--sketch", job / "s", "--reference", job / "r", "--out", job / "new")
    assert lianpu(*words, "--symmetric", "--palette", "lock") == 0
    said = capsys.readouterr()
    assert [Path(line).name for line in said.out.splitlines()][:2] == ["b 2+x.png", "b 2+红.png"]
    assert all(Path(line).is_file() for line in said.out.splitlines())
    assert "pictures  6/6" in said.err
    assert lianpu(*words, "--symmetric", "--palette", "lock", "--json") == 0
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert len(lines) == 6
    assert all(line["kept"] and line["delta_e"]["mean"] >= 0 for line in lines)
    assert lianpu(*words, "--lead", "left", "--palette", "lock") == 2  # another wish: the pictures there are kept
    assert "--overwrite" in capsys.readouterr().err


def test_exit_codes(job, capsys):
    (job / "r" / "broken.png").write_bytes(b"no picture")
    words = ("translate", "matcher", "--sketch", job / "s" / "b 2.png", "--reference", job / "r", "--out", job / "new")
    assert lianpu(*words) == 3
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 2
    assert "broken.png could not be used" in said.err
    assert lianpu(
        *words[:2], "--sketch", job / "s", "--reference", job / "r", "--pairs", "zip", "--out", os.devnull
    ) in (2, 5)
    assert lianpu("translate", job / "nowhere", *words[2:]) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_process_that_is_stopped_or_killed_leaves_whole_files_and_is_gone_on_with(number, code, job):
    whole = pictures(job / "out")
    shutil.rmtree(job / "out")
    words = ["translate", job / "model", "--sketch", job / "s", "--reference", job / "r", "--out", job / "out"]
    command = [sys.executable, "-m", "lianpu", *map(str, words), "--explain", "--symmetric"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    assert process.stdout is not None
    first = process.stdout.readline().strip()
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode in (code, 0)  # it may have been quicker
    for name, data in pictures(job / "out").items():
        assert name.rpartition("/")[2].startswith(".partial-") or data == whole[name], "whole or not there"
    made = again(job)
    assert next(m for m in made if str(m.path) == first).kept
    assert pictures(job / "out") == whole
