"""ADA's pipe, the controller and the diffusion schedule against the reference's numbers."""

from __future__ import annotations

import pytest
import torch

from lianpu.augment import ADA, ada, diffusion
from lianpu.config import AugmentConfig
from tests.augment.forced import Percentile
from tests.parity.reference import NETWORK, SINGLE_OP, load

PIPE = load("ada_pipe")
CHAIN = load("controllers_diffusion")
SIZE = (24, 32)

GROUPS = {
    "xflip": ("x_flip",),
    "rotate90": ("rotate_90",),
    "xint": ("integer_translation",),
    "scale": ("isotropic_scaling",),
    "rotate": ("rotation",),
    "aniso": ("anisotropic_scaling",),
    "xfrac": ("fractional_translation",),
    "brightness": ("brightness",),
    "contrast": ("contrast",),
    "lumaflip": ("luma_flip",),
    "hue": ("hue_rotation",),
    "saturation": ("saturation",),
    "imgfilter": ada.FILTER,
    "cutout": ("cutout",),
    "blit": ada.BLIT,
    "geom": ada.GEOMETRY,
    "color": ada.COLOUR,
    "bgc": ada.TRANSFORMS[:12],
    "bgcf": ada.TRANSFORMS[:16],
}
"""The fixture's groups in our names."""


def cases(number: str) -> list[tuple[str, str]]:
    """(group, percentile) of every such number in the fixture."""
    keys = [key.removesuffix(f".{number}").split(".p", 1) for key in PIPE if key.endswith(f".{number}")]
    assert keys
    return [(group, percentile) for group, percentile in keys]


def forced(group: str, percentile: str) -> tuple[Percentile, ada.Dice]:
    draw = Percentile(0, 0, q=float(percentile))
    return draw, ada.Dice(draw, 1, 1.0, GROUPS[group])


def number(group: str, percentile: str, name: str) -> torch.Tensor:
    return PIPE[f"{group}.p{percentile}.{name}"]


def test_every_group_of_the_fixture_is_covered():
    assert {key.split(".")[0] for key in PIPE if ".p" in key} == GROUPS.keys()


@pytest.mark.parametrize(("group", "percentile"), cases("G_inv"))
def test_geometry(group, percentile):
    _, dice = forced(group, percentile)
    G_inv = ada.geometry(dice, *SIZE)
    torch.testing.assert_close(G_inv[0].float(), number(group, percentile, "G_inv"), **SINGLE_OP)
    margin = number(group, percentile, "margin_xyxy").long()
    theta = ada.theta(G_inv, margin.tolist(), *SIZE)
    torch.testing.assert_close(theta[0].float(), number(group, percentile, "theta"), **SINGLE_OP)
    # the reference rounds up in float32: at exact right angles its rounding errors can cost it one more pixel
    ours = ada.margins(G_inv, *SIZE)[0]
    turned = abs(abs(G_inv[0, 0]) - abs(G_inv[0, 0]).round()).max() < 1e-6 and "rotate_90" in GROUPS[group]
    assert ((margin - ours >= 0) & (margin - ours <= turned)).all()


@pytest.mark.parametrize(("group", "percentile"), cases("C"))
def test_colour(group, percentile):
    _, dice = forced(group, percentile)
    torch.testing.assert_close(ada.colour(dice)[0].float(), number(group, percentile, "C"), **SINGLE_OP)


@pytest.mark.parametrize(("group", "percentile"), cases("Hz_prime"))
def test_filter(group, percentile):
    _, dice = forced(group, percentile)
    Hz = ada.band_gains(dice) @ ada.filter_bank()
    torch.testing.assert_close(Hz.float(), number(group, percentile, "Hz_prime"), **SINGLE_OP)


@pytest.mark.parametrize(("group", "percentile"), cases("out"))
def test_pictures(group, percentile):
    draw, _ = forced(group, percentile)
    out = ada.augment(PIPE["images"], draw, 1.0, GROUPS[group])
    torch.testing.assert_close(out[:1], number(group, percentile, "out"), **NETWORK)


def test_wavelets():
    torch.testing.assert_close(ada.sym6(PIPE["Hz_geom"]), PIPE["Hz_geom"], **SINGLE_OP)
    torch.testing.assert_close(ada.filter_bank().float(), PIPE["Hz_fbank"], **SINGLE_OP)


def test_controller_trajectory():
    """400 adjustments of p from recorded means of signs: 16 pictures a step, every 4 steps, 500 kimg, target 0.6."""
    policy = ADA(AugmentConfig(mode="ada", interval=4, speed_kimg=500, target=0.6))
    trajectory = []
    for mean in CHAIN["mean_sign"].tolist():
        scores = torch.full((100_000,), -0.5)
        scores[: round((1 + mean) / 2 * 100_000)] = 2.0  # their mean of signs is that to 1e-5: on the same side of 0.6
        for _ in range(4):
            policy.observe(scores)
            policy.adjust(16)
        assert policy.r_t.item() == pytest.approx(mean, abs=1.1e-5)
        trajectory.append(policy.p.clone())
    expected = CHAIN["p_trajectory_batch16_interval4_kimg500_target0p6"].float()
    torch.testing.assert_close(torch.stack(trajectory), expected, rtol=0, atol=0)
    step = 16 * 4 / 500e3
    assert (expected == 0).any() and expected.max() > 4 * step, "the recorded p must be clamped, and must move"


@pytest.mark.parametrize("name", ["0", "0.001", "0.01", "0.1", "0.25", "0.5", "0.75", "1"])
def test_diffusion_chain(name):
    i = CHAIN["p_values"].tolist().index(float(name))
    T = diffusion.chain_length(float(name), 10, 1000)
    assert CHAIN["T_values"][i] == T
    abar = diffusion.alphas_bar(T, 1e-4, 2e-2)
    torch.testing.assert_close(abar.sqrt().float(), CHAIN[f"alphas_bar_sqrt.p{name}"], **SINGLE_OP)
    theirs = CHAIN[f"one_minus_alphas_bar_sqrt.p{name}"]  # of 1 - abar in float32, short of digits where abar is near 1
    torch.testing.assert_close((1 - abar).sqrt().float(), theirs, **NETWORK)
    table = CHAIN[f"t_epl_seed0.p{name}"]
    assert len(table) == diffusion.SLOTS
    assert not table[diffusion.SLOTS // 2 :].any()
    assert (diffusion.mixture_weights(T, "priority")[table[: diffusion.SLOTS // 2].long() - 1] > 0).all()


def test_priority():
    torch.testing.assert_close(diffusion.mixture_weights(20, "priority"), CHAIN["priority_prob_T20"])


def test_noising():
    y = diffusion.diffuse(
        CHAIN["q_x0"], CHAIN["q_t"].long(), diffusion.alphas_bar(1000, 1e-4, 2e-2), 0.05, CHAIN["q_eps"]
    )
    torch.testing.assert_close(y, CHAIN["q_xt_noise0p05"], **SINGLE_OP)
