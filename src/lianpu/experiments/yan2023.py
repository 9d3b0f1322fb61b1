"""Yan et al. 2023 as one command: StyleGAN2, ADA, APA and Diffusion-GAN trained alike, CoCosNet and SPADE trained alike, all evaluated and
judged alike, and the few-shot curve that the paper's claim about small data asks for. `tiny` is a night on two cores; `paper` needs
GPUs; `rehearsal` is a few minutes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lianpu import __version__
from lianpu.data import build, colour, records, subset
from lianpu.data.folder import Folder
from lianpu.data.samples import masks
from lianpu.errors import UsageError
from lianpu.experiments import base, claims
from lianpu.experiments.base import SEED, Paper, extractors, portable, read, rulers
from lianpu.experiments.stages import Reporter, Stage, states
from lianpu.machine import machine, threads
from lianpu.metrics.classify import JudgeConfig

__all__ = ["NAMES", "PAINTERS", "ROWS", "SCALES", "Scale", "Yan2023", "create", "forecast", "summary"]

ROWS = {"stylegan2": "StyleGAN2", "ada": "StyleGAN2-ADA", "apa": "StyleGAN2-APA", "diffusion": "Diffusion-GAN"}
"""The rows of Table 1, with the names they bear there."""
PAINTERS = {"matcher": "Matcher", "spade": "SPADE", "spade-vae": "SPADE-VAE", "cocosnet": "CoCosNet"}
"""The rows of Table 2, and two that it lacks: the matcher, which learns nothing, and SPADE with an encoder, which sees the reference."""
NAMES = ROWS | PAINTERS


@dataclass(frozen=True)
class Scale:
    """How large the experiment is."""

    name: str
    about: str
    recipe: str
    """Which recipes: tiny-32 stands for tiny-32-stylegan2, tiny-32-ada, ..."""
    kimg: float
    """Thousands of pictures each run is shown, few-shot runs too: so their curve ends in the main rows."""
    originals: int
    """Masks drawn; half are for training and half are held out, relatives of one on one side."""
    drawn_at: int
    """Pixels they are drawn at; the data set is built at the recipe's resolution."""
    few: tuple[int, ...]
    """Training originals of the few-shot runs. Each counts four pictures, as everywhere (mirror x colour change)."""
    n: int
    """Pictures generated for each evaluation."""
    metrics: tuple[str, ...] = ("all",)
    settings: tuple[str, ...] = ()
    """Changes of the recipes, key=value."""
    seeds: tuple[int, ...] = (0, 1)
    few_seeds: tuple[int, ...] = (0,)
    painters: str = ""
    """Which recipes of translators: tiny-64 stands for tiny-64-cocosnet, ..."""
    painter_kimg: float = 0.0
    """Thousands of sketches each translator is shown."""
    painter_settings: tuple[str, ...] = ()
    """Changes of the translators' recipes; their pictures must have the size of the generators', so that one table holds both."""
    painted: int = 200
    """Sketches on which a translator is held to the true picture."""
    judge: JudgeConfig = field(default_factory=JudgeConfig)
    shown: int = 24
    """Pictures of each row in Figure 3: the first, unselected."""
    threads: int = 1
    """Of each process on a CPU; a row's bits depend on it, so it is part of the experiment. 0: torch's own choice."""
    needs_cuda: bool = False


SCALES: dict[str, Scale] = {
    s.name: s
    for s in (
        Scale(
            "tiny", "32 px, 100 kimg a run, two seeds; one night on two CPU cores", "tiny-32", 100, 3564, 64,
            (50, 100, 300), 2048, painters="tiny-64", painter_kimg=20, painter_settings=("net.resolution=32",),
        ),
        Scale(
            "paper", "256 px, 25000 kimg a run as the recipes say; needs CUDA", "yan2023", 25000, 3564, 256,
            (50, 100, 300), 10000, painters="yan2023", painter_kimg=500, threads=0, needs_cuda=True,
        ),
        Scale(
            "rehearsal", "32 px, 0.2 kimg a run: shows in minutes that everything works, and nothing about the methods", "tiny-32", 0.2,
            140, 32, (16,), 48, ("all",),
            ("net.channel_base=256", "net.channel_max=16", "net.z_dim=16", "net.w_dim=16", "batch=8",
             "tick_kimg=0.08", "snapshot_kimg=0.08", "samples=8"),
            seeds=(0,), painters="tiny-64", painter_kimg=0.2,
            painter_settings=("net.resolution=32", "net.width=8", "net.width_max=32", "net.hidden=8", "net.discriminator_width=8",
                              "tick_kimg=0.08", "snapshot_kimg=0.08", "samples=4"),
            painted=12, judge=JudgeConfig(train_per_class=8, test_per_class=4, epochs=3), shown=8,
        ),
    )
}  # fmt: skip


# ------------------------------------------------------------------------------------------------------------ the experiment


@dataclass(frozen=True)
class Yan2023(Paper):
    """The experiment in a folder; its own data, if any, stands in for drawn masks."""

    NAME: ClassVar[str] = "yan2023"
    SCALE: ClassVar[type] = Scale
    MAY_CHANGE: ClassVar[tuple[str, ...]] = ("rows", "seeds", "few", "device")

    rows: tuple[str, ...] = tuple(NAMES)
    seeds: tuple[int, ...] = (0, 1)
    few: tuple[int, ...] = ()

    # ------------------------------------------------------------------------------------------------------- the plan

    @property
    def generators(self) -> tuple[str, ...]:
        return tuple(row for row in self.rows if row in ROWS)

    def called(self, row: str) -> str:
        """The recipe of a row's runs."""
        return f"{self.scale.painters if row in PAINTERS else self.scale.recipe}-{row}"

    def changes(self, row: str) -> list[str]:
        """What its runs have otherwise than the recipe, but for the seed."""
        s = self.scale
        kimg, settings = (s.painter_kimg, s.painter_settings) if row in PAINTERS else (s.kimg, s.settings)
        return [f"kimg={kimg}", *settings]

    def stages(self) -> list[Stage]:
        """In the order of their use: a night that ends early has whole rows, not halves of all."""
        found = [
            Stage("data", "data"),
            Stage("judge", "judge", ("data",)),
            Stage("evaluate-real", "evaluate", ("judge",), {"row": "real"}),
        ]
        for seed in self.seeds:
            for row in self.generators:
                found += self._pair({"row": row, "seed": seed, "originals": None}, "data")
        if "matcher" in self.rows:
            facts = {"row": "matcher", "seed": None, "originals": None, "run": "matcher"}
            found.append(Stage("evaluate-matcher", "evaluate", ("judge", "evaluate-real"), facts))
        for seed in self.seeds:
            for row in self.rows:
                if row in PAINTERS and row != "matcher":
                    found += self._pair({"row": row, "seed": seed, "originals": None}, "data")
        for count in self.few:
            found.append(Stage(f"subset-{count}", "data", ("data",), {"originals": count}))
            for seed in self.scale.few_seeds:
                for row in self.generators:
                    found += self._pair({"row": row, "seed": seed, "originals": count}, f"subset-{count}")
        return found

    def _pair(self, facts: dict[str, Any], data: str) -> list[Stage]:
        name = f"{facts['row']}-seed{facts['seed']}" + (f"-of{facts['originals']}" if facts["originals"] else "")
        train = Stage(f"train-{name}", "train", (data,), {**facts, "run": name})
        return [
            train,
            Stage(f"evaluate-{name}", "evaluate", ("judge", "evaluate-real", train.name), {**facts, "run": name}),
        ]

    # ------------------------------------------------------------------------------------------------------- places

    def trained_on(self, stage: Stage) -> Path:
        count = stage.facts.get("originals")
        return self.folder / "subsets" / f"{count}" if count else self.data

    # ------------------------------------------------------------------------------------------------------- is it done?

    def inputs(self, stage: Stage) -> dict[str, Any]:
        """What a stage's result is a function of; its digest is kept with the result."""
        s = self.scale
        if stage.name == "data":
            drawn = {k: getattr(s, k) for k in ("originals", "drawn_at")}
            return {"own": self.own_data, "made": None if self.own_data else drawn, "size": self.resolution}
        info = records.read_info(self.data)
        known = {"data": info["fingerprint"]}
        if stage.kind == "data":
            return {**known, "originals": stage.facts["originals"], "seed": SEED}
        if stage.kind == "judge":
            return {**known, "judge": json.loads(json.dumps(asdict(s.judge))), "size": self.resolution}
        judge = read(self.folder / "results" / "judge.json")
        asked = {
            "metrics": list(self._metrics(stage)),
            "n": s.n,
            "seed": SEED,
            "shown": s.shown,
            "extractors": extractors(),
        }
        known |= {"judge": judge and judge["sha256"], **asked}
        row = stage.facts["row"]
        if row in PAINTERS:
            known |= {"painted": s.painted}
        if row not in ("real", "matcher"):
            trained_on = records.read_info(self.trained_on(stage))["fingerprint"]
            known |= {"model": self.weights_of(stage), "trained on": trained_on}
        return known

    @property
    def resolution(self) -> int:
        return self.recipe(next(iter(ROWS))).net.resolution

    def _metrics(self, stage: Stage) -> tuple[str, ...]:
        """What is measured of a row: of a few-shot run its distances, which their curve is of, and whether it has learnt by heart."""
        from lianpu.metrics import suite

        if not stage.facts.get("originals") or not (here := rulers()):
            return self.scale.metrics
        standard, others = suite.STANDARD in here, any(name != suite.STANDARD for name in here)
        return (*(("fid", "kid") if standard else ()), *(("fd", "kd") if others else ()), "memorisation")

    # ------------------------------------------------------------------------------------------------------- the work

    def work(self, stage: Stage, report: Reporter, over: Callable[[], bool]) -> bool:
        if stage.name == "data":
            self.keep(stage, self._data(report))
        elif stage.kind == "data":
            info = subset.take(self.data, stage.facts["originals"], self.trained_on(stage), seed=SEED)
            self.keep(stage, {"pictures": info["pictures"], "originals": info["originals"], "rights": info["rights"]})
        elif stage.kind == "judge":
            return self._judge(stage, report, over)
        else:
            self.keep(stage, self._evaluate(stage, report))
        return True

    def _data(self, report: Reporter) -> dict[str, Any]:
        s = self.scale
        if not self.own_data:
            drawn = self.folder / "drawn"
            report.say(f"drawing {s.originals} masks at {s.drawn_at} px")
            masks.write(drawn, s.originals, SEED, s.drawn_at, regions=False)
            build.build([drawn], self.data, size=self.resolution, expand=True, test=0.5, seed=SEED)
        return {**self.data_facts(self.resolution), "splits": records.read_info(self.data)["splits"]}

    def _judge(self, stage: Stage, report: Reporter, over: Callable[[], bool]) -> bool:
        from lianpu.metrics import classify
        from lianpu.train.world import choose_device

        lessons = Folder.open(self.data, "train", self.resolution)
        judge = classify.train(
            lessons,
            self.folder / "judge",
            self.scale.judge,
            pretrained=classify.imagenet(),
            device=choose_device(self.device),
            say=report.say,
            stop=over,
        )
        if judge is None:
            return False
        self.keep(stage, judge.facts)
        return True

    # ------------------------------------------------------------------------------------------------------- evaluation

    def _evaluate(self, stage: Stage, report: Reporter) -> dict[str, Any]:
        import torch

        from lianpu.experiments import painting
        from lianpu.metrics import classify, sources, suite
        from lianpu.painter import Painter
        from lianpu.randomness import generator
        from lianpu.train.world import choose_device
        from lianpu.translator import MATCHER, Translator

        s, size, device = self.scale, self.resolution, choose_device(self.device)
        judge = classify.load(self.folder / "judge")
        judge.network.to(device)
        held_out = sources.dataset(self.data, "test", size)
        row = stage.facts["row"]
        real = row == "real"
        began = time.monotonic()
        learnt = None if real else sources.dataset(self.trained_on(stage), "train", size)
        more: list[suite.Row] = []
        example = None
        if real:
            pictures = sources.dataset(self.data, "train", size).take(s.n, SEED)
        elif row in PAINTERS:
            held = painting.Held(Folder.open(self.data, "test", size), s.n, SEED)
            painter = Translator(MATCHER if row == "matcher" else self.run(stage) / "model", device)
            pictures = held.painted(painter)
            more, example = held.measure(painter, pictures, s.painted), held.example
        else:  # without truncation: what the model has learnt, not its best
            pictures = sources.painted(Painter(self.run(stage) / "model", device), s.n, seed=SEED, truncation=1.0)
        rows = suite.evaluate(
            pictures,
            held_out,
            self._metrics(stage),
            seed=SEED,
            device=device,
            train=learnt,
            cache=self.folder / "features",
        )
        rows += more
        if real:  # training pictures are near training pictures, which says nothing
            rows = [row for row in rows if row.key != "memorisation"]
        report.say(f"{stage.name}: {len(rows)} metric rows in {time.monotonic() - began:.0f} s")
        if real:  # the judge has learnt from training pictures, so it is asked about the others
            order = torch.randperm(len(held_out), generator=generator(SEED, "real pictures"))[: s.n].tolist()
        else:
            order = list(range(len(pictures)))
        shown = held_out if real else pictures
        made = [shown.read(i) for i in order]
        facts: dict[str, Any] = {
            **stage.facts,
            "rows": [portable(asdict(row)) for row in rows],
            "figure": f"figures/{stage.name.removeprefix('evaluate-')}.png",
            "accuracy": asdict(self._judged(judge, made, real)),
        }
        if example:  # sketch, reference and result
            cells = [cell for i in range(min(s.shown // 3, len(made))) for cell in example(i, made[i])]
            self.sheet(facts["figure"], cells, stage, columns=6)
        else:
            self.sheet(facts["figure"], made[: s.shown], stage)
        if real:
            facts["judge"] = judge.facts
        elif row != "matcher":
            facts |= self.cost(stage)
        facts["seconds"] = round(time.monotonic() - began, 1)
        return facts

    def _judged(self, judge: Any, made: Sequence[np.ndarray], real: bool) -> Any:
        """The judge's accuracy on the first 20 pictures of each colour, sorted by the rule that stands in for the paper's screening."""
        from lianpu.metrics import classify

        want, sure = self.scale.judge.test_per_class, 0.1
        picked: dict[str, list[int]] = {name: [] for name in judge.classes}
        for i, pixels in enumerate(made):
            found = colour.classify(pixels)
            if found.confidence >= sure and len(picked[found.name]) < want:
                picked[found.name].append(i)
        rows = [i for mine in picked.values() for i in mine]
        labels = np.array([judge.classes.index(name) for name, mine in picked.items() for _ in mine], np.int64)
        verdict = classify.score(judge, [made[i] for i in rows], labels)
        short = {name: len(mine) for name, mine in picked.items() if len(mine) < want}
        if short:
            counts = ", ".join(f"{name} {count}" for name, count in short.items())
            verdict = replace(
                verdict, notes=(*verdict.notes, f"fewer than {want} of some colours among {len(made)}: {counts}")
            )
        pairing = f"first {want} of each colour by the rule (confidence at least {sure}), in the order of their seeds"
        return classify.row(judge, verdict, pairing=pairing, reference=0, group="judge, real" if real else "judge")


Experiment = Yan2023


# ---------------------------------------------------------------------------------------------------------------- beginning


def create(
    folder: Path,
    scale: Scale | str,
    *,
    rows: Sequence[str] = (),
    seeds: Sequence[int] = (),
    few: Sequence[int] | None = None,
    data: Path | None = None,
    device: str = "auto",
    force: bool = False,
) -> Yan2023:
    """The experiment in `folder`: a new one, or the one that lies there, checked to be the same."""
    scale, device = base.settled(scale, SCALES, rows, NAMES, "Tables 1 and 2", device)
    wanted = Yan2023(
        folder,
        scale,
        tuple(dict.fromkeys(rows)) or tuple(NAMES),
        tuple(dict.fromkeys(seeds)) or scale.seeds,
        str(data.resolve()) if data else "",
        device,
        tuple(sorted(set(few))) if few is not None else scale.few,
    )
    if data is not None:
        _fits(wanted)
    base.checked(wanted, force)
    return wanted


def _fits(wanted: Yan2023) -> None:
    train, _ = (Folder.open(Path(wanted.own_data), split, wanted.resolution) for split in ("train", "test"))
    there = len({row.get("source_sha256") for row in train.records})
    for count in wanted.few:
        if count > there:
            raise UsageError(
                f"the data set has {there} training originals; a few-shot run of {count} cannot be made.",
                fix="Choose fewer: --few-shot 50 100",
            )


# ---------------------------------------------------------------------------------------------------------------- forecast


def forecast(experiment: Yan2023, jobs: int, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """The plan with predicted times. Each regime's speed is measured on this machine, now, on one process; so is the judge's."""
    from lianpu.train.world import choose_device

    device = choose_device(experiment.device)
    speeds: dict[str, float] = {}
    for row in experiment.rows:
        if row != "matcher":
            speeds[row] = base.training_speed(experiment.recipe(row), device, experiment.scale.threads)
            say(f"{NAMES[row]}: {speeds[row]:.1f} pictures a second on one process")
    judging = _judge_speed(experiment, device)
    say(f"the judge: {judging:.1f} pictures a second")
    measuring = _feature_speed(experiment, device)
    say(f"features: {measuring:.1f} pictures a second" if measuring else "features: no network's weights are here")
    s = experiment.scale

    def seconds(stage: Stage) -> float | None:
        if stage.kind == "judge":
            return s.judge.train_per_class * len(colour.CLASSES) * s.judge.epochs / judging
        if stage.kind == "evaluate" and measuring:
            return (
                4 * s.originals if stage.facts["row"] == "real" else s.n
            ) / measuring  # four pictures of each original
        return None

    return base.forecast(experiment, jobs, speeds, seconds)


def _judge_speed(experiment: Yan2023, device: Any) -> float:
    """Training pictures a second of the judge, as it will be trained here: all of it, or the trunk once for each picture."""
    import torch

    from lianpu.metrics import classify

    c, size, count = experiment.scale.judge, experiment.resolution, 64
    pretrained = classify.imagenet()
    noise = torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8).numpy()
    labels = np.arange(count) % len(colour.CLASSES)
    with threads(experiment.scale.threads):
        network = classify.new_network(len(colour.CLASSES), 0, pretrained).to(device)
        began = time.perf_counter()
        lesson = classify.Lesson(
            network, list(noise), labels, c.size or (224 if pretrained else size), c, pretrained is not None
        )
        if pretrained is None:
            classify.one_epoch(network, lesson, 0)
            return count / (time.perf_counter() - began)
        return count * c.epochs / (time.perf_counter() - began)


def _feature_speed(experiment: Yan2023, device: Any) -> float | None:
    """Pictures a second of the first feature network at hand; None without any."""
    import torch

    from lianpu import weights
    from lianpu.nets import features

    name = next((n for n in features.EXTRACTORS if weights.available(n)), None)
    if name is None:
        return None
    size = experiment.resolution
    noise = torch.randint(0, 256, (16, 3, size, size), dtype=torch.uint8, device=device)
    with threads(experiment.scale.threads), torch.no_grad():
        ruler = features.extractor(name, device)
        ruler(noise[:2])
        began = time.perf_counter()
        ruler(noise)
        return len(noise) / (time.perf_counter() - began)


# ---------------------------------------------------------------------------------------------------------------- the result


def summary(experiment: Yan2023) -> dict[str, Any]:
    """All that is known so far, as plain values: what the report is made from, and what is kept under docs/results."""
    plan = states(experiment)
    results = base.results(experiment, plan)
    evaluated = [r for r in results.values() if r["kind"] == "evaluate"]
    painted = [e for e in evaluated if e["row"] in PAINTERS]
    main = [e for e in evaluated if e["row"] in ROWS and not e["originals"]]
    few = [e for e in evaluated if e["row"] != "real" and e["originals"]]
    real = next((e for e in evaluated if e["row"] == "real"), None)
    headline = base.headline([e for e in evaluated if e not in few])
    missing = base.missing(plan)
    data = results.get("data")
    return {
        **experiment.facts(),
        "own_data": Path(experiment.own_data).name,
        "lianpu": __version__,
        "finished": not missing,
        "names": NAMES,
        "data": data,
        "subsets": {r["originals"]: r["pictures"] for n, r in results.items() if n.startswith("subset-")},
        "judge": results.get("judge"),
        "headline": headline,
        "real": real,
        "main": main,
        "painted": painted,
        "few_shot": [*few, *(e for e in main if e["seed"] in experiment.scale.few_seeds)] if few else [],
        "claims": [
            c
            for c in claims.judge(_look([*main, *painted], few, headline))
            if c["row"] in (*experiment.rows, "few-shot")
        ],
        "not_run": [*missing, *_reasons(experiment, evaluated), *claims.NOT_RUN],
        "plan": plan,
        "machine": machine(),
    }


def _look(main: Sequence[dict[str, Any]], few: Sequence[dict[str, Any]], headline: dict[str, str]) -> claims.Look:
    fewest = min((e["originals"] for e in few), default=None)

    def look(kind: str, row: str) -> claims.Measured | None:
        name, _, small = row.partition(" ")
        mine = [e for e in (few if small else main) if e["row"] == name and (not small or e["originals"] == fewest)]
        if kind == "accuracy":
            return claims.Measured.of([e["accuracy"] for e in mine])
        return claims.Measured.of([r for e in mine for r in e["rows"] if r["metric"] == headline.get(kind, kind)])

    return look


def _reasons(experiment: Yan2023, evaluated: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What this scale leaves out, with why."""
    s, found = experiment.scale, []

    def note(what_en: str, what_zh: str, why_en: str, why_zh: str) -> None:
        found.append({"what": {"en": what_en, "zh": what_zh}, "why": {"en": why_en, "zh": why_zh}})

    if experiment.resolution != 256:
        note(
            f"256 px and {SCALES['paper'].kimg:,.0f} thousand pictures a run, lianpu's scale paper",
            f"256 像素、每次训练 {SCALES['paper'].kimg / 10:,.0f} 万张（lianpu 的 paper 规模）",
            f"This is the scale {s.name}: {s.about}. The scale paper needs CUDA.",
            f"本次规模为 {s.name}（{experiment.resolution} 像素、每次 {s.kimg / 10:g} 万张）；paper 规模需要 CUDA。",
        )
    if evaluated and not any(
        r["metric"] in ("FID", "KID") and r["value"] is not None for e in evaluated for r in e["rows"]
    ):
        note(
            "FID and KID by their standard network (Inception-2015)",
            "以标准网络（Inception-2015）计算的 FID 与 KID",
            "Its weights are not on this machine; the distances here bear the names of the features they were computed with.",
            "本机没有该网络的权重；此处的距离均标明其所用特征。",
        )
    for row in NAMES:
        if row not in experiment.rows:
            note(NAMES[row], NAMES[row], "It was not asked for (--rows).", "未要求运行（--rows）。")
    return found
