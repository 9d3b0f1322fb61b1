"""An experiment's page: the paper's Tables 1 to 3, Figures 3 to 6 and the few-shot curve, with intervals, what the paper says beside
what was found, recipe and cost of each row, rights, and what was not run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lianpu.report import draw, page
from lianpu.report.draw import Bar, Point, Series
from lianpu.report.page import Cell, Markup, join, number, tag
from lianpu.report.sections import ARROWS, Writer, best, code, policy, protocol, row_table
from lianpu.report.sources import Experiment, checked, checked_tick, finite, thin

__all__ = ["flat_rows", "write"]

COLOURS = {"stylegan2": 0, "ada": 1, "apa": 2, "diffusion": 3}  # 4 for translators
STANDARD = {"frechet": "FID", "kernel": "KID"}
TABLE_1 = ("frechet", "kernel", "ssim", "ms-ssim")
TONES = {"agrees": "good", "leans to it": "good", "disagrees": "bad", "leans against": "bad"}


class _Page:
    """The summary, checked where it is read."""

    def __init__(self, w: Writer, source: Experiment) -> None:
        self.w, self.t, self.source, self.facts = w, w.t, source, source.facts
        self.scale: dict[str, Any] = source.facts["scale"]
        self.names: dict[str, str] = {str(k): str(v) for k, v in _dict(self.facts.get("names")).items()}
        self.headline: dict[str, str] = {str(k): str(v) for k, v in _dict(self.facts.get("headline")).items()}
        self.main = [e for e in _list(self.facts.get("main")) if _evaluated(e)]
        self.painted = [e for e in _list(self.facts.get("painted")) if _evaluated(e)]
        self.few = [e for e in _list(self.facts.get("few_shot")) if _evaluated(e)]
        self.real = self.facts["real"] if _evaluated(self.facts.get("real")) else None
        self.every = [*self.main, *self.painted]
        self.rows = [r for r in self.facts.get("rows", []) if any(e["row"] == r for e in self.main)]
        """The generators measured, and:"""
        self.painters = [r for r in self.facts.get("rows", []) if any(e["row"] == r for e in self.painted)]

    def name(self, row: object) -> str:
        return self.names.get(str(row), str(row))

    def of(self, evaluated: Mapping[str, Any], kind: str) -> dict[str, Any] | None:
        """The headline row of one measure in one evaluation."""
        if kind == "accuracy":
            return checked(evaluated["accuracy"]) if isinstance(evaluated.get("accuracy"), dict) else None
        found = next((r for r in evaluated["rows"] if r.get("metric") == self.headline.get(kind)), None)
        return checked(found) if found else None

    def seeds(self, row: str, kind: str) -> list[dict[str, Any]]:
        """The headline rows of one measure for one method, seed by seed."""
        mine = [e for e in self.every if e["row"] == row]
        return [r for e in mine if (r := self.of(e, kind)) is not None]


def _dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _evaluated(e: Any) -> bool:
    return (
        isinstance(e, dict)
        and isinstance(e.get("row"), str)
        and isinstance(e.get("rows"), list)
        and all(isinstance(r, dict) and isinstance(r.get("metric"), str) for r in e["rows"])
    )


def together(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float | None, float | None] | None:
    """(mean of the seeds' values, lowest low, highest high); None where no seed has a value."""
    values = [float(v) for r in rows if (v := finite(r.get("value"))) is not None]
    if not values:
        return None
    lows = [v for r in rows if (v := finite(r.get("low"))) is not None]
    highs = [v for r in rows if (v := finite(r.get("high"))) is not None]
    mean = sum(values) / len(values)
    whole = len(lows) == len(highs) == len(values)
    return mean, min([*lows, *values]) if whole else None, max([*highs, *values]) if whole else None


def write(w: Writer, source: Experiment) -> tuple[str, str, list[Markup]]:
    """All sections; returns title, subtitle and lead."""
    p, t = _Page(w, source), w.t
    plan = _dict(p.facts.get("plan"))
    done = sum(_dict(entry).get("state") == "done" for entry in plan.values())
    state = t("exp.finished") if p.facts.get("finished") else t("exp.partial", done=done, total=len(plan))
    lead = [w.paragraph(t("exp.lead"), "lead"), w.paragraph(t("exp.numbers"))]
    if p.scale.get("name") == "rehearsal":
        lead.append(w.paragraph(t("exp.rehearsal"), "warning"))
    if p.painters:
        lead.insert(1, w.paragraph(t("exp.lead.painters")))
    if not p.every:
        lead.append(w.paragraph(t("exp.nothing"), "warning"))
    _table1(p)
    _table2(p)
    _claims(p)
    _figure3(p)
    _figure5(p)
    _figure6(p)
    _table3(p)
    _few(p)
    _training(p)
    _protocol(p)
    _cost(p)
    _everything(p)
    _rights(p)
    _missing(p)
    return t("title.experiment"), t("exp.sub", scale=p.scale.get("name", ""), state=state), lead


# --------------------------------------------------------------------------------------------------------------------- tables


def _table1(p: _Page) -> None:
    w, t = p.w, p.t
    table = _quality(p, p.rows, t("exp.table1.caption", headline=" ".join(_substitutes(p))))
    seeds = w.paragraph(t("exp.protocol.seeds"), "note")
    floor = w.paragraph(t("exp.protocol.floor"), "note") if p.real else None
    if table:
        w.section(t("exp.table1"), table, seeds, floor)


def _table2(p: _Page) -> None:
    w, t = p.w, p.t
    table = _quality(p, p.painters, t("exp.table2.caption", headline=" ".join(_substitutes(p))))
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
        cells: list[Cell | str] = [Cell(tag("span", name, lang="en"), head=True)]
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


def _quality(p: _Page, rows: Sequence[str], caption: str) -> Markup | None:
    """The measures of Tables 1 and 2 for some rows, with what two halves of the real masks are apart; None where nothing was measured."""
    t = p.t
    kinds = [k for k in TABLE_1 if k in p.headline]
    if not rows or not kinds:
        return None
    measured = {(row, kind): together(p.seeds(row, kind)) for row in rows for kind in kinds}
    floor = {kind: p.real and p.of(p.real, kind) for kind in kinds}
    spans = {kind: _span([m for (_, k), m in measured.items() if k == kind and m]) for kind in kinds}
    winners = {kind: _winner({row: measured[row, kind] for row in rows}, _better(p, kind)) for kind in kinds}
    heads = [t("exp.method"), *(Cell(_head(p, kind), True) for kind in kinds)]
    body = []
    for row in rows:
        cells: list[Cell | str] = [Cell(p.name(row), head=True)]
        for kind in kinds:
            cells.append(_seeds_cell(p, row, kind, measured[row, kind], spans[kind], winners[kind] == row))
        body.append(cells)
    if any(floor.values()):
        cells = [Cell(tag("em", t("exp.real")), head=True)]
        for kind in kinds:
            r = floor[kind]
            if r is None or r["value"] is None:
                cells.append(Cell("–", True))
            else:
                edge = page.interval(r["low"], r["high"])
                cells.append(Cell(join([number(r["value"]), *([tag("br"), tag("small", edge)] if edge else [])]), True))
        body.append(cells)
    return p.w.table(caption, heads, body)


def _substitutes(p: _Page) -> list[str]:
    """That a measure was taken on other features than the standard ones, said of each."""
    return [
        p.t("exp.substitute", name=p.headline[k], standard=STANDARD[k])
        for k in STANDARD
        if k in p.headline and p.headline[k] != STANDARD[k]
    ]


def _better(p: _Page, kind: str) -> str:
    found = [r["better"] for e in p.every if (r := p.of(e, kind))]
    return found[0] if found else ""


def _head(p: _Page, kind: str) -> Markup:
    return join([tag("span", p.headline[kind], lang="en"), f" {ARROWS.get(_better(p, kind), '')}".rstrip()])


def _span(measured: Sequence[tuple[float, float | None, float | None]]) -> tuple[float, float] | None:
    ends = [v for m in measured for v in m if v is not None]
    return (min(ends), max(ends)) if ends and max(ends) > min(ends) else None


def _winner(measured: Mapping[str, tuple[float, float | None, float | None] | None], better: str) -> str | None:
    """The method whose interval lies beyond all others'."""
    names = list(measured)
    rows = [m and {"value": m[0], "low": m[1], "high": m[2]} for m in measured.values()]
    at = best(rows, better)
    return None if at is None else names[at]


def _seeds_cell(
    p: _Page,
    row: str,
    kind: str,
    measured: tuple[float, float | None, float | None] | None,
    span: tuple[float, float] | None,
    top: bool,
) -> Cell:
    if measured is None:
        return Cell(p.t("rows.undefined"), True)
    mean, low, high = measured
    parts: list[Markup | str] = [tag("span", number(mean), class_="best" if top else None)]
    if span:
        title = f"{p.name(row)}: {number(mean)} {page.interval(low, high)}".strip()
        mark = draw.whisker(mean, low, high, *span, title=title, colour=COLOURS.get(row, 4))
        parts += [tag("br"), mark]
    if edge := page.interval(low, high):
        parts += [tag("br"), tag("small", edge)]
    values = [r["value"] for r in p.seeds(row, kind)]
    if len(values) > 1:
        parts += [tag("br"), tag("small", p.t("exp.seeds_of", values=" · ".join(number(v) for v in values)))]
    return Cell(join(parts), True)


def _claims(p: _Page) -> None:
    w, t = p.w, p.t
    claims = [c for c in _list(p.facts.get("claims")) if isinstance(c, dict)]
    if not claims or not p.every:
        return
    heads = [t("exp.method"), t("exp.claim.says"), t("exp.claim.where"), t("exp.claim.tried"), t("exp.claim.verdict")]
    body = []
    for c in claims:
        verdict = str(c.get("verdict"))
        said = t(f"verdict.{verdict}") if verdict in (*TONES, "undecided", "not measured", "eyes") else verdict
        name = t("exp.few").partition(":")[0].partition("：")[0] if c.get("row") == "few-shot" else p.name(c.get("row"))
        body.append(
            [
                Cell(name, head=True),
                t.pick(c.get("says")),
                t.pick(c.get("where", "")),
                Cell(tag("small", t.pick(c["tried"]) if c.get("tried") else t("exp.claim.look"))),
                Cell(tag("span", said, class_=f"verdict {TONES.get(verdict, 'open')}")),
            ]
        )
    w.section(t("exp.claims"), w.table(t("exp.claims.caption"), heads, body))


def _table3(p: _Page) -> None:
    w, t, judge = p.w, p.t, _dict(p.facts.get("judge"))
    verdict = _dict(judge.get("verdict"))
    if not verdict:
        return
    heads = [
        t("exp.method"),
        Cell(t("exp.accuracy"), True),
        Cell(t("rows.interval"), True),
        Cell(t("exp.correct"), True),
    ]
    heads += [Cell(t.colour(str(c)), True) for c in _list(verdict.get("classes"))]
    lines: list[tuple[str, Mapping[str, Any]]] = [(t("exp.real.label"), verdict)]
    if p.real and (r := p.of(p.real, "accuracy")):
        lines.append((t("exp.real.rule"), _dict(r.get("extra"))))
    for e in p.every:
        if r := p.of(e, "accuracy"):
            lines.append((_title(p, e), _dict(r.get("extra"))))
    body = []
    for name, v in lines:
        colours = [_dict(_dict(v.get("per_class")).get(c)) for c in _list(verdict.get("classes"))]
        body.append(
            [
                Cell(name, head=True),
                Cell(_percent(v.get("accuracy")), True),
                Cell(f"[{_percent(v.get('low'))}, {_percent(v.get('high'))}]", True),
                Cell(f"{number(v.get('correct'))} / {number(v.get('n'))}", True),
                *(Cell(f"{number(c.get('correct'))}/{number(c.get('n'))}", True) for c in colours),
            ]
        )
    per_class = _dict(p.scale.get("judge")).get("test_per_class")
    lead = t("exp.table3.lead", train=number(judge.get("train_pictures")), per_class=per_class)
    how = t("exp.judge.last" if judge.get("last_layer_only") else "exp.judge.all")
    notes = [str(n) for n in _list(judge.get("notes")) if "fewer" in str(n)]
    notes += [f"{name}: {n}" for name, v in lines for n in _list(v.get("notes"))]
    said = tag("ul", *(tag("li", n, lang="en") for n in dict.fromkeys(notes)), class_="note") if notes else None
    matrices = [_matrix(p, name, v) for name, v in lines]
    w.section(
        t("exp.table3"),
        w.paragraph(f"{lead} {how}"),
        w.table(t("exp.table3.caption"), heads, body),
        said,
        w.fold(t("exp.confusion"), tag("div", *matrices, class_="wall")),
    )


def _percent(value: object) -> str:
    share = finite(value)
    return "–" if share is None else f"{100 * share:.1f} %"


def _matrix(p: _Page, name: str, v: Mapping[str, Any]) -> Markup | None:
    t, classes, confusion = p.t, _list(v.get("classes")), _list(v.get("confusion"))
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


def _figure3(p: _Page) -> None:
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


def _figure5(p: _Page) -> None:
    """Figures 4 and 5: the same sketches and references, painted by each."""
    w, t = p.w, p.t
    shown = []
    for e in (e for row in p.painters for e in [x for x in p.painted if x["row"] == row][:1]):
        name = _title(p, e)
        caption = t("exp.figure5.one", name=name)
        alt = t("exp.figure5.alt", name=name)
        shown.append(w.photograph(p.source.path / str(e.get("figure")), p.source.path, caption, alt))
    if any(shown):
        w.section(t("exp.figure5"), w.paragraph(t("exp.figure5.lead")), tag("div", *shown, class_="wall"))


def _figure6(p: _Page) -> None:
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


def _few(p: _Page) -> None:
    w, t = p.w, p.t
    if not p.few:
        return
    parts: list[Markup | None] = [
        w.paragraph(t("exp.few.lead", counts=", ".join(str(n) for n in _list(p.facts.get("few")))))
    ]
    originals = _dict(_dict(p.facts.get("data")).get("splits")).get("train", {}).get("originals")
    seeds = ", ".join(map(str, _list(p.scale.get("few_seeds"))))
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
            return draw.curves(s, t("exp.few.x"), p.headline[k], title=c, log_x=True, x_marks=[float(v) for v in at])

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
        parts.append(w.table(f"{p.headline[kind]}. {t('exp.few.table')}", heads, body))
    w.section(t("exp.few"), *parts)


def _training(p: _Page) -> None:
    lines = []
    for row in p.rows:
        e = next(x for x in p.main if x["row"] == row)
        ticks = thin([checked_tick(k) for k in _list(e.get("curve")) if isinstance(k, dict)], 200)
        lines.append((p.name(row), ticks, COLOURS.get(row, 4)))
    p.w.section(p.t("exp.training"), *policy(p.w, lines))


# ------------------------------------------------------------------------------------------------------------------- the rest


def _protocol(p: _Page) -> None:
    w, t, data = p.w, p.t, _dict(p.facts.get("data"))
    train, test = (_dict(data.get(k)).get("pictures") for k in ("train", "test"))
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
    seeds = ", ".join(map(str, _list(p.facts.get("seeds"))))
    say("exp.protocol.train", kimg=page.brief(p.scale.get("kimg")), seeds=seeds)
    say("exp.protocol.last")
    say("exp.protocol.reference")
    say("exp.protocol.fakes", n=number(p.scale.get("n")))
    if p.painters:
        say("exp.protocol.painted", n=number(p.scale.get("n")), kimg=page.brief(p.scale.get("painter_kimg")))
    w.section(t("exp.protocol"), tag("ul", *about))


def _cost(p: _Page) -> None:
    w, t = p.w, p.t
    every = [*(e for e in p.every if e.get("cost")), *(e for e in p.few if e.get("originals"))]
    heads = [t("cost.row"), t("run.recipe"), Cell(t("run.shown"), True), Cell(t("cost.time"), True), Cell(t("cost.speed"), True),
             Cell(t("cost.parameters"), True), Cell(t("cost.flops"), True)]  # fmt: skip
    body = []
    for e in every:
        cost, recipe = _dict(e.get("cost")), _dict(e.get("recipe"))
        counts = [finite(v) for v in _dict(cost.get("parameters")).values()]
        flops = finite(cost.get("flops_per_image"))
        body.append(
            [
                Cell(_title(p, e), head=True),
                Cell(code(recipe.get("name")) or "–"),
                Cell(number(cost.get("images")), True),
                Cell(t.duration(cost.get("seconds")), True),
                Cell(number(finite(cost.get("images_per_second"))), True),
                Cell(number(int(sum(c for c in counts if c is not None))) if counts else "–", True),
                Cell(number(flops / 1e9) if flops else "–", True),
            ]
        )
    if body:
        machine = next((str(m) for e in every if (m := _dict(e.get("cost")).get("machine"))), t("unknown"))
        settings = " ".join(map(str, [*_list(p.scale.get("settings")), *_list(p.scale.get("painter_settings"))]))
        changed = tag("p", t("cost.changed"), " ", tag("code", settings), class_="note") if settings else None
        w.section(t("section.cost"), w.table(t("cost.caption", machine=machine), heads, body), changed)


def _title(p: _Page, e: Mapping[str, Any]) -> str:
    if e["row"] == "real":
        return p.t("exp.real")
    if e.get("seed") is None:
        return p.name(e["row"])
    if e.get("originals"):
        return p.t("exp.seed_few", name=p.name(e["row"]), seed=e.get("seed"), n=e.get("originals"))
    return p.t("exp.seed", name=p.name(e["row"]), seed=e.get("seed"))


def _everything(p: _Page) -> None:
    w, t = p.w, p.t
    every = [*([p.real] if p.real else []), *p.every, *(e for e in p.few if e.get("originals"))]
    folds = []
    for e in every:
        name = _title(p, e)
        rows = [checked(r) for r in e["rows"]]
        folds.append(
            w.fold(
                t("exp.everything.one", name=name),
                row_table(w, rows, name, counted=False) if rows else protocol(w, rows, name),
            )
        )
    w.section(t("exp.everything"), *folds)


def _rights(p: _Page) -> None:
    w, t, data = p.w, p.t, _dict(p.facts.get("data"))
    rights = _dict(data.get("rights"))
    known = rights.get("status") == "known"
    facts = w.facts(
        [
            (t("rights.status"), t("rights.known" if known else "rights.unknown")),
            (t("rights.licences"), ", ".join(f"{k} ({number(v)})" for k, v in _dict(rights.get("licences")).items())),
            (t("rights.sources"), "; ".join(map(str, _list(rights.get("sources"))))),
            (t("rights.fingerprint"), code(data.get("fingerprint"))),
        ]
    )
    heads = [t("cost.row"), t("rights.model")]
    models = [[Cell(_title(p, e), head=True), Cell(code(_dict(e.get("model")).get("sha256")) or "–")] for e in p.every]
    w.section(
        t("section.rights"),
        w.paragraph(t("rights.drawn"), "note") if data.get("drawn") else None,
        w.paragraph(t("rights.warning"), "warning") if data and not known else None,
        facts,
        w.table(t("rights.model"), heads, models) if models else None,
        w.paragraph(t("rights.generated"), "note"),
    )


def _missing(p: _Page) -> None:
    w, t = p.w, p.t
    gaps = [g for g in _list(p.facts.get("not_run")) if isinstance(g, dict)]
    body = [[Cell(t.pick(g.get("what")), head=True), t.pick(g.get("why"))] for g in gaps]
    w.section(
        t("section.missing"), w.table(t("exp.missing.caption"), [t("exp.missing.what"), t("exp.missing.why")], body)
    )


def flat_rows(source: Experiment) -> list[dict[str, Any]]:
    """Every measurement as one line of a table, for CSV."""
    found = []
    real = source.facts.get("real")
    few = [e for e in _list(source.facts.get("few_shot")) if _evaluated(e) and e.get("originals")]
    measured = [*source.facts["main"], *_list(source.facts.get("painted"))]
    for e in [*([real] if _evaluated(real) else []), *(e for e in measured if _evaluated(e)), *few]:
        rows = [*e["rows"], *([e["accuracy"]] if isinstance(e.get("accuracy"), dict) else [])]
        where = {"source": source.name, "row": e["row"], "run_seed": e.get("seed"), "originals": e.get("originals")}
        found += [{**where, **checked(r)} for r in rows if isinstance(r.get("metric"), str)]
    return found
