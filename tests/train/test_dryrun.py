"""The paper's networks at the paper's size, one full step without numbers: sizes as published, every update there."""

from __future__ import annotations

import pytest

from lianpu import recipes
from lianpu.train import dryrun


@pytest.mark.parametrize("regime", ["stylegan2", "ada", "apa", "diffusion"])
def test_a_step_at_paper_scale(regime):
    config = recipes.find(f"yan2023-{regime}").config
    cost = dryrun.dry_run(config)
    assert cost.parameters["G"] == 24_767_458  # as the authors' 256 px configuration has
    assert cost.parameters["D"] == 24_001_089 or regime == "diffusion"
    assert set(cost.flops) == {"loss/G", "loss/G path", "loss/D", "loss/D R1"}
    assert all(flops > 1e12 for flops in cost.flops.values())
    assert 10 < cost.memory_bytes / 2**30 < 60


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "generator", "discriminator"),
    [("cocosnet", 143_322_280, 5_703_812), ("spade", 92_149_443, 5_539_970), ("spade-vae", 119_399_299, 5_539_970)],
)
def test_a_translator_s_step_at_paper_scale(method, generator, discriminator):
    """The released CoCosNet of one input channel has 92.2 + 50.8 million parameters in G and its encoders, SPADE 92.0 and 5.5."""
    config = recipes.find(f"yan2023-{method}").config
    cost = dryrun.dry_run(config)
    assert cost.parameters == {"G": generator, "D": discriminator}
    assert set(cost.flops) == {"loss/G", "loss/D"}
    assert cost.flops_per_image == sum(cost.flops.values()) / config.batch
    assert 1e12 < cost.flops_per_image < 1e13
    assert 4 < cost.memory_bytes / 2**30 < 24


@pytest.mark.slow
@pytest.mark.parametrize("data", ["warriors", "celeba", "cats"])
def test_a_lifter_s_step_at_paper_scale(data):
    """Shi et al. 2021's networks, with KANs and partial convolutions; their training takes 11 GB, as Yilmaz et al. 2022 found."""
    config = recipes.find(f"digan2024-{data}").config
    cost = dryrun.dry_run(config)
    assert cost.parameters == {"G3D": 30_666_945}
    assert config.kimg * 1000 / config.batch == 30_000  # steps: the seed's
    assert set(cost.flops) == {"loss/G3D"}
    assert 1e11 < cost.flops_per_image < 1e13
    assert 8 < cost.memory_bytes / 2**30 < 16


def test_a_lifter_s_teacher_at_paper_scale():
    for data in ("warriors", "celeba", "cats"):
        teacher, lifter = (recipes.find(f"digan2024-{data}{end}").config for end in ("-teacher", ""))
        assert lifter.net.teacher == teacher.net
