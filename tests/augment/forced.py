"""Draws whose outcome the test decides: `Draw` is the one door through which randomness comes in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lianpu.randomness import Draw


@dataclass(frozen=True)
class Percentile(Draw):
    """Every number is the one at percentile q of its distribution, as in the reference's debug mode.

    Two quirks of that mode are kept, for the fixtures have them: its normal numbers are erfinv(2q - 1), without the
    sqrt(2) of the true percentile, and the rotation after the anisotropic scaling does not come up.
    """

    q: float = 0.5

    def uniform(self, name: str, n: int, *shape: int) -> Tensor:
        return torch.full((n, *shape), 2.0 if name == "rotation after gate" else self.q)

    def normal(self, name: str, n: int, *shape: int) -> Tensor:
        return torch.full((n, *shape), 2 * self.q - 1).erfinv()

    def integers(self, name: str, high: int, n: int, *shape: int) -> Tensor:
        return torch.full((n, *shape), int(self.q * high))


@dataclass(frozen=True)
class Fixed(Draw):
    """Every gate opens (but that of the second rotation), and every number is the given one."""

    u: float = 0.5
    """For uniform numbers in [0, 1)."""
    z: float = 1.0
    """For normal numbers."""
    i: int = 1
    """For integers."""

    def uniform(self, name: str, n: int, *shape: int) -> Tensor:
        if name.endswith("gate"):
            return torch.full((n, *shape), 2.0 if name == "rotation after gate" else 0.0)
        return torch.full((n, *shape), self.u)

    def normal(self, name: str, n: int, *shape: int) -> Tensor:
        return torch.full((n, *shape), self.z)

    def integers(self, name: str, high: int, n: int, *shape: int) -> Tensor:
        return torch.full((n, *shape), self.i % high)
