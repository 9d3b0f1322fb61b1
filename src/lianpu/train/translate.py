"""CoCosNet and SPADE trained as Yan et al. 2023 have it ("Image translation network framework"): the algorithm box, as code. The losses
are the seed's, phi_1 L_feat + ... + phi_6 L_reg, with feature matching (Wang et al. 2018) and the known flow of deformed pictures.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lianpu import checkpoint, losses
from lianpu.config import SpadeConfig, TranslateConfig
from lianpu.nets import features
from lianpu.nets.cocosnet import CocosNet
from lianpu.nets.spade import Painted
from lianpu.ops.warp import cycle
from lianpu.randomness import Draw, mix
from lianpu.train.feed import Pairs
from lianpu.train.loop import Adam, Clock, Update, follow, only
from lianpu.train.world import World

__all__ = ["TranslateTask", "likeness"]

Maps = list[list[Tensor]]  # of a discriminator: of every scale, of every layer

BETAS = (0.0, 0.9)  # Adam's, as both papers have them
MEMORY = 0.99  # of the collapse watch: it looks at the last hundred steps or so
ENOUGH = 30  # pairs the watch must have seen before it speaks
CLEARLY = 0.05  # correlation by which the reference's lines must be ahead
NEAR = 1  # the channel of a condition that is exp(-d / 2) of the distance d to ink


class TranslateTask(nn.Module):
    """G, D, G's moving average and the collapse watch: everything that changes is in its state_dict. phi, the network whose features are
    compared, does not change and is no part of it; it comes from its own file, named in `features`.
    """

    lines: Tensor
    remedy = "Lower the learning rates"

    def __init__(
        self, config: TranslateConfig, world: World | None = None, phi: features.Perceptual | None = None
    ) -> None:
        """phi: where it is at hand already; otherwise the one that `config.features` names is read."""
        super().__init__()
        self.config, net = config, config.net
        self.world = world or World()
        kind = checkpoint.KINDS[checkpoint.kind_of(net)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(mix(config.seed, "init"))
            self.G = kind.network(net)
            self.D = kind.discriminator(net)
        self.G_ema = copy.deepcopy(self.G).eval()
        self.register_buffer("lines", torch.zeros(3))
        self.requires_grad_(False)
        self.z_dim = net.z_dim if isinstance(net, SpadeConfig) and net.vae else 0
        phi = phi or features.perceptual(config.features).to(self.world.device)
        self._phi = (phi,)  # in a tuple: no submodule

    @property
    def features(self) -> dict[str, str]:
        """Name and SHA-256 of the network whose features the losses compare."""
        return {"name": self._phi[0].name, "sha256": self._phi[0].sha256}

    def learners(self) -> dict[str, tuple[nn.Module, Adam]]:
        """D learns faster than G and steps as often (Heusel et al. 2017)."""
        return {"G": (self.G, Adam(self.config.lr_g, BETAS)), "D": (self.D, Adam(self.config.lr_d, BETAS))}

    # ------------------------------------------------------------------------------------------------- one training step

    def updates(self, batch: Pairs, clock: Clock, draw: Draw) -> Iterator[Update]:
        """One step: G paints the sketches x_A with the references y_B; then D judges the very pictures G has painted."""
        x, y = batch.condition, batch.exemplar

        with only(self.G):
            noise = draw.normal("style", self.rows, self.z_dim) if self.z_dim else None
            painted = self.G(x, y, batch.exemplar_condition, noise=noise)
            weighed = self.losses(batch, painted)
            total = torch.stack([weight * loss for weight, loss in weighed.values()]).sum()
            yield Update("G", "loss/G", total, {f"loss/{name}": loss for name, (_, loss) in weighed.items()})
            fake = painted.image.detach()

        with only(self.D):
            real, fake_ = self.judged(x, batch.image, fake)
            yield Update("D", "loss/D", losses.hinge_d(scores(real), scores(fake_)))

        self.watch(batch, fake)

    def losses(self, batch: Pairs, painted: Painted) -> dict[str, tuple[float, Tensor]]:
        """Yan et al. 2023: phi_1 L_feat + phi_2 L_perc + phi_3 L_context + phi_4 L_adv + phi_5 L_domain + phi_6 L_reg, and the two that
        the seed does not print; (weight, loss) of each that has a weight.
        """
        x, real, y = batch.condition, batch.image, batch.exemplar
        phi, (mine, its, others) = self._phi[0], self.compared(painted.image, real, y)
        d_real, d_fake = self.judged(x, real, painted.image)
        terms: dict[str, Callable[[], Tensor]] = {
            "feat": lambda: losses.feature_loss(mine, its, phi.balance, batch.paired),
            "perc": lambda: losses.perceptual_loss(mine[phi.deep], its[phi.deep]),
            "context": lambda: losses.contextual_loss(mine, others),
            "adv": lambda: losses.hinge_g(scores(d_fake)),
            "domain": lambda: self.domain(painted, real),
            "reg": lambda: self.regularity(painted, y),
            "flow": lambda: losses.flow(given(painted.place), batch.flow),
            "maps": lambda: losses.feature_matching(d_fake, d_real),
            "kl": lambda: losses.kl(given(painted.mu), given(painted.logvar)),
        }
        return {name: (weight, terms[name]()) for name, weight in vars(self.config.weights).items() if weight}

    def compared(self, *pictures: Tensor) -> list[list[Tensor]]:
        """phi_l of pictures: of the first, which is the result, with its gradient."""
        phi, (painted, *known) = self._phi[0], pictures
        with torch.no_grad():
            maps = phi(torch.cat(known))
        parts = [level.split(self.rows) for level in maps]
        return [phi(painted), *([part[i] for part in parts] for i in range(len(known)))]

    def judged(self, condition: Tensor, real: Tensor, fake: Tensor) -> tuple[Maps, Maps]:
        """The maps of D for real pictures and painted ones, seen in one batch."""
        seen = self.D(condition.repeat(2, 1, 1, 1), torch.cat([real, fake]))
        halves = [[level.split(self.rows) for level in scale] for scale in seen]
        real_maps, fake_maps = ([[level[i] for level in scale] for scale in halves] for i in range(2))
        return real_maps, fake_maps

    def domain(self, painted: Painted, picture: Tensor) -> Tensor:
        """L_domain, Yan et al. 2023, Eq. 9."""
        assert isinstance(self.G, CocosNet)
        return losses.domain(given(painted.sketch), self.G.encode_picture(picture))

    def regularity(self, painted: Painted, reference: Tensor) -> Tensor:
        """L_reg, Yan et al. 2023, Eq. 13, at the size at which places are matched."""
        assert isinstance(self.G, CocosNet)
        c = self.G.config
        back = cycle(given(painted.query), given(painted.key), given(painted.coarse), c.temperature)
        return losses.regularisation(back, F.avg_pool2d(reference, c.warp_stride))

    @property
    def rows(self) -> int:
        """Rows of each global batch that this process holds."""
        return self.config.batch // self.world.size

    # ------------------------------------------------------------------------------------------------- the collapse watch

    @torch.no_grad()
    def watch(self, batch: Pairs, fake: Tensor) -> None:
        """Where the reference is another mask: do the edges of what was painted lie on the sketch's lines, or on the reference's?"""
        edges = strength(fake)
        alike = [likeness(edges, condition[:, NEAR]) for condition in (batch.condition, batch.exemplar_condition)]
        other = (~batch.paired).float()
        seen = self.world.sum(torch.stack([*((score * other).sum() for score in alike), other.sum()]))
        self.lines.mul_(MEMORY).add_(seen)

    def likenesses(self) -> tuple[float, float]:
        """Of the results' edges to the sketches' lines and to the references', over the last hundred steps or so; 0 before any."""
        own, others, count = self.lines.tolist()
        return (own / count, others / count) if count else (0.0, 0.0)

    @property
    def copies(self) -> bool:
        """Whether the results have the reference's lines rather than the sketch's."""
        own, others = self.likenesses()
        return float(self.lines[2]) >= ENOUGH and others > own + CLEARLY

    # ------------------------------------------------------------------------------------------------------------ the rest

    @torch.no_grad()
    def finish(self, clock: Clock) -> None:
        """After the updates of a step G's moving average follows G."""
        c = self.config
        follow(self.G_ema, self.G, clock, c.ema_kimg, c.ema_ramp)

    def statistics(self) -> dict[str, float]:
        """What the progress line shows beside the losses: see `likenesses`; nothing where no reference was another mask."""
        if not self.lines[2]:
            return {}
        own, others = self.likenesses()
        return {"as sketch": own, "as reference": others}


def given(part: Tensor | None) -> Tensor:
    """A part of `Painted` that this network has: a configuration asks none for the losses of another."""
    assert part is not None
    return part


def scores(maps: Maps) -> list[Tensor]:
    """D's verdicts, the last map of each scale."""
    return [scale[-1] for scale in maps]


def strength(pictures: Tensor) -> Tensor:
    """How much the grey of (n, 3, h, w) changes at each pixel, (n, h, w)."""
    grey = F.pad(pictures.mean(1, keepdim=True), [1] * 4, mode="replicate")
    across, down = grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2], grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]
    return (across.square() + down.square()).sqrt()[:, 0]


def likeness(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's correlation of maps (n, h, w), for each of them: (n,), 0 where one is flat."""
    a, b = (F.normalize(x.flatten(1) - x.flatten(1).mean(1, keepdim=True), dim=1) for x in (a, b))
    return (a * b).sum(1)
