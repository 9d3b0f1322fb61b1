"""CoCosNet: as many numbers as the reference has, descriptors as the seed's equations say, a warp that is the plain one, halves that
are alike where that was asked for, and no number that nothing teaches.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from lianpu import losses
from lianpu.config import SYMMETRIES, CocosNetConfig
from lianpu.errors import UsageError
from lianpu.nets import features
from lianpu.nets.cocosnet import Alignment, CocosNet, mirrored
from lianpu.nets.spade import PatchDiscriminator
from lianpu.ops import plain
from lianpu.ops.warp import cycle, warp
from tests.nets.test_spade import count, inputs, lively, untaught

TINY = CocosNetConfig(
    resolution=16, width=4, width_max=16, hidden=4, discriminator_width=4, discriminator_layers=2, encoder_width=4,
    encoder_max=8, encoder_blocks=1, feature_width=6, trunk_blocks=1, descriptor=8, warp_stride=2, attention=False,
)  # fmt: skip


def network(config: CocosNetConfig = TINY) -> CocosNet:
    torch.manual_seed(0)
    net = lively(CocosNet(config))
    assert isinstance(net, CocosNet)
    return net.eval()


# ---- sizes ---------------------------------------------------------------------------------------------------------


def test_the_paper_s_size_and_a_step_of_it():
    """As many numbers as the reference has with one channel of lines: 92.17 and 50.77 million; D 5.69, without the reference's 0.78 that
    no loss reaches. Then every loss, forward and backward, on the meta device: shapes and types are clean.
    """
    config = replace(CocosNetConfig.paper(), condition_channels=1)
    with torch.device("meta"):
        net, d = CocosNet(config), PatchDiscriminator(config)
        assert (count(net.composition), count(net.alignment), count(d)) == (92_171_460, 50_768_460, 5_693_572)
        condition, its = torch.empty(1, 1, 256, 256), torch.empty(1, 1, 256, 256)
        picture, reference = torch.empty(1, 3, 256, 256), torch.empty(1, 3, 256, 256)
        phi = features.perceptual("random").to("meta")
        painted = net(condition, reference, its)
        assert (
            painted.query is not None
            and painted.key is not None
            and painted.coarse is not None
            and painted.sketch is not None
        )
        assert painted.query.shape == painted.key.shape == (1, 9 * 256, 64, 64)
        mine, true, other = phi(painted.image), phi(picture), phi(reference)
        fake, real = d(condition, painted.image), d(condition, picture)
        total = [
            losses.feature_loss(mine, true, phi.balance, torch.ones(1, dtype=torch.bool)),
            losses.perceptual_loss(mine[phi.deep], true[phi.deep]),
            losses.contextual_loss(mine, other),
            losses.hinge_g([maps[-1] for maps in fake]),
            losses.domain(painted.sketch, net.encode_picture(picture)),
            losses.regularisation(cycle(painted.query, painted.key, painted.coarse, 0.01), F.avg_pool2d(reference, 4)),
            losses.feature_matching(fake, real),
        ]
        torch.stack(total).sum().backward()
        assert all(p.grad is not None and p.grad.shape == p.shape for p in net.parameters())


@pytest.mark.parametrize("size", ["small", "nano"])
def test_smaller_sizes_paint_and_are_taught(size):
    config = getattr(CocosNetConfig, size)()
    r, side = config.resolution, config.resolution // config.warp_stride
    with torch.device("meta"):
        net = CocosNet(config)
        painted = net(torch.empty(2, 6, r, r), torch.empty(2, 3, r, r), torch.empty(2, 6, r, r))
        assert painted.image.shape == (2, 3, r, r) and painted.warped is not None and painted.query is not None
        assert painted.warped.shape == (2, 3, r, r) and painted.query.shape == (2, config.descriptor, side, side)
        painted.image.sum().backward()
        assert all(p.grad is not None for p in net.parameters())


def test_every_number_is_taught():
    """By some loss: no parameter is without effect, as a bias before a norm would be."""
    net = network(replace(TINY, attention=True, resolution=32)).double().train()
    condition, reference, its = (x.double() for x in inputs(r=32))
    painted = net(condition, reference, its)
    features = net.alignment.sketch(condition).sum() + net.encode_picture(reference).sum()
    assert untaught([net], painted.image.square().sum() + features) == []


# ---- the correspondence --------------------------------------------------------------------------------------------


def test_descriptors_have_no_mean_and_length_one():
    """Yan et al. 2023, Eqs. 10 to 12."""
    query, key, _ = network().alignment(*inputs())
    for x in (query, key):
        assert x.shape == (2, 8, 8, 8)
        assert_close(x.mean(1), torch.zeros(2, 8, 8), atol=1e-6, rtol=0)
        assert_close(x.norm(dim=1), torch.ones(2, 8, 8))


def test_without_a_projection_the_window_itself_is_matched():
    """Place by place: the nine feature vectors about it, zero outside the picture, one after the other by channel."""
    alignment = Alignment(replace(TINY, descriptor=0))
    x = torch.randn(1, 6, 5, 5)
    wide = F.pad(x, (1, 1, 1, 1))
    for u, v in ((0, 0), (2, 3), (4, 4)):
        window = wide[0, :, u : u + 3, v : v + 3].flatten()
        assert_close(alignment.descriptors(x)[0, :, u, v], F.normalize(window - window.mean(), dim=0))
    single = Alignment(replace(TINY, descriptor=0, match_kernel=1)).descriptors(x)
    assert_close(single[0, :, 2, 3], F.normalize(x[0, :, 2, 3] - x[0, :, 2, 3].mean(), dim=0))


@pytest.mark.parametrize("stride", [2, 4])
def test_the_warp_is_the_plain_one_of_the_averaged_reference(stride):
    net = network(replace(TINY, resolution=32, warp_stride=stride))
    condition, reference, its = inputs(r=32)
    painted = net(condition, reference, its)
    assert (
        painted.query is not None
        and painted.key is not None
        and painted.coarse is not None
        and painted.sketch is not None
    )
    want = plain.warp(painted.query, painted.key, F.avg_pool2d(reference, stride), net.config.temperature)
    assert_close(painted.coarse, want, atol=1e-4, rtol=1e-4)
    assert painted.warped is not None and painted.warped.shape == reference.shape
    assert_close(F.avg_pool2d(painted.warped, stride).mean(), painted.coarse.mean(), atol=5e-2, rtol=0)


def test_a_place_is_what_grid_sample_looks_at():
    """A query that finds its own key is at its own (x, y), as `flow` has it."""
    net = network()
    one_hot = torch.eye(64).view(1, 64, 8, 8)
    place = warp(one_hot, one_hot, net.xy[None], 0.01)
    assert_close(place, net.xy[None])
    x = torch.randn(1, 3, 8, 8)
    assert_close(F.grid_sample(x, place.movedim(1, 3), align_corners=False), x, atol=1e-5, rtol=1e-5)


def test_features_of_either_domain_have_length_one():
    net = network()
    condition, reference, _ = inputs()
    for x in (net.alignment.sketch(condition), net.encode_picture(reference)):
        assert x.shape == (2, 6, 8, 8)
        assert_close(x.norm(dim=1), torch.ones(2, 8, 8))


def test_the_picture_is_made_of_drawing_and_reference():
    net = network()
    condition, reference, its = inputs()
    picture = net(condition, reference, its).image
    assert not torch.equal(picture, net(condition, -reference, its).image)
    assert not torch.equal(picture, net(-condition, reference, its).image)
    assert not torch.equal(picture, net(condition, reference, -its).image)


def test_a_picture_does_not_depend_on_those_beside_it():
    for net in (network(), network(replace(TINY, resolution=64, attention=True)).train()):  # no norm is over the batch
        r = net.config.resolution
        given = inputs(2, r)
        net.eval()
        together = net(*given).image
        for i in range(2):
            assert_close(net(*(x[i : i + 1] for x in given)).image, together[i : i + 1], atol=1e-4, rtol=1e-4)


def test_evaluation_moves_nothing_and_training_moves_the_spectral_vectors():
    """So a translation is the same however many were made before it, and a run that goes on has them in its state."""
    net = network(replace(TINY, attention=True, resolution=32))
    before = copy.deepcopy(net.state_dict())
    given = inputs(r=32)
    net(*given)
    assert all(torch.equal(a, b) for a, b in zip(before.values(), net.state_dict().values(), strict=True))
    net.train()(*given)
    moved = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    vectors = {name for name in before if name.endswith(("._u", "._v"))}
    assert moved <= vectors and set(before) == {name for name, _ in net.named_parameters()} | vectors
    assert {".".join(name.split(".")[:2]) for name in moved} == {  # of some, power iteration had found the end before
        "alignment.sketch", "alignment.picture", "composition.blocks", "composition.attention",
    }  # fmt: skip


# ---- symmetry ------------------------------------------------------------------------------------------------------


def test_both_halves_alike():
    net = network()
    given = inputs()
    painted = net(*given, symmetric="both")
    assert painted.query is not None and painted.warped is not None
    assert_close(painted.query, painted.query.flip(3))
    assert_close(painted.query.norm(dim=1), torch.ones(2, 8, 8))
    assert_close(painted.warped, painted.warped.flip(3), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("leader", "half"), [("left", slice(0, 4)), ("right", slice(4, 8))])
def test_one_half_leads(leader, half):
    net = network()
    given = inputs()
    own, painted = net(*given).coarse, net(*given, symmetric=leader).coarse
    assert own is not None and painted is not None
    assert_close(painted[..., half], own[..., half])
    assert_close(painted, painted.flip(3), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(painted, own)


def test_off_changes_nothing_and_others_are_unknown():
    x = torch.randn(1, 3, 4, 4)
    assert mirrored(x, "off") is x and SYMMETRIES[0] == "off"
    with pytest.raises(UsageError, match=r"there is no symmetry 'leftt'(.|\n)*Did you mean left"):
        mirrored(x, "leftt")


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_what_does_not_fit_is_refused(wrong):
    given: list[Tensor] = list(inputs())
    given[wrong] = given[wrong][:1]
    with pytest.raises(UsageError, match="must be"):
        network()(*given)


def test_no_norm_is_over_the_batch():
    """Batches of one are legal: there is no batch norm in it."""
    assert not any("mean" in name for name, _ in CocosNet(TINY).named_buffers())
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in CocosNet(TINY).modules())
