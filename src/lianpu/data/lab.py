"""sRGB to CIE L*a*b* (D65) and back, in float32: the space in which lianpu names paints and moves them (CIE 15; IEC
61966-2-1).
"""

from __future__ import annotations

import numpy as np

__all__ = ["from_hex", "lightness", "to_hex", "to_lab", "to_rgb"]

# linear sRGB -> XYZ, each row divided by the white point, so that white is (1, 1, 1)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_TO = (_XYZ / _WHITE[:, None]).astype(np.float32)
_FROM = np.linalg.inv(_XYZ / _WHITE[:, None]).astype(np.float32)
_DELTA = 6 / 29
_LINEAR = np.arange(256) / 255  # the 256 levels as linear light
_LINEAR = np.where(_LINEAR <= 0.04045, _LINEAR / 12.92, ((_LINEAR + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_lab(pixels: np.ndarray) -> np.ndarray:
    """uint8 sRGB (..., 3) -> float32 L* in [0, 100], a*, b*."""
    t = _LINEAR[pixels] @ _TO.T
    f = np.where(t > _DELTA**3, np.cbrt(t), t / (3 * _DELTA**2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def lightness(pixels: np.ndarray) -> np.ndarray:
    """uint8 sRGB (..., 3) -> float32 L* in [0, 100] alone."""
    y = _LINEAR[pixels] @ _TO[1]
    return 116 * np.where(y > _DELTA**3, np.cbrt(y), y / (3 * _DELTA**2) + 4 / 29) - 16


def to_rgb(lab: np.ndarray) -> np.ndarray:
    """float L*a*b* (..., 3) -> uint8 sRGB, clipped to the gamut."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1).astype(np.float32)
    t = np.where(f > _DELTA, f**3, 3 * _DELTA**2 * (f - 4 / 29))
    linear = np.clip(t @ _FROM.T, 0, 1)
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.floor(encoded * 255 + 0.5).astype(np.uint8)


def from_hex(code: str) -> np.ndarray:
    """ "#c8321e" -> float32 L*a*b* (3,)."""
    return to_lab(np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], np.uint8))


def to_hex(lab: np.ndarray) -> str:
    return "#" + bytes(to_rgb(lab).tolist()).hex()
