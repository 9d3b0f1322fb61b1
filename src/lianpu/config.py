"""Every option of a run, as frozen dataclasses whose docstrings are the help text. No torch here.

A configuration from disk is checked by `from_dict`: unknown keys, wrong types and quarrelling options end in a `UsageError`.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from lianpu.errors import UsageError, did_you_mean

__all__ = [
    "SYMMETRIES",
    "AugmentConfig",
    "CocosNetConfig",
    "DiganConfig",
    "LiftConfig",
    "LiftWeights",
    "LossWeights",
    "PairSettings",
    "RunConfig",
    "SpadeConfig",
    "StyleGAN2Config",
    "TrainConfig",
    "TranslateConfig",
    "from_dict",
    "override",
    "run_from_dict",
    "to_dict",
]

T = TypeVar("T")
MAX_CHANNELS = 4096  # a model file may ask for no more: wider than any StyleGAN2, far from exhausting memory
MAX_RESOLUTION = 1024


def _power_of_two(n: int) -> bool:
    return n >= 4 and n & (n - 1) == 0


@dataclass(frozen=True)
class StyleGAN2Config:
    """Sizes of a StyleGAN2 generator and its discriminator (Karras et al. 2020b; Yan et al. 2023)."""

    resolution: int = 256
    """Height and width of the pictures: a power of two, 4 to 1024."""
    image_channels: int = 3
    """3 for colour pictures, 1 for grey ones."""
    channel_base: int = 16384
    """Channels at resolution r are min(channel_base // r, channel_max)."""
    channel_max: int = 512
    """Most channels any layer has."""
    z_dim: int = 512
    """Length of the latent code z."""
    w_dim: int = 512
    """Length of the intermediate latent code w."""
    mapping_layers: int = 8
    """Layers of the mapping network."""
    classes: int = 0
    """Number of classes the model is conditioned on (seven colours: 7); 0 for none."""
    g_architecture: Literal["skip", "resnet", "orig"] = "skip"
    """How the generator's blocks are joined (Karras et al. 2020b, Fig. 7)."""
    d_architecture: Literal["resnet", "skip", "orig"] = "resnet"
    """How the discriminator's blocks are joined (Karras et al. 2020b, Fig. 7)."""
    mbstd_group: int = 4
    """Pictures in a minibatch-stddev group; the batch of each process must be a multiple of it."""
    mbstd_channels: int = 1
    """Minibatch-stddev channels appended at 4x4."""
    time: Literal["none", "label", "sinusoidal"] = "none"
    """How the discriminator hears of the diffusion step t: not, as a raw number (Wang et al. 2023), or as a sinusoidal embedding."""
    noise: bool = True
    """Noise after each convolution (Karras et al. 2019, Sec. 2), for hair and pores; flat drawings have nothing of the kind."""
    grown_from: int = 0
    """The least resolution at which the pictures can also be made and judged, see `TrainConfig.grow_kimg`; 0 for the full one only."""
    half_resolutions: int = 0
    """How many of the highest resolutions are computed in bfloat16 (none below 8x8); 0 is float32 throughout."""

    def __post_init__(self) -> None:
        if not _power_of_two(self.resolution) or self.resolution > MAX_RESOLUTION:
            raise UsageError(
                f"resolution {self.resolution} is not a power of two from 4 to {MAX_RESOLUTION}.",
                fix="Use 32, 64, 128, 256, 512 or 1024.",
            )
        for name, high in (
            ("image_channels", 4), ("channel_base", 2**20), ("channel_max", MAX_CHANNELS), ("z_dim", MAX_CHANNELS),
            ("w_dim", MAX_CHANNELS), ("mapping_layers", 64), ("mbstd_group", 1024), ("mbstd_channels", 16),
        ):  # fmt: skip
            if not 1 <= getattr(self, name) <= high:
                raise UsageError(f"{name} is {getattr(self, name)}, outside 1 to {high}.")
        if not 0 <= self.classes <= 100_000:
            raise UsageError(f"classes is {self.classes}, outside 0 to 100000.")
        if self.channel_base < self.resolution:
            raise UsageError(
                f"channel_base {self.channel_base} leaves no channel at resolution {self.resolution}.",
                fix="Use a channel_base of at least 8 times the resolution.",
            )
        if self.grown_from not in (0, *self.resolutions[1:]):
            raise UsageError(
                f"grown_from is {self.grown_from}, no power of two from 8 to {self.resolution}.",
                fix="-s net.grown_from=16, or 0 for pictures that do not grow",
            )
        if self.grown_from and self.g_architecture != "skip":
            raise UsageError(
                f"a generator of architecture {self.g_architecture} makes no small pictures to grow from.",
                fix="-s net.g_architecture=skip, or -s net.grown_from=0",
            )

    def channels(self, resolution: int) -> int:
        return min(self.channel_base // resolution, self.channel_max)

    @property
    def resolutions(self) -> list[int]:
        """4, 8, ..., resolution."""
        return [2**i for i in range(2, self.resolution.bit_length())]

    @property
    def sizes(self) -> list[int]:
        """The resolutions at which pictures are made and judged: those from `grown_from`, or the full one alone."""
        return [r for r in self.resolutions if r >= (self.grown_from or self.resolution)]

    @property
    def num_ws(self) -> int:
        """Style vectors a picture takes: 2 log2(resolution) - 2."""
        return 2 * len(self.resolutions)


SYMMETRIES = ("off", "both", "left", "right")
"""What a translation may ask of the two halves of a face: each for itself, both alike, or one as the other is."""


def _check_ranges(config: Any, ranges: dict[str, tuple[float, float]], group: str = "") -> None:
    """UsageError for a number that is outside its range; `group` is what stands before its name in a setting, "pairs."."""
    for name, (low, high) in ranges.items():
        if not low <= getattr(config, name) <= high:  # not-a-number is in no range
            raise UsageError(f"{group}{name} is {getattr(config, name)}, outside {low:g} to {high:g}.")


_OF_RUNS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("kimg", "tick_kimg", "snapshot_kimg"), (1e-6, 1e9)),
    **dict.fromkeys(("lr_g", "lr_d"), (0, 1)),
    **dict.fromkeys(("ema_kimg", "ema_ramp"), (0, 1e6)),
    **dict.fromkeys(("keep", "samples"), (1, 1e6)),
    "data_workers": (0, 256),
}
"""Ranges of what every run is told."""


@dataclass(frozen=True)
class PaintingConfig:
    """What CoCosNet and SPADE have in common: a generator of SPADE blocks and a discriminator that looks at patches."""

    resolution: int = 256
    """Height and width of the pictures: a power of two, 16 to 1024."""
    condition_channels: int = 6
    """What the network is told of a line drawing: ink, two distances to it, x, y and |x|."""
    width: int = 64
    """Channels of the generator at full resolution; they double at every halving."""
    width_max: int = 1024
    """Most channels the generator has."""
    hidden: int = 128
    """Channels between the condition and the modulation of a SPADE block."""
    discriminator_width: int = 64
    """Channels after the discriminator's first convolution; they double at each one, up to eight times as many."""
    discriminator_layers: int = 4
    """Convolutions of a discriminator before its score; the last one keeps the size, the others halve it."""
    discriminator_scales: int = 2
    """Discriminators, each on the picture at half the size of the one before."""

    def __post_init__(self) -> None:
        if not _power_of_two(self.resolution) or not 16 <= self.resolution <= MAX_RESOLUTION:
            raise UsageError(
                f"resolution {self.resolution} is not a power of two from 16 to {MAX_RESOLUTION}.",
                fix="Use 64, 128, 256, 512 or 1024.",
            )
        _check_ranges(self, {
            "condition_channels": (1, 64), "width": (1, MAX_CHANNELS), "width_max": (1, MAX_CHANNELS),
            "hidden": (1, MAX_CHANNELS), "discriminator_width": (1, MAX_CHANNELS), "discriminator_layers": (2, 6),
            "discriminator_scales": (1, 4),
        })  # fmt: skip

    def channels(self, resolution: int) -> int:
        """Of the generator at `resolution`."""
        return min(self.width * self.resolution // resolution, self.width_max)


@dataclass(frozen=True)
class CocosNetConfig(PaintingConfig):
    """Sizes of a CoCosNet (Zhang et al. 2020; Yan et al. 2023, "Image translation network framework"); the defaults are `paper`."""

    encoder_width: int = 64
    """Channels after the first convolution of each domain's encoder; they double at each of the next three."""
    encoder_max: int = 512
    """Most channels an encoder has."""
    encoder_blocks: int = 3
    """SPADE blocks at an encoder's end."""
    feature_width: int = 256
    """Channels of the intermediate domain W, in which sketch and reference are compared."""
    trunk_blocks: int = 4
    """Residual blocks that both domains share."""
    match_kernel: Literal[1, 3] = 3
    """A place is matched with its neighbours, so many to a side."""
    descriptor: int = 0
    """Length of the descriptors matched, learnt from the match_kernel's window; 0 matches all the window's features as they are."""
    warp_stride: Literal[2, 4] = 4
    """Pixels to a side of each place that is matched."""
    temperature: float = 0.01
    """tau, the softness of the match: cosines are divided by it before the softmax."""
    attention: bool = True
    """Non-local blocks (Zhang et al. 2019, SAGAN): in the generator at half the picture's size, and in each discriminator."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_ranges(self, {
            "encoder_width": (1, MAX_CHANNELS), "encoder_max": (1, MAX_CHANNELS), "encoder_blocks": (1, 16),
            "feature_width": (1, MAX_CHANNELS), "trunk_blocks": (1, 32), "descriptor": (0, MAX_CHANNELS),
            "temperature": (1e-4, 10.0),
        })  # fmt: skip
        if self.match_kernel not in (1, 3) or self.warp_stride not in (2, 4):
            raise UsageError("match_kernel must be 1 or 3, and warp_stride 2 or 4.")

    @classmethod
    def paper(cls) -> CocosNetConfig:
        """256 px, as published: for a GPU with 11 GB or more."""
        return cls()

    @classmethod
    def small(cls) -> CocosNetConfig:
        """128 px, for one or two thousand pictures and one GPU."""
        return cls(
            resolution=128, width=32, width_max=512, hidden=64, encoder_width=32, encoder_max=256, encoder_blocks=2,
            feature_width=128, trunk_blocks=3, descriptor=64, warp_stride=2, attention=False, discriminator_width=48,
        )  # fmt: skip

    @classmethod
    def nano(cls) -> CocosNetConfig:
        """64 px, for one core of a CPU. Places of 2 pixels, so that lines and thin regions still have some of their own."""
        return cls(
            resolution=64, width=16, width_max=128, hidden=32, encoder_width=16, encoder_max=64, encoder_blocks=1,
            feature_width=48, trunk_blocks=2, descriptor=64, warp_stride=2, attention=False, discriminator_width=32,
            discriminator_layers=3,
        )  # fmt: skip


@dataclass(frozen=True)
class SpadeConfig(PaintingConfig):
    """Sizes of a SPADE (Park et al. 2019), the network Yan et al. 2023 compare with; the defaults are `paper`."""

    vae: bool = False
    """Encode the reference to a style z: without it SPADE never sees the reference."""
    z_dim: int = 256
    """Length of the style z."""
    style_width: int = 64
    """Channels after the style encoder's first convolution; they double at each one, up to eight times as many."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_ranges(self, {"z_dim": (1, MAX_CHANNELS), "style_width": (1, MAX_CHANNELS)})

    @classmethod
    def paper(cls, *, vae: bool = False) -> SpadeConfig:
        """256 px, as published."""
        return cls(vae=vae)

    @classmethod
    def small(cls, *, vae: bool = False) -> SpadeConfig:
        """128 px, the generator and discriminator of `CocosNetConfig.small`."""
        return cls(
            resolution=128,
            width=32,
            width_max=512,
            hidden=64,
            discriminator_width=48,
            vae=vae,
            z_dim=128,
            style_width=32,
        )

    @classmethod
    def nano(cls, *, vae: bool = False) -> SpadeConfig:
        """64 px, the generator and discriminator of `CocosNetConfig.nano`."""
        return cls(
            resolution=64, width=16, width_max=128, hidden=32, discriminator_width=32, discriminator_layers=3, vae=vae,
            z_dim=64, style_width=16,
        )  # fmt: skip


@dataclass(frozen=True)
class DiganConfig:
    """Sizes of DIGAN (Yan et al. 2024) and, with networks="mlp" and convolutions="full", of LiftedGAN (Shi et al. 2021); the defaults are
    `paper`.
    """

    teacher: StyleGAN2Config = field(default_factory=StyleGAN2Config)
    """Sizes of G2D, the StyleGAN2 that is lifted; a run takes them from its teacher."""
    networks: Literal["kan", "mlp"] = "kan"
    """What DV and DL, which find view and light, are made of: B-splines on every edge (DIGAN) or weights (LiftedGAN)."""
    convolutions: Literal["partial", "full"] = "partial"
    """Whether DS, which finds the shape, convolves a quarter of its channels (DIGAN; Chen et al. 2023, FasterNet) or all (LiftedGAN)."""
    hidden: int = 512
    """Numbers in a layer of DV, DL, M and of DS before its first map."""
    transform_hidden: int = 16
    """The same in DT, which finds what moves with the head."""
    layers: int = 4
    """Layers of DV, DL, and of each part of M."""
    directions: int = 0
    """Along how many directions M moves codes that turn a face, or its light, to a side (`nets.digan.Moves`); 0: M is MLPs, as in both
    papers. Directions are found before training, and who the face is need not pass through a network."""
    prior: float = 0.0
    """Height, in depth, of the bell before the ground that the shape starts from (as Pan et al. 2021 start from half an ellipsoid); 0 is a
    plane. In neither paper: it says which way a face is turned, which pictures alone leave open."""
    aligned: bool = False
    """Whether roll and shifts of views are 0, as where pictures are cropped alike; in neither paper. They hide what the shape lacks."""
    silhouette: float = 0.0
    """With a number, the shape starts from the outline of the painted face, which must stand before a plain ground: inside it, a step
    before the ground, the bell, on a body so many times as deep as if it were round (1: half a ball for a disc), with a chin above a
    collar. In neither paper."""
    smooth: float = 0.0
    """Deviation of the blur of the raw depth, in widths of the picture; 0 for none. In neither paper: a short run leaves noise there."""
    pace: float = 1.0
    """How fast the shape learns beside the rest: what DS says is multiplied by it. 1 in both papers."""
    width: int = 16
    """Channels of DS and DT at half the picture's size; they double at every halving."""
    grid: int = 5
    """Intervals of the splines."""
    order: int = 3
    """Degree of the splines."""
    reach: float = 3.0
    """Splines live on -reach to reach; what the normalisation before them gives is of size one."""
    gate: Literal["flat", "edge", "off", "shading"] = "flat"
    """DW, the gradients that pass from the rendered picture to the shape: all but the contour's (the seed's formula), the contour's
    alone (the seed's words), or all. In neither paper: shading, those of the light on it, and none of where it is seen. What a small
    teacher paints on a face stays in part where it is when the face turns, and says that there is no depth."""
    texture: Literal["vertex", "inverse"] = "vertex"
    """Whether the picture is the mesh's colours (LiftedGAN) or is looked up for each pixel (unsup3d)."""

    def __post_init__(self) -> None:
        if self.teacher.resolution < 16 or self.teacher.image_channels != 3:
            raise UsageError(
                f"a teacher of {self.teacher.image_channels} channels and {self.teacher.resolution} px cannot be lifted.",
                fix="Use one that paints in colour, at 16 px or more.",
            )
        _check_ranges(self, {
            "hidden": (4, MAX_CHANNELS), "transform_hidden": (1, MAX_CHANNELS), "layers": (2, 64), "width": (4, 256), "grid": (1, 64),
            "order": (1, 5), "reach": (1e-3, 1e3), "directions": (0, 16), "prior": (0, 0.14), "silhouette": (0, 1), "smooth": (0, 0.1),
            "pace": (1e-3, 1),
        })  # fmt: skip
        if self.directions > self.teacher.w_dim:
            raise UsageError(f"net.directions is {self.directions}, and a code has {self.teacher.w_dim} numbers.")
        if self.silhouette and not self.prior:
            raise UsageError("net.silhouette needs a bell in the outline.", fix="Set net.prior=0.02.")
        for name in ("hidden", "width"):
            if getattr(self, name) % 4:
                raise UsageError(f"net.{name} is {getattr(self, name)}, not a multiple of 4.")

    @property
    def resolution(self) -> int:
        """Height and width of pictures and depth maps."""
        return self.teacher.resolution

    @property
    def classes(self) -> int:
        """Of the teacher."""
        return self.teacher.classes

    @property
    def outlined(self) -> bool:
        """Whether faces stand before a plain ground, out of which they can be cut."""
        return self.silhouette > 0

    @property
    def blocks(self) -> int:
        """Doublings of DS and DT from 4x4 to half the picture's size."""
        return self.resolution.bit_length() - 4

    @classmethod
    def paper(cls, teacher: StyleGAN2Config | None = None) -> DiganConfig:
        """256 px, as published: for a GPU with 11 GB or more."""
        return cls(teacher=teacher or StyleGAN2Config())

    @classmethod
    def nano(cls, teacher: StyleGAN2Config) -> DiganConfig:
        """64 px, for one core of a CPU."""
        return cls(teacher=teacher, hidden=128)

    def liftedgan(self) -> DiganConfig:
        """LiftedGAN of these sizes."""
        return dataclasses.replace(self, networks="mlp", convolutions="full")


@dataclass(frozen=True)
class AugmentConfig:
    """What the discriminator is shown (Yan et al. 2023, "Adaptive discriminator enhancement module")."""

    mode: Literal["none", "ada", "apa", "diffusion"] = "none"
    """none: the pictures as they are; ada: random transforms; apa: some reals replaced by fakes; diffusion: noise."""
    target: float = 0.6
    """Overfitting r_t = E[sign D(real)] at which p stays still (Karras et al. 2020a; Yan et al. 2023: threshold t)."""
    interval: int = 4
    """p is adjusted once every so many minibatches (Yan et al. 2023: four)."""
    speed_kimg: float = 500.0
    """Thousands of pictures in which p can go from 0 to 1."""
    p_max: float = 0.0
    """Upper bound of p; 0 for the method's own: none for ADA (as published), 1 - 1/1024 for APA, 1 for diffusion."""
    transforms: Literal["bgc", "bgcfnc"] = "bgcfnc"
    """ADA: bgc is pixel blitting, geometry and colour (12 transforms); bgcfnc adds filtering, noise and cutout (all 18)."""
    noise_std: float = 0.05
    """Diffusion: sigma of the noise at full strength (Wang et al. 2023)."""
    t_min: int = 10
    """Diffusion: steps T at p = 0."""
    t_max: int = 1000
    """Diffusion: steps T at p = 1."""
    beta_start: float = 1e-4
    """Diffusion: variance beta of the first step."""
    beta_end: float = 2e-2
    """Diffusion: variance beta of the last step."""
    weighting: Literal["priority", "uniform"] = "priority"
    """Diffusion: mixture weights pi_t of the steps; priority favours late, noisy ones."""

    def __post_init__(self) -> None:
        if not -1 <= self.target <= 1:
            raise UsageError(f"augment.target is {self.target}; E[sign] lies in -1 to 1.", fix="Use 0.6.")
        if self.interval < 1 or not 0 < self.speed_kimg < 1e9:
            raise UsageError("augment.interval must be at least 1 and augment.speed_kimg positive.")
        if not 0 <= self.p_max <= 1e6:
            raise UsageError(f"augment.p_max is {self.p_max}; use 0 for the method's own bound.")
        if not 0 <= self.noise_std <= 100 or not 0 < self.beta_start <= self.beta_end < 1:
            raise UsageError("augment.noise_std must lie in 0 to 100, and 0 < beta_start <= beta_end < 1.")
        if not 1 <= self.t_min <= self.t_max <= 100_000:
            raise UsageError(f"augment.t_min {self.t_min} and t_max {self.t_max} must satisfy 1 <= t_min <= t_max.")


@dataclass(frozen=True)
class PairSettings:
    """What a translator is shown in training: sketches with their pictures, and a colour reference for each (Yan et al. 2023,
    "Image translation network framework"; Zhang et al. 2020, Sec. 3.3)."""

    easy: float = 0.5
    """Share of sketches whose reference is another picture, one of the most alike."""
    hard: float = 0.2
    """Share of sketches whose reference is another picture, less alike. The rest have their own picture, deformed."""
    bend: float = 0.045
    """How far the points of a thin-plate spline move when a picture is deformed: standard deviation, in widths of the picture."""
    turn: float = 8.0
    """Most degrees a deformed picture is turned by."""
    zoom: float = 0.15
    """Most by which a deformed picture is enlarged or made smaller."""
    shift: float = 0.06
    """Most by which a deformed picture is moved, in widths of it."""
    half: float = 0.25
    """Share of deformed pictures of which one half only is left, and its mirror image takes the place of the other."""
    recolour: float = 0.5
    """Share of examples whose picture and reference are both painted anew: all hues turned, lightness and saturation changed."""
    hue: float = 60.0
    """Most degrees by which hues are turned."""
    tone: float = 0.25
    """Most by which lightness and saturation are changed."""
    lines: float = 0.8
    """Share of sketches drawn by XDoG with random parameters, thinned, thickened, shaken and broken; the rest are drawn plainly."""

    def __post_init__(self) -> None:
        _check_ranges(self, {
            "easy": (0, 1), "hard": (0, 1), "bend": (0, 0.1), "turn": (0, 180), "zoom": (0, 0.5), "shift": (0, 0.5),
            "half": (0, 1), "recolour": (0, 1), "hue": (0, 180), "tone": (0, 0.5), "lines": (0, 1),
        }, "pairs.")  # fmt: skip
        if self.easy + self.hard > 1:
            raise UsageError(
                f"pairs.easy {self.easy:g} and pairs.hard {self.hard:g} are more than all sketches together.",
                fix="Let their sum be at most 1.",
            )


@dataclass(frozen=True)
class TrainConfig:
    """One GAN training run."""

    net: StyleGAN2Config = field(default_factory=StyleGAN2Config)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    batch: int = 32
    """Pictures in a global minibatch, over all processes."""
    kimg: float = 1000.0
    """Thousands of real pictures the discriminator is shown before the run ends."""
    seed: int = 0
    """All randomness is a function of this number."""
    class_groups: bool = False
    """Fill each minibatch-stddev group with one class, the classes in turn: D then sees whether the pictures of a class differ,
    not only that the classes do."""
    mirror: bool = True
    """Show each picture left-right mirrored with probability 1/2."""
    lr_g: float = 0.0025
    """Adam's learning rate of the generator."""
    lr_d: float = 0.0025
    """Adam's learning rate of the discriminator."""
    r1_gamma: float = 0.0
    """Weight of the R1 penalty (Mescheder et al. 2018); 0 takes 0.0002 * resolution^2 / batch."""
    r1_every: int = 16
    """R1 is computed every so many minibatches, with so many times the weight (lazy regularisation)."""
    path_weight: float = 2.0
    """Weight of the path length penalty (Karras et al. 2020b, Eq. 4); 0 switches it off."""
    path_every: int = 4
    """Path length is computed every so many minibatches, with so many times the weight."""
    path_decay: float = 0.01
    """How fast the running mean a of path lengths moves."""
    style_mixing: float = 0.9
    """Share of generated pictures whose styles come from two latent codes."""
    ema_kimg: float = 10.0
    """Half-life of the generator's moving average, in thousands of pictures."""
    ema_ramp: float = 0.05
    """The half-life is at most this share of the pictures shown so far; 0 for no ramp."""
    blur_sigma: float = 0.0
    """Blur of all that D is shown at first, as a standard deviation in pixels: D then judges shapes before edges, which
    give every early picture away (Karras et al. 2021, App. F); 0 for none."""
    blur_kimg: float = 0.0
    """Thousands of pictures over which that blur fades away."""
    grow_kimg: float = 0.0
    """Pictures are net.grown_from pixels wide at first and twice as wide after every so many thousand of them (Karras et al. 2018,
    "Progressive Growing", but without their fading in): what is large is learnt where pictures cost little; 0 for none."""
    freeze_d: int = 0
    """Highest-resolution discriminator blocks kept frozen (Mo et al. 2020), for fine-tuning on few pictures."""
    tick_kimg: float = 4.0
    """A progress line, a sample sheet and a log entry every so many thousand pictures."""
    snapshot_kimg: float = 20.0
    """A checkpoint every so many thousand pictures."""
    keep: int = 2
    """Checkpoints kept."""
    samples: int = 32
    """Pictures on a sample sheet."""
    data_workers: int = 0
    """Processes that read pictures; results do not depend on it."""

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UsageError(f"batch is {self.batch}; it must be at least 1.")
        if self.batch % self.net.mbstd_group and self.batch > self.net.mbstd_group:
            raise UsageError(
                f"batch {self.batch} is not a multiple of net.mbstd_group {self.net.mbstd_group}.",
                fix="Change one of them: -s batch=16 -s net.mbstd_group=4.",
            )
        if self.class_groups and not self.net.classes:
            raise UsageError("class_groups needs classes.", fix="-s net.classes=7, or -s class_groups=false")
        if bool(self.blur_sigma) != bool(self.blur_kimg):
            raise UsageError(
                "blur_sigma and blur_kimg belong together: one of them is 0.",
                fix="-s blur_sigma=4 -s blur_kimg=80, or neither",
            )
        if self.grow_kimg and not self.net.grown_from:
            raise UsageError("grow_kimg needs a size to grow from.", fix="-s net.grown_from=16, or -s grow_kimg=0")
        _check_ranges(self, {
            **_OF_RUNS,
            **dict.fromkeys(("r1_gamma", "path_weight", "blur_kimg", "grow_kimg"), (0, 1e6)),
            **dict.fromkeys(("style_mixing", "path_decay"), (0, 1)),
            **dict.fromkeys(("r1_every", "path_every"), (1, 1e6)),
            "blur_sigma": (0, self.size(0) / 8),
            "freeze_d": (0, len(self.net.resolutions) - 1),
        })  # fmt: skip

    @property
    def gamma(self) -> float:
        """R1's weight; where not given, 0.0002 resolution^2 / batch (Karras et al. 2020a, Appendix C)."""
        return self.r1_gamma or 0.0002 * self.net.resolution**2 / self.batch

    def size(self, images: int) -> int:
        """How wide the pictures are after so many of them."""
        sizes = self.net.sizes
        doublings = images // (1000 * self.grow_kimg) if self.grow_kimg else len(sizes)
        return sizes[int(min(doublings, len(sizes) - 1))]

    @property
    def stages(self) -> dict[int, float]:
        """For how many thousand pictures they are how wide."""
        sizes, each = self.net.sizes, self.grow_kimg
        if not each:
            return {self.net.resolution: self.kimg}
        ends = [min(each * (i + 1), self.kimg) for i in range(len(sizes) - 1)] + [self.kimg]
        return {size: end - begin for size, begin, end in zip(sizes, [0.0, *ends], ends, strict=False) if end > begin}


@dataclass(frozen=True)
class LossWeights:
    """What each loss of a translator counts, under the seed's names (Yan et al. 2023, "Image composition network"); 0 leaves a loss out.

    The seed prints no numbers. The features compared here are of size 1 at every layer, so that those of released code mean nothing
    here; the defaults are near those with which a first version of `tiny-64-cocosnet` was seen to learn.
    """

    feat: float = 10.0
    """phi_1, of L_feat: on examples whose reference is the picture itself, deformed, the features of the result are the picture's."""
    perc: float = 1.0
    """phi_2, of L_perc: deep features of the result are the picture's, whatever the reference."""
    context: float = 1.0
    """phi_3, of L_context: the result has features of the reference, wherever."""
    adv: float = 1.0
    """phi_4, of L_adv: the discriminator takes the result for a picture."""
    domain: float = 1.0
    """phi_5, of L_domain: a sketch and its picture are alike in the intermediate domain (CoCosNet)."""
    reg: float = 1.0
    """phi_6, of L_reg: warped to the sketch and back, the reference is as it was (CoCosNet)."""
    flow: float = 10.0
    """Of the known flow: where the reference is the picture itself, deformed, a place matches where it went (CoCosNet). Not in the seed."""
    maps: float = 2.0
    """Of feature matching: the discriminator's own features of the result are the picture's (Wang et al. 2018). Not in the seed."""
    kl: float = 0.0
    """Of the style's distance to a standard normal one (SPADE with an encoder)."""

    def __post_init__(self) -> None:
        _check_ranges(self, dict.fromkeys(vars(self), (0, 1e6)), "weights.")


@dataclass(frozen=True)
class TranslateConfig:
    """One training run of a translator: sketch and colour reference in, picture out."""

    net: CocosNetConfig | SpadeConfig = field(default_factory=CocosNetConfig)
    pairs: PairSettings = field(default_factory=PairSettings)
    weights: LossWeights = field(default_factory=LossWeights)
    features: Literal["auto", "vgg19", "vgg16", "random"] = "auto"
    """The network whose features the losses compare; auto: VGG19 if its weights are here, else VGG16, else one of random numbers.
    A run keeps what it began with."""
    batch: int = 8
    """Sketches in a global minibatch, over all processes."""
    kimg: float = 1000.0
    """Thousands of sketches painted before the run ends."""
    seed: int = 0
    """All randomness is a function of this number."""
    mirror: bool = True
    """Show each picture left-right mirrored with probability 1/2."""
    lr_g: float = 0.0001
    """Adam's learning rate of the translator."""
    lr_d: float = 0.0004
    """Adam's learning rate of the discriminator, larger (Heusel et al. 2017)."""
    ema_kimg: float = 10.0
    """Half-life of the translator's moving average, in thousands of pictures."""
    ema_ramp: float = 0.05
    """The half-life is at most this share of the pictures shown so far; 0 for no ramp."""
    tick_kimg: float = 4.0
    """A progress line, a sample sheet and a log entry every so many thousand pictures."""
    snapshot_kimg: float = 20.0
    """A checkpoint every so many thousand pictures."""
    keep: int = 2
    """Checkpoints kept."""
    samples: int = 8
    """Examples on a sample sheet, one to a row."""
    data_workers: int = 0
    """Processes that make examples; results do not depend on it."""

    def __post_init__(self) -> None:
        _check_ranges(self, {**_OF_RUNS, "batch": (1, 1e6)})
        w = self.weights
        if isinstance(self.net, SpadeConfig) and (w.domain or w.reg or w.flow):
            raise UsageError(
                "weights.domain, weights.reg and weights.flow are of a correspondence, and SPADE finds none.",
                fix="-s weights.domain=0 -s weights.reg=0 -s weights.flow=0",
            )
        if w.kl and not (isinstance(self.net, SpadeConfig) and self.net.vae):
            raise UsageError(
                "weights.kl needs an encoder of styles.", fix="-s weights.kl=0, or SPADE with -s net.vae=true"
            )


@dataclass(frozen=True)
class LiftWeights:
    """What each loss of a lifter counts, under the seed's names (Yan et al. 2024, "Loss function"); 0 leaves a loss out.

    The seed prints no numbers: these are those of Shi et al. 2021's code for faces. Three losses are theirs too (perturb, lvcyc, style);
    the seed leaves them out, but not the network M, which they train.
    """

    rec: float = 5.0
    """lambda_rec, of L_rec: seen from its own view the face is the teacher's picture."""
    perc: float = 1.0
    """lambda_perc, of the perceptual part beside L1, wherever two pictures are compared."""
    detail: float = 0.0
    """Of the fine part of L1, beside both wherever two pictures are compared; in neither paper (`losses.detail_distance`)."""
    flip: float = 0.8
    """lambda_flip, of L_flip, which is L_rec of the mirrored face; it is multiplied by rec."""
    idt: float = 1.0
    """lambda_idt, of L_idt: turned a little, the face is the same person's."""
    rega: float = 0.01
    """lambda_regA, of L_regA: the details of the albedos in a batch are alike, so that shading explains the rest."""
    perturb: float = 2.0
    """Of the perturbation loss, both halves: turned and lit otherwise, the face is what the teacher paints of M's code, and that code is
    of what the face looks like."""
    stereo: float = 0.0
    """Of how far faces that are only lit otherwise, as the teacher paints them, are from the shape, and from its mirror image, in the light
    that fits them best; in neither paper (photometric stereo, Woodham 1980). M does not make of a light what it is asked for, DL finds in
    M's codes what was asked, and so slopes come out too small."""
    lvcyc: float = 4.0
    """Of L_LVcyc: view and light found in M's code are those it was asked for."""
    own: float = 0.0
    """Of how far a code lies from what M makes of it when it is asked for the view and light that DV and DL find; in neither paper. They
    learn from it to tell of the teacher's codes what L_LVcyc teaches them of M's."""
    front: float = 0.0
    """Of how unlike a face from the front and its mirror image are, which teaches M the front; in neither paper. Only where M has
    directions: these are straight, and leave some of a turn."""
    lamp: float = 0.0
    """Of how far ambient and diffuse light lie from a usual lamp's; in neither paper. Pictures tell how much darker a slope is, not whether
    a weak light falls on a steep one or a strong light on a gentle one."""
    style: float = 0.5
    """Of the prior of M's codes: they are such as the teacher knows."""

    def __post_init__(self) -> None:
        _check_ranges(self, dict.fromkeys(vars(self), (0, 1e6)), "weights.")


@dataclass(frozen=True)
class LiftConfig:
    """One training run of a lifter: a StyleGAN2 is distilled into a generator of faces with a shape. It is shown no pictures but those
    that its teacher paints."""

    net: DiganConfig = field(default_factory=DiganConfig)
    weights: LiftWeights = field(default_factory=LiftWeights)
    features: Literal["auto", "vgg19", "vgg16", "discriminator", "random"] = "auto"
    """The network whose features are compared; auto: VGG19 if its weights are here, else VGG16, else the teacher's own discriminator,
    else one of random numbers. A run keeps what it began with."""
    batch: int = 8
    """Faces in a global minibatch, over all processes."""
    kimg: float = 240.0
    """Thousands of faces lifted before the run ends."""
    seed: int = 0
    """All randomness is a function of this number."""
    truncation: float = 0.7
    """How far the teacher's codes w lie from their mean; 1 is its full variety."""
    yaw: float = 45.0
    """Most degrees by which the perturbation turns a face to a side."""
    pitch: float = 15.0
    """Most degrees by which it turns a face up or down."""
    shift: float = 0.2
    """By how much, times the sine of the yaw, it moves the face the other way, in units of a view's x: the nose leaves the middle less."""
    apart: float = 0.0
    """Share of the perturbed faces that are either turned or lit otherwise, half of them each, and not both; in neither paper."""
    aside: float = 0.0
    """Most by which x and y of the perturbation's light differ from the front's; 0: they are those of another face, as in both papers."""
    idt_yaw: float = 25.0
    """L_idt compares faces turned by less than so many degrees."""
    cycle: Literal["all", "M"] = "all"
    """Who learns from L_LVcyc: DV and DL too (Shi et al. 2021's code), or M alone. DV and M together can agree on codes that are said to
    be turned and are not: shapes grow flat then."""
    still_kimg: float = 0.0
    """For so many thousand faces the shape stays as it began, while views, lights and codes are learnt; in neither paper."""
    lr: float = 0.0001
    """Adam's learning rate."""
    decay: float = 0.0005
    """Adam's weight decay, as an L2 penalty."""
    ema_kimg: float = 1.0
    """Half-life of the moving average, in thousands of faces; 0 for none."""
    ema_ramp: float = 0.05
    """The half-life is at most this share of the faces lifted so far; 0 for no ramp."""
    tick_kimg: float = 1.0
    """A progress line, a sample sheet and a log entry every so many thousand faces."""
    snapshot_kimg: float = 4.0
    """A checkpoint every so many thousand faces."""
    keep: int = 2
    """Checkpoints kept."""
    samples: int = 6
    """Faces on a sample sheet, one to a row."""

    def __post_init__(self) -> None:
        _check_ranges(self, {
            **{name: span for name, span in _OF_RUNS.items() if name in vars(self)},
            "batch": (1, 1e6), "truncation": (0, 1), "yaw": (0, 60), "pitch": (0, 60), "shift": (-1, 1), "apart": (0, 1), "aside": (0, 1),
            "idt_yaw": (0, 60), "lr": (0, 1), "decay": (0, 1),
        })  # fmt: skip
        if self.weights.front and not self.net.directions:
            raise UsageError(
                "weights.front is for an M of directions.", fix="Set net.directions=2, or weights.front=0."
            )
        if self.weights.stereo and not self.apart:
            raise UsageError(
                "weights.stereo looks at faces that are only lit otherwise.", fix="Set apart=1, or weights.stereo=0."
            )
        if self.shift and self.net.aligned:
            raise UsageError("views that are aligned do not shift.", f"shift: {self.shift}", "Set shift=0.")


RunConfig = TrainConfig | TranslateConfig | LiftConfig
"""What a run is told."""


def to_dict(config: Any) -> dict[str, Any]:
    """A nested plain dictionary, ready for json."""
    return dataclasses.asdict(config)


def _groups(hint: Any) -> tuple[type, ...]:
    """The configurations an option may hold: one, several where it is a union, none for a plain value."""
    of_union = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    return tuple(kind for kind in of_union if isinstance(kind, type) and dataclasses.is_dataclass(kind))


def _names(kind: type) -> set[str]:
    return {f.name for f in dataclasses.fields(kind)}


def _told_by_keys(kinds: tuple[type, ...], values: dict[str, Any], path: str) -> type:
    """Which of several configurations is meant: the one with exactly these keys, or the only one that has them all."""
    exact = [kind for kind in kinds if _names(kind) == values.keys()]
    possible = exact or [kind for kind in kinds if _names(kind) >= values.keys()]
    if len(possible) > 1:
        raise UsageError(
            f"{path or 'the configuration'} may be {' or '.join(kind.__name__ for kind in possible)}.",
            f"given: {', '.join(values) or 'nothing'}",
            "Give more of its options.",
        )
    return possible[0] if possible else min(kinds, key=lambda kind: len(values.keys() - _names(kind)))


def _settled(kind: type, values: dict[str, Any], path: str) -> dict[str, Any]:
    """`values` with keys checked, and those of a union made the configuration they are."""
    hints = typing.get_type_hints(kind)
    for key in values:
        if key not in _names(kind):
            raise UsageError(f"unknown option {path}{key}.", fix=did_you_mean(key, _names(kind)))
    settled = dict(values)
    for key, value in values.items():
        kinds = _groups(hints[key])
        if kinds and not isinstance(value, dict):
            raise UsageError(f"{path}{key} must be a group of options, not {value!r}.")
        if len(kinds) == 1:
            settled[key] = _settled(kinds[0], value, f"{path}{key}.")
        elif kinds:
            settled[key] = _from_dict(_told_by_keys(kinds, value, f"{path}{key}"), value, f"{path}{key}.")
    return settled


def _from_dict(kind: type[T], values: dict[str, Any], path: str) -> T:
    from pydantic import TypeAdapter, ValidationError

    settled = _settled(kind, values, path)
    try:
        return TypeAdapter(kind).validate_python(settled)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"option {path}{where}: {first['msg']} (got {first['input']!r}).") from None


def from_dict(kind: type[T], values: dict[str, Any]) -> T:
    """A checked configuration from plain values; raises UsageError that names the option."""
    if not isinstance(values, dict):
        raise UsageError(f"expected a group of options, got {type(values).__name__}.")
    return _from_dict(kind, values, "")


def run_from_dict(values: dict[str, Any]) -> RunConfig:
    """A run's configuration, of whichever kind it is."""
    if not isinstance(values, dict):
        raise UsageError(f"expected a group of options, got {type(values).__name__}.")
    return from_dict(_told_by_keys(typing.get_args(RunConfig), values, ""), values)


def override(config: T, settings: list[str]) -> T:
    """`config` with "key=value" settings put in; keys may be dotted ("augment.target=0.5")."""
    values = to_dict(config)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"setting {setting!r} has no value.", fix="Write it as key=value: -s batch=16")
        group, *rest = values, *key.strip().split(".")
        for part in rest[:-1]:
            if not isinstance(group.get(part), dict):
                raise UsageError(f"unknown option {key}.", fix=did_you_mean(part, group))
            group = group[part]
        if rest[-1] not in group:
            raise UsageError(f"unknown option {key}.", fix=did_you_mean(rest[-1], group))
        group[rest[-1]] = text.strip()
    return from_dict(type(config), values)
