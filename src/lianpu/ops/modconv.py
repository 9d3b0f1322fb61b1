"""Modulated convolution: a style scales the weights of every picture, demodulation takes the expected scale out again
(Karras et al. 2020b, Eq. 1 and 3), then noise, bias and lrelu (Fig. 2c).

Nothing here makes a picture's own 3x3 weights: to scale the weights is to scale what goes in and what comes out,
since both are linear.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lianpu.ops.activation import SLOPE, SQRT2, LreluGradient, pieces
from lianpu.ops.convolution import A, Geometry, T, W, laid_out, wanted

__all__ = ["demodulation", "styled_conv", "to_rgb"]

EPS = 1e-8


def demodulation(weight: Tensor, style: Tensor) -> Tensor:
    """Eq. 3 of weight (o, i, k, k) and style (n, i), by sum_ik (s_i w_oik)^2 = sum_i s_i^2 sum_k w_oik^2: one matrix
    product; (n, o).
    """
    return (style.square() @ weight.square().sum(dim=(2, 3)).T + EPS).rsqrt()


class _Scale(torch.autograd.Function):
    """x (n, c, h, w) times s (n, c). `_Scale` and `_Dot` are each other's derivatives."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, s: Tensor) -> Tensor:
        ctx.save_for_backward(x, s)
        return x * s[:, :, None, None]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (g,), (x, s) = grads, ctx.saved_tensors
        return _Scale.apply(g, s) if wanted(ctx, 0) else None, _Dot.apply(g, x) if wanted(ctx, 1) else None


class _Dot(torch.autograd.Function):
    """sum over pixels of x y: (n, c) of two (n, c, h, w)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        return torch.cat([(a * b).sum((2, 3)) for a, b in pieces(x, y)])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (g,), (x, y) = grads, ctx.saved_tensors
        return _Scale.apply(y, g) if wanted(ctx, 0) else None, _Scale.apply(x, g) if wanted(ctx, 1) else None


def _scaled(x: Tensor, s: Tensor) -> Tensor:
    """x times s; over x, which nothing else may need, unless someone wants to differentiate this."""
    return _Scale.apply(x, s) if torch.is_grad_enabled() else x.mul_(s[:, :, None, None])  # type: ignore[return-value]


class _StyledConv(torch.autograd.Function):
    """y = lrelu(d c + noise + b), c = conv(s x, w): one convolution, and as few other passes over the pixels as there
    can be.

    c is overwritten by y, which knows enough of it: with z = d c + noise + b and lrelu'(z) z = lrelu(z), <g_z, z> =
    <g, y>, so that the gradient of d, <g_z, c>, is (<g, y> - <g_z, noise> - <g_z, b>) / d.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w: Tensor, s: Tensor, d: Tensor, noise: Tensor | None, b: Tensor, fir: Tensor | None
    ) -> Tensor:
        sx = x * s[:, :, None, None]
        if fir is None:
            g = Geometry.of(x, w, padding=w.shape[2] // 2), None
            y: Tensor = A.apply(sx, w, g[0])  # type: ignore[assignment]
        else:
            g = (
                Geometry.of_transpose(x, w, stride=2),
                Geometry((2 * x.shape[2] + 1, 2 * x.shape[3] + 1), (4, 4), 1, 1, len(fir)),
            )
            y = A.apply(T.apply(sx, w.transpose(0, 1), g[0]), fir, g[1])  # type: ignore[assignment]
        own = y.new_zeros(()) if noise is None else noise
        for part, scale, extra in pieces(y, d[:, :, None, None], own.expand(len(y), 1, *y.shape[2:])):
            F.leaky_relu_(part.mul_(scale).add_(extra).add_(b[:, None, None]), SLOPE)
        ctx.save_for_backward(x, sx, w, s, d, noise, b, fir, y)
        ctx.g = g
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (gy,), (x, sx, w, s, d, noise, b, fir, y) = grads, ctx.saved_tensors
        (g, g_fir), learns = ctx.g, wanted(ctx, 1)
        if torch.is_grad_enabled():
            sx = _Scale.apply(x, s)  # again, with its own derivatives
        gz: Tensor = LreluGradient.apply(gy, y, SLOPE, 1.0)  # type: ignore[assignment]
        total = gz.sum((2, 3))
        gd = _Dot.apply(gy, y) - total * b
        g_noise = None
        if noise is not None:
            g_noise = gz.sum(1, keepdim=True).sum_to_size(noise.shape)
            flat = noise.expand(len(y), 1, *y.shape[2:]).flatten(2)  # (n, 1, h w)
            gd = gd - (flat @ gz.permute(0, 2, 3, 1).flatten(1, 2))[:, 0]
        gc = _scaled(gz, d)
        if fir is None:
            g_sx = T.apply(gc, w, g)
            gw = W.apply(sx, gc, g) if learns else None
        else:
            gc = T.apply(gc, fir, g_fir)
            g_sx = A.apply(gc, w.transpose(0, 1), g)
            gw = W.apply(gc, sx, g).transpose(0, 1) if learns else None  # type: ignore[union-attr]
        gs = _Dot.apply(g_sx, x)
        return _scaled(g_sx, s), gw, gs, gd / d, g_noise, total.sum(0), None  # type: ignore[arg-type]


def styled_conv(
    x: Tensor,
    weight: Tensor,
    style: Tensor,
    bias: Tensor,
    noise: Tensor | None = None,
    fir: Tensor | None = None,
    gain: float = SQRT2,
) -> Tensor:
    """(n, o, h, w) = gain lrelu(demodulated convolution of x (n, i, h, w) + noise + bias); twice the size with a
    filter `fir` (4, 4).

    weight: (o, i, 3, 3), of any scale; style: (n, i); bias: (o,); noise: (n, 1, h, w) or (h, w). With `fir` a
    transposed convolution doubles the picture and the filter smooths it.
    """
    d, noise = demodulation(weight, style), None if noise is None else (noise * gain).to(x.dtype)
    if fir is not None:
        fir = (fir.flip(0, 1) * 4).to(x.dtype).expand(len(weight), 1, 4, 4)
    weight, style, d, bias = (v.to(x.dtype) for v in (weight, style, d * gain, bias * gain))
    return _StyledConv.apply(x, laid_out(weight), style, d, noise, bias, fir)  # type: ignore[return-value]


def to_rgb(x: Tensor, weight: Tensor, style: Tensor, bias: Tensor) -> Tensor:
    """A picture (n, c, h, w) of x (n, i, h, w): 1x1 modulated convolution without demodulation, plus bias (c,).

    weight: (c, i, 1, 1); style: (n, i). Here a picture's own weights are made: there are only c i of them, far fewer
    than pixels.
    """
    n, i, h, w = x.shape
    own = (weight[:, :, 0, 0] * style[:, None, :]).to(x.dtype)  # (n, c, i)
    bias = bias.to(x.dtype)
    if x.is_contiguous(memory_format=torch.channels_last):
        y = torch.baddbmm(bias, x.permute(0, 2, 3, 1).reshape(n, h * w, i), own.mT)
        return y.view(n, h, w, -1).permute(0, 3, 1, 2)
    return torch.baddbmm(bias[:, None], own, x.reshape(n, i, h * w)).view(n, -1, h, w)
