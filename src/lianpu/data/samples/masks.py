"""Opera masks drawn from rules: a mask is a function of (seed, index), as layered vector art, pixels, a region map and a
label.

`draw` gives one `Mask`; `write` fills a folder with them. The geometry lies in `face`, `features`, `patterns`,
`animals` and `emblems`; here the shapes are warped to one face's proportions, resolved to paints, and rasterised by
resvg.
"""

from __future__ import annotations

import functools
import io
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import resvg_py
from PIL import Image

from lianpu import __version__, files, images, provenance
from lianpu.data.samples import emblems, face, series
from lianpu.data.samples.characters import CHARACTERS
from lianpu.data.samples.palette import CLASS_OF, COLOURS, COLOURS_ZH, Palette, choose, shade
from lianpu.data.samples.patterns import KINDS
from lianpu.data.samples.plan import LAYERS, Dice, Plan
from lianpu.data.samples.vector import Points, Shape, blade, both, remap_path
from lianpu.errors import ResourceError, UsageError, did_you_mean

__all__ = ["REGIONS", "Mask", "characters", "draw", "kinds", "write"]

REGIONS = (
    "ground", "skin", "ear", "ear-line", "tile", "crown", "strip", "peach", "belly", "cheek", "cheek-mark",
    "smile-line", "rouge", "stripe", "fur", "spot", "wart", "feather", "whisker", "socket", "socket-mark", "bead",
    "brow", "brow-stripe", "brow-loop", "wedge", "wrinkle", "nose", "nose-side", "nose-pit", "nose-line",
    "nose-curl", "nostril", "beak", "beard", "chin", "chin-mark", "mouth", "lip", "lip-light", "mouth-line",
    "tooth", "eye-white", "iris", "pupil", "eye-light", "eyelid", "emblem", "mark", "hat", "hat-band", "edge",
)  # fmt: skip
OUTSIDE = ("ground", "ears", "edge", "texture")  # layers that the outline of the head does not clip
SMALLEST, LARGEST = 16, 4096  # pixels
NAMED = ("character", "kind", "colour")  # what `draw` takes beside seed and index
CHARACTER_SHARE = 0.3  # of the masks whose type and colour some character has
_SVG = 'xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape"'


# ---- one mask ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mask:
    """One drawn mask: `layers` of shapes in canvas units (1000 x 1000, x from -500), their palette, the head's outline
    and the label.
    """

    layers: dict[str, tuple[Shape, ...]]
    head: str
    palette: Palette
    label: dict[str, Any]
    light: tuple[float, float, float]  # strengths of highlight, edge shade and brush
    strokes: tuple[str, ...]  # faint drags of the brush over the main colour

    @property
    def region_names(self) -> dict[int, str]:
        """Id in the region map -> name; the same table for every mask."""
        return dict(enumerate(REGIONS))

    @property
    def paint_names(self) -> dict[int, str]:
        """Id in the paint map -> pigment ("red", "black", ...); the same table for every mask."""
        return dict(enumerate(PAINT_IDS))

    def svg(self, texture: bool = True) -> str:
        """The mask as an SVG document whose layers Inkscape shows by name; without texture it holds flat paints only."""
        colour = self.palette.hexes | self._soft() if texture else self.palette.hexes | self._flat()
        return self._document(colour.__getitem__, texture, "")

    def png(self, size: int, texture: bool = True) -> bytes:
        """The mask as a PNG file, `size` x `size` pixels, 8-bit RGB on white, that carries its recipe."""
        recipe = {
            "verb": "sample",
            "what": "masks",
            "subject": {"size": size}
            | {k: self.label[k] for k in ("seed", "index", *NAMED) if self.label[k] is not None},
            "data": {"rights": "known", "licences": ["CC0-1.0"]},
        }
        return images.encode_png(self.pixels(size, texture), provenance.png_text(recipe, "algorithmicMedia"))

    def pixels(self, size: int, texture: bool = True) -> np.ndarray:
        """(size, size, 3) uint8, antialiased."""
        return _raster(self.svg(texture), size)

    def regions(self, size: int) -> np.ndarray:
        """(size, size) uint8 region ids (`region_names`): the same geometry, neither textured nor antialiased."""
        ids = {name: f"#{i:02x}0000" for i, name in enumerate(REGIONS)}
        return _raster(self._document(ids.__getitem__, False, "region"), size)[..., 0]

    def paints(self, size: int) -> np.ndarray:
        """(size, size) uint8 pigment ids (`paint_names`): which pot each pixel was painted from."""
        pots = {name: i for i, name in enumerate(PAINT_IDS)}
        ids = {paint: f"#{pots[pigment]:02x}0000" for paint, pigment in (self.palette.pigments | FLAT_PIGMENTS).items()}
        return _raster(self._document(ids.__getitem__, False, "paint"), size)[..., 0]

    # documents

    def _soft(self) -> dict[str, str]:
        """Paints that are gradients when the mask is textured."""
        return {
            "main": "url(#main)",
            "chin": "url(#chin)",
            "rouge": "url(#rouge)",
            "blush": "url(#blush)",
            "lip-light": "url(#lip)",
        }

    def _flat(self) -> dict[str, str]:
        h = self.palette.hexes
        return {
            "chin": h["skin"],
            "rouge": shade(h["pink"], h["red"], 0.3),
            "lip-light": shade(h["lip"], "#ffffff", 0.5),
        }

    def _document(self, colour: Callable[[str], str], texture: bool, ids: str) -> str:
        """The SVG text. `ids` is "" (paints), "region" or "paint": what `colour` is asked for."""

        def drawn(shape: Shape) -> str:
            fill = shape.fill and colour(shape.region if ids == "region" else shape.fill)
            stroke = shape.stroke and colour(shape.region if ids == "region" else shape.stroke)
            line = f' stroke="{stroke}" stroke-width="{shape.width:.1f}"' if stroke else ""
            return f'<path d="{shape.d}" fill="{fill or "none"}"{line}/>'

        ground = colour("ground" if ids == "region" else "white") if ids else "#ffffff"
        groups = []
        for name, zh in LAYERS.items():
            body = "".join(map(drawn, self.layers[name]))
            if name == "ground":
                body = f'<rect x="-500" width="1000" height="1000" fill="{ground}"/>'
            elif name == "texture":
                body = f'<path d="{self.head}" fill="url(#dusk)"/>' if texture else ""
            elif name == "base" and texture:
                body += self._volume()
            groups.append(f'<g id="{name}" inkscape:groupmode="layer" inkscape:label="{name} {zh}">{body}</g>')
        inside = [i for i, name in enumerate(LAYERS) if name not in OUTSIDE]
        groups.insert(inside[0], '<g id="face" clip-path="url(#head)">')
        groups.insert(inside[-1] + 2, "</g>")
        crisp = ' shape-rendering="crispEdges"' if ids else ""
        label = self.label
        return (
            f'<svg {_SVG} viewBox="-500 0 1000 1000" width="1000" height="1000"{crisp} '
            'stroke-linejoin="round" stroke-linecap="round">'
            f"<title>{label['kind_zh']} {label['zh'] or ''} {label['seed']}/{label['index']}</title>"
            f'<defs><clipPath id="head"><path d="{self.head}"{crisp}/></clipPath>{self._gradients() if texture else ""}</defs>'
            f"{''.join(groups)}</svg>"
        )

    def _gradients(self) -> str:
        h = self.palette.hexes
        glow, dusk = self.light[0], self.light[1]
        main = h["main"]

        def radial(
            name: str, cx: float, cy: float, r: float, *stops: tuple[float, str, float], box: bool = False
        ) -> str:
            marks = "".join(f'<stop offset="{o:.2f}" stop-color="{c}" stop-opacity="{a:.3f}"/>' for o, c, a in stops)
            units = "" if box else ' gradientUnits="userSpaceOnUse"'
            return f'<radialGradient id="{name}" cx="{cx}" cy="{cy}" r="{r}"{units}>{marks}</radialGradient>'

        def flush(by: float) -> str:
            return shade(h["white"], h["pink"], by)

        lit, dim = shade(main, "#ffffff", 0.18 * glow), shade(main, "#1a0a00", 0.2 * dusk)
        return "".join([
            radial("main", 0, 330, 640, (0, lit, 1), (0.45, main, 1), (1, dim, 1)),
            radial("chin", 0, 880, 130, (0, shade(h["skin"], "#ffffff", 0.25), 1), (1, shade(h["skin"], h["orange"], 0.1), 1)),
            radial("rouge", 0.5, 0.5, 0.5, (0, h["pink"], 0.95), (0.6, h["pink"], 0.6), (1, h["pink"], 0), box=True),
            radial("blush", 0, 620, 420, (0, h["white"], 1), (0.6, flush(0.16), 1), (1, flush(0.36), 1)),
            radial("lip", 0.5, 0.5, 0.5, (0, "#ffffff", 0.75), (1, "#ffffff", 0), box=True),
            radial("glow", 0.5, 0.5, 0.5, (0, "#ffffff", 0.2 * glow), (1, "#ffffff", 0), box=True),
            radial("dusk", 0.5, 0.47, 0.54, (0, "#000000", 0), (0.8, "#000000", 0), (1, "#201008", 0.3 * dusk), box=True),
        ])  # fmt: skip

    def _volume(self) -> str:
        """Light on forehead, cheeks, nose and chin, and the drag of a wet brush: under the ink, so that black stays
        black and white white.
        """
        spots = [(0, 200, 200, 150), (-225, 640, 120, 140), (225, 640, 120, 140), (0, 620, 46, 70)]
        glows = "".join(f'<ellipse cx="{x}" cy="{y}" rx="{a}" ry="{b}" fill="url(#glow)"/>' for x, y, a, b in spots)
        dark = f'fill="{shade(self.palette.hexes["main"], "#000000", 0.5)}" fill-opacity="{0.06 * self.light[2]:.3f}"'
        pale = f'fill="#ffffff" fill-opacity="{0.07 * self.light[2]:.3f}"'
        return glows + "".join(f'<path d="{d}" {dark if i % 2 else pale}/>' for i, d in enumerate(self.strokes))


PAINT_IDS = (
    "white",
    "black",
    "red",
    "blue",
    "green",
    "yellow",
    "purple",
    "gold",
    "silver",
    "orange",
    "pink",
    "grey",
    "lilac",
    "sky",
    "skin",
)
FLAT_PIGMENTS = {"chin": "skin", "rouge": "pink", "lip-light": "white"}


def _raster(svg: str, size: int) -> np.ndarray:
    if not 1 <= size <= 8192:
        raise UsageError(f"size {size} is outside 1 to 8192 pixels.")
    data = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True, background="#ffffff")
    return np.asarray(Image.open(io.BytesIO(bytes(data))).convert("RGB"))


# ---- proportions ---------------------------------------------------------------------------------------------------


def _warp(dice: Dice, slanting: bool) -> Callable[[Points], Points]:
    """The map from canonical proportions to this face's: width, jaw, crown, level of eyes and mouth, and the unsteady
    hand.

    It is odd in x (except on a slanting face) and slow, so that a mask stays symmetric and what touched still
    touches.
    """
    wide = dice("head.wide", 0.93, 1.08) * (1.09 if dice.chance("head.broad", 0.08) else 1.0)
    jaw, crown = dice("head.jaw", -0.1, 0.1), dice("head.crown", -0.06, 0.06)
    eyes, mouth = dice("level.eyes", -16, 14), dice("level.mouth", -12, 12)
    spread = dice("level.spread", -10, 10)
    hand = dice("hand.jitter", 0.2, 1.7)
    phase = [2 * math.pi * dice.unit(f"hand.{i}") for i in range(6)]
    lean, tilt, twist = (
        (dice("slant.lean", 14, 34), dice("slant.tilt", 14, 40), dice("slant.twist", -16, 16))
        if slanting
        else (0, 0, 0)
    )
    sign = 1 if dice.chance("slant.side", 0.5) else -1

    def warp(p: Points) -> Points:
        x, y = p[:, 0], p[:, 1]
        low, high = np.clip((y - 480) / 500, 0, 1.2), np.clip((480 - y) / 450, 0, 1.2)
        to_x = x * (wide + jaw * low * low + crown * high * high)
        to_x += spread * np.sin(np.pi * x / 290) * np.exp(-(((y - 480) / 130) ** 2))
        to_y = y + eyes * np.exp(-(((y - 480) / 170) ** 2)) + mouth * np.exp(-(((y - 780) / 110) ** 2))
        side = np.tanh(x / 50)
        to_x += (
            hand
            * side
            * (np.sin(2 * np.pi * y / 137 + phase[0]) + np.sin(2 * np.pi * (np.abs(x) + y) / 211 + phase[1]))
        )
        to_y += hand * (
            np.sin(2 * np.pi * np.abs(x) / 151 + phase[2]) + np.sin(2 * np.pi * (np.abs(x) - y) / 233 + phase[3])
        )
        if slanting:
            to_x += sign * lean * np.sin(np.pi * np.clip(y - 250, 0, 720) / 720) * np.exp(-((x / 230) ** 2))
            to_y += (
                sign
                * (tilt * np.clip((y - 560) / 250, 0, 1) + twist * high)
                * np.sin(np.pi * np.clip(x, -330, 330) / 660)
            )
        return np.stack([to_x, to_y], 1)

    return warp


def _special(plan: Plan, name: str) -> None:
    """A character's own mark that does not sit on the forehead."""
    paints = {role: role for role in ("main", "second", "third", "accent")}
    rng, line = plan.dice.rng("special"), 7.0
    if name == "moles":
        plan.put("lines", emblems.SPECIAL["moles"](rng, 120.0, (205.0, 700.0), line, paints))
    elif name == "brow_hook":
        plan.put("brows", both(emblems.SPECIAL["brow_hook"](rng, 200.0, (200.0, 260.0), line, paints)))


# ---- drawing -------------------------------------------------------------------------------------------------------


@functools.cache
def _odds() -> dict[tuple[str, str], float]:
    """How often each (type, colour) is drawn: types after the prior, the seven classes alike, fitted by iterative
    proportional scaling.
    """
    names = list(KINDS)
    table = np.array([[float(c in KINDS[k].colours) for c in COLOURS] for k in names])
    want_kind = np.array([KINDS[k].often for k in names])
    want_kind = want_kind / want_kind.sum()
    want_colour = (
        np.array([{"yellow": 0.68, "gold": 0.32, "white": 0.74, "silver": 0.26}.get(c, 1.0) for c in COLOURS]) / 7
    )
    for _ in range(200):
        table *= (want_kind / table.sum(1))[:, None]
        table *= want_colour / table.sum(0)
    return {(k, c): float(table[i, j]) for i, k in enumerate(names) for j, c in enumerate(COLOURS) if table[i, j] > 0}


def _find(word: str, table: dict[str, Any], what: str) -> str:
    """The key of `table` that `word` names, in pinyin or Chinese, whatever the case, spaces or hyphens."""
    plain = word.casefold().replace(" ", "").replace("_", "").replace("-", "")
    for key, value in table.items():
        if plain in (key.casefold().replace(" ", "").replace("_", ""), getattr(value, "zh", value)):
            return key
    raise UsageError(f"There is no {what} {word!r}.", fix=did_you_mean(word, table))


def _choice(dice: Dice, character: str | None, kind: str | None, colour: str | None) -> tuple[str | None, str, str]:
    """(character, type, colour) as asked for; what was not asked for is drawn."""
    kind = kind and _find(kind, KINDS, "pattern type")
    colour = colour and _find(colour, COLOURS_ZH, "colour")
    if character is not None:
        name = _find(character, CHARACTERS, "character")
        own = CHARACTERS[name]
        if kind not in (None, own.kind) or colour not in (None, own.colour):
            raise UsageError(
                f"{name} is {own.kind} and {own.colour}.",
                fix="Leave --kind and --colour out, or choose another character.",
            )
        return name, own.kind, own.colour
    odds = {kc: w for kc, w in _odds().items() if kind in (None, kc[0]) and colour in (None, kc[1])}
    if not odds:
        raise UsageError(
            f"No {kind} mask is {colour}.", fix=f"Colours of {kind}: {', '.join(KINDS[kind].colours)}." if kind else ""
        )
    chosen: tuple[str, str] = dice.pick("kind and colour", odds)
    kind, colour = chosen
    known = [n for n, c in CHARACTERS.items() if (c.kind, c.colour) == (kind, colour)]
    name = dice.pick("character", known) if known and dice.chance("is character", CHARACTER_SHARE) else None
    return name, kind, colour


def draw(
    seed: int, index: int, *, character: str | None = None, kind: str | None = None, colour: str | None = None
) -> Mask:
    """Mask `index` of the series `seed`. Names may be pinyin or Chinese; unknown ones and impossible pairs raise
    UsageError.
    """
    name, kind, colour = _choice(Dice(seed, index), character, kind, colour)
    dice = Dice(seed, index, "mask", fixed=CHARACTERS[name].fixed if name else None)
    plan = Plan(dice, colour)
    face.ears(plan)
    KINDS[kind].draw(plan)
    if "special" in dice.fixed:
        _special(plan, dice.fixed["special"])
    head = Shape(face.head_path(), None, "black", 3.5, "edge")
    plan.put("edge", head)
    palette = choose(dice, colour)
    warp = _warp(dice, plan.slanting)
    layers = _warped(plan.layers, warp)
    label = _labelled(seed, index, name, kind, colour, not plan.slanting, palette)
    light = (dice("light.glow", 0.5, 1.3), dice("light.dusk", 0.4, 1.2), dice("light.brush", 0.4, 1.2))
    return Mask(layers, layers["edge"][0].d, palette, label, light, tuple(_strokes(dice)))


def _strokes(dice: Dice) -> Iterator[str]:
    """Broad, slow drags of a wet brush that follow the round of forehead and cheeks."""
    for i in range(6):
        x, y = dice(f"stroke.x{i}", -380, 380), dice(f"stroke.y{i}", -40, 1040)
        long, wide, sag = (
            dice(f"stroke.long{i}", 90, 260),
            dice(f"stroke.wide{i}", 26, 84),
            dice(f"stroke.sag{i}", -50, 50),
        )
        tilt = 0.35 * x / 380 * long
        yield blade([(x - long, y - tilt), (x, y + sag), (x + long, y + tilt)], [0, wide, wide * 0.8, 0])


def _warped(layers: dict[str, list[Shape]], warp: Callable[[Points], Points]) -> dict[str, tuple[Shape, ...]]:
    """All shapes through the warp, in one call of it: a path that several shapes share is warped once."""
    paths = list(dict.fromkeys(s.d for shapes in layers.values() for s in shapes))
    to = dict(zip(paths, remap_path("\n".join(paths), warp).split("\n"), strict=True))
    return {name: tuple(replace(s, d=to[s.d]) for s in shapes) for name, shapes in layers.items()}


def characters() -> list[str]:
    """Names of the characters whose faces are known."""
    return list(CHARACTERS)


def kinds() -> list[str]:
    """Names of the pattern types."""
    return list(KINDS)


# ---- a folder of them ----------------------------------------------------------------------------------------------


def write(
    to: Path | str, n: int, seed: int, size: int, *, svg: bool = False, regions: bool = True,
    progress: Callable[[int, int], None] | None = None, workers: int | None = None,
) -> Path:  # fmt: skip
    """Draw masks 0 to n - 1 of series `seed` into the folder `to`: 00000.png ..., regions/, svg/, metadata.jsonl and
    rights.csv.

    `progress(done, n)` is called as masks are finished; `workers` processes draw (all cores if None), and their
    number changes no byte. What is already there from the same series, size and version is kept, so that a second
    call does nothing and an interrupted one goes on.
    """
    to = Path(to)
    if n < 1:
        raise UsageError(f"{n} masks were asked for.", fix="Ask for one or more.")
    if not SMALLEST <= size <= LARGEST:
        raise UsageError(
            f"size {size} is outside {SMALLEST} to {LARGEST} pixels.", fix="Use 64, 128, 256, 512 or 1024."
        )
    stamp = series.claim(to, "masks")
    line = json.dumps({"drawn by": f"lianpu {__version__}", "seed": seed, "size": size}) + "\n"
    keep = n if stamp.exists() and stamp.read_text(encoding="utf-8") == line else 0
    places = ((to, ".png"), (to / "regions", ".png"), (to / "svg", ".svg"))
    series.remove(
        (*place, keep) for place in places
    )  # those of another or a longer series must not pass for this one's
    files.atomic_write(stamp, line)
    jobs = [(str(to), seed, i, size, svg, regions) for i in range(n)]
    todo = [job for job in jobs if not all((to / name).exists() for name in _names(job[2], svg, regions))]
    series.draw(to, "masks", _write_one, todo, _lost, n - len(todo), n, progress, workers)
    lines = (json.dumps({"file_name": f"{i:05d}.png", **_label(seed, i)}, ensure_ascii=False) for i in range(n))
    files.atomic_write(to / "metadata.jsonl", "\n".join(lines) + "\n")
    rights = f'file,source,licence\n*,"lianpu sample masks (lianpu {__version__}, seed {seed})",CC0-1.0\n'
    files.atomic_write(to / "rights.csv", rights)
    return to


def _label(seed: int, index: int) -> dict[str, Any]:
    """A mask's label without drawing its shapes."""
    name, kind, colour = _choice(Dice(seed, index), None, None, None)
    dice = Dice(seed, index, "mask", fixed=CHARACTERS[name].fixed if name else None)
    return _labelled(seed, index, name, kind, colour, kind != "wailian", choose(dice, colour))


def _labelled(
    seed: int, index: int, name: str | None, kind: str, colour: str, symmetric: bool, palette: Palette
) -> dict[str, Any]:
    return {
        "colour": colour, "colour_zh": COLOURS_ZH[colour], "colour_class": CLASS_OF[colour],
        "kind": kind, "kind_zh": KINDS[kind].zh,
        "character": name, "zh": CHARACTERS[name].zh if name else None,
        "symmetric": symmetric, "palette": dict(palette.pigments), "seed": seed, "index": index,
    }  # fmt: skip


def _names(index: int, svg: bool, regions: bool) -> list[str]:
    name = f"{index:05d}"
    return [f"{name}.png", *([f"regions/{name}.png"] if regions else []), *([f"svg/{name}.svg"] if svg else [])]


def _write_one(job: tuple[str, int, int, int, bool, bool]) -> int:
    """The files of one mask; the picture comes last, so that where it is all are."""
    folder, seed, index, size, svg, regions = job
    to, mask = Path(folder), draw(seed, index)
    made: list[tuple[str, bytes]] = []
    if svg:
        made.append((f"svg/{index:05d}.svg", mask.svg().encode()))
    if regions:
        made.append((f"regions/{index:05d}.png", images.encode_png(mask.regions(size))))
    for name, content in (*made, (f"{index:05d}.png", mask.png(size))):
        files.atomic_write(to / name, content, durable=False)
    return 1


def _lost(job: tuple[str, int, int, int, bool, bool]) -> int:
    raise ResourceError(
        f"the process that drew mask {job[2]} was ended from outside.", job[0], "Run it again: it goes on."
    )
