"""The one image contract: 8-bit sRGB (h, w, 3) on disk and at the doors, float NCHW in [-1, 1] inside. Nothing else
in lianpu decodes a picture, so this file is also where hostile ones stop: few formats, a pixel cap before any
allocation, every byte decoded.
"""

from __future__ import annotations

import io
import os
import stat
import threading
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from lianpu.errors import DataError, ModelError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "Decoded",
    "decode",
    "encode_png",
    "read_bytes",
    "read_text",
    "resize",
    "sheet",
    "to_float",
    "to_uint8",
]

MAX_PIXELS = 40_000_000
MAX_METADATA = 4 << 20  # bytes of text, EXIF, XMP and profiles in one picture
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
SAVE_AS = "Save it as PNG, JPEG, WebP, TIFF or BMP."
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
STRANGERS = {  # first bytes of files that turn up under a picture's name; the reason then says what they are
    b"%!PS": "a PostScript (EPS) file",
    b"\xc5\xd0\xd3\xc6": "a PostScript (EPS) file",
    b"8BPS": "a Photoshop (PSD) file",
    b"%PDF": "a PDF file",
    b"PK\x03\x04": "a zip archive",
    b"\x89HDF": "an HDF5 file",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML or SVG file",
    b"\x00\x00\x01\x00": "an icon (ICO) file",
    b"\x80\x02": "a pickle",
    b"\x80\x04": "a pickle",
}
_one_at_a_time = threading.Lock()  # warnings.catch_warnings is not safe in threads


class Decoded(NamedTuple):
    """A decoded picture: pixels uint8 (h, w, 3) sRGB, what had to be done to it in plain words, and the file's
    format.
    """

    pixels: np.ndarray
    notes: tuple[str, ...]
    format: str


def decode(source: Path | str | bytes, *, max_pixels: int = MAX_PIXELS) -> Decoded:
    """The picture in a file or in bytes, as 8-bit sRGB on white, upright; the first frame of several.

    Every reason not to trust it is a DataError whose `what` tells the reason: empty, cut off, damaged, another kind
    of file, more than `max_pixels` pixels, metadata beyond 4 MiB, pixels without a fixed range. Never follows a pipe
    or a device, never hangs.
    """
    where, name = ("", "The picture") if isinstance(source, bytes) else (str(source), Path(source).name)
    data = source if isinstance(source, bytes) else read_bytes(Path(source), limit=8 * max_pixels + MAX_METADATA)
    try:
        with _one_at_a_time, warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            return _decode(data, max_pixels, said)
    except _Refused as refused:
        raise DataError(f"{name}: {refused}.", where, SAVE_AS) from None


class _Refused(Exception):
    """The reason a picture is not taken, without its name."""


def _decode(data: bytes, max_pixels: int, said: list[warnings.WarningMessage]) -> Decoded:
    _check_envelope(data)
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        width, height = image.size
        if width < 1 or height < 1:
            raise _Refused(f"has no pixels ({width} x {height})")
        if width * height > max_pixels:
            raise _Refused(f"{width} x {height} pixels, more than the {max_pixels / 1e6:g} million allowed")
        if sum(len(v) for v in image.info.values() if isinstance(v, bytes | str)) > MAX_METADATA:
            raise _Refused(f"carries more than {MAX_METADATA >> 20} MiB of metadata")
        notes = _frames(image)
        image.load()
        pixels = _upright_srgb(image, notes)
    except _Refused:
        raise
    except Image.DecompressionBombError:
        raise _Refused(f"more than the {max_pixels / 1e6:g} million pixels allowed") from None
    except Exception as error:  # on foreign bytes a decoder may raise anything; all of it says the same of the file
        raise _Refused(_reason(error)) from None
    for warning in said:
        if "truncated" in str(warning.message).lower():
            raise _Refused(f"is cut off ({warning.message})")
    return Decoded(pixels, tuple(notes), "JPEG" if image.format == "MPO" else str(image.format))


def _reason(error: Exception) -> str:
    text = str(error).strip()
    if isinstance(error, Image.UnidentifiedImageError):
        return "is damaged: its header cannot be read"
    if "truncated" in text.lower():
        return f"is cut off ({text})"
    return f"is damaged ({text or type(error).__name__})"


def _check_envelope(data: bytes) -> None:
    """What the first bytes and the declared lengths tell before any decoder runs."""
    if not data:
        raise _Refused("is empty (0 bytes)")
    if data.startswith(PNG_MAGIC):
        seen = 0
        for kind, body in _png_chunks(data):
            seen += len(body) * (kind[:1].islower())  # lower case: ancillary, all metadata
            if seen > MAX_METADATA:
                raise _Refused(f"carries more than {MAX_METADATA >> 20} MiB of metadata (in {kind.decode('latin-1')})")
        return
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        declared = int.from_bytes(data[4:8], "little") + 8
        if len(data) < declared:
            raise _Refused(f"is cut off: ends after {len(data)} of {declared} bytes")
        return
    if (
        data[:3] == b"\xff\xd8\xff"
        or data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"GIF8")
        or data[:2] == b"BM"
    ):
        return
    head = data[:64].lstrip(b"\xef\xbb\xbf \r\n\t")
    for magic, kind in STRANGERS.items():
        if head.startswith(magic):
            raise _Refused(f"is {kind}, which is not read")
    if data[4:8] == b"ftyp":
        raise _Refused("is a HEIC, AVIF or video file, which is not read")
    try:
        head.decode("utf-8")
    except UnicodeDecodeError:
        raise _Refused("is no picture in a format that is read") from None
    raise _Refused("is text, not a picture")


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, body) of each chunk of a PNG, checksums verified: Pillow itself does not verify those of pixel data."""
    at = len(PNG_MAGIC)
    view = memoryview(data)
    while at + 12 <= len(data):
        length, kind = int.from_bytes(view[at : at + 4], "big"), bytes(view[at + 4 : at + 8])
        if at + 12 + length > len(data):
            raise _Refused(f"is cut off: ends after {len(data)} of at least {at + 12 + length} bytes")
        body = view[at + 8 : at + 8 + length]
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(view[at + 8 + length : at + 12 + length], "big"):
            raise _Refused(f"is damaged: wrong checksum in its {kind.decode('latin-1')} part")
        yield kind, bytes(body)
        if kind == b"IEND":
            return
        at += 12 + length
    raise _Refused(f"is cut off: ends after {len(data)} bytes without its last part")


def _frames(image: Image.Image) -> list[str]:
    if image.format == "GIF":  # to count them would decode them all, of a hostile file for minutes
        several = getattr(image, "is_animated", False)
        image.seek(0)
        return ["first of several frames"] if several else []
    count = getattr(image, "n_frames", 1)
    image.seek(0)
    return [f"first of {count} frames or pages"] if count > 1 else []


# --- any mode to upright 8-bit sRGB on white ------------------------------------------------------

_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright_srgb(image: Image.Image, notes: list[str]) -> np.ndarray:
    orientation = _orientation(image, notes)
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16"):
        image = _from_16_bit(image, notes)
    if image.mode in ("I", "F"):
        raise _Refused(f"has {'32-bit' if image.mode == 'I' else 'floating-point'} pixels, which have no fixed range")
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode in ("RGBa", "La") or (image.mode in ("L", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA")
    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
    if alpha is not None:
        image = image.convert("RGB" if image.mode == "RGBA" else "L")
    image = _to_srgb(image, profile, notes)
    if alpha is not None and alpha.getextrema() != (255, 255):
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=alpha)
        image = white
        notes.append("transparent parts laid on white")
    if orientation in _TURN:
        image = image.transpose(_TURN[orientation])
        notes.append(f"turned upright (EXIF orientation {orientation})")
    return np.array(image, np.uint8)  # a copy: np.asarray would be read-only


def _orientation(image: Image.Image, notes: list[str]) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # a damaged EXIF block does not make the pixels doubtful
        notes.append("unreadable EXIF ignored")
        return 1


def _from_16_bit(image: Image.Image, notes: list[str]) -> Image.Image:
    """Grey of 12 or 16 bits, scaled by its full range. (Pillow's own convert("L") clips everything above 255.)"""
    bits = int(getattr(image, "tag_v2", {}).get(258, (16,))[0])
    grey = np.asarray(image).astype(np.float32) * (255 / (2**bits - 1))
    eight = Image.fromarray(np.clip(np.floor(grey + 0.5), 0, 255).astype(np.uint8))
    if (clear := image.info.get("transparency")) is not None:
        eight.putalpha(Image.fromarray(np.where(np.asarray(image) == clear, 0, 255).astype(np.uint8)))
    notes.append(f"{bits} bits reduced to 8")
    return eight


def _to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """Through the embedded colour profile where there is one that differs from sRGB, else by the mode's plain rule."""
    if profile and (transform := _transform(image.mode, profile, notes)):
        return transform.apply(image)  # type: ignore[return-value]
    if image.mode == "CMYK":
        notes.append("CMYK converted without a profile: colours are approximate")
    return image.convert("RGB")


def _transform(mode: str, profile: bytes, notes: list[str]) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.ImageCmsTransform(
            source,
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (
        Exception
    ) as error:  # lcms refuses a profile of the wrong kind or a damaged one; sRGB is then the best reading
        notes.append(f"colour profile ignored ({str(error).strip() or 'unreadable'})")
        return None
    if mode == "RGB" and _is_identity(transform):
        return None
    notes.append(f"colour profile {ImageCms.getProfileDescription(source).strip()!r} converted to sRGB")
    return transform


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a 9 x 9 x 9 grid of colours comes out within 2 levels: then the file says sRGB, and its pixels stay
    untouched.
    """
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(27, 27, 3)
    through = np.asarray(transform.apply(Image.fromarray(grid)))
    return bool(np.abs(through.astype(int) - grid).max() <= 2)


# --- inside and out -------------------------------------------------------------------------------


def to_float(pixels: np.ndarray) -> Tensor:
    """uint8 (n, h, w, 3) or (h, w, 3) -> float32 (n, 3, h, w) in [-1, 1]."""
    import torch

    batch = pixels[None] if pixels.ndim == 3 else pixels
    return torch.from_numpy(np.ascontiguousarray(batch.transpose(0, 3, 1, 2))).to(torch.float32) / 127.5 - 1


def to_uint8(images: Tensor) -> np.ndarray:
    """Float (n, c, h, w) in [-1, 1] -> uint8 (n, h, w, c), rounded to the nearest level; beyond the range is clamped,
    NaN refused.
    """
    import torch

    levels = (images.detach().to(torch.float32) + 1) * 127.5
    if torch.isnan(levels).any():
        raise ModelError("The network made pictures that are not numbers (NaN).", fix="Use an earlier checkpoint.")
    return (levels + 0.5).floor_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().contiguous().numpy()


def of_lines(lines: np.ndarray) -> np.ndarray:
    """Float (..., h, w), 1 ink and 0 paper -> uint8 (..., h, w, 3), black on white."""
    return np.repeat(np.floor((1 - lines) * 255 + 0.5).astype(np.uint8)[..., None], 3, -1)


def resize(pixels: np.ndarray, height: int, width: int | None = None) -> np.ndarray:
    """uint8 (h, w, 3) or (h, w) -> (height, width, ...), antialiased; `width` defaults to `height`.

    Lanczos with its support scaled to the reduction, in encoded values: what the GAN literature resizes with, so that
    scores compare, and thin black lines on paint keep the darkness they are seen with (averaging light would bleach
    them).
    """
    width = height if width is None else width
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.array(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def sheet(pictures: Sequence[np.ndarray], columns: int, gap: int = 2) -> np.ndarray:
    """Pictures uint8 (h, w, 3), row by row on white; each in the middle of a cell as large as the largest."""
    if not pictures or columns < 1:
        raise ValueError("a sheet needs at least one picture and one column")
    h, w = (max(p.shape[axis] for p in pictures) for axis in (0, 1))
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    page = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        top = i // columns * (h + gap) + (h - picture.shape[0]) // 2
        left = i % columns * (w + gap) + (w - picture.shape[1]) // 2
        page[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return page


# --- files ----------------------------------------------------------------------------------------


def encode_png(pixels: np.ndarray, text: Mapping[str, str] | None = None) -> bytes:
    """PNG of uint8 (h, w, 3) or grey (h, w), with text chunks in the given order. The same pixels and text give the
    same bytes.
    """
    info = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        if len(value.encode()) > PngImagePlugin.MAX_TEXT_CHUNK:
            raise DataError(f"The text {key!r} is too long for a picture ({len(value.encode())} bytes).")
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", pnginfo=info, compress_level=6)
    return buffer.getvalue()


def read_text(source: Path | str | bytes) -> dict[str, str]:
    """The text chunks of a PNG by keyword, at most 4 MiB in all; {} for other formats. Raises DataError on a damaged
    PNG.
    """
    where, name = ("", "The picture") if isinstance(source, bytes) else (str(source), Path(source).name)
    data = source if isinstance(source, bytes) else read_bytes(Path(source))
    if not data.startswith(PNG_MAGIC):
        return {}
    try:
        texts = [_text(kind, body) for kind, body in _png_chunks(data) if kind in (b"tEXt", b"zTXt", b"iTXt")]
    except (_Refused, ValueError, zlib.error, UnicodeError) as error:
        raise DataError(f"{name}: its text cannot be read ({error}).", where) from None
    if sum(len(value) for _, value in texts) > MAX_METADATA:
        raise DataError(f"{name}: carries more than {MAX_METADATA >> 20} MiB of text.", where)
    return dict(texts)


def _text(kind: bytes, body: bytes) -> tuple[str, str]:
    """Keyword and text of one chunk (PNG specification, 11.3.3)."""
    key, _, rest = body.partition(b"\0")
    if kind == b"tEXt":
        return key.decode("latin-1"), rest.decode("latin-1")
    if kind == b"zTXt":
        return key.decode("latin-1"), _inflate(rest[1:]).decode("latin-1")
    compressed = rest[:1] == b"\x01"
    _language, _, rest = rest[2:].partition(b"\0")
    _translated, _, value = rest.partition(b"\0")
    return key.decode("latin-1"), (_inflate(value) if compressed else value).decode("utf-8")


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    out = inflater.decompress(data, MAX_METADATA)
    if inflater.unconsumed_tail:
        raise ValueError(f"unpacks to more than {MAX_METADATA >> 20} MiB")
    return out


def read_bytes(path: Path, limit: int = 8 * MAX_PIXELS + MAX_METADATA) -> bytes:
    """The content of a regular file of at most `limit` bytes; DataError for folders, pipes, devices, link loops and
    unreadable files.
    """
    try:
        # without O_NONBLOCK, opening a named pipe waits for a writer, for ever
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(f"{path.name} cannot be read: {reason.lower()}.", str(path)) from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
            raise DataError(f"{path.name} is {kind}, not a file.", str(path))
        if status.st_size > limit:
            raise DataError(f"{path.name} is larger than {limit >> 20} MiB.", str(path))
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(limit)
    finally:
        os.close(handle)
