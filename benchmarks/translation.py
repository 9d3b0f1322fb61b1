"""How well sketches of held-out masks are painted in the colours of a reference: by CoCosNet, SPADE and SPADE with a style encoder, all
trained by `lianpu train` on the same drawn masks for the same number of pictures, and by the matcher, which learns nothing.

python benchmarks/translation.py --work work --jobs 2 --to benchmarks/results/translation.json

Run again with the same --work, it goes on where it stopped, within a training run too. Whole groups of near-duplicates are held out. Every
held-out mask is drawn as lines at 64 px and painted twice:

own    after itself, deformed by `data.pairs` with a fixed seed, so that the true picture and each pixel's place in the reference are known:
       SSIM, MS-SSIM and colour error against the true mask; matches by the flow (right within 4 pixels) and by the names of the regions.
other  after another held-out mask, each being reference once: Frechet and kernel distance to the held-out masks; recall and precision of
       edges; transfer error; matches by the names of the regions, on either side.

Two rows are no methods but the scale: `copy` is the reference itself, each place matched to the same place; `truth` is the true mask. Both
are at no distance from the held-out masks, whose colours the references hold: a distance is read beside edges and transfer error.
A value is the mean over seeds, +- their standard deviation. Its interval is the bootstrap over pictures of their means over seeds; that of
a distance, which is of a whole set, reaches from the lowest to the highest end of the seeds' intervals. `differences` are paired: CoCosNet
minus another on the same pictures, of distances too: a held-out mask and what was painted of it are drawn again together. Their intervals
are about pictures; what another seed would give, `seeds` say.
Nothing is chosen: the last model of each run, and the first 12 masks on the sheet.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from measuring import conditions

from lianpu import api, checkpoint, files, images, weights
from lianpu.data import pairs, truth
from lianpu.data.folder import Folder
from lianpu.data.samples import masks
from lianpu.experiments import painting
from lianpu.metrics import bootstrap, perceptual, suite, translation
from lianpu.metrics import distances as gaps
from lianpu.metrics.features import extract
from lianpu.metrics.sources import Source
from lianpu.nets import features as networks
from lianpu.translator import MATCHER, Translator

RECIPES = {"spade": "tiny-64-spade", "spade-vae": "tiny-64-spade-vae", "cocosnet": "tiny-64-cocosnet"}
METHODS = ("matcher", *RECIPES)
SIZE, SIDE = 64, 32  # pixels of a picture; places to a side that matches are judged on: those of the small CoCosNet
SERIES = 4  # of drawn masks
STANDARD = "inception-2015"
HIGHER = ("ssim", "ms_ssim", "by_flow", "edge_recall", "edge_recall_1px", "edge_precision", "correspondence")
SHOWN = 12  # rows of the sheet
MORE = 14  # masks for testing than are used: the seven colours are split one by one, and groups whole

Values = dict[str, np.ndarray]


# --- the masks ------------------------------------------------------------------------------------


class Held(NamedTuple):
    """The held-out masks, and what each is painted after."""

    masks: list[masks.Mask]
    truth: np.ndarray
    """uint8 (n, 64, 64, 3)."""
    lines: np.ndarray
    """float32 (n, 64, 64)."""
    regions: np.ndarray
    places: list[truth.Places]
    own: np.ndarray
    """Each mask deformed."""
    flow: np.ndarray
    """float32 (n, 64, 64, 2): where in it each pixel is."""
    other: np.ndarray
    """int (n,): which of the masks is the other reference."""


def build(args: argparse.Namespace) -> Path:
    """The data set, with a few more than `--held` masks for testing."""
    drawn = api.sample(args.work / "masks", args.masks, SERIES, SIZE, regions=False)
    data = args.work / "data"
    api.build([drawn], data, size=SIZE, test=(args.held + MORE) / args.masks)
    return data


def held_out(data: Path, count: int) -> Held:
    folder = Folder.open(data, "test", SIZE)
    if len(folder) < count:
        raise SystemExit(f"{len(folder)} masks are held out, not {count}: draw more with --masks.")
    numbers = [int(Path(row["source"]).stem) for row in folder.records[:count]]
    drawn = [masks.draw(SERIES, i) for i in numbers]
    pictures = np.stack([folder.image(i) for i in range(count)])
    if not all(np.array_equal(p, m.pixels(SIZE)) for p, m in zip(pictures, drawn, strict=True)):
        raise SystemExit(
            f"{data} does not hold the masks drawn: another series, or another lianpu. Choose a new --work."
        )
    bent = [painting.deformed(p, SERIES, i) for i, p in zip(numbers, pictures, strict=True)]
    return Held(
        drawn,
        pictures,
        np.stack([pairs.lines_of(p) for p in pictures]),
        np.stack([m.regions(SIZE) for m in drawn]),
        [truth.places(m, SIDE) for m in drawn],
        np.stack([p for p, _ in bent]),
        np.stack([flow for _, flow in bent]),
        painting.another(count, SERIES),
    )


# --- training -------------------------------------------------------------------------------------


def train(runs: Mapping[str, tuple[str, int]], data: Path, args: argparse.Namespace) -> None:
    """Starts or goes on with each run, {name: (recipe, seed)}, `--jobs` at once; a run that is complete says so and ends."""
    waiting, running = list(runs), {}
    environment = {**os.environ, "OMP_NUM_THREADS": str(args.threads)}
    try:
        while waiting or running:
            while waiting and len(running) < args.jobs:
                name = waiting.pop(0)
                recipe, seed = runs[name]
                command = [sys.executable, "-m", "lianpu", "train", "--out", args.work / name, "--data", data]
                command += ["--recipe", recipe, "-s", f"seed={seed}", "-s", f"kimg={args.kimg:g}", "--device", "cpu"]
                with (args.work / f"{name}.log").open("a") as log:
                    running[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
                say(f"{name}: trains")
            for name in [name for name, process in running.items() if process.poll() is not None]:
                if code := running.pop(name).returncode:
                    raise SystemExit(f"{name} ended with {code}: see {args.work / name}.log")
                say(f"{name}: complete")
            time.sleep(0.2)
    finally:
        for process in running.values():
            process.terminate()  # it writes a checkpoint first
        for process in running.values():
            process.wait()


def trained(runs: Mapping[str, tuple[str, int]], work: Path) -> dict[str, dict[str, Any]]:
    """What each model says of itself; they must have seen the same data and as many pictures."""
    models = {name: checkpoint.read_model(checkpoint.find_model(work / name)) for name in runs}
    seen = {(m.images_seen, m.data["fingerprint"]) for m in models.values()}
    if len(seen) > 1:
        raise SystemExit(f"the runs are not comparable, (pictures, data): {sorted(seen)}. Choose a new --work.")
    return {
        name: {"recipe": m.recipe, "images": m.images_seen, "features": m.features, "sha256": m.sha256}
        for name, m in models.items()
    }


# --- painting -------------------------------------------------------------------------------------


class Painted(NamedTuple):
    pixels: np.ndarray
    index: np.ndarray | None = None
    """int (n, places): the place of the reference that each place of the drawing matches; None where nothing is matched."""
    warped: np.ndarray | None = None


def paint(method: str, run: Path, lines: np.ndarray, references: np.ndarray) -> Painted:
    """As `lianpu translate` does without options, but that the matcher too paints at 64 px."""
    painter = Translator(MATCHER if method == "matcher" else run)
    made = [painting.paint(painter, *two, SIDE) for two in zip(lines, references, strict=True)]
    pixels = np.stack([one.pixels for one in made])
    if not painter.matches:
        return Painted(pixels)
    index = np.stack([one.index for one in made if one.index is not None])
    if index.shape[1:] != (SIDE, SIDE):
        raise SystemExit(f"{run.name} matches {index.shape[1:]} places, and matches are judged on {SIDE} x {SIDE}.")
    warped = [one.warped for one in made if one.warped is not None]
    return Painted(pixels, index.reshape(len(index), -1), np.stack(warped) if warped else None)


# --- measuring ------------------------------------------------------------------------------------


def of_own(made: Painted, held: Held) -> Values:
    """One number a picture, for sketches painted after their own mask, deformed."""
    x, y = (torch.from_numpy(p).permute(0, 3, 1, 2) for p in (made.pixels, held.truth))
    inside = translation.painted_places(held.truth, held.lines, held.regions)
    values = {
        "ssim": perceptual.ssim(x, y).numpy(),
        "ms_ssim": perceptual.ms_ssim(x, y).numpy(),
        "colour_error": translation.colour_error(made.pixels, held.truth, inside),
    }
    if made.index is not None:
        values["by_flow"] = translation.by_flow(made.index, held.flow, held.places).accuracy
        there = [truth.carried(places, flow) for places, flow in zip(held.places, held.flow, strict=True)]
        values["correspondence"] = translation.correspondence(made.index, held.places, there).accuracy
    return values


def of_other(made: Painted, held: Held) -> Values:
    """One number a picture, for sketches painted after another mask."""
    references = held.truth[held.other]
    values = {
        "edge_recall": translation.edge_recall(made.pixels, held.lines),
        "edge_recall_1px": translation.edge_recall(made.pixels, held.lines, 1),
        "edge_precision": translation.edge_precision(made.pixels, held.lines),
        "transfer_error": translation.transfer_error(made.pixels, held.regions, references, held.regions[held.other]),
    }
    if made.index is not None:
        there = [held.places[i] for i in held.other]
        found = translation.correspondence(made.index, held.places, there)
        values |= {"correspondence": found.accuracy, "matched": found.matched}
    return values


def distances(made: Painted, held: Held, name: str, cache: Path) -> list[suite.Row]:
    """Frechet and kernel distance of the painted masks to the true ones, on the standard Inception too where it is here."""
    names = ["fid", "kid", "fd", "kd"] if weights.available(STANDARD) else ["fd", "kd"]
    return suite.evaluate(source(name, made.pixels), source("held-out masks", held.truth), names, cache=cache)


def source(name: str, pixels: np.ndarray) -> Source:
    return Source(name, "folder", tuple(f"{name} {i}" for i in range(len(pixels))), SIZE, SIZE, pixels.__getitem__)


# --- the table ------------------------------------------------------------------------------------


def of_pictures(seeds: Sequence[np.ndarray]) -> dict[str, Any]:
    """Mean over seeds and pictures of values (n,) of each seed; a picture that has none (NaN) in one seed is left out of all."""
    values = np.stack(seeds)
    values = values[:, np.isfinite(values).all(0)]
    interval = bootstrap.of_mean(values.mean(0), SERIES)
    return number(values.mean(1).tolist(), interval.low, interval.high, values.shape[1])


def of_sets(seeds: Sequence[suite.Row]) -> dict[str, Any]:
    lows, highs = [r.low for r in seeds if r.low is not None], [r.high for r in seeds if r.high is not None]
    made = number([r.value for r in seeds if r.value is not None], min(lows), max(highs), seeds[0].n)
    return made | {"metric": seeds[0].metric, "note": seeds[0].note, "extractor_sha256": seeds[0].extractor_sha256}


def number(seeds: list[float], low: float | None, high: float | None, n: int) -> dict[str, Any]:
    return {
        "value": short(statistics.fmean(seeds)),
        "low": short(low),
        "high": short(high),
        "deviation": short(statistics.stdev(seeds)) if len(seeds) > 1 else None,
        "seeds": [short(value) for value in seeds],
        "n": n,
    }


def short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def measure(args: argparse.Namespace, held: Held, runs: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    """{row: {pairing.metric: number}}, the paired differences, and the sheet's columns."""
    references = {"own": held.own, "other": held.truth[held.other]}
    look: dict[str, list[np.ndarray]] = {}
    same = np.tile(np.arange(SIDE * SIDE), (len(held.truth), 1))
    values: dict[str, dict[str, list[Any]]] = {}
    sheet: dict[str, np.ndarray] = {}
    rows = {"copy": ["copy"], "truth": ["truth"]}
    rows |= {m: [f"{m}-{seed}" for seed in args.seeds] if m in RECIPES else [m] for m in args.methods}
    for row, names in rows.items():
        found = values.setdefault(row, {})
        for name in names:
            for pairing, pixels in references.items():
                if row == "copy":
                    made = Painted(pixels, same)
                elif row == "truth":
                    made = Painted(held.truth)
                else:
                    made = paint(row, args.work / name, held.lines, pixels)
                per_picture = of_own(made, held) if pairing == "own" else of_other(made, held)
                for metric, one in per_picture.items():
                    found.setdefault(f"{pairing}.{metric}", []).append(one)
                if pairing == "other":
                    for result in distances(made, held, name, args.work / "features"):
                        found.setdefault(f"other.{result.key}", []).append(result)
                    look.setdefault(row, []).append(features(source(name, made.pixels), args.work / "features"))
                    if name == names[0]:
                        sheet[row] = made.pixels
                        if made.warped is not None:
                            sheet["warped"] = made.warped
            say(f"{name}: measured")
    table = {
        row: {k: of_sets(v) if isinstance(v[0], suite.Row) else of_pictures(v) for k, v in found.items()}
        for row, found in values.items()
    }
    apart = differences(values)
    for row, its in apart.items():
        its |= of_distances(look["cocosnet"], look[row], look["truth"][0])
    return {"table": table, "differences": apart, "targets": targets(table, apart), "sheet": sheet}


def features(pictures: Source, cache: Path) -> np.ndarray:
    """(n, d) of the network that FD and KD are of."""
    ruler = networks.extractor(suite.available_extractors()[0])
    return np.array(extract(pictures, [ruler], cache=cache).of[ruler.name], np.float64)


def of_distances(
    mine: Sequence[np.ndarray], theirs: Sequence[np.ndarray], truth: np.ndarray
) -> dict[str, dict[str, Any]]:
    """Differences of Frechet and kernel distance, the mean over seeds; with the n of these sets only."""
    made = {
        "other.fd": gaps.frechet_gap(mine, theirs, truth, SERIES),
        "other.kd": gaps.kernel_gap(mine, theirs, truth, SERIES),
    }
    return {key: number([gap.value], gap.interval.low, gap.interval.high, len(truth)) for key, gap in made.items()}


def differences(values: Mapping[str, Mapping[str, list[Any]]]) -> dict[str, dict[str, Any]]:
    """CoCosNet minus each other method, picture by picture, each picture's mean over seeds."""
    mine = values.get("cocosnet", {})
    return {
        row: {
            key: of_pictures([np.mean(mine[key], 0) - np.mean(theirs, 0)])
            for key, theirs in values[row].items()
            if key in mine and not isinstance(theirs[0], suite.Row)
        }
        for row in METHODS
        if mine and row in values and row != "cocosnet"
    }


def targets(table: Mapping[str, Mapping[str, Any]], paired: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What CoCosNet was built to reach: yes or no where intervals say so, else to which side it leans."""
    said: dict[str, str] = {}
    if "cocosnet" not in table:
        return said
    mine = table["cocosnet"]
    for key in ("other.fid", "other.kid", "other.fd", "other.kd", "own.ssim", "own.ms_ssim", "own.colour_error"):
        sign = 1 if key.partition(".")[2] in HIGHER else -1
        for rival in (r for r in ("spade", "spade-vae") if r in table and key in mine):
            if key in paired[rival]:
                gap = paired[rival][key]
                said[f"{key} better than {rival}"] = verdict(sign * gap["value"], gap["low"] * gap["high"] > 0)
            else:
                its = table[rival][key]
                apart = mine[key]["high"] < its["low"] or its["high"] < mine[key]["low"]
                said[f"{key} better than {rival}"] = verdict(sign * (mine[key]["value"] - its["value"]), apart)
    for key, least in (("own.correspondence", 0.8), ("other.correspondence", 0.8), ("other.edge_recall", 0.9)):
        reached = mine[key]
        said[f"{key} at least {least}"] = verdict(
            reached["value"] - least, not reached["low"] <= least <= reached["high"]
        )
    return said


def verdict(gain: float, sure: bool) -> str:
    return ("yes" if gain > 0 else "no") if sure else ("leans to yes" if gain > 0 else "leans to no")


def show(table: Mapping[str, Mapping[str, Any]]) -> None:
    keys = list(dict.fromkeys(key for row in table.values() for key in row))
    print(f"\n{'':22}" + "".join(f"{row:>20}" for row in table))
    for key in keys:
        cells = [row.get(key) for row in table.values()]
        print(f"{key:22}" + "".join(f"{cell(c) if c else '-':>20}" for c in cells))


def cell(one: Mapping[str, Any]) -> str:
    spread = "" if one["deviation"] is None else f" +- {one['deviation']:.2g}"
    return f"{one['value']:.4g}{spread}"


def contact_sheet(held: Held, sheet: Mapping[str, np.ndarray]) -> tuple[np.ndarray, list[str]]:
    """The first masks after another, a row each, twice as large, and what the columns are."""
    columns = {"sketch": images.of_lines(held.lines), "reference": held.truth[held.other]}
    columns |= {name: sheet[name] for name in ("warped", *METHODS) if name in sheet} | {"truth": held.truth}
    count = min(SHOWN, len(held.truth))
    cells = [columns[name][i].repeat(2, 0).repeat(2, 1) for i in range(count) for name in columns]
    return images.sheet(cells, len(columns)), list(columns)


# --- the whole ------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder of masks, data set and runs; kept")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--kimg", type=float, default=40, help="thousands of pictures each run is shown")
    parser.add_argument("--masks", type=int, default=3564, help="drawn, held-out ones included")
    parser.add_argument("--held", type=int, default=200, help="held-out masks that are painted and measured")
    parser.add_argument("--jobs", type=int, default=1, help="runs trained at once")
    parser.add_argument("--threads", type=int, default=1, help="of each run")
    parser.add_argument("--to", type=Path, help="the JSON file; in the work folder if not given")
    parser.add_argument("--note", default="", help="goes into the file")
    args = parser.parse_args()
    if args.masks < 2 * (args.held + MORE):
        parser.error(f"--masks {args.masks} are too few to hold {args.held} out: at least {2 * (args.held + MORE)}.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the runs are told to stop, too
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    data = build(args)
    held = held_out(data, args.held)
    learn = [method for method in args.methods if method in RECIPES]
    runs = {f"{method}-{seed}": (RECIPES[method], seed) for seed in args.seeds for method in learn}
    train(runs, data, args)
    models = trained(runs, args.work)
    found = measure(args, held, runs)
    picture, columns = contact_sheet(held, found.pop("sheet"))
    training = Folder.open(data, "train", SIZE)
    report = {
        "what": "sketches of held-out drawn masks painted after a reference, at 64 px; see the script",
        **conditions(args),
        "note": args.note,
        "data": {
            "series": SERIES, "drawn": args.masks, "trained_on": len(training), "held_out": args.held,
            "fingerprint": training.fingerprint,
        },
        "seeds": args.seeds,
        "runs": models,
        **found,
    }  # fmt: skip
    to = args.to or args.work / "translation.json"
    to.parent.mkdir(parents=True, exist_ok=True)
    files.atomic_write(to, json.dumps(report, indent=1) + "\n")
    files.atomic_write(args.work / "translation.png", images.encode_png(picture))
    show(report["table"])
    print()
    for what, answer in report["targets"].items():
        print(f"{answer:14} {what}")
    print(f"\n{to}\n{args.work / 'translation.png'}: {' | '.join(columns)}")


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
