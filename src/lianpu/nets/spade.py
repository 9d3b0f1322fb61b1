"""SPADE (Park et al. 2019, "Semantic Image Synthesis with Spatially-Adaptive Normalization"), the network Yan et al. 2023 compare
with: a generator whose every normalisation is modulated by the drawing, its optional encoder of styles, and the discriminator.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from lianpu.config import CocosNetConfig, PaintingConfig, SpadeConfig
from lianpu.errors import UsageError
from lianpu.ops.convolution import laid_out
from lianpu.ops.warp import warp

__all__ = [
    "BatchNorm",
    "Composition",
    "Painted",
    "PatchDiscriminator",
    "PositionalNorm",
    "SelfAttention",
    "Spade",
    "SpadeBlock",
    "StyleEncoder",
]

SLOPE = 0.2
EPS = 1e-5
START = 8  # the generator's first maps are 8x8
KERNEL = 4  # of the discriminator's convolutions


class Painted(NamedTuple):
    """What a translator makes of a drawing, and what its losses need."""

    image: Tensor
    """(n, 3, h, w), the picture."""
    warped: Tensor | None = None
    """(n, 3, h, w): CoCosNet's reference, warped into the drawing's frame."""
    query: Tensor | None = None
    """(n, d, h/s, w/s): CoCosNet's descriptors of the drawing, of length 1; s is the warp's stride."""
    key: Tensor | None = None
    """(n, d, h/s, w/s): those of the reference."""
    mu: Tensor | None = None
    """(n, z_dim): mean of the style q(z | reference) of SPADE's encoder."""
    logvar: Tensor | None = None
    """(n, z_dim): log of its variance."""
    coarse: Tensor | None = None
    """(n, 3, h/s, w/s): `warped` before it was enlarged, which the cycle starts from."""
    place: Tensor | None = None
    """(n, 2, h/s, w/s): where in the reference each place's match lies, the mean of its (x, y) in -1 to 1."""
    sketch: Tensor | None = None
    """(n, feature_width, h/s, w/s): x_W of Yan et al. 2023, Eq. 7, what CoCosNet sees in the drawing."""


# ------------------------------------------------------------------------------------------------------------ normalising


class PositionalNorm(nn.Module):
    """Li et al. 2019, Eqs. 1 and 2: mean and deviation over the channels of each pixel, mu_ab and sigma_ab of Yan et al. 2023, Eq. 14."""

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        return (
            centred * (centred.square().mean(1, keepdim=True) + EPS).rsqrt()
        )  # torch.var_mean is ten times slower here


class BatchNorm(nn.Module):
    """Ioffe and Szegedy 2015 without gain and bias; all processes that share a batch are one batch. Running means serve in
    evaluation, so that a picture does not depend on those beside it.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return (x - self.mean[:, None, None]) * (self.variance + EPS).rsqrt()[:, None, None]
        mean = _over_processes(x.mean((0, 2, 3)))
        centred = x - mean[:, None, None]
        variance = _over_processes(centred.square().mean((0, 2, 3)))
        with torch.no_grad():
            self.mean.lerp_(mean, self.momentum)
            self.variance.lerp_(variance, self.momentum)
        return centred * (variance + EPS).rsqrt()[:, None, None]


def _over_processes(mean: Tensor) -> Tensor:
    """The mean over processes that hold equally many pictures, with its gradient."""
    if not (dist.is_available() and dist.is_initialized()):
        return mean
    total = SumOverProcesses.apply(mean)
    assert isinstance(total, Tensor)
    return total / dist.get_world_size()


class SumOverProcesses(torch.autograd.Function):
    """Every process gets the sum; what is asked of it anywhere is asked of each summand, so the gradient is a sum as well."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        total = grads[0].clone()
        dist.all_reduce(total)
        return total


Norm = Callable[[int], nn.Module]
Pad = Literal["zeros", "reflect"]


class Spatial(nn.Module):
    """Park et al. 2019, Eq. 1: a normalised map, modulated by what is known of each pixel; Yan et al. 2023, Eq. 14, with
    alpha = 1 + gamma.
    """

    def __init__(self, channels: int, condition: int, hidden: int, norm: Norm, pad: Pad) -> None:
        super().__init__()
        self.norm = norm(channels)
        self.shared = nn.Conv2d(condition, hidden, 3, padding=1, padding_mode=pad)
        self.modulation = nn.Conv2d(hidden, 2 * channels, 3, padding=1, padding_mode=pad)
        nn.init.xavier_normal_(self.modulation.weight, 0.02)  # at first the condition changes little
        nn.init.zeros_(self.modulation.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x: (n, channels, h, w), condition: (n, c, h, w)."""
        gamma, beta = self.modulation(F.relu(self.shared(condition))).chunk(2, 1)
        return torch.addcmul(beta, self.norm(x), 1 + gamma)


class SpadeBlock(nn.Module):
    """Park et al. 2019, Fig. 4: a residual block of two modulated convolutions, and a modulated 1x1 one on the other branch
    where the number of channels changes.
    """

    def __init__(self, channels: int, out: int, condition: int, hidden: int, norm: Norm, pad: Pad = "zeros") -> None:
        super().__init__()
        middle = min(channels, out)
        self.spade0 = Spatial(channels, condition, hidden, norm, pad)
        self.conv0 = spectral_norm(nn.Conv2d(channels, middle, 3, padding=1, padding_mode=pad))
        self.spade1 = Spatial(middle, condition, hidden, norm, pad)
        self.conv1 = spectral_norm(nn.Conv2d(middle, out, 3, padding=1, padding_mode=pad))
        self.shortcut = None
        if channels != out:
            self.spade2 = Spatial(channels, condition, hidden, norm, pad)
            self.shortcut = spectral_norm(nn.Conv2d(channels, out, 1, bias=False))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        y = self.conv0(F.leaky_relu(self.spade0(x, condition), SLOPE))
        y = self.conv1(F.leaky_relu(self.spade1(y, condition), SLOPE))
        return y + (x if self.shortcut is None else self.shortcut(self.spade2(x, condition)))


class SelfAttention(nn.Module):
    """Zhang et al. 2019, Eqs. 1 to 3: each pixel looks at the others, of which every fourth, the largest, is kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        few, half = max(channels // 8, 1), max(channels // 2, 1)
        self.query, self.key, self.value = (
            spectral_norm(nn.Conv2d(channels, out, 1, bias=False)) for out in (few, few, half)
        )
        self.out = spectral_norm(nn.Conv2d(half, channels, 1, bias=False))
        self.gamma = nn.Parameter(torch.zeros([]))

    def forward(self, x: Tensor) -> Tensor:
        key, value = F.max_pool2d(self.key(x), 2), F.max_pool2d(self.value(x), 2)
        return x + self.gamma * self.out(warp(self.query(x), key, value, 1.0))


# -------------------------------------------------------------------------------------------------------------- generator


class Composition(nn.Module):
    """A chain of SPADE blocks from 8x8 to the picture. It starts from the condition at that size, or from a style z."""

    def __init__(
        self, config: PaintingConfig, condition: int, norm: Norm, *, pad: Pad = "zeros", z_dim: int = 0, attention: bool = False
    ) -> None:  # fmt: skip
        super().__init__()
        c = config
        self.sizes = [START, 2 * START, 2 * START]  # two blocks at 16x16, one at every other size
        while self.sizes[-1] < c.resolution:
            self.sizes.append(2 * self.sizes[-1])
        widths = [c.channels(size) for size in (START, *self.sizes)]
        first, last = widths[0], widths[-1]
        self.start = nn.Linear(z_dim, first * START**2) if z_dim else nn.Conv2d(condition, first, 3, padding=1)
        self.blocks = nn.ModuleList(SpadeBlock(a, b, condition, c.hidden, norm, pad) for a, b in pairwise(widths))
        self.attention = SelfAttention(widths[-3]) if attention else None
        self.out = nn.Conv2d(last, 3, 3, padding=1, padding_mode=pad)
        nn.init.xavier_normal_(self.out.weight, 0.02)  # the first pictures are grey, where tanh is not saturated

    def forward(self, condition: Tensor, z: Tensor | None = None) -> Tensor:
        """condition: (n, c, h, w), z: (n, z_dim) where it starts from a style -> (n, 3, h, w) in -1 to 1."""
        told = {size: _resized(condition, size) for size in dict.fromkeys(self.sizes)}
        if isinstance(self.start, nn.Linear):
            assert z is not None
            x = laid_out(self.start(z).view(len(z), -1, START, START))
        else:
            x = self.start(told[START])
        for block, size in zip(self.blocks, self.sizes, strict=True):
            if x.shape[2] != size:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            if self.attention is not None and block is self.blocks[-2]:
                x = self.attention(x)
            x = block(x, told[size])
        return self.out(F.leaky_relu(x, SLOPE)).tanh()


def _resized(condition: Tensor, size: int) -> Tensor:
    """By areas: of a line one pixel wide nothing is left where only every eighth pixel is looked at."""
    if condition.shape[2] == size:
        return laid_out(condition)
    return laid_out(F.avg_pool2d(condition, condition.shape[2] // size))


class StyleEncoder(nn.Module):
    """Park et al. 2019, Appendix A: convolutions of stride 2 down to 4x4, then mean and log variance of the style z."""

    def __init__(self, config: SpadeConfig) -> None:
        super().__init__()
        c = config
        halvings = (c.resolution // 4).bit_length() - 1
        widths = [3, *(c.style_width * min(2**i, 8) for i in range(halvings))]
        self.convs = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 3, 2, 1, bias=False)) for a, b in pairwise(widths))
        self.mu = nn.Linear(widths[-1] * 16, c.z_dim)
        self.logvar = nn.Linear(widths[-1] * 16, c.z_dim)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) -> mu, log variance, (n, z_dim) each."""
        x = laid_out(picture)
        for conv in self.convs:
            x = F.leaky_relu(F.instance_norm(conv(x)), SLOPE)
        x = x.flatten(1)
        return self.mu(x), self.logvar(x)


class Spade(nn.Module):
    """Drawing to picture; with `vae` in the style of a reference, without it in one of its own."""

    def __init__(self, config: SpadeConfig) -> None:
        super().__init__()
        self.config = config
        self.style = StyleEncoder(config) if config.vae else None
        self.composition = Composition(
            config, config.condition_channels, BatchNorm, z_dim=config.z_dim if config.vae else 0
        )

    def forward(
        self, condition: Tensor, reference: Tensor, reference_condition: Tensor, *, noise: Tensor | None = None
    ) -> Painted:
        """condition: (n, c, h, w); reference: (n, 3, h, w), not looked at without `vae`. noise: (n, z_dim) standard normal;
        without it the style is the most likely one.
        """
        check_inputs(self.config, condition, reference, reference_condition)
        if self.style is None:
            return Painted(self.composition(condition))
        mu, logvar = self.style(reference)
        z = mu if noise is None else mu + noise * (logvar / 2).exp()
        return Painted(self.composition(condition, z), mu=mu, logvar=logvar)


def check_inputs(config: PaintingConfig, condition: Tensor, reference: Tensor, reference_condition: Tensor) -> None:
    r, channels = config.resolution, config.condition_channels
    for name, x, c in (
        ("condition", condition, channels), ("reference", reference, 3), ("reference_condition", reference_condition, channels),
    ):  # fmt: skip
        if x.shape != (len(condition), c, r, r):
            raise UsageError(f"{name} must be ({len(condition)}, {c}, {r}, {r}), not {tuple(x.shape)}.")


# ---------------------------------------------------------------------------------------------------------- discriminator


class PatchDiscriminator(nn.Module):
    """Wang et al. 2018 (pix2pixHD), Sec. 3.2: the same network at several sizes of the picture, each scoring overlapping patches.
    It is shown the drawing too. Spectral norm is on all convolutions but the first and the score, as in the networks that Park et
    al. 2019 and Zhang et al. 2020 released; Park et al. write of all.
    """

    def __init__(self, config: PaintingConfig) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchScale(config) for _ in range(config.discriminator_scales))

    def forward(self, condition: Tensor, image: Tensor) -> list[list[Tensor]]:
        """condition: (n, c, h, w), image: (n, 3, h, w) -> for each size the maps of all layers, the last one the score
        (n, 1, h', w'), high for real pictures.
        """
        x = laid_out(torch.cat([condition, image], 1))
        seen = []
        for scale in self.scales:
            seen.append(scale(x))
            x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return seen


class PatchScale(nn.Module):
    """The discriminator at one size."""

    def __init__(self, config: PaintingConfig) -> None:
        super().__init__()
        c = config
        widths = [
            c.condition_channels + 3,
            *(c.discriminator_width * min(2**i, 8) for i in range(c.discriminator_layers)),
        ]
        self.convs = nn.ModuleList()
        for i, (a, b) in enumerate(pairwise(widths)):
            stride = 1 if i == c.discriminator_layers - 1 else 2
            conv = nn.Conv2d(a, b, KERNEL, stride, KERNEL // 2, bias=i == 0)  # later biases a mean would take off again
            self.convs.append(conv if i == 0 else spectral_norm(conv))
        self.score = nn.Conv2d(widths[-1], 1, KERNEL, 1, KERNEL // 2)
        attend = isinstance(config, CocosNetConfig) and config.attention
        self.attention = SelfAttention(widths[-2]) if attend else None

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for i, conv in enumerate(self.convs):
            if self.attention is not None and i == len(self.convs) - 1:
                x = self.attention(x)
            x = conv(x)
            x = F.leaky_relu(F.instance_norm(x) if i else x, SLOPE)
            maps.append(x)
        return [*maps, self.score(x)]
