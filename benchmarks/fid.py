"""Pictures a second of a Frechet distance from pixels to number, and the peak memory: lianpu beside torchmetrics and torch-fidelity, the
same network on the same pictures, taken in turns in one process.

python benchmarks/fid.py --extractor efficientnet-lite0 -n 256 --rounds 5 --to benchmarks/results/fid.json

Every contender gets the same 8-bit pictures in memory in batches of 32 and must find the same distance (1e-3 relative, checked).
lianpu's time includes what the others do not do: hashing each picture, checking each feature and writing the features to a fresh cache;
`lianpu, again` is the same with that cache. Without weights, `--extractor random` takes EfficientNet-Lite0 with random numbers. A
number is the median of its rounds, a ratio the median over rounds of (theirs / ours) within the same round, of processor seconds (one
thread), which other work on the machine disturbs less than the clock. Memory is the peak resident
set of a child process, for n and 3 n pictures; most of it is torch and the network's activations.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

import lianpu
from lianpu.metrics import distances, features, sources
from lianpu.nets import features as networks

BATCH = 32


def network(name: str) -> networks.Extractor:
    if name != "random":
        return networks.extractor(name)
    torch.manual_seed(0)
    model = networks.EfficientNetLite0().eval()
    prepare = networks.Prepare(224, [127 / 255] * 3, [128 / 255] * 3)
    return networks.Extractor("random", model, 1280, prepare, "bicubic, antialiased, to 224 x 224")


def pictures(n: int, size: int, first: int) -> Callable[[int], np.ndarray]:
    """Smooth random pictures, made anew at each call, so that they take no memory."""

    def read(i: int) -> np.ndarray:
        dice = np.random.default_rng(first + i)
        coarse = torch.from_numpy(dice.uniform(0, 255, (1, 3, 6, 6)) + first % 7)
        fine = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 255)
        return fine[0].permute(1, 2, 0).to(torch.uint8).numpy()

    return read


class Batches(Dataset):
    """The same pictures as torch-fidelity wants them."""

    def __init__(self, read: Callable[[int], np.ndarray], n: int) -> None:
        self.read, self.n = read, n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> Tensor:
        return torch.from_numpy(self.read(i)).permute(2, 0, 1)


def ours(net: networks.Extractor, n: int, size: int, cache: Path) -> float:
    found = []
    for first in (0, 10**6):
        source = sources.Source(str(first), "folder", tuple(map(str, range(n))), size, size, pictures(n, size, first))
        found.append(features.extract(source, [net], cache=cache, batch=BATCH).of[net.name])
    return distances.frechet(found[0], found[1])


def torchmetrics(net: networks.Extractor, n: int, size: int) -> float:
    from torchmetrics.image import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=net)
    with torch.inference_mode():
        for first, real in ((0, False), (10**6, True)):
            read = pictures(n, size, first)
            for start in range(0, n, BATCH):
                batch = np.stack([read(i) for i in range(start, min(n, start + BATCH))])
                metric.update(torch.from_numpy(batch).permute(0, 3, 1, 2), real=real)
        return float(metric.compute())


def torch_fidelity(net: networks.Extractor, n: int, size: int) -> float:
    import torch_fidelity as fidelity
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase

    class Same(FeatureExtractorBase):
        def __init__(self, name: str, features_list: list[str], **_: object) -> None:
            super().__init__(name, features_list)
            self.net = net

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            return (self.net(x),)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return ("pooled",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "pooled"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        @staticmethod
        def get_dummy_input_for_compile() -> Tensor:
            return torch.zeros(1, 3, size, size, dtype=torch.uint8)

    with contextlib.suppress(Exception):  # a second registration is refused
        fidelity.register_feature_extractor("same", Same)
    with contextlib.redirect_stderr(io.StringIO()):
        return fidelity.calculate_metrics(
            input1=Batches(pictures(n, size, 0), n),
            input2=Batches(pictures(n, size, 10**6), n),
            fid=True, feature_extractor="same", feature_layer_fid="pooled", batch_size=BATCH, cuda=False, cache=False,
            save_cpu_ram=True, verbose=False,
        )["frechet_inception_distance"]  # fmt: skip


def contenders(net: networks.Extractor, n: int, size: int, cache: Path) -> dict[str, Callable[[], float]]:
    return {
        "lianpu": lambda: ours(net, n, size, Path(tempfile.mkdtemp(dir=cache))),
        "lianpu, again": lambda: ours(net, n, size, cache / "kept"),
        "torchmetrics": lambda: torchmetrics(net, n, size),
        "torch-fidelity": lambda: torch_fidelity(net, n, size),
    }


def peak_mb(name: str, arguments: argparse.Namespace, times: int) -> float:
    """Peak memory of a fresh process that does nothing but this, in MB."""
    command = [sys.executable, __file__, "--child", name, "-n", str(arguments.n * times), "--size", str(arguments.size)]
    command += ["--extractor", arguments.extractor, "--threads", str(arguments.threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def rss() -> float:
    """Peak resident set of this program in MB. (getrusage's would be that of the parent until this one exceeds it.)"""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--extractor", default="random")
    parser.add_argument("-n", type=int, default=256, help="pictures in each of the two sets")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--to", type=Path)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(arguments.threads)
    net = network(arguments.extractor)
    with tempfile.TemporaryDirectory() as folder:
        runs = contenders(net, arguments.n, arguments.size, Path(folder))
        if arguments.child:
            runs[arguments.child]()
            print(rss())
            return
        values = {name: run() for name, run in runs.items()}  # warm; fills the kept cache
        for name, value in values.items():
            assert abs(value / values["lianpu"] - 1) < 1e-3, f"{name} finds {value}, lianpu {values['lianpu']}"
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        clock: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(arguments.rounds):
            for name, run in runs.items():
                began, worked = time.perf_counter(), time.process_time()
                run()
                seconds[name].append(time.process_time() - worked)
                clock[name].append(time.perf_counter() - began)
    result = {
        "benchmark": "fid",
        "lianpu": lianpu.__version__,
        "extractor": net.name,
        "extractor_sha256": net.sha256,
        "pictures": 2 * arguments.n,
        "size": arguments.size,
        "rounds": arguments.rounds,
        "threads": arguments.threads,
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, CPU, shared",
        "contenders": {},
    }
    for name, times in seconds.items():
        result["contenders"][name] = {
            "distance": values[name],
            "pictures_per_processor_second": round(2 * arguments.n / statistics.median(times), 2),
            "pictures_per_second": round(2 * arguments.n / statistics.median(clock[name]), 2),
            "their_time_over_ours": round(
                statistics.median(t / o for t, o in zip(times, seconds["lianpu"], strict=True)), 3
            ),
            "peak_mb": {
                f"{2 * arguments.n * k} pictures": round(peak_mb(name, arguments, k), 1)
                for k in ((1, 3) if name != "lianpu, again" else ())
            },
        }
        print(name, json.dumps(result["contenders"][name]), flush=True)
    if arguments.to:
        arguments.to.parent.mkdir(parents=True, exist_ok=True)
        arguments.to.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
