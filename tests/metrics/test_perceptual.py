"""SSIM, MS-SSIM and LPIPS hold to their libraries on the same pictures; pairs are fair and functions of the seed."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_msssim
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchmetrics.functional.image.ssim import _ssim_update

from lianpu.errors import UsageError
from lianpu.metrics import perceptual
from lianpu.metrics.perceptual import LPIPS, among, between, ms_ssim, scale_weights, ssim
from lianpu.nets import features
from tests.data.faces import face
from tests.weights import need


def pictures(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two batches of four drawn faces, (4, 3, size, size) in [0, 255], the last pair alike."""
    a = np.stack([face(i, "red", size) for i in range(4)])
    b = np.stack([face(i + 10, "blue", size) for i in range(3)] + [face(3, "green", size)])
    return tuple(torch.from_numpy(x).permute(0, 3, 1, 2).float() for x in (a, b))


@pytest.mark.parametrize("size", [11, 32, 96])
def test_ssim_equals_pytorch_msssim(size):
    x, y = pictures(size)
    theirs = pytorch_msssim.ssim(x.double(), y.double(), data_range=255, size_average=False)
    torch.testing.assert_close(ssim(x, y), theirs, rtol=1e-5, atol=1e-6)  # its window is float32


def test_ssim_equals_torchmetrics_inside_its_padding():
    x, y = pictures(64)
    _, whole = _ssim_update(x.double(), y.double(), data_range=255.0, return_full_image=True)
    torch.testing.assert_close(ssim(x, y), whole[..., 5:-5, 5:-5].mean((1, 2, 3)), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("size", "scales"), [(192, 5), (176, 5), (175, 4), (180, 3)])
def test_ms_ssim_equals_pytorch_msssim(size, scales):
    if size == 175:  # its own rule wants 161 px for any number of scales; ours gives five from 176
        assert len(scale_weights(size, size)) == 4
    x, y = pictures(size)
    weights = [w / sum(perceptual.WEIGHTS[:scales]) for w in perceptual.WEIGHTS[:scales]]
    theirs = pytorch_msssim.ms_ssim(x.double(), y.double(), data_range=255, size_average=False, weights=weights)
    torch.testing.assert_close(ms_ssim(x, y, weights), theirs, rtol=1e-5, atol=1e-6)


def test_as_many_scales_as_there_is_room_for():
    counts = {size: len(scale_weights(size, size)) for size in (8, 11, 16, 32, 64, 128, 256, 512)}
    assert counts == {8: 0, 11: 1, 16: 1, 32: 2, 64: 3, 128: 4, 256: 5, 512: 5}
    assert scale_weights(256, 32) == scale_weights(32, 32)
    assert sum(scale_weights(64, 64)) == pytest.approx(1)


def test_a_picture_is_wholly_like_itself_and_black_is_not_undefined():
    x, _ = pictures(64)
    black = torch.zeros(2, 3, 64, 64)
    for picture in (x, black, torch.full((2, 3, 64, 64), 200.0)):
        torch.testing.assert_close(ssim(picture, picture), torch.ones(len(picture), dtype=torch.float64))
        torch.testing.assert_close(ms_ssim(picture, picture), torch.ones(len(picture), dtype=torch.float64))
    assert torch.isfinite(ms_ssim(x[:2], black)).all()
    assert torch.isfinite(ms_ssim(x, 255 - x)).all(), "negative similarity has no fractional power"


def test_ssim_of_flat_greys_is_wangs_luminance_term():
    x, y = torch.full((1, 3, 16, 16), 100.0), torch.full((1, 3, 16, 16), 150.0)
    c1 = (0.01 * 255) ** 2
    assert float(ssim(x, y)) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), rel=1e-9)


def test_a_picture_smaller_than_the_window_is_refused():
    with pytest.raises(UsageError, match="too small"):
        ssim(torch.zeros(1, 3, 10, 40), torch.zeros(1, 3, 10, 40))
    with pytest.raises(UsageError, match="no scale"):
        ms_ssim(torch.zeros(1, 3, 10, 40), torch.zeros(1, 3, 10, 40))


# -------------------------------------------------------------------------------------------------------------------- LPIPS


class Two(nn.Module):
    """A trunk of two maps: the picture, and its mean over places."""

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [x, x.mean((2, 3), keepdim=True)]


def test_lpips_by_hand():
    x, y = torch.tensor([3.0, 4, 0])[None, :, None, None], torch.tensor([0.0, 0, 2])[None, :, None, None]
    heads = [torch.tensor([1.0, 2, 3]), torch.tensor([0.5, 0.0, 0.0])]
    by_hand = 0.6**2 * 1 + 0.8**2 * 2 + 1 * 3 + 0.6**2 * 0.5
    assert float(LPIPS(Two(), heads)(x, y)) == pytest.approx(by_hand, rel=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("net", "trunk"), [("alex", "alexnet"), ("vgg", "vgg16")])
def test_lpips_equals_torchmetrics_on_the_published_weights(net, trunk):
    need(trunk)
    from torchmetrics.functional.image.lpips import _LPIPS

    from lianpu import weights

    ours = LPIPS(features.trunk(trunk), features.lpips_heads(net))
    theirs = _LPIPS(pretrained=True, net=net, pnet_rand=True, eval_mode=True)  # its dropout rests
    values = {k.removeprefix("features."): v for k, v in weights.tensors(trunk).items() if k.startswith("features.")}
    missing = set()
    for name, part in theirs.net.named_children():  # slice1.0, slice1.1, ...: torchvision's own numbering
        for index, layer in part.named_children():
            if isinstance(layer, nn.Conv2d):
                layer.load_state_dict({"weight": values.pop(f"{index}.weight"), "bias": values.pop(f"{index}.bias")})
                missing.add(name)
    assert not values, "all convolutions of the trunk are in theirs"
    assert len(missing) == 5
    x, y = (p / 127.5 - 1 for p in pictures(64))
    with torch.inference_mode():
        torch.testing.assert_close(ours(x, y), theirs(x, y).flatten(), rtol=1e-4, atol=1e-5)
        assert ours(x, x).abs().max() == 0
        torch.testing.assert_close(ours(x, y), ours(y, x))


# ------------------------------------------------------------------------------------------------------------------ pairing


@given(st.integers(1, 30), st.integers(1, 12), st.integers(1, 5), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_partners_differ_and_are_dealt_fairly(n, m, partners, seed):
    left, right = between(n, m, partners, seed)
    each = min(partners, m)
    assert len(left) == len(right) == n * each
    assert all(len(set(right[left == i].tolist())) == each for i in range(n))
    uses = np.bincount(right, minlength=m)
    assert uses.max() - uses.min() <= 2
    assert uses.sum() == n * each


@given(st.integers(2, 40), st.integers(1, 200), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_no_picture_is_paired_with_itself_and_no_pair_comes_twice(n, count, seed):
    left, right = among(n, count, seed)
    assert (left < right).all()
    assert len({*zip(left.tolist(), right.tolist(), strict=True)}) == len(left)
    assert len(left) >= min(count, n * (n - 1) // 2)
    assert len(left) < count + n


def test_pairs_are_a_function_of_the_seed():
    assert (between(9, 7, 2, 1)[1] == between(9, 7, 2, 1)[1]).all()
    assert (between(9, 7, 2, 1)[1] != between(9, 7, 2, 2)[1]).any()
    assert among(30, 20, 1)[1].tolist() != among(30, 20, 2)[1].tolist()
