"""Runs, comparisons, evaluations and experiments as one page that needs nothing else, in English or Chinese, with the same numbers beside
it as CSV and JSON. It reads files and writes files; it computes nothing and never imports torch.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lianpu import __version__, files
from lianpu.errors import UsageError
from lianpu.report import experiment, lifting, sections
from lianpu.report.page import document, plain
from lianpu.report.sections import Writer
from lianpu.report.sources import Experiment, Rows, Run, Source, open_sources, rows_in

__all__ = ["rows_in", "write"]

COLUMNS = (
    "source", "row", "run_seed", "originals", "metric", "value", "low", "high", "n", "n_reference", "better", "group", "extractor",
    "extractor_sha256", "resize", "pairing", "seed", "note",
)  # fmt: skip


def write(paths: Sequence[Path], to: Path, *, lang: str = "en", overwrite: bool = True) -> list[Path]:
    """The report of what lies at `paths` as `to` (.html), with .csv and .json of the same name beside it; their paths."""
    if not paths:
        raise UsageError(
            "a report needs a run, an evaluation or an experiment.", fix="lianpu report RUN --to report.html"
        )
    if to.suffix.lower() not in (".html", ".htm"):
        raise UsageError(
            f"a report is written as .html, not {to.suffix or 'without an ending'}.",
            fix=f"--to {to.with_suffix('.html')}",
        )
    goals = [to, to.with_suffix(".csv"), to.with_suffix(".json")]
    for path in paths:
        if path.resolve() in (goal.resolve() for goal in goals):
            raise UsageError(
                f"the report would overwrite {path}, which it is made of.", fix="Choose another name for --to."
            )
    if not overwrite and (there := [goal for goal in goals if goal.exists()]):
        raise UsageError(f"{there[0]} exists already.", fix="Choose another --to.")
    sources = open_sources(paths)
    html, table, facts = render(sources, lang, to)
    for goal, content in zip(goals, (html, table, facts), strict=True):
        files.atomic_write(goal, content)
    return goals


def render(sources: Sequence[Source], lang: str, to: Path) -> tuple[str, str, str]:
    """(the page, its CSV, its JSON)."""
    w = Writer(lang, lettered=any(isinstance(s, Experiment) for s in sources))
    t, lead, subtitle = w.t, [], ""
    many_runs = [s for s in sources if isinstance(s, Run)]
    many_rows = [s for s in sources if isinstance(s, Rows)]
    experiments = [s for s in sources if isinstance(s, Experiment)]
    kicker, title = t("kicker.mixed"), t("title.mixed", n=len(sources))
    for each in experiments:
        write_page = lifting.write if each.facts.get("name") == "digan2024" else experiment.write
        title, subtitle, lead = write_page(w, each)
        kicker = t("kicker.experiment")
    if len(many_runs) == 1:
        sections.run(w, many_runs[0])
    elif many_runs:
        sections.runs(w, many_runs)
    if many_rows:
        sections.evaluations(w, many_rows)
    if not experiments and len(many_runs) == len(sources):
        one = len(many_runs) == 1
        kicker = t("kicker.run" if one else "kicker.runs")
        title = many_runs[0].name if one else t("title.runs", n=len(many_runs))
        if one and not many_runs[0].ticks:
            lead = [w.paragraph(t("run.no_tick"), "lead")]
    elif not experiments and len(many_rows) == len(sources):
        one = len(many_rows) == 1
        kicker = t("kicker.rows")
        title = t("title.rows", name=many_rows[0].name) if one else t("title.many_rows", n=len(many_rows))
    beside = (to.with_suffix(".csv").name, to.with_suffix(".json").name)
    html = document(lang, f"{plain(title)} · lianpu", w.body(kicker, title, subtitle, lead, beside, __version__))
    lines = [line for s in sources for line in _lines(s)]
    facts = {"what": "report", "made_by": f"lianpu {__version__}", "sources": [_facts(s) for s in sources]}
    return html, _csv(lines), json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _lines(source: Source) -> list[dict[str, Any]]:
    if isinstance(source, Experiment):
        return experiment.flat_rows(source)
    every = source.rows if isinstance(source, Run) else (source,)
    return [{"source": source.name, **r} for each in every for r in each.rows]


def _csv(lines: Sequence[dict[str, Any]]) -> str:
    """Comma-separated, one line a measurement. Text that a spreadsheet would take for a formula gets an apostrophe."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for line in lines:
        table.writerow([_csv_cell(line.get(column)) for column in COLUMNS])
    return out.getvalue()


def _csv_cell(value: Any) -> Any:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return "" if value is None else value
    text = plain(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else text


def _facts(source: Source) -> dict[str, Any]:
    if isinstance(source, Experiment):
        return {"what": "experiment", "name": source.name, **_finite(source.facts)}
    if isinstance(source, Rows):
        return {"what": "evaluation", "name": source.name, "rows": _finite(source.rows)}
    rows = [{"name": each.name, "rows": each.rows} for each in source.rows]
    # the folders of a machine are its own affair
    plan = {k: Path(str(v)).name if k in ("data", "from") and v else v for k, v in source.plan.items()}
    facts = {
        "config": plan,
        "starts": source.starts,
        "ticks": source.ticks,
        "model": source.model,
        "evaluations": rows,
    }
    return {"what": "run", "name": source.name, **_finite(facts)}


def _finite(value: Any) -> Any:
    """Plain values with None in the place of NaN and infinities, which are no JSON."""
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
