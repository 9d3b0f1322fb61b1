"""What a silhouette says: where the body is, and how round."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from lianpu.data.samples import heads
from lianpu.render import camera, silhouette


def disc(size: int, radius: float, x: float = 0.0, y: float = 0.0) -> torch.Tensor:
    """(size, size) bool"""
    at = torch.arange(size) - (size - 1) / 2
    return (at - x) ** 2 + (at[:, None] - y) ** 2 < radius**2


@pytest.mark.parametrize(("size", "radius"), [(64, 20), (128, 25), (64, 9)])
def test_a_disc_is_inflated_to_half_a_ball(size, radius):
    mask = disc(size, radius)
    height = silhouette.inflate(mask.float()[None, None])[0, 0] * camera.focal(size) / camera.BORDER
    at = torch.arange(size) - (size - 1) / 2
    ball = (radius**2 - at**2 - at[:, None] ** 2).clamp(min=0).sqrt()
    inner = disc(size, radius - 3)
    assert_close(height[inner], ball[inner], rtol=0.09, atol=0.5)  # its outline lies half a pixel further out
    assert not height[~mask].any()


def test_what_reaches_the_lower_edge_goes_on_below_it():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 20:, 24:40] = 1  # a post: far from its end u = 2 (r^2 - x^2), r = 8 and half a pixel
    height = silhouette.inflate(mask)[0, 0] * camera.focal(64) / camera.BORDER
    assert float(height[63, 31]) == pytest.approx(float(height[55, 31]), rel=0.02)
    assert float(height[63, 31]) == pytest.approx(8.5 * 2**0.5, rel=0.1)
    upside = silhouette.inflate(mask.flip(2))[0, 0] * camera.focal(64) / camera.BORDER
    assert float(upside[0, 31]) < 0.5 * float(height[63, 31])


def bust(size: int = 64) -> torch.Tensor:
    """(1, 1, size, size): a round head on wider shoulders; its neck is narrowest at three quarters of the height."""
    at = torch.linspace(-1, 1, size)
    x, y = at.expand(size, size), at[:, None]
    head = (x / 0.5) ** 2 + ((y + 0.1) / 0.75) ** 2 < 1
    shoulders = (y > 0.5) & (x.abs() < 0.3 + 0.6 * (y - 0.5))
    return (head | shoulders).float()[None, None]


def test_a_chin_hangs_before_the_collar_with_a_valley_beside_it():
    body = bust()
    drawn = silhouette.chin(body)
    assert_close(drawn, drawn.flip(-1))
    width = body[0, 0].sum(-1)
    neck = 32 + int(width[32:].argmin())
    a = float(width[neck]) / 2
    assert torch.equal(drawn[..., :neck, :], body[..., :neck, :]), "the head's own outline is there already"
    taken = (body - drawn)[0, 0]
    at = taken[:, 32:].argmax()
    strongest = torch.stack([at // 32 - neck, at % 32 + 0.5 - a])
    assert taken.max() > 0.3 and strongest.abs().max() <= 3, "it goes on from where the outline ends"
    assert taken[neck:, 31:33].max() < 0.05, "chin and throat are one"
    low = min(63, neck + round(0.9 * a))
    assert taken[low:].max() < taken[neck : neck + 3].max() / 2
    plain, chin = (silhouette.inflate(x)[0, 0] for x in (body, drawn))
    beside = 32 + round(0.8 * a)
    plain, chin = plain[neck:, beside], chin[neck:, beside]
    assert (plain.diff() > -1e-3).all(), "as one body it only rises from the neck down"
    assert chin.min() < 0.6 * min(chin[0], chin[-1])


def test_what_has_no_neck_has_no_chin():
    ball, post = disc(64, 20).float()[None, None], torch.zeros(1, 1, 64, 64)
    post[..., 20:, 24:40] = 1
    head = bust() * (torch.arange(64) < 48)[:, None]  # no shoulders below it
    for body in (ball, post, head, torch.zeros(1, 1, 64, 64), torch.ones(1, 1, 64, 64)):
        assert torch.equal(silhouette.chin(body), body)


@pytest.mark.parametrize("size", [128, 256])
def test_a_chin_hangs_alike_at_every_size(size):
    """In the camera's units, which have no pixels: along the column in which the valley lies, below the neck."""

    def valley(size: int) -> torch.Tensor:
        height = silhouette.inflate(silhouette.chin(bust(size)))
        return torch.nn.functional.interpolate(height, size=(64, 64), mode="area")[0, 0, 44:, 40]

    small, large = valley(64), valley(size)
    assert float((large - small).abs().max()) < 0.25 * float(small.max())
    assert float(large.min() / large.max()) == pytest.approx(float(small.min() / small.max()), abs=0.15)


@pytest.mark.parametrize("row", [35, 41, 50])
def test_a_neck_is_found_wherever_it_is_below_the_middle(row):
    body = torch.zeros(1, 1, 64, 64)
    body[..., 5:row, 20:44] = 1
    body[..., row : row + 4, 24:40] = 1
    body[..., row + 4 :, 8:56] = 1
    taken = (body - silhouette.chin(body))[0, 0]
    assert taken[row : row + 4].max() > 0.3 and not taken[:row].any()


def test_a_chin_comes_and_goes_softly():
    """As a neck grows thicker; or faces whose codes are near each other would have shapes that are not."""
    taken = []
    for half in range(28, 42):
        body = torch.zeros(1, 1, 256, 256)
        body[..., 20:180, 88:168], body[..., 180:192, 128 - half : 128 + half], body[..., 192:, 60:196] = 1, 1, 1
        taken.append(float((body - silhouette.chin(body)).max()))
    assert taken[0] > 0.35 and taken[-1] == 0
    assert max(a - b for a, b in pairwise(taken)) < 0.2


def test_a_grainy_ground_is_ground_at_every_size():
    for size in (32, 64, 256):
        noise = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
        assert silhouette.matte(0.04 * noise).mean() < 0.02, size


def test_a_body_is_found_whatever_its_colours_and_has_no_holes():
    torch.manual_seed(0)
    body = disc(64, 18, y=5)
    ground = torch.tensor([-0.8, -0.7, -0.75])[:, None, None]
    picture = torch.where(body, torch.rand(3, 64, 64) * 0.8 - 0.2, ground)
    hole = disc(64, 5, y=5)
    picture = torch.where(hole, ground, picture)  # of the ground's own colour
    picture += 0.01 * torch.randn_like(picture)
    assert torch.equal(silhouette.matte(picture[None])[0, 0] > 0.5, body)
    assert not silhouette.matte(torch.full((1, 3, 64, 64), 0.3)).any()
    assert silhouette.matte(picture[None].repeat(3, 1, 1, 1)).shape == (3, 1, 64, 64)


def test_a_way_in_may_wind_but_not_come_from_below():
    far = torch.ones(1, 3, 16, 16)
    far[..., 3:13, 3:13] = -1.0  # a dark body in a light ground
    far[..., 6:10, 6:10] = 1.0  # a hole in it
    closed = silhouette.matte(far)[0, 0] > 0.5
    assert closed[3:13, 3:13].all() and int(closed.sum()) == 100
    far[..., 7, 3:7] = 1.0  # a passage from the left
    opened = silhouette.matte(far)[0, 0] > 0.5
    assert not opened[7, 3:10].any() and opened[7, 10:13].all()
    assert opened[6, 3:13].all(), "each row is one piece"


def test_no_way_leads_in_by_a_gap_of_an_outline(monkeypatch):
    """A head as grey as its ground, whose outline is faint in one place."""
    picture = torch.zeros(1, 3, 64, 64)
    picture[..., disc(64, 18) & ~disc(64, 16)] = -0.6
    picture[..., 30:32, :32] = 0.0
    found = silhouette.matte(picture)[0, 0] > 0.5
    assert (found == disc(64, 18)).float().mean() > 0.99
    monkeypatch.setattr(silhouette, "BRUSH", 0)
    torn = silhouette.matte(picture)[0, 0] > 0.5
    assert not torn[30:32, 12:44].any(), "without a brush these rows are ground"
    monkeypatch.undo()
    picture[..., 26:36, :32] = 0.0  # a gate
    assert not (silhouette.matte(picture)[0, 0] > 0.5)[28:34, 12:44].any()


def test_what_is_apart_from_the_middle_or_as_uneven_as_the_edges_is_ground():
    torch.manual_seed(0)
    body = disc(64, 18, y=5)
    picture = torch.where(body, 0.6, -0.5).expand(1, 3, 64, 64).clone()
    plain = silhouette.matte(picture)
    picture[..., 10:18, 3:11] = 0.2  # a stain near the edge
    assert torch.equal(silhouette.matte(picture), plain)
    cloudy = picture + 0.3 * torch.linspace(0, 12, 64)[:, None].sin()  # lighter and darker in bands
    assert ((silhouette.matte(cloudy) > 0.5) == (plain > 0.5)).float().mean() > 0.99


def test_a_body_of_nearly_the_ground_s_colour_is_filled_between_its_outlines():
    picture = torch.zeros(1, 3, 64, 64)
    outline = disc(64, 18) & ~disc(64, 16)
    picture[..., outline] = -0.6
    picture[..., disc(64, 16)] = 0.05  # as faint as ground
    picture[..., 14, 30:34] = 0.0  # and the outline is not closed
    assert (silhouette.matte(picture)[0, 0] > 0.5)[disc(64, 18)].float().mean() > 0.98


def test_drawn_heads_are_told_from_their_ground():
    shares = []
    for identity in range(6):
        seen = heads.head(3, identity, portrait=True).see(
            (0, 0.3, 0, 0, 0, 0), (-0.2, 0.6, 0.0, 0.0), 64, (0.1, 0.1, 0.1)
        )
        picture = torch.from_numpy(seen.picture).permute(2, 0, 1)[None] / 127.5 - 1
        found = silhouette.matte(picture)[0, 0].numpy() > 0.5
        shares.append((found & seen.mask).sum() / (found | seen.mask).sum())
    assert min(shares) > 0.9


@pytest.mark.parametrize("high", [12, 20, 28])
def test_shoulders_that_reach_the_edges_are_body(high):
    """Of the edges' pixels a fifth or more are then not ground."""
    bust = disc(64, 16)
    bust[64 - high :] = True
    picture = torch.where(bust, 0.5, -0.5).expand(1, 3, 64, 64)
    assert ((silhouette.matte(picture)[0, 0] > 0.5) == bust).float().mean() > 0.99
