"""Seconds of one StyleGAN2 training step, and its peak memory: lianpu's networks beside others, taken in turns in one
process.

python benchmarks/train_step.py --threads 2 --to benchmarks/results/train_step.json python benchmarks/train_step.py
--reference PATH/TO/stylegan2-ada-pytorch --third-party PATH/TO/rosinality-stylegan2-pytorch

`fast` is what lianpu trains with, `plain` the same networks on `lianpu.ops.plain`, the step-by-step version that
judges it. The others are imported from your own checkouts, unmodified but for the port's channel table; without them
only lianpu's two are timed. Every contender does the same: the four phases of a step on random pictures, a new z
each, style mixing 0.9, Adam. A number is the median of its rounds; a ratio is the median over rounds of (theirs /
ours), both measured within the same round. Memory is the peak of a child process that does two rounds of one
contender.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import resource
import statistics
import subprocess
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from measuring import CLOCKS, conditions, keep, options
from torch import Tensor, nn

from lianpu import losses
from lianpu.config import StyleGAN2Config
from lianpu.nets import stylegan2
from lianpu.ops import plain

CONFIGS = {
    "C64": (StyleGAN2Config(resolution=64, channel_base=4096, channel_max=128, mapping_layers=2), 16),
    "C64-512": (StyleGAN2Config(resolution=64, channel_base=16384, channel_max=512, mapping_layers=2), 4),
}
PHASES = ("G", "D", "G path", "D R1")
GAMMA = 0.0512


@contextlib.contextmanager
def plain_ops() -> Iterator[None]:
    """Inside the block lianpu's networks compute with `lianpu.ops.plain`."""
    fast = {name: getattr(stylegan2, name) for name in plain.__all__ if hasattr(stylegan2, name)}
    for name in fast:
        setattr(stylegan2, name, getattr(plain, name))
    try:
        yield
    finally:
        for name, op in fast.items():
            setattr(stylegan2, name, op)


@dataclass
class Contender:
    """Two networks and how to call them. generate(n) -> (pictures, ws); score(pictures) -> (n, 1)."""

    g: nn.Module
    d: nn.Module
    generate: Callable[[int], tuple[Tensor, Tensor]]
    score: Callable[[Tensor], Tensor]
    within: Callable[[], Any] = contextlib.nullcontext

    def __post_init__(self) -> None:
        self.g_adam = torch.optim.Adam(self.g.parameters(), lr=0.002, betas=(0.0, 0.99**0.8))
        self.d_adam = torch.optim.Adam(self.d.parameters(), lr=0.00235, betas=(0.0, 0.99 ** (16 / 17)))
        self.path_mean = torch.zeros([])

    def run(self, phase: str, real: Tensor) -> None:
        learner, adam, still = (self.g, self.g_adam, self.d) if phase[0] == "G" else (self.d, self.d_adam, self.g)
        learner.requires_grad_(True)
        still.requires_grad_(False)
        with self.within():
            {"G": self._g, "D": self._d, "G path": self._path, "D R1": self._r1}[phase](real)
        adam.step()
        adam.zero_grad(set_to_none=True)

    def _g(self, real: Tensor) -> None:
        losses.nonsaturating(self.score(self.generate(len(real))[0])).backward()

    def _d(self, real: Tensor) -> None:
        with torch.no_grad():
            fake = self.generate(len(real))[0]
        nn.functional.softplus(self.score(fake)).mean().backward()
        nn.functional.softplus(-self.score(real)).mean().backward()

    def _path(self, real: Tensor) -> None:
        images, ws = self.generate(len(real) // 2)
        lengths = losses.path_lengths(images, ws, torch.randn_like(images))
        penalty, self.path_mean = losses.path_penalty(lengths, self.path_mean)
        (penalty.mean() * 8).backward()

    def _r1(self, real: Tensor) -> None:
        real = real.detach().requires_grad_()
        (losses.r1(self.score(real), real).mean() * (GAMMA / 2 * 16)).backward()


def mixed(mapping: Callable[[Tensor], Tensor], n: int, z_dim: int) -> Tensor:
    """ws of n new pictures, with style mixing as every contender does it: 0.9 of the steps, from a random layer on."""
    ws, other = mapping(torch.randn(n, z_dim)), mapping(torch.randn(n, z_dim))
    layers = ws.shape[1]
    cut = int(torch.randint(1, layers, [])) if torch.rand([]) < 0.9 else layers
    return stylegan2.mix_styles(ws, other, cut)


def ours(config: StyleGAN2Config, within: Callable[[], Any] = contextlib.nullcontext) -> Contender:
    g, d = stylegan2.Generator(config), stylegan2.Discriminator(config)

    def generate(n: int) -> tuple[Tensor, Tensor]:
        ws = mixed(lambda z: g.mapping(z, update_average=True), n, config.z_dim)
        return g.synthesis(ws), ws

    return Contender(g, d, generate, d, within)


def reference(config: StyleGAN2Config, folder: Path) -> Contender:
    """The authors' networks, with their operators for the CPU."""
    sys.path.insert(0, str(folder))
    try:
        import requests  # noqa: F401
    except ImportError:  # it imports this for downloads; there are none here
        sys.modules["requests"] = types.ModuleType("requests")
    from training import networks  # type: ignore[import-not-found]

    c = config
    sizes = {"channel_base": c.channel_base, "channel_max": c.channel_max}
    g = networks.Generator(
        c.z_dim, 0, c.w_dim, c.resolution, 3, mapping_kwargs={"num_layers": c.mapping_layers}, synthesis_kwargs=sizes
    )
    d = networks.Discriminator(0, c.resolution, 3, **sizes, epilogue_kwargs={"mbstd_group_size": c.mbstd_group})

    def generate(n: int) -> tuple[Tensor, Tensor]:
        ws = mixed(lambda z: g.mapping(z, None), n, c.z_dim)
        return g.synthesis(ws), ws

    return Contender(g.train(), d.train(), generate, lambda x: d(x, None))


def third_party(config: StyleGAN2Config, folder: Path) -> Contender:
    """The usual third-party port. Its channels are written into its source: they are replaced by the configuration's
    on loading, and the CUDA extensions it compiles on import are left out.
    """
    import torch.utils.cpp_extension as extension

    sys.path.insert(0, str(folder))
    extension.load = lambda *_, **__: None  # type: ignore[assignment]
    source = re.sub(
        r"\b(\d+): (?:512|\d+ \* channel_multiplier),",
        lambda m: f"{m[1]}: {config.channels(int(m[1]))},",
        (folder / "model.py").read_text(),
    )
    model = types.ModuleType("third_party_model")
    exec(compile(source, "model.py", "exec"), model.__dict__)
    g = model.Generator(config.resolution, config.w_dim, config.mapping_layers)
    d = model.Discriminator(config.resolution)

    def generate(n: int) -> tuple[Tensor, Tensor]:
        zs = [torch.randn(n, config.z_dim) for _ in range(2 if torch.rand([]) < 0.9 else 1)]
        return g(zs, return_latents=True)

    return Contender(g, d, generate, d)


def contenders(args: argparse.Namespace) -> dict[str, Callable[[StyleGAN2Config], Contender]]:
    known: dict[str, Callable[[StyleGAN2Config], Contender]] = {
        "fast": ours,
        "plain": lambda config: ours(config, plain_ops),
    }
    if args.reference:
        known["reference"] = lambda config: reference(config, args.reference)
    if args.third_party:
        known["third-party"] = lambda config: third_party(config, args.third_party)
    return known


def summary(values: list[float]) -> dict[str, float]:
    low, median, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {"median": round(median, 4), "iqr": round(high - low, 4), "min": round(min(values), 4)}


def measure(args: argparse.Namespace, config: StyleGAN2Config, batch: int) -> dict[str, Any]:
    known = {name: make(config) for name, make in contenders(args).items() if name in args.only}
    seconds: dict[str, dict[str, list[float]]] = {name: {phase: [] for phase in PHASES} for name in known}
    real = torch.rand(batch, 3, config.resolution, config.resolution) * 2 - 1
    clock = CLOCKS[args.clock]
    for round_ in range(args.rounds + 1):
        for phase in PHASES:
            for name, contender in known.items():
                start = clock()
                contender.run(phase, real)
                if round_:  # the first warms up
                    seconds[name][phase].append(clock() - start)
        print(f"round {round_} of {args.rounds}", file=sys.stderr, flush=True)
    for phases in seconds.values():
        phases["G + D"] = [a + b for a, b in zip(phases["G"], phases["D"], strict=True)]
        phases["step"] = [
            a + b + c / 4 + d / 16 for a, b, c, d in zip(*(phases[phase] for phase in PHASES), strict=True)
        ]  # path length every 4 steps, R1 every 16
    result: dict[str, Any] = {
        "batch": batch,
        "parameters": {n: [sum(p.numel() for p in m.parameters()) for m in (c.g, c.d)] for n, c in known.items()},
        "seconds": {name: {phase: summary(v) for phase, v in phases.items()} for name, phases in seconds.items()},
        "times_as_fast": {
            name: {
                phase: round(statistics.median(b / a for a, b in zip(seconds["fast"][phase], values, strict=True)), 3)
                for phase, values in phases.items()
            }
            for name, phases in seconds.items()
            if name != "fast" and "fast" in seconds
        },
    }
    return result


def peak_memory(args: argparse.Namespace, name: str, config: str) -> int:
    """Peak resident megabytes of a process that trains with one contender."""
    command = [sys.executable, __file__, "--child", "--only", name, "--configs", config, "--threads", str(args.threads)]
    for flag, folder in (("--reference", args.reference), ("--third-party", args.third_party)):
        command += [flag, str(folder)] if folder else []
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def child(args: argparse.Namespace) -> None:
    config, batch = CONFIGS[args.configs[0]]
    contender = contenders(args)[args.only[0]](config)
    real = torch.rand(batch, 3, config.resolution, config.resolution) * 2 - 1
    for _ in range(2):
        for phase in PHASES:
            contender.run(phase, real)
    print(_peak_rss())


def main() -> None:
    parser = options(__doc__, cpu="processor time of one thread, for a machine that others use")
    parser.add_argument("--configs", nargs="+", default=list(CONFIGS), choices=CONFIGS)
    parser.add_argument("--only", nargs="+", default=["fast", "plain", "reference", "third-party"], help="contenders")
    parser.add_argument("--reference", type=Path, help="a checkout of NVlabs/stylegan2-ada-pytorch")
    parser.add_argument("--third-party", type=Path, help="a checkout of rosinality/stylegan2-pytorch")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    warnings.filterwarnings("ignore")  # the others' warnings
    if args.child:
        return child(args)
    report: dict[str, Any] = {
        "what": "seconds per phase of a step; times_as_fast = contender / fast, median over rounds; peak RSS in MB",
        **conditions(args),
        "rounds": args.rounds,
        "note": args.note,
        "configs": {},
    }
    for name in args.configs:
        result = measure(args, *CONFIGS[name])
        result["peak_rss_mb"] = {who: peak_memory(args, who, name) for who in result["seconds"]}
        report["configs"][name] = result
        keep(report, args.to)
    print(json.dumps(report, indent=2))


def _peak_rss() -> int:
    """Megabytes. Linux's getrusage would count the parent too, whose pages a child starts with."""
    with contextlib.suppress(OSError):
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(status["VmHWM"].split()[0]) // 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    main()
