"""Where pictures come from: folders, zip archives and single files, walked so that nothing in them can lead
elsewhere. Links are not followed, pipes not opened, archives never unpacked to disk: a member is read into memory,
under caps, when its turn comes.
"""

from __future__ import annotations

import functools
import io
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lianpu import images
from lianpu.errors import DataError

__all__ = ["Item", "Refusal", "Root", "close", "collect"]

PICTURES = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif"}
UNREAD = {
    ".psd",
    ".eps",
    ".heic",
    ".heif",
    ".avif",
    ".svg",
    ".ico",
    ".jp2",
    ".jxl",
    ".tga",
    ".dng",
    ".cr2",
    ".nef",
    ".pdf",
}
ARCHIVES = {".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz"}
MAX_MEMBERS = 50_000
MAX_DIRECTORY = 64 << 20  # bytes of a zip's table of contents
MAX_ARCHIVE = 4 << 30
MAX_TOTAL = 16 << 30
MAX_RATIO = 100  # unpacked to packed bytes; pictures are packed already, so that real ones stay near 1
SMALL = 1 << 20  # members below this size may have any ratio: a flat BMP does


@dataclass(frozen=True)
class Item:
    """A picture to be read: `name` is what records call it; `within`, its path inside its source with /."""

    root: int
    name: str
    within: str
    path: Path
    member: int | None = None

    def read(self) -> bytes:
        """Its bytes; DataError with the reason where there are none to be had."""
        if self.member is None:
            return images.read_bytes(self.path)
        archive = _open(self.path)
        return _read_member(archive, archive.infolist()[self.member])


@functools.lru_cache(maxsize=1)
def _open(path: Path) -> zipfile.ZipFile:
    """The archive last read from stays open: its table of contents is long."""
    return zipfile.ZipFile(path)


def close() -> None:
    """Let go of the archive last read from."""
    _open.cache_clear()


@dataclass(frozen=True)
class Refusal:
    """A file that was not taken, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Root:
    """One of the user's sources: a folder, a zip archive, or a single file."""

    path: Path
    name: str
    tables: Mapping[str, bytes] = field(default_factory=dict)
    """Its rights.csv files by the folder within it that they lie in: "" is its own, "a/b/" that of a folder below."""
    metadata: bytes | None = None
    """Its metadata.jsonl."""


def collect(sources: Sequence[Path], exclude: Path) -> tuple[list[Root], list[Item], list[Refusal]]:
    """All pictures of the sources in a fixed order, and what was refused at sight. `exclude` (the output) is not
    walked into.
    """
    roots: list[Root] = []
    items: list[Item] = []
    refused: list[Refusal] = []
    for source in sources:
        name = _unused(source.resolve().name or "root", {root.name for root in roots})
        if source.is_dir():
            walk = _walk_folder
        elif source.suffix.lower() == ".zip":
            walk = _walk_zip
        else:
            walk = _single
        root, found, bad = walk(source, len(roots), name, exclude.resolve())
        roots.append(root)
        items += found
        refused += bad
    return roots, items, refused


def _unused(name: str, taken: set[str]) -> str:
    return next(n for i in range(1, len(taken) + 2) if (n := name if i == 1 else f"{name} ({i})") not in taken)


Walked = tuple[Root, list[Item], list[Refusal]]


def _single(path: Path, index: int, name: str, exclude: Path) -> Walked:
    if not os.path.lexists(path):
        raise DataError(f"There is no {path.name}.", str(path), "Give a folder, a zip or a picture that exists.")
    table = path.parent / "rights.csv"
    root = Root(path, name, {"": images.read_bytes(table, limit=64 << 20)} if table.is_file() else {})
    return root, [Item(index, readable(name), path.name, path)], []


# --- folders --------------------------------------------------------------------------------------


def _walk_folder(path: Path, index: int, name: str, exclude: Path) -> Walked:
    if (path / "dataset.json").exists():
        raise DataError(
            f"{path.name} is a data set that lianpu built; its pictures are copies, mirrored and recoloured.",
            str(path),
            "Give the folder it was built from.",
        )
    items: list[Item] = []
    refused: list[Refusal] = []
    tables: dict[str, bytes] = {}
    for entry, within in _entries(path, "", exclude, refused, readable(name)):
        label = f"{readable(name)}/{within}"
        suffix = PurePosixPath(within).suffix.lower()
        if reason := _at_sight(within):
            refused.append(Refusal(label, reason))
        elif entry.name == "rights.csv":
            tables[within.removesuffix("rights.csv")] = images.read_bytes(Path(entry.path), limit=64 << 20)
        elif suffix in PICTURES or (not suffix and _starts_like_a_picture(Path(entry.path))):
            items.append(Item(index, label, within, Path(entry.path)))
    metadata = path / "metadata.jsonl"
    return Root(path, name, tables, images.read_bytes(metadata) if metadata.is_file() else None), items, refused


def _starts_like_a_picture(path: Path) -> bool:
    """Of a file without an ending, by its first bytes."""
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith((images.PNG_MAGIC, b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF8")) or start[8:] == b"WEBP"


def _entries(
    folder: Path, prefix: str, exclude: Path, refused: list[Refusal], name: str
) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Regular files below `folder`, sorted, with their paths within it. Links and special files are refused, hidden
    ones passed by.
    """
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda e: os.fsencode(e.name))
    except OSError as error:
        refused.append(Refusal(f"{name}/{prefix}", f"cannot be opened ({(error.strerror or str(error)).lower()})"))
        return
    for entry in entries:
        within = f"{prefix}{readable(entry.name)}"
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if entry.is_symlink():
            refused.append(Refusal(f"{name}/{within}", "is a link, and links are not followed"))
        elif entry.is_dir(follow_symlinks=False):
            if Path(entry.path).resolve() == exclude:
                continue
            if (Path(entry.path) / "dataset.json").exists():
                refused.append(Refusal(f"{name}/{within}", "is a data set that lianpu built, not its sources"))
            else:
                yield from _entries(Path(entry.path), within + "/", exclude, refused, name)
        elif entry.is_file(follow_symlinks=False):
            yield entry, within
        else:
            refused.append(Refusal(f"{name}/{within}", "is a pipe, socket or device"))


def readable(name: str) -> str:
    """A file name that can be written as UTF-8, whatever bytes the system gave."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _at_sight(within: str) -> str:
    """Why a file is refused by its name alone; "" where it is not. Other files (notes, tables) are passed by in
    silence.
    """
    suffix = PurePosixPath(within).suffix.lower()
    if suffix in UNREAD:
        return f"is a {suffix[1:].upper()} file, which is not read; save it as PNG"
    if suffix in ARCHIVES:
        return "is an archive inside a source; give it as a source of its own"
    return ""


# --- zip archives ---------------------------------------------------------------------------------


def _walk_zip(path: Path, index: int, name: str, exclude: Path) -> Walked:
    items: list[Item] = []
    refused: list[Refusal] = []
    try:
        with _Bounded(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check_caps(path, members)
            names = [_member_name(info) for info in members]
            top = _common_folder(names)
            tables: dict[str, bytes] = {}
            metadata = None
            for i, (info, inside) in enumerate(zip(members, names, strict=True)):
                within = inside.removeprefix(top)
                label = f"{readable(name)}/{within}"
                suffix = PurePosixPath(within).suffix.lower()
                if info.is_dir() or any(part.startswith((".", "__MACOSX")) for part in within.split("/")):
                    continue
                if reason := _member_fault(info) or _at_sight(within):
                    refused.append(Refusal(label, reason))
                elif suffix in PICTURES:
                    items.append(Item(index, label, within, path, i))
                elif PurePosixPath(within).name == "rights.csv":
                    tables[within.removesuffix("rights.csv")] = _read_member(archive, info)
                elif within == "metadata.jsonl":
                    metadata = _read_member(archive, info)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise DataError(
            f"{path.name} cannot be read as a zip: {error}.", str(path), "Pack it again as a plain zip."
        ) from None
    items.sort(key=lambda item: (item.within, item.member))
    return Root(path, name, tables, metadata), items, refused


class _Bounded(io.BufferedReader):
    """A zip that gives no table of contents too large to be honest: wherever zipfile finds it, it reads it in one piece."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY:
            raise _too_large(Path(self.name))
        return super().read(size)


def _too_large(path: Path) -> DataError:
    return DataError(f"{path.name} is too large an archive.", str(path), "Unpack it, and give the folder.")


def _check_caps(path: Path, members: list[zipfile.ZipInfo]) -> None:
    if path.stat().st_size > MAX_ARCHIVE:
        raise _too_large(path)
    total, packed = sum(m.file_size for m in members), sum(m.compress_size for m in members)
    fix = "If you trust it, unpack it yourself and give the folder."
    if len(members) > MAX_MEMBERS:
        raise DataError(f"{path.name} holds {len(members)} files, more than {MAX_MEMBERS}.", str(path), fix)
    # entries that overlap declare more packed bytes than the file has
    packed = min(packed, path.stat().st_size)
    if total > MAX_TOTAL or (total > 16 * SMALL and total > MAX_RATIO * packed):
        raise DataError(
            f"{path.name} would unpack to {total / 2**20:.0f} MiB from {packed / 2**20:.2f}: a zip bomb.",
            str(path),
            fix,
        )


def _member_fault(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    if info.flag_bits & 1:
        return "is encrypted"
    if stat.S_ISLNK(mode):
        return "is a link, and links are not followed"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "is not a regular file"
    if info.file_size > SMALL and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        return f"would unpack to {info.file_size // max(info.compress_size, 1)} times its size"
    return ""


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    limit = 8 * images.MAX_PIXELS + images.MAX_METADATA
    try:
        with archive.open(info) as file:  # reads no more than the declared size, and checks the CRC at its end
            data = file.read(limit + 1)
    except Exception as error:  # as with decoders: any failure on foreign bytes speaks of the bytes
        raise DataError(f"{info.filename} cannot be unpacked: {error}.") from None
    if len(data) > limit:
        raise DataError(f"{info.filename} is larger than {limit >> 20} MiB.")
    return data


def _member_name(info: zipfile.ZipInfo) -> str:
    """The member's path without what could lead elsewhere (.., drives, leading /), its Chinese names repaired.

    Without the UTF-8 flag zipfile reads names as cp437; archives packed by Windows in China hold GBK there.
    """
    name = info.filename
    if not info.flag_bits & 0x800:
        for codec in ("utf-8", "gbk"):
            try:
                name = info.filename.encode("cp437").decode(codec)
                break
            except UnicodeError:
                continue
    parts = readable(name).replace("\\", "/").split("/")
    return "/".join(p for p in parts if p not in ("", ".", "..") and not p.endswith(":")) + "/" * info.is_dir()


def _common_folder(names: list[str]) -> str:
    """The folder that all members lie in ("masks/"), as archives usually are packed; "" without one."""
    tops = {name.split("/", 1)[0] if "/" in name else "" for name in names if not name.startswith("__MACOSX")}
    return f"{tops.pop()}/" if len(tops) == 1 and "" not in tops else ""
