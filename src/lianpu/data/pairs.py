"""Examples a translator learns from, made of a bare data set: a sketch of a picture, and a picture whose colours it shall have (Yan et al.
2023, "Image translation network framework"; Zhang et al. 2020). The reference is another picture of the set, found by likeness, or the
picture itself, deformed so that the place of each pixel in it is known. Everything is a function of the generator that is passed in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image, ImageFilter
from scipy import interpolate, ndimage

from lianpu.config import PairSettings
from lianpu.data import ground
from lianpu.data.lab import lightness, to_lab, to_rgb
from lianpu.data.sketch import HUES, XDoG, xdog

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


def make_pair(
    pictures: Pictures,
    index: int,
    mirrored: bool,
    rng: np.random.Generator,
    settings: PairSettings,
    retrieve: Callable[[int, np.random.Generator], int],
) -> Pair:
    """The example of picture `index`, shown mirrored or not; `retrieve` names the other picture where one is to be the reference."""
    image = _shown(pictures.image(index), mirrored)
    told = condition(lines_of(image, rng if rng.random() < settings.lines else None))
    recolour = _recolouring(rng, settings) if rng.random() < settings.recolour else None
    image = recolour(image) if recolour else image
    paired = bool(rng.random() >= settings.easy + settings.hard)
    if paired:
        exemplar, flow = deform(image, rng, settings)
    else:
        other = _shown(pictures.image(retrieve(index, rng)), rng.random() < 0.5)
        exemplar = recolour(other) if recolour else other
        flow = np.full((*image.shape[:2], 2), np.nan, np.float32)
    return Pair(told, image, exemplar, condition(lines_of(exemplar)), flow, paired)


def _shown(pixels: np.ndarray, mirrored: bool) -> np.ndarray:
    return np.ascontiguousarray(pixels[:, ::-1]) if mirrored else pixels


# --- what is told of a drawing --------------------------------------------------------------------


def condition(lines: np.ndarray) -> np.ndarray:
    """float (h, w), 1 ink -> float32 (6, h, w): ink, exp(-d / 2), exp(-d / 8), x, y, |x|.

    d is the distance to ink above 0.5, in pixels of a picture of 64: between lines a thin or broken drawing and a full one are told alike.
    """
    h, w = lines.shape
    ink = lines > 0.5
    away = np.full((h, w), np.inf)
    if ink.any():
        away = np.asarray(ndimage.distance_transform_edt(~ink)) * (64 / min(h, w))
    x, y = _centres(w)[None].repeat(h, 0), _centres(h)[:, None].repeat(w, 1)
    return np.stack([lines, np.exp(-away / 2), np.exp(-away / 8), x, y, np.abs(x)]).astype(np.float32)


def _centres(n: int) -> np.ndarray:
    """The centres of n pixels that fill [-1, 1]."""
    return (2 * np.arange(n) + 1) / n - 1


# --- lines ----------------------------------------------------------------------------------------

# Edges only (tau = 1), at the picture's own size: enlarged first, as `data.sketch` does for smoothness, an edge at 64 px is two or three
# pixels of mixed paint that the inner Gaussian no longer tells from a shade. Measured on 16 drawn masks against the edges of their flat
# paints: recall 0.985 at 64 px (`data.sketch`: 0.70, the outline of the head in pieces) and 0.984 at 256 px; no ink elsewhere.
PLAIN = XDoG(sigma=0.8, tau=1.0, eps=-0.01, phi=40.0)
NARROWEST = 0.35  # sigma in pixels: below, the inner Gaussian is one pixel
HUE_SHARE = 0.3  # of the varied drawings that also show where only the hue changes


def lines_of(pixels: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """uint8 (h, w, 3) -> float32 (h, w), 1 ink, 0 paper: the XDoG drawing; with a generator, as some other hand might have drawn it."""
    if rng is None:
        return _drawn(lightness(pixels)[None] / 100, PLAIN)
    channels = _mixtures(pixels) if rng.random() < HUE_SHARE else lightness(pixels)[None] / 100
    style = XDoG(
        sigma=rng.uniform(0.5, 1.0),
        k=1.6 * 2 ** rng.uniform(0, 1),
        tau=rng.uniform(0.98, 1),
        eps=rng.uniform(-0.015, 0),
        phi=30 * 7 ** rng.uniform(0, 1),
    )
    return _worn(_drawn(_shaken(channels, rng), style), rng)


def _drawn(channels: np.ndarray, style: XDoG) -> np.ndarray:
    """float (k, h, w), light in [0, 1] -> (h, w): where any of them is inked; sigma as at 256 px."""
    style = replace(style, sigma=max(style.sigma * min(channels.shape[1:]) / 256, NARROWEST))
    return 1 - np.min([xdog(channel, style) for channel in channels], axis=0)


def _mixtures(pixels: np.ndarray) -> np.ndarray:
    """(4, h, w): lightness, and its mixtures with a* and b* of the sketch style "colour"."""
    l, a, b = np.moveaxis(to_lab(pixels) / 100, -1, 0)
    return np.stack([l, *(np.clip(l + p * a + q * b, 0, 1) for p, q in HUES)])


def _shaken(channels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture moved by up to about a 64th, unevenly, before it is drawn: lines beside their place stay as sharp as others."""
    h, w = channels.shape[1:]
    off = 0.4 * min(h, w) / 64 * rng.random() * np.stack([_smooth_noise(h, w, rng) for _ in range(2)])
    at = np.mgrid[:h, :w] + off
    return np.stack(
        [ndimage.map_coordinates(c, at, order=3, mode="nearest", prefilter=False) for c in _prefiltered(channels)]
    )


def _smooth_noise(h: int, w: int, rng: np.random.Generator, cells: int = 8) -> np.ndarray:
    """float32 (h, w): standard normal noise on cells x cells points, cubic between them."""
    grid = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
    return np.asarray(grid.resize((w, h), Image.Resampling.BICUBIC))


def _worn(lines: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another pen, paper and hand: strokes thicker or thinner, gaps, less pressure, grain."""
    h, w = lines.shape
    width, step = rng.random(), 1 + max(1, round(min(h, w) / 128))
    if width < 0.3:
        lines = lines + rng.random() * (ndimage.maximum_filter(lines, step) - lines)
    elif width < 0.6:
        lines = lines + rng.uniform(0, 0.4) * (ndimage.minimum_filter(lines, step) - lines)
    if rng.random() < 0.6:  # up to an eighth of the strokes is missing
        noise = _smooth_noise(h, w, rng, 16)
        lines = lines * np.clip((noise - np.quantile(noise, rng.uniform(0, 1 / 8))) * 4 + 0.5, 0, 1)
    lines = lines * rng.uniform(0.75, 1)
    if rng.random() < 0.5:
        lines = lines * (1 - rng.uniform(0, 0.25) * rng.random((h, w), np.float32))
    return lines.astype(np.float32)


# --- a picture as a reference for itself ----------------------------------------------------------

NODES = 25  # a side: the displacement is exact at so many points, and a cubic spline between them
CONTROL = 4  # a side: points of the thin-plate spline
STEEPEST = 0.5  # |grad u|: below 1 nothing folds, and the inverse converges as a geometric series of it
REACH = 1.25  # how far beyond the frame that is measured; farther out the field stays as it is there, so that the series provably ends
CLOSE = 1e-4  # of the inverse: a hundredth of a pixel at 256
ALIKE = 40.0  # levels by which the halves of a face may differ and still be mirror images


def deform(image: np.ndarray, rng: np.random.Generator, settings: PairSettings) -> tuple[np.ndarray, np.ndarray]:
    """The picture deformed, uint8 (h, w, 3), and where in it each pixel of the picture is, float32 (h, w, 2), NaN where it is not.

    exemplar(q) = picture(g(q)) with g(q) = A (q + u(q)): u a thin-plate spline, A affine. The flow is f = g^-1, by the fixed point of
    q = A^-1 p - u(q). Where one half of the face takes the place of the other, a pixel of the lost half is sought in the other's mirror
    image, and has a place only if it looks the same there.
    """
    h, w = image.shape[:2]
    bend = ThinPlate.drawn(rng, 2 * settings.bend)
    linear, shift = _affine(rng, settings)
    nodes = _nodes()  # (m, 2)
    there = _between(nodes + bend(nodes), h, w) @ linear.T + shift  # (h, w, 2): g
    back = np.linalg.inv(linear)
    target = (nodes - shift) @ back.T
    q, moved = target, np.inf
    while moved > CLOSE:
        q, last = target - bend(np.clip(q, -REACH, REACH)), q
        moved = np.abs(q - last).max()
    flow = _between(q, h, w).astype(np.float32)
    known = np.abs(flow).max(-1) <= 1
    source = image
    if rng.random() < settings.half:
        source = _one_half(image, left=bool(rng.random() < 0.5))
        known &= np.asarray(ndimage.uniform_filter(np.abs(source.astype(np.float32) - image).max(-1), 3)) < ALIKE
    flow[~known] = np.nan
    return _sampled(source, there), flow


def _one_half(image: np.ndarray, left: bool) -> np.ndarray:
    """The left half and its mirror image, or the right half and its."""
    w = image.shape[1]
    columns = np.minimum(np.arange(w), w - 1 - np.arange(w))
    return image[:, columns if left else w - 1 - columns]


def _affine(rng: np.random.Generator, settings: PairSettings) -> tuple[np.ndarray, np.ndarray]:
    """A's matrix (2, 2) and shift (2,) in [-1, 1] coordinates."""
    angle = np.deg2rad(settings.turn) * rng.uniform(-1, 1)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn * np.exp(np.log1p(settings.zoom) * rng.uniform(-1, 1, 2)), 2 * settings.shift * rng.uniform(-1, 1, 2)


class ThinPlate:
    """u(x) = a + b x + sum_i w_i U(|x - c_i|) with U(r) = r^2 log r^2: the smoothest field with given values at points c_i
    (Bookstein 1989, Eqs. 1 to 5).
    """

    def __init__(self, values: np.ndarray) -> None:
        self.weights = _bookstein() @ values  # (k + 3, 2)

    @classmethod
    def drawn(cls, rng: np.random.Generator, std: float) -> ThinPlate:
        """Normal values at the control points, made smaller where the field would be steeper than STEEPEST."""
        field = cls(std * rng.standard_normal((CONTROL**2, 2)))
        steep = _steepness(field(REACH * _nodes())) / REACH
        field.weights *= min(1, STEEPEST / max(steep, 1e-9))
        return field

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(m, 2) -> (m, 2)."""
        return _basis(x) @ self.weights


def _control() -> np.ndarray:
    return _grid(np.linspace(-1, 1, CONTROL))


@functools.cache
def _nodes() -> np.ndarray:
    return _grid(np.linspace(-1, 1, NODES))


def _grid(side: np.ndarray) -> np.ndarray:
    """(n^2, 2): (x, y) row by row."""
    x, y = np.meshgrid(side, side)
    return np.stack([x.ravel(), y.ravel()], 1)


def _basis(x: np.ndarray) -> np.ndarray:
    """(m, 2) -> (m, k + 3): U of the distances to the control points, 1, x, y."""
    square = ((x[:, None] - _control()) ** 2).sum(-1)
    return np.concatenate([square * np.log(np.maximum(square, 1e-12)), np.ones((len(x), 1)), x], 1)


@functools.cache
def _bookstein() -> np.ndarray:
    """(k + 3, k): from values at the control points to weights; the inverse of Bookstein's matrix L, without its last columns."""
    points = _control()
    k = len(points)
    system = np.zeros((k + 3, k + 3))
    system[:k] = _basis(points)
    system[k:, :k] = system[:k, k:].T
    return np.linalg.inv(system)[:, :k]


def _steepness(values: np.ndarray) -> float:
    """The largest Frobenius norm of the gradient of a field given at the nodes."""
    slopes = np.stack(np.gradient(values.reshape(NODES, NODES, 2), 2 / (NODES - 1), axis=(0, 1)))
    return float(np.sqrt((slopes**2).sum((0, -1))).max())


@functools.lru_cache(maxsize=8)
def _spline(n: int) -> np.ndarray:
    """(n, NODES): values at the nodes of [-1, 1] -> values at the centres of n pixels, by the cubic spline."""
    return interpolate.CubicSpline(np.linspace(-1, 1, NODES), np.eye(NODES))(_centres(n))


def _between(values: np.ndarray, h: int, w: int) -> np.ndarray:
    """(NODES^2, 2) at the nodes -> (h, w, 2) at the pixels."""
    grid = values.reshape(NODES, NODES, 2).transpose(2, 0, 1)
    return (_spline(h) @ grid @ _spline(w).T).transpose(1, 2, 0)


def _sampled(image: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The picture at places (h, w, 2) in [-1, 1], by cubic splines; beyond its border there is paper of the border's colour."""
    h, w = image.shape[:2]
    where = np.stack([((at[..., 1] + 1) * h - 1) / 2, ((at[..., 0] + 1) * w - 1) / 2])
    paper = ground.border_colour(image)
    planes = _prefiltered(np.moveaxis(image, -1, 0).astype(np.float32))
    out = [ndimage.map_coordinates(c, where, order=3, mode="nearest", prefilter=False) for c in planes]
    pixels = np.clip(np.floor(np.stack(out, -1) + 0.5), 0, 255).astype(np.uint8)
    pixels[np.abs(at).max(-1) > 1] = paper
    return pixels


def _prefiltered(planes: np.ndarray) -> np.ndarray:
    """(k, h, w): coefficients of the cubic splines that go through the values."""
    return np.stack([ndimage.spline_filter(c, mode="nearest") for c in planes])


# --- other paints ---------------------------------------------------------------------------------

LEVELS = 17  # a side of the table of colours


def _recolouring(rng: np.random.Generator, settings: PairSettings) -> Callable[[np.ndarray], np.ndarray]:
    """A map of colours for a picture and its reference alike: hues turned about the grey axis of Lab, mid tones and saturation moved.
    Black, white and their greys stay, so that ink stays ink.
    """
    angle = np.deg2rad(settings.hue) * rng.uniform(-1, 1)
    bent, stronger = (1 + settings.tone) ** rng.uniform(-1, 1, 2)
    lab = _table()
    l = 100 * (np.clip(lab[:, 0], 0, 100) / 100) ** bent
    a = stronger * (lab[:, 1] * np.cos(angle) - lab[:, 2] * np.sin(angle))
    b = stronger * (lab[:, 1] * np.sin(angle) + lab[:, 2] * np.cos(angle))
    table = ImageFilter.Color3DLUT(LEVELS, (to_rgb(np.stack([l, a, b], -1)) / 255).astype(np.float32).ravel())
    return lambda pixels: np.asarray(Image.fromarray(pixels).filter(table))


@functools.cache
def _table() -> np.ndarray:
    """(LEVELS^3, 3): Lab of a lattice of sRGB, red fastest, as Pillow orders it."""
    side = np.linspace(0, 255, LEVELS).round().astype(np.uint8)
    return to_lab(np.stack(np.meshgrid(side, side, side, indexing="ij"), -1)[..., ::-1].reshape(-1, 3))


# --- other pictures as references -----------------------------------------------------------------

NEAREST = 5  # others that are "easy"
NEIGHBOURS = 40  # others that are known of each picture; those beyond the nearest are "hard"
SAME_DRAWING = 0.95  # correlation of line layouts from which two are one drawing, mirrored or in other paints; measured: 47 of 48 and more
LINE_WEIGHT = 0.7


class Retriever:
    """Which other pictures are like each picture, found once from small descriptors of all of them: no list files, no weights.

    Likeness is that of paints (an 8 x 8 thumbnail in Lab) and of line layout (16 x 16), both averaged with their mirror images. The same
    drawing again, mirrored or in other paints, as built data sets hold it, is no reference: what its paints say of the sketch is wrong.
    """

    def __init__(self, pictures: Pictures, settings: PairSettings) -> None:
        self.settings = settings
        self.near = _neighbours(*_descriptors(pictures))  # (n, up to NEIGHBOURS) int32, -1 where there are no more

    def choose(self, index: int, rng: np.random.Generator) -> int:
        """Another picture as the reference of picture `index`; itself only where the set holds no other drawing."""
        near = self.near[index]
        known = int((near >= 0).sum())
        hard = rng.random() * (self.settings.easy + self.settings.hard) < self.settings.hard
        if known == 0:
            return index
        low, high = (min(NEAREST, known - 1), known) if hard else (0, min(NEAREST, known))
        return int(near[rng.integers(low, high)])


def _descriptors(pictures: Pictures) -> tuple[np.ndarray, np.ndarray]:
    """(n, 192) paints and (n, 256) unit vectors of line layout."""
    paints, lines = [], []
    for i in range(len(pictures)):
        small = Image.fromarray(pictures.image(i)).resize((64, 64), Image.Resampling.BOX)
        lab = to_lab(np.asarray(small.reduce(8)))
        paints.append((lab + lab[:, ::-1]).ravel() / 2)
        light = np.asarray(small.convert("L"), np.float32)
        edges = np.abs(np.diff(light, axis=0))[:, :-1] + np.abs(np.diff(light, axis=1))[:-1]
        edges = np.pad(np.minimum(edges, 60), (0, 1)).reshape(16, 4, 16, 4).mean((1, 3))
        lines.append((edges + edges[:, ::-1]).ravel())
    stack = np.stack(lines)
    stack = stack - stack.mean(1, keepdims=True)
    return np.stack(paints), stack / np.maximum(np.linalg.norm(stack, axis=1, keepdims=True), 1e-6)


def _neighbours(paints: np.ndarray, lines: np.ndarray) -> np.ndarray:
    n = len(paints)
    count = min(NEIGHBOURS, max(2 * NEAREST, n // 20), max(n - 1, 1))  # in a small set the fortieth is like any other
    scale = (
        ((paints - paints.mean(0)) ** 2).sum(1).mean()
    )  # so that the two parts of the distance weigh alike in any set
    square = (paints**2).sum(1)
    near = np.full((n, count), -1, np.int32)
    for start in range(0, n, 512):
        rows = slice(start, start + 512)
        alike = lines[rows] @ lines.T
        far = (square[rows, None] + square - 2 * paints[rows] @ paints.T) / max(scale, 1e-6) + LINE_WEIGHT * 2 * (
            1 - alike
        )
        far[alike > SAME_DRAWING] = np.inf
        far[np.arange(len(far)), np.arange(start, start + len(far))] = np.inf
        best = np.argpartition(far, min(count, n - 1), axis=1)[:, :count] if n > count else np.zeros((len(far), 1), int)
        order = np.take_along_axis(far, best, 1).argsort(1, kind="stable")
        best = np.take_along_axis(best, order, 1)
        near[rows] = np.where(np.isfinite(np.take_along_axis(far, best, 1)), best, -1)
    return near
