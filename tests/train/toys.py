"""The real classes made tiny: 16 px pictures, a few channels, a policy that moves within a few steps."""

from __future__ import annotations

import numpy as np
import torch

from lianpu.config import AugmentConfig, StyleGAN2Config, TrainConfig
from lianpu.train.feed import Feed
from lianpu.train.gan import GanTask
from lianpu.train.loop import Loop
from lianpu.train.world import World

REGIMES = ("none", "ada", "apa", "diffusion")


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


def config(mode: str = "ada", **changes: object) -> TrainConfig:
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


def loop(c: TrainConfig, world: World | None = None) -> Loop:
    world = world or World()
    return Loop(
        GanTask(c, world),
        world,
        batch=c.batch,
        seed=c.seed,
        kimg=c.kimg,
        tick_kimg=c.tick_kimg,
        snapshot_kimg=c.snapshot_kimg,
    )


def advance(running: Loop, c: TrainConfig, steps: int, workers: int = 0, pictures: Blobs | None = None) -> Loop:
    """`steps` more steps on the toy pictures."""
    world = running.world
    feed = iter(
        Feed(
            pictures or Blobs(),
            batch=c.batch,
            seed=c.seed,
            step=running.clock.step,
            workers=workers,
            rank=world.rank,
            world=world.size,
        )
    )
    for _ in range(steps):
        running.step(next(feed))
    return running


def differing(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> list[str]:
    """Names of tensors that are not bit for bit the same."""
    assert a.keys() == b.keys(), a.keys() ^ b.keys()
    return [k for k in a if not torch.equal(a[k], b[k])]
