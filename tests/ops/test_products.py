"""Matrix products are the same whichever library makes them."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from lianpu.ops import products
from tests.ops.compare import randn

KINDS = ["mkl", pytest.param("onednn", marks=pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this torch does not offer oneDNN's products"))]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("turned", [False, True])
def test_each_kind_multiplies(kind, turned, monkeypatch):
    monkeypatch.setattr(products, "KIND", kind)
    a, b = randn(3, 7, 5, seed=1), randn(3, 5, 4, seed=2)
    if turned:  # the same numbers, the other memory order
        b = b.transpose(1, 2).contiguous().transpose(1, 2)
    out = torch.full((3, 7, 4), float("nan"))
    products.multiply(a, b, out)
    assert_close(out, a @ b)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_adds_products(kind, monkeypatch):
    monkeypatch.setattr(products, "KIND", kind)
    y, x = randn(3, 7, 4, seed=1), randn(3, 7, 5, seed=2)
    u = torch.full((3, 4, 5), float("nan"))
    products.add_product(u, y, x, first=True)
    assert_close(u, y.mT @ x)
    products.add_product(u, y, x, first=False)
    assert_close(u, 2 * (y.mT @ x))


def test_the_kind_follows_the_processor(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert products._kind() == "mkl"
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert products._kind() in ("onednn", "slow")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert products._kind() == "slow"
