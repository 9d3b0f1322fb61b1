"""Bias and activation, with the gain that keeps the variance: lrelu(x + b) sqrt(2), slope 0.2 (Karras et al. 2020b,
App. B).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["SLOPE", "SQRT2", "LreluGradient", "bias_lrelu", "pieces"]

SLOPE = 0.2
SQRT2 = math.sqrt(2)


_PIECE = 2**18  # numbers: what a core's own cache holds


def pieces(*tensors: Tensor) -> list[tuple[Tensor, ...]]:
    """Tensors (n, ...) a few pictures at a time on a CPU: several passes over what the cache holds cost little more
    than one.
    """
    if tensors[0].device.type != "cpu":
        return [tensors]
    some = max(1, _PIECE // max(1, tensors[0][0].numel()))
    return list(zip(*(x.split(some) for x in tensors), strict=True))


class LreluGradient(torch.autograd.Function):
    """scale lrelu'(y) g, for y = lrelu(...): linear in g, and constant in y wherever it is differentiable."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, y: Tensor, slope: float, scale: float) -> Tensor:
        ctx.save_for_backward(y)
        ctx.slope, ctx.scale = slope, scale
        gx = torch.ops.aten.leaky_relu_backward(g, y, slope, True)
        return gx if scale == 1 else gx.mul_(scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        return LreluGradient.apply(grads[0], y, ctx.slope, ctx.scale), None, None, None


class _BiasLrelu(torch.autograd.Function):
    """y = lrelu(scale x + b), written over x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, b: Tensor, slope: float, scale: float) -> Tensor:
        ctx.mark_dirty(x)
        for (part,) in pieces(x):
            F.leaky_relu_(torch.add(b, part, alpha=scale, out=part), slope)
        ctx.save_for_backward(x)
        ctx.slope, ctx.scale = slope, scale
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (y,) = ctx.saved_tensors
        gx = LreluGradient.apply(grads[0], y, ctx.slope, ctx.scale)
        gb = gx.sum((0, *range(2, gx.ndim)), keepdim=True)[0] / ctx.scale if ctx.needs_input_grad[1] else None
        return gx, gb, None, None


def bias_lrelu(x: Tensor, b: Tensor, gain: float = SQRT2, scale: float = 1.0, slope: float = SLOPE) -> Tensor:
    """lrelu(scale x + b) gain, written over x, which nothing else may need; x: (n, c, ...), b: (c,), gain and slope >
    0.

    For gain > 0, lrelu(x) gain = lrelu(gain x): both factors join the addition of the bias.
    """
    b = (b * gain).to(x.dtype).view(-1, *[1] * (x.ndim - 2))
    return _BiasLrelu.apply(x, b, slope, gain * scale)  # type: ignore[return-value]
