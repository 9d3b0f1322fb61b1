"""Stages: the files are the state. Whatever is killed, damaged or taken away, the same command does what is missing and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pytest

from lianpu.errors import ResourceError, Stopped
from lianpu.experiments import stages
from lianpu.progress import Progress
from tests.experiments.arithmetic import Arithmetic

QUIET = Progress(quiet=True)


def history(folder: Path) -> list[str]:
    path = folder / "history"
    return path.read_text().split() if path.exists() else []


def run(folder: Path, **options) -> dict:
    return stages.run(Arithmetic(folder), report=QUIET, **options)


def state_of(plan: dict) -> dict[str, str]:
    return {name: entry["state"] for name, entry in plan.items()}


@pytest.mark.parametrize("jobs", [1, 2])
def test_everything_is_done_once_and_after_its_needs(jobs, tmp_path):
    told = []
    plan = run(tmp_path, jobs=jobs, after=lambda stage: told.append(stage.name))
    assert set(state_of(plan).values()) == {"done"}
    assert Arithmetic(tmp_path).value("d") == 4
    order = history(tmp_path)
    assert sorted(order) == ["a", "alone", "b", "c", "d"] == sorted(told)
    assert order.index("c") > max(order.index("a"), order.index("b"))
    assert order.index("d") > order.index("c")
    run(tmp_path, jobs=jobs)
    assert history(tmp_path) == order, "a second call has nothing to do"


@pytest.mark.parametrize(
    "plan", ["", "{", "[]", '{"stages": 3}', '{"stages": {"c": 5}}', '{"stages": {"c": {"state": "done"}}}']
)
def test_the_plan_is_a_report_not_the_state(plan, tmp_path):
    run(tmp_path)
    (tmp_path / "results" / "c.json").unlink()
    (tmp_path / "plan.json").write_text(plan)
    before = history(tmp_path)
    assert stages.states(Arithmetic(tmp_path))["c"]["state"] != "done"
    run(tmp_path)
    assert history(tmp_path) == [*before, "c"], "only what lost its file is done again"


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failure_is_noted_the_rest_goes_on_and_it_is_tried_again(jobs, tmp_path):
    (tmp_path / "failing").write_text("b")
    plan = run(tmp_path, jobs=jobs)
    assert state_of(plan) == {"a": "done", "b": "failed", "c": "waiting", "d": "waiting", "alone": "done"}
    assert "b cannot be had" in plan["b"]["error"]
    assert json.loads((tmp_path / "plan.json").read_text("utf-8"))["stages"]["b"]["state"] == "failed"
    (tmp_path / "failing").unlink()
    assert set(state_of(run(tmp_path, jobs=jobs)).values()) == {"done"}
    assert history(tmp_path).count("a") == 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_stage_that_leaves_no_file_is_not_believed(jobs, tmp_path):
    (tmp_path / "empty").write_text("a")
    plan = run(tmp_path, jobs=jobs)
    assert plan["a"]["state"] == "failed"
    assert "without its result" in plan["a"]["error"]
    assert plan["c"]["state"] == "waiting"


def test_a_child_that_is_killed_is_a_failure_with_a_reason(tmp_path):
    (tmp_path / "killed").write_text("a")
    plan = run(tmp_path, jobs=2)
    assert plan["a"]["state"] == "failed"
    assert "killed (signal 9)" in plan["a"]["error"]
    assert plan["alone"]["state"] == "done"


def test_when_the_time_is_up_nothing_is_begun(tmp_path):
    assert set(state_of(run(tmp_path, minutes=0)).values()) == {"waiting"}
    assert history(tmp_path) == []


def test_two_cannot_run_one_experiment(tmp_path):
    with filelock.FileLock(tmp_path / ".lock"), pytest.raises(ResourceError, match="another process"):
        run(tmp_path)


SCRIPT = """
import sys
from pathlib import Path
from lianpu.errors import Stopped
from lianpu.experiments import stages
from lianpu.progress import Progress
from tests.experiments.arithmetic import Arithmetic
if __name__ == "__main__":
    try:
        stages.run(Arithmetic(Path(sys.argv[1])), jobs=2, report=Progress(quiet=True))
    except Stopped as stopped:
        sys.exit(stopped.exit_code)
"""


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be noticed does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_signal_ends_the_children_too_and_the_next_call_goes_on(number, code, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "slow").write_text("c")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / "src"), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen([sys.executable, str(script), str(folder)], env={**os.environ, "PYTHONPATH": path})
    end = time.monotonic() + 120
    while "c" not in history(folder):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(60) == code
    child = int((folder / "pid-c").read_text())
    end = time.monotonic() + 30
    while alive(child):
        assert time.monotonic() < end, "a child outlives its killed parent"
        time.sleep(0.05)
    (folder / "slow").unlink()
    assert set(state_of(run(folder)).values()) == {"done"}
    assert Arithmetic(folder).value("d") == 4
    assert history(folder).count("a") == 1


def test_stopped_carries_the_signals_exit_code():
    assert stages._stopped(Stopped("x", exit_code=143)).exit_code == 143
    assert stages._stopped(KeyboardInterrupt()).exit_code == 130


def test_the_digest_sees_every_value_and_no_order():
    base = {"a": [1, 2], "b": {"c": "x"}}
    assert stages.digest(base) == stages.digest({"b": {"c": "x"}, "a": [1, 2]})
    for other in ({"a": [2, 1], "b": {"c": "x"}}, {"a": [1, 2], "b": {"c": "y"}}, {"a": [1, 2]}):
        assert stages.digest(other) != stages.digest(base)
