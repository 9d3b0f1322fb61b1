"""DIGAN trained as Yan et al. 2024 have it ("Loss function"): the algorithm box, as code. A teacher G2D paints the picture I_w of a code w,
the student G3D takes it apart and renders it again; what M makes of the code shows it the same face in other views and lights. The losses
are the seed's, lambda_rec (L_rec + lambda_flip L_flip) + lambda_idt L_idt + lambda_regA L_regA, and those of Shi et al. 2021 that train M.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from lianpu import losses
from lianpu.config import LiftConfig
from lianpu.nets.digan import G3D, Face, Moves, frontal, paint
from lianpu.nets.stylegan2 import Generator
from lianpu.ops.resample import gaussian
from lianpu.randomness import Draw, generator, mix
from lianpu.render import camera, surface, views
from lianpu.render.views import Seen
from lianpu.train.loop import Adam, Clock, Update, follow, only
from lianpu.train.world import World

__all__ = ["Asymmetries", "LiftTask", "asymmetries", "code_statistics"]

BETAS = (0.9, 0.999)  # Adam's, as Shi et al. 2021 have them
CODES = 50_000  # of which the mean and deviation of w are taken, as there
SPREAD = 20_000  # codes that asymmetries are found in
PAINTED, COARSE = 2560, 16  # those of them that are painted, and the side of their pictures
LEAST = 1e-6  # of the largest variance of codes: a direction in which they vary less is none
DETAIL = (
    4 * math.sqrt(2) / 256
)  # deviation of the blur that leaves an albedo's details, in widths of the picture; theirs at 256 px
FINE = 3 / 64  # deviation of the blur that leaves what is fine in a picture, in widths of it
SIDE = 64  # at most so many pixels a side have the details whose rank is lowered, as there
RIM = 1 / 32  # widths of the picture inside an outline, where head and ground are one: no light is found there
MEMORY = 0.99  # of the watch over yaw and relief: it looks at the last hundred steps or so

Phi = Callable[[Tensor], list[Tensor]]


class LiftTask(nn.Module):
    """G3D, its moving average, mean and deviation of the teacher's codes, and the watch: everything that changes is in its state_dict. The
    teacher and phi, the network whose features are compared, do not change and are no part of it: they come from their own files.
    """

    w_mean: Tensor
    w_deviation: Tensor
    seen: Tensor
    remedy = "Lower the learning rate"

    def __init__(self, config: LiftConfig, G2D: Generator, phi: Phi, world: World | None = None) -> None:
        super().__init__()
        self.config = config
        self.world = world or World()
        self._frozen: tuple[Generator, Phi] = G2D.eval().requires_grad_(False), phi  # in a tuple: no submodules
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(mix(config.seed, "init"))
            self.G3D = G3D(config.net)
        mean, deviation = code_statistics(G2D)
        self.register_buffer("w_mean", mean)
        self.register_buffer("w_deviation", deviation)
        self.register_buffer("seen", torch.zeros(3))
        self.requires_grad_(False)
        if isinstance(M := self.G3D.M, Moves):
            M.centre.copy_(mean.mean(0))
            for name, x in asymmetries(G2D, mean, config.net.directions, config.truncation)._asdict().items():
                getattr(M, name).copy_(x)
        else:
            last = M.joined[-1]
            assert isinstance(last, nn.Linear)
            last.bias.copy_(mean.mean(0))  # M begins with codes near the mean, which its teacher can paint
        self.G3D_ema = copy.deepcopy(self.G3D).eval()

    @property
    def G2D(self) -> Generator:
        """The teacher."""
        return self._frozen[0]

    def learners(self) -> dict[str, tuple[nn.Module, Adam]]:
        return {"G3D": (self.G3D, Adam(self.config.lr, BETAS, decay=self.config.decay))}

    # ------------------------------------------------------------------------------------------------- one training step

    def updates(self, batch: object, clock: Clock, draw: Draw) -> Iterator[Update]:
        """One step; `batch` is nothing: the teacher's pictures are all there is."""
        with torch.no_grad():
            w, mean = self.codes(draw)
            I_w = Pictured(self, paint(self.G2D, w)[0].clamp(-1, 1))
        still = clock.images < self.config.still_kimg * 1000
        with only(self.G3D, self._shapes if still else frozenset()):
            face = self.G3D(w, self.G2D)
            weighed = self.losses(w, face, I_w, Otherwise(self, face, w, draw), mean)
            total = torch.stack([weight * loss for weight, loss in weighed.values()]).sum()
            yield Update("G3D", "loss/G3D", total, {f"loss/{name}": loss for name, (_, loss) in weighed.items()})
        self.watch(face)

    @cached_property
    def _shapes(self) -> frozenset[str]:
        """Names of the parameters that make a shape."""
        return frozenset(name for name, _ in self.G3D.named_parameters() if name.startswith(("DS.", "DT.")))

    def losses(
        self, w: Tensor, face: Face, I_w: Pictured, other: Otherwise, mean: Tensor
    ) -> dict[str, tuple[float, Tensor]]:
        """Yan et al. 2024, "Total loss function": (weight, loss) of each that has a weight."""
        c, (V, L) = self.config.weights, (face.view, face.light)
        terms: dict[str, tuple[float, Callable[[], Tensor]]] = {
            "rec": (c.rec, lambda: self.distance(self.look(face, V, L), I_w)),
            "flip": (c.rec * c.flip, lambda: self.distance(self.look(face, V, L, mirrored=True), I_w)),
            "idt": (c.idt, lambda: self.identity(face, other)),
            "rega": (c.rega, lambda: losses.albedo_rank(self.world.gather(self.details(face)))),
            "perturb": (c.perturb, lambda: self.distance(other.rendered, other.painted.detached())),
            "perturb M": (c.perturb, lambda: self.distance(other.asked, other.painted)),
            "stereo": (c.stereo, lambda: self.stereo(face, other)),
            "lvcyc": (c.lvcyc, lambda: self.cycle(other)),
            "own": (c.own, lambda: losses.own_code(held(self.G3D.M, w, L, V, (L, V)), w, self.w_deviation)),
            "front": (c.front, lambda: losses.asymmetry(self.fronts(w))),
            "lamp": (c.lamp, lambda: losses.lamp(L)),
            "style": (c.style, lambda: losses.style_prior(other.w, mean, self.w_deviation)),
        }
        return {name: (weight, loss()) for name, (weight, loss) in terms.items() if weight}

    def codes(self, draw: Draw) -> tuple[Tensor, Tensor]:
        """Codes w of the teacher, truncated, and the mean that they are drawn to: (n, w_dim) each. With classes, of all in equal parts."""
        net = self.G2D.config
        labels = draw.integers("class", net.classes, self.rows) if net.classes else None
        mean = self.w_mean.expand(self.rows, -1) if labels is None else self.w_mean[labels]
        w = self.G2D.mapping(draw.normal("z", self.rows, net.z_dim), labels)[:, 0]
        return torch.lerp(mean, w, self.config.truncation), mean

    def look(self, face: Face, view: Tensor, light: Tensor, *, mirrored: bool = False) -> Seen:
        """R(A, S, T, V, L)."""
        return self.G3D.look(face, view, light, mirrored=mirrored)

    def distance(self, seen: Seen, known: Pictured) -> Tensor:
        """L_rec, of a render and a picture. Where the render shows nothing it is given the picture's colours: no difference, no edge."""
        weight = self.config.weights.perc
        rendered = torch.where(seen.mask[:, None], seen.image, known.picture)
        mine, its = (self.phi(rendered), known.maps) if weight else ([], [])
        far = losses.reconstruction(rendered, known.picture, mine, its, weight)
        if not (detail := self.config.weights.detail):
            return far
        return far + detail * _fine(rendered - known.picture)

    def stereo(self, face: Face, other: Otherwise) -> Tensor:
        """How far the teacher's pictures of faces that are only lit otherwise are from the shape in the light that fits them best, and
        from the mirrored shape in it. The light is no network's: what M was asked for, and what DL finds, is not what is seen.
        """
        c, target = self.config, other.painted.picture.detach().clamp(-1, 1)
        head = (face.depth[:, None] < camera.GROUND).to(target)
        rim = max(1, round(RIM * head.shape[-1]))
        head = -F.max_pool2d(-head, 2 * rim + 1, 1, rim)
        body = head * other.alone[1][..., None, None]
        with torch.no_grad():
            near = surface.light(frontal(face.light))
            light = surface.fitted(face.albedo, surface.normals(face.depth), target, body, near)

        def apart(S: Tensor, A: Tensor, body: Tensor) -> Tensor:
            difference = (surface.relight(A, surface.shading(surface.normals(S), light)) - target) * body
            return difference.abs().mean() + _fine(difference)

        found = apart(face.depth, face.albedo, body)
        if c.weights.flip:
            S, A = views.flip(face.depth), views.flip(face.albedo)
            found = found + c.weights.flip * apart(S, A, body * views.flip(head))
        return found * 2 / c.apart  # half of `apart` is the share of faces that are only lit otherwise

    def phi(self, pictures: Tensor) -> list[Tensor]:
        """Features of pictures, layer by layer."""
        return self._frozen[1](pictures)

    def identity(self, face: Face, other: Otherwise) -> Tensor:
        """L_idt: f(I_w0) and f(I_w'), f the deepest features' mean over the picture, of length 1."""
        mine, its = (F.normalize(self.phi(x)[-1].mean((2, 3)), dim=1) for x in (face.picture, other.rendered.image))
        turned = other.view[:, 1].abs() * math.degrees(camera.ROTATION)
        return losses.identity_variance(mine, its, turned < self.config.idt_yaw)

    def cycle(self, other: Otherwise) -> Tensor:
        """L_LVcyc; unless the settings say that all learn from it, DV and DL do not."""
        G = self.G3D
        V, L = (other.V, other.L) if self.config.cycle == "all" else (G.view(other.w, held), held(G.DL, other.w))
        return losses.parameter_cycle(other.light, L, other.view, V)

    def fronts(self, w: Tensor) -> Tensor:
        """The teacher's pictures (n, 3, h, w) of M's front, which learns from them."""
        assert isinstance(self.G3D.M, Moves)
        return paint(self.G2D, self.G3D.M.front(w))[0]

    def details(self, face: Face) -> Tensor:
        """K A, for L_regA."""
        A, size = face.albedo, self.config.net.resolution
        return losses.albedo_details(A, gaussian(A, DETAIL * size), face.depth <= camera.GROUND, min(size, SIDE))

    @property
    def rows(self) -> int:
        """Rows of each global batch that this process holds."""
        return self.config.batch // self.world.size

    # ------------------------------------------------------------------------------------------------------------ the rest

    @torch.no_grad()
    def watch(self, face: Face) -> None:
        """Remembers how far faces are turned and how deep they are: where either is nothing, nothing is learnt of shape."""
        yaw = (face.view[:, 1] * math.degrees(camera.ROTATION)).square().sum()
        relief = face.depth.flatten(1).std(1).sum()
        now = self.world.sum(torch.stack([yaw, relief, torch.full_like(yaw, self.rows)]))
        self.seen.mul_(MEMORY).add_(now)

    @torch.no_grad()
    def finish(self, clock: Clock) -> None:
        """After the update of a step G3D's moving average follows it."""
        follow(self.G3D_ema, self.G3D, clock, self.config.ema_kimg, self.config.ema_ramp)

    def statistics(self) -> dict[str, float]:
        """What the progress line shows beside the losses: root mean square yaw in degrees, and the deviation of depth in a face."""
        yaw, relief, count = self.seen.tolist()
        return {"yaw": math.sqrt(yaw / count), "relief": relief / count} if count else {}


def _fine(difference: Tensor) -> Tensor:
    """How much of a difference of pictures (n, 3, h, w) is fine."""
    return losses.detail_distance(difference, gaussian(difference, FINE * difference.shape[-1]))


class Pictured:
    """A picture that the teacher has painted, and its features, found when they are first asked for."""

    def __init__(self, task: LiftTask, picture: Tensor) -> None:
        self.task, self.picture = task, picture

    @cached_property
    def maps(self) -> list[Tensor]:
        return self.task.phi(self.picture)

    def detached(self) -> Pictured:
        """The same, as a goal that does not move."""
        still = Pictured(self.task, self.picture.detach())
        if self.task.config.weights.perc:
            still.maps = [x.detach() for x in self.maps]
        return still


class Otherwise:
    """The perturbation of Shi et al. 2021, Sec. 3.3: a view V' and a light L' drawn at random, and the code w' = M(w, L', V') that should
    be of the same face seen so. What no loss asks for is not computed.
    """

    def __init__(self, task: LiftTask, face: Face, w: Tensor, draw: Draw) -> None:
        self.task, self.face, self.of, self.draw = task, face, w, draw

    @cached_property
    def alone(self) -> tuple[Tensor, Tensor]:
        """Whether a face is only turned, beside w0, and whether it is only lit otherwise, (n, 1) each."""
        u = self.draw.uniform("apart", self.task.rows)[:, None] * 2
        share = self.task.config.apart
        return u < share, u > 2 - share

    @cached_property
    def view(self) -> Tensor:
        """V': turned by up to `yaw` and `pitch` degrees and moved to the other side by the sine of the yaw."""
        c, n = self.task.config, self.task.rows
        yaw, pitch = (
            math.radians(most) * (2 * self.draw.uniform(name, n) - 1)
            for name, most in (("yaw", c.yaw), ("pitch", c.pitch))
        )
        still = torch.zeros_like(yaw)
        turned = torch.stack(
            [pitch / camera.ROTATION, yaw / camera.ROTATION, still, -c.shift * yaw.sin(), still, still], 1
        )
        return torch.where(self.alone[1], 0.0, turned)

    @cached_property
    @torch.no_grad()
    def light(self) -> Tensor:
        """L': such as other faces have, how much light of one and its direction of another (Shi et al. exchange lights in the batch; faces
        drawn anew make a process independent of those of the others). Or, where the settings have an `aside`, this face's own lamp
        elsewhere.
        """
        own = self.face.light.detach()
        if aside := self.task.config.aside:
            x, y = (2 * self.draw.uniform(name, len(own)) - 1 for name in ("light x", "light y"))
            lit = torch.cat([own[:, :2], aside * torch.stack([x, y], 1)], 1)
        else:
            a, b = (self.task.G3D.DL(self.task.codes(self.draw.scoped(name))[0]) for name in ("light", "direction"))
            lit = torch.cat([a[:, :2], b[:, 2:]], 1)
        return torch.where(self.alone[0], frontal(own), lit)

    @cached_property
    def w(self) -> Tensor:
        """w' = M(w, L', V')."""
        return self.task.G3D.M(self.of, self.light, self.view, (self.face.light, self.face.view))

    @cached_property
    def V(self) -> Tensor:
        """~V', the view found in w'."""
        return self.task.G3D.view(self.w)

    @cached_property
    def L(self) -> Tensor:
        """~L', the light found in w'."""
        return self.task.G3D.DL(self.w)

    @cached_property
    def rendered(self) -> Seen:
        """R(A, S, T, ~V', ~L'), from which the student learns."""
        return self.task.look(self.face, self.V, self.L)

    @cached_property
    @torch.no_grad()
    def asked(self) -> Seen:
        """R(A, S, T, V', L'), from which M learns."""
        return self.task.look(self.face, self.view, self.light)

    @cached_property
    def painted(self) -> Pictured:
        """G2D(w')."""
        return Pictured(self.task, paint(self.task.G2D, self.w)[0])


def held(network: nn.Module, *x: Any) -> Tensor:
    """network(*x), from which the network learns nothing and x what it can."""
    return functional_call(network, {name: p.detach() for name, p in network.named_parameters()}, x)


@torch.no_grad()
def code_statistics(G2D: Generator) -> tuple[Tensor, Tensor]:
    """Of the teacher's codes w: the mean of each class (max(classes, 1), w_dim), and their deviation, the mean of all numbers', ()."""
    net, like = G2D.config, G2D.mapping.w_avg
    classes = max(net.classes, 1)
    if like.is_meta:
        return torch.zeros_like(like), torch.ones_like(like[0, 0])
    draw = generator("codes of a teacher")
    w = [_codes(G2D, CODES // classes, label, draw) for label in range(classes)]
    return torch.stack([x.mean(0) for x in w]), torch.stack([x.std(0) for x in w]).mean()


class Asymmetries(NamedTuple):
    """Of a teacher's codes w: what a mirror changes of their pictures."""

    even: Tensor
    """(w_dim, w_dim): a code's difference from the centre, times this, is without them"""
    odd: Tensor
    """(k, w_dim): a code that is moved by one of them has one more deviation of it"""


@torch.no_grad()
def asymmetries(G2D: Generator, mean: Tensor, count: int, truncation: float) -> Asymmetries:
    """The `count` directions of w that change most of what is unlike in a picture and its mirror image. mean: as `code_statistics` has it.

    The odd halves of pictures, (I - mirror I) / 2, are regressed on their codes, whitened; the directions are the first singular vectors of
    that map. Codes are not isotropic: what is taken away and what is moved along is what codes have of a direction on average.
    """
    net, centre = G2D.config, mean.mean(0)
    if mean.is_meta:
        return Asymmetries(mean.new_zeros(net.w_dim, net.w_dim), mean.new_zeros(count, net.w_dim))
    draw = generator("asymmetries of a teacher")
    parts = [torch.lerp(m, _codes(G2D, SPREAD // len(mean), c, draw), truncation or 1.0) for c, m in enumerate(mean)]
    d = torch.cat(parts) - centre
    d = d[torch.randperm(len(d), generator=draw).to(d.device)]
    variance, axes = torch.linalg.eigh(torch.cov(d.T.double()))
    some = variance > variance[-1] * LEAST
    out, back = (axes[:, some] * variance[some].sqrt()).to(d), (axes[:, some] / variance[some].sqrt()).to(d)
    few, odd = d[:PAINTED], []
    for part in few.split(64):
        I = F.adaptive_avg_pool2d(paint(G2D, centre + part)[0].clamp(-1, 1), COARSE)
        odd.append((I - I.flip(-1)).flatten(1) / 2)
    change = torch.linalg.lstsq(few @ back, torch.cat(odd)).solution
    v = torch.linalg.svd(change, full_matrices=False).U[:, :count]
    moves = (out @ v).T
    largest = moves.gather(1, moves.abs().argmax(1, keepdim=True))  # its sign is every machine's own
    return Asymmetries(torch.eye(net.w_dim).to(d) - back @ v @ v.T @ out.T, moves * largest.sign())


def _codes(G2D: Generator, count: int, label: int, draw: torch.Generator) -> Tensor:
    """Codes w (count, w_dim) of the teacher, of one of its classes if it has any, untruncated."""
    like = G2D.mapping.w_avg
    z = torch.randn(count, G2D.config.z_dim, generator=draw).to(like)
    which = torch.full((count,), label, device=z.device) if G2D.config.classes else None
    parts = [(part, None if which is None else which[: len(part)]) for part in z.split(5000)]
    return torch.cat([G2D.mapping(part, labels)[:, 0] for part, labels in parts])
