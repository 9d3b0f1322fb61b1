"""Modulated convolution by scaling pixels equals modulated convolution by scaling weights, to second order."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from lianpu.ops import modconv, plain, resample
from tests.ops.compare import assert_same, channels_last, derivatives, randn

NOISES = {"no noise": None, "own noise": (3, 1), "one noise for all": ()}


def _inputs(noise: str, *, up: bool, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    size = 10 if up else 5
    x, w, s, b = (randn(*shape, dtype=dtype) for shape in ((3, 4, 5, 5), (6, 4, 3, 3), (3, 4), (6,)))
    shape = NOISES[noise]
    return [x, w, s, b] + ([] if shape is None else [randn(*shape, size, size, dtype=dtype)])


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("order", [torch.Tensor.contiguous, channels_last])
def test_fast_equals_plain_to_second_order(noise, up, order):
    fir = resample.binomial().double() if up else None

    def run(ops):
        def f(x, w, s, b, noise=None):
            return ops.styled_conv(order(x), w, s, b, noise, fir, 1.3)

        return f

    assert_same(run(modconv), run(plain), _inputs(noise, up=up), 1e-10)


def test_a_lopsided_filter_is_convolved_not_correlated():
    fir = randn(4, 4, dtype=torch.float64).abs()
    x, w, s, b = _inputs("no noise", up=True)
    assert_close(modconv.styled_conv(x, w, s, b, fir=fir), plain.styled_conv(x, w, s, b, fir=fir))


@pytest.mark.parametrize("up", [False, True])
def test_gradients_of_gradients_are_right(up):
    fir = resample.binomial().double() if up else None
    size = 4 if up else 2
    shapes = (2, 2, 2, 2), (2, 2, 3, 3), (2, 2), (2,), (2, 1, size, size)
    inputs = [randn(*shape, dtype=torch.float64).requires_grad_() for shape in shapes]

    def f(x, w, s, b, noise):
        return modconv.styled_conv(x, w, s, b, noise, fir)

    assert torch.autograd.gradcheck(f, inputs)
    assert torch.autograd.gradgradcheck(f, inputs)


def test_the_scale_of_the_weights_does_not_matter():
    x, w, s, b = _inputs("no noise", up=False)
    assert_close(modconv.styled_conv(x, 1000 * w, s, b), modconv.styled_conv(x, w, s, b))
    assert_close(modconv.styled_conv(x, w, 1000 * s, b), modconv.styled_conv(x, w, s, b))


def test_demodulation_keeps_unit_variance():
    """Eq. 3: of independent inputs of unit variance, the outputs have unit variance, whatever the style."""
    x, w, s = randn(16, 32, 18, 18), randn(24, 32, 3, 3), randn(16, 32, seed=1) * 5
    y = plain.modulated_conv(x, w, s)[:, :, 1:-1, 1:-1]
    assert_close(y.square().mean(), torch.tensor(1.0), rtol=0.03, atol=0)


def test_a_style_of_zero_switches_a_channel_off_and_has_finite_gradients():
    x, w, s, b = _inputs("no noise", up=False)
    s[:, 1] = 0
    other = x.clone()
    other[:, 1] = 99
    assert_close(modconv.styled_conv(x, w, s, b), modconv.styled_conv(other, w, s, b))
    assert all(g.isfinite().all() for g in derivatives(modconv.styled_conv, [x, w, s, b]))


@pytest.mark.parametrize("order", [torch.Tensor.contiguous, channels_last])
def test_to_rgb_equals_plain_to_second_order(order):
    shapes = (3, 4, 6, 5), (3, 4, 1, 1), (3, 4), (3,)
    inputs = [randn(*shape, dtype=torch.float64) for shape in shapes]
    assert_same(
        lambda x, w, s, b: modconv.to_rgb(order(x), w, s, b), lambda *inputs: plain.to_rgb(*inputs), inputs, 1e-12
    )
