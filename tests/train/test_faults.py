"""What happens to real runs, in real processes: signals, kills, damaged checkpoints, full disks, two at once, changed data."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lianpu import api, checkpoint, files, images
from lianpu.errors import DataError, ModelError, ResourceError, UsageError
from lianpu.progress import Progress
from lianpu.train.loop import RunFolder
from tests.train.toys import differing

pytestmark = pytest.mark.slow  # starts programs or trains: `make check` has two minutes

TINY = [
    "-s",
    "net.channel_base=128",
    "-s",
    "net.channel_max=16",
    "-s",
    "net.z_dim=8",
    "-s",
    "net.w_dim=8",
    "-s",
    "batch=8",
    "-s",
    "tick_kimg=0.04",
    "-s",
    "snapshot_kimg=0.08",
    "-s",
    "samples=4",
    "-s",
    "augment.interval=2",
    "-s",
    "augment.speed_kimg=0.5",
]
KIMG = 0.8  # 100 steps


def lianpu(*words: str | Path, **options) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "lianpu", *map(str, words)],
        env=environment,
        text=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def training(data: Path, out: Path, kimg: float = KIMG) -> subprocess.Popen[str]:
    return lianpu("train", "--data", data, "--recipe", "tiny-32-ada", "--out", out, "-s", f"kimg={kimg}", *TINY)


def wait_for(condition, process: subprocess.Popen[str], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end, "the run did not get there"
        time.sleep(0.005)


def final(out: Path):
    state, damaged = checkpoint.newest_state(out / "checkpoints")
    assert state is not None
    assert not damaged
    return state


@pytest.fixture(scope="module")
def straight(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    out = tmp_path_factory.mktemp("runs") / "straight"
    process = training(data, out)
    _, messages = process.communicate(timeout=240)
    assert process.returncode == 0, messages
    return out


def logged(run: Path) -> list[dict]:
    drop = ("time", "seconds")
    return [{k: v for k, v in e.items() if k not in drop} for e in RunFolder(run).events("tick")]


def test_a_run_leaves_everything_a_user_needs(straight):
    names = {p.name for p in straight.iterdir()}
    assert {"config.json", "run.jsonl", "samples", "checkpoints", "model", "tensorboard"} <= names
    assert [p.name for p in checkpoint.states(straight / "checkpoints")] == ["000000720", "000000800"]
    ticks = logged(straight)
    assert [t["images"] for t in ticks] == list(range(40, 801, 40))
    assert {"loss/G", "loss/D", "loss/D R1", "p", "r_t"} <= ticks[-1].keys()
    _network, model = checkpoint.load_model(straight)
    assert (model.images_seen, model.recipe, model.data["rights"]) == (800, "tiny-32-ada", "known")
    assert not any(".partial" in p.name for p in straight.rglob("*"))


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_in_a_snapshot_and_the_run_goes_on_as_if_nothing_had_been(number, code, data, straight, tmp_path):
    out = tmp_path / "run"
    process = training(data, out)
    wait_for(lambda: (out / "run.jsonl").exists() and sum(1 for _ in RunFolder(out).events("tick")) >= 7, process)
    process.send_signal(number)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == code, messages
    stopped_at = json.loads((checkpoint.states(out / "checkpoints")[-1] / "state.json").read_text())["images"]
    assert 280 <= stopped_at < 800
    assert f"{stopped_at / 1000:.1f} kimg; a checkpoint was written" in messages
    again = lianpu("train", "--out", out)
    _, messages = again.communicate(timeout=240)
    assert again.returncode == 0, messages
    assert f"Going on at {stopped_at / 1000:.1f} kimg" in messages
    assert differing(final(out)[0], final(straight)[0]) == []
    assert logged(out) == logged(straight)


@pytest.mark.slow
def test_killed_at_any_moment_loses_at_most_one_interval(data, straight, tmp_path):
    out = tmp_path / "run"
    moments = random.Random(0)
    seen = 0
    for _ in range(6):
        process = training(data, out) if not out.exists() else lianpu("train", "--out", out)
        goal = seen + moments.randint(1, 4) * 40
        wait_for(
            lambda goal=goal: (
                (out / "run.jsonl").exists() and any(t["images"] >= goal for t in RunFolder(out).events("tick"))
            ),
            process,
        )
        time.sleep(moments.random() * 0.05)
        process.kill()
        process.communicate()
        reached = max(t["images"] for t in RunFolder(out).events("tick"))
        state, damaged = checkpoint.newest_state(out / "checkpoints")
        assert not damaged
        seen = state[1]["images"] if state else 0
        assert reached - seen <= 80 + 40
    last = lianpu("train", "--out", out)
    _, messages = last.communicate(timeout=240)
    assert last.returncode == 0, messages
    assert differing(final(out)[0], final(straight)[0]) == []
    assert logged(out) == logged(straight)
    assert not any(".partial" in p.name for p in out.rglob("*"))


def resume(out: Path, **options) -> str:
    said: list[str] = []

    class Ears(Progress):
        def say(self, text: str) -> None:
            said.append(text)

    api.train(out, report=Ears(quiet=True), device="cpu", **options)
    return "\n".join(said)


@pytest.fixture
def finished(straight, tmp_path) -> Path:
    return Path(shutil.copytree(straight, tmp_path / "copy"))


@pytest.mark.parametrize("name", ["state.safetensors", "state.json", "SHA256SUMS"])
@pytest.mark.parametrize("damage", ["empty", "half", "tail", "flip"])
def test_a_damaged_checkpoint_is_caught_and_the_one_before_used(name, damage, finished):
    path = finished / "checkpoints" / "000000800" / name
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    else:
        content = content[: {"empty": 0, "half": len(content) // 2, "tail": len(content) - 2}[damage]]
    path.write_bytes(content)
    said = resume(finished, settings=["kimg=0.72"])  # the checkpoint before: nothing left to train
    assert "000000800 is damaged" in said
    assert "Going on at 0.7 kimg" in said
    assert (finished / "checkpoints" / "000000800.damaged").is_dir()


def test_a_finished_run_says_so_and_can_be_prolonged(finished):
    assert "complete" in resume(finished)
    resume(finished, settings=["kimg=0.84"])
    assert final(finished)[1]["images"] == 840


def test_a_finished_run_whose_model_was_not_written_writes_it(finished):
    shutil.rmtree(finished / "model")
    assert "complete" in resume(finished)
    _, model = checkpoint.load_model(finished)
    assert model.images_seen == 800


def test_killed_while_the_new_model_took_the_old_ones_place(finished):
    """Both names are temporary then: the old model comes back, and the newest is written from the checkpoint."""
    (finished / "model").rename(finished / ".partial-old-123-model")
    (finished / ".partial-123-model").mkdir()
    files.remove_partial(finished)
    assert (finished / "model" / "model.json").is_file()
    assert not list(finished.glob(".partial*"))


def test_a_checkpoint_of_a_newer_lianpu_is_refused_not_called_damaged(finished):
    folder = finished / "checkpoints" / "000000800"
    tensors, facts = checkpoint.load_state(folder)
    kept = {k: v.clone() for k, v in tensors.items()}
    checkpoint.save_state(folder, kept, facts)
    assert "complete" in resume(finished)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "SCHEMA", checkpoint.SCHEMA + 1)
        checkpoint.save_state(folder, kept, facts)
    with pytest.raises(ModelError, match="newer lianpu"):
        resume(finished, settings=["kimg=0.84"])
    assert folder.is_dir()


def test_settings_that_make_it_another_run_are_refused(finished):
    with pytest.raises(UsageError, match="lr_g cannot change within a run"):
        resume(finished, settings=["lr_g=1"])
    with pytest.raises(UsageError, match=r"net\.w_dim cannot change"):
        resume(finished, settings=["net.w_dim=16"])
    assert "complete" in resume(finished, settings=["net.w_dim=8", "batch=8"])  # the very same command again
    with pytest.raises(UsageError, match="not tiny-32-apa"):
        resume(finished, recipe="tiny-32-apa")


def test_a_second_process_on_the_same_run_is_refused(finished):
    folder = RunFolder(finished)
    folder.acquire()
    try:
        other = lianpu("train", "--out", finished)
        _, messages = other.communicate(timeout=60)
        assert other.returncode == 5
        assert f"another process ({os.getpid()}) is training" in messages
    finally:
        folder.release()
    assert "complete" in resume(finished)


def test_changed_data_is_refused_unless_said(data, finished, tmp_path):
    changed = Path(shutil.copytree(data, tmp_path / "changed"))
    lines = (changed / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    row = json.loads(lines[0])
    row["colour"] = "blue" if row["colour"] != "blue" else "red"
    (changed / "train" / "metadata.jsonl").write_text(
        "\n".join([json.dumps(row, ensure_ascii=False), *lines[1:]]) + "\n", "utf-8"
    )
    with pytest.raises(DataError, match="--data-changed"):
        resume(finished, data=changed)
    assert "Going on with changed data" in resume(finished, data=changed, data_changed=True)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the name of an open file in /proc")
@pytest.mark.parametrize("refusal", ["ENOSPC", "EROFS", "EACCES"])
@pytest.mark.parametrize(
    "victim", ["state.safetensors", "state.json", "SHA256SUMS", "model.safetensors", "config.json"]
)
def test_no_space_leaves_the_old_checkpoint_and_exits_5(refusal, victim, finished, monkeypatch):
    """The operating system's fsync is the seam: it is where a full disk speaks up."""
    before = {p: p.read_bytes() for p in (finished / "checkpoints").rglob("*") if p.is_file()}

    def full(handle: int, fsync=os.fsync) -> None:
        if os.readlink(f"/proc/self/fd/{handle}").endswith(victim):
            raise OSError(getattr(errno, refusal), refusal)
        fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ResourceError, match="cannot write") as caught:
            resume(finished, settings=["kimg=0.84"])
    assert caught.value.exit_code == 5
    now = {p: p.read_bytes() for p in (finished / "checkpoints").rglob("*") if p.is_file()}
    if victim == "model.safetensors":  # the model follows a whole checkpoint, which is not to be trained again
        assert final(finished)[1]["images"] == 840
        assert checkpoint.load_model(finished)[1].images_seen == 800
    else:
        assert {p: now.get(p) for p in before} == before
    resume(finished, settings=["kimg=0.84"])
    assert final(finished)[1]["images"] == 840
    assert checkpoint.load_model(finished)[1].images_seen == 840


def test_a_changed_picture_is_noticed(data, finished, tmp_path):
    """Its record still holds the old digest: the description alone would not tell."""
    changed = Path(shutil.copytree(data, tmp_path / "changed"))
    for path in (changed / "train").glob("*.png"):
        path.write_bytes(images.encode_png(np.zeros((32, 32, 3), np.uint8)))
    with pytest.raises(DataError, match="has changed since the data set was built"):
        resume(finished, data=changed, settings=["kimg=0.84"])


@pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX")
def test_a_signal_to_the_whole_group_ends_in_a_snapshot(data, tmp_path):
    """As torchrun and job schedulers send it: the processes that read pictures must not die before the one that trains."""
    out = tmp_path / "run"
    process = lianpu(
        "train", "--data", data, "--recipe", "tiny-32-ada", "--out", out, *TINY, "-s", "kimg=1000", "-s", "data_workers=2",
        start_new_session=True,
    )  # fmt: skip
    wait_for(lambda: (out / "run.jsonl").exists() and any(RunFolder(out).events("tick")), process)
    os.killpg(process.pid, signal.SIGTERM)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 143, messages
    assert "a checkpoint was written" in messages


def test_when_every_checkpoint_is_damaged_nothing_is_trained_over(finished):
    model = (finished / "model" / "model.safetensors").read_bytes()
    for path in (finished / "checkpoints").glob("*/state.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match=r"all 2 are damaged(.|\n)*--from"):
        resume(finished, settings=["kimg=0.84"])
    assert (finished / "model" / "model.safetensors").read_bytes() == model
    assert len(checkpoint.states(finished / "checkpoints")) == 2


def test_a_batch_larger_than_the_data_leaves_no_run_behind(data, tmp_path):
    for words, says in ((["-s", "batch=400"], "-s batch="), (["--minutes", "nan"], "no length of time")):
        process = lianpu("train", "--data", data, "--recipe", "tiny-32-ada", "--out", tmp_path / "run", *words)
        _, messages = process.communicate(timeout=60)
        assert process.returncode in (2, 3)
        assert says in messages
        assert not (tmp_path / "run").exists()


def test_a_folder_with_other_things_is_no_place_for_a_run(data):
    process = training(data, data)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "something else than a run" in messages
    assert not (data / "config.json").exists()


def test_too_little_space_is_said_before_training_begins(finished, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 10**5))
    with pytest.raises(ResourceError, match="too little disk space"):
        resume(finished, settings=["kimg=0.84"])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_exits_5(data, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    process = training(data, locked / "run")
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 5, messages


def test_minutes_end_in_a_checkpoint(data, tmp_path):
    out = tmp_path / "run"
    process = lianpu(
        "train", "--data", data, "--recipe", "tiny-32-ada", "--out", out, "--minutes", "0.02", *TINY, "-s", "kimg=1000"
    )
    _, messages = process.communicate(timeout=120)
    assert process.returncode == 0, messages
    assert "minutes are over" in messages
    assert final(out)[1]["images"] > 0


@pytest.mark.slow
def test_torchrun_trains_and_resumes(data, tmp_path):
    out = tmp_path / "run"
    base = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--standalone",
        "-m",
        "lianpu",
        "train",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.run(
        [*base, "--data", str(data), "--recipe", "tiny-32-ada", "--out", str(out), "-s", "kimg=0.08", *TINY],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert first.returncode == 0, first.stderr
    second = subprocess.run(
        [*base, "--out", str(out), "-s", "kimg=0.16"], env=environment, capture_output=True, text=True, timeout=240
    )
    assert second.returncode == 0, second.stderr
    assert final(out)[1]["images"] == 160
    assert [t["images"] for t in logged(out)] == [40, 80, 120, 160]
