"""Diffusion-GAN: D tells real from fake through the noise of a forward diffusion chain whose length follows p
(Wang et al. 2023; Yan et al. 2023, Eq. 6).

    V(G, D) = E_{x, t ~ p_pi, y ~ q(y | x, t)}[log D(y, t)] + E_{z, t ~ p_pi, y_g ~ q(y | G(z), t)}[log(1 - D(y_g, t))]
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from lianpu.augment.policy import Policy, Shown
from lianpu.config import AugmentConfig
from lianpu.randomness import Draw, generator

__all__ = ["Diffusion"]

SLOTS = 64
"""Size of the table that time steps are taken from; half of it is t = 0, no noise (Wang et al. 2023: t_epl)."""


def chain_length(p: float, t_min: int, t_max: int) -> int:
    """T, the number of steps of the chain in use: t_min at p = 0, t_max at p = 1."""
    return t_min + round(p * (t_max - t_min))


def alphas_bar(T: int, beta_start: float, beta_end: float) -> Tensor:
    """abar_t = prod_{i <= t} a_i, a_i = 1 - beta_i (Yan et al. 2023, below Eq. 6), for t = 0..T, (T + 1,) float64.

    abar_0 = 1: t = 0 is the clean picture. beta_1..beta_T are spaced evenly over the T steps in use, so a longer chain
    ends in more noise.
    """
    beta = torch.linspace(beta_start, beta_end, T, dtype=torch.float64, device="cpu")
    return torch.cat([beta.new_ones(1), (1 - beta).cumprod(0)])


def mixture_weights(T: int, weighting: str) -> Tensor:
    """pi_t for t = 1..T, (T,) float64, not negative and summing to 1: "uniform", or "priority" for late steps.

    Priority is in proportion to t in the paper and to t - 1 in its published code, which never shows t = 1; ours is the
    code's.
    """
    before = torch.arange(T, dtype=torch.float64, device="cpu")
    pi = before if weighting == "priority" and T > 1 else torch.ones_like(before)
    return pi / pi.sum()


def diffuse(x: Tensor, t: Tensor, abar: Tensor, sigma: float, epsilon: Tensor) -> Tensor:
    """y = sqrt(abar_t) x + sqrt(1 - abar_t) sigma epsilon, epsilon ~ N(0, I) (Yan et al. 2023, below Eq. 6).

    x and epsilon (n, c, h, w); t (n,) int64 and abar (T + 1,) on the host.
    """
    abar_t = abar[t][:, None, None, None]
    return abar_t.sqrt().to(x, non_blocking=True) * x + (sigma * (1 - abar_t).sqrt()).to(
        x, non_blocking=True
    ) * epsilon.to(x)


class Diffusion(Policy):
    """Pictures are shown with the noise of a random step t of a chain of T steps, and D is told t (`net.time`).

    p moves T between t_min and t_max: this is the one method that shows noise at p = 0 too. p goes to 1 at most, and as
    published five times as fast as ADA's (`augment.speed_kimg` 100, not 500).
    """

    upper = 1.0
    T: Tensor
    table: Tensor
    """Steps t, (64,): 32 drawn from p_pi, then 32 zeros. Drawn again whenever p may have moved, and kept in between."""
    redraws: Tensor

    _on_host = (*Policy._on_host, "T", "table", "redraws")

    def __init__(self, config: AugmentConfig, seed: int = 0) -> None:
        super().__init__(config)
        self.config, self.seed = config, seed
        self.register_buffer("T", torch.zeros([], dtype=torch.int64, device="cpu"))
        self.register_buffer("table", torch.zeros(SLOTS, dtype=torch.int64, device="cpu"))
        self.register_buffer("redraws", torch.zeros([], dtype=torch.int64, device="cpu"))
        self.set_strength(0.0)

    @torch.no_grad()
    def set_strength(self, p: float | Tensor) -> None:
        """Besides p: T, and a new table, which is a function of the run's seed and the number of tables before it."""
        super().set_strength(p)
        T = chain_length(self.strength(), self.config.t_min, self.config.t_max)
        dice = generator(self.seed, "diffusion table", self.redraws.item())
        pi = mixture_weights(T, self.config.weighting)
        self.T.fill_(T)
        self.table.zero_()[: SLOTS // 2] = 1 + torch.multinomial(pi, SLOTS // 2, replacement=True, generator=dice)
        self.redraws += 1

    def _show(self, images: Tensor, draw: Draw) -> Shown:
        t = self.table[replace(draw, device="cpu").integers("slot", SLOTS, len(images))]
        abar = alphas_bar(int(self.T), self.config.beta_start, self.config.beta_end)
        y = diffuse(images, t, abar, self.config.noise_std, draw.normal("epsilon", *images.shape))
        return Shown(y, t.to(images.device, non_blocking=True))

    def show_real(self, real: Tensor, fake: Tensor, draw: Draw) -> Shown:
        """y and its t."""
        return self._show(real, draw)

    def show_fake(self, fake: Tensor, draw: Draw) -> Shown:
        """y_g and its t; gradients go through the noise to `fake`."""
        return self._show(fake, draw)

    def stats(self) -> dict[str, float]:
        return {**super().stats(), "T": float(self.T)}
