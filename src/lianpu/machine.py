"""What a measurement was made on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["machine", "processor"]


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
