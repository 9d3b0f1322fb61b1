"""F(2x2, 3x3) is the convolution, for every way the picture is cut into blocks."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from lianpu.nets.stylegan2 import Conv
from lianpu.ops import convolution, plain, products, winograd
from tests.ops.compare import assert_same, channels_last, randn
from tests.ops.test_products import KINDS

SIZES = [(1, 2, 2), (7, 4, 4), (1, 10, 10), (3, 16, 16), (2, 64, 64), (2, 6, 50)]  # n, h, w


@pytest.mark.parametrize("tiles", [1, 10, 256])
@pytest.mark.parametrize(("n", "h", "w"), SIZES)
def test_it_is_the_convolution_and_its_adjoints(n, h, w, tiles, monkeypatch):
    monkeypatch.setattr(winograd, "_TILES", tiles)
    x = channels_last(randn(n, 3, h, w, dtype=torch.float64)).requires_grad_()
    kernels = randn(4, 3, 3, 3, dtype=torch.float64).requires_grad_()
    y = F.conv2d(x, kernels, padding=1)
    gy = channels_last(randn(n, 4, h, w, seed=1, dtype=torch.float64))
    gx, gk = torch.autograd.grad(y, (x, kernels), gy)
    x, kernels = x.detach(), kernels.detach()
    assert_close(winograd.correlate(x, kernels), y.detach())
    assert_close(winograd.correlate(gy, kernels, turned=True), gx)
    assert_close(winograd.weight_gradient(x, gy), gk, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_wide_layers_take_it_and_agree_with_the_library_to_second_order(kind, monkeypatch):
    monkeypatch.setattr(products, "KIND", kind)
    taken = []
    for name in ("correlate", "weight_gradient"):
        fast = getattr(winograd, name)
        monkeypatch.setattr(
            winograd, name, lambda *a, _fast=fast, _name=name, **k: (taken.append(_name), _fast(*a, **k))[1]
        )
    x, w = channels_last(randn(16, 256, 16, 16)), randn(256, 256, 3, 3) / 48
    assert_same(lambda x, w: convolution.conv(x, w, 1, 1), lambda x, w: plain.conv(x, w, 1, 1), [x, w], tolerance=1e-5)
    assert set(taken) == {"correlate", "weight_gradient"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_wide_layer_learns(kind, monkeypatch):
    """Its result is written over by the activation, which autograd allows only for a tensor that is not a view."""
    monkeypatch.setattr(products, "KIND", kind)
    layer = Conv(256, 256, 3)
    layer(channels_last(randn(4, 256, 16, 16))).square().mean().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.isfinite().all()


@pytest.mark.parametrize(
    ("shape", "dtype", "weights", "pays"),
    [
        ((4, 512, 32, 32), torch.float32, False, True),
        ((4, 512, 32, 32), torch.float32, True, True),
        ((4, 512, 33, 33), torch.float32, False, False),  # odd
        ((4, 512, 4, 4), torch.float32, False, False),  # few pixels
        ((16, 128, 32, 32), torch.float32, False, False),  # narrow, for the pixels
        ((16, 128, 32, 32), torch.float32, True, True),  # but not for the kernels
        ((4, 512, 32, 32), torch.bfloat16, False, False),
    ],
)
def test_it_is_taken_where_it_was_measured_to_pay(shape, dtype, weights, pays, monkeypatch):
    monkeypatch.setattr(products, "KIND", "mkl")
    assert winograd.pays(torch.empty(shape, dtype=dtype), shape[1], weights=weights) is pays
    assert not winograd.pays(torch.empty(shape, dtype=dtype, device="meta"), shape[1], weights=weights)
    monkeypatch.setattr(products, "KIND", "slow")  # where convolutions outrun products
    assert not winograd.pays(torch.empty(shape, dtype=dtype), shape[1], weights=weights)
