"""Data order is a function of (seed, step): every epoch shows every picture once, however the steps are cut."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lianpu.errors import DataError
from lianpu.train.feed import Feed, class_rows, rows
from tests.train.toys import Blobs


@given(seed=st.integers(0, 99), batch=st.integers(1, 23), count=st.integers(23, 60))
def test_every_epoch_shows_every_picture_once(seed, batch, count):
    shown = [index for step in range(3 * count // batch + 1) for index, _ in rows(seed, step, batch, count)]
    for epoch in range(3):
        assert Counter(shown[epoch * count : (epoch + 1) * count]) == Counter(range(count))


@given(seed=st.integers(0, 99), batch=st.integers(1, 10))
def test_batch_size_does_not_change_the_order(seed, batch):
    one = [row for step in range(40) for row in rows(seed, step, 1, 17)]
    many = [row for step in range(-(-40 // batch)) for row in rows(seed, step, batch, 17)]
    assert many[:40] == one


def test_epochs_differ_and_half_are_mirrored():
    first, second = rows(0, 0, 1000, 1000), rows(0, 1, 1000, 1000)
    assert [i for i, _ in first] != [i for i, _ in second]
    assert 440 < sum(m for _, m in first) < 560  # 1000 coins: 3.8 sigma


def test_mirrored_rows_are_mirrored_pixels():
    pictures = Blobs()
    with_mirror = next(iter(Feed(pictures, batch=16, seed=3))).images
    without = next(iter(Feed(pictures, batch=16, seed=3, mirror=False))).images
    flips = torch.tensor([bool(m) for _, m in rows(3, 0, 16, len(pictures))])
    assert flips.any()
    assert not flips.all()
    assert torch.equal(with_mirror[flips], without[flips].flip(3))
    assert torch.equal(with_mirror[~flips], without[~flips])


def test_two_processes_share_a_batch_by_stride():
    pictures = Blobs()
    whole = next(iter(Feed(pictures, batch=8, seed=0)))
    for rank in range(2):
        part = next(iter(Feed(pictures, batch=8, seed=0, rank=rank, world=2)))
        assert torch.equal(part.images, whole.images[rank::2])
        assert torch.equal(part.labels, whole.labels[rank::2])


def test_batch_larger_than_the_data_is_refused_with_a_way_out():
    with pytest.raises(DataError, match=r"batch \(64\) is larger than the data set \(40 pictures\)(.|\n)*-s batch="):
        Feed(Blobs(), batch=64, seed=0)


@given(seed=st.integers(0, 9), groups=st.integers(1, 5), size=st.integers(1, 4))
def test_each_group_holds_one_class_and_every_picture_has_its_turn(seed, groups, size):
    labels = [0] * 5 + [2] * 11 + [1] * 8  # no class 3, sizes differ
    shown: Counter[int] = Counter()
    for step in range(-(-3 * 11 * 4 // groups)):  # walks through all of the largest class
        batch = [index for index, _ in class_rows(seed, step, groups * size, size, labels)]
        for i in range(groups):
            assert len({labels[index] for index in batch[i::groups]}) == 1  # as minibatch_stddev groups them
        shown.update(batch)
    assert set(shown) == set(range(24))
    for label in (0, 1, 2):
        turns = [shown[i] for i in range(24) if labels[i] == label]
        assert max(turns) - min(turns) <= 1


def test_a_batch_by_classes_is_the_same_for_any_split_among_processes():
    pictures = Blobs()
    whole = next(iter(Feed(pictures, batch=8, seed=0, class_group=4)))
    assert whole.labels[0::2].unique().numel() == whole.labels[1::2].unique().numel() == 1
    for rank in range(2):
        part = next(iter(Feed(pictures, batch=8, seed=0, class_group=4, rank=rank, world=2)))
        assert torch.equal(part.images, whole.images[rank::2])
