"""Randomness is a function, not a stream: every draw is f(seed, step, name, index), so nothing random has to be saved to resume
exactly, and several processes that share a batch draw the same numbers as one process would.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Draw", "generator", "latent", "mix"]


def mix(*parts: object) -> int:
    """A 63-bit integer from any parts, the same on every machine: mix(seed, "epoch", 3)."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def generator(*parts: object, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator seeded by `mix(*parts)`."""
    return torch.Generator(device).manual_seed(mix(*parts))


def latent(seed: int, z_dim: int) -> Tensor:
    """z of the picture that a user calls by its seed, (1, z_dim): the same for every model, on every device."""
    return torch.randn(1, z_dim, generator=generator("generate", seed))


@dataclass(frozen=True)
class Draw:
    """The random numbers of one training step, for the rows of the global batch that this process holds.

    Every process draws for the whole global batch and keeps rows rank, rank + world, rank + 2 world, ...: this stride keeps the
    minibatch-stddev groups of one big batch together (`nets/stylegan2.py`). A name may be used once a step: same name, same numbers.
    """

    seed: int
    step: int
    rank: int = 0
    world: int = 1
    device: torch.device | str = "cpu"

    def _rows(self, full: Tensor) -> Tensor:
        return full[self.rank :: self.world] if self.world > 1 else full

    def _generator(self, name: str) -> torch.Generator | None:
        if torch.device(self.device).type == "meta":  # tensors without numbers have no generator
            return None
        return generator(self.seed, self.step, name, device=self.device)

    def normal(self, name: str, n: int, *shape: int) -> Tensor:
        """(n, *shape) standard normal numbers; n counts this process's rows."""
        return self._rows(torch.randn(n * self.world, *shape, generator=self._generator(name), device=self.device))

    def uniform(self, name: str, n: int, *shape: int) -> Tensor:
        """(n, *shape) numbers uniform in [0, 1)."""
        return self._rows(torch.rand(n * self.world, *shape, generator=self._generator(name), device=self.device))

    def integers(self, name: str, high: int, n: int, *shape: int) -> Tensor:
        """(n, *shape) integers uniform in {0, ..., high - 1}, int64."""
        full = torch.randint(high, (n * self.world, *shape), generator=self._generator(name), device=self.device)
        return self._rows(full)

    def shared(self, name: str, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1) that all processes share."""
        return torch.rand(*shape, generator=self._generator(name), device=self.device)

    def scoped(self, scope: str) -> Draw:
        """The same step under another seed, so that two callers may use the same names."""
        return Draw(mix(self.seed, scope), self.step, self.rank, self.world, self.device)
