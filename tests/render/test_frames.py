import numpy as np
import torch
from torch.testing import assert_close

from lianpu import images
from lianpu.export.video import write_mp4
from lianpu.render import camera, frames, surface
from tests.render.shapes import ball, picture, plane, relief


def test_a_swing_goes_both_ways_and_joins():
    angles = frames.swing(60, 24)
    assert len(angles) == 24 and angles[0] == 0 and max(angles) == 60 and min(angles) == -60
    steps = np.diff([*angles, angles[0]])
    assert np.abs(steps).max() < 60 / 24 * 6.4  # 2 pi: no jump at the seam


def test_a_still_has_its_size_and_soft_outlines_on_the_ground():
    red = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    pixels = frames.still(plane(32).float(), red, None, camera.raw_view(yaw=45, roll=10), size=64)
    assert pixels.shape == (64, 64, 3) and pixels.dtype == np.uint8
    ground = round((frames.GROUND + 1) * 127.5)
    assert (pixels[0, 0] == ground).all() and tuple(pixels[32, 32]) == (255, 0, 0)
    assert ((pixels[..., 0] > ground) & (pixels[..., 0] < 255)).sum() > 30


def test_a_still_of_one_colour_that_does_not_move_is_that_colour():
    grey = torch.zeros(1, 3, 16, 16)
    assert len(np.unique(frames.still(relief(16), grey, None, torch.zeros(1, 6), size=16))) == 1


def test_a_still_keeps_its_place():
    """Drawn twice as fine and brought back, a picture is blurred, which a ramp does not show, but neither shifted nor stretched."""
    ramp = torch.linspace(-1, 1, 32).expand(1, 3, 32, 32)
    pixels = images.to_float(frames.still(plane(32).float(), ramp, None, torch.zeros(1, 6), size=32))
    assert_close(pixels[..., 1:-1], ramp[..., 1:-1], rtol=0, atol=0.006)


def test_a_turntable_shows_the_nose_on_either_side():
    bright = torch.where(relief(64)[:, None] < 0.95, 1.0, -1.0).expand(-1, 3, -1, -1)  # the tip of the nose
    left, middle, right = (
        float((p[..., 0].astype(float) * np.arange(64)).sum() / p[..., 0].sum())
        for p in frames.turned(relief(64), bright, None, [-40, 0, 40])
    )
    assert left < middle - 3 and right > middle + 3


def test_a_moving_light_brightens_the_side_it_comes_from():
    depth = ball(64)[0].float()
    for angle, brighter in ((-60, np.s_[:, 14:28]), (60, np.s_[:, 36:50])):
        (pixels,) = frames.relit(depth, torch.full((1, 3, 64, 64), -0.5), None, [angle], ambient=0.2, diffuse=0.7)
        other = pixels[:, ::-1]
        assert pixels[brighter].astype(float).mean() > 1.2 * other[brighter].astype(float).mean()


def test_the_albedo_may_be_finer_than_the_depth():
    (pixels,) = frames.relit(relief(16), picture(32), None, [10])
    assert pixels.shape == (32, 32, 3)


def test_frames_make_a_film(tmp_path):
    yaws = frames.swing(40, 6)
    assert write_mp4(tmp_path / "head.mp4", frames.turned(relief(16), picture(16), None, yaws, size=64)) == 6


def test_maps_as_pictures():
    ends = torch.tensor([[[camera.NEAR, camera.FAR, camera.EMPTY, 1.0]]])
    assert_close(frames.depth_picture(ends)[:, 0], torch.tensor([[[1.0, -1.0, -1.0, 0.0]]]), rtol=0, atol=1e-6)
    facing = images.to_uint8(frames.normal_picture(surface.normals(plane(8).float())))
    assert (facing == [128, 128, 255]).all()
    up = surface.normals(plane(8, down=-1.0).float())  # recedes upwards: faces up
    assert (images.to_uint8(frames.normal_picture(up))[..., 1] > 200).all()
    assert_close(frames.shading_picture(torch.ones(1, 1, 2, 2)), torch.zeros(1, 3, 2, 2))
