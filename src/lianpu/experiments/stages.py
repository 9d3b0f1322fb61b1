"""An experiment as a list of stages, each of which leaves a file that proves it done. The files are the state: whoever kills the
command at any moment and runs it again goes on, because nothing else is remembered. `plan.json` says for people how far it is.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

import filelock

from lianpu import files
from lianpu.errors import LianpuError, ResourceError, Stopped
from lianpu.machine import threads as threads_of

__all__ = ["Experiment", "Reporter", "Stage", "digest", "run", "states"]

_SPEAK = 300.0  # seconds between two words on how the children are doing
_UNFINISHED = 75  # exit code of a child whose time was up, beside those of `errors`


class Reporter(Protocol):
    """Who hears of progress: `progress.Progress`, or the log file of a child process."""

    def say(self, text: str) -> None: ...
    def progress(self, status: dict[str, Any], tick: bool) -> None: ...


@dataclass(frozen=True)
class Stage:
    """One piece of work, of whole minutes to hours; it can be left and taken up again."""

    name: str
    """Also the name of its log: letters, digits and hyphens."""
    kind: str
    """data, judge, train or evaluate."""
    needs: tuple[str, ...] = ()
    """Stages that must be done before."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the work is a function of, as plain values."""
    seconds: float | None = None
    """Predicted, on one of the processes."""


class Experiment(Protocol):
    """What `run` runs. A child process makes it anew from its folder, so everything it is must lie there."""

    @property
    def folder(self) -> Path: ...
    @classmethod
    def open(cls, folder: Path) -> Experiment: ...
    def stages(self) -> list[Stage]: ...
    def done(self, stage: Stage) -> bool: ...
    def perform(self, stage: Stage, report: Reporter, minutes: float | None) -> bool: ...


def digest(value: Any) -> str:
    """SHA-256 of plain values: what a finished stage was made from, to be compared later."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


# --------------------------------------------------------------------------------------------------------------- the plan


def states(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """Each stage's state: done where its files say so, else what plan.json last said of it."""
    before = _read(experiment.folder)
    found = {}
    for stage in experiment.stages():
        was = before.get(stage.name, {})
        state = was.get("state", "waiting")
        if experiment.done(stage):
            state = "done"
        elif state not in ("started", "failed"):  # what the plan calls done and is not, has lost its file
            state = "waiting"
        found[stage.name] = {
            "kind": stage.kind,
            "state": state,
            "needs": list(stage.needs),
            "predicted_seconds": stage.seconds,
            "error": was.get("error", "") if state == "failed" else "",
        }
    return found


def _read(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        plan = json.loads((folder / "plan.json").read_text("utf-8"))["stages"]
        return {str(k): v for k, v in plan.items() if isinstance(v, dict)}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}  # the plan is a report, not the state: without it everything is found again


def _write(folder: Path, plan: dict[str, dict[str, Any]]) -> None:
    text = json.dumps({"what": "plan", "stages": plan}, indent=1, ensure_ascii=False)
    files.atomic_write(folder / "plan.json", text + "\n")


# ---------------------------------------------------------------------------------------------------------------- running


def run(
    experiment: Experiment,
    *,
    jobs: int = 1,
    minutes: float | None = None,
    threads: int = 0,
    report: Reporter,
    after: Callable[[Stage], None] = lambda stage: None,
) -> dict[str, dict[str, Any]]:
    """Performs every stage that is not done; returns the plan. Stopped is raised after a signal, when all have saved.

    jobs: how many at once, each in its own process; with 1 they run in this one. minutes: leave after so much time.
    threads: of each process; 0 leaves torch's own choice. after: is told of each stage that is finished.
    A stage that fails is noted, and those that need it wait; the others go on.
    """
    folder = experiment.folder
    lock = filelock.FileLock(folder / ".lock", blocking=False)
    with files.writing(folder / ".lock"):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise ResourceError(
                "another process is running this experiment.", str(folder), "Wait for it, or stop it."
            ) from None
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    try:
        for place in (folder, folder / "results", folder / "figures"):
            files.remove_partial(place)
        runner = _Runner(experiment, jobs, deadline, threads, report, after)
        return runner.go()
    finally:
        lock.release()


class _Runner:
    def __init__(
        self,
        experiment: Experiment,
        jobs: int,
        deadline: float | None,
        threads: int,
        report: Reporter,
        after: Callable[[Stage], None],
    ) -> None:
        self.experiment, self.jobs, self.deadline, self.threads = experiment, jobs, deadline, threads
        self.report, self.after = report, after
        self.stages = {stage.name: stage for stage in experiment.stages()}
        self.plan = states(experiment)
        for entry in self.plan.values():  # what failed is tried again
            if entry["state"] == "failed":
                entry.update(state="waiting", error="")
        self.children: dict[str, BaseProcess] = {}

    def go(self) -> dict[str, dict[str, Any]]:
        self._note()
        if self.jobs == 1:
            while not self._over() and (stage := self._next()):
                self._here(stage)
        else:
            self._in_children()
        return self.plan

    def _left(self) -> float | None:
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.0) / 60

    def _over(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def _next(self) -> Stage | None:
        """The first stage, in their order, whose needs are done."""
        for name, stage in self.stages.items():
            entry = self.plan[name]
            if entry["state"] in ("done", "failed") or name in self.children:
                continue
            if all(self.plan[need]["state"] == "done" for need in stage.needs):
                return stage
        return None

    def _note(self, stage: Stage | None = None, state: str = "", error: str = "") -> None:
        if stage is not None:
            self.plan[stage.name].update(state=state, error=error)
        _write(self.experiment.folder, self.plan)

    def _finished(self, stage: Stage, done: bool) -> None:
        if done and not self.experiment.done(stage):
            self._note(stage, "failed", "it ended without its result")
            self.report.say(f"{stage.name} ended without its result")
            return
        self._note(stage, "done" if done else "started")
        if done:
            count = sum(entry["state"] == "done" for entry in self.plan.values())
            self.report.say(f"{stage.name} is done ({count} of {len(self.plan)})")
            self.after(stage)

    def _failed(self, stage: Stage, error: str) -> None:
        self._note(stage, "failed", error)
        self.report.say(f"{stage.name} failed: {error}")

    # ------------------------------------------------------------------------------------------------ in this process

    def _here(self, stage: Stage) -> None:
        self._note(stage, "started")
        self.report.say(f"{stage.name} ...")
        try:
            with threads_of(self.threads):
                done = self.experiment.perform(stage, self.report, self._left())
        except (Stopped, KeyboardInterrupt) as error:
            raise _stopped(error) from None
        except LianpuError as error:
            self._failed(stage, str(error))
            return
        if not done and not self._over():
            self._failed(stage, "it left early without its result")
            return
        self._finished(stage, done)

    # ------------------------------------------------------------------------------------------------------- in children

    def _in_children(self) -> None:
        told, spoke = _Told(), time.monotonic()
        with told:
            while True:
                while not told.signal and not self._over() and len(self.children) < self.jobs and (s := self._next()):
                    self._start(s)
                if not self.children:
                    break
                if told.signal:
                    self._dismiss()
                self._reap(told.signal)
                if time.monotonic() - spoke > _SPEAK:
                    spoke = time.monotonic()
                    for name in self.children:
                        self.report.say(f"{name}: {_last_line(self.experiment.folder / 'logs' / f'{name}.log')}")
                time.sleep(0.2)
        if told.signal:
            raise _stopped(KeyboardInterrupt() if told.signal == signal.SIGINT else None)

    def _start(self, stage: Stage) -> None:
        self._note(stage, "started")
        self.report.say(f"{stage.name} ...")
        (self.experiment.folder / "logs").mkdir(exist_ok=True)
        context = multiprocessing.get_context("spawn")
        arguments = (type(self.experiment), self.experiment.folder, stage, self._left(), self.threads, os.getpid())
        child = context.Process(target=_child, args=arguments, name=stage.name)
        child.start()
        self.children[stage.name] = child

    def _reap(self, told: int) -> None:
        for name, child in list(self.children.items()):
            if child.is_alive():
                continue
            child.join()
            del self.children[name]
            stage, code = self.stages[name], child.exitcode
            if code == 0:
                self._finished(stage, True)
            elif told or (code == _UNFINISHED and self._over()):
                self._finished(stage, False)
            else:
                error = self.experiment.folder / "logs" / f"{name}.error"
                self._failed(stage, error.read_text("utf-8").strip() if error.exists() else _death(code))

    def _dismiss(self) -> None:
        """Tells the children to save and leave, and waits until they have."""
        for child in self.children.values():
            child.terminate()
        for child in self.children.values():
            child.join()


def _last_line(log: Path) -> str:
    """The last thing a child said."""
    lines = log.read_text("utf-8", errors="replace").splitlines()[-1:] if log.exists() else []
    return lines[0] if lines else "..."


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"its process was killed (signal {-code}); perhaps memory ran out: fewer --jobs"
    return f"its process ended with {code} and no result"


def _stopped(error: BaseException | None) -> Stopped:
    code = error.exit_code if isinstance(error, Stopped) else 130 if isinstance(error, KeyboardInterrupt) else 143
    return Stopped("the experiment was stopped.", fix="Run the same command again to go on.", exit_code=code)


class _Told:
    """Turns SIGINT and SIGTERM into a flag that the runner reads."""

    def __init__(self) -> None:
        self.signal = 0
        self.before: dict[int, Any] = {}

    def _handle(self, number: int, frame: Any) -> None:
        self.signal = number

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._handle)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


class _Log:
    """A child's reporter: what it says goes to its log, a line each."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def say(self, text: str) -> None:
        with open(self.path, "a", encoding="utf-8") as log:
            log.write(text + "\n")

    def progress(self, status: dict[str, Any], tick: bool) -> None:
        if tick:
            from lianpu.progress import training_line

            self.say(training_line(status))


def _child(kind: type[Experiment], folder: Path, stage: Stage, minutes: float | None, count: int, parent: int) -> None:
    """One stage in a process of its own, which leaves when its parent does."""
    log = _Log(folder / "logs" / f"{stage.name}.log")
    error_file = folder / "logs" / f"{stage.name}.error"
    error_file.unlink(missing_ok=True)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    try:
        with threads_of(count):
            done = kind.open(folder).perform(stage, log, minutes)
        code = 0 if done else _UNFINISHED
    except Stopped as error:
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    except LianpuError as error:
        error_file.write_text(str(error), "utf-8")
        code = error.exit_code
    except BaseException as error:
        log.say(traceback.format_exc())
        error_file.write_text(f"{type(error).__name__}: {error} (a bug; see logs/{stage.name}.log)", "utf-8")
        code = 1
    os._exit(code)


def _leave_with(parent: int) -> None:
    """When the parent was killed, this process saves and leaves too, as if it had been told to."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
