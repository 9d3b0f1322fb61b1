"""Diffusion: the chain in closed form, its length and time steps, and what pictures become."""

from __future__ import annotations

import math

import pytest
import torch

from lianpu.augment import Diffusion, diffusion
from lianpu.config import AugmentConfig
from lianpu.randomness import Draw


def policy(p: float = 0.0, seed: int = 0, **options: object) -> Diffusion:
    made = Diffusion(AugmentConfig(mode="diffusion", **options), seed)  # type: ignore[arg-type]
    made.set_strength(p)
    return made


@pytest.mark.parametrize("T", [1, 10, 1000])
def test_alphas_bar_are_products_of_one_minus_beta(T):
    abar = diffusion.alphas_bar(T, 1e-4, 2e-2)
    product, expected = 1.0, [1.0]
    for i in range(T):
        product *= 1 - (1e-4 + (2e-2 - 1e-4) * i / max(T - 1, 1))
        expected.append(product)
    assert abar.tolist() == pytest.approx(expected, rel=1e-12)


def test_a_longer_chain_ends_in_more_noise():
    ends = [diffusion.alphas_bar(T, 1e-4, 2e-2)[-1].item() for T in (10, 50, 200, 1000)]
    assert ends == sorted(ends, reverse=True)
    assert ends[-1] < 1e-4


@pytest.mark.parametrize(("p", "T"), [(0, 10), (0.25, 258), (0.5, 505), (1, 1000), (3, 1000)])
def test_p_sets_the_length_and_0_keeps_the_floor(p, T):
    made = policy(p)
    assert made.stats() == {"p": min(p, 1), "r_t": 0.0, "T": T}
    assert made.table.max() <= T


@pytest.mark.parametrize("weighting", ["priority", "uniform"])
@pytest.mark.parametrize("T", [1, 2, 30])
def test_time_steps_are_drawn_by_the_mixture_weights(weighting, T):
    made = policy(t_min=T, t_max=T, weighting=weighting)
    steps, tables = [], 400
    for _ in range(tables):
        made.set_strength(0.0)
        assert not made.table[32:].any(), "half of the table is no noise"
        steps.append(made.table[:32].clone())
    shares = torch.stack(steps).flatten().bincount(minlength=T + 1)[1:] / (32 * tables)
    pi = torch.tensor([t - 1.0 if weighting == "priority" else 1.0 for t in range(1, T + 1)])
    pi = pi / pi.sum() if T > 1 else torch.ones(1)
    assert torch.equal(torch.stack(steps).unique(), (pi > 0).nonzero()[:, 0] + 1)
    assert ((shares - pi).abs() <= 5 * (pi * (1 - pi) / (32 * tables)).sqrt()).all()


def test_the_table_is_kept_between_adjustments_and_is_a_function_of_the_seed():
    a, b, other = policy(0.5, seed=1), policy(0.5, seed=1), policy(0.5, seed=2)
    assert torch.equal(a.table, b.table)
    assert not torch.equal(a.table, other.table)
    kept = a.table.clone()
    for _ in range(4):
        assert torch.equal(a.table, kept)
        a.show_fake(torch.zeros(4, 1, 2, 2), Draw(0, 0))
        a.observe(torch.ones(4))
        a.adjust(4)
    assert not torch.equal(a.table, kept), "the fourth step adjusts"


def test_half_of_what_is_shown_is_clean_and_t_says_which():
    images = torch.rand(4000, 1, 2, 2)
    shown, t = policy(0.3).show_real(images, images, Draw(0, 0))
    assert t is not None and t.dtype == torch.int64 and t.shape == (4000,)
    assert torch.equal(shown[t == 0], images[t == 0])
    assert (shown[t > 0] != images[t > 0]).flatten(1).any(1).all()
    assert abs((t == 0).float().mean() - 0.5) < 5 * 0.5 / math.sqrt(4000)


@pytest.mark.parametrize("noise_std", [0.05, 0.5])
def test_mean_and_variance_of_the_noised_picture(noise_std):
    """y ~ N(sqrt(abar_t) x, (1 - abar_t) sigma^2), white."""
    made = policy(1.0, noise_std=noise_std)
    x = torch.full((1, 1, 1, 1), 0.8).expand(64, 3, 40, 40)
    y, t = made.show_fake(x, Draw(3, 0))
    assert t is not None
    abar = diffusion.alphas_bar(1000, 1e-4, 2e-2)
    n = 3 * 40 * 40
    for picture, step in zip(y, t.tolist(), strict=True):
        sigma = noise_std * math.sqrt(1 - abar[step])
        noise = picture - 0.8 * abar[step].sqrt()
        assert abs(noise.mean()) <= 5 * sigma / math.sqrt(n) + 1e-6
        assert noise.std() == pytest.approx(sigma, rel=5 / math.sqrt(2 * n), abs=1e-6)
        assert abs((noise[..., 1:] * noise[..., :-1]).mean()) <= 5 * sigma**2 / math.sqrt(n) + 1e-9
    assert t.max() > 500, "strong noise must be among them"


def test_gradient_to_the_generator_is_scaled_by_the_signal_that_is_left():
    fake = torch.rand(32, 1, 3, 3, requires_grad=True)
    y, t = policy(1.0).show_fake(fake, Draw(0, 0))
    (gradient,) = torch.autograd.grad(y.sum(), fake)
    left = diffusion.alphas_bar(1000, 1e-4, 2e-2)[t].sqrt().float()
    torch.testing.assert_close(gradient, left[:, None, None, None].expand_as(gradient))
