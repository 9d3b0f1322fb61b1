"""Every operator of `nets/stylegan2.py`, and the warp of `nets/cocosnet.py`, as its equation reads, one step after the
other: the oracle that judges the fast versions in `convolution`, `resample`, `activation`, `modconv` and `warp`, under
the same names and with the same arguments.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "bias_lrelu",
    "blur",
    "conv",
    "conv_transpose",
    "downsample",
    "laid_out",
    "modulated_conv",
    "styled_conv",
    "to_rgb",
    "upfirdn",
    "upsample",
    "warp",
]

SLOPE = 0.2
EPS = 1e-8


def laid_out(x: Tensor) -> Tensor:
    """(n, c, h, w) in memory as it is written."""
    return x.contiguous()


def conv(x: Tensor, w: Tensor, stride: int = 1, padding: int = 0, groups: int = 1) -> Tensor:
    """Correlation of x (n, i, h, w) with w (o, i / groups, kh, kw); zero outside the picture."""
    return F.conv2d(x, w, stride=stride, padding=padding, groups=groups)


def conv_transpose(y: Tensor, w: Tensor, stride: int = 1, padding: int = 0, groups: int = 1) -> Tensor:
    """The adjoint of `conv`: (n, o, h, w) -> (n, i, (h - 1) stride - 2 padding + kh, ...) for w (o, i / groups, kh,
    kw).
    """
    return F.conv_transpose2d(y, w, stride=stride, padding=padding, groups=groups)


def upfirdn(
    x: Tensor,
    f: Tensor | None,
    up: tuple[int, int] = (1, 1),
    down: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    gain: float = 1.0,
    flip: bool = False,
) -> Tensor:
    """Zero insertion, padding, filtering and decimation of x (n, c, h, w), the four steps of resampling.

    f: (kh, kw), or (k,) for a separable filter, or None for the identity. up, down: factors along (x, y). padding:
    (left, right, top, bottom) pixels after zero insertion; negative ones crop. flip: correlate instead of convolve.
    """
    n, c, h, w = x.shape
    if f is None:
        f = x.new_ones(1, 1)
    elif f.ndim == 1:
        f = torch.outer(f, f)
    wide = x.new_zeros(n, c, h, up[1], w, up[0])
    wide[:, :, :, 0, :, 0] = x
    x = F.pad(wide.reshape(n, c, h * up[1], w * up[0]), padding)
    kernel = (f if flip else f.flip(0, 1)).to(x) * gain
    x = F.conv2d(x, kernel.expand(c, 1, -1, -1), groups=c)
    return x[:, :, :: down[1], :: down[0]]


def upsample(x: Tensor, f: Tensor, gain: float = 1.0) -> Tensor:
    """(n, c, h, w) -> (n, c, 2h, 2w), keeping the mean. f: (k, k) with k even."""
    k = f.shape[0]
    before, after = k // 2, k // 2 - 1
    return upfirdn(x, f, up=(2, 2), padding=(before, after, before, after), gain=4 * gain)


def downsample(x: Tensor, f: Tensor, gain: float = 1.0) -> Tensor:
    """(n, c, h, w) -> (n, c, h // 2, w // 2). f: (k, k) with k even."""
    pad = f.shape[0] // 2 - 1
    return upfirdn(x, f, down=(2, 2), padding=(pad, pad, pad, pad), gain=gain)


def blur(x: Tensor, f: Tensor, padding: int, gain: float = 1.0) -> Tensor:
    """(n, c, h, w) -> (n, c, h + 2 padding - k + 1, ...). f: (k, k)."""
    return upfirdn(x, f, padding=(padding, padding, padding, padding), gain=gain)


def bias_lrelu(x: Tensor, b: Tensor, gain: float = math.sqrt(2), scale: float = 1.0, slope: float = SLOPE) -> Tensor:
    """lrelu(scale x + b) gain. x: (n, c, ...); b: (c,)."""
    x = x * scale + b.to(x.dtype).view(-1, *[1] * (x.ndim - 2))
    return torch.where(x < 0, x * slope, x) * gain


def modulated_conv(
    x: Tensor, weight: Tensor, style: Tensor, noise: Tensor | None = None, fir: Tensor | None = None
) -> Tensor:
    """Convolution of x (n, i, h, w) with each picture's own weights, then noise added (Karras et al. 2020b, Eq. 1 and
    3).

    weight: (o, i, k, k); style: (n, i); noise: broadcasts to the output. With a filter `fir` the picture is doubled
    in size: by a transposed convolution, then the filter.
    """
    n, i, h, w = x.shape
    o, _, k, _ = weight.shape
    own = weight[None] * style[:, None, :, None, None]  # Eq. 1: w' = s w               (n, o, i, k, k)
    own = own * (own.square().sum(dim=(2, 3, 4), keepdim=True) + EPS).rsqrt()  # Eq. 3: w'' = w' / |w'|
    own, x = own.to(x.dtype), x.reshape(1, n * i, h, w)
    if fir is None:
        y = F.conv2d(x, own.reshape(n * o, i, k, k), padding=k // 2, groups=n)
    else:
        own = own.transpose(1, 2).reshape(n * i, o, k, k)
        y = upfirdn(F.conv_transpose2d(x, own, stride=2, groups=n), fir, padding=(1, 1, 1, 1), gain=4)
    y = y.reshape(n, o, *y.shape[2:])
    return y if noise is None else y + noise.to(y.dtype)


def styled_conv(
    x: Tensor,
    weight: Tensor,
    style: Tensor,
    bias: Tensor,
    noise: Tensor | None = None,
    fir: Tensor | None = None,
    gain: float = math.sqrt(2),
) -> Tensor:
    """Modulated convolution, noise, bias and lrelu, times gain (Karras et al. 2020b, Fig. 2c)."""
    return bias_lrelu(modulated_conv(x, weight, style, noise, fir), bias, gain)


def to_rgb(x: Tensor, weight: Tensor, style: Tensor, bias: Tensor) -> Tensor:
    """A 1x1 modulated convolution without demodulation. x: (n, i, h, w), weight: (c, i, 1, 1), style: (n, i), bias:
    (c,).
    """
    y = F.conv2d(x * style.to(x.dtype)[:, :, None, None], weight.to(x.dtype))
    return y + bias.to(x.dtype)[:, None, None]


def warp(query: Tensor, key: Tensor, value: Tensor, temperature: float) -> Tensor:
    """sum_v softmax_v(M(u, v) / tau) y(v), M(u, v) = q(u) . k(v) (Zhang et al. 2020, Eqs. 3 and 4), with M in memory.

    query: (n, d, h, w); key: (n, d, h', w'); value: (n, c, h', w') -> (n, c, h, w).
    """
    m = torch.einsum("nduv,ndxy->nuvxy", query, key) / temperature
    p = m.flatten(3).softmax(3)  # (n, h, w, h'*w')
    return torch.einsum("nuvp,ncp->ncuv", p, value.flatten(2))
