"""Near-duplicates: the same drawing saved again, resized, recompressed, framed otherwise, mirrored or repainted. They
are kept, but in one group, so that a split never puts one beside its twin.

The usual perceptual hash, signs of DCT coefficients, fails here: a symmetric face leaves half of the coefficients
near zero, so half of the bits are noise (measured: copies differ in up to 26 of 64 bits, different masks in as few as
10). Masks of one type also share their large areas. So each picture is framed by the mass of its drawing and reduced
to 64 x 64 grey; two are one when their line work, what is left after taking a blurred copy away, correlates at the
best of all shifts by up to three cells, as they are or mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import fft, ndimage, sparse
from scipy.sparse import csgraph

from lianpu import images
from lianpu.data import ground
from lianpu.data.lab import to_lab

__all__ = ["SIDE", "THRESHOLD", "groups", "pairs", "thumbprint"]

# Measured on 400 drawn and 55 real masks. Different ones stay below, but for a few drawn ones that a person would call one
# drawing in two colours. JPEG at quality 30, half size, a third of the size at quality 50, 4 % cropped, 10 % padded, darkened
# and stretched copies, mirrored or not, lie above in 99 %; copies turned by 2 degrees do not.
THRESHOLD = 0.89
SIDE, SHIFT = 64, 3
AREAS = (0.6, 0.72)  # correlation of areas at 16 x 16, then at 32 x 32, below which line work is not looked at
WORK = 192  # pixels at which the drawing's frame is measured
QUANTILE = 0.05  # of the drawing's mass left outside the frame on each side, so that no speck or soft edge moves it


def thumbprint(pixels: np.ndarray) -> np.ndarray:
    """uint8 (h, w, 3) -> uint8 (64, 64), grey, framed by the middle 90 % of the drawing's mass in each direction."""
    grey = Image.fromarray(pixels).convert("L")
    top, left, bottom, right = _frame(pixels)
    enlarges = min(right - left, bottom - top) < SIDE
    how = Image.Resampling.BILINEAR if enlarges else Image.Resampling.BOX
    return np.asarray(grey.resize((SIDE, SIDE), how, box=(left, top, right, bottom)))


def _frame(pixels: np.ndarray) -> tuple[float, float, float, float]:
    """(top, left, bottom, right) in pixels; the whole picture where nothing stands out from its border."""
    h, w = pixels.shape[:2]
    scale = min(1.0, WORK / max(h, w))
    small = images.resize(pixels, max(1, round(h * scale)), max(1, round(w * scale)))
    off = np.sqrt(((to_lab(small) - to_lab(ground.border_colour(small))) ** 2).sum(-1))
    mass = np.clip(off - 8, 0, 30)  # 8: noise of paper and compression; 30: a drawing, however dark
    if mass.mean() < 0.5:
        return 0, 0, h, w
    top, bottom = _middle(mass.sum(1), h)
    left, right = _middle(mass.sum(0), w)
    return (top, left, bottom, right) if min(bottom - top, right - left) >= 1 else (0, 0, h, w)


def _middle(mass: np.ndarray, length: int) -> tuple[float, float]:
    cumulative = np.cumsum(mass)
    ends = np.interp([QUANTILE, 1 - QUANTILE], cumulative / cumulative[-1], np.arange(1, len(mass) + 1))
    low, high = np.clip(ends / len(mass) * length, 0, length)
    return float(low), float(high)


def groups(prints: Sequence[np.ndarray], threshold: float = THRESHOLD) -> np.ndarray:
    """Thumbprints -> int (n,): one number for all that a chain of near-duplicates links, numbered in order of
    appearance.
    """
    one, two = pairs(prints, threshold)
    graph = sparse.coo_matrix((np.ones(len(one), bool), (one, two)), shape=(len(prints), len(prints)))
    _, labels = csgraph.connected_components(graph, directed=False)
    _, first = np.unique(labels, return_index=True)
    return np.argsort(np.argsort(first))[labels]


def pairs(prints: Sequence[np.ndarray], threshold: float = THRESHOLD) -> tuple[np.ndarray, np.ndarray]:
    """The near-duplicates (i < j) among thumbprints: sought by areas among all, decided by line work among the
    candidates.
    """
    if len(prints) < 2:
        return np.zeros(0, int), np.zeros(0, int)
    stack = np.stack(prints).astype(np.float32)
    views = [_shrink(stack, 4), _shrink(stack, 2), _lines(stack)]
    mirrored = [np.ascontiguousarray(v[:, :, ::-1]) for v in views]
    found = [_alike(views, views, threshold), _alike(views, mirrored, threshold)]
    both = np.unique(np.concatenate([*found, _equal(stack)], 1), axis=1)
    return both[0], both[1]


def _equal(stack: np.ndarray) -> np.ndarray:
    """int (2, m): each print that equals an earlier one, with the first such; flat pictures have no line work to
    compare.
    """
    _, first, inverse = np.unique(stack.reshape(len(stack), -1), axis=0, return_index=True, return_inverse=True)
    leader = first[inverse.ravel()]
    later = np.flatnonzero(leader < np.arange(len(stack)))
    return np.stack([leader[later], later])


def _alike(one: Sequence[np.ndarray], two: Sequence[np.ndarray], threshold: float) -> np.ndarray:
    """int (2, m): pairs i < j of pictures that `one` and `two` hold as coarse areas, finer areas and line work."""
    coarse = [_unit(s[0]) for s in (one, two)]
    areas = _Correlation(one[1], two[1], SHIFT // 2)
    lines = _Correlation(one[2], two[2], SHIFT)
    kept = [np.zeros((2, 0), int)]
    for start in range(0, len(coarse[0]), 512):
        near = coarse[0][start : start + 512] @ coarse[1].T > AREAS[0]
        i, j = np.nonzero(np.triu(near, start + 1))
        for part in range(0, len(i), 2048):
            a, b = i[part : part + 2048] + start, j[part : part + 2048]
            close = areas.best(a, b) > AREAS[1]
            a, b = a[close], b[close]
            same = lines.best(a, b) >= threshold
            kept.append(np.stack([a[same], b[same]]))
    return np.concatenate(kept, 1)


def _shrink(stack: np.ndarray, by: int) -> np.ndarray:
    n, side = len(stack), SIDE // by
    return stack.reshape(n, side, by, side, by).mean((2, 4))


def _lines(stack: np.ndarray) -> np.ndarray:
    """Line work: the picture less a blurred copy (sigma 3 cells), slightly blurred against grain and JPEG."""
    high = stack - ndimage.gaussian_filter(stack, (0, 3, 3))
    return ndimage.gaussian_filter(high, (0, 0.7, 0.7))


class _Correlation:
    """The highest correlation of the middle of one[i] with any window of two[j] up to `shift` cells away, for pairs
    at a time.

    The middles m have zero mean and unit length, so that sum(m w) over a window w, all shifts at once by FFT, divided
    by the window's own length is the correlation.
    """

    def __init__(self, one: np.ndarray, two: np.ndarray, shift: int) -> None:
        side = one.shape[1]
        inner = side - 2 * shift
        middle = np.zeros_like(one)
        middle[:, :inner, :inner] = _unit(one[:, shift:-shift, shift:-shift]).reshape(-1, inner, inner)
        self.middle, self.other = np.conj(np.asarray(fft.rfft2(middle))), np.asarray(fft.rfft2(two))
        self.side, self.shifts = side, range(2 * shift + 1)
        self.length = _window_lengths(two, inner)

    def best(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """float (m,) for the pairs i, j (m,); 0 where a window is flat."""
        n = len(self.shifts)
        product = np.asarray(fft.irfft2(self.middle[i] * self.other[j], s=(self.side, self.side)))
        product = product[:, :n, :n].reshape(len(i), n * n)
        length = self.length[j]
        return np.where(length > 1, product / np.maximum(length, 1), 0).max(1, initial=0)


def _window_lengths(pictures: np.ndarray, side: int) -> np.ndarray:
    """float32 (n, windows): the length of every window of `side` pixels, its mean taken off, row by row: from sums over
    all corners, not by cutting the windows out.
    """

    def sums(a: np.ndarray) -> np.ndarray:
        whole = np.pad(a.cumsum(1).cumsum(2), ((0, 0), (1, 0), (1, 0)))
        return whole[:, side:, side:] - whole[:, :-side, side:] - whole[:, side:, :-side] + whole[:, :-side, :-side]

    blocks = (pictures[i : i + 512].astype(np.float64) for i in range(0, len(pictures), 512))
    squares = [np.maximum(sums(b * b) - sums(b) ** 2 / side**2, 0) for b in blocks]
    return np.sqrt(np.concatenate(squares)).reshape(len(pictures), -1).astype(np.float32)


def _unit(pictures: np.ndarray) -> np.ndarray:
    """(n, h, w) -> (n, h*w), zero mean and unit length, so that a scalar product is a correlation; zero where flat."""
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.where(length < 1, 0, flat / np.maximum(length, 1)).astype(np.float32)
