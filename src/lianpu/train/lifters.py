"""Runs that train a lifter: a teacher in, no pictures; a student that takes its faces apart (`lift.LiftTask`), and a sample sheet of the
same faces turned, relit and taken apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import repeat
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from lianpu import checkpoint, images
from lianpu.checkpoint import Model
from lianpu.config import DiganConfig, LiftConfig, StyleGAN2Config, from_dict
from lianpu.errors import ModelError
from lianpu.nets import features
from lianpu.nets.digan import Digan, Face, frontal, paint
from lianpu.nets.stylegan2 import Discriminator, Generator
from lianpu.randomness import generator
from lianpu.render import camera, frames, surface
from lianpu.render.views import Seen
from lianpu.train.lift import LiftTask
from lianpu.train.run import Rehearsal
from lianpu.train.world import World

__all__ = ["LifterRun", "Teacher"]

LEGIBLE = 128  # pixels a picture takes on the sheet at least
TURNS = (-45.0, -22.5, 22.5, 45.0)  # degrees of yaw on the sheet
RELIT = (
    (-1.0, -0.3),
    (1.0, -0.3),
)  # directions of the light on the sheet, from the left and from the right, a little from above
LAMP = (-0.6, 0.6)  # ambient and diffuse there, raw


@dataclass(frozen=True)
class Teacher:
    """A StyleGAN2 that is to be lifted: a model of that kind, or the one inside a DIGAN."""

    G2D: Generator
    D: Discriminator | None
    """What it was trained against, where that was kept."""
    model: Model
    known: dict[str, str]
    """Name and SHA-256 of the StyleGAN2."""

    @classmethod
    def open(cls, name: str, device: torch.device | str = "cpu") -> Teacher:
        """ModelError for a model of another kind."""
        model, _ = _described(name)
        network, model = checkpoint.load_model(name, model.kind, device)
        D = checkpoint.load_discriminator(name, model.kind)
        G2D = network.G2D if isinstance(network, Digan) else network
        assert isinstance(G2D, Generator)
        assert D is None or isinstance(D, Discriminator)
        if D is not None:
            D.to(device)
        own = {"name": model.recipe or checkpoint.find_model(name).name, "sha256": model.sha256}
        return cls(G2D, D, model, model.teacher or own)


def _described(name: str) -> tuple[Model, StyleGAN2Config]:
    """What is known of a teacher before its numbers are read."""
    folder = checkpoint.find_model(name)
    model = checkpoint.read_model(folder)
    if model.kind not in ("stylegan2", "digan"):
        raise ModelError(
            f"this is a {model.kind}, and a teacher must be a stylegan2.",
            f"model: {folder}",
            "Give --teacher a model that paints new pictures, such as one of recipe tiny-64-heads-teacher.",
        )
    found = from_dict(checkpoint.KINDS[model.kind].config, model.config)
    return model, found.teacher if isinstance(found, DiganConfig) else found


class LifterRun:
    """A run of `lift.LiftTask` (see `run.Run`)."""

    LEARNS_FROM: ClassVar[Literal["data", "teacher"]] = "teacher"
    OF_RECIPE: ClassVar[tuple[str, ...]] = ("gate", "texture")

    def __init__(self, config: LiftConfig, source: Teacher, world: World) -> None:
        self.config, self.world = config, world
        self.G2D, self.D = source.G2D.to(world.device), source.D
        phi = _trunk(config.features, source.D, source.model.discriminator_sha256).to(world.device)
        self.task = LiftTask(config, self.G2D, phi, world).to(world.device)
        self.classes = list(source.model.classes)
        self.features = {"name": phi.name, "sha256": phi.sha256}
        self.teacher = source.known
        self.about = f"{source.known['name']} as teacher"

    @staticmethod
    def open(config: LiftConfig, name: str) -> Teacher:
        return Teacher.open(name)

    @staticmethod
    def facts(source: Teacher) -> dict[str, Any]:
        """Its teacher's: what that has learnt from, it learns from."""
        unknown = {"name": "not recorded", "images": 0, "fingerprint": "", "rights": "unknown", "licences": []}
        return {**unknown, **source.model.data}

    @staticmethod
    def settled(config: LiftConfig, name: str) -> LiftConfig:
        """The teacher's sizes; a run keeps the features it began with, whatever weights this machine has later."""
        model, sizes = _described(name)
        chosen = config.features
        if chosen == "auto" and (chosen := features.perceptual_name()) == "random" and model.discriminator_sha256:
            chosen = "discriminator"
        return replace(config, net=replace(config.net, teacher=sizes), features=chosen)

    @staticmethod
    def fine_tuning(config: LiftConfig, net: DiganConfig) -> LiftConfig:
        """The moving average, which is good already, needs no ramp; what the model's networks have no use for is left out."""
        front = config.weights.front if net.directions else 0.0
        shift = 0.0 if net.aligned else config.shift
        return replace(config, net=net, weights=replace(config.weights, front=front), shift=shift, ema_ramp=0.0)

    @staticmethod
    def fits(config: LiftConfig, source: Teacher, local: int, parent: Model | None) -> None:
        if parent and parent.teacher != source.known:
            raise ModelError(
                "the model was distilled from another teacher.",
                f"of {parent.teacher.get('sha256', '')[:12]}, not {source.known['name']} ({source.known['sha256'][:12]})",
                "Leave --teacher away: the model has its own inside.",
            )

    @staticmethod
    def rehearse(config: LiftConfig, world: World) -> Rehearsal:
        """With a teacher and features of random numbers: what they cost does not depend on their values."""
        G2D, D = Generator(config.net.teacher).to(world.device), Discriminator(config.net.teacher).to(world.device)
        chosen = "random" if config.features == "auto" else config.features
        phi = _trunk(chosen, D, "").to(world.device)
        kind = Unseen if world.device.type == "meta" else LiftTask
        return Rehearsal(kind(config, G2D, phi, world).to(world.device), None, {})

    def remarks(self) -> list[str]:
        return [self.about]

    def feed(self, step: int) -> repeat[None]:
        """Nothing, for ever."""
        return repeat(None)

    def model(self) -> tuple[nn.Module, nn.Module | None]:
        with torch.device("meta"):
            whole = Digan(self.config.net)
        whole.G2D, whole.G3D = self.G2D, self.task.G3D_ema
        return whole, self.D

    def begin(self, network: nn.Module, discriminator: nn.Module | None) -> str:
        assert isinstance(network, Digan)
        for mine in (self.task.G3D, self.task.G3D_ema):
            mine.load_state_dict(network.G3D.state_dict())
        return ""

    @cached_property
    def examples(self) -> Tensor:
        """Codes w (n, w_dim), the same at every tick; with classes, one after the other."""
        c, net = self.config, self.config.net.teacher
        z = torch.randn(c.samples, net.z_dim, generator=generator(c.seed, "samples")).to(self.world.device)
        labels = torch.arange(c.samples, device=z.device) % net.classes if net.classes else None
        means = self.task.w_mean.expand(c.samples, -1) if labels is None else self.task.w_mean[labels]
        return torch.lerp(means, self.G2D.mapping(z, labels)[:, 0], c.truncation)

    @torch.no_grad()
    def sheet(self) -> np.ndarray:
        """The teacher's picture, the render of it, the face from the front and turned, its depth, normals and albedo, and in light from
        the left and the right: a row for each face.
        """
        rows = [self._row(w[None]) for w in self.examples]
        times = -(-LEGIBLE // self.config.net.resolution)
        cells = [images.to_uint8(x)[0].repeat(times, 0).repeat(times, 1) for row in rows for x in row]
        return images.sheet(cells, columns=len(rows[0]))

    def _row(self, w: Tensor) -> list[Tensor]:
        """Pictures (1, 3, h, w) of one face."""
        student = self.task.G3D_ema
        face = student(w, self.G2D)
        V, L = face.view, face.light
        front = torch.zeros_like(V)
        turned = (camera.raw_view(yaw).to(V) for yaw in TURNS)
        lit = (torch.tensor([[*LAMP, *direction]], device=w.device) for direction in RELIT)
        return [
            paint(self.G2D, w)[0],
            student.look(face, V, L).image,
            face.picture,
            *(student.look(face, view, frontal(L)).image for view in turned),
            frames.depth_picture(face.depth),
            frames.normal_picture(surface.normals(face.depth)),
            face.albedo,
            *(student.look(face, front, light).image for light in lit),
        ]

    def warnings(self) -> list[str]:
        return []


class Unseen(LiftTask):
    """The task on the meta device, where no pixel can tell which triangle it sees: here each sees the point of the mesh that bears its
    number. What finds the triangles costs no matrix product and keeps nothing for its backward but the corners that are kept here too.
    """

    def look(self, face: Face, view: Tensor, light: Tensor, *, mirrored: bool = False) -> Seen:
        lit = surface.relight(face.albedo, surface.shading(surface.normals(face.depth), surface.light(light)))
        still = camera.unproject(face.depth)
        T = face.transform[:, 0, :, :, None]
        moved = camera.project(T * camera.move(still, camera.pose(view)) + (1 - T) * still, face.depth.shape[-1])
        corners = moved[..., None, :].expand(*moved.shape[:-1], 3, 3).contiguous()
        weights = (corners[..., 0] * corners[..., 1]).softmax(-1)
        colours = lit.permute(0, 2, 3, 1)[..., None, :].expand(*moved.shape[:-1], 3, 3).contiguous()
        image = (weights[..., None] * colours).sum(-2).permute(0, 3, 1, 2)
        return Seen(image, moved[..., 2], moved[..., 2] > 0)


def _trunk(name: str, D: Discriminator | None, sha256: str) -> features.Critic | features.Perceptual:
    """The network whose features are compared."""
    if name != "discriminator":
        return features.perceptual(name)
    if D is None:
        raise ModelError(
            "the teacher's discriminator is not beside it, and its features are to be compared.",
            "discriminator.safetensors is missing.",
            "Bring it, or compare others: -s features=auto",
        )
    return features.Critic(D, sha256)
