"""How sure a number is: pictures are drawn again with replacement and the number is computed anew (Efron 1979), seeded, so that the
same pictures and seed give the same interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lianpu.randomness import mix

__all__ = ["Interval", "centred", "dice", "of_mean", "of_pairs", "of_share", "weights"]

FEW = 200  # below so many resamples the 2.5 % tails hold fewer than five values, and the normal quantile is the better guess


@dataclass(frozen=True)
class Interval:
    """95 % from low to high; `bias`: how much the resamples lie above the estimate on average; `resamples`: how many there were."""

    low: float | None
    high: float | None
    bias: float | None = None
    resamples: int = 0

    def within(self, lowest: float, highest: float) -> Interval:
        """Cut off at the values the number can take."""
        low, high = (None if v is None else min(max(v, lowest), highest) for v in (self.low, self.high))
        return Interval(low, high, self.bias, self.resamples)

    @property
    def how(self) -> str:
        """The method in words."""
        if not self.resamples:
            return "none"
        tails = "2.5 % and 97.5 % quantiles" if self.resamples >= FEW else "1.96 standard deviations"
        return f"{self.resamples} resamples of the pictures, {tails}, centred on the estimate"


def dice(seed: int, *name: object) -> np.random.Generator:
    """Random numbers that are a function of (seed, name)."""
    return np.random.default_rng(mix(seed, "metrics", *name))


def weights(n: int, resamples: int, seed: int, name: str) -> Iterator[np.ndarray]:
    """How often each of n pictures is drawn, float64 (n,) summing to n, for each resample."""
    draw = dice(seed, "bootstrap", name, n)
    for _ in range(resamples):
        yield np.bincount(draw.integers(n, size=n), minlength=n).astype(np.float64)


def centred(value: float, draws: Sequence[float]) -> Interval:
    """The spread of the resamples about their own mean, laid around the estimate.

    For a mean this is the usual percentile interval. A statistic with a small-sample bias (Frechet) is biased once more in each
    resample, so that plain percentiles may miss the estimate itself; moving them back leaves the spread at this n.
    """
    if len(draws) < 2:
        return Interval(None, None)
    values = np.asarray(draws, np.float64)
    mean = float(values.mean())
    if len(values) >= FEW:
        low, high = np.quantile(values, [0.025, 0.975]) - mean
    else:
        high = 1.96 * float(values.std(ddof=1))
        low = -high
    return Interval(value + float(low), value + float(high), mean - value, len(values))


def of_mean(values: np.ndarray, seed: int, resamples: int = 1000, name: str = "mean") -> Interval:
    """The interval of the mean of one number a picture, (n,)."""
    n = len(values)
    if n < 2:
        return Interval(None, None)
    return centred(float(values.mean()), [float(w @ values) / n for w in weights(n, resamples, seed, name)])


def of_share(hits: np.ndarray, seed: int, resamples: int = 1000, name: str = "share") -> Interval:
    """The interval of a share, from one yes or no a picture (n,), within [0, 1]. Where all say the same, resampling them knows no
    doubt; the bound is then 3/n away ("rule of three", Hanley & Lippman-Hand 1983).
    """
    n, value = len(hits), float(hits.mean())
    if n < 2:
        return Interval(None, None)
    if value in (0.0, 1.0):
        reach = min(3 / n, 1.0)
        return Interval(value and 1 - reach, value or reach, 0.0, resamples)
    return of_mean(hits.astype(np.float64), seed, resamples, name).within(0.0, 1.0)


def of_pairs(
    values: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    sizes: tuple[int, int | None],
    seed: int,
    resamples: int = 1000,
) -> Interval:
    """The interval of the mean of one number a pair (m,): pictures, not pairs, are drawn again, and a pair counts as often as both.

    left, right: the pictures' indices (m,). sizes: the numbers of pictures in the two sets; the second None where both are one set.
    """
    if len(values) < 2:
        return Interval(None, None)
    first = weights(sizes[0], resamples, seed, "left")
    second = None if sizes[1] is None else weights(sizes[1], resamples, seed, "right")
    draws = []
    for u in first:
        v = u if second is None else next(second)
        w = u[left] * v[right]
        if w.sum() > 0:
            draws.append(float(w @ values / w.sum()))
    return centred(float(values.mean()), draws)
