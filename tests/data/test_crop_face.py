"""Faces are laid upright by their landmarks, whoever finds them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lianpu import api, images
from lianpu.data import build, crop
from lianpu.errors import DataError, ModelError, UsageError


def turn(degrees: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


@settings(max_examples=40, deadline=None)
@given(st.floats(-180, 180), st.floats(0.1, 9), st.floats(-99, 99), st.floats(-99, 99))
def test_a_similarity_is_found_again(degrees, scale, x, y):
    known = turn(degrees, scale, (x, y))
    to = crop.PORTRAIT @ known[:, :2].T + known[:, 2]
    assert np.allclose(crop.similarity(crop.PORTRAIT, to), known, atol=1e-8)


def test_the_nearest_similarity_is_never_a_mirror_image():
    found = crop.similarity(crop.PORTRAIT * [-1, 1], crop.PORTRAIT)
    assert np.linalg.det(found[:, :2]) > 0


def test_the_residual_is_the_least():
    rng = np.random.default_rng(0)
    points, to = rng.normal(size=(2, 5, 2))
    best = crop.similarity(points, to)

    def residual(t):
        return ((points @ t[:, :2].T + t[:, 2] - to) ** 2).sum()

    for _ in range(200):
        small = turn(rng.normal(), 1 + 0.02 * rng.normal(), (0.02 * rng.normal(), 0.02 * rng.normal()))
        assert residual(
            np.concatenate([small[:, :2] @ best[:, :2], (small[:, :2] @ best[:, 2:] + small[:, 2:])], 1)
        ) >= residual(best)


def marked(landmarks: np.ndarray, side: int = 200) -> np.ndarray:
    """Grey, with a white dot of some pixels at each landmark."""
    y, x = np.mgrid[:side, :side] + 0.5
    near = np.min([np.hypot(x - a, y - b) for a, b in landmarks], 0)
    return np.repeat(np.clip(255 - 40 * near, 90, 255).astype(np.uint8)[..., None], 3, 2)


def dots(picture: np.ndarray) -> np.ndarray:
    """(k, 2) x, y of the bright spots, by weight."""
    from scipy import ndimage

    bright = np.clip(picture[..., 0].astype(float) - 150, 0, None)
    labels, n = ndimage.label(bright > 0)
    return np.array(ndimage.center_of_mass(bright, labels, range(1, n + 1)))[:, ::-1] + 0.5


@pytest.mark.parametrize(("degrees", "scale"), [(0, 100), (25, 110), (-140, 60), (10, 45)])
def test_landmarks_come_to_their_places(degrees, scale):
    known = turn(degrees, scale, (0, 0))
    landmarks = (crop.PORTRAIT - 0.55) @ known[:, :2].T + 100
    picture = marked(landmarks)
    laid, notes = crop.square(picture, "face", 128, lambda _: [SimpleNamespace(landmarks=landmarks)])
    assert laid.shape == (128, 128, 3) and laid.dtype == np.uint8
    found = dots(laid)
    near = [np.linalg.norm(found - place, axis=1).min() for place in crop.PORTRAIT * 128]
    assert max(near) < 0.6
    assert any("enlarged" in note for note in notes) == (scale < 128)


def test_a_square_that_reaches_beyond_goes_on_as_in_a_mirror():
    stripes = np.repeat((np.arange(60) // 10 % 2 * 200).astype(np.uint8)[None], 60, 0)
    picture = np.repeat(stripes[..., None], 3, 2)
    shifted = np.array([[1.0, 0, 20], [0, 1.0, 0]])
    laid = crop.aligned(picture, shifted, 60)
    assert np.array_equal(laid[:, 20:], picture[:, :40])
    assert np.abs(laid[:, 18:20].astype(int) - picture[:, 1:3][:, ::-1]).max() <= 90  # mirrored, hardly blurred yet
    assert laid[:, :6].std() < picture.std()


def test_pictures_that_do_not_serve_are_refused_in_words():
    picture = np.zeros((100, 100, 3), np.uint8)
    landmarks = crop.PORTRAIT * 20 + 40
    with pytest.raises(DataError, match="no face was found"):
        crop.square(picture, "face", 64, lambda _: [])
    with pytest.raises(DataError, match="no face was found"):  # too small to be looked at
        crop.square(picture[:5, :5], "face", 64, lambda _: [SimpleNamespace(landmarks=landmarks)])
    with pytest.raises(DataError, match="only 20 x 20 pixels with its hair, too few for 256"):
        crop.square(picture, "face", 256, lambda _: [SimpleNamespace(landmarks=landmarks)])
    with pytest.raises(UsageError, match="finds faces"):
        crop.square(picture, "face", 64)
    _, notes = crop.square(picture, "face", 64, lambda _: [SimpleNamespace(landmarks=landmarks)] * 3)
    assert "3 faces: the largest was taken" in notes


def in_the_middle(pixels: np.ndarray) -> list[SimpleNamespace]:
    """A face in the middle of every picture that is not black."""
    h, w = pixels.shape[:2]
    return [SimpleNamespace(landmarks=crop.PORTRAIT * [w, h])] if pixels.max() > 40 else []


def test_a_data_set_of_faces(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for i in range(4):
        picture = rng.integers(50, 255, (8, 8, 3)).astype(np.uint8).repeat(12, 0).repeat(12, 1)
        (tmp_path / "in" / f"{i}.png").write_bytes(images.encode_png(picture if i else picture * 0))
    options = {"size": 64, "crop": "face", "rights": "CC0-1.0; drawn", "workers": 1, "find": in_the_middle}
    report = build.build([tmp_path / "in"], tmp_path / "data", **options)
    assert report.pictures == 3
    assert [q["reason"] for q in report.quarantined] == ["no face was found in it"]
    assert json.loads((tmp_path / "data" / "dataset.json").read_text())["settings"]["crop"] == "face"
    assert "MTCNN" in (tmp_path / "data" / "README.md").read_text()
    assert build.build([tmp_path / "in"], tmp_path / "data", **options).unchanged


def test_without_weights_nothing_is_begun(tmp_path, monkeypatch):
    monkeypatch.setenv("LIANPU_WEIGHTS", str(tmp_path / "none"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "none"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(images.encode_png(np.zeros((64, 64, 3), np.uint8)))
    with pytest.raises(ModelError, match="mtcnn-pnet are not on this machine"):
        api.build([tmp_path / "in"], tmp_path / "data", crop="face")
    assert not (tmp_path / "data").exists()
