import math

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch.testing import assert_close

from lianpu.render import camera
from tests.render.shapes import raw_views, relief

ANGLES = [(0.0, 0.0, 0.0), (30.0, 0.0, 0.0), (-60.0, 20.0, -10.0), (45.0, -60.0, 60.0)]  # yaw, pitch, roll


def test_every_pixel_s_point_lies_before_its_centre():
    depth = relief(16, 2, dtype=torch.float64)
    seen = camera.project(camera.unproject(depth), 16)
    along = torch.arange(16).double()
    assert_close(seen[..., 0], along.expand(2, 16, 16))
    assert_close(seen[..., 1], along[:, None].expand(2, 16, 16))
    assert torch.equal(seen[..., 2], depth)


def test_the_field_of_view_ends_at_the_last_pixel_s_centre():
    corner = camera.unproject(torch.ones(1, 9, 9, dtype=torch.float64))[0, -1, -1]
    assert_close(corner[:2], torch.tensor([math.tan(math.radians(5))] * 2, dtype=torch.float64))


def test_a_depth_map_is_square():
    with pytest.raises(ValueError, match="square"):
        camera.unproject(torch.ones(1, 4, 5))


@pytest.mark.parametrize(("yaw", "pitch", "roll"), ANGLES)
def test_rotations_are_those_of_scipy(yaw, pitch, roll):
    R = camera.pose(camera.raw_view(yaw, pitch, roll).double()).rotation[0]
    want = Rotation.from_euler("xyz", [pitch, -yaw, roll], degrees=True).as_matrix()
    assert_close(R, torch.from_numpy(want), rtol=0, atol=1e-7)  # raw_view is float32


def test_angles_are_said_as_they_are_seen():
    nose, crown = torch.tensor([[0.0, 0.0, 0.9]]), torch.tensor([[0.0, -0.1, 1.0]])

    def moved(point: torch.Tensor, **angles: float) -> torch.Tensor:
        return camera.move(point[None], camera.pose(camera.raw_view(**angles)))[0, 0]

    assert moved(nose, yaw=30)[0] > 0.04  # to the right
    assert moved(nose, pitch=30)[1] > 0.04  # down
    assert moved(crown, roll=30)[0] > 0.04  # leans to the right
    assert_close(moved(nose, roll=50), nose[0])


def test_a_raw_view_of_ones():
    pose = camera.pose(torch.ones(1, 6))
    assert_close(pose.translation, torch.tensor([[0.1, 0.1, 0.01]]))
    assert_close(pose.rotation, camera.pose(camera.raw_view(60, 60, 60)).rotation)


def test_the_centre_goes_where_the_translation_says():
    pose = camera.pose(raw_views(*ANGLES, dtype=torch.float64))
    centre = torch.tensor(camera.CENTRE, dtype=torch.float64).expand(len(ANGLES), 3)
    assert_close(camera.move(centre[:, None], pose)[:, 0], centre + pose.translation)


@pytest.mark.parametrize("shape", [(5, 3), (4, 6, 3), (3,)])
def test_motion_and_its_inverse_undo_each_other(shape):
    pose = camera.pose(raw_views(*ANGLES, dtype=torch.float64))
    points = torch.randn(len(ANGLES), *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert_close(camera.move(camera.move(points, pose), camera.inverse(pose)), points)
    assert_close(camera.move(camera.move(points, camera.inverse(pose)), pose), points)


def test_motion_is_rigid():
    R = camera.pose(raw_views(*ANGLES, dtype=torch.float64)).rotation
    assert_close(R @ R.mT, torch.eye(3).double().expand(len(ANGLES), 3, 3))
    assert_close(torch.linalg.det(R), torch.ones(len(ANGLES)).double())


def test_autocast_leaves_geometry_alone():
    view, points = raw_views(*ANGLES), camera.unproject(relief(8, len(ANGLES)))
    want = camera.move(points, camera.pose(view))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(camera.move(points, camera.pose(view)), want)
