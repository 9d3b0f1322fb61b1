"""A source is what it says: so many pictures, of one size, read from a folder, a data set or a model; anything else is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lianpu import images
from lianpu.data.folder import Folder
from lianpu.errors import DataError, ResourceError, UsageError
from lianpu.metrics import sources
from tests.data.faces import PAINT, face
from tests.metrics.rulers import paint


def test_a_folder_is_its_pictures_in_order_and_says_what_it_left_out(tmp_path):
    folder = paint(tmp_path / "p", 9)
    (folder / "notes.txt").write_text("hello")
    (folder / "metadata.jsonl").write_text("{}")
    (folder / ".hidden.png").write_text("")
    (folder / "more").mkdir()
    source = sources.folder(folder)
    assert list(source.names) == sorted(source.names)
    assert len(source) == 9
    np.testing.assert_array_equal(source.read(4), face(4, list(PAINT)[4], 32))
    assert source.labels == tuple([*PAINT, *PAINT][:9])
    assert "3 files" in source.note
    assert "notes.txt" in source.note


def test_a_sheet_of_generated_pictures_is_not_a_picture(tmp_path):
    folder = paint(tmp_path / "p", 3)
    sheet = images.encode_png(np.zeros((64, 96, 3), np.uint8), {"lianpu": '{"verb": "sheet"}'})
    (folder / "sheet-seed0-n3.png").write_bytes(sheet)
    assert len(sources.folder(folder)) == 3
    (folder / "sheet-of-mine.png").write_bytes(images.encode_png(face(9, "red", 32)))
    assert len(sources.folder(folder)) == 4


def test_subfolders_named_by_colour_are_classes(tmp_path):
    for colour in ("red", "black"):
        paint(tmp_path / "p" / colour, 3, colours=(colour,))
    (tmp_path / "p" / "white").mkdir()
    source = sources.folder(tmp_path / "p")
    assert source.labels == ("black",) * 3 + ("red",) * 3
    assert source.facts["empty_classes"] == ["white"]


def test_all_damaged_pictures_are_counted_and_the_first_named(tmp_path):
    folder = paint(tmp_path / "p", 8)
    for name in ("seed000003-blue.png", "seed000006-purple.png"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    source = sources.folder(folder)
    with pytest.raises(DataError, match=r"2 of 8 .*seed000003-blue\.png.*cut off"):
        [source.read(i) for i in range(8)]


def test_pictures_of_several_sizes_are_counted_and_the_first_named(tmp_path):
    folder = paint(tmp_path / "p", 6)
    Image.fromarray(face(20, "red", 48)).save(folder / "seed000020-red.png")
    Image.fromarray(face(21, "red", 32)[:, :20]).save(folder / "seed000021-red.png")
    source = sources.folder(folder)
    with pytest.raises(DataError, match=r"2 of 8 pictures are not 32 x 32 .*seed000020-red\.png, is 48 x 48"):
        [source.read(i) for i in range(8)]


@pytest.mark.parametrize("what", ["missing", "empty", "text only"])
def test_no_pictures_are_an_error(tmp_path, what):
    folder = tmp_path / "p"
    if what != "missing":
        folder.mkdir()
    if what == "text only":
        (folder / "a.txt").write_text("a")
    with pytest.raises(DataError):
        sources.folder(folder)


def test_a_data_set_is_read_as_training_reads_it(data):
    source = sources.dataset(data, "train", 16)
    opened = Folder.open(data, "train", 16)
    np.testing.assert_array_equal(source.read(3), opened.image(3))
    assert source.labels == tuple(opened.classes[i] for i in opened.labels())
    assert "reduced from 32 to 16 px" in source.note
    assert source.facts["fingerprint"] == opened.fingerprint


def test_a_data_set_opens_at_its_test_split_unless_told(data):
    assert sources.open_pictures(data).facts["split"] == "test"
    assert sources.open_pictures(data, split="train").facts["split"] == "train"


def test_a_folder_has_no_split(tmp_path):
    with pytest.raises(UsageError, match="no splits"):
        sources.open_pictures(paint(tmp_path / "p", 3), split="test")


def test_sizes_are_matched_only_where_training_would(data, tmp_path):
    small = sources.folder(paint(tmp_path / "small", 3, size=16))
    assert sources.match(sources.dataset(data), small).width == 16
    big = sources.folder(paint(tmp_path / "big", 3, size=64))
    with pytest.raises(DataError, match="--size 32") as caught:
        sources.match(sources.dataset(data), big)
    assert "never resized silently" in str(caught.value)
    with pytest.raises(DataError, match="--size 16"):
        sources.match(big, small)


def test_a_size_asked_for_is_made_and_said(tmp_path):
    source = sources.at_size(sources.folder(paint(tmp_path / "p", 3, size=64)), 32, 32)
    np.testing.assert_array_equal(source.read(1), images.resize(face(1, "black", 64), 32))
    assert "64 x 64 to 32 x 32" in source.note


def test_take_is_a_seeded_choice_without_repeats(tmp_path):
    source = sources.folder(paint(tmp_path / "p", 20))
    few = source.take(7, 3)
    assert len(set(few.names)) == 7
    assert few.names == source.take(7, 3).names != source.take(7, 4).names
    for i, name in enumerate(few.names):
        np.testing.assert_array_equal(few.read(i), source.read(source.names.index(name)))
        assert few.labels[i] == name.split("-")[1][:-4]
    assert source.take(20, 0) is source
    with pytest.raises(UsageError):
        source.take(1, 0)


def test_the_same_pixels_hash_alike_and_no_others():
    pixels = face(1, "red", 32)
    assert sources.pixel_hash(pixels) == sources.pixel_hash(np.asfortranarray(pixels))
    assert sources.pixel_hash(pixels) != sources.pixel_hash(pixels.reshape(16, 64, 3))


def test_a_model_paints_each_picture_once_and_the_same(model, monkeypatch):
    from lianpu.painter import Painter

    painter = Painter(model)
    painted = []
    paint_one = painter.paint
    monkeypatch.setattr(painter, "paint", lambda s: (painted.append(s.seed), paint_one(s))[1])
    source = sources.painted(painter, 5, seed=40, truncation=0.9)
    first = [source.read(i) for i in (3, 0, 3, 4)]
    assert painted == [43, 40, 44]
    np.testing.assert_array_equal(first[0], first[2])
    np.testing.assert_array_equal(first[1], paint_one(painter.subjects(1, 40, truncation=0.9)[0]))
    assert source.facts["seeds"] == [40, 44]
    assert source.facts["model_sha256"] == painter.model.sha256
    assert source.labels == tuple(s.label for s in painter.subjects(5, 40))


def test_too_many_pictures_for_the_disk_are_refused_before_any_is_painted(model):
    from lianpu.painter import Painter

    with pytest.raises(ResourceError, match="temporary space"):
        sources._Kept(10**9, (4096, 4096, 3), Painter(model).paint)
