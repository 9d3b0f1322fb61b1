"""The `lianpu` command that does the same as a wish: what the studio shows under "same as", and what a test runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from lianpu.studio.project import Project
from lianpu.studio.wishes import Build, Colour, Draw, Generate, Live, Look, Paint, Subject, Train, Translate, Walk, Wish

__all__ = ["command"]


def command(wish: Wish | Live, project: Project, out: Path | None = None) -> str:
    """One line for the shell, or several where one command does not do it. out: the job's folder, if it has one."""
    return "\n".join(shlex.join(map(str, words)) for words in _lines(wish, project, out))


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
            words += ["--truncation", f"{wish.truncation:g}", *_class(wish.label), "--stops", wish.stops]
            yield [*words, "--walk", out / "out" / "walk.mp4" if out else "walk.mp4"]
        case Draw():
            words = ["lianpu", "data", "sample", "masks", "--to", out / "out" if out else "masks", "-n", wish.count]
            yield [*words, "--seed", wish.seed, "--size", wish.size, "--svg", "--no-regions"]
        case Translate() | Colour():
            yield _translate(project, wish, out, here)
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
        words += ["--mix", s.seed, s.mix_seed, *([] if s.mix_from is None else ["--mix-from", s.mix_from])]
    elif s.morph_seed is not None:
        words += ["--morph", s.seed, s.morph_seed, "--at", f"{0.5 if s.morph is None else s.morph:g}"]
    else:
        words += ["-n", len(subjects), "--seed", s.seed]
    return [*words, "--truncation", f"{s.truncation:g}", *_class(s.label), *here]


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
    return [*words, *here]


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
        words += ["--rights", f"{wish.licence}; {wish.origin}"]
    return [*words, *["--allow-unknown-rights"] * wish.allow_unknown_rights]


def _model(project: Project, id: str) -> str:
    return project.model(id) or id


def _class(label: str | None) -> list[object]:
    return ["--class", label] if label else []
