"""Every sentence stands in both languages, with the same places to be filled; and none is asked for that is not there, none kept unused."""

from __future__ import annotations

import ast
import string
from collections.abc import Mapping
from pathlib import Path

import pytest

import lianpu.report
from lianpu.errors import UsageError
from lianpu.experiments import claims, claims2024
from lianpu.report.words import WORDS, Words

FOLDER = Path(lianpu.report.__file__).parent
SAME = {
    "rows.n",
    "better.",
    "exp.lpips.axis",
    "kind.ssim",
    "kind.ms-ssim",
    "kind.SIDE",
    "kind.MAD (degrees)",
    "exp.claim.part",
    "list",
}  # symbols and names that are the same in both


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", WORDS)
def test_both_languages_say_it(key):
    english, chinese = WORDS[key]
    assert english.strip()
    assert chinese.strip()
    assert places(english) == places(chinese)
    if key not in SAME:
        assert any("\u4e00" <= c <= "\u9fff" for c in chinese), chinese
        assert not any("\u4e00" <= c <= "\u9fff" for c in english), english


def asked_for() -> tuple[set[str], set[str]]:
    """Keys that the code asks for by name, and the beginnings of those it puts together."""
    keys, beginnings = set(), set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in WORDS:
                keys.add(node.value)
            if isinstance(node, ast.JoinedStr) and node.values and isinstance(node.values[0], ast.Constant):
                beginnings.add(str(node.values[0].value))
    return keys, beginnings


def test_every_key_that_is_asked_for_by_name_is_there():
    missing = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in ("t", "say") and str(node.args[0].value) not in WORDS:
                missing.add((path.name, node.args[0].value))
    assert missing == set()


def test_no_key_is_kept_unused():
    table = (FOLDER / "words.py").read_text("utf-8")
    keys, beginnings = asked_for()
    elsewhere = "".join(p.read_text("utf-8") for p in FOLDER.glob("*.py") if p.name != "words.py")
    beginnings = {b for b in beginnings if b.endswith(".") and b.count(".") <= 2}
    unused = {
        k
        for k in WORDS
        if not any(q + k + q in elsewhere for q in "'\"") and not any(k.startswith(b) for b in beginnings)
    }
    assert unused == set()
    assert all(f'"{k}"' in table for k in keys)


def test_a_missing_key_is_an_error_and_not_english():
    with pytest.raises(KeyError):
        Words("zh")("no.such.key")
    with pytest.raises(UsageError, match="--lang en or --lang zh"):
        Words("fr")


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (5, "5 s", "5 秒"),
        (600, "10 min", "10 分"),
        (11100, "3 h 05 min", "3 小时 5 分"),
        (None, "–", "–"),
        (float("nan"), "–", "–"),
    ],
)
def test_times(seconds, english, chinese):
    assert (Words("en").duration(seconds), Words("zh").duration(seconds)) == (english, chinese)


def test_every_measure_that_a_claim_or_a_translator_has_is_named():
    tried = [c.tried for c in (*claims.CLAIMS, *claims2024.CLAIMS) if isinstance(c.tried, Mapping)]
    assert {f"kind.{kind}" for each in tried for kind in each if len(each) > 1} <= WORDS.keys()
    zh = Words("zh")
    assert zh.metric("colour error (Delta E)") != "colour error (Delta E)"
    assert zh.metric("one of tomorrow") == "one of tomorrow"


def test_notes_of_scarce_colours_are_chinese_on_a_chinese_page():
    zh = Words("zh")
    assert (
        zh.scarce("fewer than 500 train pictures of some classes: white 486")
        == "部分颜色的图像不足 500 张（训练）：白 486"
    )
    assert (
        zh.scarce("fewer than 20 of some colours among 2048: red 0, mauve 3")
        == "部分颜色的图像不足 20 张（共 2048 张）：红 0、mauve 3"
    )
    for note in ("fewer than", "fewer than 5 of some colours among 9: " + "red " * 999, "the run was short"):
        assert zh.scarce(note) == note
    assert (
        Words("en").scarce("fewer than 20 of some colours among 2048: red 0")
        == "fewer than 20 of some colours among 2048: red 0"
    )
