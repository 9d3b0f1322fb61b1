"""The shape of a clay head: the CC0 head basis (`heads_basis/`) under a seeded identity, smoothed once, and what a warrior wears on it in
relief: combed hair or a cap, a bun, a board or a ribbon, brows, moustache, goatee, collar and shoulders.

Lengths are decimetres in the head's own frame: x to its left (the viewer's right), y up from the level of the eyes, z to the front from
the middle of the head. Each part is a mesh of its own that is sunk into what carries it; the z-buffer makes one surface of them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from scipy import sparse
from scipy.spatial import KDTree

from lianpu.data.samples.plan import Dice

__all__ = ["PARTS", "Shape", "normals", "sculpt"]

PARTS = ("face", "eyes", "hair", "cap", "bun", "ribbon", "board", "brow", "beard", "collar", "robe")
MIDDLE = 0.45  # z of the head's middle in the basis, between the ears
NOSE_TIP, NOSE_ROOT, NOSE_BASE = 294, 132, 317  # vertices of the basis on its middle line
LAID_ASIDE = (  # targets that move the head as a whole, or deform what a warrior does not
    "head/head-trans", "neck/measure", "neck/neck-trans", "ears/l-ear-shape", "ears/r-ear-shape", "ears/l-ear-wing",
    "ears/r-ear-wing", "chin/chin-triangle", "expression/",
)  # fmt: skip
OPPOSITES = (
    ("decr", "incr"),
    ("down", "up"),
    ("backward", "forward"),
    ("in", "out"),
    ("compress", "uncompress"),
    ("concave", "convex"),
)


@dataclass(frozen=True)
class Shape:
    """All parts of one head."""

    points: np.ndarray
    """(v, 3) decimetres in the head's frame."""
    quads: np.ndarray
    """(q, 4) vertex numbers, anticlockwise from outside."""
    part: np.ndarray
    """(v,) index into PARTS."""
    place: np.ndarray
    """(v, 3) where the vertex lies on the unmodified head: the same vertex, the same place, whatever the identity."""
    marks: dict[str, np.ndarray]
    """Points of this head by name: nose tip, root and base, the ears, the bun's foot; (3,) each."""
    label: dict[str, Any]


# ---- the basis -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Basis:
    points: np.ndarray  # (n, 3), in the head's frame
    quads: np.ndarray
    eyes: tuple[int, int]
    targets: dict[str, tuple[np.ndarray, np.ndarray]]  # name -> vertex numbers, displacements
    smooth: sparse.csr_matrix  # (m, n): vertices after one subdivision
    fine: np.ndarray  # (4f, 4) quads of it


@functools.cache
def basis() -> _Basis:
    file = resources.files("lianpu.data.samples") / "heads_basis" / "basis.npz"
    with resources.as_file(file) as path, np.load(path, allow_pickle=False) as found:
        b = {k: found[k] for k in found.files}
    points = b["vertices"].astype(np.float64)
    level = points[b["eyes"][0] :, 1].mean()
    points -= [0, level, MIDDLE]
    targets = {}
    for i, name in enumerate(b["names"]):
        at = slice(b["starts"][i], b["starts"][i + 1])
        targets[str(name)] = (b["index"][at].astype(np.int64), b["deltas"][at] * float(b["scales"][i]))
    quads = b["quads"].astype(np.int64)
    smooth, fine = subdivide(quads, len(points))
    left, right = (int(e) for e in b["eyes"])
    return _Basis(points, quads, (left, right), targets, smooth, fine)


def subdivide(quads: np.ndarray, n: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """One step of Catmull and Clark 1978 on a mesh of n vertices: the matrix (m, n) that makes the new vertices of the old, and the new
    quads. Borders become splines of their own.
    """
    f = len(quads)
    around = np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2)  # edge k of a face leaves its corner k
    edges, which = np.unique(np.sort(around, 1), axis=0, return_inverse=True)
    which = which.reshape(f, 4)
    e, faces = len(edges), np.repeat(np.arange(f), 4)
    F = sparse.csr_matrix((np.full(4 * f, 0.25), (faces, quads.ravel())), (f, n))  # face points
    middles = sparse.csr_matrix((np.full(2 * e, 0.5), (np.repeat(np.arange(e), 2), edges.ravel())), (e, n))
    count = np.bincount(which.ravel(), minlength=e)
    touching = sparse.csr_matrix((np.ones(4 * f), (which.ravel(), faces)), (e, f))
    inner = (count == 2).astype(float)
    E = sparse.diags(1 - inner / 2) @ middles + sparse.diags(inner / 4) @ touching @ F
    border = edges[count == 1]
    on_border = np.zeros(n, bool)
    on_border[border.ravel()] = True
    valence = np.bincount(edges.ravel(), minlength=n).astype(float)
    at_vertex = sparse.csr_matrix((np.ones(2 * e), (edges.ravel(), np.repeat(np.arange(e), 2))), (n, e))
    face_at = sparse.csr_matrix((np.ones(4 * f), (quads.ravel(), faces)), (n, f))
    used = np.maximum(np.asarray(face_at.sum(1)).ravel(), 1)
    free = np.maximum(valence, 3)
    inside = (
        sparse.diags(1 / (free * used)) @ face_at @ F
        + sparse.diags(2 / (free * np.maximum(valence, 1))) @ at_vertex @ middles
        + sparse.diags((free - 3) / free)
    )
    rim = sparse.csr_matrix((np.full(2 * len(border), 1 / 8), (border.ravel(), border[:, ::-1].ravel())), (n, n))
    rim = rim + sparse.diags(np.full(n, 0.75))
    V = sparse.diags((~on_border).astype(float)) @ inside + sparse.diags(on_border.astype(float)) @ rim
    matrix = sparse.csr_matrix(sparse.vstack([V, E, F]))
    edge_of = n + which
    new = np.stack([quads, edge_of, np.repeat(n + e + np.arange(f)[:, None], 4, 1), np.roll(edge_of, 1, 1)], -1)
    return matrix, new.reshape(-1, 4)


def normals(points: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """(v, 3) unit normals, outwards: the sum of the faces' at each vertex, by area."""
    a, b, c, d = (points[quads[:, k]] for k in range(4))
    face = np.cross(c - a, d - b)
    total = np.zeros_like(points)
    for axis in range(3):  # bincount adds in a fixed order, and faster than np.add.at
        total[:, axis] = np.bincount(quads.ravel(), np.repeat(face[:, axis], 4), len(points))
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


@functools.cache
def eyeballs() -> tuple[np.ndarray, np.ndarray]:
    """Vertices of a sculpted head's left and right eyeball."""
    used = np.unique(basis().fine[_is_eye()])
    left = _rest()[used, 0] > 0
    return used[left], used[~left]


# ---- identity --------------------------------------------------------------------------------------------------------


@functools.cache
def sliders() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Name -> the targets towards its lower and its upper end; left and right ones together."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for name in basis().targets:
        if name.startswith((*LAID_ASIDE, "macro/")):
            continue
        folder, _, rest = name.partition("/")
        key, end = f"{folder}/{rest[2:] if rest[:2] in ('l-', 'r-') else rest}", 1
        for low, high in OPPOSITES:
            if key.endswith(f"-{low}"):
                key, end = key[: -len(low) - 1], 0
            elif key.endswith(f"-{high}"):
                key = key[: -len(high) - 1]
        found.setdefault(key, ([], []))[end].append(name)
    return {key: (tuple(low), tuple(high)) for key, (low, high) in found.items()}


def coefficients(dice: Dice) -> dict[str, float]:
    """Target -> how far it is moved, 0 to 1, of one identity. Left and right differ a little, as in faces and in clay."""
    rng = dice.rng("shape")
    out: dict[str, float] = {}
    for key, (low, high) in sliders().items():
        x = float(np.clip(rng.normal(0, SPREAD.get(key.split("/")[0], 0.3)), -1, 1))
        uneven = rng.normal(0, 0.16)
        rare = rng.random() < 0.7
        if not (low and high):  # a one-sided target is a special shape, not a measure: most heads do without
            x = 0.0 if rare else (abs(x) if high else -abs(x)) * 0.6
        for name in high if x > 0 else low:
            side = {"l-": 1.0, "r-": -1.0}.get(name.split("/")[1][:2], 0.0)
            out[name] = abs(x) * max(0.0, 1 + side * uneven)
    old = dice("old", -0.25, 0.75)
    for name, value in (
        ("macro/old", max(0.0, old)), ("macro/caucasian", dice("other", 0, 0.35)), ("macro/muscle", dice("muscle", 0, 0.8)),
        ("macro/heavy", max(0.0, dice("weight", -1.2, 1.2))), ("macro/lean", max(0.0, -dice("weight", -1.2, 1.2))),
    ):  # fmt: skip
        out[name] = value
    # almond lids, and brows drawn together
    for side in ("left", "right"):
        out[f"expression/eye-{side}-slit"] = dice("slit", -0.35, 0.55) + 0.06 * rng.normal()
        out[f"eyes/{side[0]}-eye-scale-incr"] = dice("eyes", 0.1, 0.8)
        out[f"eyes/{side[0]}-eye-corner2-up"] = dice("almond", 0, 0.7)
        out[f"expression/eyebrows-{side}-down"] = max(0.0, dice("frown", -0.7, 0.6))
    out["expression/mouth-compression"] = max(0.0, dice("lips", -0.6, 0.5))
    out["expression/mouth-corner-puller"] = max(0.0, dice("smile", -0.4, 0.5))
    out["expression/mouth-depression"] = max(0.0, dice("stern", -0.5, 0.5))
    return {name: float(value) for name, value in out.items() if value > 0}


SPREAD = {
    "head": 0.3,
    "nose": 0.28,
    "mouth": 0.32,
    "chin": 0.34,
    "cheek": 0.4,
    "ears": 0.25,
    "neck": 0.12,
    "eyes": 0.25,
}


def _formed(weights: dict[str, float]) -> np.ndarray:
    """(n, 3) the basis moved by its targets, then set so that the eyes' middle is where it was."""
    b = basis()
    points = b.points.copy()
    for name, weight in weights.items():
        at, by = b.targets[name]
        points[at] += weight * by
    eyes = slice(b.eyes[0], None)
    return points + (b.points[eyes].mean(0) - points[eyes].mean(0)) * [1, 1, 0.5]


# ---- places on the head ----------------------------------------------------------------------------------------------


class _Surface:
    """The smoothed head of one identity, and where a place of the unmodified head lies on it."""

    def __init__(self, points: np.ndarray) -> None:
        self.points = basis().smooth @ points
        self.normals = normals(self.points, basis().fine)

    def at(self, places: np.ndarray, tree: KDTree, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points and normals (k, 3) at the places (k, d) that `tree` was made for, between the five nearest vertices."""
        far, near = tree.query(places, 5)
        w = 1 / (far + 0.01) ** 2
        w /= w.sum(1, keepdims=True)
        points = (self.points[among[near]] * w[..., None]).sum(1)
        out = (self.normals[among[near]] * w[..., None]).sum(1)
        return points, out / np.linalg.norm(out, axis=1, keepdims=True)

    def front(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points and normals of the face at (x, y) of the unmodified one."""
        tree, among = _front()
        return self.at(np.stack([x, y], 1), tree, among)


@functools.cache
def _rest() -> np.ndarray:
    """(m, 3) the smoothed basis itself: places."""
    return basis().smooth @ basis().points


@functools.cache
def _front() -> tuple[KDTree, np.ndarray]:
    """The vertices of the face that are seen from the front, by x and y: neither the mouth's inside nor the eyes."""
    points = _rest()
    facing = normals(points, basis().fine)[:, 2] > 0.15
    eyes = np.zeros(len(points), bool)
    eyes[np.unique(basis().fine[_is_eye()])] = True
    some = np.flatnonzero(facing & ~eyes & (points[:, 2] > 0.1))
    pairs = KDTree(points[some, :2]).query_ball_point(points[some, :2], 0.05)
    outer = [points[i, 2] > points[some[near], 2].max() - 0.1 for i, near in zip(some, pairs, strict=True)]
    among = some[np.array(outer)]
    return KDTree(points[among, :2]), among


def _is_eye() -> np.ndarray:
    """(4f,) which fine quads are of an eyeball."""
    return np.repeat((basis().quads >= basis().eyes[0]).any(1), 4)


def _weight(target: str) -> np.ndarray:
    """(n,) 0 to 1: how strongly a target moves each vertex of the basis: a soft mask of nose or ear."""
    at, by = basis().targets[target]
    out = np.zeros(len(basis().points))
    out[at] = np.linalg.norm(by, axis=1)
    return out / out.max()


# ---- hair ------------------------------------------------------------------------------------------------------------

_ROUND = np.radians([0, 26, 38, 44, 50, 56, 63, 76, 104, 116, 130, 180])  # forehead, temple, sideburn, ear, nape
_LINES = {
    "hair": np.array([0.6, 0.59, 0.54, 0.4, 0.08, -0.1, 0.24, 0.3, 0.22, -0.3, -0.6, -0.66]),
    "cap": np.array([0.54, 0.54, 0.53, 0.52, 0.5, 0.46, 0.42, 0.36, 0.28, 0.0, -0.3, -0.5]),
}


def _above(places: np.ndarray, line: str, shift: float) -> np.ndarray:
    """Distance above the line of hair or cap (decimetres, about) at places on the unmodified head; `shift` raises it over the forehead."""
    around = np.arctan2(np.abs(places[:, 0]), places[:, 2])
    height = np.interp(around, _ROUND, _LINES[line]) + shift * np.clip(1 - around / 1.2, 0, 1)
    middles, slopes = (_ROUND[1:] + _ROUND[:-1]) / 2, np.diff(_LINES[line]) / np.diff(_ROUND)
    slope = np.interp(around, middles, slopes) / 0.75  # at a radius of 0.75
    return (places[:, 1] - height) / np.sqrt(1 + slope**2)


@functools.cache
def _scalp() -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """The patch that carries hair, two subdivisions finer than the basis: the matrix from the basis, its quads, its places."""
    b = basis()
    ear = b.smooth @ np.maximum(_weight("ears/l-ear-trans-up"), _weight("ears/r-ear-trans-up"))
    places = _rest()
    quads = b.fine[~_is_eye()]
    # the ears' roots stay: hair is sunk there, and without them the patch would have holes
    around = np.arctan2(np.abs(places[:, 0]), places[:, 2])
    low = places[:, 1] - np.interp(around, _ROUND, _LINES["hair"]) < -0.22
    on = ~low[quads].any(1) & (ear[quads] < 0.55).all(1) & (places[quads][..., 1] > -0.8).all(1)
    outside = (places[quads] ** 2).sum(-1).min(1) > 0.45  # the skull, not the mouth's and nose's inside
    quads = quads[on & outside]
    used = np.unique(quads)
    number = np.full(len(places), -1)
    number[used] = np.arange(len(used))
    once, finer = subdivide(number[quads], len(used))
    matrix = (once @ b.smooth[used]).tocsr()
    return matrix, finer, matrix @ b.points


def _step(x: np.ndarray, width: float) -> np.ndarray:
    return 1 / (1 + np.exp(np.clip(-x / width, -40, 40)))


def _hair(dice: Dice, base: np.ndarray, kind: str, foot: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hair combed towards the bun's `foot` (a place on the unmodified head), or a cap: points, quads, places."""
    matrix, quads, places = _scalp()
    points = matrix @ base
    out = normals(points, quads)
    shift = dice("hair.line", -0.06, 0.1)
    above = _above(places, "cap" if kind == "cap" else "hair", shift)
    edge = _step(above, 0.02)
    if kind == "cap":
        thick = dice("cap.thick", 0.06, 0.1) * edge + 0.025 * np.exp(-(((above - 0.07) / 0.05) ** 2))
        fold = np.sin(7 * places[:, 0] + 5 * places[:, 2] + 6 * dice.unit("cap.fold")) * np.clip(above, 0, 0.5)
        by = thick + 0.02 * fold
    else:
        thick = dice("hair.thick", 0.055, 0.1)
        to = foot / np.linalg.norm(foot)
        side = np.cross(to, [0.0, 0.0, 1.0])
        side /= np.linalg.norm(side)
        angle = np.arctan2(places @ np.cross(to, side), places @ side)
        away = np.arccos(np.clip(places @ to / np.linalg.norm(places, axis=1), -1, 1))
        n = int(dice("hair.strands", 46, 78))
        wave = 0.35 * np.sin(3 * angle + 9 * away + 6 * dice.unit("hair.wave"))
        groove = np.abs(np.sin(n * angle / 2 + wave))  # rounded strands between sharp grooves
        broad = np.sin(int(dice("hair.locks", 7, 13)) * angle + 2 * wave)
        depth = dice("hair.depth", 0.016, 0.03) * np.clip(away / 0.5, 0, 1) * _step(above - 0.03, 0.02)
        by = thick * edge + depth * (groove - 0.6) + 0.012 * broad * edge
        if kind == "parted":
            by = by - 0.05 * np.exp(-((places[:, 0] / 0.035) ** 2)) * edge * (places[:, 2] > 0)
    by = by - 0.06 * (1 - edge)
    return points + out * by[:, None], quads, places


# ---- swept parts -----------------------------------------------------------------------------------------------------


def _sweep(
    path: np.ndarray, up: np.ndarray, wide: np.ndarray, high: np.ndarray, *, around: int = 16, square: float = 2.0,
    strands: int = 0, groove: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """A rounded bar along `path` (k, 3): half widths `wide` and half heights `high` (k,), the latter along `up` (k, 3).

    square: exponent of the section's superellipse, 2 a circle; strands: grooves along it, as of combed hair or cloth.
    """
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    up = up - (up * along).sum(1, keepdims=True) * along
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    across = np.cross(along, up)
    t = np.arange(around) * 2 * np.pi / around
    c, s = np.cos(t), np.sin(t)
    c, s = np.sign(c) * np.abs(c) ** (2 / square), np.sign(s) * np.abs(s) ** (2 / square)
    dent = 1 - groove * (0.5 + 0.5 * np.cos(strands * t))
    points = path[:, None] + across[:, None] * (wide[:, None] * c * dent)[..., None]
    points = points + up[:, None] * (high[:, None] * s * dent)[..., None]
    k, m = points.shape[:2]
    i = np.arange(k * m).reshape(k, m)
    quads = np.stack([i[:-1], i[1:], np.roll(i, -1, 1)[1:], np.roll(i, -1, 1)[:-1]], -1).reshape(-1, 4)
    return points.reshape(-1, 3), quads


def _curve(*points: tuple[float, ...], n: int = 28) -> np.ndarray:
    """(n, d) a smooth curve through points (Catmull-Rom), evenly spaced in its parameter."""
    p = np.array([points[0], *points, points[-1]], float)
    t = np.linspace(0, len(points) - 1, n)
    i = np.minimum(t.astype(int), len(points) - 2)
    f = (t - i)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3)


def _taper(n: int, start: float = 0.0, end: float = 0.0, most: float = 0.35) -> np.ndarray:
    """(n,) 0 to 1 to 0 along a stroke: thickest at `most`; ends as thick as said, and the very ends closed."""
    t = np.linspace(0, 1, n)
    body = np.where(
        t < most,
        start + (1 - start) * np.sin(np.pi / 2 * t / most),
        end + (1 - end) * np.cos(np.pi / 2 * (t - most) / (1 - most)),
    )
    return np.maximum(body * np.clip(np.minimum(t, 1 - t) * n / 1.5, 0, 1), 1e-3)


def _on_face(
    surface: _Surface, plan: np.ndarray, wide: np.ndarray, high: np.ndarray, sink: float, **how: Any
) -> tuple[np.ndarray, np.ndarray]:
    """A bar laid on the face along `plan` (k, 2) of the unmodified one."""
    path, up = surface.front(plan[:, 0], plan[:, 1])
    for _ in range(3):  # the vertices it runs along are not in a line
        path[1:-1] = 0.25 * path[:-2] + 0.5 * path[1:-1] + 0.25 * path[2:]
        up[1:-1] = 0.25 * up[:-2] + 0.5 * up[1:-1] + 0.25 * up[2:]
    return _sweep(path - sink * up, up, wide, high, **how)


# ---- the whole -------------------------------------------------------------------------------------------------------


class _Making:
    def __init__(self) -> None:
        self.points: list[np.ndarray] = []
        self.quads: list[np.ndarray] = []
        self.part: list[np.ndarray] = []
        self.place: list[np.ndarray] = []
        self.n = 0

    def add(self, name: str, made: tuple[np.ndarray, np.ndarray], place: np.ndarray | None = None) -> None:
        points, quads = made
        self.points.append(points)
        self.quads.append(quads + self.n)
        self.part.append(np.full(len(points), PARTS.index(name), np.uint8))
        self.place.append(points if place is None else place)
        self.n += len(points)


def sculpt(dice: Dice) -> Shape:
    """The head of one identity; its numbers are those of `dice`."""
    base = _formed(coefficients(dice))
    surface = _Surface(base)
    b, made = basis(), _Making()
    eye = _is_eye()
    made.add("face", (surface.points, b.fine), _rest())
    made.part[0][np.unique(b.fine[eye])] = PARTS.index("eyes")
    kind = dice.pick("headgear", {"bun": 0.52, "parted": 0.14, "cap": 0.2, "board": 0.14})
    side = 1 if dice.chance("bun.side", 0.12) else -1  # nearly all wear it on their right
    foot = np.array([side * dice("bun.x", 0.18, 0.5), 0.98, dice("bun.z", -0.3, 0.12)])
    if kind == "board":
        foot = np.array([0.0, 1.0, -0.25])
    points, quads, places = _hair(dice, base, kind, foot)
    made.add("cap" if kind == "cap" else "hair", (points, quads), places)
    crown = points[np.argmin(((places - foot) ** 2).sum(1) + 9 * (places[:, 1] < 0.5))]
    _headgear(dice, made, kind, crown, points)
    label = {"headgear": kind}
    label |= _brows_and_beard(dice, made, surface)
    _clothes(dice, made, surface)
    ears = {
        f"ear {s}": base[_weight(f"ears/{t}-ear-trans-up") > 0.5].mean(0) for s, t in (("left", "l"), ("right", "r"))
    }
    marks = {
        "nose tip": base[NOSE_TIP],
        "nose root": base[NOSE_ROOT],
        "nose base": base[NOSE_BASE],
        "crown": crown,
        **ears,
    }
    points, quads, part, place = (np.concatenate(a) for a in (made.points, made.quads, made.part, made.place))
    return Shape(points, quads, part, place, marks, label)


def _headgear(dice: Dice, made: _Making, kind: str, crown: np.ndarray, hair: np.ndarray) -> None:
    if kind in ("bun", "parted", "cap"):
        size = dice("bun.size", 0.95, 1.45) * (0.75 if kind == "cap" else 1.0)
        lean = np.array([np.sign(crown[0]) * dice("bun.lean", 0.1, 0.75), 1.0, dice("bun.back", -0.35, 0.15)])
        lean /= np.linalg.norm(lean)
        k = 36
        t = np.linspace(0, 1, k)
        wide = size * np.interp(
            t, [0, 0.18, 0.36, 0.48, 0.62, 0.78, 0.9, 0.97, 1], [0.24, 0.23, 0.22, 0.29, 0.33, 0.31, 0.23, 0.13, 0.001]
        )
        if kind == "cap":  # the bun under its cloth
            wide = size * np.interp(t, [0, 0.3, 0.55, 0.75, 0.9, 0.97, 1], [0.46, 0.42, 0.37, 0.3, 0.19, 0.09, 0.001])
        long = size * dice("bun.long", 0.46, 0.66) * (0.7 if kind == "cap" else 1)
        bend = 0.14 * np.sin(np.pi * t * 0.8)[:, None] * np.array([dice("bun.bend", -1, 1), 0, dice("bun.fold", -1, 1)])
        path = crown - 0.2 * lean + t[:, None] * lean * (long + 0.2) + bend
        flat = dice("bun.flat", 0.75, 1.0)
        up = np.tile([0.2, 0.1, 1.0], (k, 1))
        points, quads = _sweep(path, up, wide, wide * flat, around=72)
        axis = path[:, None].repeat(72, 1).reshape(-1, 3)
        turn = np.tile(np.arange(72) * 2 * np.pi / 72, k)
        twist = 5 * dice("bun.twist", -1, 1) * np.repeat(t, 72)
        cut = (
            1
            + 0.16 * np.abs(np.sin(int(dice("bun.coils", 2, 5)) * turn / 2 + twist))
            + 0.05 * np.abs(np.sin(8 * turn + 2 * twist))
        )
        if kind != "cap":
            points = axis + (points - axis) * cut[:, None]
        made.add("cap" if kind == "cap" else "bun", (points, quads))
        if kind != "cap":
            ring = slice(6, 12)
            made.add(
                "ribbon",
                _sweep(path[ring], up[ring], wide[ring] * 1.12 + 0.01, wide[ring] * flat * 1.12 + 0.01, around=32),
            )
    if kind in ("bun", "parted") and dice.chance("ribbon", 0.8):
        _ribbon(dice, made, hair)
    if kind == "board":
        _board(dice, made, hair)


def _over(hair: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """(k,) how far from the head's middle the hair lies in each direction."""
    far = np.linalg.norm(hair, axis=1)
    away, near = KDTree(hair / far[:, None]).query(directions / np.linalg.norm(directions, axis=-1, keepdims=True), 6)
    w = 1 / (away + 0.01)
    return (far[near] * w).sum(-1) / w.sum(-1)


def _ribbon(dice: Dice, made: _Making, hair: np.ndarray) -> None:
    """The folded strip that lies on the hair above the forehead."""
    nu, nv = 40, 22
    u, v = np.meshgrid(np.linspace(-1, 1, nu), np.linspace(-1, 1, nv), indexing="ij")
    tilt, at = dice("ribbon.tilt", -0.5, 0.5), dice("ribbon.at", -0.12, 0.12)
    wide, deep = dice("ribbon.wide", 0.2, 0.34), dice("ribbon.deep", 0.1, 0.16)
    x = at + wide * u * (1 - 0.25 * v) + tilt * deep * v
    z = 0.62 + deep * v + 0.1 * np.abs(u) * dice("ribbon.bow", -1, 1) - tilt * wide * u * 0.6
    way = np.stack([x, np.full_like(x, 0.83), z], -1).reshape(-1, 3)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    flat = np.clip(5 * (1 - np.abs(u)), 0, 1) * np.clip(4 * (1 - np.abs(v)), 0, 1)
    fold = 0.03 * np.sin(dice("ribbon.folds", 2, 4.5) * u + 2 * v) + 0.02 * np.sign(v - 0.15 * u)
    lift = np.minimum(flat * 2.2, 1) * (0.09 + fold) - 0.05 * (1 - np.minimum(flat * 2.2, 1))
    points = way * (_over(hair, way) + lift.ravel())[:, None]
    i = np.arange(nu * nv).reshape(nu, nv)
    quads = np.stack([i[:-1, :-1], i[:-1, 1:], i[1:, 1:], i[1:, :-1]], -1).reshape(-1, 4)
    made.add("ribbon", (points, quads))


def _board(dice: Dice, made: _Making, hair: np.ndarray) -> None:
    """An officer's cap: a narrow board over the crown that rises behind."""
    rise, wide = dice("board.rise", 0.2, 0.4), dice("board.wide", 0.24, 0.34)
    z = np.array([0.72, 0.5, 0.2, -0.1])
    lie = [hair[(np.abs(hair[:, 0]) < 0.15) & (np.abs(hair[:, 2] - at) < 0.15), 1].max() + 0.01 for at in z]
    behind = [(lie[-1] + 0.06 + rise / 3, -0.4), (lie[-1] + 0.12 + rise, -0.62)]
    path = np.concatenate([np.zeros((30, 1)), _curve(*zip(lie, z, strict=True), *behind, n=30)], 1)
    up = np.tile([0.0, 1.0, 0.0], (30, 1)) + np.linspace(0, 1, 30)[:, None] ** 4 * np.array([0, 0, 1.0])
    grow = np.linspace(0.85, 1.25, 30)
    made.add(
        "board",
        _sweep(
            path,
            up,
            wide * grow * np.clip(_taper(30, 0.6, 0.8), 0, 1),
            0.07 * np.clip(_taper(30, 1, 1), 0, 1),
            square=6,
            around=24,
        ),
    )


def _brows_and_beard(dice: Dice, made: _Making, surface: _Surface) -> dict[str, Any]:
    label: dict[str, Any] = {"moustache": "none", "goatee": False}
    arch = dice("brow.arch", -0.03, 0.07)
    height = dice("brow.height", 0.012, 0.03)
    for side in (-1, 1):
        off = 0.012 * dice.rng(f"brow{side}").normal(size=4)
        plan = _curve(
            (side * 0.1, 0.235 + off[0]),
            (side * 0.28, 0.3 + arch + off[1]),
            (side * 0.45, 0.3 + arch + off[2]),
            (side * 0.58, 0.2 + off[3]),
        )
        taper = _taper(len(plan), 0.5, 0.1)
        made.add("brow", _on_face(surface, plan, 0.045 * taper, height * taper + 1e-3, 0.004, strands=3, groove=0.12))
    style = dice.pick("moustache", {"none": 0.12, "down": 0.3, "straight": 0.26, "up": 0.32})
    label["moustache"] = style
    if style != "none":
        reach = dice("moustache.reach", 0.36, 0.58)
        end = {"down": -0.92, "straight": -0.72, "up": -0.56}[style] + dice("moustache.end", -0.05, 0.05)
        turn = {"down": -0.74, "straight": -0.68, "up": -0.73}[style]
        wide, high = dice("moustache.wide", 0.04, 0.068), dice("moustache.high", 0.03, 0.05)
        for side in (-1, 1):
            off = 0.015 * dice.rng(f"moustache{side}").normal(size=4)
            plan = _curve(
                (side * 0.025, -0.56),
                (side * 0.16, -0.6 + off[0]),
                (side * (reach * 0.68), turn + off[1]),
                (side * reach, end + off[2]),
            )
            taper = _taper(len(plan), 0.55, 0.0, 0.4)
            made.add("beard", _on_face(surface, plan, wide * taper, high * taper, 0.006, strands=4, groove=0.16))
    if dice.chance("goatee", 0.55):
        label["goatee"] = True
        long = dice("goatee.long", -1.14, -1.0)
        plan = _curve((0.0, -0.885), (0.0, -0.95), (0.004, long))
        taper = _taper(len(plan), 0.4, 0.35, 0.3)
        wide = dice("goatee.wide", 0.05, 0.12)
        made.add(
            "beard", _on_face(surface, plan, wide * taper, 0.035 * taper, 0.004, strands=5, groove=0.14, around=20)
        )
    return label


def _clothes(dice: Dice, made: _Making, surface: _Surface) -> None:
    """A thick scarf wound about the neck, and the robe's shoulders; they hide where the neck is cut."""
    n = 72
    t = np.linspace(-0.45, 2 * np.pi + 0.4, n)  # from the front, once round and over its own beginning
    ends = np.exp(-(((t - t[0]) / 0.4) ** 2)), np.exp(-(((t - t[-1]) / 0.4) ** 2))
    wide, deep = dice("collar.wide", 0.66, 0.78), dice("collar.deep", 0.62, 0.74)
    front, back = dice("collar.front", -1.52, -1.4), dice("collar.back", -1.14, -0.98)
    thick, tall = dice("collar.thick", 0.13, 0.2), dice("collar.tall", 0.17, 0.27)
    for layer, (out, down) in enumerate(((1.0, 0.0), (1.16, -0.2))):
        y = (
            (front + back) / 2
            + (front - back) / 2 * np.cos(t)
            + down
            + 0.05 * np.sin(2 * t + 6 * dice.unit(f"collar.{layer}"))
        )
        y = y - 0.3 * (ends[0] + ends[1])  # both ends are tucked down into the robe, as lapels cross
        grow = out * (1 + 0.12 * np.clip((t - 5.4) / 0.9, 0, 1) - 0.1 * ends[0])  # the end lies over the beginning
        path = np.stack([wide * grow * np.sin(t), y, -0.3 + deep * grow * np.cos(t)], 1)
        close = np.clip(_taper(n, 1, 1, 0.5) * 1.5, 0, 1)
        points = _sweep(
            path,
            np.tile([0.0, 1.0, 0.0], (n, 1)),
            thick * close,
            tall * close,
            around=28,
            strands=int(dice("collar.folds", 3, 7)),
            groove=0.1,
            square=2.4,
        )
        made.add("collar", points)
    k, m = 30, 64
    down = np.linspace(0, 1, k)
    y = -1.28 - 1.5 * down
    spread = dice("robe.wide", 1.5, 1.8)
    wide_at = 0.55 + (spread - 0.55) * np.sin(np.pi / 2 * np.clip(down * 1.5, 0, 1)) ** 1.15
    deep_at = 0.42 + 0.38 * np.clip(down * 1.6, 0, 1)
    a = np.arange(m) * 2 * np.pi / m
    s, c = np.sin(a), np.cos(a)
    fold = 1 + 0.015 * np.sin(9 * a + 14 * down[:, None])
    points = np.stack(
        [
            wide_at[:, None] * np.sign(s) * np.abs(s) ** 0.85 * fold,
            y[:, None] - 0.1 * c * (1 - down[:, None]),
            -0.3 + deep_at[:, None] * c * fold,
        ],
        -1,
    )
    i = np.arange(k * m).reshape(k, m)
    quads = np.stack([i[:-1], i[1:], np.roll(i, -1, 1)[1:], np.roll(i, -1, 1)[:-1]], -1).reshape(-1, 4)
    made.add("robe", (points.reshape(-1, 3), quads))
