import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from lianpu import images
from lianpu.render import camera, views
from lianpu.render.views import gate, render
from tests.render.shapes import picture, plane, raw_views, relief, rough

TEXTURES = ["vertex", "inverse"]
TURNS = [(0.0, 0.0, 0.0), (20.0, 5.0, 0.0), (-45.0, 0.0, 10.0), (60.0, -20.0, -30.0)]  # yaw, pitch, roll


def ramps(size: int) -> Tensor:
    """(1, 3, size, size): colours linear in column and row."""
    along = torch.linspace(-1, 1, size, dtype=torch.float64)
    x, y = along.expand(size, size), along[:, None].expand(size, size)
    return torch.stack([x, y, (x - y) / 2])[None]


# ---- identity ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texture", TEXTURES)
@pytest.mark.parametrize("size", [64, 128])
def test_a_face_that_does_not_move_is_the_same_bytes(size, texture):
    depth, eight_bits = relief(size, 2), images.to_uint8(picture(size, 2))
    seen = render(depth, images.to_float(eight_bits).squeeze(0), None, torch.zeros(2, 6), texture=texture)
    assert bool(seen.mask.all())
    assert (images.to_uint8(seen.image) == eight_bits).all()
    assert_close(seen.depth, depth, rtol=0, atol=2e-7)


@pytest.mark.parametrize("texture", TEXTURES)
def test_in_float64_it_is_the_same_numbers(texture):
    depth, image = rough(relief(33, dtype=torch.float64)), picture(33, dtype=torch.float64)
    T = torch.rand(1, 1, 33, 33, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    seen = render(depth, image, T, torch.zeros(1, 6).double(), texture=texture)
    assert_close(seen.image, image, rtol=0, atol=1e-10)
    assert_close(seen.depth, depth, rtol=0, atol=1e-12)


@pytest.mark.parametrize("texture", TEXTURES)
def test_what_the_map_holds_stays_whatever_the_view(texture):
    depth, image = relief(32, dtype=torch.float64), picture(32, dtype=torch.float64)
    view = raw_views(TURNS[3], dtype=torch.float64)
    still = render(depth, image, torch.zeros(1, 1, 32, 32).double(), view, texture=texture)
    assert_close(still.image, image, rtol=0, atol=1e-10)
    free, all_ = (render(depth, image, T, view) for T in (None, torch.ones(1, 1, 32, 32).double()))
    for a, b in zip(free, all_, strict=True):
        assert torch.equal(a, b)


# ---- motion --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texture", TEXTURES)
def test_a_wall_shifted_by_three_pixels(texture):
    image = picture(32, dtype=torch.float64)
    view = torch.zeros(1, 6).double()
    view[:, 3], view[:, 4] = 3 / camera.focal(32) / 0.1, -2 / camera.focal(32) / 0.1  # right and up
    seen = render(plane(32), image, None, view, texture=texture)
    assert_close(seen.image[..., :30, 3:], image[..., 2:, :-3])
    assert bool(seen.mask[..., :30, 3:].all()) and not seen.mask[..., 30:, :].any() and not seen.mask[..., :3].any()
    assert (
        bool((seen.depth[~seen.mask] == camera.EMPTY).all())
        and not seen.image[(~seen.mask)[:, None].expand_as(image)].any()
    )


def test_a_wall_turned_by_sixty_degrees_is_the_plane_that_geometry_says():
    view = camera.raw_view(yaw=60).double()
    seen = render(plane(65), picture(65, dtype=torch.float64), None, view)
    # the wall's right side goes away from a viewer who sees it turn to the right
    want = plane(65, across=3**0.5)
    assert_close(seen.depth[seen.mask], want[seen.mask], rtol=0, atol=1e-6)  # raw_view is float32
    assert 0.4 < float(seen.mask.double().mean()) < 0.6  # cos 60, with perspective


def test_the_nose_goes_where_the_yaw_says():
    """The nearest point of a relief with a nose."""
    depth = relief(64)
    for yaw, side in ((30.0, 1), (-30.0, -1)):
        seen = render(depth, picture(64), None, camera.raw_view(yaw=yaw))
        column = int(seen.depth.argmin()) % 64
        assert (column - 31.5) * side > 4


@pytest.mark.parametrize("texture", TEXTURES)
def test_the_mirrored_wall_from_the_mirrored_view_is_the_mirrored_view(texture):
    """Of walls: the diagonal that cuts a square of the grid is not mirrored, and on a wall that does not matter."""
    depth, image = plane(33, across=0.1, down=-0.2), ramps(33)
    view = raw_views(TURNS[2], dtype=torch.float64)
    ours = render(depth, image, None, view, texture=texture)
    theirs = render(views.flip(depth), views.flip(image), None, views.mirrored(view), texture=texture)
    assert torch.equal(views.flip(theirs.mask), ours.mask)
    assert_close(views.flip(theirs.depth), ours.depth)
    assert_close(views.flip(theirs.image), ours.image, rtol=0, atol=2e-3 if texture == "inverse" else 1e-3)


@pytest.mark.parametrize("turn", TURNS)
def test_both_textures_are_the_same_where_colours_are_linear(turn):
    view = raw_views(turn, dtype=torch.float64)
    a, b = (render(plane(33), ramps(33), None, view, texture=t) for t in ("vertex", "inverse"))
    assert_close(a.image, b.image, rtol=0, atol=1e-9)


@pytest.mark.parametrize("turn", TURNS)
def test_the_inverse_grid_is_that_of_unsup3d(turn):
    """Wu et al. 2020: the seen depth, taken back by the inverse motion, says where each pixel lay in the picture."""
    depth, image = relief(48, dtype=torch.float64), picture(48, dtype=torch.float64)
    view = raw_views(turn, dtype=torch.float64)
    seen = render(depth, image, None, view, texture="inverse")
    back = camera.move(camera.unproject(seen.depth), camera.inverse(camera.pose(view)))
    at = camera.project(back, 48)[..., :2] / 47 * 2 - 1
    want = F.grid_sample(image, at, align_corners=True, padding_mode="border") * seen.mask[:, None]
    assert_close(seen.image, want, rtol=0, atol=1e-9)


def test_the_picture_may_be_finer_than_the_depth_and_the_view_than_both():
    depth, view = plane(17), raw_views(TURNS[1], dtype=torch.float64)
    coarse = render(depth, ramps(17), None, view, texture="inverse")
    assert_close(render(depth, ramps(65), None, view, texture="inverse").image, coarse.image, rtol=0, atol=1e-9)
    fine = render(depth, ramps(17), None, view, texture="inverse", size=33)
    assert fine.image.shape == (1, 3, 33, 33) and fine.depth.shape == fine.mask.shape == (1, 33, 33)
    assert_close(fine.depth[..., ::2, ::2], coarse.depth)
    assert_close(fine.image[..., ::2, ::2], coarse.image, rtol=0, atol=1e-9)


@pytest.mark.parametrize("texture", TEXTURES)
def test_a_view_is_the_same_alone_and_in_any_company(texture):
    depth, image, view = relief(32, 4), picture(32, 4), raw_views(*TURNS)
    T = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    together = render(depth, image, T, view, texture=texture)
    for i in range(4):
        alone = render(depth[i : i + 1], image[i : i + 1], T[i : i + 1], view[i : i + 1], texture=texture)
        for a, b in zip(alone, together, strict=True):
            assert torch.equal(a[0], b[i])


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="vertex"):
        render(relief(16), picture(32), None, torch.zeros(1, 6))


# ---- gradients -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texture", TEXTURES)
def test_gradients_are_those_of_finite_differences(texture):
    """Inside a pixel's triangle and a picture's square; away from the kinks between."""
    depth = relief(7, dtype=torch.float64).requires_grad_()
    image = picture(7, dtype=torch.float64).requires_grad_()
    T = (torch.rand(1, 1, 7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).requires_grad_()
    view = raw_views((20.0, 10.0, 5.0), dtype=torch.float64).requires_grad_()

    def see(depth: Tensor, image: Tensor, T: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        return render(depth, image, T, view, texture=texture)[:2]

    assert torch.autograd.gradcheck(see, (depth, image, T, view), eps=1e-8, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("texture", TEXTURES)
@pytest.mark.parametrize("size", [64, 128])
def test_rough_depth_makes_no_nan(size, texture):
    inputs = [
        rough(relief(size, 2)),
        picture(size, 2),
        torch.full((2, 1, size, size), 0.9),
        raw_views((50.0, 5.0, 5.0), (-60.0, 0.0, 0.0)),
    ]
    depth, image, T, view = (x.requires_grad_() for x in inputs)
    seen = render(gate(depth), image, T, view, texture=texture)
    (seen.image.square().mean() + seen.depth.mean()).backward()
    for x in (seen.image, seen.depth, depth.grad, image.grad, T.grad, view.grad):
        assert x is not None and bool(torch.isfinite(x).all())
    assert depth.grad is not None and depth.grad.any()


# ---- the transformation map ----------------------------------------------------------------------------------------


def test_the_head_moves_and_the_frame_does_not():
    depth = relief(64)
    T = views.transformation(torch.full((1, 1, 64, 64), -20.0), depth)
    assert T.shape == (1, 1, 64, 64) and float(T.min()) >= 0 and float(T.max()) <= 1
    assert float(T[0, 0, 32, 32]) > 0.999
    for edge in (T[..., :2], T[..., -2:], T[..., :1, :], T[..., -1:, :]):
        assert not edge.any()
    before, after = (render(depth, picture(64), T, v) for v in (torch.zeros(1, 6), camera.raw_view(yaw=30)))
    assert_close(after.image[..., 0, :], before.image[..., 0, :], rtol=0, atol=1e-4)
    assert float((after.image - before.image)[..., 20:40, 20:40].abs().mean()) > 0.1


def test_at_first_everything_moves():
    T = views.transformation(torch.zeros(1, 1, 64, 64), torch.full((1, 64, 64), camera.BORDER))
    assert_close(T[..., 1:-1, 2:-2], torch.sigmoid(torch.tensor(5.0)).expand(1, 1, 62, 60))


def test_the_blur_is_liftedgan_s_at_256_pixels():
    """exp(-((x - m) / (2 sigma))^2) with sigma = 4 and 21 taps, of a step."""
    depth = torch.full((1, 256, 256), camera.BORDER)
    depth[..., 128:] = 0.95
    T = views.transformation(torch.full((1, 1, 256, 256), -50.0), depth)[0, 0, 128]
    taps = torch.exp(-((torch.arange(-10.0, 11) / 8) ** 2))
    step = (torch.arange(256) >= 128).float()
    want = F.conv1d(F.pad(step[None, None], (10, 10), mode="replicate"), (taps / taps.sum())[None, None])[0, 0]
    assert_close(T[2:-2], want[2:-2])


def test_a_network_s_map_gets_a_gradient_where_no_face_is():
    raw = torch.zeros(1, 1, 32, 32, requires_grad=True)
    views.transformation(raw, relief(32)).sum().backward()
    assert raw.grad is not None and raw.grad[0, 0, 2, 4] > 0 and raw.grad[0, 0, 16, 16] == 0


# ---- the gate ------------------------------------------------------------------------------------------------------


def passed(g: Tensor, **options: object) -> Tensor:
    x = torch.zeros_like(g, requires_grad=True)
    gate(x, **options).backward(g)  # type: ignore[arg-type]
    assert x.grad is not None
    return x.grad


def square(n: int = 9) -> Tensor:
    """A gradient of 2 on 5 x 5 of n x n, none elsewhere."""
    g = torch.zeros(1, n, n)
    g[:, 2:7, 2:7] = 2
    return g


def test_the_gate_changes_no_value():
    x = relief(16)
    assert torch.equal(gate(x), x) and torch.equal(gate(x, keep="edge"), x)


def test_flat_drops_the_contour_and_keeps_the_inside():
    want = torch.zeros(1, 9, 9)
    want[:, 3:6, 3:6] = 2
    assert torch.equal(passed(square()), want)


def test_edge_keeps_the_contour_only():
    want = square()
    want[:, 3:6, 3:6] = 0
    assert torch.equal(passed(square(), keep="edge"), want)


def test_the_two_readings_are_complements():
    g = picture(24)[:, 0] * (relief(24) < 1.0)
    assert torch.equal(passed(g) + passed(g, keep="edge"), g)


def test_the_frame_is_no_contour():
    g = torch.ones(1, 8, 8)
    assert torch.equal(passed(g), g) and not passed(g, keep="edge").any()


def test_a_single_pixel_is_all_contour_and_a_pixel_wide_hole_has_one():
    one = torch.zeros(1, 7, 7)
    one[:, 3, 3] = 5
    assert not passed(one).any() and torch.equal(passed(one, keep="edge"), one)
    around = passed((one == 0).float())
    assert around[0, 3, 2] == around[0, 2, 3] == 0 and around[0, 2, 2] == 1


def test_pictures_are_gated_by_any_of_their_channels():
    g = torch.zeros(1, 3, 9, 9)
    g[:, 1] = square()
    g[:, 2, 2:7, 2:7] = 1
    got = passed(g)
    assert (
        torch.equal(got[:, 1], passed(square()))
        and torch.equal(got[:, 2] * 2, passed(square()))
        and not got[:, 0].any()
    )


def test_each_face_has_its_own_contour():
    g = torch.cat([square(), torch.ones(1, 9, 9)])
    assert torch.equal(passed(g), torch.cat([passed(square()), torch.ones(1, 9, 9)]))


def test_another_reading_is_refused():
    with pytest.raises(ValueError, match="flat or edge"):
        gate(relief(8), keep="both")  # type: ignore[arg-type]


def test_the_gate_keeps_a_silhouette_s_gradient_from_the_depth():
    """Seen turned, part of the relief is hidden: the gate drops gradients along that border and nowhere else."""
    depth = relief(64).requires_grad_()
    view = camera.raw_view(yaw=50)
    (free,) = torch.autograd.grad(render(depth, picture(64), None, view).image.square().sum(), depth)
    gated = passed(free)
    lost = (gated == 0) & (free != 0)
    assert lost.any() and float(lost.float().sum() / (free != 0).float().sum()) < 0.5
    assert torch.equal(gated[~lost], free[~lost])
