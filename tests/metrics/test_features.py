"""Features are computed once a picture, kept under what they depend on, never believed if damaged, and shared by processes."""

from __future__ import annotations

import hashlib
import shutil
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
import torch
from PIL import Image

from lianpu.errors import DataError, ModelError
from lianpu.metrics import sources
from lianpu.metrics.features import Store, extract
from tests.metrics.rulers import Ruler, paint


@pytest.fixture
def pictures(tmp_path):
    return sources.folder(paint(tmp_path / "pictures", 20))


def test_a_second_look_computes_nothing_and_gives_the_same(pictures, tmp_path):
    first = extract(pictures, [Ruler()], cache=tmp_path / "cache")
    ruler = Ruler()
    second = extract(pictures, [ruler], cache=tmp_path / "cache")
    assert (first.computed, second.computed, ruler.seen) == (20, 0, 0)
    np.testing.assert_array_equal(first.of["ruler"], second.of["ruler"])
    assert first.keys == second.keys


def test_the_cache_gives_what_the_network_gives(pictures, tmp_path):
    found = extract(pictures, [Ruler()], cache=tmp_path / "cache").of["ruler"]
    batch = torch.from_numpy(np.stack([pictures.read(i) for i in range(20)])).permute(0, 3, 1, 2)
    np.testing.assert_allclose(found, Ruler()(batch).numpy(), rtol=1e-5, atol=1e-6)


def test_a_picture_is_known_by_its_pixels_not_its_name_or_container(pictures, tmp_path):
    extract(pictures, [Ruler()], cache=tmp_path / "cache")
    moved = tmp_path / "moved"
    moved.mkdir()
    for i in range(20):
        Image.fromarray(pictures.read(i)).save(moved / f"other{19 - i:03d}.tiff")
    again = extract(sources.folder(moved), [Ruler()], cache=tmp_path / "cache")
    assert again.computed == 0
    assert again.keys[::-1] == extract(pictures, [], cache=tmp_path / "cache").keys


def test_one_changed_pixel_is_another_picture(pictures, tmp_path):
    before = extract(pictures, [Ruler()], cache=tmp_path / "cache")
    path = pictures.path / pictures.names[7]
    pixels = pictures.read(7)
    pixels[3, 4, 1] ^= 1
    Image.fromarray(pixels).save(path)
    after = extract(sources.folder(pictures.path), [Ruler()], cache=tmp_path / "cache")
    assert after.computed == 1
    assert [a != b for a, b in zip(before.keys, after.keys, strict=True)] == [i == 7 for i in range(20)]


@pytest.mark.parametrize(
    "other", [Ruler(seed=6), Ruler(name="second"), Ruler(cells=2)], ids=["weights", "name", "dimension"]
)
def test_another_network_shares_nothing(pictures, tmp_path, other):
    extract(pictures, [Ruler()], cache=tmp_path / "cache")
    assert extract(pictures, [other], cache=tmp_path / "cache").computed == 20


def test_another_resize_shares_nothing(pictures, tmp_path):
    extract(pictures, [Ruler()], cache=tmp_path / "cache")
    other = Ruler()
    other.resize = "nearest to 32 x 32"
    assert extract(pictures, [other], cache=tmp_path / "cache").computed == 20


def shard(cache):
    (path,) = cache.rglob("*.safetensors")
    return path


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "header", "foreign"])
def test_a_damaged_file_is_never_believed(pictures, tmp_path, harm):
    cache = tmp_path / "cache"
    before = np.array(extract(pictures, [Ruler()], cache=cache).of["ruler"])
    path = shard(cache)
    content = bytearray(path.read_bytes())
    if harm == "foreign":  # well-formed, of other weights, put under our name
        other = tmp_path / "other"
        extract(pictures, [Ruler(seed=6)], cache=other)
        shutil.copy(shard(other), path)
    else:
        if harm == "flip":
            content[-5] ^= 0x10
        if harm == "header":
            content[20] ^= 0xFF
        path.write_bytes(b"" if harm == "empty" else content[: len(content) // 2] if harm == "cut" else content)
    again = extract(pictures, [Ruler()], cache=cache)
    np.testing.assert_allclose(again.of["ruler"], before, rtol=1e-6)
    assert again.computed == 20


def test_a_row_of_nan_in_the_cache_is_not_believed(pictures, tmp_path):
    cache = tmp_path / "cache"
    before = np.array(extract(pictures, [Ruler()], cache=cache).of["ruler"])
    path = shard(cache)
    with safetensors.safe_open(path, "np") as file:
        facts, rows = file.metadata(), file.get_tensor("features")
    rows[4] = np.nan
    facts["digest"] = hashlib.sha256(rows.tobytes()).hexdigest()
    path.write_bytes(safetensors.numpy.save({"features": rows}, metadata=facts))
    np.testing.assert_allclose(extract(pictures, [Ruler()], cache=cache).of["ruler"], before, rtol=1e-6)


def test_two_networks_in_one_pass_read_each_picture_once(pictures, tmp_path):
    reads = []
    counted = sources.Source(
        "counted", "folder", pictures.names, 32, 32, lambda i: (reads.append(i), pictures.read(i))[1]
    )
    extract(counted, [Ruler(), Ruler(name="second", seed=9)], cache=tmp_path / "cache")
    assert sorted(reads) == list(range(20))


def test_copies_are_computed_once(tmp_path):
    folder = paint(tmp_path / "p", 4)
    for i in range(6):
        shutil.copy(folder / "seed000001-black.png", folder / f"copy{i}.png")
    ruler = Ruler()
    found = extract(sources.folder(folder), [ruler])
    assert ruler.seen == 4
    assert len(set(found.keys)) == 4
    assert not np.array_equal(found.of["ruler"][0], found.of["ruler"][-1])


def test_a_network_that_gives_nan_is_refused_by_picture(pictures):
    class Broken(Ruler):
        def forward(self, images):
            rows = super().forward(images)
            rows[images.float().mean((1, 2, 3)).argmin()] = float("nan")
            return rows

    with pytest.raises(DataError, match=r"not numbers .*seed\d+"):
        extract(pictures, [Broken()])


def test_a_network_that_lies_about_its_dimension_is_refused(pictures):
    ruler = Ruler()
    ruler.dim = 9
    with pytest.raises(ModelError, match="shape"):
        extract(pictures, [ruler])


def test_a_store_is_found_again_by_another_store(tmp_path):
    store = Store(tmp_path, Ruler())
    keys = [i.to_bytes(32, "big") for i in range(1, 301)]
    for i, key in enumerate(keys):
        store.add(key, np.full(8, i, np.float32))
    assert len(list(store.folder.iterdir())) == 1, "a full file is written before the last"
    store.flush()
    out = np.zeros((301, 8), np.float32)
    missing = Store(tmp_path, Ruler()).scan().fill([*keys[::-1], b"x" * 32], out)
    assert missing == [300]
    np.testing.assert_array_equal(out[:300, 0], np.arange(300)[::-1])


def test_a_file_that_another_process_is_still_writing_is_not_looked_at(tmp_path, caplog):
    store = Store(tmp_path, Ruler())
    store.folder.mkdir(parents=True)
    (store.folder / ".partial-77-abc.safetensors").write_bytes(b"half")
    assert store.scan().rows == {}
    assert "damaged" not in caplog.text


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    def peak(n: int) -> int:
        def read(i: int) -> np.ndarray:
            return np.random.default_rng(i).integers(256, size=(64, 64, 3)).astype(np.uint8)

        source = sources.Source("made", "folder", tuple(str(i) for i in range(n)), 64, 64, read)
        tracemalloc.start()
        extract(source, [Ruler(cells=4)], cache=tmp_path / str(n))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    grown = peak(1200) - peak(400)
    assert grown < 800 * 1500, f"{grown} bytes: pictures have 12288 bytes each, their hashes and places some hundred"
