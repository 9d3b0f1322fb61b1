"""Bias and lrelu in place equal the steps written out, to second order."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from lianpu.ops import activation, plain
from tests.ops.compare import assert_same, channels_last, randn


@pytest.mark.parametrize("shape", [(5, 4), (3, 4, 5, 6), (70, 4, 2, 2)])
@pytest.mark.parametrize(("gain", "scale"), [(activation.SQRT2, 1.0), (0.5, 0.3)])
def test_fast_equals_plain_to_second_order(shape, gain, scale):
    x, b = randn(*shape, dtype=torch.float64), randn(4, dtype=torch.float64)
    assert_same(
        lambda x, b: activation.bias_lrelu(x.clone(), b, gain, scale),
        lambda x, b: plain.bias_lrelu(x, b, gain, scale),
        [x, b],
        1e-12,
    )


def test_gradients_of_gradients_are_right():
    x, b = randn(2, 3, 2, 2, dtype=torch.float64).requires_grad_(), randn(3, dtype=torch.float64).requires_grad_()

    def f(x: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return activation.bias_lrelu(x.clone(), b, 1.3, 0.7)

    assert torch.autograd.gradcheck(f, (x, b))
    assert torch.autograd.gradgradcheck(f, (x, b))


def test_pieces_cover_everything_once(monkeypatch):
    monkeypatch.setattr(activation, "_PIECE", 100)
    for order in (torch.Tensor.contiguous, channels_last):
        x = order(randn(7, 3, 4, 4))
        parts = [part for (part,) in activation.pieces(x)]
        assert len(parts) == 4
        assert torch.equal(torch.cat(parts), x)
        assert_close(activation.bias_lrelu(x.clone(), torch.ones(3)), plain.bias_lrelu(x, torch.ones(3)))


def test_it_writes_over_its_input_and_says_so():
    x = randn(2, 3, 4, 4)
    assert activation.bias_lrelu(x, torch.zeros(3)).data_ptr() == x.data_ptr()
    leaf = randn(2, 3, 4, 4).requires_grad_()
    with pytest.raises(RuntimeError, match="in-place"):
        activation.bias_lrelu(leaf, torch.zeros(3))
    y = leaf.exp()  # exp keeps its result for its gradient
    z = activation.bias_lrelu(y, torch.zeros(3))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_the_gain_keeps_the_variance():
    x = randn(64, 8, 16, 16)
    second_moment = activation.bias_lrelu(x.clone(), torch.zeros(8)).square().mean()
    assert_close(second_moment, torch.tensor(1.04), rtol=0.01, atol=0)  # (1 + 0.2^2) / 2 * sqrt(2)^2
