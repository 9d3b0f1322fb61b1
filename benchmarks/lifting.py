"""DIGAN against the truth: every lifter of an experiment, a flat depth and the mean depth, as one table.

    lianpu experiment digan2024 --scale tiny --teacher clay-head-64 --out runs/lifters \\
        --rows digan liftedgan digan-wo-flip digan-wo-idt digan-wo-rega
    python benchmarks/lifting.py runs/lifters          two to three hours on two cores, nearly all of it the command before

Writes benchmarks/results/lifting.json and prints the table. A value is the mean over a row's seeds, its interval goes from the lowest to
the highest end of theirs (95 %, heads drawn again); each seed's value stands beside.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from lianpu import files
from lianpu.config import to_dict
from lianpu.experiments import digan2024
from lianpu.experiments.claims import Measured
from lianpu.experiments.claims2024 import ASYMMETRY, LESS, SHAPE, SHARE, WHOLE
from lianpu.machine import machine

HERE = Path(__file__).parent
METRICS = (
    *("SIDE", LESS.format("SIDE"), "MAD (degrees)", LESS.format("MAD (degrees)"), "head found (IoU)"),
    *(WHOLE.format(name) for name in SHAPE),
    *(ASYMMETRY, "yaw correlation", "rotation error (degrees)", SHARE.format(30), "Fréchet"),
)


def of_rows(rows: list[dict[str, Any]], metric: str) -> dict[str, Any] | None:
    found = Measured.of([row for row in rows if row["metric"] == metric])
    if found is None:
        return None
    low, high = found.hull
    return {"value": found.mean, "low": low, "high": high, "seeds": list(found.values)}


def told(experiment: digan2024.Digan2024, row: str) -> dict[str, Any]:
    return {
        "name": experiment.called(row),
        "changes": experiment.changes(row),
        "settings": to_dict(experiment.recipe(row)),
    }


def table(folder: Path) -> dict[str, Any]:
    experiment = digan2024.Digan2024.open(folder)
    said = digan2024.summary(experiment)
    names = {metric: said["headline"].get("frechet", "FD") if metric == "Fréchet" else metric for metric in METRICS}
    walls = (said["real"] or {}).get("yardsticks", {})
    measured: dict[str, list[dict[str, Any]]] = {
        **{row: [r for e in said["main"] if e["row"] == row for r in e["rows"]] for row in experiment.rows},
        **walls,
    }
    return {
        "machine": machine(),
        "scale": said["scale"],
        "teacher": said["given_teacher"],
        "finished": said["finished"],
        "table": {
            row: {names[m]: value for m in METRICS if (value := of_rows(rows, names[m])) is not None}
            for row, rows in measured.items()
        },
        "claims": {c["name"]: c["verdict"] for c in said["claims"]},
        "recipes": {row: told(experiment, row) for row in experiment.rows if row in digan2024.LIFTERS},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--to", type=Path, default=HERE / "results" / "lifting.json")
    options = parser.parse_args()
    found = table(options.experiment)
    files.atomic_write(options.to, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    columns = list(dict.fromkeys(metric for row in found["table"].values() for metric in row))
    print("", *columns, sep=" | ")
    for row, values in found["table"].items():
        cells = ["{value:.4g} [{low:.4g}, {high:.4g}]".format(**values[m]) if m in values else "" for m in columns]
        print(row, *cells, sep=" | ")
    print(*(f"{name}: {verdict}" for name, verdict in found["claims"].items()), sep="\n")


if __name__ == "__main__":
    main()
