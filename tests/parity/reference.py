"""Numbers that the reference networks produced (`*.npz`; see README.md), and their parameter names in
ours.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lianpu.config import StyleGAN2Config
from lianpu.nets.stylegan2 import Discriminator, Generator

DATA = Path(__file__).parent

SINGLE_OP = {"rtol": 1e-5, "atol": 1e-6}
NETWORK = {"rtol": 1e-4, "atol": 1e-5}

SMALL = {"resolution": 16, "channel_base": 128, "channel_max": 16, "z_dim": 8, "w_dim": 8, "mapping_layers": 3}


def load(name: str) -> dict[str, Tensor]:
    with np.load(DATA / f"{name}.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays.files if arrays[key].dtype.kind in "fi"}


def _rename(numbers: dict[str, Tensor], *pairs: tuple[str, str]) -> dict[str, Tensor]:
    state = {}
    for key, value in numbers.items():
        if key.startswith("sd.") and not key.endswith("resample_filter"):
            name = key.removeprefix("sd.")
            for old, new in (
                *pairs,
                (r"\bskip\.", "shortcut."),
                (r"\bb(\d+)\.", r"blocks.\1."),
                (r"\bfc(\d+)\.", r"layers.\1."),
            ):
                name = re.sub(old, new, name)
            state[name] = value
    return state


def generator(name: str, config: StyleGAN2Config) -> tuple[Generator, dict[str, Tensor]]:
    """Our generator with the reference's weights, and the file's numbers."""
    numbers = load(name)
    state = _rename(numbers, (r"\btorgb\.", "rgb."))
    classes = max(config.classes, 1)
    state["mapping.w_avg"] = state["mapping.w_avg"].expand(classes, -1)  # theirs has one for all classes
    net = Generator(config)
    net.load_state_dict(state)
    return net.requires_grad_(False), numbers


def discriminator(name: str, config: StyleGAN2Config) -> tuple[Discriminator, dict[str, Tensor]]:
    """Our discriminator with the reference's weights, and the file's numbers."""
    numbers = load(name)
    state = _rename(numbers, (r"^b4\.", "epilogue."), (r"\bfromrgb\.", "rgb."), (r"^mapping\.", "condition."))
    net = Discriminator(config)
    net.load_state_dict(state)
    return net.requires_grad_(False), numbers
