"""What can go wrong, said in three lines: what, where, how to fix. One class per exit code; nothing here imports torch.

LianpuError            1  a bug, unless a subclass says otherwise
├── UsageError         2  the command or an option is wrong
├── DataError          3  pictures, data sets, rights
├── ModelError         4  a model is missing, damaged, of the wrong kind, or refused
├── ResourceError      5  disk, memory, device, permissions, another process
├── CheckFailed        6  a check the user asked for did not pass
└── Stopped      130/143  stopped by a signal, after a snapshot
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CheckFailed",
    "DataError",
    "LianpuError",
    "ModelError",
    "ResourceError",
    "Stopped",
    "Terminated",
    "UsageError",
    "did_you_mean",
]


class LianpuError(Exception):
    """An error a user can read: `what` happened, `where`, and how to `fix` it."""

    exit_code = 1

    def __init__(self, what: str, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__("\n".join(line for line in (what, where, fix) if line))


class UsageError(LianpuError):
    exit_code = 2


class DataError(LianpuError):
    exit_code = 3


class ModelError(LianpuError):
    exit_code = 4


class ResourceError(LianpuError):
    exit_code = 5


class CheckFailed(LianpuError):
    exit_code = 6


class Stopped(LianpuError):
    """Training stopped on SIGINT (exit 130) or SIGTERM (exit 143); a snapshot was written first."""

    def __init__(self, what: str, where: str = "", fix: str = "", *, exit_code: int = 130) -> None:
        super().__init__(what, where, fix)
        self.exit_code = exit_code


class Terminated(KeyboardInterrupt):
    """SIGTERM, raised where Ctrl-C would be."""

    exit_code = 143


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'Did you mean tiny-64-ada?' for a near miss, otherwise the whole list."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known)}."
