"""Intervals are as wide as they should be, lie around their estimate, and are functions of the seed."""

from __future__ import annotations

import numpy as np
import pytest

from lianpu.metrics import bootstrap


def test_the_interval_of_a_mean_is_the_textbooks():
    x = np.random.default_rng(0).normal(3, 2, 400)
    found = bootstrap.of_mean(x, 0, 2000)
    half = 1.96 * x.std() / 400**0.5
    assert (found.low, found.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.1 * half)
    assert abs(found.bias) < half / 10


def test_resamples_that_all_lie_above_the_estimate_still_lay_the_interval_around_it():
    draws = 10 + 5 + np.random.default_rng(0).normal(0, 1, 1000)
    found = bootstrap.centred(10.0, draws.tolist())
    assert (found.low, found.high) == pytest.approx((10 - 1.96, 10 + 1.96), abs=0.2)
    assert found.bias == pytest.approx(5, abs=0.1)
    few = bootstrap.centred(10.0, draws[:40].tolist())
    assert (few.low + few.high) / 2 == pytest.approx(10)
    assert "1.96 standard deviations" in few.how
    assert "quantiles" in found.how


def test_every_resample_draws_as_many_pictures_as_there_are():
    for w in bootstrap.weights(17, 50, 3, "x"):
        assert w.sum() == 17
        assert w.max() > 1
    assert [w.tolist() for w in bootstrap.weights(5, 3, 1, "x")] == [
        w.tolist() for w in bootstrap.weights(5, 3, 1, "x")
    ]
    assert [w.tolist() for w in bootstrap.weights(5, 3, 1, "x")] != [
        w.tolist() for w in bootstrap.weights(5, 3, 1, "y")
    ]


def test_a_share_of_all_or_none_is_not_certain():
    full, none = bootstrap.of_share(np.ones(60, bool), 0), bootstrap.of_share(np.zeros(60, bool), 0)
    assert (full.low, full.high) == pytest.approx((0.95, 1.0))
    assert (none.low, none.high) == pytest.approx((0.0, 0.05))
    most = bootstrap.of_share(np.arange(60) > 0, 0)
    assert 0.9 < most.low < 59 / 60 < most.high <= 1.0


def test_pairs_that_share_pictures_are_not_so_many_independent_ones():
    """Ten pictures, each in forty pairs, whose value is the picture's own: as sure as ten numbers, not as four hundred."""
    own = np.random.default_rng(0).normal(size=10)
    left, right = np.repeat(np.arange(10), 40), np.tile(np.arange(40), 10)
    found = bootstrap.of_pairs(own[left], left, right, (10, 40), 0)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * own.std() / 10**0.5, rel=0.2)


def test_too_few_give_no_interval():
    assert bootstrap.of_mean(np.ones(1), 0).low is None
    assert bootstrap.centred(1.0, [2.0]).how == "none"
