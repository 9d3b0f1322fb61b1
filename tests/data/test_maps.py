"""Maps of 16 bits survive a file, in our reader and in others'."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lianpu.data import maps
from lianpu.errors import DataError


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([(), (3,)]), st.integers(0, 99))
def test_every_level_comes_back(h, w, channels, seed):
    levels = np.random.default_rng(seed).integers(0, 65536, (h, w, *channels)).astype(np.uint16)
    assert np.array_equal(maps.decode(maps.encode(levels)), levels)


def test_other_readers_see_the_same_levels():
    levels = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(maps.encode(levels)))), levels)


def test_values_come_back_within_half_a_level():
    values = np.random.default_rng(0).uniform(0.8, 1.2, (50, 50)).astype(np.float32)
    back = maps.restore(maps.quantise(values, 0.8, 1.2), 0.8, 1.2)
    assert np.abs(back - values).max() <= 0.4 / 131070 + 1e-7
    assert maps.restore(maps.quantise(np.array([0.8, 1.2, 5.0]), 0.8, 1.2), 0.8, 1.2).tolist() == pytest.approx(
        [0.8, 1.2, 1.2]
    )


def test_other_files_are_refused(tmp_path):
    eight = io.BytesIO()
    Image.new("L", (4, 4)).save(eight, "PNG")
    whole = maps.encode(np.zeros((4, 4), np.uint16))
    for content, said in ((eight.getvalue(), "not a PNG of 16 bits"), (b"", "not a PNG"), (whole[:45], "damaged")):
        (tmp_path / "map.png").write_bytes(content)
        with pytest.raises(DataError, match=said) as error:
            maps.read(tmp_path / "map.png", 0, 1)
        assert error.value.where.endswith("map.png")
    assert zlib.crc32(whole)  # the whole one is none of these
    with pytest.raises(ValueError, match="uint16"):
        maps.encode(np.zeros((4, 4)))
