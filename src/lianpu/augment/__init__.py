"""What the discriminator is shown (Yan et al. 2023, "Adaptive discriminator enhancement module"), four ways."""

from __future__ import annotations

from lianpu.augment.ada import ADA
from lianpu.augment.apa import APA
from lianpu.augment.diffusion import Diffusion
from lianpu.augment.policy import Policy, Shown
from lianpu.config import AugmentConfig

__all__ = ["ADA", "APA", "Diffusion", "Policy", "Shown", "build"]


def build(config: AugmentConfig, seed: int = 0) -> Policy:
    """The policy `config.mode` names; `seed` is the run's."""
    match config.mode:
        case "none":
            return Policy(config)
        case "ada":
            return ADA(config)
        case "apa":
            return APA(config)
        case "diffusion":
            return Diffusion(config, seed)
