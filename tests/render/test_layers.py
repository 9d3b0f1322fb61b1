"""A head cut out of its ground: what is covered, what colours are carried where, and what stays when it turns."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from lianpu.render import camera, frames, layers, surface, views

SIZE = 64
RED, GREY = torch.tensor([0.8, -0.6, -0.6]), torch.tensor([0.1, 0.1, 0.1])


def ball(mixed: bool = True) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Picture, depth and a mask of a red ball before a grey wall; its outline's pixels are both, as a camera sees them."""
    at = torch.arange(SIZE) - (SIZE - 1) / 2
    radius, r2 = 20.0, at**2 + at[:, None] ** 2
    inside = r2 < radius**2
    height = (radius**2 - r2).clamp(min=0).sqrt() / camera.focal(SIZE) * camera.BORDER
    share = ((radius + 1 - r2.sqrt()) / 2).clamp(0, 1) if mixed else inside.float()
    picture = torch.lerp(GREY[:, None, None], RED[:, None, None], share)
    return picture[None], (camera.BORDER - height)[None], inside


def test_the_cover_is_the_outline_and_each_side_keeps_its_own_colour():
    picture, depth, inside = ball()
    apart = layers.split(picture, depth, picture)
    cover = apart.cover[0, 0]
    assert ((cover > 0.5) == inside).float().mean() > 0.97
    assert_close(apart.albedo[0, :, cover > 0], RED[:, None].expand(3, int((cover > 0).sum())), atol=0.02, rtol=0)
    assert_close(apart.ground[0], GREY[:, None, None].expand(3, SIZE, SIZE), atol=0.02, rtol=0)
    assert_close(apart.depth[0, 28:36, 28:36], depth[0, 28:36, 28:36], atol=1e-4, rtol=0)  # nothing changes but the rim
    assert float(apart.depth[0][cover > 0].max()) < camera.BORDER - 0.005  # no wall down to the ground
    assert_close(apart.normals.norm(dim=1), torch.ones(1, SIZE, SIZE))
    assert_close(apart.normals[0, :, 28:36, 28:36], surface.normals(depth)[0, :, 28:36, 28:36], atol=1e-3, rtol=0)


@pytest.mark.parametrize("yaw", [0.0, 40.0])
def test_turned_it_is_red_before_grey_and_nothing_between(yaw):
    picture, depth, _ = ball()
    apart = layers.split(picture, depth, picture)
    covered = torch.cat([apart.albedo, apart.cover], 1)
    view = camera.raw_view(yaw)
    shown = torch.from_numpy(frames.still(apart.depth, covered, None, view, size=SIZE, ground=apart.ground)).float()
    shown = (shown / 127.5 - 1).permute(2, 0, 1)
    along = (RED - GREY) / (RED - GREY).square().sum()
    share = ((shown - GREY[:, None, None]) * along[:, None, None]).sum(0)
    assert_close(shown, torch.lerp(GREY[:, None, None], RED[:, None, None], share), atol=0.03, rtol=0)
    assert float(share.max()) == pytest.approx(1, abs=0.03) and float(share.min()) == pytest.approx(0, abs=0.03)
    assert_close(shown[:, :4], GREY[:, None, None].expand(3, 4, SIZE), atol=0.02, rtol=0)  # the ground stays


def test_one_mesh_for_both_would_smear():
    """What the layers are for: the same ball as a single mesh shows, turned, far more of what is neither."""

    def between(shown: torch.Tensor) -> float:
        nearest = torch.minimum((shown - RED[:, None, None]).abs().sum(0), (shown - GREY[:, None, None]).abs().sum(0))
        return float((nearest > 0.2).sum())

    picture, depth, _ = ball()
    apart, view = layers.split(picture, depth, picture), camera.raw_view(40.0)
    cut = frames.still(
        apart.depth, torch.cat([apart.albedo, apart.cover], 1), None, view, size=SIZE, ground=apart.ground
    )
    one = frames.still(depth, picture, views.transformation(torch.zeros(1, 1, SIZE, SIZE), depth), view, size=SIZE)
    mine, theirs = (between((torch.from_numpy(x).float() / 127.5 - 1).permute(2, 0, 1)) for x in (cut, one))
    assert mine < 0.75 * theirs


def test_colours_are_carried_from_the_nearest_and_all_is_filled():
    colours = torch.zeros(1, 3, SIZE, SIZE)
    colours[..., :10], colours[..., -10:] = -0.5, 0.5
    known = torch.zeros(1, 1, SIZE, SIZE)
    known[..., :10] = known[..., -10:] = 1
    mended = layers.mend(torch.where(known > 0, colours, 9.0), known)
    assert_close(mended[..., :10], colours[..., :10])
    assert float(mended.abs().max()) <= 0.5 + 1e-6
    assert float(mended[..., 14].mean()) < -0.4 and float(mended[..., -14].mean()) > 0.4
    assert torch.isfinite(layers.mend(colours, torch.zeros_like(known))).all()  # where nothing is known


def test_a_picture_of_nothing_has_no_head():
    empty = torch.full((1, 3, SIZE, SIZE), 0.3)
    apart = layers.split(empty, torch.full((1, SIZE, SIZE), camera.BORDER), empty)
    assert not apart.cover.any()
    assert_close(apart.ground, empty)
    for each in apart:
        assert torch.isfinite(each).all()
