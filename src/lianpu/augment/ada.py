"""Adaptive discriminator augmentation: 18 random transforms between pictures and discriminator, each applied to each
picture with probability p (Karras et al. 2020a, Sec. 2 and Appendix B; Yan et al. 2023, "Adaptive discriminator
enhancement module").

The seven geometric transforms of a picture are composed into one matrix, and the five of colour into another, before a
pixel is touched; then pixels are moved, coloured, filtered and corrupted, in this order. Each stage is linear in the
pictures, so the whole can be differentiated as often as R1 asks. What is drawn and decided is known on the host and goes
to a GPU without waiting for it; stages and pictures that drew nothing are skipped, which is exact, for not drawn means identity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pywt
import torch
import torch.nn.functional as F
from torch import Tensor

from lianpu.augment.policy import Policy, Shown
from lianpu.config import AugmentConfig
from lianpu.randomness import Draw

__all__ = ["ADA", "TRANSFORMS", "augment"]

BLIT = ("x_flip", "rotate_90", "integer_translation")
GEOMETRY = ("isotropic_scaling", "rotation", "anisotropic_scaling", "fractional_translation")
COLOUR = ("brightness", "contrast", "luma_flip", "hue_rotation", "saturation")
FILTER = ("filter_band_1", "filter_band_2", "filter_band_3", "filter_band_4")
CORRUPTION = ("additive_noise", "cutout")
TRANSFORMS = (*BLIT, *GEOMETRY, *COLOUR, *FILTER, *CORRUPTION)
"""All 18. The published default, "bgc", is the first 12."""


class Dice:
    """The random numbers of n pictures: the one place where the pipeline draws.

    A number is 0 for a picture to which the transform did not come up, and for all if it is not among `transforms`;
    each transform below is written so that 0 leaves the picture as it was. Numbers are float64 on the host.
    """

    def __init__(self, draw: Draw, n: int, p: float, transforms: Sequence[str]) -> None:
        self.draw, self.n, self.p, self.transforms = replace(draw, device="cpu"), n, p, transforms

    def came_up(self, name: str, p: float | None = None) -> Tensor:
        """Whether each picture gets the transform (the first word of `name`), (n,) bool."""
        if name.split()[0] not in self.transforms:
            return torch.zeros(self.n, dtype=torch.bool)
        return self.draw.uniform(f"{name} gate", self.n) < (self.p if p is None else p)

    def _gated(self, name: str, numbers: Tensor, p: float | None = None) -> Tensor:
        return numbers.double() * self.came_up(name, p).view(-1, *[1] * (numbers.ndim - 1))

    def integer(self, name: str, high: int) -> Tensor:
        """i ~ U{0, ..., high - 1}, (n,)."""
        return self._gated(name, self.draw.integers(name, high, self.n))

    def uniform(self, name: str, *shape: int, p: float | None = None) -> Tensor:
        """u ~ U(-1, 1), (n, *shape)."""
        return self._gated(name, 2 * self.draw.uniform(name, self.n, *shape) - 1, p)

    def normal(self, name: str, *shape: int) -> Tensor:
        """N(0, 1), (n, *shape)."""
        return self._gated(name, self.draw.normal(name, self.n, *shape))


def matrix(rows: Sequence[Sequence[Any]]) -> Tensor:
    """(n, len(rows), len(rows[0])) float64 from entries that are numbers or (n,) tensors; n is 1 if all are numbers."""
    varying = {(i, j): e for i, row in enumerate(rows) for j, e in enumerate(row) if isinstance(e, Tensor)}
    constant = torch.tensor([[0 if isinstance(e, Tensor) else e for e in row] for row in rows], dtype=torch.float64)
    out = constant.repeat(max(map(len, varying.values()), default=1), 1, 1)
    for (i, j), e in varying.items():
        out[:, i, j] = e
    return out


# ----------------------------------------------- geometry: from output pixel (x, y, 1) to input pixel, about the centre

I3 = torch.eye(3, dtype=torch.float64, device="cpu")


def translate(x: Any, y: Any) -> Tensor:
    return matrix([[1, 0, x], [0, 1, y], [0, 0, 1]])


def scale(x: Any, y: Any) -> Tensor:
    return matrix([[x, 0, 0], [0, y, 0], [0, 0, 1]])


def rotate(theta: Tensor) -> Tensor:
    c, s = theta.cos(), theta.sin()
    return matrix([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def x_flip(dice: Dice) -> Tensor:
    """Mirrored left to right if i = 1, i ~ U{0, 1}: half of the pictures to which it comes up."""
    return scale(1 - 2 * dice.integer("x_flip", 2), 1)


def rotate_90(dice: Dice) -> Tensor:
    """Turned by i quarter turns, i ~ U{0, ..., 3}."""
    return rotate(dice.integer("rotate_90", 4) * (math.pi / 2))


def integer_translation(dice: Dice, height: int, width: int) -> Tensor:
    """Moved by t ~ U(-1/8, 1/8) of the size, rounded to pixels."""
    x, y = (dice.uniform("integer_translation", 2) / 8).unbind(1)
    return translate(-(x * width).round(), -(y * height).round())


def isotropic_scaling(dice: Dice) -> Tensor:
    """Enlarged by s = 2^N(0, 0.2^2)."""
    s = torch.exp2(0.2 * dice.normal("isotropic_scaling"))
    return scale(1 / s, 1 / s)


def rotation(dice: Dice, when: str) -> Tensor:
    """Turned by theta ~ U(-pi, pi), before and after the anisotropic scaling.

    Each comes up with p_rot = 1 - sqrt(1 - p), so that at least one of them does with probability p. Where p is not
    held below 1, both always come up from 1 on.
    """
    p_rot = 1 - math.sqrt(max(1 - dice.p, 0))
    return rotate(math.pi * dice.uniform(f"rotation {when}", p=p_rot))


def anisotropic_scaling(dice: Dice) -> Tensor:
    """Stretched by s in x and by 1/s in y, s = 2^N(0, 0.2^2)."""
    s = torch.exp2(0.2 * dice.normal("anisotropic_scaling"))
    return scale(1 / s, s)


def fractional_translation(dice: Dice, height: int, width: int) -> Tensor:
    """Moved by t ~ N(0, (1/8)^2) of the size."""
    x, y = (dice.normal("fractional_translation", 2) / 8).unbind(1)
    return translate(-x * width, -y * height)


def geometry(dice: Dice, height: int, width: int) -> Tensor:
    """G^-1 (n, 3, 3): where each pixel comes from, in pixels about the centre (Karras et al. 2020a, Appendix B)."""
    return (
        x_flip(dice)
        @ rotate_90(dice)
        @ integer_translation(dice, height, width)
        @ isotropic_scaling(dice)
        @ rotation(dice, "before")
        @ anisotropic_scaling(dice)
        @ rotation(dice, "after")
        @ fractional_translation(dice, height, width)
    )


# ---------------------------------------------------------------------------- colour: from (r, g, b, 1) to (r, g, b, .)

I4 = torch.eye(4, dtype=torch.float64, device="cpu")
V = torch.tensor([1.0, 1, 1, 0], dtype=torch.float64, device="cpu") / math.sqrt(3)
"""v, the grey axis of the colour cube: along it lies luma, across it hue and saturation."""


def brightness(dice: Dice) -> Tensor:
    """b ~ N(0, 0.2^2) added to all channels."""
    b = 0.2 * dice.normal("brightness")
    return matrix([[1, 0, 0, b], [0, 1, 0, b], [0, 0, 1, b], [0, 0, 0, 1]])


def contrast(dice: Dice) -> Tensor:
    """All channels times c = 2^N(0, 0.5^2)."""
    c = torch.exp2(0.5 * dice.normal("contrast"))
    return matrix([[c, 0, 0, 0], [0, c, 0, 0], [0, 0, c, 0], [0, 0, 0, 1]])


def luma_flip(dice: Dice) -> Tensor:
    """Light made dark, hue kept: Householder's reflection I - 2 i v v^T, i ~ U{0, 1}."""
    i = dice.integer("luma_flip", 2)[:, None, None]
    return I4 - 2 * i * V.outer(V)


def hue_rotation(dice: Dice) -> Tensor:
    """Turned about v by theta ~ U(-pi, pi): I + sin(theta) K + (1 - cos(theta)) K^2 with K c = v x c (Rodrigues)."""
    theta = math.pi * dice.uniform("hue_rotation")[:, None, None]
    K = matrix([[0, -1, 1, 0], [1, 0, -1, 0], [-1, 1, 0, 0], [0, 0, 0, 0]]) / math.sqrt(3)
    return I4 + theta.sin() * K + (1 - theta.cos()) * K @ K


def saturation(dice: Dice) -> Tensor:
    """Distance from v times s = 2^N(0, 1^2): v v^T + s (I - v v^T)."""
    s = torch.exp2(dice.normal("saturation"))[:, None, None]
    return I4 + (s - 1) * (I4 - V.outer(V))


def colour(dice: Dice) -> Tensor:
    """C (n, 4, 4), of which the first three rows are used (Karras et al. 2020a, Appendix B)."""
    return saturation(dice) @ hue_rotation(dice) @ luma_flip(dice) @ contrast(dice) @ brightness(dice)


# ---------------------------------------------------------------------------------------------------- moving the pixels


def margins(G_inv: Tensor, height: int, width: int) -> Tensor:
    """Pixels of mirrored border each picture needs, (n, 4) int64: left, top, right, bottom.

    As far as G^-1 takes the corner pixels beyond the picture, and 6 for the two sym6 filters. At most size - 1, where
    mirroring ends: what lies beyond is mid-grey, 0.
    """
    half = G_inv.new_tensor([(width - 1) / 2, (height - 1) / 2])
    corners = half.new_tensor([[-1, 1, -1, 1], [-1, -1, 1, 1]]) * half[:, None]
    reach = (G_inv @ F.pad(corners, (0, 0, 0, 1), value=1))[:, :2]  # (n, xy, corner)
    beyond = torch.cat([(-reach).amax(2), reach.amax(2)], 1) - half.repeat(2) + 6
    # the cosine of a quarter turn is 6e-17, not 0: but for the 1e-4, rounding errors would decide about a pixel
    return (beyond - 1e-4).ceil().long().clamp(min=0).minimum(torch.tensor([width - 1, height - 1] * 2))


def theta(G_inv: Tensor, canvas: Sequence[int], height: int, width: int) -> Tensor:
    """G^-1 in the terms of affine_grid, (n, 2, 3): from the doubled output, 3 pixels wider on each side, to the canvas.

    The canvas is the picture, mirrored by `canvas` = left, top, right, bottom pixels and doubled. sym6 is not
    symmetric: its weight lies near tap 5, not 5.5, which puts pixel i at 2i, not midway to 2i + 1; hence the half
    pixels.
    """
    left, top, right, bottom = canvas
    A = translate((left - right) / 2, (top - bottom) / 2) @ G_inv
    A = scale(2, 2) @ A @ scale(0.5, 0.5)
    A = translate(-0.5, -0.5) @ A @ translate(0.5, 0.5)
    A = scale(1 / (width + left + right), 1 / (height + top + bottom)) @ A @ scale(width + 6, height + 6)
    return A[:, :2]


def lowpass(wavelet: str) -> np.ndarray:
    """H, an orthonormal lowpass filter: sum_k H_k H_{k + 2m} = 1 for m = 0, 0 for all other m (Daubechies 1992)."""
    return np.array(pywt.Wavelet(wavelet).dec_lo)  # pyright: ignore[reportAttributeAccessIssue]


def sym6(like: Tensor) -> Tensor:
    """The 12 taps of sym6, summing to 1, where and as precise as `like`."""
    H = lowpass("sym6")
    return torch.from_numpy(H / H.sum()).to(like)


def lookup(taps: Tensor, k: Tensor) -> Tensor:
    """taps[k], and 0 for every k outside."""
    return F.pad(taps, (1, 1))[(k + 1).clamp(0, len(taps) + 1)]


def doubling(size: int, before: Tensor, after: Tensor, like: Tensor) -> Tensor:
    """U (n, 2 (size + borders), size): mirrors a row of `size` pixels at its ends and doubles its resolution with sym6.

    before, after (n,) are each picture's own margins; the borders are the longest among them. Beyond its own margin a
    picture is 0, so that what becomes of it does not depend on the others of its batch.
    """
    f = sym6(like)
    j = torch.arange(-2 * int(before.max()), 2 * (size + int(after.max())), device=like.device)[:, None]
    r = torch.arange(size, device=like.device)
    before, after = (m.to(like.device, non_blocking=True)[:, None, None] for m in (before, after))
    U = f.new_zeros([])
    # pixel r is seen at r, and mirrored at -r and at 2 (size - 1) - r; an end pixel is its own mirror picture
    for image, there in ((r, r >= 0), (-r, r > 0), (2 * (size - 1) - r, r < size - 1)):
        inside = there & (image >= -before) & (image < size + after)
        U = U + inside * (2 * lookup(f, 5 + j - 2 * image))
    return U


def halving(size: int, like: Tensor) -> Tensor:
    """D (size, 2 (size + 6)): back from doubled resolution, 3 pixels wider on each side, to a row of `size` pixels.

    The transpose of doubling: sym6 is orthonormal, so halving undoes doubling.
    """
    j = torch.arange(-6, 2 * size + 6, device=like.device)
    i = torch.arange(size, device=like.device)[:, None]
    return lookup(sym6(like), 5 + j - 2 * i)


class Sample(torch.autograd.Function):
    """Bilinear samples of pictures (n, c, h, w) at the points of a grid (n, h', w', 2); outside is 0.

    F.grid_sample with derivatives of every order. It is linear in the picture: its backward is its transpose, and the
    backward of that is itself. torch has no second derivative of it in its older releases, 2.6 among them, and keeps
    the pictures for backward, which takes more memory than anything else here.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = images.shape
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, None]:
        (grid,) = ctx.saved_tensors
        return SampleTransposed.apply(grads[0], grid, ctx.shape), None


class SampleTransposed(torch.autograd.Function):
    """The transpose of `Sample`: spreads (n, c, h', w') over pictures of `shape`."""

    @staticmethod
    def forward(ctx: Any, samples: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        images = samples.new_zeros([]).expand(shape)  # only the gradient of the grid, not wanted, depends on them
        bilinear, zeros, wanted = 0, 0, [True, False]
        return torch.ops.aten.grid_sampler_2d_backward(samples, images, grid, bilinear, zeros, False, wanted)[0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Any, None, None]:
        (grid,) = ctx.saved_tensors
        return Sample.apply(grads[0], grid), None, None


def move(images: Tensor, G_inv: Tensor) -> Tensor:
    """Pictures (n, c, h, w) resampled by G^-1 (n, 3, 3): mirrored borders, doubling, bilinear sampling, halving.

    A filter along rows or columns is a matrix, and applying it is a matrix product: on a CPU this took a third of the
    time of a depthwise convolution at 64 pixels and two thirds at 256.
    """
    n, c, h, w = images.shape
    left, top, right, bottom = (m := margins(G_inv, h, w)).T
    to_canvas = theta(G_inv, m.amax(0).tolist(), h, w).to(images, non_blocking=True)
    grid = F.affine_grid(to_canvas, [n, c, 2 * (h + 6), 2 * (w + 6)], align_corners=False)
    Uy, Ux = doubling(h, top, bottom, images)[:, None], doubling(w, left, right, images)[:, None]
    moved: Any = Sample.apply(Uy @ images @ Ux.mT, grid)
    return halving(h, images) @ moved @ halving(w, images).mT


# ------------------------------------------------------------------------------------------------- colouring the pixels


def paint(images: Tensor, C: Tensor) -> Tensor:
    """Colours (n, c, h, w) by C (n, 4, 4).

    Three channels are RGB; one is grey, and becomes the mean of what C makes of it.
    A second or fourth is alpha and stays.
    """
    n, c, h, w = images.shape
    C = C[:, :3]
    if c < 3:
        C = C.mean(1, keepdim=True)
        C = torch.cat([C[:, :, :3].sum(2, keepdim=True), C[:, :, 3:]], 2)
    C = C.to(images, non_blocking=True)
    k = C.shape[1]
    painted = torch.baddbmm(C[:, :, k:], C[:, :, :k], images[:, :k].reshape(n, k, h * w)).view(n, k, h, w)
    return torch.cat([painted, images[:, k:]], 1)


# -------------------------------------------------------------------------------------- filtering and corrupting pixels


def filter_bank() -> Tensor:
    """Four bands that add up to the identity, (4, 43) float64: up to 1/8 of the highest frequency, to 1/4, to 1/2, to
    1.

    From the wavelet sym2 with polynomial H: low(z) = H(z) H(1/z) / 2 and high(z) = H(-z) H(-1/z) / 2, low + high = 1.
    Each octave splits what the one above left, with z^2 for z: a band is low(z) low(z^2) high(z^4), and so on (Karras
    et al. 2020a, Appendix B).
    """
    H = lowpass("sym2")
    low = np.convolve(H, H[::-1]) / 2
    high = low * [-1, 1, -1, 1, -1, 1, -1]

    def at(a: np.ndarray, power: int) -> np.ndarray:
        """a(z^power)."""
        spread = np.zeros(power * (len(a) - 1) + 1)
        spread[::power] = a
        return spread

    half = np.convolve(low, at(low, 2))
    bands = [np.convolve(half, at(low, 4)), np.convolve(half, at(high, 4)), np.convolve(low, at(high, 2)), high]
    return torch.from_numpy(np.stack([np.pad(band, (43 - len(band)) // 2) for band in bands]))


def band_gains(dice: Dice) -> Tensor:
    """g (n, 4): each band times 2^N(0, 1^2), one after the other, and each time all bands by what keeps the expected
    power.

    The power of natural pictures falls as 1/f: (10, 1, 1, 1) / 13 over the bands (Karras et al. 2020a, Appendix B).
    """
    power = torch.tensor([10.0, 1, 1, 1], dtype=torch.float64) / 13
    g = torch.ones(dice.n, 4, dtype=torch.float64)
    for i, name in enumerate(FILTER):
        t = torch.ones_like(g)
        t[:, i] = torch.exp2(dice.normal(name))
        g = g * t / (power * t.square()).sum(1, keepdim=True).sqrt()
    return g


def reflect(i: Tensor, size: int) -> Tensor:
    """The pixel seen at index i of a row of `size` pixels mirrored at its end pixels for ever: 2 1 | 0 1 2 | 1 0."""
    period = max(2 * (size - 1), 1)
    i = i.abs() % period
    return torch.minimum(i, period - i)


def along(size: int) -> Tensor:
    """The bands' filters along a row of `size` pixels with mirrored ends, as matrices (4, size, size) float64.

    Rows may be shorter than the filters, which the published code cannot do (it needs more than 21 pixels).
    """
    bank = filter_bank()
    taps = bank.shape[1]
    out = torch.arange(size)[:, None].expand(size, taps)
    seen = reflect(out + torch.arange(taps) - taps // 2, size)
    matrices = torch.zeros(4, size * size, dtype=torch.float64)
    return matrices.index_add(1, (out * size + seen).flatten(), bank.repeat(1, size)).view(4, size, size)


def filter_bands(images: Tensor, g: Tensor) -> Tensor:
    """Filters the rows and the columns of (n, c, h, w) with H'_z = sum_b g_b band_b, g (n, 4)."""
    y, x = (torch.tensordot(g, along(size), 1).to(images, non_blocking=True)[:, None] for size in images.shape[2:])
    return y @ images @ x.mT


def cut_out(images: Tensor, centre: Tensor) -> Tensor:
    """Sets a box of half the height and half the width about `centre` (n, 2), x and y from 0 to 1, to 0."""

    def kept(size: int, middle: Tensor) -> Tensor:
        return (((torch.arange(size) + 0.5) / size - middle[:, None]).abs() >= 0.25).to(
            images.device, non_blocking=True
        )

    h, w = images.shape[2:]
    return images * (kept(w, centre[:, 0])[:, None, None, :] | kept(h, centre[:, 1])[:, None, :, None])


# ----------------------------------------------------------------------------------------------------------- the whole


def where(drawn: Tensor, change: Callable[..., Tensor], images: Tensor, numbers: Tensor) -> Tensor:
    """Applies change(images, numbers) to the pictures that drew it, (n,) bool, and leaves the others untouched."""
    if not drawn.any():
        return images
    if drawn.all():
        return change(images, numbers)
    rows = drawn.nonzero()[:, 0]
    here = rows.to(images.device, non_blocking=True)
    return images.index_copy(0, here, change(images[here], numbers[rows]))


def augment(images: Tensor, draw: Draw, p: float, transforms: Sequence[str] = TRANSFORMS) -> Tensor:
    """T(images), (n, c, h, w) float32 or float64: each transform comes up with probability p for each picture."""
    n, _, h, w = images.shape
    dice = Dice(draw, n, p, transforms)

    G_inv = geometry(dice, h, w)
    images = where((G_inv != I3).flatten(1).any(1), move, images, G_inv)

    C = colour(dice)
    images = where((C != I4).flatten(1).any(1), paint, images, C)

    g = band_gains(dice)
    images = where((g != 1).any(1), filter_bands, images, g)

    sigma = 0.1 * dice.normal("additive_noise").abs()
    if sigma.any():
        images = images + sigma.to(images, non_blocking=True)[:, None, None, None] * draw.normal(
            "noise", *images.shape
        ).to(images)

    centre = (1 + dice.uniform("cutout", 2)) / 2
    return where(dice.came_up("cutout"), cut_out, images, centre)


class ADA(Policy):
    """Reals and fakes go through the same `augment`, and gradients through it to the generator.

    As published, p starts at 0 and is clamped from below only: r_t near 1 drives it beyond 1, which changes nothing but
    the time it takes to come back. The seed wants p in [0, 1), where T can be undone as a change of distributions and
    so does not leak into the generator: `augment.p_max` sets that. The seed counts 18 transforms, the published default
    is 12: `augment.transforms`.
    """

    upper = math.inf

    def __init__(self, config: AugmentConfig) -> None:
        super().__init__(config)
        self.transforms = TRANSFORMS if config.transforms == "bgcfnc" else TRANSFORMS[:12]

    def _show(self, images: Tensor, draw: Draw) -> Shown:
        p = self.strength()
        return Shown(augment(images, draw, p, self.transforms) if p else images)

    def show_real(self, real: Tensor, fake: Tensor, draw: Draw) -> Shown:
        return self._show(real, draw)

    def show_fake(self, fake: Tensor, draw: Draw) -> Shown:
        return self._show(fake, draw)
