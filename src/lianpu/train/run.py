"""What a session asks of a run, whatever its kind: its task, its data as batches, its sample sheet, what must hold before it begins."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from lianpu.checkpoint import Model
from lianpu.data.folder import Folder
from lianpu.train.world import World

__all__ = ["FromPictures", "Rehearsal", "Run"]


class Rehearsal(NamedTuple):
    """A task and a batch of noise for it: a step without data, to find what it costs."""

    task: Any
    batch: Any
    every: dict[str, int]
    """Steps from one update to the next of the same name; those that come at every step are left out."""


class Run(Protocol):
    """A run of one kind, as its session sees it."""

    LEARNS_FROM: ClassVar[Literal["data", "teacher"]]
    """Which option names what it learns from: pictures, or a model."""
    OF_RECIPE: ClassVar[tuple[str, ...]]
    """What the recipe says of the networks even in fine-tuning: it is the discriminator's, or does not change a weight."""
    task: Any
    classes: list[str]
    """Of the model, in the order of their numbers; empty if it knows none."""
    features: dict[str, str]
    """Name and SHA-256 of the network whose features the losses compare; empty where none does."""
    teacher: dict[str, str]
    """Name and SHA-256 of the model it learns from; empty where it learns from pictures."""

    def __init__(self, config: Any, source: Any, world: World) -> None: ...

    @staticmethod
    def open(config: Any, name: str) -> Any:
        """What it learns from: the source, named by the option LEARNS_FROM."""
        ...

    @staticmethod
    def facts(source: Any) -> dict[str, Any]:
        """Name, number, fingerprint, rights and licences of the pictures it learns from, directly or through a teacher."""
        ...

    @staticmethod
    def settled(config: Any, name: str) -> Any:
        """The configuration with what only this machine or the source of that name can say put in."""
        ...

    @staticmethod
    def fine_tuning(config: Any, net: Any) -> Any:
        """The recipe for a generator that exists."""
        ...

    @staticmethod
    def fits(config: Any, source: Any, local: int, parent: Model | None) -> None:
        """Raises where the settings, the source, the share of each process and the model to start from do not go together."""
        ...

    @staticmethod
    def rehearse(config: Any, world: World) -> Rehearsal:
        """One step on noise."""
        ...

    def remarks(self) -> list[str]:
        """What is said when it starts: first what it learns from, then what one should know of that."""
        ...

    def feed(self, step: int) -> Iterable[Any]: ...
    def sheet(self) -> np.ndarray: ...
    def warnings(self) -> list[str]: ...

    def model(self) -> tuple[nn.Module, nn.Module | None]:
        """What is saved: the averaged network, and the discriminator beside it."""
        ...

    def begin(self, network: nn.Module, discriminator: nn.Module | None) -> str:
        """Fine-tuning: starts from a model and the discriminator that lay beside it; what is to be said of it, or nothing."""
        ...


class FromPictures:
    """What runs have in common that learn from a data set, G against D."""

    LEARNS_FROM: ClassVar[Literal["data", "teacher"]] = "data"
    task: Any
    pictures: Folder
    teacher: dict[str, str] = {}  # noqa: RUF012 - never changed

    @staticmethod
    def open(config: Any, name: str) -> Folder:
        return Folder.open(Path(name), split="train", size=config.net.resolution)

    @staticmethod
    def facts(source: Folder) -> dict[str, Any]:
        return {
            "name": source.path.name,
            "images": len(source),
            "fingerprint": source.fingerprint,
            "rights": source.rights["status"],
            "licences": sorted(source.rights["licences"]),
        }

    def remarks(self) -> list[str]:
        return [f"{len(self.pictures)} pictures", *self.pictures.remarks()]

    def model(self) -> tuple[nn.Module, nn.Module | None]:
        return self.task.G_ema, self.task.D

    def begin(self, network: nn.Module, discriminator: nn.Module | None) -> str:
        self.task.G.load_state_dict(network.state_dict())
        self.task.G_ema.load_state_dict(network.state_dict())
        if discriminator is not None and _shapes(discriminator) == _shapes(self.task.D):
            self.task.D.load_state_dict(discriminator.state_dict())
            return ""
        anew = "has none" if discriminator is None else "has one for another regime"
        return f"the discriminator starts anew (it {anew})"


def _shapes(net: nn.Module) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in net.state_dict().items()}
