"""Every option of a run, as frozen dataclasses whose docstrings are the help text. No torch here.

A configuration from disk is checked by `from_dict`: unknown keys, wrong types and quarrelling options end in a `UsageError`.
"""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from lianpu.errors import UsageError, did_you_mean

__all__ = [
    "AugmentConfig",
    "PairSettings",
    "StyleGAN2Config",
    "TrainConfig",
    "from_dict",
    "override",
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

    def channels(self, resolution: int) -> int:
        return min(self.channel_base // resolution, self.channel_max)

    @property
    def resolutions(self) -> list[int]:
        """4, 8, ..., resolution."""
        return [2**i for i in range(2, self.resolution.bit_length())]

    @property
    def num_ws(self) -> int:
        """Style vectors a picture takes: 2 log2(resolution) - 2."""
        return 2 * len(self.resolutions)


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
        for name, high in (
            ("easy", 1), ("hard", 1), ("bend", 0.1), ("turn", 180), ("zoom", 0.5), ("shift", 0.5), ("half", 1), ("recolour", 1),
            ("hue", 180), ("tone", 0.5), ("lines", 1),
        ):  # fmt: skip
            if not 0 <= getattr(self, name) <= high:  # not-a-number is in no range
                raise UsageError(f"pairs.{name} is {getattr(self, name)}, outside 0 to {high:g}.")
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
        for names, low, high in (
            (("kimg", "tick_kimg", "snapshot_kimg"), 1e-6, 1e9),
            (("lr_g", "lr_d"), 0.0, 1.0),
            (("r1_gamma", "path_weight"), 0.0, 1e6),
            (("style_mixing", "path_decay"), 0.0, 1.0),
            (("ema_kimg", "ema_ramp"), 0.0, 1e6),
            (("r1_every", "path_every", "keep", "samples"), 1, 10**6),
            (("data_workers",), 0, 256),
            (("freeze_d",), 0, len(self.net.resolutions) - 1),
        ):
            for name in names:
                if not low <= getattr(self, name) <= high:  # not-a-number is in no range
                    raise UsageError(f"{name} is {getattr(self, name)}, outside {low:g} to {high:g}.")

    @property
    def gamma(self) -> float:
        """R1's weight; where not given, 0.0002 resolution^2 / batch (Karras et al. 2020a, Appendix C)."""
        return self.r1_gamma or 0.0002 * self.net.resolution**2 / self.batch


def to_dict(config: Any) -> dict[str, Any]:
    """A nested plain dictionary, ready for json."""
    return dataclasses.asdict(config)


def _check_keys(kind: type, values: dict[str, Any], path: str) -> None:
    known = {f.name: f for f in dataclasses.fields(kind)}
    for key, value in values.items():
        if key not in known:
            raise UsageError(f"unknown option {path}{key}.", fix=did_you_mean(key, known))
        hint = typing.get_type_hints(kind)[key]
        if dataclasses.is_dataclass(hint):
            if not isinstance(value, dict):
                raise UsageError(f"{path}{key} must be a group of options, not {value!r}.")
            _check_keys(typing.cast(type, hint), value, f"{path}{key}.")


def from_dict(kind: type[T], values: dict[str, Any]) -> T:
    """A checked configuration from plain values; raises UsageError that names the option."""
    from pydantic import TypeAdapter, ValidationError

    if not isinstance(values, dict):
        raise UsageError(f"expected a group of options, got {type(values).__name__}.")
    _check_keys(kind, values, "")
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"option {where}: {first['msg']} (got {first['input']!r}).") from None


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
