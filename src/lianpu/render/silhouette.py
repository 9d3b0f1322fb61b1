"""What a picture before a plain ground says of shape though it is neither lit nor turned: what is not ground is a body, and a body is round
(Johnston 2002, "Lumo: Illumination for Cel Animation").
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from lianpu.render import camera

__all__ = ["inflate", "matte"]

FAINT, CLEAR = (
    0.03,
    0.08,
)  # of the span from black to white: what differs less from the ground is ground, what differs more is body
UNEVEN = 0.1  # of that span a ground's colours differ at most: where shoulders reach the edges, they are not ground
PLAIN = 0.8  # of the edges' pixels the ground's colours are
EDGE = 2  # columns to the left and right, and rows above, that show the ground
COARSEST = 8  # side of the smallest picture that is inflated, before the next larger one
SWEEPS = 32  # of Jacobi's at each size


@torch.no_grad()
def matte(pictures: Tensor) -> Tensor:
    """How much each pixel of pictures (n, c, h, w) in [-1, 1] is body, (n, 1, h, w) in [0, 1]: one body, in the middle, upright.

    The ground's colour is the median of the left, right and upper edge, and what four fifths of these edges differ from it by, if it is
    little, is ground too. A pixel's difference from it is the least that one must climb on a way in from these edges, so that a body has
    no holes (the barrier distance of Zhang et al. 2015, "Minimum Barrier Salient Object Detection at 80 FPS", with one end at the ground's
    colour). Of what is not ground the body is what hangs together with the middle, and each row of it is one piece. No gradient passes.
    """
    sides = torch.cat([x.flatten(2) for x in (pictures[..., :EDGE], pictures[..., -EDGE:], pictures[..., :EDGE, :])], 2)
    sides = sides.nan_to_num(0.0)
    ground = sides.median(2, keepdim=True).values
    spread = ((sides - ground).abs().amax(1) / 2).quantile(PLAIN, 1).clamp(max=UNEVEN)[:, None, None, None]
    far = (pictures - ground[..., None]).abs().amax(1, keepdim=True).nan_to_num(0.0) / 2
    climbed = _grown(lambda x: torch.maximum(far, -F.max_pool2d(-x, 3, 1)), _walled(far))
    body = ((climbed - spread - FAINT) / (CLEAR - FAINT)).clamp(0, 1)
    third = body.shape[-1] // 3
    middle = F.pad(torch.ones_like(body[..., third:, third:-third]), (third, third, third, 0))
    body = _grown(lambda x: torch.minimum(body, F.max_pool2d(x, 3, 1)), F.pad(body * middle, (1, 1, 1, 1)))
    return torch.minimum(body.cummax(-1).values, body.flip(-1).cummax(-1).values.flip(-1))


def _walled(far: Tensor) -> Tensor:
    """What `matte` climbs from: nothing at the left, right and upper edge; from below no way leads in."""
    return F.pad(F.pad(torch.full_like(far, torch.inf), (1, 1, 1, 0), value=-torch.inf), (0, 0, 0, 1), value=torch.inf)


def _grown(step: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The inner part of x, (n, 1, h + 2, w + 2), once step(x), (n, 1, h, w), changes it no more. Its frame stays."""
    inner = x[..., 1:-1, 1:-1]
    for number in range(inner.shape[-2] * inner.shape[-1]):  # a way is no longer
        after = step(x)
        if after.is_meta or (number % 16 == 15 and torch.equal(after, inner)):  # to look is to wait for the device
            break
        inner.copy_(after)
    return inner


@torch.no_grad()
def inflate(matte: Tensor) -> Tensor:
    """Height over the ground, (n, 1, h, w) in the camera's units, of the round body that has a matte (n, 1, h, w) as its outline: sqrt u,
    with -Laplace u = 4 inside and u = 0 outside, which makes half a ball of a disc, to a tenth of its height. What reaches the lower
    edge goes on below it. No gradient passes.
    """
    size = matte.shape[-1]
    levels = [matte]
    while levels[-1].shape[-1] > COARSEST:
        levels.append(F.avg_pool2d(levels[-1], 2))
    u = torch.zeros_like(levels[-1])
    for inside in reversed(levels):
        u = F.interpolate(u, size=inside.shape[-2:], mode="bilinear", align_corners=False)
        step = size / inside.shape[-1]
        for _ in range(SWEEPS):
            p = F.pad(F.pad(u, (0, 0, 0, 1), mode="replicate"), (1, 1, 1, 0))
            around = p[..., 1:-1, :-2] + p[..., 1:-1, 2:] + p[..., :-2, 1:-1] + p[..., 2:, 1:-1]
            u = inside * (around / 4 + step**2)
    return u.sqrt() * (camera.BORDER / camera.focal(size))
