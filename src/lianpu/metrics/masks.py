"""What is particular to opera masks and no photograph network was taught: which paints cover the face (seven colour classes,
`data.colour`), and how exactly its two halves mirror each other.
"""

from __future__ import annotations

import numpy as np

from lianpu.data.colour import CLASSES, classify
from lianpu.data.lab import lightness

__all__ = ["PAINTS", "describe", "palette_distance", "symmetry"]

PAINTS = CLASSES
FLAT = 1e-3  # standard deviation of L*, below which a picture is of one colour and has no sides to compare


def describe(pixels: np.ndarray) -> np.ndarray:
    """float64 (8,): the share of the painted skin of each of the seven classes, then the symmetry; NaN where there is none to tell."""
    return np.array([*palette(pixels), symmetry(pixels)])


def palette(pixels: np.ndarray) -> np.ndarray:
    """Shares (7,) of the seven paints on the face, summing to 1; NaN for a picture of one colour, which shows no face."""
    if (pixels == pixels[0, 0]).all():
        return np.full(len(PAINTS), np.nan)
    shares = classify(pixels).shares
    values = np.array([shares[name] for name in PAINTS])
    return values / values.sum() if values.sum() > 0 else np.full(len(PAINTS), np.nan)


def symmetry(pixels: np.ndarray) -> float:
    """The correlation of lightness L* with its mirror image about the middle column: 1 for a perfect mirror, NaN for one flat colour.

    uint8 (h, w, 3). L* is CIE 1976, so that a red and a blue half of equal lightness still count as mirrored in drawing.
    """
    light = lightness(pixels).astype(np.float64)
    light -= light.mean()
    variance = float((light**2).mean())
    return float((light * light[:, ::-1]).mean() / variance) if variance > FLAT**2 else float("nan")


def palette_distance(p: np.ndarray, q: np.ndarray) -> float:
    """Total variation of two palettes (7,), in [0, 1]: the share of the skin that would have to be painted over."""
    return float(np.abs(p - q).sum() / 2)
