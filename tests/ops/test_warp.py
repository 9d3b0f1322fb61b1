"""The linear warp is the materialised one, in values and gradients, and at no moment holds anything like its matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from lianpu.ops import plain
from lianpu.ops.warp import cycle, matches, warp
from tests.ops.compare import randn

TAU = 0.01


def descriptors(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Unit vectors (n, d, h, w) that vary slowly over the picture, as a network's do: the softmax is soft, not one-hot."""
    n, d, h, w = shape
    coarse = F.interpolate(randn(n, d, 4, 4, seed=seed, dtype=torch.float64), (h, w), mode="bicubic")
    return F.normalize(coarse - coarse.mean(1, keepdim=True), dim=1).to(dtype)


def both_ways(f: Callable[..., Tensor], query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
    """The warp, its cycle, and the gradients of a loss on both."""
    q, k, v = (x.detach().clone().requires_grad_() for x in (query, key, value))
    y = f(q, k, v, TAU)
    back = f(k, q, y, TAU)
    (y.square().mean() + (back - v.detach()).abs().mean()).backward()
    return [x.detach().double() for x in (y, back, q.grad, k.grad, v.grad) if x is not None]


# channels of the value fewer than, as many as, and more than those of the descriptors; a reference of another size
@pytest.mark.parametrize("c", [3, 16, 40])
@pytest.mark.parametrize("size", [(8, 8), (6, 11)])
def test_the_warp_and_its_cycle_are_the_materialised_ones(c, size):
    q, k = descriptors(2, 16, 8, 8, seed=1), descriptors(2, 16, *size, seed=2)
    v = randn(2, c, *size, dtype=torch.float64)
    for have, want in zip(both_ways(warp, q, k, v), both_ways(plain.warp, q, k, v), strict=True):
        assert_close(have, want, rtol=0, atol=1e-11 * float(want.abs().max()))


def test_float32_is_as_close_to_float64_as_the_materialised_one():
    """At tau = 0.01 the logits reach 100, of which float32 keeps six digits."""
    q, k, v = descriptors(1, 64, 24, 24, seed=1), descriptors(1, 64, 24, 24, seed=2), randn(1, 3, 24, 24)
    truth = both_ways(plain.warp, q, k, v.double())
    for f in (warp, plain.warp):
        for have, want in zip(both_ways(f, q.float(), k.float(), v), truth, strict=True):
            assert_close(have, want, rtol=0, atol=5e-5 * float(want.abs().max()))


def test_the_cycle_is_the_softmax_over_the_other_axis_of_the_same_matrix():
    q, k, y = descriptors(1, 8, 5, 5, seed=1), descriptors(1, 8, 5, 5, seed=2), randn(1, 3, 5, 5, dtype=torch.float64)
    m = torch.einsum("ndu,ndv->nuv", q.flatten(2), k.flatten(2)) / TAU
    want = torch.einsum("nuv,ncu->ncv", m.softmax(1), y.flatten(2)).view_as(y)
    assert_close(cycle(q, k, y, TAU), want)


def test_a_reference_put_in_another_order_is_put_back():
    """A query equal to one key and orthogonal to the others takes that key's value, wherever it stands."""
    one_hot = torch.eye(36, dtype=torch.float64).view(1, 36, 6, 6)
    order = torch.randperm(36, generator=torch.Generator().manual_seed(0))
    v = randn(1, 5, 6, 6, dtype=torch.float64)
    shuffled_key = one_hot.flatten(2)[..., order].view_as(one_hot)
    shuffled_v = v.flatten(2)[..., order].view_as(v)
    assert_close(warp(one_hot, shuffled_key, shuffled_v, TAU), v)
    match = matches(one_hot, shuffled_key, TAU)
    assert torch.equal(match.index[0], order.argsort())


@pytest.mark.parametrize("scale", [0.01, 1.0])
def test_a_warped_picture_keeps_its_range(scale):
    """Weights are positive and sum to one: constants stay, nothing leaves the hull of the values."""
    q, k = descriptors(1, 16, 8, 8, seed=1), descriptors(1, 16, 8, 8, seed=2)
    assert_close(
        warp(q, k, torch.full((1, 2, 8, 8), 3.5, dtype=torch.float64), scale), torch.full((1, 2, 8, 8), 3.5).double()
    )
    v = randn(1, 3, 8, 8, dtype=torch.float64)
    y = warp(q, k, v, scale)
    assert v.amin() <= y.amin() and y.amax() <= v.amax()


# ---- memory --------------------------------------------------------------------------------------------------------


class Largest(TorchDispatchMode):
    """The most numbers any operator inside has returned in one tensor, forward and backward."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for x in out if isinstance(out, tuple | list) else [out]:
            if isinstance(x, Tensor):
                self.numbers = max(self.numbers, x.numel())
        return out


def largest(f: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor) -> int:
    with Largest() as seen:
        both_ways(f, q, k, v)
    return seen.numbers


def unpadded(query: Tensor, key: Tensor, value: Tensor, temperature: float) -> Tensor:
    """What anyone would write first."""
    q, k, v = (x.flatten(2).transpose(1, 2)[:, None] for x in (query, key, value))
    y = F.scaled_dot_product_attention(q, k, v, scale=1 / temperature)
    return y[:, 0].transpose(1, 2).reshape(value.shape[:2] + query.shape[2:])


@pytest.mark.parametrize(("d", "c"), [(64, 3), (64, 64), (16, 64), (54, 5)])
def test_no_tensor_comes_near_the_size_of_the_matrix(d, c):
    n = 32 * 32
    q, k = (descriptors(1, d, 32, 32, seed=s, dtype=torch.float32) for s in (1, 2))
    assert largest(warp, q, k, randn(1, c, 32, 32)) == n * math.ceil(max(c, d) / 4) * 4


def test_the_guard_sees_a_matrix_where_there_is_one():
    n = 32 * 32
    q, k = (descriptors(1, 64, 32, 32, seed=s, dtype=torch.float32) for s in (1, 2))
    assert largest(plain.warp, q, k, randn(1, 3, 32, 32)) == n * n
    assert largest(unpadded, q, k, randn(1, 3, 32, 32)) == n * n  # torch falls back to the matrix without a word


# ---- precision, devices --------------------------------------------------------------------------------------------


def test_every_operand_is_wide_enough_for_every_kernel(monkeypatch):
    """Torch's kernels for CUDA that hold no matrix take float32 only where its rows begin at multiples of 16 bytes."""
    taken: list[Tensor] = []
    own = F.scaled_dot_product_attention
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda *x, **other: taken.extend(x) or own(*x, **other))
    q, k = descriptors(1, 54, 4, 4, seed=1), descriptors(1, 54, 4, 4, seed=2)
    warp(q, k, randn(1, 3, 4, 4, dtype=torch.float64), TAU)
    assert [x.shape[-1] for x in taken] == [56] * 3 and all(x.is_contiguous() for x in taken)


def test_a_network_s_descriptors_are_not_copied():
    """Laid out as its convolutions leave them, places outside and channels inside, they are what the kernel wants."""
    q = descriptors(1, 64, 8, 8).contiguous(memory_format=torch.channels_last).requires_grad_()
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.data_ptr()) or t, lambda t: t):
        warp(q, q, randn(1, 3, 8, 8, dtype=torch.float64), TAU)
    assert kept.count(q.data_ptr()) >= 2


def test_autocast_does_not_reach_the_cosines():
    q, k, v = (
        x.float() for x in (descriptors(1, 32, 8, 8, seed=1), descriptors(1, 32, 8, 8, seed=2), randn(1, 3, 8, 8))
    )
    with torch.autocast("cpu", torch.bfloat16):
        assert_close(
            warp(q, k, v, TAU), plain.warp(q.double(), k.double(), v.double(), TAU).float(), rtol=1e-4, atol=1e-4
        )


def test_half_precision_descriptors_are_taken_as_they_are():
    q, k, v = (
        x.bfloat16() for x in (descriptors(1, 32, 8, 8, seed=1), descriptors(1, 32, 8, 8, seed=2), randn(1, 3, 8, 8))
    )
    want = plain.warp(q.double(), k.double(), v.double(), TAU)
    assert_close(warp(q, k, v, TAU).double(), want, rtol=1e-4, atol=1e-4)


def test_shapes_without_numbers():
    x = torch.empty(2, 64, 32, 32, device="meta", requires_grad=True)
    y = warp(x, x, torch.empty(2, 3, 32, 32, device="meta"), TAU)
    y.sum().backward()
    assert y.shape == (2, 3, 32, 32) and x.grad is not None and x.grad.shape == x.shape


# ---- matches -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 7, 512])
def test_matches_are_those_of_the_whole_matrix(chunk):
    q, k = descriptors(2, 16, 8, 8, seed=1), descriptors(2, 16, 6, 11, seed=2)
    p = (torch.einsum("ndu,ndv->nuv", q.flatten(2), k.flatten(2)) / TAU).softmax(2)
    match = matches(q, k, TAU, chunk)
    assert torch.equal(match.index, p.argmax(2))
    assert_close(match.confidence, p.amax(2))
    assert_close(match.entropy, torch.distributions.Categorical(p).entropy())


def test_who_knows_nothing_has_the_entropy_of_all_places():
    q = descriptors(1, 8, 4, 4)
    match = matches(q, q.mean((2, 3), keepdim=True).expand_as(q), TAU)
    assert_close(match.entropy, torch.full((1, 16), math.log(16)).double())
    assert_close(match.confidence, torch.full((1, 16), 1 / 16).double())


def test_matches_carry_no_gradient():
    q = descriptors(1, 8, 4, 4).requires_grad_()
    assert not any(x.requires_grad for x in matches(q, q, TAU))
