"""StyleGAN2's mapping, synthesis and discriminator networks (Karras et al. 2020b, "Analyzing and Improving the Image
Quality of StyleGAN"), the networks of Yan et al. 2023; for Diffusion-GAN the discriminator also hears the time step t
(Wang et al. 2023).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lianpu.config import StyleGAN2Config
from lianpu.errors import UsageError
from lianpu.ops.activation import SLOPE, SQRT2, bias_lrelu
from lianpu.ops.convolution import conv, laid_out
from lianpu.ops.modconv import styled_conv, to_rgb
from lianpu.ops.resample import binomial, blur, downsample, upsample
from lianpu.randomness import Draw

__all__ = ["Discriminator", "Generator", "Mapping", "Synthesis", "minibatch_stddev", "mix_styles"]

Noise = Literal["random", "const", "none"]

W_AVG_BETA = 0.995  # of the running mean of w, per minibatch
MAPPING_LR = 0.01  # learning rate of the mapping network relative to the rest
TIME_FEATURES = 64
HALF = torch.bfloat16  # float32's range in half the bytes: no clamp, no rescaling of weights is needed


def unit_rms(x: Tensor) -> Tensor:
    """Each row divided by its root mean square."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def _one_hot(label: Tensor | None, classes: int, n: int, like: Tensor) -> Tensor:
    """(n, classes) from class indices (n,)."""
    if label is None:
        raise UsageError(
            f"this model has {classes} classes: it needs a class for each picture.", fix="Name one with --class."
        )
    if label.shape != (n,) or label.is_floating_point():
        raise UsageError(f"expected {n} class numbers, got {label.dtype} of shape {tuple(label.shape)}.")
    if label.device.type == "cpu" and bool(((label < 0) | (label >= classes)).any()):
        raise UsageError(f"class numbers go from 0 to {classes - 1}, got {int(label.min())} to {int(label.max())}.")
    return F.one_hot(label.long(), classes).to(like)


class Dense(nn.Module):
    """Fully connected layer with equalised learning rate: y = x W^T / sqrt(fan_in) lr + b lr, then lrelu times
    sqrt(2) if `lrelu`.
    """

    def __init__(self, features: int, out: int, *, lrelu: bool = False, lr: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.lr, self.lrelu = lr, lrelu
        self.weight = nn.Parameter(torch.randn(out, features) / lr)
        self.bias = nn.Parameter(torch.full([out], bias / lr))

    def forward(self, x: Tensor) -> Tensor:
        gain = SQRT2 if self.lrelu else 1.0
        scale = gain * self.lr / math.sqrt(self.weight.shape[1])  # of the few numbers in x, not of the weights
        y = F.linear(x * scale, self.weight, self.bias * (gain * self.lr))
        return F.leaky_relu(y, SLOPE, inplace=True) if self.lrelu else y


class Conv(nn.Module):
    """k x k convolution with equalised learning rate, bias and lrelu; `down` filters and halves the picture first."""

    fir: Tensor

    def __init__(self, channels: int, out: int, kernel: int, *, down: bool = False) -> None:
        super().__init__()
        self.down = down
        self.weight = nn.Parameter(laid_out(torch.randn(out, channels, kernel, kernel)))
        self.bias = nn.Parameter(torch.zeros(out))
        self.register_buffer("fir", binomial(), persistent=False)

    def forward(self, x: Tensor, gain: float = SQRT2) -> Tensor:
        w = laid_out(self.weight.to(x.dtype))
        scale = gain / math.sqrt(w[0].numel())
        if self.down:  # the constants join the filter, ...
            y = conv(blur(x, self.fir, padding=2, gain=scale), w, stride=2)
            return bias_lrelu(y, self.bias * gain, gain=1.0)
        if w.numel() < x.numel():  # ... the weights, or the activation, whatever is smallest
            w, scale = w * scale, 1.0
        return bias_lrelu(conv(x, w, padding=w.shape[2] // 2), self.bias * gain, gain=1.0, scale=scale)


class Shortcut(nn.Module):
    """The other branch of a residual block: 1x1 convolution without bias, and resampling by two, "up" or "down"."""

    fir: Tensor

    def __init__(self, channels: int, out: int, direction: Literal["up", "down"]) -> None:
        super().__init__()
        self.direction = direction
        self.weight = nn.Parameter(torch.randn(out, channels, 1, 1))
        self.register_buffer("fir", binomial(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        w = self.weight.to(x.dtype)
        gain = math.sqrt(0.5 / w.shape[1])
        if self.direction == "down":
            return conv(downsample(x, self.fir, gain), w)
        return upsample(conv(x, w), self.fir, gain)


# ---- the generator -------------------------------------------------------------------------------------------------


class Mapping(nn.Module):
    """f: z -> w. A class, if there is one, is embedded and put beside z. `w_avg` (max(classes, 1), w_dim) holds the
    mean w of every class, so that truncation pulls a red mask towards the mean red mask, not towards the mean of
    seven colours.
    """

    w_avg: Tensor

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        c = config
        self.z_dim, self.classes, self.num_ws = c.z_dim, c.classes, c.num_ws
        self.embed = Dense(c.classes, c.w_dim) if c.classes else None
        first = c.z_dim + (c.w_dim if c.classes else 0)
        widths = [first] + [c.w_dim] * c.mapping_layers
        self.layers = nn.ModuleList(Dense(a, b, lrelu=True, lr=MAPPING_LR) for a, b in pairwise(widths))
        self.register_buffer("w_avg", torch.zeros(max(c.classes, 1), c.w_dim))

    def forward(
        self,
        z: Tensor,
        label: Tensor | None = None,
        truncation: float = 1.0,
        cutoff: int | None = None,
        update_average: bool = False,
    ) -> Tensor:
        """ws (n, num_ws, w_dim) of z (n, z_dim) and class numbers `label` (n,), needed only if there are classes.

        truncation: w <- w_avg + truncation (w - w_avg), for the first `cutoff` layers only if that is given (Karras
        et al. 2019, App. B). update_average: let `w_avg` follow these w (a training step does this once).
        """
        x = unit_rms(z.to(self.w_avg))
        if self.embed is not None:
            x = torch.cat([x, unit_rms(self.embed(_one_hot(label, self.classes, len(z), x)))], 1)
        for layer in self.layers:
            x = layer(x)
        if update_average:
            self.update_average(x.detach(), label)
        ws = x[:, None].expand(-1, self.num_ws, -1)
        if truncation == 1:
            return ws
        centre = self.centre(label)
        cut = self.num_ws if cutoff is None else cutoff
        return torch.cat([torch.lerp(centre, ws[:, :cut], truncation), ws[:, cut:]], 1)

    def centre(self, label: Tensor | None = None) -> Tensor:
        """What truncation pulls towards: (n, 1, w_dim), or (1, 1, w_dim) without classes."""
        return (self.w_avg[label] if self.classes else self.w_avg)[:, None]

    @torch.no_grad()
    def update_average(self, w: Tensor, label: Tensor | None = None) -> None:
        """w_avg <- w_avg + (1 - beta) (mean w - w_avg) over the global batch w (n, w_dim).

        A training step does this once, for the pictures that G learns from. With K classes, class k moves by
        (1 - beta) K n_k / n towards the mean of its own n_k pictures: a picture
        weighs the same whatever its class, and the mean of the K rows moves exactly as the one w_avg of an
        unconditional model would from the same start.
        """
        classes = len(self.w_avg)
        belongs = _one_hot(label, classes, len(w), w) if self.classes else w.new_ones(len(w), 1)  # (n, K)
        sums = torch.cat([belongs.T @ w, belongs.sum(0)[:, None]], 1)  # (K, w_dim + 1)
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(sums)
        count = sums[:, -1:]
        rate = ((1 - W_AVG_BETA) * classes * count / count.sum()).clamp(max=1)
        self.w_avg.lerp_(sums[:, :-1] / count.clamp(min=1), rate)


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias and lrelu (Karras et al. 2020b, Fig. 2c); `up` doubles the picture first."""

    fir: Tensor
    noise_const: Tensor

    def __init__(
        self, config: StyleGAN2Config, channels: int, out: int, resolution: int, name: str, *, up: bool
    ) -> None:
        super().__init__()
        self.up, self.resolution, self.name, self.noisy = up, resolution, name, config.noise
        self.affine = Dense(config.w_dim, channels, bias=1.0)
        self.weight = nn.Parameter(
            laid_out(torch.randn(out, channels, 3, 3))
        )  # no 1 / sqrt(fan_in): demodulation takes any scale out
        self.bias = nn.Parameter(torch.zeros(out))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.register_buffer("fir", binomial(), persistent=False)

    def forward(self, x: Tensor, w: Tensor, noise: Noise, draw: Draw | None, gain: float = SQRT2) -> Tensor:
        noise_map = self._noise(x, noise, draw)
        return styled_conv(x, self.weight, self.affine(w), self.bias, noise_map, self.fir if self.up else None, gain)

    def _noise(self, x: Tensor, noise: Noise, draw: Draw | None) -> Tensor | None:
        if noise == "none" or not self.noisy:
            return None
        n, r = len(x), self.resolution
        if noise == "const":
            values = self.noise_const
        elif draw is None:
            values = torch.randn(n, 1, r, r, device=x.device)
        else:
            values = draw.normal(self.name, n, 1, r, r).to(x.device)
        return values * self.noise_strength


class ToRGB(nn.Module):
    """1x1 modulated convolution to the picture, which is never in half precision; no demodulation."""

    def __init__(self, config: StyleGAN2Config, channels: int) -> None:
        super().__init__()
        self.affine = Dense(config.w_dim, channels, bias=1.0)
        self.weight = nn.Parameter(torch.randn(config.image_channels, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(config.image_channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.affine(w) / math.sqrt(self.weight.shape[1])
        return to_rgb(x, self.weight, style, self.bias).to(self.weight)


class SynthesisBlock(nn.Module):
    """The layers of one resolution (Karras et al. 2020b, Fig. 7): two styled convolutions, at 4x4 only one."""

    fir: Tensor

    def __init__(self, config: StyleGAN2Config, resolution: int) -> None:
        super().__init__()
        c, r = config, resolution
        channels, below = c.channels(r), c.channels(r // 2)
        self.in_half = _is_half(c, r)
        if r == 4:
            self.const = nn.Parameter(torch.randn(channels, 4, 4))
        else:
            self.conv0 = StyledConv(c, below, channels, r, f"noise.{r}.conv0", up=True)
        self.conv1 = StyledConv(c, channels, channels, r, f"noise.{r}.conv1", up=False)
        self.shortcut = Shortcut(below, channels, "up") if c.g_architecture == "resnet" and r > 4 else None
        self.rgb = ToRGB(c, channels) if c.g_architecture == "skip" or r == c.resolution else None
        self.register_buffer("fir", binomial(), persistent=False)
        if self.rgb is not None and r in c.sizes[1:]:
            nn.init.zeros_(self.rgb.weight)  # when pictures grow, they go on as they were
        self.styles = 1 if r == 4 else 2  # of its own; ToRGB shares the next block's first

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Tensor, noise: Noise, draw: Draw | None
    ) -> tuple[Tensor, Tensor | None]:
        """x (n, c, r/2, r/2) and the picture so far -> x (n, c', r, r), picture. ws: (n, styles + 1, w_dim)."""
        if x is None:
            y = self.conv1(laid_out(self.const.expand(len(ws), -1, -1, -1)), ws[:, 0], noise, draw)
        else:
            x = laid_out(x.to(HALF if self.in_half else ws.dtype))
            y = self.conv0(x, ws[:, 0], noise, draw)
            if self.shortcut is None:
                y = self.conv1(y, ws[:, 1], noise, draw)
            else:  # both branches times sqrt(1/2): here that cancels the activation's sqrt(2)
                y = self.shortcut(x).add_(self.conv1(y, ws[:, 1], noise, draw, gain=1.0))
        if image is not None:
            image = upsample(image, self.fir)
        if self.rgb is not None:
            rgb = self.rgb(y, ws[:, self.styles])
            image = rgb if image is None else image + rgb
        return y, image


def _is_half(config: StyleGAN2Config, resolution: int) -> bool:
    return resolution >= max(8, 2 * config.resolution >> config.half_resolutions)


class Synthesis(nn.Module):
    """g: w -> picture. Blocks are named by their resolution."""

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.num_ws = config.num_ws
        self.blocks = nn.ModuleDict({str(r): SynthesisBlock(config, r) for r in config.resolutions})

    def forward(self, ws: Tensor, noise: Noise = "random", draw: Draw | None = None) -> Tensor:
        """Pictures (n, c, r, r) float32, about -1 to 1, of ws (n, num_ws, w_dim).

        noise: drawn anew, the model's own fixed pattern, or none. With `draw` the random noise is a function of its
        seed and step, a different one per layer; without it, torch's global generator is used.
        """
        return self.with_features(ws, noise, draw)[0]

    def with_features(
        self, ws: Tensor, noise: Noise = "random", draw: Draw | None = None, size: int = 0
    ) -> tuple[Tensor, Tensor]:
        """The pictures, and the last block's features (n, c', r, r) that they were made of. size: of smaller pictures, by skip
        generators only.
        """
        if noise not in ("random", "const", "none"):
            raise UsageError(f"noise {noise!r} is unknown.", fix="Use random, const or none.")
        x = image = None
        at = 0
        for block in self.blocks.values():
            assert isinstance(block, SynthesisBlock)
            x, image = block(x, image, ws[:, at : at + block.styles + 1], noise, draw)
            at += block.styles
            if x.shape[-1] == size:
                break
        assert x is not None
        assert image is not None
        return image.contiguous(), x


class Generator(nn.Module):
    """g(f(z)): latent codes to pictures."""

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.config = config
        self.mapping = Mapping(config)
        self.synthesis = Synthesis(config)

    def forward(
        self,
        z: Tensor,
        label: Tensor | None = None,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        noise: Noise = "random",
        draw: Draw | None = None,
    ) -> Tensor:
        """Pictures (n, c, r, r) of z (n, z_dim); see `Mapping.forward` and `Synthesis.forward`."""
        return self.synthesis(self.mapping(z, label, truncation, cutoff), noise, draw)


def mix_styles(ws: Tensor, other: Tensor, crossover: int) -> Tensor:
    """Style mixing (Karras et al. 2019, Sec. 3.1): the first `crossover` layers of `ws`, the rest of `other`; (n,
    num_ws, w_dim).
    """
    return torch.cat([ws[:, :crossover], other[:, crossover:]], 1)


# ---- the discriminator ---------------------------------------------------------------------------------------------


def minibatch_stddev(x: Tensor, group: int, channels: int = 1) -> Tensor:
    """x (n, c, h, w) with `channels` more: the standard deviation over a group of pictures, averaged over features
    and pixels (Karras et al. 2018, "Progressive Growing", Sec. 3).

    Pictures i, i + m, i + 2m, ... with m = n / group form a group. So rows r::world of a batch, which one of `world`
    processes holds (`randomness.Draw`), contain whole groups of the big batch, and D's scores do not depend on how it
    is split.
    """
    n, c, h, w = x.shape
    group = min(group, n)
    if n % group:
        raise UsageError(
            f"a batch of {n} pictures cannot be split into minibatch-stddev groups of {group}.",
            fix="Choose a batch that net.mbstd_group divides.",
        )
    y = x.reshape(group, n // group, channels, c // channels, h, w)
    y = (y.var(0, correction=0) + 1e-8).sqrt().mean((2, 3, 4))  # (m, channels)
    y = y.repeat(group, 1)[:, :, None, None].expand(-1, -1, h, w)
    return torch.cat([x, y], 1)


def time_features(t: Tensor, features: int = TIME_FEATURES) -> Tensor:
    """(n, features) sines and cosines of t (n,), wavelengths 2 pi to 20000 pi, of unit length (Vaswani et al. 2017,
    Sec. 3.5): different for every step, near for near steps.
    """
    rates = torch.exp(torch.arange(features // 2, device=t.device) * (-math.log(10_000.0) / (features // 2 - 1)))
    phase = t[:, None].float() * rates
    return torch.cat([phase.sin(), phase.cos()], 1) * math.sqrt(2 / features)


class Condition(nn.Module):
    """What D is told besides the picture, its class and time step, mapped to the vector its features are projected on
    (Miyato & Koyama 2018; Wang et al. 2023 for t).
    """

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        c, width = config, config.channels(4)
        self.classes, self.time = c.classes, c.time
        self.embed = Dense(c.classes + {"none": 0, "label": 1, "sinusoidal": TIME_FEATURES}[c.time], width)
        self.layers = nn.ModuleList(Dense(width, width, lrelu=True, lr=MAPPING_LR) for _ in range(c.mapping_layers))

    def forward(self, n: int, label: Tensor | None, t: Tensor | None) -> Tensor:
        """(n, channels at 4x4)."""
        like = self.embed.weight
        told = [_one_hot(label, self.classes, n, like)] if self.classes else []
        if self.time != "none":
            t = torch.zeros(n, device=like.device) if t is None else t.reshape(n)
            told.append(t[:, None].to(like) if self.time == "label" else time_features(t))
        x = unit_rms(self.embed(torch.cat(told, 1)))
        for layer in self.layers:
            x = layer(x)
        return x


class DiscriminatorBlock(nn.Module):
    """The layers of one resolution (Karras et al. 2020b, Fig. 7): two convolutions, the second halves the picture."""

    fir: Tensor

    def __init__(self, config: StyleGAN2Config, resolution: int) -> None:
        super().__init__()
        c, r = config, resolution
        channels, below = c.channels(r), c.channels(r // 2)
        self.in_half = _is_half(c, r)
        self.skip = c.d_architecture == "skip"
        self.rgb = Conv(c.image_channels, channels, 1) if self.skip or r in c.sizes else None
        self.conv0 = Conv(channels, channels, 3)
        self.conv1 = Conv(channels, below, 3, down=True)
        self.shortcut = Shortcut(channels, below, "down") if c.d_architecture == "resnet" else None
        self.register_buffer("fir", binomial(), persistent=False)

    def forward(self, x: Tensor | None, image: Tensor) -> tuple[Tensor, Tensor]:
        """x (n, c, r, r) or None at the top, and the picture at this resolution -> x (n, c', r/2, r/2), picture for
        the next block.
        """
        dtype = HALF if self.in_half else self.conv0.weight.dtype
        y = _with_rgb(x, self.rgb if x is None or self.skip else None, image, dtype)
        if self.skip:
            image = downsample(image, self.fir)
        if self.shortcut is None:
            return self.conv1(self.conv0(y)), image
        return self.shortcut(y).add_(self.conv1(self.conv0(y), gain=1.0)), image  # as in the generator


def _with_rgb(x: Tensor | None, rgb: nn.Module | None, image: Tensor, dtype: torch.dtype) -> Tensor:
    """x, what `rgb` makes of the picture, or their sum."""
    if rgb is None:
        assert x is not None
        return laid_out(x.to(dtype))
    seen = rgb(laid_out(image.to(dtype)))
    return seen if x is None else laid_out(x.to(dtype)) + seen


class Epilogue(nn.Module):
    """The last block, at 4x4: minibatch standard deviation, a convolution, and the score; never in half precision."""

    def __init__(self, config: StyleGAN2Config, *, conditional: bool) -> None:
        super().__init__()
        c, channels = config, config.channels(4)
        self.group, self.features = c.mbstd_group, c.mbstd_channels
        self.rgb = Conv(c.image_channels, channels, 1) if c.d_architecture == "skip" or c.resolution == 4 else None
        self.conv = Conv(channels + c.mbstd_channels, channels, 3)
        self.fc = Dense(channels * 16, channels, lrelu=True)
        self.out = Dense(channels, channels if conditional else 1)

    def forward(self, x: Tensor | None, image: Tensor, condition: Tensor | None) -> Tensor:
        """Scores (n, 1) of x (n, c, 4, 4); projected on `condition` (n, c) if there is one."""
        y = _with_rgb(x, self.rgb, image, self.conv.weight.dtype)
        y = self.conv(minibatch_stddev(y, self.group, self.features))
        y = self.out(self.fc(y.flatten(1)))
        return y if condition is None else (y * condition).sum(1, keepdim=True) / math.sqrt(y.shape[1])


class Discriminator(nn.Module):
    """D: pictures (and their classes, and their time steps) to scores; high for real ones. `blocks` runs from the
    highest resolution.
    """

    def __init__(self, config: StyleGAN2Config) -> None:
        super().__init__()
        self.config = config
        conditional = config.classes > 0 or config.time != "none"
        self.condition = Condition(config) if conditional else None
        self.blocks = nn.ModuleDict(
            {str(r): DiscriminatorBlock(config, r) for r in reversed(config.resolutions) if r > 4}
        )
        self.epilogue = Epilogue(config, conditional=conditional)

    def forward(self, images: Tensor, label: Tensor | None = None, t: Tensor | None = None) -> Tensor:
        """Scores (n, 1) of images (n, c, r, r) in -1 to 1. label: class numbers (n,); t: steps (n,), None for 0. r is the full
        resolution, or a smaller one from `grown_from`.
        """
        c = self.config
        r = images.shape[-1]
        if images.shape[1:] != (c.image_channels, r, r) or r not in c.sizes:
            size = f"{c.image_channels} x {c.resolution} x {c.resolution}"
            raise UsageError(f"the discriminator reads pictures of {size}, got {tuple(images.shape[1:])}.")
        if t is not None and c.time == "none":
            raise UsageError("this discriminator has no time embedding.", fix="Set net.time to sinusoidal or label.")
        condition = None if self.condition is None else self.condition(len(images), label, t)
        x = None
        for name, block in self.blocks.items():
            if int(name) <= r:
                x, images = block(x, images)
        return self.epilogue(x, images, condition)

    def maps(self, images: Tensor) -> list[Tensor]:
        """The features (n, c, r/2, r/2), ..., (n, c, 4, 4) that its blocks make of images (n, c, r, r), before any score."""
        x, maps = None, []
        for block in self.blocks.values():
            x, images = block(x, images)
            maps.append(x.to(self.epilogue.conv.weight))
        return maps
