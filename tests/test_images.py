"""The image contract: what decodes, to which pixels, what is refused and why."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from lianpu import images
from lianpu.errors import DataError, ModelError


def gradient(h=24, w=32):
    y, x = np.mgrid[:h, :w]
    return np.stack([x * 255 // (w - 1), y * 255 // (h - 1), (x + y) * 255 // (h + w - 2)], -1).astype(np.uint8)


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(pixels=None, **options):
    return saved(Image.fromarray(gradient() if pixels is None else pixels), "PNG", **options)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def handmade_png(width, height, depth, colour_type, rows=b"", extra=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return images.PNG_MAGIC + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# --- what decodes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_keep_every_pixel(kind):
    decoded = images.decode(saved(Image.fromarray(gradient()), kind))
    assert decoded.format == kind and decoded.notes == ()
    np.testing.assert_array_equal(decoded.pixels, gradient())
    assert decoded.pixels.dtype == np.uint8 and decoded.pixels.flags.writeable


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {"quality": 98, "subsampling": 0}), ("WEBP", {"lossless": True})]
)
def test_photographic_formats_come_close(kind, options):
    pixels = images.decode(saved(Image.fromarray(gradient()), kind, **options)).pixels
    assert np.abs(pixels.astype(int) - gradient()).max() <= (6 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(orientation):
    upright = gradient()
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's name of the inverse turn
    stored = Image.fromarray(upright)
    if orientation != 1:
        stored = stored.transpose(Image.Transpose(turn[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = images.decode(saved(stored, "PNG", exif=exif))
    np.testing.assert_array_equal(decoded.pixels, upright)
    assert any("upright" in note for note in decoded.notes) == (orientation > 1)


def test_transparency_is_laid_on_white():
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 3] = 255, 128, 0  # black: opaque, half, clear
    decoded = images.decode(png(rgba))
    assert decoded.pixels[0, :, 0].tolist() == [0, 127, 255]
    assert "white" in decoded.notes[0]


def test_palette_with_a_clear_colour():
    image = Image.new("P", (2, 1))
    image.putpalette([200, 10, 10, 0, 0, 255])
    image.putpixel((1, 0), 1)
    assert images.decode(saved(image, "PNG", transparency=1)).pixels.tolist() == [[[200, 10, 10], [255, 255, 255]]]
    assert images.decode(saved(image, "PNG")).pixels.tolist() == [[[200, 10, 10], [0, 0, 255]]]


def test_grey_with_alpha_and_one_bit():
    grey = Image.merge("LA", [Image.new("L", (2, 1), 100), Image.new("L", (2, 1), 255)])
    grey.putpixel((1, 0), (100, 0))
    assert images.decode(saved(grey, "PNG")).pixels[0, :, 0].tolist() == [100, 255]
    assert images.decode(saved(Image.new("1", (3, 2), 1), "PNG")).pixels.min() == 255


def test_16_bit_grey_uses_its_whole_range():
    levels = np.array([[0, 257, 32896, 65535, 300]], np.uint16)
    for kind in ("PNG", "TIFF"):
        decoded = images.decode(saved(Image.fromarray(levels), kind))
        assert decoded.pixels[0, :, 0].tolist() == [0, 1, 128, 255, 1]
        assert decoded.notes == ("16 bits reduced to 8",)


def test_16_bit_colour():
    rows = b"\0" + struct.pack(">6H", 0, 32896, 65535, 257, 514, 65535)
    assert images.decode(handmade_png(2, 1, 16, 2, rows)).pixels.tolist() == [[[0, 128, 255], [1, 2, 255]]]


def test_cmyk_and_its_warning():
    decoded = images.decode(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"))
    assert decoded.pixels[0, 0].tolist() == [255, 0, 0]
    assert any("CMYK" in note for note in decoded.notes)


def test_a_wide_gamut_profile_is_converted_and_srgb_left_alone():
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = images.decode(png(icc_profile=swapped))
    assert plain.notes == ()
    np.testing.assert_array_equal(plain.pixels, gradient())
    wide = images.decode(png(np.full((4, 4, 3), (200, 60, 40), np.uint8), icc_profile=display_p3()))
    assert any("converted to sRGB" in note for note in wide.notes)
    red, green, blue = wide.pixels[0, 0].tolist()
    assert red > 210 and green < 50 and blue < 30  # P3's red lies outside sRGB's: the same light needs more of it


def display_p3():
    """A matrix profile with Display P3's primaries and sRGB's curve approximated by gamma 2.2, built by hand (ICC.1:2010)."""

    def s15(*values):
        return b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    xyz = lambda *v: b"XYZ \0\0\0\0" + s15(*v)  # noqa: E731
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", 3) + b"P3\0" + bytes(8) + bytes(3) + bytes(67)
    tags = {
        b"desc": name + bytes(-len(name) % 4), b"wtpt": xyz(0.9642, 1, 0.8249), b"rXYZ": xyz(0.5151, 0.2412, -0.0011),
        b"gXYZ": xyz(0.2919, 0.6922, 0.0419), b"bXYZ": xyz(0.1572, 0.0666, 0.7841), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve,
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
    }  # fmt: skip
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += data
    head = (
        bytes(4)
        + bytes(4)
        + b"\x02\x10\0\0mntrRGB XYZ "
        + bytes(12)
        + b"acsp"
        + bytes(28)
        + s15(0.9642, 1, 0.8249)
        + bytes(48)
    )
    profile = head + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(profile)) + profile[4:]


def test_a_broken_profile_is_ignored_and_said():
    decoded = images.decode(png(icc_profile=b"nonsense" * 20))
    assert any("profile ignored" in note for note in decoded.notes)
    np.testing.assert_array_equal(decoded.pixels, gradient())


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "TIFF"])
def test_the_first_of_several_frames_is_taken_and_said(kind):
    frames = [Image.new("RGB", (16, 16), c) for c in ("red", "blue", "lime")]
    options = {"lossless": True} if kind == "WEBP" else {}
    decoded = images.decode(saved(frames[0], kind, save_all=True, append_images=frames[1:], **options))
    assert decoded.pixels[8, 8].tolist() == [255, 0, 0]
    counted = (
        "first of several frames" if kind == "GIF" else "first of 3 frames or pages"
    )  # to count a GIF's is to decode them
    assert decoded.notes[0] == counted


@pytest.mark.parametrize("shape", [(1, 1), (1, 4001), (3, 200)])
def test_odd_shapes(shape):
    pixels = np.full((*shape, 3), 7, np.uint8)
    np.testing.assert_array_equal(images.decode(png(pixels)).pixels, pixels)


# --- what is refused ---------------------------------------------------------------------------------


def refusal(data, **options):
    with pytest.raises(DataError) as caught:
        images.decode(data, **options)
    return caught.value.what


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, I am a picture\n", "is text"),
        (b"<html><script>alert(1)</script></html>", "is text"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"8BPS\0\1" + bytes(50), "Photoshop"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
        (b"\x80\x04\x95" + bytes(50), "pickle"),
        (b"PK\x03\x04" + bytes(50), "zip"),
        (b"\0\0\0\x20ftypheic" + bytes(50), "HEIC"),
        (bytes(range(128, 256)), "no picture"),
        (b"\x89PNG\r\n\x1a\n", "cut off"),
        (b"\xff\xd8\xff" + bytes(30), "damaged"),
        (b"BM" + bytes(60), "damaged"),
    ],
)
def test_what_is_no_picture_is_named(data, reason):
    assert reason in refusal(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("share", [0.5, 0.97])
def test_a_picture_cut_short_is_refused(kind, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), kind)
    images.decode(data)
    refusal(data[: int(len(data) * share)])


def test_a_flipped_bit_in_a_png_is_refused():
    data = bytearray(png())
    data[len(data) // 2] ^= 4
    assert "checksum" in refusal(bytes(data))


def test_a_pixel_bomb_is_refused_before_it_is_unpacked():
    # it declares 81 million pixels and holds none: whoever unpacks it finds it damaged, whoever looks first finds it too large
    assert "9000 x 9000 pixels, more than the 40 million" in refusal(handmade_png(9000, 9000, 8, 2))
    assert "more than the 40 million" in refusal(handmade_png(60000, 60000, 8, 2))  # where Pillow's own limit raises
    assert "more than the 0.0001 million" in refusal(png(), max_pixels=100)
    refusal(handmade_png(0, 5, 8, 2))


def test_huge_metadata_is_refused():
    big = chunk(b"iTXt", b"Comment\0\0\0\0\0" + b"x" * (5 << 20))
    data = png()
    assert "MiB of metadata" in refusal(data[:33] + big + data[33:])
    zipped = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50 << 20)))
    refusal(data[:33] + zipped + data[33:])


def test_pixels_without_a_range_are_refused():
    assert "floating-point" in refusal(saved(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"))
    assert "32-bit" in refusal(saved(Image.fromarray(np.zeros((4, 4), np.int32)), "TIFF"))


def test_pipes_folders_and_links_never_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "folder.png").mkdir()
    assert "pipe" in refusal(tmp_path / "pipe.png")
    assert "link" in refusal(tmp_path / "loop.png")
    assert "folder" in refusal(tmp_path / "folder.png")
    assert "no such file" in refusal(tmp_path / "missing.png")
    assert "cannot be read" in refusal(tmp_path / "nul\0.png")


def test_the_error_has_three_lines(tmp_path):
    (tmp_path / "画.png").write_bytes(b"no")
    with pytest.raises(DataError) as caught:
        images.decode(tmp_path / "画.png")
    what, where, fix = str(caught.value).split("\n")
    assert what == "画.png: is text, not a picture." and where.endswith("画.png") and "PNG" in fix
    assert caught.value.exit_code == 3


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"]), st.data())
def test_damaged_bytes_end_in_pixels_or_in_a_data_error(kind, data):
    whole = bytearray(saved(Image.fromarray(gradient(9, 11)), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        pixels = images.decode(bytes(whole), max_pixels=10_000).pixels
    except DataError:
        return
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.size <= 30_000


# --- inside and out ----------------------------------------------------------------------------------


def test_every_level_survives_the_round_trip():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, 3)
    inside = images.to_float(levels)
    assert inside.shape == (1, 3, 16, 16) and inside.dtype == torch.float32
    assert inside.min() == -1 and inside.max() == 1
    np.testing.assert_array_equal(images.to_uint8(inside), levels)
    np.testing.assert_array_equal(images.to_float(levels[0]), inside)


def test_rounding_clamping_and_nan():
    values = torch.tensor([-5.0, -1.0, 0.0, 1.0, 7.0, 0.5 / 127.5 - 1, float("inf")]).reshape(1, 1, 1, 7)
    assert images.to_uint8(values).ravel().tolist() == [0, 0, 128, 255, 255, 1, 255]
    with pytest.raises(ModelError):
        images.to_uint8(torch.full((1, 3, 2, 2), float("nan")))


def test_png_bytes_are_a_function_of_pixels_and_text():
    text = {"lianpu": '{"seed": 0}', "Title": "关羽 🎭"}
    data = images.encode_png(gradient(), text)
    assert data == images.encode_png(gradient().copy(), dict(text))
    assert images.read_text(data) == text
    np.testing.assert_array_equal(images.decode(data).pixels, gradient())
    grey = gradient()[..., 0]
    np.testing.assert_array_equal(images.decode(images.encode_png(grey)).pixels[..., 1], grey)


def test_text_of_others_is_read_and_capped():
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "né", zip=False)
    info.add_text("Long", "z" * 5000, zip=True)
    info.add_itxt("Comment", "脸" * 900, zip=True)
    assert images.read_text(png(pnginfo=info)) == {"Author": "né", "Long": "z" * 5000, "Comment": "脸" * 900}
    assert images.read_text(saved(Image.fromarray(gradient()), "JPEG")) == {}
    bomb = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(64 << 20)))
    with pytest.raises(DataError, match="unpacks to more than 4 MiB"):  # refused while unpacking, not after
        images.read_text(png()[:33] + bomb + png()[33:])


def test_resizing_averages_away_what_cannot_be_shown():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255  # the finest pattern: at a quarter of the size it can only be grey
    small = images.resize(stripes, 64)
    assert np.abs(small[2:-2, 2:-2].astype(int) - 127).max() <= 2
    np.testing.assert_array_equal(images.resize(gradient(), 24, 32), gradient())
    flat = np.full((50, 70, 3), (10, 200, 30), np.uint8)
    assert (images.resize(flat, 33, 7) == flat[0, 0]).all()


def test_a_sheet_holds_its_pictures_where_they_belong():
    pictures = [np.full((4, 6, 3), i, np.uint8) for i in range(5)]
    page = images.sheet(pictures, columns=3, gap=1)
    assert page.shape == (9, 20, 3)
    for i in range(5):
        np.testing.assert_array_equal(page[i // 3 * 5 :][:4, i % 3 * 7 :][:, :6], pictures[i])
    assert (page[4] == 255).all() and (page[5:, 14:] == 255).all()
    with pytest.raises(ValueError, match="at least one"):
        images.sheet([], 3)


# --- files -------------------------------------------------------------------------------------------


def test_reading_is_capped(tmp_path):
    (tmp_path / "big").write_bytes(bytes(11))
    with pytest.raises(DataError, match="larger"):
        images.read_bytes(tmp_path / "big", limit=10)
    assert images.read_bytes(tmp_path / "big", limit=11) == bytes(11)
