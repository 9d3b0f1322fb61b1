"""Adaptive pseudo augmentation: some of D's reals are the generator's pictures, so that D cannot learn the reals by
heart (Jiang et al. 2021; Yan et al. 2023, Eq. 4 and 5).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from lianpu.augment.policy import Policy, Shown
from lianpu.randomness import Draw

__all__ = ["APA"]


class APA(Policy):
    """Each real is replaced, with probability p, by the fake of the same row. With alpha the share so replaced,

        V(G, D) = (1 - alpha) E_x[log D(x)] + alpha E_z[log D(G(z))] + E_z[log(1 - D(G(z)))]   (Yan et al. 2023, Eq. 5)

    and 0 <= alpha < p_max < 1 (the seed, below Eq. 5): at p = 1 no real would be left to learn from. The published code
    has no upper bound; ours is 1 - 1/1024, or `augment.p_max` where that is less.

    lambda_t (Eq. 4) is measured, as in the published code, on what was shown as real, replaced rows included; the
    formula reads as if on reals alone. The seed speaks of "the standard data conversion method" applied to the fakes;
    neither the paper it cites nor we transform them.
    """

    upper = 1 - 1 / 1024

    def show_real(self, real: Tensor, fake: Tensor, draw: Draw) -> Shown:
        """The deceived reals. A replaced row hands its gradient to `real`'s: R1 holds at the picture D was shown."""
        p = self.strength()
        if p == 0:
            return Shown(real)
        fake = fake.detach()
        if real.requires_grad:
            fake = fake + (real - real.detach())  # + 0, with derivative 1
        replaced = replace(draw, device="cpu").uniform("replaced", len(real)) < p
        return Shown(torch.where(replaced.to(real.device, non_blocking=True)[:, None, None, None], fake, real))
