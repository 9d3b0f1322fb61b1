"""Features of pictures, kept: each picture is shown to each network once, and what came out is stored under the hash of its pixels, the
network's weights and its resize. Several processes share the work; nobody holds all pictures or all features in memory.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import safetensors
import safetensors.numpy
import torch
from torch import Tensor

from lianpu import files
from lianpu.errors import DataError, ModelError
from lianpu.metrics.sources import Source, on_disk, pixel_hash

__all__ = ["Alone", "Extractor", "Features", "Peers", "Store", "cache_folder", "extract", "share"]

log = logging.getLogger("lianpu")

BATCH = 32
SHARD = 256  # pictures in one file of the cache
SCHEMA = "1"


class Extractor(Protocol):
    """`nets.features.Extractor`, or any module that says as much of itself."""

    name: str
    sha256: str
    dim: int
    resize: str

    @property
    def standard(self) -> bool: ...
    def __call__(self, images: Tensor, /) -> Tensor: ...


class Peers(Protocol):
    """The processes that share the work: `train.world.World`, or `Alone`."""

    @property
    def rank(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def device(self) -> torch.device: ...
    def sum(self, tensor: Tensor) -> Tensor: ...
    def wait(self) -> None: ...


@dataclass(frozen=True)
class Alone:
    """One process."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def sum(self, tensor: Tensor) -> Tensor:
        return tensor

    def wait(self) -> None:
        return None


Count = Callable[[int, int, str], object]


def _silent(done: int, total: int, what: str) -> None:
    return None


def share(
    count: int,
    values: Callable[[range], np.ndarray],
    width: int,
    peers: Peers,
    progress: Count = _silent,
    what: str = "",
) -> np.ndarray:
    """float64 (count, width): `values(indices)` gives some rows; each is computed by one process and known to all."""
    out = torch.zeros(count, width, dtype=torch.float64)
    mine = range(peers.rank, count, peers.size)
    for start in range(0, len(mine), BATCH):
        indices = mine[start : start + BATCH]
        out[list(indices)] = torch.as_tensor(np.asarray(values(indices), np.float64)).reshape(len(indices), width)
        progress(min(count, (start + len(indices)) * peers.size), count, what)
    return peers.sum(out.to(peers.device)).cpu().numpy()


def cache_folder() -> Path:
    """$LIANPU_CACHE/features, else the user's cache folder."""
    if own := os.environ.get("LIANPU_CACHE"):
        return Path(own) / "features"
    base = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lianpu" / "features"


# ------------------------------------------------------------------------------------------------------------------- the store


class Store:
    """Features of one network on disk: safetensors files of up to 256 rows, whose header lists the pictures' hashes.

    Files are written whole under a name that is their content's hash, so writers need no lock and never disagree; a damaged or
    foreign file is passed over, and its pictures are computed again.
    """

    def __init__(self, folder: Path, extractor: Extractor, device: torch.device | str = "cpu") -> None:
        self.dim = extractor.dim
        kind = torch.device(device).type  # devices round differently; a number must not depend on what a cache held
        self.identity = hashlib.sha256(
            "\x1f".join((SCHEMA, extractor.name, extractor.sha256, extractor.resize, str(extractor.dim), kind)).encode()
        ).hexdigest()
        name = "".join(c if c.isalnum() or c in "-_" else "-" for c in extractor.name)
        self.folder = folder / f"{name}-{self.identity[:16]}"
        self.rows: dict[bytes, tuple[Path, int]] = {}
        self._seen: set[Path] = set()
        self._damaged: set[Path] = set()
        self._pending: dict[bytes, np.ndarray] = {}

    def scan(self) -> Store:
        """Learns of the files that are there, from their headers alone."""
        for path in sorted(self.folder.glob("*.safetensors")) if self.folder.is_dir() else []:
            if path in self._seen or path.name.startswith("."):  # a dot: another process is still writing it
                continue
            self._seen.add(path)
            facts = self._header(path)
            if facts is None:
                continue
            for row, key in enumerate(facts["keys"].split()):
                self.rows.setdefault(bytes.fromhex(key), (path, row))
        return self

    def _header(self, path: Path) -> dict[str, str] | None:
        try:
            with safetensors.safe_open(path, framework="np") as file:
                facts = file.metadata() or {}
                shape = file.get_slice("features").get_shape()
            keys = facts.get("keys", "").split()
            whole = facts.get("identity") == self.identity and shape == [len(keys), self.dim]
            if whole and all(len(bytes.fromhex(key)) == 32 for key in keys):
                return facts
        except (safetensors.SafetensorError, OSError, ValueError):
            pass
        log.warning("%s is damaged or not of this network; its features are computed again", path)
        return None

    def __contains__(self, key: bytes) -> bool:
        return key in self.rows or key in self._pending

    def add(self, key: bytes, row: np.ndarray) -> None:
        self._pending[key] = row
        if len(self._pending) >= SHARD:
            self.flush()

    def flush(self) -> None:
        """Writes what was added."""
        if not self._pending:
            return
        keys, features = list(self._pending), np.stack(list(self._pending.values())).astype(np.float32)
        digest = hashlib.sha256(features.tobytes()).hexdigest()
        facts = {"identity": self.identity, "keys": " ".join(k.hex() for k in keys), "digest": digest}
        content = safetensors.numpy.save({"features": features}, metadata=facts)
        path = self.folder / f"{hashlib.sha256(content).hexdigest()[:32]}.safetensors"
        files.atomic_write(path, content)
        self._seen.add(path)
        self.rows.update({key: (path, row) for row, key in enumerate(keys)})
        self._pending = {}

    def fill(self, keys: Sequence[bytes], out: np.ndarray) -> list[int]:
        """Puts the rows of `keys` into out (n, dim); returns the indices of those it does not have, or not undamaged."""
        places: dict[Path, list[tuple[int, int]]] = {}
        missing = []
        for i, key in enumerate(keys):
            if key in self.rows:
                path, row = self.rows[key]
                places.setdefault(path, []).append((i, row))
            else:
                missing.append(i)
        for path, pairs in places.items():
            features = self._read(path)
            if features is None:
                missing += [i for i, _ in pairs]
                continue
            out[[i for i, _ in pairs]] = features[[row for _, row in pairs]]
        return sorted(missing)

    def _read(self, path: Path) -> np.ndarray | None:
        """A file's features, if they are those that were written."""
        try:
            with safetensors.safe_open(path, framework="np") as file:
                features, facts = file.get_tensor("features"), file.metadata() or {}
            if hashlib.sha256(features.tobytes()).hexdigest() == facts.get("digest") and np.isfinite(features).all():
                return features
        except (safetensors.SafetensorError, OSError, ValueError):
            pass
        log.warning("%s is damaged; its features are computed again", path)
        self.rows = {key: place for key, place in self.rows.items() if place[0] != path}
        path.unlink(missing_ok=True)
        return None


# ---------------------------------------------------------------------------------------------------------------- extraction


@dataclass(frozen=True)
class Features:
    """What one source looks like to several networks: `of[name]` is (n, dim), float32, on the disk."""

    keys: tuple[bytes, ...]
    """The hash of each picture's pixels."""
    of: Mapping[str, np.ndarray]
    computed: int = 0
    """Rows that this process had to compute; the others were in the cache or are another process's."""


def extract(
    source: Source,
    extractors: Sequence[Extractor],
    *,
    cache: Path | None = None,
    peers: Peers | None = None,
    batch: int = BATCH,
    count: Count = _silent,
) -> Features:
    """Features of every picture of `source`, in one pass over the pictures whatever the number of networks.

    Process r of s computes pictures r, r + s, ... and leaves them in the cache folder, which all must see; each then reads all.
    Without a cache the folder is temporary (and under torchrun one is needed).
    """
    peers = peers or Alone()
    with tempfile.TemporaryDirectory(prefix="lianpu-features-") as temporary:
        folder = cache if cache is not None else Path(temporary)
        stores = {e.name: Store(folder, e, peers.device).scan() for e in extractors}
        keys = torch.zeros(len(source), 32, dtype=torch.int32)
        mine = range(peers.rank, len(source), peers.size)
        computed = 0
        for start in range(0, len(mine), batch):
            indices = mine[start : start + batch]
            pixels = [source.read(i) for i in indices]
            hashes = [pixel_hash(p) for p in pixels]
            for i, key in zip(indices, hashes, strict=True):
                keys[i] = torch.frombuffer(bytearray(key), dtype=torch.uint8).int()
            for e in extractors:
                computed += _compute(
                    e, stores[e.name], pixels, hashes, [source.names[i] for i in indices], peers.device
                )
            count(min(len(source), (start + len(indices)) * peers.size), len(source), f"{source.name}: pictures seen")
        for store in stores.values():
            store.flush()
        peers.wait()
        hashes = [bytes(row) for row in peers.sum(keys.to(peers.device)).cpu().to(torch.uint8).numpy()]
        out = {}
        for e in extractors:
            matrix = on_disk((len(source), e.dim), np.float32)
            missing = stores[e.name].scan().fill(hashes, matrix)
            for at in range(
                0, len(missing), batch
            ):  # a damaged file, or another machine's, whose disk is not seen here
                indices = missing[at : at + batch]
                pixels = [source.read(i) for i in indices]
                matrix[indices] = _forward(e, pixels, [source.names[i] for i in indices], peers.device)
                computed += len(indices)
            out[e.name] = matrix
    return Features(tuple(hashes), out, computed)


def _compute(
    e: Extractor,
    store: Store,
    pixels: Sequence[np.ndarray],
    keys: Sequence[bytes],
    names: Sequence[str],
    device: torch.device,
) -> int:
    """Adds to the store what it lacks of these pictures; returns how many."""
    lacking = list({key: i for i, key in enumerate(keys) if key not in store}.values())
    if lacking:
        rows = _forward(e, [pixels[i] for i in lacking], [names[i] for i in lacking], device)
        for i, row in zip(lacking, rows, strict=True):
            store.add(keys[i], row)
    return len(lacking)


@torch.inference_mode()
def _forward(e: Extractor, pixels: Sequence[np.ndarray], names: Sequence[str], device: torch.device) -> np.ndarray:
    """float32 (n, dim), checked."""
    batch = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).to(device)  # (n, 3, h, w) uint8
    rows = e(batch).float().cpu().numpy()
    if rows.shape != (len(pixels), e.dim):
        raise ModelError(f"{e.name} gave features of shape {rows.shape}, not {(len(pixels), e.dim)}.")
    if not np.isfinite(rows).all():
        bad = int(np.flatnonzero(~np.isfinite(rows).all(1))[0])
        raise DataError(
            f"{e.name} gave features that are not numbers (NaN or infinity) for {names[bad]}.",
            f"weights {e.sha256[:12]}",
            "The weights are damaged: `lianpu weights verify` tells.",
        )
    return rows
