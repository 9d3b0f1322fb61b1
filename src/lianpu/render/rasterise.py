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
    corners = _corners(on_screen, faces, face)
    # What empty pixels compute instead, far from 0 / 0, so that no NaN comes back through `where`.
    somewhere = corners.new_tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    column, row, z = torch.where(seen[..., None, None], corners, somewhere).unbind(-1)  # (n, h, w, 3) each
    along = pixels(size, on_screen)
    x = torch.where(seen[..., None], column - along[:, None], column)  # from the pixel's own centre
    y = torch.where(seen[..., None], row - along[:, None, None], row)
    opposite = x.roll(-1, -1) * y.roll(-2, -1) - x.roll(-2, -1) * y.roll(
        -1, -1
    )  # twice the areas opposite to the corners
    flat = opposite / opposite.sum(-1, keepdim=True) / z  # on the picture; over z, for what is linear there is 1 / z
    total = flat.sum(-1, keepdim=True)
    weights = torch.where(seen[..., None], flat / total, 0.0)
    return Fragments(face, weights.to(vertices.dtype), torch.where(seen, 1 / total[..., 0], EMPTY).to(vertices.dtype))


def interpolate(fragments: Fragments, faces: Tensor, attributes: Tensor) -> Tensor:
    """Attributes of the vertices, (n, v, c), as the pixels see them: (n, c, h, w), zero where there is nothing."""
    corners = _corners(attributes, faces, fragments.face)  # (n, h, w, 3, c)
    return (fragments.weights[..., None] * corners).sum(-2).permute(0, 3, 1, 2)


def centred(vertices: Tensor, size: int) -> Tensor:
    """Column and row from the picture's middle, where float32 steps are smallest, and z."""
    z = vertices[..., 2:]
    return torch.cat([vertices[..., :2] / z * focal(size), z], -1)


def pixels(size: int, like: Tensor) -> Tensor:
    """(size,): the columns, or rows, of the pixels from the picture's middle, exactly."""
    return torch.arange(size, device=like.device, dtype=like.dtype) - (size - 1) / 2


def _corners(rows: Tensor, faces: Tensor, face: Tensor) -> Tensor:
    """Rows of the vertices, (n, v, c), at the corners of each pixel's face: (n, h, w, 3, c). Where there is none, of face 0."""
    n, v, c = rows.shape
    at = faces[face.clamp(min=0)] + v * torch.arange(n, device=rows.device).view(n, 1, 1, 1)
    # index_select's gradient is index_add; that of rows[at] sorts, and takes several times as long on a CPU
    return rows.reshape(n * v, c).index_select(0, at.flatten()).view(*at.shape, c)


@torch.no_grad()
def _visible(corners: Tensor, faces: Tensor, size: int, chunk: int) -> Tensor:
    """(n, v, 3) column, row, z -> the nearest face of each pixel, (n, size, size), or -1."""
    middle = (size - 1) / 2
    n, f = len(corners), len(faces)
    triangles = corners[:, faces].flatten(0, 1)  # (n*f, 3, 3)
    x, y, z = triangles.unbind(-1)
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    # A pixel's centre may lie outside by what rounding has moved the corner that lies on it.
    slack = size * torch.finfo(torch.float32).eps
    left, top = ((q.amin(1) - slack + middle).ceil().clamp(min=0) for q in (x, y))  # whole numbers, from the corner
    right, bottom = ((q.amax(1) + slack + middle).floor().clamp(max=size - 1) for q in (x, y))
    drawn = (left <= right) & (top <= bottom) & (area.abs() > SLIVER) & (z.amin(1) > CLOSE)  # False where NaN
    which = drawn.nonzero()[:, 0]
    # ceil(log2(k)) is the binary exponent of k - 1
    across, down = (torch.frexp(k[which]).exponent for k in (right - left, bottom - top))
    boxes = across * 32 + down
    nearest = torch.full((n * size * size,), _NOTHING, dtype=torch.int64, device=corners.device)
    for box in boxes.unique().tolist():
        wide, high = 1 << (box // 32), 1 << (box % 32)
        columns = torch.arange(wide, device=x.device, dtype=x.dtype)
        rows = torch.arange(high, device=x.device, dtype=x.dtype)[:, None]
        for i in which[boxes == box].split(max(1, chunk // (wide * high))):
            column, row = left[i, None, None] + columns, top[i, None, None] + rows  # (m, 1, wide), (m, high, 1)
            px, py = column - middle, row - middle
            (x0, x1, x2), (y0, y1, y2), (z0, z1, z2) = (q[i, :, None, None].unbind(1) for q in (x, y, z))
            scale = 1 / area[i, None, None]
            w0 = ((x2 - x1) * (py - y1) - (y2 - y1) * (px - x1)) * scale  # (m, high, wide)
            w1 = ((x0 - x2) * (py - y2) - (y0 - y2) * (px - x2)) * scale
            w2 = 1 - w0 - w1
            inside = torch.minimum(torch.minimum(w0, w1), w2) >= -slack
            inside &= (column <= right[i, None, None]) & (row <= bottom[i, None, None])
            depth = 1 / (w0 / z0 + w1 / z1 + w2 / z2)
            # A positive float's bits are ordered as it is, so that one minimum finds the nearest and keeps its number.
            mesh = i.div(f, rounding_mode="floor")
            key = depth.float().view(torch.int32).long() << 32 | (i - mesh * f)[:, None, None]
            pixel = ((mesh * size)[:, None, None] + row.long()) * size + column.long()
            nearest.scatter_reduce_(0, pixel[inside], key[inside], "amin")
    return torch.where(nearest == _NOTHING, -1, nearest & 0xFFFFFFFF).view(n, size, size)
