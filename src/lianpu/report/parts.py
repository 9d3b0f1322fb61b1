"""What the pages of all experiments share: the summary, checked where it is read, and the sections that are the same whatever the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lianpu.report import draw, page
from lianpu.report.page import Cell, Markup, join, number, tag
from lianpu.report.sections import ARROWS, Writer, best, code, protocol, row_table
from lianpu.report.sources import Experiment, checked, finite

__all__ = [
    "COLOURS", "TABLE_1", "Page", "claims_section", "cost_section", "everything_section", "is_evaluated", "mapping", "missing_section",
    "quality_table",
    "rights_section", "sequence", "span_of", "substitutes", "title_of", "together", "values_cell", "winner_of",
]  # fmt: skip

COLOURS = {"stylegan2": 0, "teacher": 0, "ada": 1, "apa": 2, "diffusion": 3}  # 4 for the others
STANDARD = {"frechet": "FID", "kernel": "KID"}
TABLE_1 = ("frechet", "kernel", "ssim", "ms-ssim")
TONES = {"agrees": "good", "leans to it": "good", "disagrees": "bad", "leans against": "bad"}


class Page:
    """The summary, checked where it is read."""

    def __init__(self, w: Writer, source: Experiment) -> None:
        self.w, self.t, self.source, self.facts = w, w.t, source, source.facts
        self.scale: dict[str, Any] = source.facts["scale"]
        self.names: dict[str, str] = {str(k): str(v) for k, v in mapping(self.facts.get("names")).items()}
        self.headline: dict[str, str] = {str(k): str(v) for k, v in mapping(self.facts.get("headline")).items()}
        self.main = [e for e in sequence(self.facts.get("main")) if is_evaluated(e)]
        self.painted = [e for e in sequence(self.facts.get("painted")) if is_evaluated(e)]
        self.few = [e for e in sequence(self.facts.get("few_shot")) if is_evaluated(e)]
        self.real = self.facts["real"] if is_evaluated(self.facts.get("real")) else None
        self.every = [*self.main, *self.painted]
        self.rows = [r for r in self.facts.get("rows", []) if any(e["row"] == r for e in self.main)]
        """The generators measured, and:"""
        self.painters = [r for r in self.facts.get("rows", []) if any(e["row"] == r for e in self.painted)]

    @property
    def state(self) -> str:
        """How far the experiment is, in words."""
        plan = mapping(self.facts.get("plan"))
        done = sum(mapping(entry).get("state") == "done" for entry in plan.values())
        return (
            self.t("exp.finished") if self.facts.get("finished") else self.t("exp.partial", done=done, total=len(plan))
        )

    @property
    def warnings(self) -> list[Markup]:
        """What a reader should know before any number."""
        keys = ["exp.rehearsal"] * (self.scale.get("name") == "rehearsal") + ["exp.nothing"] * (not self.every)
        return [self.w.paragraph(self.t(key), "warning") for key in keys]

    def name(self, row: object) -> str:
        name = self.names.get(str(row), str(row))
        return self.t.named(f"name.{name}", name)

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


def mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def is_evaluated(e: Any) -> bool:
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


def quality_table(p: Page, rows: Sequence[str], caption: str) -> Markup | None:
    """The measures of Tables 1 and 2 for some rows, with what two halves of the real masks are apart; None where nothing was measured."""
    t = p.t
    kinds = [k for k in TABLE_1 if k in p.headline]
    if not rows or not kinds:
        return None
    measured = {(row, kind): together(p.seeds(row, kind)) for row in rows for kind in kinds}
    floor = {kind: p.real and p.of(p.real, kind) for kind in kinds}
    spans = {kind: span_of([m for (_, k), m in measured.items() if k == kind and m]) for kind in kinds}
    winners = {kind: winner_of({row: measured[row, kind] for row in rows}, better_of(p, kind)) for kind in kinds}
    heads = [t("exp.method"), *(Cell(head_of(p, kind), True) for kind in kinds)]
    body = []
    for row in rows:
        cells: list[Cell | str] = [Cell(p.name(row), head=True)]
        for kind in kinds:
            values = [r["value"] for r in p.seeds(row, kind)]
            top = winners[kind] == row
            cells.append(
                values_cell(p, p.name(row), COLOURS.get(row, 4), values, measured[row, kind], spans[kind], top)
            )
        body.append(cells)
    if any(floor.values()):
        cells = [Cell(tag("em", t("exp.real" if p.facts.get("name") == "yan2023" else "lift.floor")), head=True)]
        for kind in kinds:
            r = floor[kind]
            if r is None or r["value"] is None:
                cells.append(Cell("–", True))
            else:
                edge = page.interval(r["low"], r["high"])
                cells.append(Cell(join([number(r["value"]), *([tag("br"), tag("small", edge)] if edge else [])]), True))
        body.append(cells)
    return p.w.table(caption, heads, body)


def substitutes(p: Page) -> list[str]:
    """That a measure was taken on other features than the standard ones, said of each."""
    return [
        p.t("exp.substitute", name=p.headline[k], standard=STANDARD[k])
        for k in STANDARD
        if k in p.headline and p.headline[k] != STANDARD[k]
    ]


def better_of(p: Page, kind: str) -> str:
    found = [r["better"] for e in p.every if (r := p.of(e, kind))]
    return found[0] if found else ""


def head_of(p: Page, kind: str) -> Markup:
    return join([tag("span", p.headline[kind], lang="en"), f" {ARROWS.get(better_of(p, kind), '')}".rstrip()])


def span_of(measured: Sequence[tuple[float, float | None, float | None]]) -> tuple[float, float] | None:
    ends = [v for m in measured for v in m if v is not None]
    return (min(ends), max(ends)) if ends and max(ends) > min(ends) else None


def winner_of(measured: Mapping[str, tuple[float, float | None, float | None] | None], better: str) -> str | None:
    """The method whose interval lies beyond all others'."""
    names = list(measured)
    rows = [m and {"value": m[0], "low": m[1], "high": m[2]} for m in measured.values()]
    at = best(rows, better)
    return None if at is None else names[at]


def values_cell(
    p: Page,
    name: str,
    colour: int,
    values: Sequence[float | None],
    measured: tuple[float, float | None, float | None] | None,
    span: tuple[float, float] | None,
    top: bool,
) -> Cell:
    """A method's mean over its seeds, as a number and as a mark within `span`, its interval, and each seed's value."""
    if measured is None:
        return Cell(p.t("rows.undefined") if values else "–", True)
    mean, low, high = measured
    parts: list[Markup | str] = [tag("span", number(mean), class_="best" if top else None)]
    if span:
        title = f"{name}: {number(mean)} {page.interval(low, high)}".strip()
        mark = draw.whisker(mean, low, high, *span, title=title, colour=colour)
        parts += [tag("br"), mark]
    if edge := page.interval(low, high):
        parts += [tag("br"), tag("small", edge)]
    if len(values) > 1:
        parts += [tag("br"), tag("small", p.t("exp.seeds_of", values=" · ".join(number(v) for v in values)))]
    return Cell(join(parts), True)


def claims_section(p: Page) -> None:
    w, t = p.w, p.t
    claims = [c for c in sequence(p.facts.get("claims")) if isinstance(c, dict)]
    if not claims or not p.every:
        return
    heads = [t("exp.method"), t("exp.claim.says"), t("exp.claim.where"), t("exp.claim.tried"), t("exp.claim.verdict")]
    body = []
    for c in claims:
        parts = mapping(c.get("parts"))
        found: list[Markup | str] = [_verdict(p, c.get("verdict"))]
        if len(set(map(str, parts.values()))) > 1:
            found += [
                tag("small", t("exp.claim.part", kind=t.named(f"kind.{k}", k), verdict=_said(p, v)), class_="part")
                for k, v in parts.items()
            ]
        name = t("exp.few").partition(":")[0].partition("：")[0] if c.get("row") == "few-shot" else p.name(c.get("row"))
        body.append(
            [
                Cell(name, head=True),
                t.pick(c.get("says")),
                Cell(tag("span", t.pick(c.get("where", "")), class_="direction")),
                Cell(tag("small", t.pick(c["tried"]) if c.get("tried") else t("exp.claim.look"))),
                Cell(join(found)),
            ]
        )
    w.section(t("exp.claims"), w.table(t("exp.claims.caption"), heads, body))


def _said(p: Page, verdict: object) -> str:
    return p.t.named(f"verdict.{verdict}", str(verdict))


def _verdict(p: Page, verdict: object) -> Markup:
    return tag("span", _said(p, verdict), class_=f"verdict {TONES.get(str(verdict), 'open')}")


def cost_section(p: Page) -> None:
    w, t = p.w, p.t
    every = [*(e for e in p.every if e.get("cost")), *(e for e in p.few if e.get("originals"))]
    heads = [t("cost.row"), t("run.recipe"), Cell(t("run.shown"), True), Cell(t("cost.time"), True), Cell(t("cost.speed"), True),
             Cell(t("cost.parameters"), True), Cell(t("cost.flops"), True)]  # fmt: skip
    body = []
    for e in every:
        cost, recipe = mapping(e.get("cost")), mapping(e.get("recipe"))
        counts = [finite(v) for v in mapping(cost.get("parameters")).values()]
        flops = finite(cost.get("flops_per_image"))
        body.append(
            [
                Cell(title_of(p, e), head=True),
                Cell(code(recipe.get("name")) or "–"),
                Cell(number(cost.get("images")), True),
                Cell(t.duration(cost.get("seconds")), True),
                Cell(number(finite(cost.get("images_per_second"))), True),
                Cell(number(int(sum(c for c in counts if c is not None))) if counts else "–", True),
                Cell(number(flops / 1e9) if flops else "–", True),
            ]
        )
    if body:
        machine = next((str(m) for e in every if (m := mapping(e.get("cost")).get("machine"))), t("unknown"))
        keys = ("settings", "painter_settings", "lifter_settings")
        settings = " ".join(str(one) for key in keys for one in sequence(p.scale.get(key)))
        changed = tag("p", t("cost.changed"), " ", tag("code", settings), class_="note") if settings else None
        w.section(t("section.cost"), w.table(t("cost.caption", machine=machine), heads, body), changed)


def title_of(p: Page, e: Mapping[str, Any]) -> str:
    if e["row"] == "real":
        return p.t("exp.real" if p.facts.get("name") == "yan2023" else "lift.floor")
    if e.get("seed") is None:
        return p.name(e["row"])
    if e.get("originals"):
        return p.t("exp.seed_few", name=p.name(e["row"]), seed=e.get("seed"), n=e.get("originals"))
    return p.t("exp.seed", name=p.name(e["row"]), seed=e.get("seed"))


def everything_section(p: Page) -> None:
    w, t = p.w, p.t
    every = [*([p.real] if p.real else []), *p.every, *(e for e in p.few if e.get("originals"))]
    folds = []
    for e in every:
        name = title_of(p, e)
        rows = [checked(r) for r in e["rows"]]
        folds.append(
            w.fold(
                t("exp.everything.one", name=name),
                row_table(w, rows, name, counted=False) if rows else protocol(w, rows, name),
            )
        )
    w.section(t("exp.everything"), *folds)


def rights_section(p: Page) -> None:
    w, t, data = p.w, p.t, mapping(p.facts.get("data"))
    rights = mapping(data.get("rights"))
    known = rights.get("status") == "known"
    facts = w.facts(
        [
            (t("rights.status"), t("rights.known" if known else "rights.unknown")),
            (t("rights.licences"), ", ".join(f"{k} ({number(v)})" for k, v in mapping(rights.get("licences")).items())),
            (t("rights.sources"), "; ".join(map(str, sequence(rights.get("sources"))))),
            (t("rights.fingerprint"), code(data.get("fingerprint"))),
        ]
    )
    heads = [t("cost.row"), t("rights.model")]
    models = [
        [Cell(title_of(p, e), head=True), Cell(code(mapping(e.get("model")).get("sha256")) or "–")] for e in p.every
    ]
    w.section(
        t("section.rights"),
        w.paragraph(t("rights.drawn"), "note") if data.get("drawn") else None,
        w.paragraph(t("rights.warning"), "warning") if data and not known else None,
        facts,
        w.table(t("rights.model"), heads, models) if models else None,
        w.paragraph(t("rights.generated"), "note"),
    )


def missing_section(p: Page) -> None:
    w, t = p.w, p.t
    gaps = [g for g in sequence(p.facts.get("not_run")) if isinstance(g, dict)]
    body = [[Cell(t.pick(g.get("what")), head=True), t.pick(g.get("why"))] for g in gaps]
    w.section(
        t("section.missing"), w.table(t("exp.missing.caption"), [t("exp.missing.what"), t("exp.missing.why")], body)
    )
