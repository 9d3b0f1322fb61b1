"""Two ways to compute one thing: the same values, the same gradients, and the same gradients of gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.testing import assert_close


def derivatives(f: Callable[..., Tensor], inputs: list[Tensor]) -> list[Tensor]:
    """f(*inputs), its gradients along a fixed random direction, and the gradients of those along another."""
    leaves = [x.detach().clone().requires_grad_() for x in inputs]
    noise = torch.Generator().manual_seed(7)
    y = f(*leaves)
    first = torch.autograd.grad(y, leaves, torch.randn(y.shape, generator=noise).to(y), retain_graph=True)
    # once without a graph and once with one: these may be different code
    directions = [torch.randn(x.shape, generator=noise).to(x) for x in leaves]
    noise.manual_seed(7)
    cotangent = torch.randn(y.shape, generator=noise).to(y).requires_grad_()
    again = torch.autograd.grad(y, leaves, cotangent, create_graph=True)
    second = torch.autograd.grad(again, [*leaves, cotangent], directions, allow_unused=True)
    zeros = [torch.zeros_like(x) if g is None else g for x, g in zip([*leaves, cotangent], second, strict=True)]
    return [v.detach() for v in (y, *first, *again, *zeros)]


def assert_same(f: Callable[..., Tensor], g: Callable[..., Tensor], inputs: list[Tensor], tolerance: float) -> None:
    """f and g agree to second order, relative to the largest number of each tensor, or to one."""
    for ours, theirs in zip(derivatives(f, inputs), derivatives(g, inputs), strict=True):
        size = max(1.0, float(theirs.abs().max()))
        assert_close(ours, theirs, rtol=0, atol=tolerance * size)


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape)), dtype=dtype)


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
