"""Seconds and peak memory of CoCosNet's warp and its cycle, forward and backward, without the matrix and with it, taken in turns in one
process.

python benchmarks/warp.py --threads 1 --clock cpu --to benchmarks/results/warp.json

`linear` is `lianpu.ops.warp`, what lianpu trains with; `matrix` holds the matrix of all pairs of places, as `lianpu.ops.plain.warp` does,
but computes it once for both ways, as anyone would who has the memory. Both get the same descriptors, smooth over the picture and laid
out in memory as a network's are, and a picture to warp. A number is the median of its rounds; a ratio is the median over rounds of
(matrix / linear), both measured within the same round. Memory is what torch's allocator holds at the peak of a round above what it held
before, counted from its own events; it needs no quiet machine. Agreement is the largest difference of the two, relative to the largest
number, of the warped picture, its cycle, and the three gradients.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from typing import Any

import torch
from measuring import CLOCKS, conditions, keep, options
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from lianpu.ops.convolution import laid_out
from lianpu.ops.warp import cycle, warp

CASES = {"64x64, 256-d": (64, 256, 5), "128x128, 64-d": (128, 64, 2)}
"""Places to a side, length of a descriptor, and rounds: the second takes half a minute a round."""
TEMPERATURE = 0.01


def smooth(side: int, d: int) -> Tensor:
    """(1, d, side, side) of length 1, changing over eight places or so."""
    coarse = torch.randn(1, d, side // 8, side // 8)
    x = F.interpolate(coarse, (side, side), mode="bicubic", align_corners=False)
    return laid_out(F.normalize(x - x.mean(1, keepdim=True), dim=1))


def linear(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    y = warp(query, key, value, TEMPERATURE)
    return y, cycle(query, key, y, TEMPERATURE)


def matrix(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    q, k, v = (x.flatten(2).transpose(1, 2) for x in (query, key, value))  # (1, h*w, d)
    m = q @ k.transpose(1, 2) / TEMPERATURE
    y = m.softmax(2) @ v
    back = m.transpose(1, 2).softmax(2) @ y
    return y.transpose(1, 2).view_as(value), back.transpose(1, 2).view_as(value)


CONTENDERS: dict[str, Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]] = {"linear": linear, "matrix": matrix}


def step(name: str, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
    """One training step's share: the picture warped, warped back, and the gradients of a loss on both."""
    for x in (query, key, value):
        x.grad = None
    y, back = CONTENDERS[name](query, key, value)
    (y.square().mean() + (back - value.detach()).abs().mean()).backward()
    return [x.detach() for x in (y, back, query.grad, key.grad, value.grad) if x is not None]


def peak_memory(work: Callable[[], Any]) -> int:
    """Bytes that torch's allocator holds at most during `work`, above what it held before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    now = most = 0
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]  # type: ignore[union-attr]
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def summary(values: list[float]) -> dict[str, float]:
    low, median, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {"median": round(median, 3), "iqr": round(high - low, 3), "min": round(min(values), 3)}


def measure(args: argparse.Namespace, side: int, d: int, rounds: int) -> dict[str, Any]:
    torch.manual_seed(0)
    query, key = smooth(side, d).requires_grad_(), smooth(side, d).requires_grad_()
    value = (torch.rand(1, 3, side, side) * 2 - 1).requires_grad_()
    clock = CLOCKS[args.clock]
    seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    results: dict[str, list[Tensor]] = {}
    for round_ in range(1, rounds + 1):
        for name in CONTENDERS:
            start = clock()
            results[name] = step(name, query, key, value)
            seconds[name].append(clock() - start)
        print(f"{side} x {side}: round {round_} of {rounds}", file=sys.stderr, flush=True)
    memory = {name: peak_memory(lambda name=name: step(name, query, key, value)) for name in CONTENDERS}
    outputs = ("warped", "cycle", "d query", "d key", "d value")
    return {
        "places": side * side,
        "descriptor": d,
        "rounds": rounds,
        "seconds": {name: summary(values) for name, values in seconds.items()},
        "times_as_fast": round(statistics.median(b / a for a, b in zip(*seconds.values(), strict=True)), 3),
        "peak_mib": {name: round(bytes_ / 2**20, 1) for name, bytes_ in memory.items()},
        "times_less_memory": round(memory["matrix"] / memory["linear"], 2),
        "largest_relative_difference": {
            what: float(f"{float((a - b).abs().max() / b.abs().max()):.1e}")
            for what, a, b in zip(outputs, results["linear"], results["matrix"], strict=True)
        },
    }


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--rounds", type=int, help="instead of each case's own number")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    report: dict[str, Any] = {
        "what": "warp and cycle of one picture, forward and backward, float32; times_as_fast = matrix / linear, median over rounds",
        **conditions(args),
        "note": args.note,
        "cases": {},
    }
    for name in args.cases:
        side, d, rounds = CASES[name]
        report["cases"][name] = measure(args, side, d, args.rounds or rounds)
        keep(report, args.to)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
