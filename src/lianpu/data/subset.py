"""The first n originals of a data set's training pictures, with all their mirrored and recoloured relatives, as a data set of its own:
how a few-shot curve asks what fewer pictures would have given. Subsets are nested, and no test picture comes near them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from lianpu import files
from lianpu.data import card, layout, prepare, records
from lianpu.errors import DataError

__all__ = ["originals", "take"]


def originals(data: Path, seed: int) -> list[str]:
    """The source hashes of the training originals, in an order that is a function of (seed, hash) alone."""
    rows = records.read_records(data, "train")
    return sorted({str(row["source_sha256"]) for row in rows}, key=lambda source: _draw(seed, source))


def _draw(seed: int, source: str) -> bytes:
    return hashlib.blake2b(f"subset\x1f{seed}\x1f{source}".encode(), digest_size=8).digest()


def take(data: Path, count: int, to: Path, *, seed: int = 0) -> dict[str, Any]:
    """Writes the data set `to` of the first `count` originals (all relatives with them); returns its dataset.json.

    A subset of more originals holds every smaller one of the same seed. What is there already is left alone.
    """
    info = records.read_info(data)
    order = originals(data, seed)
    if not 1 <= count <= len(order):
        raise DataError(
            f"{data.name} has {len(order)} training originals; a subset of {count} cannot be taken.",
            str(data / "train"),
            f"Ask for 1 to {len(order)}.",
        )
    chosen = set(order[:count])
    rows = [row for row in records.read_records(data, "train") if row["source_sha256"] in chosen]
    for folder in (to, to / "train"):
        files.remove_partial(folder)
    for row in rows:
        path = to / "train" / row["file_name"]
        if not path.exists() or files.sha256(path) != row["sha256"]:
            files.atomic_write(path, (data / "train" / row["file_name"]).read_bytes())
    subset = layout.describe(prepare.Settings(**info["settings"]), {"train": rows, "test": []}, 0)
    subset["subset"] = {"of": info["fingerprint"], "originals": count, "seed": seed}
    files.atomic_write(to / "train" / "metadata.jsonl", b"".join(map(records.encode, rows)))
    files.atomic_write(to / "README.md", card.text(subset))
    files.atomic_write(to / "dataset.json", records.encode(subset, indent=1))
    return subset
