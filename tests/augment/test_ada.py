"""ADA: each of the 18 transforms alone against an independent truth, then the whole pipe."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import torch
import torch.nn.functional as F

from lianpu.augment import ADA, ada
from lianpu.augment.ada import TRANSFORMS, augment
from lianpu.config import AugmentConfig
from lianpu.randomness import Draw
from tests.augment.forced import Fixed

H, W = 28, 40


def pictures(n: int = 2, c: int = 3, h: int = H, w: int = W, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, c, h, w, generator=torch.Generator().manual_seed(0), dtype=dtype).clamp(-1, 1)


def alone(name: str, images: torch.Tensor, **numbers: float) -> torch.Tensor:
    """`images` after the one transform, with the given numbers."""
    return augment(images, Fixed(0, 0, **numbers), 1.0, (name,))


# ---------------------------------------------------------------------------------------------------- moving the pixels


def wave(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A smooth picture, defined everywhere; x, y in pixels about the centre."""
    return torch.sin(0.10 * x + 0.4) * torch.cos(0.08 * y - 0.3) + 0.3 * torch.sin(0.05 * (x + 2 * y))


def coordinates(h: int = H, w: int = W) -> tuple[torch.Tensor, torch.Tensor]:
    y, x = torch.meshgrid(torch.arange(h) + 0.5 - h / 2, torch.arange(w) + 0.5 - w / 2, indexing="ij")
    return x.double(), y.double()


def turned(x: torch.Tensor, y: torch.Tensor, angle: float) -> tuple[torch.Tensor, torch.Tensor]:
    return math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y


SOURCES = {
    # transform, its numbers: where the pixel shown at x, y was before
    ("x_flip", "i", 1): lambda x, y: (-x, y),
    ("x_flip", "i", 0): lambda x, y: (x, y),
    ("rotate_90", "i", 1): lambda x, y: (-y, x),
    ("rotate_90", "i", 2): lambda x, y: (-x, -y),
    ("rotate_90", "i", 3): lambda x, y: (y, -x),
    ("integer_translation", "u", 0.9): lambda x, y: (x - round(0.1 * W), y - round(0.1 * H)),
    ("isotropic_scaling", "z", 1.0): lambda x, y: (x / 2**0.2, y / 2**0.2),
    ("isotropic_scaling", "z", -1.5): lambda x, y: (x * 2**0.3, y * 2**0.3),
    ("rotation", "u", 0.6): lambda x, y: turned(x, y, 0.2 * math.pi),
    ("anisotropic_scaling", "z", 1.0): lambda x, y: (x / 2**0.2, y * 2**0.2),
    ("fractional_translation", "z", 0.5): lambda x, y: (x - W / 16, y - H / 16),
}


@pytest.mark.parametrize(("case", "source"), SOURCES.items(), ids=lambda c: c[0] if isinstance(c, tuple) else "")
def test_geometry_shows_what_was_at_the_source(case, source):
    name, kind, number = case
    x, y = coordinates()
    shown = alone(name, wave(x, y)[None, None], **{kind: number})[0, 0]
    sx, sy = source(x, y)
    inside = (sx.abs() < W / 2 - 3) & (sy.abs() < H / 2 - 3)
    assert inside.float().mean() > 0.4
    # sym6 delays high frequencies a little more than low ones: what is turned or mirrored comes back 1 % off
    torch.testing.assert_close(shown[inside], wave(sx, sy)[inside], rtol=0, atol=0.015)


@pytest.mark.parametrize(("u", "dx", "dy"), [(1.0, 5, 4), (0.0, -5, -4), (0.75, 2, 2)])
def test_integer_translation_is_exact_and_mirrors_at_the_border(u, dx, dy):
    images = pictures()
    mirrored = np.pad(images.numpy(), [(0, 0), (0, 0), (8, 8), (8, 8)], mode="reflect")
    expected = mirrored[:, :, 8 - dy : 8 - dy + H, 8 - dx : 8 - dx + W]
    shown = alone("integer_translation", images, u=u)
    np.testing.assert_allclose(shown.numpy(), expected, rtol=0, atol=1e-10)


def test_resampling_with_the_identity_is_the_identity():
    """Halving undoes doubling: sym6 is orthonormal."""
    torch.testing.assert_close(ada.move(pictures(), ada.I3.repeat(2, 1, 1)), pictures(), rtol=0, atol=1e-10)


def plain_move(picture: np.ndarray, G_inv: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """`move` of one channel (h, w) the plain way: pad, zeros between pixels, convolve, sample, correlate, decimate."""
    (left, top, right, bottom), (h, w) = margin, picture.shape
    f = ada.sym6(torch.zeros([], dtype=torch.float64)).numpy()
    padded = np.pad(picture, [(top, bottom), (left, right)], mode="reflect")
    spread = np.zeros([2 * s for s in padded.shape])
    spread[::2, ::2] = padded
    doubled = 4 * scipy.signal.convolve2d(spread, np.outer(f, f))[5:-6, 5:-6]
    # doubled pixel 2i is pixel i: in pixels about the centre of the picture, index j is at j / 2 - margin - (size - 1) / 2
    j, i = np.meshgrid(
        np.arange(-6, 2 * h + 6) / 2 - (h - 1) / 2, np.arange(-6, 2 * w + 6) / 2 - (w - 1) / 2, indexing="ij"
    )
    x, y, _ = np.einsum("ij,jhw->ihw", G_inv, np.stack([i, j, np.ones_like(i)]))
    at = [2 * (y + (h - 1) / 2 + top), 2 * (x + (w - 1) / 2 + left)]
    sampled = scipy.ndimage.map_coordinates(doubled, at, order=1, mode="grid-constant", cval=0.0)
    halved = scipy.signal.correlate2d(sampled, np.outer(f, f), mode="valid")
    return halved[1 : 2 * h : 2, 1 : 2 * w : 2]


@pytest.mark.parametrize("seed", range(6))
def test_move_equals_the_plain_way(seed):
    dice = ada.Dice(Draw(seed, 0), 3, 1.0, TRANSFORMS)
    images = pictures(3, 2, 17, 23)
    G_inv = ada.geometry(dice, 17, 23)
    shown = ada.move(images, G_inv)
    for i, margin in enumerate(ada.margins(G_inv, 17, 23).numpy()):
        for channel in range(2):
            expected = plain_move(images[i, channel].numpy(), G_inv[i].numpy(), margin)
            np.testing.assert_allclose(shown[i, channel].numpy(), expected, rtol=0, atol=1e-9)


def test_sample_is_grid_sample_in_value_and_gradient():
    images, grid = pictures(2, 3, 7, 9), 2.4 * torch.rand(2, 5, 6, 2, dtype=torch.float64) - 1.2
    ours, theirs = images.clone().requires_grad_(), images.clone().requires_grad_()
    a, b = ada.Sample.apply(ours, grid), F.grid_sample(theirs, grid, align_corners=False)
    weights = torch.randn_like(a)
    (a * weights).sum().backward()
    (b * weights).sum().backward()
    assert torch.equal(a, b)
    assert torch.equal(ours.grad, theirs.grad)


# ------------------------------------------------------------------------------------------------- colouring the pixels


def luma_and_chroma(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of the three channels, and what they differ from it by."""
    luma = images.mean(1, keepdim=True)
    return luma, images - luma


def test_brightness_adds_to_all_channels():
    torch.testing.assert_close(alone("brightness", pictures(), z=1.5), pictures() + 0.3)


def test_contrast_multiplies_all_channels():
    torch.testing.assert_close(alone("contrast", pictures(), z=-2.0), pictures() / 2)


def test_luma_flip_negates_luma_keeps_chroma_and_is_its_own_inverse():
    flipped = alone("luma_flip", pictures(), i=1)
    luma, chroma = luma_and_chroma(pictures())
    torch.testing.assert_close(flipped, chroma - luma)
    torch.testing.assert_close(alone("luma_flip", flipped, i=1), pictures())


def test_hue_rotation_keeps_luma_and_turns_chroma_by_its_angle():
    angle = 0.25 * math.pi
    luma, chroma = luma_and_chroma(pictures())
    new_luma, new_chroma = luma_and_chroma(alone("hue_rotation", pictures(), u=0.625))
    torch.testing.assert_close(new_luma, luma)
    torch.testing.assert_close(new_chroma.square().sum(1), chroma.square().sum(1))
    torch.testing.assert_close((new_chroma * chroma).sum(1), math.cos(angle) * chroma.square().sum(1))


def test_a_third_of_a_turn_of_hue_permutes_the_channels():
    turned = alone("hue_rotation", pictures(), u=(1 + 2 / 3) / 2)
    torch.testing.assert_close(turned, pictures()[:, [2, 0, 1]], rtol=0, atol=1e-6)  # red's place is now green's


@pytest.mark.parametrize(("z", "s"), [(1.0, 2.0), (-1.0, 0.5), (-2000.0, 0.0)])
def test_saturation_scales_chroma_and_keeps_luma(z, s):
    luma, chroma = luma_and_chroma(pictures())
    torch.testing.assert_close(alone("saturation", pictures(), z=z), luma + s * chroma)


def test_colours_are_composed_in_the_paper_s_order():
    numbers = {"u": 0.65, "z": 0.7, "i": 1}
    one_by_one = pictures()
    for name in ada.COLOUR:
        one_by_one = alone(name, one_by_one, **numbers)
    torch.testing.assert_close(augment(pictures(), Fixed(0, 0, **numbers), 1.0, ada.COLOUR), one_by_one)


def test_grey_pictures_are_painted_as_grey_rgb_would_be_on_average_and_alpha_is_kept():
    draw = Fixed(0, 0, u=0.65, z=0.7)
    grey, alpha = pictures(2, 1), pictures(2, 1).flip(3)
    expected = augment(grey.expand(-1, 3, -1, -1), draw, 1.0, ada.COLOUR).mean(1, keepdim=True)
    torch.testing.assert_close(augment(grey, draw, 1.0, ada.COLOUR), expected)
    torch.testing.assert_close(
        augment(torch.cat([grey, alpha], 1), draw, 1.0, ada.COLOUR), torch.cat([expected, alpha], 1)
    )
    rgba = torch.cat([pictures(), alpha], 1)
    painted = augment(pictures(), draw, 1.0, ada.COLOUR)
    torch.testing.assert_close(augment(rgba, draw, 1.0, ada.COLOUR), torch.cat([painted, alpha], 1))


# --------------------------------------------------------------------------------------------- filtering and corrupting


def test_the_bands_add_up_to_the_identity_and_each_passes_its_octave():
    bank = ada.filter_bank()
    impulse = F.pad(torch.ones(1, dtype=torch.float64), (21, 21))
    torch.testing.assert_close(bank.sum(0), impulse, rtol=0, atol=1e-11)
    responses = np.stack([np.abs(scipy.signal.freqz(band.numpy(), worN=512)[1]) for band in bank])
    np.testing.assert_allclose(responses[:, 0], [1, 0, 0, 0], atol=1e-11)
    for octave, (low, high) in enumerate([(0, 1 / 8), (1 / 8, 1 / 4), (1 / 4, 1 / 2), (1 / 2, 1)]):
        middle = int(512 * (low + high) / 2)
        assert responses[:, middle].argmax() == octave


@pytest.mark.parametrize("band", range(4))
@pytest.mark.parametrize("z", [1.0, -2.0])
def test_one_band_is_amplified_and_the_expected_power_stays(band, z):
    g = ada.band_gains(ada.Dice(Fixed(0, 0, z=z), 1, 1.0, (ada.FILTER[band],)))[0]
    others = [b for b in range(4) if b != band]
    assert (g[band] / g[others]).tolist() == pytest.approx([2**z] * 3)
    assert (g.square() * torch.tensor([10, 1, 1, 1]) / 13).sum().item() == pytest.approx(1)


@pytest.mark.parametrize("size", [(28, 40), (22, 9), (5, 3), (1, 7), (1, 1)])
def test_filtering_is_correlation_with_mirrored_ends_at_any_size(size):
    images = pictures(2, 3, *size)
    g = torch.tensor([[0.5, 1.7, 1, 0.2], [1, 1, 3, 1]], dtype=torch.float64)
    for shown, picture, kernel in zip(ada.filter_bands(images, g), images, g @ ada.filter_bank(), strict=True):
        expected = picture.numpy()
        for axis in (1, 2):
            expected = scipy.ndimage.correlate1d(expected, kernel.numpy(), axis=axis, mode="mirror")
        np.testing.assert_allclose(shown.numpy(), expected, rtol=0, atol=1e-12)


def test_noise_is_white_with_half_normal_strength():
    n = 400
    images = torch.zeros(n, 3, 16, 16)
    noise = augment(images, Draw(0, 0), 1.0, ("additive_noise",))
    sigma = noise.std((1, 2, 3))
    assert noise.mean().abs() < 5 * 0.1 / math.sqrt(noise.numel())
    # sigma ~ |N(0, 0.1^2)|: mean 0.1 sqrt(2 / pi), and E[sigma^2] = 0.01
    assert sigma.mean() == pytest.approx(0.1 * math.sqrt(2 / math.pi), rel=0.15)
    assert sigma.square().mean() == pytest.approx(0.01, rel=0.35)
    white = noise / sigma[:, None, None, None]
    assert (white[..., 1:] * white[..., :-1]).mean().abs() < 5 / math.sqrt(white.numel())
    assert white.pow(4).mean() == pytest.approx(3, rel=0.05)


def test_cutout_takes_a_quarter_of_the_picture_about_its_centre():
    ones = torch.ones(1, 3, H, W)
    cut = alone("cutout", ones, u=0.5)
    assert (cut == 0).sum() == 3 * (H // 2) * (W // 2)
    assert not cut[:, :, H // 4 : -H // 4, W // 4 : -W // 4].any()
    assert (alone("cutout", ones, u=0.0) == 0).sum() == 3 * (H // 4) * (W // 4)  # what is left of a box about a corner
    images = pictures()
    cut = alone("cutout", images, u=0.3)
    assert torch.equal(cut[cut != 0], images[cut != 0])


# ------------------------------------------------------------------------------------------------------- the whole pipe


def test_no_transform_means_the_very_same_pictures():
    images = pictures()
    assert augment(images, Draw(0, 0), 0.0) is images
    assert augment(images, Draw(0, 0), 1.0, ()) is images


@pytest.mark.parametrize("name", TRANSFORMS)
def test_pictures_that_drew_nothing_are_not_touched(name):
    """Bit for bit, in a batch where others are changed."""
    images = pictures(40, dtype=torch.float32)
    draw = Draw(3, 0)
    shown = augment(images, draw, 0.5, (name,))
    gate = "rotation before" if name == "rotation" else name
    p = 1 - math.sqrt(0.5) if name == "rotation" else 0.5
    drew = ada.Dice(draw, 40, 0.5, (name,)).came_up(gate, p)
    if name == "rotation":
        drew |= ada.Dice(draw, 40, 0.5, (name,)).came_up("rotation after", p)
    changed = (shown != images).flatten(1).any(1)
    assert 0 < changed.sum() < 40
    assert not (changed & ~drew).any()


def changed_share(dice: ada.Dice) -> dict[str, torch.Tensor]:
    """Of each transform, the pictures that it changes, (n,) bool."""
    matrices = {
        "x_flip": ada.x_flip(dice),
        "rotate_90": ada.rotate_90(dice),
        "integer_translation": ada.integer_translation(dice, 10**9, 10**9),
        "isotropic_scaling": ada.isotropic_scaling(dice),
        "rotation": ada.rotation(dice, "before") @ ada.rotation(dice, "after"),
        "anisotropic_scaling": ada.anisotropic_scaling(dice),
        "fractional_translation": ada.fractional_translation(dice, 10**9, 10**9),
        "brightness": ada.brightness(dice),
        "contrast": ada.contrast(dice),
        "luma_flip": ada.luma_flip(dice),
        "hue_rotation": ada.hue_rotation(dice),
        "saturation": ada.saturation(dice),
    }
    changed = {k: (m != torch.eye(m.shape[-1], dtype=m.dtype)).flatten(1).any(1) for k, m in matrices.items()}
    changed |= {k: dice.normal(k) != 0 for k in (*ada.FILTER, "additive_noise")}
    return changed | {"cutout": dice.came_up("cutout")}


@pytest.mark.parametrize(("p", "mode"), [(0.3, "bgcfnc"), (1.0, "bgcfnc"), (21.8, "bgcfnc"), (0.3, "bgc")])
def test_transforms_come_up_as_often_as_p_says_and_independently(p, mode):
    """Also where p has run away, as users have seen it do."""
    n = 6000
    transforms = ADA(AugmentConfig(mode="ada", transforms=mode)).transforms
    assert len(transforms) == {"bgcfnc": 18, "bgc": 12}[mode]
    changed = changed_share(ada.Dice(Draw(1, 2), n, p, transforms))
    assert tuple(changed) == TRANSFORMS
    # one of two mirrors, one of four turns and one of two reflections is the identity
    share = {
        name: {"x_flip": 1 / 2, "rotate_90": 3 / 4, "luma_flip": 1 / 2}.get(name, 1.0) * min(p, 1)
        for name in TRANSFORMS
    }
    for name in TRANSFORMS:
        expected = share[name] if name in transforms else 0.0
        assert abs(changed[name].float().mean() - expected) <= 5 * math.sqrt(expected * (1 - expected) / n), name
    for a in transforms:
        for b in transforms:
            both = share[a] * share[b]
            if a < b:
                found = (changed[a] & changed[b]).float().mean()
                assert abs(found - both) <= 5 * math.sqrt(both * (1 - both) / n), (a, b)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (16, 8), (5, 64)])
def test_any_size_and_number_of_channels(size, channels):
    images = pictures(4, channels, *size, dtype=torch.float32).requires_grad_()
    shown = augment(images, Draw(0, 0), 1.0)
    assert shown.shape == images.shape
    assert shown.isfinite().all()
    assert torch.autograd.grad(shown.sum(), images)[0].isfinite().all()


def test_gradients_of_both_orders_through_the_whole_pipe():
    images = pictures(3, 3, 8, 10).requires_grad_()

    def shown(x: torch.Tensor) -> torch.Tensor:
        return augment(x, Draw(7, 0), 0.8)

    assert torch.autograd.gradcheck(shown, images, fast_mode=True)
    assert torch.autograd.gradgradcheck(shown, images, fast_mode=True)


def test_r1_through_the_pipe_can_be_learnt_from():
    """The derivative of |d D(T(x)) / dx|^2, for a D with curvature, is right: what R1 needs of T."""
    images = pictures(1, 3, 4, 5).requires_grad_()

    def penalty(x: torch.Tensor) -> torch.Tensor:
        score = augment(x, Draw(7, 0), 1.0).pow(3).sum()
        return torch.autograd.grad(score, x, create_graph=True)[0].square().sum()

    assert torch.autograd.gradcheck(penalty, images, fast_mode=True)


def test_what_becomes_of_a_picture_does_not_depend_on_its_batch():
    """Three processes with a third of the rows each show what one process with all of them does."""
    images = pictures(12)
    whole = augment(images, Draw(5, 1), 0.6)
    for rank in range(3):
        part = augment(images[rank::3], Draw(5, 1, rank=rank, world=3), 0.6)
        torch.testing.assert_close(part, whole[rank::3], rtol=0, atol=1e-10)


def test_meta_device():
    """A dry run at paper scale goes through every stage, forwards and twice backwards, without a pixel."""
    images = torch.empty(64, 3, 256, 256, device="meta", requires_grad=True)
    shown = augment(images, Draw(0, 0), 1.0)
    (gradient,) = torch.autograd.grad(shown.square().sum(), images, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), images)
    assert {shown.shape, gradient.shape, second.shape} == {images.shape}
    assert shown.is_meta and shown.dtype == torch.float32
