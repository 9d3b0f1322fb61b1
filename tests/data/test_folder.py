"""A built data set as training reads it, and everything that stops it being opened."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from lianpu import images
from lianpu.data.build import build
from lianpu.data.colour import CLASSES
from lianpu.data.folder import Folder
from lianpu.errors import DataError

from . import faces


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("folder")
    build([faces.folder(path / "src", 21, 64)], path / "data", size=32, test=0.3, rights=faces.RIGHTS, workers=1)
    return path / "data"


@pytest.fixture
def copy(built, tmp_path):
    return shutil.copytree(built, tmp_path / "data")


def edit(path, change, split="train"):
    file = path / split / "metadata.jsonl"
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    change(lines)
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")


def test_pictures_and_labels_are_those_on_disk(built):
    folder = Folder.open(built)
    test = Folder.open(built, split="test")
    assert len(folder) + len(test) == 21 and folder.resolution == 32 and folder.classes == CLASSES
    for i, row in enumerate(folder.records):
        pixels = np.asarray(Image.open(built / "train" / row["file_name"]))
        np.testing.assert_array_equal(folder.image(i), pixels)
        assert CLASSES[folder.label(i)] == row["colour"]
    assert folder.arrays().shape == (len(folder), 32, 32, 3) and folder.labels().dtype == np.int64
    assert folder.rights["status"] == "known" and folder.rights["licences"] == {"CC0-1.0": 21}
    assert folder.fingerprint != test.fingerprint


def test_smaller_is_made_and_said_larger_is_refused(built):
    small = Folder.open(built, size=16)
    assert small.remarks() == ["The pictures of 32 px are reduced to 16 px."]
    assert Folder.open(built).remarks() == []
    np.testing.assert_array_equal(small.image(0), images.resize(Folder.open(built).image(0), 16))
    for size in (64, 24, 2):
        with pytest.raises(DataError, match=f"cannot be had at {size} px"):
            Folder.open(built, size=size)


def test_an_edited_label_counts_and_changes_the_fingerprint(copy):
    before = Folder.open(copy)
    new = "green" if before.records[0]["colour"] != "green" else "red"
    edit(copy, lambda lines: lines[0].update(colour=new))
    after = Folder.open(copy)
    assert CLASSES[after.label(0)] == new and after.fingerprint != before.fingerprint
    edit(copy, lambda lines: lines.reverse())
    assert Folder.open(copy).fingerprint == after.fingerprint  # order is no content


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda lines: lines[1].update(colour="redd"), "Did you mean red"),
        (lambda lines: lines[1].update(colour=None), "not one of the seven"),
        (lambda lines: lines[1].update(file_name="../x.png"), "not a plain file name"),
        (lambda lines: lines[1].update(file_name="C:x.png"), "not a plain file name"),
        (lambda lines: lines[1].update(file_name=lines[0]["file_name"]), "there twice"),
        (lambda lines: lines[1].pop("file_name"), "no file_name"),
        (lambda lines: lines.insert(1, [1, 2]), "no file_name"),
        (lambda lines: lines.clear(), "holds no picture"),
    ],
)
def test_a_wrong_line_is_named(copy, change, reason):
    edit(copy, change)
    with pytest.raises(DataError, match=reason) as caught:
        Folder.open(copy)
    assert "holds no picture" in reason or "line 2" in str(caught.value)


def test_a_torn_line_is_named(copy):
    file = copy / "train" / "metadata.jsonl"
    file.write_text(file.read_text("utf-8")[:-30], "utf-8")
    with pytest.raises(DataError, match="is not JSON"):
        Folder.open(copy)


def test_what_is_no_data_set_tells_how_to_make_one(tmp_path, copy):
    with pytest.raises(DataError, match="There is no folder"):
        Folder.open(tmp_path / "missing")
    faces.folder(tmp_path / "plain", 2)
    with pytest.raises(DataError, match="lianpu data build"):
        Folder.open(tmp_path / "plain")
    (copy / "dataset.json").unlink()
    with pytest.raises(DataError, match="not a finished data set"):
        Folder.open(copy)


def test_an_unknown_split_is_named(built):
    with pytest.raises(DataError, match="no split 'dev'"):
        Folder.open(built, split="dev")


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"schema": 99}', "[" * 100_000])
def test_a_damaged_dataset_json_is_said(copy, content):
    (copy / "dataset.json").write_text(content)
    with pytest.raises(DataError, match=r"dataset\.json"):
        Folder.open(copy)


def test_a_picture_of_another_size_is_not_resized_in_silence(copy):
    folder = Folder.open(copy)
    file = faces.save(copy / "train" / folder.records[0]["file_name"], faces.face(1, size=48))
    with pytest.raises(DataError, match="has changed since"):
        folder.image(0)
    folder.records[0]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(DataError, match="48 x 48 pixels in a data set of 32"):
        folder.image(0)
    (copy / "train" / folder.records[1]["file_name"]).unlink()
    with pytest.raises(DataError, match="cannot be read"):
        folder.image(1)


def test_identical_pictures_are_warned_of(copy):
    edit(copy, lambda lines: [line.update(sha256="same") for line in lines])
    assert "are the same" in Folder.open(copy).remarks()[0]
