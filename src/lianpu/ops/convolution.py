"""Convolution whose every derivative is again one of the same three maps, so that R1 and path length regularisation,
which differentiate a gradient, run on the same fast kernels as the first pass.

A convolution y = A(x, w) is bilinear. So are its adjoint in x, x = T(y, w), and its adjoint in w, w = W(x, y), and
the three are closed under differentiation: <y, A(x, w)> = <x, T(y, w)> = <w, W(x, y)>.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lianpu.ops import products, winograd

__all__ = ["A", "Geometry", "T", "W", "conv", "conv_transpose", "laid_out", "wanted"]

_BLOCK = 2**20  # gathered numbers per matrix product: they stay in the cache


class Geometry(NamedTuple):
    """What a convolution is besides its operands. `size` is the (h, w) of x, which stride 2 leaves open to T."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: int = 1
    padding: int = 0
    groups: int = 1

    @classmethod
    def of(cls, x: Tensor, w: Tensor, stride: int = 1, padding: int = 0, groups: int = 1) -> Geometry:
        """Of A(x, w)."""
        return cls((x.shape[2], x.shape[3]), (w.shape[2], w.shape[3]), stride, padding, groups)

    @classmethod
    def of_transpose(cls, y: Tensor, w: Tensor, stride: int = 1, padding: int = 0, groups: int = 1) -> Geometry:
        """Of T(y, w), with the smallest x."""
        h, width = ((n - 1) * stride - 2 * padding + k for n, k in zip(y.shape[2:], w.shape[2:], strict=True))
        return cls((h, width), (w.shape[2], w.shape[3]), stride, padding, groups)

    def pointwise(self, x: Tensor, w: Tensor) -> bool:
        """1x1 and a plain matrix product, which torch's own 1x1 convolution leaves to the slower library."""
        plain = self.kernel == (1, 1) and self.stride == 1 and self.padding == 0 and self.groups == 1
        return plain and min(w.shape[:2]) >= 128 and products.onednn(x)

    @property
    def same(self) -> bool:
        """3x3, and the picture keeps its size."""
        return self.kernel == (3, 3) and self.stride == self.padding == self.groups == 1


def _a(x: Tensor, w: Tensor, g: Geometry) -> Tensor:
    if g.same and winograd.pays(x, w.shape[0]):
        return winograd.correlate(x, w)
    if g.pointwise(x, w):
        return _pictures(products.linear(_pixels(x), w[:, :, 0, 0]), x)
    return F.conv2d(x, w, None, g.stride, g.padding, 1, g.groups)


def _t(y: Tensor, w: Tensor, g: Geometry) -> Tensor:
    if g.same and winograd.pays(y, w.shape[1]):
        return winograd.correlate(y, w, turned=True)
    if g.pointwise(y, w):
        return _pictures(products.linear(_pixels(y), w[:, :, 0, 0].T), y)
    if g.groups > 1 and g.stride == 1:  # a depthwise filter: turned round it is an ordinary, faster convolution
        return F.conv2d(y, w.flip(2, 3), None, 1, g.kernel[0] - 1 - g.padding, 1, g.groups)
    rest = [
        size - ((n - 1) * g.stride - 2 * g.padding + k)
        for size, n, k in zip(g.size, y.shape[2:], g.kernel, strict=True)
    ]
    return F.conv_transpose2d(y, w, None, g.stride, g.padding, rest, g.groups)


def _w(x: Tensor, y: Tensor, g: Geometry) -> Tensor:
    if g.same and winograd.pays(x, y.shape[1], weights=True):
        return winograd.weight_gradient(x, y)
    like = x.new_empty(y.shape[1], x.shape[1] // g.groups, *g.kernel)
    if g.pointwise(x, like):
        return products.linear(_pixels(y).T, _pixels(x).T)[:, :, None, None]
    if _products_pay(like, g):
        return _w_by_products(x, y, g)
    stride, padding = [g.stride] * 2, [g.padding] * 2
    return torch.ops.aten.convolution_backward(
        y, x, like, None, stride, padding, [1, 1], False, [0, 0], g.groups, [False, True, False]
    )[1]


def _products_pay(w: Tensor, g: Geometry) -> bool:
    """Whether W, shaped as w, is had sooner by `_w_by_products`; measured, as in `winograd.pays`."""
    if g.groups > 1 or g.kernel == (1, 1) or w.device.type != "cpu" or w.dtype != torch.float32:
        return False
    return products.KIND == "mkl" or (products.KIND == "onednn" and g.stride > 1 and min(w.shape[:2]) >= 256)


def _pixels(x: Tensor) -> Tensor:
    """(n, c, h, w) -> (n h w, c)."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _pictures(pixels: Tensor, like: Tensor) -> Tensor:
    """(n h w, c) -> (n, c, h, w), n, h and w those of `like`; not as a view, which may not be written over once it has
    left a Function.
    """
    (n, _, h, w), c = like.shape, pixels.shape[1]
    return pixels.new_empty(0).set_(pixels.untyped_storage(), 0, (n, c, h, w), (h * w * c, 1, w * c, c))


def _w_by_products(x: Tensor, y: Tensor, g: Geometry) -> Tensor:
    """W as matrix products over blocks of rows, with the pixels under the kernel gathered beside each other: 1.2 to
    1.6 times as fast on a CPU with AVX2 as oneDNN's weight gradient.
    """
    (kh, kw), s, p = g.kernel, g.stride, g.padding
    (n, i), (o, h, w) = x.shape[:2], y.shape[1:]
    x, y = x.permute(0, 2, 3, 1), y.permute(0, 2, 3, 1)  # pixels outside, channels inside
    row = w * kh * kw * i
    rows = max(1, min(h, _BLOCK // row))
    pictures = max(1, min(n, _BLOCK // (row * h)))
    padded = x.new_zeros(pictures, x.shape[1] + 2 * p, x.shape[2] + 2 * p, i) if p else x
    gathered = x.new_empty(pictures * rows * row)
    kernels = torch.empty(o, i, kh, kw, dtype=x.dtype, memory_format=torch.channels_last)
    total = kernels.permute(0, 2, 3, 1).view(o, kh * kw * i).zero_()
    for first in range(0, n, pictures):
        some = x[first : first + pictures]
        if p:
            padded[: len(some), p:-p, p:-p] = some
            some = padded[: len(some)]
        for top in range(0, h, rows):
            part = y[first : first + pictures, top : top + rows]
            k, r = part.shape[:2]
            taps = gathered[: k * r * row].view(k, r, w, kh * kw, i)
            for a in range(kh):
                for b in range(kw):
                    down, right = s * top + a, b
                    taps[:, :, :, a * kw + b] = some[
                        :, down : down + s * (r - 1) + 1 : s, right : right + s * (w - 1) + 1 : s
                    ]
            products.add_product(total[None], part.reshape(1, -1, o), taps.view(1, -1, kh * kw * i), first=False)
    return kernels


def wanted(ctx: Any, argument: int) -> bool:
    """Whether this backward pass needs the gradient of a tensor argument. `ctx.needs_input_grad` knows only that some
    pass may: without this, the gradient with respect to a picture that R1 squares would compute those of all weights.
    """
    node = ctx.next_functions[argument][0]
    try:
        return node is not None and torch._C._will_engine_execute_node(node)  # as torch.autograd.graph uses it
    except (RuntimeError, AttributeError):  # it refuses leaves that autograd.grad was asked for; it is not public
        return True


class A(torch.autograd.Function):
    """y (n, o, h', w') = A(x, w): correlation of x (n, i, h, w) with w (o, i / groups, kh, kw)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, g: Geometry) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.g = g
        return _a(x, w, g)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (gy,), (x, w) = grads, ctx.saved_tensors
        first = T.apply(gy, w, ctx.g) if wanted(ctx, 0) else None
        return first, W.apply(x, gy, ctx.g) if wanted(ctx, 1) else None, None


class T(torch.autograd.Function):
    """x = T(y, w), the adjoint of A in x."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, w: Tensor, g: Geometry) -> Tensor:
        ctx.save_for_backward(y, w)
        ctx.g = g
        return _t(y, w, g)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (gx,), (y, w) = grads, ctx.saved_tensors
        first = A.apply(gx, w, ctx.g) if wanted(ctx, 0) else None
        return first, W.apply(gx, y, ctx.g) if wanted(ctx, 1) else None, None


class W(torch.autograd.Function):
    """w = W(x, y), the adjoint of A in w."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, g: Geometry) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.g = g
        return _w(x, y, g)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (gw,), (x, y) = grads, ctx.saved_tensors
        first = T.apply(y, gw, ctx.g) if wanted(ctx, 0) else None
        return first, A.apply(x, gw, ctx.g) if wanted(ctx, 1) else None, None


def conv(x: Tensor, w: Tensor, stride: int = 1, padding: int = 0, groups: int = 1) -> Tensor:
    """Correlation of x (n, i, h, w) with w (o, i / groups, kh, kw); zero outside the picture."""
    return A.apply(x, w, Geometry.of(x, w, stride, padding, groups))  # type: ignore[return-value]


def conv_transpose(y: Tensor, w: Tensor, stride: int = 1, padding: int = 0, groups: int = 1) -> Tensor:
    """The adjoint of `conv`: (n, o, h, w) -> (n, i, (h - 1) stride - 2 padding + kh, ...) for w (o, i / groups, kh,
    kw).
    """
    return T.apply(y, w, Geometry.of_transpose(y, w, stride, padding, groups))  # type: ignore[return-value]


def laid_out(x: Tensor) -> Tensor:
    """Pictures or kernels in the memory order that convolutions on their device like best; the operators here keep
    it.

    On a CPU pixels outside and channels inside: oneDNN's kernels for it are 1.3 to 2.8 times as fast as those for the
    other order.
    """
    last = x.device.type == "cpu" or x.dtype == torch.bfloat16
    return x.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
