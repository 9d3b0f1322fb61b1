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
    places = torch.stack([along.expand(size, size), along[:, None].expand(size, size)], -1).view(-1, 1, 2)
    slack = size * torch.finfo(torch.float32).eps
    found = []
    for corners in centred(vertices.double(), size):
        triangles = corners[faces]  # (f, 3, 3)
        area = _cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
        drawn = (area.abs() > SLIVER) & (triangles[..., 2].amin(1) > CLOSE)
        parts = []
        with torch.no_grad():
            for some in places.split(max(1, chunk // len(faces))):
                flat = _flat(triangles, some)  # (pixels, f, 3)
                depth = 1 / (flat / triangles[..., 2]).sum(-1)
                depth = torch.where(drawn & (flat >= -slack).all(-1), depth, torch.inf)
                nearest = depth.min(1)
                parts.append(torch.where(nearest.values < torch.inf, nearest.indices, -1))
        face = torch.cat(parts)
        seen = face >= 0
        of = torch.where(seen[:, None, None], triangles[face], triangles.new_tensor([[0, 0, 1], [1, 0, 1], [0, 1, 1]]))
        at = torch.where(seen[:, None], places[:, 0], 0.0)[:, None]
        over_z = _flat(of[:, None], at)[:, 0] / of[..., 2]
        total = over_z.sum(-1)
        weights = torch.where(seen[:, None], over_z / total[:, None], 0.0)
        found.append((face, weights, torch.where(seen, 1 / total, EMPTY)))
    face, weights, depth = (torch.stack(column) for column in zip(*found, strict=True))
    shape = (len(vertices), size, size)
    return Fragments(face.view(shape), weights.to(vertices).view(*shape, 3), depth.to(vertices).view(shape))


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _flat(triangles: Tensor, places: Tensor) -> Tensor:
    """Weights of the corners on the picture: triangles (..., f, 3, 3), places (..., 1, 2) -> (..., f, 3)."""
    d = triangles[..., :2] - places[..., None, :]
    opposite = torch.stack([_cross(d[..., (k + 1) % 3, :], d[..., (k + 2) % 3, :]) for k in range(3)], -1)
    return opposite / opposite.sum(-1, keepdim=True)
