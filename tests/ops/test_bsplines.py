"""B-splines against scipy's, KAN layers against their formula, and why their grid is as wide as it is."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.interpolate import BSpline
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from lianpu.ops.bsplines import KANLinear, bases, knots


@pytest.mark.parametrize(("grid", "order", "reach"), [(5, 3, 1.0), (5, 3, 3.0), (7, 2, 3.0), (4, 1, 2.0), (1, 5, 0.5)])
def test_values_and_gradients_are_scipy_s(grid, order, reach):
    t = knots(grid, order, reach).double()
    x = torch.linspace(float(t[0]) + 1e-3, float(t[-1]) - 1e-3, 301, dtype=torch.float64, requires_grad=True)
    B = bases(x, t, order)
    assert B.shape == (301, grid + order)
    for k in range(grid + order):
        theirs = BSpline.basis_element(t[k : k + order + 2].numpy(), extrapolate=False)  # NaN where it is 0
        values, slopes = (torch.from_numpy(f(x.detach().numpy())).nan_to_num() for f in (theirs, theirs.derivative()))
        assert_close(B[:, k], values)
        (slope,) = torch.autograd.grad(B[:, k].sum(), x, retain_graph=True)
        assert_close(slope, slopes)


@pytest.mark.parametrize(("grid", "order", "reach"), [(5, 3, 3.0), (8, 2, 1.0)])
def test_bases_sum_to_one_within_reach_and_are_nothing_beyond_the_last_knot(grid, order, reach):
    t = knots(grid, order, reach)
    assert len(t) == grid + 2 * order + 1
    inside = torch.linspace(-reach, reach, 200)[:-1]
    assert_close(bases(inside, t, order).sum(-1), torch.ones(199))
    end = reach + order * 2 * reach / grid
    assert_close(t[[0, -1]], torch.tensor([-end, end]))
    assert not bases(torch.tensor([-end - 0.01, end + 0.01, -1e6, 1e6]), t, order).any()


def test_an_edge_is_silu_and_its_own_spline():
    """y_o = sum_i w^b_oi SiLU(x_i) + w^s_oi sum_k c_oik B_k(x_i), every edge by scipy."""
    layer = KANLinear(3, 2, reach=2.0).double()
    x = torch.rand(5, 3, dtype=torch.float64) * 4 - 2
    expected = torch.zeros(5, 2, dtype=torch.float64)
    for o in range(2):
        for i in range(3):
            spline = BSpline(layer.knots.numpy(), layer.coefficients[o, i].detach().numpy(), 3)
            curve = torch.from_numpy(spline(x[:, i].numpy()))
            expected[:, o] += layer.base[o, i] * F.silu(x[:, i]) + layer.scale[o, i] * curve
    assert_close(layer(x), expected)
    assert torch.autograd.gradcheck(layer, (x.requires_grad_(),))


def beyond(x: torch.Tensor, reach: float) -> float:
    """Share of numbers whose bases do not sum to one: there the splines fade."""
    return float(((bases(x, knots(5, 3, reach), 3).sum(-1) - 1).abs() > 1e-6).float().mean())


def test_a_grid_on_one_loses_a_third_of_what_a_normalisation_gives():
    """The finding for which the grid is wide: P(|x| > 1) = 0.317 for standard normal numbers, P(|x| > 3) = 0.0027."""
    x = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    assert beyond(x, 1.0) == pytest.approx(math.erfc(1 / math.sqrt(2)), abs=0.005)
    assert beyond(x, 3.0) == pytest.approx(math.erfc(3 / math.sqrt(2)), abs=0.001)
    # three times as wide, three in four are beyond 1, and for half nothing is left: no value, no gradient
    wide = (3 * x).requires_grad_()
    assert beyond(wide.detach(), 1.0) == pytest.approx(0.74, abs=0.01)
    B = bases(wide, knots(5, 3, 1.0), 3)
    dead = B.detach().sum(-1) == 0
    assert float(dead.float().mean()) == pytest.approx(math.erfc(2.2 / 3 / math.sqrt(2)), abs=0.01)  # 0.46
    B.square().sum().backward()
    assert not wide.grad[dead].any()


def test_the_grid_holds_all_that_groups_of_four_can_give():
    """GroupNorm of 4 numbers gives nothing beyond sqrt 3, and of normal ones anything in between is as likely: 42 % lies beyond 1."""
    y = nn.GroupNorm(32, 128)(torch.randn(2000, 128, generator=torch.Generator().manual_seed(0))).detach()
    assert float(y.abs().max()) <= math.sqrt(3)
    assert beyond(y, 1.0) == pytest.approx(1 - 1 / math.sqrt(3), abs=0.01)
    assert beyond(y, 3.0) == 0


def test_a_layer_has_ten_numbers_an_edge():
    assert sum(p.numel() for p in KANLinear(512, 512).parameters()) == 512 * 512 * (1 + 1 + 8)
