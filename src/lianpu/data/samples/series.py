"""Folders of drawn pictures, 00000.png and on, whatever is drawn: whose folder it is, what goes when a series ends, and the drawing itself,
which any stop leaves fit to go on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from lianpu import files
from lianpu.data import pool
from lianpu.errors import DataError, Stopped

__all__ = ["claim", "draw", "remove"]

A = TypeVar("A")


def claim(to: Path, what: str) -> Path:
    """Where the folder says which series it holds; DataError where it holds something else than that."""
    stamp = to / "series.json"
    if to.exists() and not (to.is_dir() and (_holds(stamp, what) if stamp.exists() else not any(to.iterdir()))):
        raise DataError(f"{to.name} holds something else than drawn {what}.", str(to), "Choose a new folder for --to.")
    return stamp


def _holds(stamp: Path, what: str) -> bool:
    """Whether a series of this kind lies there; a file that is not ours is nobody's leave to delete pictures beside it."""
    try:
        facts = json.loads(stamp.read_text(encoding="utf-8"))
        return "drawn by" in facts and facts.get("what", "masks") == what
    except (ValueError, AttributeError, TypeError):
        return False


def remove(places: Iterable[tuple[Path, str, int]]) -> None:
    """From each (folder, ending, first) what is numbered `first` and higher, and nothing that is not named so; half-written files too."""
    for folder, ending, first in places:
        files.remove_partial(folder)
        for old in folder.glob(f"[0-9][0-9][0-9][0-9][0-9]*{ending}"):
            if old.stem.isdecimal() and int(old.stem) >= first:
                old.unlink()


def draw(
    to: Path,
    what: str,
    function: Callable[[A], int],
    todo: Sequence[A],
    lost: Callable[[A], int],
    done: int,
    n: int,
    progress: Callable[[int, int], None] | None,
    workers: int | None,
) -> None:
    """`function` of each of `todo` says how many pictures it drew, of n, beside the `done` that are there. Stopped on Ctrl-C."""
    if progress and done:
        progress(done, n)
    try:
        for count in pool.each(function, todo, lost, workers):
            done += count
            if progress:
                progress(done, n)
    except KeyboardInterrupt as stop:
        code = getattr(stop, "exit_code", 130)
        raise Stopped(
            f"stopped at {done} of {n} {what}.", str(to), "Run it again: it goes on.", exit_code=code
        ) from None
