"""Near-duplicates: the same mask saved again, resized, recompressed, framed otherwise or mirrored. They are kept, but
in one group, so that a split never puts one beside its twin.

The usual perceptual hash (signs of DCT coefficients) fails here: a symmetric face leaves half of the coefficients
near zero, so half of the bits are noise. Instead each picture is framed by the mass of its drawing, reduced to 34 x
34 grey, and compared by the best correlation over shifts of one cell, itself and mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import sparse
from scipy.sparse import csgraph

from lianpu import images
from lianpu.data import ground
from lianpu.data.lab import to_lab

__all__ = ["THRESHOLD", "groups", "thumbprint"]

THRESHOLD = 0.86  # correlation from which two pictures are one
SIDE, SHIFT = 34, 1
WORK = 192  # pixels at which the drawing's frame is measured
QUANTILE = 0.05  # of the drawing's mass left outside the frame on each side: no speck or soft edge moves it
COARSE = 0.6  # correlation at 16 x 16 below which no shift by one cell of 34 reaches the threshold


def thumbprint(pixels: np.ndarray) -> np.ndarray:
    """uint8 (h, w, 3) -> uint8 (34, 34), grey, framed by the middle 90 % of the drawing's mass in each direction."""
    grey = Image.fromarray(pixels).convert("L")
    top, left, bottom, right = _frame(pixels)
    enlarges = min(right - left, bottom - top) < SIDE
    how = Image.Resampling.BILINEAR if enlarges else Image.Resampling.BOX
    return np.asarray(grey.resize((SIDE, SIDE), how, box=(left, top, right, bottom)))


def _frame(pixels: np.ndarray) -> tuple[float, float, float, float]:
    h, w = pixels.shape[:2]
    scale = min(1.0, WORK / max(h, w))
    small = images.resize(pixels, max(1, round(h * scale)), max(1, round(w * scale)))
    lab = to_lab(small)
    off = np.sqrt(((lab - to_lab(ground.border_colour(small))) ** 2).sum(-1))
    mass = np.clip(off - 8, 0, 30)  # 8: noise of paper and compression; 30: a drawing, however dark
    if mass.mean() < 0.5:
        return 0, 0, h, w
    bounds = []
    for axis, full in ((1, h), (0, w)):
        cumulative = np.cumsum(mass.sum(axis))
        at = np.interp([QUANTILE, 1 - QUANTILE], cumulative / cumulative[-1], np.arange(1, len(cumulative) + 1))
        bounds.append(np.clip(at / len(cumulative) * full, 0, full))
    (top, bottom), (left, right) = bounds
    return (
        (float(top), float(left), float(bottom), float(right)) if min(bottom - top, right - left) >= 1 else (0, 0, h, w)
    )


def groups(prints: Sequence[np.ndarray], threshold: float = THRESHOLD) -> np.ndarray:
    """Thumbprints -> int (n,): equal numbers for pictures that are linked by a chain of near-duplicates, in order of
    appearance.
    """
    n = len(prints)
    stack = np.stack(prints).astype(np.float32) if n else np.zeros((0, SIDE, SIDE), np.float32)
    one, two = _alike(stack, threshold)
    graph = sparse.coo_matrix((np.ones(len(one), bool), (one, two)), shape=(n, n))
    _, labels = csgraph.connected_components(graph, directed=False)
    _, first = np.unique(labels, return_index=True)
    return np.argsort(np.argsort(first))[labels]


def _alike(stack: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (i < j) whose correlation reaches the threshold: sought coarsely among all, measured finely among the
    candidates.
    """
    found = []
    coarse = _unit(stack[:, 1:-1, 1:-1].reshape(len(stack), 16, 2, 16, 2).mean((2, 4)))
    middle = _unit(stack[:, SHIFT:-SHIFT, SHIFT:-SHIFT])
    for mirrored in (False, True):
        others = stack[:, :, ::-1] if mirrored else stack
        coarse_others = coarse.reshape(-1, 16, 16)[:, :, ::-1].reshape(-1, 256) if mirrored else coarse
        windows = [_unit(others[:, y : y + 32, x : x + 32]) for y in range(3) for x in range(3)]
        for start in range(0, len(stack), 512):
            near = coarse[start : start + 512] @ coarse_others.T > COARSE
            i, j = np.nonzero(near)
            i, j = (i + start)[i + start < j], j[i + start < j]
            for part in range(0, len(i), 4096):
                a, b = i[part : part + 4096], j[part : part + 4096]
                best = np.max([(middle[a] * w[b]).sum(-1) for w in windows], axis=0)
                found.append(np.stack([a, b])[:, best >= threshold])
    pairs = np.concatenate(found, 1) if found else np.zeros((2, 0), int)
    return pairs[0], pairs[1]


def _unit(pictures: np.ndarray) -> np.ndarray:
    """(n, h, w) -> (n, h*w) of zero mean and unit length, so that a scalar product is a correlation; flat pictures
    equal one another.
    """
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.where(length < 1, 1 / np.sqrt(flat.shape[1]), flat / np.maximum(length, 1)).astype(np.float32)
