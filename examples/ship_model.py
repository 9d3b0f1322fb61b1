"""Writes a run's newest model as lianpu ships it: averaged generator and discriminator in half precision, with a sheet of its pictures to look at.

python examples/ship_model.py runs/om64 --to src/lianpu/models/opera-mask-64 --sheet docs/images/generated.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from lianpu import checkpoint, images
from lianpu.experiments import lifting
from lianpu.lifter import Lifter
from lianpu.painter import Painter

MOST = 8 * 2**20  # bytes of weights that a wheel may carry for one model


def ship(run: Path, to: Path) -> int:
    """Bytes of the weights written."""
    network, model = checkpoint.load_model(run, None)
    discriminator = checkpoint.load_discriminator(run, model.kind)
    checkpoint.save_model(to, network, model, discriminator=discriminator, dtype=torch.float16)
    size = sum(path.stat().st_size for path in to.glob("*.safetensors"))
    if size > MOST:
        raise SystemExit(f"{to} is {size / 2**20:.1f} MB, more than {MOST >> 20}: train a smaller network.")
    return size


def sheet(model: Path, count: int, columns: int, scale: int) -> bytes:
    if checkpoint.read_model(model).kind == "digan":
        cells, columns = lifting.shown(Lifter(model).network, count // columns)
        return images.encode_png(images.sheet(cells, columns=columns))
    painter = Painter(model)
    pictures = [painter.paint(subject) for subject in painter.subjects(count, seed=0, truncation=0.7)]
    return images.encode_png(images.sheet(pictures, columns=columns).repeat(scale, 0).repeat(scale, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument(
        "--sheet", type=Path, help="also write 42 pictures at truncation 0.7, or 6 heads turned and lit, unselected"
    )
    options = parser.parse_args()
    size = ship(options.run, options.to)
    print(f"{options.to}: {size / 1e6:.1f} MB")
    if options.sheet:
        options.sheet.write_bytes(sheet(options.to, 42, 7, 2))
        print(options.sheet)


if __name__ == "__main__":
    main()
