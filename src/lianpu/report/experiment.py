"""An experiment's page: the paper's Tables 1 to 3, Figures 3 to 6 and the few-shot curve, with intervals, what the paper says beside
what was found, recipe and cost of each row, rights, and what was not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lianpu.report import draw, page
from lianpu.report.draw import Bar, Point, Series
from lianpu.report.page import Cell, Markup, join, number, tag
from lianpu.report.parts import (
    COLOURS,
    Page,
    claims_section,
    cost_section,
    everything_section,
    is_evaluated,
    mapping,
    missing_section,
    quality_table,
    rights_section,
    sequence,
    substitutes,
    title_of,
    together,
)
from lianpu.report.sections import Writer, metric, policy
from lianpu.report.sources import Experiment, checked, checked_tick, finite, thin

__all__ = ["flat_rows", "write"]


def write(w: Writer, source: Experiment) -> tuple[str, str, list[Markup]]:
    """All sections; returns title, subtitle and lead."""
    p, t = Page(w, source), w.t
    seeds = len(sequence(p.facts.get("seeds")))
    scale = {"name": p.scale.get("name", ""), "size": mapping(p.facts.get("data")).get("size", "–"), "n": seeds}
    lead = [
        w.paragraph(t("exp.lead"), "lead"),
        w.paragraph(t("exp.scale", images=_thousands(p.scale.get("kimg")), **scale)),
        w.paragraph(t("exp.numbers")),
    ]
    if mapping(p.facts.get("data")).get("drawn"):
        lead.append(w.paragraph(t("exp.drawn")))
    if p.painters:
        lead.insert(1, w.paragraph(t("exp.lead.painters")))
    lead += p.warnings
    _table1(p)
    _table2(p)
    claims_section(p)
    _figure3(p)
    _figure5(p)
    _figure6(p)
    _table3(p)
    _few(p)
    _training(p)
    _protocol(p)
    cost_section(p)
    everything_section(p)
    rights_section(p)
    missing_section(p)
    return t("title.experiment"), t("exp.sub", scale=p.scale.get("name", ""), state=p.state), lead


# --------------------------------------------------------------------------------------------------------------------- tables


def _table1(p: Page) -> None:
    w, t = p.w, p.t
    table = quality_table(p, p.rows, t("exp.table1.caption", headline=t.joined(*substitutes(p))))
    seeds = w.paragraph(t("exp.protocol.seeds"), "note")
    floor = w.paragraph(t("exp.protocol.floor"), "note") if p.real else None
    if table:
        w.section(t("exp.table1"), table, seeds, floor)


def _table2(p: Page) -> None:
    w, t = p.w, p.t
    table = quality_table(p, p.painters, t("exp.table2.caption", headline=t.joined(*substitutes(p))))
    if not table:
        return
    names = list(dict.fromkeys(r["metric"] for e in p.painted for r in e["rows"] if r.get("group") == "translation"))
    measured = {
        (row, name): [checked(r) for e in p.painted if e["row"] == row for r in e["rows"] if r["metric"] == name]
        for row in p.painters
        for name in names
    }
    heads = [t("rows.metric"), *(Cell(p.name(row), True) for row in p.painters)]
    body: list[list[Cell | str]] = []
    for name in names:
        cells: list[Cell | str] = [Cell(metric(t, name), head=True)]
        for row in p.painters:
            found = together(measured[row, name])
            edge = page.interval(found[1], found[2]) if found else ""
            shown = join([number(found[0]), *([tag("br"), tag("small", edge)] if edge else [])]) if found else "–"
            cells.append(Cell(shown, True))
        body.append(cells)
    said = w.paragraph(t("exp.table2.note"), "note")
    n = number(p.scale.get("painted"))
    more = w.table(t("exp.table2.truth", n=n), heads, body) if names else None
    w.section(t("exp.table2"), table, said, more)


def _table3(p: Page) -> None:
    w, t, judge = p.w, p.t, mapping(p.facts.get("judge"))
    verdict = mapping(judge.get("verdict"))
    if not verdict:
        return
    heads = [
        t("exp.method"),
        Cell(t("exp.accuracy"), True),
        Cell(t("rows.interval"), True),
        Cell(t("exp.correct"), True),
    ]
    heads += [Cell(t.colour(str(c)), True) for c in sequence(verdict.get("classes"))]
    lines: list[tuple[str, Mapping[str, Any]]] = [(t("exp.real.label"), verdict)]
    if p.real and (r := p.of(p.real, "accuracy")):
        lines.append((t("exp.real.rule"), mapping(r.get("extra"))))
    for e in p.every:
        if r := p.of(e, "accuracy"):
            lines.append((title_of(p, e), mapping(r.get("extra"))))
    body = []
    for name, v in lines:
        colours = [mapping(mapping(v.get("per_class")).get(c)) for c in sequence(verdict.get("classes"))]
        body.append(
            [
                Cell(name, head=True),
                Cell(_percent(v.get("accuracy")), True),
                Cell(f"[{_percent(v.get('low'))}, {_percent(v.get('high'))}]", True),
                Cell(f"{number(v.get('correct'))} / {number(v.get('n'))}", True),
                *(Cell(f"{number(c.get('correct'))}/{number(c.get('n'))}", True) for c in colours),
            ]
        )
    per_class = mapping(p.scale.get("judge")).get("test_per_class")
    lead = t("exp.table3.lead", train=number(judge.get("train_pictures")), per_class=per_class)
    how = t("exp.judge.last" if judge.get("last_layer_only") else "exp.judge.all")
    notes = [t.scarce(str(n)) for n in sequence(judge.get("notes")) if "fewer" in str(n)]
    notes += [
        t("exp.claim.part", kind=name, verdict=t.scarce(str(n))) for name, v in lines for n in sequence(v.get("notes"))
    ]
    said = tag("ul", *(tag("li", n) for n in dict.fromkeys(notes)), class_="note") if notes else None
    matrices = [_matrix(p, name, v) for name, v in lines]
    w.section(
        t("exp.table3"),
        w.paragraph(t.joined(lead, how)),
        w.table(t("exp.table3.caption"), heads, body),
        said,
        w.fold(t("exp.confusion"), tag("div", *matrices, class_="wall")),
    )


def _percent(value: object) -> str:
    share = finite(value)
    return "–" if share is None else f"{100 * share:.1f} %"


def _matrix(p: Page, name: str, v: Mapping[str, Any]) -> Markup | None:
    t, classes, confusion = p.t, sequence(v.get("classes")), sequence(v.get("confusion"))
    if not classes or len(confusion) != len(classes) or not all(isinstance(r, list) for r in confusion):
        return None
    colours = [t.colour(str(c)) for c in classes]
    body = [
        [Cell(c, head=True), *(Cell(number(k) if k else "·", True) for k in row)]
        for c, row in zip(colours, confusion, strict=True)
    ]
    return page.table(
        t("exp.confusion.one", name=name), [t("exp.label"), *(Cell(c, True) for c in colours)], body, "square"
    )


# -------------------------------------------------------------------------------------------------------------------- figures


def _figure3(p: Page) -> None:
    w, t, n = p.w, p.t, p.scale.get("shown")
    first = [e for row in p.rows for e in [x for x in p.main if x["row"] == row][:1]]
    shown = []
    for e in first:
        name = p.name(e["row"])
        caption = t("exp.figure3.one", name=name, seed=e.get("seed"), n=n)
        shown.append(
            w.photograph(
                p.source.path / str(e.get("figure")), p.source.path, caption, t("exp.figure3.alt", n=n, name=name)
            )
        )
    if p.real:
        alt = t("exp.figure3.alt", n=n, name=t("exp.real.label"))
        shown.append(
            w.photograph(p.source.path / str(p.real.get("figure")), p.source.path, t("exp.figure3.real", n=n), alt)
        )
    if any(shown):
        w.section(t("exp.figure3"), tag("div", *shown, class_="wall"))


def _figure5(p: Page) -> None:
    """Figures 4 and 5: the same sketches and references, painted by each."""
    w, t = p.w, p.t
    shown = []
    for e in (e for row in p.painters for e in [x for x in p.painted if x["row"] == row][:1]):
        name = title_of(p, e)
        caption = t("exp.figure5.one", name=name)
        alt = t("exp.figure5.alt", name=name)
        shown.append(w.photograph(p.source.path / str(e.get("figure")), p.source.path, caption, alt))
    if any(shown):
        w.section(t("exp.figure5"), w.paragraph(t("exp.figure5.lead")), tag("div", *shown, class_="wall"))


def _figure6(p: Page) -> None:
    w, t, rows = p.w, p.t, [*p.rows, *p.painters]
    if not rows:
        return
    groups = [p.name(r) for r in rows]
    made: list[tuple[str, int, list[Bar | None]]] = []
    for kind, label in (("lpips to real", "exp.lpips.real"), ("lpips diversity", "exp.lpips.fake")):
        if kind in p.headline:
            found = [together(p.seeds(row, kind)) for row in rows]
            real = p.real and p.of(p.real, kind)
            bars: list[Bar | None] = [Bar(*m) if m else None for m in found]
            if p.real:
                bars.append(
                    Bar(real["value"], real["low"], real["high"]) if real and real["value"] is not None else None
                )
            made.append((t(label), 2, bars))
    if p.real and made:
        groups.append(t("exp.real").partition(" (")[0].partition("（")[0])
    if made:
        caption = t("exp.figure6.caption")
        w.section(
            t("exp.figure6"), w.drawing(lambda: draw.bars(groups, made, t("exp.lpips.axis"), title=caption), caption)
        )


def _few(p: Page) -> None:
    w, t = p.w, p.t
    if not p.few:
        return
    parts: list[Markup | None] = [
        w.paragraph(t("exp.few.lead", counts=t("list").join(str(n) for n in sequence(p.facts.get("few")))))
    ]
    originals = mapping(mapping(p.facts.get("data")).get("splits")).get("train", {}).get("originals")
    seeds = t("list").join(map(str, sequence(p.scale.get("few_seeds"))))
    for kind in ("frechet", "kernel"):
        if kind not in p.headline:
            continue
        table: dict[tuple[str, int], dict[str, Any]] = {}
        for e in p.few:
            count = e.get("originals") or originals
            if isinstance(count, int) and (r := p.of(e, kind)) and r["value"] is not None:
                table.setdefault((e["row"], count), r)
        counts = sorted({count for _, count in table})
        series = [
            Series(
                p.name(row),
                tuple(Point(float(c), r["value"], r["low"], r["high"]) for c in counts if (r := table.get((row, c)))),
                COLOURS.get(row, 4),
            )
            for row in dict.fromkeys(r for r, _ in table)
        ]
        if not series:
            continue
        caption = t("exp.few.caption", metric=p.headline[kind], seeds=seeds)

        def make(s: list[Series] = series, k: str = kind, c: str = caption, at: list[int] = counts) -> Markup:
            return draw.curves(
                s, t("exp.few.x"), p.headline[k], title=c, log_x=True, x_marks=[float(v) for v in at], zero=False
            )

        parts.append(w.drawing(make, caption))
        heads = [t("exp.method"), *(Cell(t("exp.few.all", n=number(c)), True) for c in counts)]
        body = []
        for row in dict.fromkeys(r for r, _ in table):
            cells: list[Cell | str] = [Cell(p.name(row), head=True)]
            for c in counts:
                r = table.get((row, c))
                edge = page.interval(r["low"], r["high"]) if r else ""
                shown = join([number(r["value"]), *([tag("br"), tag("small", edge)] if edge else [])]) if r else "–"
                cells.append(Cell(shown, True))
            body.append(cells)
        parts.append(w.table(t("exp.few.table", metric=p.headline[kind]), heads, body))
    w.section(t("exp.few"), *parts)


def _training(p: Page) -> None:
    lines = []
    for row in p.rows:
        e = next(x for x in p.main if x["row"] == row)
        ticks = thin([checked_tick(k) for k in sequence(e.get("curve")) if isinstance(k, dict)], 200)
        lines.append((p.name(row), ticks, COLOURS.get(row, 4)))
    p.w.section(p.t("exp.training"), p.w.paragraph(p.t("exp.training.lead")), *policy(p.w, lines))


# ------------------------------------------------------------------------------------------------------------------- the rest


def _thousands(kimg: object) -> str:
    """A number of thousands, written out."""
    found = finite(kimg)
    return "–" if found is None else number(round(1000 * found))


def _protocol(p: Page) -> None:
    w, t, data = p.w, p.t, mapping(p.facts.get("data"))
    train, test = (mapping(data.get(k)).get("pictures") for k in ("train", "test"))
    about: list[Markup] = []

    def say(key: str, **values: object) -> None:
        about.append(tag("li", t(key, **values)))

    if data:
        key = "exp.protocol.data" if data.get("drawn") else "exp.protocol.own"
        say(
            key,
            originals=number(p.scale.get("originals")),
            train=number(train),
            test=number(test),
            size=data.get("size"),
            name=data.get("name"),
        )
    seeds = t("list").join(map(str, sequence(p.facts.get("seeds"))))
    say("exp.protocol.train", images=_thousands(p.scale.get("kimg")), seeds=seeds)
    say("exp.protocol.last")
    say("exp.protocol.reference")
    say("exp.protocol.fakes", n=number(p.scale.get("n")))
    if p.painters:
        say("exp.protocol.painted", n=number(p.scale.get("n")), images=_thousands(p.scale.get("painter_kimg")))
    w.section(t("exp.protocol"), tag("ul", *about))


def flat_rows(source: Experiment) -> list[dict[str, Any]]:
    """Every measurement as one line of a table, for CSV."""
    found = []
    real = source.facts.get("real")
    few = [e for e in sequence(source.facts.get("few_shot")) if is_evaluated(e) and e.get("originals")]
    measured = [*source.facts["main"], *sequence(source.facts.get("painted"))]
    for e in [*([real] if is_evaluated(real) else []), *(e for e in measured if is_evaluated(e)), *few]:
        rows = [*e["rows"], *([e["accuracy"]] if isinstance(e.get("accuracy"), dict) else [])]
        where = {"source": source.name, "row": e["row"], "run_seed": e.get("seed"), "originals": e.get("originals")}
        found += [{**where, **checked(r)} for r in rows if isinstance(r.get("metric"), str)]
    return found
