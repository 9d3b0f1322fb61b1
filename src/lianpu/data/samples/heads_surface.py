"""The surface of a clay head: clay with pigment remains and weathering as albedo, and damage with known masks: cracks, chips, a missing
nose or ear, a bun broken off. All of it is a function of places on the head, so that every view of one head shows the same surface.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lianpu.data.samples.heads_shape import PARTS, Shape, normals
from lianpu.data.samples.plan import Dice

__all__ = ["Crack", "Surface", "finish", "grain", "noise"]

CLAYS = {  # fired clay under dust, encoded RGB
    "grey": (0.52, 0.48, 0.43), "ochre": (0.62, 0.52, 0.41), "red": (0.59, 0.46, 0.38), "dark": (0.44, 0.38, 0.33),
    "green": (0.53, 0.52, 0.44), "pale": (0.68, 0.60, 0.50),
}  # fmt: skip
LACQUER, SOIL, DUST = (0.23, 0.18, 0.16), (0.27, 0.22, 0.18), (0.72, 0.66, 0.56)
SKIN_PAINTS = {"flesh": (0.78, 0.59, 0.49), "white": (0.76, 0.73, 0.69), "lacquer": LACQUER, "blue": (0.42, 0.46, 0.56)}
CLOTH_PAINTS = {
    "green": (0.33, 0.47, 0.36),
    "red": (0.58, 0.25, 0.2),
    "purple": (0.43, 0.32, 0.47),
    "blue": (0.32, 0.4, 0.55),
}


@dataclass(frozen=True)
class Wear:
    """What two thousand years have done to a surface, breakage apart; spans are of what a head's dice may say."""

    grain: tuple[float, float, float]
    """Strength of fine and of coarse grain, and of pits."""
    mottle: tuple[float, float]
    """Strength of large and of small spots."""
    warmth: float
    """Strength of warmer and cooler places."""
    cover: float | None
    """How much is left of coats; None: the dice say. 1.5 is all of it."""
    lacquer: tuple[float, float]
    """How dark the hair's coat is."""
    skin: dict[str, float]
    """How often a face bears which coat."""
    soil: tuple[float, float]
    """In hollows."""
    dust: tuple[float, float]
    """On what lies flat."""


WEATHERED = Wear(
    (0.035, 0.03, 0.16), (0.1, 0.05), 0.028, None, (0.1, 0.55),
    {"none": 0.5, "flesh": 0.2, "white": 0.1, "lacquer": 0.12, "blue": 0.08}, (0.3, 0.8), (0.05, 0.55),
)  # fmt: skip
CLEAN = Wear((0.012, 0.01, 0.03), (0.03, 0.015), 0.01, 1.5, (0.1, 0.7), {"none": 1.0}, (0.5, 0.9), (0.02, 0.12))
"""As after a restorer's hands: spots and torn coats are gone, and what is dark lies in hollows or is the hair's coat."""


@dataclass(frozen=True)
class Crack:
    """A crack: where a crooked sheet through the head meets its surface, within `reach` of its middle."""

    middle: np.ndarray
    across: np.ndarray
    width: float
    reach: float
    key: int

    def at(self, places: np.ndarray) -> np.ndarray:
        """(k,) how much of a crack is at places (k, 3): 1 in its middle, 0 beyond it."""
        from_it = places - self.middle
        off = from_it @ self.across + 0.1 * noise(places, 3.5, self.key) + 0.035 * noise(places, 11.0, self.key + 1)
        width = self.width * np.clip(1.6 * (1 - np.linalg.norm(from_it, axis=1) / self.reach), 0, 1)
        return np.clip(1.5 - np.abs(off) / np.maximum(width, 1e-9), 0, 1) * (width > 0)


@dataclass(frozen=True)
class Surface:
    """A head as it stands: its points (moved where clay is missing), albedo and damage."""

    points: np.ndarray
    """(v, 3) decimetres."""
    albedo: np.ndarray
    """(v, 3) encoded RGB in [0, 1]."""
    damage: np.ndarray
    """(v,) 1 where clay is missing, else 0."""
    cracks: tuple[Crack, ...]
    grain: int
    """Key of the finest variation, which is finer than the vertices (`grain`)."""
    wear: Wear
    label: dict[str, object]


# The lattice lies askew, so that no edge of it lies along the face's middle.
_TURNED = np.array([[2, -1, 2], [2, 2, -1], [-1, 2, 2]]) / 3


def noise(places: np.ndarray, frequency: float, key: int) -> np.ndarray:
    """(k,) smooth random values in [-1, 1] at places (k, 3), `frequency` of them to a decimetre."""
    lattice = np.random.default_rng(key).uniform(-1, 1, (16, 16, 16)).ravel()
    at = places @ _TURNED * frequency + 100
    whole = np.floor(at).astype(np.int64)
    f = at - whole
    f = f * f * (3 - 2 * f)
    total = np.zeros(len(places))
    for corner in range(8):
        bits = (corner >> 2 & 1, corner >> 1 & 1, corner & 1)
        i, j, k = ((whole[:, axis] + bits[axis]) & 15 for axis in range(3))
        weight = np.ones(len(places))
        for axis in range(3):
            weight = weight * (f[:, axis] if bits[axis] else 1 - f[:, axis])
        total += weight * lattice[(i * 16 + j) * 16 + k]
    return total


def clouds(places: np.ndarray, frequency: float, key: int, octaves: int = 3) -> np.ndarray:
    """(k,) noise on several scales, each half as strong and twice as fine as the last; about [-1, 1]."""
    return sum(noise(places, frequency * 2**o, key + o) / 2**o for o in range(octaves)) / 1.4  # type: ignore[return-value]


def grain(places: np.ndarray, key: int, wear: Wear) -> np.ndarray:
    """(k,) factor of the albedo: the grain of clay, and dark pits in it."""
    fine, coarse, pits = wear.grain
    return (
        1
        + fine * noise(places, 22.0, key)
        + coarse * noise(places, 9.0, key + 1)
        - pits * np.clip(noise(places, 14.0, key + 2) - 0.55, 0, 1)
    )


def finish(shape: Shape, dice: Dice, damaged: bool, wear: Wear = WEATHERED) -> Surface:
    """The surface of a sculpted head; with `damaged`, one to four damages are done to it."""
    places = shape.place
    intact = normals(shape.points, shape.quads)
    albedo, label = _albedo(shape, dice, places, intact, wear)
    points, missing, cracks, done = shape.points, np.zeros(len(places)), (), []
    if damaged:
        points, missing, cracks, done = _damage(shape, dice, intact)
        fresh = np.array(CLAYS[str(label["clay"])]) * np.array([1.13, 1.03, 0.93]) * dice("fresh", 0.9, 1.3)
        bare = fresh * (1 + 0.12 * clouds(points, 5.0, _key(dice, "bare"))[:, None])
        aged = dice("aged", 0.35, 1.0)
        albedo = np.where(missing[:, None] > 0, aged * bare + (1 - aged) * albedo, albedo)
    return Surface(
        points, np.clip(albedo, 0.02, 0.95), missing, cracks, _key(dice, "grain"), wear, label | {"damage": done}
    )


def _key(dice: Dice, name: str) -> int:
    return int(dice.unit(name) * 2**31)


# ---- albedo ----------------------------------------------------------------------------------------------------------


def _albedo(
    shape: Shape, dice: Dice, places: np.ndarray, out: np.ndarray, wear: Wear
) -> tuple[np.ndarray, dict[str, object]]:
    def cloud(name: str, frequency: float, octaves: int = 3) -> np.ndarray:
        return clouds(places, frequency, _key(dice, name), octaves)

    clay = dice.pick("clay", {"grey": 0.26, "ochre": 0.26, "red": 0.14, "dark": 0.12, "green": 0.12, "pale": 0.1})
    colour = np.array(CLAYS[clay]) * dice("clay.light", 0.88, 1.12)
    coarse, fine = wear.mottle
    albedo = colour * (1 + coarse * cloud("mottle", 1.6) + fine * cloud("mottle fine", 6.0))[:, None]
    albedo = albedo + wear.warmth * cloud("warmth", 1.1)[:, None] * np.array([1.0, 0.15, -0.8])

    def paint(where: np.ndarray, what: tuple[float, ...], cover: float, strength: float, name: str) -> None:
        """Remains of a coat: `cover` of it is left, torn along a noise."""
        nonlocal albedo
        left = np.clip(0.5 + 6 * (cloud(name, 2.4, 4) - 1.1 + 2.2 * cover), 0, 1) * where * strength
        albedo = albedo + left[:, None] * (np.array(what) - albedo)

    part = {name: (shape.part == i).astype(float) for i, name in enumerate(PARTS)}
    skin = part["face"] + part["eyes"]
    hair = part["hair"] + part["bun"] + part["brow"] + part["beard"]
    cloth = part["collar"] + part["ribbon"] + part["cap"] + part["board"]
    paint(
        hair, LACQUER, wear.cover or dice("hair.cover", 0.1, 0.75), dice("hair.strength", *wear.lacquer), "hair paint"
    )
    painted = dice.pick("skin paint", wear.skin)
    if painted != "none":
        paint(skin, SKIN_PAINTS[painted], dice("skin.cover", 0.15, 0.6), dice("skin.strength", 0.2, 0.65), "skin coat")
    tint = dice.pick("cloth paint", ["none", *CLOTH_PAINTS])
    if tint != "none":
        cover = wear.cover or dice("cloth.cover", 0.3, 0.9)
        paint(cloth, CLOTH_PAINTS[tint], cover, dice("cloth.strength", 0.15, 0.6), "cloth coat")
    hollow = _hollow(shape, out)
    soil = np.clip(hollow, 0, 1) * dice("soil", *wear.soil)
    albedo = albedo + soil[:, None] * (np.array(SOIL) - albedo)
    albedo = albedo * (1 + 0.1 * np.clip(-hollow, 0, 1))[:, None]  # what stands out is worn bright
    dust = np.clip(out[:, 1] - 0.25, 0, 1) * np.clip(0.5 + cloud("dust", 1.5), 0, 1) * dice("dust", *wear.dust)
    albedo = albedo + dust[:, None] * (np.array(DUST) - albedo)
    return albedo, {"clay": clay, "skin_paint": painted, "cloth_paint": tint}


def _hollow(shape: Shape, out: np.ndarray) -> np.ndarray:
    """(v,) how hollow the surface is, about -1 to 1: how far the quads round a vertex lie before it, for their size."""
    quads, n = shape.quads, len(shape.points)
    middle = shape.points[quads].mean(1)
    count = np.maximum(np.bincount(quads.ravel(), minlength=n), 1)
    mean = (
        np.stack([np.bincount(quads.ravel(), np.repeat(middle[:, axis], 4), n) for axis in range(3)], 1)
        / count[:, None]
    )
    away = ((mean - shape.points) * out).sum(1)
    for _ in range(2):  # the mesh's own unevenness is no dirt
        away = np.bincount(quads.ravel(), np.repeat(away[quads].mean(1), 4), n) / count
    return 13 * away / (np.linalg.norm(shape.points[quads[:, 0]] - shape.points[quads[:, 2]], axis=1).mean() + 1e-9)


# ---- damage ----------------------------------------------------------------------------------------------------------

KINDS = {"crack": 0.34, "chip": 0.34, "nose": 0.12, "ear": 0.12, "bun": 0.08}


def _damage(shape: Shape, dice: Dice, out: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[Crack, ...], list[str]]:
    points, missing = shape.points.copy(), np.zeros(len(shape.points))
    cracks: list[Crack] = []
    done: list[str] = []

    def cut(where: np.ndarray, on: np.ndarray, outward: np.ndarray, rough: float, name: str) -> bool:
        """Take away what stands before a rough plane through `on`, where `where` allows it."""
        above = (points - on) @ outward + rough * clouds(points, 4.0, _key(dice, name))
        gone = where & (above > 0)
        points[gone] -= above[gone, None] * outward
        missing[gone] = 1
        return bool(gone.any())

    for i in range(int(dice("damages", 1, 4.99))):
        kind = dice.pick(f"damage.{i}", KINDS)
        if kind == "crack":
            cracks.append(_crack(shape, dice, i))
            done.append(kind)
        elif (kind == "chip" or kind not in done) and _CUTS[kind](shape, dice, i, out, cut):
            done.append(kind)
    return points, missing, tuple(cracks), done


def _seen(shape: Shape, dice: Dice, name: str) -> int:
    """A vertex of face or hair in front, drawn at random."""
    on_top = np.isin(shape.part, [PARTS.index(p) for p in ("face", "hair", "cap")])
    x, y, z = shape.place.T
    hollow = (np.hypot(np.abs(x) - 0.29, y) < 0.3) | (np.hypot(x, y + 0.74) < 0.36)  # behind eyes and lips lies no clay
    some = np.flatnonzero(on_top & (z > 0.25) & (y > -1.0) & ~hollow)
    return int(some[int(dice.unit(name) * len(some))])


def _crack(shape: Shape, dice: Dice, i: int) -> Crack:
    at = shape.place[_seen(shape, dice, f"crack.{i}.at")]
    turn, lean = 2 * np.pi * dice.unit(f"crack.{i}.turn"), dice(f"crack.{i}.lean", -0.3, 0.3)
    across = np.array([np.cos(turn), np.sin(turn), lean])
    return Crack(
        at,
        across / np.linalg.norm(across),
        dice(f"crack.{i}.width", 0.012, 0.032),
        dice(f"crack.{i}.reach", 0.5, 1.6),
        _key(dice, f"crack.{i}"),
    )


Cut = Callable[[np.ndarray, np.ndarray, np.ndarray, float, str], bool]


def _chip(shape: Shape, dice: Dice, i: int, out: np.ndarray, cut: Cut) -> bool:
    at = _seen(shape, dice, f"chip.{i}.at")
    size = dice(f"chip.{i}.size", 0.08, 0.27)
    near = np.linalg.norm(shape.points - shape.points[at], axis=1) < size * (
        1 + 0.3 * noise(shape.points, 5.0, _key(dice, f"chip.{i}"))
    )
    return cut(near, shape.points[at] - 0.22 * size * out[at], out[at], 0.02, f"chip.{i}.rough")


def _nose(shape: Shape, dice: Dice, i: int, out: np.ndarray, cut: Cut) -> bool:
    tip, root, base = (shape.marks[k] for k in ("nose tip", "nose root", "nose base"))
    along = root - base
    outward = np.array([dice("nose.side", -0.25, 0.25), -along[2], along[1]])
    outward /= np.linalg.norm(outward)
    near = np.linalg.norm((shape.points - (tip + root) / 2) * [1, 0.75, 1], axis=1) < 0.36
    return cut(
        near & (shape.points[:, 1] > base[1] - 0.03),
        tip - dice("nose.depth", 0.07, 0.13) * outward,
        outward,
        0.016,
        "nose.rough",
    )


def _ear(shape: Shape, dice: Dice, i: int, out: np.ndarray, cut: Cut) -> bool:
    side = 1 if dice.chance("ear.side", 0.5) else -1
    middle = shape.marks["ear left" if side > 0 else "ear right"]
    near = np.linalg.norm(shape.points - middle, axis=1) < 0.62
    outward = np.array([side * 1.0, dice("ear.tilt", -0.2, 0.2), 0.15])
    outward /= np.linalg.norm(outward)
    on = middle - outward * dice("ear.depth", 0.02, 0.06)
    rear = shape.points[:, 2] < middle[2] + 0.3  # the cheek stays
    return cut(near & rear & (shape.part == PARTS.index("face")), on, outward, 0.02, "ear.rough")


def _bun(shape: Shape, dice: Dice, i: int, out: np.ndarray, cut: Cut) -> bool:
    high = np.isin(shape.part, [PARTS.index("bun"), PARTS.index("ribbon")]) & (
        shape.points[:, 1] > shape.marks["crown"][1]
    )
    if not (shape.part == PARTS.index("bun")).any():
        return False
    outward = np.array([dice("stump.x", -0.5, 0.5), 1.0, dice("stump.z", -0.1, 0.6)])
    outward /= np.linalg.norm(outward)
    return cut(high, shape.marks["crown"] + outward * dice("stump", 0.1, 0.24), outward, 0.03, "stump.rough")


_CUTS: dict[str, Callable[[Shape, Dice, int, np.ndarray, Cut], bool]] = {
    "chip": _chip,
    "nose": _nose,
    "ear": _ear,
    "bun": _bun,
}
