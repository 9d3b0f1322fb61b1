"""Whether a generator repeats its training pictures: how near each generated picture lies to its nearest training picture, beside how
near real pictures lie that were never trained on (Meehan et al. 2020). The nearest ones are named, for eyes to judge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lianpu.metrics import bootstrap
from lianpu.metrics.bootstrap import Interval
from lianpu.metrics.distances import Rows, nearest

__all__ = ["Memorisation", "Neighbour", "memorisation", "probability_nearer"]

CLOSE = 0.05  # quantile of the held-out distances below which a generated picture is called close
LISTED = 24


@dataclass(frozen=True)
class Neighbour:
    """A generated picture, the training picture nearest to it, and their distance in feature space."""

    generated: str
    training: str
    distance: float


@dataclass(frozen=True)
class Memorisation:
    """P(a generated picture lies nearer to the training pictures than a held-out real one does); 1/2 for a generator that has learnt,
    1 for one that copies. None without held-out pictures.
    """

    value: float | None
    interval: Interval
    close: float | None
    """The share of generated pictures nearer to training than 95 % of held-out ones are; 0.05 is expected."""
    median: float
    median_held_out: float | None
    nearest: list[Neighbour]
    """The smallest distances first."""


def probability_nearer(a: np.ndarray, b: np.ndarray, u: np.ndarray | None = None, v: np.ndarray | None = None) -> float:
    """P(a < b) + P(a = b) / 2 over all pairs (Mann & Whitney 1947), each value counted u, v times."""
    u = np.ones(len(a)) if u is None else u
    v = np.ones(len(b)) if v is None else v
    order = np.argsort(b, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(v[order])])
    below = total[np.searchsorted(b[order], a, "left")]  # weight of b < a
    up_to = total[np.searchsorted(b[order], a, "right")]  # weight of b <= a
    nearer = u @ ((total[-1] - up_to) + (up_to - below) / 2)
    return float(nearer / (u.sum() * total[-1]))


def memorisation(
    generated: Rows,
    training: Rows,
    held_out: Rows | None,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    seed: int,
    *,
    resamples: int = 1000,
) -> Memorisation:
    """From features (n, d) of the three sets. names: of the generated and of the training pictures."""
    distances, indices = nearest(generated, training)
    mine, which = distances[:, 0], indices[:, 0]
    listed = [
        Neighbour(names[0][i], names[1][which[i]], float(mine[i])) for i in np.argsort(mine, kind="stable")[:LISTED]
    ]
    if held_out is None or held_out.shape[0] < 2:
        return Memorisation(None, Interval(None, None), None, float(np.median(mine)), None, listed)
    theirs = nearest(held_out, training)[0][:, 0]
    value = probability_nearer(mine, theirs)
    draws = [
        probability_nearer(mine, theirs, u, v)
        for u, v in zip(
            bootstrap.weights(len(mine), resamples, seed, "x"),
            bootstrap.weights(len(theirs), resamples, seed, "y"),
            strict=True,
        )
    ]
    interval = bootstrap.centred(value, draws).within(0.0, 1.0)
    close = float((mine < np.quantile(theirs, CLOSE)).mean())
    return Memorisation(value, interval, close, float(np.median(mine)), float(np.median(theirs)), listed)
