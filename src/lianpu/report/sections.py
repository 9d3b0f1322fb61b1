"""The parts of a report on runs and evaluations, each a piece of HTML. Figures and tables are numbered in the order of the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lianpu.errors import LianpuError
from lianpu.report import draw, page
from lianpu.report.draw import Point, Series
from lianpu.report.page import Cell, Markup, brief, join, number, tag
from lianpu.report.sources import Rows, Run, finite, picture
from lianpu.report.words import Words

__all__ = ["ARROWS", "Writer", "evaluation", "evaluations", "run", "runs"]

ARROWS = {"lower": "↓", "higher": "↑", "closer": "≈"}


class Writer:
    """A page in the making: its words, its counters, its sections."""

    def __init__(self, lang: str, *, lettered: bool = False) -> None:
        """lettered: tables and figures are A, B, ..., where the page speaks of a paper's Table 1."""
        self.t, self.lettered = Words(lang), lettered
        self.sections: list[tuple[str, str, Markup]] = []
        self._tables = self._figures = 0

    def section(self, title: str, *parts: Markup | None) -> None:
        kept = [p for p in parts if p]
        if kept:
            self.sections.append((f"s{len(self.sections) + 1}", title, join(kept, "\n")))

    def paragraph(self, text: str, class_: str | None = None) -> Markup:
        return tag("p", text, class_=class_)

    def table(
        self, caption: str, heads: Sequence[str | Cell], rows: Sequence[Sequence[Cell | str]], class_: str | None = None
    ) -> Markup:
        self._tables += 1
        lead = tag("span", self.t("table", n=self._count(self._tables)), class_="number-of")
        return page.table(join([lead, caption]), heads, rows, class_)

    def _count(self, n: int) -> str:
        return chr(64 + n) if self.lettered and n <= 26 else str(n)

    def caption(self, text: str) -> Markup:
        self._figures += 1
        return tag("figcaption", tag("span", self.t("figure", n=self._count(self._figures)), class_="number-of"), text)

    def drawing(self, make: Callable[[], Markup], caption: str, *more: Markup | None) -> Markup | None:
        """A figure of a drawing; None where it has nothing to draw."""
        try:
            made = make()
        except ValueError:
            return None
        return tag("figure", made, self.caption(caption), *more)

    def photograph(self, path: Path, root: Path, caption: str, alt: str) -> Markup | None:
        """A figure of a picture file; None where there is none that can be shown."""
        try:
            png, width, height = picture(path, root)
        except (LianpuError, OSError):
            return None
        pixels = "pixels" if width < 900 else None
        shown = tag("img", src=page.data_uri(png), alt=alt, width=width, height=height, class_=pixels)
        return tag("figure", shown, self.caption(caption))

    def facts(self, pairs: Sequence[tuple[str, object]]) -> Markup:
        """A list of names and what they stand for; what is not known is left out."""
        made = []
        for name, value in pairs:
            if value is None or value == "" or value == []:
                continue
            made += [tag("dt", name), tag("dd", value if isinstance(value, Markup) else str(value))]
        return tag("dl", *made)

    def fold(self, summary: str, *inside: Markup | None) -> Markup:
        return tag("details", tag("summary", summary), *inside)

    def body(
        self, kicker: str, title: str, subtitle: str, lead: Sequence[Markup], files: tuple[str, str], version: str
    ) -> Markup:
        """Header, contents, sections, footer."""
        head = tag(
            "header",
            tag("p", kicker, class_="kicker"),
            tag("h1", title),
            tag("p", subtitle, class_="soft") if subtitle else None,
            *lead,
        )
        links = [tag("li", tag("a", name, href=f"#{key}")) for key, name, _ in self.sections]
        nav = tag("nav", tag("ol", *links), aria_label=self.t("contents")) if len(links) > 2 else None
        parts = [
            tag("section", tag("h2", name, id=key), inside, aria_labelledby=key) for key, name, inside in self.sections
        ]
        note = self.t("footer", version=version, csv=files[0], json=files[1])
        return join([tag("main", head, nav, *parts), tag("footer", tag("p", note))], "\n")


# ------------------------------------------------------------------------------------------------------------------------ runs


def run(w: Writer, r: Run) -> None:
    """All of one run."""
    t = w.t
    w.section(t("section.facts"), _facts(w, r), _warning(w, [r]))
    _samples(w, [r])
    w.section(t("section.curves"), *(_losses(w, r), *_policy(w, [r])))
    for rows in r.rows:
        evaluation(w, rows)
    _ending(w, [r])


def runs(w: Writer, many: Sequence[Run]) -> None:
    """Several runs side by side."""
    t = w.t
    heads = [t("run.name"), t("run.recipe"), Cell(t("run.resolution"), True), Cell(t("run.shown"), True),
             Cell(t("run.seed"), True), Cell(t("run.time"), True), Cell(t("cost.speed"), True)]  # fmt: skip
    body = []
    for r in many:
        c = _config(r)
        body.append(
            [
                Cell(r.name, head=True),
                str(r.plan.get("recipe") or t("unknown")),
                Cell(t("run.px", n=_net(r).get("resolution", "–")), True),
                Cell(t("run.kimg_of", kimg=brief(r.last.get("kimg")), total=brief(c.get("kimg"))), True),
                Cell(number(c.get("seed")), True),
                Cell(t.duration(r.last.get("seconds")), True),
                Cell(number(_speed(r)), True),
            ]
        )
    w.section(t("section.compare"), w.table(t("section.compare"), heads, body), _warning(w, many))
    _samples(w, many)
    w.section(t("section.curves"), *_policy(w, many), *(_losses(w, r) for r in many))
    found = [rows for r in many for rows in r.rows]
    if found:
        evaluations(w, found)
    _ending(w, many)


def _config(r: Run) -> dict[str, Any]:
    c = r.plan.get("config")
    return c if isinstance(c, dict) else {}


def _net(r: Run) -> dict[str, Any]:
    net = _config(r).get("net")
    return net if isinstance(net, dict) else {}


def _speed(r: Run) -> float | None:
    seconds, shown = finite(r.last.get("seconds")), finite(r.last.get("kimg"))
    return 1000 * shown / seconds if seconds and shown else None


def _data(r: Run) -> dict[str, Any]:
    data = r.starts[-1].get("data") if r.starts else r.model.get("data")
    return data if isinstance(data, dict) else {}


def _facts(w: Writer, r: Run) -> Markup:
    t, c, start = w.t, _config(r), r.starts[-1] if r.starts else {}
    speed = _speed(r)
    device = start.get("device")
    return w.facts(
        [
            (t("run.recipe"), r.plan.get("recipe")),
            (t("run.data"), _data(r).get("name")),
            (t("run.pictures"), number(_data(r).get("images")) if _data(r) else None),
            (t("run.resolution"), t("run.px", n=_net(r)["resolution"]) if "resolution" in _net(r) else None),
            (t("run.shown"), t("run.kimg_of", kimg=brief(r.last.get("kimg")), total=brief(c.get("kimg")))),
            (t("run.time"), t.duration(r.last.get("seconds")) if r.ticks else None),
            (t("run.speed"), t("run.per_second", n=number(speed)) if speed else None),
            (t("run.device"), f"{device}, torch {start.get('torch')}" if device else None),
            (t("run.starts"), t("run.times", n=len(r.starts)) if len(r.starts) > 1 else None),
            (t("run.seed"), number(c.get("seed")) if "seed" in c else None),
        ]
    )


def _samples(w: Writer, many: Sequence[Run]) -> None:
    t, shown = w.t, []
    for r in many:
        both = (
            [("run.first", r.samples[0]), ("run.last", r.samples[-1])] if len(many) == 1 and len(r.samples) > 1 else []
        )
        both = both or [("run.last", path) for path in r.samples[-1:]]
        for key, path in both:
            kimg = brief(int(path.stem[:12]) / 1000)
            shown.append(
                w.photograph(path, r.path, t(key, name=r.name, kimg=kimg), t("run.alt", name=r.name, kimg=kimg))
            )
    if any(shown):
        w.section(t("section.samples"), tag("div", *shown, class_="wall"), w.paragraph(t("run.same_codes"), "note"))


def _line(name: str, ticks: Sequence[dict[str, Any]], key: str, colour: int) -> Series:
    points = tuple(Point(float(k["kimg"]), float(k[key])) for k in ticks if key in k and "kimg" in k)
    return Series(name, points, colour, marked=False)


def _losses(w: Writer, r: Run) -> Markup | None:
    t = w.t
    lines = [_line(t("curve.loss_g"), r.ticks, "loss/G", 1), _line(t("curve.loss_d"), r.ticks, "loss/D", 2)]
    caption = t("curve.losses", name=r.name)
    return w.drawing(lambda: draw.curves(lines, t("curve.kimg"), t("curve.loss"), title=caption), caption)


def _policy(w: Writer, many: Sequence[Run]) -> list[Markup | None]:
    return policy(w, [(r.name, r.ticks, i) for i, r in enumerate(many[:6])])


def policy(w: Writer, lines: Sequence[tuple[str, Sequence[dict[str, Any]], int]]) -> list[Markup | None]:
    """p and r_t of several runs over the pictures shown: (name, ticks, colour) of each."""
    t, made = w.t, []
    for key, axis, caption in (("p", "curve.p", "curve.p_caption"), ("r_t", "curve.r", "curve.r_caption")):
        series = [s for s in (_line(name, ticks, key, colour) for name, ticks, colour in lines) if s.points]
        made.append(
            w.drawing(lambda s=series, a=axis, c=caption: draw.curves(s, t("curve.kimg"), t(a), title=t(c)), t(caption))
            if series
            else None
        )
    return made


def _warning(w: Writer, many: Sequence[Run]) -> Markup | None:
    if any(_data(r) and _data(r).get("rights") != "known" for r in many):
        return w.paragraph(w.t("rights.warning"), "warning")
    return None


def _ending(w: Writer, many: Sequence[Run]) -> None:
    t = w.t
    rights = []
    for r in many:
        data = _data(r)
        if len(many) > 1:
            rights.append(tag("h3", r.name))
        rights.append(
            w.facts(
                [
                    (t("rights.status"), t("rights.known" if data.get("rights") == "known" else "rights.unknown")),
                    (t("rights.licences"), ", ".join(map(str, data.get("licences") or []))),
                    (t("rights.fingerprint"), code(data.get("fingerprint"))),
                    (t("rights.model"), code(r.model.get("sha256"))),
                ]
            )
        )
    w.section(t("section.rights"), *rights, w.paragraph(t("rights.generated"), "note"))
    settings = []
    for r in many:
        if _config(r):
            text = tag("pre", json.dumps(r.plan["config"], indent=1, ensure_ascii=False), lang="en")
            settings.append(w.fold(r.name, text))
    w.section(t("section.settings"), *settings)


def code(value: object) -> Markup | None:
    return tag("code", str(value)) if value else None


# ------------------------------------------------------------------------------------------------------------------ evaluations


def value_cell(row: dict[str, Any], t: Words, best: bool = False) -> Cell:
    """A value with its interval and n beneath, or that it is undefined."""
    value = finite(row.get("value"))
    if value is None:
        return Cell(tag("span", t("rows.undefined"), title=str(row.get("note", ""))), True)
    edge = page.interval(row.get("low"), row.get("high"))
    beneath = " · ".join(filter(None, (edge, f"n {number(row['n'])}" if row.get("n") is not None else "")))
    shown = tag("span", number(value), class_="best" if best else None)
    return Cell(join([shown, tag("br"), tag("small", beneath)]) if beneath else shown, True)


def metric(t: Words, name: str) -> Markup | str:
    """A measure's name; in English, and marked as such, where lianpu has no other."""
    known = t.metric(name)
    return known if known != name else tag("span", name, lang="en")


def measure(row: dict[str, Any], t: Words, arrow: bool = True) -> Markup:
    """A measure's name, the arrow of its better direction, and what it is."""
    gloss = t.gloss(row)
    mark = f" {ARROWS.get(row.get('better', ''), '')}".rstrip() if arrow else ""
    return join([metric(t, str(row["metric"])), mark, *([tag("br"), tag("small", gloss)] if gloss else [])])


def direction(row: dict[str, Any], t: Words) -> str:
    """Which way is better, in words."""
    if row["better"] not in (*ARROWS, ""):
        return row["better"]
    extra = row.get("extra")
    goal = finite(extra.get("reference")) if isinstance(extra, dict) else None
    if row["better"] == "closer" and goal is not None:
        return t("better.closer_to", value=number(goal))
    return t(f"better.{row['better']}")


def evaluation(w: Writer, rows: Rows) -> None:
    """All rows of one evaluation."""
    w.section(f"{w.t('section.metrics')}: {rows.name}", row_table(w, rows.rows, rows.name))


def row_table(w: Writer, rows: Sequence[dict[str, Any]], name: str, *, counted: bool = True) -> Markup:
    """Every row of an evaluation; inside a fold it is not counted among the page's tables."""
    t = w.t
    heads = [t("rows.metric"), Cell(t("rows.value"), True), Cell(t("rows.interval"), True), Cell(t("rows.n"), True),
             Cell(t("rows.reference"), True), t("rows.better"), t("rows.note")]  # fmt: skip
    body = [
        [
            Cell(measure(r, t, arrow=False), head=True),
            Cell(number(r["value"]) if r["value"] is not None else t("rows.undefined"), True),
            Cell(page.interval(r["low"], r["high"]) or "–", True),
            Cell(number(r["n"]), True),
            Cell(number(r["n_reference"]), True),
            Cell(tag("span", direction(r, t), class_="direction")),
            Cell(tag("small", r["note"] or "–"), lang="en" if r["note"] else None),
        ]
        for r in rows
    ]
    return join(
        [
            (w.table if counted else page.table)(t("rows.caption", name=name), heads, body),
            w.fold(t("rows.details"), protocol(w, rows, name)),
        ]
    )


def protocol(w: Writer, rows: Sequence[dict[str, Any]], name: str) -> Markup:
    """Features, hashes, resizes, pairings and seeds of rows."""
    t = w.t
    heads = [t("rows.metric"), t("rows.extractor"), t("rows.resize"), t("rows.pairing"), Cell(t("rows.seed"), True)]
    body = []
    for r in rows:
        sha = r["extractor_sha256"]
        features = join([r["extractor"] or "–", *([tag("br"), tag("code", sha[:16], title=sha)] if sha else [])])
        texts = [Cell(tag("small", r[key] or "–"), lang="en") for key in ("resize", "pairing")]
        body.append(
            [
                Cell(metric(t, r["metric"]), head=True),
                Cell(tag("small", features), lang="en"),
                *texts,
                Cell(number(r["seed"]), True),
            ]
        )
    return page.table(name, heads, body)


def evaluations(w: Writer, many: Sequence[Rows]) -> None:
    """Several evaluations side by side, measure by measure, then each in full."""
    t = w.t
    if len(many) == 1:
        evaluation(w, many[0])
        return
    names: list[str] = []
    for rows in many:
        names += [r["metric"] for r in rows.rows if r["metric"] not in names]
    body = []
    for name in names:
        mine = [next((r for r in rows.rows if r["metric"] == name), None) for rows in many]
        first = next(r for r in mine if r is not None)
        top = best(mine, first["better"])
        body.append(
            [
                Cell(measure(first, t), head=True),
                *(value_cell(r, t, i == top) if r else Cell("–", True) for i, r in enumerate(mine)),
            ]
        )
    heads = [t("rows.metric"), *(Cell(rows.name, True) for rows in many)]
    w.section(t("section.compare"), w.table(t("rows.compare_caption", n=len(many)), heads, body))
    for rows in many:
        w.section(f"{t('section.metrics')}: {rows.name}", row_table(w, rows.rows, rows.name))


def best(rows: Sequence[dict[str, Any] | None], better: str) -> int | None:
    """Where the best value stands, if its interval lies beyond all others'; without intervals nobody is best."""
    if better not in ("lower", "higher"):
        return None
    ends = [
        (r["low"], r["high"], i) for i, r in enumerate(rows) if r and r["low"] is not None and r["high"] is not None
    ]
    if len(ends) < 2 or len(ends) < sum(bool(r and r["value"] is not None) for r in rows):
        return None
    if better == "lower":
        first = min(ends, key=lambda e: e[1])
        return first[2] if all(first[1] < e[0] for e in ends if e is not first) else None
    first = max(ends, key=lambda e: e[0])
    return first[2] if all(first[0] > e[1] for e in ends if e is not first) else None
