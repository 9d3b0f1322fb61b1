"""The one loop. A task is a Python generator of losses (`gan.GanTask.updates`); after each the loop does backward, averages gradients
over processes, checks them and steps that network's optimiser. It owns device, processes, logs, checkpoints, signals and resume.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import filelock
import torch
from torch import Tensor, nn

from lianpu import checkpoint, files
from lianpu.errors import LianpuError, ModelError, ResourceError, Stopped
from lianpu.randomness import Draw
from lianpu.train.world import World

__all__ = ["Adam", "Clock", "Diverged", "Loop", "RunFolder", "Task", "Update", "follow", "only"]

B = TypeVar("B")
B_contra = TypeVar("B_contra", contravariant=True)

_TIME_IS_UP = 1000  # beside signal numbers, which are below 128


class Update(NamedTuple):
    """One optimiser step: which network learns, the name of its loss in the log, the loss, and what it is the sum of, for the log."""

    learner: str
    name: str
    loss: Tensor
    parts: Mapping[str, Tensor] = MappingProxyType({})


@dataclass
class Clock:
    """Work is counted in pictures shown."""

    batch: int
    step: int = 0

    @property
    def images(self) -> int:
        return self.step * self.batch

    def every(self, steps: int) -> bool:
        return self.step % steps == 0


@dataclass(frozen=True)
class Adam:
    """Adam's settings for one network."""

    lr: float
    betas: tuple[float, float]
    eps: float = 1e-8
    decay: float = 0.0
    """Weight decay, as an L2 penalty: it goes through the moments."""

    @classmethod
    def lazy(cls, lr: float, every: int, betas: tuple[float, float] = (0.0, 0.99)) -> Adam:
        """For a network whose regulariser adds a step every `every` steps: c = k/(k+1), lr c, beta^c (Karras et al. 2020b, App. B)."""
        c = every / (every + 1) if every else 1.0
        return cls(lr * c, (betas[0] ** c, betas[1] ** c))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, clock: Clock, half_life_kimg: float, ramp: float) -> None:
    """Moves a network's moving average a step towards it (Karras et al. 2018), its buffers all the way. The half-life, in thousands of
    pictures, is at most the share `ramp` of those shown so far; 0 for no ramp.
    """
    half_life = 1000 * half_life_kimg
    if ramp:
        half_life = min(half_life, ramp * clock.images)
    beta = 0.5 ** (clock.batch / max(half_life, 1e-8))
    for mean, parameter in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(parameter, 1 - beta)
    for mean, buffer in zip(average.buffers(), network.buffers(), strict=True):
        mean.copy_(buffer)


class Task(Protocol[B_contra]):
    """What the loop trains; an nn.Module whose state_dict holds everything that changes, but for the optimisers."""

    remedy: str
    """What may help where training diverges: "Lower the learning rates"."""

    def learners(self) -> dict[str, tuple[nn.Module, Adam]]: ...
    def updates(self, batch: B_contra, clock: Clock, draw: Draw) -> Iterator[Update]: ...
    def finish(self, clock: Clock) -> None: ...
    def statistics(self) -> dict[str, float]: ...
    def state_dict(self) -> dict[str, Tensor]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> Any: ...


@contextlib.contextmanager
def only(learner: nn.Module, frozen: frozenset[str] = frozenset()) -> Iterator[None]:
    """Inside the block only `learner` learns (without its `frozen` parameters)."""
    for name, parameter in learner.named_parameters():
        parameter.requires_grad_(name not in frozen)
    try:
        yield
    finally:
        learner.requires_grad_(False)


class Diverged(LianpuError):
    """A loss, gradient or weight is no longer finite. Never zeroed: the run stops at that step, its last checkpoint whole."""

    exit_code = 6


class RunFolder:
    """`runs/x`: config.json, run.jsonl, samples/, checkpoints/, model/, tensorboard/; one process at a time writes in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.log = path / "run.jsonl"
        self._lock = filelock.FileLock(path / ".lock", blocking=False)

    def acquire(self) -> None:
        """Locks the folder and sweeps up what a killed process left; the lock of a dead process is void."""
        with files.writing(self.path / ".lock"):
            self.path.mkdir(parents=True, exist_ok=True)
            self.checkpoints.mkdir(exist_ok=True)
            try:
                self._lock.acquire()
            except filelock.Timeout:
                holder = self.path / ".pid"
                pid = holder.read_text() if holder.exists() else "unknown"
                raise ResourceError(
                    f"another process ({pid}) is training in {self.path}.",
                    "",
                    "Wait for it, stop it, or choose another --out.",
                ) from None
        files.atomic_write(self.path / ".pid", str(os.getpid()))
        for folder in (self.path, self.checkpoints, self.path / "samples"):
            files.remove_partial(folder)

    def release(self) -> None:
        (self.path / ".pid").unlink(missing_ok=True)
        self._lock.release()

    def rewind_log(self, images: int) -> None:
        """Drops what was logged after the checkpoint that the run goes on from, and a torn last line."""
        if self.log.exists():
            kept = [line for line in self.events() if line.get("images", 0) <= images or line.get("event") == "start"]
            files.atomic_write(self.log, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept))

    def events(self, event: str | None = None) -> Iterator[dict[str, Any]]:
        """The logged events, or those of one kind; a line torn by a kill is left out."""
        for line in self.log.read_text("utf-8", errors="replace").splitlines() if self.log.exists() else []:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if event in (None, entry.get("event")):
                yield entry

    def write(self, event: str, **facts: Any) -> None:
        with files.writing(self.log), open(self.log, "a", encoding="utf-8") as log:
            log.write(json.dumps({"event": event, "time": round(time.time(), 3), **facts}, ensure_ascii=False) + "\n")


class Loop(Generic[B]):
    """Trains `task` on `feed` until `kimg` thousand pictures are shown. `on_tick(loop)` and `on_snapshot(loop)` are rank 0's duties."""

    def __init__(
        self,
        task: Task[B],
        world: World,
        *,
        batch: int,
        seed: int,
        kimg: float,
        tick_kimg: float,
        snapshot_kimg: float,
        keep: int = 2,
        facts: dict[str, Any] | None = None,
    ) -> None:
        self.task, self.world, self.seed = task, world, seed
        self.clock = Clock(batch)
        self.last_step = max(math.ceil(kimg * 1000 / batch), 1)
        self.tick_steps = max(round(tick_kimg * 1000 / batch), 1)
        self.snapshot_steps = max(round(snapshot_kimg * 1000 / batch), 1)
        self.keep = keep
        self.facts = facts or {}
        self.seconds = 0.0
        self.learners = task.learners()
        self.optimisers = {
            name: torch.optim.Adam(net.parameters(), adam.lr, adam.betas, adam.eps, adam.decay)
            for name, (net, adam) in self.learners.items()
        }
        self.means: dict[str, tuple[Tensor, int]] = {}
        self._stop_signal = 0

    # -------------------------------------------------------------------------------------------------------------- steps

    def step(self, batch: B) -> None:
        """One training step: every update the task yields, then its finish."""
        draw = Draw(self.seed, self.clock.step, self.world.rank, self.world.size, self.world.device)
        for update in self.task.updates(batch, self.clock, draw):
            self._apply(update, batch, draw)
        self.task.finish(self.clock)
        self.clock.step += 1

    def _apply(self, update: Update, batch: B, draw: Draw) -> None:
        net, _ = self.learners[update.learner]
        optimiser = self.optimisers[update.learner]
        optimiser.zero_grad(set_to_none=True)
        update.loss.backward()
        gradients = [p.grad for p in net.parameters() if p.grad is not None]
        self.world.mean_(gradients)
        total_norm = torch.nn.utils.get_total_norm(gradients)
        if not torch.isfinite(total_norm + update.loss.detach()):
            raise self._diverged(update, batch, draw)
        optimiser.step()
        for name, loss in {update.name: update.loss, **update.parts}.items():
            total, count = self.means.get(name, (torch.zeros([], device=self.world.device), 0))
            self.means[name] = total + loss.detach(), count + 1

    def _diverged(self, update: Update, batch: B, draw: Draw) -> Diverged:
        """Names the first layer whose output is not finite, by playing the step again with ears at every layer."""
        task = self.task
        assert isinstance(task, nn.Module)
        culprit: list[str] = []

        def listen(name: str) -> Callable[..., None]:
            def hook(module: nn.Module, inputs: Any, output: Any) -> None:
                if (
                    not culprit
                    and isinstance(output, Tensor)
                    and output.device.type != "meta"
                    and not torch.isfinite(output).all()
                ):
                    culprit.append(name)

            return hook

        bad = [name for name, p in task.named_parameters() if not torch.isfinite(p).all()]
        layers = [
            (name, m)
            for name, m in task.named_modules()
            if all(
                child == "parametrizations" for child, _ in m.named_children()
            )  # of spectral norm: part of its layer
        ]
        hooks = [layer.register_forward_hook(listen(name)) for name, layer in layers]
        try:
            for again in self.task.updates(batch, self.clock, draw):
                if again.name == update.name:  # not at the culprit: other processes may find theirs elsewhere, and wait
                    break
        finally:
            for hook in hooks:
                hook.remove()
        if bad:
            where = f"weights that are not finite: {', '.join(bad[:3])}"
        elif culprit:
            where = f"first layer with an output that is not finite: {culprit[0]}"
        else:
            net, _ = self.learners[update.learner]
            names = [n for n, p in net.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all()]
            where = f"gradient that is not finite: {update.learner}.{names[0] if names else '?'}"
        return Diverged(
            f"training diverged at step {self.clock.step}: {update.name} is not finite.",
            where,
            f"Checkpoints written before are whole. {self.task.remedy}, and start a new run.",
        )

    # -------------------------------------------------------------------------------------------------------------- state

    def state(self) -> dict[str, Tensor]:
        """Every tensor that changes: the task's and the optimisers'."""
        tensors = {f"task.{k}": v for k, v in self.task.state_dict().items()}
        for name, (net, _) in self.learners.items():
            for parameter_name, parameter in net.named_parameters():
                for key, value in self.optimisers[name].state.get(parameter, {}).items():
                    tensors[f"adam.{name}.{parameter_name}.{key}"] = value
        return tensors

    def load(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Goes on from a state; raises ModelError where its tensors do not fit the task."""
        try:
            self.task.load_state_dict({k.removeprefix("task."): v for k, v in tensors.items() if k.startswith("task.")})
        except RuntimeError as error:
            raise ModelError("the checkpoint does not fit this configuration.", str(error).splitlines()[0]) from None
        for name, (net, _) in self.learners.items():
            for parameter_name, parameter in net.named_parameters():
                prefix = f"adam.{name}.{parameter_name}."
                moments = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
                if moments:
                    # copied in the parameter's own memory order: what is read from the file stays mapped to it
                    self.optimisers[name].state[parameter] = {
                        k: v.clone() if k == "step" else torch.empty_like(parameter).copy_(v)
                        for k, v in moments.items()
                    }
        self.clock.step = facts["step"]
        self.seconds = facts["seconds"]
        self.means = {k: (torch.tensor(v, device=self.world.device), n) for k, (v, n) in facts["means"].items()}

    def save(self, folder: RunFolder) -> Path:
        """A checkpoint; older ones than the newest `keep` are removed only once it is whole on the disk."""
        path = folder.checkpoints / f"{self.clock.images:09d}"
        checkpoint.save_state(
            path,
            self.state(),
            {
                **self.facts,
                "step": self.clock.step,
                "images": self.clock.images,
                "seconds": self.seconds,
                "means": {k: (float(v), n) for k, (v, n) in self.means.items()},
            },
        )
        for old in checkpoint.states(folder.checkpoints)[: -self.keep]:
            files.remove(old)
        return path

    # ---------------------------------------------------------------------------------------------------------------- run

    def run(
        self,
        feed: Iterator[B],
        *,
        on_step: Callable[[Loop], None],
        on_tick: Callable[[Loop], None],
        on_snapshot: Callable[[Loop], None],
        minutes: float | None = None,
    ) -> bool:
        """Steps to the end, or for so many minutes; True if the end was reached.

        On SIGINT or SIGTERM: a snapshot at the end of the step, then Stopped; a second SIGINT leaves at once.
        """
        deadline = time.monotonic() + 60 * minutes if minutes is not None else math.inf
        began = time.perf_counter() - self.seconds
        with _Signals(self):
            while self.clock.step < self.last_step:
                self.step(next(feed))
                self.seconds = time.perf_counter() - began
                told = self.world.highest(_TIME_IS_UP if time.monotonic() >= deadline else self._stop_signal)
                done = self.clock.step >= self.last_step
                tick = done or self.clock.every(self.tick_steps)
                if self.world.first:
                    on_step(self)
                    if tick:
                        on_tick(self)
                if tick:
                    self.means = {}
                if (done or told or self.clock.every(self.snapshot_steps)) and self.world.first:
                    on_snapshot(self)
                if done or told == _TIME_IS_UP:
                    return done
                if told:
                    self.world.wait()
                    name = signal.Signals(told).name
                    raise Stopped(
                        f"stopped by {name} at {self.clock.images / 1000:.1f} kimg; a checkpoint was written.",
                        fix="Run the same command again to go on.",
                        exit_code=128 + told,
                    )
        return True


class _Signals:
    """Turns SIGINT and SIGTERM into a flag that the loop reads at the end of a step: nothing is saved inside a handler."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.before: dict[int, Any] = {}

    def _handle(self, number: int, frame: Any) -> None:
        if self.loop._stop_signal and number == signal.SIGINT:
            os._exit(130)
        self.loop._stop_signal = number

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may listen
        for number in (signal.SIGINT, signal.SIGTERM):
            self.before[number] = signal.signal(number, self._handle)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
