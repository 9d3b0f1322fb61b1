"""A verdict is a comparison of intervals: it changes sides when its sides are swapped, and is sure only where every interval lies apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianpu.experiments import claims
from lianpu.experiments.base import KINDS
from lianpu.experiments.claims import CLAIMS, NOT_RUN, VERDICTS, Measured, compare
from lianpu.experiments.yan2023 import NAMES

OPPOSITE = {"agrees": "disagrees", "leans to it": "leans against", "undecided": "undecided"}
OPPOSITE |= {v: k for k, v in OPPOSITE.items()}


def at(*values: float, half: float = 0.0) -> Measured:
    return Measured(values, tuple(v - half for v in values), tuple(v + half for v in values))


numbers = st.lists(st.floats(-100, 100), min_size=1, max_size=3).map(tuple)


@given(numbers, numbers, st.floats(0, 20), st.floats(0, 20))
def test_swapping_the_sides_swaps_the_verdict(a, b, half_a, half_b):
    x, y = at(*a, half=half_a), at(*b, half=half_b)
    assert compare(y, x) == OPPOSITE[compare(x, y)]
    if compare(x, y) == "agrees":
        assert max(x.highs) < min(y.lows)


@pytest.mark.parametrize(
    ("lower", "higher", "verdict"),
    [
        (at(1, 2, half=0.5), at(4, 5, half=0.5), "agrees"),
        (at(1, 2, half=2), at(4, 5, half=2), "leans to it"),
        (at(1, 4.5), at(4, 5), "undecided"),
        (at(4, 5, half=2), at(1, 2, half=2), "leans against"),
        (at(4, 5), at(1, 2), "disagrees"),
        (at(3), at(3), "undecided"),
        (at(1, half=2), at(2, 3), "undecided"),  # one seed leans to nothing
        (at(1, half=0.5), at(2, 3), "agrees"),
        (None, at(1), "not measured"),
    ],
)
def test_verdicts(lower, higher, verdict):
    assert compare(lower, higher) == verdict


def world(**changes: dict[str, float]) -> claims.Look:
    """Measurements in which all the paper says holds, with narrow intervals; `changes` by kind and row."""
    said = {
        "frechet": {"stylegan2": 30, "ada": 10, "apa": 25, "diffusion": 40, "stylegan2 fewest": 90, "ada fewest": 50, "apa fewest": 99,
                    "diffusion fewest": 99, "spade": 20, "spade-vae": 18, "cocosnet": 5},
        "kernel": {"stylegan2": 3, "ada": 1, "apa": 2.5, "diffusion": 4, "spade": 2, "spade-vae": 2, "cocosnet": 0.4},
        "ssim": {"stylegan2": 0.5, "ada": 0.4, "apa": 0.4, "diffusion": 0.3, "spade": 0.7, "spade-vae": 0.7, "cocosnet": 0.8},
        "ms-ssim": {"stylegan2": 0.5, "ada": 0.4, "apa": 0.4, "diffusion": 0.3, "spade": 0.7, "spade-vae": 0.7, "cocosnet": 0.8},
        "SSIM to the true picture": {"spade": 0.7, "spade-vae": 0.8, "cocosnet": 0.9},
        "MS-SSIM to the true picture": {"spade": 0.7, "spade-vae": 0.8, "cocosnet": 0.9},
        "lpips to real": {"stylegan2": 0.5, "ada": 0.5, "apa": 0.5, "diffusion": 0.6, "cocosnet": 0.4},
        "lpips diversity": {"stylegan2": 0.3, "ada": 0.4, "apa": 0.4, "diffusion": 0.4, "cocosnet": 0.05},
        "accuracy": {"stylegan2": 0.5, "ada": 0.9, "apa": 0.9, "diffusion": 0.6, "spade": 0.8, "spade-vae": 0.8, "cocosnet": 0.95},
    }  # fmt: skip
    for kind, rows in changes.items():
        said[kind] |= rows
    return lambda kind, row: at(said[kind][row], half=0.001) if row in said[kind] else None


def verdicts(look: claims.Look) -> dict[str, str]:
    return {c["name"]: c["verdict"] for c in claims.judge(look)}


def test_a_world_as_the_paper_says_agrees_with_every_claim():
    assert set(verdicts(world()).values()) == {"agrees", "eyes"}


@pytest.mark.parametrize(
    ("changes", "falls"),
    [
        ({"kernel": {"apa": 0.5}}, {"ada-best", "apa-little"}),
        ({"frechet": {"apa": 5}}, {"ada-best", "apa-little"}),
        ({"frechet": {"diffusion": 20}}, {"diffusion-worse"}),
        ({"ms-ssim": {"apa": 0.6}}, {"plain-similar"}),
        ({"accuracy": {"apa": 0.2}}, {"apa-accuracy"}),
        ({"lpips diversity": {"diffusion": 0.1}}, {"diffusion-diverse"}),
        ({"frechet": {"stylegan2 fewest": 20}}, {"few-shot"}),
        ({"frechet": {"spade": 3}}, {"coco-spade"}),
        ({"SSIM to the true picture": {"spade": 0.95}}, {"coco-spade"}),
        ({"SSIM to the true picture": {"spade-vae": 0.95}}, {"coco-spade-vae"}),
        ({"kernel": {"diffusion": 2}}, {"diffusion-worse"}),
        ({"kernel": {"cocosnet": 1.5}}, {"coco-generators"}),
        ({"ms-ssim": {"stylegan2": 0.85}}, {"coco-similar"}),
        ({"lpips to real": {"apa": 0.2}}, {"coco-diverse"}),
        ({"accuracy": {"spade": 0.99}}, {"coco-accuracy"}),
    ],
)
def test_each_claim_falls_when_its_own_measure_turns_and_no_other(changes, falls):
    found = verdicts(world(**changes))
    assert {name for name, v in found.items() if v == "disagrees"} == falls


def test_a_claim_of_several_measures_says_which_of_them_turned():
    one = {c["name"]: c.get("parts") for c in claims.judge(world(kernel={"spade": 0.1}))}
    assert one["coco-spade"] == {"frechet": "agrees", "kernel": "disagrees", **dict.fromkeys(claims.TRUTH, "agrees")}
    assert one["few-shot"] is None


def test_nothing_measured_is_no_verdict():
    assert set(verdicts(lambda kind, row: None).values()) == {"not measured", "eyes"}


def test_claims_are_whole_and_in_both_languages():
    assert len({c.name for c in CLAIMS}) == len(CLAIMS)
    for c in CLAIMS:
        assert c.row in (*NAMES, "few-shot")
        assert c.en
        assert any("\u4e00" <= ch <= "\u9fff" for ch in c.zh)
        assert bool(c.tried) == bool(c.tried_en) == bool(c.tried_zh)
    for gap in NOT_RUN:
        for text in gap.values():
            assert text["en"]
            assert any("\u4e00" <= ch <= "\u9fff" for ch in text["zh"])
    assert set(KINDS.values()) >= {"frechet", "kernel", "ssim", "ms-ssim", "lpips diversity", "lpips to real"}
    assert VERDICTS[0] == "agrees"
