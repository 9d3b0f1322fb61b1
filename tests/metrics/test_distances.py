"""Distances hold to closed forms, to invariants, and to the libraries others compute them with."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchmetrics.image import FrechetInceptionDistance, KernelInceptionDistance

from lianpu.errors import DataError
from lianpu.metrics import distances
from lianpu.metrics.distances import Moments, frechet, frechet_interval, frechet_of, kernel, kernel_of, neighbours
from tests.metrics.rulers import clouds
from tests.parity import reference


@pytest.fixture(scope="module")
def fixture() -> dict[str, np.ndarray]:
    return {k: v.numpy() for k, v in reference.load("metrics").items()}


# ------------------------------------------------------------------------------------------------------------------- parity


def test_frechet_equals_the_reference_implementation(fixture):
    # the reference divides the covariance by n
    assert frechet(fixture["gen"], fixture["real"], ddof=0) == pytest.approx(float(fixture["fid"]), rel=1e-9)
    ours = Moments.of(fixture["gen"])
    np.testing.assert_allclose(ours.mean, fixture["mu_gen"], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(ours.covariance(ddof=0), fixture["sigma_gen"], rtol=1e-5, atol=1e-6)


def test_kernel_equals_the_reference_implementation(fixture):
    theirs = float(fixture["kid_real80_gen80_full_subset"])
    assert kernel_of(fixture["real"][:80], fixture["gen"]) == pytest.approx(theirs, rel=1e-5)


def test_precision_and_recall_equal_the_reference_implementation(fixture):
    found = neighbours(fixture["real"], fixture["gen"], 0, k=3)
    assert found.precision == pytest.approx(float(fixture["precision_k3"]), abs=0.02)  # it rounds distances to float16
    assert found.recall == pytest.approx(float(fixture["recall_k3"]), abs=0.02)


class Flat(nn.Module):
    """Hands features through torchmetrics unchanged: "pictures" (n, d) are their own features."""

    num_features = 24

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("n", "m"), [(200, 150), (24, 200), (12, 10)])
def test_frechet_equals_torchmetrics(n, m):
    x, y = clouds(n, m, 24)
    theirs = FrechetInceptionDistance(feature=Flat(), normalize=True, input_img_size=(1, 1, 24)).set_dtype(
        torch.float64
    )
    theirs.update(torch.from_numpy(y)[:, None, None].double(), real=True)
    theirs.update(torch.from_numpy(x)[:, None, None].double(), real=False)
    assert frechet(x, y) == pytest.approx(float(theirs.compute()), rel=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_kernel_equals_torchmetrics_on_the_same_subset():
    x, y = clouds(60, 60, 24)
    theirs = KernelInceptionDistance(feature=Flat(), subsets=1, subset_size=60, normalize=True)
    theirs.update(torch.from_numpy(y)[:, None, None], real=True)
    theirs.update(torch.from_numpy(x)[:, None, None], real=False)
    assert kernel_of(x, y) == pytest.approx(float(theirs.compute()[0]), rel=1e-4)


@pytest.mark.parametrize(("n", "m", "d"), [(300, 200, 16), (40, 500, 30)])
def test_frechet_equals_scipys_matrix_root(n, m, d):
    x, y = clouds(n, m, d)
    x, y = x.astype(float), y.astype(float)
    root = scipy.linalg.sqrtm(np.cov(x.T) @ np.cov(y.T)).real
    theirs = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(np.cov(x.T) + np.cov(y.T) - 2 * root)
    assert frechet(x, y) == pytest.approx(theirs, rel=1e-6)


# ------------------------------------------------------------------------------------------------------------- closed forms


def test_frechet_of_commuting_gaussians_is_the_sum_over_axes():
    m1, m2, s1, s2 = np.array([0.0, 1]), np.array([3.0, -1]), np.array([1.0, 4]), np.array([9.0, 0.25])
    q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(2, 2)))
    found = frechet_of(m1, q @ np.diag(s1) @ q.T, m2, q @ np.diag(s2) @ q.T)
    assert found == pytest.approx(9 + 4 + ((s1**0.5 - s2**0.5) ** 2).sum(), rel=1e-12)


def test_frechet_of_a_translation_is_its_square():
    x, _ = clouds(500, 2, 6)
    assert frechet(x.astype(float), x.astype(float) + np.array([3, 0, 0, 4, 0, 0])) == pytest.approx(25, rel=1e-9)


@pytest.mark.parametrize("d", [5, 400])
def test_few_pictures_take_the_same_distance_by_either_way(d):
    x, y = clouds(30, 40, d)
    a, b = Moments.of(x), Moments.of(y)
    assert frechet(x, y) == pytest.approx(frechet_of(a.mean, a.covariance(), b.mean, b.covariance()), rel=1e-7)


@pytest.mark.parametrize("d", [5, 400])
def test_identical_sets_are_at_distance_zero(d):
    x, _ = clouds(60, 2, d)
    assert frechet(x, x) == 0.0
    assert frechet(x, x[::-1].copy()) == 0.0


def test_the_zeros_of_a_singular_covariance_stay_zeros():
    """Rank 29 in 400 dimensions: the root of each of 371 rounding errors, summed, would be 1e-6 of the trace."""
    a = Moments.of(clouds(30, 2, 400)[0].astype(float))
    c = a.covariance()
    root_trace = distances._root_trace(c @ c)
    assert root_trace == pytest.approx(np.trace(c), rel=1e-9)


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_frechet_is_symmetric_and_blind_to_rotation(seed):
    x, y = clouds(25, 30, 7, seed=seed)
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(7, 7)))
    assert frechet(x, y) == pytest.approx(frechet(y, x), rel=1e-7)
    assert frechet(x @ q, y @ q) == pytest.approx(frechet(x, y), rel=1e-6)


def test_moments_far_from_zero_lose_no_digits():
    x, _ = clouds(400, 2, 5)
    near, far = Moments.of(x.astype(float)), Moments.of(x.astype(float) + 1e6)
    np.testing.assert_allclose(far.covariance(), near.covariance(), rtol=1e-6, atol=1e-8)


def test_moments_do_not_depend_on_how_the_rows_come():
    x, _ = clouds(3000, 2, 5)
    whole, parts = Moments.of(x), Moments.empty(5)
    for piece in np.array_split(x.astype(float), 7):
        parts.add(piece)
    np.testing.assert_allclose(parts.covariance(), whole.covariance(), rtol=1e-10)
    np.testing.assert_allclose(whole.covariance(), np.cov(x.T.astype(float)), rtol=1e-10)


def test_kernel_distance_is_unbiased_at_any_n():
    dice = np.random.default_rng(0)
    values = [kernel_of(dice.normal(size=(8, 6)), dice.normal(size=(8, 6))) for _ in range(3000)]
    assert abs(np.mean(values)) < 4 * np.std(values) / len(values) ** 0.5
    assert np.mean(values) < np.std(values) / 5, "an estimate with the diagonal in it is far above zero"


def test_kernel_by_hand():
    x, y = np.array([[1.0, 0], [0, 2]]), np.array([[1.0, 1], [2, 0]])
    k = lambda a, b: (a @ b / 2 + 1) ** 3  # noqa: E731
    by_hand = k(x[0], x[1]) + k(y[0], y[1]) - 2 * np.mean([k(a, b) for a in x for b in y])
    assert kernel_of(x, y) == pytest.approx(by_hand, rel=1e-12)


def test_neighbours_by_hand():
    real = np.arange(10.0)[:, None]  # on a line, one apart: the third nearest is at 2 inside, the fifth at 3
    near, far = np.full((10, 1), 4.4), np.full((10, 1), 100.0)
    fakes = np.concatenate([near[:5] + np.arange(5)[:, None] * 1e-3, far[:5] + np.arange(5)[:, None]])
    found = neighbours(real, fakes, 0)
    assert found.precision == 0.5
    # recall: fakes near 4.4 reach 3e-3 at most, but those five have their fifth neighbours far away; k = 3 stays within 4e-3
    assert found.recall == 0.0
    balls = sorted(abs(real - real.T), key=lambda r: r[0])
    radius = np.sort(np.array(balls), 1)[:, 5]
    inside = sum(abs(r - f) <= rad for f in fakes[:, 0] for r, rad in zip(real[:, 0], radius, strict=True))
    assert found.density == pytest.approx(inside / 5 / 10)
    assert found.coverage == np.mean(
        [(abs(r - fakes[:, 0]) <= rad).any() for r, rad in zip(real[:, 0], radius, strict=True)]
    )


def test_identical_sets_have_all_shares_full_even_with_copies():
    x, _ = clouds(40, 2, 200)
    x = np.concatenate([x, x[:8], x[:8], x[:8], x[:8], x[:8]]).astype(float) + 30  # radius 0, but for rounding
    found = neighbours(x, x[np.random.default_rng(0).permutation(80)], 0)
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)


def test_the_rounding_of_a_squared_distance_is_known_and_small():
    dice = np.random.default_rng(0)
    a = dice.normal(size=(50, 2048)) + 30
    b = a + dice.normal(size=a.shape) * 1e-6
    exact = ((a.astype(np.longdouble) - b) ** 2).sum(1)
    found, slack = distances._squared(a, b)
    wrong = np.abs(np.diag(found) - exact.astype(float))
    assert (wrong <= np.diag(slack)).all()
    assert wrong.max() > 1e-9, "the premise: digits are lost"
    assert slack.max() < 1e-6


def test_nearest_names_the_nearest_across_blocks(monkeypatch):
    x, y = clouds(23, 31, 4)
    expected = np.linalg.norm(x[:, None] - y[None], axis=-1)
    whole, which = distances.nearest(x, y, 3)
    monkeypatch.setattr(distances.blocks, "__defaults__", (7,))
    parts, same = distances.nearest(x, y, 3)
    np.testing.assert_allclose(whole, np.sort(expected, 1)[:, :3], rtol=1e-5)
    np.testing.assert_array_equal(which, np.argsort(expected, 1)[:, :3])
    np.testing.assert_allclose(parts, whole)
    np.testing.assert_array_equal(same, which)


def test_neighbours_and_moments_do_not_depend_on_the_block(monkeypatch):
    x, y = clouds(45, 38, 6)
    before = neighbours(x, y, 0), frechet(x, y), distances._mean_kernel(x, x)
    monkeypatch.setattr(distances.blocks, "__defaults__", (10,))
    after = neighbours(x, y, 0), frechet(x, y), distances._mean_kernel(x, x)
    assert before[0] == after[0]
    assert before[1] == pytest.approx(after[1], rel=1e-9)
    np.testing.assert_allclose(before[2], after[2])


# ---------------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("measure", [frechet, lambda x, y: kernel(x, y, 0), lambda x, y: neighbours(x, y, 0)])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_is_refused_and_located(measure, bad):
    x, y = clouds(30, 30, 4)
    x[17, 2] = bad
    with pytest.raises(DataError, match="picture 17"):
        measure(x, y)


@pytest.mark.parametrize("measure", [frechet, lambda x, y: kernel(x, y, 0), lambda x, y: neighbours(x, y, 0)])
def test_one_picture_has_no_distance(measure):
    x, y = clouds(1, 30, 4)
    with pytest.raises(DataError, match="at least two"):
        measure(x, y)


def test_too_few_for_neighbours_is_an_error():
    x, y = clouds(5, 30, 4)
    with pytest.raises(DataError, match="neighbours"):
        neighbours(y, x, 0)


# ---------------------------------------------------------------------------------------------------------------- intervals


@pytest.mark.parametrize("d", [4, 120])
def test_a_frechet_interval_is_as_wide_as_the_estimate_moves(d):
    """95 % intervals at n = 60 against the spread of the estimate over fresh draws at n = 60."""
    estimates = [frechet(*clouds_of(d, seed)) for seed in range(60)]
    found = [frechet_interval(*clouds_of(d, seed), seed, resamples=200).interval for seed in range(8)]
    width = np.mean([i.high - i.low for i in found])
    assert 0.6 < width / (2 * 1.96 * np.std(estimates)) < 1.7
    value = frechet_interval(*clouds_of(d, 0), 0, resamples=200)
    assert value.interval.low < value.value < value.interval.high
    assert value.interval.bias > 0, "resamples lie above the estimate: the small-sample bias once more"


def clouds_of(d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    dice = np.random.default_rng(1000 + seed)
    scale = 0.9 ** np.arange(d)
    return dice.normal(size=(60, d)) * scale, (dice.normal(size=(60, d)) + 0.7) * scale


def test_a_kernel_interval_holds_the_true_value_about_as_often_as_it_says():
    """The population value by a large sample; 95 % intervals must hold it in at least 80 of 100 draws, and not be endless."""
    big = np.random.default_rng(7)
    truth = kernel_of(big.normal(size=(4000, 3)), big.normal(size=(4000, 3)) + 0.5)
    held = 0
    for seed in range(100):
        dice = np.random.default_rng(seed)
        found = kernel(dice.normal(size=(50, 3)), dice.normal(size=(50, 3)) + 0.5, seed, subsets=2, resamples=300)
        held += found.interval.low <= truth <= found.interval.high
    assert 80 <= held <= 100
    assert held < 100 or found.interval.high - found.interval.low < 10 * truth


def test_kernel_resamples_never_pair_a_picture_with_its_copy():
    x, y = clouds(30, 30, 5, shift=0.0)
    pairs = distances._Pairs(x, y)
    twice = np.zeros(30)
    twice[:15] = 2
    assert pairs.value(twice, np.ones(30)) == pytest.approx(kernel_of(x[:15], y), rel=1e-9)


def test_a_large_set_takes_the_first_order_interval_and_it_agrees(monkeypatch):
    x, y = clouds(300, 300, 6)
    exact = kernel(x, y, 0, subsets=2, resamples=400).interval
    monkeypatch.setattr(distances, "SMALL", 100)
    large = kernel(x, y, 0, subsets=2, resamples=400)
    assert large.value == pytest.approx(kernel_of(x, y), rel=1e-9), "all pictures, exactly, block by block"
    first_order = large.interval
    assert first_order.high - first_order.low == pytest.approx(exact.high - exact.low, rel=0.1)


def test_kernel_follows_the_protocol_from_a_thousand_pictures():
    x, y = clouds(1100, 1200, 3)
    found = kernel(x, y, 3, subsets=5, resamples=50)
    assert (found.subset_size, found.whole) == (1000, False)
    assert found.value == pytest.approx(kernel_of(x, y), abs=5 * found.deviation)
    small = kernel(x[:100], y[:80], 3, subsets=50, resamples=50)
    assert (small.subset_size, small.whole) == (40, True)
    assert small.value == pytest.approx(kernel_of(x[:100], y[:80]))
    assert small.deviation > 0, "subsets of everything would not deviate"


def test_the_same_seed_gives_the_same_interval_and_another_another():
    x, y = clouds(40, 40, 5)
    assert kernel(x, y, 1) == kernel(x, y, 1)
    assert kernel(x, y, 1).interval != kernel(x, y, 2).interval


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    def peak(n: int) -> int:
        x, y = (np.memmap(tmp_path / f"{n}-{s}", np.float32, "w+", shape=(n, 32)) for s in "xy")
        dice = np.random.default_rng(0)
        for start in range(0, n, 1000):
            x[start : start + 1000] = dice.normal(size=(1000, 32))
            y[start : start + 1000] = dice.normal(size=(1000, 32))
        tracemalloc.start()
        frechet(x, y)
        neighbours(x, y, 0, resamples=2)
        kernel(x, y, 0, subsets=2, resamples=2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    small, large = peak(3000), peak(9000)
    assert large - small < 6000 * 200, "a few numbers a picture may remain, never its features beside all others"


@pytest.mark.parametrize("gap", [distances.frechet_gap, distances.kernel_gap])
def test_a_gap_is_the_difference_of_distances_and_surer_than_each_alone(gap):
    """Two ways of painting the same pictures: what the pictures share cancels."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(60, 80))
    made = truth + 0.7 * rng.normal(size=truth.shape)
    near, far = made + 0.15, made + 0.25
    alone = {
        distances.frechet_gap: lambda x: (
            distances.frechet(x, truth),
            distances.frechet_interval(x, truth, 0, 200).interval,
        ),
        distances.kernel_gap: lambda x: (distances.kernel_of(x, truth), distances.kernel(x, truth, 0).interval),
    }[gap]
    (a, sure_a), (b, sure_b) = alone(near), alone(far)
    found = gap([near], [far], truth, 0)
    assert found.value == pytest.approx(a - b, rel=1e-9)
    assert found.value < 0
    assert found.interval.high < 0, "far is farther on every resample"
    assert found.interval.high - found.interval.low < 0.5 * min(sure_a.high - sure_a.low, sure_b.high - sure_b.low)
    other = gap([far], [near], truth, 0)
    assert other.value == pytest.approx(-found.value)
    same = gap([near, far], [far, near], truth, 0)
    assert same.value == pytest.approx(0, abs=1e-12)
    assert same.interval.low == pytest.approx(0, abs=1e-12)
