"""A face given as a picture and a depth map, seen from elsewhere: its grid mesh is moved and drawn, after LiftedGAN (Shi et al. 2021) and
DIGAN (Yan et al. 2024), whose transformation map T lets the head turn before a background that stays, and whose gate ("DW") keeps the
gradient of the contour from the depth.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lianpu.render import camera
from lianpu.render.rasterise import interpolate, rasterise
from lianpu.render.surface import grid_faces

__all__ = ["Seen", "flip", "gate", "mirrored", "render", "transformation"]


class Seen(NamedTuple):
    """A view of a face."""

    image: Tensor
    """(n, 3, h, w) in [-1, 1]; 0, a middle grey, where nothing is"""
    depth: Tensor
    """(n, h, w); `camera.EMPTY` where nothing is"""
    mask: Tensor
    """(n, h, w) bool: where something is"""


def render(
    depth: Tensor,
    picture: Tensor,
    transform: Tensor | None,
    view: Tensor,
    *,
    texture: Literal["vertex", "inverse"] = "vertex",
    size: int | None = None,
) -> Seen:
    """The face seen from `view`: vertices are T moved + (1 - T) unmoved.

    depth: (n, h, h); picture: (n, 3, h, h) in [-1, 1]; transform: T, (n, 1, h, h) in [0, 1], None for 1 everywhere; view: raw, (n, 6).
    texture: "vertex", each pixel of the picture is the colour of its point of the mesh (LiftedGAN), or "inverse", each pixel of the view
    is traced back to where it lay in the picture and looked up there (unsup3d); then the picture may be larger than the depth map.
    size: of the view, by default the depth map's.
    """
    h, w = depth.shape[1:]
    canonical = camera.unproject(depth).flatten(1, 2)  # (n, h*w, 3)
    moved = camera.move(canonical, camera.pose(view))
    if transform is not None:
        T = transform.flatten(2).mT  # (n, h*w, 1)
        moved = T * moved + (1 - T) * canonical
    size = size or h
    faces = grid_faces(h, w, depth.device)
    seen = rasterise(moved, faces, size)
    mask = seen.face >= 0
    if texture == "vertex":
        if picture.shape[2:] != depth.shape[1:]:
            raise ValueError(
                f"texture='vertex' takes a picture of the depth map's size, {h} x {w}, not {tuple(picture.shape[2:])}"
            )
        image = interpolate(seen, faces, picture.flatten(2).mT)
    else:
        # A point of a triangle keeps its weights when the triangle moves, so this inverts T's motion too, which is not rigid.
        points = interpolate(seen, faces, canonical).permute(0, 2, 3, 1)
        points = torch.where(mask[..., None], points, points.new_tensor(camera.CENTRE))
        at = camera.project(points, h)[..., :2] / (h - 1) * 2 - 1
        image = F.grid_sample(picture, at, padding_mode="border", align_corners=True) * mask[:, None]
    return Seen(image, seen.depth, mask)


def transformation(raw: Tensor, depth: Tensor) -> Tensor:
    """The transformation map T (n, 1, h, w) in [0, 1] of a network's raw output (n, 1, h, w) and its depth map (n, h, w): 1 is what moves
    with the head, 0 what stays.

    sigmoid(raw + 5), so that at first all moves; 1 where the depth says face; blurred; 0 on the frame, which never moves. LiftedGAN's
    blur, at 256 pixels, has 21 taps and a deviation of 4 sqrt 2; here both go with the size.
    """
    T = torch.where(depth[:, None] <= camera.GROUND, 1.0, torch.sigmoid(raw + 5))
    size = depth.shape[-1]
    radius = max(1, round(10 * size / 256))
    at = torch.arange(-radius, radius + 1, device=T.device)
    taps = torch.exp(-((at / (8 * size / 256)) ** 2))
    row = (taps / taps.sum()).to(T.dtype).view(1, 1, 1, -1)
    T = F.conv2d(F.pad(T, [radius] * 4, mode="replicate"), row)
    T = F.conv2d(T, row.mT)
    return F.pad(T[..., 1:-1, 2:-2], (2, 2, 1, 1))


def flip(maps: Tensor) -> Tensor:
    """Depth, pictures or T, left and right exchanged: the mirrored face. (Of normals x changes its sign too: take those of the flipped
    depth.)"""
    return maps.flip(-1)


def mirrored(view: Tensor) -> Tensor:
    """The raw view (n, 6) from which the flipped face looks as the flipped view does: yaw, roll and x change their sign."""
    return view * view.new_tensor([1, -1, -1, -1, 1, 1])


def gate(maps: Tensor, *, keep: Literal["flat", "edge"] = "flat", epsilon: float = 1e-5) -> Tensor:
    """The contour gradient gate, "DW" of Yan et al. 2024: `maps`, (n, h, w) or (n, c, h, w), unchanged, but its gradient g passes only
    where E = 1, E = [|C| < epsilon], C = Laplacian of [g != 0].

    C is 0 where all neighbours get a gradient, or none does; on the contour of what is seen the mesh would be torn by a gradient from one
    side only. keep="flat" is that formula, and what LiftedGAN does; keep="edge" is what the paper's words say instead: the contour alone,
    1 - E.
    """
    return _Gate.apply(maps, keep, epsilon)  # type: ignore[no-any-return]


class _Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, keep: str, epsilon: float) -> Tensor:
        if keep not in ("flat", "edge"):
            raise ValueError(f"keep is flat or edge, not {keep!r}")
        ctx.keep, ctx.epsilon = keep, epsilon
        return maps.view_as(maps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (g,) = gradients
        reached = (g != 0) if g.dim() == 3 else (g != 0).any(1)
        m = F.pad(reached[:, None].to(g.dtype), (1, 1, 1, 1), mode="reflect")
        around = m[..., 1:-1, :-2] + m[..., 1:-1, 2:] + m[..., :-2, 1:-1] + m[..., 2:, 1:-1]
        C = m[..., 1:-1, 1:-1] - around / 4
        E = (C.abs() < ctx.epsilon) == (ctx.keep == "flat")  # (n, 1, h, w)
        return torch.where(E[:, 0] if g.dim() == 3 else E, g, 0.0), None, None
