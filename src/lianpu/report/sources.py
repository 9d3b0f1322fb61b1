"""What a report can be made of, read from files that anyone may have written: run folders, lists of metric rows, experiments. Everything
is checked for its kind and size here; what it says is text, and `page` escapes it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lianpu import images
from lianpu.errors import DataError

__all__ = ["Experiment", "Rows", "Run", "Source", "open_sources", "picture", "rows_in"]

MAX_JSON = 64 << 20
MAX_ROWS = 20_000
MAX_TICKS = 400  # of a curve; more are thinned, a page is no archive
MAX_PIXELS = 4_000_000  # of one picture on a page


@dataclass(frozen=True)
class Rows:
    """An evaluation: metric rows as plain values."""

    name: str
    path: Path
    rows: list[dict[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class Run:
    """A training run."""

    name: str
    path: Path
    plan: dict[str, Any] = field(repr=False)
    """config.json"""
    starts: list[dict[str, Any]] = field(repr=False)
    ticks: list[dict[str, Any]] = field(repr=False)
    model: dict[str, Any] = field(repr=False)
    """model/model.json, or empty"""
    samples: tuple[Path, ...] = ()
    rows: tuple[Rows, ...] = ()

    @property
    def last(self) -> dict[str, Any]:
        return self.ticks[-1] if self.ticks else {}


@dataclass(frozen=True)
class Experiment:
    """An experiment's folder and its summary.json."""

    name: str
    path: Path
    facts: dict[str, Any] = field(repr=False)


Source = Run | Rows | Experiment


def open_sources(paths: Sequence[Path]) -> list[Source]:
    """What lies at each path; DataError that says what a report can be made of."""
    return [_open(path) for path in paths]


def _open(path: Path) -> Source:
    if (path / "summary.json").is_file():
        return Experiment(path.name, path, experiment_facts(path / "summary.json"))
    if (path / "run.jsonl").is_file() or (path / "config.json").is_file():
        return _run(path)
    if path.is_file() and path.suffix == ".json":
        value = read_json(path)
        if isinstance(value, dict) and value.get("what") == "experiment":
            return Experiment(path.parent.name, path.parent, experiment_facts(path))
        return Rows(path.stem, path, _rows(value, path))
    if path.is_dir() and (found := rows_in(path)):
        return Rows(path.name, path, [row for each in found for row in each.rows])
    raise DataError(
        f"a report cannot be made of {path.name or path}." if path.exists() else f"there is no {path}.",
        str(path),
        "Give a run's folder, a list of metric rows (json, from `lianpu evaluate`), or an experiment's folder.",
    )


def read_json(path: Path) -> Any:
    try:
        return json.loads(images.read_bytes(path, limit=MAX_JSON))
    except (ValueError, RecursionError):
        raise DataError(f"{path.name} is not readable json.", str(path), "It is damaged: make it again.") from None


def _object(path: Path) -> dict[str, Any]:
    value = read_json(path) if path.is_file() else {}
    return value if isinstance(value, dict) else {}


def experiment_facts(path: Path) -> dict[str, Any]:
    facts = read_json(path)
    if (
        not isinstance(facts, dict)
        or not isinstance(facts.get("scale"), dict)
        or not isinstance(facts.get("main"), list)
    ):
        raise DataError("summary.json is not that of an experiment.", str(path), "Run `lianpu experiment` again.")
    return facts


# --------------------------------------------------------------------------------------------------------------- metric rows


def _rows(value: Any, path: Path) -> list[dict[str, Any]]:
    """A list of rows, or an object that holds one as `rows`; each must name its metric."""
    rows = value.get("rows") if isinstance(value, dict) else value
    if not isinstance(rows, list) or not rows or len(rows) > MAX_ROWS:
        raise DataError(
            f"{path.name} holds no list of metric rows.",
            str(path),
            "Give what `lianpu evaluate --json` or its --to wrote.",
        )
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or not isinstance(row.get("metric"), str):
            raise DataError(f"row {number} of {path.name} names no metric.", str(path), "Evaluate again.")
    return [checked(row) for row in rows]


def checked(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose numbers are finite numbers or None; NaN means undefined, not a number to be shown."""
    made = dict(row)
    for key in ("value", "low", "high"):
        made[key] = finite(row.get(key))
    for key in ("n", "n_reference", "seed"):
        made[key] = row[key] if isinstance(row.get(key), int) and not isinstance(row.get(key), bool) else None
    for key in ("extractor", "extractor_sha256", "resize", "pairing", "note", "better", "group"):
        made[key] = str(row.get(key) or "")
    return made


def finite(value: Any) -> float | None:
    """A finite number, else None."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if good else None


def rows_in(folder: Path) -> list[Rows]:
    """The evaluations that lie in a folder: json files there, or in its `metrics` or `evaluation`, that are lists of metric rows."""
    found = []
    for place in (folder, folder / "metrics", folder / "evaluation"):
        for path in sorted(place.glob("*.json"))[:200]:
            if path.stat().st_size > MAX_JSON or path.name in (
                "config.json",
                "dataset.json",
                "model.json",
                "plan.json",
            ):
                continue
            try:
                found.append(Rows(path.stem, path, _rows(read_json(path), path)))
            except DataError:
                continue  # another json file
    return found


# ----------------------------------------------------------------------------------------------------------------------- runs


def _run(path: Path) -> Run:
    entries = list(_events(path / "run.jsonl"))
    ticks = [checked_tick(e) for e in entries if e.get("event") == "tick" and finite(e.get("kimg")) is not None]
    samples = tuple(sorted((path / "samples").glob("[0-9]*.png")))
    return Run(
        path.name or str(path.resolve().name),
        path,
        _object(path / "config.json"),
        [e for e in entries if e.get("event") == "start"],
        thin(ticks),
        _object(path / "model" / "model.json"),
        samples,
        tuple(rows_in(path)),
    )


def checked_tick(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in entry.items() if k == "event" or finite(v) is not None}


def thin(ticks: Sequence[dict[str, Any]], most: int = MAX_TICKS) -> list[dict[str, Any]]:
    """At most `most` of them, evenly, the last one always."""
    step = -(-len(ticks) // most) if len(ticks) > most else 1
    kept = list(ticks[::step])
    if ticks and kept[-1] is not ticks[-1]:
        kept.append(ticks[-1])
    return kept


def _events(log: Path) -> Iterator[dict[str, Any]]:
    if not log.is_file():
        return
    for line in images.read_bytes(log, limit=1 << 30).decode("utf-8", "replace").splitlines():
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):  # torn by a kill
            continue
        if isinstance(entry, dict):
            yield entry


def picture(path: Path, root: Path) -> tuple[bytes, int, int]:
    """(PNG, width, height) of a picture inside `root`, decoded and encoded anew: nothing but its pixels goes onto the page."""
    if not path.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{path.name} lies outside its folder.", str(path), "A report shows only what is inside.")
    pixels = images.decode(path, max_pixels=MAX_PIXELS).pixels
    return images.encode_png(pixels), pixels.shape[1], pixels.shape[0]
