"""Line drawings from pictures by XDoG, the extended difference of Gaussians (Winnemoeller, Kyprianidis & Olsen 2012).

    D = G_sigma * I - tau G_(k sigma) * I                                     the tau form
    S = (1 + p) G_sigma * I - p G_(k sigma) * I = D (1 + p)                   the p form, p = tau / (1 - tau)
    T(u) = 1 where u >= eps, else 1 + tanh(phi (u - eps))                     soft threshold, clamped to [0, 1]

Both forms draw the same picture when eps_p = eps / (1 - tau) and phi_p = phi (1 - tau). Many copies have the branches
of T the wrong way round and drop eps within tanh; they fill dark paint with ink and give the colours away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy import ndimage

from lianpu.data.lab import lightness, to_lab
from lianpu.errors import UsageError, did_you_mean

__all__ = ["PRESETS", "XDoG", "sketch", "xdog"]


@dataclass(frozen=True)
class XDoG:
    """Parameters of the tau form, for light in [0, 1] on a picture of 256 pixels."""

    sigma: float = 0.8
    """Width of the inner Gaussian in pixels at 256; it grows with the picture, and shrinks with it down to 64 pixels."""
    k: float = 1.6
    """Width of the outer Gaussian over the inner; 1.6 approximates the Laplacian of Gaussian."""
    tau: float = 0.98
    """Share of the outer Gaussian that is taken off: 1 leaves edges only, less keeps tone."""
    eps: float = -0.01
    """Level of the difference from which the paper stays white."""
    phi: float = 80.0
    """Steepness of the threshold."""
    colour: bool = False
    """Draw also where only the hue changes, by the darkest of the drawings of several Lab mixtures."""

    @classmethod
    def from_p(cls, p: float, eps: float, phi: float, sigma: float, k: float = 1.6) -> XDoG:
        """The same drawing from the parameters of the p form."""
        return cls(sigma=sigma, k=k, tau=p / (1 + p), eps=eps / (1 + p), phi=phi * (1 + p))

    def to_p(self) -> tuple[float, float, float]:
        """(p, eps_p, phi_p) of the same drawing in the p form."""
        return self.tau / (1 - self.tau), self.eps / (1 - self.tau), self.phi * (1 - self.tau)


PRESETS: dict[str, XDoG] = {
    "lines": XDoG(),  # the outlines a painter draws first: no dark area is filled, no colour given away
    "colour": XDoG(colour=True),
    "bold": XDoG(tau=0.98, eps=0.0, phi=200, sigma=0.5, k=4.5),
    "soft": XDoG.from_p(p=20, eps=0.1, phi=10, sigma=0.8),
    "woodcut": XDoG.from_p(
        p=21.7, eps=0.795, phi=1.7, sigma=1.4
    ),  # the authors' own demonstration: black areas, white cuts
}
THINNEST = 0.4  # pixels of the doubled picture: below, both Gaussians are one pixel, and nothing is drawn
HUES = ((0.7, 0.0), (-0.35, 0.6), (-0.35, -0.6))  # a*, b* weights of three mixtures with lightness


def sketch(pixels: np.ndarray, style: str | XDoG = "lines") -> np.ndarray:
    """uint8 (h, w, 3) -> the drawing, uint8 (h, w): 0 ink, 255 paper. Computed at twice the size and averaged, so
    lines are smooth.
    """
    if isinstance(style, str):
        if style not in PRESETS:
            raise UsageError(f"there is no sketch style {style!r}.", fix=did_you_mean(style, PRESETS))
        style = PRESETS[style]
    h, w = pixels.shape[:2]
    double = np.asarray(Image.fromarray(pixels).resize((2 * w, 2 * h), Image.Resampling.BICUBIC))
    scaled = replace(style, sigma=max(style.sigma * 2 * min(h, w) / 256, THINNEST))
    drawing = np.min([xdog(channel, scaled) for channel in _channels(double, style.colour)], axis=0)
    area = drawing.reshape(h, 2, w, 2).mean((1, 3))
    return np.floor(area * 255 + 0.5).astype(np.uint8)


def xdog(light: np.ndarray, style: XDoG) -> np.ndarray:
    """float (h, w), 0 dark to 1 light -> float32 (h, w), 0 ink to 1 paper; sigma in pixels of `light`."""
    light = light.astype(np.float32)
    inner = ndimage.gaussian_filter(light, style.sigma, mode="reflect", truncate=4)
    outer = ndimage.gaussian_filter(light, style.sigma * style.k, mode="reflect", truncate=4)
    return threshold(inner - style.tau * outer, style.eps, style.phi)


def threshold(u: np.ndarray, eps: float, phi: float) -> np.ndarray:
    """T(u), in [0, 1]."""
    return np.clip(np.where(u >= eps, 1, 1 + np.tanh(phi * (u - eps))), 0, 1)


def _channels(pixels: np.ndarray, colour: bool) -> list[np.ndarray]:
    if not colour:
        return [lightness(pixels) / 100]
    lab = to_lab(pixels) / 100
    light = lab[..., 0]
    return [light, *(np.clip(light + a * lab[..., 1] + b * lab[..., 2], 0, 1) for a, b in HUES)]
