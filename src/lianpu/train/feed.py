"""The real pictures of each step, as a function of (seed, step) alone: no position has to be saved, and the number of worker
processes changes nothing.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lianpu import images
from lianpu.config import PairSettings
from lianpu.data.pairs import Pair, Retriever, make_pair
from lianpu.errors import DataError
from lianpu.randomness import generator, mix

__all__ = ["Batch", "Feed", "PairFeed", "Pairs", "Pictures", "class_rows", "pair_rows", "rows", "stack_pairs"]


class Pictures(Protocol):
    """What a data set must offer: `data.folder.Folder` does."""

    def __len__(self) -> int: ...
    def image(self, index: int, /) -> np.ndarray: ...  # (h, w, 3) uint8
    def label(self, index: int, /) -> int: ...


class Batch(NamedTuple):
    """This process's rows of a global minibatch."""

    images: Tensor  # (n, 3, h, w) float32 in [-1, 1]
    labels: Tensor  # (n,) int64


class Pairs(NamedTuple):
    """This process's rows of a global minibatch of a translator's examples (`data.pairs.Pair`)."""

    condition: Tensor  # (n, 6, h, w) float32, of the sketch
    image: Tensor  # (n, 3, h, w) float32 in [-1, 1], what the sketch should become
    exemplar: Tensor  # (n, 3, h, w) float32 in [-1, 1], the reference
    exemplar_condition: Tensor  # (n, 6, h, w) float32
    flow: Tensor  # (n, h, w, 2) float32, where in the exemplar each pixel of the image is; NaN where nowhere
    paired: Tensor  # (n,) bool, whether the exemplar shows the same mask


B = TypeVar("B", Batch, Pairs)


@lru_cache(maxsize=4)
def _epoch(seed: int, epoch: int, count: int) -> tuple[Tensor, Tensor]:
    """The order of one epoch's pictures and which of them are mirrored."""
    order = torch.randperm(count, generator=generator(seed, "epoch", epoch))
    return order, torch.randint(2, (count,), generator=generator(seed, "mirror", epoch))


def rows(seed: int, step: int, batch: int, count: int) -> list[tuple[int, int]]:
    """(index, mirrored) of every row of global batch `step`: an endless walk through the data, reshuffled each epoch."""
    result: list[tuple[int, int]] = []
    position = step * batch
    while len(result) < batch:
        epoch, start = divmod(position, count)
        order, flips = _epoch(seed, epoch, count)
        take = order[start : start + batch - len(result)]
        result += zip(take.tolist(), flips[take].tolist(), strict=True)
        position += len(take)
    return result


def class_rows(seed: int, step: int, batch: int, group: int, labels: Sequence[int]) -> list[tuple[int, int]]:
    """Like `rows`, but each minibatch-stddev group, pictures i, i + m, i + 2 m, ... with m = batch / group, holds one class. The
    classes take turns whatever their sizes; each is an endless walk of its own.
    """
    members = _members(tuple(labels))
    groups = batch // group
    result = [(0, 0)] * batch
    for i in range(groups):
        turn, which = divmod(step * groups + i, len(members))
        own = members[which]
        walk = rows(mix(seed, "class", which), turn, group, len(own))
        for k, (index, mirrored) in enumerate(walk):
            result[i + k * groups] = own[index], mirrored
    return result


def pair_rows(seed: int, step: int, batch: int, count: int) -> list[tuple[int, int, int]]:
    """Like `rows`, with a seed for all that is drawn at random in making the row an example."""
    walk = rows(seed, step, batch, count)
    return [(index, mirrored, mix(seed, "pair", step, row)) for row, (index, mirrored) in enumerate(walk)]


@lru_cache(maxsize=2)
def _members(labels: tuple[int, ...]) -> list[list[int]]:
    """The pictures of each class that has any."""
    members: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        members.setdefault(label, []).append(index)
    return [members[label] for label in sorted(members)]


_MEMORY = 1 << 30  # bytes of decoded pictures that stay in memory, over all workers


class _Kept:
    """Pictures that stay decoded in memory while they fit."""

    def __init__(self, pictures: Pictures, memory: int) -> None:
        self.pictures, self.memory = pictures, memory
        self.kept: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.pictures)

    def image(self, index: int) -> np.ndarray:
        pixels = self.kept.get(index)
        if pixels is None:
            pixels = self.pictures.image(index)
            if (len(self.kept) + 1) * pixels.nbytes <= self.memory:
                self.kept[index] = pixels
        return pixels

    def label(self, index: int) -> int:
        return self.pictures.label(index)


class _Rows(Dataset):
    """Rows of the data set."""

    def __init__(self, pictures: Pictures, mirror: bool) -> None:
        self.pictures, self.mirror = pictures, mirror

    def __getitem__(self, row: tuple[int, int]) -> tuple[np.ndarray, int]:
        index, mirrored = row
        pixels = self.pictures.image(index)
        return (pixels[:, ::-1] if self.mirror and mirrored else pixels), self.pictures.label(index)


class _PairRows(Dataset):
    """Rows of the data set as examples for a translator."""

    def __init__(self, pictures: Pictures, mirror: bool, settings: PairSettings, retriever: Retriever) -> None:
        self.pictures, self.mirror, self.settings, self.retriever = pictures, mirror, settings, retriever

    def __getitem__(self, row: tuple[int, int, int]) -> Pair:
        index, mirrored, seed = row
        mirrored = bool(self.mirror and mirrored)
        rng = np.random.default_rng(seed)
        return make_pair(self.pictures, index, mirrored, rng, self.settings, self.retriever.choose)


class _Steps:
    """The batch sampler: one process's rows of step, step + 1, ..."""

    def __init__(self, of: Callable[[int], list[Any]], step: int, rank: int, world: int) -> None:
        self.of, self.step, self.rank, self.world = of, step, rank, world

    def __iter__(self) -> Iterator[list[Any]]:
        for step in itertools.count(self.step):
            yield self.of(step)[self.rank :: self.world]


def _stack(items: list[tuple[np.ndarray, int]]) -> Batch:
    pixels, labels = zip(*items, strict=True)
    return Batch(images.to_float(np.stack(pixels)), torch.tensor(labels))


def stack_pairs(pairs: Sequence[Pair]) -> Pairs:
    """Examples as tensors."""
    condition, image, exemplar, exemplar_condition, flow, paired = (np.stack(part) for part in zip(*pairs, strict=True))
    return Pairs(
        torch.from_numpy(condition),
        images.to_float(image),
        images.to_float(exemplar),
        torch.from_numpy(exemplar_condition),
        torch.from_numpy(flow),
        torch.from_numpy(paired),
    )


def _deaf(worker: int) -> None:
    """Workers leave signals to the main process, which finishes its step and then stops them. In a session of their own
    they do not hear those sent to the whole group, as torchrun does; to ignore SIGTERM would deafen them to torch too.
    """
    if hasattr(os, "setsid"):
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


class _Batches(Generic[B]):
    """One process's rows of each step, from a given step on, read, stacked and brought to the device."""

    def __init__(
        self,
        dataset: Dataset,
        of: Callable[[int], list[Any]],
        stack: Callable[[list[Any]], B],
        *,
        step: int,
        workers: int,
        rank: int,
        world: int,
        device: torch.device | str,
    ) -> None:
        self.device = torch.device(device)
        self.loader = DataLoader(
            dataset,
            batch_sampler=_Steps(of, step, rank, world),  # type: ignore[arg-type]
            collate_fn=stack,
            num_workers=workers,
            worker_init_fn=_deaf if workers else None,
            pin_memory=self.device.type == "cuda",
            persistent_workers=workers > 0,
        )

    def __iter__(self) -> Iterator[B]:
        for batch in self.loader:
            yield type(batch)(*(part.to(self.device, non_blocking=True) for part in batch))


def _require_enough(batch: int, pictures: Pictures) -> None:
    if batch > len(pictures):
        raise DataError(
            f"the batch ({batch}) is larger than the data set ({len(pictures)} pictures).",
            "",
            f"Add pictures, or use a smaller batch: -s batch={max(len(pictures) // 4 * 4, 1)}",
        )


class Feed(_Batches[Batch]):
    """Batches from a given step on. Raises DataError where the batch is larger than the data.

    class_group: pictures in a group of one class (`class_rows`); 0 for one walk through all.
    """

    def __init__(
        self,
        pictures: Pictures,
        *,
        batch: int,
        seed: int,
        step: int = 0,
        mirror: bool = True,
        class_group: int = 0,
        workers: int = 0,
        rank: int = 0,
        world: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        _require_enough(batch, pictures)
        count = len(pictures)
        if class_group:
            labels = [pictures.label(i) for i in range(count)]
            of = partial(class_rows, seed, batch=batch, group=min(class_group, batch), labels=labels)
        else:
            of = partial(rows, seed, batch=batch, count=count)
        read = _Rows(_Kept(pictures, _MEMORY // max(workers, 1)), mirror)
        super().__init__(read, of, _stack, step=step, workers=workers, rank=rank, world=world, device=device)


class PairFeed(_Batches[Pairs]):
    """Examples for a translator from a given step on. Raises DataError where the batch is larger than the data."""

    def __init__(
        self,
        pictures: Pictures,
        retriever: Retriever,
        settings: PairSettings,
        *,
        batch: int,
        seed: int,
        step: int = 0,
        mirror: bool = True,
        workers: int = 0,
        rank: int = 0,
        world: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        _require_enough(batch, pictures)
        of = partial(pair_rows, seed, batch=batch, count=len(pictures))
        read = _PairRows(_Kept(pictures, _MEMORY // max(workers, 1)), mirror, settings, retriever)
        super().__init__(read, of, stack_pairs, step=step, workers=workers, rank=rank, world=world, device=device)
