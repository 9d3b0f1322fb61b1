"""What the discriminator is shown, and how strongly: the noun that ADA, APA and Diffusion-GAN have in common, and the
one controller that moves their strength p (Yan et al. 2023, "GANs with data enhancement module" and "Adaptive
discriminator enhancement module").

The seed's two losses put one transformation T between pictures and discriminator, for reals and fakes alike (Eq. 1 and
2; its equations are counted in their order, as it does itself where it speaks of its Eq. 6):

    L_D = -E_x[g1(D(T(x)))] - E_z[g2(D(T(G(z))))]            L_G = E_z[g2(D(T(G(z))))]

`show` is the T of L_D; `show_fake` is the T of L_G, through which gradients flow to the generator. g1 and g2 are in
`losses.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lianpu.config import AugmentConfig
from lianpu.randomness import Draw

__all__ = ["Policy", "Shown"]


class Shown(NamedTuple):
    """What D is shown: images (n, c, h, w) and, for diffusion only, their time steps t (n,) int64."""

    images: Tensor
    t: Tensor | None = None


class Policy(nn.Module):
    """No augmentation ("none"), and the base of the others: it watches overfitting, and its p stays 0.

    Everything that changes is a buffer, so it is in `state_dict` and resumes. All but the sums of signs stay in the
    host's memory, in their precision, whatever the module is moved to: they are read every step, and reading them from
    a GPU would make it wait. The sums live where the scores are and come to the host once in `interval` steps.
    """

    p: Tensor
    """Strength: the probability of a transform (ADA) or a swap (APA), or the share of the chain in use (diffusion)."""
    r_t: Tensor
    """Overfitting as of the last adjustment, -1 to 1; 0 before the first."""
    steps: Tensor
    """Steps since the last adjustment."""
    images: Tensor
    """Pictures since the last adjustment."""
    signs: Tensor
    """Sum and number of signs since the last adjustment, over all processes."""
    fresh: Tensor
    """Sum and number of signs of this step, in this process; zero between steps, so not saved."""

    upper = 0.0
    """The highest p of the method."""
    _on_host: tuple[str, ...] = ("p", "r_t", "steps", "images")

    def __init__(self, config: AugmentConfig | None = None) -> None:
        super().__init__()
        config = config or AugmentConfig()
        self.target, self.interval, self.speed_kimg = config.target, config.interval, config.speed_kimg
        if config.p_max:
            self.upper = min(self.upper, config.p_max)
        self.register_buffer("p", torch.zeros([], device="cpu"))
        self.register_buffer("r_t", torch.zeros([], device="cpu"))
        self.register_buffer("steps", torch.zeros([], dtype=torch.int64, device="cpu"))
        self.register_buffer("images", torch.zeros([], dtype=torch.int64, device="cpu"))
        self.register_buffer("signs", torch.zeros(2))
        self.register_buffer("fresh", torch.zeros(2), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Policy:
        kept = {name: self._buffers[name] for name in self._on_host}
        super()._apply(fn, recurse)
        self._buffers.update(kept)
        return self

    def show(self, real: Tensor, fake: Tensor, draw: Draw) -> tuple[Shown, Shown]:
        """What D sees in its own step: T(x) and T(G(z)) of L_D (Yan et al. 2023, Eq. 1).

        `real` and `fake` are (n, c, h, w) in [-1, 1], row i of both under the same label. `real` may require grad: R1
        takes the gradient with respect to the picture before T, through T.
        """
        return self.show_real(real, fake, draw.scoped("real")), self.show_fake(fake, draw.scoped("fake"))

    def show_real(self, real: Tensor, fake: Tensor, draw: Draw) -> Shown:
        """T(x). `fake` (n, c, h, w) is there for the method that passes fakes off as real; it gets no gradient."""
        return Shown(real)

    def show_fake(self, fake: Tensor, draw: Draw) -> Shown:
        """T(G(z)), as in L_G (Yan et al. 2023, Eq. 2): gradients flow back to `fake` (n, c, h, w)."""
        return Shown(fake)

    @torch.no_grad()
    def observe(self, scores: Tensor) -> None:
        """Counts the signs of D's logits (any shape) on what it was shown as real, in R1's pass as well."""
        self.fresh[0] += scores.sign().sum(dtype=self.fresh.dtype)
        self.fresh[1] += scores.numel()

    @torch.no_grad()
    def adjust(self, images: int, reduce: Callable[[Tensor], Tensor] = lambda sums: sums) -> None:
        """Ends a training step of `images` pictures, over all processes; every `interval` steps, moves p.

            r_t = E[sign(D_train)]                               (Yan et al. 2023, Eq. 3; Karras et al. 2020a, Eq. 1)
            p <- p + sign(r_t - target) * images since the last adjustment / (1000 speed_kimg), within [0, upper]

        APA's lambda_t = E[sign(D_real)] = E[sign(logit(D(x)))] (Eq. 4) is the same quantity: scores here are logits. E
        is over all of them since the last adjustment: in the seed, N = 4 minibatches of 64, 256 pictures.

        `reduce` sums a tensor over processes. It is called every step, not every `interval`, so that a checkpoint taken
        at any step holds the sums of all processes.
        """
        self.signs += reduce(self.fresh)
        self.fresh.zero_()
        self.steps += 1
        self.images += images
        if self.steps < self.interval or self.signs.is_meta:  # a dry run on the meta device has no scores to read
            return
        total, number = self.signs.cpu()
        if not number:
            raise ValueError("adjust: observe was not called since the last adjustment, so r_t is unknown.")
        self.r_t.copy_(total / number)
        step = self.images.item() / (1000 * self.speed_kimg)
        self.set_strength(self.p + torch.sign(self.r_t - self.target) * step)
        for buffer in (self.signs, self.steps, self.images):
            buffer.zero_()

    @torch.no_grad()
    def set_strength(self, p: float | Tensor) -> None:
        """Sets p, held to [0, upper]: what the controller does, or a run that is to start above 0."""
        self.p.fill_(p).clamp_(0, self.upper)

    def strength(self) -> float:
        """p now."""
        return self.p.item()

    def stats(self) -> dict[str, float]:
        """Numbers for the progress line and the logs."""
        return {"p": self.p.item(), "r_t": self.r_t.item()}
