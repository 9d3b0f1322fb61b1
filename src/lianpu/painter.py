"""New pictures from a trained generator. Each is a function of the model and its own seed alone: it is computed by itself, so neither
the number of pictures nor any batch changes a byte of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lianpu import checkpoint, images, provenance
from lianpu.checkpoint import Model
from lianpu.errors import DataError, ModelError, UsageError
from lianpu.nets.stylegan2 import Generator
from lianpu.randomness import latent

__all__ = ["Painter", "Subject"]


@dataclass(frozen=True)
class Subject:
    """Everything one picture is a function of, beside the model."""

    seed: int
    label: str | None = None
    """A class of the model, for instance red."""
    truncation: float = 0.7
    """psi: 1 is the model's full variety, 0 its average picture (Karras et al. 2019, Appendix B)."""
    mix_seed: int | None = None
    """The picture whose fine styles are taken (style mixing)."""
    mix_label: str | None = None
    mix_from: int | None = None
    """The first layer that takes them."""
    morph_seed: int | None = None
    """The picture towards which its styles go."""
    morph_label: str | None = None
    morph: float | None = None
    """How far, from 0 (not at all) to 1 (that picture)."""


class Painter:
    """A loaded generator that paints subjects."""

    def __init__(self, name: str | Path, device: torch.device | str = "cpu") -> None:
        network, self.model = checkpoint.load_model(name, "stylegan2", device)
        assert isinstance(network, Generator)
        self.network, self.name, self.device = network, Path(name).name, torch.device(device)

    @property
    def layers(self) -> int:
        """Style vectors a picture takes."""
        return self.network.config.num_ws

    def subjects(self, count: int, seed: int, *, label: str | None = None, truncation: float = 0.7) -> list[Subject]:
        """`count` subjects with seeds seed, seed + 1, ...; where the model has classes and none is asked for, they take turns."""
        if count < 1:
            raise UsageError(f"-n is {count}; ask for at least one picture.")
        if not -2 <= truncation <= 2:  # not-a-number is in no range
            raise UsageError(f"--truncation {truncation} is outside -2 to 2.", fix="Use 0.7, or 1 for full variety.")
        seeds = range(seed, seed + count)
        return [Subject(each, self.model.class_of_seed(each, label), truncation) for each in seeds]

    @torch.no_grad()
    def styles(self, subject: Subject) -> Tensor:
        """Styles (1, num_ws, w_dim) of a subject."""
        ws = self._styles_of(subject.seed, subject.label, subject.truncation)
        if subject.morph_seed is not None:
            share = 0.5 if subject.morph is None else subject.morph
            if not 0 <= share <= 1:
                raise UsageError(f"--at {share} is outside 0 to 1.", fix="0 is the first picture, 1 the second.")
            there = self._styles_of(subject.morph_seed, subject.morph_label or subject.label, subject.truncation)
            ws = torch.lerp(ws, there, share)
        if subject.mix_seed is not None:
            first = subject.mix_from if subject.mix_from is not None else self.layers // 2
            if not 1 <= first < self.layers:
                raise UsageError(f"--mix-from {first} is outside 1 to {self.layers - 1}.")
            other = self._styles_of(subject.mix_seed, subject.mix_label or subject.label, subject.truncation)
            ws = torch.cat([ws[:, :first], other[:, first:]], dim=1)
        return ws

    def _styles_of(self, seed: int, label: str | None, truncation: float) -> Tensor:
        z = latent(seed, self.network.config.z_dim).to(self.device)
        number = self.model.class_number(label)
        return self.network.mapping(
            z, None if number is None else torch.tensor([number], device=self.device), truncation=truncation
        )

    @torch.no_grad()
    def paint_styles(self, ws: Tensor) -> np.ndarray:
        """The picture (h, w, 3) uint8 of styles (1, num_ws, w_dim); noise is the model's own constant one."""
        return images.to_uint8(self.network.synthesis(ws, noise="const"))[0]

    def paint(self, subject: Subject) -> np.ndarray:
        return self.paint_styles(self.styles(subject))

    def walk(self, subjects: Sequence[Subject], frames: int) -> Iterator[np.ndarray]:
        """A closed walk through the styles of `subjects`, `frames` pictures from each to the next, easing in and out."""
        stops = [self.styles(s) for s in subjects]
        for here, there in zip(stops, stops[1:] + stops[:1], strict=True):
            for i in range(frames):
                t = 0.5 - 0.5 * np.cos(np.pi * i / frames)
                yield self.paint_styles(torch.lerp(here, there, float(t)))

    # ------------------------------------------------------------------------------------------------------------ provenance

    def recipe(self, subject: Subject) -> dict[str, Any]:
        """What the picture's file says of it."""
        return {
            "verb": "generate",
            "model": {"name": self.name, "sha256": self.model.sha256, "recipe": self.model.recipe},
            "subject": {k: v for k, v in asdict(subject).items() if v is not None},
            "data": provenance.material(self.model.data),
            "device": self.device.type,
        }

    def png(self, subject: Subject) -> bytes:
        """The picture as a PNG that carries its recipe."""
        return images.encode_png(self.paint(subject), provenance.png_text(self.recipe(subject)))


def subject_of(recipe: dict[str, Any]) -> Subject:
    """The subject in a recipe read from a file, checked."""
    values = recipe.get("subject")
    if recipe.get("verb") != "generate" or not isinstance(values, dict):
        raise DataError(
            f"this is no single picture of a model, but what `{recipe.get('verb')}` made.",
            fix="Only generated pictures can be made again or mixed.",
        )
    kinds = {
        "seed": int, "label": str, "truncation": (int, float), "mix_seed": int, "mix_label": str, "mix_from": int,
        "morph_seed": int, "morph_label": str, "morph": (int, float),
    }  # fmt: skip
    if "seed" not in values or any(k not in kinds or not isinstance(v, kinds[k]) for k, v in values.items()):
        raise DataError("the recipe of this picture is damaged.", f"subject: {values}")
    return Subject(**values)


def parse_source(text: str, painter: Painter, label: str | None, truncation: float, flag: str = "--mix") -> Subject:
    """One end of --mix or --morph: a seed, or a picture made by this model, which stays what it is."""
    if text.lstrip("-").isdigit():
        return painter.subjects(1, int(text), label=label, truncation=truncation)[0]
    path = Path(text)
    if not path.is_file():
        raise UsageError(
            f"{flag} takes seeds or pictures, and {text!r} is neither.",
            fix=f"For instance: {flag} 3 17, or {flag} a.png b.png",
        )
    recipe = provenance.read_recipe(path)
    made_by = recipe.get("model", {}).get("sha256")
    if made_by != painter.model.sha256:
        raise ModelError(
            f"{path.name} was made by another model.",
            f"its model: {str(made_by)[:12]}, this one: {painter.model.sha256[:12]}",
        )
    subject = subject_of(recipe)
    second = subject.mix_seed if subject.mix_seed is not None else subject.morph_seed
    if second is not None:
        raise UsageError(
            f"{path.name} is itself a mix.", fix=f"Take its parents, the seeds {subject.seed} and {second}."
        )
    if label not in (None, subject.label):
        raise UsageError(
            f"{path.name} is of class {subject.label}, not {label}.", fix="Leave --class away, or give seeds."
        )
    return subject


def require_same_model(recipe: dict[str, Any], model: Model) -> None:
    """ModelError unless `model` is the one that made the picture."""
    made_by = recipe.get("model", {}).get("sha256")
    if made_by != model.sha256:
        raise ModelError(
            "the model here is not the one that made this picture.",
            f"SHA-256 {model.sha256[:12]} instead of {str(made_by)[:12]}",
            "Give the original model: --model FOLDER",
        )
