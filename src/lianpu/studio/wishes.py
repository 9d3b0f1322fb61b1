"""What the browser may ask for, each as one checked form. Nothing in a wish is a path or an address: files, models and data sets are
named by ids that the studio gave out.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

__all__ = [
    "ID",
    "Build",
    "Draw",
    "Face",
    "Generate",
    "Head",
    "Lift",
    "Live",
    "Look",
    "Measure",
    "Paint",
    "Preview",
    "Subject",
    "Train",
    "Translate",
    "View",
    "Walk",
    "Wish",
    "live_of",
    "restorable",
    "wish_of",
]

ID = re.compile(r"[a-z0-9][a-z0-9-]{3,63}")
Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{3,63}$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Label = Annotated[str, Field(pattern=r"^[\w-]{1,64}$")]  # as checkpoint wants classes
Truncation = Annotated[float, Field(ge=-2, le=2)]
Title = Annotated[str, Field(max_length=80)]
Symmetric = Literal["off", "both", "left", "right"]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Subject(_Form):
    """One picture of a generator: `painter.Subject` as the browser says it. Without a label the classes take turns by seed."""

    seed: Seed
    label: Label | None = None
    truncation: Truncation = 0.7
    mix_seed: Seed | None = None
    mix_from: Annotated[int, Field(ge=1, le=64)] | None = None
    morph_seed: Seed | None = None
    morph: Annotated[float, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.mix_seed is not None and self.morph_seed is not None:
            raise ValueError("say one of mix_seed and morph_seed")
        return self


class Generate(_Form):
    kind: Literal["generate"] = "generate"
    model: Id
    subjects: Annotated[list[Subject], Field(min_length=1, max_length=256)]


class Walk(_Form):
    kind: Literal["walk"] = "walk"
    model: Id
    seed: Seed = 0
    label: Label | None = None
    truncation: Truncation = 0.7
    stops: Annotated[int, Field(ge=2, le=24)] = 6


class Draw(_Form):
    """Masks drawn from rules, as PNG and layered SVG."""

    kind: Literal["draw"] = "draw"
    count: Annotated[int, Field(ge=1, le=4000)] = 8
    seed: Seed = 0
    size: Literal[64, 128, 256, 512, 1024] = 256


class Translate(_Form):
    kind: Literal["translate"] = "translate"
    model: Id = "matcher"
    sketches: Annotated[list[Id], Field(min_length=1, max_length=400)]
    references: Annotated[list[Id], Field(min_length=1, max_length=100)]
    symmetric: Symmetric = "off"
    palette: Literal["free", "lock"] = "free"


class Face(_Form):
    """A face to be lifted: a new one by its seed, one in a photograph that was kept, or one that a job has found in a photograph."""

    seed: Seed | None = None
    label: Label | None = None
    truncation: Annotated[float, Field(ge=0, le=1)] = 0.7
    picture: Id | None = None
    steps: Annotated[int, Field(ge=2, le=2000)] = 400
    crop: Literal["auto", "face", "centre"] = "auto"
    found: Id | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.seed, self.picture, self.found)) != 1:
            raise ValueError("say one of seed, picture and found")
        return self


Angle = Annotated[float, Field(ge=-60, le=60)]
Share = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[float, Field(ge=-1, le=1)]


class Light(_Form):
    """`lifter.Lamp`."""

    x: Side = 0.0
    y: Side = 0.0
    ambient: Share = 0.5
    diffuse: Share = 0.5


class View(_Form):
    """How a head is seen; without a light, in its own."""

    yaw: Angle = 0.0
    pitch: Angle = 0.0
    roll: Angle = 0.0
    light: Light | None = None


class Lift(_Form):
    """A head as it is seen, and what is taken along of it."""

    kind: Literal["lift"] = "lift"
    model: Id
    face: Face
    view: View = View()
    maps: Annotated[list[Literal["depth", "normal", "albedo", "shading", "transform"]], Field(max_length=5)] = []
    export: Annotated[list[Literal["glb", "obj", "ply", "stl", "html"]], Field(max_length=5)] = []
    turntable: bool = False
    height_mm: Annotated[float, Field(gt=0, lt=1e6)] | None = None


class Look(_Form):
    """What is in a source: classes, duplicates, quarantine."""

    kind: Literal["look"] = "look"
    source: Id


class Build(_Form):
    kind: Literal["build"] = "build"
    source: Id
    title: Title = ""
    size: Literal[32, 64, 128, 256, 512] = 64
    crop: Literal["pad", "centre", "subject"] = "pad"
    expand: bool = False
    test: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    sketches: Literal["", "lines", "colour", "bold", "soft", "woodcut"] = ""
    licence: Title = ""
    origin: Title = ""
    allow_unknown_rights: bool = False


class Train(_Form):
    kind: Literal["train"] = "train"
    data: Id
    recipe: Annotated[str, Field(pattern=r"^[a-z0-9-]{3,60}$")]
    kimg: Annotated[float, Field(gt=0, le=100_000)]
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d{1,2})?)$")] = "auto"
    title: Title = ""


class Measure(_Form):
    """A run's newest model beside the data it learns from."""

    kind: Literal["measure"] = "measure"
    run: Id
    data: Id
    n: Annotated[int, Field(ge=16, le=2048)] = 256


Wish = Generate | Walk | Draw | Translate | Lift | Look | Build | Train | Measure


class Paint(_Form):
    """A picture at once, not kept."""

    kind: Literal["paint"] = "paint"
    model: Id
    subject: Subject


class Colour(_Form):
    """A drawing, sent along as PNG or named by its id, painted at once, not kept."""

    kind: Literal["colour"] = "colour"
    model: Id = "matcher"
    reference: Id
    sketch: Id | None = None
    symmetric: Symmetric = "off"
    palette: Literal["free", "lock"] = "free"


class Head(_Form):
    """A head to be turned in the browser: its maps, or with a view one picture of it as lianpu draws it."""

    kind: Literal["head"] = "head"
    model: Id
    face: Face
    view: View | None = None


class Lines(_Form):
    """Parameters of `data.sketch.XDoG`."""

    sigma: Annotated[float, Field(ge=0.2, le=4)] = 0.8
    tau: Annotated[float, Field(ge=0.8, le=1)] = 0.98
    phi: Annotated[float, Field(ge=1, le=400)] = 80.0


class Preview(_Form):
    """A picture of a source, cropped, and its line drawing beside it."""

    kind: Literal["preview"] = "preview"
    source: Id
    number: Annotated[int, Field(ge=0, lt=1_000_000)]
    crop: Literal["pad", "centre", "subject"] = "pad"
    style: Literal["lines", "colour", "bold", "soft", "woodcut"] | None = "lines"
    lines: Lines | None = None


Live = Paint | Colour | Head | Preview

_WISH: TypeAdapter[Any] = TypeAdapter(Annotated[Wish, Field(discriminator="kind")])
_LIVE: TypeAdapter[Any] = TypeAdapter(Annotated[Live, Field(discriminator="kind")])


def wish_of(value: Any) -> Wish:
    """The wish in plain values; pydantic's ValidationError where it is none."""
    return _WISH.validate_python(value)


def live_of(value: Any) -> Live:
    """The live request in plain values; pydantic's ValidationError where it is none."""
    return _LIVE.validate_python(value)


def restorable(recipe: dict[str, Any]) -> bool:
    """Whether the page could ask for what a recipe tells of, which a stranger may have written."""

    def known(form: type[_Form], values: Any) -> _Form:
        return form.model_validate({k: v for k, v in values.items() if k in form.model_fields})

    try:
        if recipe["verb"] in ("generate", "lift") and ("subject" in recipe or recipe["verb"] == "generate"):
            known({"generate": Subject, "lift": Face}[recipe["verb"]], {"truncation": None, **recipe["subject"]})
        if recipe["verb"] == "lift":
            known(View, {k: v for k, v in recipe.items() if k != "light"})
        if recipe["verb"] == "translate":
            known(Colour, {"reference": "none", **recipe.get("settings", {})})
    except (ValidationError, KeyError, AttributeError, TypeError):
        return False
    return True
