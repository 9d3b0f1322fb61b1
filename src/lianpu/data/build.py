"""From folders and zips of pictures to a data set that can be trusted: `build` reads, sorts out, crops, labels,
recolours, groups and splits, in this order. Every step is a function of the bytes of the pictures and the settings,
so that neither the number of processes nor an interruption changes a byte of the result, and a second run finds
nothing to do.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import filelock
import numpy as np

from lianpu import __version__, images
from lianpu.data import archive, card, crop, duplicates, pool, records, recolour, rights, sketch, split
from lianpu.data.colour import CLASSES, classify
from lianpu.errors import DataError, ResourceError, Stopped, UsageError

__all__ = ["Report", "Settings", "build"]

Progress = Callable[[int, int, str], None]
VARIANTS = ("", "mirror", "recolour", "recolour-mirror")
CARRIED = (
    "kind",
    "character",
    "zh",
)  # columns of a source's metadata.jsonl that stay with the picture, beside its colour


@dataclass(frozen=True)
class Settings:
    """What a data set is made with; it is written into `dataset.json`."""

    size: int = 256
    """Height and width of the pictures: a power of two."""
    crop: str = "pad"
    """pad: all of the picture on its ground; centre: the middle square; subject: the face, told from its ground."""
    expand: bool = False
    """Four pictures from each: mirror x colour change (Yan et al. 2023: 1782 become 7128)."""
    test: float = 0.1
    """Share of each colour that is kept for testing."""
    seed: int = 0
    """Draws the split and the new colours."""
    similar: float = duplicates.THRESHOLD
    """Correlation from which two pictures count as one and stay on one side of the split; above 1 only exact copies
    do.
    """
    sketches: str = ""
    """Style of the line drawings laid beside the pictures (lines, colour, bold, soft, woodcut); none if empty."""

    def __post_init__(self) -> None:
        if self.size < 8 or self.size > 1024 or self.size & (self.size - 1):
            near = min((2**i for i in range(3, 11)), key=lambda n: abs(n - self.size))
            raise UsageError(f"--size {self.size} is not a power of two from 8 to 1024.", fix=f"Use --size {near}.")
        if not 0 <= self.test <= 0.5:
            raise UsageError(f"--test {self.test} is not a share from 0 to 0.5.", fix="Use --test 0.1.")
        if self.crop not in crop.MODES:
            raise UsageError(f"there is no crop mode {self.crop!r}.", fix=f"Use one of {', '.join(crop.MODES)}.")
        if self.sketches and self.sketches not in sketch.PRESETS:
            raise UsageError(
                f"there is no sketch style {self.sketches!r}.", fix=f"Use one of {', '.join(sketch.PRESETS)}."
            )


@dataclass(frozen=True)
class Report:
    """What a build made, in numbers and in sentences."""

    path: Path
    pictures: int
    originals: int
    splits: dict[str, int]
    colours: dict[str, int]
    quarantined: list[dict[str, str]] = field(repr=False)
    groups: int
    rights: dict[str, Any]
    fingerprint: str
    unchanged: bool
    """Nothing was to be done: the data set was there already, byte for byte."""
    notes: list[str]


def build(
    sources: Sequence[Path | str],
    to: Path | str,
    settings: Settings | None = None,
    *,
    rights_from: str | Path | None = None,
    allow_unknown_rights: bool = False,
    strict: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Make the data set `to` out of folders, zips and pictures; the sources are only read.

    `rights_from` is a CSV table or "licence; source" (see `rights`); without it each source's own rights.csv counts.
    `strict` stops at the first picture that would be quarantined. `workers` processes (all cores if None) change
    nothing but the time.
    """
    settings, to = settings or Settings(), Path(to)
    say = progress or (lambda done, total, what: None)
    given = None if rights_from is None else rights.from_option(rights_from)
    roots, items, refused = archive.collect([Path(s) for s in _checked(sources, to)], to)
    if not items:
        where = ", ".join(str(s) for s in sources)
        first = (
            f" The first of {len(refused)} files refused, {refused[0].name}, {refused[0].reason}." if refused else ""
        )
        raise DataError(
            f"There is no picture to be read.{first}", where, "Give a folder or zip of PNG, JPEG, WebP, TIFF or BMP."
        )
    extra = [_metadata(root) for root in roots]
    items = [item for item in items if _named(item, extra[item.root])]
    tables = [
        rights.parse(root.table, f"{root.path}/rights.csv") if root.table and not given else given for root in roots
    ]
    right_of = {item: (table.of(item.within) if (table := tables[item.root]) else rights.UNKNOWN) for item in items}
    _demand_rights(items, right_of, allow_unknown_rights)
    with _workshop(to) as shop:
        try:
            hashes, taken = _hash(items, refused, say)
            jobs = [
                _Job(item, hashes[item], settings, _given_class(extra[item.root].get(item.within, {})), shop)
                for item in taken
            ]
            results = _prepare_all(jobs, workers, say)
        except KeyboardInterrupt:
            raise Stopped(
                "Stopped before the data set was finished.", str(to), "Run the same command again: it continues."
            ) from None
        finally:
            archive.close()
        good = []
        for job, result in zip(jobs, results, strict=True):
            if reason := result.get("refused"):
                refused.append(archive.Refusal(job.item.name, reason))
            else:
                good.append((job, result, right_of[job.item], extra[job.item.root].get(job.item.within, {})))
        quarantine = [asdict(r) for r in sorted(set(refused), key=lambda r: (r.name, r.reason))]
        if strict and quarantine:
            raise DataError(
                f"{len(quarantine)} files cannot be used; the first, {quarantine[0]['name']}, {quarantine[0]['reason']}.",
                str(to),
                "Take them away, or run without --strict to leave them out.",
            )
        if not good:
            raise DataError(
                f"None of {len(items)} pictures can be used; the first, {quarantine[0]['name']}, {quarantine[0]['reason']}.",
                str(to),
            )
        say(0, 1, "grouping near-duplicates")
        rows, notes = _rows(good, settings, to)
        return _finish(to, shop, settings, rows, quarantine, notes)


# --- before any work ------------------------------------------------------------------------------


def _checked(sources: Sequence[Path | str], to: Path) -> Sequence[Path | str]:
    if not sources:
        raise UsageError("no source was given.", fix="lianpu data build FOLDER_OR_ZIP... --to DATA")
    for source in map(Path, sources):
        if source.resolve() == to.resolve() or to.resolve() in source.resolve().parents:
            raise UsageError(
                f"{source} lies in the folder that is to be written.", fix="Choose another folder for --to."
            )
    strangers = (
        to.is_dir() and not (to / "dataset.json").exists() and not (to / ".build").exists() and any(to.iterdir())
    )
    if strangers or (to.exists() and not to.is_dir()):
        raise DataError(
            f"{to.name} holds something else than a data set.", str(to), "Choose a new or empty folder for --to."
        )
    return sources


def _demand_rights(items: list[archive.Item], right_of: dict[archive.Item, rights.Right], allow: bool) -> None:
    lacking = [item for item in items if not right_of[item].known]
    if lacking and not allow:
        raise DataError(
            f"{len(lacking)} of {len(items)} pictures have no source and licence (first: {lacking[0].name}).",
            str(lacking[0].path),
            f'Write a rights.csv into the source folder, or give --rights "CC-BY-4.0; where they come from". {rights.HOW} '
            "With --allow-unknown-rights it goes on, and the data set, models trained on it and their pictures will say so.",
        )


def _metadata(root: archive.Root) -> dict[str, dict[str, Any]]:
    """The lines of a source's own metadata.jsonl by file name; lines that are none are passed by."""
    lines: dict[str, dict[str, Any]] = {}
    for line in (root.metadata or b"").decode("utf-8", "replace").splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and isinstance(row.get("file_name"), str):
            lines[row["file_name"]] = row
    return lines


def _named(item: archive.Item, lines: dict[str, Any]) -> bool:
    """Where a source has a metadata.jsonl, its subfolders hold pictures only if that names them; others are maps,
    masks, drafts.
    """
    if not lines or item.within in lines or "/" not in item.within:
        return True
    folder = item.within.rsplit("/", 1)[0]
    return any(name.startswith(folder + "/") for name in lines)


def _given_class(row: dict[str, Any]) -> str:
    return next((row[key] for key in ("colour_class", "colour") if row.get(key) in CLASSES), "")


class _workshop:
    """DATA/.build, locked while a build uses it: finished pieces wait there for the rest."""

    def __init__(self, to: Path) -> None:
        self.folder = to / ".build"
        self.lock = filelock.FileLock(self.folder / "lock")

    def __enter__(self) -> Path:
        try:
            for name in ("pictures", "pieces"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            self.lock.acquire(timeout=0)
        except filelock.Timeout:
            raise ResourceError(
                "Another build is writing this data set.", str(self.folder.parent), "Wait until it ends."
            ) from None
        except OSError as error:
            raise ResourceError(
                f"The folder cannot be written: {(error.strerror or str(error)).lower()}.",
                str(self.folder),
                "Choose another for --to.",
            ) from None
        return self.folder

    def __exit__(self, *_: object) -> None:
        self.lock.release()


# --- each picture ---------------------------------------------------------------------------------


def _hash(
    items: list[archive.Item], refused: list[archive.Refusal], say: Progress
) -> tuple[dict[archive.Item, str], list[archive.Item]]:
    """SHA-256 of each source file, and the items without unreadable files and exact copies."""
    hashes: dict[archive.Item, str] = {}
    first: dict[str, archive.Item] = {}
    for done, item in enumerate(items):
        if done % 64 == 0:
            say(done, len(items), "reading")
        try:
            digest = hashlib.sha256(item.read()).hexdigest()
        except DataError as error:
            refused.append(archive.Refusal(item.name, _reason(error, item)))
            continue
        if digest in first:
            refused.append(archive.Refusal(item.name, f"is the same file as {first[digest].name}"))
            continue
        hashes[item] = digest
        first[digest] = item
    return hashes, list(hashes)


def _reason(error: DataError, item: archive.Item) -> str:
    """An error's first line without the name that the quarantine list already gives."""
    name = PurePosixPath(item.within).name
    return (
        error.what.removeprefix(f"{item.path.name}: ")
        .removeprefix("The picture: ")
        .removeprefix(f"{name} ")
        .rstrip(".")
    )


@dataclass(frozen=True)
class _Job:
    item: archive.Item
    sha256: str
    settings: Settings
    given: str
    shop: Path

    @property
    def key(self) -> str:
        """What the pieces depend on: the bytes, the settings that touch pixels, the colour told beforehand, and this
        version.
        """
        s = self.settings
        parts = (self.sha256, s.size, s.crop, s.expand, s.seed if s.expand else 0, s.sketches, self.given, __version__)
        return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32]

    def stem(self) -> str:
        """A file name that is safe on every system: the letters and digits of the source's, and ten digits of its
        hash.
        """
        text = unicodedata.normalize("NFC", PurePosixPath(self.item.within).stem)
        slug = "".join(c if c.isalnum() or c in "-_" else " " for c in text).split()
        return "-".join(["_".join(slug)[:40], self.sha256[:10]]).lstrip("-_")


def _prepare_all(jobs: list[_Job], workers: int | None, say: Progress) -> list[dict[str, Any]]:
    results: dict[str, dict[str, Any]] = {job.key: found for job in jobs if (found := _kept(job))}
    todo = [job for job in jobs if job.key not in results]
    done = len(results)
    for job, result in zip(todo, pool.each(_prepare, todo, _lost, workers), strict=True):
        results[job.key] = result
        done += 1
        say(done, len(jobs), "preparing")
    return [results[job.key] for job in jobs]


def _lost(job: _Job) -> dict[str, Any]:
    return {"refused": "made the decoder crash"}


def _kept(job: _Job) -> dict[str, Any] | None:
    """The result of an earlier, perhaps interrupted run, if all its pieces are where they should be and whole."""
    file = job.shop / "pieces" / f"{job.key}.json"
    try:
        result = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    for piece in result.get("pieces", []):
        if not any(_digest(place) == piece["sha256"] for place in _places(job, piece)):
            return None
    return result


def _places(job: _Job, piece: dict[str, Any]) -> Iterator[Path]:
    """Where a piece can lie: in the workshop, or already in one of the splits."""
    yield job.shop / "pictures" / piece["file"]
    for name in records.SPLITS:
        yield job.shop.parent / _final(job, piece, name)


def _final(job: _Job, piece: dict[str, Any], name: str) -> str:
    """Path in the data set: train/guanyu-0123456789-mirror.png; sketches lie in a folder of their own, out of the
    loaders' way.
    """
    file = "-".join(filter(None, (job.stem(), piece["variant"]))) + ".png"
    return f"{'sketches/' if piece['kind'] == 'sketch' else ''}{name}/{file}"


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _prepare(job: _Job) -> dict[str, Any]:
    """One picture through decoding, cropping, labelling and recolouring; its pieces are in the workshop when this
    returns.
    """
    settings = job.settings
    try:
        data = job.item.read()
        if hashlib.sha256(data).hexdigest() != job.sha256:
            raise DataError("it changed while it was read.")
        decoded = images.decode(data)
        pixels, cropped = crop.square(decoded.pixels, settings.crop, settings.size)
    except DataError as error:
        return {"refused": _reason(error, job.item)}
    colour = classify(pixels)
    pieces = []
    for variant, picture, label, mapping in _variants(job, pixels, job.given or colour.name):
        pieces.append(
            {"kind": "picture", "variant": variant, "colour": label, "recolour": mapping} | _put(job, variant, picture)
        )
        if settings.sketches:
            drawing = sketch.sketch(picture, settings.sketches)
            pieces.append({"kind": "sketch", "variant": variant} | _put(job, f"sketch-{variant}", drawing))
    result = {
        "notes": [*decoded.notes, *cropped],
        "colour": colour.name,
        "confidence": colour.confidence,
        "print": duplicates.thumbprint(pixels).tobytes().hex(),
        "pieces": pieces,
    }
    images.atomic_write(job.shop / "pieces" / f"{job.key}.json", records.encode(result), durable=False)
    return result


def _variants(job: _Job, pixels: np.ndarray, own: str) -> Iterator[tuple[str, np.ndarray, str, list[dict[str, Any]]]]:
    """(name, picture, colour class, what was recoloured) of the picture and, if wanted, of its three expansions."""
    yield "", pixels, own, []
    if not job.settings.expand:
        return
    yield "mirror", pixels[:, ::-1], own, []
    changed = recolour.recolour(pixels, job.settings.seed, job.sha256, colour=own)
    yield "recolour", changed.pixels, changed.colour, changed.mapping
    yield "recolour-mirror", changed.pixels[:, ::-1], changed.colour, changed.mapping


def _put(job: _Job, variant: str, pixels: np.ndarray) -> dict[str, str]:
    name = f"{job.key}-{variant or 'plain'}.png"
    data = images.encode_png(pixels)
    images.atomic_write(job.shop / "pictures" / name, data, durable=False)
    return {"file": name, "sha256": hashlib.sha256(data).hexdigest()}


# --- all pictures together ------------------------------------------------------------------------

Good = tuple[_Job, dict[str, Any], rights.Right, dict[str, Any]]


@dataclass(frozen=True)
class _Row:
    """One line of metadata.jsonl, its split, and the pieces that belong to it: (piece, path in the data set)."""

    split: str
    record: dict[str, Any]
    pieces: list[tuple[dict[str, Any], str]]
    job: _Job


def _rows(good: list[Good], settings: Settings, to: Path) -> tuple[list[_Row], list[str]]:
    prints = [np.frombuffer(bytes.fromhex(r["print"]), np.uint8).reshape(duplicates.SIDE, -1) for _, r, _, _ in good]
    numbers = duplicates.groups(prints, settings.similar)
    leader: dict[int, str] = {}
    for (job, _, _, _), number in zip(good, numbers, strict=True):
        leader[number] = min(job.sha256[:12], leader.get(number, "~"))
    groups = [leader[number] for number in numbers]
    edits = _edits(to)
    labels = [edits.get((job.sha256, ""), job.given or result["colour"]) for job, result, _, _ in good]
    sides = split.assign(groups, labels, settings.test, settings.seed)
    rows = []
    for (job, result, right, extra), group, side in zip(good, groups, sides, strict=True):
        sketches = {p["variant"]: p for p in result["pieces"] if p["kind"] == "sketch"}
        for piece in (p for p in result["pieces"] if p["kind"] == "picture"):
            path = _final(job, piece, side)
            record = _record(job, result, piece, right, extra) | {"file_name": path.split("/", 1)[1], "group": group}
            record["colour"] = edits.get((job.sha256, piece["variant"]), record["colour"])
            pieces = [(p, _final(job, p, side)) for p in (piece, sketches.get(piece["variant"])) if p]
            rows.append(_Row(side, record, pieces, job))
    rows.sort(key=lambda row: row.record["file_name"])
    return rows, _remarks(good, rows, groups, settings, len(edits))


def _record(
    job: _Job, result: dict[str, Any], piece: dict[str, Any], right: rights.Right, extra: dict[str, Any]
) -> dict[str, Any]:
    """The columns of metadata.jsonl. `recolour` is text, so that loaders that want one type a column find one."""
    changed = piece["recolour"]
    told = "given" if job.given else "measured"
    return {
        "file_name": "",
        "colour": piece["colour"],
        "colour_as_built": piece["colour"],
        "colour_from": "recolour" if changed else told,
        "colour_confidence": result["confidence"],
        "colour_measured": result["colour"],
        "paint": str(extra.get("colour") or ""),
        **{key: str(extra.get(key) or "") for key in CARRIED},
        "mirror": piece["variant"].endswith("mirror"),
        "recolour": json.dumps(changed, ensure_ascii=False) if changed else "",
        "group": "",
        "source": job.item.name,
        "source_sha256": job.sha256,
        "sha256": piece["sha256"],
        "licence": right.licence or "unknown",
        "rights_source": right.source,
        "notes": "; ".join(result["notes"]),
    }


def _edits(to: Path) -> dict[tuple[str, str], str]:
    """Colours that were changed by hand since the last build, by (source hash, variant); a mirror follows what it
    mirrors.
    """
    edits: dict[tuple[str, str], str] = {}
    for name in records.SPLITS:
        for row in records.read_records(to, name) if (to / name / "metadata.jsonl").exists() else ():
            if row["colour"] != row.get("colour_as_built"):
                variant = "-".join(w for w, on in (("recolour", row["recolour"]), ("mirror", row["mirror"])) if on)
                edits[row["source_sha256"], variant] = row["colour"]
    twins = {"": "mirror", "recolour": "recolour-mirror"}
    return {(sha, twins[v]): c for (sha, v), c in edits.items() if v in twins} | edits


def _remarks(good: list[Good], rows: list[_Row], groups: list[str], settings: Settings, edits: int) -> list[str]:
    notes = []
    if len(good) == 1:
        notes.append("Only one picture: nothing can be kept for testing, and a model can only learn it by heart.")
    elif len(set(groups)) == 1:
        notes.append(
            f"All {len(good)} pictures are near-copies of one another: there is nothing to learn but that one."
        )
    elif near := len(good) - len(set(groups)):
        notes.append(f"{near} pictures are near-copies of others; they stay on one side of the split.")
    if settings.test and not any(row.split == "test" for row in rows) and len(set(groups)) > 1:
        notes.append("Too few pictures of each colour to keep some for testing: all are for training.")
    given = [(job.given, result["colour"]) for job, result, _, _ in good if job.given]
    if given:
        right = sum(a == b for a, b in given)
        notes.append(
            f"Colours were given for {len(given)} pictures; measured ones agree on {right} ({right / len(given):.1%})."
        )
    unsure = sum(1 for job, result, _, _ in good if not job.given and result["confidence"] < 0.1)
    if unsure:
        notes.append(
            f"{unsure} colours are unsure (colour_confidence below 0.1 in metadata.jsonl): look at them, edit `colour`."
        )
    if edits:
        notes.append(f"{edits} colours edited by hand were kept.")
    return notes


# --- the data set ---------------------------------------------------------------------------------


def _finish(
    to: Path, shop: Path, settings: Settings, rows: list[_Row], quarantine: list[dict[str, str]], notes: list[str]
) -> Report:
    """Put the pieces into their places and write what describes them, `dataset.json` last: it says that all is there."""
    placed = {path for row in rows for _, path in row.pieces}
    before = _placed_before(shop)
    _write(shop / "placed.json", sorted(before | placed))  # so that no interruption leaves a file that nobody knows
    changed = _place(to, rows)
    for stale in sorted(before - placed):
        (to / stale).unlink(missing_ok=True)
        changed = True
    _write(shop / "placed.json", sorted(placed))
    for name in records.SPLITS:
        lines = [row.record for row in rows if row.split == name]
        if lines or (to / name / "metadata.jsonl").exists():
            changed |= _write_lines(to / name / "metadata.jsonl", lines)
    changed |= _write_lines(to / "quarantine.jsonl", quarantine)
    info = describe(
        settings, {n: [row.record for row in rows if row.split == n] for n in records.SPLITS}, len(quarantine)
    )
    changed |= _write(to / "README.md", card.text(info))
    changed |= _write(to / "dataset.json", records.encode(info, indent=1))
    for left in (shop / "pictures").iterdir():
        left.unlink()
    return Report(
        path=to,
        pictures=len(rows),
        originals=info["originals"],
        splits={name: split["pictures"] for name, split in info["splits"].items()},
        colours=info["colours"],
        quarantined=quarantine,
        groups=info["groups"],
        rights=info["rights"],
        fingerprint=info["fingerprint"],
        unchanged=not changed,
        notes=notes,
    )


def _placed_before(shop: Path) -> set[str]:
    try:
        return set(json.loads((shop / "placed.json").read_bytes()))
    except (OSError, ValueError):
        return set()


def _place(to: Path, rows: list[_Row]) -> bool:
    """Move every piece to its path; False where all lay there already."""
    changed = False
    for row in rows:
        for piece, path in row.pieces:
            goal = to / path
            if _digest(goal) == piece["sha256"]:
                continue
            at = next(place for place in _places(row.job, piece) if _digest(place) == piece["sha256"])
            goal.parent.mkdir(parents=True, exist_ok=True)
            at.replace(goal)
            changed = True
    return changed


def _write(path: Path, value: bytes | list[str]) -> bool:
    """Write what differs from what is there; False where nothing does."""
    data = value if isinstance(value, bytes) else records.encode(value)
    if path.exists() and path.read_bytes() == data:
        return False
    path.parent.mkdir(exist_ok=True)
    images.atomic_write(path, data)
    return True


def _write_lines(path: Path, lines: Sequence[dict[str, Any]]) -> bool:
    return _write(path, b"".join(map(records.encode, lines)))


def describe(settings: Settings, splits: dict[str, list[dict[str, Any]]], quarantined: int) -> dict[str, Any]:
    """`dataset.json`: all that can be said of the data set from its lines. Holds no time or place, so that equal sets
    are equal bytes.
    """
    rows = [record for lines in splits.values() for record in lines]
    return {
        "schema": records.SCHEMA,
        "made_by": f"lianpu {__version__}",
        "size": settings.size,
        "classes": list(CLASSES),
        "pictures": len(rows),
        "originals": len({r["source_sha256"] for r in rows}),
        "groups": len({r["group"] for r in rows}),
        "colours": {c: n for c in CLASSES if (n := sum(r["colour"] == c for r in rows))},
        "splits": {
            name: {
                "pictures": len(lines),
                "originals": len({r["source_sha256"] for r in lines}),
                "colours": {c: n for c in CLASSES if (n := sum(r["colour"] == c for r in lines))},
            }
            for name, lines in splits.items()
            if lines
        },
        "quarantined": quarantined,
        "rights": rights.summary(rows),
        "settings": asdict(settings),
        "fingerprint": records.fingerprint(rows),
        "pixels": records.fingerprint(rows, labels=False),
    }
