"""Files that are whole or not there: written under a temporary name in the same folder, flushed to the disk, renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lianpu.errors import ResourceError

__all__ = [
    "atomic_write",
    "free_bytes",
    "new_file",
    "new_folder",
    "remove",
    "remove_partial",
    "sha256",
    "sync_folder",
    "writing",
]

_TEMPORARY = ".partial-"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals while writing `path` into a ResourceError that says what to do."""
    try:
        yield
    except OSError as error:
        reason = {
            errno.ENOSPC: "the disk is full",
            errno.EDQUOT: "the disk quota is used up",
            errno.EACCES: "permission denied",
            errno.EPERM: "permission denied",
            errno.EROFS: "the file system is read-only",
        }.get(error.errno or 0, error.strerror or str(error))
        fix = {
            errno.ENOSPC: "Free some space, then run the same command again.",
            errno.EDQUOT: "Free some space, then run the same command again.",
        }.get(error.errno or 0, "Choose another folder, or change its permissions, then run the same command again.")
        raise ResourceError(f"cannot write {path.name}: {reason}.", f"in {path.parent}", fix) from error


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` survive a power cut, where the system can (Windows cannot open folders)."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def atomic_write(path: Path, content: bytes | str, *, durable: bool = True) -> None:
    """Writes `content` so that `path` is at every moment either the old file or the whole new one.

    durable: also after a power cut; it costs a wait for the disk, too long for thousands of files that can be made again.
    """
    with new_file(path, durable=durable) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def new_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A temporary path in the same folder that becomes `path` when the block ends, and vanishes when it fails."""
    temporary = path.with_name(f"{_TEMPORARY}{os.getpid()}-{path.name}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            if durable:
                with open(temporary, "rb+") as file:
                    os.fsync(file.fileno())
            os.replace(temporary, path)
            if durable:
                sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder that appears whole under `path` when the block ends, and not at all when it fails. Replaces an older one."""
    temporary = path.with_name(f"{_TEMPORARY}{os.getpid()}-{path.name}")
    with writing(path):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    with open(file, "rb+") as handle:
                        os.fsync(handle.fileno())
            old = path.with_name(f"{_TEMPORARY}old-{os.getpid()}-{path.name}")
            if path.exists():
                os.replace(path, old)
            os.replace(temporary, path)
            sync_folder(path.parent)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def remove_partial(folder: Path) -> None:
    """Removes what a killed process left half written in `folder`; where it was killed while it put a new folder in the
    place of an old one, the old one comes back.
    """
    for old in folder.glob(f"{_TEMPORARY}old-*"):
        name = old.name.removeprefix(f"{_TEMPORARY}old-").partition("-")[2]
        if name and not (folder / name).exists():
            os.replace(old, folder / name)
    for left in folder.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove(folder: Path) -> None:
    """Removes a folder; it is renamed first, so that no half-removed folder is ever seen under its name."""
    dying = folder.with_name(f"{_TEMPORARY}dying-{folder.name}")
    with writing(folder):
        os.replace(folder, dying)
        shutil.rmtree(dying, ignore_errors=True)


def free_bytes(folder: Path) -> int:
    """Free space, in bytes, of the disk that holds `folder` or its nearest existing parent."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
