"""MTCNN: its boxes by closed forms, its cascade by networks whose answers are known, its published numbers on drawn heads."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lianpu import images
from lianpu.nets import mtcnn
from tests.weights import need


def test_overlap_of_boxes():
    box = torch.tensor([0.0, 0, 4, 4])
    others = torch.tensor([[0.0, 0, 4, 4], [2, 0, 6, 4], [4, 4, 8, 8], [1, 1, 3, 3]])
    assert mtcnn.overlap(box, others).tolist() == pytest.approx([1, 8 / 24, 0, 4 / 16])
    assert mtcnn.overlap(box, others, "smaller").tolist() == pytest.approx([1, 0.5, 0, 1])


def test_the_surest_of_overlapping_boxes_stays():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [30, 30, 40, 40], [0, 0, 10, 10]])
    assert mtcnn._best(boxes, torch.tensor([0.7, 0.9, 0.6, 0.7]), 0.5).tolist() == [1, 2]
    assert mtcnn._best(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []


def test_boxes_are_cut_with_black_outside():
    picture = torch.ones(3, 20, 20)
    cut = mtcnn._cut(picture, torch.tensor([[-10.0, 0, 10, 20], [5, 5, 15, 15], [50, 50, 60, 60]]), 24)
    assert cut.shape == (3, 3, 24, 24)
    black = -127.5 / 128
    assert cut[0, 0, 0, :12].tolist() == pytest.approx([black] * 12, abs=1e-6)
    assert cut[0, 0, 0, 12:].tolist() == pytest.approx([1] * 12)
    assert (cut[1] == 1).all() and cut[2].unique().tolist() == pytest.approx([black])


def test_networks_have_the_papers_shapes():
    p, r, o = mtcnn.PNet(), mtcnn.RNet(), mtcnn.ONet()
    assert [sum(x.numel() for x in net.parameters()) for net in (p, r, o)] == [6632, 100178, 389040]
    scores, shifts = p(torch.zeros(1, 3, 12, 12))
    assert scores.shape == (1, 1, 1) and shifts.shape == (1, 4, 1, 1)
    assert p(torch.zeros(1, 3, 32, 22))[0].shape == (1, 11, 6)  # one cell of 12 each 2 pixels
    assert [tuple(x.shape) for x in r(torch.zeros(2, 3, 24, 24))] == [(2,), (2, 4)]
    assert [tuple(x.shape) for x in o(torch.zeros(2, 3, 48, 48))] == [(2,), (2, 4), (2, 10)]


class Bright(nn.Module):
    """Stands in for a network: sure where its picture is bright in the middle; shifts nothing."""

    def __init__(self, marks: bool) -> None:
        super().__init__()
        self.marks = marks

    def forward(self, x):
        n, _, h, w = x.shape
        score = x[:, 0, h // 2 - 2 : h // 2 + 2, w // 2 - 2 : w // 2 + 2].mean((1, 2)) * 0.5 + 0.5
        at = torch.tensor([0.3, 0.7, 0.5, 0.3, 0.7, 0.4, 0.4, 0.5, 0.7, 0.7]).expand(n, 10)
        return (score, torch.zeros(n, 4), at) if self.marks else (score, torch.zeros(n, 4))


class Spot(nn.Module):
    """Stands in for the P-net: sure of cells that are bright all over."""

    def forward(self, x):
        mean = nn.functional.avg_pool2d(x[:, :1], 12, 2)
        return (mean[:, 0] > 0.97) * 0.9 + 0.05, torch.zeros(1, 4, *mean.shape[2:])


def test_the_cascade_finds_what_its_networks_say_where_it_is():
    detector = mtcnn.Detector(Spot(), Bright(False), Bright(True))  # type: ignore[arg-type]
    picture = np.zeros((120, 160, 3), np.uint8)
    picture[40:88, 64:112] = 255
    faces = detector(picture, smallest=40)
    assert faces
    box = faces[0].box
    assert min(box[0] - 64, box[1] - 40, 112 - box[2], 88 - box[3]) > -4
    left, size = box[:2], box[2] - box[0]
    assert np.allclose(faces[0].landmarks[0], left + size * np.array([0.3, 0.4]), atol=0.5)
    large = detector(picture.repeat(12, 0).repeat(12, 1), smallest=40)  # 1920 pixels: sought in a smaller copy
    assert large
    for face in large:
        x0, y0, x1, y1 = face.box / 12
        assert min(x0 - 64, y0 - 40, 112 - x1, 88 - y1) > -4
    assert detector(np.zeros((120, 160, 3), np.uint8)) == []
    assert detector(np.zeros((3, 200, 3), np.uint8)) == []


def test_published_numbers_find_clay_heads():
    need(*mtcnn.CARDS)
    from lianpu.data.samples import heads

    found, errors = 0, []
    for k in range(5):
        head = heads.head(5, k)
        seen = head.see((0, 0.1, 0, 0, 0, 0), (-0.2, 0.4, 0.3, -0.4), 160)
        faces = mtcnn.find(seen.picture)
        if not faces:
            continue
        found += 1
        eyes = heads.eyes(head, (0, 0.1, 0, 0, 0, 0), 160) + 0.5
        errors.append(np.abs(np.array(sorted(faces[0].landmarks[:2].tolist())) - eyes).max() / 160)
    assert found >= 4
    assert np.median(errors) < 0.03


def test_published_numbers_find_nothing_in_masks_and_noise():
    need(*mtcnn.CARDS)
    rng = np.random.default_rng(0)
    assert mtcnn.find(np.zeros((64, 64, 3), np.uint8)) == []
    assert mtcnn.find(np.repeat(rng.integers(0, 255, (96, 96, 1), np.uint8), 3, 2)) == []


def test_a_face_has_the_same_place_at_twice_the_size():
    need(*mtcnn.CARDS)
    from lianpu.data.samples import heads

    picture = heads.head(5, 1).see(size=192).picture
    once, twice = mtcnn.find(picture)[0], mtcnn.find(images.resize(picture, 384))[0]
    assert np.abs(once.landmarks - twice.landmarks / 2).max() < 4
