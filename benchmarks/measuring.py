"""What the timing benchmarks have in common: their options, the conditions that stand beside every figure, and their file."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import torch

import lianpu
from lianpu.machine import processor

__all__ = ["CLOCKS", "conditions", "keep", "options"]

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def options(about: str | None, cpu: str = "processor time, for a machine that others use") -> argparse.ArgumentParser:
    """--threads, --clock, --to and --note; a benchmark adds its own. cpu: what that clock is good for."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help=f"cpu: {cpu}")
    parser.add_argument("--to", type=Path, help="the JSON file to write")
    parser.add_argument("--note", default="", help="what else the machine was doing; goes into the file")
    return parser


def conditions(args: argparse.Namespace) -> dict[str, Any]:
    """Machine and versions, for the report."""
    clock = {"clock": args.clock} if hasattr(args, "clock") else {}
    return {
        "machine": {
            "cpu": processor(), "cores": os.cpu_count(), "threads": args.threads, **clock, "system": platform.system(),
        },
        "versions": {"lianpu": lianpu.__version__, "torch": torch.__version__, "python": platform.python_version()},
    }  # fmt: skip


def keep(report: dict[str, Any], to: Path | None) -> None:
    """Writes the report as it is so far, for the next part takes long."""
    if to:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(json.dumps(report, indent=2) + "\n")
