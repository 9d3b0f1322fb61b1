"""Measures of geometry against closed forms: planes, spheres and known motions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lianpu.metrics import geometry
from lianpu.render import camera, surface


def plane(normal: tuple[float, float, float], h: int = 32) -> torch.Tensor:
    """Depth (1, h, h) of the plane through (0, 0, 1) with a normal in the viewer's frame, float64."""
    rays = camera.unproject(torch.ones(1, h, h, dtype=torch.float64))
    n = torch.tensor(normal, dtype=torch.float64) * torch.tensor([1, 1, -1])
    return n[2] / (rays @ n)


def ball(h: int = 64, radius: float = 0.06) -> torch.Tensor:
    """Depth (1, h, h) of a ball about (0, 0, 1), 1.2 beside it."""
    r = camera.unproject(torch.ones(1, h, h, dtype=torch.float64))
    a, b = (r * r).sum(-1), r[..., 2]
    inside = b * b - a * (1 - radius**2)
    return torch.where(inside > 0, (b - inside.clamp(min=0).sqrt()) / a, camera.EMPTY)


def tilted(degrees: float) -> tuple[float, float, float]:
    return math.sin(math.radians(degrees)), 0.0, math.cos(math.radians(degrees))


# ---- masks ------------------------------------------------------------------------------------------------------------


def test_erosion_is_unsup3ds():
    mask = torch.rand(3, 12, 12, generator=torch.Generator().manual_seed(0)) > 0.2
    theirs = F.avg_pool2d(mask.float()[:, None], 3, stride=1, padding=1)[:, 0] > 0.99
    assert torch.equal(geometry.eroded(mask), theirs)
    assert not geometry.eroded(torch.ones(1, 5, 5, dtype=torch.bool))[0, 0].any()


# ---- depth and normals ------------------------------------------------------------------------------------------------


def test_side_does_not_see_scale_and_is_the_deviation_of_log_depth():
    true = 1 + 0.05 * torch.rand(2, 16, 16, generator=torch.Generator().manual_seed(1))
    assert geometry.side(true * 1.07, true) == pytest.approx([0, 0], abs=1e-7)
    delta = 0.013
    sign = torch.ones(1, 16, 16)
    sign[:, :, 8:] = -1  # half of what is measured each
    assert geometry.side(torch.ones(1, 16, 16) * (delta * sign).exp(), torch.ones(1, 16, 16)).item() == pytest.approx(
        delta, rel=1e-5
    )


def test_side_is_plain_numpys():
    rng = np.random.default_rng(2)
    a, b = rng.uniform(0.9, 1.1, (2, 1, 20, 20))
    mask = np.zeros((1, 20, 20), bool)
    mask[:, 4:15, 3:12] = True
    D = np.log(a) - np.log(b)
    D = D[0, 5:14, 4:11]
    expected = math.sqrt((D**2).mean() - D.mean() ** 2)
    assert geometry.side(torch.tensor(a), torch.tensor(b), torch.tensor(mask)).item() == pytest.approx(expected)


def test_only_what_both_hold_is_measured_and_nothing_has_no_number():
    true = torch.full((1, 16, 16), 1.0)
    predicted = true.clone()
    predicted[:, :8] = camera.EMPTY
    predicted[:, 8:, :8] = 0.95
    predicted[:, 8] = 5.0  # the rim of the predicted face is left out
    assert geometry.side(predicted, true).item() == pytest.approx(
        torch.tensor([0.95] * 7 + [1.0] * 7).log().std(correction=0).item()
    )
    assert geometry.side(torch.full_like(true, camera.EMPTY), true).isnan().all()
    assert geometry.mad(true, true, torch.zeros(1, 16, 16, dtype=torch.bool)).isnan().all()


@pytest.mark.parametrize("degrees", [0.001, 7, 40])
def test_mad_of_two_planes_is_the_angle_between_them(degrees):
    assert geometry.mad(plane(tilted(degrees)), plane((0, 0, 1))).item() == pytest.approx(degrees, rel=1e-6)
    assert geometry.mad(plane(tilted(20)), plane(tilted(20 - degrees))).item() == pytest.approx(degrees, rel=1e-6)
    true = torch.tensor(tilted(degrees), dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    assert geometry.mad(plane((0, 0, 1)), plane((0, 0, 1)), normals=true).item() == pytest.approx(degrees, rel=1e-6)


def test_a_wall_before_a_ball_is_off_by_the_balls_mean_slope():
    """Over a disc of k of a ball's radius r, the normal leans asin(x / r) on average."""
    depth = ball(256)
    k = 0.5
    p = camera.unproject(depth)
    mask = (p[..., :2].norm(dim=-1) < k * 0.06) & geometry.present(depth)
    s = torch.linspace(0, k, 10001, dtype=torch.float64)
    expected = math.degrees(torch.trapezoid(torch.asin(s) * 2 * s, s).item() / k**2)
    assert geometry.mad(geometry.flat(depth), depth, mask).item() == pytest.approx(
        expected, rel=0.04
    )  # the disc's rim is not measured


def test_depth_errors_do_not_see_distance():
    true = ball()
    errors = geometry.depth_errors(torch.where(geometry.present(true), true + 0.01, true), true)
    assert errors.mae.item() == pytest.approx(0, abs=1e-9) and errors.rmse.item() == pytest.approx(0, abs=1e-9)
    sign = torch.ones(1, 16, 16, dtype=torch.float64)
    sign[:, :, 8:] = -1
    errors = geometry.depth_errors(1 + 0.01 * sign, torch.ones(1, 16, 16, dtype=torch.float64))
    assert errors.mae.item() == pytest.approx(0.01) and errors.rmse.item() == pytest.approx(0.01)


def test_depth_correlation_is_pearsons():
    true = ball()
    on = geometry.present(true)
    predicted = torch.where(on, 1.7 - 0.7 * true, true)
    assert geometry.depth_correlation(true, true).item() == pytest.approx(1)
    assert geometry.depth_correlation(predicted, true, on).item() == pytest.approx(-1)
    noise = true + 0.02 * torch.rand(true.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    where = geometry.eroded(on)
    expected = np.corrcoef(noise[where], true[where])[0, 1]
    assert geometry.depth_correlation(noise, true, on).item() == pytest.approx(expected)
    assert geometry.depth_correlation(geometry.flat(true), true).isnan().all()


def test_yardsticks():
    depths = torch.full((2, 4, 4), camera.EMPTY)
    depths[0, 1, 1], depths[1, 1, 1], depths[1, 2, 2] = 0.95, 1.01, 0.9
    mean = geometry.mean_depth(depths)
    assert mean.shape == (1, 4, 4)
    assert mean[0, 1, 1].item() == pytest.approx(0.98) and mean[0, 2, 2].item() == pytest.approx(0.9)
    assert mean[0, 0, 0].item() == pytest.approx(camera.BORDER)
    true = ball()
    assert geometry.side(geometry.flat(true, 0.9), true) == pytest.approx(geometry.side(geometry.flat(true), true))
    assert geometry.side(geometry.mean_depth(true), true).item() == 0


def test_a_tilt_to_a_side_is_twice_as_far_from_its_mirror_image():
    """A plane turned by an angle has its mirror image turned by as much to the other side."""
    angle = 10.0
    at = torch.linspace(-1, 1, 64, dtype=torch.float64) * np.tan(np.radians(camera.FOV / 2))
    plane = 1 / (1 + at * np.tan(np.radians(angle)))  # z + x tan a = 1
    everywhere = torch.ones(64, 64, dtype=torch.bool)
    tilted = plane.expand(1, 64, 64)
    assert geometry.asymmetry(tilted, everywhere).item() == pytest.approx(2 * angle, abs=0.05)
    level = tilted.transpose(1, 2)
    assert geometry.asymmetry(level, everywhere).item() == pytest.approx(0, abs=1e-6)
    assert geometry.asymmetry(level, ~everywhere).isnan()


def test_heads_cover_each_other():
    a, b = (torch.full((3, 8, 8), camera.EMPTY) for _ in range(2))
    a[0, :4], b[0, 2:6] = 1.0, 0.95  # two rows of six
    a[1], b[1] = 1.0, 1.01
    overlap = geometry.overlap(a, b)
    assert overlap[:2].tolist() == pytest.approx([2 / 6, 1]) and overlap[2].isnan()
    a[0, 0] = camera.BORDER  # a lifter's ground
    assert geometry.overlap(geometry.head(a), b)[0] == pytest.approx(2 / 5)
    assert not geometry.present(geometry.head(torch.full((1, 2, 2), camera.GROUND))).any()


# ---- pose and light ---------------------------------------------------------------------------------------------------


def views(n: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


@pytest.mark.parametrize(("axis", "name"), [(0, "pitch"), (1, "yaw"), (2, "roll")])
def test_an_error_about_one_axis_is_that_angle(axis, name):
    true = torch.zeros(3, 6, dtype=torch.float64)
    predicted = true.clone()
    predicted[:, axis] = torch.tensor([0.0, 0.25, -1.0])
    errors = geometry.pose_errors(predicted, true, aligned=False)
    assert errors.rotation == pytest.approx([0, 15, 60], abs=1e-6)
    assert getattr(errors, name) == pytest.approx([0, 15, -60], abs=1e-9)


def test_the_angle_between_rotations_is_scipys():
    from scipy.spatial.transform import Rotation

    a, b = views(20, 1), views(20, 2)
    R, S = (Rotation.from_matrix(camera.pose(v).rotation.numpy()) for v in (a, b))
    assert geometry.pose_errors(a, b, aligned=False).rotation == pytest.approx(
        np.degrees((R * S.inv()).magnitude()), abs=1e-6
    )


def test_a_constant_offset_of_what_is_straight_ahead_is_no_error():
    true = views(9) * 0.5
    errors = geometry.pose_errors(true + torch.tensor([0.1, -0.2, 0.05, 0, 0.1, 0.3]), true)
    assert errors.rotation == pytest.approx(np.zeros(9), abs=1e-6) and errors.shift == pytest.approx(
        np.zeros(9), abs=1e-12
    )
    moved = true.clone()
    moved[:, 3] += 0.5
    assert geometry.pose_errors(moved, true, aligned=False).shift == pytest.approx(np.full(9, 0.05))


def test_light_errors():
    true = torch.tensor([[0.0, 0.5, 0.0, 0.0], [0.2, 0.0, 1.0, 0.0]])
    predicted = torch.tensor([[0.2, 0.5, 1.0, 0.0], [0.2, -1.0, -1.0, 0.0]])
    errors = geometry.light_errors(predicted, true)
    assert errors.direction == pytest.approx([45, 90], abs=1e-5)
    assert errors.ambient == pytest.approx([0.1, 0], abs=1e-6) and errors.diffuse == pytest.approx([0, -0.5], abs=1e-6)


def test_correlation_of_lists():
    x = torch.tensor([0.1, 0.5, -0.3, 0.9])
    assert geometry.correlation(3 * x - 1, x) == pytest.approx(1) and geometry.correlation(-x, x) == pytest.approx(-1)
    assert math.isnan(geometry.correlation(torch.ones(4), x))


# ---- several views ----------------------------------------------------------------------------------------------------


def test_the_motion_between_views_takes_one_to_the_other():
    a, b = views(5, 3), views(5, 4)
    points = torch.rand(5, 7, 3, dtype=torch.float64)
    there = camera.move(camera.move(points, camera.pose(a)), geometry.between(a, b))
    assert torch.allclose(there, camera.move(points, camera.pose(b)))


def planes_seen_twice(yaw: float) -> tuple[torch.Tensor, torch.Tensor, camera.Pose]:
    """A wall, the same turned by `yaw` degrees, and the motion."""
    view = torch.tensor([[0, yaw / 60, 0, 0, 0, 0]], dtype=torch.float64)
    return plane((0, 0, 1), 64), plane(tilted(yaw), 64), geometry.between(torch.zeros_like(view), view)


def test_true_depth_agrees_with_itself_from_elsewhere():
    one, other, motion = planes_seen_twice(30)
    x, y = camera.unproject(one)[..., 0], camera.unproject(one)[..., 1]
    picture = torch.stack([x, y], 1) * 8
    back = camera.move(camera.unproject(other), camera.inverse(motion))
    found = geometry.reprojection(one, picture, other, torch.stack([back[..., 0], back[..., 1]], 1) * 8, motion)
    assert found.depth.item() < 2e-5 and found.colour.item() < 1e-3  # the plane's depth is not linear in the picture
    assert found.share.item() > 0.9


def test_false_relief_and_false_motion_do_not_agree():
    one, other, motion = planes_seen_twice(30)
    none = torch.zeros(1, 1, 64, 64, dtype=torch.float64)
    raised = one - 0.02
    found = geometry.reprojection(raised, none, other, none, motion)
    # raised by d along the normal, which is turned by a: d / cos a along the line of sight
    assert found.depth.item() == pytest.approx(0.02 / math.cos(math.radians(30)), rel=0.02)
    _, _, wrong = planes_seen_twice(20)
    assert geometry.reprojection(one, none, other, none, wrong, near=1).depth.item() > 5e-3


def test_what_is_hidden_is_not_counted():
    one = plane((0, 0, 1), 32)
    other = one.clone()
    other[:, :, :16] = 0.95  # something stands before the wall
    still = geometry.between(torch.zeros(1, 6, dtype=torch.float64), torch.zeros(1, 6, dtype=torch.float64))
    none = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    found = geometry.reprojection(one, none, other, none, still)
    assert found.depth.item() == pytest.approx(0, abs=1e-12) and found.share.item() == pytest.approx(0.5, abs=0.04)
    other[:] = camera.EMPTY
    assert geometry.reprojection(one, none, other, none, still).depth.isnan().all()


def test_two_views_of_a_drawn_head_agree():
    from lianpu.data.samples import heads

    head = heads.head(0, 1)
    even = (1.0, -1.0, 0.0, 0.0)
    views = [(0.0, yaw, 0.0, 0.0, 0.0, 0.0) for yaw in (-0.15, 0.15)]
    a, b = (head.see(v, even, 96) for v in views)
    depths = [torch.from_numpy(s.depth[None]) for s in (a, b)]
    pictures = [torch.from_numpy(s.picture.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1 for s in (a, b)]
    motion = geometry.between(*(torch.tensor([v]) for v in views))
    found = geometry.reprojection(depths[0], pictures[0], depths[1], pictures[1], motion)
    assert found.depth.item() < 7e-4 and found.colour.item() < 0.03 and found.share.item() > 0.5
    wall = geometry.reprojection(geometry.flat(depths[0]), pictures[0], geometry.flat(depths[1]), pictures[1], motion)
    assert wall.colour.item() > 1.5 * found.colour.item()
    assert surface.normals(depths[0]).shape == (1, 3, 96, 96)
