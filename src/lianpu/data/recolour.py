"""The colour change of Yan et al. 2023 (1782 masks became 7128 by mirroring and colour change): the main paint of a
mask, and only it, is exchanged for the paint of another class. Its shading stays, ink lines, white rims and all other
paints stay, and the soft edges between them are mixed anew, so that the result looks painted and not tinted. The
change is described and is f(seed, picture).
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from lianpu.data import ground
from lianpu.data.colour import CLASSES, NAMES, PAINTS, classify, paint_map
from lianpu.data.lab import from_hex, to_hex, to_lab, to_rgb

__all__ = ["TARGETS", "Recoloured", "recolour"]

TARGETS: dict[str, tuple[str, ...]] = {  # pigments that opera painters use, as flat paint
    "red": ("#c8281e", "#d63a22", "#b5231f"),
    "black": ("#1c1a1d", "#232023"),
    "white": ("#f6f3ee", "#f8f6f6"),
    "blue": ("#2c5fae", "#3b6d9e", "#27509b"),
    "green": ("#2f7d4f", "#2c8748", "#3f7f45"),
    "yellow": ("#f3c92a", "#eebe2a", "#f7d433"),
    "purple": ("#764799", "#82509f", "#693f8c"),
}


BODY = 0.75  # of a paint's reach in Lab: what is nearer to its colour is nothing but that paint


EDGE = 24.0  # lightness within 3 x 3 pixels from which there is an edge between two paints, not shading


class Recoloured(NamedTuple):
    """The picture in its new colour, the class of that colour, and which paint became which."""

    pixels: np.ndarray
    colour: str
    mapping: list[dict[str, Any]]


def recolour(pixels: np.ndarray, *key: object, colour: str | None = None) -> Recoloured:
    """Exchange the main paint of uint8 (h, w, 3). `key` (seed, source hash) draws the new class and shade; `colour`
    is the main colour where it is known better than `classify` can tell it.
    """
    lab = to_lab(pixels)
    face = ground.face(pixels)
    own = colour or classify(pixels).name
    paints = paint_map(pixels)
    centre = _centre(lab, paints, face, own)
    main = _main(lab, face, centre, own)
    target = _draw(_allowed(own, lab, paints, face, main > 0), *key, "class")
    paint = from_hex(_draw(TARGETS[target], *key, "shade"))
    still = _cores(paints, main > 0) | ~face
    new = _repaint(pixels, main, still, _shade(lab, centre, paint))
    return Recoloured(new, target, [{"from": _describe(own, centre), "to": _describe(target, paint)}])


def _describe(paint: str, lab: np.ndarray) -> dict[str, Any]:
    return {"paint": paint, "hex": to_hex(lab), "lab": [round(float(v), 1) for v in lab]}


def _draw(options: list[str] | tuple[str, ...], *key: object) -> str:
    digest = hashlib.blake2b("\x1f".join(map(str, key)).encode(), digest_size=8).digest()
    return options[int.from_bytes(digest, "little") % len(options)]


# --- where the main paint is ----------------------------------------------------------------------


def _centre(lab: np.ndarray, paints: np.ndarray, face: np.ndarray, own: str) -> np.ndarray:
    """Lab of the main paint as it mostly looks: drawn from the median of its class towards its largest shade."""
    mask = face & np.isin(paints, [i for i, name in enumerate(NAMES) if PAINTS[name][0] == own])
    values = lab[mask] if mask.any() else lab[face]
    centre = np.median(values, axis=0)
    for _ in range(3):
        near = (np.abs(values - centre) < (24, 20, 20)).all(-1)
        centre = np.median(values[near], axis=0) if near.any() else centre
    return centre


def _main(lab: np.ndarray, face: np.ndarray, centre: np.ndarray, own: str) -> np.ndarray:
    """float (h, w): how far each pixel belongs to the main paint, 1 in its body, falling to 0 where it is blended
    into another;
    edges against other paints are not in it. Never zero everywhere: failing all else it is the whole face."""
    chroma = float(np.hypot(*centre[1:]))
    step = _step(lab)
    if own == "white":
        reach = (20.0, 16.0, 16.0)
    elif (
        own == "black"
    ):  # the sheen on black paint is grey, and so is the edge of ink: only where all is smooth it is sheen
        reach = (np.where(step < EDGE, 48.0, 20.0), 20.0, 20.0)
    else:  # lights and shadows move paint along its hue more than across it
        reach = (32.0, max(18.0, 0.6 * chroma), max(12.0, 0.32 * chroma))
    along = centre[1:] / max(chroma, 1e-6)
    off = lab - centre
    parts = (off[..., 0], off[..., 1:] @ along, off[..., 1:] @ np.array([-along[1], along[0]]))
    distance = np.sqrt(sum((part / limit) ** 2 for part, limit in zip(parts, reach, strict=True)))
    weight = np.clip((1 - distance) / (1 - BODY), 0, 1) * face
    if own in ("black", "white"):
        weight *= _tiles(weight > 0, step, face)
    return weight if (weight > 0.5).any() else face.astype(float)


def _tiles(mask: np.ndarray, step: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Connected areas of black or white paint that are wide somewhere: not lines, rims, pupils and whites of eyes by themselves,
    nor sheen that another paint fades into (its border is no edge)."""
    numbers = ground.parts(mask)
    areas = np.bincount(numbers.ravel())
    wide = np.bincount(numbers.ravel(), ground.depth(mask).ravel() > np.sqrt(face.sum()) / 60, len(areas)) > 0
    rim = np.asarray(ndimage.grey_dilation(numbers, size=(5, 5))) * ~mask
    bordered = np.bincount(rim.ravel(), step.ravel() > EDGE / 2, len(areas)) / np.maximum(
        np.bincount(rim.ravel(), None, len(areas)), 1
    )
    keep = wide & (areas > 0.006 * face.sum()) & (bordered > 0.5)
    areas[0] = 0
    keep[areas.argmax()] = True
    keep[0] = False
    return keep[numbers]


def _step(lab: np.ndarray) -> np.ndarray:
    """float (h, w): the largest difference of lightness within each pixel's 3 x 3 neighbourhood."""
    return np.asarray(ndimage.maximum_filter(lab[..., 0], 3)) - np.asarray(ndimage.minimum_filter(lab[..., 0], 3))


def _allowed(own: str, lab: np.ndarray, paints: np.ndarray, face: np.ndarray, main: np.ndarray) -> list[str]:
    """The classes that leave the drawing readable: not black where ink borders the paint, not white where white does,
    and none
    whose paint already covers much of the face."""
    wide = max(3, len(main) // 64)
    near, far = (np.asarray(ndimage.binary_dilation(main, iterations=n), bool) for n in (1, wide))
    ring = far & ~near
    beside = lab[ring] if ring.any() else lab[:1, 0]
    ink, chalk = (beside[:, 0] < 25).mean(), ((beside[:, 0] > 85) & (np.hypot(*beside[:, 1:].T) < 12)).mean()
    allowed = []
    for kind in CLASSES:
        there = np.isin(paints, [i for i, name in enumerate(NAMES) if PAINTS[name][0] == kind]) & face & ~main
        if kind == own or (kind == "black" and ink > 0.12) or (kind == "white" and chalk > 0.2):
            continue
        if kind in ("black", "white") or there.sum() < 0.06 * face.sum():
            allowed.append(kind)
    return allowed or [kind for kind in ("red", "blue", "green", "yellow", "purple") if kind != own]


def _cores(paints: np.ndarray, main: np.ndarray) -> np.ndarray:
    """Pixels in the middle of another paint: their eight neighbours have it too, so that nothing of the main paint is
    mixed in.
    """
    same = np.asarray(ndimage.maximum_filter(paints, 3)) == np.asarray(ndimage.minimum_filter(paints, 3))
    return same & (np.asarray(ndimage.maximum_filter(main, 3)) == 0)


# --- the exchange ---------------------------------------------------------------------------------


def _repaint(pixels: np.ndarray, main: np.ndarray, still: np.ndarray, painted: np.ndarray) -> np.ndarray:
    """The main paint takes its new colour; pixels at its edges exchange only the share of them that is main paint."""
    rgb, painted = pixels.astype(np.float32), to_rgb(painted).astype(np.float32)
    out = rgb + main[..., None] * (painted - rgb)
    body = main > 0.5
    reach = max(2, round(len(main) / 100))
    nearest = np.empty((2, *main.shape), np.int32)
    away = np.asarray(ndimage.distance_transform_edt(~body, return_indices=True, indices=nearest))
    band = (away > 0) & (away <= reach) & ~still & (main == 0)
    # x = a P + (1 - a) K: P the nearest main paint, K whatever it is mixed with, out of the anchors; anti-aliasing
    # mixes encoded values, so the share a is solved for in them
    at = (nearest[0][band], nearest[1][band])
    x, p, q = rgb[band], rgb[at], painted[at]
    share = _share(x, p, _anchors(rgb, still))
    out[band] = x + share[:, None] * (q - p)
    return np.clip(np.floor(out + 0.5), 0, 255).astype(np.uint8)


def _shade(lab: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Lab of paint `new` under the light and brushwork that `old` was seen with.

    Lightness keeps its distance from the paint's own, shrunk where the new paint has no room for it; chroma follows
    lightness down into the shadows, as paint does.
    """
    change = lab[..., 0] - old[0]
    room = np.where(change > 0, (100 - new[0]) / max(100 - old[0], 1), new[0] / max(old[0], 1))
    lightness = new[0] + change * np.clip(room, 0.25, 1)
    chroma = np.clip(lightness / max(new[0], 1), 0.3, 1.1)
    return np.stack([lightness, new[1] * chroma, new[2] * chroma], -1)


def _anchors(rgb: np.ndarray, still: np.ndarray) -> np.ndarray:
    """(k, 3): ink, chalk, and up to six colours of the ground and of the middles of the other paints."""
    found = [np.zeros(3, np.float32), np.full(3, 255, np.float32)]
    left = rgb[still]
    for _ in range(6):
        if len(left) < 0.003 * still.size:
            break
        bins = (left // 32).astype(int) @ np.array([64, 8, 1])
        colour = np.median(left[bins == np.bincount(bins).argmax()], axis=0)
        found.append(colour)
        left = left[np.abs(left - colour).max(-1) > 40]
    return np.stack(found)


def _share(x: np.ndarray, p: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """How much of each pixel x (n, 3) is paint p (n, 3), in [0, 1]: from the anchor on whose line to p it lies best."""
    line = p[:, None] - anchors  # (n, k, 3)
    length = (line**2).sum(-1)
    share = ((x[:, None] - anchors) * line).sum(-1) / np.maximum(length, 1)
    share = np.clip(np.where(length < 40**2, 0, share), 0, 1)
    off = ((anchors + share[..., None] * line - x[:, None]) ** 2).sum(-1)
    best = off.argmin(1)
    rows = np.arange(len(x))
    return np.where(off[rows, best] < 60**2, share[rows, best], 0)
