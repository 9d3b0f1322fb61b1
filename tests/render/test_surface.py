import math

import pytest
import torch
from torch.testing import assert_close

from lianpu.render import camera, surface
from lianpu.render.surface import Light
from tests.render.shapes import ball, picture, plane, relief, rough


def inside(x: torch.Tensor, margin: int = 1) -> torch.Tensor:
    return x[..., margin:-margin, margin:-margin]


# ---- triangles -----------------------------------------------------------------------------------------------------


def test_the_triangles_cover_the_grid_once_and_face_the_viewer():
    faces = surface.grid_faces(4, 6)
    assert faces.shape == (2 * 3 * 5, 3)
    corners = camera.unproject(torch.ones(1, 6, 6).double())[0, :4].reshape(-1, 3)[faces]
    across = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert bool((across[:, 2] < 0).all())  # towards the camera
    step = 2 * math.tan(math.radians(5)) / 5
    assert_close(-across[:, 2].sum() / 2, torch.tensor(3 * 5 * step**2).double())


# ---- normals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("across", "down"), [(0.0, 0.0), (0.5, 0.0), (0.0, -1.0), (-2.0, 1.5)])
def test_a_plane_has_one_normal(across, down):
    """z = 1 + a x + b y: what recedes to the right faces right."""
    want = torch.tensor([across, down, 1.0]).double() / math.sqrt(across**2 + down**2 + 1)
    n = surface.normals(plane(17, across, down))
    assert_close(n, want[None, :, None, None].expand(1, 3, 17, 17))


def test_a_ball_has_the_normals_of_a_ball():
    depth, want = ball(128)
    n = surface.normals(depth)
    facing = (want[:, 2:] > 0.4).expand_as(want)
    assert float((n - want).abs()[facing].max()) < 0.01
    right = want[:, 0] > 0.1
    assert bool((n[:, 0][right] > 0).all())


def test_twice_the_pixels_quarter_the_error():
    errors = []
    for size in (65, 129, 257):
        depth, want = ball(size)
        facing = (want[:, 2:] > 0.5).expand_as(want)
        errors.append(float((surface.normals(depth) - want).abs()[facing].max()))
    assert errors[0] / errors[1] > 3 and errors[1] / errors[2] > 3


def test_they_are_the_sum_of_the_four_triangles_round_a_pixel():
    p = camera.unproject(rough(relief(12, 2, dtype=torch.float64)))
    c, l, r, u, d = p[:, 1:-1, 1:-1], p[:, 1:-1, :-2], p[:, 1:-1, 2:], p[:, :-2, 1:-1], p[:, 2:, 1:-1]
    fan = sum(torch.linalg.cross(b - c, a - c) for a, b in ((r, d), (d, l), (l, u), (u, r)))
    assert isinstance(fan, torch.Tensor)
    fan = torch.nn.functional.normalize(fan * torch.tensor([1, 1, -1]).double(), dim=-1).permute(0, 3, 1, 2)
    assert_close(inside(surface.normals(rough(relief(12, 2, dtype=torch.float64)))), fan)


def test_normals_have_length_one_and_face_the_viewer():
    n = surface.normals(rough(relief(64, 3)))
    assert_close(n.square().sum(1), torch.ones(3, 64, 64))
    assert bool((n[:, 2] > 0).all())


def test_the_mirrored_depth_has_the_mirrored_normals():
    depth = rough(relief(20, dtype=torch.float64))
    n = surface.normals(depth)
    assert_close(surface.normals(depth.flip(-1)), n.flip(-1) * torch.tensor([-1, 1, 1]).double()[:, None, None])
    assert_close(surface.normals(depth.flip(-2)), n.flip(-2) * torch.tensor([1, -1, 1]).double()[:, None, None])


def test_gradients_of_normals_and_shading():
    depth = relief(5, dtype=torch.float64).requires_grad_()
    raw = torch.tensor([[0.2, 0.4, -0.5, 0.7]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda d, r: surface.shading(surface.normals(d), surface.light(r)), (depth, raw), eps=1e-7, atol=1e-5
    )


def test_rough_depth_makes_no_nan():
    depth = rough(relief(64)).requires_grad_()
    surface.normals(depth)[:, 2].sum().backward()
    assert depth.grad is not None and bool(torch.isfinite(depth.grad).all())


# ---- light ---------------------------------------------------------------------------------------------------------


def test_a_raw_light():
    light = surface.light(torch.tensor([[-1.0, 1.0, 0.0, 0.0], [0.0, -0.5, 1.0, -1.0]]))
    assert light.ambient.tolist() == [0.0, 0.5] and light.diffuse.tolist() == [1.0, 0.25]
    assert_close(light.direction, torch.tensor([[0.0, 0.0, 1.0], [3**-0.5, -(3**-0.5), 3**-0.5]]))


def test_shading_is_ambient_plus_diffuse_by_the_cosine():
    tilt = math.radians(30)
    light = Light(torch.tensor([0.25]), torch.tensor([0.5]), torch.tensor([[math.sin(tilt), 0.0, math.cos(tilt)]]))
    normals = torch.tensor([[0.0, 0.0, 1.0], [math.sin(tilt), 0.0, math.cos(tilt)], [-1.0, 0.0, 0.0]]).T[None, :, None]
    want = torch.tensor([0.25 + 0.5 * math.cos(tilt), 0.75, 0.25])  # turned away: ambient only
    assert_close(surface.shading(normals, light), want[None, None, None])


def test_light_from_the_right_falls_on_the_right():
    depth, normals = ball(64)
    sh = surface.shading(surface.normals(depth), surface.light(torch.tensor([[-1.0, 1.0, 1.0, 0.0]]).double()))
    on = normals[:, 2:] > 0
    right, left = (sh * on)[..., 32:].sum(), (sh * on)[..., :32].sum()
    assert float(right) > 1.3 * float(left)
    above = surface.shading(surface.normals(depth), surface.light(torch.tensor([[-1.0, 1.0, 0.0, -1.0]]).double()))
    assert float((above * on)[..., :32, :].sum()) > 1.3 * float((above * on)[..., 32:, :].sum())


def test_shading_lies_between_0_and_2():
    n = surface.normals(rough(relief(32, 2)))
    for raw in (-1.0, 1.0):
        sh = surface.shading(n, surface.light(torch.full((2, 4), raw)))
        assert float(sh.min()) >= 0 and float(sh.max()) <= 2


def test_the_light_that_made_a_picture_is_found():
    depth, _ = ball(64)
    normals, light = surface.normals(depth), surface.light(torch.tensor([[-0.4, 0.2, 0.3, -0.2]]).double())
    torch.manual_seed(0)
    albedo = torch.rand(1, 3, 64, 64).double() - 0.2
    seen = surface.relight(albedo, surface.shading(normals, light))
    facing = (normals * light.direction[..., None, None]).sum(1, keepdim=True)
    where = ((facing > 0) & (depth < camera.GROUND)[:, None]).double()
    other = surface.light(torch.zeros(1, 4).double())
    for one, true in zip(surface.fitted(albedo, normals, seen, where, other), light, strict=True):
        assert_close(one, true, atol=0.02, rtol=0)
    nothing = surface.fitted(albedo, normals, seen, torch.zeros_like(where), other)
    for one, same in zip(nothing, other, strict=True):
        assert_close(one, same)  # where nothing is seen, nothing is changed


def test_taking_the_shading_away_and_giving_it_back():
    image = picture(16, 2, dtype=torch.float64)
    sh = torch.rand(2, 1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + surface.DARKEST
    assert_close(surface.relight(surface.delight(image, sh), sh), image)
    assert_close(surface.delight(surface.relight(image, sh), sh), image)


def test_where_no_light_falls_there_is_no_division_by_zero():
    image, sh = picture(4).requires_grad_(), torch.zeros(1, 1, 4, 4, requires_grad=True)
    surface.delight(image, sh).sum().backward()
    assert image.grad is not None and bool(torch.isfinite(image.grad).all())
