"""Yan et al. 2024 as one command: teachers, DIGAN, LiftedGAN and the ablations trained alike on clay heads, and measured by what the paper
measures (Tables 1 to 3) and by what it could not: the truth, for the shape of these heads is known. `tiny` is a night on two cores,
`paper` needs GPUs, `rehearsal` is a few minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lianpu import __version__, checkpoint
from lianpu.data import build, records
from lianpu.data.folder import Folder
from lianpu.data.samples import heads
from lianpu.errors import LianpuError, ModelError, UsageError
from lianpu.experiments import base
from lianpu.experiments.base import SEED, Paper, embedders, extractors, portable, read, rulers
from lianpu.experiments.claims import Look, Measured, judge
from lianpu.experiments.claims2024 import CLAIMS
from lianpu.experiments.stages import Reporter, Stage, digest, states
from lianpu.machine import machine, threads

if TYPE_CHECKING:
    from torch import Tensor

    from lianpu.experiments.lifting import Codes

__all__ = ["LIFTERS", "NAMES", "PAINTERS", "SCALES", "Digan2024", "Scale", "create", "forecast", "summary"]

PAINTERS = {"teacher": "StyleGAN2", "ada": "ADA", "apa": "APA", "diffusion": "Diffusion-GAN"}
"""The rows of Table 1 that know no shapes; the first is the teacher of all that do."""
LIFTERS = {
    "digan": "DIGAN", "liftedgan": "LiftedGAN", "digan-wo-flip": "wo_flip", "digan-wo-idt": "wo_idt", "digan-wo-rega": "wo_rega",
}  # fmt: skip
"""Those that do: Tables 2 and 3."""
NAMES = PAINTERS | LIFTERS
MAIN = ("digan", "liftedgan")
"""Trained with every seed; the others with the first."""
DRAWN = SEED + 5  # series of the data set
UNSEEN = SEED + 6  # the same beside a teacher that was given: it was shown other pictures, maybe of DRAWN
HELD = SEED + 1  # series of the held-out heads: other identities than those of the data set
METRICS = ("fid", "kid", "fd", "kd", "precision", "recall")


@dataclass(frozen=True)
class Scale:
    """How large the experiment is."""

    name: str
    about: str
    lifter: str
    """Which recipes: tiny-64 stands for tiny-64-digan, tiny-64-liftedgan, ..."""
    painter: str
    """The same of the teacher's rivals: tiny-64-heads stands for tiny-64-heads-ada, ..."""
    teacher: str
    """The teacher's recipe."""
    kimg: float
    """Thousands of pictures that the teacher and its rivals are shown."""
    lifter_kimg: float
    """Thousands of faces each lifter is shown."""
    heads: int
    """Pictures of heads drawn to train the teacher, as portraits, four of each head."""
    held: int = 120
    """Heads held out, of which the shape is measured, two pictures of each."""
    test: float = 0.1
    """Share of the pictures kept from the teacher, for distances."""
    n: int = 2048
    """Pictures of each row that are compared with those."""
    turned: int = 120
    """New faces that are turned, and true heads for the ceiling."""
    steps: int = 400
    """Of the search for a held-out picture among the teacher's codes."""
    settings: tuple[str, ...] = ()
    """Changes of the recipes of those that know no shapes, key=value."""
    lifter_settings: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    shown: int = 6
    """Faces of each lifter in the figures: the first, unselected."""
    threads: int = 1
    """Of each process on a CPU."""
    needs_cuda: bool = False


_SMALL = ("net.channel_base=256", "net.channel_max=16", "net.z_dim=16", "net.w_dim=16", "batch=8", "tick_kimg=0.08", "snapshot_kimg=0.08",
          "samples=8", "grow_kimg=0.04")  # fmt: skip
_SHORT = ("net.hidden=16", "net.width=4", "tick_kimg=0.016", "snapshot_kimg=0.016", "samples=2")
SCALES: dict[str, Scale] = {
    s.name: s
    for s in (
        Scale(
            "tiny", "64 px, 700 kimg a teacher, 4 kimg a lifter, three seeds; about a night on two CPU cores", "tiny-64", "tiny-64-heads",
            "tiny-64-heads-teacher", 700, 4, 8000, held=100, turned=100, steps=250,
        ),
        Scale(
            "paper", "256 px as the recipes say; needs CUDA", "digan2024", "yan2023", "digan2024-celeba-teacher", 25000, 240, 20000,
            held=500, n=10000, turned=1000, steps=1000, threads=0, needs_cuda=True,
        ),
        Scale(
            "rehearsal", "64 px, 0.2 kimg a run: shows in minutes that everything works, and nothing about the methods", "tiny-64",
            "tiny-64-heads", "tiny-64-heads-teacher", 0.16, 0.032, 80, held=4, test=0.25, n=16, turned=4, steps=8, settings=_SMALL,
            lifter_settings=_SHORT, seeds=(0,), shown=2,
        ),
    )
}  # fmt: skip


# ------------------------------------------------------------------------------------------------------------ the experiment


@dataclass(frozen=True)
class Digan2024(Paper):
    """The experiment in a folder. With data of one's own there is no truth: then only what the paper measures is measured."""

    NAME: ClassVar[str] = "digan2024"
    SCALE: ClassVar[type] = Scale
    LATER: ClassVar[tuple[str, ...]] = ("given_teacher",)

    given_teacher: str = ""
    """A model that is the teacher; without it one is trained."""

    # ------------------------------------------------------------------------------------------------------- the plan

    def called(self, row: str) -> str:
        s = self.scale
        return s.teacher if row == "teacher" else f"{s.painter if row in PAINTERS else s.lifter}-{row}"

    def changes(self, row: str) -> list[str]:
        s = self.scale
        if row in LIFTERS:
            return [f"kimg={s.lifter_kimg}", *s.lifter_settings]
        return [f"kimg={s.kimg}", *s.settings]

    def stages(self) -> list[Stage]:
        """The teacher first, then what stands on it, DIGAN before all; the teacher's rivals last."""
        found = [
            Stage("data", "data"),
            Stage("evaluate-real", "evaluate", ("data",), {"row": "real"}),
        ]
        teacher = self._pair("teacher", SEED, ("data",))
        if self.given_teacher:
            teacher = [replace(teacher[1], needs=("evaluate-real",))]
        taught = () if self.given_teacher else (teacher[0].name,)
        found += teacher
        if not self.own_data and self._lifters:
            found.append(Stage("codes", "codes", ("data", *taught)))
        first, *others = self.seeds
        for seed in (first, *others):
            for row in self._lifters:
                if row in MAIN or seed == first:
                    found += self._pair(row, seed, taught or ("data",))
        for row in self.rows:
            if row in PAINTERS and row != "teacher":
                found += self._pair(row, SEED, ("data",))
        return found

    @property
    def _lifters(self) -> list[str]:
        return [row for row in self.rows if row in LIFTERS]

    def _pair(self, row: str, seed: int, needs: tuple[str, ...]) -> list[Stage]:
        name = f"{row}-seed{seed}"
        facts = {"row": row, "seed": seed, "run": name}
        train = Stage(f"train-{name}", "train", needs, facts)
        codes = ("codes",) if row in LIFTERS and not self.own_data else ()
        return [train, Stage(f"evaluate-{name}", "evaluate", ("evaluate-real", *codes, train.name), facts)]

    # ------------------------------------------------------------------------------------------------------- places

    def trained_on(self, stage: Stage) -> Path | None:
        return None if stage.facts["row"] in LIFTERS else self.data

    def teacher(self, stage: Stage) -> Path | None:
        return self.teacher_model if stage.facts["row"] in LIFTERS else None

    @property
    def teacher_model(self) -> Path:
        if self.given_teacher:
            return checkpoint.find_model(self.given_teacher)
        return self.folder / "runs" / f"teacher-seed{SEED}" / "model"

    def model(self, stage: Stage) -> Path:
        """Where what a row has learnt lies."""
        return self.teacher_model if self._is_given(stage) else self.run(stage) / "model"

    def _is_given(self, stage: Stage) -> bool:
        return bool(self.given_teacher) and stage.facts["row"] == "teacher"

    @property
    def resolution(self) -> int:
        net = self.recipe("teacher").net
        return int(net.resolution)

    # ------------------------------------------------------------------------------------------------------- is it done?

    def trained(self, stage: Stage) -> bool:
        """A lifter is that of the teacher that is there now."""
        if not super().trained(stage):
            return False
        if stage.facts["row"] not in LIFTERS or not self.run(stage).exists():
            return True
        model = read(self.run(stage) / "model" / "model.json") or {}
        try:
            teacher = read(self.teacher_model / "model.json") or {}
        except LianpuError:  # one that was given, and is not there any more
            return True
        return bool(teacher) and model.get("teacher", {}).get("sha256") == teacher.get("sha256")

    def weights_of(self, stage: Stage) -> str:
        return checkpoint.read_model(self.teacher_model).sha256 if self._is_given(stage) else super().weights_of(stage)

    def done(self, stage: Stage) -> bool:
        if not super().done(stage):
            return False
        if stage.name == "data" and not self.own_data:
            return (self.folder / "held" / "metadata.jsonl").is_file()
        return stage.name != "codes" or self._found(stage) is not None

    def inputs(self, stage: Stage) -> dict[str, Any]:
        s = self.scale
        if stage.name == "data":
            made = None if self.own_data else {"heads": s.heads, "series": self._series, "held": s.held, "test": s.test}
            return {"own": self.own_data, "made": made, "size": self.resolution}
        if stage.name == "codes":
            from lianpu.nets import features

            teacher = checkpoint.read_model(self.teacher_model).sha256
            compared = features.perceptual_name()
            return {"teacher": teacher, "held": s.held, "series": HELD, "steps": s.steps, "features": compared}
        known: dict[str, Any] = {
            "data": records.read_info(self.data)["fingerprint"],
            "n": s.n,
            "turned": s.turned,
            "shown": s.shown,
            "seed": SEED,
            "extractors": [*extractors(), *embedders()],
        }
        if stage.facts["row"] != "real":
            known["model"] = self.weights_of(stage)
        if stage.facts["row"] in LIFTERS:
            known |= {
                "teacher": checkpoint.read_model(self.teacher_model).sha256,
                "heads": "cut out of their ground, where it is plain; their shapes compared where they are",
            }
            if not self.own_data:
                known["codes"] = digest(self.inputs(self._searching))
        return known

    @property
    def _searching(self) -> Stage:
        return next(stage for stage in self.stages() if stage.name == "codes")

    def _found(self, stage: Stage) -> Codes | None:
        """The codes of the held-out pictures, if all are there and of what is there now."""
        from lianpu.experiments import lifting

        return lifting.found_codes(self.folder / "codes", digest(self.inputs(stage)), 2 * self.scale.held)

    # ------------------------------------------------------------------------------------------------------- the work

    def train(self, stage: Stage, report: Reporter, minutes: float | None) -> bool:
        run = self.run(stage)
        begun, now = (read(path / "model.json") for path in (run / "model", self.teacher_model))
        if stage.facts["row"] in LIFTERS and begun and now and begun.get("teacher", {}).get("sha256") != now["sha256"]:
            raise UsageError(
                f"{run.name} was begun with another teacher.", str(run), "Remove that folder: it is trained anew."
            )
        return super().train(stage, report, minutes)

    def work(self, stage: Stage, report: Reporter, over: Callable[[], bool]) -> bool:
        if stage.name == "data":
            self.keep(stage, self._data(report))
        elif stage.name == "codes":
            return self._codes(stage, report, over)
        else:
            self.keep(stage, self._evaluate(stage, report))
        return True

    def _data(self, report: Reporter) -> dict[str, Any]:
        s, size = self.scale, self.resolution
        if not self.own_data:
            report.say(f"drawing {s.heads + 2 * s.held} pictures of heads at {size} px")
            heads.write(self.folder / "held", 2 * s.held, HELD, size, views=2, damage=0.0, portrait=True)
            drawn = heads.write(self.folder / "drawn", s.heads, self._series, size, views=4, damage=0.0, portrait=True)
            build.build([drawn], self.data, size=size, test=s.test, seed=SEED)
        held = None if self.own_data else {"heads": s.held, "pictures": 2 * s.held}
        return {**self.data_facts(size), "held": held}

    @property
    def _series(self) -> int:
        return UNSEEN if self.given_teacher else DRAWN

    @property
    def _truth(self) -> heads.Truth:
        return heads.read(self.folder / "held")

    def _mean_depth(self) -> Tensor:
        """Of heads that are not held out, (1, s, s)."""
        import torch

        from lianpu.metrics import geometry

        known = heads.read_depths(self.folder / "drawn", min(self.scale.heads, 2000))
        return geometry.mean_depth(torch.from_numpy(known))

    def _fronts(self) -> Tensor:
        """Depth maps of true heads that look ahead, (n, s, s)."""
        import torch

        ahead, light = (0.0,) * 6, (0.0,) * 4
        some = (heads.head(HELD, i, portrait=True) for i in range(self.scale.turned))
        return torch.from_numpy(np.stack([head.see(ahead, light, self.resolution).depth for head in some])).float()

    def _codes(self, stage: Stage, report: Reporter, over: Callable[[], bool]) -> bool:
        from lianpu.experiments import lifting
        from lianpu.nets import features
        from lianpu.nets.stylegan2 import Generator
        from lianpu.train.world import choose_device

        network, _ = checkpoint.load_model(self.teacher_model, "stylegan2", choose_device(self.device))
        assert isinstance(network, Generator)
        network.requires_grad_(False)
        pictures = self._truth.pictures

        def count(done: int, total: int, what: str) -> None:
            report.say(f"{done} of {total} {what}")

        key, keep = digest(self.inputs(stage)), self.folder / "codes"
        found = lifting.codes(network, pictures, steps=self.scale.steps, count=count, stop=over, keep=keep, key=key)
        if found is None:
            return False
        phi = features.perceptual()
        compared = {"name": phi.name, "sha256": phi.sha256}
        facts = {"pictures": len(pictures), "error": float(found.error.mean()), "spread": float(found.spread.mean())}
        self.keep(stage, {**facts, "features": compared})
        return True

    # ------------------------------------------------------------------------------------------------------- evaluation

    def _evaluate(self, stage: Stage, report: Reporter) -> dict[str, Any]:
        from lianpu.metrics import sources, suite
        from lianpu.train.world import choose_device

        s, device, row = self.scale, choose_device(self.device), stage.facts["row"]
        began = time.monotonic()
        held_out = sources.dataset(self.data, "test", self.resolution)
        figure = f"figures/{stage.name.removeprefix('evaluate-')}.png"
        more: dict[str, Any] = {}
        if row == "real":
            pictures = sources.dataset(self.data, "train", self.resolution).take(s.n, SEED)
            self.sheet(figure, [held_out.read(i) for i in range(min(24, len(held_out)))], stage)
            more = {} if self.own_data else self._ceiling(report)
        elif row in PAINTERS:
            from lianpu.painter import Painter

            pictures = sources.painted(Painter(self.model(stage), device), s.n, seed=SEED, truncation=1.0)
            self.sheet(figure, [pictures.read(i) for i in range(min(24, len(pictures)))], stage)
        else:
            from lianpu.experiments import lifting
            from lianpu.lifter import Lifter

            network = Lifter(self.model(stage), device).network
            pictures = lifting.rendered(network, f"{row}-seed{stage.facts['seed']}", s.n)
            cells, columns = lifting.shown(network, s.shown)
            self.sheet(figure, cells, stage, columns)
            more = {"light": figure.replace(".png", "-light.png"), **self._lifted(network, report)}
            cells, columns = lifting.lit(network, max(s.shown // 2, 1))
            self.sheet(more["light"], cells, stage, columns)
        measuring, metrics = rulers(), METRICS
        if suite.STANDARD not in measuring:
            metrics = tuple(m for m in METRICS if m not in ("fid", "kid"))
        cache = self.folder / "features"
        rows = suite.evaluate(pictures, held_out, metrics, seed=SEED, device=device, cache=cache) if measuring else []
        facts: dict[str, Any] = {
            **stage.facts,
            "rows": [portable(asdict(r)) for r in [*rows, *more.pop("rows", [])]],
            "figure": figure,
            **more,
        }
        if self._is_given(stage):
            model = checkpoint.read_model(self.teacher_model)
            facts["model"] = {"sha256": model.sha256, "images_seen": model.images_seen, "data": model.data}
        elif row != "real":
            facts |= self.cost(stage)
        facts["seconds"] = round(time.monotonic() - began, 1)
        report.say(f"{stage.name}: {len(facts['rows'])} metric rows in {facts['seconds']:.0f} s")
        return facts

    def _lifted(self, network: Any, report: Reporter) -> dict[str, Any]:
        """Rows of shape, where there is a truth, and of identity, with the cosines that the latter are of."""
        from lianpu.experiments import lifting

        rows, cosines = [], {}
        if not self.own_data:
            codes = self._found(self._searching)
            assert codes is not None
            rows += lifting.of_shape(network, codes, self._truth, self._mean_depth())
            rows.append(lifting.of_symmetry(network, self.scale.turned, self._fronts()))
            report.say("shapes are measured")
        real = read(self.folder / "results" / "evaluate-real.json") or {}
        for name in embedders():
            embed, size = lifting.embedder(name, self.resolution)
            known = real.get("cosines", {}).get(name)
            ceiling = known and {int(yaw): np.array(values, np.float64) for yaw, values in known.items()}
            found, cosines[name] = lifting.of_identity(
                embed, lifting.turning(network, self.scale.turned, size), self.scale.turned, ceiling
            )
            rows += found
            report.say(f"{embed.name} is measured")
        return {"rows": rows, "cosines": cosines}

    def _ceiling(self, report: Reporter) -> dict[str, Any]:
        """What true heads keep of themselves when they are turned, and what a wall and the mean head are worth."""
        from lianpu.experiments import lifting
        from lianpu.metrics import identity

        s, cosines = self.scale, {}
        for name in embedders():
            embed, size = lifting.embedder(name, self.resolution)
            found = identity.turned(embed, lifting.true_heads(HELD, self.resolution, size, portrait=True), s.turned)
            cosines[name] = {yaw: lifting.plain(values) for yaw, values in found.items()}
            report.say(f"the ceiling of {embed.name} is measured")
        walls = lifting.yardsticks(self._truth, self._mean_depth())
        return {"cosines": cosines, "yardsticks": {k: [portable(asdict(r)) for r in rows] for k, rows in walls.items()}}


Experiment = Digan2024


# ---------------------------------------------------------------------------------------------------------------- beginning


def create(
    folder: Path,
    scale: Scale | str,
    *,
    rows: Sequence[str] = (),
    seeds: Sequence[int] = (),
    data: Path | None = None,
    teacher: str | None = None,
    device: str = "auto",
    force: bool = False,
) -> Digan2024:
    """The experiment in `folder`: a new one, or the one that lies there, checked to be the same. The teacher is in every one.

    teacher: a model to lift, in place of one that is trained first.
    """
    scale, device = base.settled(scale, SCALES, rows, NAMES, "Tables 1 to 3", device)
    wanted = Digan2024(
        folder,
        scale,
        tuple(dict.fromkeys(("teacher", *rows))) if rows else tuple(NAMES),
        tuple(dict.fromkeys(seeds)) or scale.seeds,
        str(data.resolve()) if data else "",
        device,
    )
    if teacher:
        wanted = replace(wanted, given_teacher=_given(teacher, wanted.resolution))
    if data is not None:
        for split in ("train", "test"):
            Folder.open(data, split, wanted.resolution)
    base.checked(wanted, force)
    return wanted


def _given(name: str, size: int) -> str:
    """A model to lift, by the name of a shipped one or as a folder; ModelError for one that cannot be."""
    folder = checkpoint.find_model(name)
    model = checkpoint.read_model(folder)
    if model.kind != "stylegan2" or model.config.get("resolution") != size:
        found = f"a {model.kind} of {model.config.get('resolution', 'other')} px"
        raise ModelError(
            f"the teacher must be a stylegan2 of {size} px.", f"{folder.name} is {found}.", "--teacher clay-head-64"
        )
    return str(folder.resolve()) if Path(name).exists() else name


def forecast(experiment: Digan2024, jobs: int, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """The plan with predicted times. Each row's speed is measured on this machine, now, on one process."""
    from lianpu.train.world import choose_device

    device, speeds = choose_device(experiment.device), {}
    trained = {str(stage.facts["row"]): None for stage in experiment.stages() if stage.kind == "train"}
    for row in trained:
        speeds[row] = base.training_speed(experiment.recipe(row), device, experiment.scale.threads)
        say(f"{NAMES[row]}: {speeds[row]:.1f} pictures a second on one process")
    searching = _search_speed(experiment, device)

    def seconds(stage: Stage) -> float | None:
        return 2 * experiment.scale.held * experiment.scale.steps / searching if stage.name == "codes" else None

    return base.forecast(experiment, jobs, speeds, seconds)


def _search_speed(experiment: Digan2024, device: Any) -> float:
    """Pictures times steps a second of the search among the teacher's codes."""
    import torch

    from lianpu import inversion
    from lianpu.config import StyleGAN2Config, from_dict
    from lianpu.experiments.lifting import AT_ONCE
    from lianpu.nets import features
    from lianpu.nets.stylegan2 import Generator

    with threads(experiment.scale.threads):
        net = experiment.recipe("teacher").net
        if experiment.given_teacher:
            net = from_dict(StyleGAN2Config, checkpoint.read_model(experiment.teacher_model).config)
        assert isinstance(net, StyleGAN2Config)
        teacher = Generator(net).to(device).requires_grad_(False)
        phi, size = features.perceptual().to(device), experiment.resolution
        noise = torch.rand(AT_ONCE, 3, size, size, device=device) * 2 - 1
        took = []
        for steps in (2, 6):  # both begin with the same look at the model's own codes
            began = time.perf_counter()
            inversion.invert(teacher, phi, noise, steps=steps)
            took.append(time.perf_counter() - began)
        return 4 * AT_ONCE / max(took[1] - took[0], 1e-9)


# ---------------------------------------------------------------------------------------------------------------- the result


def summary(experiment: Digan2024) -> dict[str, Any]:
    """All that is known so far, as plain values: what the report is made from, and what is kept under docs/results."""
    plan = states(experiment)
    results = base.results(experiment, plan, without="cosines")
    evaluated = [r for r in results.values() if r["kind"] == "evaluate"]
    main = [e for e in evaluated if e["row"] in NAMES]
    real = next((e for e in evaluated if e["row"] == "real"), None)
    headline = base.headline(evaluated)
    missing = base.missing(plan)
    return {
        **experiment.facts(),
        "own_data": Path(experiment.own_data).name,
        "given_teacher": Path(experiment.given_teacher).name,
        "lianpu": __version__,
        "finished": not missing,
        "names": NAMES,
        "data": results.get("data"),
        "codes": results.get("codes"),
        "headline": headline,
        "real": real,
        "main": main,
        "claims": [c for c in judge(_look(main, real, headline), CLAIMS) if c["row"] in experiment.rows],
        "not_run": [*missing, *_left_out(experiment)],
        "plan": plan,
        "machine": machine(),
    }


def _look(main: Sequence[dict[str, Any]], real: dict[str, Any] | None, headline: dict[str, str]) -> Look:
    """What was measured of a row: by one of the paper's measures, or by a metric's own name."""
    walls = (real or {}).get("yardsticks", {})

    def look(metric: str, row: str) -> Measured | None:
        name = headline.get(metric, metric)
        tables = [walls[row]] if row in walls else [e["rows"] for e in main if e["row"] == row]
        return Measured.of([r for rows in tables for r in rows if r["metric"] == name])

    return look


def _left_out(experiment: Digan2024) -> list[dict[str, Any]]:
    """What this scale leaves out, with why."""

    def note(what_en: str, what_zh: str, why_en: str, why_zh: str) -> dict[str, Any]:
        return {"what": {"en": what_en, "zh": what_zh}, "why": {"en": why_en, "zh": why_zh}}

    s, own = experiment.scale, bool(experiment.own_data)
    found = [
        note(
            "FastGAN and FreGAN (Table 1); HoloGAN, DiscoFaceGAN and CONFIG (Table 2)",
            "FastGAN、FreGAN（表 1）；HoloGAN、DiscoFaceGAN、CONFIG（表 2）",
            "lianpu does not have these methods.",
            "lianpu 未包含这些方法。",
        ),
        note(
            "ArcFace, by which the paper compares identities",
            "论文用于比较身份的 ArcFace",
            "Identity is compared by an embedder of clay heads and, where its weights are here, by SFace; each row says which.",
            "身份由泥塑头像嵌入网络比较；如有 SFace 权重则同时使用；每行均注明所用网络。",
        ),
    ]
    if experiment.resolution != 256:
        found.append(
            note(
                "256 px, Terracotta Warriors, CelebA and cats",
                "256 像素；兵马俑、CelebA 与猫的数据",
                f"This is the scale {s.name}: {s.about}"
                + ("." if own else ", on drawn clay heads, whose shape is known."),
                f"本次规模为 {s.name}（{experiment.resolution} 像素）"
                + ("。" if own else "，数据为绘制的泥塑头像，其形状已知。"),
            )
        )
    if own:
        found.append(
            note(
                "Shape, pose and light against the truth",
                "形状、姿态与光照同真值的比较",
                "The data set is one of your own (--data): nobody knows the true shapes.",
                "数据集为自备（--data），其真实形状未知。",
            )
        )
    found += [
        note(name, name, "It was not asked for (--rows).", "未要求运行（--rows）。")
        for row, name in NAMES.items()
        if row not in experiment.rows
    ]
    return found
