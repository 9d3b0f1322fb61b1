"""Seconds of drawing faces from elsewhere, forward and backward, beside a rasteriser where every pixel looks at every face; and how many
times a second one face can be turned and lit anew.

python benchmarks/render.py --threads 1 --to benchmarks/results/render.json

A step takes 4 depth maps with pictures, moves them to 4 views (yaw 5, 20, 40, 60 degrees), draws them, and brings the gradients of a
loss on picture and depth back to depth map, picture and view. `vertex` and `inverse` are the two textures of `lianpu.render.views`, what
lianpu trains with; `brute` is the first with `lianpu.render.plain.rasterise` in the rasteriser's place. They are taken in turns within one
process, and a ratio is the median over rounds of (brute / vertex), both measured within the same round. `brute` draws one mesh after
another; where that takes too long it draws one, which is counted four times. `interactive` is one face of 128 pixels, turned and lit anew
for each frame: normals, shading, drawing and bytes, without gradients.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from measuring import CLOCKS, conditions, keep, options
from torch import Tensor

from lianpu import images
from lianpu.render import camera, plain, surface, views

YAWS = (5.0, 20.0, 40.0, 60.0)
CASES = {64: (21, 5, 4), 128: (11, 1, 4), 256: (7, 1, 1)}
"""Size: rounds of `zbuffer`, rounds of `brute`, and how many of the four faces `brute` draws."""


def relief(size: int, n: int) -> Tensor:
    """(n, size, size): something like a head with a nose before a wall."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size)] * 2, indexing="ij")
    head = 0.085 * (1 - (x / 0.62) ** 2 - (y / 0.8) ** 2).clamp(min=0).sqrt()
    nose = 0.03 * torch.exp(-((x / 0.1) ** 2) - ((y - 0.05) / 0.2) ** 2)
    return (camera.BORDER - head - nose).expand(n, -1, -1).contiguous()


def inputs(size: int, roughness: float) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    depth = relief(size, len(YAWS)) + roughness * torch.randn(len(YAWS), size, size)
    picture = torch.rand(len(YAWS), 3, size, size) * 2 - 1
    view = torch.cat([camera.raw_view(yaw, 5, 3) for yaw in YAWS])
    return depth.requires_grad_(), picture.requires_grad_(), view.requires_grad_()


def step(texture: Any, *leaves: Tensor) -> list[Tensor]:
    for x in leaves:
        x.grad = None
    depth, picture, view = leaves
    seen = views.render(depth, picture, None, view, texture=texture)
    (seen.image.square().mean() + seen.depth.mean()).backward()
    return [seen.image.detach(), *(x.grad for x in leaves if x.grad is not None)]


def timed(work: Callable[[], Any], clock: Callable[[], float]) -> float:
    start = clock()
    work()
    return clock() - start


def brute(leaves: tuple[Tensor, ...], faces: int, clock: Callable[[], float]) -> float:
    some = tuple(x.detach()[-faces:].requires_grad_() for x in leaves)
    with mock.patch.object(views, "rasterise", plain.rasterise):
        return timed(lambda: step("vertex", *some), clock) * (len(YAWS) / faces)


def milliseconds(seconds: list[float]) -> dict[str, float]:
    low, median, high = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else seconds * 3
    return {
        "median": round(median * 1e3, 2),
        "iqr": round((high - low) * 1e3, 2),
        "min": round(min(seconds) * 1e3, 2),
        "rounds": len(seconds),
    }


def agreement(leaves: tuple[Tensor, ...], faces: int) -> dict[str, float]:
    """Largest difference of picture and gradients, over the largest number."""
    some = tuple(x.detach()[-faces:].requires_grad_() for x in leaves)
    ours = step("vertex", *some)
    with mock.patch.object(views, "rasterise", plain.rasterise):
        theirs = step("vertex", *some)
    names = ("picture", "d depth", "d picture", "d view")
    return {
        name: float(f"{float((a - b).abs().max() / b.abs().max()):.1e}")
        for name, a, b in zip(names, ours, theirs, strict=True)
    }


def measure(size: int, plainly: bool, clock: Callable[[], float]) -> dict[str, Any]:
    rounds, slow_rounds, slow_faces = CASES[size]
    smooth, rough = inputs(size, 0.0), inputs(size, 0.004)
    seconds: dict[str, list[float]] = {"vertex": [], "inverse": [], "vertex, rough depth": [], "brute": []}
    step("vertex", *smooth)  # warm up
    for round_ in range(rounds):
        seconds["vertex"].append(timed(lambda: step("vertex", *smooth), clock))
        if plainly and round_ < slow_rounds:
            seconds["brute"].append(brute(smooth, slow_faces, clock))
            print(f"{size} px: brute {seconds['brute'][-1]:.1f} s", file=sys.stderr, flush=True)
        seconds["inverse"].append(timed(lambda: step("inverse", *smooth), clock))
        seconds["vertex, rough depth"].append(timed(lambda: step("vertex", *rough), clock))
    result: dict[str, Any] = {
        "batch": len(YAWS),
        "ms": {name: milliseconds(values) for name, values in seconds.items() if values},
    }
    if plainly:
        ratios = [b / a for a, b in zip(seconds["vertex"], seconds["brute"], strict=False)]
        result["times_as_fast"] = round(statistics.median(ratios), 1)
        result["brute_drew"] = f"{slow_faces} of {len(YAWS)} faces"
        if size < 256:
            result["largest_relative_difference"] = agreement(smooth, 1)
    return result


@torch.no_grad()
def interactive(size: int, frames: int, clock: Callable[[], float]) -> dict[str, Any]:
    """One face, turned and lit anew for each frame."""
    depth, albedo = relief(size, 1), torch.rand(1, 3, size, size) * 1.6 - 0.8
    transform = views.transformation(torch.zeros(1, 1, size, size), depth)
    seconds: dict[str, list[float]] = {"vertex": [], "inverse": []}
    for k in range(-2, frames):
        for texture, kept in seconds.items():

            def frame(texture: Any = texture, share: float = max(k, 0) / frames) -> None:
                light = surface.light(torch.tensor([[-0.2, 0.6, 2 * share - 1, 0.3]]))
                picture = surface.relight(albedo, surface.shading(surface.normals(depth), light))
                view = camera.raw_view(120 * share - 60, 10 * share)
                images.to_uint8(views.render(depth, picture, transform, view, texture=texture).image)

            passed = timed(frame, clock)
            if k >= 0:
                kept.append(passed)
    return {
        "size": size,
        "ms": {name: milliseconds(values) for name, values in seconds.items()},
        "frames_a_second": {name: round(1 / statistics.median(values), 1) for name, values in seconds.items()},
        "slowest_frame_ms": {name: round(max(values) * 1e3, 1) for name, values in seconds.items()},
    }


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=list(CASES), choices=CASES)
    parser.add_argument("--brute", nargs="*", type=int, default=list(CASES), help="sizes to take `brute` at")
    parser.add_argument("--frames", type=int, default=60)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    report: dict[str, Any] = {
        "what": "drawing 4 faces, forward and backward, float32, milliseconds; times_as_fast = brute / vertex, median over rounds",
        **conditions(args),
        "note": args.note,
        "interactive": interactive(128, args.frames, CLOCKS[args.clock]),
        "sizes": {},
    }
    for size in args.sizes:
        report["sizes"][str(size)] = measure(size, size in args.brute, CLOCKS[args.clock])
        keep(report, args.to)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
