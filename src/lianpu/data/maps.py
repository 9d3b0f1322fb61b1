"""Maps of numbers as pictures: 16 bits a channel in a PNG, grey or RGB, which viewers show and nothing rounds further."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from lianpu import images
from lianpu.errors import DataError

__all__ = ["decode", "encode", "quantise", "read", "restore"]


def quantise(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values in [low, high] -> uint16, evenly; what lies beyond is clamped."""
    return np.clip(np.rint((np.asarray(values, np.float64) - low) / (high - low) * 65535), 0, 65535).astype(np.uint16)


def restore(levels: np.ndarray, low: float, high: float) -> np.ndarray:
    """What `quantise` undoes, float32; wrong by at most (high - low) / 131070."""
    return (levels.astype(np.float64) / 65535 * (high - low) + low).astype(np.float32)


def encode(levels: np.ndarray) -> bytes:
    """uint16 (h, w) or (h, w, 3) -> the bytes of a PNG of 16 bits a channel. (Pillow writes grey ones only.)"""
    if levels.dtype != np.uint16 or levels.ndim not in (2, 3) or (levels.ndim == 3 and levels.shape[2] != 3):
        raise ValueError(f"a map is uint16 (h, w) or (h, w, 3), not {levels.dtype} {levels.shape}")
    h, w = levels.shape[:2]
    step = 2 * (1 if levels.ndim == 2 else 3)
    rows = levels.astype(">u2").reshape(h, -1).view(np.uint8)
    filtered = np.concatenate(
        [np.ones((h, 1), np.uint8), rows], 1
    )  # filter 1: each byte less that of the pixel before it
    filtered[:, 1 + step :] -= rows[:, :-step]
    head = struct.pack(">IIBBBBB", w, h, 16, 0 if levels.ndim == 2 else 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(filtered.tobytes(), 6)), (b"IEND", b""))
    body = (struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    return images.PNG_MAGIC + b"".join(body)


def decode(content: bytes) -> np.ndarray:
    """The uint16 (h, w) or (h, w, 3) of a PNG of 16 bits a channel, whoever wrote it."""
    import torch
    from torchvision.io import ImageReadMode, decode_png

    if content[:8] != images.PNG_MAGIC or content[24:25] != b"\x10":
        raise DataError("the map is not a PNG of 16 bits a channel.")
    try:
        levels = decode_png(torch.frombuffer(bytearray(content), dtype=torch.uint8), ImageReadMode.UNCHANGED)
    except RuntimeError as error:
        raise DataError(f"the map is damaged ({str(error).splitlines()[0][:80]}).") from None
    found = levels.permute(1, 2, 0).numpy()
    return found[..., 0] if found.shape[2] == 1 else found


def read(path: Path, low: float, high: float) -> np.ndarray:
    """A map file as float32 (h, w) or (h, w, 3)."""
    try:
        return restore(decode(images.read_bytes(path)), low, high)
    except DataError as error:
        raise DataError(error.what, str(path), error.fix) from None
