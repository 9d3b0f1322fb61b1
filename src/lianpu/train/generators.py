"""Runs that train a generator: pictures in, StyleGAN2 under one of the four regimes of Yan et al. 2023 (`gan.GanTask`), new pictures on
the sample sheet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch

from lianpu import images
from lianpu.checkpoint import Model
from lianpu.config import StyleGAN2Config, TrainConfig
from lianpu.data.folder import Folder
from lianpu.errors import UsageError
from lianpu.randomness import generator
from lianpu.train.feed import Batch, Feed
from lianpu.train.gan import GanTask
from lianpu.train.run import FromPictures, Rehearsal
from lianpu.train.world import World

__all__ = ["GeneratorRun"]


class GeneratorRun(FromPictures):
    """A run of `gan.GanTask` (see `run.Run`)."""

    OF_RECIPE: ClassVar[tuple[str, ...]] = (
        "d_architecture",
        "mbstd_group",
        "mbstd_channels",
        "time",
        "half_resolutions",
    )

    def __init__(self, config: TrainConfig, source: Folder, world: World) -> None:
        self.config, self.pictures, self.world = config, source, world
        self.task = GanTask(config, world).to(world.device)
        self.classes = list(source.classes) if config.net.classes else []
        self.features: dict[str, str] = {}

    @staticmethod
    def settled(config: TrainConfig, name: str) -> TrainConfig:
        return config

    @staticmethod
    def fine_tuning(config: TrainConfig, net: StyleGAN2Config) -> TrainConfig:
        """p may move five times as fast, the moving average, which is good already, needs no ramp (Karras et al. 2020a, transfer
        learning), and shapes need no learning behind a blur.
        """
        return replace(
            config,
            net=net,
            augment=replace(config.augment, speed_kimg=min(config.augment.speed_kimg, 100.0)),
            ema_ramp=0.0,
            blur_sigma=0.0,
            blur_kimg=0.0,
            grow_kimg=0.0,
        )

    @staticmethod
    def fits(config: TrainConfig, source: Folder, local: int, parent: Model | None) -> None:
        net = config.net
        if local % min(net.mbstd_group, local):
            raise UsageError(f"{local} pictures a process is not a multiple of net.mbstd_group {net.mbstd_group}.")
        if net.classes and net.classes != len(source.classes):
            raise UsageError(
                f"the recipe has {net.classes} classes, the data {len(source.classes)}.",
                fix=f"-s net.classes={len(source.classes)}",
            )
        if parent and net.classes and parent.classes != list(source.classes):
            raise UsageError(
                "the model's classes are not those of the data, or stand in another order.",
                f"model: {', '.join(parent.classes)}; data: {', '.join(source.classes)}",
                "Build the data with the model's classes, or train anew without --from.",
            )

    @staticmethod
    def rehearse(config: TrainConfig, world: World) -> Rehearsal:
        """The policy at half of what it can: at p = 0 it has nothing to do."""
        net, rows = config.net, config.batch // world.size
        task = GanTask(replace(config, grow_kimg=0.0), world).to(world.device)
        task.policy.set_strength(0.5)
        noise = torch.rand(rows, net.image_channels, net.resolution, net.resolution, device=world.device) * 2 - 1
        batch = Batch(noise, torch.zeros(rows, dtype=torch.int64, device=world.device))
        return Rehearsal(task, batch, {"loss/G path": config.path_every, "loss/D R1": config.r1_every})

    def feed(self, step: int) -> Feed:
        c = self.config
        return Feed(
            self.pictures,
            batch=c.batch,
            seed=c.seed,
            step=step,
            mirror=c.mirror,
            class_group=c.net.mbstd_group if c.class_groups else 0,
            workers=c.data_workers,
            rank=self.world.rank,
            world=self.world.size,
            device=self.world.device,
        )

    @torch.no_grad()
    def sheet(self) -> np.ndarray:
        """The same latents at every tick, by the averaged generator; with classes, they follow each other along the rows."""
        c, n = self.config, self.config.samples
        z = torch.randn(n, c.net.z_dim, generator=generator(c.seed, "samples")).to(self.world.device)
        labels = torch.arange(n, device=self.world.device) % c.net.classes if c.net.classes else None
        made = [
            self.task.G_ema(z[i : i + 8], None if labels is None else labels[i : i + 8], noise="const")
            for i in range(0, n, 8)
        ]
        pixels = images.to_uint8(torch.cat(made))
        return images.sheet(list(pixels), columns=c.net.classes or 8)

    def warnings(self) -> list[str]:
        return []
