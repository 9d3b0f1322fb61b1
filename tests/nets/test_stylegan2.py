"""StyleGAN2's networks: their sizes, their switches, and what must not change when something else does."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from lianpu import losses
from lianpu.config import StyleGAN2Config
from lianpu.errors import UsageError
from lianpu.nets import stylegan2
from lianpu.nets.stylegan2 import Discriminator, Generator, minibatch_stddev, mix_styles, time_features
from lianpu.ops import plain
from lianpu.ops.resample import upsample
from lianpu.randomness import Draw
from tests.ops.compare import assert_same, randn

TINY = StyleGAN2Config(
    resolution=16, channel_base=128, channel_max=16, z_dim=8, w_dim=12, mapping_layers=2, mbstd_group=2
)
COLOURS = replace(TINY, classes=3)


def count(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def generator(config: StyleGAN2Config = TINY, seed: int = 0) -> Generator:
    """With noise strengths and biases that are not zero."""
    torch.manual_seed(seed)
    net = Generator(config)
    for name, parameter in net.named_parameters():
        if name.endswith(("noise_strength", "bias")):
            torch.nn.init.normal_(parameter, std=0.3)
    return net


# ---- sizes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "g", "d"),
    [
        (StyleGAN2Config(), 24_767_458, 24_001_089),
        (StyleGAN2Config(mapping_layers=2), 23_191_522, 24_001_089),
        (StyleGAN2Config(resolution=1024, channel_base=32768), 30_370_060, 29_012_513),
        (StyleGAN2Config(resolution=64, channel_base=4096, channel_max=128, mapping_layers=2), 2_526_552, 1_465_025),
    ],
    ids=["256 as in the paper", "256 automatic", "1024", "C64"],
)
def test_parameters_are_as_many_as_the_reference_has(config, g, d):
    with torch.device("meta"):
        assert (count(Generator(config)), count(Discriminator(config))) == (g, d)


@pytest.mark.parametrize("resolution", [4, 8, 32, 1024])
@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_every_resolution_and_architecture_has_the_right_shape(resolution, architecture):
    config = replace(
        TINY, resolution=resolution, channel_base=2048, g_architecture=architecture, d_architecture=architecture
    )
    with torch.device("meta"):
        images = Generator(config)(torch.randn(2, 8))
        assert images.shape == (2, 3, resolution, resolution)
        assert Discriminator(config)(images).shape == (2, 1)


@pytest.mark.parametrize("half", [0, 4])
def test_a_step_at_paper_scale_is_device_and_dtype_clean(half):
    """256 px, forward, backward and double backward on the meta device: any tensor made elsewhere, or of another
    type, would fail.
    """
    config = StyleGAN2Config(half_resolutions=half, time="sinusoidal")
    with torch.device("meta"):
        g, d = Generator(config), Discriminator(config)
        ws = g.mapping(torch.randn(8, 512), update_average=True)
        images = g.synthesis(ws)
        losses.path_lengths(images, ws, torch.randn_like(images)).mean().backward()
        real = torch.randn(8, 3, 256, 256, requires_grad=True)
        losses.r1(d(real, t=torch.ones(8, dtype=torch.int64)), real).mean().backward()
    for parameter in [*g.parameters(), *d.parameters()]:
        assert parameter.dtype == torch.float32
        assert parameter.grad is None or parameter.grad.dtype == torch.float32
    assert images.dtype == torch.float32


# ---- fast and plain ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_networks_on_fast_and_plain_operators_agree_to_second_order(architecture, monkeypatch):
    config = replace(TINY, g_architecture=architecture, d_architecture=architecture)
    g, d = generator(config).double(), Discriminator(config).double()

    def score(ws: torch.Tensor) -> torch.Tensor:
        return d(g.synthesis(ws, noise="const"))

    def score_plain(ws: torch.Tensor) -> torch.Tensor:
        with monkeypatch.context() as patch:
            for name in set(plain.__all__) & set(vars(stylegan2)):
                patch.setattr(stylegan2, name, getattr(plain, name))
            return score(ws)

    assert_same(score, score_plain, [randn(4, g.mapping.num_ws, 12, dtype=torch.float64)], 1e-8)


# ---- mapping -------------------------------------------------------------------------------------------------------


def test_truncation_moves_w_towards_its_mean():
    mapping = generator().mapping
    mapping.w_avg.normal_()
    z = randn(5, 8)
    w, centre = mapping(z), mapping.w_avg[0].expand(5, mapping.num_ws, -1)
    assert torch.equal(mapping(z, truncation=1.0), w)
    assert_close(mapping(z, truncation=0.0), centre)
    assert_close(mapping(z, truncation=0.3), centre + 0.3 * (w - centre))
    part = mapping(z, truncation=0.3, cutoff=2)
    assert_close(part[:, :2], (centre + 0.3 * (w - centre))[:, :2])
    assert torch.equal(part[:, 2:], w[:, 2:])


def test_truncation_moves_each_class_towards_its_own_mean():
    mapping = generator(COLOURS).mapping
    mapping.w_avg.normal_()
    label = torch.tensor([2, 0, 1, 2])
    assert_close(mapping(randn(4, 8), label, truncation=0.0)[:, 0], mapping.w_avg[label])


def test_the_length_of_z_does_not_matter():
    mapping = generator().mapping
    z = randn(3, 8)
    assert_close(mapping(7 * z), mapping(z), rtol=1e-4, atol=1e-5)


def test_the_mean_of_w_follows_its_batches_as_the_closed_form_says():
    mapping = generator().mapping
    expected, beta = torch.zeros(12), 0.995
    for step in range(5):
        w = mapping(randn(6, 8, seed=step), update_average=True)[:, 0]
        expected = beta * expected + (1 - beta) * w.mean(0)
        mapping(randn(6, 8, seed=100))  # not asked to: does not
    assert_close(mapping.w_avg[0], expected.detach())


def test_the_mean_of_w_is_kept_for_every_class():
    mapping = generator(COLOURS).mapping
    label = torch.tensor([0, 2, 2, 2])
    w = mapping(randn(4, 8), label, update_average=True)[:, 0].detach()
    assert_close(mapping.w_avg[0], 0.005 * 3 * (1 / 4) * w[0])
    assert (mapping.w_avg[1] == 0).all()  # no picture of it
    assert_close(mapping.w_avg[2], 0.005 * 3 * (3 / 4) * w[1:].mean(0))


def test_a_class_changes_the_picture_and_is_required():
    net = generator(COLOURS)
    z = randn(2, 8)
    red, blue = (net(z, torch.full((2,), k), noise="none") for k in (0, 1))
    assert (red - blue).abs().max() > 0.01
    with pytest.raises(UsageError, match="3 classes"):
        net(z)
    with pytest.raises(UsageError, match="2 class numbers"):
        net(z, torch.zeros(3, dtype=torch.int64))
    with pytest.raises(UsageError, match="class numbers"):
        net(z, torch.zeros(2, 3))
    with pytest.raises(UsageError, match="0 to 2"):
        net(z, torch.tensor([0, 3]))


def test_mixing_takes_coarse_layers_of_one_and_fine_layers_of_the_other():
    net = generator()
    a, b = net.mapping(randn(2, 8)), net.mapping(randn(2, 8, seed=1))
    mixed = mix_styles(a, b, 2)
    assert torch.equal(mixed[:, :2], a[:, :2])
    assert torch.equal(mixed[:, 2:], b[:, 2:])
    assert torch.equal(mix_styles(a, b, net.mapping.num_ws), a)
    assert torch.equal(mix_styles(a, b, 0), b)


def test_a_style_reaches_its_own_layers_only():
    """The last style enters ToRGB alone: it must change the picture linearly; the first changes everything."""
    net = generator().double()
    ws = net.mapping(randn(1, 8)).detach().repeat(3, 1, 1)
    ws[1, -1] += 1
    ws[2, -1] += 2
    images = net.synthesis(ws, noise="none")
    assert (images[1] - images[0]).abs().max() > 1e-3
    assert_close(images[2] - images[0], 2 * (images[1] - images[0]))


# ---- noise ---------------------------------------------------------------------------------------------------------


def test_a_network_without_noise_never_takes_any_and_fits_the_same_file():
    config = replace(TINY, noise=False)
    quiet, noisy = Generator(config), generator()
    quiet.load_state_dict(noisy.state_dict())
    ws = torch.randn(2, config.num_ws, config.w_dim)
    for noise in ("random", "const"):
        assert torch.equal(quiet.synthesis(ws, noise=noise), noisy.synthesis(ws, noise="none"))


def test_noise_can_be_random_fixed_or_absent():
    net = generator()
    ws = net.mapping(randn(2, 8))
    assert not torch.equal(net.synthesis(ws), net.synthesis(ws))
    assert torch.equal(net.synthesis(ws, noise="const"), net.synthesis(ws, noise="const"))
    for name, buffer in net.named_buffers():
        if name.endswith("noise_const"):
            buffer.zero_()
    assert_close(net.synthesis(ws, noise="const"), net.synthesis(ws, noise="none"))
    with pytest.raises(UsageError, match="random, const or none"):
        net.synthesis(ws, noise="loud")


def test_drawn_noise_is_a_function_of_seed_and_step():
    net = generator()
    ws = net.mapping(randn(4, 8))
    image = net.synthesis(ws, draw=Draw(seed=3, step=5))
    assert torch.equal(image, net.synthesis(ws, draw=Draw(seed=3, step=5)))
    assert not torch.equal(image, net.synthesis(ws, draw=Draw(seed=3, step=6)))


def test_every_layer_draws_its_own_noise():
    class Recorder(Draw):
        names: list[str] = []  # noqa: RUF012

        def normal(self, name: str, n: int, *shape: int) -> torch.Tensor:
            self.names.append(name)
            return super().normal(name, n, *shape)

    net = generator()
    net.synthesis(net.mapping(randn(1, 8)), draw=Recorder(0, 0))
    assert len(Recorder.names) == len(set(Recorder.names)) == net.mapping.num_ws - 1


def test_processes_that_share_a_batch_make_the_pictures_one_would_make():
    net = generator()
    ws = net.mapping(randn(4, 8))
    whole = net.synthesis(ws, draw=Draw(1, 2))
    for rank in range(2):
        assert_close(net.synthesis(ws[rank::2], draw=Draw(1, 2, rank, 2)), whole[rank::2])


def test_a_picture_does_not_depend_on_the_others_in_its_batch():
    net = generator()
    z = randn(5, 8)
    assert_close(net(z, noise="const")[3:4], net(z[3:4], noise="const"))


# ---- the discriminator ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", [2, 3])
def test_scores_do_not_depend_on_how_rows_are_dealt_to_processes(world):
    """Groups are strided: rows rank::world hold whole groups. Dealt in blocks instead, the scores would change."""
    torch.manual_seed(0)  # some weights hardly tell groups apart
    d, images = Discriminator(TINY), randn(12, 3, 16, 16)
    scores = d(images)
    for rank in range(world):
        assert_close(d(images[rank::world]), scores[rank::world])
    assert (d(images[: 12 // world]) - scores[: 12 // world]).abs().max() > 1e-4


def test_minibatch_stddev_of_equal_pictures_is_zero_and_of_opposite_ones_their_size():
    x = randn(1, 4, 4, 4).abs() + 0.1
    same = minibatch_stddev(x.repeat(4, 1, 1, 1), 4)
    assert_close(same[:, 4:], torch.full((4, 1, 4, 4), 1e-4))  # sqrt(1e-8)
    opposite = minibatch_stddev(torch.cat([x, -x]), 2)
    assert_close(opposite[:, 4:], x.mean().expand(2, 1, 4, 4), rtol=1e-4, atol=1e-5)


def test_a_batch_that_groups_do_not_divide_is_refused():
    with pytest.raises(UsageError, match="groups of 4"):
        minibatch_stddev(randn(6, 2, 4, 4), 4)
    assert minibatch_stddev(randn(3, 2, 4, 4), 4).shape == (3, 3, 4, 4)  # a small batch is one group


def test_pictures_of_another_size_are_refused():
    with pytest.raises(UsageError, match="3 x 16 x 16"):
        Discriminator(TINY)(randn(2, 3, 32, 32))


@pytest.mark.parametrize("time", ["label", "sinusoidal"])
@pytest.mark.parametrize("classes", [0, 3])
def test_no_time_step_is_step_zero(time, classes):
    d = Discriminator(replace(TINY, time=time, classes=classes))
    images, label = randn(4, 3, 16, 16), torch.tensor([0, 1, 2, 0]) if classes else None
    zero = torch.zeros(4, dtype=torch.int64)
    assert torch.equal(d(images, label), d(images, label, zero))
    if time == "sinusoidal" or classes:
        assert not torch.equal(d(images, label), d(images, label, zero + 500))


def test_a_discriminator_without_a_clock_refuses_time_steps():
    with pytest.raises(UsageError, match="no time embedding"):
        Discriminator(TINY)(randn(2, 3, 16, 16), t=torch.zeros(2, dtype=torch.int64))


def test_time_steps_are_all_told_apart_and_near_ones_are_near():
    features = time_features(torch.arange(1001))
    assert_close(features.norm(dim=1), torch.ones(1001))
    distance = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    assert distance.fill_diagonal_(9).min() > 0.1
    assert (distance[0, 1:10] < distance[0, 500]).all()


def test_classes_change_scores():
    d = Discriminator(COLOURS)
    images = randn(2, 3, 16, 16)
    assert not torch.equal(d(images, torch.tensor([0, 0])), d(images, torch.tensor([1, 1])))


# ---- precision, copies ---------------------------------------------------------------------------------------------


def test_half_precision_stays_near_and_is_float32_at_the_door():
    config = replace(TINY, half_resolutions=2)
    half, full = generator(config), generator(TINY)
    half.load_state_dict(full.state_dict())
    assert [half.synthesis.blocks[r].in_half for r in ("4", "8", "16")] == [False, True, True]
    ws = full.mapping(randn(2, 8))
    image = half.synthesis(ws, noise="const")
    assert image.dtype == torch.float32
    wanted = full.synthesis(ws, noise="const")
    error = (image - wanted).norm() / wanted.norm()
    assert 1e-5 < error < 0.03
    for architecture in ("resnet", "orig"):  # whose picture comes from a block in half precision alone
        assert generator(replace(config, g_architecture=architecture)).synthesis(ws).dtype == torch.float32
    d_half, d_full = Discriminator(config), Discriminator(TINY)
    d_half.load_state_dict(d_full.state_dict())
    real = randn(2, 3, 16, 16)
    assert d_half(real).dtype == torch.float32
    assert_close(d_half(real), d_full(real), rtol=0.1, atol=0.05)
    leaf = real.clone().requires_grad_()
    losses.r1(d_half(leaf), leaf).mean().backward()
    assert all(
        p.grad is not None and p.grad.isfinite().all() for n, p in d_half.named_parameters() if "out.bias" not in n
    )


def test_nothing_below_8x8_is_in_half_precision():
    for wanted, half in ((0, []), (1, ["16"]), (2, ["16", "8"]), (9, ["16", "8"])):
        config = replace(TINY, half_resolutions=wanted)
        assert [r for r, block in Discriminator(config).blocks.items() if block.in_half] == half
        assert [r for r, block in Generator(config).synthesis.blocks.items() if block.in_half] == half[::-1]


def test_every_parameter_learns():
    g, d = generator(COLOURS), Discriminator(replace(COLOURS, time="sinusoidal"))
    label, t = torch.tensor([0, 1, 2, 0]), torch.tensor([0, 10, 100, 1000])
    d(g(randn(4, 8), label), label, t).mean().backward()
    for name, parameter in [*g.named_parameters(), *d.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_a_copy_is_the_same_network_and_its_own():
    net = generator()
    twin = copy.deepcopy(net)
    z = randn(2, 8)
    assert torch.equal(net(z, noise="const"), twin(z, noise="const"))
    assert all(a.stride() == b.stride() for a, b in zip(net.parameters(), twin.parameters(), strict=True))
    with torch.no_grad():
        twin.synthesis.blocks["8"].conv0.weight.add_(1)
    assert not torch.equal(net(z, noise="const"), twin(z, noise="const"))


def test_weights_go_through_a_state_dict_of_any_memory_order():
    net, other = generator(seed=0), generator(seed=1)
    other.load_state_dict({k: v.contiguous() for k, v in net.state_dict().items()})
    z = randn(2, 8)
    assert torch.equal(net(z, noise="const"), other(z, noise="const"))


# ---- growing -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_generator_that_grows_goes_on_as_it_was():
    """New blocks add nothing to the enlarged picture at first; of a size, the picture is the same whether larger blocks follow or not."""
    net = generator(replace(TINY, resolution=32, grown_from=8))
    for r in (16, 32):
        net.synthesis.blocks[str(r)].rgb.bias.zero_()
    ws = net.mapping(randn(2, 8))
    small, features = net.synthesis.with_features(ws, "const", size=8)
    assert small.shape == (2, 3, 8, 8)
    assert features.shape[-1] == 8
    fir = net.synthesis.blocks["8"].fir
    assert_close(net.synthesis(ws, "const"), upsample(upsample(small, fir), fir))


@torch.no_grad()
def test_a_discriminator_judges_every_size_from_which_pictures_grow():
    torch.manual_seed(0)
    D, plain = Discriminator(replace(TINY, resolution=32, grown_from=8)), Discriminator(replace(TINY, resolution=32))
    for r in (8, 16, 32):
        assert D(randn(2, 3, r, r)).shape == (2, 1)
    for r in (4, 64):
        with pytest.raises(UsageError, match="reads pictures of"):
            D(randn(2, 3, r, r))
    with pytest.raises(UsageError, match="reads pictures of"):
        plain(randn(2, 3, 16, 16))
    plain.load_state_dict({k: v for k, v in D.state_dict().items() if k in plain.state_dict()})
    x = randn(2, 3, 32, 32)
    assert_close(D(x), plain(x))  # ways in for smaller pictures are no part of it
