"""How alike two pictures look: SSIM, multi-scale SSIM and LPIPS of pairs, and which pairs are taken. Yan et al. 2023 state these between
generated and real pictures that have no natural partners; here partners are drawn by seed, and a row says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lianpu.errors import UsageError
from lianpu.metrics import bootstrap

__all__ = ["LPIPS", "WEIGHTS", "WINDOW", "among", "between", "ms_ssim", "scale_weights", "ssim"]

WINDOW, SIGMA = 11, 1.5  # Wang et al. 2004, Sec. III-C
K1, K2 = 0.01, 0.03
WEIGHTS = (
    0.0448,
    0.2856,
    0.3001,
    0.2363,
    0.1333,
)  # Wang et al. 2003, Sec. 3.2: how much each scale counts, finest first


def _blur(x: Tensor) -> Tensor:
    """Gaussian mean of each channel where the whole window fits: (n, c, h, w) -> (n, c, h - 10, w - 10)."""
    t = torch.arange(WINDOW, device=x.device, dtype=x.dtype) - WINDOW // 2
    g = torch.exp(-(t**2) / (2 * SIGMA**2))
    g = (g / g.sum()).expand(x.shape[1], 1, 1, WINDOW)
    return F.conv2d(F.conv2d(x, g, groups=x.shape[1]), g.transpose(2, 3), groups=x.shape[1])


def _similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """(n, c) SSIM and its contrast-structure part, of pictures in [0, 255] (Wang et al. 2004, Eq. 13)."""
    if min(x.shape[2:]) < WINDOW:
        raise UsageError(f"SSIM's window is {WINDOW} pixels; pictures of {x.shape[3]} x {x.shape[2]} are too small.")
    c1, c2 = (K1 * 255) ** 2, (K2 * 255) ** 2
    mx, my = _blur(x), _blur(y)
    vx, vy, cov = _blur(x * x) - mx * mx, _blur(y * y) - my * my, _blur(x * y) - mx * my
    structure = (2 * cov + c2) / (vx + vy + c2)
    return ((2 * mx * my + c1) / (mx * mx + my * my + c1) * structure).mean((2, 3)), structure.mean((2, 3))


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Wang et al. 2004, Eq. 13, the mean over windows that lie inside and over channels: (n, c, h, w) in [0, 255] -> (n,), at most 1."""
    return _similarity(_double(x), _double(y))[0].mean(1)


def scale_weights(height: int, width: int) -> tuple[float, ...]:
    """The weights of the scales that a picture has room for: all five from 176 px, four from 88 px, three from 44, two from 22.

    Each scale halves the picture, and the 11-pixel window must still fit. Where fewer fit, the finest are kept and Wang's weights are
    divided by their sum, as the weights of the five are.
    """
    count = 0
    while count < len(WEIGHTS) and min(height, width) >> count >= WINDOW:
        count += 1
    kept = WEIGHTS[:count]
    return kept if count == len(WEIGHTS) else tuple(w / sum(kept) for w in kept)


def ms_ssim(x: Tensor, y: Tensor, weights: Sequence[float] | None = None) -> Tensor:
    """Wang et al. 2003, Eq. 7, mean over channels: (n, c, h, w) in [0, 255] -> (n,) in [0, 1]. Negative similarity counts as none,
    for it has no fractional power.
    """
    x, y = _double(x), _double(y)
    weights = scale_weights(x.shape[2], x.shape[3]) if weights is None else weights
    if not weights:
        raise UsageError(f"pictures of {x.shape[3]} x {x.shape[2]} pixels have no scale for MS-SSIM.")
    product = torch.ones(x.shape[:2], dtype=x.dtype, device=x.device)
    for scale, weight in enumerate(weights):
        whole, structure = _similarity(x, y)
        product = product * F.relu(whole if scale == len(weights) - 1 else structure) ** weight
        if scale < len(weights) - 1:
            odd = (x.shape[2] % 2, x.shape[3] % 2)
            x, y = F.avg_pool2d(x, 2, padding=odd), F.avg_pool2d(y, 2, padding=odd)
    return product.mean(1)


def _double(x: Tensor) -> Tensor:
    """float64: E[x^2] - E[x]^2 of nearly flat windows loses all digits of float32 at 255."""
    return x.to(torch.float64)


class LPIPS(nn.Module):
    """Zhang et al. 2018, Eq. 1: d(x, y) = sum over layers l of the mean over places of |w_l * (x_l - y_l)|^2, features of unit length.

    trunk: gives the maps of LPIPS's five layers for pictures in [-1, 1] (`nets.features.trunk`); heads: w_l^2 of each, (channels,).
    """

    def __init__(self, trunk: nn.Module, heads: Sequence[Tensor]) -> None:
        super().__init__()
        self.trunk = trunk
        for index, head in enumerate(heads):
            self.register_buffer(f"head{index}", head.detach().clone())
        self.count = len(heads)

    @property
    def heads(self) -> list[Tensor]:
        return [getattr(self, f"head{index}") for index in range(self.count)]

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """float (n, 3, h, w) in [-1, 1], twice -> (n,), 0 for the same picture."""
        maps_x, maps_y = self.trunk(x), self.trunk(y)
        distance = torch.zeros(len(x), device=x.device)
        for a, b, head in zip(maps_x, maps_y, self.heads, strict=True):
            gap = (_unit(a) - _unit(b)) ** 2  # (n, c, h_l, w_l)
            distance = distance + (gap * head[:, None, None]).sum(1).mean((1, 2))
        return distance


def _unit(features: Tensor) -> Tensor:
    """Each place's features at unit length."""
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)


# ------------------------------------------------------------------------------------------------------------------- pairing


def between(n: int, m: int, partners: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of n generated with m real pictures: each generated one with `partners` different ones (all, if there are fewer).

    Real pictures are dealt out from shuffled packs, so that each is used as often as any other, give or take one.
    """
    partners = min(partners, m)
    draw = bootstrap.dice(seed, "pairs", n, m)
    left = np.repeat(np.arange(n), partners)
    right = np.empty(n * partners, np.int64)
    pack: list[int] = []
    for i in range(n):
        hand: list[int] = []
        while len(hand) < partners:
            if not pack:
                pack = draw.permutation(m).tolist()
            card = next((c for c in pack if c not in hand), None)
            if card is None:  # the rest of the pack is in the hand already: open a new one
                pack = [*pack, *draw.permutation(m).tolist()]
                continue
            pack.remove(card)
            hand.append(card)
        right[i * partners : (i + 1) * partners] = hand
    return left, right


def among(n: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """About `count` different pairs of n pictures, none with itself; in each round every picture is in one pair (all but one if n is odd).

    Where there are no more than `count` pairs in all, all are taken.
    """
    if n * (n - 1) // 2 <= count:
        left, right = np.triu_indices(n, 1)
        return left, right
    draw = bootstrap.dice(seed, "pairs among", n)
    seen: set[tuple[int, int]] = set()
    while len(seen) < count:
        order = draw.permutation(n)
        for a, b in zip(order[: n // 2].tolist(), order[n // 2 : 2 * (n // 2)].tolist(), strict=True):
            seen.add((min(a, b), max(a, b)))
    chosen = np.array(sorted(seen))
    return chosen[:, 0], chosen[:, 1]
