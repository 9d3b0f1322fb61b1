"""The `lianpu` command that does the same as a wish: what the studio shows under "same as", and what a test runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from lianpu.studio.project import Project
from lianpu.studio.wishes import (
    Build,
    Colour,
    Draw,
    Face,
    Generate,
    Head,
    Lift,
    Live,
    Look,
    Measure,
    Paint,
    Subject,
    Train,
    Translate,
    View,
    Walk,
    Wish,
)

__all__ = ["again", "command"]

CPU = ("--device", "cpu")  # on which the studio does all but training


def command(wish: Wish | Live, project: Project, out: Path | None = None) -> str:
    """One line for the shell, or several where one command does not do it. out: the job's folder, if it has one."""
    return "\n".join(shlex.join(map(str, words)) for words in _lines(wish, project, out))


def again(path: Path, recipe: dict[str, Any], project: Project) -> str:
    """The command that makes a result again and compares; "" where its file does not say enough for that."""
    verb = recipe.get("verb")
    if path.suffix != ".png" or verb not in ("generate", "sample", "translate", "lift"):
        return ""
    if verb == "lift" and "subject" not in recipe:  # found in a photograph
        return ""
    id = project.model_of(recipe)
    model = ["--model", _model(project, id)] if id else []
    return shlex.join(["lianpu", "inspect", str(path), "--rerun", *model, *CPU])


def _lines(wish: Wish | Live, project: Project, out: Path | None) -> Iterator[list[object]]:
    here = ["--out", out / "out"] if out else []
    match wish:
        case Generate():
            for subjects in _series(wish.subjects):
                yield _generate(project, wish.model, subjects, here)
        case Paint():
            yield _generate(project, wish.model, [wish.subject], here)
        case Walk():
            words = ["lianpu", "generate", _model(project, wish.model), "--seed", wish.seed]
            words += ["--truncation", f"{wish.truncation:g}", *_class(wish.label), "--stops", wish.stops, *CPU]
            yield [*words, "--walk", out / "out" / "walk.mp4" if out else "walk.mp4"]
        case Draw():
            words = ["lianpu", "data", "sample", "masks", "--to", out / "out" if out else "masks", "-n", wish.count]
            yield [*words, "--seed", wish.seed, "--size", wish.size, "--svg", "--no-regions"]
        case Translate() | Colour():
            yield _translate(project, wish, out, here)
        case Lift():
            yield _lift(project, wish, out) + here
        case Head():
            yield [*_face(project, wish.model, wish.face), *_view(wish.view or View())]
        case Look():
            to = project.path / "sources" / wish.source / "look"
            words = ["lianpu", "data", "build", *project.source_paths(wish.source), "--to", to, "--size", 128]
            yield [*words, "--test", 0, "--allow-unknown-rights"]
        case Build():
            yield _build(project, wish, out)
        case Train():
            words = ["lianpu", "train", "--data", project.dataset(wish.data) or wish.data, "--recipe", wish.recipe]
            words += ["-s", f"kimg={wish.kimg:g}", "--device", wish.device]
            yield [*words, "--out", out / "run" if out else "runs/x"]
        case Measure():
            words = [
                "lianpu",
                "evaluate",
                _model(project, wish.run),
                "--against",
                project.dataset(wish.data) or wish.data,
            ]
            yield [*words, "--metrics", "all", "-n", wish.n, *CPU]


def _series(subjects: list[Subject]) -> Iterator[list[Subject]]:
    """Subjects in runs that one command makes: seeds one after another, all else alike."""

    def key(pair: tuple[int, Subject]) -> object:
        index, s = pair
        single = s.mix_seed is not None or s.morph_seed is not None
        return (s.seed - index, s.label, s.truncation, index if single else None)

    for _, group in groupby(enumerate(subjects), key):
        yield [s for _, s in group]


def _generate(project: Project, model: str, subjects: list[Subject], here: list[object]) -> list[object]:
    s = subjects[0]
    words: list[object] = ["lianpu", "generate", _model(project, model)]
    if s.mix_seed is not None:
        words += ["--mix", s.seed, s.mix_seed, "--alone", *([] if s.mix_from is None else ["--mix-from", s.mix_from])]
    elif s.morph_seed is not None:
        words += ["--morph", s.seed, s.morph_seed, "--at", f"{0.5 if s.morph is None else s.morph:g}"]
    else:
        words += ["-n", len(subjects), "--seed", s.seed]
    return [*words, "--truncation", f"{s.truncation:g}", *_class(s.label), *CPU, *here]


def _translate(project: Project, wish: Translate | Colour, out: Path | None, here: list[object]) -> list[object]:
    if out:
        sketch, reference = out / "sketches", out / "references"
    else:
        drawing, picture = (wish.sketch, wish.reference) if isinstance(wish, Colour) else ("", "")
        sketch = project.file(drawing) if drawing else None
        reference = project.file(picture)
    words: list[object] = ["lianpu", "translate", _model(project, wish.model), "--sketch", sketch or "drawing.png"]
    words += ["--reference", reference or "reference.png"]
    if wish.palette != "free":
        words += ["--palette", wish.palette]
    if wish.symmetric == "both":
        words += ["--symmetric"]
    elif wish.symmetric != "off":
        words += ["--lead", wish.symmetric]
    return [*words, *CPU, *here]


def _face(project: Project, model: str, face: Face) -> list[object]:
    if face.found is not None:
        model, face = project.found(face.found) or (model, face)
    words: list[object] = ["lianpu", "lift", _model(project, model)]
    if face.seed is not None:
        return [*words, "--seed", face.seed, *_class(face.label), "--truncation", f"{face.truncation:g}", *CPU]
    words += [project.file(face.picture or "") or "photograph.png", "--steps", face.steps, *CPU]
    return words + ([] if face.crop == "auto" else ["--crop", face.crop])


def _view(view: View) -> list[object]:
    words: list[object] = ["--yaw", f"{view.yaw:g}"]
    for name, angle in (("--pitch", view.pitch), ("--roll", view.roll)):
        words += [name, f"{angle:g}"] if angle else []
    if view.light:
        light = view.light
        words += ["--light", ",".join(map(repr, (light.x, light.y, light.ambient, light.diffuse)))]
    return words


def _lift(project: Project, wish: Lift, out: Path | None) -> list[object]:
    words = [*_face(project, wish.model, wish.face), *_view(wish.view)]
    words += ["--maps", ",".join(wish.maps)] if wish.maps else []
    to = out / "out" if out else Path("lifted")
    for ending in wish.export:
        words += ["--export", to / "meshes" / f"head.{ending}"]
    words += ["--turntable", to / "turntable.mp4"] if wish.turntable else []
    return words + (["--height-mm", f"{wish.height_mm:g}"] if wish.height_mm else [])


def _build(project: Project, wish: Build, out: Path | None) -> list[object]:
    words: list[object] = ["lianpu", "data", "build", *project.source_paths(wish.source)]
    words += [
        "--to",
        out / "data" if out else "data",
        "--size",
        wish.size,
        "--crop",
        wish.crop,
        "--test",
        f"{wish.test:g}",
    ]
    words += ["--expand"] * wish.expand
    if wish.sketches:
        words += ["--sketches", wish.sketches]
    if wish.licence and wish.origin:
        words += [f"--rights={wish.licence}; {wish.origin}"]
    return [*words, *["--allow-unknown-rights"] * wish.allow_unknown_rights]


def _model(project: Project, id: str) -> str:
    return project.model(id) or id


def _class(label: str | None) -> list[object]:
    return [f"--class={label}"] if label else []  # which may begin with a hyphen
