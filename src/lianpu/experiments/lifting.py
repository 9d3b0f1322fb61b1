"""What can be measured of a lifter because the true heads are known: held-out pictures are found among the teacher's codes and lifted, and
their depth, normals, pose and light compared with the truth; new faces are turned, and must stay the same person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from lianpu import files, images, inversion
from lianpu.data.samples.heads import Truth
from lianpu.metrics import bootstrap, geometry, identity, sources
from lianpu.metrics.identity import Embedder
from lianpu.metrics.sources import Source
from lianpu.metrics.suite import Row
from lianpu.nets import features
from lianpu.nets.digan import Digan, Face, frontal
from lianpu.nets.stylegan2 import Generator
from lianpu.randomness import latent
from lianpu.render import camera, frames, surface

__all__ = ["Codes", "codes", "of_identity", "of_shape", "rendered", "shown", "turning", "yardsticks"]

AT_ONCE = 16  # pictures that are found or lifted at once
SEEN = "held-out heads as seen, found among the teacher's codes"
TURNED = 256  # pixels at which a face is turned for a photographic embedder, which finds none in small pictures
SAID = (15, 30, 45, 60)  # degrees of yaw that identity is told of


# ---- held-out pictures as codes --------------------------------------------------------------------------------------


class Codes(NamedTuple):
    """Held-out pictures, found among a teacher's codes."""

    ws: Tensor
    """(n, num_ws, w_dim)"""
    error: Tensor
    """(n,): mean |difference| of the pixels, of a range of 2"""
    spread: Tensor
    """(n,): distance to the model's centre in its own spread"""

    def save(self, path: Path, facts: Mapping[str, str]) -> None:
        """As one safetensors file."""
        tensors = {name: x.cpu().contiguous() for name, x in self._asdict().items()}
        files.atomic_write(path, safetensors.torch.save(tensors, dict(facts)))

    @classmethod
    def load(cls, path: Path) -> Codes:
        found = safetensors.torch.load_file(path)
        return cls(*(found[name] for name in cls._fields))


def codes(
    teacher: Generator, pictures: np.ndarray, *, steps: int, say: Callable[[str], None], stop: Callable[[], bool]
) -> Codes | None:
    """Pictures (n, r, r, 3) uint8 as the teacher's codes; None where `stop` said so in between."""
    phi = features.perceptual().to(teacher.mapping.w_avg.device)
    found: list[inversion.Inverted] = []
    for first in range(0, len(pictures), AT_ONCE):
        if stop():
            return None
        some = images.to_float(pictures[first : first + AT_ONCE]).to(teacher.mapping.w_avg.device)
        found.append(inversion.invert(teacher, phi, some, steps=steps))
        say(f"{min(first + AT_ONCE, len(pictures))} of {len(pictures)} pictures found")
    return Codes(*(torch.cat([getattr(one, name) for one in found]) for name in Codes._fields))


# ---- shape, pose and light -------------------------------------------------------------------------------------------


def of_shape(network: Digan, found: Codes, truth: Truth, seed: int = 0) -> list[Row]:
    """Rows of what was lifted from the held-out pictures, against the truth. A head seen several times counts once in the intervals."""
    parts: dict[str, list[Tensor]] = {}
    for first in range(0, len(found.ws), AT_ONCE):
        for name, x in _lifted(network, found.ws[first : first + AT_ONCE]).items():
            parts.setdefault(name, []).append(x.cpu())
    lifted = {name: torch.cat(some) for name, some in parts.items()}
    depth, canonical = torch.from_numpy(truth.depth), torch.from_numpy(truth.canonical)
    pose = geometry.pose_errors(lifted["view"], torch.from_numpy(truth.view))
    light = geometry.light_errors(lifted["light"], torch.from_numpy(truth.light))
    who = _Rows(truth.identity, seed)
    return [
        *_depths(who, lifted["depth"], depth),
        who.row("SIDE, straight ahead", geometry.side(lifted["canonical"], canonical), "lower"),
        who.row("depth correlation", geometry.depth_correlation(lifted["depth"], depth), "higher"),
        who.correlation("yaw correlation", lifted["view"][:, 1], truth.view[:, 1]),
        who.correlation("pitch correlation", lifted["view"][:, 0], truth.view[:, 0]),
        who.row("rotation error (degrees)", pose.rotation, "lower"),
        who.row("light direction error (degrees)", light.direction, "lower"),
        who.row("two views' depths apart", _views_apart(lifted, truth.identity), "lower"),
        who.row("picture found, mean error", found.error, "lower"),
    ]  # fmt: skip


def yardsticks(truth: Truth, known: np.ndarray, seed: int = 0) -> dict[str, list[Row]]:
    """The same of a wall, and of the mean of known depth maps (m, s, s): what a lifter must beat."""
    true, who = torch.from_numpy(truth.depth), _Rows(truth.identity, seed)
    mean = geometry.mean_depth(torch.from_numpy(known)).expand_as(true)
    return {"flat": _depths(who, geometry.flat(true), true), "mean": _depths(who, mean, true)}


def _depths(who: _Rows, depth: Tensor, true: Tensor) -> list[Row]:
    return [
        who.row("SIDE", geometry.side(depth, true), "lower"),
        who.row("MAD (degrees)", geometry.mad(depth, true), "lower"),
    ]


@torch.no_grad()
def _lifted(network: Digan, ws: Tensor) -> dict[str, Tensor]:
    """Depth as the pictures show it and as the faces look straight ahead, views and lights."""
    face = network.of_layers(ws.to(network.G2D.mapping.w_avg))
    seen = network.look(face, face.view, face.light)
    return {"depth": seen.depth, "canonical": face.depth, "view": face.view, "light": face.light}


def _views_apart(lifted: Mapping[str, Tensor], identity: np.ndarray) -> Tensor:
    """Mean |z - z'| where the first view of a head, moved as its views differ, meets its second, (n,); NaN for what is no first view."""
    out = torch.full((len(identity),), float("nan"), dtype=torch.float64)
    pairs = [(i, i + 1) for i in range(len(identity) - 1) if identity[i] == identity[i + 1]]
    if pairs:
        a, b = (torch.tensor(side) for side in zip(*pairs, strict=True))
        depth, view = lifted["depth"], lifted["view"]
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
            return self._row(metric, None, bootstrap.Interval(None, None), 0, better)
        heads_ = self.head[known]
        mean = np.bincount(heads_, values.double().numpy()[known]) / np.maximum(np.bincount(heads_), 1)
        mean = mean[np.bincount(heads_) > 0]
        return self._row(metric, float(mean.mean()), bootstrap.of_mean(mean, self.seed), int(known.sum()), better)

    def correlation(self, metric: str, predicted: Tensor, true: np.ndarray) -> Row:
        """Pearson's, its interval from heads drawn again."""
        a, b = predicted.double().numpy(), true.astype(np.float64)

        def of(weight: np.ndarray) -> float:
            x, y = a - np.average(a, weights=weight), b - np.average(b, weights=weight)
            spread = np.sqrt((weight * x * x).sum() * (weight * y * y).sum())
            return float((weight * x * y).sum() / spread) if spread > 0 else float("nan")

        value = of(np.ones(len(a)))
        if not np.isfinite(value):
            return self._row(metric, None, bootstrap.Interval(None, None), 0, "higher")
        draws = [of(w[self.head]) for w in bootstrap.weights(self.head.max() + 1, 1000, self.seed, metric)]
        interval = bootstrap.centred(value, [v for v in draws if np.isfinite(v)]).within(-1, 1)
        return self._row(metric, value, interval, len(a), "higher")

    def _row(
        self, metric: str, value: float | None, interval: bootstrap.Interval, n: int, better: Literal["lower", "higher"]
    ) -> Row:
        note = "" if value is not None else "undefined: no picture has a value, or all have the same"
        return Row(
            metric, value, interval.low, interval.high, n, n, pairing=SEEN, seed=self.seed, note=note, better=better,
            group="geometry", extra={"heads": int(self.head.max() + 1)},
        )  # fmt: skip


# ---- new faces -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def new_face(network: Digan, seed: int, truncation: float) -> Face:
    """The face of a seed; with classes, seeds take turns."""
    mapping, classes = network.G2D.mapping, network.config.teacher.classes
    z = latent(seed, network.config.teacher.z_dim).to(mapping.w_avg)
    label = torch.tensor([seed % classes], device=z.device) if classes else None
    return network(mapping(z, label, truncation=truncation)[:, 0])


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


@torch.no_grad()
def shown(network: Digan, count: int, truncation: float = 0.7) -> tuple[list[np.ndarray], int]:
    """New faces for a figure, and how many pictures a row has: the teacher's picture, the face from the front, at four yaws, its normals,
    its albedo, and in light from the left and from the right.
    """
    pictures: list[np.ndarray] = []
    columns = 0
    for seed in range(count):
        face = new_face(network, seed, truncation)
        front, light = torch.zeros_like(face.view), frontal(face.light)
        aside = (face.light.new_tensor([[-0.6, 0.6, x, -0.3]]) for x in (-1.0, 1.0))
        cells = [
            face.picture,
            network.look(face, front, light).image,
            *(network.look(face, camera.raw_view(yaw).to(front), light).image for yaw in (-40.0, -20.0, 20.0, 40.0)),
            frames.normal_picture(surface.normals(face.depth)),
            face.albedo,
            *(network.look(face, front, one).image for one in aside),
        ]
        pictures += [images.to_uint8(cell)[0] for cell in cells]
        columns = len(cells)
    return pictures, columns


# ---- identity --------------------------------------------------------------------------------------------------------


def of_identity(
    embed: Embedder,
    show: Callable[[int, int], np.ndarray],
    count: int,
    ceiling: Mapping[int, np.ndarray] | None,
    seed: int = 0,
) -> tuple[list[Row], dict[int, list[float]]]:
    """Rows of how much of an identity is kept where faces are turned, and the cosines they are of. ceiling: those of true heads."""
    cosines = identity.turned(embed, show, count)
    rows: list[Row] = []
    for one in identity.kept(_sides(cosines), ceiling and _sides(ceiling), seed):
        name = f"{embed.name} kept at {one.yaw} degrees"
        rows.append(_kept(name, one.cosine, one.interval, one.faces, seed, ""))
        if one.ratio is not None and one.ratio_interval is not None:
            note = f"the true heads, truly turned, keep {one.ceiling:.3f}"
            rows.append(
                _kept(f"{name}, share of the true heads'", one.ratio, one.ratio_interval, one.faces, seed, note)
            )
    return rows, {yaw: values.tolist() for yaw, values in cosines.items()}


def _sides(cosines: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    """The mean of a face's two sides, at each yaw that is told."""
    return {yaw: (cosines[-yaw] + cosines[yaw]) / 2 for yaw in SAID}


def _kept(metric: str, value: float, interval: bootstrap.Interval, n: int, seed: int, note: str) -> Row:
    pairing = "the frontal view of a new face against it turned to either side"
    return Row(
        metric, value, interval.low, interval.high, n, n, pairing=pairing, seed=seed, note=note, better="higher",
        group="identity",
    )  # fmt: skip


def turning(network: Digan, count: int, size: int, truncation: float = 0.7) -> Callable[[int, int], np.ndarray]:
    """What `identity.turned` asks for: new face i at a yaw, in the light that true heads are turned in."""
    known = [new_face(network, seed, truncation) for seed in range(count)]

    @torch.no_grad()
    def show(i: int, yaw: int) -> np.ndarray:
        face = known[i]
        light = surface.light(face.light.new_tensor([identity.NEUTRAL]))
        lit = surface.relight(face.albedo, surface.shading(surface.normals(face.depth), light))
        return next(frames.turned(face.depth, lit, face.transform, [yaw], size=size))

    return show
