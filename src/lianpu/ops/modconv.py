"""Modulated convolution: the style scales the weights, demodulation takes the expected scale out again
(Karras et al. 2020b, Eq. 1 to 3, and App. B).
"""

from __future__ import annotations

import torch
from torch import Tensor

from lianpu.ops.convolution import conv, conv_transpose
from lianpu.ops.resample import blur

__all__ = ["demodulation", "modulated_conv", "to_rgb"]

EPS = 1e-8


def demodulation(weight: Tensor, style: Tensor) -> Tensor:
    """Eq. 3 without the weights of each sample: sum_ik (s_i w_oik)^2 = sum_i s_i^2 sum_k w_oik^2, one matrix product; (n, o)."""
    return (style.square() @ weight.square().sum(dim=(2, 3)).T + EPS).rsqrt()


def modulated_conv(
    x: Tensor, weight: Tensor, style: Tensor, noise: Tensor | None = None, fir: Tensor | None = None, gain: float = 1.0
) -> Tensor:
    """`plain.modulated_conv`, by scaling what goes in and what comes out instead of the weights: both are linear."""
    d = demodulation(weight, style)[:, :, None, None] * gain
    x = x * style.to(x.dtype)[:, :, None, None]
    w = weight.to(x.dtype)
    if fir is None:
        y = conv(x, w, padding=weight.shape[2] // 2)
    else:
        y = blur(conv_transpose(x, w.transpose(0, 1), stride=2), fir, padding=1, gain=4)
    d = d.to(y.dtype)
    return y * d if noise is None else torch.addcmul((noise * gain).to(y.dtype), y, d)


def to_rgb(x: Tensor, weight: Tensor, style: Tensor, bias: Tensor) -> Tensor:
    """`plain.to_rgb` with each sample's own weights: only c i of them, far fewer than pixels to scale."""
    n, i, h, w = x.shape
    own = (weight[:, :, 0, 0] * style[:, None, :]).to(x.dtype)  # (n, c, i)
    y = torch.baddbmm(bias.to(x.dtype)[:, None], own, x.reshape(n, i, h * w))
    return y.view(n, -1, h, w)
