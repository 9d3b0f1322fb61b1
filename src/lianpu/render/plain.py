"""The rasteriser as anyone would write it first: every pixel looks at every face. It judges `rasterise` in tests and benchmarks."""

from __future__ import annotations

import torch
from torch import Tensor

from lianpu.render.camera import EMPTY
from lianpu.render.rasterise import CLOSE, SLIVER, Fragments, centred, pixels

__all__ = ["rasterise"]


def rasterise(vertices: Tensor, faces: Tensor, size: int, *, chunk: int = 1 << 22) -> Fragments:
    """The same as `rasterise.rasterise`, in time n f size^2; chunk: pairs of face and pixel at once."""
    along = pixels(size, vertices.double())
    places = torch.stack(
        [along.expand(size, size), along[:, None].expand(size, size), torch.ones(size, size).to(along)]
    )
    places = places.view(3, -1).T  # (size^2, 3): column, row, 1
    found = []
    for mesh in vertices:
        triangles = centred(mesh.double(), size)[faces]  # (f, 3, 3)
        face = _visible(triangles.detach().to(vertices.dtype), places.to(vertices.dtype), size, chunk)
        seen = face >= 0
        corners = torch.where(
            seen[:, None, None], triangles[face], triangles.new_tensor([[0, 0, 1], [1, 0, 1], [0, 1, 1]])
        )
        over_z = (_weights(corners) * places[:, None]).sum(-1) / corners[..., 2]
        total = over_z.sum(-1)
        weights = torch.where(seen[:, None], over_z / total[:, None], 0.0)
        found.append((face, weights, torch.where(seen, 1 / total, EMPTY)))
    face, weights, depth = (torch.stack(column) for column in zip(*found, strict=True))
    shape = (len(vertices), size, size)
    return Fragments(face.view(shape), weights.to(vertices).view(*shape, 3), depth.to(vertices).view(shape))


def _weights(triangles: Tensor) -> Tensor:
    """(..., 3, 3) column, row, z of three corners -> (..., 3, 3): each corner's weight at a place is its row times (column, row, 1)."""
    x, y, _ = triangles.unbind(-1)
    x1, x2, y1, y2 = x.roll(-1, -1), x.roll(-2, -1), y.roll(-1, -1), y.roll(-2, -1)
    constant = x1 * y2 - x2 * y1
    return torch.stack([y1 - y2, x2 - x1, constant], -1) / constant.sum(-1)[..., None, None]


@torch.no_grad()
def _visible(triangles: Tensor, places: Tensor, size: int, chunk: int) -> Tensor:
    """(f, 3, 3) and (p, 3) -> (p,): the nearest face of each place, or -1."""
    (x, y, z) = triangles.unbind(-1)
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    numbers = ((area.abs() > SLIVER) & (z.amin(1) > CLOSE)).nonzero()[:, 0]
    if not len(numbers):
        return torch.full((len(places),), -1, device=places.device)
    slack = size * torch.finfo(torch.float32).eps
    weights = _weights(triangles[numbers])
    inverse = (weights / z[numbers][..., None]).sum(1)  # 1 / z is linear on the picture
    # Written into one tensor: small ones kept from each round would lie between the large ones in memory and hold gigabytes.
    face = torch.empty(len(places), dtype=torch.int64, device=places.device)
    for of, some in zip(*(q.split(max(1, chunk // len(numbers))) for q in (face, places)), strict=True):
        least = torch.minimum(torch.minimum(some @ weights[:, 0].T, some @ weights[:, 1].T), some @ weights[:, 2].T)
        nearest = torch.where(least >= -slack, some @ inverse.T, 0.0).max(1)
        of.copy_(torch.where(nearest.values > 0, numbers[nearest.indices], -1))
    return face
