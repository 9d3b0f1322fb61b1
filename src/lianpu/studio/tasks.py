"""What the worker does: each wish as calls of `api`. A task says how it is doing through `Desk`, and is asked there whether to stop; what
it makes are files in its job's folder, each whole or not there, so that doing it again goes on.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lianpu import api, files, images, lifter, translations
from lianpu.errors import DataError, LianpuError, UsageError
from lianpu.render import camera, frames
from lianpu.studio.commands import command
from lianpu.studio.project import FOUND, Project, media_type, recipe_of, safe_name
from lianpu.studio.wishes import (
    Build,
    Colour,
    Draw,
    Face,
    Generate,
    Head,
    Lift,
    Look,
    Measure,
    Paint,
    Preview,
    Subject,
    Train,
    Translate,
    View,
    Walk,
    live_of,
    restorable,
    wish_of,
)

__all__ = ["Desk", "answer", "carry_out"]

LOOK = 128  # pixels of the pictures in a source's table
MANY = 100  # files from which a build starts processes of its own


class Desk(Protocol):
    """Whom a task tells how it is doing. `count` and `breathe` raise Stopped when the user has asked for it."""

    def count(self, done: int, total: int, what: str) -> None: ...
    def breathe(self) -> None: ...
    def say(self, text: str) -> None: ...
    def status(self, status: dict[str, Any], tick: bool) -> None: ...


# ------------------------------------------------------------------------------------------------------------------ models


@functools.lru_cache(maxsize=2)
def _painter(name: str, stamp: float) -> Any:
    return api.load(name, "cpu")


@functools.lru_cache(maxsize=2)
def _translator(name: str, stamp: float) -> Any:
    return api.load_translator(name, "cpu")


@functools.lru_cache(maxsize=1)
def _lifter(name: str, stamp: float) -> lifter.Lifter:
    return api.load_lifter(name, "cpu")


def _loaded(load: Callable[[str, float], Any], project: Project, id: str) -> Any:
    """A loaded model; one that a run has written anew is loaded anew."""
    name = project.model(id)
    if name is None:
        raise UsageError(f"there is no model {id} any more.", fix="Choose another.")
    notes = (Path(name) / "model" / "model.json", Path(name) / "model.json")
    return load(name, next((note.stat().st_mtime for note in notes if note.is_file()), 0.0))


def _subject(painter: Any, wish: Subject) -> Any:
    """The painter's own subject: a label that is not given comes from the seed, as on the command line."""
    from dataclasses import replace

    def one(seed: int) -> Any:
        return painter.subjects(1, seed, label=wish.label, truncation=wish.truncation)[0]

    subject = one(wish.seed)
    if wish.mix_seed is not None:
        first = wish.mix_from if wish.mix_from is not None else painter.layers // 2
        subject = replace(subject, mix_seed=wish.mix_seed, mix_label=one(wish.mix_seed).label, mix_from=first)
    if wish.morph_seed is not None:
        share = 0.5 if wish.morph is None else wish.morph
        subject = replace(subject, morph_seed=wish.morph_seed, morph_label=one(wish.morph_seed).label, morph=share)
    return subject


# -------------------------------------------------------------------------------------------------------------------- jobs


def carry_out(project: Project, job: dict[str, Any], desk: Desk) -> dict[str, Any]:
    """Does a job, or what is left of it; returns what is worth saying of it."""
    wish = wish_of(job["wish"])
    folder = project.path / "jobs" / job["id"]
    for place in (folder, folder / "out", folder / "out" / "meshes"):
        files.remove_partial(place)
    task = {
        Generate: _generate, Walk: _walk, Draw: _draw, Translate: _translate, Lift: _lift, Look: _look, Build: _build, Train: _train,
        Measure: _measure,
    }[type(wish)]  # fmt: skip
    return task(project, wish, folder, desk) or {}


def _generate(project: Project, wish: Generate, folder: Path, desk: Desk) -> None:
    painter = _loaded(_painter, project, wish.model)
    for done, one in enumerate(wish.subjects, 1):
        subject = _subject(painter, one)
        path = folder / "out" / f"{_name(subject)}.png"
        if not path.exists():
            files.atomic_write(path, painter.png(subject))
        desk.count(done, len(wish.subjects), "pictures")


def _name(s: Any) -> str:
    words = [f"seed{s.seed:06d}", s.label or ""]
    if s.mix_seed is not None:
        words += [f"mix{s.mix_seed}", f"from{s.mix_from}"]
    if s.morph_seed is not None:
        words += [f"morph{s.morph_seed}", f"at{s.morph:g}"]
    if s.truncation != 0.7:
        words += [f"psi{s.truncation:g}"]
    return "-".join(filter(None, words))


def _walk(project: Project, wish: Walk, folder: Path, desk: Desk) -> None:
    name = project.model(wish.model) or wish.model
    options = {"seed": wish.seed, "truncation": wish.truncation, "label": wish.label, "device": "cpu"}
    api.walk(name, folder / "out" / "walk.mp4", stops=wish.stops, overwrite=True, progress=desk.count, **options)


def _draw(project: Project, wish: Draw, folder: Path, desk: Desk) -> None:
    api.sample(
        folder / "out", wish.count, wish.seed, wish.size, svg=True, regions=False, workers=1,
        progress=lambda done, total: desk.count(done, total, "pictures"),
    )  # fmt: skip


def _translate(project: Project, wish: Translate, folder: Path, desk: Desk) -> dict[str, Any]:
    for name, ids in (("sketches", wish.sketches), ("references", wish.references)):
        _lay_out(project, ids, folder / name)
    made = api.translate(
        project.model(wish.model) or wish.model, folder / "sketches", folder / "references", folder / "out",
        symmetric=wish.symmetric, palette=wish.palette, device="cpu", overwrite=True,
        progress=lambda done, total, what: desk.count(done, total, what),
    )  # fmt: skip
    said: set[tuple[str, str]] = set()
    for picture in made:
        for note in picture.result.get("notes", []):
            if (picture.sketch, note) not in said:
                said.add((picture.sketch, note))
                desk.say(f"{picture.path.name}: {note}")
    return {}


def _lay_out(project: Project, ids: list[str], folder: Path) -> None:
    """The files of ids in a folder under their own names; two of one name are told apart by a number."""
    folder.mkdir(parents=True, exist_ok=True)
    files.remove_partial(folder)
    wanted = list(dict.fromkeys(ids))
    if len(list(folder.iterdir())) == len(wanted):
        return  # from before it was stopped; what was kept may be gone since
    taken: set[str] = set()
    for id in wanted:
        path = project.file(id)
        if path is None:
            raise DataError("a picture of this job is not there any more.", id, "Take the others: begin a new job.")
        own = Path(path.name)
        if own.suffix.lower() not in translations.ENDINGS:  # by which a folder is read
            own = Path(f"{own}{_ending(path)}")
        name, number = own.name, 2
        while name.casefold() in taken:
            name, number = f"{own.stem}-{number}{own.suffix}", number + 1
        taken.add(name.casefold())
        if not (folder / name).exists():
            with files.new_file(folder / name, durable=False) as temporary:
                shutil.copyfile(path, temporary)


def _ending(path: Path) -> str:
    with open(path, "rb") as file:
        kind = media_type(file.read(12))
    return f".{kind.partition('/')[2]}" if kind else ".tif"  # the one format that is kept and no browser shows


def _lift(project: Project, wish: Lift, folder: Path, desk: Desk) -> dict[str, Any]:
    out = folder / "out"
    wanted = lifter.Wanted(
        [wish.view.yaw], wish.view.pitch, wish.view.roll, _lamp(wish.view), maps=wish.maps,
        export=[out / "meshes" / f"head.{ending}" for ending in wish.export], height_mm=wish.height_mm,
        turntable=out / "turntable.mp4" if wish.turntable else None, out=out,
    )  # fmt: skip
    lifted = _face(project, wish.model, wish.face, folder / FOUND, desk)
    for warning in wanted.warnings(lifted):
        desk.say(warning)
    wanted.write(lifted, desk.count)
    desk.count(1, 1, "heads")
    return {"inverted": lifted.facts.get("inverted")}


def _face(
    project: Project, model: str, face: Face, keep: Path | None = None, desk: Desk | None = None
) -> lifter.Lifted:
    """The lifted face that is meant. A photograph's is looked for once, by a job, and kept in its file `keep`."""
    if face.found is not None:
        keep = project.found_face(face.found)
        if keep is None:
            raise UsageError("this face is not there any more.", fix="Look for its photograph again.")
        return lifter.kept(keep)
    loaded: lifter.Lifter = _loaded(_lifter, project, model)
    if face.seed is not None:
        return loaded.of_seed(face.seed, label=face.label, truncation=face.truncation)
    path = project.file(face.picture or "")
    if path is None or keep is None or desk is None:
        raise UsageError("this photograph is not there any more.", fix="Choose another.")
    if not keep.exists():
        lifted = loaded.of_picture(
            path, crop=face.crop, steps=face.steps, say=lambda step, steps, loss: desk.count(step, steps, "steps")
        )
        lifted.keep(keep)
    return lifter.kept(keep)


def _lamp(view: View) -> lifter.Lamp | None:
    return None if view.light is None else lifter.Lamp(**view.light.model_dump())


def _look(project: Project, wish: Look, folder: Path, desk: Desk) -> dict[str, Any]:
    source = project.source(wish.source)
    if source is None:
        raise UsageError("this material is not there any more.")
    report = api.build(
        project.source_paths(wish.source), source / "look", size=LOOK, test=0.0, allow_unknown_rights=True, workers=1,
        progress=desk.count,
    )  # fmt: skip
    return {"source": wish.source, "pictures": report.pictures, "groups": report.groups}


def _build(project: Project, wish: Build, folder: Path, desk: Desk) -> dict[str, Any]:
    report = api.build(
        project.source_paths(wish.source), folder / "data", size=wish.size, crop=wish.crop, expand=wish.expand,
        test=wish.test, sketches=wish.sketches or False, allow_unknown_rights=wish.allow_unknown_rights,
        workers=1 if project.source_files(wish.source) < MANY else None,
        rights=f"{wish.licence}; {wish.origin}" if wish.licence and wish.origin else None, progress=desk.count,
    )  # fmt: skip
    for line in report.lines():
        desk.say(line)
    return {"pictures": report.pictures, "colours": report.colours}


class _Reporter:
    """Passes a run's progress to the desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def say(self, text: str) -> None:
        self.desk.say(text)

    def progress(self, status: dict[str, Any], tick: bool) -> None:
        self.desk.status(status, tick)


def _train(project: Project, wish: Train, folder: Path, desk: Desk) -> None:
    data = project.dataset(wish.data)
    if data is None:
        raise UsageError("this data set is not there any more.")
    api.train(
        folder / "run", data=data, recipe=wish.recipe, settings=[f"kimg={wish.kimg:g}"], device=wish.device,
        report=_Reporter(desk),
    )  # fmt: skip


def _measure(project: Project, wish: Measure, folder: Path, desk: Desk) -> dict[str, Any]:
    name, data = project.model(wish.run), project.dataset(wish.data)
    if name is None or data is None:
        raise UsageError("this run has no model yet, or its data set is gone.")
    images_seen = api.inspect(Path(name) / "model").get("images_seen", 0)
    rows = api.evaluate(name, against=data, n=wish.n, device="cpu", progress=desk.count)
    keys = ("metric", "value", "low", "high", "group", "note")
    return {"images": images_seen, "rows": [{key: getattr(row, key) for key in keys} for row in rows]}


# -------------------------------------------------------------------------------------------------------------------- live


def answer(project: Project, ask: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    """Does a live request at once; (facts, bytes) of the answer."""
    if ask["kind"] == "receive":
        return _receive(Path(ask["path"]), ask["role"])
    if ask["kind"] == "show":
        return {}, images.encode_png(images.decode(Path(ask["path"])).pixels)
    if ask["kind"] == "again":
        return _again(project, Path(ask["path"]))
    if ask["kind"] == "starters":
        return _starters(project)
    wish = live_of(ask)
    said = {"command": command(wish, project)}
    match wish:
        case Paint():
            painter = _loaded(_painter, project, wish.model)
            subject = _subject(painter, wish.subject)
            return {**said, "label": subject.label}, images.encode_png(painter.paint(subject))
        case Colour():
            head, out = _colour(project, wish, body)
            return {**said, **head}, out
        case Head():
            lifted = _face(project, wish.model, wish.face)
            if wish.view is None:
                head, out = _head(lifted)
                return {**said, **head}, out
            view = wish.view
            return said, images.encode_png(next(lifted.seen([view.yaw], view.pitch, view.roll, _lamp(view))))
        case Preview():
            return said | {"command": ""}, _preview(project, wish)
    raise AssertionError(wish)


def _colour(project: Project, wish: Colour, body: bytes) -> tuple[dict[str, Any], bytes]:
    from lianpu.translator import Settings

    translator = _loaded(_translator, project, wish.model)
    path = project.file(wish.reference)
    if path is None:
        raise UsageError("this reference is not there any more.")
    reference = _reference(project, wish.model, str(path), path.stat().st_mtime)
    sketch = body or (project.file(wish.sketch) if wish.sketch else None)
    if not sketch:
        raise UsageError("there is no drawing yet.")
    scanned = translator.read_sketch(sketch)
    made = translator.translate(scanned.lines, reference, Settings(wish.symmetric, wish.palette))
    parts = [images.encode_png(made.pixels), images.encode_png(images.of_lines(scanned.lines))]
    parts.append(images.encode_png(reference.pixels))
    side = 0
    if made.match is not None:
        side = made.match.index.shape[0]
        parts.append(made.match.index.astype("<i4").tobytes())
        parts.append((np.clip(made.match.confidence, 0, 1) * 255).astype(np.uint8).tobytes())
    notes = [*scanned.notes, *reference.notes, *made.notes]
    moved = None if made.moved is None else [round(v, 2) for v in made.moved]
    return {"parts": [len(p) for p in parts], "side": side, "notes": notes, "moved": moved}, b"".join(parts)


def _head(lifted: lifter.Lifted) -> tuple[dict[str, Any], bytes]:
    """What a browser needs to draw the head as `render` does: depth, albedo and what moves, and of a head that was cut out of its ground
    normals, cover and ground, each float32; and the camera's numbers.
    """
    face = lifted.face
    ambient, diffuse, x, y = face.light[0].tolist()
    facts = {
        "size": lifted.size, "shown": lifted.shown, "name": lifted.name, "source": lifted.source, "photograph": lifted.photograph,
        "light": {"x": x, "y": y, "ambient": ambient / 2 + 0.5, "diffuse": diffuse / 2 + 0.5},
        "inverted": lifted.facts.get("inverted"),
        "camera": {"fov": camera.FOV, "near": camera.NEAR, "far": camera.FAR, "ground": frames.GROUND},
    }  # fmt: skip
    apart = lifted.layers
    T = face.transform.new_ones(face.transform.shape) if apart else face.transform
    maps = [lifted.depth[None], lifted.albedo, T, *((apart.normals, apart.cover, apart.ground) if apart else ())]
    return facts, b"".join(each[0].movedim(0, -1).contiguous().numpy().astype("<f4").tobytes() for each in maps)


@functools.lru_cache(maxsize=16)
def _read_reference(translator: Any, path: str, stamp: float) -> Any:
    return translator.read_reference(Path(path))


def _reference(project: Project, model: str, path: str, stamp: float) -> Any:
    return _read_reference(_loaded(_translator, project, model), path, stamp)


def _preview(project: Project, wish: Preview) -> bytes:
    from lianpu.data import archive, crop, sketch

    source = project.path / "sources" / wish.source / "look"
    _, items, _ = archive.collect(project.source_paths(wish.source), source)
    try:
        if wish.number >= len(items):
            raise UsageError("there is no such picture.")
        pixels, _ = crop.square(images.decode(items[wish.number].read()).pixels, wish.crop, 256)
    finally:
        archive.close()
    shown = [pixels]
    if wish.style:
        style = sketch.PRESETS[wish.style] if wish.lines is None else sketch.XDoG(**wish.lines.model_dump())
        shown.append(np.repeat(sketch.sketch(pixels, style)[..., None], 3, 2))
    return images.encode_png(images.sheet(shown, 2, gap=0))


def _receive(path: Path, role: str) -> tuple[dict[str, Any], bytes]:
    """Whether a received file is a picture that can serve as a drawing or reference, and a small copy of it."""
    decoded = images.decode(path)
    h, w = decoded.pixels.shape[:2]
    scale = min(1.0, 256 / max(h, w))
    small = images.resize(decoded.pixels, max(1, round(h * scale)), max(1, round(w * scale)))
    translator = api.load_translator("matcher")
    if role == "sketch":
        notes = translator.read_sketch(path).notes
    elif role == "reference":
        notes = list(translator.read_reference(path).notes)
    else:
        notes = decoded.notes
    return {"width": w, "height": h, "notes": notes}, images.encode_png(small)


def _again(project: Project, path: Path) -> tuple[dict[str, Any], bytes]:
    """A picture of ours made again: its recipe, and whether every pixel is the same."""
    recipe = recipe_of(path)
    if not recipe:
        raise DataError(
            "this picture carries no recipe.", "", "It was not made by lianpu, or a program dropped it on saving."
        )
    if not restorable(recipe):
        raise DataError("the recipe of this picture is damaged.", "", "Its settings cannot be brought back.")
    model = recipe.get("model")
    made_by: dict[str, Any] = model if isinstance(model, dict) else {}
    id = project.model_of(recipe)
    facts: dict[str, Any] = {
        "recipe": recipe,
        "model": id or (made_by.get("name") if made_by.get("name") == "matcher" else None),
    }
    if recipe["verb"] == "lift":
        found = next((each for each in project.found_faces() if _is_of(each[1], recipe)), None)
        if found:
            pixels = images.decode(path).pixels
            made = lifter.again(lifter.kept(found[1]), recipe, pixels.shape[0])
            same = bool(np.array_equal(made, pixels))
            return {**facts, "same": same, "found": found[0]}, images.encode_png(made)
    digests = [recipe[k].get("sha256") for k in ("sketch", "reference") if isinstance(recipe.get(k), dict)]
    kept = project.by_sha256()
    sources = [kept[d] for d in digests if d in kept]
    folder = tempfile.mkdtemp(prefix=".again-", dir=project.path)
    try:
        same, out = api.rerun(
            path, model=project.model(id) if id else None, sources=sources, out=Path(folder) / "again.png", device="cpu"
        )
        content = out.read_bytes() if out else b""
    except LianpuError as error:
        return {**facts, "same": None, "why": [error.what, error.where, error.fix]}, b""
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {**facts, "same": same}, content


def _is_of(face: Path, recipe: dict[str, Any]) -> bool:
    """Whether a kept face is the one that a recipe tells of."""
    try:
        facts = lifter.facts_of(face)
    except DataError:
        return False
    return all(recipe.get(key) == facts.get(key) for key in ("inverted", "model"))


def _starters(project: Project) -> tuple[dict[str, Any], bytes]:
    """Drawn masks to begin with, where the project has none: six as references, and the lines of six others as drawings."""
    from lianpu.data import sketch
    from lianpu.provenance import png_text

    added = 0
    with tempfile.TemporaryDirectory(prefix=".starters-", dir=project.path) as temporary:
        drawn = api.sample(Path(temporary) / "drawn", 12, 7, 256, regions=False, workers=1)
        pictures = sorted((drawn).glob("*.png"))
        for number, path in enumerate(pictures):
            role = "reference" if number % 2 == 0 else "sketch"
            content = path.read_bytes()
            if role == "sketch":
                lines = sketch.sketch(images.decode(content).pixels, "lines")
                facts = {"verb": "starter", "of": recipe_of(path).get("subject")}
                content = images.encode_png(lines, png_text(facts, "algorithmicMedia"))
            incoming = Path(temporary) / "incoming"
            incoming.write_bytes(content)
            thumb = images.encode_png(images.decode(content).pixels)
            about = project.keep_file(
                incoming, hashlib.sha256(content).hexdigest(), safe_name(f"{role}-{number // 2 + 1}.png"), role,
                {"starter": True, "width": 256, "height": 256, "notes": []},
            )  # fmt: skip
            files.atomic_write(project.path / "files" / f"{about['id']}.thumb.png", thumb, durable=False)
            added += 1
    return {"added": added}, b""
