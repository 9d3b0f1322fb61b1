"""The real classes made tiny: 16 px pictures, a few channels, a policy that moves within a few steps."""

from __future__ import annotations

import functools
from dataclasses import replace
from itertools import repeat

import numpy as np
import torch

from lianpu import recipes
from lianpu.config import AugmentConfig, LiftConfig, RunConfig, StyleGAN2Config, TrainConfig, TranslateConfig
from lianpu.data.pairs import Retriever
from lianpu.nets import features
from lianpu.nets.stylegan2 import Discriminator, Generator
from lianpu.train.feed import Feed, PairFeed
from lianpu.train.gan import GanTask
from lianpu.train.lift import LiftTask
from lianpu.train.loop import Loop
from lianpu.train.translate import TranslateTask
from lianpu.train.world import World

REGIMES = ("none", "ada", "apa", "diffusion")
METHODS = ("cocosnet", "spade", "spade-vae")
LIFTERS = ("digan", "liftedgan")
perceptual = functools.cache(features.perceptual)  # it does not change: one for all tests


class Blobs:
    """40 pictures of coloured discs in seven classes."""

    classes = tuple("abcdefg")

    def __init__(self, count: int = 40, size: int = 16) -> None:
        draw = np.random.default_rng(0)
        y, x = np.mgrid[:size, :size]
        self.pixels = np.full((count, size, size, 3), 255, np.uint8)
        for picture in self.pixels:
            cy, cx, r = [*draw.uniform(4, size - 4, 2).tolist(), draw.uniform(2, size / 3)]
            picture[(y - cy) ** 2 + (x - cx) ** 2 < r * r] = draw.integers(0, 256, 3)

    def __len__(self) -> int:
        return len(self.pixels)

    def image(self, index: int) -> np.ndarray:
        return self.pixels[index]

    def label(self, index: int) -> int:
        return index % 7


def config(mode: str = "ada", **changes: object) -> RunConfig:
    """Of a regime of GAN training, of a method of translation, or of a lifter."""
    made = {**dict.fromkeys(METHODS, translating), **dict.fromkeys(LIFTERS, lifting)}
    return made.get(mode, painting)(mode, **changes)


def translating(method: str = "cocosnet", **changes: object) -> TranslateConfig:
    """The recipe with networks of a few channels, and features of random numbers."""
    recipe = recipes.find(f"tiny-64-{method}").config
    assert isinstance(recipe, TranslateConfig)
    small = {"resolution": 16, "width": 4, "width_max": 8, "hidden": 4, "discriminator_width": 8}
    own = {
        "cocosnet": {"encoder_width": 4, "encoder_max": 8, "feature_width": 8, "trunk_blocks": 1, "descriptor": 8},
        "spade": {},
        "spade-vae": {"z_dim": 4, "style_width": 4},
    }
    net = replace(recipe.net, **small, **own[method])
    sizes = {"kimg": 0.08, "tick_kimg": 0.016, "snapshot_kimg": 0.04, "samples": 4}
    return replace(recipe, **{"net": net, "features": "random", "batch": 8, **sizes, **changes})  # type: ignore[arg-type]


def lifting(method: str = "digan", **changes: object) -> LiftConfig:
    """The recipe with networks of a few channels, and a conditional teacher of 16 px."""
    recipe = recipes.find(f"tiny-64-{method}").config
    assert isinstance(recipe, LiftConfig)
    sizes = {"kimg": 0.08, "still_kimg": 0.0, "tick_kimg": 0.016, "snapshot_kimg": 0.04, "samples": 2}
    net = replace(recipe.net, teacher=painting("none").net, hidden=8, transform_hidden=4, width=4)
    return replace(recipe, **{"net": net, "batch": 8, **sizes, **changes})  # type: ignore[arg-type]


@functools.cache
def teacher(net: StyleGAN2Config) -> tuple[Generator, features.Critic]:
    """A generator of random numbers, which paints something for all that, and its discriminator as trunk."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Generator(net).requires_grad_(False).eval(), features.Critic(Discriminator(net))


def task(c: RunConfig, world: World | None = None) -> GanTask | TranslateTask | LiftTask:
    world = world or World()
    if isinstance(c, LiftConfig):
        return LiftTask(c, *teacher(c.net.teacher), world)
    return GanTask(c, world) if isinstance(c, TrainConfig) else TranslateTask(c, world, perceptual(c.features))


def painting(mode: str = "ada", **changes: object) -> TrainConfig:
    net = StyleGAN2Config(
        resolution=16,
        channel_base=128,
        channel_max=16,
        z_dim=8,
        w_dim=8,
        mapping_layers=2,
        classes=7,
        time="label" if mode == "diffusion" else "none",
    )
    # a target the scores cannot reach and a short way to p = 1, so that p moves from the first adjustment on
    augment = AugmentConfig(mode=mode, target=-1.0, interval=2, speed_kimg=0.1)  # type: ignore[arg-type]
    return TrainConfig(
        **{
            "net": net,
            "augment": augment,
            "batch": 8,
            "path_every": 2,
            "r1_every": 3,
            "kimg": 0.08,  # type: ignore[arg-type]
            "tick_kimg": 0.016,
            "snapshot_kimg": 0.04,
            "samples": 7,
            **changes,
        }
    )


def loop(c: RunConfig, world: World | None = None) -> Loop:
    world = world or World()
    return Loop(
        task(c, world),
        world,
        batch=c.batch,
        seed=c.seed,
        kimg=c.kimg,
        tick_kimg=c.tick_kimg,
        snapshot_kimg=c.snapshot_kimg,
    )


def advance(running: Loop, c: RunConfig, steps: int, workers: int = 0, pictures: Blobs | None = None) -> Loop:
    """`steps` more steps on the toy pictures."""
    feed = iter(feeding(c, running.world, running.clock.step, workers, pictures or Blobs()))
    for _ in range(steps):
        running.step(next(feed))
    return running


def feeding(c: RunConfig, world: World, step: int = 0, workers: int = 0, pictures: Blobs | None = None):
    if isinstance(c, LiftConfig):
        return repeat(None)
    pictures = pictures or Blobs()
    place = {
        "batch": c.batch, "seed": c.seed, "mirror": c.mirror, "step": step, "workers": workers, "rank": world.rank, "world": world.size,
    }  # fmt: skip
    if isinstance(c, TrainConfig):
        return Feed(pictures, **place)
    return PairFeed(pictures, Retriever(pictures, c.pairs), c.pairs, **place)


def differing(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> list[str]:
    """Names of tensors that are not bit for bit the same."""
    assert a.keys() == b.keys(), a.keys() ^ b.keys()
    return [k for k in a if not torch.equal(a[k], b[k])]
