"""What the studio adds to a picture: a 64 px mask asked through its WebSocket, beside the bare call; in turns, so that both meet the same
machine.

    python benchmarks/studio.py --n 200 --to benchmarks/results/studio.json
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from websockets.sync.client import connect

from lianpu import __version__, api, images
from lianpu.machine import machine
from lianpu.studio import frames

MODEL = "opera-mask-64"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--to", type=Path)
    options = parser.parse_args()
    painter = api.load(MODEL, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "lianpu", "studio", "--project", folder, "--port", "0", "--no-open"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            link = process.stdout.readline().strip()
            found = re.match(r"http://(127\.0\.0\.1:\d+)(/.*)", link)
            assert found
            page = http.client.HTTPConnection(found[1])
            page.request("GET", found[2])
            cookie = str(page.getresponse().getheader("set-cookie")).partition(";")[0]
            headers = {"Cookie": cookie}
            with connect(
                f"ws://{found[1]}/api/live", origin=f"http://{found[1]}", additional_headers=headers
            ) as socket:  # type: ignore[arg-type]
                times = measure(painter, socket, options.n)
        finally:
            process.terminate()
            process.wait()
    report = {"lianpu": __version__, "machine": machine(), "model": MODEL, "n": options.n, "milliseconds": times}
    print(json.dumps(report, indent=1))
    if options.to:
        options.to.write_text(json.dumps(report, indent=1) + "\n")


def measure(painter, socket, n: int) -> dict[str, dict[str, float]]:
    def through(seed: int) -> bytes:
        ask = {"kind": "paint", "model": MODEL, "subject": {"seed": seed}}
        socket.send(frames.pack({"n": seed, "key": "k", "ask": ask}))
        while True:
            head, body = frames.unpack(socket.recv())
            if head.get("n") == seed:
                return body

    def bare(seed: int) -> bytes:
        return images.encode_png(painter.paint(painter.subjects(1, seed)[0]))

    taken: dict[str, list[float]] = {"bare": [], "studio": []}
    for seed in range(n + 10):
        pictures = []
        for name, make in (("bare", bare), ("studio", through)):
            begun = time.perf_counter()
            pictures.append(make(seed))
            taken[name].append((time.perf_counter() - begun) * 1000)
        assert pictures[0] == pictures[1]
    return {
        name: {f"p{q}": round(float(np.percentile(values[10:], q)), 2) for q in (50, 95)}
        for name, values in taken.items()
    }


if __name__ == "__main__":
    main()
