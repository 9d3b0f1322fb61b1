"""Both languages say everything: the same keys, the same places for values, and no visible sentence beside them."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lianpu import api, images, studio

UI = Path(__file__).parents[2] / "studio-ui" / "src"
EN, ZH = (json.loads((UI / "words" / f"{lang}.json").read_text("utf-8")) for lang in ("en", "zh"))
SOURCES = {p: p.read_text("utf-8") for p in UI.rglob("*") if p.suffix in (".svelte", ".ts")}
MADE = (
    "page_",
    "job_",
    "state_",
    "err_",
    "style_",
    "augment_",
    "device_",
    "mix_",
    "symmetric_",
    "map_",
    "photo_",
    "take_",
    "rec_",
    "rights_",
)
"""Beginnings of keys that are put together from what the server says."""


def test_both_languages_have_the_same_words():
    assert EN.keys() == ZH.keys()
    assert all(text.strip() for words in (EN, ZH) for text in words.values())


def test_both_languages_have_the_same_places_for_values():
    def places(text):
        return sorted(set(re.findall(r"\{(\w+)\}", text)))

    assert {k: places(EN[k]) for k in EN} == {k: places(ZH[k]) for k in ZH}


def test_every_word_is_used_and_every_used_word_is_there():
    text = "".join(SOURCES.values())
    used = set(re.findall(r'"([a-z]+(?:_\w+)*)"', text))
    colours = {"red", "black", "white", "blue", "green", "yellow", "purple"}
    assert not [k for k in EN if k not in used and not k.startswith(MADE) and k not in colours]
    asked = set(re.findall(r'\bt\(\s*"(\w+)"', text))
    assert asked <= EN.keys()


def test_what_is_said_of_pictures_is_known_in_chinese(tmp_path):
    """Reasons and notes of real files, as `data build` says them: each has its Chinese, which fills every place it names."""
    known = [(re.compile(said), zh) for said, zh in json.loads((UI / "words" / "notes.zh.json").read_text("utf-8"))]
    assert all(int(place) <= said.groups for said, zh in known for place in re.findall(r"\$(\d)", zh))
    material = tmp_path / "material"
    material.mkdir()
    face = np.zeros((40, 40, 3), np.uint8)
    face[8:32, 8:32] = (200, 30, 30)
    whole = images.encode_png(face)
    lost = {"empty.png": b"", "text.png": b"a line", "cut.png": whole[:60], "copy.png": whole, "heic.png": b"\0\0\0\x18ftypheic",
            "odd.png": bytes(range(128, 256)), "drawing.svg": b"<svg/>", "more.7z": b"7z", "dot.png": images.encode_png(face[:2, :2]),
            "hurt.png": whole[:45] + bytes([whole[45] ^ 1]) + whole[46:]}  # fmt: skip
    for name, content in {"a.png": whole, **lost}.items():
        (material / name).write_bytes(content)
    Image.fromarray(face).rotate(90).convert("RGBA").save(material / "clear.png")
    (material / "link.png").symlink_to(material / "a.png")
    api.build([material], tmp_path / "data", size=64, test=0.0, allow_unknown_rights=True, workers=1)
    rows = [json.loads(line) for line in (tmp_path / "data" / "quarantine.jsonl").read_text("utf-8").splitlines()]
    said = [row["reason"] for row in rows]
    table = (tmp_path / "data" / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    said += [note for row in table for note in filter(None, json.loads(row)["notes"].split("; "))]
    assert len(rows) == len(lost) + 1
    assert not [text for text in said if not any(pattern.fullmatch(text) for pattern, _ in known)]


@pytest.mark.parametrize("path", [p for p in SOURCES if p.suffix == ".svelte"], ids=lambda p: p.name)
def test_no_sentence_stands_in_the_markup(path):
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", SOURCES[path], flags=re.S)
    markup = re.sub(r"<!--.*?-->", "", markup, flags=re.S)
    depth, bare = 0, []
    for part in re.split(r"([{}])", re.sub(r"=>", "", markup)):
        depth += (part == "{") - (part == "}")
        if part not in "{}" and depth == 0:
            bare.append(part)
    text = re.sub(r"<[^>]*>", " ", "".join(bare).replace("\n", " ").replace("&nbsp;", " "))
    said = set(re.findall(r"[A-Za-z一-鿿]{3,}", text)) - {"Ctrl"}
    names = {"SVG"}
    assert said <= names, said


def test_the_page_that_is_shipped_is_small_and_built_from_these_words():
    static = Path(studio.__file__).parent / "static"
    shipped = [p.read_bytes() for p in static.iterdir()]
    assert sum(len(gzip.compress(content)) for content in shipped) < 400_000
    page = b"".join(shipped).decode("utf-8")
    for words in (EN, ZH):
        assert not [k for k, text in words.items() if text not in page], "make studio"
