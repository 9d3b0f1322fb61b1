"""Examples a translator learns from, made of a bare data set: a sketch of a picture, and a picture whose colours it shall have (Yan et al.
2023, "Image translation network framework"; Zhang et al. 2020). The reference is another picture of the set, found by likeness, or the
picture itself, deformed so that the place of each pixel in it is known. Everything is a function of the generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from scipy import ndimage

from lianpu.config import PairSettings
from lianpu.data.sketch import sketch

__all__ = ["CONDITION_CHANNELS", "Pair", "Retriever", "condition", "lines_of", "make_pair"]

CONDITION_CHANNELS = 6


class Pictures(Protocol):
    """What a data set must offer: `data.folder.Folder` does."""

    def __len__(self) -> int: ...
    def image(self, index: int, /) -> np.ndarray: ...  # (h, w, 3) uint8


class Pair(NamedTuple):
    """One example: what is told of the sketch, the picture it should become, and the reference that gives the colours."""

    condition: np.ndarray  # (6, h, w) float32
    image: np.ndarray  # (h, w, 3) uint8
    exemplar: np.ndarray  # (h, w, 3) uint8
    exemplar_condition: np.ndarray  # (6, h, w) float32
    flow: (
        np.ndarray
    )  # (h, w, 2) float32: where in the exemplar each pixel of the picture is, (x, y) in [-1, 1]; NaN where nowhere
    paired: bool  # whether the exemplar shows the same mask


def condition(lines: np.ndarray) -> np.ndarray:
    """float (h, w), 1 ink -> float32 (6, h, w): ink, exp(-d / 2), exp(-d / 8), x, y, |x|; d is the distance to ink in 64ths of the width."""
    h, w = lines.shape
    scale = min(h, w) / 64
    ink = lines > 0.5
    away = np.asarray(ndimage.distance_transform_edt(~ink)) / scale if ink.any() else np.full((h, w), np.inf)
    y, x = np.meshgrid((2 * np.arange(h) + 1) / h - 1, (2 * np.arange(w) + 1) / w - 1, indexing="ij")
    return np.stack([lines, np.exp(-away / 2), np.exp(-away / 8), x, y, np.abs(x)]).astype(np.float32)


def lines_of(pixels: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """uint8 (h, w, 3) -> float32 (h, w), 1 ink, 0 paper: the XDoG drawing; with a generator, drawn as some other hand might."""
    return 1 - sketch(pixels).astype(np.float32) / 255


def make_pair(
    pictures: Pictures,
    index: int,
    mirrored: bool,
    rng: np.random.Generator,
    settings: PairSettings,
    retrieve: Callable[[int, np.random.Generator], int],
) -> Pair:
    """The example of picture `index`, which is shown mirrored or not; `retrieve` names the other picture where one is asked for."""
    image = pictures.image(index)
    image = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
    paired = bool(rng.random() >= settings.easy + settings.hard)
    exemplar = image if paired else pictures.image(retrieve(index, rng))
    flow = (
        condition(np.zeros(image.shape[:2]))[3:5].transpose(1, 2, 0)
        if paired
        else np.full((*image.shape[:2], 2), np.nan)
    )
    told, seen = condition(lines_of(image, rng)), condition(lines_of(exemplar))
    return Pair(told, image, exemplar, seen, flow.astype(np.float32), paired)


class Retriever:
    """Which other pictures are like each picture, found once from small descriptors of all of them: no list files, no weights."""

    def __init__(self, pictures: Pictures, settings: PairSettings) -> None:
        self.count, self.settings = len(pictures), settings

    def choose(self, index: int, rng: np.random.Generator) -> int:
        """Another picture as the reference of picture `index`; itself only where there is no other."""
        return int((index + rng.integers(1, max(self.count, 2))) % self.count)
