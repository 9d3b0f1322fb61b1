"""A z-buffer for triangle meshes in plain torch, the same code on a CPU and on CUDA: which face each pixel sees is found without
gradient, then where on that face, how deep and with what attributes is computed again from its three corners, with gradient. As in
PyTorch3D with one face a pixel and no blur, a silhouette has no gradient.

Triangles are sorted by the powers of two that their bounding boxes fit in, and each is tested against the pixels of its own box only, all
of one size at once: work grows with the area drawn, not with pixels times faces. `plain.rasterise` is that product and judges it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lianpu.render.camera import EMPTY, focal

__all__ = ["Fragments", "interpolate", "rasterise"]

SLIVER = 1e-5
"""Triangles of a smaller area, in square pixels, are not drawn: their gradients grow with 1 / area."""
CLOSE = 1e-3
"""A triangle with a corner nearer than this, or behind the camera, is not drawn."""
_NOTHING = torch.iinfo(torch.int64).max


class Fragments(NamedTuple):
    """What each pixel sees of a mesh."""

    face: Tensor
    """(n, h, w) int64: the nearest face, -1 where there is none."""
    weights: Tensor
    """(n, h, w, 3): where on it, as weights of its corners in space that sum to one (0 where there is none); differentiable."""
    depth: Tensor
    """(n, h, w): its z, `EMPTY` where there is none; differentiable."""


def rasterise(vertices: Tensor, faces: Tensor, size: int, *, chunk: int = 1 << 22) -> Fragments:
    """Meshes (n, v, 3) before the camera, which share their faces (f, 3) int64, seen by `size` x `size` pixels.

    Both sides of a face are drawn; of two at the same depth, to one part in 10^7, the one with the lower number. Attributes and depth are
    correct in perspective. chunk: how many pairs of face and pixel are tested at once; memory grows with it.
    """
    on_screen = centred(vertices.double(), size)  # on a steep triangle a step of float32 across is many in depth
    face = _visible(on_screen.detach().to(vertices.dtype), faces, size, chunk)
    seen = face >= 0
    along = pixels(size, on_screen)
    # Empty pixels see a triangle round the picture, far from 0 / 0, so that no NaN comes back through `where`.
    empty = on_screen.new_tensor([[-1e4, -1e4, 1], [2e4, -1e4, 1], [-1e4, 2e4, 1]])
    corners = _corners(on_screen, empty, faces, face).flatten(-2).movedim(-1, 0).contiguous()  # (9, n, h, w)
    x0, y0, z0, x1, y1, z1, x2, y2, z2 = corners.unbind(0)
    (x0, x1, x2), (y0, y1, y2) = (x - along for x in (x0, x1, x2)), (y - along[:, None] for y in (y0, y1, y2))
    # Twice the areas that the pixel's centre cuts off opposite to the corners; over z, for what is linear on a plane in space is linear
    # over z on the picture.
    a0, a1, a2 = x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0
    b0, b1, b2 = a0 / z0, a1 / z1, a2 / z2
    total = b0 + b1 + b2
    weights = torch.stack([b0, b1, b2], -1) / total[..., None]
    return Fragments(
        face,
        torch.where(seen[..., None], weights, 0.0).to(vertices.dtype),
        torch.where(seen, (a0 + a1 + a2) / total, EMPTY).to(vertices.dtype),
    )


def interpolate(fragments: Fragments, faces: Tensor, attributes: Tensor) -> Tensor:
    """Attributes of the vertices, (n, v, c), as the pixels see them: (n, c, h, w), zero where there is nothing."""
    empty = attributes.new_zeros(3, attributes.shape[-1])
    corners = _corners(attributes, empty, faces, fragments.face)
    c0, c1, c2 = corners.movedim((-2, -1), (0, 1)).contiguous()  # (c, n, h, w) each
    w0, w1, w2 = fragments.weights.unbind(-1)
    return (w0 * c0 + w1 * c1 + w2 * c2).movedim(0, 1)


def centred(vertices: Tensor, size: int) -> Tensor:
    """Column and row from the picture's middle, where float32 steps are smallest, and z."""
    z = vertices[..., 2:]
    return torch.cat([vertices[..., :2] / z * focal(size), z], -1)


def pixels(size: int, like: Tensor) -> Tensor:
    """(size,): the columns, or rows, of the pixels from the picture's middle, exactly."""
    return torch.arange(size, device=like.device, dtype=like.dtype) - (size - 1) / 2


def _corners(rows: Tensor, empty: Tensor, faces: Tensor, face: Tensor) -> Tensor:
    """Rows of the vertices, (n, v, c), at the corners of each pixel's face: (n, h, w, 3, c); where there is none, `empty`, (3, c)."""
    n, v, c = rows.shape
    at = faces[face.clamp(min=0)] + v * torch.arange(n, device=rows.device).view(n, 1, 1, 1)
    at = torch.where(face[..., None] < 0, n * v + torch.arange(3, device=rows.device), at)
    # The gradient of index_select, an index_add, takes half the time on a CPU that rows[at] takes for its own.
    return torch.cat([rows.reshape(n * v, c), empty]).index_select(0, at.flatten()).view(*at.shape, c)


@torch.no_grad()
def _visible(corners: Tensor, faces: Tensor, size: int, chunk: int) -> Tensor:
    """(n, v, 3) column, row, z -> the nearest face of each pixel, (n, size, size), or -1."""
    middle = (size - 1) / 2
    n, f = len(corners), len(faces)
    # Every number that a face has is a row of its own, (n*f,): a CPU goes along rows several times as fast as across threes.
    rows = corners.permute(2, 0, 1).reshape(3 * n, -1).index_select(1, faces.T.flatten())
    rows = rows.view(3, n, 3, f).transpose(1, 2).reshape(9, n * f)
    x0, x1, x2, y0, y1, y2, z0, z1, z2 = rows
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    # A pixel's centre may lie outside by what rounding has moved the corner that lies on it.
    slack = size * torch.finfo(torch.float32).eps
    left, top = ((_least(*q) - slack + middle).ceil().clamp(min=0) for q in (rows[:3], rows[3:6]))  # from the corner
    right, bottom = ((_most(*q) + slack + middle).floor().clamp(max=size - 1) for q in (rows[:3], rows[3:6]))
    drawn = (left <= right) & (top <= bottom) & (area.abs() > SLIVER) & (_least(z0, z1, z2) > CLOSE)  # False where NaN
    which = drawn.nonzero()[:, 0]
    # ceil(log2(k)) is the binary exponent of k - 1
    across, down = (torch.frexp(k.index_select(0, which)).exponent for k in (right - left, bottom - top))
    boxes, order = (across * 32 + down).sort()
    which = which.index_select(0, order)
    # What each triangle needs, by its box: where that begins, and the weights of two corners and 1 / z, which are linear on the picture,
    # at its first pixel, from there to the right and down.
    x0, x1, x2, y0, y1, y2, z0, z1, z2 = rows.index_select(1, which)
    left, top, area = (q.index_select(0, which) for q in (left, top, area))
    scale = 1 / area
    px, py = left - middle, top - middle
    w0 = torch.stack([(x2 - x1) * (py - y1) - (y2 - y1) * (px - x1), y1 - y2, x2 - x1]) * scale
    w1 = torch.stack([(x0 - x2) * (py - y2) - (y0 - y2) * (px - x2), y2 - y0, x0 - x2]) * scale
    w2 = torch.stack([1 - w0[0] - w1[0], -w0[1] - w1[1], -w0[2] - w1[2]])
    over_z = w0 / z0 + w1 / z1 + w2 / z2
    mesh = which.div(f, rounding_mode="floor")
    first, number = (mesh * size + top.long()) * size + left.long(), which - mesh * f
    room = torch.stack([size - left, size - top])  # a box may be larger than what is left of the picture
    nearest = torch.full((n * size * size,), _NOTHING, dtype=torch.int64, device=corners.device)
    sizes, counts = boxes.unique_consecutive(return_counts=True)
    begin = 0
    for box, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        wide, high = 1 << (box // 32), 1 << (box % 32)
        right = torch.arange(wide, device=corners.device, dtype=corners.dtype)
        down = torch.arange(high, device=corners.device, dtype=corners.dtype)[:, None]
        offset = (down * size + right).long().view(1, -1)
        step = max(1, chunk // (wide * high))
        for start in range(begin, begin + count, step):
            part = slice(start, min(start + step, begin + count))

            def over_box(plane: Tensor, part: slice = part, right: Tensor = right, down: Tensor = down) -> Tensor:
                at, to_right, to_below = plane[:, part, None, None]
                return at + to_right * right + to_below * down  # (m, high, wide)

            a, b = over_box(w0), over_box(w1)
            inside = _least(a, b, 1 - a - b) >= -slack
            inside &= (right < room[0, part, None, None]) & (down < room[1, part, None, None])
            hit = inside.flatten().nonzero()[:, 0]
            triangle = hit.div(wide * high, rounding_mode="floor")
            pixel = (first[part, None] + offset).flatten().index_select(0, hit)
            depth = 1 / over_box(over_z).flatten().index_select(0, hit)
            # A positive float's bits are ordered as it is, so that one minimum finds the nearest and keeps its number.
            key = depth.float().view(torch.int32).long() << 32 | number[part].index_select(0, triangle)
            nearest.scatter_reduce_(0, pixel, key, "amin")
        begin += count
    return torch.where(nearest == _NOTHING, -1, nearest & 0xFFFFFFFF).view(n, size, size)


def _least(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return torch.minimum(torch.minimum(a, b), c)


def _most(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return torch.maximum(torch.maximum(a, b), c)
