"""A frame: what the processes of the studio, and its browser pages, say to each other. 4 bytes length of a JSON object (big endian), the
object in UTF-8, then any bytes. Between processes 4 bytes more come first: the length of all that follows.
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO

from lianpu.errors import LianpuError

__all__ = ["failure", "pack", "read", "unpack", "write"]


def pack(head: dict[str, Any], body: bytes = b"") -> bytes:
    text = json.dumps(head, ensure_ascii=False, default=str).encode()
    return struct.pack(">I", len(text)) + text + body


def unpack(frame: bytes) -> tuple[dict[str, Any], bytes]:
    """ValueError for what is no frame."""
    if len(frame) < 4:
        raise ValueError("too short")
    (length,) = struct.unpack_from(">I", frame)
    if 4 + length > len(frame):
        raise ValueError("cut off")
    try:
        head = json.loads(frame[4 : 4 + length])
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(head, dict):
        raise ValueError("no object")
    return head, frame[4 + length :]


def write(stream: BinaryIO, head: dict[str, Any], body: bytes = b"") -> None:
    frame = pack(head, body)
    stream.write(struct.pack(">I", len(frame)) + frame)
    stream.flush()


def read(stream: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next frame; None where the other side has gone."""
    start = stream.read(4)
    if len(start) < 4:
        return None
    (length,) = struct.unpack(">I", start)
    frame = stream.read(length)
    return unpack(frame) if len(frame) == length else None


def failure(error: BaseException) -> dict[str, Any]:
    """An error as the browser shows it: three lines and the class it belongs to."""
    if isinstance(error, LianpuError):
        return {"what": error.what, "where": error.where, "fix": error.fix, "code": error.exit_code}
    if isinstance(error, MemoryError):
        return {
            "what": "there is not enough memory on this machine.",
            "where": "",
            "fix": "Close other programs.",
            "code": 5,
        }
    return {"what": f"{type(error).__name__}: {error}", "where": "", "fix": "This is a bug in lianpu.", "code": 1}
