"""SPADE: as many numbers as the reference has, norms that normalise, a style that comes from the reference, a discriminator that looks
at both the drawing and the picture.
"""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from lianpu.config import CocosNetConfig, SpadeConfig
from lianpu.errors import UsageError
from lianpu.nets.cocosnet import CocosNet
from lianpu.nets.spade import (
    BatchNorm,
    Composition,
    PatchDiscriminator,
    PositionalNorm,
    SelfAttention,
    Spade,
    Spatial,
    StyleEncoder,
)
from lianpu.ops import plain
from tests.ops.compare import randn

TINY = SpadeConfig(
    resolution=16,
    width=4,
    width_max=16,
    hidden=4,
    discriminator_width=4,
    discriminator_layers=2,
    z_dim=5,
    style_width=4,
)
STYLED = replace(TINY, vae=True)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def inputs(n: int = 2, r: int = 16, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Condition, reference, and the reference's condition."""
    return randn(n, 6, r, r, seed=seed), randn(n, 3, r, r, seed=seed + 1).tanh(), randn(n, 6, r, r, seed=seed + 2)


def lively(net: nn.Module) -> nn.Module:
    """With modulations and gains that are not near zero, as they are at first."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for name, parameter in net.named_parameters():
            if "modulation" in name or name.endswith("gamma") or name.startswith(("out.", "composition.out.")):
                nn.init.normal_(parameter, std=0.2)
    return net


# ---- sizes ---------------------------------------------------------------------------------------------------------


def test_parameters_are_as_many_as_the_reference_has():
    """92.0 and 5.53 million with one channel of lines."""
    config = replace(SpadeConfig.paper(), condition_channels=1)
    with torch.device("meta"):
        assert (count(Spade(config)), count(PatchDiscriminator(config))) == (91_999_683, 5_529_730)


@pytest.mark.parametrize(("size", "vae"), [("paper", True), ("small", True), ("nano", False)])
def test_every_size_paints_and_is_taught(size, vae):
    """On the meta device: shapes and types are clean, forward and backward, of networks too large for a test."""
    config = getattr(SpadeConfig, size)(vae=vae)
    with torch.device("meta"):
        net, d = Spade(config), PatchDiscriminator(config)
        condition, reference, its = (torch.empty(2, c, config.resolution, config.resolution) for c in (6, 3, 6))
        painted = net(condition, reference, its, noise=torch.empty(2, config.z_dim) if vae else None)
        assert painted.image.shape == reference.shape
        assert (painted.mu is not None and painted.mu.shape == (2, config.z_dim)) == vae
        torch.stack([maps[-1].mean() for maps in d(condition, painted.image)]).sum().backward()
        assert {p.grad is None or p.grad.shape != p.shape for p in [*net.parameters(), *d.parameters()]} == {False}


def untaught(nets: list[nn.Module], loss: Tensor) -> list[str]:
    """The parameters that have no part in `loss`. In float64, where the gradient of a bias before a norm is seen to be rounding."""
    loss.backward()
    return [n for net in nets for n, p in net.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-10]


@pytest.mark.parametrize("config", [TINY, STYLED], ids=["spade", "spade-vae"])
def test_every_number_is_taught(config):
    """But for biases whose mean a batch norm takes off again, which the published networks have too."""
    torch.manual_seed(0)
    net, d = lively(Spade(config)).double(), PatchDiscriminator(config).double()
    condition, reference, its = (x.double() for x in inputs())
    painted = net(condition, reference, its, noise=randn(2, 5).double() if config.vae else None)
    loss = torch.stack([maps[-1].square().sum() for maps in d(condition, painted.image)]).sum()
    assert [
        name for name in untaught([net, d], loss) if not name.endswith((".conv0.bias", ".conv1.bias", "start.bias"))
    ] == []


def test_nano_is_small_and_as_large_as_cocosnet_s_composition():
    """Its fairness: the two networks differ in what they are told of the reference."""
    with torch.device("meta"):
        spade, cocosnet = Spade(SpadeConfig.nano()), CocosNet(CocosNetConfig.nano())
        assert count(cocosnet) < 2_500_000
        assert abs(count(spade) / count(cocosnet.composition) - 1) < 0.02


# ---- norms ---------------------------------------------------------------------------------------------------------


def test_positional_norm_is_over_the_channels_of_a_pixel():
    y = PositionalNorm(64)(randn(2, 64, 3, 3) * 5 + 7)
    assert_close(y.mean(1), torch.zeros(2, 3, 3), atol=1e-5, rtol=0)
    assert_close(y.var(1, correction=0), torch.ones(2, 3, 3), atol=1e-4, rtol=0)


def test_batch_norm_is_torch_s_in_training_and_evaluation():
    ours, theirs = BatchNorm(4), nn.BatchNorm2d(4, affine=False)
    for seed in range(3):
        x = randn(3, 4, 5, 5, seed=seed) * 2 + 1
        assert_close(ours(x), theirs(x))
    assert_close(ours.mean, theirs.running_mean)
    numbers = 3 * 5 * 5  # torch keeps the unbiased variance: all but the start, 0.9^3 of 1, is so much larger
    kept = 0.9**3
    assert_close(ours.variance, (theirs.running_var - kept) * (numbers - 1) / numbers + kept)
    theirs.running_var.copy_(ours.variance)
    x = randn(3, 4, 5, 5, seed=9)
    assert_close(ours.eval()(x), theirs.eval()(x))


def test_batch_norm_over_one_process_is_batch_norm(tmp_path):
    """That two processes equal one is shown where they train, in tests/train."""
    x = randn(3, 4, 5, 5).requires_grad_()
    weights = randn(3, 4, 5, 5, seed=1)
    want = BatchNorm(4)(x)
    (want_grad,) = torch.autograd.grad((want * weights).sum(), x)
    torch.distributed.init_process_group("gloo", init_method=(tmp_path / "meet").as_uri(), rank=0, world_size=1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            have = BatchNorm(4)(x)
            (grad,) = torch.autograd.grad((have * weights).sum(), x)
    finally:
        torch.distributed.destroy_process_group()
    assert torch.equal(have, want) and torch.equal(grad, want_grad)


def test_a_spatial_norm_is_alpha_x_plus_beta():
    """Yan et al. 2023, Eq. 14, pixel by pixel."""
    layer = lively(Spatial(8, 6, 4, PositionalNorm, "zeros"))
    assert isinstance(layer, Spatial)
    x, condition = randn(2, 8, 5, 5), randn(2, 6, 5, 5)
    gamma, beta = layer.modulation(layer.shared(condition).relu()).chunk(2, 1)
    mu, sigma = x.mean(1, keepdim=True), (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    assert_close(layer(x, condition), (1 + gamma) * (x - mu) / sigma + beta)


def test_attention_begins_as_nothing_and_is_then_the_whole_matrix_s():
    layer = SelfAttention(16).eval()
    x = randn(2, 16, 8, 8)
    assert torch.equal(layer(x), x)
    layer.gamma.data.fill_(0.7)
    key, value = (nn.functional.max_pool2d(f(x), 2) for f in (layer.key, layer.value))
    assert_close(layer(x), x + 0.7 * layer.out(plain.warp(layer.query(x), key, value, 1.0)))


# ---- the generator -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resolution", [16, 32, 64])
@pytest.mark.parametrize("attention", [False, True])
def test_pictures_have_the_configured_size_and_range(resolution, attention):
    config = replace(TINY, resolution=resolution)
    net = lively(Composition(config, 6, PositionalNorm, attention=attention))
    y = net(randn(2, 6, resolution, resolution))
    assert y.shape == (2, 3, resolution, resolution) and y.abs().max() <= 1


def test_without_an_encoder_the_reference_is_not_looked_at():
    torch.manual_seed(0)
    net = lively(Spade(TINY)).eval()
    condition, reference, its = inputs()
    painted = net(condition, reference, its)
    assert torch.equal(painted.image, net(condition, -reference, -its).image)
    assert not torch.equal(painted.image, net(-condition, reference, its).image)
    assert painted.mu is None and painted.warped is None


def test_with_an_encoder_the_style_is_the_reference_s():
    torch.manual_seed(0)
    net = lively(Spade(STYLED)).eval()
    condition, reference, its = inputs()
    painted = net(condition, reference, its)
    assert not torch.equal(painted.image, net(condition, reference.flip(1), its).image)
    assert torch.equal(painted.image, net(condition, reference, its, noise=torch.zeros(2, 5)).image)
    assert painted.mu is not None and painted.logvar is not None
    noise = randn(2, 5)
    z = painted.mu + noise * (0.5 * painted.logvar).exp()  # Kingma & Welling 2014, Sec. 2.4
    assert_close(net(condition, reference, its, noise=noise).image, net.composition(condition, z))


def test_a_picture_does_not_depend_on_those_beside_it():
    torch.manual_seed(0)
    net = lively(Spade(STYLED)).eval()
    given = inputs(3)
    together = net(*given).image
    for i in range(3):
        assert_close(net(*(x[i : i + 1] for x in given)).image, together[i : i + 1])


def test_evaluation_moves_nothing_and_training_moves_the_buffers():
    torch.manual_seed(0)
    net = Spade(STYLED).eval()
    before = copy.deepcopy(net.state_dict())
    net(*inputs())
    assert all(torch.equal(a, b) for a, b in zip(before.values(), net.state_dict().values(), strict=True))
    net.train()(*inputs())
    moved = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert any(name.endswith("norm.mean") for name in moved) and any(name.endswith("_u") for name in moved)
    assert moved == {name for name, _ in net.named_buffers() if "norm." in name or name.endswith(("_u", "_v"))}


def test_a_state_goes_into_another_network_and_a_copy_goes_its_own_way():
    torch.manual_seed(0)
    net, other = lively(Spade(STYLED)).eval(), Spade(STYLED).eval()
    other.load_state_dict(net.state_dict())
    given = inputs()
    picture = net(*given).image
    assert torch.equal(other(*given).image, picture)
    twin = copy.deepcopy(net)
    for parameter in net.parameters():
        parameter.data.zero_()
    assert torch.equal(twin(*given).image, picture)


def test_thin_lines_reach_the_smallest_maps():
    """A line one pixel wide, which picking every eighth pixel would miss."""
    net = lively(Composition(replace(TINY, resolution=64), 1, PositionalNorm)).eval()
    blank = torch.zeros(1, 1, 64, 64)
    line = blank.clone()
    line[..., 13] = 1
    assert net.start(nn.functional.interpolate(line, (8, 8))).equal(net.start(nn.functional.interpolate(blank, (8, 8))))
    seen: list[Tensor] = []
    net.start.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    net(line)
    assert seen[0].shape[2:] == (8, 8) and seen[0].sum() > 0


def test_style_encoder_ends_at_four_pixels():
    for resolution in (16, 64):
        encoder = StyleEncoder(replace(STYLED, resolution=resolution))
        mu, logvar = encoder(randn(2, 3, resolution, resolution))
        assert mu.shape == logvar.shape == (2, 5)


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_what_does_not_fit_is_refused(wrong):
    given = list(inputs())
    given[wrong] = given[wrong][..., :8]
    with pytest.raises(UsageError, match=r"must be \(2, \d, 16, 16\), not \(2, \d, 16, 8\)"):
        Spade(TINY)(*given)


# ---- the discriminator ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("resolution", [16, 64])
@pytest.mark.parametrize(("layers", "scales"), [(2, 1), (4, 2), (6, 3)])
def test_every_scale_gives_the_maps_of_its_layers_and_a_score(resolution, layers, scales):
    config = replace(TINY, resolution=resolution, discriminator_layers=layers, discriminator_scales=scales)
    condition, picture, _ = inputs(r=resolution)
    seen = PatchDiscriminator(config)(condition, picture)
    assert [len(maps) for maps in seen] == [layers + 1] * scales
    assert all(maps[-1].shape[:2] == (2, 1) for maps in seen)
    widths = [min(4 * 2**i, 32) for i in range(layers)]
    assert [[x.shape[1] for x in maps[:-1]] for maps in seen] == [widths] * scales


def test_the_score_depends_on_drawing_and_picture():
    torch.manual_seed(0)
    net = PatchDiscriminator(TINY).eval()
    condition, picture, _ = inputs()
    score = net(condition, picture)[0][-1]
    assert not torch.equal(score, net(condition, -picture)[0][-1])
    assert not torch.equal(score, net(-condition, picture)[0][-1])


def test_normalised_convolutions_have_a_spectral_norm_of_one():
    torch.manual_seed(0)
    net = PatchDiscriminator(replace(TINY, discriminator_layers=4))
    condition, picture, _ = inputs()
    for _ in range(30):  # each call is one step of the power iteration
        net(condition, picture)
    for conv in list(net.scales[0].convs)[1:]:
        assert_close(torch.linalg.matrix_norm(conv.weight.flatten(1), 2), torch.tensor(1.0), atol=2e-3, rtol=0)
