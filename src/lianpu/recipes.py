"""Named complete runs, as lab notes: settings, what machine and time they took, what score to expect, or "not run yet" said plainly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from lianpu.config import (
    AugmentConfig,
    CocosNetConfig,
    DiganConfig,
    LiftConfig,
    LiftWeights,
    LossWeights,
    PairSettings,
    RunConfig,
    SpadeConfig,
    StyleGAN2Config,
    TrainConfig,
    TranslateConfig,
)
from lianpu.errors import UsageError, did_you_mean

__all__ = ["RECIPES", "Recipe", "find"]


@dataclass(frozen=True)
class Recipe:
    """A run one can repeat: `lianpu train --data DATA --recipe NAME --out runs/x`."""

    name: str
    about: str
    config: RunConfig
    cost: str = "not measured"
    """Machine and time."""
    score: str = "not run yet"
    """What came out."""


_BELOW_ONE = 1 - 2**-10  # the seed: p in [0, 1), so that the transformation can be undone as a change of distributions

REGIMES = {
    "stylegan2": AugmentConfig(mode="none"),
    "ada": AugmentConfig(mode="ada", p_max=_BELOW_ONE),
    "apa": AugmentConfig(mode="apa", p_max=_BELOW_ONE),
    "diffusion": AugmentConfig(mode="diffusion", speed_kimg=100),
}
"""The four rows of Yan et al. 2023, Table 1: 18 transforms, N = 4 minibatches, p in [0, 1)."""

PUBLISHED = {
    "karras2020-ada": ("StyleGAN2 + ADA as its authors run it: 12 transforms, p without upper bound",
                       AugmentConfig(mode="ada", transforms="bgc")),
    "jiang2021-apa": ("StyleGAN2 + APA as its authors run it: p without upper bound", AugmentConfig(mode="apa")),
}  # fmt: skip
"""Where the seed and the methods' own papers differ."""

_SAY = {
    "stylegan2": "StyleGAN2, the discriminator sees the pictures as they are",
    "ada": "StyleGAN2 + ADA: 18 random transforms of adaptive strength (Karras et al. 2020a)",
    "apa": "StyleGAN2 + APA: some reals are replaced by generated pictures (Jiang et al. 2021)",
    "diffusion": "Diffusion-GAN: noise of adaptive strength, and a discriminator that knows how much (Wang et al. 2023)",
}
_NEEDS_A_GPU = "not run here: needs a GPU; `lianpu train --recipe NAME --dry-run` states parameters, FLOPs and memory"


def _shown(base: TrainConfig, augment: AugmentConfig, time: Literal["label", "sinusoidal"] = "label") -> TrainConfig:
    return replace(base, augment=augment, net=replace(base.net, time=time if augment.mode == "diffusion" else "none"))


def _tiny(base: TrainConfig, regime: str) -> TrainConfig:
    """Runs of a few hundred thousand pictures: p must be able to move within them, and t to be told apart from the start."""
    return _shown(base, replace(REGIMES[regime], speed_kimg=100), "sinusoidal")


# Small networks, short runs, flat drawings. R1 eighty times stronger than the rule for photographs and an early blur
# keep D from living on edges alone, where every run, with classes or without, had collapsed within 20 kimg; noise, path
# length and style mixing cost a third of the time and put grain on clean lines.
_TINY_32 = TrainConfig(
    net=StyleGAN2Config(
        resolution=32, channel_base=1024, channel_max=64, z_dim=128, w_dim=128, mapping_layers=2, noise=False
    ),
    batch=16,
    kimg=200,
    r1_gamma=1.0,
    blur_sigma=2.0,
    blur_kimg=30,
    path_weight=0.0,
    style_mixing=0.0,
    ema_kimg=5,
    tick_kimg=1,
    snapshot_kimg=5,
)
_TINY_64 = replace(
    _TINY_32,
    net=StyleGAN2Config(
        resolution=64, channel_base=2048, channel_max=128, z_dim=256, w_dim=256, mapping_layers=2, noise=False
    ),
    kimg=400,
    r1_gamma=4.0,
    blur_sigma=4.0,
    blur_kimg=40,
    tick_kimg=2,
    snapshot_kimg=10,
)
_YAN_2023 = TrainConfig(  # 256 px, batch 64: the seed counts r_t over 4 x 64 = 256 pictures
    net=StyleGAN2Config(resolution=256, channel_base=16384, channel_max=512, mbstd_group=8, mapping_layers=8),
    batch=64,
    kimg=25000,
    r1_gamma=1.0,
    ema_kimg=20,
    ema_ramp=0.0,
    tick_kimg=4,
    snapshot_kimg=200,
)
_OPERA_MASK_64 = replace(
    _TINY_64,
    net=replace(_TINY_64.net, classes=7),
    augment=AugmentConfig(mode="ada"),
    kimg=800,
    class_groups=True,
    snapshot_kimg=4,
)

_OF_SPADE = LossWeights(perc=0.0, context=0.0, domain=0.0, reg=0.0, flow=0.0)
"""As Park et al. 2019 train it: hinge loss, feature matching, features of the picture itself."""
_OWN = PairSettings(easy=0.0, hard=0.0, bend=0.0, turn=0.0, zoom=0.0, shift=0.0, half=0.0)
"""SPADE's encoder learns style from the very picture its decoder paints."""
_VAE = replace(_OF_SPADE, kl=0.01)
_HALF = PairSettings(easy=0.35, hard=0.15)
"""Half of the references are the picture itself, deformed: they alone say which place is which."""


def _translators(size: str) -> dict[str, TranslateConfig]:
    """The rows of Yan et al. 2023, Table 2, at a size both networks come in; SPADE without an encoder never sees the reference."""
    coco, spade = getattr(CocosNetConfig, size), getattr(SpadeConfig, size)
    return {
        "cocosnet": TranslateConfig(net=coco(), pairs=_HALF),
        "spade": TranslateConfig(net=spade(), weights=_OF_SPADE, pairs=replace(_OWN, recolour=0.0)),
        "spade-vae": TranslateConfig(net=spade(vae=True), weights=_VAE, pairs=_OWN),
    }


_TRANSLATE_SAY = {
    "cocosnet": "CoCosNet: sketch and colour reference to mask, by a correspondence between them (Zhang et al. 2020)",
    "spade": "SPADE: sketch to mask; it does not look at the reference (Park et al. 2019)",
    "spade-vae": "SPADE with a style encoder: sketch and the style of a reference to mask (Park et al. 2019)",
}

_PER_SECOND = {"cocosnet": 5, "spade": 7, "spade-vae": 7}

# Clay heads are shaded softly and drawn in any number: no blur of flat drawings' edges, no augmentation that a teacher could leak into
# what is taken for geometry.
# Heads turn, and what turns is learnt last: at 64 px from the start every head looked ahead after 80 kimg (yaw seen in them deviated by a
# third of what it does in the data); grown from 16 px, where 150 kimg take twenty minutes, by nearly all of it. R1 by its rule of thumb.
_HEADS_64 = replace(
    _TINY_64,
    net=replace(_TINY_64.net, channel_base=1024, z_dim=128, w_dim=128, grown_from=16),
    r1_gamma=0.0,
    blur_sigma=0.0,
    blur_kimg=0.0,
    grow_kimg=150,
    kimg=700,
)
# A run a hundred times shorter than the papers', of a teacher that turns faces and leaves some of what it paints on them where it was. So
# M has its directions beforehand, the shape starts from the outline, waits until views, lights and codes are there, learns from the light
# on it alone and at a twenty-fifth of their pace; what is perturbed is turned or lit, not both; heads are drawn in the middle and upright.
_TINY_LIFT = LiftConfig(
    net=replace(
        DiganConfig.nano(_HEADS_64.net),
        directions=2,
        aligned=True,
        prior=0.02,
        silhouette=0.8,
        smooth=0.01,
        pace=0.04,
        gate="shading",
    ),
    features="discriminator",
    batch=8,
    kimg=4,
    yaw=33.0,
    pitch=6.0,
    shift=0.0,
    apart=1.0,
    aside=0.7,
    weights=LiftWeights(
        rec=2.0, perc=0.3, detail=1.0, flip=1.0, rega=0.001, stereo=12.0, own=25.0, front=5.0, lamp=2.0
    ),
    still_kimg=1.5,
    lr=1e-3,
    tick_kimg=1,
    snapshot_kimg=2,
)
_DIGAN_2024 = LiftConfig(net=DiganConfig.paper(_YAN_2023.net), kimg=240, ema_kimg=0.0, tick_kimg=1, snapshot_kimg=8)
"""30,000 steps, as the seed has them, of 8 faces, as Shi et al. 2021 have them."""
_OF_CATS = LiftWeights(idt=0.0, rega=0.005, style=0.1)
"""Shi et al. 2021's code for cats: no network knows them by their faces."""

_LIFT_COST = dict.fromkeys(
    ("digan", "liftedgan"), "AMD EPYC, one thread: about 10 faces a second; 4 kimg take 7 minutes"
)
_LIFT_SCORE = {
    "digan": "seed 0 is clay-head-64-digan; 100 held-out heads, three seeds: yaw correlates by 0.94, SIDE 0.0089, MAD 22.9 degrees",
    "liftedgan": "100 held-out heads, three seeds: yaw correlates by 0.95, SIDE 0.0089, MAD 22.9 degrees",
}
_LIFT_SAY = {
    "digan": "DIGAN: a StyleGAN2 lifted to faces with a shape (Yan et al. 2024)",
    "liftedgan": "LiftedGAN: the same with MLPs and full convolutions (Shi et al. 2021)",
    "digan-wo-flip": "DIGAN without the flipped reconstruction",
    "digan-wo-idt": "DIGAN without identity variance",
    "digan-wo-rega": "DIGAN without albedo regularisation",
}


def _lifters(base: LiftConfig) -> dict[str, LiftConfig]:
    """The rows of Yan et al. 2024, Table 3, and LiftedGAN of their Table 2."""
    return {
        "digan": base,
        "liftedgan": replace(base, net=base.net.liftedgan()),
        **{
            f"digan-wo-{name}": replace(base, weights=replace(base.weights, **{name: 0.0}))
            for name in ("flip", "idt", "rega")
        },
    }


_OF_2024 = {
    "warriors": ("Terracotta Warriors", LiftWeights()),
    "celeba": ("CelebA", LiftWeights()),
    "cats": ("cats", _OF_CATS),
}
"""The seed's three data sets."""

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in [
        *(Recipe(f"tiny-32-{r}", f"{_SAY[r]}; 32 px, for a CPU.", _tiny(_TINY_32, r)) for r in REGIMES),
        *(Recipe(f"tiny-64-{r}", f"{_SAY[r]}; 64 px, for a CPU with patience.", _tiny(_TINY_64, r)) for r in REGIMES),
        *(
            Recipe(f"yan2023-{r}", f"{_SAY[r]}; 256 px as in the paper.", _shown(_YAN_2023, REGIMES[r]), _NEEDS_A_GPU)
            for r in REGIMES
        ),
        *(
            Recipe(name, f"{about}; 256 px.", _shown(_YAN_2023, augment), _NEEDS_A_GPU)
            for name, (about, augment) in PUBLISHED.items()
        ),
        *(
            Recipe(
                f"tiny-64-{row}",
                f"{_TRANSLATE_SAY[row]}; 64 px, for a CPU.",
                replace(config, batch=8, kimg=40, lr_g=5e-4, lr_d=1e-3, ema_kimg=1, tick_kimg=1, snapshot_kimg=4),
                f"AMD Zen 5, one thread: about {_PER_SECOND[row]} pictures a second",
            )
            for row, config in _translators("nano").items()
        ),
        *(
            Recipe(
                f"yan2023-{row}",
                f"{_TRANSLATE_SAY[row]}; 256 px as in the paper.",
                replace(config, batch=4, kimg=500, snapshot_kimg=20),
                _NEEDS_A_GPU,
            )
            for row, config in _translators("paper").items()
        ),
        Recipe(
            "tiny-64-heads-teacher",
            "StyleGAN2 on clay heads, to be lifted; 64 px, for a CPU with patience; on "
            "`data sample heads --seed 5 --n 8000 --views 4 --damage 0 --portrait --size 64`.",
            _HEADS_64,
            "AMD EPYC, one thread: 135 pictures a second at 16 px, 92 to 105 at 32, 63 at 64; "
            "its 700 kimg took two processes two and a half hours",
            "shipped as clay-head-64: 42 of 42 look like heads, and turn (`tests/test_shipped.py`)",
        ),
        *(
            Recipe(
                f"tiny-64-heads-{r}",
                f"{_SAY[r]}; on clay heads, as their teacher but for what D is shown; 64 px.",
                _tiny(_HEADS_64, r),
            )
            for r in ("ada", "apa", "diffusion")
        ),
        *(
            Recipe(
                f"tiny-64-{row}",
                f"{_LIFT_SAY[row]}; --teacher a 64 px model; for a CPU.",
                config,
                _LIFT_COST.get(row, "not measured"),
                _LIFT_SCORE.get(row, "not measured"),
            )
            for row, config in _lifters(_TINY_LIFT).items()
        ),
        *(
            Recipe(
                f"digan2024-{name}-teacher",
                f"StyleGAN2 on {what}, to be lifted; 256 px as in the paper.",
                _shown(_YAN_2023, REGIMES["ada"] if name == "warriors" else REGIMES["stylegan2"]),
                _NEEDS_A_GPU,
            )
            for name, (what, _) in _OF_2024.items()
        ),
        *(
            Recipe(
                f"digan2024-{name}",
                f"DIGAN on {what}; --teacher a model of digan2024-{name}-teacher; 256 px as in the paper.",
                replace(_DIGAN_2024, weights=weights),
                _NEEDS_A_GPU,
            )
            for name, (what, weights) in _OF_2024.items()
        ),
        *(
            Recipe(
                f"digan2024-{row}",
                f"{_LIFT_SAY[row]}; --teacher a 256 px model; 256 px as in the paper.",
                config,
                _NEEDS_A_GPU,
            )
            for row, config in _lifters(_DIGAN_2024).items()
        ),
        Recipe(
            "opera-mask-64",
            "The shipped model: seven colours, ADA; on `data sample masks --n 7128 --seed 0 --size 64`, built with --test 0.",
            _OPERA_MASK_64,
            cost="AMD Zen 5, one thread: 31 pictures a second; 140 kimg took 75 minutes",
            score="shipped at 140.7 of 800 kimg: seven colours, clean lines, deviation over z within a class 0.28 (data 0.30)",
        ),
    ]
}


def find(name: str) -> Recipe:
    """The recipe of that name, or a UsageError with the nearest ones."""
    try:
        return RECIPES[name]
    except KeyError:
        raise UsageError(f"no recipe named {name!r}.", fix=did_you_mean(name, RECIPES)) from None
