"""SFace (Zhong et al. 2021), a face embedder that learnt from photographs of people: MobileNet (Howard et al. 2017) with PReLU and a
fully connected end, as OpenCV's model zoo publishes it, with its numbers in 8 bits. Its cosine is called identity (SFace).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lianpu import weights
from lianpu.errors import ModelError

__all__ = ["FIVE", "SIZE", "SFace", "initialisers"]

SIZE = 112
FIVE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
"""Where the landmarks of a face of 112 x 112 pixels lie: eyes, nose, corners of the mouth (Deng et al. 2019, ArcFace)."""
WIDTHS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
HALVED = (3, 5, 7, 13)  # blocks whose first convolution has a stride of 2
BLOCK = 64  # numbers that share one scale


class _Unit(nn.Module):
    """Convolution, batch normalisation, PReLU."""

    def __init__(self, wide: int, to: int, size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(wide, to, size, stride, size // 2, groups=groups, bias=False)
        self.norm, self.relu = nn.BatchNorm2d(to, 1e-3), nn.PReLU(to)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.norm(self.conv(x)))


class SFace(nn.Module):
    """Faces aligned to `FIVE` in, unit vectors of 128 numbers out."""

    def __init__(self) -> None:
        super().__init__()
        self.units = nn.ModuleDict({"conv_1": _Unit(3, WIDTHS[0], 3)})
        for k in range(2, 15):
            wide, to = WIDTHS[k - 2], WIDTHS[k - 1]
            self.units[f"conv_{k}_dw"] = _Unit(wide, wide, 3, 2 if k in HALVED else 1, wide)
            self.units[f"conv_{k}"] = _Unit(wide, to, 1)
        self.bn1, self.pre_fc1, self.fc1 = nn.BatchNorm2d(1024, 2e-5), nn.Linear(50176, 128), nn.BatchNorm1d(128, 2e-5)

    def forward(self, pixels: Tensor) -> Tensor:
        """RGB (n, 3, 112, 112) from 0 to 255 -> (n, 128)."""
        x = (pixels - 127.5) / 128
        for unit in self.units.values():
            x = unit(x)
        return F.normalize(self.fc1(self.pre_fc1(self.bn1(x).flatten(1))), dim=1)

    @classmethod
    def published(cls) -> SFace:
        """With the published numbers; ModelError where they are not on this machine."""
        found = initialisers(weights.locate("sface").read_bytes())
        net = cls()
        named = {}
        for name, unit in net.units.items():
            named |= {f"{name}_conv2d_weight": unit.conv.weight, f"{name}_relu_gamma": unit.relu.weight}  # type: ignore[union-attr]
            named |= _norm(f"{name}_batchnorm", unit.norm)  # type: ignore[arg-type]
        named |= _norm("bn1", net.bn1) | _norm("fc1", net.fc1)
        named |= {"pre_fc1_weight": net.pre_fc1.weight, "pre_fc1_bias": net.pre_fc1.bias}
        with torch.no_grad():
            for name, tensor in named.items():
                tensor.copy_(torch.from_numpy(_plain(found, name)).reshape(tensor.shape))
        return net.eval().requires_grad_(False)


def _norm(name: str, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> dict[str, Tensor]:
    return {
        f"{name}_gamma": norm.weight, f"{name}_beta": norm.bias,
        f"{name}_moving_mean": norm.running_mean, f"{name}_moving_var": norm.running_var,
    }  # type: ignore[dict-item]  # fmt: skip


def _plain(found: dict[str, np.ndarray], name: str) -> np.ndarray:
    """An array as it is stored, or (q - zero) * scale of its 8-bit form, with a scale and zero for each 64 of the last axis."""
    if name in found:
        return found[name].astype(np.float32)
    q, scale, zero = (found[f"{name}_{k}"].astype(np.float32) for k in ("quantized", "scales", "zero_point"))
    scale, zero = (np.repeat(a, BLOCK, -1)[..., : q.shape[-1]] for a in (scale, zero))
    return (q - zero) * scale


# ---- the arrays of an ONNX file ----------------------------------------------------------------------------------------

_KINDS = {1: np.dtype("<f4"), 3: np.dtype("i1"), 7: np.dtype("<i8")}  # TensorProto.DataType


def initialisers(content: bytes) -> dict[str, np.ndarray]:
    """The named arrays of an ONNX model (ModelProto.graph.initializer): float32, int8 and int64 only. ModelError on anything else."""
    try:
        graphs = [value for field, value in _fields(content) if field == 7]
        arrays = [_array(value) for graph in graphs for field, value in _fields(graph) if field == 5]  # type: ignore[arg-type]
        return dict(arrays)
    except (IndexError, ValueError, KeyError, struct.error, UnicodeDecodeError):
        raise ModelError("the ONNX file is damaged, or holds numbers of a kind that is not read.") from None


def _array(tensor: bytes) -> tuple[str, np.ndarray]:
    shape, kind, name, raw = [], 0, "", b""
    for field, value in _fields(tensor):
        if field == 1:
            shape += [value] if isinstance(value, int) else list(_numbers(value))
        elif field == 2:
            kind = value
        elif field == 8:
            name = bytes(value).decode()  # type: ignore[arg-type]
        elif field in (4, 9):  # float_data, packed, is stored as raw_data is
            raw = value
    return name, np.frombuffer(raw, _KINDS[kind]).reshape(shape)  # type: ignore[index,arg-type]


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of a protocol buffer's fields: numbers as they are, all else as bytes."""
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        if key & 7 == 0:
            value, at = _number(message, at)
        else:
            if key & 7 == 2:
                length, at = _number(message, at)
            else:
                length = {1: 8, 5: 4}[key & 7]
            value = message[at : at + length]
            if len(value) < length:
                raise ValueError("ends early")
            at += length
        yield key >> 3, value


def _numbers(packed: bytes) -> Iterator[int]:
    at = 0
    while at < len(packed):
        value, at = _number(packed, at)
        yield value


def _number(message: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer, 7 bits a byte, the lowest first."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
