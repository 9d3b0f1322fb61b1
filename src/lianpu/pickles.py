"""Arrays out of other people's pickles, by a reader that knows nothing but arrays. A pickle is a program; this one may only
build dicts, lists, tuples, numbers, strings and plain numeric arrays, and is refused before it runs if it asks for more.
"""

from __future__ import annotations

import io
import math
import pickle  # noqa: TID251  the one place: below is a reader that can build arrays and nothing else
import pickletools
from pathlib import Path
from typing import Any

import numpy as np

from lianpu.errors import ModelError

__all__ = ["read_arrays"]

MAX_BYTES = 1 << 30
MAX_ELEMENTS = 1 << 28
_FIX = "Delete the file and get the weights again: lianpu weights get"
# fmt: off
_NEEDED = frozenset((
    "PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "NONE", "NEWTRUE", "NEWFALSE",
    "BININT", "BININT1", "BININT2", "BINFLOAT", "SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8",
    "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "SETITEM", "SETITEMS", "APPEND", "APPENDS",
    "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD",
))
# fmt: on
_INSTRUCTIONS: dict[bytes, tuple[str, Any]] = {
    opcode.code.encode("latin-1"): (opcode.name, opcode.arg.reader if opcode.arg is not None else None)
    for opcode in pickletools.opcodes
    if opcode.name in _NEEDED
}
_INSTRUCTIONS[b"c"] = (
    "GLOBAL",
    lambda program: (program.readline(), program.readline()),
)  # pickletools' own would unescape it


class _Dtype:
    """Stands for numpy.dtype: a kind, a size and a byte order, no more."""

    def __init__(self, name: str, *_: object) -> None:
        if name not in {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"}:
            raise pickle.UnpicklingError(f"arrays of {name!r:.40} are not numbers")
        self.name, self.order = name, "|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]
        if self.order not in {"<", ">", "|", "="} or any(part not in (None, -1, 0) for part in state[2:]):
            raise pickle.UnpicklingError("a structured array")

    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.order + self.name)


class _Array:
    """Stands for numpy.ndarray, and for the function that makes an empty one, until its state has been checked."""

    def __init__(self, *_: object) -> None:
        self.value: np.ndarray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, data = state
        if not (isinstance(dtype, _Dtype) and isinstance(data, bytes) and isinstance(shape, tuple) and len(shape) <= 8):
            raise pickle.UnpicklingError("an array without numbers")
        if not all(type(n) is int and n >= 0 for n in shape) or (count := math.prod(shape)) > MAX_ELEMENTS:
            raise pickle.UnpicklingError(f"an array of shape {shape}")
        if count * dtype.numpy().itemsize != len(data):
            raise pickle.UnpicklingError(f"an array of shape {shape} with {len(data)} bytes")
        flat = np.frombuffer(data, dtype.numpy())
        self.value = flat.reshape(shape, order="F" if fortran else "C").copy()


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Only the four names an array is made of, and for these our own stand-ins: numpy itself is never called."""
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def read_arrays(path: Path) -> Any:
    """What a pickle of numeric arrays (protocol 3 or 4) holds: nested dicts, lists and tuples. ModelError for any other pickle."""
    if path.stat().st_size > MAX_BYTES:
        raise ModelError(f"{path.name} is larger than {MAX_BYTES} bytes.", f"in {path.parent}", _FIX)
    data = path.read_bytes()
    try:
        _look_before(data)
        return _unwrap(_Reader(io.BytesIO(data)).load())
    except (
        pickle.UnpicklingError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        EOFError,
        RecursionError,
    ) as error:
        reason = str(error) or type(error).__name__
        raise ModelError(f"{path.name} is refused: {reason:.200}.", f"in {path.parent}", _FIX) from None


def _look_before(data: bytes) -> None:
    """Reads the program without running it: only the few instructions arrays need, and no slot beyond what it can fill.

    (The C reader allocates memory for the highest slot a pickle names, so nine bytes could ask for 64 GB.)
    """
    program, slots, name = io.BytesIO(data), 0, ""
    while name != "STOP":
        code = program.read(1)
        if code not in _INSTRUCTIONS:
            raise pickle.UnpicklingError(
                f"it uses instruction {code!r}, which arrays do not need" if code else "it is cut off"
            )
        name, reader = _INSTRUCTIONS[code]
        argument: Any = reader(program) if reader is not None else None
        slots += name in {"BINPUT", "LONG_BINPUT", "MEMOIZE"}
        if name in {"BINPUT", "LONG_BINPUT"} and not 0 <= int(argument) < slots + 256:
            raise pickle.UnpicklingError("it names a slot it cannot have filled")


def _unwrap(value: Any) -> Any:
    if isinstance(value, _Array) and value.value is not None:
        return value.value
    if isinstance(value, dict):
        return {key: _unwrap(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_unwrap(item) for item in value)
    if isinstance(value, str | bytes | int | float | bool | None):
        return value
    raise pickle.UnpicklingError(f"it holds a {type(value).__name__}")
