"""Drawings painted after a reference, by a trained CoCosNet or SPADE or by the matcher. Each picture is a function of the model and its
own two inputs and settings alone: it is computed by itself, so no other picture and no batch changes a byte of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import ndimage

from lianpu import checkpoint, images, matcher, palette, provenance
from lianpu.checkpoint import Model
from lianpu.config import SYMMETRIES
from lianpu.data import ground
from lianpu.data.crop import square
from lianpu.data.pairs import condition, lines_of
from lianpu.data.scan import Scanned, read_lines
from lianpu.errors import DataError, ModelError, UsageError, did_you_mean
from lianpu.matcher import Correspondence
from lianpu.nets.cocosnet import CocosNet
from lianpu.nets.spade import Spade
from lianpu.ops.warp import matches

__all__ = ["MATCHER", "Reference", "Result", "Settings", "Translator"]

MATCHER = "matcher"
MATCHER_SIZE = 256  # pixels of the pictures it makes
PLACES = 64  # to a side, between which the matcher states its correspondence
SLANT = 0.92  # correlation of a drawing with its mirror image below which it is slanting (歪: 0.70 to 0.88; others, held askew: 0.96)
PLAIN = 8.0  # chroma of Lab up to which a colour is grey
THIN = 0.02  # of the width: what is nowhere thicker is a line


@dataclass(frozen=True)
class Settings:
    """How a drawing is painted, beside model and reference."""

    symmetric: str = "off"
    """off: each half by itself; both: mirrored places look for what resembles the two; left, right: that half of the picture leads."""
    palette: str = "free"
    """free, or lock: brought to the paints of the reference in Lab."""

    def __post_init__(self) -> None:
        if self.symmetric not in SYMMETRIES:
            raise UsageError(f"there is no symmetry {self.symmetric!r}.", fix=did_you_mean(self.symmetric, SYMMETRIES))
        if self.palette not in PALETTES:
            raise UsageError(f"--palette is {self.palette!r}.", fix=did_you_mean(self.palette, PALETTES))


PALETTES = ("free", "lock")


class Reference(NamedTuple):
    """A reference, ready for a translator."""

    pixels: np.ndarray
    """uint8 (r, r, 3)."""
    palette: palette.Palette
    notes: tuple[str, ...]


class Result(NamedTuple):
    """A painted drawing and how it came about."""

    pixels: np.ndarray
    """uint8 (r, r, 3)."""
    warped: np.ndarray | None
    """uint8 (r, r, 3): the reference laid into the drawing's frame; CoCosNet's only."""
    match: Correspondence | None
    """None for SPADE, which matches nothing."""
    moved: tuple[float, float] | None
    """Mean and largest Delta E (CIE 1976) by which the palette's lock moved a pixel."""
    notes: tuple[str, ...]


class Translator:
    """A loaded translator that paints drawings."""

    def __init__(self, name: str | Path, device: torch.device | str = "cpu") -> None:
        self.name, self.device = Path(name).name, torch.device(device)
        self.network: CocosNet | Spade | None = None
        self.model: Model | None = None
        if str(name) == MATCHER:
            return
        network, self.model = checkpoint.load_model(name, None, device)
        if not isinstance(network, CocosNet | Spade):
            raise ModelError(
                f"{self.name} is a {self.model.kind}: it makes new pictures and cannot paint a drawing.",
                fix=f"Use it with lianpu generate; for translate give a cocosnet, a spade or the word {MATCHER}.",
            )
        self.network = network

    @property
    def kind(self) -> str:
        return self.model.kind if self.model else MATCHER

    @property
    def resolution(self) -> int:
        """Height and width of the pictures it makes."""
        return self.network.config.resolution if self.network else MATCHER_SIZE

    @property
    def matches(self) -> bool:
        """Whether it knows which part of the reference coloured which part of the drawing."""
        return not isinstance(self.network, Spade)

    @property
    def blind(self) -> bool:
        """Whether it never looks at the reference."""
        return isinstance(self.network, Spade) and not self.network.config.vae

    def require(self, settings: Settings, explain: bool = False) -> None:
        """UsageError for what this kind of translator cannot do."""
        if self.matches:
            return
        for wanted, flag in ((settings.symmetric != "off", "--symmetric"), (explain, "--explain")):
            if wanted:
                raise UsageError(
                    f"{self.name} is a spade, which matches no places, so {flag} means nothing to it.",
                    fix=f"Leave {flag} away, or use a cocosnet or the {MATCHER}.",
                )

    # ---------------------------------------------------------------------------------------------------------- inputs

    def read_sketch(self, source: Path | bytes) -> Scanned:
        """The lines of a drawn, scanned or photographed sketch, (r, r)."""
        return read_lines(source, self.resolution)

    def read_reference(self, source: Path | bytes) -> Reference:
        """A reference, whole, on a square of this translator's size. DataError for one that has no colours to give."""
        decoded = images.decode(source)
        name = source.name if isinstance(source, Path) else "it"
        pixels, notes = square(decoded.pixels, "pad", self.resolution)
        face = ground.face(pixels)
        paints = palette.paints(pixels, face)
        if len(paints.rgb) == 1:
            raise DataError(f"{name} shows one colour only.", fix="Give the picture of a painted face.")
        if is_drawing(pixels, paints):
            raise DataError(
                f"{name} is a line drawing: it has no colours to give.",
                fix="Are --sketch and --reference the wrong way round? The reference is the coloured picture.",
            )
        if face.all():
            notes = (*notes, "no face could be told from the ground: the colours of the whole picture are taken")
        return Reference(pixels, paints, (*decoded.notes, *notes))

    # ---------------------------------------------------------------------------------------------------------- output

    def translate(self, lines: np.ndarray, reference: Reference, settings: Settings | None = None) -> Result:
        """Paints `lines`, float (r, r), 1 ink and 0 paper, after a reference."""
        settings = settings or Settings()
        self.require(settings)
        if lines.shape != (self.resolution, self.resolution):
            raise UsageError(
                f"the lines are {lines.shape}, and {self.name} takes {self.resolution} x {self.resolution}."
            )
        notes: list[str] = []
        if settings.symmetric == "both" and self.network is not None and is_slanting(lines):
            notes.append("its halves differ (歪), so each was painted by itself, not symmetrically")
            settings = Settings("off", settings.palette)
        if self.network is None:
            matched = matcher.match(lines, reference.pixels, settings.symmetric, reference.palette)
            notes += matched.notes
            pixels, warped, match = matched.pixels, None, matcher.correspondence(matched, min(PLACES, self.resolution))
        else:
            pixels, warped, match = self._run(lines, reference, settings)
        moved = None
        if settings.palette == "lock":
            pixels, delta_e = palette.lock(pixels, reference.palette.with_paper())
            moved = float(delta_e.mean()), float(delta_e.max())
        return Result(pixels, warped, match, moved, tuple(notes))

    @torch.no_grad()
    def _run(
        self, lines: np.ndarray, reference: Reference, settings: Settings
    ) -> tuple[np.ndarray, np.ndarray | None, Correspondence | None]:
        told, there = (
            torch.from_numpy(condition(x))[None].to(self.device) for x in (lines, lines_of(reference.pixels))
        )
        picture = images.to_float(reference.pixels).to(self.device)
        if isinstance(self.network, Spade):
            return images.to_uint8(self.network(told, picture, there).image)[0], None, None
        assert self.network is not None
        made = self.network(told, picture, there, symmetric=settings.symmetric)
        found = matches(made.query, made.key, self.network.config.temperature)
        grid = made.query.shape[2:]
        match = Correspondence(*(x[0].reshape(grid).cpu().numpy() for x in found))
        return images.to_uint8(made.image)[0], images.to_uint8(made.warped)[0], match

    def recipe(self, settings: Settings) -> dict[str, Any]:
        """What a picture's file says of the model and the settings; whoever knows the files of sketch and reference adds them."""
        model = {"name": self.name, "kind": self.kind}
        data: dict[str, Any] = {}
        if self.model:
            model |= {"sha256": self.model.sha256, "recipe": self.model.recipe}
            data = provenance.material(self.model.data)
        return {
            "verb": "translate", "model": model, "settings": asdict(settings), "data": data, "device": self.device.type,
        }  # fmt: skip


def is_drawing(pixels: np.ndarray, paints: palette.Palette) -> bool:
    """Whether a picture, uint8 (h, w, 3), is a line drawing: grey throughout, and dark in thin lines only."""
    coloured = np.hypot(*paints.lab[:, 1:].T) > PLAIN
    if paints.shares[coloured].sum() > 0.005:
        return False
    dark = pixels.max(-1) < 128
    return bool(ground.depth(dark).max() < max(2.0, THIN * pixels.shape[1]))


def is_slanting(lines: np.ndarray) -> bool:
    """Whether the halves of a drawing differ: its blurred lines, wherever they stand and however they lean, match their mirror
    image badly.
    """
    grey = images.of_lines(lines)[..., 0]
    near = ndimage.gaussian_filter(255 - images.resize(grey, 64).astype(np.float32), 1.5)
    near -= near.mean()
    spectrum = np.fft.rfft2(near)
    best = 0.0
    for degrees in range(-6, 7, 2):  # twice the angle by which a drawing leans
        other = ndimage.rotate(near[:, ::-1], degrees, reshape=False, order=1)
        shifted = np.fft.irfft2(spectrum * np.conj(np.fft.rfft2(other)))  # its correlation for every shift
        best = max(best, float(shifted.max()) / max(float(np.linalg.norm(near) * np.linalg.norm(other)), 1e-9))
    return best < SLANT
