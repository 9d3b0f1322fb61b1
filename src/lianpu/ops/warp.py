"""The correspondence warp of CoCosNet (Zhang et al. 2020, Eqs. 3 and 4; Yan et al. 2023, Eqs. 10 and 13) without its matrix: every
place of the sketch takes the average of the reference, weighted by softmax(q k^T / tau), in memory linear in the number of places.

`plain.warp` is the same with the matrix, N^2 numbers: 4 GiB a picture for 128 x 128 places.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Match", "cycle", "matches", "warp"]


def warp(query: Tensor, key: Tensor, value: Tensor, temperature: float) -> Tensor:
    """softmax(q k^T / tau) v over the places of the reference: `value` as it looks from where the queries are.

    query: (n, d, h, w) of the sketch; key: (n, d, h', w') and value: (n, c, h', w') of the reference -> (n, c, h, w).
    """
    c, (h, w) = value.shape[1], query.shape[2:]
    # A kernel that never writes the matrix wants all three equally wide and contiguous on a CPU, and on CUDA a multiple of
    # four wide; for others torch falls back, in silence, to one that does. The zeros change no product, so the scale is
    # given: by default it follows the width.
    width = math.ceil(max(query.shape[1], c) / 4) * 4
    with _no_autocast(query.device):
        q, k, v = (_padded(_places(x), width).contiguous() for x in (query, key, value))
        y = F.scaled_dot_product_attention(q, k, v, scale=1 / temperature)[..., :c]  # (n, 1, h*w, c)
    return y[:, 0].transpose(1, 2).reshape(-1, c, h, w)


def cycle(query: Tensor, key: Tensor, warped: Tensor, temperature: float) -> Tensor:
    """r_(y->x->y) of Yan et al. 2023, Eq. 13: what was warped to the sketch, (n, c, h, w), back in the reference's frame,
    (n, c, h', w'), by the same cosines with the softmax over the other side.
    """
    return warp(key, query, warped, temperature)


def _no_autocast(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """Over tau = 0.01 the cosines of bfloat16 would be wrong by 0.4 in the exponent."""
    if not torch.amp.is_autocast_available(device.type):  # on "meta"
        return contextlib.nullcontext()
    return torch.autocast(device.type, enabled=False)


def _places(x: Tensor) -> Tensor:
    """(n, c, h, w) -> (n, 1, h*w, c), in float32 at least."""
    return x.flatten(2).transpose(1, 2)[:, None].to(torch.promote_types(x.dtype, torch.float32))


def _padded(x: Tensor, width: int) -> Tensor:
    """With zeros up to `width` channels; F.pad by nothing would be a copy."""
    return x if x.shape[-1] == width else F.pad(x, (0, width - x.shape[-1]))


class Match(NamedTuple):
    """What every place of the sketch, row by row, makes of the reference."""

    index: Tensor
    """(n, h*w) int64: the place of the reference it likes best, y * w' + x."""
    confidence: Tensor
    """(n, h*w): the probability of that place."""
    entropy: Tensor
    """(n, h*w) in nats: 0 where the match is certain, log(h' * w') where nothing is known."""


@torch.no_grad()
def matches(query: Tensor, key: Tensor, temperature: float, chunk: int = 512) -> Match:
    """The best match of every place with its certainty, `chunk` rows of the matrix at a time."""
    q, k = _places(query)[:, 0], _places(key)[:, 0]
    with _no_autocast(query.device):
        parts = [_match(rows @ k.transpose(1, 2) / temperature) for rows in q.split(chunk, 1)]
    return Match(*(torch.cat(column, 1) for column in zip(*parts, strict=True)))


def _match(logits: Tensor) -> Match:
    """(n, rows, h'*w') -> (n, rows) each."""
    log_p = logits.log_softmax(2)
    best = log_p.max(2)
    return Match(best.indices, best.values.exp(), -(log_p.exp() * log_p).sum(2))
