"""Pictures as codes of a generator, so that what a model can do to its own pictures can be done to a photograph: first the one code w
that comes nearest (Karras et al. 2020b, Sec. 5.1), then a code for every layer, W+ (Abdal et al. 2019), held near what the model knows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lianpu.errors import Stopped, UsageError
from lianpu.nets.features import Perceptual
from lianpu.nets.stylegan2 import Generator
from lianpu.randomness import generator as dice

__all__ = ["Inverted", "invert"]

KNOWN = 2048  # codes from which the model's centre and spread are told
TRIED = 64  # of them whose pictures are compared with the given one, to begin with the nearest
RISE, FALL = 0.05, 0.3  # of the steps, in which the learning rate rises and falls
RATE = 0.05  # Adam's, times the spread of w: codes of a small network are small
NOISE = 0.05  # of the spread, added to w at first, so that the search does not stay in the nearest valley (Karras et al. 2020b: 0.05)
QUIET = 0.75  # of the first stage, after which nothing is added
PERCEPTUAL = 1.0  # weight of the features' distance beside that of the pixels
HELD = 0.02  # weight of W+'s distance to the one code it began with, in squared spreads

Say = Callable[[int, int, float], None]


class Inverted(NamedTuple):
    """What n pictures became."""

    ws: Tensor
    """(n, num_ws, w_dim)"""
    picture: Tensor
    """(n, 3, r, r): what the model paints of them"""
    error: Tensor
    """(n,): mean |difference| over the pixels that count, of a range of 2"""
    distance: Tensor
    """(n,): mean squared difference of the features, over all layers, each of size 1"""
    spread: Tensor
    """(n,): how far the codes lie from the model's centre, in its own spread: about 1 for the model's own pictures"""


def invert(
    network: Generator,
    features: Perceptual,
    picture: Tensor,
    *,
    mask: Tensor | None = None,
    steps: int = 400,
    seed: int = 0,
    say: Say = lambda step, steps, loss: None,
    stop: Callable[[], bool] = lambda: False,
) -> Inverted:
    """Codes of `picture`, (n, 3, r, r) in [-1, 1]; the same inputs give the same codes, and pictures do not touch one another.

    mask: (n, 1, r, r), 1 where the picture counts and 0 where it is damaged or hidden: there the model's own pixels stand in for it, in
    the pixels' difference and in the features', so that what lies there changes nothing.
    Half of the steps go to w, half to W+. Stopped is raised, with nothing written, where `stop` says so.
    """
    r = network.config.resolution
    if picture.shape[1:] != (3, r, r):
        raise UsageError(f"the picture is {tuple(picture.shape)}, and the model paints (n, 3, {r}, {r}).")
    if steps < 2:
        raise UsageError(f"{steps} steps are too few to find a picture.", fix="Use 400, or 100 for a quick look.")
    if mask is not None and not (mask > 0).flatten(1).any(1).all():
        raise UsageError("the mask hides the whole picture.", fix="Mark only what is damaged or hidden.")
    search = _Search(network, features, picture, mask, seed)
    first = steps // 2
    w = search.nearest().requires_grad_()
    optimiser = torch.optim.Adam([w], lr=1.0, betas=(0.9, 0.999))
    for i in range(first):
        _check(stop)
        quiet = max(0.0, 1 - i / first / QUIET) ** 2
        loss = search.step(optimiser, w + search.noise(i) * (NOISE * quiet), i / first)
        say(i + 1, steps, loss)
    held = w.detach()
    ws = held.repeat(1, network.config.num_ws, 1).requires_grad_()
    optimiser = torch.optim.Adam([ws], lr=1.0, betas=(0.9, 0.999))
    for i in range(steps - first):
        _check(stop)
        away = ((ws - held) / search.spread).square().mean((1, 2))
        loss = search.step(optimiser, ws, i / (steps - first), HELD * away)
        say(first + i + 1, steps, loss)
    return search.found(ws.detach())


def _check(stop: Callable[[], bool]) -> None:
    if stop():
        raise Stopped("stopped before the picture was found.", fix="Run it again.")


class _Search:
    """The model, what it is compared with, and what it knows of itself."""

    def __init__(
        self, network: Generator, features: Perceptual, picture: Tensor, mask: Tensor | None, seed: int
    ) -> None:
        self.network, self.features, self.mask, self.seed = network, features, mask, seed
        self.picture = picture
        counts = torch.ones_like(picture[:, :1]) if mask is None else (mask > 0).float()
        self.share = counts.mean((1, 2, 3))  # of each picture that counts
        with torch.no_grad():
            z = torch.randn(KNOWN, network.config.z_dim, generator=dice(seed, "invert")).to(picture)
            classes = network.config.classes
            label = torch.arange(KNOWN, device=z.device) % classes if classes else None
            self.known = network.mapping(z, label)[:, :1]  # (n, 1, w_dim)
            self.centre = self.known.mean(0, keepdim=True)
            self.spread = float((self.known - self.centre).square().mean().sqrt())
            self.told = None if mask is not None else features(picture)

    @torch.no_grad()
    def nearest(self) -> Tensor:
        """For each picture the best of some codes of the model's own, and of its centre: (n, 1, w_dim)."""
        tried = torch.cat([self.centre, self.known[:TRIED].lerp(self.centre, 0.3)])
        losses = torch.stack([self.loss(self.paint(w[None])) for w in tried])
        return tried[losses.argmin(0)].clone()

    def paint(self, ws: Tensor) -> Tensor:
        return self.network.synthesis(ws.expand(-1, self.network.config.num_ws, -1), noise="const")

    def compared(self, painted: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The given picture and its features, with the model's own pixels where it does not count."""
        if self.mask is None:
            assert self.told is not None
            return self.picture, self.told
        with torch.no_grad():
            whole = torch.where(self.mask > 0, self.picture, painted)
            return whole, self.features(whole)

    def parts(self, painted: Tensor) -> tuple[Tensor, Tensor]:
        """Differences of pixels and of features, (n,) each; one painted picture may stand for all."""
        picture, told = self.compared(painted)
        pixels = (painted - picture).abs().mean((1, 2, 3)) / self.share
        apart = [(a - b).square().mean((1, 2, 3)) for a, b in zip(self.features(painted), told, strict=True)]
        return pixels, torch.stack(apart).mean(0) / self.share

    def loss(self, painted: Tensor) -> Tensor:
        pixels, apart = self.parts(painted)
        return pixels + PERCEPTUAL * apart

    def noise(self, i: int) -> Tensor:
        return torch.randn(self.centre.shape, generator=dice(self.seed, "invert", i)).to(self.centre) * self.spread

    def step(self, optimiser: torch.optim.Optimizer, ws: Tensor, t: float, more: Tensor | float = 0.0) -> float:
        """One step, at t from 0 to 1 of its stage."""
        ramp = min(1.0, (1 - t) / FALL)
        ramp = (0.5 - 0.5 * math.cos(ramp * math.pi)) * min(1.0, t / RISE + 0.05)
        for group in optimiser.param_groups:
            group["lr"] = RATE * self.spread * ramp
        loss = self.loss(self.paint(ws))
        optimiser.zero_grad()
        (loss + more).sum().backward()  # each picture's own: Adam knows no neighbours
        optimiser.step()
        return float(loss.detach().mean())

    @torch.no_grad()
    def found(self, ws: Tensor) -> Inverted:
        painted = self.paint(ws)
        pixels, apart = self.parts(painted)
        spread = (ws - self.centre).square().mean((1, 2)).sqrt() / self.spread
        return Inverted(ws, painted, pixels, apart, spread)
