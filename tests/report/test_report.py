"""A page needs nothing else, says what its files say and nothing they do not, and is inert whatever they say."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lianpu import api, images, report
from lianpu.errors import DataError, UsageError
from lianpu.report import page as paging
from lianpu.report.words import WORDS
from tests.report.reading import Page, read

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x00{t}&lt;'
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "footer", "nav", "section", "h1", "h2", "h3", "p", "ol", "ul", "li",
    "a", "table", "caption", "thead", "tbody", "tr", "th", "td", "div", "span", "small", "em", "br", "figure", "figcaption", "img", "svg",
    "g", "line", "path", "polyline", "polygon", "circle", "rect", "text", "code", "pre", "dl", "dt", "dd", "details", "summary",
}  # fmt: skip


def row(metric: str = "FD (efficientnet-lite0)", value: float | None = 43.7, **changes: object) -> dict:
    made = {"metric": metric, "value": value, "low": 41.2, "high": 46.9, "n": 2048, "n_reference": 7128,
            "extractor": "efficientnet-lite0", "extractor_sha256": "5" * 64, "resize": "bicubic to 224", "pairing": "", "seed": 0,
            "note": "", "better": "lower", "group": "distance", "extra": {"key": "fd"}}  # fmt: skip
    return made | changes


def make_run(folder: Path, name: str = "ada", rights: str = "known", text: str = "") -> Path:
    """The files of a run, as training writes them."""
    run = folder / name
    (run / "samples").mkdir(parents=True)
    config = {"recipe": f"tiny-32-ada{text}", "data": f"/home/someone/data{text}", "from": None,
              "config": {"kimg": 100, "seed": 3, "net": {"resolution": 32}, "note": text}}  # fmt: skip
    (run / "config.json").write_text(json.dumps(config), "utf-8")
    data = {
        "name": f"masks{text}",
        "images": 1782,
        "fingerprint": f"f{text}",
        "rights": rights,
        "licences": [f"CC0-1.0{text}"],
    }
    events: list[dict] = [{"event": "start", "device": f"cpu{text}", "torch": "2", "data": data, "threads": 1}]
    for k in range(1, 6):
        losses = {"loss/G": 0.9 + k / 10, "loss/D": 1.3 - k / 10}
        events.append(
            {
                "event": "tick",
                "kimg": 20.0 * k,
                "seconds": 200.0 * k,
                "p": k / 20,
                "r_t": 0.5,
                "images": 20000 * k,
                **losses,
            }
        )
    lines = "".join(json.dumps(e) + "\n" for e in events)
    (run / "run.jsonl").write_text(lines + '{"event": "tick", "kimg": 12', "utf-8")  # and a torn last line
    for k in (1, 5):
        pixels = np.full((34, 34, 3), 30 * k, np.uint8)
        (run / "samples" / f"{20000 * k:09d}.png").write_bytes(
            images.encode_png(pixels, {"comment": "<script>no</script>"})
        )
    (run / "model").mkdir()
    (run / "model" / "model.json").write_text(json.dumps({"sha256": "a" * 64, "data": data}), "utf-8")
    return run


def rows_file(folder: Path, name: str, *rows: dict) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(list(rows)), "utf-8")
    return path


def written(paths: list[Path], to: Path, lang: str = "en") -> tuple[Page, str]:
    html = report.write(paths, to, lang=lang)[0].read_text("utf-8")
    return read(html), html


def inert(p: Page, html: str) -> None:
    """Nothing on the page runs, loads or leads anywhere, whatever its files said."""
    assert {e.name for e in p.elements} <= ALLOWED
    for e in p.elements:
        for key, value in e.attributes.items():
            assert not key.startswith("on"), (e.name, key)
            assert key not in ("srcset", "srcdoc", "formaction", "ping", "background", "style"), (e.name, key)
            if key == "src":
                assert (value or "").startswith("data:image/png;base64,")
            if key == "href":
                assert (value or "").startswith("#")
    policy = next(e for e in p.all("meta") if e.attributes.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in str(policy.attributes["content"])
    style = next(e for e in p.all("style")).text
    assert "url(" not in style
    assert "@import" not in style
    assert "\u202e" not in html
    assert "\x00" not in html


def accessible(p: Page) -> None:
    ids = [e.attributes["id"] for e in p.elements if "id" in e.attributes]
    assert len(set(ids)) == len(ids)
    assert p.all("html")[0].attributes["lang"]
    assert len(p.all("h1")) == 1
    for image in p.all("img"):
        assert image.attributes.get("alt")
        assert image.attributes.get("width")
    for head in p.all("th"):
        assert head.attributes.get("scope") in ("row", "col")
    assert len(p.all("caption")) == len(p.all("table"))
    for drawing in p.all("svg"):
        assert drawing.attributes.get("role") == "img"
    assert len([e for e in p.all("title") if "svg" in e.parents]) == len(p.all("svg"))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_run_is_a_whole_page(lang, tmp_path):
    run = make_run(tmp_path)
    p, html = written([run], tmp_path / "out.html", lang)
    inert(p, html)
    accessible(p)
    assert "tiny-32-ada" in html
    assert len(p.all("img")) == 2
    assert len(p.all("svg")) == 3  # losses, p, r_t
    assert ("known" if lang == "en" else "已知") in html
    assert "no</script>" not in html
    facts = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert facts["sources"][0]["ticks"][-1]["kimg"] == 100.0
    assert "/home/someone" not in json.dumps(facts) + html


def test_the_same_files_give_the_same_bytes(tmp_path):
    run = make_run(tmp_path)
    a, b = report.write([run], tmp_path / "a" / "r.html"), report.write([run], tmp_path / "b" / "r.html")
    assert [x.read_bytes() for x in a] == [x.read_bytes() for x in b]


def test_unknown_rights_are_a_warning_on_the_page(tmp_path):
    known, _ = written([make_run(tmp_path, "a")], tmp_path / "a.html")
    unknown, _ = written([make_run(tmp_path, "b", rights="unknown")], tmp_path / "b.html")
    warnings = [e for e in unknown.all("p") if e.attributes.get("class") == "warning"]
    assert WORDS["rights.warning"][0] in warnings[0].text
    assert not [e for e in known.all("p") if e.attributes.get("class") == "warning"]


def test_runs_are_compared(tmp_path):
    names = ("none", "ada", "apa")
    p, html = written([make_run(tmp_path, n) for n in names], tmp_path / "o.html")
    inert(p, html)
    accessible(p)
    heads = [e.text for e in p.all("th") if e.attributes.get("scope") == "row"]
    assert [h for h in heads if h in names] == list(names)
    legends = [e.text for e in p.all("text")]
    assert legends.count("apa") == 2  # in p and in r_t


def test_rows_show_value_interval_n_and_protocol(tmp_path):
    rows = [row(), row("SSIM", 0.31, low=None, high=None, better="higher", note="n below 2048: biased", extra={"key": "ssim"}),
            row("FID", None, low=None, high=None, note="undefined because the weights are not here")]  # fmt: skip
    p, html = written([rows_file(tmp_path, "ada", *rows)], tmp_path / "o.html")
    accessible(p)
    for text in (
        "43.7",
        "[41.2, 46.9]",
        "2,048",
        "7,128",
        "n below 2048: biased",
        "5555555555555555",
        "bicubic to 224",
        "undefined",
    ):
        assert text in html, text
    table = list(csv.DictReader((tmp_path / "o.csv").read_text("utf-8").splitlines()))
    assert [float(t["value"]) if t["value"] else None for t in table] == [43.7, 0.31, None]


def test_bold_is_only_what_lies_beyond_all_others(tmp_path):
    def bold(*rows: dict) -> list[str]:
        p, _ = written([rows_file(tmp_path, f"e{i}", r) for i, r in enumerate(rows)], tmp_path / "o.html")
        return [e.text for e in p.all("span") if e.attributes.get("class") == "best"]

    assert bold(row(value=10.0, low=9.0, high=11.0), row()) == ["10.0"]
    assert bold(row(value=42.0, low=40.0, high=44.0), row()) == [], "intervals overlap"
    assert bold(row(value=10.0, low=None, high=None), row()) == [], "no interval, no winner"
    up = {"better": "higher"}
    assert bold(row(value=0.9, low=0.8, high=0.95, **up), row(value=0.2, low=0.1, high=0.3, **up)) == ["0.900"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "12", True, [1]])
def test_a_value_that_is_no_number_is_undefined_and_the_json_stays_json(bad, tmp_path):
    _, html = written([rows_file(tmp_path, "x", row(value=bad, low=bad, high=bad, n="many"))], tmp_path / "o.html")
    assert "undefined" in html
    assert "nan" not in html.lower().replace("finance", "")
    json.loads((tmp_path / "o.json").read_text("utf-8"), parse_constant=lambda c: pytest.fail(c))


def test_hostile_text_everywhere_is_only_text(tmp_path):
    run = make_run(tmp_path, "evil", text=EVIL)
    keys = ("metric", "note", "extractor", "resize", "pairing", "better", "group")
    evil = rows_file(tmp_path / "evil" / "metrics", "evil", row(**dict.fromkeys(keys, EVIL)), row(better=EVIL))
    for paths in ([run], [evil], [run, evil], [evil, evil], [run, run]):
        p, html = written(paths, tmp_path / "o.html")
        inert(p, html)
        assert "alert(1)" in "".join(e.text for e in p.all("body")), "it is shown as text, not swallowed"


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(["en", "zh"]))
def test_any_text_is_inert(name, note, lang):
    from lianpu.report.sources import Rows, checked

    rows = Rows(name, Path("x.json"), [checked(row(metric=name, note=note, better=note, pairing=name))])
    html, table, facts = report.render([rows], lang, Path("o.html"))
    inert(read(html), html)
    json.loads(facts)
    assert len(list(csv.reader(table.splitlines()))) >= 2


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1"])
def test_csv_has_no_formula(text, tmp_path):
    written([rows_file(tmp_path, "x", row(note=text))], tmp_path / "o.html")
    cell = next(iter(csv.DictReader((tmp_path / "o.csv").read_text("utf-8").splitlines())))["note"]
    assert cell[0] == "'"


def test_a_chinese_page_has_no_english_sentence(tmp_path):
    """But for what is marked as English: names of measures, notes that files hold, code."""
    english = {e for e, _ in WORDS.values() if len(e) > 3 and "{" not in e}
    p, _ = written(
        [make_run(tmp_path), rows_file(tmp_path, "x", row(), row("SSIM", 0.3, extra={"key": "ssim"}))],
        tmp_path / "o.html",
        "zh",
    )
    said = [text for text, lang, around in p.texts if lang != "en" and not {"code", "pre", "style"} & set(around)]
    assert [t for t in said if t in english] == []
    assert any("\u4e00" <= c <= "\u9fff" for t in said for c in t)


# ------------------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "3", '{"rows": []}', '[{"value": 3}]', '[{"metric": 3}]', "[" * 5000, '["x"]']
)
def test_a_file_that_holds_no_rows_is_a_sentence(content, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(content, "utf-8")
    with pytest.raises(DataError):
        report.write([path], tmp_path / "o.html")
    assert not (tmp_path / "o.html").exists()


def test_what_cannot_be_reported_is_said(tmp_path):
    with pytest.raises(DataError, match="Give a run's folder"):
        report.write([tmp_path], tmp_path / "o.html")
    with pytest.raises(DataError, match="there is no"):
        report.write([tmp_path / "nowhere"], tmp_path / "o.html")
    run = make_run(tmp_path)
    with pytest.raises(UsageError, match=r"\.html"):
        report.write([run], tmp_path / "o.pdf")
    with pytest.raises(UsageError, match="no language"):
        report.write([run], tmp_path / "o.html", lang="de")
    rows = rows_file(tmp_path, "o", row())
    with pytest.raises(UsageError, match="would overwrite"):
        report.write([rows], tmp_path / "o.html")
    report.write([run], tmp_path / "p.html")
    with pytest.raises(UsageError, match="exists already"):
        report.write([run], tmp_path / "p.html", overwrite=False)


def test_a_damaged_or_huge_sample_is_left_out(tmp_path):
    run = make_run(tmp_path)
    first, last = sorted((run / "samples").glob("*.png"))
    first.write_bytes(first.read_bytes()[:60])
    last.write_bytes(images.encode_png(np.zeros((2100, 2100, 3), np.uint8)))
    p, _ = written([run], tmp_path / "o.html")
    assert p.all("img") == []


def summary(folder: Path, **changes: object) -> Path:
    """An experiment's summary.json, small."""
    folder.mkdir(parents=True, exist_ok=True)
    one = {"row": "ada", "seed": 0, "originals": None, "rows": [row()], "accuracy": row("colour accuracy", 0.7), "figure": "figures/a.png",
           "curve": [{"kimg": 1.0, "p": 0.1}, {"kimg": 2.0, "p": 0.2}]}  # fmt: skip
    facts = {"what": "experiment", "name": "yan2023", "scale": {"name": "tiny", "kimg": 120.0, "n": 2048, "shown": 24}, "rows": ["ada"],
             "names": {"ada": "StyleGAN2-ADA"}, "headline": {"frechet": "FD (efficientnet-lite0)"}, "main": [one], "few_shot": [],
             "real": None, "claims": [], "not_run": [], "plan": {}, "data": None, "judge": None}  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(facts | changes), "utf-8")
    return folder


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_experiment_half_done_is_a_page_too(lang, tmp_path):
    p, html = written([summary(tmp_path / "x")], tmp_path / "o.html", lang)
    inert(p, html)
    accessible(p)
    assert "43.7" in html
    p, html = written([summary(tmp_path / "y", main=[])], tmp_path / "o.html", lang)
    assert WORDS["exp.nothing"][lang == "zh"] in html


def test_pictures_outside_an_experiment_are_not_shown(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(images.encode_png(np.zeros((8, 8, 3), np.uint8)))
    for figure in ("../secret.png", str(secret)):
        one = {"row": "ada", "seed": 0, "rows": [row()], "figure": figure}
        p, _ = written([summary(tmp_path / "x", main=[one])], tmp_path / "o.html")
        assert p.all("img") == []
    (tmp_path / "x" / "figures").mkdir()
    shutil.copy(secret, tmp_path / "x" / "figures" / "a.png")
    p, _ = written([summary(tmp_path / "x")], tmp_path / "o.html")
    assert len(p.all("img")) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"main": [3, {"row": 4}, {"row": "ada", "rows": [5]}]},
        {"claims": [3, {"verdict": EVIL, "says": {"en": EVIL}, "row": EVIL}]},
        {"not_run": [{"what": EVIL, "why": {"en": EVIL}}, 7]},
        {"names": {"ada": EVIL}, "rows": ["ada"]},
        {"judge": {"verdict": {"classes": [EVIL], "confusion": [[1]], "per_class": 3, "n": 1}}},
        {"data": {"rights": {"status": EVIL, "licences": {EVIL: 3}, "sources": [EVIL]}}},
        {"headline": {"frechet": "no such"}},
        {"plan": {"x": 3}},
        {"real": {"row": "real", "rows": []}},
    ],
)
def test_a_summary_of_any_shape_makes_an_inert_page(changes, tmp_path):
    p, html = written([summary(tmp_path / "x", **changes)], tmp_path / "o.html")
    inert(p, html)


# ------------------------------------------------------------------------------------------------------------- look and numbers


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_everything_can_be_read(mode):
    c = paging.COLOURS[mode]
    papers = (c["paper"], c["card"], *(["#ffffff"] if mode == "light" else []))
    for name in ("ink", "soft", "red", "good", "bad"):
        assert min(contrast(c[name], paper) for paper in papers) >= 4.5, name
    for i in range(6):
        assert min(contrast(c[f"s{i}"], paper) for paper in papers) >= 3, i


def test_the_style_knows_dark_paper_and_print():
    css = paging._style()
    assert css.count("{") == css.count("}")
    for part in ("prefers-color-scheme: dark", "@media print", "@page", "LIGHT", "SERIES"):
        assert (part in css) == part.startswith(("prefers", "@"))
    used = set(re.findall(r"var\(--(\w+)\)", css))
    assert used <= set(paging.COLOURS["light"]) == set(paging.COLOURS["dark"])


@pytest.mark.parametrize(
    ("value", "shown"),
    [(43.678, "43.7"), (0.012345, "0.0123"), (1240.2, "1,240"), (2048, "2,048"), (3.1e-7, "3.10e\u221207"),
     (-0.5, "\u22120.500"), (0.0, "0"),
     (None, "–"), (float("nan"), "–"), (True, "–"), ("x", "–")],
)  # fmt: skip
def test_numbers_for_people(value, shown):
    assert paging.number(value) == shown


def test_inspect_opens_the_numbers_of_a_run(tmp_path):
    run = make_run(tmp_path)
    (run / "checkpoints").mkdir()
    assert "evaluations" not in api.inspect(run)
    rows_file(run / "metrics", "held-out", row(), row("FID", None, note="undefined because the weights are not here"))
    found = api.inspect(run)["evaluations"]["held-out"]
    assert found["FD (efficientnet-lite0)"] == "43.7 [41.2, 46.9], n 2048"
    assert found["FID"].startswith("undefined because")
