"""Makes the embedder of clay heads that lianpu carries, and measures it and SFace: verification on identities it has never seen, and what
each keeps of a true head that is turned, the ceiling of every lifted face.

    python benchmarks/identity.py                      about 15 minutes on two cores; --ids and --steps make it shorter or longer

Writes src/lianpu/metrics/clay_identity.safetensors and benchmarks/results/identity.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from lianpu import files, weights
from lianpu.data import pool
from lianpu.data.samples import heads
from lianpu.data.samples.plan import Dice
from lianpu.machine import machine
from lianpu.metrics import identity as measure
from lianpu.nets import mtcnn

HERE = Path(__file__).parent
SERIES, HELD_OUT = 101, 102  # apart from the series that other things are trained on
VIEWS = 8


def views(job: tuple[int, int, int]) -> np.ndarray:
    """(VIEWS, 64, 64, 3): one identity turned and lit by chance; the last two views are damaged."""
    seed, k, size = job
    out = []
    for i in range(VIEWS):
        dice = Dice(seed, k, i, "identity view")
        view = (
            dice("pitch", -15, 15) / 60,
            2 * dice.unit("yaw") - 1,
            dice("roll", -8, 8) / 60,
            dice("x", -0.06, 0.06),
            dice("y", -0.04, 0.04),
            0,
        )
        light = (dice("a", -0.7, 0), dice("b", 0, 1), dice("dx", -1, 1), dice("dy", -1, 0.3))
        ground = [dice("ground", 0.02, 0.8)] * 3
        out.append(heads.head(seed, k, i >= VIEWS - 2).see(view, light, size, ground).picture)
    return np.stack(out)


def lost(job: tuple[int, int, int]) -> np.ndarray:
    raise SystemExit(f"identity {job[1]} was lost")


def many(seed: int, ids: int, workers: int | None) -> tuple[np.ndarray, np.ndarray]:
    shown = list(pool.each(views, [(seed, k, 64) for k in range(ids)], lost, workers))
    return np.concatenate(shown), np.repeat(np.arange(ids), VIEWS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ids", type=int, default=500)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--keep", type=Path, help="where drawn views are kept between runs (npz)")
    given = parser.parse_args()
    begun = time.time()
    if given.keep and given.keep.exists():
        found = np.load(given.keep)
        pictures, who, held, held_who = (found[k] for k in ("pictures", "who", "held", "held_who"))
    else:
        pictures, who = many(SERIES, given.ids, given.workers)
        held, held_who = many(HELD_OUT, given.held_out, given.workers)
        if given.keep:
            np.savez(given.keep, pictures=pictures, who=who, held=held, held_who=held_who)
    drawn = time.time()
    print(f"{len(pictures)} views drawn in {drawn - begun:.0f} s")
    net = measure.learn(
        pictures, who, steps=given.steps, say=lambda step, loss: print(f"step {step}: {loss:.3f}", flush=True)
    )
    clay = measure.Clay(net, {})
    area = measure.auc(clay(list(held)), held_who)
    clay.facts = {
        "identities": given.ids,
        "views": VIEWS,
        "steps": given.steps,
        "series": SERIES,
        "held_out_series": HELD_OUT,
        "held_out": given.held_out,
        "auc": round(area, 4),
    }
    clay.save(HERE.parent / "src/lianpu/metrics" / measure.SHIPPED)
    learnt = time.time()
    print(f"verification on {given.held_out} held-out identities: AUC {area:.4f}, learnt in {learnt - drawn:.0f} s")
    results = {
        "machine": machine(),
        "clay": clay.facts | {"ceiling": {}},
        "seconds": {"drawn": round(drawn - begun), "learnt": round(learnt - drawn)},
    }
    embedders: dict[str, measure.Embedder] = {"clay": clay}
    if all(weights.available(name) for name in (*mtcnn.CARDS, "sface")):
        embedders["sface"] = measure.Photographic()
        results["sface"] = {"ceiling": {}}
    else:
        print("SFace or MTCNN is not here: only the clay embedder is measured")
    for name, embed in embedders.items():
        size = 64 if name == "clay" else 160
        cosines = measure.turned(embed, measure.true_heads(HELD_OUT, 0, size), given.held_out)
        for row in measure.kept(cosines):
            low, high = row.interval.low, row.interval.high
            results[name]["ceiling"][row.yaw] = {
                "cosine": round(row.cosine, 4),
                "low": low and round(low, 4),
                "high": high and round(high, 4),
                "faces": row.faces,
            }
            print(f"{name} {row.yaw:+d}: {row.cosine:.3f} ({row.faces} faces)", flush=True)
        fronts = np.stack([f for i in range(given.held_out) if (f := _front(embed, i, size)) is not None])
        other = (fronts @ fronts.T)[np.triu_indices(len(fronts), 1)]
        results[name]["different"] = {
            "mean": round(float(other.mean()), 4),
            "95 %": round(float(np.quantile(other, 0.95)), 4),
        }
        print(f"{name}, different heads from the front: {other.mean():.3f}")
    files.atomic_write(HERE / "results/identity.json", json.dumps(results, indent=1) + "\n")


def _front(embed: measure.Embedder, i: int, size: int) -> np.ndarray | None:
    try:
        return embed([measure.true_heads(HELD_OUT, 0, size)(i, 0)])[0]
    except measure.DataError:
        return None


if __name__ == "__main__":
    main()
