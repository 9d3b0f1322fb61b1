"""From a picture of any shape to the square that training sees: all of it on a padded ground, its middle, the mask alone, or the face of
a photograph, laid upright by its landmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image
from scipy import ndimage

from lianpu import images
from lianpu.data import ground
from lianpu.errors import DataError, UsageError, did_you_mean

__all__ = ["MODES", "PORTRAIT", "Crop", "Find", "aligned", "looks_aside", "portrait", "similarity", "square"]

Crop = Literal["pad", "centre", "subject", "face"]
MODES: tuple[str, ...] = get_args(Crop)
MARGIN = 0.04  # of the face's longer side, left free around it by "subject"
MAX_ENLARGEMENT = 4
MIN_SIDE = 8  # pixels: below, there is no face in it
Find = Callable[[np.ndarray], Sequence[Any]]
"""Finds faces in a picture uint8 (h, w, 3), the largest first; each has `landmarks` (5, 2): `nets.mtcnn.find`. An argument, for networks
are not imported here."""
PORTRAIT = np.array([[0.387, 0.47], [0.613, 0.47], [0.5, 0.598], [0.406, 0.731], [0.594, 0.731]])
"""Where "face" lays eyes, nose and corners of the mouth, in shares of the square: hair, bun and collar stay in it."""


def square(pixels: np.ndarray, mode: str, size: int, find: Find | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """uint8 (h, w, 3) -> (size, size, 3), and what was done in words. DataError where the picture is too small for `size`, or where "face"
    finds none.

    find: who looks for faces, for "face".
    """
    if mode not in MODES:
        raise UsageError(f"there is no crop mode {mode!r}.", fix=did_you_mean(mode, MODES))
    if mode == "face":
        transform, said = portrait(pixels, size, find)
        return aligned(pixels, transform, size), said
    notes: list[str] = []
    h, w = pixels.shape[:2]
    box = (0, 0, h, w)
    side = max(h, w)
    if mode == "centre":
        side = min(h, w)
    elif mode == "subject":
        box = _face_box(pixels)
        side = round(max(box[2] - box[0], box[3] - box[1]) * (1 + 2 * MARGIN))
        if box == (0, 0, h, w):
            notes.append("no ground told from the face: padded whole")
    if side * MAX_ENLARGEMENT < size or min(h, w) < max(MIN_SIDE, size // 16):
        raise DataError(f"it is only {w} x {h} pixels, too few for {size}.")
    if side < size:
        notes.append(f"enlarged from {side} to {size} pixels")
    top, left = round((box[0] + box[2] - side) / 2), round((box[1] + box[3] - side) / 2)
    return _cut(pixels, top, left, side, size), tuple(notes)


def _cut(pixels: np.ndarray, top: int, left: int, side: int, size: int) -> np.ndarray:
    """The square of `side` pixels at (top, left), at `size` pixels; what lies outside the picture takes its border's
    colour.

    Resized before it is padded: a picture of 40000 x 1 pixels must not become one of 40000 x 40000.
    """
    h, w = pixels.shape[:2]
    y0, y1, x0, x1 = max(top, 0), min(top + side, h), max(left, 0), min(left + side, w)
    scale = size / side
    part = images.resize(pixels[y0:y1, x0:x1], max(1, round((y1 - y0) * scale)), max(1, round((x1 - x0) * scale)))
    y, x = (min(round((a - b) * scale), size - n) for a, b, n in ((y0, top, part.shape[0]), (x0, left, part.shape[1])))
    out = np.empty((size, size, 3), np.uint8)
    out[:] = ground.border_colour(pixels)
    out[y : y + part.shape[0], x : x + part.shape[1]] = part
    return out


def portrait(pixels: np.ndarray, size: int, find: Find | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """The similarity (2, 3) that lays the largest face upright in a square of `size` pixels, and what should be known of it."""
    if find is None:
        raise UsageError(
            "--crop face needs someone who finds faces.", fix="lianpu.api.build brings the networks for it."
        )
    h, w = pixels.shape[:2]
    faces = find(pixels) if min(h, w) >= MIN_SIDE else ()
    if not faces:
        raise DataError("no face was found in it.")
    notes = [f"{len(faces)} faces: the largest was taken"] if len(faces) > 1 else []
    if looks_aside(faces[0].landmarks):
        notes.append("the face looks aside: what is turned away is a guess")
    transform = similarity(faces[0].landmarks, PORTRAIT * size)
    scale = float(np.hypot(*transform[0, :2]))
    if scale > MAX_ENLARGEMENT:
        raise DataError(
            f"its face is only {round(size / scale)} x {round(size / scale)} pixels with its hair, too few for {size}."
        )
    if scale > 1:
        notes.append(f"enlarged from {round(size / scale)} to {size} pixels")
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) - transform[:, 2]
    x, y = (corners @ np.linalg.inv(transform[:, :2]).T).T
    if min(x) < -0.1 * w or max(x) > 1.1 * w or min(y) < -0.1 * h or max(y) > 1.1 * h:
        notes.append("the square reaches beyond the picture: continued as in a mirror")
    return transform, tuple(notes)


def looks_aside(landmarks: np.ndarray) -> bool:
    """Whether a face (5, 2) is turned so far that its nose lies nearer to one eye's side than half the eyes' distance from the middle."""
    left, right, nose = landmarks[:3]
    across = right - left
    return bool(abs((nose - (left + right) / 2) @ across) > 0.5 * (across @ across))


def similarity(points: np.ndarray, to: np.ndarray) -> np.ndarray:
    """The turn, scale and shift (2, 3) that takes points (k, 2) nearest to others in the mean square (Umeyama 1991, Eqs. 40 to 43)."""
    p, q = points.mean(0), to.mean(0)
    U, D, Vt = np.linalg.svd((to - q).T @ (points - p) / len(points))
    S = np.array([1.0, 1.0 if np.linalg.det(U) * np.linalg.det(Vt) > 0 else -1.0])  # never a mirror image
    R = U @ np.diag(S) @ Vt
    scale = (D * S).sum() / ((points - p) ** 2).sum(1).mean()
    return np.concatenate([scale * R, (q - scale * R @ p)[:, None]], 1)


def aligned(pixels: np.ndarray, transform: np.ndarray, size: int) -> np.ndarray:
    """uint8 (h, w, 3) under a similarity (2, 3), as (size, size, 3), antialiased where it is reduced.

    Points are in pixels, the first of which covers [0, 1) x [0, 1). Beyond its edge the picture goes on as in a mirror, ever more blurred.
    """
    h, w = pixels.shape[:2]
    scale = float(np.hypot(*transform[0, :2]))
    small = images.resize(pixels, max(1, round(h * scale)), max(1, round(w * scale))) if scale < 1 else pixels
    back = np.linalg.inv(np.concatenate([transform, [[0, 0, 1]]]))[:2]
    back = np.array([[small.shape[1] / w], [small.shape[0] / h]]) * back
    x, y = back @ np.array([[0, size, 0, size], [0, 0, size, size], [1, 1, 1, 1]])  # the square's corners
    beyond = max(0, *(-np.floor([x.min(), y.min()])), *(np.ceil([x.max() - small.shape[1], y.max() - small.shape[0]])))
    if beyond:
        margin = int(beyond) + 2
        small = _continued(small, margin)
        back[:, 2] += margin
    turned = Image.fromarray(small).transform(
        (size, size), Image.Transform.AFFINE, tuple(back.ravel()), Image.Resampling.BICUBIC
    )
    return np.asarray(turned).copy()


def _continued(pixels: np.ndarray, margin: int) -> np.ndarray:
    """The picture with a margin that mirrors it, blurred by and by."""
    sides = ((margin, margin), (margin, margin))
    wide = np.pad(pixels, (*sides, (0, 0)), "reflect" if min(pixels.shape[:2]) > 1 else "edge").astype(np.float32)
    away = ndimage.distance_transform_edt(np.pad(np.zeros(pixels.shape[:2], bool), sides, constant_values=True))
    reach = 0.03 * max(pixels.shape[:2])
    soft = ndimage.gaussian_filter(wide, (reach, reach, 0))
    share = np.clip(away / (4 * reach), 0, 1)[..., None]
    return np.clip(wide + share * (soft - wide) + 0.5, 0, 255).astype(np.uint8)


def _face_box(pixels: np.ndarray, work: int = 384) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of the face, found at no more than `work` pixels."""
    scale = min(1.0, work / max(pixels.shape[:2]))
    h, w = (max(1, round(n * scale)) for n in pixels.shape[:2])
    mask = ground.face(images.resize(pixels, h, w))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    fy, fx = pixels.shape[0] / h, pixels.shape[1] / w
    return round(rows[0] * fy), round(columns[0] * fx), round((rows[-1] + 1) * fy), round((columns[-1] + 1) * fx)
