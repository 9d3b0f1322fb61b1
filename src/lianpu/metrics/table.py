"""Rows of an evaluation as a table for people, on a terminal or in a log."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lianpu.metrics.suite import Row

__all__ = ["number", "show"]

ARROWS = {"lower": "lower", "higher": "higher", "closer": "closer to"}


def number(value: float | None) -> str:
    """Four significant digits, never in powers of ten where they can be read without: 89.41, 0.0008, -."""
    if value is None:
        return "-"
    if value == 0 or 1e-4 <= abs(value) < 1e5:
        digits = f"{value:.4g}"
        return digits if "e" not in digits else f"{value:.0f}"
    return f"{value:.3g}"


def show(rows: Sequence[Row], stream: TextIO | None = None, width: int | None = None) -> None:
    """Prints the rows: the numbers as a table, what they are of above it, warnings below it."""
    stream = sys.stderr if stream is None else stream
    assert stream is not None
    console = Console(file=stream, width=width or (None if stream.isatty() else 110), highlight=False)
    if not rows:
        return
    shown, real = rows[0].extra.get("generated", {}), rows[0].extra.get("reference_set", {})
    for what, source in (("pictures", shown), ("against", real)):
        if source:
            note = f" ({source['note']})" if source.get("note") else ""
            console.print(Text(f"{what}: {source['pictures']} of {source['name']}, a {source['kind']}{note}"))
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    table.add_column("metric", no_wrap=True)
    for title in ("value", "95 % interval"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("better", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    notes: dict[str, int] = {}
    for row in rows:
        interval = f"{number(row.low)} to {number(row.high)}" if row.low is not None else ""
        better = ARROWS[row.better]
        if row.better == "closer":
            better += f" {number(row.extra.get('reference'))}" if row.extra.get("reference") is not None else " real"
        mark = f"[{notes.setdefault(row.note, len(notes) + 1)}]" if row.note else ""
        cells = (row.metric, number(row.value), interval, better, f"{row.n}/{row.n_reference}", mark)
        table.add_row(*(Text(cell) for cell in cells), style="dim" if row.value is None else "")
    console.print(table)
    for note, index in notes.items():
        console.print(Text(f"[{index}] {note}"), soft_wrap=False)
