"""The camera that all faces are seen through, and rigid motion: unsup3d's (Wu et al. 2020) with a field of view of 10 degrees, as LiftedGAN
(Shi et al. 2021) and DIGAN (Yan et al. 2024) have it, but with pixel centres at whole coordinates, so that a face that does not move is
drawn where it was.

The camera stands at the origin and looks along +z; x is right and y down, as the rows of a picture. Lengths have no unit: a face's depth
lies between `NEAR` and `FAR`, and a picture at z = 1 is 0.175 wide. The last pixel's centre, not its outer edge, lies on the border of the
field of view.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = [
    "BORDER",
    "CENTRE",
    "EMPTY",
    "FAR",
    "FOV",
    "GROUND",
    "NEAR",
    "Pose",
    "focal",
    "inverse",
    "move",
    "pose",
    "project",
    "raw_view",
    "unproject",
]

FOV = 10.0
"""Degrees, across and down."""
NEAR, FAR = 0.9, 1.1
"""A face's depth lies between them."""
BORDER = 1.05
"""Depth of what lies behind the face."""
GROUND = BORDER - 0.01
"""Depth from which a point belongs to what lies behind the face."""
EMPTY = 1.2
"""Depth of a pixel where nothing is."""
CENTRE = (0.0, 0.0, 1.0)
"""What a pose turns about."""
ROTATION, SHIFT, APPROACH = math.radians(60), 0.1, 0.01
"""What 1 means in a raw view: an angle; a shift across or down; a shift in depth."""


def focal(size: int) -> float:
    """Focal length in pixels of a picture of `size` x `size`."""
    return (size - 1) / 2 / math.tan(math.radians(FOV) / 2)


def unproject(depth: Tensor) -> Tensor:
    """Depth (n, h, w), h = w -> points (n, h, w, 3) in front of the camera, one for each pixel."""
    h, w = depth.shape[1:]
    if h != w:
        raise ValueError(f"a depth map is square, not {h} x {w}")
    along = (torch.arange(w, device=depth.device, dtype=depth.dtype) - (w - 1) / 2) / focal(w)
    return torch.stack([along.expand(h, w) * depth, along[:, None].expand(h, w) * depth, depth], -1)


def project(points: Tensor, size: int) -> Tensor:
    """Points (..., 3) -> (..., 3): column and row, in pixels of a picture of `size` x `size`, and z as it was."""
    z = points[..., 2:]
    return torch.cat([points[..., :2] / z * focal(size) + (size - 1) / 2, z], -1)


class Pose(NamedTuple):
    """A rigid motion: R (p - CENTRE) + CENTRE + t."""

    rotation: Tensor
    """(n, 3, 3)"""
    translation: Tensor
    """(n, 3)"""


def raw_view(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Tensor:
    """The raw view (1, 6) of angles in degrees, without a shift."""
    return torch.tensor([[pitch, yaw, roll, 0.0, 0.0, 0.0]]) / math.degrees(ROTATION)


def pose(view: Tensor) -> Pose:
    """A raw view (n, 6) in [-1, 1] as a motion: pitch, yaw and roll, times 60 degrees; x and y, times 0.1; z, times 0.01.

    R = Rz Ry Rx. All angles are said as they are seen: with a positive pitch the face looks down the picture, with a positive yaw towards
    its right, with a positive roll it leans to the right (clockwise). In these axes a right-handed turn about y would be a yaw to the
    left, so Ry has its sign changed.
    """
    x, y, z = (view[:, :3] * ROTATION).unbind(1)
    o, l = torch.zeros_like(x), torch.ones_like(x)
    Rx = _matrix([l, o, o], [o, x.cos(), -x.sin()], [o, x.sin(), x.cos()])
    Ry = _matrix([y.cos(), o, -y.sin()], [o, l, o], [y.sin(), o, y.cos()])
    Rz = _matrix([z.cos(), -z.sin(), o], [z.sin(), z.cos(), o], [o, o, l])
    return Pose(_product(Rz, _product(Ry, Rx)), view[:, 3:] * view.new_tensor([SHIFT, SHIFT, APPROACH]))


def _matrix(*rows: list[Tensor]) -> Tensor:
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a b of (n, 3, 3) each. Not `@`: autocast would round a matrix product to bfloat16, and its order of summation may follow n."""
    return (a[..., :, None, :] * b.mT[..., None, :, :]).sum(-1)


def move(points: Tensor, pose: Pose) -> Tensor:
    """Points (n, ..., 3), moved."""
    shape = (-1,) + (1,) * (points.dim() - 2)
    centre = points.new_tensor(CENTRE)
    x, y, z = (points - centre).split(1, -1)
    Rx, Ry, Rz = pose.rotation.view(*shape, 3, 3).unbind(-1)
    return x * Rx + y * Ry + z * Rz + (centre + pose.translation).view(*shape, 3)


def inverse(pose: Pose) -> Pose:
    """The motion that undoes `pose`."""
    back = pose.rotation.mT
    return Pose(back, -(back * pose.translation[:, None]).sum(-1))
