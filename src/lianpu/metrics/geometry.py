"""How true a lifted face is, against known geometry: depth (SIDE) and normals (MAD) as unsup3d measures them (Wu et al. 2020, Sec. 4.1),
depth correlation, pose, light, and whether several views agree. One number a picture, so that intervals can be drawn from them.

Depth maps are (n, h, w) and 1.2 (`render.camera.EMPTY`) where nothing is; masks bool (n, h, w). A picture without a pixel to measure has
NaN. The yardsticks are `flat`, a face without relief, and `mean_depth`, one face for all.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lianpu.render import camera, surface

__all__ = [
    "Errors",
    "LightErrors",
    "PoseErrors",
    "Reprojection",
    "asymmetry",
    "between",
    "correlation",
    "depth_correlation",
    "depth_errors",
    "eroded",
    "flat",
    "head",
    "light_errors",
    "mad",
    "mean_depth",
    "overlap",
    "pose_errors",
    "present",
    "reprojection",
    "side",
]

OCCLUDED = 0.01
"""A point that lies more than this behind what the other view sees there is hidden in it."""


# ---- where it is measured --------------------------------------------------------------------------------------------


def present(depth: Tensor) -> Tensor:
    """Where a depth map holds something."""
    return depth < camera.EMPTY - 1e-6


def head(depth: Tensor) -> Tensor:
    """A lifter's depth map, nothing where it says ground: `camera.GROUND` and beyond is what stands behind a head."""
    return torch.where(depth < camera.GROUND, depth, camera.EMPTY)


def overlap(predicted: Tensor, true: Tensor) -> Tensor:
    """Intersection over union of where two depth maps hold something, (n,) float64; NaN where neither does."""
    a, b = (present(d).flatten(1) for d in (predicted, true))
    return (a & b).double().sum(1) / (a | b).double().sum(1)


def eroded(mask: Tensor) -> Tensor:
    """A mask without its rim: pixels all of whose 3 x 3 neighbours are in it; the frame's own pixels are not."""
    outside = F.pad((~mask).float(), (1, 1, 1, 1), value=1.0)
    return F.max_pool2d(outside[:, None], 3, 1)[:, 0] == 0


def _where(predicted: Tensor, true: Tensor, mask: Tensor | None) -> Tensor:
    """True and predicted face, each without its rim; a mask given is the true one."""
    return eroded(present(predicted)) & eroded(present(true) if mask is None else mask)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the mask, (n, h, w) -> (n,) float64; NaN where it is empty."""
    values = torch.where(mask, values.double(), 0.0)
    return values.flatten(1).sum(1) / mask.flatten(1).sum(1)


# ---- depth and normals -----------------------------------------------------------------------------------------------


def side(predicted: Tensor, true: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scale-invariant depth error, (n,): sqrt(mean D^2 - (mean D)^2) with D = log d - log d* (Eigen et al. 2014; unsup3d, Eq. 6)."""
    on = _where(predicted, true, mask)
    D = predicted.double().log() - true.double().log()
    return _mean(
        (D - _mean(D, on)[:, None, None]) ** 2, on
    ).sqrt()  # the same, without the difference of two large squares


def mad(predicted: Tensor, true: Tensor, mask: Tensor | None = None, normals: Tensor | None = None) -> Tensor:
    """Mean angle between normals in degrees, (n,): both are those of the depth maps, unless true `normals` (n, 3, h, w) are given."""
    on = _where(predicted, true, mask)
    truth = surface.normals(true.double()) if normals is None else normals.double()
    return _mean(_angle(surface.normals(predicted.double()), truth), on)


def _angle(a: Tensor, b: Tensor) -> Tensor:
    """Between unit normals (n, 3, h, w), in degrees, (n, h, w). atan2, not acos: a cosine says nothing of very small angles."""
    return torch.rad2deg(torch.atan2(torch.linalg.cross(a, b, dim=1).norm(dim=1), (a * b).sum(1)))


def asymmetry(depth: Tensor, mask: Tensor) -> Tensor:
    """Mean angle between the normals of a depth map (n, h, w) and those of its mirror image, in degrees, over the pixels of a mask that
    have something in both, without the rims, (n,): how far a face that looks ahead is from having two halves alike.
    """
    mirrored = depth.flip(-1)
    on = eroded(present(depth)) & eroded(present(mirrored)) & mask
    n, its = surface.normals(depth.double()), surface.normals(mirrored.double())
    return _mean(_angle(n, its), on)


class Errors(NamedTuple):
    """Plain errors of depth, (n,) each, after the best shift along z: a face's distance is not seen by this camera."""

    mae: Tensor
    rmse: Tensor


def depth_errors(predicted: Tensor, true: Tensor, mask: Tensor | None = None) -> Errors:
    """Mean absolute and root mean square error in the camera's units, with the mean difference taken away."""
    on = _where(predicted, true, mask)
    gap = predicted.double() - true.double()
    gap = gap - _mean(gap, on)[:, None, None]
    return Errors(_mean(gap.abs(), on), _mean(gap**2, on).sqrt())


def depth_correlation(predicted: Tensor, true: Tensor, mask: Tensor | None = None) -> Tensor:
    """Pearson's correlation of depth within each picture, (n,); NaN where one of the two is flat."""
    on = _where(predicted, true, mask)
    a, b = (torch.where(on, d.double() - _mean(d, on)[:, None, None], 0.0).flatten(1) for d in (predicted, true))
    return (a * b).sum(1) / ((a * a).sum(1) * (b * b).sum(1)).sqrt()


def flat(true: Tensor, depth: float = 1.0) -> Tensor:
    """The first yardstick: a wall."""
    return torch.full_like(true, depth)


def mean_depth(depths: Tensor) -> Tensor:
    """The second: the mean of depth maps (n, h, w), over those that hold something at a pixel; (1, h, w). Where none does, the border's."""
    on = present(depths)
    count = on.sum(0)
    mean = torch.where(on, depths.double(), 0.0).sum(0) / count.clamp(min=1)
    return torch.where(count > 0, mean, camera.BORDER).to(depths.dtype)[None]


# ---- pose and light --------------------------------------------------------------------------------------------------


class PoseErrors(NamedTuple):
    """(n,) each: the angle between two rotations, in degrees, and predicted less true angles and shift as `camera.pose` reads them."""

    rotation: Tensor
    pitch: Tensor
    yaw: Tensor
    roll: Tensor
    shift: Tensor
    """Length, in the camera's units."""


def pose_errors(predicted: Tensor, true: Tensor, *, aligned: bool = True) -> PoseErrors:
    """Errors of raw views (n, 6).

    aligned: what straight ahead means was learnt without being told, so the median difference of each number is taken away first.
    """
    gap = predicted.double() - true.double()
    if aligned:
        offset = gap.median(0).values
        predicted, gap = predicted.double() - offset, gap - offset
    R, S = camera.pose(predicted.double()).rotation, camera.pose(true.double()).rotation
    trace = (R * S).sum((1, 2))
    sine = (R @ S.mT - S @ R.mT).pow(2).sum((1, 2)).sqrt() / 2**1.5  # |R - R^T| = 2 sqrt 2 |sin|
    angle = torch.rad2deg(torch.atan2(sine, (trace - 1) / 2))
    degrees = torch.rad2deg(gap[:, :3] * camera.ROTATION)
    shift = (gap[:, 3:] * gap.new_tensor([camera.SHIFT, camera.SHIFT, camera.APPROACH])).norm(dim=1)
    pitch, yaw, roll = degrees.unbind(1)
    return PoseErrors(angle, pitch, yaw, roll, shift)


class LightErrors(NamedTuple):
    """(n,) each: the angle between directions in degrees, predicted less true ambient and diffuse light."""

    direction: Tensor
    ambient: Tensor
    diffuse: Tensor


def light_errors(predicted: Tensor, true: Tensor, view: Tensor | None = None) -> LightErrors:
    """Errors of raw lights (n, 4), both in the viewer's frame.

    view: (n, 6) of the faces in whose own frames the predicted lights are said, as lifters do: they are carried to the viewer's.
    """
    p, t = surface.light(predicted.double()), surface.light(true.double())
    if view is not None:
        p = surface.carried(p, camera.pose(view.double()).rotation)
    sine, cosine = torch.linalg.cross(p.direction, t.direction).norm(dim=1), (p.direction * t.direction).sum(1)
    return LightErrors(torch.rad2deg(torch.atan2(sine, cosine)), p.ambient - t.ambient, p.diffuse - t.diffuse)


def correlation(predicted: Tensor, true: Tensor) -> float:
    """Pearson's correlation of two lists of numbers (n,), yaw with yaw say; NaN where one does not vary."""
    a, b = (x.double() - x.double().mean() for x in (predicted, true))
    return float((a * b).sum() / ((a * a).sum() * (b * b).sum()).sqrt())


# ---- several views ---------------------------------------------------------------------------------------------------


def between(one: Tensor, other: Tensor) -> camera.Pose:
    """The motion that takes a face from raw view `one` to `other`, (n, 6) each."""
    to, back = camera.pose(other), camera.inverse(camera.pose(one))
    # q = S (R^-1 (p - C) + b) + t about C, so its rotation is S R^-1 and its shift S b + t
    shift = (to.rotation @ back.translation[..., None])[..., 0] + to.translation
    return camera.Pose(to.rotation @ back.rotation, shift)


class Reprojection(NamedTuple):
    """How far two views of a face agree, (n,) each, over what both see."""

    depth: Tensor
    """Mean |z - z*|: depth of the first view's points in the second, against the depth that view has there."""
    colour: Tensor
    """Mean absolute difference of the pictures, which are in [-1, 1]."""
    share: Tensor
    """Of the first view's face that the second sees too."""


def reprojection(
    one: Tensor,
    one_picture: Tensor,
    other: Tensor,
    other_picture: Tensor,
    motion: camera.Pose,
    *,
    near: float = OCCLUDED,
) -> Reprojection:
    """Depth maps (n, h, h) and pictures (n, c, h, h) of two views, and the motion from the first to the second.

    Each pixel of the first is lifted, moved and looked up in the second. One that lies more than `near` behind what is there is hidden,
    and is not counted; one that lies before it is counted as an error.
    """
    h = one.shape[-1]
    points = camera.move(camera.unproject(one), motion)
    column, row, z = camera.project(points, h).unbind(-1)
    grid = torch.stack([column, row], -1) / (h - 1) * 2 - 1

    def look(maps: Tensor) -> Tensor:
        return F.grid_sample(maps, grid, padding_mode="border", align_corners=True)

    there = look(other[:, None])[:, 0]
    whole = look(present(other)[:, None].to(one.dtype))[:, 0] > 0.999  # no neighbour of it is empty
    inside = (grid.abs() <= 1).all(-1)
    face = eroded(present(one))
    seen = face & inside & whole & (z - there < near)
    colour = (look(other_picture) - one_picture).abs().mean(1)
    share = seen.flatten(1).sum(1).double() / face.flatten(1).sum(1)
    return Reprojection(_mean((z - there).abs(), seen), _mean(colour, seen), share)
