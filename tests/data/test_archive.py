"""Sources full of traps: what is found, what is refused, and that nothing is ever followed or written elsewhere."""

import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from lianpu.data import archive
from lianpu.errors import DataError

from .faces import encoded, face, save

PNG = encoded(face(1, size=16))


def collect(*sources, exclude="nowhere"):
    _roots, items, refused = archive.collect(list(sources), Path(exclude))
    archive.close()
    return [i.name for i in items], {r.name: r.reason for r in refused}


def test_folders_are_walked_in_order_whatever_the_names(tmp_path):
    names = [
        "b.png",
        "a b.PNG",
        "脸谱/关羽.jpg",
        "emoji 🎭.webp",
        "line\nbreak.bmp",
        "CON.tif",
        "x" * 200 + ".png",
        ".hidden.png",
        "notes.txt",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PNG)
    found, refused = collect(tmp_path)
    base = tmp_path.name
    assert found == sorted((f"{base}/{n}" for n in names[:-2]), key=lambda n: n.encode()) and refused == {}


def test_a_name_that_is_no_unicode_is_read(tmp_path):
    with open(os.fsencode(tmp_path) + b"/\xb9\xd8\xd3\xf0.png", "wb") as file:
        file.write(PNG)
    _, (item,), _ = archive.collect([tmp_path], tmp_path / "out")
    item.name.encode()  # can be written down
    assert item.read() == PNG


def test_links_pipes_and_loops_are_refused_and_never_followed(tmp_path):
    outside = save(tmp_path / "outside" / "secret.png", face(2, size=16))
    source = tmp_path / "src"
    save(source / "good.png", face(1, size=16))
    (source / "link.png").symlink_to(outside)
    (source / "up").symlink_to(tmp_path)
    os.mkfifo(source / "pipe.png")
    found, refused = collect(source)
    assert found == ["src/good.png"]
    assert {k: v.split(",")[0] for k, v in refused.items()} == {
        "src/link.png": "is a link", "src/up": "is a link", "src/pipe.png": "is a pipe",
    }  # fmt: skip


def test_unread_formats_are_named_and_the_output_is_passed_by(tmp_path):
    for name in ("a.psd", "b.eps", "c.zip", "out/d.png", "e.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PNG)
    found, refused = collect(tmp_path, exclude=tmp_path / "out")
    assert found == [f"{tmp_path.name}/e.png"]
    assert "PSD" in refused[f"{tmp_path.name}/a.psd"] and "archive inside" in refused[f"{tmp_path.name}/c.zip"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_opened_is_reported(tmp_path):
    (tmp_path / "shut").mkdir(mode=0)
    _found, refused = collect(tmp_path)
    assert "cannot be opened" in refused[f"{tmp_path.name}/shut/"]


def test_a_built_data_set_is_no_source(tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    with pytest.raises(DataError, match="built"):
        collect(tmp_path)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(DataError, match="There is no"):
        collect(tmp_path / "missing")


# --- zip archives ------------------------------------------------------------------------------------


def pack(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def test_a_zip_is_read_member_by_member_under_its_common_folder(tmp_path):
    path = pack(
        tmp_path / "m.zip",
        {"masks/关羽.png": PNG, "masks/b.png": PNG, "masks/rights.csv": "x", "__MACOSX/._b.png": b"no"},
    )
    roots, items, refused = archive.collect([path], tmp_path / "out")
    assert [i.within for i in items] == ["b.png", "关羽.png"] and refused == [] and roots[0].tables == {"": b"x"}
    assert items[1].read() == PNG
    archive.close()


def test_slipping_names_lead_nowhere(tmp_path):
    slips = ["../../evil.png", "/etc/evil2.png", "C:\\evil3.png", "a/../../evil4.png", "..\\..\\evil5.png"]
    path = pack(tmp_path / "m.zip", dict.fromkeys(slips, PNG))
    before = set(tmp_path.rglob("*"))
    found, _ = collect(path)
    assert found == ["m.zip/a/evil4.png", "m.zip/etc/evil2.png", "m.zip/evil.png", "m.zip/evil3.png", "m.zip/evil5.png"]
    assert set(tmp_path.rglob("*")) == before


def test_names_packed_by_windows_in_china_are_repaired(tmp_path):
    path = pack(tmp_path / "m.zip", {"AAAA.png": PNG})
    path.write_bytes(path.read_bytes().replace(b"AAAA.png", "关羽".encode("gbk") + b".png"))
    assert collect(path)[0] == ["m.zip/关羽.png"]


def test_links_encryption_and_archives_inside_are_refused(tmp_path):
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w") as file:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("inner.zip", PNG)
        file.writestr("locked.png", PNG)
    data = bytearray(path.read_bytes())
    for mark in (b"PK\x01\x02", b"PK\x03\x04"):  # set the encryption bit where "locked.png" is described
        at = data.rfind(mark)
        data[at + (8 if mark == b"PK\x01\x02" else 6)] |= 1
    path.write_bytes(data)
    found, refused = collect(path)
    assert found == []
    assert "link" in refused["m.zip/link.png"] and "archive" in refused["m.zip/inner.zip"]
    assert "encrypted" in refused["m.zip/locked.png"]


def test_bombs_are_refused_unread(tmp_path):
    with pytest.raises(DataError, match="zip bomb"):
        collect(pack(tmp_path / "many.zip", {f"{i}.png": bytes(3 << 20) for i in range(10)}))
    path = pack(tmp_path / "one.zip", {"flat.png": bytes(3 << 20), "good.png": os.urandom(1 << 20)})
    found, refused = collect(path)
    assert found == ["one.zip/good.png"] and "times its size" in refused["one.zip/flat.png"]


def test_too_many_members_and_a_huge_directory_are_refused(tmp_path, monkeypatch):
    path = pack(tmp_path / "m.zip", {f"{i}.png": b"" for i in range(40)})
    monkeypatch.setattr(archive, "MAX_MEMBERS", 30)
    with pytest.raises(DataError, match="holds 40 files"):
        collect(path)
    monkeypatch.setattr(archive, "MAX_DIRECTORY", 1000)
    with pytest.raises(DataError, match="too large"):
        collect(path)
    data = bytearray(path.read_bytes())
    data[-6:-2] = b"PK\x05\x06"  # an offset that looks like an end record; zipfile corrects it
    path.write_bytes(data)
    with zipfile.ZipFile(path) as opened:
        assert len(opened.infolist()) == 40
    with pytest.raises(DataError, match="too large"):
        collect(path)


def test_a_member_that_lies_about_its_size_is_refused(tmp_path):
    path = pack(tmp_path / "m.zip", {"a.png": b"x" * 1000})
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.rfind(b"PK\x01\x02") + 24, 10)  # declared size
    path.write_bytes(data)
    _, (item,), _ = archive.collect([path], tmp_path / "out")
    with pytest.raises(DataError, match="cannot be unpacked"):
        item.read()
    archive.close()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense", b"no zip at all"])
def test_what_is_no_zip_is_said(tmp_path, content):
    (tmp_path / "m.zip").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as a zip"):
        collect(tmp_path / "m.zip")
