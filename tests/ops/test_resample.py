"""Resampling: the strided forms equal zero insertion, padding, filtering and decimation, to second order, for any
even filter.
"""

from __future__ import annotations

import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch.testing import assert_close

from lianpu.ops import plain, resample
from tests.ops.compare import assert_same, channels_last, randn

FILTERS = {"binomial": resample.binomial().double(), "lopsided 6x6": randn(6, 6, dtype=torch.float64).abs()}


@pytest.mark.parametrize("f", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("order", [torch.Tensor.contiguous, channels_last])
def test_fast_forms_equal_the_definition_to_second_order(f, order):
    x = order(randn(2, 3, 8, 6, dtype=torch.float64))
    for name in ("upsample", "downsample"):
        fast, slow = getattr(resample, name), getattr(plain, name)
        assert_same(lambda x, op=fast: op(x, f, 0.7), lambda x, op=slow: op(x, f, 0.7), [x], 1e-12)
    assert_same(lambda x: resample.blur(x, f, 2, 0.7), lambda x: plain.blur(x, f, 2, 0.7), [x], 1e-12)


def test_a_flat_picture_stays_flat_away_from_the_border():
    flat, f = torch.full((1, 2, 16, 16), 0.3), resample.binomial()
    for y in (resample.upsample(flat, f), resample.downsample(flat, f), resample.blur(flat, f, 2)):
        assert_close(y[:, :, 2:-2, 2:-2], torch.full_like(y[:, :, 2:-2, 2:-2], 0.3))
        assert y[0, 0, 0, 0] < 0.3  # outside is zero


def test_downsampling_is_a_quarter_of_the_adjoint_of_upsampling():
    f = resample.binomial().double()  # symmetric: turned round it is itself
    x, y = randn(1, 2, 6, 6, dtype=torch.float64), randn(1, 2, 12, 12, dtype=torch.float64)
    assert_close((resample.upsample(x, f) * y).sum(), 4 * (x * resample.downsample(y, f)).sum())


def test_the_filter_is_binomial():
    f = resample.binomial()
    row = torch.tensor([1, 3, 3, 1]) / 8
    assert torch.equal(f, torch.outer(row, row))
    assert f.sum() == 1


@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_gaussian_blur_is_scipys(sigma):
    x = randn(1, 2, 20, 18, dtype=torch.float64)
    radius = int(3 * sigma + 0.999)
    theirs = gaussian_filter(x.numpy(), sigma, mode="mirror", radius=radius, axes=(2, 3))
    assert_close(resample.gaussian(x, sigma), torch.from_numpy(theirs), atol=1e-7, rtol=1e-7)
