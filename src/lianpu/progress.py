"""One line that says how a long command is doing: rewritten in place on a terminal, printed once a tick elsewhere, json if asked."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, TextIO

__all__ = ["Progress", "duration"]

_NAMES = {"loss/G": "G", "loss/D": "D", "loss/G path": "path", "loss/D R1": "R1"}


def duration(seconds: float | None) -> str:
    """'42 s', '7 m', '3 h 05 m', '2 d 4 h'; '...' while unknown."""
    if seconds is None:
        return "..."
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    days, h = divmod(hours, 24)
    if days:
        return f"{days} d {h} h"
    if hours:
        return f"{hours} h {m:02d} m"
    return f"{m} m" if minutes else f"{s} s"


class Progress:
    """Writes to stderr; stdout stays for data."""

    def __init__(self, *, quiet: bool = False, as_json: bool = False, stream: TextIO | None = None) -> None:
        self.quiet, self.json = quiet, as_json
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty() and not as_json
        self._shown = 0.0
        self._width = 0

    def say(self, text: str) -> None:
        """A sentence of its own line."""
        if not self.quiet:
            self._write(json.dumps({"event": "message", "text": text}, ensure_ascii=False) if self.json else text)

    def progress(self, status: dict[str, Any], tick: bool) -> None:
        """A training status: in place on a terminal (five times a second), else at ticks only."""
        if self.quiet:
            return
        if self.json:
            if tick:
                self._write(json.dumps({"event": "tick", **status}))
        elif tick or (self.live and time.monotonic() - self._shown > 0.2):
            self._shown = time.monotonic()
            self._line(training_line(status), keep=tick)

    def count(self, done: int, total: int, what: str) -> None:
        """'what 312/1782', in place on a terminal, else in ten steps."""
        if self.quiet or self.json:
            return
        last = done >= total
        if self.live and (last or time.monotonic() - self._shown > 0.1):
            self._shown = time.monotonic()
            self._line(f"{what}  {done}/{total}", keep=last)
        elif not self.live and (last or done * 10 // total > (done - 1) * 10 // total):
            self._write(f"{what}  {done}/{total}")

    def _line(self, text: str, keep: bool) -> None:
        if not self.live:
            self._write(text)
            return
        self.stream.write("\r" + text.ljust(self._width) + ("\n" if keep else ""))
        self.stream.flush()
        self._width = 0 if keep else len(text)

    def _write(self, text: str) -> None:
        if self._width:
            self.stream.write("\r" + " " * self._width + "\r")
            self._width = 0
        self.stream.write(text + "\n")
        self.stream.flush()


def training_line(status: dict[str, Any]) -> str:
    """tiny-64-ada  12.3/400 kimg  18.2 img/s  ETA 5 h 54 m  p 0.120  r_t 0.55  G 0.93  D 1.20  next save 2 m"""
    parts = [
        f"{status['recipe']}  {status['kimg']:.1f}/{status['of_kimg']:g} kimg  {status['images_per_second']:.1f} img/s",
        f"ETA {duration(status['eta_seconds'])}",
    ]
    for key in ("p", "r_t", "T", "as sketch", "as reference"):
        if key in status:
            parts.append(f"{key} {status[key]:.0f}" if key == "T" else f"{key} {status[key]:.3f}")
    parts += [f"{short} {status[key]:.3f}" for key, short in _NAMES.items() if key in status]
    parts.append(f"next save {duration(status['save_seconds'])}")
    return "  ".join(parts)
