"""One training run from its folder to its model: opens the data, goes on where the run stopped, shows progress, writes logs."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch

from lianpu import __version__, checkpoint, config, files, images, provenance, recipes
from lianpu.config import RunConfig
from lianpu.data.folder import Folder
from lianpu.errors import DataError, ModelError, ResourceError, UsageError
from lianpu.train import world as worlds
from lianpu.train.kinds import kind_of
from lianpu.train.loop import Loop, RunFolder
from lianpu.train.world import World

__all__ = ["Reporter", "train"]

MAY_CHANGE = ("kimg", "tick_kimg", "snapshot_kimg", "keep", "samples", "data_workers")
"""Settings that may change when a run goes on; all others would make it another run."""


class Reporter(Protocol):
    """Who hears of a run's progress."""

    def say(self, text: str) -> None: ...
    def progress(self, status: dict[str, Any], tick: bool) -> None: ...


def train(
    out: Path,
    *,
    data: Path | None = None,
    teacher: str | None = None,
    recipe: str | None = None,
    settings: list[str] | None = None,
    from_model: str | None = None,
    data_changed: bool = False,
    minutes: float | None = None,
    device: str = "auto",
    report: Reporter,
) -> Path:
    """Trains, or goes on training, in folder `out`; returns the model's folder. Stopped is raised after a signal's snapshot.

    minutes: stop after so much time, with a checkpoint, as if the run had ended.
    """
    with worlds.join(device) as world:
        folder = RunFolder(out)
        resumed = (out / "config.json").exists()
        if minutes is not None and not 0 <= minutes < 1e9:
            raise UsageError(f"--minutes {minutes} is no length of time.")
        if not resumed and out.exists() and not (out.is_dir() and all(p.name.startswith(".") for p in out.iterdir())):
            raise UsageError(f"{out.name} holds something else than a run.", str(out), "Choose a new folder for --out.")
        plan = (
            _resume_plan(out, data, teacher, recipe, settings, from_model)
            if resumed
            else _new_plan(data, teacher, recipe, settings, from_model)
        )
        kind = kind_of(plan["config"])
        source = kind.open(plan["config"], plan[kind.LEARNS_FROM])
        if kind.LEARNS_FROM == "teacher" and data is not None and world.first:
            report.say("This recipe learns from its teacher alone: --data is not read.")
        _fits(plan["config"], source, world, plan["from"])
        world.wait()  # all have looked for config.json before one writes it
        if world.first:
            folder.acquire()
        try:
            _Session(folder, world, plan, source, report).carry_out(resumed, data_changed, minutes)
        finally:
            if world.first:
                folder.release()
    return out / "model"


def _new_plan(
    data: Path | None, teacher: str | None, recipe: str | None, settings: list[str] | None, from_model: str | None
) -> dict[str, Any]:
    kind = kind_of(recipes.find(recipe).config) if recipe else None
    learns = kind.LEARNS_FROM if kind else "data"
    source = _learns_from(learns, data, teacher, from_model)
    if source is None or recipe is None or kind is None:
        missing = " and ".join(f for f, v in ((f"--{learns}", source), ("--recipe", recipe)) if v is None)
        raise UsageError(f"a new run needs {missing}.", fix=_EXAMPLES[learns])
    chosen = recipes.find(recipe).config
    if from_model:
        chosen = _fine_tuning(chosen, _net_of(chosen, from_model)[0])
    chosen = kind.settled(config.override(chosen, settings or []), source)
    if from_model:
        _same_generator(chosen, *_net_of(chosen, from_model))
    plan = {"recipe": recipe, "data": None, "teacher": None, "from": _source(from_model) if from_model else None}
    return {**plan, learns: source, "config": chosen}


_EXAMPLES = {
    "data": "lianpu train --data DATA --recipe tiny-64-ada --out runs/x",
    "teacher": "lianpu train --teacher MODEL --recipe tiny-64-digan --out runs/x",
}


def _learns_from(learns: str, data: Path | None, teacher: str | None, from_model: str | None = None) -> str | None:
    """The source of a run that learns from data, or from a teacher; a model that was lifted before has its own inside."""
    if learns == "data":
        if teacher is not None:
            raise UsageError(
                "--teacher is for recipes that lift; this one learns from pictures.", f"given: --teacher {teacher}"
            )
        return str(data.resolve()) if data is not None else None
    chosen = teacher or from_model
    return _source(chosen) if chosen else None


def _source(model: str) -> str:
    """A model's full path, or the name of a shipped one."""
    return str(Path(model).resolve()) if Path(model).exists() else model


def _net_of(chosen: RunConfig, name: str) -> tuple[Any, checkpoint.Model]:
    """The configuration of the network of a model that `chosen` may start from, and what is known of it."""
    kind = checkpoint.kind_of(chosen.net)
    model = checkpoint.read_model(checkpoint.find_model(name), kind)
    return config.from_dict(checkpoint.KINDS[kind].config, model.config), model


def _fine_tuning(chosen: RunConfig, net: Any) -> RunConfig:
    """The recipe for a generator that exists."""
    kind = kind_of(chosen)
    return kind.fine_tuning(chosen, replace(net, **{name: getattr(chosen.net, name) for name in kind.OF_RECIPE}))


def _same_generator(chosen: RunConfig, of_model: Any, model: checkpoint.Model) -> None:
    net = chosen.net
    kept = {name: getattr(net, name) for name in kind_of(chosen).OF_RECIPE}
    mine, its = (config.to_dict(replace(n, **kept)) for n in (net, of_model))
    if differing := [f"net.{key}={mine[key]} (the model: {its[key]})" for key in mine if mine[key] != its[key]]:
        raise UsageError(
            f"this model cannot be fine-tuned with {', '.join(differing)}.",
            f"a {model.kind} of recipe {model.recipe or 'unknown'}",
            "Leave that setting away, or train anew without --from.",
        )


def _resume_plan(
    out: Path,
    data: Path | None,
    teacher: str | None,
    recipe: str | None,
    settings: list[str] | None,
    from_model: str | None,
) -> dict[str, Any]:
    try:
        plan = json.loads((out / "config.json").read_text("utf-8"))
        plan["config"] = config.run_from_dict(plan["config"])
    except (ValueError, KeyError) as error:
        raise DataError(
            "config.json of this run cannot be read.", f"in {out}: {error}", "Choose a new --out."
        ) from None
    if recipe not in (None, plan["recipe"]):
        raise UsageError(
            f"{out} is a run of recipe {plan['recipe']}, not {recipe}.",
            fix="Choose a new --out, or leave --recipe away.",
        )
    if from_model and _source(from_model) != plan["from"]:
        raise UsageError(f"{out} did not start from {from_model}.", fix="Choose a new --out, or leave --from away.")
    kind = kind_of(plan["config"])
    plan[kind.LEARNS_FROM] = _learns_from(kind.LEARNS_FROM, data, teacher) or plan[kind.LEARNS_FROM]
    wanted = kind.settled(config.override(plan["config"], settings or []), plan[kind.LEARNS_FROM])
    for key in (setting.partition("=")[0].strip() for setting in settings or []):
        if key not in MAY_CHANGE and _setting(wanted, key) != _setting(plan["config"], key):
            raise UsageError(
                f"{key} cannot change within a run.",
                f"run: {out}",
                f"Choose a new --out. May change: {', '.join(MAY_CHANGE)}.",
            )
    plan["config"] = wanted
    return plan


def _setting(chosen: Any, key: str) -> Any:
    for part in key.split("."):
        chosen = getattr(chosen, part)
    return chosen


def _fits(chosen: RunConfig, source: Any, world: World, from_model: str | None) -> None:
    if isinstance(source, Folder) and chosen.batch > len(source):
        raise DataError(
            f"the batch ({chosen.batch}) is larger than the data set ({len(source)} pictures).",
            str(source.path),
            f"Add pictures, or use a smaller batch: -s batch={max(len(source) // 4 * 4, 1)}",
        )
    if chosen.batch % world.size:
        raise UsageError(f"batch {chosen.batch} does not divide among {world.size} processes.")
    parent = _net_of(chosen, from_model)[1] if from_model else None
    kind_of(chosen).fits(chosen, source, chosen.batch // world.size, parent)


def _named(features: dict[str, str]) -> str:
    return f"{features['name']} ({features['sha256'][:12] or 'random numbers'})" if features else "none"


class _Session:
    """The duties of one run."""

    def __init__(self, folder: RunFolder, world: World, plan: dict[str, Any], source: Any, report: Reporter) -> None:
        self.folder, self.world, self.plan, self.report = folder, world, plan, report
        self.config: RunConfig = plan["config"]
        kind = kind_of(self.config)
        self.data = kind.facts(source)
        self.run = kind(self.config, source, world)
        self.task = self.run.task
        self.parent = ""
        c = self.config
        self.loop = Loop(
            self.task,
            world,
            batch=c.batch,
            seed=c.seed,
            kimg=c.kimg,
            tick_kimg=c.tick_kimg,
            snapshot_kimg=c.snapshot_kimg,
            keep=c.keep,
        )
        self.speed: list[tuple[float, int]] = []
        self.shown = 0.0
        self.board: Any = None

    def carry_out(self, resumed: bool, data_changed: bool, minutes: float | None) -> None:
        if resumed:
            self._go_on(data_changed)
        elif self.plan["from"]:
            self._start_from(self.plan["from"])
        self.loop.facts = {
            "data": self.data,
            "parent": self.parent,
            "features": self.run.features,
            "teacher": self.run.teacher,
            "lianpu": __version__,
        }
        c, loop = self.config, self.loop
        if self.world.first:
            files.atomic_write(
                self.folder.path / "config.json",
                json.dumps(
                    {**self.plan, "config": config.to_dict(c), "lianpu": __version__}, indent=2, ensure_ascii=False
                ),
            )
            self.folder.write(
                "start",
                images=loop.clock.images,
                step=loop.clock.step,
                lianpu=__version__,
                torch=torch.__version__,
                device=str(self.world.device),
                processes=self.world.size,
                threads=torch.get_num_threads(),
                data=self.data,
                **({"teacher": self.run.teacher} if self.run.teacher else {}),
            )
            self._check_space()
        if loop.clock.step >= loop.last_step:
            if self.world.first and not self._model_is_current():  # a kill or a full disk came between the two
                self._save_model()
            self.report.say(
                f"This run is complete: {loop.clock.images / 1000:.1f} kimg. "
                f"To go on, raise it: -s kimg={2 * max(c.kimg, round(loop.clock.images / 1000)):g}"
            )
            return
        if self.world.first:
            self._open_board()
            what, *remarks = self.run.remarks()
            self.report.say(
                f"{self.plan['recipe']}: {what} at {c.net.resolution} px, to {c.kimg:g} kimg "
                f"on {self.world.device}" + (f" x {self.world.size}" if self.world.size > 1 else "")
            )
            for remark in remarks:
                self.report.say(remark)
        feed = self.run.feed(loop.clock.step)
        done = loop.run(iter(feed), on_step=self._step, on_tick=self._tick, on_snapshot=self._snapshot, minutes=minutes)
        if not done:
            self.report.say(
                f"{minutes:g} minutes are over, at {loop.clock.images / 1000:.1f} kimg. Run the same command again to go on."
            )
        self.world.wait()
        if self.world.first and self.board:
            self.board.close()

    # ------------------------------------------------------------------------------------------------------ start and resume

    def _go_on(self, data_changed: bool) -> None:
        state, damaged = checkpoint.newest_state(self.folder.checkpoints)
        if self.world.first:
            for path in damaged:
                self.report.say(
                    f"Checkpoint {path.name} is damaged (its digests do not hold); using the one before. It is kept as {path.name}.damaged"
                )
        if state is None and damaged:
            raise ModelError(
                f"no checkpoint of this run is whole: all {len(damaged)} are damaged.",
                f"in {self.folder.checkpoints}",
                f"Restore them, or start a new run from its last model: --from {self.folder.path} --out NEW_FOLDER",
            )
        self.world.wait()  # every process has read before one renames
        if self.world.first:
            for path in damaged:
                path.rename(path.with_name(path.name + ".damaged"))
        if state is None:
            self.report.say("No whole checkpoint yet: the run starts at its beginning.")
            if self.plan["from"]:
                self._start_from(self.plan["from"])
            if self.world.first:
                self.folder.rewind_log(-1)
            return
        tensors, facts = state
        if (taught := facts.get("teacher", {})) != self.run.teacher:
            raise ModelError(
                "the teacher is not the one this run learns from.",
                f"so far {_named(taught)}, now {_named(self.run.teacher)}",
                "Say where that one is: --teacher MODEL; or begin a new run in another --out.",
            )
        if facts["data"]["fingerprint"] != self.data["fingerprint"]:
            if not data_changed:
                raise DataError(
                    "the data set is not the one this run was trained on.",
                    f"fingerprint {self.data['fingerprint'][:12]} instead of {facts['data']['fingerprint'][:12]}: {self.plan['data']}",
                    "Restore it, or go on with the new one: --data-changed",
                )
            self.report.say("Going on with changed data, as asked.")
        if (known := facts.get("features", {})) != self.run.features:
            raise ModelError(
                "the losses of this run compare features of another network.",
                f"so far {_named(known)}, now {_named(self.run.features)}",
                f"Bring its weights back: lianpu weights get {known.get('name', 'NAME')}; or begin a new run: "
                f"--from {self.folder.path} --out NEW_FOLDER",
            )
        self._inherit(facts["data"])
        self.loop.load(tensors, facts)
        self.parent = facts["parent"]
        if self.world.first:
            self.folder.rewind_log(self.loop.clock.images)
            self.report.say(f"Going on at {self.loop.clock.images / 1000:.1f} kimg.")

    def _start_from(self, name: str) -> None:
        """Fine-tuning: the network and its average from the model, D from beside it where it is there."""
        kind = checkpoint.kind_of(self.config.net)
        network, model = checkpoint.load_model(name, kind)
        said = self.run.begin(network, checkpoint.load_discriminator(name, kind))
        self.parent = model.sha256
        self._inherit(model.data)
        if self.world.first:
            self.report.say(f"Starting from {name}" + (f"; {said}." if said else "."))

    def _inherit(self, data: dict[str, Any]) -> None:
        """What was learned from unknown or licensed material stays learned."""
        if data.get("rights") != "known":
            self.data["rights"] = data.get("rights", "unknown")
        self.data["licences"] = sorted({*self.data["licences"], *data.get("licences", [])})

    def _check_space(self) -> None:
        need = 3 * sum(t.numel() * t.element_size() for t in self.loop.state().values())
        need += (
            3 * 2 * sum(p.numel() * 4 for net, _ in self.loop.learners.values() for p in net.parameters())
        )  # Adam's, not made yet
        free = files.free_bytes(self.folder.path)
        if free < need:
            raise ResourceError(
                f"too little disk space: {free / 1e6:.0f} MB free, checkpoints need {need / 1e6:.0f} MB.",
                f"in {self.folder.path}",
                "Free some space or choose another --out.",
            )

    # ---------------------------------------------------------------------------------------------------------------- duties

    def _status(self, loop: Loop) -> dict[str, Any]:
        self.speed = [*self.speed[-200:], (time.perf_counter(), loop.clock.images)]
        (t0, n0), (t1, n1) = self.speed[0], self.speed[-1]
        per_second = (n1 - n0) / (t1 - t0) if t1 > t0 else 0.0
        left = loop.last_step * loop.clock.batch - loop.clock.images
        until_save = (-loop.clock.step) % loop.snapshot_steps * loop.clock.batch
        return {
            "recipe": self.plan["recipe"],
            "images": loop.clock.images,
            "kimg": loop.clock.images / 1000,
            "of_kimg": self.config.kimg,
            "images_per_second": per_second,
            "eta_seconds": left / per_second if per_second else None,
            "save_seconds": until_save / per_second if per_second else None,
            **{name: float(total) / count for name, (total, count) in loop.means.items()},
            **self.task.statistics(),
        }

    def _step(self, loop: Loop) -> None:
        if time.monotonic() - self.shown > 0.25:  # reading the losses makes a GPU wait: not at every step
            self.shown = time.monotonic()
            self.report.progress(self._status(loop), tick=False)

    def _tick(self, loop: Loop) -> None:
        status = self._status(loop)
        self.report.progress(status, tick=True)
        timing = ("recipe", "images_per_second", "eta_seconds", "save_seconds")
        self.folder.write(
            "tick",
            step=loop.clock.step,
            seconds=round(loop.seconds, 3),
            **{k: v for k, v in status.items() if k not in timing},
        )
        pixels = self.run.sheet()
        facts = {
            "verb": "samples",
            "run": {"recipe": self.plan["recipe"], "images": loop.clock.images},
            "data": provenance.material(self.data),
        }
        sheet = images.encode_png(pixels, provenance.png_text(facts))
        files.atomic_write(self.folder.path / "samples" / f"{loop.clock.images:09d}.png", sheet)
        if self.board:
            for name, value in status.items():
                if isinstance(value, float):
                    self.board.add_scalar(name.replace(" ", "_"), value, loop.clock.images)
            self.board.add_image("samples", pixels, loop.clock.images, dataformats="HWC")
            self.board.flush()
        for warning in self.run.warnings():
            self.report.say(warning)

    def _snapshot(self, loop: Loop) -> None:
        loop.save(self.folder)
        self._save_model()

    def _model_is_current(self) -> bool:
        try:
            _, model = checkpoint.load_model(self.folder.path / "model", None)
        except ModelError:
            return False
        return model.images_seen == self.loop.clock.images

    def _save_model(self) -> None:
        net = self.config.net
        network, discriminator = self.run.model()
        checkpoint.save_model(
            self.folder.path / "model",
            network,
            checkpoint.Model(
                checkpoint.kind_of(net),
                config.to_dict(net),
                self.run.classes,
                self.loop.clock.images,
                self.plan["recipe"],
                self.data,
                self.parent,
                self.run.features,
                self.run.teacher,
            ),
            discriminator=discriminator,
        )

    def _open_board(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        with files.writing(self.folder.path / "tensorboard"):
            self.board = SummaryWriter(str(self.folder.path / "tensorboard"), purge_step=self.loop.clock.images + 1)
