"""Pictures to look at: a face that turns, a light that moves, and maps of depth, normals and shading."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lianpu import images
from lianpu.render import camera, surface, views

__all__ = ["depth_picture", "lamp", "normal_picture", "relit", "shading_picture", "still", "swing", "turned"]

GROUND = -0.85
"""What is seen where nothing is: nearly black, so that a head turned away stands out."""


def swing(limit: float, count: int) -> list[float]:
    """`count` angles of one swing, from the middle to `limit`, to -`limit` and back; the next would be the first again."""
    return [limit * math.sin(2 * math.pi * k / count) for k in range(count)]


@torch.no_grad()
def still(
    depth: Tensor, picture: Tensor, transform: Tensor | None, view: Tensor, *, size: int, ground: Tensor | None = None
) -> np.ndarray:
    """One face, (1, h, h), (1, 3, s, s) and (1, 1, h, h), from one view: (size, size, 3) uint8 with soft outlines.

    It is drawn with a pixel between any two, and each pixel takes in its neighbours. ground: (1, 3, h, h), what is seen past it; then the
    picture is (1, 4, s, s), and its last channel says how much of each pixel is the face, in [0, 1].
    """
    seen = views.render(depth, picture, transform, view.to(depth), texture="inverse", size=2 * size - 1)
    if ground is None:
        image = torch.where(seen.mask[:, None], seen.image, GROUND)
    else:
        behind = F.interpolate(ground, size=seen.image.shape[-2:], mode="bilinear", align_corners=True)
        image = torch.lerp(behind, seen.image[:, :3], seen.image[:, 3:] * seen.mask[:, None])
    row = image.new_tensor([0.25, 0.5, 0.25]).expand(3, 1, 1, 3)
    image = F.conv2d(F.pad(image, (1, 1, 0, 0), mode="replicate"), row, stride=(1, 2), groups=3)
    image = F.conv2d(F.pad(image, (0, 0, 1, 1), mode="replicate"), row.mT, stride=(2, 1), groups=3)
    return images.to_uint8(image)[0]


def turned(
    depth: Tensor,
    picture: Tensor,
    transform: Tensor | None,
    yaws: Iterable[float],
    *,
    pitch: float = 0.0,
    roll: float = 0.0,
    size: int | None = None,
    ground: Tensor | None = None,
) -> Iterator[np.ndarray]:
    """The face at each yaw, in degrees, as `still` draws it."""
    for yaw in yaws:
        view = camera.raw_view(yaw, pitch, roll)
        yield still(depth, picture, transform, view, size=size or picture.shape[-1], ground=ground)


def lamp(angle: float, ambient: float, diffuse: float, like: Tensor) -> surface.Light:
    """A light at the height of the face from an angle in degrees, positive from the right."""
    x = math.radians(angle)
    one = like.new_tensor
    return surface.Light(one([ambient]), one([diffuse]), one([[math.sin(x), 0.0, math.cos(x)]]))


def relit(
    depth: Tensor,
    albedo: Tensor,
    transform: Tensor | None,
    angles: Iterable[float],
    *,
    ambient: float = 0.6,
    diffuse: float = 0.9,
    view: Tensor | None = None,
    size: int | None = None,
    normals: Tensor | None = None,
    cover: Tensor | None = None,
    ground: Tensor | None = None,
) -> Iterator[np.ndarray]:
    """The face under a light that comes from each angle, in degrees, positive from the right, as LiftedGAN's films show it (there ambient
    and diffuse are 0.2 and 0.8 raw). albedo: (1, 3, s, s); normals, (1, 3, h, h), are by default the depth map's, brought to its size.
    cover, (1, 1, s, s), how much of each pixel is the face, and ground, (1, 3, h, h), behind it: both or neither.
    """
    size = size or albedo.shape[-1]
    normals = surface.normals(depth) if normals is None else normals
    if albedo.shape[-1] != depth.shape[-1]:
        normals = F.normalize(F.interpolate(normals, albedo.shape[-2:], mode="bilinear", align_corners=True), dim=1)
    for angle in angles:
        picture = surface.relight(albedo, surface.shading(normals, lamp(angle, ambient, diffuse, depth)))
        if cover is not None:
            picture = torch.cat([picture, cover], 1)
        yield still(depth, picture, transform, camera.raw_view() if view is None else view, size=size, ground=ground)


def depth_picture(depth: Tensor, span: Sequence[float] = (camera.NEAR, camera.FAR)) -> Tensor:
    """(n, h, w) -> (n, 3, h, w) in [-1, 1]: white at the near end of `span`, black at the far end and beyond."""
    near, far = span
    return (1 - 2 * (depth - near) / (far - near)).clamp(-1, 1)[:, None].expand(-1, 3, -1, -1)


def normal_picture(normals: Tensor) -> Tensor:
    """(n, 3, h, w), as they are: red right, blue towards the viewer, and green up, as normal maps are usually shown."""
    return normals * normals.new_tensor([1.0, -1.0, 1.0])[:, None, None]


def shading_picture(shading: Tensor) -> Tensor:
    """(n, 1, h, w) in [0, 2] -> (n, 3, h, w) in [-1, 1]: a middle grey where light changes nothing."""
    return (shading - 1).expand(-1, 3, -1, -1)
