"""What a picture before a plain ground says of shape though it is neither lit nor turned: what is not ground is a body, and a body is round
(Johnston 2002, "Lumo: Illumination for Cel Animation").
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from lianpu.ops.resample import gaussian
from lianpu.render import camera

__all__ = ["chin", "inflate", "matte"]

FAINT, CLEAR = 0.02, 0.06
"""Of the span from black to white: what differs less from the ground is ground, what differs more is body."""
BRUSH = 1 / 64
"""Widths of the picture: half of a gap in an outline, but for a pixel, that no way leads in by. None at 32 px and below."""
FINEST = 64  # side of a picture whose pixels are as large as what is said here of soft mattes
UNEVEN = 0.115  # of that span a ground's colours differ at most: where shoulders reach the edges, they are not ground
PLAIN = 0.8  # of the edges' pixels the ground's colours are
EDGE = 2  # columns to the left and right, and rows above, that show the ground
NARROWER, NARROW = 0.95, 0.88
"""Of the head's width and of the shoulders' a neck is at most; from the second on its chin is drawn in full."""
CHIN = 0.9  # half widths of the neck by which a chin hangs below its narrowest row
DRAWN, PEN = 0.4, 0.7 / 64
"""Of the matte, what a chin's outline takes away at its ends; the outline's deviation, in widths of the picture."""
COARSEST = 8  # side of the smallest picture that is inflated, before the next larger one
SWEEPS = 32  # of Jacobi's at each size


@torch.no_grad()
def matte(pictures: Tensor) -> Tensor:
    """How much each pixel of pictures (n, c, h, w) in [-1, 1] is body, (n, 1, h, w) in [0, 1]: one body, in the middle, upright.

    The ground's colour is the median of the left, right and upper edge, and what four fifths of these edges differ from it by, if it is
    little, is ground too. A pixel's difference from it is the least that one must climb on a way in from these edges, so that a body has
    no holes (the barrier distance of Zhang et al. 2015, "Minimum Barrier Salient Object Detection at 80 FPS", with one end at the ground's
    colour). A way in is as wide as a brush, or it would find every gap of an outline, and behind it bodies of the ground's own colour. Of
    what is not ground the body is what hangs together with the middle, and each row of it is one piece. No gradient passes.
    """
    sides = torch.cat([x.flatten(2) for x in (pictures[..., :EDGE], pictures[..., -EDGE:], pictures[..., :EDGE, :])], 2)
    sides = sides.nan_to_num(0.0)
    ground = sides.median(2, keepdim=True).values
    spread = ((sides - ground).abs().amax(1) / 2).quantile(PLAIN, 1).clamp(max=UNEVEN)[:, None, None, None]
    far = (pictures - ground[..., None]).abs().amax(1, keepdim=True).nan_to_num(0.0) / 2
    size = far.shape[-1]
    brush = round(BRUSH * size)
    calm = gaussian(far, size / FINEST / 2) if size > FINEST else far  # or the brush finds every grain of a ground
    wide = F.max_pool2d(calm, 2 * brush + 1, 1, brush)
    climbed = _grown(lambda x: torch.maximum(wide, -F.max_pool2d(-x, 3, 1)), _walled(far))
    climbed = torch.maximum(far, -F.max_pool2d(-climbed, 2 * brush + 1, 1, brush))
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
def chin(matte: Tensor) -> Tensor:
    """A matte (n, 1, h, w), less where the chin's outline goes on inside it: a chin hangs before the collar, and what is inflated as one
    body with it has no valley between the two.

    Where in its lower half a body is narrower than above and than below, its outline ends on both sides and would go on behind what it
    meets (Karpenko and Hughes 2006, "SmoothSketch: 3D Free-Form Shapes from Complex Sketches"): half an ellipse is drawn from side to
    side, faintest in the middle, where chin and throat are one. What has no neck stays as it is. No gradient passes.
    """
    h, w = matte.shape[-2:]
    y, x = (torch.arange(n, device=matte.device, dtype=matte.dtype) for n in (h, w))
    width = matte[:, 0].sum(-1)  # (n, h)
    above, below = width.cummax(1).values, width.flip(1).cummax(1).values.flip(1)
    share = width / torch.minimum(above, below).clamp(min=1.0)
    neck = torch.where((y >= h // 2) & (width > 1), share, torch.inf).min(1)
    strength = ((NARROWER - neck.values) / (NARROWER - NARROW)).clamp(0, 1)[:, None, None]
    row = matte[:, 0].gather(1, neck.indices[:, None, None].expand(-1, 1, w))[:, 0]
    across = row.sum(1).clamp(min=1.0)[:, None, None]
    centre, a = (row * x).sum(1)[:, None, None] / across, across / 2
    right, down = (x - centre) / a, (y[:, None] - neck.indices[:, None, None]) / (CHIN * a)
    r = (right**2 + down**2).sqrt().clamp(min=1e-6)
    far = (
        (r - 1) * r / ((right / a) ** 2 + (down / (CHIN * a)) ** 2).sqrt().clamp(min=1e-6)
    )  # from the ellipse, to first order
    line = torch.exp(-((far / (PEN * w)) ** 2) / 2) * right.clamp(-1, 1) ** 2
    return matte * (1 - DRAWN * strength * line * (down >= 0))[:, None]


@torch.no_grad()
def inflate(matte: Tensor) -> Tensor:
    """Height over the ground, (n, 1, h, w) in the camera's units, of the round body that has a matte (n, 1, h, w) as its outline: sqrt u,
    with -Laplace u = 4 inside and u = 0 outside, which makes half a ball of a disc, to a tenth of its height. What is half inside holds u
    down. What reaches the lower edge goes on below it. No gradient passes.
    """
    size = matte.shape[-1]
    levels = [matte]
    while levels[-1].shape[-1] > COARSEST:
        levels.append(F.avg_pool2d(levels[-1], 2))
    u = torch.zeros_like(levels[-1])
    for inside in reversed(levels):
        u = F.interpolate(u, size=inside.shape[-2:], mode="bilinear", align_corners=False)
        step = size / inside.shape[-1]
        inside = inside / (inside + (1 - inside) * min(1.0, (FINEST / inside.shape[-1]) ** 2))  # alike at every size
        for _ in range(SWEEPS):
            p = F.pad(F.pad(u, (0, 0, 0, 1), mode="replicate"), (1, 1, 1, 0))
            around = p[..., 1:-1, :-2] + p[..., 1:-1, 2:] + p[..., :-2, 1:-1] + p[..., 2:, 1:-1]
            u = inside * (around / 4 + step**2)
    return u.sqrt() * (camera.BORDER / camera.focal(size))
