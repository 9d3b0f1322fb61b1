"""SFace: the reader of its file on files made by hand, its 8-bit numbers by their formula, its published numbers on drawn heads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lianpu.errors import ModelError
from lianpu.nets import sface
from tests.weights import need


def number(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(which: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return number(which << 3) + number(value)
    return number(which << 3 | 2) + number(len(value)) + value


def model(**arrays: np.ndarray) -> bytes:
    """An ONNX model of initialisers alone."""
    kinds = {"float32": 1, "int8": 3, "int64": 7}
    graph = field(2, b"graph")
    for name, array in arrays.items():
        tensor = b"".join(field(1, n) for n in array.shape) + field(2, kinds[array.dtype.name])
        graph += field(5, tensor + field(8, name.encode()) + field(9, array.tobytes()))
    return field(1, 6) + field(7, graph) + field(8, field(2, 21))


def test_arrays_of_an_onnx_file_come_back():
    arrays = {
        "w": np.arange(300, dtype=np.float32).reshape(3, 100),
        "q": np.array([-128, 0, 127], np.int8),
        "shape": np.array([3, 1 << 40], np.int64),
    }
    found = sface.initialisers(model(**arrays))
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)


@pytest.mark.parametrize("at", [-1, 20, 60])
def test_a_damaged_file_is_refused(at):
    whole = model(w=np.arange(40, dtype=np.float32))
    with pytest.raises(ModelError, match="damaged"):
        sface.initialisers(whole[:at])


def test_eight_bits_are_scaled_in_blocks():
    q = np.arange(-64, 66).astype(np.int8)[None]  # 130 numbers: two blocks of 64 and two
    found = {
        "w_quantized": q,
        "w_scales": np.array([[0.5, 2, 10]], np.float32),
        "w_zero_point": np.array([[0, 1, -1]], np.int8),
    }
    plain = sface._plain(found, "w")
    assert plain[0, :64].tolist() == (q[0, :64] * 0.5).tolist()
    assert plain[0, 64:128].tolist() == ((q[0, 64:128].astype(float) - 1) * 2).tolist()
    assert plain[0, 128:].tolist() == ((q[0, 128:].astype(float) + 1) * 10).tolist()


def test_the_network_is_mobilenet():
    net = sface.SFace().eval()
    assert len(net.units) == 27
    with torch.no_grad():
        rows = net(torch.rand(2, 3, 112, 112) * 255)
    assert rows.shape == (2, 128) and rows.norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-5)


def test_published_numbers_tell_clay_heads_apart():
    need("sface")
    from lianpu.data import crop
    from lianpu.data.samples import heads

    net = sface.SFace.published()
    faces = []
    for k in range(4):
        for view in ((0.0,) * 6, (0.0, 0.2, 0.0, 0.0, 0.0, 0.0)):
            head = heads.head(5, k)
            eyes = heads.eyes(head, (0,) * 6, 128) + 0.5
            places = np.concatenate([eyes, eyes + np.array([0, 30])])  # the mouth lies below the eyes
            transform = crop.similarity(places, sface.FIVE[[0, 1, 3, 4]])
            faces.append(crop.aligned(head.see(view, (-0.2, 0.5, 0.0, -0.3), 128).picture, transform, 112))
    with torch.no_grad():
        rows = net(torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2).float()).numpy()
    alike = rows @ rows.T
    same, other = alike[range(0, 8, 2), range(1, 8, 2)], alike[::2, ::2][np.triu_indices(4, 1)]
    assert same.min() > other.max()  # of one head turned by 12 degrees, and of different heads
