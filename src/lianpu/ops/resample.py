"""Resampling by two with a low-pass filter, StyleGAN2's "up", "down" and "blur" (Karras et al. 2020b, App. B; the
filter after Zhang 2019, "Making Convolutional Networks Shift-Invariant Again"). Outside the picture is zero. Each is
one strided depthwise convolution or its adjoint: no zeros are inserted and no pixel is computed to be thrown away, as
`plain.upfirdn` does.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lianpu.ops.convolution import conv, conv_transpose

__all__ = ["binomial", "blur", "downsample", "gaussian", "upsample"]


def binomial() -> Tensor:
    """StyleGAN2's filter: the outer square of [1, 3, 3, 1], divided by 64 so that it sums to one; (4, 4)."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64


def _depthwise(f: Tensor, x: Tensor, gain: float) -> Tensor:
    return (f * gain).to(x.dtype).expand(x.shape[1], 1, -1, -1)


def upsample(x: Tensor, f: Tensor, gain: float = 1.0) -> Tensor:
    """(n, c, h, w) -> (n, c, 2h, 2w), keeping the mean. f: (k, k) with k even."""
    return conv_transpose(x, _depthwise(f, x, 4 * gain), 2, f.shape[0] // 2 - 1, x.shape[1])


def downsample(x: Tensor, f: Tensor, gain: float = 1.0) -> Tensor:
    """(n, c, h, w) -> (n, c, h // 2, w // 2). f: (k, k) with k even."""
    return conv(x, _depthwise(f.flip(0, 1), x, gain), 2, f.shape[0] // 2 - 1, x.shape[1])


def blur(x: Tensor, f: Tensor, padding: int, gain: float = 1.0) -> Tensor:
    """(n, c, h, w) -> (n, c, h + 2 padding - k + 1, ...). f: (k, k)."""
    return conv(x, _depthwise(f.flip(0, 1), x, gain), 1, padding, x.shape[1])


def gaussian(x: Tensor, sigma: float) -> Tensor:
    """(n, c, h, w) blurred by a Gaussian of `sigma` pixels, cut off at 3 sigma; at the border the picture is mirrored."""
    radius = math.ceil(3 * sigma)
    at = torch.arange(-radius, radius + 1, device=x.device)
    taps = torch.exp(-0.5 * (at / sigma) ** 2)
    row = (taps / taps.sum()).to(x.dtype).expand(x.shape[1], 1, 1, -1)
    x = F.pad(x, [radius] * 4, mode="reflect")
    return F.conv2d(F.conv2d(x, row, groups=x.shape[1]), row.mT, groups=x.shape[1])
