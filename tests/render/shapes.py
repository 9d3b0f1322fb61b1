"""Depth maps whose every point is known, and other people's ways to see a mesh."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lianpu.render import camera


def rays(size: int) -> tuple[Tensor, Tensor]:
    """x / z and y / z of each pixel, (size, size) float64."""
    along = (torch.arange(size, dtype=torch.float64) - (size - 1) / 2) / camera.focal(size)
    return along.expand(size, size), along[:, None].expand(size, size)


def plane(size: int, across: float = 0.0, down: float = 0.0, at: float = 1.0) -> Tensor:
    """(1, size, size) float64: the plane z = at + across x + down y."""
    u, v = rays(size)
    return (at / (1 - across * u - down * v))[None]


def ball(size: int, radius: float = 0.07) -> tuple[Tensor, Tensor]:
    """(1, size, size) float64: a ball about (0, 0, 1), before a wall at `BORDER`; and its normals in the viewer's frame, 0 on the wall."""
    u, v = rays(size)
    square = 1 + u**2 + v**2
    under = 1 - square * (1 - radius**2)  # z: square z^2 - 2 z + 1 - r^2 = 0
    hit = under > 0
    z = torch.where(hit, (1 - under.clamp(min=0).sqrt()) / square, camera.BORDER)
    outward = torch.stack([u * z, v * z, -(z - 1)]) / radius
    return z[None], torch.where(hit, outward, 0.0)[None]


def relief(size: int, n: int = 1, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """(n, size, size) in [0.9, 1.1]: something like a head with a nose, each a little different."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size, dtype=torch.float64)] * 2, indexing="ij")
    heads = []
    for j in (torch.randn(n, 3, generator=generator) * 0.03).double():
        inside = (1 - (x / (0.62 + j[0])) ** 2 - (y / (0.8 + j[1])) ** 2).clamp(min=0)
        nose = (0.03 + j[2] / 5) * torch.exp(-((x / 0.1) ** 2) - ((y - 0.05) / 0.2) ** 2)
        eyes = 0.008 * torch.exp(-(((x.abs() - 0.25) / 0.1) ** 2) - ((y + 0.2) / 0.07) ** 2)
        heads.append(camera.BORDER - 0.085 * inside.sqrt() - nose + eyes)
    return torch.stack(heads).to(dtype)


def rough(depth: Tensor, deviation: float = 0.004, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return depth + deviation * torch.randn(depth.shape, generator=generator, dtype=depth.dtype)


def picture(size: int, n: int = 1, seed: int = 2, dtype: torch.dtype = torch.float32) -> Tensor:
    return (torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1).to(dtype)


def raw_views(*angles: tuple[float, float, float], dtype: torch.dtype = torch.float32) -> Tensor:
    """Yaw, pitch and roll in degrees of each -> (n, 6), with a small shift."""
    views = torch.cat([camera.raw_view(*a) for a in angles]).to(dtype)
    views[:, 3:] = torch.tensor([0.1, -0.06, 0.2], dtype=dtype)
    return views


class Hits(NamedTuple):
    face: np.ndarray
    """(size, size), -1 where empty"""
    depth: np.ndarray
    """(size, size), inf where empty"""


def embree(vertices: Tensor, faces: Tensor, size: int) -> Hits:
    """Intel's ray tracer: one ray through each pixel's centre."""
    import trimesh
    from trimesh.ray.ray_pyembree import RayMeshIntersector

    mesh = trimesh.Trimesh(vertices.numpy(), faces.numpy(), process=False)
    u, v = rays(size)
    directions = torch.stack([u, v, torch.ones_like(u)], -1).view(-1, 3).numpy()
    at, ray, triangle = RayMeshIntersector(mesh).intersects_location(
        np.zeros_like(directions), directions, multiple_hits=False
    )
    face, depth = np.full(size * size, -1), np.full(size * size, np.inf)
    face[ray], depth[ray] = triangle, at[:, 2]
    return Hits(face.reshape(size, size), depth.reshape(size, size))


def zbuffer(vertices: Tensor, faces: Tensor, size: int) -> Hits:
    """One triangle after another, in float64, with a linear solve for its plane: slow and simple."""
    points = vertices.double().numpy()
    f = (size - 1) / 2 / math.tan(math.radians(5))
    screen = points[:, :2] / points[:, 2:] * f + (size - 1) / 2
    face, depth = np.full((size, size), -1), np.full((size, size), np.inf)
    for number, corners in enumerate(faces.numpy()):
        lowest, highest = screen[corners].min(0), screen[corners].max(0)
        columns = np.arange(max(0, math.ceil(lowest[0])), min(size - 1, math.floor(highest[0])) + 1)
        rows = np.arange(max(0, math.ceil(lowest[1])), min(size - 1, math.floor(highest[1])) + 1)
        matrix = np.vstack([screen[corners].T, np.ones(3)])
        if not len(columns) or not len(rows) or abs(np.linalg.det(matrix)) < 1e-12:
            continue
        x, y = (q.ravel() for q in np.meshgrid(columns, rows))
        weights = np.linalg.solve(matrix, np.stack([x, y, np.ones(len(x))]))
        z = 1 / (weights / points[corners, 2:]).sum(0)
        for i in np.flatnonzero((weights >= -1e-9).all(0)):
            if z[i] < depth[y[i], x[i]]:
                face[y[i], x[i]], depth[y[i], x[i]] = number, z[i]
    return Hits(face, depth)
