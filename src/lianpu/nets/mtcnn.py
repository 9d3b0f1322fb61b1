"""Where faces are: MTCNN's three cascaded networks (Zhang et al. 2016, Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks), which give a box, a score and five landmarks for each face. The numbers are those of the cards mtcnn-pnet,
mtcnn-rnet and mtcnn-onet; it learnt from photographs of people, and finds clay faces less surely.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lianpu import images, weights
from lianpu.machine import one_thread

__all__ = ["CARDS", "Detector", "Face", "ONet", "PNet", "RNet", "area", "find", "overlap"]

CARDS = ("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")
THRESHOLDS = (0.6, 0.7, 0.7)  # of the three networks' scores
PYRAMID = 0.709  # each scale of the picture against the last: half the area
CELL, STRIDE = 12, 2  # what one output of the P-net sees, and how far the next is
LONGEST = 1024  # pixels of the picture in which faces are sought
SMALL = 200  # pixels: in smaller pictures a face not found at first is sought at twice the size
MOST = 1000  # boxes that go on to the second network


class Face(NamedTuple):
    """One face, in pixels of its picture; pixel (0, 0) covers [0, 1) x [0, 1)."""

    box: np.ndarray
    """(4,) left, top, right, bottom."""
    score: float
    landmarks: np.ndarray
    """(5, 2) x, y of the eye on the picture's left, the one on its right, the nose, the mouth's left and right corner."""


# ---- the networks (Fig. 2) -------------------------------------------------------------------------------------------


class PNet(nn.Module):
    """Proposals: a fully convolutional network, one cell of 12 pixels for each output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, h, w) -> scores (n, h', w') in [0, 1] and shifts of the box's sides (n, 4, h', w'), in its width and height."""
        x = F.max_pool2d(self.prelu1(self.conv1(x)), 2, ceil_mode=True)
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x))))
        return self.conv4_1(x).softmax(1)[:, 1], self.conv4_2(x)


class RNet(nn.Module):
    """Refinement: 24 x 24 pixels, score and shifts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, 24, 24) -> (n,) and (n, 4)."""
        x = F.max_pool2d(self.prelu1(self.conv1(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.prelu2(self.conv2(x)), 3, 2, ceil_mode=True)
        x = self.prelu4(self.dense4(_flat(self.prelu3(self.conv3(x)))))
        return self.dense5_1(x).softmax(1)[:, 1], self.dense5_2(x)


class ONet(nn.Module):
    """Output: 48 x 48 pixels, score, shifts and landmarks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, 3, 48, 48) -> (n,), (n, 4), and (n, 10): five x, then five y, in the box's width and height."""
        x = F.max_pool2d(self.prelu1(self.conv1(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.prelu2(self.conv2(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.prelu3(self.conv3(x)), 2, ceil_mode=True)
        x = self.prelu5(self.dense5(_flat(self.prelu4(self.conv4(x)))))
        return self.dense6_1(x).softmax(1)[:, 1], self.dense6_2(x), self.dense6_3(x)


def _flat(x: Tensor) -> Tensor:
    """(n, c, h, w) -> (n, w*h*c): the published numbers come from a column-major system, channels last."""
    return x.permute(0, 3, 2, 1).flatten(1)


# ---- boxes -----------------------------------------------------------------------------------------------------------


def overlap(box: Tensor, boxes: Tensor, of: str = "union") -> Tensor:
    """Of one box (4,) with others (n, 4): shared area over the union, or over the smaller of the two: (n,)."""
    left, top = torch.maximum(box[:2], boxes[:, :2]).unbind(1)
    right, bottom = torch.minimum(box[2:], boxes[:, 2:]).unbind(1)
    shared = (right - left).clamp(min=0) * (bottom - top).clamp(min=0)
    mine, theirs = (box[2:] - box[:2]).prod(), (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return shared / (torch.minimum(mine, theirs) if of == "smaller" else mine + theirs - shared).clamp(min=1e-9)


def _best(boxes: Tensor, scores: Tensor, most: float, of: str = "union") -> Tensor:
    """Indices of the boxes that overlap none of a higher score by more than `most` (non-maximum suppression)."""
    kept: list[int] = []
    left = scores.argsort(descending=True, stable=True)
    while len(left):
        first = int(left[0])
        kept.append(first)
        left = left[1:][overlap(boxes[first], boxes[left[1:]], of) <= most]
    return torch.tensor(kept, dtype=torch.int64)


def _shifted(boxes: Tensor, shifts: Tensor) -> Tensor:
    size = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    return boxes + shifts * size


def _squared(boxes: Tensor) -> Tensor:
    """As wide as high, about the same middles."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([middle - half, middle + half], 1)


def _cut(picture: Tensor, boxes: Tensor, size: int) -> Tensor:
    """(3, h, w) and square boxes -> (n, 3, size, size); black outside, as the networks were taught."""
    h, w = picture.shape[1:]
    out = []
    for box in boxes.round().long().tolist():
        left, top, right, bottom = box
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        part = picture[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        margins = (max(-left, 0), max(right - w, 0), max(-top, 0), max(bottom - h, 0))
        if part.numel() == 0:
            out.append(picture.new_full((3, size, size), _normal(0.0)))
            continue
        part = F.pad(part, margins, value=_normal(0.0))
        out.append(F.interpolate(part[None], (size, size), mode="area")[0])
    return torch.stack(out)


def _normal(level: float) -> float:
    return (level - 127.5) / 128


# ---- the cascade (Sec. II-A) ------------------------------------------------------------------------------------------


class Detector:
    """The three networks in a row."""

    def __init__(self, p: PNet, r: RNet, o: ONet) -> None:
        self.p, self.r, self.o = (net.eval().requires_grad_(False) for net in (p, r, o))

    @classmethod
    def published(cls) -> Detector:
        """With the published numbers; ModelError where they are not on this machine."""
        nets = PNet(), RNet(), ONet()
        for net, name in zip(nets, CARDS, strict=True):
            net.load_state_dict(weights.tensors(name))
        return cls(*nets)

    @torch.no_grad()
    def __call__(self, pixels: np.ndarray, smallest: int = 20) -> list[Face]:
        """Faces of at least `smallest` pixels in a picture uint8 (h, w, 3), the surest first."""
        h, w = pixels.shape[:2]
        shrink = min(1.0, LONGEST / max(h, w))
        if shrink < 1:
            pixels = images.resize(pixels, max(1, round(h * shrink)), max(1, round(w * shrink)))
        picture = (torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32)) - 127.5) / 128
        boxes = self._proposed(picture, smallest)
        boxes, scores = self._refined(picture, boxes)
        boxes, scores, marks = self._put_out(picture, boxes)
        back = torch.tensor([w / picture.shape[2], h / picture.shape[1]])
        boxes, marks = boxes * back.repeat(2), marks * back
        return [Face(b.numpy(), float(s), m.numpy()) for b, s, m in zip(boxes, scores, marks, strict=True)]

    def _proposed(self, picture: Tensor, smallest: int) -> Tensor:
        h, w = picture.shape[1:]
        scale = CELL / smallest
        all_boxes, all_scores = [torch.zeros(0, 4)], [torch.zeros(0)]
        while min(h, w) * scale >= CELL:
            size = max(CELL, int(h * scale + 1)), max(CELL, int(w * scale + 1))
            scores, shifts = self.p(F.interpolate(picture[None], size, mode="area" if scale < 1 else "bilinear"))
            row, column = (scores[0] > THRESHOLDS[0]).nonzero(as_tuple=True)
            corner = torch.stack([column, row], 1) * float(STRIDE)
            step = torch.tensor([w / size[1], h / size[0]]).repeat(2)
            boxes = torch.cat([corner, corner + CELL], 1) * step
            some, moved = scores[0, row, column], shifts[0, :, row, column].T
            kept = _best(boxes, some, 0.5)
            all_boxes.append(_shifted(boxes[kept], moved[kept]))
            all_scores.append(some[kept])
            scale *= PYRAMID
        boxes, scores = torch.cat(all_boxes), torch.cat(all_scores)
        return _squared(boxes[_best(boxes, scores, 0.7)[:MOST]])

    def _refined(self, picture: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        if not len(boxes):
            return boxes, torch.zeros(0)
        scores, shifts = self.r(_cut(picture, boxes, 24))
        sure = scores > THRESHOLDS[1]
        boxes, scores, shifts = boxes[sure], scores[sure], shifts[sure]
        kept = _best(boxes, scores, 0.7)
        return _squared(_shifted(boxes[kept], shifts[kept])), scores[kept]

    def _put_out(self, picture: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if not len(boxes):
            return boxes, torch.zeros(0), torch.zeros(0, 5, 2)
        scores, shifts, marks = self.o(_cut(picture, boxes, 48))
        sure = scores > THRESHOLDS[2]
        boxes, scores, shifts, marks = boxes[sure], scores[sure], shifts[sure], marks[sure]
        size = boxes[:, 2:] - boxes[:, :2]
        points = boxes[:, None, :2] + torch.stack([marks[:, :5], marks[:, 5:]], -1) * size[:, None]
        boxes = _shifted(boxes, shifts)
        kept = _best(boxes, scores, 0.7, "smaller")
        return boxes[kept], scores[kept], points[kept]


@functools.cache
def _published() -> Detector:
    return Detector.published()


def find(pixels: np.ndarray) -> list[Face]:
    """Faces in a picture uint8 (h, w, 3) by the published networks, the largest first. Small pictures are sought through enlarged, too."""
    detector = _published()
    with one_thread():
        faces = detector(pixels)
        if not faces and max(pixels.shape[:2]) < SMALL:
            h, w = pixels.shape[:2]
            found = detector(images.resize(pixels, 2 * h, 2 * w))
            faces = [Face(f.box / 2, f.score, f.landmarks / 2) for f in found]
    return sorted(faces, key=lambda face: -area(face))


def area(face: Face) -> float:
    """Of its box, in square pixels."""
    return float((face.box[2] - face.box[0]) * (face.box[3] - face.box[1]))
