"""Shared by all tests: one thread and one seed, so that CPU results are bit-exact and tests run side by side; small real data sets,
made once.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

torch.set_num_threads(1)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """What a test draws from torch's own stream is the same whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 drawn masks at 64 px with their labels and rights."""
    from lianpu.data.samples import masks

    folder = tmp_path_factory.mktemp("drawn")
    masks.write(folder, 40, 0, 64, regions=False, workers=1)
    return folder


@pytest.fixture(scope="session")
def data(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set built from them at 32 px."""
    from lianpu.data import build

    folder = tmp_path_factory.mktemp("built") / "data"
    build.build([drawn], folder, size=32, test=0.1, workers=1)
    return folder
