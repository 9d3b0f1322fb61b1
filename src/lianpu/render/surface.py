"""The surface of a depth map: its triangles and normals, and how light falls on it (Lambert), after unsup3d (Wu et al. 2020, Sec. 3.1) and
LiftedGAN (Shi et al. 2021); Yan et al. 2024 call the shading a shadow map, though nothing casts a shadow.

Normals and light are in the viewer's frame: x right and y down, as in the picture, z towards the viewer. What faces the viewer has the
normal (0, 0, 1), the right half of a ball normals with a positive x, and light with a positive x comes from the right.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lianpu.render.camera import unproject

__all__ = ["DARKEST", "Light", "delight", "fitted", "grid_faces", "light", "normals", "relight", "shading"]

DARKEST = 0.01
"""`delight` takes no shading to be darker: a pixel that no light reaches says nothing of its colour."""

OPEN = 1e-3
"""Share of the mean square of what `fitted` knows from which on it believes it."""


def grid_faces(h: int, w: int, device: torch.device | None = None) -> Tensor:
    """(2 (h-1) (w-1), 3) int64: two triangles to each square of an h x w grid whose points are numbered row by row. Their corners run
    anticlockwise as the viewer sees them.
    """
    i = torch.arange(h * w, device=device).view(h, w)
    a, b, c, d = (q.flatten() for q in (i[:-1, :-1], i[:-1, 1:], i[1:, :-1], i[1:, 1:]))  # a b over c d
    return torch.cat([torch.stack([a, c, b], 1), torch.stack([b, c, d], 1)])


def normals(depth: Tensor) -> Tensor:
    """Unit normals (n, 3, h, w) of a depth map (n, h, w), in the viewer's frame; at the border those of the nearest pixel inside.

    The cross product of the differences across and down. It is the sum of the four products of neighbours in turn, so each of the four
    triangles round a pixel has a weight by its area.
    """
    p = unproject(depth)
    x, y, z = torch.linalg.cross(p[:, 2:, 1:-1] - p[:, :-2, 1:-1], p[:, 1:-1, 2:] - p[:, 1:-1, :-2], dim=-1).unbind(-1)
    outward = torch.stack([x, y, -z], 1)  # the camera's z runs away from the viewer
    return F.normalize(F.pad(outward, (1, 1, 1, 1), mode="replicate"), dim=1, eps=1e-20)


class Light(NamedTuple):
    """Light that is everywhere, and light that comes from far away in one direction."""

    ambient: Tensor
    """(n,) in [0, 1]"""
    diffuse: Tensor
    """(n,) in [0, 1]"""
    direction: Tensor
    """(n, 3) of length 1, from the face towards the light, in the viewer's frame"""


def light(raw: Tensor) -> Light:
    """A raw light (n, 4) in [-1, 1]: ambient and diffuse, brought to [0, 1], and x and y of (x, y, 1), the direction."""
    ambient, diffuse = (raw[:, :2] / 2 + 0.5).unbind(1)
    return Light(ambient, diffuse, F.normalize(torch.cat([raw[:, 2:], torch.ones_like(raw[:, :1])], 1), dim=1))


def carried(light: Light, rotation: Tensor) -> Light:
    """A light said in the frame of a face, as the viewer of the face turned by `rotation`, (n, 3, 3) in the camera's axes, sees it. With
    the transposed rotation: a light of the viewer's, in the frame of the turned face.
    """
    flip = light.direction.new_tensor([1.0, 1.0, -1.0])  # the viewer's z runs towards him, the camera's away
    turned = (rotation * (light.direction * flip)[:, None]).sum(-1) * flip
    return light._replace(direction=turned)


def shading(normals: Tensor, light: Light) -> Tensor:
    """a + b max(0, n . l): (n, 3, h, w) -> (n, 1, h, w) in [0, 2]."""
    falling = (normals * light.direction[:, :, None, None]).sum(1, keepdim=True).clamp(min=0)
    return light.ambient[:, None, None, None] + light.diffuse[:, None, None, None] * falling


def fitted(albedo: Tensor, normals: Tensor, picture: Tensor, where: Tensor, near: Light) -> Light:
    """The light in which a surface with an albedo (n, 3, h, w) and normals (n, 3, h, w) looks most like a picture (n, 3, h, w).

    Least squares over the pixels that `where`, (n, 1, h, w), weighs, of a + s . n, which is linear in light (Woodham 1980, "Photometric
    method for determining surface orientation from multiple images"): what faces away from it, and gets none, should be few pixels. What
    pixels leave open is `near`'s. Ambient and diffuse may leave [0, 1].
    """
    albedo, picture = ((x / 2 + 0.5) * where for x in (albedo, picture))
    parts = torch.cat([torch.ones_like(normals[:, :1]), normals], 1)
    X = (parts[:, :, None] * albedo[:, None]).flatten(2)  # (n, 4, 3hw)
    XX, Xy = X @ X.mT, X @ picture.flatten(1)[..., None]
    ridge = OPEN * XX.diagonal(dim1=1, dim2=2).mean(1).clamp(min=1e-6)[:, None, None]
    known = torch.cat([near.ambient[:, None], near.diffuse[:, None] * near.direction], 1)[..., None]
    found = torch.linalg.solve(XX + ridge * torch.eye(4).to(XX), Xy + ridge * known)[..., 0]
    diffuse = found[:, 1:].norm(dim=1)
    towards = torch.where(diffuse[:, None] > 0, F.normalize(found[:, 1:], dim=1), near.direction)
    return Light(found[:, 0], diffuse, towards)


def relight(albedo: Tensor, shading: Tensor) -> Tensor:
    """Albedo (n, 3, h, w) in [-1, 1], under a shading (n, 1, h, w): the picture. Not cut off at white."""
    return (albedo / 2 + 0.5) * shading * 2 - 1


def delight(image: Tensor, shading: Tensor) -> Tensor:
    """What `relight` undoes: a picture (n, 3, h, w) in [-1, 1] without its shading (n, 1, h, w). May pass 1."""
    return (image / 2 + 0.5) / shading.clamp(min=DARKEST) * 2 - 1
