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
