"""Many drawings painted after many references as one job in one folder: what is wanted is planned and checked first, what is there
and unchanged is kept, and wherever it is stopped, the same command goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from lianpu import __version__, explain, files, images, provenance
from lianpu.errors import DataError, LianpuError, ResourceError, Stopped, UsageError, did_you_mean
from lianpu.translator import MATCHER, Reference, Result, Settings, Translator

__all__ = ["ENDINGS", "JOB", "PAIRINGS", "Job", "Made", "again", "facts", "plan"]

SCHEMA = 1
JOB = "translate.json"
SHEET = "sheet-translations.png"
MATCHES = "matches"  # the folder of what --explain writes
PAIRINGS = ("all", "zip")
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
LONGEST = 60  # bytes of each source's name in a picture's name
SMALLEST_CELL = 32  # pixels of a picture on a sheet; where that is still too much, there is no sheet
Progress = Callable[[int, int, str], object]


class Source(NamedTuple):
    """A file of a sketch or a reference, as it was when the job was planned."""

    path: Path
    sha256: str

    @property
    def facts(self) -> dict[str, str]:
        return {"name": _plain(self.path.name), "sha256": self.sha256}


class Pair(NamedTuple):
    sketch: Source
    reference: Source
    name: str
    """Of its picture, without the ending."""


class Made(NamedTuple):
    """A picture of a job that is there now."""

    path: Path
    sketch: str
    reference: str
    kept: bool
    """It was there already, of the same files and settings."""
    result: dict[str, Any]
    """What is worth saying of it: notes, and delta_e where the palette was locked."""


@dataclass
class Job:
    """A planned job; `run` does it."""

    translator: Translator
    settings: Settings
    out: Path
    pairing: str
    explain: bool
    pairs: list[Pair]
    references: dict[str, Reference] = field(repr=False)
    """By SHA-256."""
    left_out: list[tuple[Path, str]]
    """Files that could not be used, and why."""
    kept: set[str]
    """Names of the pairs whose pictures are there and unchanged."""

    def run(self, progress: Progress | None = None) -> Iterator[Made]:
        """Makes what is not there; yields every picture as it is ready. Raises Stopped when stopped between pictures, and a
        DataError at the end where files were left out.
        """
        done, read = 0, (None, None)
        try:
            for pair in self.pairs:
                if pair.name not in self.kept:
                    if read[0] != pair.sketch:
                        read = pair.sketch, self.translator.read_sketch(_read(pair.sketch))
                    made = self._make(pair, read[1])
                else:
                    made = self._made(pair, True, provenance.read_recipe(self._path(pair)).get("result", {}))
                done += 1
                if progress:
                    progress(done, len(self.pairs), "pictures")
                yield made
            self._sheet()
        except KeyboardInterrupt as stop:
            raise Stopped(
                f"stopped at {done} of {len(self.pairs)} pictures.",
                f"in {self.out}",
                "Run the same command again: it goes on.",
                exit_code=getattr(stop, "exit_code", 130),
            ) from None
        if self.left_out:
            raise _left_out(self.left_out, f"The other {done} pictures are in {self.out}.")

    def _path(self, pair: Pair) -> Path:
        return self.out / f"{pair.name}.png"

    def _made(self, pair: Pair, kept: bool, result: dict[str, Any]) -> Made:
        return Made(self._path(pair), pair.sketch.path.name, pair.reference.path.name, kept, result)

    def _make(self, pair: Pair, scanned: Any) -> Made:
        reference = self.references[pair.reference.sha256]
        made = self.translator.translate(scanned.lines, reference, self.settings)
        recipe = self.recipe(pair)
        result = _said(made, scanned.notes, reference.notes)
        if self.explain:
            assert made.match is not None
            shown = explain.picture(scanned.lines, reference.pixels, made.pixels, made.match)
            folder, text = self.out / MATCHES, _text({**recipe, "verb": "explain"}, self.translator)
            files.atomic_write(folder / f"{pair.name}.npz", explain.to_npz(made.match), durable=False)
            files.atomic_write(folder / f"{pair.name}.png", images.encode_png(shown, text), durable=False)
        text = _text({**recipe, "result": result}, self.translator)
        files.atomic_write(self._path(pair), images.encode_png(made.pixels, text))  # last: where it is, all is
        return self._made(pair, False, result)

    def recipe(self, pair: Pair) -> dict[str, Any]:
        return {**self.translator.recipe(self.settings), "sketch": pair.sketch.facts, "reference": pair.reference.facts}

    def expected(self, pair: Pair) -> dict[str, Any]:
        """What the picture's file says if nothing has changed."""
        return {**json.loads(json.dumps(self.recipe(pair))), "lianpu": __version__, "schema": provenance.SCHEMA}

    def state(self, pair: Pair) -> str:
        """Of the picture: absent, same, changed (the same job's, of an older file or model) or foreign."""
        path = self._path(pair)
        if not path.exists():
            return "absent"
        try:
            found = provenance.read_recipe(path)
        except DataError:
            return "foreign"
        want = self.expected(pair)
        found.pop("result", None)
        if found == want:
            whole = not self.explain or all(
                (self.out / MATCHES / f"{pair.name}{end}").exists() for end in (".npz", ".png")
            )
            return "same" if whole else "changed"
        return "changed" if _who(found) == _who(want) else "foreign"

    # --------------------------------------------------------------------------------------------------------- the sheet

    def _sheet(self) -> None:
        """All pictures on one page: a row for each sketch, a column for each reference; for zip a row for each pair."""
        path = self.out / SHEET
        if len(self.pairs) < 2:
            return
        of = hashlib.sha256(json.dumps([self.expected(p) for p in self.pairs], sort_keys=True).encode()).hexdigest()
        if path.exists() and images.read_text(path).get("lianpu", "").find(of) >= 0:
            return
        sketches = list(dict.fromkeys(p.sketch for p in self.pairs))
        references = list(dict.fromkeys(p.reference for p in self.pairs))
        rows, columns = (len(sketches) + 1, len(references) + 1) if self.pairing == "all" else (len(self.pairs), 3)
        cell = min(self.translator.resolution, int((images.MAX_PIXELS / rows / columns) ** 0.5) - 2)
        if cell < SMALLEST_CELL:
            return
        pictures = self._rows(sketches, references)
        page = images.sheet([images.resize(p, cell) for p in pictures], columns)
        recipe = {**self.translator.recipe(self.settings), "verb": "sheet", "of": of, "subjects": len(self.pairs)}
        files.atomic_write(path, images.encode_png(page, _text(recipe, self.translator)))

    def _rows(self, sketches: list[Source], references: list[Source]) -> Iterator[np.ndarray]:
        if self.pairing == "zip":
            for pair in self.pairs:
                yield self._drawn(pair.sketch)
                yield self.references[pair.reference.sha256].pixels
                yield images.decode(self._path(pair)).pixels
            return
        size = self.translator.resolution
        yield np.full((size, size, 3), 255, np.uint8)
        yield from (self.references[r.sha256].pixels for r in references)
        for sketch in sketches:
            yield self._drawn(sketch)
            yield from (images.decode(self._path(p)).pixels for p in self.pairs if p.sketch == sketch)

    def _drawn(self, sketch: Source) -> np.ndarray:
        return images.of_lines(self.translator.read_sketch(_read(sketch)).lines)


# -------------------------------------------------------------------------------------------------------------- planning


def plan(
    translator: Translator,
    sketch: Path,
    reference: Path,
    out: Path,
    settings: Settings,
    *,
    pairing: str = "all",
    explain: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Job:
    """Reads every sketch and reference, says what is wrong, and writes the job's file; no picture is made yet."""
    if pairing not in PAIRINGS:
        raise UsageError(f"--pairs is {pairing!r}.", fix=did_you_mean(pairing, PAIRINGS))
    translator.require(settings, explain)
    sketches, references = _pictures(sketch, "--sketch"), _pictures(reference, "--reference")
    for folder in (sketch, reference):
        if folder.is_dir() and out.exists() and out.resolve() == folder.resolve():
            raise UsageError(f"{out} is the folder the pictures come from.", fix="Choose another folder for --out.")
    if pairing == "zip" and len(sketches) != len(references):
        raise UsageError(
            f"--pairs zip takes them two by two, and there are {len(sketches)} sketches and {len(references)} references.",
            fix="Give as many of one as of the other, or --pairs all for each with each.",
        )
    left_out: list[tuple[Path, str]] = []
    total = len(sketches) + len(references)

    def read(path: Path, reader: Callable[[bytes], Any], single: bool, done: int) -> tuple[Source, Any] | None:
        if progress:
            progress(done, total, "files read")
        try:
            content = images.read_bytes(path)
            return Source(path, hashlib.sha256(content).hexdigest()), reader(content)
        except DataError as error:
            what = error.what.removeprefix("The picture: ").removeprefix(f"{path.name} ").removeprefix(f"{path.name}: ")
            if single:
                raise DataError(f"{path.name}: {what}", str(path), error.fix) from None
            left_out.append((path, what))
            return None

    colours = [read(p, translator.read_reference, reference.is_file(), i + 1) for i, p in enumerate(references)]
    lines = [read(p, translator.read_sketch, sketch.is_file(), len(references) + i + 1) for i, p in enumerate(sketches)]
    ready = {r[0].sha256: r[1] for r in colours if r}
    both = zip(lines, colours, strict=True) if pairing == "zip" else ((s, r) for s in lines for r in colours)
    pairs = _named([(s[0], r[0]) for s, r in both if s and r])
    if not pairs:
        raise _left_out(left_out, "Nothing is left to paint.")
    job = Job(translator, settings, out, pairing, explain, pairs, ready, left_out, set())
    states = {pair.name: job.state(pair) for pair in pairs}
    foreign = [name for name, state in states.items() if state == "foreign"]
    if foreign and not overwrite:
        raise UsageError(
            f"{len(foreign)} of the pictures exist already, made otherwise (first: {foreign[0]}.png).",
            f"in {out}",
            "Choose another --out, or add --overwrite.",
        )
    job.kept = {name for name, state in states.items() if state == "same"}
    files.atomic_write(out / JOB, json.dumps(_facts(job), indent=1, ensure_ascii=False) + "\n")
    files.remove_partial(out)
    return job


def _pictures(path: Path, flag: str) -> list[Path]:
    """A picture, or the pictures of a folder by name, numbers in them in their order."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"there is no {path}.", "", f"Give {flag} a picture or a folder of pictures.")
    try:
        found = [p for p in path.iterdir() if p.suffix.lower() in ENDINGS and not p.name.startswith(".")]
    except OSError as error:
        raise ResourceError(f"{path.name} cannot be read: {error.strerror}.", str(path)) from None
    if not found:
        raise DataError(f"{path.name} holds no picture.", str(path), f"{flag} takes {', '.join(ENDINGS)}.")
    return sorted(found, key=lambda p: _by_number(p.name))


def _by_number(name: str) -> tuple[Any, ...]:
    """A key by which 2.png comes before 10.png."""
    parts = re.split(r"(\d+)", unicodedata.normalize("NFC", name).casefold())
    return (*((int(p), "") if p.isdecimal() else (-1, p) for p in parts), name)


def _plain(name: str) -> str:
    """A file's name as text: bytes that are no text become marks."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))


def _named(pairs: list[tuple[Source, Source]]) -> list[Pair]:
    """Names of the pictures, sketch+reference; where several would have the same one, also what their content is."""
    names = [f"{_stem(s)}+{_stem(r)}" for s, r in pairs]
    out, taken = [], set()
    for (s, r), name in zip(pairs, names, strict=True):
        if sum(other.casefold() == name.casefold() for other in names) > 1:
            whose = os.fsencode(s.path.name + r.path.name) + (s.sha256 + r.sha256).encode()
            name += f"-{hashlib.sha256(whose).hexdigest()[:8]}"
        assert name.casefold() not in taken
        taken.add(name.casefold())
        out.append(Pair(s, r, name))
    return out


def _stem(source: Source) -> str:
    """A source's name without its ending, fit for a file's name everywhere."""
    stem = re.sub(r'[\x00-\x1f<>:"/\\|?*\x7f\ufffd]', "_", _plain(source.path.stem)).strip(" .") or "_"
    return stem.encode()[:LONGEST].decode("utf-8", "ignore")


def _left_out(left_out: list[tuple[Path, str]], rest: str) -> DataError:
    path, reason = left_out[0]
    many = f"{len(left_out)} files could not be used (first: {path.name}: {reason})"
    return DataError(
        many if len(left_out) > 1 else f"{path.name} could not be used: {reason}", f"in {path.parent}", rest
    )


# ----------------------------------------------------------------------------------------------------------- what is said


def _said(made: Result, *notes: tuple[str, ...] | list[str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if every := [note for several in (*notes, made.notes) for note in several]:
        result["notes"] = every
    if made.moved is not None:
        result["delta_e"] = {"mean": round(made.moved[0], 2), "max": round(made.moved[1], 2)}
    return result


def _text(recipe: dict[str, Any], translator: Translator) -> dict[str, str]:
    kind = "algorithmicMedia" if translator.kind == MATCHER else "compositeWithTrainedAlgorithmicMedia"
    return provenance.png_text(recipe, kind)


def _who(recipe: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two recipes the same wish: names and settings, whatever the files hold now."""

    def name(key: str) -> Any:
        value = recipe.get(key)
        return value.get("name") if isinstance(value, dict) else None

    return recipe.get("verb"), recipe.get("settings"), name("model"), name("sketch"), name("reference")


def _facts(job: Job) -> dict[str, Any]:
    sketches = list(dict.fromkeys(p.sketch for p in job.pairs))
    references = list(dict.fromkeys(p.reference for p in job.pairs))
    return {
        "schema": SCHEMA, "lianpu": __version__, "model": job.translator.recipe(job.settings)["model"],
        "settings": asdict(job.settings), "pairs": job.pairing, "explain": job.explain,
        "sketches": [{**s.facts, "path": _relative(s.path, job.out)} for s in sketches],
        "references": [{**r.facts, "path": _relative(r.path, job.out)} for r in references],
        "left_out": [{"name": _plain(path.name), "reason": reason} for path, reason in job.left_out],
        "pictures": [
            {"file": f"{p.name}.png", "sketch": sketches.index(p.sketch), "reference": references.index(p.reference)}
            for p in job.pairs
        ],
    }  # fmt: skip


def _relative(path: Path, out: Path) -> str | None:
    """Where a source lies, seen from the job's folder; None on another drive. A job that is moved with its sources stays whole."""
    try:
        return _plain(Path(os.path.relpath(path.resolve(), out.resolve())).as_posix())
    except ValueError:
        return None


def facts(folder: Path) -> dict[str, Any]:
    """What `lianpu inspect` says of a job's folder."""
    job = _read_job(folder)
    names = [str(p.get("file")) for p in job.get("pictures", []) if isinstance(p, dict)]
    done = sum((folder / PurePosixPath(name).name).is_file() for name in names)
    kept = {k: job.get(k) for k in ("model", "settings", "pairs", "left_out")}
    count = {k: len(job.get(k, [])) for k in ("sketches", "references")}
    return {"what": "translations", "path": str(folder), **kept, **count, "pictures": len(names), "done": done}


def _read_job(folder: Path) -> dict[str, Any]:
    try:
        job = json.loads(images.read_bytes(folder / JOB, limit=1 << 26))
    except (DataError, ValueError, RecursionError) as error:
        raise DataError(f"{JOB} cannot be read.", f"in {folder}: {error}") from None
    if not isinstance(job, dict):
        raise DataError(f"{JOB} is not a json object.", f"in {folder}")
    return job


# ---------------------------------------------------------------------------------------------------------------- again


def again(path: Path, recipe: dict[str, Any], translator: Translator, sources: list[Path] | None = None) -> bytes:
    """The picture at `path` made again from its recipe. Sketch and reference are found by name or by the job's file beside the
    picture, or in the folders `sources`, and only files with the right SHA-256 are taken.
    """
    try:
        settings = Settings(**{str(k): str(v) for k, v in recipe["settings"].items()})
        wanted = {role: (str(recipe[role]["name"]), str(recipe[role]["sha256"])) for role in ("sketch", "reference")}
    except (KeyError, TypeError, AttributeError, LianpuError):
        raise DataError("the recipe of this picture is damaged.", f"in {path}", "Make the picture again.") from None
    found = {role: _find(path, role, *wanted[role], sources or []) for role in wanted}
    scanned, reference = translator.read_sketch(found["sketch"]), translator.read_reference(found["reference"])
    made = translator.translate(scanned.lines, reference, settings)
    facts = {role: {"name": name, "sha256": digest} for role, (name, digest) in wanted.items()}
    result = _said(made, scanned.notes, reference.notes)
    return images.encode_png(made.pixels, _text({**translator.recipe(settings), **facts, "result": result}, translator))


def _find(path: Path, role: str, name: str, sha256: str, sources: list[Path]) -> bytes:
    """The content of the file a recipe names, which may come from a stranger: no path in it is followed but from the job's
    folder onwards, and nothing is taken that has not this SHA-256.
    """
    bare = PurePosixPath(name.replace("\\", "/")).name
    places = [p if p.is_file() else p / bare for p in sources] + [path.parent / bare]
    if (path.parent / JOB).is_file():
        job = _read_job(path.parent)
        for entry in job.get({"sketch": "sketches"}.get(role, f"{role}s"), []):
            where = entry.get("path") if isinstance(entry, dict) and entry.get("sha256") == sha256 else None
            if isinstance(where, str) and not re.match(r"[\\/]|[A-Za-z]:", where):
                places.append(path.parent / where)
    changed = False
    for place in places:
        if not place.is_file():
            continue
        content = images.read_bytes(place)
        if hashlib.sha256(content).hexdigest() == sha256:
            return content
        changed |= place.name == bare
    raise DataError(
        f"the {role} of this picture, {bare}, {'has changed since' if changed else 'is not found'}.",
        f"its SHA-256 is {sha256[:12]}",
        "Say where it is: --sources FOLDER",
    )


def _read(source: Source) -> bytes:
    content = images.read_bytes(source.path)
    if hashlib.sha256(content).hexdigest() != source.sha256:
        raise DataError(
            f"{source.path.name} has changed since the job began.", str(source.path), "Run the same command again."
        )
    return content
