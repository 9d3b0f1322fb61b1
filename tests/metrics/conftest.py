"""A model small enough to paint in a blink."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from lianpu import checkpoint
from lianpu.config import StyleGAN2Config
from lianpu.data.colour import CLASSES
from lianpu.nets.stylegan2 import Generator


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """An untrained generator of 32 px with the seven classes, as a model folder."""
    config = StyleGAN2Config(
        resolution=32, channel_base=256, channel_max=16, z_dim=16, w_dim=16, mapping_layers=2, classes=7
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Generator(config)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    checkpoint.save_model(folder, network, checkpoint.Model("stylegan2", asdict(config), list(CLASSES)))
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """A data set of 70 drawn faces at 32 px with a test split large enough for neighbourhoods."""
    from lianpu.data import build
    from tests.data import faces

    folder = tmp_path_factory.mktemp("measured")
    faces.folder(folder / "faces", 70, 64)
    build.build([folder / "faces"], folder / "data", size=32, test=0.3, similar=1.0, rights=faces.RIGHTS, workers=1)
    return folder / "data"
