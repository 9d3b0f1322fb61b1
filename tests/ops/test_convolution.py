"""The three maps of a convolution are adjoint to each other, equal the library's, and are closed under
differentiation.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from lianpu import losses
from lianpu.config import StyleGAN2Config
from lianpu.nets.stylegan2 import Discriminator, Generator
from lianpu.ops import convolution, plain, products
from tests.ops.compare import assert_same, channels_last, randn

TINY = StyleGAN2Config(resolution=16, channel_base=128, channel_max=16, z_dim=8, w_dim=12, mapping_layers=2)


@pytest.fixture(autouse=True, params=["mkl", "onednn", "slow"])
def either_kind_of_processor(request, monkeypatch):
    """Which way pays depends on the processor; both must be right on each."""
    monkeypatch.setattr(products, "KIND", request.param)


# x, w, stride, padding, groups: plain, strided with and without a remainder, 1x1, wide, filters channel by channel
CASES = [
    ((2, 3, 6, 5), (4, 3, 3, 3), 1, 1, 1),
    ((2, 3, 7, 9), (4, 3, 3, 3), 2, 0, 1),
    ((2, 3, 8, 6), (4, 3, 3, 3), 2, 0, 1),
    ((2, 3, 4, 4), (5, 3, 1, 1), 1, 0, 1),
    ((1, 2, 6, 7), (3, 2, 5, 3), 1, 1, 1),
    ((2, 3, 6, 6), (3, 1, 4, 4), 1, 2, 3),
    ((2, 3, 6, 6), (3, 1, 4, 4), 2, 1, 3),
]
IDS = [f"{w}-stride{s}-pad{p}-groups{g}" for _, w, s, p, g in CASES]


def _double(*shape: int, seed: int = 0) -> Tensor:
    return randn(*shape, seed=seed, dtype=torch.float64)


@pytest.mark.parametrize(("x", "w", "stride", "padding", "groups"), CASES, ids=IDS)
def test_the_three_maps_are_adjoint(x, w, stride, padding, groups):
    x, w = randn(*x), randn(*w)
    g = convolution.Geometry.of(x, w, stride, padding, groups)
    ax = convolution.A.apply(x, w, g)
    y = torch.randn_like(ax)
    product = (y * ax).sum()
    assert_close((x * convolution.T.apply(y, w, g)).sum(), product, rtol=1e-4, atol=1e-3)
    assert_close((w * convolution.W.apply(x, y, g)).sum(), product, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("x", "w", "stride", "padding", "groups"), CASES, ids=IDS)
def test_convolution_equals_the_library_to_second_order(x, w, stride, padding, groups):
    assert_same(
        lambda x, w: convolution.conv(x, w, stride, padding, groups),
        lambda x, w: plain.conv(x, w, stride, padding, groups),
        [_double(*x), _double(*w)],
        1e-12,
    )


@pytest.mark.parametrize(("x", "w", "stride", "padding", "groups"), CASES, ids=IDS)
def test_its_adjoint_equals_the_library_to_second_order(x, w, stride, padding, groups):
    y = plain.conv(_double(*x), _double(*w), stride, padding, groups)
    assert_same(
        lambda y, w: convolution.conv_transpose(y, w, stride, padding, groups),
        lambda y, w: plain.conv_transpose(y, w, stride, padding, groups),
        [y, _double(*w)],
        1e-12,
    )


@pytest.mark.parametrize("f", [convolution.conv, convolution.conv_transpose])
def test_gradients_of_gradients_are_right(f):
    inputs = [_double(2, 2, 5, 5).requires_grad_(), _double(2, 2, 3, 3).requires_grad_()]
    assert torch.autograd.gradcheck(f, (*inputs, 2))
    assert torch.autograd.gradgradcheck(f, (*inputs, 2))


@pytest.mark.parametrize("block", [1, 700, 5_000, 2**20])
@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 0), (2, 1)])
def test_weight_gradient_by_products_equals_the_library_for_any_block(block, stride, padding, monkeypatch):
    monkeypatch.setattr(convolution, "_BLOCK", block)
    x, w = channels_last(randn(5, 4, 11, 9)), randn(3, 4, 3, 3).requires_grad_()
    y = plain.conv(x, w, stride, padding)
    gy = torch.randn_like(y)
    ours = convolution._w_by_products(x, gy, convolution.Geometry.of(x, w, stride, padding))
    assert_close(ours, torch.autograd.grad(y, w, gy)[0], rtol=1e-4, atol=1e-4)


def refuse(*_: object) -> Tensor:
    raise AssertionError("a gradient nobody wants was computed")


def test_what_is_frozen_costs_nothing(monkeypatch):
    x, w = randn(1, 2, 4, 4), randn(2, 2, 3, 3)
    with monkeypatch.context() as patch:
        patch.setattr(convolution, "_w", refuse)
        convolution.conv(x.requires_grad_(), w, 1, 1).sum().backward()
    with monkeypatch.context() as patch:
        patch.setattr(convolution, "_t", refuse)
        convolution.conv(x.detach(), w.requires_grad_(), 1, 1).sum().backward()


def test_a_gradient_with_respect_to_pictures_does_not_compute_those_of_weights(monkeypatch):
    """R1 and path length differentiate with respect to pictures and styles first, and with respect to weights later."""
    g, d = Generator(TINY), Discriminator(TINY)
    real, ws = randn(2, 3, 16, 16).requires_grad_(), g.mapping(randn(2, 8))
    scores, images = d(real), g.synthesis(ws)
    with monkeypatch.context() as patch:
        patch.setattr(convolution, "_w", refuse)
        r1 = losses.r1(scores, real).mean()
        lengths = losses.path_lengths(images, ws, torch.ones_like(images)).mean()
    (r1 + lengths).backward()
    assert all(p.grad is not None for name, p in [*g.named_parameters(), *d.named_parameters()] if "weight" in name)


def test_the_memory_order_is_kept():
    x, w = convolution.laid_out(randn(2, 8, 6, 6)), convolution.laid_out(randn(8, 8, 3, 3))
    assert x.is_contiguous(memory_format=torch.channels_last)
    x.requires_grad_(), w.requires_grad_()
    y = convolution.conv(x, w, 1, 1)
    y.sum().backward()
    for out in (y, x.grad, w.grad):
        assert out is not None and out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("x", "w", "stride", "padding"),
    [
        ((3, 144, 6, 6), (136, 144, 1, 1), 1, 0),  # pointwise
        ((2, 256, 9, 9), (256, 256, 3, 3), 2, 0),  # wide and strided
    ],
)
def test_in_single_precision_too(x, w, stride, padding):
    """What is sent to oneDNN's products is single precision only."""
    assert_same(
        lambda x, w: convolution.conv(x, w, stride, padding),
        lambda x, w: plain.conv(x, w, stride, padding),
        [channels_last(randn(*x)), randn(*w) / w[1] ** 0.5],
        1e-5,
    )


@pytest.mark.parametrize("w", [(136, 144, 1, 1), (136, 144, 3, 3)])
def test_a_result_may_be_written_over(w):
    """As residual blocks do, to save a pass over the pixels."""
    x, w = channels_last(randn(2, 144, 6, 6)).requires_grad_(), (randn(*w) / 12).requires_grad_()
    convolution.conv(x, w, padding=w.shape[2] // 2).add_(1).square().sum().backward()
    grads = [x.grad, w.grad]
    x.grad = w.grad = None
    plain.conv(x, w, 1, w.shape[2] // 2).add(1).square().sum().backward()
    for ours, theirs in zip(grads, [x.grad, w.grad], strict=True):
        assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
