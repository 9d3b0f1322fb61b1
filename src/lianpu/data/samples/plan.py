"""The plan of one mask: named dice that fix its free parameters, and the named layers that its shapes are put on.

A number is a function of (seed, index, name), so a feature that asks for one more number changes nothing else on the
mask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lianpu.data.samples.vector import Shape, mirror

__all__ = ["LAYERS", "Dice", "Plan", "Weights"]

Weights = Mapping[str, float]  # a choice's options and how likely each is

LAYERS: dict[str, str] = {  # painting order -> Chinese name
    "ground": "底", "ears": "耳", "base": "底色", "tiles": "瓦", "cheeks": "颊", "sockets": "眼窝", "brows": "眉",
    "nose": "鼻窝", "beard": "须", "mouth": "嘴", "eyes": "眼", "lines": "纹", "emblem": "额纹", "hat": "帽",
    "edge": "轮廓", "texture": "质感",
}  # fmt: skip


def number(*parts: object) -> int:
    """A 64-bit integer from any parts, the same on every machine."""
    return int.from_bytes(hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest(), "little")


class Dice:
    """Random numbers by name: the same name gives the same number as often as it is asked for.

    `fixed` holds choices that are not left to chance (a character's brow, say): a name found there is returned as it
    is.
    """

    def __init__(self, *key: object, fixed: Mapping[str, Any] | None = None) -> None:
        self.key, self.fixed = key, dict(fixed or {})

    def unit(self, name: str) -> float:
        """Uniform in [0, 1)."""
        return number(*self.key, name) / 2**64

    def __call__(self, name: str, low: float, high: float) -> float:
        """Between low and high, thickest in the middle (a mean of two uniforms): most masks are moderate, a few are not."""
        if name in self.fixed:
            return self.fixed[name]
        return low + (high - low) * (self.unit(name) + self.unit(name + "'")) / 2

    def chance(self, name: str, p: float) -> bool:
        return bool(self.fixed[name]) if name in self.fixed else self.unit(name) < p

    def pick(self, name: str, options: Mapping[Any, float] | Sequence[Any]) -> Any:
        """One of a sequence, or one key of a mapping to weights."""
        if name in self.fixed:
            return self.fixed[name]
        if not isinstance(options, Mapping):
            return options[int(self.unit(name) * len(options))]
        left = self.unit(name) * sum(options.values())
        for option, weight in options.items():
            left -= weight
            if left < 0:
                return option
        return next(reversed(options))

    def rng(self, name: str) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(number(*self.key, name)))

    def other(self) -> Dice:
        """The dice of the other half of a slanting face: choices differ, what is fixed stays fixed."""
        return Dice(*self.key, "other", fixed=self.fixed)


@dataclass
class Plan:
    """Shapes on layers, in canonical coordinates of the face, before the warp that makes this face's proportions."""

    dice: Dice
    main: str
    slanting: bool = False
    layers: dict[str, list[Shape]] = field(default_factory=lambda: {name: [] for name in LAYERS})

    @property
    def weight(self) -> float:
        """Breadth of this hand's lines, about 1."""
        return self.dice("line.weight", 0.8, 1.3)

    def put(self, layer: str, *shapes: Shape | Sequence[Shape]) -> None:
        for shape in shapes:
            self.layers[layer].extend([shape] if isinstance(shape, Shape) else shape)

    def pair(self, layer: str, make: Callable[[Plan, Dice], Sequence[Shape]]) -> None:
        """`make` the right half; the left is its mirror image, or on a slanting face another throw of the dice."""
        right = make(self, self.dice)
        left = make(self, self.dice.other()) if self.slanting else right
        # all of one side before the other would let a rim of one half cover ink of the other: go shape by shape
        # where they match
        if len(left) == len(right):
            self.put(layer, [s for r, l in zip(right, left, strict=True) for s in (r, mirror(l))])
        else:
            self.put(layer, right, [mirror(s) for s in left])
