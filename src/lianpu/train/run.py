"""What a session asks of a run, whatever its kind: its task, its data as batches, its sample sheet, what must hold before it begins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from lianpu.checkpoint import Model
from lianpu.data.folder import Folder
from lianpu.train.world import World

__all__ = ["Rehearsal", "Run"]


class Rehearsal(NamedTuple):
    """A task and a batch of noise for it: a step without data, to find what it costs."""

    task: Any
    batch: Any
    every: dict[str, int]
    """Steps from one update to the next of the same name; those that come at every step are left out."""


class Run(Protocol):
    """A run of one kind, as its session sees it."""

    OF_RECIPE: ClassVar[tuple[str, ...]]
    """What the recipe says of the networks even in fine-tuning: it is the discriminator's, or does not change a weight."""
    task: Any
    classes: list[str]
    """Of the model, in the order of their numbers; empty if it knows none."""
    features: dict[str, str]
    """Name and SHA-256 of the network whose features the losses compare; empty where none does."""

    def __init__(self, config: Any, pictures: Folder, world: World) -> None: ...

    @staticmethod
    def settled(config: Any) -> Any:
        """The configuration with what only this machine can say put in."""
        ...

    @staticmethod
    def fine_tuning(config: Any, net: Any) -> Any:
        """The recipe for a generator that exists."""
        ...

    @staticmethod
    def fits(config: Any, pictures: Folder, local: int, parent: Model | None) -> None:
        """Raises where the settings, the data, the share of each process and the model to start from do not go together."""
        ...

    @staticmethod
    def rehearse(config: Any, world: World) -> Rehearsal:
        """One step on noise."""
        ...

    def feed(self, step: int) -> Iterable[Any]: ...
    def sheet(self) -> np.ndarray: ...
    def warnings(self) -> list[str]: ...
