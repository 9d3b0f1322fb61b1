"""What can be measured of a lifter because the true heads are known: held-out pictures are found among the teacher's codes and lifted, and
their depth, normals, pose and light compared with the truth; new faces are turned, and must stay the same person.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from lianpu import files, images, inversion
from lianpu.data.samples import heads
from lianpu.data.samples.heads import Truth
from lianpu.errors import DataError
from lianpu.experiments import base
from lianpu.experiments.claims2024 import ASYMMETRY, LESS, SHAPE, WHOLE
from lianpu.lifter import Lifted
from lianpu.metrics import bootstrap, geometry, identity, sources
from lianpu.metrics.identity import Embedder
from lianpu.metrics.sources import Source
from lianpu.metrics.suite import Row
from lianpu.nets import features
from lianpu.nets.digan import Digan, Face, frontal
from lianpu.nets.stylegan2 import Generator
from lianpu.render import camera, frames, surface

__all__ = [
    "CHECKS", "Codes", "codes", "embedder", "found_codes", "geometry_suite", "identity_suite", "lifted_face", "lit",
    "of_identity", "of_shape", "of_symmetry", "plain", "rendered", "shown", "true_heads", "turning", "yardsticks",
]  # fmt: skip

Count = Callable[[int, int, str], object]
"""Hears of progress: how many of how many, of what."""

AT_ONCE = 16  # pictures that are found or lifted at once
SEEN = "drawn heads as seen, found among the teacher's codes"
LEGIBLE = 128  # pixels of a picture in a figure at least
TURNED = 256  # pixels at which a face is turned for a photographic embedder, which finds none in small pictures
UNSEEN = "undefined: no face was seen in any frontal view"
FACE = (3 / 8, 13 / 16), (5 / 16, 11 / 16)
"""Rows and columns of a portrait that are face, in heights and widths of it: hair and collars need not be symmetric."""
ERRORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = dict(zip(SHAPE, (geometry.side, geometry.mad), strict=True))
SHORT = dict(zip(SHAPE, ("side", "mad"), strict=True))
KEYS = {
    **SHORT, "yaw correlation": "yaw", "depth correlation": "depth", "head found (IoU)": "iou",
    **{LESS.format(name): f"{key}-less" for name, key in SHORT.items()},
    **{WHOLE.format(name): f"{key}-whole" for name, key in SHORT.items()},
    ASYMMETRY: "asymmetry",
}  # fmt: skip
"""What `--fail-if` calls rows of shape; rows of identity are identity-30, identity-30-share, sface-30, ..."""
SAID = (15, 30, 45, 60)  # degrees of yaw that identity is told of
CHECKS = {
    "geometry": (*KEYS.values(), *(f"{key}-{wall}" for key in SHORT.values() for wall in ("flat", "mean"))),
    "identity": tuple(f"{who}-{yaw}{end}" for who in ("identity", "sface") for yaw in SAID for end in ("", "-share")),
}
"""What `--fail-if` knows of each suite."""


# ---- held-out pictures as codes --------------------------------------------------------------------------------------


class Codes(NamedTuple):
    """Held-out pictures, found among a teacher's codes."""

    ws: Tensor
    """(n, num_ws, w_dim)"""
    error: Tensor
    """(n,): mean |difference| of the pixels, of a range of 2"""
    spread: Tensor
    """(n,): distance to the model's centre in its own spread"""


def codes(
    teacher: Generator, pictures: np.ndarray, *, steps: int, count: Count, stop: Callable[[], bool] = lambda: False,
    keep: Path | None = None, key: str = "",
) -> Codes | None:  # fmt: skip
    """Pictures (n, r, r, 3) uint8 as the teacher's codes, on the CPU; None where `stop` said so in between.

    keep: a folder in which what has been found is kept, so that a later call goes on; key says what it was found of.
    """
    device = teacher.mapping.w_avg.device
    phi = features.perceptual().to(device)
    found = []
    for first in range(0, len(pictures), AT_ONCE):
        path = None if keep is None else keep / f"{first:05d}.safetensors"
        some = None if path is None else _kept_codes(path, key)
        if some is None:
            if stop():
                return None
            one = inversion.invert(
                teacher, phi, images.to_float(pictures[first : first + AT_ONCE]).to(device), steps=steps
            )
            some = Codes(one.ws.cpu(), one.error.cpu(), one.spread.cpu())
            if path is not None:
                tensors = {name: x.contiguous() for name, x in some._asdict().items()}
                files.atomic_write(path, safetensors.torch.save(tensors, {"key": key}))
        found.append(some)
        count(min(first + AT_ONCE, len(pictures)), len(pictures), "pictures found")
    return Codes(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def found_codes(keep: Path, key: str, n: int) -> Codes | None:
    """What `codes` has kept of n pictures; None if it is not all there."""
    parts = [_kept_codes(keep / f"{first:05d}.safetensors", key) for first in range(0, n, AT_ONCE)]
    whole = [part for part in parts if part is not None]
    return Codes(*(torch.cat(x) for x in zip(*whole, strict=True))) if len(whole) == len(parts) else None


def _kept_codes(path: Path, key: str) -> Codes | None:
    try:
        with safetensors.safe_open(path, "pt") as file:
            if (file.metadata() or {}).get("key") == key:
                return Codes(*(file.get_tensor(name) for name in Codes._fields))
    except (OSError, safetensors.SafetensorError):
        pass
    return None


# ---- shape, pose and light -------------------------------------------------------------------------------------------


def of_shape(network: Digan, found: Codes, truth: Truth, mean: Tensor, seed: int = 0) -> list[Row]:
    """Rows of what was lifted from the held-out pictures, against the truth. A head seen several times counts once in the intervals.

    mean: of known depth maps, (1, s, s). Depth and normals are compared where both maps show a head. A smaller head is an easier one;
    therefore it is also said by how much less the error is than the mean's on the same pixels, how well the heads cover each other, and
    what the errors are over all of the true head, where a lifter that says ground is wrong by the whole distance to it.
    """
    parts: dict[str, list[Tensor]] = {}
    for first in range(0, len(found.ws), AT_ONCE):
        for name, x in _lifted(network, found.ws[first : first + AT_ONCE]).items():
            parts.setdefault(name, []).append(x.cpu())
    lifted = {name: torch.cat(some) for name, some in parts.items()}
    depth, head = torch.from_numpy(truth.depth), geometry.head(lifted["depth"])
    pose = geometry.pose_errors(lifted["view"], torch.from_numpy(truth.view))
    light = geometry.light_errors(lifted["light"], torch.from_numpy(truth.light), lifted["view"])
    who = _Rows(truth.identity, seed)
    there = torch.where(geometry.present(head), mean, camera.EMPTY)
    return [
        *_depths(who, head, depth),
        *(who.row(LESS.format(m), error(head, depth) - error(there, depth), "lower") for m, error in ERRORS.items()),
        *(who.row(WHOLE.format(m), error(lifted["depth"], depth), "lower") for m, error in ERRORS.items()),
        who.row("head found (IoU)", geometry.overlap(head, depth), "higher"),
        who.row("depth correlation", geometry.depth_correlation(head, depth), "higher"),
        who.correlation("yaw correlation", lifted["view"][:, 1], truth.view[:, 1]),
        who.correlation("pitch correlation", lifted["view"][:, 0], truth.view[:, 0]),
        who.row("rotation error (degrees)", pose.rotation, "lower"),
        who.row("light direction error (degrees)", light.direction, "lower"),
        who.row("two views' depths apart", _views_apart(head, lifted["view"], truth.identity), "lower"),
        who.row("picture found, mean error", found.error, "lower"),
    ]  # fmt: skip


def of_symmetry(network: Digan, count: int, true: Tensor | None = None, seed: int = 0, truncation: float = 0.7) -> Row:
    """How unlike the halves of new faces are, each seen from its front. true: depth maps (n, s, s) of true heads, to be told beside."""
    new = torch.cat([new_face(network, i, truncation).depth for i in range(count)]).cpu()
    row = _Rows(np.arange(count), seed).row(ASYMMETRY, _asymmetry(new), "lower")
    said = [row.note, "" if true is None else f"true heads have {float(_asymmetry(true).nanmean()):.2f}"]
    return replace(row, pairing="a new face and its mirror image", note="; ".join(filter(None, said)))


def _asymmetry(depth: Tensor) -> Tensor:
    """(n,); NaN for what has no face."""
    size = depth.shape[-1]
    (top, low), (left, right) = ([round(size * at) for at in ends] for ends in FACE)
    face = torch.zeros(depth.shape[1:], dtype=torch.bool)
    face[top:low, left:right] = True
    return geometry.asymmetry(geometry.head(depth), face)


def yardsticks(truth: Truth, mean: Tensor, seed: int = 0) -> dict[str, list[Row]]:
    """The same of a wall, and of the mean of known depth maps, (1, s, s): what a lifter must beat. Both cover all of a true head."""
    true, who = torch.from_numpy(truth.depth), _Rows(truth.identity, seed)
    return {"flat": _depths(who, geometry.flat(true), true), "mean": _depths(who, mean.expand_as(true), true)}


def _depths(who: _Rows, depth: Tensor, true: Tensor) -> list[Row]:
    return [who.row(name, error(depth, true), "lower") for name, error in ERRORS.items()]


@torch.no_grad()
def _lifted(network: Digan, ws: Tensor) -> dict[str, Tensor]:
    """Depth as the pictures show it, views, and lights in the faces' own frames."""
    face = network.of_layers(ws.to(network.G2D.mapping.w_avg))
    seen = network.look(face, face.view, face.light)
    return {"depth": seen.depth, "view": face.view, "light": face.light}


def _views_apart(depth: Tensor, view: Tensor, identity: np.ndarray) -> Tensor:
    """Mean |z - z'| where the first view of a head, moved as its views differ, meets its second, (n,); NaN for what is no first view.

    depth: without the ground, which does not move with the head.
    """
    out = torch.full((len(identity),), float("nan"), dtype=torch.float64)
    pairs = [(i, i + 1) for i in range(len(identity) - 1) if identity[i] == identity[i + 1]]
    if pairs:
        a, b = (torch.tensor(side) for side in zip(*pairs, strict=True))
        motion = geometry.between(view[a], view[b])
        out[a] = geometry.reprojection(depth[a], depth[a][:, None], depth[b], depth[b][:, None], motion).depth
    return out


class _Rows:
    """Rows of one number a picture; the pictures of one head are one in the intervals."""

    def __init__(self, identity: np.ndarray, seed: int) -> None:
        self.head, self.seed = np.unique(identity, return_inverse=True)[1], seed

    def row(self, metric: str, values: Tensor, better: Literal["lower", "higher"]) -> Row:
        known = torch.isfinite(values).numpy()
        if not known.any():
            return self._row(metric, None, bootstrap.Interval(None, None), known, better)
        of = np.bincount(self.head[known])
        mean = (np.bincount(self.head[known], values.double().numpy()[known]) / np.maximum(of, 1))[of > 0]
        return self._row(metric, float(mean.mean()), bootstrap.of_mean(mean, self.seed), known, better)

    def correlation(self, metric: str, predicted: Tensor, true: np.ndarray) -> Row:
        """Pearson's, its interval from heads drawn again."""
        a, b = predicted.double().numpy(), true.astype(np.float64)

        def of(weight: np.ndarray) -> float:
            x, y = a - np.average(a, weights=weight), b - np.average(b, weights=weight)
            spread = np.sqrt((weight * x * x).sum() * (weight * y * y).sum())
            return float((weight * x * y).sum() / spread) if spread > 0 else float("nan")

        value = of(np.ones(len(a)))
        if not np.isfinite(value):
            return self._row(metric, None, bootstrap.Interval(None, None), np.zeros(len(a), bool), "higher")
        draws = [of(w[self.head]) for w in bootstrap.weights(self.head.max() + 1, 1000, self.seed, metric)]
        interval = bootstrap.centred(value, [v for v in draws if np.isfinite(v)]).within(-1, 1)
        return self._row(metric, value, interval, np.ones(len(a), bool), "higher")

    def _row(
        self, metric: str, value: float | None, interval: bootstrap.Interval, known: np.ndarray,
        better: Literal["lower", "higher"],
    ) -> Row:  # fmt: skip
        note = "" if value is not None else "undefined: no picture has a value, or all have the same"
        n, heads_ = int(known.sum()), len(np.unique(self.head[known]))
        return Row(
            metric, value, interval.low, interval.high, n, n, pairing=SEEN, seed=self.seed, note=note, better=better,
            group="geometry", extra={"heads": heads_, "key": KEYS.get(metric, "")},
        )  # fmt: skip


# ---- new faces -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def new_face(network: Digan, seed: int, truncation: float) -> Face:
    """The face of a seed; with classes, seeds take turns."""
    classes = network.config.teacher.classes
    return network.of_seed(seed, seed % classes if classes else None, truncation)


def rendered(network: Digan, name: str, count: int, truncation: float = 1.0) -> Source:
    """New faces as they are rendered from their own view in their own light."""

    @torch.no_grad()
    def make(i: int) -> np.ndarray:
        face = new_face(network, i, truncation)
        return images.to_uint8(network.look(face, face.view, face.light).image)[0]

    names = tuple(f"face{i:06d}" for i in range(count))
    note = f"faces rendered by {name}, each from its own view in its own light"
    facts = {"model": name, "truncation": truncation, "seed": 0}
    return sources.made(name, names, network.config.resolution, make, note, facts)


def lifted_face(network: Digan, seed: int, truncation: float) -> Lifted:
    """The same as users get it: cut out of its ground where the model has outlines."""
    face = new_face(network, seed, truncation)
    return Lifted(f"seed{seed:06d}", face, f"seed {seed}", "", {}, layered=network.config.outlined)


@torch.no_grad()
def shown(network: Digan, count: int, truncation: float = 0.7) -> tuple[list[np.ndarray], int]:
    """New faces for a figure, and how many pictures a row has: the teacher's picture, the face from the front, at four yaws, its normals,
    its albedo, and in light from the left and from the right.
    """
    size = max(network.config.resolution, LEGIBLE)
    pictures: list[np.ndarray] = []
    columns = 0
    for seed in range(count):
        lifted = lifted_face(network, seed, truncation)
        face, light = lifted.face, surface.light(frontal(lifted.face.light))
        aside = (surface.light(face.light.new_tensor([[-0.6, 0.6, x, -0.3]])) for x in (-1.0, 1.0))
        maps = [made for _, made in lifted.maps(["normal", "albedo"]).values()]
        picture, normals, albedo = (images.resize(x, size) for x in (images.to_uint8(face.picture)[0], *maps))
        turned = lifted.turned([0, -40, -20, 20, 40], light, size)
        cells = [picture, *turned, normals, albedo, *(next(lifted.turned([0], one, size)) for one in aside)]
        pictures += cells
        columns = len(cells)
    return pictures, columns


@torch.no_grad()
def lit(network: Digan, count: int, truncation: float = 0.7) -> tuple[list[np.ndarray], int]:
    """New faces in light from seven directions, each with its shading below it, and how many pictures a row has."""
    size = max(network.config.resolution, LEGIBLE)
    pictures: list[np.ndarray] = []
    angles = [-60, -40, -20, 0, 20, 40, 60]
    for seed in range(count):
        lifted = lifted_face(network, seed, truncation)
        lamps = [frames.lamp(angle, 0.35, 0.75, lifted.face.depth) for angle in angles]
        pictures += [next(lifted.turned([0], lamp, size)) for lamp in lamps]
        pictures += [images.resize(lifted.maps(["shading"], lamp)["shading"][1], size) for lamp in lamps]
    return pictures, len(angles)


# ---- identity --------------------------------------------------------------------------------------------------------


def of_identity(
    embed: Embedder,
    show: Callable[[int, int], np.ndarray],
    count: int,
    ceiling: Mapping[int, np.ndarray] | None,
    seed: int = 0,
) -> tuple[list[Row], dict[int, list[float | None]]]:
    """Rows of how much of an identity is kept where faces are turned, and the cosines they are of. ceiling: those of true heads."""
    cosines = identity.turned(embed, show, count)
    mine, true = _sides(cosines), _sides(ceiling) if ceiling else None
    short = "sface" if "SFace" in embed.name else "identity"
    unseen = int(np.isnan(cosines[0]).sum())
    seen = f"no face was seen in {unseen} of {count} frontal views" if unseen else ""
    rows = [
        _kept(
            f"{embed.name} kept at {yaw} degrees",
            None,
            bootstrap.Interval(None, None),
            0,
            seed,
            UNSEEN,
            f"{short}-{yaw}",
        )
        for yaw in SAID
        if np.isnan(mine[yaw]).all()
    ]
    mine = {yaw: values for yaw, values in mine.items() if not np.isnan(values).all()}
    if true and any(np.isnan(true[yaw]).all() for yaw in mine):
        true = None
    for one in identity.kept(mine, true, seed):
        name = f"{embed.name} kept at {one.yaw} degrees"
        rows.append(_kept(name, one.cosine, one.interval, one.faces, seed, seen, f"{short}-{one.yaw}"))
        if one.ratio is not None and one.ratio_interval is not None:
            note = "; ".join(filter(None, [f"the true heads, truly turned, keep {one.ceiling:.3f}", seen]))
            share = f"{name}, share of the true heads'"
            rows.append(_kept(share, one.ratio, one.ratio_interval, one.faces, seed, note, f"{short}-{one.yaw}-share"))
    return rows, {yaw: plain(values) for yaw, values in cosines.items()}


def plain(cosines: np.ndarray) -> list[float | None]:
    """As json has it: None for a face that was not seen."""
    return [None if np.isnan(v) else float(v) for v in cosines]


def _sides(cosines: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    """The mean of a face's two sides, at each yaw that is told."""
    return {yaw: (cosines[-yaw] + cosines[yaw]) / 2 for yaw in SAID}


def _kept(
    metric: str, value: float | None, interval: bootstrap.Interval, n: int, seed: int, note: str, key: str
) -> Row:
    pairing = "the frontal view of a new face against it turned to either side"
    return Row(
        metric, value, interval.low, interval.high, n, n, pairing=pairing, seed=seed, note=note, better="higher",
        group="identity", extra={"key": key},
    )  # fmt: skip


def turning(network: Digan, count: int, size: int, truncation: float = 0.7) -> Callable[[int, int], np.ndarray]:
    """What `identity.turned` asks for: new face i at a yaw, in the light that true heads are turned in."""
    known = [lifted_face(network, seed, truncation) for seed in range(count)]

    @torch.no_grad()
    def show(i: int, yaw: int) -> np.ndarray:
        lifted = known[i]
        light = surface.light(lifted.face.light.new_tensor([identity.NEUTRAL]))
        rotation = camera.pose(camera.raw_view(yaw).to(lifted.face.view)).rotation
        return next(lifted.turned([yaw], surface.carried(light, rotation.mT), size))  # the light stays, the head turns

    return show


def true_heads(series: int, size: int, larger: int, *, portrait: bool) -> Callable[[int, int], np.ndarray]:
    """The same of drawn heads, truly turned: as sharp as a model's pictures, of `size` pixels, and as large as those are shown."""
    show = identity.true_heads(series, 0, size, portrait=portrait)
    return show if larger == size else lambda i, yaw: images.resize(show(i, yaw), larger)


@functools.cache
def embedder(name: str, size: int) -> tuple[Embedder, int]:
    """An embedder, and the pixels of the pictures that it is shown; SFace's faces are found in larger ones."""
    return (identity.Clay.shipped(), size) if name == "clay" else (identity.Photographic(), max(size, TURNED))


# ---- a model of one's own --------------------------------------------------------------------------------------------


def geometry_suite(
    network: Digan, folder: Path, n: int | None, *, seed: int = 0, steps: int = 400, count: Count
) -> list[Row]:
    """Rows of shape, pose and light against at most n pictures of a folder of drawn heads, and those of a flat and the mean depth.

    The mean is that of these very heads, which a lifter is not given: a yardstick a little too good.
    """
    truth = heads.read(folder, n)
    size = network.config.resolution
    if truth.pictures.shape[1] != size:
        raise DataError(
            f"the heads are {truth.pictures.shape[1]} px, and the model's pictures {size}.",
            str(folder),
            f"lianpu data sample heads --size {size} --to FOLDER",
        )
    found = codes(network.G2D, truth.pictures, steps=steps, count=count)
    assert found is not None
    mean = geometry.mean_depth(torch.from_numpy(truth.depth))
    walls = yardsticks(truth, mean, seed)
    named = [
        replace(row, metric=f"{row.metric}, {name} depth", extra={**row.extra, "key": f"{row.key}-{name}"})
        for name, rows in walls.items()
        for row in rows
    ]
    return [*of_shape(network, found, truth, mean, seed), of_symmetry(network, len(truth.depth), seed=seed), *named]


def identity_suite(network: Digan, folder: Path | None, n: int, *, seed: int = 0, count: Count) -> list[Row]:
    """Rows of identity kept by n new faces under rotation, by every embedder that is here; beside the true heads of a folder of drawn
    ones, if one is given.
    """
    rows: list[Row] = []
    drawn = None if folder is None else heads.read(folder, 1).rows[0]
    names = base.embedders()
    for i, name in enumerate(names):
        own = network.config.resolution
        embed, size = embedder(name, own)
        ceiling = None
        if drawn is not None:
            show = true_heads(drawn["seed"], own, size, portrait=drawn.get("portrait", False))
            ceiling = identity.turned(embed, show, n)
        rows += of_identity(embed, turning(network, n, size), n, ceiling, seed)[0]
        count(i + 1, len(names), "embedders")
    return rows
