"""Clay heads made from rules, with everything about them known: a head is a function of (seed, identity), a picture of it of
(seed, index). They are synthetic heads in fired clay, not portraits of any warrior.

`head` sculpts one, `Head.see` looks at it from anywhere in any light, `draw` makes picture `index` of a series and `write` fills a
folder with them. `heads_shape` holds the form, `heads_surface` clay and damage; the shape's basis is CC0 (`heads_basis/README.md`).

A folder of heads holds, for each picture 00000.png (8-bit RGB):

    depth/      z in camera space at the pixel's centre, 16-bit grey: level 0 is 0.8 and level 65535 is 1.2, which also means empty
    canonical/  the same of the same head that looks straight ahead (view 0)
    normals/    unit normals, 16-bit RGB: level 0 is -1 and level 65535 is 1 of x to the right, y down, z towards the viewer; empty: all 0
    albedo/     the picture without its shading, 8-bit RGB
    damage/     8-bit grey: share of the pixel on which clay is missing or cracked, 255 all of it
    intact/     of damaged heads only: the same picture before the damage, 8-bit RGB; intact_depth/ its depth, as in depth/
    mesh/       where asked for: a PLY per identity, binary, in camera space turned to y up about the middle: (x, y, z) lies at
                (x, -y, 1 - z) before the camera; coloured by albedo

and metadata.jsonl: `view` and `light` raw as `render.camera.pose` and `render.surface.light` read them, `yaw`, `pitch`, `roll` in
degrees, `identity`, what the head wears, and `damage`, a list of what was done to it. `read` gives it back as arrays.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lianpu import __version__, files, images, ply, provenance
from lianpu.data import maps
from lianpu.data.samples import heads_shape, heads_surface, series
from lianpu.data.samples.plan import Dice
from lianpu.errors import DataError, ResourceError, UsageError
from lianpu.machine import one_thread

__all__ = ["LARGEST", "SMALLEST", "Drawn", "Head", "Seen", "draw", "head", "read", "read_depths", "write"]

SMALLEST, LARGEST = 16, 1024  # pixels
SCALE = 0.0465  # camera units to a decimetre: chin to crown is 0.11 of a frame 0.175 high
DROP = 0.0065  # the eyes lie a little below the middle, for what is worn above
CLOSER, LOWER = 1.22, 0.002  # how much larger a portrait is, and what more it is lowered
ASIDE, ASIDE_OF_PORTRAITS = 0.85, 0.7  # most by which a light stands to a side
FINER, FINER_OF_PORTRAITS = 4, 2  # subpixels across a pixel
DEPTHS = (0.8, 1.2)  # what levels 0 and 65535 of a depth file mean
YAW, PITCH, ROLL = 45.0, 15.0, 8.0  # degrees
FOLDERS = ("depth", "canonical", "normals", "albedo", "damage", "intact", "intact_depth")


@dataclass(frozen=True)
class Seen:
    """One view of a head. What lies outside `mask` is ground."""

    picture: np.ndarray
    """(s, s, 3) uint8, antialiased."""
    albedo: np.ndarray
    """(s, s, 3) uint8, on the same ground."""
    depth: np.ndarray
    """(s, s) float32, z at the pixel's centre; 1.2 where empty."""
    normals: np.ndarray
    """(s, s, 3) float32, unit, in the viewer's frame (x right, y down, z towards the viewer); 0 where empty."""
    damage: np.ndarray
    """(s, s) uint8, share of the pixel that is damaged."""

    @property
    def mask(self) -> np.ndarray:
        """(s, s) bool: where the head is."""
        return self.depth < DEPTHS[1] - 1e-6


@dataclass(frozen=True)
class Head:
    """One sculpted head, in camera space as it looks straight ahead."""

    points: np.ndarray
    """(v, 3) float32, about (0, 0, 1)."""
    triangles: np.ndarray
    """(f, 3) int64, anticlockwise from outside."""
    normals: np.ndarray
    """(v, 3) float32, outwards."""
    surface: heads_surface.Surface = field(repr=False)
    places: np.ndarray = field(repr=False)
    portrait: bool = field(repr=False)
    label: dict[str, Any]

    def see(
        self, view: Sequence[float] = (0,) * 6, light: Sequence[float] = (-0.3, 0.3, 0.3, -0.5), size: int = 256,
        ground: Sequence[float] = (0.12, 0.115, 0.11),
    ) -> Seen:  # fmt: skip
        """The head under a raw view and light, both in [-1, 1], before a ground of one encoded RGB colour in [0, 1]."""
        import torch

        from lianpu.render import camera, rasterise
        from lianpu.render import surface as lit

        with one_thread():
            pose = camera.pose(torch.tensor([list(view)], dtype=torch.float64))
            points = camera.move(torch.from_numpy(self.points[None].astype(np.float64)), pose).float()
            turned = self.normals.astype(np.float64) @ pose.rotation[0].numpy().T
            turned[:, 2] *= -1  # the camera's z runs away from the viewer
            faces = torch.from_numpy(self.triangles)
            at = rasterise.rasterise(points, faces, size)
            depth = at.depth[0].numpy()
            normal = _unit(_interpolated(at, faces, turned)) * (depth < camera.EMPTY)[..., None]

            finer = max(1, min(FINER_OF_PORTRAITS if self.portrait else FINER, 512 // size))
            wide = size * finer
            # the same frame, cut finer: pixel centres stay whole, so its corners do not lie where the camera's own do
            grow = finer * camera.focal(size) / camera.focal(wide)
            sub = rasterise.rasterise(points * torch.tensor([grow, grow, 1.0]), faces, wide)
            values = np.concatenate([turned, self.surface.albedo, self.surface.damage[:, None], self.places], 1)
            fine = _interpolated(sub, faces, values).reshape(-1, 10)
            on = (sub.face[0] >= 0).numpy().ravel()
            albedo = np.tile(np.array(ground, np.float64), (wide * wide, 1))
            shaded, damaged = albedo.copy(), np.zeros(wide * wide)
            n, colour, missing, place = np.split(fine[on], [3, 6, 7], 1)
            colour = colour * heads_surface.grain(place, self.surface.grain, self.surface.wear)[:, None]
            crack = np.max([np.zeros(len(place)), *(c.at(place) for c in self.surface.cracks)], 0) * (
                missing[:, 0] < 0.5
            )
            colour = colour * (1 - 0.72 * crack)[:, None]
            lamp = lit.light(torch.tensor([list(light)], dtype=torch.float64))
            direction = lamp.direction[0].numpy()
            shade = lamp.ambient.item() + lamp.diffuse.item() * np.clip(_unit(n) @ direction, 0, None)
            albedo[on], shaded[on] = colour, colour * shade[:, None]
            damaged[on] = np.maximum(missing[:, 0] > 0.5, crack > 0.5)

        def eight(values: np.ndarray) -> np.ndarray:
            mean = values.reshape(size, finer, size, finer, -1).mean((1, 3))
            return np.floor(np.clip(mean, 0, 1) * 255 + 0.5).astype(np.uint8)

        return Seen(eight(shaded), eight(albedo), depth, normal.astype(np.float32), eight(damaged)[..., 0])

    def depth(self, size: int) -> np.ndarray:
        """(size, size) float32: its depth as it looks straight ahead, 1.2 where empty."""
        import torch

        from lianpu.render import rasterise

        with one_thread():
            faces = torch.from_numpy(self.triangles)
            return rasterise.rasterise(torch.from_numpy(self.points[None]), faces, size).depth[0].numpy()

    def ply(self) -> bytes:
        """The mesh as a binary PLY, y up, in colour."""
        turned = np.array([1, -1, -1], np.float32)
        points = (self.points - np.array([0, 0, 1], np.float32)) * turned
        colours = np.floor(np.clip(self.surface.albedo, 0, 1) * 255 + 0.5)
        said = f"lianpu {__version__}, synthetic clay head, CC0-1.0"
        return ply.encode(points, self.normals * turned, colours, self.triangles, [said])


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Unit normals of what the viewer sees: none points away from him, though a smoothed one may at an outline."""
    facing = vectors.copy()
    facing[..., 2] = np.abs(facing[..., 2])
    return facing / np.maximum(np.linalg.norm(facing, axis=-1, keepdims=True), 1e-12)


def _interpolated(fragments: Any, faces: Any, values: np.ndarray) -> np.ndarray:
    """Values (v, c) of the vertices as the pixels see them, (h, w, c)."""
    import torch

    from lianpu.render import rasterise

    seen = rasterise.interpolate(fragments, faces, torch.from_numpy(values[None].astype(np.float32)))
    return seen[0].permute(1, 2, 0).numpy().astype(np.float64)


@functools.lru_cache(maxsize=2)
def head(seed: int, identity: int, damaged: bool = False, *, portrait: bool = False) -> Head:
    """Head `identity` of the series `seed`, whole or damaged; as a portrait it is cleaned of stains and stands closer."""
    dice = Dice(seed, identity, "head")
    shape = heads_shape.sculpt(dice)
    surface = heads_surface.finish(shape, dice, damaged, heads_surface.CLEAN if portrait else heads_surface.WEATHERED)
    closer, lower = (CLOSER, LOWER) if portrait else (1, 0)
    scale, drop = SCALE * closer, DROP * closer + lower
    points = np.stack([surface.points[:, 0], -surface.points[:, 1], -surface.points[:, 2]], 1) * scale + [0, drop, 1]
    triangles = np.concatenate([shape.quads[:, [0, 1, 2]], shape.quads[:, [0, 2, 3]]])
    out = heads_shape.normals(points, shape.quads)
    label = {"identity": identity, **shape.label, **surface.label}
    return Head(points.astype(np.float32), triangles, out.astype(np.float32), surface, shape.place, portrait, label)


def eyes(one: Head, view: Sequence[float], size: int) -> np.ndarray:
    """(2, 2) column and row of the middles of the eyeballs, the one on the picture's left first; the first pixel's centre is (0, 0)."""
    import torch

    from lianpu.render import camera

    first, second = heads_shape.eyeballs()
    middles = np.stack([one.points[e].mean(0) for e in (second, first)])
    with one_thread():
        moved = camera.move(
            torch.from_numpy(middles[None]), camera.pose(torch.tensor([list(view)], dtype=torch.float32))
        )
        return camera.project(moved, size)[0, :, :2].numpy()


# ---- a series --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    """Picture `index` of a series: what is seen, of which head, and the same before the damage if there is any."""

    seen: Seen
    head: Head
    canonical: np.ndarray
    """(s, s) float32: depth of the head that looks straight ahead."""
    intact: Seen | None
    label: dict[str, Any]
    """A line of metadata.jsonl without its file name."""


def draw(
    seed: int, index: int, size: int = 256, *, views: int = 1, damage: float = 0.25, portrait: bool = False
) -> Drawn:
    """Picture `index` of the series `seed`: head index // views, in a pose and light of its own; a share `damage` of heads is damaged.

    portrait: cleaned of stains, closer, upright and in the middle, and nodding half as much.
    """
    identity = index // views
    damaged = Dice(seed, identity, "head").chance("damaged", damage)
    one = head(seed, identity, damaged, portrait=portrait)
    view, light, ground = _circumstances(seed, index, portrait)
    seen = one.see(view, light, size, ground)
    intact = head(seed, identity, portrait=portrait).see(view, light, size, ground) if damaged else None
    canonical = one.depth(size)
    label = {
        **one.label, "seed": seed, "index": index, "yaw": round(view[1] * 60, 4), "pitch": round(view[0] * 60, 4),
        "roll": round(view[2] * 60, 4), "view": view, "light": light, "ground": ground,
        **_kind(portrait),
    }  # fmt: skip
    return Drawn(seen, one, canonical, intact, label)


def _circumstances(seed: int, index: int, portrait: bool = False) -> tuple[list[float], list[float], list[float]]:
    """Raw view, raw light and ground of one picture."""
    dice = Dice(seed, index, "picture")
    yaw = YAW * (2 * dice.unit("yaw") - 1)
    view = [
        dice("pitch", -PITCH, PITCH) / 60, yaw / 60, dice("roll", -ROLL, ROLL) / 60,
        dice("x", -0.06, 0.06), dice("y", -0.04, 0.04), dice("z", -0.4, 0.4),
    ]  # fmt: skip
    if portrait:
        view = [view[0] * 0.5, view[1], 0.0, 0.0, 0.0, 0.0]
    ambient, diffuse = dice("ambient", 0.18, 0.46), dice("diffuse", 0.62, 1.0)
    turn = math.pi * (2 * dice.unit("light.turn") - 1)
    most = ASIDE_OF_PORTRAITS if portrait else ASIDE
    aside, above = most * math.sin(turn) * dice.unit("light.aside") ** 0.5, dice("light.above", -1.0, 0.25)
    light = [2 * ambient - 1, 2 * diffuse - 1, aside, above]
    tone = dice.pick("ground", {"dark": 0.6, "middle": 0.25, "light": 0.15})
    level = dice("ground.level", *{"dark": (0.05, 0.2), "middle": (0.3, 0.5), "light": (0.65, 0.85)}[tone])
    ground = [level * (1 + dice(f"ground.{c}", -0.04, 0.04)) for c in "rgb"]
    return tuple([round(x, 6) for x in values] for values in (view, light, ground))  # type: ignore[return-value]


# ---- a folder of them ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Job:
    """All pictures of one identity that a folder holds."""

    to: Path
    seed: int
    size: int
    views: int
    damage: float
    mesh: bool
    portrait: bool
    identity: int
    indices: tuple[int, ...]

    def whole(self) -> bool:
        names = [self.to / f"{i:05d}.png" for i in self.indices]
        return all(
            path.exists() for path in (*names, *([self.to / f"mesh/{self.identity:05d}.ply"] if self.mesh else []))
        )


def write(
    to: Path | str, n: int, seed: int, size: int, *, views: int = 1, damage: float = 0.25, mesh: bool = False,
    portrait: bool = False, progress: Callable[[int, int], None] | None = None, workers: int | None = None,
) -> Path:  # fmt: skip
    """Draw pictures 0 to n - 1 of series `seed` into the folder `to`, `views` of each head; its files are named at the top.

    damage: share of the heads that are damaged; portrait: see `draw`. `progress(done, n)` is called as heads are finished; `workers`
    processes draw (all cores if None), and their number changes no byte. What is already there from the same series and version is kept,
    so that a second call does nothing and an interrupted one goes on.
    """
    to = Path(to)
    _check(n, size, views, damage)
    stamp = series.claim(to, "heads")
    facts = {
        "drawn by": f"lianpu {__version__}", "what": "heads", "seed": seed, "size": size, "views": views, "damage": damage,
        **_kind(portrait),
    }  # fmt: skip
    line = json.dumps(facts) + "\n"
    keep = n if stamp.exists() and stamp.read_text(encoding="utf-8") == line else 0
    series.remove((folder, ".png", keep) for folder in (to, *(to / name for name in FOLDERS)))
    series.remove([(to / "mesh", ".ply", math.ceil(keep / views))])
    files.atomic_write(stamp, line)
    jobs = [
        _Job(to, seed, size, views, damage, mesh, portrait, k, tuple(range(k * views, min(n, (k + 1) * views))))
        for k in range(math.ceil(n / views))
    ]
    todo = [job for job in jobs if not job.whole()]
    done = n - sum(len(job.indices) for job in todo)
    series.draw(to, "pictures", _write_one, todo, _lost, done, n, progress, workers)
    names = [f"{i:05d}.png" for i in range(n)]
    lines = ({"file_name": name, **provenance.read_recipe(to / name)["head"]} for name in names)
    files.atomic_write(to / "metadata.jsonl", "".join(json.dumps(row) + "\n" for row in lines))
    source = f"lianpu sample heads (lianpu {__version__}, seed {seed}); head basis: MakeHuman, CC0"
    files.atomic_write(to / "rights.csv", f'file,source,licence\n*,"{source}",CC0-1.0\n')
    return to


def _check(n: int, size: int, views: int, damage: float) -> None:
    if n < 1 or views < 1:
        raise UsageError(f"{n} pictures, {views} of each head, were asked for.", fix="Ask for one or more.")
    if not SMALLEST <= size <= LARGEST:
        raise UsageError(f"size {size} is outside {SMALLEST} to {LARGEST} pixels.", fix="Use 64, 128, 256 or 512.")
    if not 0 <= damage <= 1:
        raise UsageError(f"--damage {damage} is not a share from 0 to 1.", fix="Use --damage 0.25.")


def png(seed: int, index: int, size: int, views: int, damage: float, portrait: bool = False) -> bytes:
    """A picture of the series as a PNG file that carries its recipe and its line of metadata.jsonl."""
    return _png(draw(seed, index, size, views=views, damage=damage, portrait=portrait), size, views, damage)


def _kind(portrait: bool) -> dict[str, bool]:
    """What recipes say of portraits; those of other heads are older than the word."""
    return {"portrait": True} if portrait else {}


def _png(drawn: Drawn, size: int, views: int, damage: float) -> bytes:
    subject = {
        "seed": drawn.label["seed"],
        "index": drawn.label["index"],
        "size": size,
        "views": views,
        "damage": damage,
        **_kind(drawn.head.portrait),
    }
    recipe = {
        "verb": "sample", "what": "heads", "subject": subject, "head": drawn.label, "data": {"rights": "known", "licences": ["CC0-1.0"]},
    }  # fmt: skip
    return images.encode_png(drawn.seen.picture, provenance.png_text(recipe, "algorithmicMedia"))


def _write_one(job: _Job) -> int:
    """The files of one identity; a picture comes after its maps, so that where it is all are."""
    if job.mesh:
        damaged = Dice(job.seed, job.identity, "head").chance("damaged", job.damage)
        files.atomic_write(
            job.to / f"mesh/{job.identity:05d}.ply",
            head(job.seed, job.identity, damaged, portrait=job.portrait).ply(),
            durable=False,
        )
    for index in job.indices:
        drawn = draw(job.seed, index, job.size, views=job.views, damage=job.damage, portrait=job.portrait)
        seen, intact = drawn.seen, drawn.intact
        made = {
            "depth": maps.encode(maps.quantise(seen.depth, *DEPTHS)),
            "canonical": maps.encode(maps.quantise(drawn.canonical, *DEPTHS)),
            "normals": maps.encode(maps.quantise(seen.normals, -1, 1)),
            "albedo": images.encode_png(seen.albedo),
            "damage": images.encode_png(seen.damage),
        }
        if intact:
            made["intact"] = images.encode_png(intact.picture)
            made["intact_depth"] = maps.encode(maps.quantise(intact.depth, *DEPTHS))
        for folder, content in made.items():
            files.atomic_write(job.to / folder / f"{index:05d}.png", content, durable=False)
        files.atomic_write(job.to / f"{index:05d}.png", _png(drawn, job.size, job.views, job.damage), durable=False)
    return len(job.indices)


def _lost(job: _Job) -> int:
    raise ResourceError(
        f"the process that drew head {job.identity} was ended from outside.", str(job.to), "Run it again: it goes on."
    )


# ---- read back -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Truth:
    """A folder of heads as arrays, in the order of its file names."""

    pictures: np.ndarray
    """(n, s, s, 3) uint8."""
    depth: np.ndarray
    """(n, s, s) float32; 1.2 where empty."""
    canonical: np.ndarray
    """(n, s, s) float32."""
    normals: np.ndarray
    """(n, s, s, 3) float32, unit, in the viewer's frame; of no length where empty."""
    view: np.ndarray
    """(n, 6) float32, raw."""
    light: np.ndarray
    """(n, 4) float32, raw."""
    identity: np.ndarray
    """(n,) int64."""
    rows: list[dict[str, Any]] = field(repr=False)
    """The lines of metadata.jsonl."""


def read(folder: Path | str, count: int | None = None) -> Truth:
    """The first `count` heads of a folder that `write` filled (all if None)."""
    folder = Path(folder)
    rows = _rows(folder, count)
    try:
        numbers = {k: np.array([row[k] for row in rows], np.float32) for k in ("view", "light")}
        identity = np.array([row["identity"] for row in rows], np.int64)
    except (ValueError, KeyError, TypeError):
        raise _no_heads(folder) from None
    names = [row["file_name"] for row in rows]
    pictures = np.stack([images.decode(images.read_bytes(folder / file)).pixels for file in names])
    normals = np.stack([maps.read(folder / "normals" / file, -1, 1) for file in names])
    depth, canonical = (_depths(folder / name, names) for name in ("depth", "canonical"))
    return Truth(pictures, depth, canonical, normals, numbers["view"], numbers["light"], identity, rows)


def read_depths(folder: Path | str, count: int | None = None) -> np.ndarray:
    """(n, s, s) float32: what `read` gives as depth, without reading the rest."""
    folder = Path(folder)
    return _depths(folder / "depth", [row["file_name"] for row in _rows(folder, count)])


def _rows(folder: Path, count: int | None) -> list[dict[str, Any]]:
    """The first lines of metadata.jsonl; DataError where no heads lie there."""
    try:
        lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()[:count]
        rows = [json.loads(line) for line in lines]
        if not all(isinstance(row.get("file_name"), str) and "view" in row for row in rows):
            raise ValueError
    except (OSError, ValueError, AttributeError):
        raise _no_heads(folder) from None
    return rows


def _no_heads(folder: Path) -> DataError:
    return DataError(
        "this is not a folder of drawn heads.", str(folder), "lianpu data sample heads --to FOLDER makes one."
    )


def _depths(folder: Path, names: Sequence[str]) -> np.ndarray:
    return np.stack([maps.read(folder / name, *DEPTHS) for name in names])
