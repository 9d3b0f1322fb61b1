"""What a paper's experiment is, whichever paper it is: a folder, rows and seeds, runs that train and go on, and results that know what
they were made from. `stages` runs it.
"""

from __future__ import annotations

import importlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from lianpu import __version__, checkpoint, config, files, images, recipes
from lianpu.config import RunConfig, TrainConfig
from lianpu.data import records
from lianpu.data.folder import Folder
from lianpu.errors import DataError, LianpuError, ResourceError, UsageError, did_you_mean
from lianpu.experiments.stages import Reporter, Stage, digest, states
from lianpu.machine import machine, threads

__all__ = [
    "KINDS", "SEED", "Paper", "begin", "checked", "chosen", "embedders", "extractors", "forecast", "headline", "kind_of", "missing",
    "portable", "read", "results", "settled", "training_speed",
]  # fmt: skip

S = TypeVar("S")

SEED = 0  # of everything that is not a training run: data, split, pictures
PAPERS = ("yan2023", "digan2024")
RULERS = ("inception-2015", "dinov2-vits14", "efficientnet-lite0", "vgg16", "alexnet", "lpips-alex")
"""Weights that a measurement may use."""
CURVES = ("kimg", "p", "r_t", "loss/G", "loss/D", "loss/G3D", "yaw", "relief")
"""What is kept of a run's ticks."""


@dataclass(frozen=True)
class Paper:
    """The experiment in a folder; `experiment.json` holds all of this."""

    NAME: ClassVar[str]
    SCALE: ClassVar[type]
    MAY_CHANGE: ClassVar[tuple[str, ...]] = ("rows", "seeds", "device")
    """What may differ when the experiment goes on; anything else would make it another."""
    LATER: ClassVar[tuple[str, ...]] = ()
    """What an `experiment.json` of before it was there does without."""

    folder: Path
    scale: Any
    rows: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    own_data: str = ""
    """A data set of one's own; it must have a test split."""
    device: str = "cpu"

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The experiment that lies in `folder`."""
        values = read(folder / "experiment.json")
        if values is None or values.get("name") != cls.NAME:
            other = (
                f"{folder.name} holds {values['name']}"
                if values and values.get("name")
                else f"there is no experiment in {folder.name}"
            )
            raise DataError(f"{other}.", str(folder), f"lianpu experiment {cls.NAME}, with an --out of its own.")
        try:
            kept = {
                f.name: values[f.name]
                for f in fields(cls)
                if f.name not in ("folder", "scale") and (f.name in values or f.name not in cls.LATER)
            }
            plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in kept.items()}
            return cls(folder, config.from_dict(cls.SCALE, values["scale"]), **plain)
        except (KeyError, TypeError, LianpuError) as error:
            raise DataError("experiment.json is damaged.", f"in {folder}: {error}", "Choose another --out.") from None

    def facts(self) -> dict[str, Any]:
        """What `experiment.json` holds."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("folder", "scale")}
        scale = json.loads(json.dumps(asdict(self.scale)))
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        return {"what": "experiment", "name": self.NAME, "scale": scale, **plain}

    # ------------------------------------------------------------------------------------------------------- the plan

    def stages(self) -> list[Stage]:
        raise NotImplementedError

    def called(self, row: str) -> str:
        """The recipe of a row's runs."""
        raise NotImplementedError

    def changes(self, row: str) -> list[str]:
        """What its runs have otherwise than the recipe, but for the seed."""
        raise NotImplementedError

    def recipe(self, row: str) -> RunConfig:
        """The settings of a row's runs, but for the seed."""
        return config.override(recipes.find(self.called(row)).config, self.changes(row))

    # ------------------------------------------------------------------------------------------------------- places

    @property
    def data(self) -> Path:
        return Path(self.own_data) if self.own_data else self.folder / "data"

    def trained_on(self, stage: Stage) -> Path | None:
        """The data set that a run is trained on; None where it learns from a teacher."""
        return self.data

    def teacher(self, stage: Stage) -> Path | None:
        """The model that a run learns from; None where it learns from data."""
        return None

    def run(self, stage: Stage) -> Path:
        return self.folder / "runs" / str(stage.facts["run"])

    def result(self, stage: Stage) -> Path:
        return self.folder / "results" / f"{stage.name}.json"

    # ------------------------------------------------------------------------------------------------------- is it done?

    def done(self, stage: Stage) -> bool:
        """Whether the stage's files are there and were made from what its inputs are now."""
        if stage.kind == "train":
            return self.trained(stage)
        result = read(self.result(stage))
        if stage.name == "data" and not (self.data / "dataset.json").is_file():
            return False
        try:
            return result is not None and result.get("inputs_sha256") == digest(self.inputs(stage))
        except (LianpuError, OSError):
            return False  # an input is not there

    def inputs(self, stage: Stage) -> dict[str, Any]:
        """What a stage's result is a function of; its digest is kept with the result."""
        raise NotImplementedError

    def trained(self, stage: Stage) -> bool:
        """Whether a run has come to its end with the settings it should have; one that was removed has, if its result stands."""
        if not self.run(stage).exists():
            measured = self._measured(stage)
            return measured is not None and self.done(measured)
        plan, model = read(self.run(stage) / "config.json"), read(self.run(stage) / "model" / "model.json")
        if plan is None or model is None:
            return False
        wanted = self._wanted(stage, plan)
        whole = wanted["batch"] * max(-(-round(wanted["kimg"] * 1000) // wanted["batch"]), 1)
        same = wanted == plan.get("config")
        return same and isinstance(model.get("images_seen"), int) and model["images_seen"] >= whole

    def _wanted(self, stage: Stage, plan: dict[str, Any]) -> dict[str, Any]:
        """The configuration that a run's config.json, `plan`, should hold. Which features its losses compare, and the teacher's sizes, were
        settled when it began.
        """
        wanted = json.loads(
            json.dumps(config.to_dict(replace(self.recipe(stage.facts["row"]), seed=stage.facts["seed"])))
        )
        if isinstance(begun := plan.get("config"), dict):
            if wanted.get("features") == "auto":
                wanted["features"] = begun.get("features")
            if "teacher" in wanted["net"] and isinstance(begun.get("net"), dict):
                wanted["net"]["teacher"] = begun["net"].get("teacher")
        return wanted

    def _measured(self, stage: Stage) -> Stage | None:
        """The stage that measures a run."""
        run = stage.facts["run"]
        return next((s for s in self.stages() if s.kind == "evaluate" and s.facts.get("run") == run), None)

    def weights_of(self, stage: Stage) -> str:
        """SHA-256 of what a run has learnt. Its folder may be removed once it is measured: then its result says so."""
        if self.run(stage).exists():
            return checkpoint.read_model(self.run(stage) / "model").sha256
        measured = self._measured(stage)
        kept = (read(self.result(measured)) if measured else None) or {}
        if kept.get("recipe") != self._told(stage):
            raise DataError(f"the run {stage.facts['run']} is not there.", str(self.run(stage)))
        return str(kept["model"]["sha256"])

    def _told(self, stage: Stage) -> dict[str, Any]:
        """What a run was told, by name and by the whole of it."""
        row = stage.facts["row"]
        whole = config.to_dict(replace(self.recipe(row), seed=stage.facts["seed"]))
        return {"name": self.called(row), "settings": self.changes(row), "sha256": digest(whole)}

    def keep(self, stage: Stage, facts: dict[str, Any]) -> None:
        """Writes a stage's result."""
        inputs = self.inputs(stage)
        whole = {**facts, "stage": stage.name, "inputs": inputs, "inputs_sha256": digest(inputs), "lianpu": __version__}
        files.atomic_write(self.result(stage), json.dumps(whole, indent=1, ensure_ascii=False, default=str) + "\n")

    # ------------------------------------------------------------------------------------------------------- the work

    def perform(self, stage: Stage, report: Reporter, minutes: float | None) -> bool:
        """Does a stage, or goes on with it; False where the time was up before its end."""
        if stage.kind == "train":
            return self.train(stage, report, minutes)
        began = time.monotonic()
        return self.work(stage, report, lambda: minutes is not None and time.monotonic() - began > 60 * minutes)

    def work(self, stage: Stage, report: Reporter, over: Callable[[], bool]) -> bool:
        """The same of a stage that trains no run; `over` says that the time is up."""
        raise NotImplementedError

    def data_facts(self, size: int) -> dict[str, Any]:
        """What a result and the page say of the data set."""
        train, test = (Folder.open(self.data, split, size) for split in ("train", "test"))
        return {
            "name": self.data.name,
            "drawn": not self.own_data,
            "size": size,
            "fingerprint": records.read_info(self.data)["fingerprint"],
            "rights": train.rights,
            "train": {"pictures": len(train), "fingerprint": train.fingerprint},
            "test": {"pictures": len(test), "fingerprint": test.fingerprint},
        }

    def train(self, stage: Stage, report: Reporter, minutes: float | None) -> bool:
        """Begins a run or goes on with it."""
        from lianpu.train import session

        out = self.run(stage)
        row = stage.facts["row"]
        settings = [f"seed={stage.facts['seed']}", *self.changes(row)]
        plan = read(out / "config.json")
        if plan is not None and plan.get("config") != self._wanted(stage, plan):
            raise UsageError(
                f"{out.name} was begun with other settings.",
                f"run: {out}",
                "Remove that folder, or choose another --out for this experiment.",
            )
        fresh = plan is None
        session.train(
            out,
            data=self.trained_on(stage),
            recipe=self.called(row),
            settings=settings if fresh else None,
            minutes=minutes,
            device=self.device,
            report=report,
            teacher=None if (teacher := self.teacher(stage)) is None else str(teacher),
        )
        return self.trained(stage)

    def sheet(self, name: str, pictures: Sequence[np.ndarray], stage: Stage, columns: int = 8) -> None:
        """Pictures side by side in a file of the experiment."""
        from lianpu import provenance

        real = stage.facts["row"] == "real"
        kind = "algorithmicMedia" if real else "trainedAlgorithmicMedia"
        facts = {"verb": "experiment", "experiment": self.NAME, "stage": stage.name, "pictures": len(pictures)}
        sheet = images.sheet(list(pictures), columns)
        text = (
            {} if real and self.own_data else provenance.png_text(facts, kind)
        )  # of whose photographs nothing is known
        files.atomic_write(self.folder / name, images.encode_png(sheet, text))

    def cost(self, stage: Stage) -> dict[str, Any]:
        """What a run took, what it was told, and how it went."""
        from lianpu.train import dryrun

        out = self.run(stage)
        log = list(_events(out / "run.jsonl"))
        ticks = [e for e in log if e.get("event") == "tick"]
        start = next((e for e in reversed(log) if e.get("event") == "start"), {})
        chosen = self.recipe(stage.facts["row"])
        one = dryrun.dry_run(chosen)
        seconds, shown = float(ticks[-1]["seconds"]), int(ticks[-1]["images"])
        model = checkpoint.read_model(out / "model")
        return {
            "cost": {
                "seconds": seconds,
                "images": shown,
                "images_per_second": shown / seconds if seconds else None,
                "starts": sum(e.get("event") == "start" for e in log),
                "device": start.get("device"),
                "threads": start.get("threads"),
                "processes": start.get("processes"),
                "torch": start.get("torch"),
                "machine": machine(),
                "parameters": one.parameters,
                "flops_per_image": one.flops_per_image,
            },
            "recipe": self._told(stage),
            "curve": [{k: t[k] for k in CURVES if k in t} for t in ticks],
            "model": {"sha256": model.sha256, "images_seen": model.images_seen, "data": model.data},
        }


def portable(value: Any) -> Any:
    """Plain values without the folders of this machine: of a path its last two parts are kept."""
    if isinstance(value, dict):
        return {
            k: "/".join(Path(v).parts[-2:]) if k == "path" and isinstance(v, str) else portable(v)
            for k, v in value.items()
        }
    return [portable(v) for v in value] if isinstance(value, list) else value


def extractors() -> list[str]:
    """The feature networks at hand (a name stands for one hash): an evaluation is done again when better ones arrive."""
    from lianpu import weights

    return [name for name in RULERS if weights.available(name)]


def rulers() -> list[str]:
    """Those of them that distances are measured with, the standard one first if it is here."""
    from lianpu.nets import features

    here = extractors()
    return [name for name in features.EXTRACTORS if name in here]


def embedders() -> list[str]:
    """clay, which is shipped; sface where its weights and those that find faces are here."""
    from lianpu import weights
    from lianpu.nets import mtcnn

    return ["clay", *(["sface"] if all(weights.available(name) for name in ("sface", *mtcnn.CARDS)) else [])]


def _events(log: Path) -> Iterator[dict[str, Any]]:
    for line in log.read_text("utf-8", errors="replace").splitlines() if log.exists() else []:
        try:
            yield json.loads(line)
        except ValueError:  # torn by a kill
            continue


def read(path: Path) -> dict[str, Any] | None:
    """A json object, or None where there is none to be read."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


# ---------------------------------------------------------------------------------------------------------------- beginning


def module_of(paper: str) -> Any:
    """The module that repeats a paper."""
    return importlib.import_module(f"lianpu.experiments.{chosen(paper, {name: name for name in PAPERS}, 'experiment')}")


def opened(folder: Path) -> Paper:
    """The experiment that lies in a folder, whichever paper's it is."""
    name = (read(folder / "experiment.json") or {}).get("name")
    if name not in PAPERS:
        raise DataError(
            f"there is no experiment in {folder.name}.", str(folder), "lianpu experiment yan2023 --out FOLDER"
        )
    return module_of(name).Experiment.open(folder)


def checked(wanted: Paper, force: bool) -> Paper:
    """The same, if this machine may run it and its folder is free or holds the same experiment."""
    folder = wanted.folder
    if wanted.scale.needs_cuda and not wanted.device.startswith("cuda") and not force:
        raise ResourceError(
            f"the {wanted.scale.name} scale needs CUDA: {wanted.scale.about}.",
            f"On {machine()} each of its runs would take years.",
            "Use --scale tiny, or --force to do it all the same.",
        )
    if (folder / "experiment.json").exists():
        was = wanted.open(folder).facts()
        for key, value in wanted.facts().items():
            if key not in wanted.MAY_CHANGE and was[key] != value:
                raise UsageError(
                    f"the experiment in {folder.name} has another {key.replace('_', ' ')}.",
                    str(folder),
                    "Choose another --out.",
                )
    elif folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} holds something else.", fix="Choose another --out.")
    return wanted


def settled(
    scale: S | str, scales: Mapping[str, S], rows: Sequence[str], names: Mapping[str, str], where: str, device: str
) -> tuple[S, str]:
    """The scale that is meant and the device there is; a UsageError for a row that is not in the tables."""
    from lianpu.train.world import choose_device

    for row in rows:
        chosen(row, names, f"row of {where}")
    found = choose_device(device)
    known = chosen(scale, scales, "scale") if isinstance(scale, str) else scale
    return known, found.type if found.index is None else str(found)


def begin(experiment: Paper) -> None:
    """Writes `experiment.json`: from here on the folder knows what it is."""
    files.atomic_write(
        experiment.folder / "experiment.json", json.dumps(experiment.facts(), indent=1, ensure_ascii=False) + "\n"
    )


def chosen(name: str, known: Mapping[str, S], what: str) -> S:
    """What bears that name; a UsageError with the nearest names."""
    if name not in known:
        raise UsageError(f"there is no {what} {name!r}.", fix=did_you_mean(name, known))
    return known[name]


# ---------------------------------------------------------------------------------------------------------------- forecast


def forecast(
    experiment: Paper, jobs: int, speeds: dict[str, float], seconds: Callable[[Stage], float | None]
) -> dict[str, Any]:
    """The plan with predicted times. speeds: training pictures a second of each row; seconds: of a stage that trains nothing."""
    plan = states(experiment)
    stages = []
    for stage in experiment.stages():
        row = str(stage.facts.get("row"))
        known = experiment.recipe(row).kimg * 1000 / speeds[row] if stage.kind == "train" else seconds(stage)
        stages.append({"name": stage.name, "kind": stage.kind, "state": plan[stage.name]["state"], "seconds": known})
    left = sum(s["seconds"] or 0 for s in stages if s["state"] != "done")
    return {
        "what": "plan",
        "experiment": experiment.NAME,
        "scale": experiment.scale.name,
        "about": experiment.scale.about,
        "device": experiment.device,
        "machine": machine(),
        "jobs": jobs,
        "images_per_second": speeds,
        "stages": stages,
        "total_seconds": left / jobs,
        "note": "with the machine as busy as now; drawing the data, pairs and intervals come on top: about two minutes an evaluation",
    }


def training_speed(chosen: RunConfig, device: Any, count: int) -> float:
    """Pictures a second of a whole run. One whose pictures grow is measured at each of their sizes."""
    if not isinstance(chosen, TrainConfig):
        return _speed(chosen, device, count)
    seconds = 0.0
    for size, kimg in chosen.stages.items():
        net = replace(chosen.net, resolution=size, grown_from=0)
        seconds += kimg / _speed(replace(chosen, net=net, grow_kimg=0.0), device, count)
    return chosen.kimg / seconds


def _speed(chosen: RunConfig, device: Any, count: int) -> float:
    """Pictures a second over one whole cycle of the lazy regularisers, on noise, the policy at half strength."""
    import torch

    from lianpu.train.kinds import kind_of
    from lianpu.train.loop import Loop
    from lianpu.train.world import World

    with threads(count):
        world = World(device=device)
        task, batch, every = kind_of(chosen).rehearse(chosen, world)
        loop = Loop(task, world, batch=chosen.batch, seed=0, kimg=1, tick_kimg=1, snapshot_kimg=1)
        steps = math.lcm(*every.values())
        loop.step(batch)
        if device.type == "cuda":
            torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(steps):
            loop.step(batch)
        if device.type == "cuda":
            torch.cuda.synchronize()
        return steps * chosen.batch / (time.perf_counter() - began)


# ---------------------------------------------------------------------------------------------------------------- the result


def results(experiment: Paper, plan: Mapping[str, Mapping[str, Any]], without: str = "") -> dict[str, dict[str, Any]]:
    """What every finished stage has found, but for its inputs, which may name folders of this machine."""
    left_out = ("inputs", without)
    return {
        stage.name: {k: v for k, v in found.items() if k not in left_out} | {"stage": stage.name, "kind": stage.kind}
        for stage in experiment.stages()
        if plan[stage.name]["state"] == "done" and (found := read(experiment.result(stage))) is not None
    }


def missing(plan: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The stages that are not done, and why, in both languages."""
    return [
        {
            "what": {"en": name, "zh": name},
            "why": {
                "en": entry["error"] or "not run yet: the experiment has not come to its end",
                "zh": entry["error"] or "尚未运行：实验还没有结束",
            },
        }
        for name, entry in plan.items()
        if entry["state"] != "done"
    ]


KINDS = {
    "fid": "frechet", "fd": "frechet", "kid": "kernel", "kd": "kernel", "ssim": "ssim", "ms-ssim": "ms-ssim",
    "lpips": "lpips to real", "diversity": "lpips diversity",
}  # fmt: skip
"""Metric (`suite.METRICS`) -> the measure of the paper that it is."""


def kind_of(row: dict[str, Any]) -> str | None:
    """Which of the paper's measures a metric row is, whatever its features: FID and FD are Fréchet distances, KID and KD kernel ones."""
    return KINDS.get(str(row.get("extra", {}).get("key", "")))


def headline(evaluated: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Which metric name stands for each measure: the standard one where it was computed, otherwise the first that every row has."""
    found: dict[str, str] = {}
    for kind in dict.fromkeys(KINDS.values()):
        lists = [[r["metric"] for r in e["rows"] if kind_of(r) == kind and r["value"] is not None] for e in evaluated]
        shared = [name for name in (lists[0] if lists else []) if all(name in names for names in lists)]
        standard = [name for name in shared if name in ("FID", "KID")]
        if shared:
            found[kind] = (standard or shared)[0]
    return found
