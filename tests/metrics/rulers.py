"""A small network with fixed weights that measures like the real ones, and pictures to measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from tests.data.faces import PAINT, face


class Ruler(nn.Module):
    """Three convolutions of fixed random numbers on 32 px, pooled to 8 x `cells`^2 numbers. Counts the pictures it has seen."""

    standard = False

    def __init__(self, name: str = "ruler", cells: int = 1, seed: int = 5) -> None:
        super().__init__()
        self.name, self.sha256, self.resize, self.cells = name, f"{seed:064x}", "bilinear to 32 x 32", cells
        self.dim = 8 * cells * cells
        dice = torch.Generator().manual_seed(seed)
        for index, (c_in, c_out) in enumerate(((3, 8), (8, 8), (8, 8))):
            self.register_buffer(f"w{index}", torch.randn(c_out, c_in, 3, 3, generator=dice) / (3 * c_in**0.5))
        self.seen = 0

    def forward(self, images: Tensor) -> Tensor:
        assert images.dtype == torch.uint8
        self.seen += len(images)
        x = F.interpolate(images.float() / 127.5 - 1, (32, 32), mode="bilinear", align_corners=False)
        for index in range(3):
            x = F.leaky_relu(F.conv2d(x, getattr(self, f"w{index}"), stride=2 if index else 1))
        return F.adaptive_avg_pool2d(x, self.cells).flatten(1) * 4


class StandardRuler(Ruler):
    """Says of itself that it is the standard one; only tests of naming need that."""

    standard = True


def paint(folder: Path, count: int, first: int = 0, size: int = 32, colours: tuple[str, ...] = tuple(PAINT)) -> Path:
    """`count` drawn faces in a folder, named with their colours as `generate` names them."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        colour = colours[i % len(colours)]
        Image.fromarray(face(i, colour, size)).save(folder / f"seed{i:06d}-{colour}.png")
    return folder


def clouds(n: int, m: int, d: int, shift: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of features with correlated dimensions, float32."""
    dice = np.random.default_rng(seed)
    mixing = dice.normal(size=(d, d)) / d**0.5
    x, y = dice.normal(size=(n, d)) @ mixing, (dice.normal(size=(m, d)) * 1.2 + shift) @ mixing
    return x.astype(np.float32), y.astype(np.float32)
