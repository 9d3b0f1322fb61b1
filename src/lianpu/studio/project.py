"""The project's folder, all that lasts of a studio:

    files/ID/NAME, files/ID.json     drawings and references that were dropped, by content
    sources/ID/files, zips           material of data sets
    jobs/ID/job.json, out/ ...       what was wished, how it went, and what it made
    models/ID                        models and runs from elsewhere, for whoever puts some there

An id is a word the studio made; nothing that comes from outside is ever joined to a path.
"""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import json
import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lianpu import files, images, provenance
from lianpu.errors import DataError, LianpuError
from lianpu.studio.wishes import ID, Face

__all__ = ["Project", "new_id", "safe_name"]

RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
SHIPPED = Path(__file__).parents[1] / "models"  # checkpoint.SHIPPED, without torch: only the worker loads that
PICTURES = (".png", ".mp4")
MAGIC = {images.PNG_MAGIC: "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"BM": "image/bmp"}
FOUND = "face.safetensors"  # what a job has found in a photograph
ROLES = ("sketch", "reference", "photo")  # of kept files; their ids begin with s, r and p


def new_id() -> str:
    """Sorted by the time it was made, and not to be guessed."""
    return time.strftime("%Y%m%d-%H%M%S-") + f"{time.time_ns() // 1000 % 1_000_000:06d}-" + secrets.token_hex(4)


def safe_name(name: str, longest: int = 100) -> str:
    """One part of a path out of any text: no separators, controls, dots at the ends or names that Windows keeps for itself."""
    text = unicodedata.normalize("NFC", name).encode("utf-8", "replace").decode("utf-8")
    text = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*\ufffd]', "_", text).strip(" .") or "_"
    stem, dot, end = text.rpartition(".")
    if dot and stem and len(end.encode()) <= 10:
        room = longest - len(end.encode()) - 1
        text = stem.encode()[:room].decode("utf-8", "ignore").rstrip(" .") + "." + end
    else:
        text = text.encode()[:longest].decode("utf-8", "ignore").rstrip(" .")
    return f"_{text}" if RESERVED.match(text) or not text else text


def safe_path(name: str, deepest: int = 8) -> list[str]:
    """The parts of a relative path out of any text; the upper ones are dropped where there are too many."""
    parts = [p for p in re.split(r"[/\\]", name) if p.strip(" .")]
    return [safe_name(p) for p in parts[-deepest:]] or ["_"]


@dataclass(frozen=True)
class Project:
    """A project's folder and what can be found in it."""

    path: Path

    def __post_init__(self) -> None:
        for name in ("files", "sources", "jobs", "models"):
            with files.writing(self.path / name):
                (self.path / name).mkdir(parents=True, exist_ok=True)

    def tidy(self) -> None:
        """Removes what was being received, made or removed when a studio ended. For the one that begins: the worker opens the project too,
        while its server receives files.
        """
        for folder in (self.path, *(self.path / kind for kind in ("files", "sources", "jobs"))):
            files.remove_partial(folder)
        for left in (*self.path.glob(".again-*"), *self.path.glob(".starters-*")):
            shutil.rmtree(left, ignore_errors=True)

    def _all(self, kind: str) -> list[Path]:
        """The folders of every id; others are on their way in or out."""
        return sorted(p for p in (self.path / kind).iterdir() if ID.fullmatch(p.name))

    def _of(self, kind: str, id: str) -> Path | None:
        """The folder of an id that exists."""
        if not ID.fullmatch(id):
            return None
        folder = self.path / kind / id
        return folder if folder.is_dir() else None

    # ---------------------------------------------------------------------------------------- drawings and references

    def keep_file(self, incoming: Path, sha256: str, name: str, role: str, facts: dict[str, Any]) -> dict[str, Any]:
        """Takes a received file in; the same content under the same role is there once."""
        id = f"{role[0]}-{sha256[:24]}"
        note = self.path / "files" / f"{id}.json"
        if note.exists():
            incoming.unlink(missing_ok=True)
            return json.loads(note.read_bytes())
        name = safe_name(name)
        with files.new_folder(self.path / "files" / id) as folder:
            shutil.move(incoming, folder / name)
        about = {"id": id, "role": role, "name": name, "sha256": sha256, "added": time.time(), **facts}
        files.atomic_write(note, json.dumps(about, ensure_ascii=False))
        return about

    def files_of(self, role: str) -> list[dict[str, Any]]:
        """What is known of the files of a role, oldest first."""
        found = [f for p in (self.path / "files").glob(f"{role[0]}-*.json") if (f := _json(p))]
        return sorted(found, key=lambda f: (f.get("added", 0), f.get("name", "")))

    def file(self, id: str) -> Path | None:
        """The file of an id."""
        folder = self._of("files", id)
        return next((p for p in folder.iterdir() if not p.name.startswith(".")), None) if folder else None

    def remove_file(self, id: str) -> bool:
        folder = self._of("files", id)
        if folder is None:
            return False
        (self.path / "files" / f"{id}.json").unlink(missing_ok=True)
        files.remove(folder)
        return True

    def by_sha256(self) -> dict[str, Path]:
        """Every kept file by the SHA-256 of its content."""
        found = {}
        for role in ROLES:
            for about in self.files_of(role):
                if path := self.file(about["id"]):
                    found[about["sha256"]] = path
        return found

    # ------------------------------------------------------------------------------------------------------- sources

    def new_source(self, title: str) -> str:
        id = new_id()
        (self.path / "sources" / id / "files").mkdir(parents=True)
        self.note_source(id, {"id": id, "title": title, "added": time.time()})
        return id

    def note_source(self, id: str, about: dict[str, Any]) -> None:
        files.atomic_write(self.path / "sources" / id / "source.json", json.dumps(about, ensure_ascii=False))

    def sources(self) -> list[dict[str, Any]]:
        found = [a for folder in self._all("sources") if (a := _json(folder / "source.json"))]
        return [{**a, "files": self.source_files(a["id"])} for a in found]

    def source_files(self, id: str) -> int:
        folder = self._of("sources", id)
        return sum(len(n) for sub in ("files", "zips") for *_, n in os.walk(folder / sub)) if folder else 0

    def source(self, id: str) -> Path | None:
        return self._of("sources", id)

    def source_paths(self, id: str) -> list[Path]:
        """What `api.build` takes: the folder of loose files, and each zip. A job that drew masks is a source too."""
        if folder := self._of("sources", id):
            loose = folder / "files"
            zips = sorted((folder / "zips").glob("*")) if (folder / "zips").is_dir() else []
            return [*([loose] if any(loose.iterdir()) else []), *zips]
        job = self.job_folder(id)
        return [job / "out"] if job and (job / "out").is_dir() else []

    def keep_material(self, id: str, incoming: Path, name: str) -> Path | None:
        """Takes a received file into a source, zips apart; None if that is gone. What is there already is never replaced: another file of
        the same name gets a number.
        """
        place = self._of("sources", id)
        if place is None:
            return None
        *above, last = safe_path(name)
        for part in ["zips"] if last.lower().endswith(".zip") else ["files", *above]:
            place = _unused(place / part, Path.is_dir)
        place = _unused(place / last, lambda p: p.is_file() and filecmp.cmp(p, incoming, shallow=False))
        with files.writing(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(incoming, place)
        return place

    # ---------------------------------------------------------------------------------------------------------- jobs

    def job_folder(self, id: str) -> Path | None:
        return self._of("jobs", id)

    def jobs(self) -> list[dict[str, Any]]:
        return [j for folder in self._all("jobs") if (j := _json(folder / "job.json"))]

    def write_job(self, job: dict[str, Any]) -> None:
        files.atomic_write(self.path / "jobs" / job["id"] / "job.json", json.dumps(job, ensure_ascii=False, indent=1))

    def dataset(self, id: str) -> Path | None:
        job = self.job_folder(id)
        return job / "data" if job and (job / "data" / "dataset.json").is_file() else None

    def datasets(self) -> list[dict[str, Any]]:
        """Every finished data set."""
        found = []
        for job in self.jobs():
            if job["kind"] == "build" and (path := self.dataset(job["id"])) and (info := _json(path / "dataset.json")):
                keys = ("size", "pictures", "originals", "groups", "colours", "rights", "quarantined", "splits")
                found.append({"id": job["id"], "title": job["wish"].get("title", ""), **{k: info.get(k) for k in keys}})
        return found

    def found_face(self, id: str) -> Path | None:
        """The face that a job has found in a photograph."""
        job = self.job_folder(id)
        return job / FOUND if job and (job / FOUND).is_file() else None

    def found_faces(self) -> list[tuple[str, Path]]:
        """All of them, with their jobs' ids."""
        return [(folder.name, folder / FOUND) for folder in self._all("jobs") if (folder / FOUND).is_file()]

    def found(self, id: str) -> tuple[str, Face] | None:
        """By which model, in which photograph and how a job has found its face."""
        job = self.job_folder(id)
        wish = (_json(job / "job.json") or {}).get("wish") if job else None
        return (wish["model"], Face(**wish["face"])) if wish and wish.get("kind") == "lift" else None

    def beside(self, id: str) -> list[Path]:
        """What a job made that is no picture and no film: meshes and numbers."""
        job = self.job_folder(id)
        found = [*(job / "out").glob("*.npz"), *(job / "out" / "meshes").glob("*")] if job else []
        return sorted(path for path in found if path.is_file() and not path.name.startswith("."))

    # -------------------------------------------------------------------------------------------------------- models

    def models(self) -> list[dict[str, Any]]:
        """Models that can be used: shipped ones by name, masks first, those in `models` by their folder's, those of runs by the run's id;
        and the matcher.
        """
        found: list[dict[str, Any]] = [{"id": "matcher", "title": "matcher", "kind": "matcher", "classes": []}]
        places = {p.parent.name: p.parent for p in sorted(SHIPPED.glob("*/model.json"), key=_masks_first)}
        places |= {p.parent.name: p.parent for p in sorted(self.path.glob("models/*/model.json"))}
        places |= {p.parent.parent.name: p.parent for p in sorted(self.path.glob("models/*/model/model.json"))}
        places |= {p.parent.parent.parent.name: p.parent for p in sorted(self.path.glob("jobs/*/run/model/model.json"))}
        for id, folder in places.items():
            if not (ID.fullmatch(id) and (about := _json(folder / "model.json"))):
                continue
            net = about.get("config", {})
            job = _json(folder.parent.parent / "job.json")
            title = job and (job.get("wish", {}).get("title") or about.get("recipe"))
            found.append(
                {
                    "id": id, "kind": about.get("kind"), "title": title or id,
                    "classes": about.get("classes", []), "resolution": net.get("resolution"), "layers": _layers(net),
                    "images": about.get("images_seen"), "rights": about.get("data", {}).get("rights"), "sha256": about.get("sha256"),
                }
            )  # fmt: skip
        return found

    def model(self, id: str) -> str | None:
        """What `api.load` takes for an id: a shipped model's name, the matcher, or the folder of a run."""
        if not ID.fullmatch(id):
            return None
        job = self.job_folder(id)
        for place in (self._of("models", id), job and job / "run"):
            if place and ((place / "model.json").is_file() or (place / "model" / "model.json").is_file()):
                return str(place)
        return id if id == "matcher" or (SHIPPED / id / "model.json").is_file() else None

    def model_of(self, recipe: dict[str, Any]) -> str | None:
        """The id of the model that a recipe names by its SHA-256."""
        made_by = recipe.get("model")
        sha256 = made_by.get("sha256") if isinstance(made_by, dict) else None
        return next((m["id"] for m in self.models() if sha256 and m.get("sha256") == sha256), None)

    # ------------------------------------------------------------------------------------------------------- library

    def results(self) -> list[dict[str, Any]]:
        """Every picture and film that jobs made, newest first: the files themselves, so that none is ever lost from a list."""
        found = []
        for folder in self._all("jobs"):
            for name in next(os.walk(folder / "out"), ("", [], []))[2]:  # which passes by what is just being removed
                path = folder / "out" / name
                if path.suffix not in PICTURES or name.startswith("."):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    status = path.stat()
                    found.append(
                        {
                            "id": f"{folder.name}-{item_key(name)}", "job": folder.name, "name": name, "made": status.st_mtime,
                            "film": path.suffix == ".mp4", "sheet": name.startswith("sheet-"), "svg": svg_of(path).is_file(),
                            "bytes": status.st_size,
                        }
                    )  # fmt: skip
        return sorted(found, key=lambda r: (r["made"], r["name"]), reverse=True)

    def result(self, id: str) -> Path | None:
        """The file of a result's id."""
        job, _, key = id.rpartition("-")
        folder = self.job_folder(job)
        if folder is None or not (folder / "out").is_dir():
            return None
        return next((p for p in (folder / "out").iterdir() if p.suffix in PICTURES and item_key(p.name) == key), None)


def _unused(path: Path, fits: Callable[[Path], bool]) -> Path:
    """The path if nothing is there, or something that fits; else with the first number of which that is so."""
    own, number = path, 2
    while path.exists() and not fits(path):
        path, number = own.with_name(f"{own.stem}-{number}{own.suffix}"), number + 1
    return path


def svg_of(path: Path) -> Path:
    """Where the drawing of a drawn mask lies."""
    return path.parent / "svg" / f"{path.stem}.svg"


def media_type(start: bytes) -> str | None:
    """What a picture that every browser shows is by its first bytes; None for any other file."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), None)


def item_key(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:10]


def recipe_of(path: Path) -> dict[str, Any]:
    """The recipe in a picture or film; {} where there is none."""
    try:
        if path.suffix == ".mp4":
            from lianpu.export import video

            return provenance.parse(video.read_comment(path), path.name)
        return provenance.read_recipe(path)
    except LianpuError:
        return {}


def _masks_first(model: Path) -> tuple[bool, str]:
    """The order of shipped models: pages open with the first that can do what they are for."""
    name = model.parent.name
    return not name.startswith("opera-mask"), name


def _layers(net: dict[str, Any]) -> int | None:
    size = net.get("resolution")
    return 2 * (size.bit_length() - 1) - 2 if isinstance(size, int) and "mapping_layers" in net else None


def _json(path: Path) -> dict[str, Any] | None:
    """A JSON object from one of the project's files; None where it is torn or gone."""
    try:
        value = json.loads(images.read_bytes(path, limit=64 << 20))
    except (DataError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
