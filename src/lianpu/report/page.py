# ruff: noqa: E501  (style sheet)
"""HTML as values: `tag` builds elements whose text is always escaped, `document` wraps them into one page that needs nothing else: no
script, no font, no picture from elsewhere (its own security policy forbids them), light or dark as the reader has it, fit to print.
"""

from __future__ import annotations

import base64
import html
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["COLOURS", "Cell", "Markup", "brief", "data_uri", "document", "interval", "number", "plain", "table", "tag"]

Child = "Markup | str | None"
_EMPTY = {"img", "br", "meta", "col"}  # in HTML these have no end; SVG elements always need one
_KEPT_CASE = {"view_box": "viewBox", "text_anchor": "text-anchor"}


class Markup(str):
    """A piece of HTML or SVG; any other string is text and will be escaped."""


def plain(text: object) -> str:
    """Foreign text without what is no text: control characters, and those that turn the direction of what follows."""
    kept = (
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co") else "\ufffd" for c in str(text)
    )
    return "".join(kept)


def tag(name: str, /, *children: Markup | str | None, **attributes: object) -> Markup:
    """<name attribute="...">children</name>; `class_` and `for_` lose their mark, `_` becomes `-`; None and False are left out."""
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = _KEPT_CASE.get(key, key.rstrip("_").replace("_", "-"))
        parts.append(key if value is True else f'{key}="{html.escape(plain(value))}"')
    inside = "".join(
        c if isinstance(c, Markup) else html.escape(plain(c), quote=False) for c in children if c is not None
    )
    start = " ".join(parts)
    return Markup(f"<{start}>" if name in _EMPTY and not inside else f"<{start}>{inside}</{name}>")


def join(children: Iterable[Markup | str | None], between: str = "") -> Markup:
    """Pieces one after the other."""
    made = [c if isinstance(c, Markup) else html.escape(plain(c), quote=False) for c in children if c is not None]
    return Markup(between.join(made))


def data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


# ----------------------------------------------------------------------------------------------------------------- numbers


def number(value: object, digits: int = 3) -> str:
    """Three significant digits, for people: 43.7, 0.0124, 1,240, 3.1e-07; a dash where there is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "\u2013"
    if isinstance(value, int):
        return f"{value:,}"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if size < -4 or size > 6:
        return f"{value:.{digits - 1}e}".replace("-", "\u2212")
    return f"{value:,.{max(digits - 1 - size, 0)}f}".replace("-", "\u2212")


def brief(value: object) -> str:
    """A setting as a person writes it: 150, 0.2."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return f"{value:.5g}" if good else "\u2013"


def interval(low: object, high: object) -> str:
    """[low, high] with as many decimals as its width deserves; nothing where there is no interval."""
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in (low, high)):
        return ""
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    return f"[{number(float(low))}, {number(float(high))}]"


# ------------------------------------------------------------------------------------------------------------------ tables


@dataclass(frozen=True)
class Cell:
    """A cell: what it shows, whether it is a number (set in columns), and whether it heads its row."""

    shown: Markup | str
    numeric: bool = False
    head: bool = False
    span: int = 1
    lang: str | None = None


def table(
    caption: Markup | str, heads: Sequence[str | Cell], rows: Iterable[Sequence[Cell | str]], class_: str | None = None
) -> Markup:
    """A table with a caption, column headers, and row headers where a cell says so; it scrolls by itself where it is too wide."""
    top = [h if isinstance(h, Cell) else Cell(h) for h in heads]
    head = tag("tr", *(tag("th", h.shown, scope="col", class_="number" if h.numeric else None) for h in top))
    body = []
    for row in rows:
        cells = [c if isinstance(c, Cell) else Cell(c) for c in row]
        made = [
            tag(
                "th" if c.head else "td",
                c.shown,
                scope="row" if c.head else None,
                class_="number" if c.numeric else None,
                colspan=c.span if c.span > 1 else None,
                lang=c.lang,
            )
            for c in cells
        ]
        body.append(tag("tr", *made))
    whole = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body), class_=class_)
    return tag("div", whole, class_="wide", tabindex="0", role="region", aria_label=_text(caption))


def _text(value: Markup | str) -> str:
    """The words of a piece of HTML, for a label."""
    if not isinstance(value, Markup):
        return value
    out, inside = [], False
    for c in value:
        if c == "<":
            inside = True
        elif c == ">":
            inside = False
        elif not inside:
            out.append(c)
    return html.unescape("".join(out))


# -------------------------------------------------------------------------------------------------------------------- page

COLOURS: dict[str, dict[str, str]] = {
    "light": {
        "paper": "#fbf9f4", "card": "#ffffff", "ink": "#1d1a18", "soft": "#635c55", "line": "#d8d0c4", "grid": "#e9e3d9",
        "red": "#9e2018", "good": "#2c6b45", "bad": "#9e2018",
        "s0": "#4d4741", "s1": "#b3261c", "s2": "#24589c", "s3": "#2c7a4b", "s4": "#8a5d00", "s5": "#7a3f92",
    },
    "dark": {
        "paper": "#171513", "card": "#201d1a", "ink": "#ece7df", "soft": "#aaa198", "line": "#423c36", "grid": "#302b27",
        "red": "#ea7a6d", "good": "#7cc49a", "bad": "#ea7a6d",
        "s0": "#b9b0a6", "s1": "#ee7466", "s2": "#78aeea", "s3": "#6cc08e", "s4": "#d9a441", "s5": "#c596dc",
    },
}  # fmt: skip
"""Colours by name: text at least 4.5:1 against paper and card, lines of curves at least 3:1 (a test measures it)."""


def _variables(mode: str) -> str:
    return "; ".join(f"--{name}: {value}" for name, value in COLOURS[mode].items())


_CSS = """
:root { color-scheme: light dark; LIGHT }
@media (prefers-color-scheme: dark) { :root { DARK } }
@media print { :root { LIGHT; --paper: #ffffff } }
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0 auto; max-width: 62rem; padding: 3.5rem 1.5rem 6rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.6 "Iowan Old Style", "Palatino Linotype", Palatino, Georgia, "Noto Serif", "Songti SC", "Noto Serif CJK SC", "SimSun", serif;
  font-variant-numeric: lining-nums }
:lang(zh) { line-height: 1.8 }
header { border-top: 6px solid var(--red); padding-top: 1.6rem; margin-bottom: 2.5rem }
.kicker { margin: 0 0 .5rem; color: var(--red); font-size: .82rem; letter-spacing: .14em; text-transform: uppercase }
h1 { font-size: clamp(1.9rem, 4.6vw, 2.9rem); font-weight: 500; line-height: 1.15; margin: 0 0 .7rem; letter-spacing: -.01em }
h2 { font-size: 1.45rem; font-weight: 500; margin: 3.6rem 0 .8rem; padding-top: 1rem; border-top: 1px solid var(--line) }
h3 { font-size: 1.08rem; font-weight: 600; margin: 2rem 0 .4rem }
p, li { max-width: 43rem } p { margin: .6rem 0 } ul { padding-left: 1.2rem }
.lead { font-size: 1.15rem; color: var(--ink) } .soft, figcaption, caption, .note { color: var(--soft) }
.warning { border-left: 4px solid var(--red); padding: .2rem 0 .2rem 1rem; margin: 1.2rem 0 }
a { color: inherit; text-decoration-color: var(--red); text-underline-offset: .2em }
nav ol { columns: 2; column-gap: 2.5rem; padding-left: 1.4rem; margin: 1rem 0 0 } nav li { break-inside: avoid }
code, pre { font: .86em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Noto Sans Mono CJK SC", monospace }
pre { overflow-x: auto; padding: .8rem 1rem; background: var(--card); border: 1px solid var(--line) }
code { overflow-wrap: anywhere }
.wide { overflow-x: auto; margin: 1.3rem 0 } .wide:focus-visible, summary:focus-visible { outline: 2px solid var(--red); outline-offset: 3px }
table { border-collapse: collapse; width: 100%; font-size: .93rem; line-height: 1.4 }
caption { text-align: left; padding: 0 0 .55rem; font-size: .9rem; max-width: 48rem; line-height: 1.5 }
thead th { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink); font-weight: 600; vertical-align: bottom }
tbody tr:last-child > * { border-bottom: 1.5px solid var(--ink) }
th, td { padding: .5rem .9rem .5rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--grid) }
th:last-child, td:last-child { padding-right: 0 }
tbody th { font-weight: 500 }
.number { text-align: right; font-variant-numeric: lining-nums tabular-nums; white-space: nowrap }
td small, th small { font-weight: 400 } .direction { white-space: nowrap }
.number small, td small, th small { color: var(--soft); font-size: .84em } .best { font-weight: 700 }
.square th, .square td.number { text-align: center; padding: .25rem .4rem } .square tbody th { text-align: left } .wall .wide { margin: 0 }
figure { margin: 1.5rem 0 } figcaption, caption { text-wrap: pretty } figcaption { font-size: .9rem; max-width: 48rem; margin-top: .6rem; line-height: 1.5 }
.number-of { color: var(--red); font-weight: 600; margin-right: .35em }
img { display: block; max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line) } img.pixels { image-rendering: pixelated; width: 100% }
.wall { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1.6rem } .wall figure { margin: 0 }
svg { display: block; width: 100%; height: auto; overflow: visible } svg.small { width: 7rem; display: inline-block; height: 1.1rem; vertical-align: middle }
svg text { fill: var(--soft); font: 12px system-ui, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; font-variant-numeric: tabular-nums }
svg .label { fill: var(--ink) } svg .axis { stroke: var(--ink); stroke-width: 1; fill: none } svg .gridline { stroke: var(--grid); stroke-width: 1 }
svg .curve { fill: none; stroke-width: 2; stroke-linejoin: round } svg .whisker { stroke-width: 1.5; fill: none } svg .band { opacity: .13; stroke: none }
SERIES
.part { display: block; white-space: nowrap; color: var(--soft) } .verdict { white-space: nowrap; font-weight: 600 } .verdict.good { color: var(--good) } .verdict.bad { color: var(--bad) } .verdict.open { color: var(--soft) }
details { margin: .9rem 0 } summary { cursor: pointer; color: var(--soft) } summary:hover { color: var(--ink) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.4rem; margin: 1rem 0 } dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
footer { margin-top: 4.5rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .88rem }
@media (max-width: 38rem) { body { padding-top: 2rem } nav ol { columns: 1 } dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .5rem } }
@media print {
  @page { size: A4; margin: 18mm 16mm }
  body { max-width: none; padding: 0; font-size: 10pt } header { margin-bottom: 1.2rem } nav { display: none }
  h2 { break-after: avoid; margin-top: 1.8rem } h3, caption { break-after: avoid } figure, tr, .wall > * { break-inside: avoid }
  .wide { overflow: visible } table { font-size: 8.5pt } thead { display: table-header-group } details:not([open]) { display: none }
  .best, .verdict { -webkit-print-color-adjust: exact; print-color-adjust: exact }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth } }
"""


def _style() -> str:
    series = " ".join(f".s{i} {{ stroke: var(--s{i}) }} .f{i} {{ fill: var(--s{i}) }}" for i in range(6))
    css = _CSS.replace("LIGHT", _variables("light")).replace("DARK", _variables("dark")).replace("SERIES", series)
    return css.strip()


def document(lang: str, title: str, body: Markup) -> str:
    """The whole page."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    head = join(
        [
            tag("meta", charset="utf-8"),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="referrer", content="no-referrer"),
            tag("title", title),
            Markup(f"<style>{_style()}</style>"),
        ],
        "\n",
    )
    whole = tag("html", tag("head", head), tag("body", body), lang="zh-CN" if lang == "zh" else "en")
    return f"<!doctype html>\n{whole}\n"
