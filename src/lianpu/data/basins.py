"""Hills of a landscape: each cell belongs to the summit that steepest ascent leads to, and hills without a real valley
between them are one. The watershed by dynamics (Grimaud 1992) turned upside down, for arrays of any dimension.
"""

from __future__ import annotations

import itertools

import numpy as np

__all__ = ["hills"]

Pair = tuple[tuple[slice, ...], tuple[slice, ...]]


def hills(height: np.ndarray, valley: float, level: float = np.inf, countries: np.ndarray | None = None) -> np.ndarray:
    """float (...) -> int32 (...): the hill of each cell, numbered from 1, the highest first; 0 where `height` is 0.

    Two hills are one where the pass between them is at least `valley` times as high as the lower of their summits, or
    as high as `level`. No hill crosses from one of `countries`, int (...), into another.
    """
    height = np.ascontiguousarray(height, np.float32)
    countries = np.zeros(height.shape, np.int8) if countries is None else countries
    order = np.argsort(-height.ravel(), kind="stable")
    rank = np.empty(height.size, np.int32)
    rank[order] = np.arange(height.size, dtype=np.int32)  # on a plateau the first cell counts as the highest
    summit = _ascend(rank.reshape(height.shape), countries)
    summit = _join(height, summit, countries, valley, level)[summit]
    land = height.ravel() > 0
    tops = order[land[order] & (summit.ravel()[order] == order)]
    number = np.zeros(height.size, np.int32)
    number[tops] = np.arange(1, len(tops) + 1)
    return np.where(height > 0, number[summit], 0)


def _ascend(rank: np.ndarray, countries: np.ndarray) -> np.ndarray:
    """The summit of each cell as a flat index: each cell points to its best neighbour, then pointers are followed to their ends."""
    best = rank.copy()
    for a, b in _touching(rank.ndim):
        same = countries[a] == countries[b]
        np.minimum(best[a], rank[b], out=best[a], where=same)
        np.minimum(best[b], rank[a], out=best[b], where=same)
    cell = np.empty(rank.size, np.int32)  # the cell that has a rank
    cell[rank.ravel()] = np.arange(rank.size, dtype=np.int32)
    up = cell[best.ravel()]
    while not np.array_equal(further := up[up], up):
        up = further
    return up.reshape(rank.shape)


def _touching(ndim: int) -> list[Pair]:
    """For half of the directions to the neighbours, corners included, the slices that lay each cell on its neighbour."""
    ends = {-1: (slice(1, None), slice(None, -1)), 0: (slice(None), slice(None)), 1: (slice(None, -1), slice(1, None))}
    steps = [s for s in itertools.product((-1, 0, 1), repeat=ndim) if s > (0,) * ndim]
    return [(tuple(ends[s][0] for s in step), tuple(ends[s][1] for s in step)) for step in steps]


def _join(height: np.ndarray, summit: np.ndarray, countries: np.ndarray, valley: float, level: float) -> np.ndarray:
    """The summit that stands for each summit, after hills were joined over their passes from the highest pass down."""
    flat, stands = height.ravel(), np.arange(height.size)

    def head(hill: int) -> int:
        while stands[hill] != hill:
            hill = int(stands[hill])
        return hill

    for low, first, second in _passes(height, summit, countries):
        a, b = head(first), head(second)
        if a != b and (low >= level or low >= valley * min(flat[a], flat[b])):
            stands[min((a, b), key=flat.__getitem__)] = max((b, a), key=flat.__getitem__)
    while not np.array_equal(further := stands[stands], stands):
        stands = further
    return stands


def _passes(height: np.ndarray, summit: np.ndarray, countries: np.ndarray) -> list[tuple[float, int, int]]:
    """(height, summit, summit) of the highest pass between each two hills that touch, the highest first."""
    heights, keys = [], []
    for a, b in _touching(height.ndim):
        low = np.minimum(height[a], height[b])
        apart = (summit[a] != summit[b]) & (low > 0) & (countries[a] == countries[b])
        first, second = summit[a][apart].astype(np.int64), summit[b][apart]
        heights.append(low[apart])
        keys.append(np.minimum(first, second) * height.size + np.maximum(first, second))
    low, key = np.concatenate(heights), np.concatenate(keys)
    order = np.argsort(-low, kind="stable")
    _, at = np.unique(key[order], return_index=True)  # of each pair of hills the first, which is the highest
    at = order[np.sort(at)]
    return list(zip(low[at].tolist(), (key[at] // height.size).tolist(), (key[at] % height.size).tolist(), strict=True))
