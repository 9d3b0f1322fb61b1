"""A head as a mesh of its own before a ground that stays. One mesh for both, as a transformation map T has it, stretches between them when
the head turns: what comes into view at its side is smeared ground. A head that stands before a plain ground can be cut out of it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lianpu.ops.resample import gaussian
from lianpu.render import silhouette, surface

__all__ = ["Layers", "mend", "split"]

SOFT = 1.5 / 64  # deviation of the blur of outlines, in widths of the picture
INSIDE, OUTSIDE = 0.6, 0.4  # blurred matte from which a pixel is head, and below which it is ground
REACH = (
    1 / 8
)  # deviation, in widths of the picture, of the widest blur by which colours are carried; the narrowest is one pixel
FALL = 0.01  # by which the depth falls off at the outline, in the camera's units: a little of a side, and no wall down to the ground
FOUND = 0.05  # weight from which a carried colour counts


class Layers(NamedTuple):
    """A head and its ground."""

    depth: Tensor
    """(n, h, w), the head's, carried beyond its outline"""
    albedo: Tensor
    """(n, 3, h, w), carried beyond the outline"""
    normals: Tensor
    """(n, 3, h, w), the same"""
    cover: Tensor
    """(n, 1, h, w) in [0, 1]: how much of each pixel is head"""
    ground: Tensor
    """(n, 3, h, w) in [-1, 1]: the picture, the ground's colours carried behind the head"""


@torch.no_grad()
def split(picture: Tensor, depth: Tensor, albedo: Tensor) -> Layers:
    """The head in a picture (n, 3, h, w) whose outline `silhouette.matte` finds, with its depth and albedo.

    An outline's pixels show head and ground in one, and the depth falls from one to the other there: colours, normals and depth are
    those from further in, and the depth rounds off a little.
    """
    sigma = SOFT * picture.shape[-1]
    body = silhouette.matte(picture.clamp(-1, 1))
    soft = gaussian(body, sigma)
    cover = ((soft - OUTSIDE) / (INSIDE - OUTSIDE)).clamp(0, 1)
    within = _shrunk(body, round(2 * sigma))
    without = _shrunk(1 - body, round(2 * sigma))
    carried = mend(depth[:, None], _shrunk((body > 0.5).to(body), round(sigma)))
    rounded = (carried + FALL * 2 * (1 - gaussian(body, 2 * sigma)))[:, 0]
    normals = F.normalize(mend(surface.normals(depth), within), dim=1)
    return Layers(rounded, mend(albedo, within), normals, cover, mend(picture.clamp(-1, 1), without))


def mend(colours: Tensor, known: Tensor) -> Tensor:
    """Colours (n, c, h, w) where known, (n, 1, h, w) in [0, 1], is 1; elsewhere those of the nearest that are known, blurred."""
    out, still = colours * known, 1 - known
    sigma = 1.0
    while sigma <= max(REACH * colours.shape[-1], 1.0):
        weight = gaussian(known, sigma)
        carried = gaussian(colours * known, sigma) / weight.clamp(min=1e-6)
        share = still * (weight / FOUND).clamp(0, 1)
        out, still = out + share * carried, still - share
        sigma *= 2
    mean = (colours * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp(min=1e-6)
    return out + still * mean


def _shrunk(mask: Tensor, by: int) -> Tensor:
    """A mask (n, 1, h, w), smaller by so many pixels all round."""
    return -F.max_pool2d(-mask, 2 * by + 1, 1, by)
