"""A copier is told from a learner, by name."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from lianpu.metrics.memorisation import memorisation, probability_nearer


def sets(n: int = 120, d: int = 6, seed: int = 0):
    dice = np.random.default_rng(seed)
    return dice.normal(size=(n, d)), dice.normal(size=(n, d)), dice


NAMES = tuple(f"g{i}" for i in range(120)), tuple(f"t{i}" for i in range(120))


def test_a_learner_is_at_one_half_and_a_copier_at_one():
    training, held, dice = sets()
    learner, copier = dice.normal(size=(120, 6)), training[::-1] + dice.normal(size=(120, 6)) * 0.01
    learnt = memorisation(learner, training, held, NAMES, 0)
    copied = memorisation(copier, training, held, NAMES, 0)
    assert learnt.interval.low < 0.5 < learnt.interval.high
    assert copied.value > 0.99
    assert copied.interval.low > 0.9
    assert copied.close == 1.0
    assert learnt.close < 0.15
    assert copied.median < 0.1 * copied.median_held_out


def test_the_nearest_are_named():
    training, held, dice = sets()
    generated = dice.normal(size=(120, 6)) + 8
    generated[31] = training[77] + 0.001
    first = memorisation(generated, training, held, NAMES, 0).nearest[0]
    assert (first.generated, first.training) == ("g31", "t77")
    assert first.distance == pytest.approx(0.001 * 6**0.5, rel=1e-3)


def test_without_held_out_pictures_there_is_no_value_but_the_nearest_are_named():
    training, _, _ = sets()
    found = memorisation(training[:5], training, None, NAMES, 0)
    assert (found.value, found.close) == (None, None)
    assert [n.training for n in found.nearest] == ["t0", "t1", "t2", "t3", "t4"]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=20), st.lists(st.integers(0, 6), min_size=1, max_size=20))
@settings(deadline=None)
def test_the_probability_is_mann_whitneys(a, b):
    a, b = np.array(a, float), np.array(b, float)
    u = scipy.stats.mannwhitneyu(b, a, alternative="two-sided").statistic  # counts b > a, ties by half
    assert probability_nearer(a, b) == pytest.approx(u / (len(a) * len(b)))


def test_weights_count_pictures():
    a, b = np.array([1.0, 5.0]), np.array([2.0, 3.0])
    assert probability_nearer(a, b, np.array([3.0, 1]), np.array([1.0, 2])) == pytest.approx(
        probability_nearer(np.array([1.0, 1, 1, 5]), np.array([2.0, 3, 3]))
    )
