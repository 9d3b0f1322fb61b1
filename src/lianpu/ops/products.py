"""Batches of matrix products on a CPU, by the library that is fast there. With AVX2 torch's own, MKL's, runs at about the
speed of oneDNN's convolutions. With AVX-512 those run at 250 GFLOP/s on AMD (Zen 5), MKL's products still at 105, oneDNN's
own at 230: torch offers these to its compiler alone, as an operator that may be missing one day.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

__all__ = ["KIND", "add_product", "linear", "multiply", "onednn"]

Kind = Literal["mkl", "onednn", "slow"]


def _kind() -> Kind:
    """By the processor's kind, never by timing: a run must not change its bits from one start to the next."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return "mkl"
    there = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return "onednn" if there else "slow"


KIND: Kind = _kind()
"""Which products are at hand; "slow" are those that convolutions outrun."""


def multiply(a: Tensor, b: Tensor, out: Tensor) -> None:
    """out = a b: (k, t, i), (k, i, o) -> (k, t, o)."""
    if not onednn(out):
        torch.bmm(a, b, out=out)
        return
    for part, left, right in zip(out, a, b, strict=True):
        part.copy_(linear(left, right.T))


def add_product(u: Tensor, y: Tensor, x: Tensor, *, first: bool) -> None:
    """u = y^T x, or u += y^T x if not `first`: (k, t, o), (k, t, i) -> (k, o, i)."""
    if not onednn(u):
        u.baddbmm_(y.transpose(1, 2), x, beta=0 if first else 1)
        return
    for part, left, right in zip(u, y, x, strict=True):
        product = linear(left.T, right.T)
        part.copy_(product) if first else part.add_(product)


def onednn(like: Tensor) -> bool:
    """Whether products of such tensors go to oneDNN."""
    return KIND == "onednn" and like.device.type == "cpu" and like.dtype == torch.float32


def linear(a: Tensor, b: Tensor) -> Tensor:
    """a b^T by oneDNN: (t, i), (o, i) -> (t, o)."""
    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
