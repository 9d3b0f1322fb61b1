"""What the studio costs: a 64 px mask asked through its WebSocket beside the bare call; a head drawn in the browser; its memory.

python benchmarks/studio.py --threads 1 --n 200 --jobs 500 --frames 200 --to benchmarks/results/studio.json

Masks are taken in turns, one bare and the same one through the studio, so that both meet the same machine; both must be the same bytes.
Beside the wall clock stands processor time, which other programs change little: of this process for the bare call, of server and worker for
the studio. Heads are those of an untrained lifter, turned by one degree for each frame; their processor time is that of all of Chromium,
without a graphics card. Memory is that of server and worker after 30 jobs and after all.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from measuring import conditions, keep, options
from websockets.sync.client import connect

from lianpu import api, images
from lianpu.studio import frames

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.studio.opened import Studio, studio, tiny_lifter

MODEL = "opera-mask-64"
WARM = 10  # pictures and frames that are not counted
SIZES = (64, 128)  # pixels of the lifters; both are shown at 256


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--n", type=int, default=200, help="masks")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--frames", type=int, default=200)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    report = {"what": "the studio beside bare calls", **conditions(args), "note": args.note, "model": MODEL}
    with tempfile.TemporaryDirectory() as folder, studio(Path(folder)) as opened:
        opened.enter().starters()
        report["latency_ms"] = latency(opened, args.n)
        keep(report, args.to)
        report["heads"] = {f"{size} px": heads(opened, size, args.frames) for size in SIZES}
        keep(report, args.to)
        report["memory"] = memory(opened, args.jobs)
        keep(report, args.to)
    print(json.dumps(report, indent=2))


def processes(opened: Studio) -> list[psutil.Process]:
    here = psutil.Process(opened.process.pid)
    return [here, *here.children(recursive=True)]


def used(processes: list[psutil.Process]) -> float:
    """Seconds of processor time so far."""
    return sum(sum(p.cpu_times()[:2]) for p in processes)


def latency(opened: Studio, n: int) -> dict[str, Any]:
    painter = api.load(MODEL, "cpu")

    def bare(seed: int) -> bytes:
        return images.encode_png(painter.paint(painter.subjects(1, seed)[0]))

    with connect(
        f"ws://127.0.0.1:{opened.port}/api/live", origin=opened.origin, additional_headers={"Cookie": opened.cookie}
    ) as socket:  # type: ignore[arg-type]

        def through(seed: int) -> bytes:
            ask = {"kind": "paint", "model": MODEL, "subject": {"seed": seed}}
            socket.send(frames.pack({"n": seed, "key": "k", "ask": ask}))
            while True:
                head, body = frames.unpack(socket.recv())
                if head.get("n") == seed:
                    return body

        through(0)  # the worker is there now
        theirs, mine = processes(opened), [psutil.Process()]
        makers: dict[str, tuple[Callable[[int], bytes], list[psutil.Process]]] = {
            "bare": (bare, mine), "studio": (through, theirs),
        }  # fmt: skip
        wall: dict[str, list[float]] = {name: [] for name in makers}
        processor = dict.fromkeys(makers, 0.0)
        for seed in range(n + WARM):
            pictures = []
            for name, (make, who) in makers.items():
                before, began = used(who), time.perf_counter()
                pictures.append(make(seed))
                wall[name].append(1000 * (time.perf_counter() - began))
                processor[name] += 1000 * (used(who) - before) if seed >= WARM else 0
            assert pictures[0] == pictures[1]
    return {
        name: {f"p{q}": round(float(np.percentile(times[WARM:], q)), 2) for q in (50, 95)}
        | {"processor": round(processor[name] / n, 2), "n": n}
        for name, times in wall.items()
    }


def heads(opened: Studio, size: int, count: int) -> dict[str, float]:
    """Milliseconds a frame, and frames a second of one core."""
    from playwright.sync_api import sync_playwright

    shutil.rmtree(opened.project / "models", ignore_errors=True)
    tiny_lifter(opened.project, size)
    name, _, value = opened.cookie.partition("=")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context()
        context.add_cookies([{"name": name, "value": value, "url": opened.origin}])
        page = context.new_page()
        page.set_default_timeout(600_000)
        page.goto(f"{opened.origin}/#head")
        page.locator("#head[data-drawn]").wait_for()
        turn = """async (count) => {
            const slider = document.getElementById('yaw');
            const began = performance.now();
            for (let i = 0; i < count; i++) {
                slider.value = i % 120 - 60;
                slider.dispatchEvent(new Event('input', {bubbles: true}));
                await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
            }
            return (performance.now() - began) / count;
        }"""
        page.evaluate(turn, WARM)
        chromium = [p for p in psutil.Process().children(recursive=True) if "chrom" in p.name()]
        before = used(chromium)
        wall = page.evaluate(turn, count)
        processor = 1000 * (used(chromium) - before) / count
        shown = page.evaluate("() => document.getElementById('head').width")
        browser.close()
    return {
        "shown": shown, "wall": round(wall, 1), "processor": round(processor, 1), "frames_a_second": round(1000 / processor, 1),
    }  # fmt: skip


def memory(opened: Studio, jobs: int) -> dict[str, Any]:
    def run(count: int, seed: int) -> None:
        for i in range(count):
            opened.ended(opened.job({"kind": "generate", "model": MODEL, "subjects": [{"seed": seed + i}]})["id"])

    def held() -> float:
        return sum(p.memory_info().rss for p in processes(opened)) / 2**20

    run(30, 1000)
    before, began = held(), time.perf_counter()
    run(jobs - 30, 2000)
    after = held()
    return {
        "jobs": jobs, "seconds": round(time.perf_counter() - began, 1), "before_mib": round(before, 1),
        "after_mib": round(after, 1), "growth": round(after / before - 1, 4),
    }  # fmt: skip


if __name__ == "__main__":
    main()
