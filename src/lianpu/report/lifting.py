"""The page of digan2024: Tables 1 to 3 and Figures 2 to 4 of Yan et al. 2024, the table that the paper could not have, of shapes against
the truth, and what was said beside what was found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lianpu.experiments.claims2024 import ASYMMETRY, LESS
from lianpu.report import page
from lianpu.report.page import Cell, Markup, number, tag
from lianpu.report.parts import (
    Page,
    claims_section,
    cost_section,
    everything_section,
    mapping,
    missing_section,
    quality_table,
    rights_section,
    sequence,
    span_of,
    substitutes,
    title_of,
    together,
    values_cell,
    winner_of,
)
from lianpu.report.sections import ARROWS, Writer
from lianpu.report.sources import Experiment, checked

__all__ = ["write"]

KNOWS_NO_SHAPE = ("teacher", "ada", "apa", "diffusion")
TURNED = (15, 30, 45, 60)
EMBEDDERS = ("clay", "SFace")
SHAPE = {
    "SIDE": "lift.side", LESS.format("SIDE"): "lift.side.less",
    "MAD (degrees)": "lift.mad", LESS.format("MAD (degrees)"): "lift.mad.less",
}  # fmt: skip
"""Metric -> what its column is called."""
MORE = {
    "head found (IoU)": "lift.iou", "depth correlation": "lift.depth", "two views' depths apart": "lift.views",
    ASYMMETRY: "lift.asymmetry",
}  # fmt: skip
POSE = {
    "yaw correlation": "lift.yaw", "rotation error (degrees)": "lift.rotation", "light direction error (degrees)": "lift.light",
}  # fmt: skip


def write(w: Writer, source: Experiment) -> tuple[str, str, list[Markup]]:
    """All sections; returns title, subtitle and lead."""
    p, t = Page(w, source), w.t
    drawn = mapping(p.facts.get("data")).get("drawn", True)
    lead = [w.paragraph(t("lift.lead" if drawn else "lift.lead.own"), "lead"), w.paragraph(t("exp.numbers"))]
    lead += p.warnings
    _shapes(p)
    claims_section(p)
    _figures(p)
    _table1(p)
    _table2(p)
    _table3(p)
    _protocol(p)
    cost_section(p)
    everything_section(p)
    rights_section(p)
    missing_section(p)
    return t("lift.title"), t("lift.sub", scale=p.scale.get("name", ""), state=p.state), lead


def _lifters(p: Page) -> list[str]:
    return [row for row in p.rows if row not in KNOWS_NO_SHAPE]


# --------------------------------------------------------------------------------------------------------------------- tables


def _rows(evaluated: Sequence[Mapping[str, Any]], metric: str) -> list[dict[str, Any]]:
    return [checked(r) for e in evaluated for r in e["rows"] if r["metric"] == metric]


def _measured(
    p: Page, rows: Sequence[str], columns: Mapping[str, str], caption: str, walls: bool = False
) -> Markup | None:
    """A line for each method and a column for each metric; with `walls` also what a flat depth and the mean depth are worth."""
    t = p.t
    tables = {p.name(row): [e for e in p.main if e["row"] == row] for row in rows}
    if walls and p.real:
        for name, known in mapping(p.real.get("yardsticks")).items():
            if isinstance(known, list) and name in ("flat", "mean"):
                tables[t(f"lift.{name}")] = [{"rows": known}]
    found = {(name, metric): _rows(mine, metric) for name, mine in tables.items() for metric in columns}
    columns = {m: label for m, label in columns.items() if any(found[name, m] for name in tables)}
    if not columns:
        return None
    pooled = {key: together(rows) for key, rows in found.items()}
    better = {m: next(r["better"] for name in tables for r in found[name, m]) for m in columns}
    spans = {m: span_of([v for name in tables if (v := pooled[name, m])]) for m in columns}
    winners = {m: winner_of({name: pooled[name, m] for name in tables}, better[m]) for m in columns}
    heads = [
        t("exp.method"),
        *(Cell(f"{label} {ARROWS.get(better[m], '')}".rstrip(), True) for m, label in columns.items()),
    ]
    body = []
    for i, name in enumerate(tables):
        cells: list[Cell | str] = [Cell(name, head=True)]
        for m in columns:
            values = [r["value"] for r in found[name, m]]
            cells.append(values_cell(p, name, min(i, 4), values, pooled[name, m], spans[m], winners[m] == name))
        body.append(cells)
    return p.w.table(caption, heads, body)


def _shapes(p: Page) -> None:
    w, t = p.w, p.t
    shape, more, pose = ({metric: t(key) for metric, key in names.items()} for names in (SHAPE, MORE, POSE))
    held = mapping(mapping(p.facts.get("data")).get("held"))
    caption = t("lift.shapes.caption", heads=number(held.get("heads")), pictures=number(held.get("pictures")))
    table = _measured(p, _lifters(p), shape, caption, walls=True)
    if table:
        seeds = w.paragraph(t("exp.protocol.seeds"), "note")
        other = _measured(p, _lifters(p), more, t("lift.more.caption"))
        posed = _measured(p, _lifters(p), pose, t("lift.pose.caption"))
        w.section(t("lift.shapes"), w.paragraph(t("lift.shapes.lead")), table, other, posed, seeds)


def _table1(p: Page) -> None:
    w, t = p.w, p.t
    table = quality_table(p, p.rows, t("lift.table1.caption", headline=t.joined(*substitutes(p))))
    if table:
        w.section(t("lift.table1"), table, w.paragraph(t("lift.table1.note"), "note"))


def _table2(p: Page) -> None:
    w, t = p.w, p.t
    tables = []
    for name in EMBEDDERS:
        kept = {f"identity ({name}) kept at {yaw} degrees": f"±{yaw}°" for yaw in TURNED}
        share = {f"{metric}, share of the true heads'": label for metric, label in kept.items()}
        tables.append(_measured(p, _lifters(p), share, t("lift.table2.share", name=name)))
        tables.append(_measured(p, _lifters(p), kept, t("lift.table2.cosine", name=name)))
    if any(tables):
        drawn = mapping(p.facts.get("data")).get("drawn", True)
        lead = t("lift.table2.lead", n=number(p.scale.get("turned")))
        ceiling = w.paragraph(t("lift.table2.ceiling")) if drawn else None
        w.section(t("lift.table2"), w.paragraph(lead), ceiling, *tables)


def _table3(p: Page) -> None:
    w, t = p.w, p.t
    rows = [row for row in _lifters(p) if row.startswith("digan")]
    columns = {p.headline[kind]: p.headline[kind] for kind in ("frechet", "kernel") if kind in p.headline}
    columns |= {m: t((SHAPE | MORE)[m]) for m in (LESS.format("SIDE"), LESS.format("MAD (degrees)"), ASYMMETRY)}
    columns["identity (clay) kept at 30 degrees, share of the true heads'"] = t("lift.identity30")
    table = _measured(p, rows, columns, t("lift.table3.caption"))
    if table and len(rows) > 1:
        w.section(t("lift.table3"), table, w.paragraph(t("lift.table3.note"), "note"))


# -------------------------------------------------------------------------------------------------------------------- figures


def _figures(p: Page) -> None:
    w, t = p.w, p.t
    first = {row: next(e for e in p.main if e["row"] == row) for row in _lifters(p)}
    for title, rows, key in (
        (t("lift.figure2"), [r for r in first if r in ("digan", "liftedgan")], "figure"),
        (t("lift.figure3"), [r for r in first if r in ("digan", "liftedgan")], "light"),
        (t("lift.figure4"), [r for r in first if r.startswith("digan-")], "figure"),
    ):
        shown = []
        for row in rows:
            e = first[row]
            caption = t(f"lift.{key}.one", name=title_of(p, e))
            alt = t("lift.figure.alt", name=p.name(row))
            shown.append(w.photograph(p.source.path / str(e.get(key)), p.source.path, caption, alt))
        if any(shown):
            w.section(title, *shown)
    if p.real:
        alt = t("lift.figure.alt", name=t("lift.real"))
        shown = w.photograph(p.source.path / str(p.real.get("figure")), p.source.path, t("lift.figure.real"), alt)
        w.section(t("lift.data"), shown)


# ------------------------------------------------------------------------------------------------------------------- the rest


def _protocol(p: Page) -> None:
    w, t, data = p.w, p.t, mapping(p.facts.get("data"))
    if not data:
        return
    train, test = (number(mapping(data.get(k)).get("pictures")) for k in ("train", "test"))
    known = {"train": train, "test": test, "size": data.get("size"), "name": data.get("name")}
    given, seeds = p.facts.get("given_teacher"), ", ".join(map(str, sequence(p.facts.get("seeds"))))
    end = ".given" if given else ""
    about = [tag("li", t(f"lift.protocol.data{end}" if data.get("drawn") else "exp.protocol.own", **known))]
    kimg, lifter = page.brief(p.scale.get("kimg")), page.brief(p.scale.get("lifter_kimg"))
    if given:
        seen = next((mapping(e.get("model")).get("images_seen") for e in p.main if e["row"] == "teacher"), None)
        shown = page.brief(seen / 1000) if isinstance(seen, int) else t("unknown")
        about.append(tag("li", t("lift.protocol.given", name=str(given), kimg=shown)))
    about.append(tag("li", t(f"lift.protocol.train{end}", kimg=kimg, lifter=lifter, seeds=seeds)))
    codes = mapping(p.facts.get("codes"))
    if codes:
        steps, error = number(p.scale.get("steps")), number(codes.get("error"))
        compared = mapping(codes.get("features")).get("name", t("unknown"))
        about.append(tag("li", t("lift.protocol.codes", steps=steps, error=error, features=compared)))
    about.append(tag("li", t("lift.protocol.side")))
    about.append(tag("li", t("exp.protocol.last")))
    w.section(t("exp.protocol"), tag("ul", *about))
