"""What a measurement was made on, and how to make a computation the same on any number of cores."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path

__all__ = ["machine", "one_thread", "processor", "threads"]


def processor() -> str:
    """The processor's name, as it calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine() -> str:
    """Processor and number of cores."""
    return f"{processor()}, {os.cpu_count()} cores"


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch computes with so many threads inside the block; 0 changes nothing."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch without threads and without gradient: sums cut among threads may round otherwise, and bytes would depend on who computes."""
    import torch

    with threads(1), torch.no_grad():
        yield
