"""APA: which reals are replaced, by what, and what R1 and the value function see of it."""

from __future__ import annotations

import math

import pytest
import torch

from lianpu.augment import APA
from lianpu.config import AugmentConfig
from lianpu.randomness import Draw


def policy(p: float, **options: float) -> APA:
    apa = APA(AugmentConfig(mode="apa", **options))  # type: ignore[arg-type]
    apa.set_strength(p)
    return apa


def pair(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Reals in [0, 1), fakes in [-1, 0): each row tells where it comes from."""
    real = torch.rand(n, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    return real, real.flip(0) - 1


def test_each_row_is_the_real_or_the_fake_of_the_same_row_bit_for_bit():
    """Row i of both has the same label, which thus stays right."""
    real, fake = pair(200)
    draw = Draw(0, 0)
    shown = policy(0.3).show_real(real, fake, draw).images
    replaced = draw.uniform("replaced", 200) < 0.3
    assert 0 < replaced.sum() < 200
    assert torch.equal(shown[replaced], fake[replaced])
    assert torch.equal(shown[~replaced], real[~replaced])


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_the_share_replaced_is_p(p):
    n = 20_000
    shown = policy(p).show_real(*pair(n), Draw(1, 0)).images
    assert abs((shown < 0).flatten(1).all(1).float().mean() - p) < 5 * math.sqrt(p * (1 - p) / n)


def test_value_function_of_the_deceived_discriminator():
    """E[log D(shown)] = (1 - alpha) E_x[log D(x)] + alpha E_z[log D(G(z))] (Yan et al. 2023, Eq. 5)."""
    n, alpha = 20_000, 0.35
    real, fake = pair(n)
    weights = torch.randn(60, generator=torch.Generator().manual_seed(2)) / 4

    def log_d(images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.logsigmoid(images.flatten(1) @ weights)

    shown = log_d(policy(alpha).show_real(real, fake, Draw(2, 0)).images)
    expected = (1 - alpha) * log_d(real).mean() + alpha * log_d(fake).mean()
    assert abs(log_d(real).mean() - log_d(fake).mean()) > 10 * 5 * shown.std() / math.sqrt(n), "or it would be too easy"
    assert abs(shown.mean() - expected) < 5 * shown.std() / math.sqrt(n)


def test_fakes_are_shown_as_they_are():
    fake = pair(8)[1]
    assert policy(0.9).show_fake(fake, Draw(0, 0)).images is fake


def test_r1_is_taken_at_the_picture_that_was_shown():
    """A replaced row's gradient is D's at the fake, and comes out at `real`; derivatives of it are right too."""
    real, fake = (x.double() for x in pair(8))
    real.requires_grad_()
    shown = policy(0.5).show_real(real, fake, Draw(4, 0)).images
    assert 0 < (shown < 0).flatten(1).all(1).sum() < 8
    (gradient,) = torch.autograd.grad(shown.pow(3).sum(), real, create_graph=True)
    torch.testing.assert_close(gradient, 3 * shown.detach() ** 2)
    (second,) = torch.autograd.grad(gradient.sum(), real)
    torch.testing.assert_close(second, 6 * shown.detach())


@pytest.mark.parametrize(("p_max", "upper"), [(0.0, 1 - 1 / 1024), (0.25, 0.25), (7.0, 1 - 1 / 1024)])
def test_some_reals_always_remain(p_max, upper):
    """The seed: 0 <= alpha < p_max < 1."""
    assert policy(5.0, p_max=p_max).strength() == pytest.approx(upper)
