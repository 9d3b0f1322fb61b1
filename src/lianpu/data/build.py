"""From folders and zips of pictures to a data set that can be trusted: `build` reads, sorts out, prepares, groups and
splits, in this order. Every step is a function of the bytes of the pictures and the settings, so that neither the
number of processes nor an interruption changes a byte of the result, and a second run finds nothing to do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import numpy as np

from lianpu import __version__, files
from lianpu.data import archive, duplicates, layout, split
from lianpu.data.colour import CLASSES
from lianpu.data.crop import Find
from lianpu.data.prepare import Job, Progress, Settings, final, hash_all, prepare_all
from lianpu.data.rights import HOW, UNKNOWN, Right, Rights, from_option, parse
from lianpu.errors import DataError, ResourceError, Stopped, UsageError

__all__ = ["Report", "build"]

CARRIED = (
    "kind",
    "character",
    "zh",
)  # columns of a source's metadata.jsonl that stay with the picture, beside its colour


@dataclass(frozen=True)
class Report:
    """What a build made, in numbers and in sentences."""

    path: Path
    pictures: int
    originals: int
    groups: int
    splits: dict[str, int]
    colours: dict[str, int]
    quarantined: list[dict[str, str]] = field(repr=False)
    rights: dict[str, Any]
    fingerprint: str
    unchanged: bool
    """Nothing was to be done: the data set was there already, byte for byte."""
    notes: list[str]

    def facts(self) -> dict[str, Any]:
        """All of it as plain values, ready for json."""
        return asdict(self) | {"path": str(self.path)}

    def lines(self) -> list[str]:
        """It in sentences."""
        colours = ", ".join(f"{name} {count}" for name, count in self.colours.items())
        parts = ", ".join(f"{count} for {name}" for name, count in self.splits.items())
        lines = [
            f"Pictures: {self.pictures}, from originals: {self.originals}, in groups: {self.groups} ({parts}): {colours}.",
            f"Rights {self.rights['status']}: {'; '.join(self.rights['licences'])}.",
            *self.notes,
        ]
        if bad := self.quarantined:
            lines.append(
                f"Files left out: {len(bad)} (quarantine.jsonl); the first, {bad[0]['name']}, {bad[0]['reason']}."
            )
        if self.unchanged:
            lines.append("Nothing to do: the data set was there already.")
        return lines


def build(
    sources: Sequence[Path | str],
    to: Path | str,
    *,
    size: int = 256,
    crop: str = "pad",
    expand: bool = False,
    test: float = 0.1,
    seed: int = 0,
    similar: float = duplicates.THRESHOLD,
    sketches: bool | str = False,
    rights: str | Path | None = None,
    allow_unknown_rights: bool = False,
    strict: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    find: Find | None = None,
) -> Report:
    """Make the data set `to` out of folders, zips and pictures; the sources are only read.

    `size` to `similar` are explained at `prepare.Settings`. `sketches` names a style of line drawing, True for
    "lines". `rights` is a CSV table or "licence; source" (see `data.rights`); without it each source's own rights.csv
    counts. `strict` stops at the first picture that would be quarantined. `workers` processes (all cores if None)
    change nothing but the time. `find` looks for faces where `crop` is "face". Raises UsageError, DataError,
    ResourceError, and Stopped on Ctrl-C; the same call then continues.
    """
    style = "lines" if sketches is True else sketches or ""
    settings = Settings(size, crop, expand, test, seed, similar, style)
    say = progress or (lambda done, total, what: None)
    paths, to = [Path(source) for source in sources], Path(to)
    _check_paths(paths, to)
    entries, refused, unnamed = _collect(paths, to, rights)
    _demand_rights(entries, allow_unknown_rights)
    with _workshop(to) as shop:
        try:
            hashes = hash_all([entry.item for entry in entries], refused, say)
            entries = [entry for entry in entries if entry.item in hashes]
            jobs = [Job(e.item, hashes[e.item], settings, _given_class(e.extra), shop, find) for e in entries]
            results = prepare_all(jobs, workers, say)
        except KeyboardInterrupt as stop:
            raise Stopped(
                "Stopped before the data set was finished.",
                str(to),
                "Run it again: it continues.",
                exit_code=getattr(stop, "exit_code", 130),
            ) from None
        finally:
            archive.close()
        good = []
        for job, entry, result in zip(jobs, entries, results, strict=True):
            if reason := result.get("refused"):
                refused.append(archive.Refusal(entry.item.name, reason))
            else:
                good.append(_Good(job, entry, result))
        quarantine = _quarantine(refused, strict, len(good), to)
        rows, notes = _rows(good, _groups(good, settings.similar, shop), settings, layout.edits(to))
        info, changed = layout.lay_out(to, settings, rows, quarantine)
    return Report(
        path=to,
        pictures=info["pictures"],
        originals=info["originals"],
        groups=info["groups"],
        splits={name: part["pictures"] for name, part in info["splits"].items()},
        colours=info["colours"],
        quarantined=quarantine,
        rights=info["rights"],
        fingerprint=info["fingerprint"],
        unchanged=not changed,
        notes=[*unnamed, *notes],
    )


# --- before any work ------------------------------------------------------------------------------


class _Entry(NamedTuple):
    """A picture found, its right, and its line in the source's own metadata.jsonl."""

    item: archive.Item
    right: Right
    extra: dict[str, Any]


def _check_paths(sources: Sequence[Path], to: Path) -> None:
    if not sources:
        raise UsageError("no source was given.", fix="lianpu data build FOLDER_OR_ZIP... --to DATA")
    for source in sources:
        if to.resolve() in (source.resolve(), *source.resolve().parents):
            raise UsageError(
                f"{source} lies in the folder that is to be written.", fix="Choose another folder for --to."
            )
    known = (to / "dataset.json").exists() or (to / ".build").exists()
    if to.exists() and not (to.is_dir() and (known or not any(to.iterdir()))):
        raise DataError(f"{to.name} holds something else than a data set.", str(to), "Choose a new folder for --to.")


def _collect(
    sources: Sequence[Path], to: Path, rights: str | Path | None
) -> tuple[list[_Entry], list[archive.Refusal], list[str]]:
    option = None if rights is None else from_option(rights)
    roots, items, refused = archive.collect(sources, to)
    if not items:
        first = (
            f" (of {len(refused)} files refused, the first, {refused[0].name}, {refused[0].reason})" if refused else ""
        )
        raise DataError(
            f"There is no picture to be read{first}.",
            ", ".join(map(str, sources)),
            "Give a folder or zip of PNG, JPEG, WebP, TIFF or BMP pictures.",
        )
    entries: list[_Entry] = []
    unnamed: dict[str, int] = {}
    lines = [_metadata(root) for root in roots]
    tables = [{f: parse(table, f"{root.path}/{f}rights.csv") for f, table in root.tables.items()} for root in roots]
    for item in items:
        if _named(item, lines[item.root]):
            right = option.of(item.within) if option else _right_of(item.within, tables[item.root])
            entries.append(_Entry(item, right, lines[item.root].get(item.within, {})))
        else:
            folder = item.name.rsplit("/", 1)[0]
            unnamed[folder] = unnamed.get(folder, 0) + 1
    said = [
        f"{folder} was left out ({count} files): the source's metadata.jsonl names no picture in it."
        for folder, count in unnamed.items()
    ]
    return entries, refused, said


def _right_of(within: str, tables: dict[str, Rights]) -> Right:
    """By the table of the picture's own folder, or else that of a folder above."""
    folder = within
    while folder:
        folder = folder.rstrip("/").rpartition("/")[0]
        folder = f"{folder}/" if folder else ""
        table = tables.get(folder)
        right = table.of(within.removeprefix(folder)) if table else UNKNOWN
        if right.known:
            return right
    return UNKNOWN


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
    """Where a source has a metadata.jsonl, a subfolder holds pictures only if that names some; others are maps,
    masks, drafts.
    """
    if not lines or "/" not in item.within:
        return True
    folder = item.within.rsplit("/", 1)[0] + "/"
    return any(name.startswith(folder) for name in lines)


def _given_class(extra: dict[str, Any]) -> str:
    return next((extra[key] for key in ("colour_class", "colour") if extra.get(key) in CLASSES), "")


def _demand_rights(entries: Sequence[_Entry], allow: bool) -> None:
    lacking = [entry for entry in entries if not entry.right.known]
    if lacking and not allow:
        raise DataError(
            f"{len(lacking)} of {len(entries)} pictures have no source and licence (first: {lacking[0].item.name}).",
            str(lacking[0].item.path),
            f'Write a rights.csv into the folder of the pictures or one above, or give --rights "CC-BY-4.0; where they come from". {HOW}\n'
            "With --allow-unknown-rights it goes on: the data set, its models and their pictures will say so.",
        )


@contextmanager
def _workshop(to: Path) -> Iterator[Path]:
    """DATA/.build, locked while a build uses it: finished pieces wait there for the rest."""
    shop = to / ".build"
    lock = filelock.FileLock(shop / "lock")
    try:
        for name in ("pictures", "pieces"):
            (shop / name).mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ResourceError("Another build is writing this data set.", str(to), "Wait until it ends.") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ResourceError(f"The folder cannot be written: {reason}.", str(to), "Choose another for --to.") from None
    try:
        yield shop
    finally:
        lock.release()


# --- all pictures together ------------------------------------------------------------------------


class _Good(NamedTuple):
    job: Job
    entry: _Entry
    result: dict[str, Any]


def _quarantine(refused: Sequence[archive.Refusal], strict: bool, good: int, to: Path) -> list[dict[str, str]]:
    lines = [asdict(r) for r in sorted(set(refused), key=lambda r: (r.name, r.reason))]
    if not lines or (good and not strict):
        return lines
    count, first = (f"{len(lines)}" if good else f"All {len(lines)}"), lines[0]
    raise DataError(
        f"{count} files cannot be used: the first, {first['name']}, {first['reason']}.",
        str(to),
        "Take them away, or run without --strict to leave them out." if good else "Give other pictures.",
    )


def _rows(
    good: Sequence[_Good], groups: list[str], settings: Settings, edits: dict[tuple[str, str, str], str]
) -> tuple[list[layout.Row], list[str]]:
    """Split and describe; rows in the order of their file names."""
    labels = [edits.get((g.job.sha256, "", ""), str(g.result["pieces"][0]["colour"])) for g in good]
    sides = split.assign(groups, labels, settings.test, settings.seed)
    rows = []
    for (job, entry, result), group, side in zip(good, groups, sides, strict=True):
        sketches = {p["variant"]: p for p in result["pieces"] if p["kind"] == "sketch"}
        for piece in (p for p in result["pieces"] if p["kind"] == "picture"):
            drawn = sketches.get(piece["variant"])
            pieces = [(p, final(job, p, side)) for p in (piece, drawn) if p]
            record = _record(job, entry, result, piece, drawn, group)
            record["file_name"] = pieces[0][1].split("/", 1)[1]
            record["colour"] = edits.get((job.sha256, piece["variant"], record["recolour"]), record["colour"])
            rows.append(layout.Row(side, record, pieces, job))
    rows.sort(key=lambda row: row.record["file_name"])
    return rows, _remarks(good, groups, sides, settings, len(edits))


def _groups(good: Sequence[_Good], similar: float, shop: Path) -> list[str]:
    """Each picture's group, named after the smallest source hash in it: the same whatever the order of the sources.

    The search compares all pictures with all; its result is kept, and holds for exactly these pictures.
    """
    told = [[g.job.sha256, g.result["print"], g.entry.item.root, g.entry.extra.get("identity")] for g in good]
    asked = json.dumps([__version__, similar, told], default=str)
    key, memory = hashlib.sha256(asked.encode()).hexdigest(), shop / "groups.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(memory.read_bytes())
        if kept["key"] == key:
            return [str(name) for name in kept["groups"]]
    side = duplicates.SIDE
    prints = [np.frombuffer(bytes.fromhex(g.result["print"]), np.uint8).reshape(side, side) for g in good]
    numbers = _families(good, duplicates.groups(prints, similar).tolist())
    leader: dict[Any, str] = {}
    for g, number in zip(good, numbers, strict=True):
        leader[number] = min(g.job.sha256[:12], leader.get(number, "~"))
    groups = [leader[number] for number in numbers]
    files.atomic_write(memory, json.dumps({"key": key, "groups": groups}))
    return groups


def _families(good: Sequence[_Good], numbers: Sequence[int]) -> list[Any]:
    """Groups of near-duplicates, joined where a source's metadata.jsonl says of their pictures that they show one `identity`."""
    over: dict[Any, Any] = {}

    def top(x: Any) -> Any:
        while (higher := over.setdefault(x, x)) != x:
            x = higher
        return x

    for g, number in zip(good, numbers, strict=True):
        if (identity := g.entry.extra.get("identity")) is not None:
            over[top(number)] = top((g.entry.item.root, str(identity)))
    return [top(number) for number in numbers]


def _record(
    job: Job, entry: _Entry, result: dict[str, Any], piece: dict[str, Any], sketch: dict[str, Any] | None, group: str
) -> dict[str, Any]:
    """The columns of metadata.jsonl, each of one type, so that table readers open it; `recolour` is JSON in text for
    that reason.
    """
    changed = piece["recolour"]
    return {
        "file_name": "",
        "colour": piece["colour"],
        "colour_as_built": piece["colour"],
        "colour_from": "recolour" if changed else "given" if job.given else "measured",
        "colour_measured": piece["measured"],
        "colour_confidence": piece["confidence"],
        "paint": str(entry.extra.get("colour") or ""),
        **{key: str(entry.extra.get(key) or "") for key in CARRIED},
        "mirror": piece["variant"].endswith("mirror"),
        "recolour": json.dumps(changed, ensure_ascii=False) if changed else "",
        "group": group,
        "source": job.item.name,
        "source_sha256": job.sha256,
        "sha256": piece["sha256"],
        "sketch_sha256": sketch["sha256"] if sketch else "",
        "licence": entry.right.licence or "unknown",
        "rights_source": entry.right.source,
        "notes": "; ".join(result["notes"]),
    }


def _remarks(good: Sequence[_Good], groups: list[str], sides: list[str], settings: Settings, edits: int) -> list[str]:
    """What the user should know, in sentences."""
    notes, different = [], len(set(groups))
    if len(good) == 1:
        notes.append("Only one picture: none can be kept for testing, and a model can only learn it by heart.")
    elif different == 1:
        notes.append(
            f"All {len(good)} pictures are near-copies of one another: there is nothing to learn but that one."
        )
    elif different < len(good):
        notes.append(
            f"{len(good) - different} of {len(good)} pictures are near-copies of others; each stays on their side."
        )
    if settings.test and "test" not in sides and different > 1:
        notes.append("Too few pictures of each colour to keep some for testing: all are for training.")
    if given := [(g.job.given, g.result["pieces"][0]["measured"]) for g in good if g.job.given]:
        right = sum(told == seen for told, seen in given)
        notes.append(
            f"The sources give {len(given)} colours; measured ones agree on {right} ({right / len(given):.1%})."
        )
    unsure = sum(not g.job.given and g.result["pieces"][0]["confidence"] < 0.1 for g in good)
    if unsure:
        notes.append(
            f"{unsure} colours are unsure (colour_confidence below 0.1): look at them, edit `colour` in metadata.jsonl."
        )
    if edits:
        notes.append(f"{edits} colours edited by hand were kept.")
    return notes
