"""B-splines and the layer of a Kolmogorov-Arnold network (Liu et al. 2024, "KAN", Sec. 2.2), in which every edge is a learnt function of
one number: what Yan et al. 2024 make DV and DL of.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["KANLinear", "bases", "knots"]


def knots(grid: int, order: int, reach: float) -> Tensor:
    """(grid + 2 order + 1,) equally far apart: `grid` intervals on [-reach, reach], and `order` more beyond either end, so that on
    the whole of [-reach, reach] the bases sum to one.
    """
    return torch.arange(-order, grid + order + 1) * (2 * reach / grid) - reach


def bases(x: Tensor, knots: Tensor, order: int) -> Tensor:
    """de Boor 1978, Ch. IX: B_k(x) of every basis, x (...) -> (..., len(knots) - order - 1); 0 beyond the outermost knots.

    B_k,0 = [t_k <= x < t_k+1], B_k,p = (x - t_k) / (t_k+p - t_k) B_k,p-1 + (t_k+p+1 - x) / (t_k+p+1 - t_k+1) B_k+1,p-1.
    """
    t, x = knots, x[..., None]
    B = ((x >= t[:-1]) & (x < t[1:])).to(x)
    for p in range(1, order + 1):
        rising = (x - t[: -p - 1]) / (t[p:-1] - t[: -p - 1])
        falling = (t[p + 1 :] - x) / (t[p + 1 :] - t[1:-p])
        B = rising * B[..., :-1] + falling * B[..., 1:]
    return B


class KANLinear(nn.Module):
    """y_o = sum_i w^b_oi SiLU(x_i) + w^s_oi sum_k c_oik B_k(x_i): Liu et al. 2024, Sec. 2.2, their residual activation functions.

    reach: splines live on [-reach, reach]. Liu et al. have 1, and move the grid to where the data is; here a GroupNorm comes before, whose
    numbers are of size one. A third of them lies beyond 1, where splines fade to 0; beyond 3 lies one in 370.
    """

    knots: Tensor

    def __init__(self, features: int, out: int, *, grid: int = 5, order: int = 3, reach: float = 3.0) -> None:
        super().__init__()
        self.order = order
        bound = 1 / math.sqrt(features)  # as nn.Linear begins
        self.base = nn.Parameter(torch.empty(out, features).uniform_(-bound, bound))
        self.scale = nn.Parameter(torch.empty(out, features).uniform_(-bound, bound))
        self.coefficients = nn.Parameter(torch.randn(out, features, grid + order) * 0.1)
        self.register_buffer("knots", knots(grid, order, reach), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, features) -> (n, out)."""
        curves = self.scale[..., None] * self.coefficients  # (out, features, k)
        B = bases(x, self.knots, self.order)  # (n, features, k)
        return F.linear(F.silu(x), self.base) + F.linear(B.flatten(1), curves.flatten(1))
