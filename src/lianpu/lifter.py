"""Faces with a shape, from a trained DIGAN or LiftedGAN: of a seed, or of a photograph that is first found among the model's codes
(`inversion`). Each can be turned, relit, taken apart into maps, filmed and exported as a mesh.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from lianpu import checkpoint, files, images, inversion, provenance, recipes, weights
from lianpu.config import LiftConfig
from lianpu.data.crop import Find, aligned, portrait, square
from lianpu.errors import DataError, ModelError, UsageError, did_you_mean
from lianpu.export import mesh, video
from lianpu.nets import features, mtcnn
from lianpu.nets.digan import Digan, Face
from lianpu.ops.resample import gaussian
from lianpu.render import camera, frames, layers, surface
from lianpu.render.layers import Layers

__all__ = ["MAPS", "Lamp", "Lifted", "Lifter", "Wanted", "again", "kept", "yaws_of"]

MAPS = ("depth", "normal", "albedo", "shading", "transform")
SWING = 45.0  # degrees to either side, of a film of a head that turns
FRAMES = 72  # of a film
FINE = 256  # points of a mesh across, about, where the head was cut out of its ground
MOST = round(math.degrees(camera.ROTATION))  # degrees that a view can say
LEAST = 0.05  # of a picture that a head covers at least
UNLIKE = 0.1  # mean error of a picture that was found, in a range of 2, beyond which it is another one; drawn heads have 0.04
SMALLEST = 32  # pixels of a photograph below which no face can be told
CROPS = ("auto", "face", "centre")
LIGHT_FIX = "--light x,y,ambient,diffuse, for instance --light 0.5,-0.3,0.4,0.6"


Lay = Callable[[np.ndarray], np.ndarray]
"""A picture uint8 (h, w, 3) in the model's square."""


@dataclass(frozen=True)
class Lamp:
    """A light: where it comes from, as (x, y, 1) with x to the right and y down, and how much of it there is."""

    x: float = 0.0
    y: float = 0.0
    ambient: float = 0.5
    """What reaches every place, 0 to 1."""
    diffuse: float = 0.5
    """What a place that faces the light gets beside that, 0 to 1."""

    def __post_init__(self) -> None:
        for name, low in (("x", -1), ("y", -1), ("ambient", 0), ("diffuse", 0)):
            if not low <= getattr(self, name) <= 1:  # not-a-number is in no range
                raise UsageError(
                    f"the light's {name} is {getattr(self, name):g}, outside {low} to 1.",
                    fix=LIGHT_FIX,
                )

    @classmethod
    def read(cls, text: str) -> Lamp:
        """From "x,y,ambient,diffuse"."""
        try:
            return cls(*(float(part) for part in text.split(",")))
        except (ValueError, TypeError):
            raise UsageError(f"--light {text!r} is no light.", fix=LIGHT_FIX) from None

    @property
    def said(self) -> str:
        """What `read` reads."""
        return ",".join(map(repr, (self.x, self.y, self.ambient, self.diffuse)))

    def raw(self, like: Tensor) -> Tensor:
        """As a network says it, (1, 4)."""
        return like.new_tensor([[2 * self.ambient - 1, 2 * self.diffuse - 1, self.x, self.y]])


def yaws_of(text: str) -> list[float]:
    """Degrees from "-60:60:9", nine from -60 to 60, or "0,20,-20"."""
    try:
        if ":" in text:
            first, last, count = text.split(":")
            found = np.linspace(float(first), float(last), int(count)).tolist()
        else:
            found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(math.isfinite(yaw) for yaw in found):
        raise UsageError(f"--yaw {text!r} says no angles.", fix="--yaw -60:60:9 for nine of them, or --yaw 0,20")
    if any(abs(yaw) > MOST for yaw in found):
        raise UsageError(f"--yaw {text} goes beyond {MOST:g} degrees to a side.", fix=f"--yaw -{MOST:g}:{MOST:g}:9")
    if len(found) > 720:
        raise UsageError(f"--yaw {text} asks for {len(found)} pictures.", fix="Use --turntable for a film.")
    return found


@dataclass
class Lifted:
    """A face with its shape, and how it came about."""

    name: str
    face: Face
    source: str
    """A photograph's name, or "seed 7"."""
    model: str
    """Name and SHA-256 of the model."""
    facts: dict[str, Any]
    """What its files say of it."""
    photograph: bool = False
    layered: bool = False
    """Whether the face stands before a plain ground: the head is cut out of it, and turns before it."""
    trained: float = LiftConfig().yaw
    """Degrees of yaw that the model was shown in training, to either side."""

    @property
    def size(self) -> int:
        return self.face.depth.shape[-1]

    @property
    def shown(self) -> int:
        """Pixels of its pictures where nobody says how many: four times the model's, up to 256."""
        return max(self.size, min(4 * self.size, 256))

    @cached_property
    def layers(self) -> Layers | None:
        """The head and its ground apart; None where one mesh is both, or where no head was found in it."""
        f = self.face
        found = layers.split(f.picture, f.depth, f.albedo) if self.layered else None
        return None if found is None or float(found.cover.mean()) < LEAST else found

    @property
    def depth(self) -> Tensor:
        """(1, h, w): of the mesh that is drawn."""
        return self.layers.depth if self.layers else self.face.depth

    @property
    def albedo(self) -> Tensor:
        """(1, 3, h, w): of the mesh that is drawn."""
        return self.layers.albedo if self.layers else self.face.albedo

    @property
    def head(self) -> Tensor:
        """(h, w) bool: the pixels that belong to the head, not to the ground."""
        return self.layers.cover[0, 0] > 0.5 if self.layers else self.face.depth[0] < camera.GROUND

    @property
    def normals(self) -> Tensor:
        """(1, 3, h, w): of what is lit."""
        return self.layers.normals if self.layers else surface.normals(self.face.depth)

    def light(self, lamp: Lamp | surface.Light | None) -> surface.Light:
        """The light of a lamp; the face's own by default."""
        if isinstance(lamp, surface.Light):
            return lamp
        return surface.light(self.face.light if lamp is None else lamp.raw(self.face.light))

    def lit(self, light: surface.Light) -> Tensor:
        """The face from the front in a light, (1, 3, h, w)."""
        return surface.relight(self.albedo, surface.shading(self.normals, light))

    @torch.no_grad()
    def seen(
        self, yaws: Sequence[float], pitch: float = 0.0, roll: float = 0.0, lamp: Lamp | None = None, size: int = 0
    ) -> Iterator[np.ndarray]:
        """The face at each yaw, degrees: uint8 (size, size, 3), by default `shown` pixels wide."""
        return self.turned(yaws, self.light(lamp), size or self.shown, pitch=pitch, roll=roll)

    @torch.no_grad()
    def turned(
        self, yaws: Sequence[float], light: surface.Light, size: int, *, pitch: float = 0.0, roll: float = 0.0
    ) -> Iterator[np.ndarray]:
        """The same in any light, which turns with the face."""
        picture, T, ground = self.lit(light), self.face.transform, None
        if self.layers:
            picture, T, ground = torch.cat([picture, self.layers.cover], 1), None, self.layers.ground
        return frames.turned(self.depth, picture, T, yaws, pitch=pitch, roll=roll, size=size, ground=ground)

    def relit(self, angles: Sequence[float], size: int = 0) -> Iterator[np.ndarray]:
        """The face from the front in light from each angle, degrees, positive from the right."""
        f, apart, size = self.face, self.layers, size or max(self.size, 256)
        if apart is None:
            return frames.relit(f.depth, f.albedo, f.transform, angles, size=size)
        return frames.relit(
            apart.depth, apart.albedo, None, angles, size=size, normals=apart.normals, cover=apart.cover, ground=apart.ground
        )  # fmt: skip

    @torch.no_grad()
    def maps(
        self, names: Sequence[str], lamp: Lamp | surface.Light | None = None
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """{name: (numbers, picture)}: depth (h, w) in the renderer's lengths, normals (h, w, 3) with x right, y down, z to the viewer,
        albedo (h, w, 3), shading (h, w) and what moves with the head (h, w), each float32, and a picture uint8 (h, w, 3) of it. Those of
        what is drawn: numbers of a head that was cut out go on beyond its outline, which "transform" tells; pictures end there.
        """
        depth, albedo, normals, T, apart = self.depth, self.albedo, self.normals, self.face.transform, self.layers
        shading = surface.shading(normals, self.light(lamp))
        numbers = {
            "depth": depth[0], "normal": normals[0].permute(1, 2, 0), "albedo": albedo[0].permute(1, 2, 0) / 2 + 0.5,
            "shading": shading[0, 0], "transform": (apart.cover if apart else T)[0, 0],
        }  # fmt: skip
        pictures = {
            "depth": frames.depth_picture(depth), "normal": frames.normal_picture(normals), "albedo": albedo,
            "shading": frames.shading_picture(shading), "transform": (2 * T - 1).expand(-1, 3, -1, -1),
        }  # fmt: skip
        if apart:
            facing = albedo.new_tensor([0.0, 0.0, 1.0])[:, None, None].expand_as(albedo)
            behind = {"depth": facing * 0 - 1, "normal": facing, "albedo": apart.ground, "shading": facing * 0}
            pictures |= {name: torch.lerp(ground, pictures[name], apart.cover) for name, ground in behind.items()}
            pictures["transform"] = (2 * apart.cover - 1).expand(-1, 3, -1, -1)
        return {name: (numbers[name].float().cpu().numpy(), images.to_uint8(pictures[name])[0]) for name in names}

    @torch.no_grad()
    def mesh(self, lamp: Lamp | None = None) -> mesh.Mesh:
        """The head without its ground, in its own paint: shading is the viewer's work. A lamp paints its light on."""
        texture = self.albedo if lamp is None else self.lit(self.light(lamp))
        if self.layers is None:
            return mesh.of_depth(self.depth[0], texture[0].clamp(-1, 1), keep=self.head)
        times = max(1, round(FINE / self.size))
        fine = times * (self.size - 1) + 1  # an outline that was cut is as smooth as its cover

        def finer(x: Tensor) -> Tensor:
            return F.interpolate(x, size=(fine, fine), mode="bicubic", align_corners=True)[0]

        depth, texture, cover = finer(self.depth[None]), finer(texture).clamp(-1, 1), finer(self.layers.cover)
        depth = gaussian(depth[None], times * 0.75)[0]  # the pixels' grid would show as ridges in a light from aside
        return mesh.of_depth(depth[0], texture, keep=cover[0] > 0.5)

    def keep(self, path: Path) -> None:
        """Writes the face to a file that `kept` reads: a photograph need not be looked for again."""
        about = {
            "name": self.name, "source": self.source, "model": self.model, "facts": self.facts, "photograph": self.photograph,
            "layered": self.layered, "trained": self.trained,
        }  # fmt: skip
        tensors = {name: each.cpu().contiguous() for name, each in self.face._asdict().items()}
        files.atomic_write(path, save(tensors, {"lianpu": json.dumps(about, ensure_ascii=False)}))

    @property
    def origin(self) -> mesh.Origin:
        kind = "compositeWithTrainedAlgorithmicMedia" if self.photograph else "trainedAlgorithmicMedia"
        return mesh.Origin(self.source, self.model, kind)


def kept(path: Path) -> Lifted:
    """The face that `Lifted.keep` wrote."""
    about, maps = _read(path, Face._fields)
    return Lifted(face=Face(*maps), **about)


def facts_of(path: Path) -> dict[str, Any]:
    """The facts of a kept face, without reading all of it."""
    return _read(path, ())[0].get("facts") or {}


def _read(path: Path, names: Sequence[str]) -> tuple[dict[str, Any], list[Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            return dict(json.loads(file.metadata()["lianpu"])), [file.get_tensor(name) for name in names]
    except (OSError, SafetensorError, TypeError, ValueError, KeyError) as error:
        raise DataError(f"{path.name} holds no face: {error}", str(path), "Look for the photograph again.") from None


def again(lifted: Lifted, recipe: dict[str, Any], size: int) -> np.ndarray:
    """The pixels of the view or map, `size` x `size`, that a recipe tells of; `lifted` is its face."""
    light = recipe.get("light")
    lamp = Lamp.read(str(light)) if light != "own" else None
    name = recipe.get("map")
    if name in MAPS:
        return lifted.maps([name], lamp)[name][1]
    try:
        pitch, roll = float(recipe.get("pitch", 0)), float(recipe.get("roll", 0))
    except (TypeError, ValueError):
        raise DataError("the recipe names no view of a face.") from None
    wanted = Wanted(yaws_of(str(recipe.get("yaw"))), pitch, roll, lamp, size)  # checks what a stranger may have written
    return next(lifted.seen(wanted.yaws, pitch, roll, lamp, size))


@dataclass(frozen=True)
class Wanted:
    """What is asked of a lifted face, checked before the work is done. Pictures carry their recipe."""

    yaws: Sequence[float] = ()
    """Degrees: a picture of each."""
    pitch: float = 0.0
    roll: float = 0.0
    lamp: Lamp | None = None
    """The face's own light by default."""
    size: int = 0
    """Pixels of pictures and films; 0: what suits the model."""
    maps: Sequence[str] = ()
    export: Sequence[Path] = ()
    height_mm: float | None = None
    """How tall the head is in truth."""
    turntable: Path | None = None
    relight: Path | None = None
    out: Path = Path("lifted")

    def __post_init__(self) -> None:
        for name in self.maps:
            if name not in MAPS:
                raise UsageError(f"there is no map {name!r}.", fix=did_you_mean(name, MAPS))
        for path in self.export:
            mesh.check(path)
        for path in self._films:
            if path.suffix.lower() != ".mp4":
                raise UsageError(
                    f"films are written as MP4, not {path.suffix or 'without an ending'}.", str(path), "Name it .mp4."
                )
        for name, angle in (("pitch", self.pitch), ("roll", self.roll)):
            if not abs(angle) <= MOST:  # not-a-number is in no range
                raise UsageError(f"--{name} {angle:g} goes beyond {MOST:g} degrees.")
        if self.size and not 16 <= self.size <= 2048:
            raise UsageError(f"--size {self.size} is outside 16 to 2048 pixels.", fix="Use 256.")
        if self.height_mm is not None and not 0 < self.height_mm < 1e6:
            raise UsageError(f"--height-mm {self.height_mm:g} cannot be given to a head.", fix="Give its true height.")

    @property
    def _films(self) -> list[Path]:
        return [path for path in (self.turntable, self.relight) if path is not None]

    def _view(self, name: str, yaw: float) -> Path:
        said = f"{yaw:+03.0f}" if float(yaw).is_integer() else f"{yaw:+06.2f}"
        return self.out / f"{name}-yaw{said}.png"

    def files(self, name: str) -> list[Path]:
        """Where the files of a face of this name will lie."""
        views = [self._view(name, yaw) for yaw in self.yaws]
        maps = [self.out / f"{name}-{each}.png" for each in self.maps]
        if maps:
            maps.append(self.out / f"{name}-maps.npz")
        return [*views, *maps, *(each for path in self.export for each in mesh.files_of(path)), *self._films]

    def warnings(self, lifted: Lifted) -> list[str]:
        """What whoever uses the files should know."""
        said = []
        beyond = [yaw for yaw in self.yaws if abs(yaw) > lifted.trained]
        if beyond:
            said.append(
                f"turned by up to {max(map(abs, beyond)):g} degrees, and the model was trained on {lifted.trained:g}: sides are a guess"
            )
        found = lifted.facts.get("inverted")
        said += found["laid"] if found else []
        if found and (found["spread"] > 2 or found["error"] > UNLIKE):
            said.append(
                "the photograph is far from all that the model knows: the shape is that of a face it knows, not of this one"
            )
        return said

    def write(
        self, lifted: Lifted, count: Callable[[int, int, str], object] = lambda done, total, what: None
    ) -> list[Path]:
        """All of it, each file saying how it came about; the paths in the order of `files`, a mesh's second files beside it.

        count: told of the frames of each film.
        """
        kind, written = lifted.origin.kind, []
        warnings = self.warnings(lifted)
        facts = {**lifted.facts, "light": self.lamp.said if self.lamp else "own"}
        facts |= {"warnings": warnings} if warnings else {}

        def picture(path: Path, pixels: np.ndarray, **more: Any) -> None:
            files.atomic_write(path, images.encode_png(pixels, provenance.png_text({**facts, **more}, kind)))
            written.append(path)

        def film(path: Path, made: Iterator[np.ndarray]) -> None:
            def counted() -> Iterator[np.ndarray]:
                for done, pixels in enumerate(made, 1):
                    yield pixels
                    count(done, FRAMES, "frames")

            video.write_mp4(path, counted(), comment=provenance.png_text(facts, kind)["lianpu"])

        seen = lifted.seen(self.yaws, self.pitch, self.roll, self.lamp, self.size)
        for yaw, pixels in zip(self.yaws, seen, strict=True):
            picture(self._view(lifted.name, yaw), pixels, yaw=yaw, pitch=self.pitch, roll=self.roll)
        if self.maps:
            made = lifted.maps(self.maps, self.lamp)
            for each, (_, pixels) in made.items():
                picture(self.out / f"{lifted.name}-{each}.png", pixels, map=each)
            whole = io.BytesIO()
            np.savez_compressed(whole, **{each: numbers for each, (numbers, _) in made.items()})  # type: ignore[arg-type]
            written.append(self.out / f"{lifted.name}-maps.npz")
            files.atomic_write(written[-1], whole.getvalue())
        for path in self.export:
            written += mesh.write(path, lifted.mesh(self.lamp), lifted.origin, height_mm=self.height_mm)
        if self.turntable is not None:
            turned = frames.swing(SWING, FRAMES)
            film(self.turntable, lifted.seen(turned, self.pitch, self.roll, self.lamp, self.size))
        if self.relight is not None:
            film(self.relight, lifted.relit(frames.swing(60, FRAMES), self.size))
        return written + self._films


class Lifter:
    """A loaded DIGAN or LiftedGAN."""

    def __init__(self, name: str | Path, device: torch.device | str = "cpu") -> None:
        network, self.model = checkpoint.load_model(name, None, device)
        self.name, self.device = Path(name).name, torch.device(device)
        if not isinstance(network, Digan):
            raise ModelError(
                f"{self.name} is a {self.model.kind}, which knows no shapes.",
                fix="Give a model of kind digan, such as a run of tiny-64-digan makes; a stylegan2 can be its --teacher.",
            )
        self.network = network.requires_grad_(False)

    @property
    def resolution(self) -> int:
        return self.network.config.resolution

    @property
    def _trained(self) -> float:
        """Degrees of yaw that its recipe asks for."""
        known = recipes.RECIPES.get(self.model.recipe)
        return known.config.yaw if known and isinstance(known.config, LiftConfig) else LiftConfig().yaw

    @torch.no_grad()
    def of_seed(self, seed: int, *, label: str | None = None, truncation: float = 0.7) -> Lifted:
        """A new face; the same seed and class are the same face as `lianpu generate` makes with the teacher."""
        if not 0 <= truncation <= 1:
            raise UsageError(f"--truncation {truncation} is outside 0 to 1.", fix="Use 0.7.")
        chosen = self.model.class_of_seed(seed, label)
        face = self.network.of_seed(seed, self.model.class_number(chosen), truncation)
        subject = {"seed": seed, "truncation": truncation} | ({"label": chosen} if chosen else {})
        return self._lifted(self.name_of(seed, label), face, f"seed {seed}", {"subject": subject})

    def name_of(self, seed: int, label: str | None = None) -> str:
        """What the files of a seed's face are called."""
        chosen = self.model.class_of_seed(seed, label)
        return f"seed{seed:06d}" + (f"-{chosen}" if chosen else "")

    def of_picture(
        self,
        source: Path,
        *,
        mask: Path | None = None,
        crop: str = "auto",
        find: Find = mtcnn.find,
        steps: int = 400,
        seed: int = 0,
        say: inversion.Say = lambda step, steps, loss: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Lifted:
        """The face in a photograph, found among the model's codes. mask: a picture that is white where the photograph shows damage
        or something before the face; what lies there is the model's guess.

        crop: "face" lays its largest face upright as `data build --crop face` does, "centre" takes its middle as it is; "auto": face where
        the networks for it are here, but for a square picture of hardly more pixels than the model's, which has been cropped already.
        """
        decoded = images.decode(source)
        h, w = decoded.pixels.shape[:2]
        if min(h, w) < SMALLEST:
            raise DataError(
                f"{source.name} is {w} x {h} pixels: too few to tell a face.",
                str(source),
                f"Give one of {SMALLEST} or more.",
            )
        if crop not in CROPS:
            raise UsageError(f"there is no crop mode {crop!r}.", fix=did_you_mean(crop, CROPS))
        mode, lay, notes = self._laid(source, decoded.pixels, crop, find)
        picture = images.to_float(lay(decoded.pixels)).to(self.device)
        hidden = None if mask is None else self._mask(mask, (h, w), lay)
        phi = features.perceptual().to(self.device)
        found = inversion.invert(
            self.network.G2D, phi, picture, mask=hidden, steps=steps, seed=seed, say=say, stop=stop
        )
        with torch.no_grad():
            face = self.network.of_layers(found.ws)
        inverted = {
            "picture": source.name, "steps": steps,
            **{name: float(getattr(found, name)) for name in ("error", "distance", "spread")},
            "features": {"name": phi.name, "sha256": phi.sha256}, "seed": seed, "mask": mask.name if mask else None,
            "crop": mode, "notes": list(decoded.notes), "laid": list(notes),
        }  # fmt: skip
        return self._lifted(source.stem, face, source.name, {"inverted": inverted}, photograph=True)

    def _laid(self, source: Path, pixels: np.ndarray, crop: str, find: Find) -> tuple[str, Lay, tuple[str, ...]]:
        """How the photograph is laid into the model's square, who lays it or a mask over it so, and what should be known of it."""
        (h, w), r, notes = pixels.shape[:2], self.resolution, ()
        if crop == "auto":
            crop = "centre"
            if not (h == w and h <= 2 * r):  # which has been cropped already
                if all(weights.available(name) for name in mtcnn.CARDS):
                    crop = "face"
                else:
                    names = " ".join(mtcnn.CARDS)
                    notes = (f"what finds faces is not here, so its middle was taken: lianpu weights get {names}",)
        if crop == "centre":
            return crop, lambda x: square(x, "centre", r)[0], (*notes, *square(pixels, "centre", r)[1])
        try:
            transform, notes = portrait(pixels, r, find)
        except DataError as error:
            raise DataError(
                error.what, str(source), "--crop centre takes the middle of the picture as it is."
            ) from None
        return crop, lambda x: aligned(x, transform, r), notes

    def _mask(self, path: Path, size: tuple[int, int], lay: Lay) -> Tensor:
        """(1, 1, r, r): 1 where the photograph counts."""
        pixels = images.decode(path).pixels
        if pixels.shape[:2] != size:
            raise DataError(
                f"the mask is {pixels.shape[1]} x {pixels.shape[0]} pixels, the photograph {size[1]} x {size[0]}.",
                str(path),
                "Draw it over the photograph itself.",
            )
        small = lay(pixels)
        return torch.from_numpy(small.max(-1) < 128)[None, None].float().to(self.device)

    def _lifted(self, name: str, face: Face, source: str, facts: dict[str, Any], *, photograph: bool = False) -> Lifted:
        if not torch.isfinite(face.depth).all():
            raise ModelError(
                f"{self.name} gives depths that are not numbers.", fix="Use an earlier checkpoint of its run."
            )
        model = {"name": self.name, "kind": self.model.kind, "sha256": self.model.sha256, "recipe": self.model.recipe}
        data = provenance.material(self.model.data)
        known = {"verb": "lift", "model": model, "data": data, "device": self.device.type, **facts}
        made = f"{self.name} {self.model.sha256[:16]}"
        return Lifted(name, face, source, made, known, photograph, self.network.config.outlined, self._trained)
