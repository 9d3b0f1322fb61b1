"""StyleGAN2 trained under any of the four regimes of Yan et al. 2023: the algorithm box, as code. The regimes differ only in what the
discriminator is shown (`augment/`); losses, regularisers and their order are those of Karras et al. 2020b.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lianpu import augment, losses
from lianpu.config import TrainConfig
from lianpu.nets.stylegan2 import Discriminator, Generator
from lianpu.ops.resample import gaussian
from lianpu.randomness import Draw, mix
from lianpu.train.feed import Batch
from lianpu.train.loop import Adam, Clock, Update, follow, only
from lianpu.train.world import World

__all__ = ["GanTask"]

LEAST_BLUR = 0.2  # pixels: less moves no pixel by a level


class GanTask(nn.Module):
    """G, D, G's moving average, the policy and the running path length: everything that changes is in its state_dict."""

    path_mean: Tensor
    remedy = "Lower the learning rates or raise r1_gamma"

    def __init__(self, config: TrainConfig, world: World | None = None) -> None:
        super().__init__()
        self.config = config
        self.world = world or World()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(mix(config.seed, "init"))
            self.G = Generator(config.net)
            self.D = Discriminator(config.net)
        self.policy = augment.build(config.augment, config.seed)
        self.register_buffer("path_mean", torch.zeros([]))
        self.G_ema = copy.deepcopy(self.G).eval()
        self.requires_grad_(False)
        self.frozen = frozenset(
            name
            for resolution in config.net.resolutions[::-1][: config.freeze_d]
            for name, _ in self.D.named_parameters()
            if name.startswith(f"blocks.{resolution}.")
        )

    def learners(self) -> dict[str, tuple[nn.Module, Adam]]:
        """Each network that learns and its Adam, corrected for lazy regularisation (Karras et al. 2020b, Appendix B)."""
        c = self.config
        return {
            "G": (self.G, Adam.lazy(c.lr_g, c.path_every if c.path_weight else 0)),
            "D": (self.D, Adam.lazy(c.lr_d, c.r1_every if c.gamma else 0)),
        }

    # ------------------------------------------------------------------------------------------------- one training step

    def updates(self, batch: Batch, clock: Clock, draw: Draw) -> Iterator[Update]:
        """One step: G, every fourth time its path length, D, every sixteenth time its R1. Fake i has the class of real i."""
        c = self.config
        size = c.size(clock.images)
        real, labels = grown(batch.images, size), batch.labels if c.net.classes else None
        gamma = c.gamma * (size / c.net.resolution) ** 2  # as its rule of thumb has it

        with only(self.G):
            fake = self.synthesize(self.styles(labels, draw.scoped("G"), update_average=True), draw.scoped("G"), size)
            shown = self.policy.show_fake(self.blurred(fake, clock), draw.scoped("G show"))
            yield Update("G", "loss/G", losses.nonsaturating(self.D(shown.images, labels, shown.t)))
            pseudo = self.blurred(fake.detach(), clock)
            if c.path_weight and clock.every(c.path_every):
                penalty = self.path_length(labels, draw.scoped("G path"), size)
                yield Update("G", "loss/G path", c.path_weight * c.path_every * penalty)

        with only(self.D, self.frozen):
            with torch.no_grad():
                fake = self.synthesize(self.styles(labels, draw.scoped("D")), draw.scoped("D"), size)
            shown_fake = self.policy.show_fake(self.blurred(fake, clock), draw.scoped("D show fake"))
            shown_real = self.policy.show_real(self.blurred(real, clock), pseudo, draw.scoped("D show real"))
            score_fake = self.D(shown_fake.images, labels, shown_fake.t)
            score_real = self.D(shown_real.images, labels, shown_real.t)
            self.policy.observe(score_real.detach())
            yield Update("D", "loss/D", losses.logistic(score_real, score_fake))
            if gamma and clock.every(c.r1_every):
                real = real.detach().requires_grad_()
                shown_real = self.policy.show_real(self.blurred(real, clock), pseudo, draw.scoped("D R1"))
                score_real = self.D(shown_real.images, labels, shown_real.t)
                self.policy.observe(score_real.detach())
                yield Update("D", "loss/D R1", gamma / 2 * c.r1_every * losses.r1(score_real, real).mean())

    def styles(self, labels: Tensor | None, draw: Draw, *, update_average: bool = False) -> Tensor:
        """Styles (n, num_ws, w_dim) of new pictures; a share of them mixes two codes at a random layer (Karras et al. 2019, Sec. 3.1)."""
        c = self.config
        n = self.rows
        ws = self.G.mapping(draw.normal("z", n, c.net.z_dim), labels, update_average=update_average)
        if c.style_mixing:
            other = self.G.mapping(draw.normal("z mixed", n, c.net.z_dim), labels)
            mixed = draw.uniform("mix", n) < c.style_mixing
            first = 1 + draw.integers("mix from", ws.shape[1] - 1, n)  # of the layers 1, ..., num_ws - 1
            layers = torch.arange(ws.shape[1], device=ws.device)
            ws = torch.where((mixed[:, None] & (layers >= first[:, None]))[:, :, None], other, ws)
        return ws

    def blurred(self, images: Tensor, clock: Clock) -> Tensor:
        """What of `images` may be seen at this time: the blur fades linearly (Karras et al. 2021, App. F)."""
        c = self.config
        sigma = c.blur_sigma * (1 - clock.images / (1000 * c.blur_kimg)) if c.blur_kimg else 0.0
        return gaussian(images, sigma) if sigma >= LEAST_BLUR else images

    def synthesize(self, ws: Tensor, draw: Draw, size: int) -> Tensor:
        return self.G.synthesis.with_features(ws, "random", draw, size)[0]

    def path_length(self, labels: Tensor | None, draw: Draw, size: int) -> Tensor:
        """The path length penalty on half the batch (Karras et al. 2020b, Eq. 4), about the running mean a of all processes."""
        half = max(self.rows // 2, 1)
        ws = self.styles(labels, draw)[:half]
        images = self.synthesize(ws, draw.scoped("half"), size)
        lengths = losses.path_lengths(images, ws, draw.normal("y", half, *images.shape[1:]))
        mean = lengths.detach().mean()
        self.world.mean_([mean])
        penalty, average = losses.path_penalty(lengths, self.path_mean, self.config.path_decay, mean)
        self.path_mean.copy_(average)
        return penalty.mean()

    @property
    def rows(self) -> int:
        """Rows of each global batch that this process holds."""
        return self.config.batch // self.world.size

    @torch.no_grad()
    def finish(self, clock: Clock) -> None:
        """After the updates of a step: the policy moves p, G's moving average follows G."""
        c = self.config
        self.policy.adjust(c.batch, self.world.sum)
        follow(self.G_ema, self.G, clock, c.ema_kimg, c.ema_ramp)

    def statistics(self) -> dict[str, float]:
        """What the progress line shows beside the losses."""
        return {**self.policy.stats(), "path length": float(self.path_mean)}


def grown(images: Tensor, size: int) -> Tensor:
    """Pictures (n, c, r, r) as small as pictures are now: (n, c, size, size), by the mean of their squares."""
    factor = images.shape[-1] // size
    return images if factor == 1 else F.avg_pool2d(images, factor)
