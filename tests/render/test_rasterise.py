import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from lianpu.render import camera, plain
from lianpu.render.rasterise import interpolate, rasterise
from lianpu.render.surface import grid_faces
from tests.render.shapes import Hits, embree, raw_views, relief, rough, zbuffer

VIEWS = [
    (0.0, 7.0, 3.0),
    (15.0, 7.0, 3.0),
    (-30.0, 0.0, 0.0),
    (45.0, -20.0, 10.0),
    (60.0, 7.0, 3.0),
    (-60.0, 30.0, 60.0),
    (35.0, 5.0, -8.0),  # a triangle seen almost from its edge, where float32 would be wrong by 1.2e-6
]


def heads(size: int, *views: tuple[float, float, float], dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """The relief, turned: vertices (n, v, 3), and its faces."""
    points = camera.unproject(relief(size, dtype=dtype)).flatten(1, 2).expand(len(views), -1, 3)
    return camera.move(points, camera.pose(raw_views(*views, dtype=dtype))), grid_faces(size, size)


def agree(vertices: Tensor, faces: Tensor, size: int, theirs: Hits) -> tuple[int, float]:
    """Pixels that only one of them sees something in, and the largest difference of depth elsewhere."""
    ours = rasterise(vertices[None], faces, size)
    mask = (ours.face[0] >= 0).numpy()
    both = mask & (theirs.face >= 0)
    return int((mask != (theirs.face >= 0)).sum()), float(
        np.abs(ours.depth[0].double().numpy() - theirs.depth)[both].max()
    )


# ---- against others ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("view", VIEWS)
def test_a_ray_caster_sees_the_same(size, view):
    (vertices,), faces = heads(size, view)
    missed, difference = agree(vertices, faces, size, embree(vertices, faces, size))
    assert missed == 0 and difference <= 1e-6


@pytest.mark.parametrize("view", VIEWS[1::2])
def test_a_z_buffer_in_float64_sees_the_same_faces(view):
    (vertices,), faces = heads(48, view)
    theirs = zbuffer(vertices, faces, 48)
    missed, difference = agree(vertices, faces, 48, theirs)
    assert missed == 0 and difference <= 1e-6
    assert np.array_equal(rasterise(vertices[None], faces, 48).face[0].numpy(), theirs.face)


def test_a_mesh_that_overlaps_itself_in_any_order():
    generator = torch.Generator().manual_seed(0)
    soup = torch.rand(60, 3, generator=generator) * torch.tensor([0.2, 0.2, 0.2]) + torch.tensor([-0.1, -0.1, 0.9])
    faces = torch.randint(0, 60, (80, 3), generator=generator)
    faces = faces[(faces != faces.roll(1, 1)).all(1)]
    missed, difference = agree(soup, faces, 64, embree(soup, faces, 64))
    assert missed == 0 and difference <= 1e-6


def test_the_comparison_sees_a_tenth_of_a_pixel():
    (vertices,), faces = heads(64, VIEWS[3])
    theirs = embree(vertices + torch.tensor([0.1 / camera.focal(64), 0.0, 0.0]), faces, 64)
    missed, difference = agree(vertices, faces, 64, theirs)
    assert missed > 0 and difference > 1e-5


@pytest.mark.parametrize("size", [24, 33])
def test_every_pixel_by_every_face_is_the_same(size):
    vertices, faces = heads(size, *VIEWS[:4], dtype=torch.float64)
    fast, slow = rasterise(vertices, faces, size), plain.rasterise(vertices, faces, size)
    assert torch.equal(fast.face, slow.face)
    assert_close(fast.weights, slow.weights)
    assert_close(fast.depth, slow.depth)


# ---- by hand -------------------------------------------------------------------------------------------------------


def wall(z: float, half: float = 0.2) -> Tensor:
    """(4, 3): a square across the view, too large for it."""
    return torch.tensor([[-half, -half, z], [half, -half, z], [-half, half, z], [half, half, z]], dtype=torch.float64)


SQUARE = torch.tensor([[0, 2, 1], [1, 2, 3]])


def test_the_nearer_wall_is_seen_whichever_comes_first():
    for near, far, first in ((1.0, 1.05, 0), (1.05, 1.0, 2)):
        seen = rasterise(torch.cat([wall(near), wall(far)])[None], torch.cat([SQUARE, SQUARE + 4]), 9)
        assert_close(seen.depth, torch.ones(1, 9, 9).double())
        assert bool(((seen.face == first) | (seen.face == first + 1)).all())


def test_of_two_at_the_same_place_the_lower_number():
    twice = torch.cat([SQUARE[:1], SQUARE[:1], SQUARE[1:], SQUARE[1:]])
    assert set(rasterise(wall(1.0)[None], twice, 9).face.unique().tolist()) == {0, 2}


def test_both_sides_are_drawn():
    seen, turned = (rasterise(wall(1.0)[None], faces, 9) for faces in (SQUARE, SQUARE.flip(1)))
    assert torch.equal(seen.face, turned.face)
    assert_close(seen.depth, turned.depth)


def test_depth_and_attributes_are_correct_in_perspective():
    """A ray meets the plane z = 1 + x at 1 / (1 - u); what is linear in space is there what its own coordinates say."""
    corners = wall(1.0)
    corners[:, 2] += corners[:, 0]
    seen = rasterise(corners[None], SQUARE, 33)
    u = camera.unproject(torch.ones(1, 33, 33).double())[..., 0]
    assert_close(seen.depth, 1 / (1 - u))
    assert_close(interpolate(seen, SQUARE, corners[None]).permute(0, 2, 3, 1), camera.unproject(seen.depth))
    assert_close(seen.weights.sum(-1), torch.ones(1, 33, 33).double())


def test_what_is_behind_the_camera_or_beside_the_picture_or_not_a_number_is_not_drawn():
    behind, beside, across, broken = wall(-1.0), wall(1.0) + torch.tensor([1.0, 0, 0]).double(), wall(1.0), wall(1.0)
    across[1, 2] = -1.0  # a corner of both triangles
    broken[0], broken[3] = torch.nan, torch.inf
    for corners in (behind, beside, across, broken):
        seen = rasterise(corners[None], SQUARE, 9)
        assert bool((seen.face == -1).all()) and bool((seen.depth == camera.EMPTY).all()) and not seen.weights.any()


def test_empty_pixels_have_no_gradient_and_it_is_a_number():
    corners = (wall(1.0, 0.03))[None].requires_grad_()  # the frame is 0.0875 away
    colours = torch.ones(1, 4, 2, dtype=torch.float64, requires_grad=True)
    seen = rasterise(corners, SQUARE, 9)
    image = interpolate(seen, SQUARE, colours)
    empty = seen.face < 0
    assert empty.any() and not empty.all() and not image.permute(0, 2, 3, 1)[empty].any()
    (seen.depth[empty].sum() + image.permute(0, 2, 3, 1)[empty].sum()).backward()
    assert corners.grad is not None and not corners.grad.any() and colours.grad is not None and not colours.grad.any()


# ---- invariants ----------------------------------------------------------------------------------------------------


def test_a_mesh_looks_the_same_alone_and_in_any_company():
    vertices, faces = heads(64, *VIEWS)
    together = rasterise(vertices, faces, 64)
    colours = vertices * 3
    image = interpolate(together, faces, colours)
    for i in range(len(VIEWS)):
        alone = rasterise(vertices[i : i + 1], faces, 64)
        for a, b in zip(alone, together, strict=True):
            assert torch.equal(a[0], b[i])
        assert torch.equal(interpolate(alone, faces, colours[i : i + 1])[0], image[i])


@pytest.mark.parametrize("chunk", [1, 100, 1 << 12])
def test_the_chunk_changes_nothing(chunk):
    vertices, faces = heads(16, *VIEWS[:2])
    for a, b in zip(rasterise(vertices, faces, 16, chunk=chunk), rasterise(vertices, faces, 16), strict=True):
        assert torch.equal(a, b)


def test_a_mesh_may_be_seen_by_more_pixels_than_it_has_points():
    (vertices,), faces = heads(16, VIEWS[3])
    missed, difference = agree(vertices, faces, 200, embree(vertices, faces, 200))
    assert missed == 0 and difference <= 1e-6


# ---- gradients -----------------------------------------------------------------------------------------------------


def test_gradients_are_those_of_finite_differences():
    """Where no pixel's face changes within the step: visibility has no gradient."""
    depth = relief(8, dtype=torch.float64).requires_grad_()
    view = raw_views((25.0, 10.0, 5.0), dtype=torch.float64).requires_grad_()
    colours = torch.rand(1, 64, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    faces = grid_faces(8, 8)

    def draw(depth: Tensor, view: Tensor, colours: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        points = camera.move(camera.unproject(depth).flatten(1, 2), camera.pose(view))
        seen = rasterise(points, faces, 8)
        return seen.depth, seen.weights, interpolate(seen, faces, colours)

    assert torch.autograd.gradcheck(draw, (depth, view, colours), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_rough_depth_makes_no_nan(size):
    depth = rough(relief(size, 2)).requires_grad_()
    view = raw_views((45.0, 5.0, 5.0), (-60.0, 0.0, 0.0)).requires_grad_()
    faces = grid_faces(size, size)
    points = camera.move(camera.unproject(depth).flatten(1, 2), camera.pose(view))
    seen = rasterise(points, faces, size)
    image = interpolate(seen, faces, points)
    (seen.depth.square().mean() + image.square().mean() + seen.weights.square().mean()).backward()
    for x in (*seen, image, depth.grad, view.grad):
        assert x is not None and bool(torch.isfinite(x).all())
    assert bool((seen.weights >= -0.01).all()) and bool((seen.weights <= 1.01).all())


def test_slivers_are_what_breaks_it(monkeypatch):
    """A triangle seen from its edge: drawn, its gradients would grow without bound."""
    from lianpu.render import rasterise as module

    sliver = wall(1.0)[:3] * torch.tensor([1.0, 1e-9, 1.0]).double()
    sliver[2, 0] = 0.2
    largest = []
    for least in (module.SLIVER, 0.0):
        monkeypatch.setattr(module, "SLIVER", least)
        corners = sliver[None].clone().requires_grad_()
        seen = rasterise(corners, SQUARE[:1], 9)
        interpolate(seen, SQUARE[:1], torch.eye(3).double()[None]).square().sum().backward()
        assert corners.grad is not None
        largest.append(float(corners.grad.abs().max()))
    assert largest[0] == 0 and largest[1] > 1e7
