"""Runs that train a translator: pictures in, from each an example made of its sketch and a colour reference (`data.pairs`), CoCosNet or
SPADE on them (`translate.TranslateTask`), a sample sheet of sketch, reference and result side by side.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch

from lianpu import images
from lianpu.checkpoint import Model
from lianpu.config import TranslateConfig
from lianpu.data.folder import Folder
from lianpu.data.pairs import Retriever, make_pair
from lianpu.nets import features
from lianpu.randomness import generator, mix
from lianpu.train.feed import PairFeed, Pairs, stack_pairs
from lianpu.train.run import FromPictures, Rehearsal
from lianpu.train.translate import TranslateTask
from lianpu.train.world import World

__all__ = ["TranslatorRun"]

LEGIBLE = 128  # pixels a picture takes on the sheet at least


class TranslatorRun(FromPictures):
    """A run of `translate.TranslateTask` (see `run.Run`)."""

    OF_RECIPE: ClassVar[tuple[str, ...]] = ("discriminator_width", "discriminator_layers", "discriminator_scales")

    def __init__(self, config: TranslateConfig, source: Folder, world: World) -> None:
        self.config, self.pictures, self.world = config, source, world
        self.retriever = Retriever(source, config.pairs)
        self.task = TranslateTask(config, world).to(world.device)
        self.classes: list[str] = []
        self.features = self.task.features
        self.copied = False

    @staticmethod
    def settled(config: TranslateConfig, name: str) -> TranslateConfig:
        """A run keeps the features it began with, whatever weights this machine has later."""
        return replace(config, features=features.perceptual_name(config.features))

    @staticmethod
    def fine_tuning(config: TranslateConfig, net: Any) -> TranslateConfig:
        """The moving average, which is good already, needs no ramp."""
        return replace(config, net=net, ema_ramp=0.0)

    @staticmethod
    def fits(config: TranslateConfig, source: Folder, local: int, parent: Model | None) -> None:
        pass

    @staticmethod
    def rehearse(config: TranslateConfig, world: World) -> Rehearsal:
        """With features of random numbers: what they cost does not depend on their values."""
        net, n, device = config.net, config.batch // world.size, world.device
        task = TranslateTask(replace(config, features="random"), world).to(device)
        conditions = torch.rand(2, n, net.condition_channels, net.resolution, net.resolution, device=device)
        pictures = torch.rand(2, n, 3, net.resolution, net.resolution, device=device) * 2 - 1
        flow = torch.rand(n, net.resolution, net.resolution, 2, device=device) * 2 - 1
        paired = torch.ones(n, dtype=torch.bool, device=device)
        return Rehearsal(task, Pairs(conditions[0], pictures[0], pictures[1], conditions[1], flow, paired), {})

    def feed(self, step: int) -> PairFeed:
        c = self.config
        return PairFeed(
            self.pictures,
            self.retriever,
            c.pairs,
            batch=c.batch,
            seed=c.seed,
            step=step,
            mirror=c.mirror,
            workers=c.data_workers,
            rank=self.world.rank,
            world=self.world.size,
            device=self.world.device,
        )

    @cached_property
    def examples(self) -> Pairs:
        """The same at every tick, half of them with another mask as reference, half with their own, deformed."""
        c = self.config
        order = torch.randperm(len(self.pictures), generator=generator(c.seed, "samples")).tolist()
        pairs = []
        for row, index in enumerate(order[: c.samples]):
            settings = replace(c.pairs, easy=float(row % 2 == 0), hard=0.0, recolour=0.0, lines=0.0)
            rng = np.random.default_rng(mix(c.seed, "samples", row))
            pairs.append(make_pair(self.pictures, index, False, rng, settings, self.retriever.choose))
        return stack_pairs(pairs)

    @torch.no_grad()
    def sheet(self) -> np.ndarray:
        """Sketch, reference, what the warp makes of it (CoCosNet), result by the averaged network, and the sketch's own picture: a row
        for each example.
        """
        rows = []
        for one in range(len(self.examples.paired)):
            x, truth, y, of_y, *_ = (part[one : one + 1].to(self.world.device) for part in self.examples)
            painted = self.task.G_ema(x, y, of_y)
            paper = (1 - 2 * x[:, :1]).expand(-1, 3, -1, -1)
            shown = [paper, y, painted.warped, painted.image, truth]
            rows.append([images.to_uint8(each)[0] for each in shown if each is not None])
        times = -(-LEGIBLE // self.config.net.resolution)
        cells = [cell.repeat(times, 0).repeat(times, 1) for row in rows for cell in row]
        return images.sheet(cells, columns=len(rows[0]))

    def warnings(self) -> list[str]:
        """Said when it begins, not at every tick."""
        copied, self.copied = self.copied, self.task.copies
        if copied or not self.copied:
            return []
        own, others = self.task.likenesses()
        return [
            f"The results have the lines of the reference ({others:.2f}) rather than those of the sketch ({own:.2f}): the network "
            "copies. Give it more deformed references (-s pairs.easy=0.2 -s pairs.hard=0.1) or a lower weights.context, in a new run."
        ]
