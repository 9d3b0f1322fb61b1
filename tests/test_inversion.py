"""A picture that the model paints is found among its codes; what is hidden has no say; the same question has the same answer."""

from __future__ import annotations

import pytest
import torch

from lianpu import inversion
from lianpu.errors import Stopped, UsageError
from lianpu.nets import features
from lianpu.nets.stylegan2 import Generator
from tests.test_painter import CONFIG


@pytest.fixture(scope="module")
def network() -> Generator:
    torch.manual_seed(0)
    made = Generator(CONFIG)
    with torch.no_grad():
        made.mapping.w_avg.normal_()
        for layer in made.mapping.layers:  # an untrained mapping is nearly constant
            layer.weight.mul_(3)
    return made.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def phi() -> features.Perceptual:
    return features.perceptual("random")


@pytest.fixture(scope="module")
def picture(network) -> torch.Tensor:
    """One of its own, of a code that the search does not begin with."""
    z = torch.randn(1, CONFIG.z_dim, generator=torch.Generator().manual_seed(77))
    return network.synthesis(network.mapping(z, torch.tensor([1])), noise="const")


def test_a_picture_of_its_own_is_found(network, phi, picture):
    quick, long = (inversion.invert(network, phi, picture, steps=steps) for steps in (2, 160))
    assert long.error < quick.error / 4
    assert long.distance < quick.distance / 4
    assert torch.equal(network.synthesis(long.ws, noise="const"), long.picture)
    assert long.spread < 2


def test_the_same_inputs_give_the_same_codes(network, phi, picture):
    a, b, other = (inversion.invert(network, phi, picture, steps=6, seed=seed).ws for seed in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, other)


@pytest.mark.parametrize("masked", [False, True])
def test_pictures_found_together_are_found_as_each_alone(network, phi, picture, masked):
    torch.manual_seed(0)
    three = torch.cat([picture, picture.flip(3), torch.rand_like(picture)])
    masks = (torch.rand(3, 1, 16, 16) > 0.3).float() if masked else None
    together = inversion.invert(network, phi, three, mask=masks, steps=12)
    for i in range(3):
        mask = None if masks is None else masks[i : i + 1]
        alone = inversion.invert(network, phi, three[i : i + 1], mask=mask, steps=12)
        assert torch.allclose(together.ws[i : i + 1], alone.ws, atol=1e-4)
        for name in ("error", "distance", "spread"):
            assert torch.allclose(getattr(together, name)[i : i + 1], getattr(alone, name), atol=1e-4)


def test_what_the_mask_hides_changes_nothing(network, phi, picture):
    mask = torch.ones(1, 1, 16, 16)
    mask[..., 4:9, 6:12] = 0
    damaged = torch.where(mask > 0, picture, torch.rand_like(picture))
    found = [inversion.invert(network, phi, x, mask=mask, steps=8).ws for x in (picture, damaged)]
    assert torch.equal(*found)
    assert not torch.equal(inversion.invert(network, phi, damaged, steps=8).ws, found[0]), "without the mask it does"


def test_the_network_is_left_as_it_was(network, phi, picture):
    before = {k: v.clone() for k, v in network.state_dict().items()}
    inversion.invert(network, phi, picture, steps=4)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())


def test_progress_is_told_and_a_stop_is_heard(network, phi, picture):
    told = []
    inversion.invert(network, phi, picture, steps=5, say=lambda *one: told.append(one))
    assert [(step, steps) for step, steps, _ in told] == [(i, 5) for i in range(1, 6)]
    with pytest.raises(Stopped):
        inversion.invert(network, phi, picture, steps=5, stop=lambda: len(told) > 2)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"picture": torch.zeros(1, 3, 8, 8)}, r"\(1, 3, 8, 8\)"),
        ({"steps": 1}, "too few"),
        ({"mask": torch.zeros(1, 1, 16, 16)}, "hides the whole picture"),
    ],
)
def test_what_cannot_be_asked(network, phi, changes, says):
    with pytest.raises(UsageError, match=says):
        inversion.invert(network, phi, **{"picture": torch.zeros(1, 3, 16, 16), **changes})
