"""The proof of a data set: every fault it is there to find, put in on purpose."""

import hashlib
import json
import shutil

import pytest

from lianpu import images
from lianpu.data import card, check
from lianpu.data.build import build
from lianpu.errors import CheckFailed, DataError

from . import faces


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("check")
    faces.folder(path / "src", 14, 64)
    build(
        [path / "src"],
        path / "data",
        size=32,
        test=0.5,
        expand=True,
        rights=faces.RIGHTS,
        sketches=True,
        workers=1,
    )
    return path / "data"


@pytest.fixture
def copy(built, tmp_path):
    return shutil.copytree(built, tmp_path / "data")


def rows(path, split="train"):
    return [json.loads(line) for line in (path / split / "metadata.jsonl").read_text("utf-8").splitlines()]


def put(path, lines, split="train"):
    (path / split / "metadata.jsonl").write_text(
        "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in lines), "utf-8"
    )


def fails(path, reason):
    report = check.check(path, workers=1)
    with pytest.raises(CheckFailed) as caught:
        report.require()
    assert caught.value.exit_code == 6
    assert any(reason in offence for offence in report.offences), report.offences
    return report


def test_a_good_set_is_proved(built):
    report = check.check(built, workers=1)
    report.require()
    info = json.loads((built / "dataset.json").read_text())
    assert report.offences == [] and report.pictures == 56 and report.edited == 0
    assert report.fingerprint == info["fingerprint"] == check.facts(built)["fingerprint"]
    assert json.dumps(report.facts()) and "none leaks" in report.lines()[0]


def test_a_changed_byte(copy):
    file = copy / "train" / rows(copy)[0]["file_name"]
    pixels = images.decode(file).pixels
    pixels[0, 0, 0] ^= 1
    file.write_bytes(images.encode_png(pixels))
    fails(copy, "SHA-256 differs")


def test_a_truncated_a_missing_and_a_foreign_file(copy):
    names = [row["file_name"] for row in rows(copy)]
    (copy / "train" / names[0]).write_bytes((copy / "train" / names[0]).read_bytes()[:-20])
    (copy / "train" / names[1]).unlink()
    faces.save(copy / "test" / "stranger.png", faces.face(1, size=32))
    report = fails(copy, "cut off")
    assert any("cannot be read" in o for o in report.offences) and any(
        "stranger.png: is not in" in o for o in report.offences
    )


def test_a_line_taken_away_is_missed(copy):
    lines = rows(copy)
    (copy / "train" / lines[0]["file_name"]).unlink()
    put(copy, lines[1:])
    fails(copy, "there are 55")


def move(path, which):
    """Move some pictures from train to test, files and lines alike, as a careless hand would."""
    lines, others = rows(path), rows(path, "test")
    moving = [row for row in lines if which(row)]
    for row in moving:
        shutil.move(path / "train" / row["file_name"], path / "test" / row["file_name"])
    put(path, [row for row in lines if row not in moving])
    put(path, others + moving, "test")
    return moving


def test_a_mirror_image_on_the_other_side_is_a_leak(copy):
    first = rows(copy)[0]["group"]
    move(copy, lambda row: row["group"] == first and row["mirror"])
    fails(copy, "on both sides of the split")


def test_a_near_copy_is_a_leak_even_where_the_lines_deny_it(copy):
    """A jpeg-worn, mirrored copy of a training picture, laid into test with an honest-looking line of its own."""
    original = next(row for row in rows(copy) if not row["mirror"] and not row["recolour"])
    pixels = images.decode(copy / "train" / original["file_name"]).pixels
    worn = images.decode(faces.encoded(pixels[:, ::-1], "JPEG", quality=80)).pixels
    file = copy / "test" / "new.png"
    file.write_bytes(images.encode_png(worn))
    sha = hashlib.sha256(file.read_bytes()).hexdigest()
    line = original | {"file_name": "new.png", "sha256": sha, "source_sha256": "0" * 64, "group": "f" * 12}
    put(copy, [*rows(copy, "test"), line], "test")
    report = check.check(copy, workers=1)
    assert any("is a near-copy of" in offence and "new.png" in offence for offence in report.offences)


def test_rights_that_were_changed_are_noticed(copy):
    lines = rows(copy)
    put(copy, [row | {"licence": "CC-BY-4.0"} for row in lines])
    fails(copy, "rights")


def test_an_edited_label_is_accepted_and_counted(copy):
    lines = rows(copy)
    new = "red" if lines[0]["colour"] != "red" else "blue"
    lines[0]["colour"] = new
    put(copy, lines)
    report = check.check(copy, workers=1)
    report.require()
    assert report.edited == 1 and report.fingerprint != json.loads((copy / "dataset.json").read_text())["fingerprint"]
    assert any("mirror images" in note for note in report.notes)
    before = (copy / "README.md").read_text()
    assert card.write(copy) == copy / "README.md" and (copy / "README.md").read_text() != before


def test_what_is_no_data_set(tmp_path):
    with pytest.raises(DataError):
        check.check(tmp_path)


def test_two_workers_find_the_same(copy):
    (copy / "train" / rows(copy)[0]["file_name"]).write_bytes(b"")
    assert check.check(copy, workers=2) == check.check(copy, workers=1)


@pytest.mark.parametrize("damage", ["missing", "empty", "another"])
def test_a_sketch_that_is_not_the_one_drawn(copy, damage):
    one, *rest = sorted((copy / "sketches" / "train").glob("*.png"))
    other = next(path for path in rest if path.read_bytes() != one.read_bytes())
    if damage == "missing":
        one.unlink()
    else:
        one.write_bytes(b"" if damage == "empty" else other.read_bytes())
    fails(copy, f"sketches/train/{one.name}")


@pytest.mark.parametrize("text", ['{"schema": 1}', '{"schema": 1, "size": "big"}', "[]", "{"])
def test_a_damaged_description_is_said(copy, text):
    (copy / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=r"dataset\.json (is damaged|has a schema)"):
        check.check(copy)
    with pytest.raises(DataError):
        check.facts(copy)
