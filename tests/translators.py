"""Tiny translators of the real classes with random weights, and sketches and references on disk."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from lianpu import checkpoint, images
from lianpu.checkpoint import Model
from lianpu.config import CocosNetConfig, SpadeConfig, to_dict
from lianpu.data.samples import masks
from lianpu.data.sketch import sketch
from lianpu.nets.cocosnet import CocosNet
from lianpu.nets.spade import Spade

COCOSNET = CocosNetConfig(
    resolution=32, width=4, width_max=8, hidden=4, encoder_width=4, encoder_max=8, encoder_blocks=1, feature_width=8,
    trunk_blocks=1, descriptor=8, warp_stride=2, attention=False, discriminator_width=4, discriminator_layers=2,
    discriminator_scales=1,
)  # fmt: skip
SPADE = SpadeConfig(
    resolution=32, width=4, width_max=8, hidden=4, vae=True, z_dim=8, style_width=4, discriminator_width=4,
    discriminator_layers=2, discriminator_scales=1,
)  # fmt: skip
PLAIN_SPADE = SpadeConfig(
    resolution=32, width=4, width_max=8, hidden=4, discriminator_width=4, discriminator_layers=2, discriminator_scales=1
)


def make(path: Path, config: CocosNetConfig | SpadeConfig, seed: int = 0, **data: object) -> Path:
    torch.manual_seed(seed)
    network: nn.Module = CocosNet(config) if isinstance(config, CocosNetConfig) else Spade(config)
    with torch.no_grad():  # an untrained output is grey: give it contrast
        for name, p in network.named_parameters():
            if name.startswith("composition.out"):
                p.mul_(40)
    model = Model(checkpoint.kind_of(config), to_dict(config), data={"rights": "known", **data})
    checkpoint.save_model(path, network, model)
    return path


def draw(folder: Path, names: list[str], size: int = 128, first: int = 0, seed: int = 41) -> list[Path]:
    """Line drawings under these names."""
    return [_save(folder / n, sketch(masks.draw(seed, first + i).pixels(size))) for i, n in enumerate(names)]


def paint(folder: Path, names: list[str], size: int = 128, first: int = 10, seed: int = 41) -> list[Path]:
    """Coloured masks under these names."""
    return [_save(folder / n, masks.draw(seed, first + i).pixels(size)) for i, n in enumerate(names)]


def _save(path: Path, pixels) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(images.encode_png(pixels))
    return path
