"""Bias and activation, with the gain that keeps the variance: lrelu(x + b) * sqrt(2), slope 0.2 (Karras et al. 2020b, App. B)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["SLOPE", "SQRT2", "bias_lrelu"]

SLOPE = 0.2
SQRT2 = math.sqrt(2)


def bias_lrelu(x: Tensor, b: Tensor | None, gain: float = SQRT2, scale: float = 1.0, slope: float = SLOPE) -> Tensor:
    """lrelu(scale x + b) gain in one new tensor; x: (n, c, ...), b: (c,).

    For gain > 0, lrelu(x) gain = lrelu(gain x): both factors join the addition of the bias.
    """
    if b is None:
        return F.leaky_relu(x * (gain * scale), slope, inplace=True)
    b = (b * gain).to(x.dtype).view(-1, *[1] * (x.ndim - 2))
    return F.leaky_relu(torch.add(b, x, alpha=gain * scale), slope, inplace=True)
