"""Does a face stay the same person when it is turned? The cosine between embeddings of a frontal view and of rotated ones (Yan et al. 2024,
Sec. 4), beside the same number for the true head, truly rotated: no embedder is blind to pose, so that is the ceiling.

Two embedders: `Photographic`, SFace, which learnt from photographs of people, and `Clay`, which learnt from drawn clay heads to tell
their identities apart whatever their pose and light. A number is named after the one it was computed with.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lianpu import files, images
from lianpu.data import crop
from lianpu.errors import DataError, ModelError
from lianpu.machine import one_thread
from lianpu.metrics import bootstrap
from lianpu.metrics.bootstrap import Interval
from lianpu.nets import mtcnn, sface
from lianpu.randomness import generator, mix

__all__ = ["YAWS", "Clay", "Embedder", "Kept", "Network", "Photographic", "auc", "kept", "learn", "turned"]

YAWS = (-60, -45, -30, -15, 0, 15, 30, 45, 60)
NEUTRAL = (-0.2, 0.5, 0.0, -0.3)
"""Raw light under which true heads are turned: from in front and a little above."""
SHIPPED = "clay_identity.safetensors"


class Embedder(Protocol):
    """Says who is seen."""

    @property
    def name(self) -> str: ...
    def __call__(self, views: Sequence[np.ndarray], /) -> np.ndarray:
        """Views (k, h, w, 3) uint8 of one face, the frontal one first -> (k, d), unit rows; DataError where no face is seen."""
        ...


# ---- the measure -----------------------------------------------------------------------------------------------------


class Kept(NamedTuple):
    """How much of an identity is kept at one yaw."""

    yaw: int
    cosine: float
    """Mean over faces of the cosine between the frontal view and this one."""
    interval: Interval
    ceiling: float | None
    """The same of the true heads."""
    ratio: float | None
    """cosine / ceiling."""
    ratio_interval: Interval | None
    faces: int


def kept(
    cosines: Mapping[int, np.ndarray],
    true: Mapping[int, np.ndarray] | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> list[Kept]:
    """Rows of yaw, from cosines (n,) at each yaw, and those of true heads (m,), in the order of the yaws. NaN, no face, is left out.

    The ratio is one of means; faces and true heads are drawn again apart, for they need not be the same.
    """
    rows = []
    for yaw in sorted(cosines):
        mine = _known(cosines[yaw], yaw)
        interval = bootstrap.of_mean(mine, seed, resamples, f"identity {yaw}").within(-1, 1)
        ceiling = ratio = ratio_interval = None
        if true is not None:
            other = _known(true[yaw], yaw)
            ceiling = float(other.mean())
            ratio = float(mine.mean()) / ceiling
            draws = zip(
                bootstrap.weights(len(mine), resamples, seed, f"identity {yaw}"),
                bootstrap.weights(len(other), resamples, seed, f"ceiling {yaw}"),
                strict=True,
            )
            values = [float(v @ mine) / len(mine) / (float(w @ other) / len(other)) for v, w in draws]
            ratio_interval = bootstrap.centred(ratio, values)
        rows.append(Kept(yaw, float(mine.mean()), interval, ceiling, ratio, ratio_interval, len(mine)))
    return rows


def _known(values: np.ndarray, yaw: int) -> np.ndarray:
    known = values[~np.isnan(values)]
    if not len(known):
        raise DataError(f"no face was found in any of {len(values)} pictures at a yaw of {yaw} degrees.")
    return known


def turned(
    embed: Embedder, show: Callable[[int, int], np.ndarray], count: int, yaws: Sequence[int] = YAWS
) -> dict[int, np.ndarray]:
    """Cosines (count,) between face i from the front and at each yaw, where `show(i, yaw)` is its picture uint8 (h, w, 3).

    NaN for a face that the embedder does not see from the front. Of true heads, `show` is `true_heads`.
    """
    out = {yaw: np.full(count, np.nan) for yaw in yaws}
    for i in range(count):
        try:
            rows = embed([show(i, 0), *(show(i, yaw) for yaw in yaws)])
        except DataError:
            continue
        for yaw, row in zip(yaws, rows[1:], strict=True):
            out[yaw][i] = float(rows[0] @ row)
    return out


def true_heads(
    seed: int, first: int = 0, size: int = 64, *, portrait: bool = False
) -> Callable[[int, int], np.ndarray]:
    """What `turned` asks for the ceiling: drawn heads first, first + 1, ... of a series, turned as they are."""
    from lianpu.data.samples import heads

    def show(i: int, yaw: int) -> np.ndarray:
        one = heads.head(seed, first + i, portrait=portrait)
        return one.see((0, yaw / 60, 0, 0, 0, 0), NEUTRAL, size).picture

    return show


def auc(rows: np.ndarray, identity: np.ndarray) -> float:
    """Verification: the chance that two views of one identity are more alike than two of different ones (ties count half).

    rows: unit embeddings (n, d); identity: (n,). 0.5 is guessing, 1 perfect.
    """
    from scipy.stats import rankdata

    i, j = np.triu_indices(len(rows), 1)
    alike, same = (rows @ rows.T)[i, j], identity[i] == identity[j]
    positive, negative = int(same.sum()), int((~same).sum())
    if not positive or not negative:
        raise DataError("verification needs two views of one identity, and two identities.")
    ranks = rankdata(alike)
    return float((ranks[same].sum() - positive * (positive + 1) / 2) / (positive * negative))


# ---- SFace ------------------------------------------------------------------------------------------------------------


class Photographic:
    """SFace. Landmarks are sought in the frontal view and hold for the others: MTCNN sees profiles badly, and the head turns in place."""

    name = "identity (SFace)"

    def __init__(self, find: Callable[[np.ndarray], Sequence[Any]] = mtcnn.find) -> None:
        self.net, self.find = sface.SFace.published(), find

    def __call__(self, views: Sequence[np.ndarray], /) -> np.ndarray:
        front = np.asarray(views[0])
        faces = self.find(front)
        if not faces:
            raise DataError("no face was found in the frontal view.")
        transform = crop.similarity(faces[0].landmarks, sface.FIVE)
        cut = np.stack([crop.aligned(np.asarray(view), transform, sface.SIZE) for view in views])
        with one_thread():
            return self.net(torch.from_numpy(cut).permute(0, 3, 1, 2).float()).numpy()


# ---- the embedder of clay heads -----------------------------------------------------------------------------------------


class Network(nn.Module):
    """Grey pictures of 64 px in, unit vectors of 64 numbers out. Grey, because the clay's colour is not the person."""

    def __init__(self) -> None:
        super().__init__()
        wide = (1, 24, 48, 96, 128)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in itertools.pairwise(wide))
        self.again = nn.ModuleList(nn.Conv2d(b, b, 3, 1, 1) for b in wide[1:])
        self.norms = nn.ModuleList(nn.GroupNorm(8, b) for b in wide[1:])
        self.end = nn.Linear(128 * 16, 64)

    def forward(self, pixels: Tensor) -> Tensor:
        """RGB (n, 3, 64, 64) from 0 to 255 -> (n, 64)."""
        grey = pixels.mean(1, keepdim=True)
        x = (grey - grey.mean((2, 3), keepdim=True)) / (
            grey.std((2, 3), keepdim=True) + 1
        )  # exposure says nothing either
        for layer, again, norm in zip(self.layers, self.again, self.norms, strict=True):
            x = F.relu(layer(x))
            x = norm(x + F.relu(again(x)))
        return F.normalize(self.end(x.flatten(1)), dim=1)


@dataclass
class Clay:
    """The embedder of clay heads, with what is known of it."""

    net: Network
    facts: dict[str, Any]
    name = "identity (clay)"

    def __call__(self, views: Sequence[np.ndarray], /) -> np.ndarray:
        small = np.stack([images.resize(np.asarray(view), 64) for view in views])
        with one_thread():
            return self.net(torch.from_numpy(small).permute(0, 3, 1, 2).float()).numpy()

    def save(self, path: Path) -> None:
        """As one safetensors file, half precision, the facts in its header."""
        tensors = {k: v.half().contiguous() for k, v in self.net.state_dict().items()}
        files.atomic_write(path, safetensors.torch.save(tensors, {"facts": json.dumps(self.facts, sort_keys=True)}))

    @classmethod
    def load(cls, path: Path) -> Clay:
        """ModelError where the file is not one."""
        try:
            with safetensors.safe_open(path, "pt") as found:
                facts = json.loads((found.metadata() or {})["facts"])
                state = {name: found.get_tensor(name).float() for name in found.keys()}  # noqa: SIM118
            net = Network()
            net.load_state_dict(state)
        except (OSError, ValueError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelError(f"{Path(path).name} is not an embedder of clay heads: {reason[:120]}", str(path)) from None
        return cls(net.eval().requires_grad_(False), facts)

    @classmethod
    @functools.cache
    def shipped(cls) -> Clay:
        """The one that lianpu carries; `benchmarks/identity.py` made it."""
        with resources.as_file(resources.files("lianpu.metrics") / SHIPPED) as path:
            return cls.load(path)


SCALE, MARGIN = 24.0, 0.25


def learn(
    pictures: np.ndarray, identity: np.ndarray, *, steps: int, batch: int = 96, rate: float = 2e-3, seed: int = 0,
    device: str = "cpu", say: Callable[[int, float], object] = lambda step, loss: None,
) -> Network:  # fmt: skip
    """A network that tells the identities (n,) of pictures (n, 64, 64, 3) uint8 apart: large-margin cosine loss (Wang et al. 2018, CosFace,
    Eq. 4), Adam with a cosine schedule. Every picture is shown shifted by up to three pixels.
    """
    torch.manual_seed(mix(seed, "identity"))  # for the layers' own initial numbers
    classes, labels = np.unique(identity, return_inverse=True)
    net = Network().to(device).train()
    centres = nn.Parameter(torch.randn(len(classes), 64, generator=generator(seed, "centres")).to(device))
    every = [*net.parameters(), centres]
    adam = torch.optim.AdamW(every, rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    shown = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
    truth = torch.from_numpy(labels.astype(np.int64))
    for step in range(steps):
        dice = generator(seed, "step", step)
        which = torch.randint(len(truth), (batch,), generator=dice)
        x = F.pad(shown[which].float(), (3, 3, 3, 3), mode="replicate").to(device)
        dx, dy = torch.randint(7, (2,), generator=dice).tolist()
        cosine = net(x[..., dy : dy + 64, dx : dx + 64]) @ F.normalize(centres, dim=1).T
        right = truth[which].to(device)
        loss = F.cross_entropy(SCALE * (cosine - MARGIN * F.one_hot(right, len(classes))), right)
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
        if step % 100 == 0:
            say(step, float(loss.detach()))
    return net.cpu().eval().requires_grad_(False)
