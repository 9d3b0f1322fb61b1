"""Building: what goes in, what comes out, that it is the same bytes whatever happens on the way, and that nothing leaks."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from lianpu import images
from lianpu.data import check, duplicates, layout, prepare, sketch
from lianpu.data.build import build
from lianpu.data.colour import CLASSES, classify
from lianpu.errors import DataError, ResourceError, Stopped, UsageError

from . import faces
from .faces import RIGHTS, encoded, face, save


def lines(path, split="train"):
    return [json.loads(line) for line in (path / split / "metadata.jsonl").read_text("utf-8").splitlines()]


def every(path):
    return [row | {"split": s} for s in ("train", "test") if (path / s).exists() for row in lines(path, s)]


def make(sources, to, **options):
    sources = sources if isinstance(sources, list) else [sources]
    return build(sources, to, **({"size": 32, "rights": RIGHTS, "workers": 1} | options))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return faces.folder(tmp_path_factory.mktemp("source") / "脸 谱", 21)


@pytest.fixture(scope="module")
def expanded(source, tmp_path_factory):
    to = tmp_path_factory.mktemp("expanded") / "data"
    return make(source, to, expand=True, test=0.3, sketches=True), to


# --- what comes out ----------------------------------------------------------------------------------


def test_every_original_becomes_four_described_pictures(expanded):
    report, to = expanded
    rows = every(to)
    assert (report.pictures, report.originals, len(rows)) == (84, 21, 84)
    assert set(Counter(r["source_sha256"] for r in rows).values()) == {4}
    for row in rows:
        pixels = images.decode(to / row["split"] / row["file_name"]).pixels
        assert pixels.shape == (32, 32, 3)
        if row["recolour"]:
            ((change,),) = (json.loads(row["recolour"]),)
            assert change["to"]["paint"] == row["colour"] != change["from"]["paint"]
            assert set(change["from"]) == {"paint", "hex", "lab"}
            assert row["colour_from"] == "recolour"
        else:
            assert row["colour"] == row["colour_measured"] == classify(pixels).name


def test_mirrors_are_mirrors(expanded):
    _, to = expanded
    rows = {(r["source_sha256"], bool(r["recolour"]), r["mirror"]): to / r["split"] / r["file_name"] for r in every(to)}
    for (sha, new, mirrored), file in rows.items():
        if not mirrored:
            twin = images.decode(rows[sha, new, True]).pixels
            np.testing.assert_array_equal(twin, images.decode(file).pixels[:, ::-1])


def test_the_sketches_lie_beside(expanded):
    _, to = expanded
    for row in every(to)[:6]:
        picture = images.decode(to / row["split"] / row["file_name"]).pixels
        with Image.open(to / "sketches" / row["split"] / row["file_name"]) as drawing:
            assert drawing.mode == "L"
            plain = sketch.sketch(picture[:, ::-1] if row["mirror"] else picture)
            np.testing.assert_array_equal(np.asarray(drawing), plain[:, ::-1] if row["mirror"] else plain)


def test_hugging_face_opens_it_with_all_columns(expanded, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets.disable_progress_bars()
    _, to = expanded
    found = datasets.load_dataset("imagefolder", data_dir=str(to), cache_dir=str(tmp_path))
    assert {k: len(v) for k, v in found.items()} == {"train": len(lines(to)), "test": len(lines(to, "test"))}
    want = {"image", "colour", "colour_confidence", "mirror", "recolour", "group", "source", "licence", "sha256"}
    assert want <= set(found["train"].column_names)
    assert found["test"][0]["image"].size == (32, 32) and found["test"][0]["colour"] in CLASSES


def test_no_group_lies_on_both_sides_and_each_colour_is_tested(expanded):
    _, to = expanded
    sides = {}
    for row in every(to):
        sides.setdefault(row["group"], set()).add(row["split"])
    assert all(len(s) == 1 for s in sides.values())
    assert {r["colour"] for r in lines(to, "test") if not r["recolour"]} == set(CLASSES)


def test_near_copies_share_a_side_even_across_sources(tmp_path):
    faces.folder(tmp_path / "a", 12)
    for i in range(0, 12, 2):
        pixels = face(i, list(faces.PAINT)[i % 7], 64)
        (tmp_path / "b").mkdir(exist_ok=True)
        (tmp_path / "b" / f"x{i}.jpg").write_bytes(encoded(pixels[:, ::-1], "JPEG", quality=85))
    report = make([tmp_path / "a", tmp_path / "b"], tmp_path / "data", test=0.5)
    assert report.originals == 18 and report.groups == 12
    assert any("near-copies" in note for note in report.notes)
    assert check.check(tmp_path / "data").offences == []


def test_dataset_json_and_the_card_tell_the_same(expanded):
    report, to = expanded
    info = json.loads((to / "dataset.json").read_text())
    assert info["pictures"] == 84 and info["size"] == 32 and info["rights"]["status"] == "known"
    assert info["fingerprint"] == report.fingerprint and info["settings"]["expand"] is True
    card = (to / "README.md").read_text("utf-8")
    assert card.startswith("---\nlicense: cc0-1.0\n") and "| CC0-1.0 | 84 |" in card and "84 pictures" in card
    assert str(to) not in card and str(to) not in (to / "dataset.json").read_text()


@pytest.mark.slow
def test_1782_become_exactly_7128(tmp_path):
    """Yan et al. 2023: 1782 masks, mirrored and recoloured, are 7128."""
    dice = np.random.default_rng(0)
    (tmp_path / "src").mkdir()
    for i in range(1782):
        pixels = np.full((16, 16, 3), 255, np.uint8)
        pixels[2:14, 2:14] = dice.integers(0, 256, 3)
        pixels[4:12, 4:12][dice.random((8, 8)) < 0.3] = dice.integers(0, 256, 3)
        (tmp_path / "src" / f"{i}.png").write_bytes(images.encode_png(pixels))
    report = make(tmp_path / "src", tmp_path / "data", size=16, expand=True, workers=None)
    assert (report.originals, report.pictures, len(every(tmp_path / "data"))) == (1782, 7128, 7128)


# --- the same bytes, whatever happens ----------------------------------------------------------------


def test_workers_change_nothing(source, tmp_path):
    options = {"expand": True, "sketches": "lines"}
    make(source, tmp_path / "one", workers=1, **options)
    make(source, tmp_path / "two", workers=2, **options)
    assert faces.files(tmp_path / "one") == faces.files(tmp_path / "two")


def test_the_second_run_does_nothing(source, tmp_path, monkeypatch):
    first = make(source, tmp_path / "data")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "data").rglob("*") if p.is_file() and p.name != "lock"}
    monkeypatch.setattr(prepare, "_prepare", lambda job: pytest.fail("prepared again"))
    second = make(source, tmp_path / "data")
    assert not first.unchanged and second.unchanged and "Nothing to do" in second.lines()[-1]
    after = {p: p.stat().st_mtime_ns for p in before if p.name != "placed.json"}
    assert after == {p: t for p, t in before.items() if p.name != "placed.json"}


def test_what_was_lost_or_damaged_is_made_again(source, tmp_path):
    make(source, tmp_path / "data")
    whole = faces.files(tmp_path / "data")
    files = sorted((tmp_path / "data" / "train").glob("*.png"))
    files[0].unlink()
    files[1].write_bytes(b"damaged")
    report = make(source, tmp_path / "data")
    assert not report.unchanged and faces.files(tmp_path / "data") == whole


class _Interrupt:
    """A progress callback that presses Ctrl-C after so many pictures."""

    def __init__(self, after):
        self.after = after

    def __call__(self, done, total, what):
        if what == "preparing" and done == self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("workers", [1, 2])
def test_interrupted_it_continues_to_the_same_bytes(source, tmp_path, workers, monkeypatch):
    make(source, tmp_path / "straight", expand=True)
    with pytest.raises(Stopped) as caught:
        make(source, tmp_path / "data", expand=True, workers=workers, progress=_Interrupt(9))
    assert caught.value.exit_code == 130
    prepared, real = [], prepare._prepare
    monkeypatch.setattr(prepare, "_prepare", lambda job: prepared.append(job) or real(job))
    make(source, tmp_path / "data", expand=True)
    assert 0 < len(prepared) <= 21 - 9
    assert faces.files(tmp_path / "data") == faces.files(tmp_path / "straight")


def test_killed_while_it_places_its_pictures_it_still_gets_there(source, tmp_path, monkeypatch):
    make(source, tmp_path / "straight", expand=True)
    from lianpu.data import layout

    calls, real = [], prepare.digest

    def dies(path):
        calls.append(path)
        if len(calls) > 30:
            raise SystemExit("killed")
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(layout.prepare, "digest", dies)
        with pytest.raises(SystemExit):
            make(source, tmp_path / "data", expand=True)
    assert any((tmp_path / "data" / "train").glob("*.png")) and not (tmp_path / "data" / "dataset.json").exists()
    make(source, tmp_path / "small", size=16)
    make(source, tmp_path / "data", size=16)  # with other settings nothing of the first attempt may stay
    assert faces.files(tmp_path / "data") == faces.files(tmp_path / "small")
    make(source, tmp_path / "data", expand=True)
    assert faces.files(tmp_path / "data") == faces.files(tmp_path / "straight")


def test_other_settings_leave_nothing_of_the_old(source, tmp_path):
    make(source, tmp_path / "data", expand=True, sketches=True, test=0.3)
    make(source, tmp_path / "data", size=16, test=0.0)
    make(source, tmp_path / "fresh", size=16, test=0.0)
    again, fresh = faces.files(tmp_path / "data"), faces.files(tmp_path / "fresh")
    assert again == fresh | {"test/metadata.jsonl": b""}


def test_a_colour_edited_by_hand_survives_a_rebuild_with_more_pictures(tmp_path):
    src = faces.folder(tmp_path / "src", 8)
    make(src, tmp_path / "data", expand=True)
    file = tmp_path / "data" / "train" / "metadata.jsonl"
    rows = lines(tmp_path / "data")
    row = next(r for r in rows if not r["mirror"] and not r["recolour"])
    new = "purple" if row["colour"] != "purple" else "green"
    file.write_text("".join(json.dumps(r | ({"colour": new} if r is row else {})) + "\n" for r in rows))
    save(src / "one more.png", face(99))
    report = make(src, tmp_path / "data", expand=True)
    assert any("edited by hand" in note for note in report.notes)
    mine = [r for r in every(tmp_path / "data") if r["source_sha256"] == row["source_sha256"] and not r["recolour"]]
    assert [r["colour"] for r in mine] == [new, new] and {r["colour_as_built"] for r in mine} == {row["colour"]}
    assert check.check(tmp_path / "data").edited == 2


def test_two_builds_of_one_folder_do_not_mix(source, tmp_path):
    import filelock

    (tmp_path / "data" / ".build").mkdir(parents=True)
    with filelock.FileLock(tmp_path / "data" / ".build" / "lock"), pytest.raises(ResourceError, match="Another build"):
        make(source, tmp_path / "data")


# --- labels and rights -------------------------------------------------------------------------------


def test_labels_of_the_source_go_first_and_travel(tmp_path):
    for i in range(4):
        save(tmp_path / "src" / f"{i}.png", face(i, "red", 64))
        save(tmp_path / "src" / "regions" / f"{i}.png", face(i, "red", 64)[::-1])  # named nowhere: no picture
    rows = [{"file_name": f"{i}.png", "colour": c, "colour_class": k, "kind": "zhenglian", "character": None}
            for i, (c, k) in enumerate((("gold", "yellow"), ("red", "red"), ("red", "red"), ("blue", "blue")))]  # fmt: skip
    (tmp_path / "src" / "metadata.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows) + "torn{\n")
    report = make(tmp_path / "src", tmp_path / "data", test=0.0)
    found = sorted(lines(tmp_path / "data"), key=lambda r: r["source"])
    assert [r["colour"] for r in found] == ["yellow", "red", "red", "blue"]
    assert [r["paint"] for r in found] == ["gold", "red", "red", "blue"]
    assert {r["colour_measured"] for r in found} == {"red"} and {r["kind"] for r in found} == {"zhenglian"}
    assert any("agree on 2 (50.0%)" in note for note in report.notes)


def test_without_rights_it_refuses_and_with_the_override_it_says_so(source, tmp_path):
    with pytest.raises(DataError, match="21 of 21 pictures have no source and licence") as caught:
        make(source, tmp_path / "data", rights=None)
    assert "rights.csv" in caught.value.fix and not (tmp_path / "data").exists()
    report = make(source, tmp_path / "data", rights=None, allow_unknown_rights=True)
    assert report.rights["status"] == "unknown"
    assert json.loads((tmp_path / "data" / "dataset.json").read_text())["rights"]["status"] == "unknown"
    assert "**Rights unknown.**" in (tmp_path / "data" / "README.md").read_text()
    assert {r["licence"] for r in every(tmp_path / "data")} == {"unknown"}


def test_a_rights_table_in_the_folder_is_found_and_one_gap_in_it_too(tmp_path):
    src = faces.folder(tmp_path / "src", 3)
    (src / "rights.csv").write_text("file,source,licence\nface 00[01].png,me,CC0-1.0\n")
    with pytest.raises(DataError, match=r"1 of 3 .*face 002"):
        make(src, tmp_path / "data", rights=None)
    (src / "rights.csv").write_text("file,source,licence\nface 002.png,you,MIT\n*,me,CC0-1.0\n")
    report = make(src, tmp_path / "data", rights=None)
    assert report.rights["licences"] == {"CC0-1.0": 2, "MIT": 1} and report.rights["sources"] == ["me", "you"]


# --- bad input ---------------------------------------------------------------------------------------


def test_bad_files_are_quarantined_with_their_reasons_and_left_where_they_are(tmp_path):
    src = faces.folder(tmp_path / "src", 5)
    good = encoded(face(50, size=64))
    bad = {
        "empty.png": (b"", "empty"),
        "text.png": (b"I am text", "text"),
        "short.png": (good[: len(good) // 2], "cut off"),
        "bomb.png": (bomb(), "9000 x 9000"),
        "tiny.png": (encoded(np.zeros((1, 1, 3), np.uint8)), "1 x 1 pixels, too few"),
        "sliver.bmp": (encoded(np.zeros((2, 3000, 3), np.uint8), "BMP"), "too few"),
        "same again.png": ((src / "face 001.png").read_bytes(), "same file"),
        "drawing.psd": (b"8BPS", "PSD"),
    }
    for name, (data, _) in bad.items():
        (src / name).write_bytes(data)
    os.mkfifo(src / "pipe.png")
    (src / "link.png").symlink_to(src / "face 000.png")
    report = make(src, tmp_path / "data")
    assert report.originals == 5
    told = {row["name"].removeprefix("src/"): row["reason"] for row in report.quarantined}
    assert set(told) == {*bad, "pipe.png", "link.png"}
    for name, (data, reason) in bad.items():
        assert reason in told[name] and (src / name).read_bytes() == data
    kept = [json.loads(line) for line in (tmp_path / "data" / "quarantine.jsonl").read_text().splitlines()]
    assert kept == report.quarantined
    with pytest.raises(DataError, match="10 files cannot be used: the first"):
        make(src, tmp_path / "strict", strict=True)


def bomb():
    from tests.test_images import handmade_png

    return handmade_png(9000, 9000, 8, 2)


def test_every_kind_of_picture_comes_in_and_says_what_was_done(tmp_path):
    src = tmp_path / "src"
    exif = Image.Exif()
    exif[0x0112] = 6
    save(src / "turned.jpg", face(1, size=64), exif=exif)
    save(src / "cmyk.tif", np.asarray(Image.fromarray(face(2, size=64)).convert("CMYK")))
    Image.fromarray(face(2, size=64)).convert("CMYK").save(src / "cmyk.tif")
    Image.fromarray(face(3, size=64)[..., 0].astype(np.uint16) * 257).save(src / "deep.png")
    Image.fromarray(face(4, size=64)).save(
        src / "moving.webp", save_all=True, append_images=[Image.fromarray(face(5, size=64))], lossless=True
    )
    save(src / "wide.bmp", np.hstack([face(6, size=64)] * 3))
    report = make(src, tmp_path / "data", test=0.0)
    notes = {r["source"].removeprefix("src/"): r["notes"] for r in lines(tmp_path / "data")}
    assert report.originals == 5 and report.quarantined == []
    assert "upright" in notes["turned.jpg"] and "CMYK" in notes["cmyk.tif"] and "16 bits" in notes["deep.png"]
    assert "first of 2 frames" in notes["moving.webp"]


def test_names_of_all_kinds_become_names_safe_everywhere(tmp_path):
    names = [
        "关羽.png",
        "line\nbreak.png",
        "emoji 🎭.png",
        "CON.png",
        "a:b?*.png",
        "x" * 200 + ".png",
        "..png",
        "'; rm -rf.png",
    ]
    for i, name in enumerate(names):
        (tmp_path / "src").mkdir(exist_ok=True)
        (tmp_path / "src" / name).write_bytes(encoded(face(i, size=64)))
    make(tmp_path / "src", tmp_path / "data", test=0.0)
    rows = lines(tmp_path / "data")
    assert {r["source"] for r in rows} == {f"src/{n}" for n in names if not n.startswith(".")}
    for row in rows:
        stem = row["file_name"].removesuffix(".png")
        assert len(row["file_name"]) < 80 and all(c.isalnum() or c in "-_" for c in stem)
        assert stem.split("-")[0].upper() != stem.upper() or stem.isalnum()  # no bare reserved name such as CON
    assert any("关羽" in r["file_name"] for r in rows)


def test_zips_and_folders_together(tmp_path):
    faces.folder(tmp_path / "src", 3)
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as file:
        for i in range(3, 6):
            file.writestr(f"../../{i}.png", encoded(face(i, size=64)))
        file.writestr("rights.csv", "file,source,licence\n*,zip,MIT\n")
    (tmp_path / "src" / "rights.csv").write_text("file,source,licence\n*,folder,CC0-1.0\n")
    report = make([tmp_path / "src", tmp_path / "more.zip"], tmp_path / "data", rights=None)
    assert report.originals == 6 and report.rights["licences"] == {"CC0-1.0": 3, "MIT": 3}
    assert {p.name for p in tmp_path.iterdir()} == {"src", "more.zip", "data"}
    single = make([tmp_path / "src" / "face 000.png"], tmp_path / "single", rights=None)
    assert single.originals == 1


def test_nothing_to_build_from_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no picture to be read"):
        make(tmp_path / "empty", tmp_path / "data")
    (tmp_path / "empty" / "x.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"All 1 files cannot be used: the first, empty/x\.png, is text"):
        make(tmp_path / "empty", tmp_path / "data")
    with pytest.raises(UsageError, match="no source"):
        make([], tmp_path / "data")
    with pytest.raises(DataError, match="There is no"):
        make(tmp_path / "missing", tmp_path / "data")


def test_one_picture_and_all_alike_are_built_with_a_warning(tmp_path):
    one = make(faces.folder(tmp_path / "one", 1), tmp_path / "data1")
    assert one.splits == {"train": 1} and "Only one picture" in one.notes[0]
    pixels = face(1, size=64)
    (tmp_path / "alike").mkdir()
    for quality in (60, 70, 80, 90):
        (tmp_path / "alike" / f"{quality}.jpg").write_bytes(encoded(pixels, "JPEG", quality=quality))
    alike = make(tmp_path / "alike", tmp_path / "data2", test=0.5)
    assert alike.groups == 1 and alike.splits == {"train": 4} and "near-copies of one another" in alike.notes[0]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"size": 100}, "power of two.*\n*.*128"),
        ({"size": 4}, "power of two"),
        ({"test": 0.9}, "share from 0 to 0.5"),
        ({"crop": "portrait"}, "no crop mode"),
        ({"sketches": "fine"}, "no sketch style"),
        ({"rights": "CC0"}, "neither a file nor"),
    ],
)
def test_wrong_options_are_refused_before_any_work(source, tmp_path, options, reason):
    with pytest.raises(UsageError, match=reason):
        make(source, tmp_path / "data", **options)
    assert not (tmp_path / "data").exists()


def test_the_output_is_never_a_source_nor_somebody_elses_folder(source, tmp_path):
    src = faces.folder(tmp_path / "src", 3)
    before = faces.files(src)
    for to in (src, src.parent):
        with pytest.raises(UsageError, match="lies in the folder"):
            make(src, to)
    with pytest.raises(DataError, match="something else than a data set"):
        make(source, src)
    make(src, src / "data")  # inside the source is fine: it is passed by
    assert make(src, src / "data").unchanged
    assert {k: v for k, v in faces.files(src).items() if not k.startswith("data")} == before
    with pytest.raises(DataError, match="lianpu built"):
        make(src / "data", tmp_path / "other")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_exit_5(source, tmp_path):
    (tmp_path / "shut").mkdir(mode=0o500)
    with pytest.raises(ResourceError):
        make(source, tmp_path / "shut" / "data")


def test_a_full_disk_is_exit_5_and_the_old_set_stays(source, tmp_path, monkeypatch):
    make(source, tmp_path / "data")
    whole = faces.files(tmp_path / "data")
    from pathlib import Path

    real = Path.write_bytes
    monkeypatch.setattr(
        Path, "write_bytes", lambda self, data: full(self) if "pictures" in self.parts else real(self, data)
    )

    def full(path):
        raise OSError(28, "No space left on device")

    with pytest.raises(ResourceError, match="full") as caught:
        make(source, tmp_path / "data", size=16)
    assert caught.value.exit_code == 5 and faces.files(tmp_path / "data") == whole


@pytest.mark.slow
def test_killed_at_any_moment_the_next_run_ends_in_the_same_bytes(source, tmp_path):
    make(source, tmp_path / "straight", expand=True)
    code = (
        "import sys; from lianpu.data.build import build\n"
        f"build([sys.argv[1]], sys.argv[2], size=32, rights={RIGHTS!r}, workers=1, expand=True)"
    )
    for seconds in (0.9, 1.3):
        child = subprocess.Popen([sys.executable, "-c", code, str(source), str(tmp_path / "data")])
        time.sleep(seconds)
        child.kill()
        child.wait()
    make(source, tmp_path / "data", expand=True)
    assert faces.files(tmp_path / "data") == faces.files(tmp_path / "straight")


def test_killed_in_mid_rebuild_the_set_does_not_pass_for_whole(source, tmp_path, monkeypatch):
    to = tmp_path / "data"
    make(source, to, size=32)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(layout, "_place", killed)
        with pytest.raises(KeyboardInterrupt):
            make(source, to, size=16)
    with pytest.raises(DataError, match="not a finished data set"):
        check.check(to)
    assert make(source, to, size=16).pictures == 21
    check.check(to).require()


def test_a_label_given_to_one_colour_change_does_not_fit_another(source, tmp_path):
    to = tmp_path / "data"
    make(source, to, expand=True, seed=0)
    table = to / "train" / "metadata.jsonl"
    rows = lines(to)
    for row in rows:
        if row["recolour"]:
            row["colour"] = next(c for c in CLASSES if c != row["colour"])
    table.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    told = {(r["source_sha256"], r["recolour"]): r["colour"] for r in rows if r["recolour"]}
    make(source, to, expand=True, seed=1)
    same = 0
    for row in every(to):
        if row["recolour"]:
            edited = told.get((row["source_sha256"], row["recolour"]))
            same += edited is not None
            assert row["colour"] == (edited or row["colour_as_built"])
    assert same < len(told)


def test_what_was_grouped_is_not_sought_again(source, tmp_path, monkeypatch):
    to = tmp_path / "data"
    first = make(source, to)
    with monkeypatch.context() as patch:
        patch.setattr(duplicates, "groups", None)  # to be called would be an error
        assert make(source, to).unchanged
        with pytest.raises(TypeError):
            make(source, to, similar=0.5)
    (to / ".build" / "groups.json").write_text("[")
    again = make(source, to)
    assert (again.unchanged, again.fingerprint) == (True, first.fingerprint)


def test_the_table_of_a_folder_counts_for_its_pictures(tmp_path):
    src = tmp_path / "src"
    for number, name in enumerate(("a.png", "museum/b.png", "museum/deep/c.png", "museum/deep/d.png")):
        save(src / name, face(number))
    (src / "rights.csv").write_text("file,source,licence\n*,atelier,MIT\n")
    (src / "museum" / "rights.csv").write_text("file,source,licence\nb.png,museum,CC0-1.0\n")
    (src / "museum" / "deep" / "rights.csv").write_text("file,source,licence\nc.png,archive,CC-BY-4.0\n")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as packed:
        for path in sorted(p for p in src.rglob("*") if p.is_file()):
            packed.write(path, path.relative_to(src).as_posix())
    for source in (src, tmp_path / "z.zip"):
        to = tmp_path / f"data-{source.name}"
        build([source], to, size=32, test=0, workers=1)
        found = {row["source"].partition("/")[2]: row["licence"] for row in every(to)}
        assert found == {
            "a.png": "MIT", "museum/b.png": "CC0-1.0", "museum/deep/c.png": "CC-BY-4.0", "museum/deep/d.png": "MIT",
        }  # fmt: skip


def test_what_metadata_does_not_name_is_left_out_and_said(tmp_path):
    src = tmp_path / "src"
    save(src / "a.png", face(0))
    save(src / "maps" / "a.png", face(1))
    (src / "metadata.jsonl").write_text('{"file_name": "a.png"}\n')
    report = make(src, tmp_path / "data")
    assert report.originals == 1
    assert any("src/maps was left out (1 files)" in note for note in report.notes)


def test_a_data_set_among_the_sources_is_no_source(source, tmp_path):
    outer = tmp_path / "outer"
    save(outer / "a.png", face(0))
    make(source, outer / "built")
    report = make(outer, tmp_path / "data")
    assert report.originals == 1
    assert [line["reason"] for line in report.quarantined] == ["is a data set that lianpu built, not its sources"]


def test_a_picture_without_an_ending_is_a_picture(tmp_path):
    save(tmp_path / "src" / "a.png", face(0))
    (tmp_path / "src" / "a.png").rename(tmp_path / "src" / "scan 7")
    (tmp_path / "src" / "README").write_text("no picture")
    assert make(tmp_path / "src", tmp_path / "data").originals == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_no_worker_outlives_a_build_that_is_ended(tmp_path, number, code):
    faces.folder(tmp_path / "src", 60, 256)
    words = [
        "data",
        "build",
        tmp_path / "src",
        "--to",
        tmp_path / "data",
        "--size",
        "256",
        "--expand",
        "--workers",
        "2",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "lianpu", *map(str, words), "--rights", RIGHTS, "--sketches", "colour"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs are born deaf to it
    )  # fmt: skip
    end = time.monotonic() + 60
    while not list((tmp_path / "data").glob(".build/pieces/*")):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(number)
    _, messages = process.communicate(timeout=60)  # ends only when no worker holds the pipe any more
    assert process.returncode == code
    assert "Run it again" in messages or number == signal.SIGKILL


def test_colours_are_changed_before_the_picture_is_made_small(source, tmp_path):
    """In a picture of 32 pixels every outline is a mixture: exchanged there, paint leaves fringes."""
    make(source, tmp_path / "small", size=32, expand=True, test=0)
    make(source, tmp_path / "large", size=64, expand=True, test=0)
    seen = 0
    for row in every(tmp_path / "small"):
        if row["recolour"]:
            small, large = (images.decode(tmp_path / n / "train" / row["file_name"]).pixels for n in ("small", "large"))
            assert np.array_equal(small, images.resize(large, 32))
            seen += 1
    assert seen == 42
