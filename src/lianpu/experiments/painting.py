"""The pictures of Yan et al. 2023, Table 2 and Figures 4 and 5: held-out masks, drawn as lines, painted after others. The lines of a
picture are known, and so is the picture: how well it was painted can be measured, where generated pictures can only be compared as sets.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch

from lianpu import images, matcher, palette
from lianpu.config import PairSettings
from lianpu.data import pairs
from lianpu.data.folder import Folder
from lianpu.data.truth import Places
from lianpu.metrics import bootstrap, perceptual, sources, translation
from lianpu.metrics.sources import Source
from lianpu.metrics.suite import Row
from lianpu.randomness import mix
from lianpu.translator import Reference, Translator

__all__ = ["OWN", "Held", "another", "deformed", "paint"]

DEFORMED = PairSettings(half=0.0)  # both halves, so that the reference shows all paints
OWN = "each sketch painted after its own picture, deformed"


def another(count: int, seed: int) -> np.ndarray:
    """int (count,): for each picture another one, each being it once."""
    ring = bootstrap.dice(seed, "other", count).permutation(count)
    other = np.empty(count, np.int64)
    other[ring] = np.roll(ring, 1)  # one cycle: none is its own
    return other


def deformed(pixels: np.ndarray, seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Picture `number`, deformed, and where in it each pixel is, (h, w, 2)."""
    return pairs.deform(pixels, np.random.default_rng(mix(seed, "own", number)), DEFORMED)


class Made(NamedTuple):
    """A painted sketch."""

    pixels: np.ndarray
    index: np.ndarray | None
    """int (places, places): the place of the reference that each place matches, row by row; None where nothing is matched."""
    warped: np.ndarray | None = None


def paint(painter: Translator, lines: np.ndarray, reference: np.ndarray, places: int) -> Made:
    """As `lianpu translate` does without options, but that the matcher too paints at the size of the lines; it says its matches of
    places x places.
    """
    if painter.network is None:
        matched = matcher.match(lines, reference, symmetric="off")
        return Made(matched.pixels, matcher.correspondence(matched, places).index)
    made = painter.translate(lines, Reference(reference, palette.paints(reference), ()))
    return Made(made.pixels, made.match.index if made.match else None, made.warped)


class Held:
    """The held-out pictures as sketches, and which picture each is painted after."""

    def __init__(self, held_out: Folder, count: int, seed: int) -> None:
        """At most `count` of them, in an order that is a function of the seed."""
        order = bootstrap.dice(seed, "sketches", len(held_out)).permutation(len(held_out))[:count]
        self.folder, self.order, self.seed = held_out, order.tolist(), seed
        self.other = another(len(order), seed).tolist()

    def __len__(self) -> int:
        return len(self.order)

    def picture(self, i: int) -> np.ndarray:
        """The picture that sketch i was drawn from."""
        return self.folder.image(self.order[i])

    def lines(self, i: int) -> np.ndarray:
        return pairs.lines_of(self.picture(i))

    def reference(self, i: int) -> np.ndarray:
        """The picture that sketch i is painted after."""
        return self.picture(self.other[i])

    def painted(self, painter: Translator) -> Source:
        """Every sketch painted after another picture, when it is asked for."""
        size = self.folder.resolution
        facts = {
            "model": painter.name,
            "sketches": len(self),
            "fingerprint": self.folder.fingerprint,
            "seed": self.seed,
        }
        if painter.model:
            facts |= {"model_sha256": painter.model.sha256, "recipe": painter.model.recipe}
        note = f"sketches of held-out pictures, each painted by {painter.name} after another of them"
        names = tuple(f"sketch{i:06d}" for i in range(len(self)))
        return sources.made(
            painter.name, names, size, lambda i: paint(painter, self.lines(i), self.reference(i), size).pixels, note, facts
        )  # fmt: skip

    def example(self, i: int, made: np.ndarray) -> list[np.ndarray]:
        """Sketch, reference and result, as Figure 4 of the paper sets them side by side."""
        return [images.of_lines(self.lines(i)[None])[0], self.reference(i), made]

    def measure(self, painter: Translator, painted: Source, count: int) -> list[Row]:
        """What can be measured of the first `count` sketches because lines and true picture are known (`metrics.translation`)."""
        count, places = min(count, len(self)), self.folder.resolution // 2
        truth = np.stack([self.picture(i) for i in range(count)])
        lines = np.stack([self.lines(i) for i in range(count)])
        bent = [deformed(truth[i], self.seed, self.order[i]) for i in range(count)]
        own = [paint(painter, lines[i], bent[i][0], places) for i in range(count)]
        mine, other = np.stack([made.pixels for made in own]), np.stack([painted.read(i) for i in range(count)])
        x, y = (torch.from_numpy(p).permute(0, 3, 1, 2) for p in (mine, truth))
        inside = translation.painted_places(truth, lines)
        after = "each sketch painted after another held-out picture"
        rows = [
            self._row("SSIM to the true picture", perceptual.ssim(x, y).numpy(), "higher", OWN),
            self._row("MS-SSIM to the true picture", perceptual.ms_ssim(x, y).numpy(), "higher", OWN),
            self._row("colour error (Delta E)", translation.colour_error(mine, truth, inside), "lower", OWN),
            self._row("edge recall within 1 px", translation.edge_recall(other, lines, 1), "higher", after),
            self._row("edge recall within 2 px", translation.edge_recall(other, lines), "higher", after),
            self._row("edge precision within 2 px", translation.edge_precision(other, lines), "higher", after),
        ]
        if painter.matches:
            index = [made.index for made in own if made.index is not None]
            faces = [_places(face, len(i)) for face, i in zip(inside, index, strict=True)]
            found = translation.by_flow(index, np.stack([flow for _, flow in bent]), faces)
            rows.append(self._row("matches within 1/16 of the width", found.accuracy, "higher", OWN))
        return rows

    def _row(self, metric: str, values: np.ndarray, better: Literal["lower", "higher"], pairing: str) -> Row:
        values = values[np.isfinite(values)]
        interval = bootstrap.of_mean(values, self.seed) if len(values) > 1 else None
        return Row(
            metric,
            float(values.mean()) if len(values) else None,
            interval.low if interval else None,
            interval.high if interval else None,
            len(values),
            len(values),
            pairing=pairing,
            seed=self.seed,
            note="" if len(values) else "undefined: no picture has a value",
            better=better,
            group="translation",
        )


def _places(face: np.ndarray, side: int) -> Places:
    """Which of side x side places lie on the face, bool (h, w)."""
    block = len(face) // side
    on = face.reshape(side, block, side, block).mean((1, 3)).ravel() > 0.5
    return Places(side, on.astype(np.int64), on[:, None])
