"""Near-duplicates: copies of one drawing are one group, different drawings are not."""

import numpy as np
import pytest
from PIL import Image

from lianpu import images
from lianpu.data import duplicates

from .faces import encoded, face


def print_of(pixels):
    return duplicates.thumbprint(np.ascontiguousarray(pixels))


COPIES = {
    "jpeg": lambda p: images.decode(encoded(p, "JPEG", quality=30)).pixels,
    "half": lambda p: images.resize(p, len(p) // 2),
    "third and jpeg": lambda p: images.decode(encoded(images.resize(p, len(p) // 3), "JPEG", quality=50)).pixels,
    "cropped": lambda p: p[8:-8, 8:-8],
    "padded": lambda p: np.pad(p, ((20, 20), (40, 40), (0, 0)), constant_values=255),
    "stretched": lambda p: images.resize(p, len(p), round(1.05 * len(p))),
    "darker": lambda p: (p * 0.9).astype(np.uint8),
    "mirrored": lambda p: p[:, ::-1],
    "mirrored jpeg": lambda p: images.decode(encoded(p[:, ::-1], "JPEG", quality=40)).pixels,
}


def slanting(number):
    """A face that is not its own mirror image."""
    pixels = face(number, "red", 256).copy()
    pixels[60:120, 50:80] = (20, 60, 200)
    return pixels


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_found(copy):
    for number in range(5):
        one = slanting(number)
        assert duplicates.groups([print_of(one), print_of(COPIES[copy](one))]).tolist() == [0, 0]


def test_different_drawings_of_one_layout_are_different():
    prints = [print_of(face(n, paint, 128)) for n in range(40) for paint in ("red", "yellow")[: 1 + (n < 3)]]
    groups = duplicates.groups(prints)
    # numbers 0 to 2 come in two paints of one drawing: those may be one; all else is its own
    assert len(set(groups.tolist())) >= 40


def test_drawn_masks_are_not_taken_for_one_another(drawn):
    """They share types, and with them their large areas; what differs is line work."""
    prints = [duplicates.thumbprint(images.decode(file).pixels) for file in sorted(drawn.glob("*.png"))]
    assert len(set(duplicates.groups(prints).tolist())) >= len(prints) - 1


def test_chains_make_one_group_and_order_names_it():
    a, b = slanting(1), slanting(2)
    prints = [print_of(p) for p in (b, a, COPIES["jpeg"](a), COPIES["mirrored"](a), COPIES["half"](b))]
    assert duplicates.groups(prints).tolist() == [0, 1, 1, 1, 0]


def test_flat_pictures_equal_their_like():
    flat = [np.full((64, 64, 3), v, np.uint8) for v in (0, 0, 200)]
    assert duplicates.groups([print_of(p) for p in flat]).tolist() == [0, 0, 1]
    assert duplicates.groups([]).tolist() == [] and duplicates.groups([print_of(flat[0])]).tolist() == [0]


def test_a_threshold_above_one_links_equal_prints_only():
    one = slanting(1)
    prints = [print_of(one), print_of(COPIES["jpeg"](one)), print_of(one.copy())]
    assert duplicates.groups(prints, 1.5).tolist() == [0, 1, 0]


def test_the_fast_correlation_is_the_plain_one():
    stack = np.random.default_rng(0).normal(100, 30, (4, 32, 32)).astype(np.float32)
    fast = duplicates._Correlation(stack, stack[::-1].copy(), 2).best(np.array([0, 1, 2]), np.array([1, 1, 3]))
    for value, i, j in zip(fast, (0, 1, 2), (1, 1, 3), strict=True):
        one, two = stack[i, 2:-2, 2:-2].ravel(), stack[::-1][j]
        plain = max(np.corrcoef(one, two[y : y + 28, x : x + 28].ravel())[0, 1] for y in range(5) for x in range(5))
        assert value == pytest.approx(max(plain, 0), abs=1e-4)


def test_a_picture_of_one_pixel_has_a_print():
    assert print_of(np.zeros((1, 1, 3), np.uint8)).shape == (64, 64)
    assert print_of(np.asarray(Image.new("RGB", (3, 900), "red"))).shape == (64, 64)


def test_window_lengths_are_those_of_windows_cut_out():
    pictures = np.random.default_rng(0).normal(90, 60, (700, 20, 20)).astype(np.float32)
    found = duplicates._window_lengths(pictures, 14)
    windows = [pictures[:, y : y + 14, x : x + 14].reshape(700, -1) for y in range(7) for x in range(7)]
    np.testing.assert_allclose(found, np.stack([w.std(1) * 14 for w in windows], 1), rtol=1e-4)
