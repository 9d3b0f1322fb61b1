"""How far two sets of pictures lie apart, as functions of their features alone: Frechet distance, kernel distance, and the four
k-nearest-neighbour shares (precision, recall, density, coverage). float64 throughout; pictures pass in blocks, so memory does not grow
with their number but for a few numbers a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lianpu.errors import DataError
from lianpu.metrics import bootstrap
from lianpu.metrics.bootstrap import Interval

__all__ = [
    "Distance",
    "Kernel",
    "Moments",
    "Neighbours",
    "Rows",
    "frechet",
    "frechet_gap",
    "frechet_interval",
    "frechet_of",
    "kernel",
    "kernel_gap",
    "kernel_of",
    "nearest",
    "neighbours",
    "polynomial",
    "radii",
]

BLOCK = 1024  # rows of features in memory at a time
SMALL = 2048  # below so many pictures a FID is mostly bias (Chong & Forsyth 2020), and kernel matrices of a whole set fit memory


class Rows(Protocol):
    """Features (n, d), in memory or on the disk: an array, a memory map."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __getitem__(self, index: slice | np.ndarray, /) -> np.ndarray: ...


def blocks(x: Rows, size: int = BLOCK) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, rows in float64) of features, block by block. Raises DataError at a value that is no number."""
    for start in range(0, x.shape[0], size):
        rows = np.asarray(x[start : start + size], np.float64)
        if not np.isfinite(rows).all():
            bad = start + int(np.flatnonzero(~np.isfinite(rows).all(1))[0])
            raise DataError(
                f"The features of picture {bad} are not numbers (NaN or infinity).",
                fix="The extractor's weights or the picture are damaged.",
            )
        yield start, rows


def _check(x: Rows, y: Rows) -> None:
    if len(x.shape) != 2 or len(y.shape) != 2 or x.shape[1] != y.shape[1]:
        raise DataError(f"Features of shapes {tuple(x.shape)} and {tuple(y.shape)} cannot be compared.")
    for n in (x.shape[0], y.shape[0]):
        if n < 2:
            raise DataError(f"A set of {n} pictures has no spread: a distance needs at least two in each set.")


# ----------------------------------------------------------------------------------------------------------- Frechet distance


@dataclass
class Moments:
    """Mean and scatter of rows that come in blocks (Chan, Golub & LeVeque 1983, Eq. 2.1): the sets may be merged in any order.

    The scatter is summed about the running mean, never as sum(x x^T) - n m m^T, which cancels where the mean is far from zero.
    """

    n: float
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def empty(cls, d: int) -> Moments:
        return cls(0.0, np.zeros(d), np.zeros((d, d)))

    @classmethod
    def of(cls, x: Rows, weights: np.ndarray | None = None) -> Moments:
        """Moments of all rows, each counted `weights` (n,) times."""
        moments = cls.empty(x.shape[1])
        for start, rows in blocks(x):
            moments.add(rows, None if weights is None else weights[start : start + len(rows)])
        return moments

    def add(self, rows: np.ndarray, weights: np.ndarray | None = None) -> None:
        w = np.ones(len(rows)) if weights is None else weights
        if (n := float(w.sum())) == 0:
            return
        mean = w @ rows / n
        centred = rows - mean
        self.merge(Moments(n, mean, (centred * w[:, None]).T @ centred))

    def merge(self, other: Moments) -> None:
        n = self.n + other.n
        if n == 0:
            return
        gap = other.mean - self.mean
        self.scatter += other.scatter + np.outer(gap, gap) * (self.n * other.n / n)
        self.mean = self.mean + gap * (other.n / n)
        self.n = n

    def covariance(self, ddof: int = 1) -> np.ndarray:
        """(d, d), divided by n - ddof; 1 as in the original FID code, 0 as in StyleGAN's."""
        return self.scatter / (self.n - ddof)


def frechet_of(m1: np.ndarray, c1: np.ndarray, m2: np.ndarray, c2: np.ndarray) -> float:
    """Heusel et al. 2017, Eq. 6: |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), from means (d,) and covariances (d, d).

    tr (C1 C2)^(1/2) = tr (R C2 R)^(1/2) with R = C1^(1/2): the second is symmetric, so its root is that of its eigenvalues, which are
    real. (The usual square root of the unsymmetric C1 C2 turns complex on few pictures and is then cut off.)
    """
    values, vectors = np.linalg.eigh((c1 + c1.T) / 2)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    return _assemble(m1, np.trace(c1), m2, np.trace(c2), _root_trace(root.T @ c2 @ root))


def _root_trace(product: np.ndarray) -> float:
    """tr P^(1/2) of a symmetric positive P; eigenvalues below rounding (d eps max) are zeros, whose roots would add up."""
    values = np.linalg.eigvalsh((product + product.T) / 2)
    floor = max(values[-1], 0.0) * len(values) * np.finfo(np.float64).eps
    return float(np.sqrt(values[values > floor]).sum())


def _assemble(m1: np.ndarray, trace1: float, m2: np.ndarray, trace2: float, root_trace: float) -> float:
    """The four terms; what is within rounding of zero is zero."""
    distance = float(((m1 - m2) ** 2).sum() + trace1 + trace2 - 2 * root_trace)
    rounding = 1e-10 * float((m1**2).sum() + (m2**2).sum() + trace1 + trace2)
    return distance if distance > rounding else 0.0


def frechet(x: Rows, y: Rows, ddof: int = 1) -> float:
    """The Frechet distance of two sets of features (n1, d), (n2, d).

    With fewer pictures than dimensions the covariances are singular, and tr (C1 C2)^(1/2) is the sum of the singular values of the
    n1 x n2 matrix of inner products of the centred features, divided by ((n1 - 1)(n2 - 1))^(1/2): exact, and without a root of zeros.
    """
    _check(x, y)
    if max(x.shape[0], y.shape[0]) <= min(x.shape[1], SMALL):
        return _Gram(x, y).distance(np.ones(x.shape[0]), np.ones(y.shape[0]), ddof)
    a, b = Moments.of(x), Moments.of(y)
    return frechet_of(a.mean, a.covariance(ddof), b.mean, b.covariance(ddof))


class _Gram:
    """Two sets no larger than their dimension, centred, by their inner products: what a Frechet distance of any reweighting needs."""

    def __init__(self, x: Rows, y: Rows) -> None:
        a, b = (np.concatenate([rows for _, rows in blocks(z)]) for z in (x, y))
        middle = (a.mean(0) + b.mean(0)) / 2
        a, b = a - middle, b - middle
        self.xx, self.yy, self.xy = a @ a.T, b @ b.T, a @ b.T

    def distance(self, u: np.ndarray, v: np.ndarray, ddof: int = 1) -> float:
        """The distance with picture i of the first set counted u[i] times, j of the second v[j] times."""
        p, q = u / u.sum(), v / v.sum()
        mean_gap = p @ self.xx @ p + q @ self.yy @ q - 2 * p @ self.xy @ q
        trace1 = (u @ np.diag(self.xx) - u.sum() * (p @ self.xx @ p)) / (u.sum() - ddof)
        trace2 = (v @ np.diag(self.yy) - v.sum() * (q @ self.yy @ q)) / (v.sum() - ddof)
        keep, stay = u > 0, v > 0
        cross = self.xy[np.ix_(keep, stay)]
        p, q = p[keep], q[stay]
        cross = cross - (p @ cross)[None, :] - (cross @ q)[:, None] + p @ cross @ q
        cross = cross * np.sqrt(u[keep])[:, None] * np.sqrt(v[stay])[None, :]
        nuclear = float(np.linalg.svd(cross, compute_uv=False).sum())
        root_trace = nuclear / np.sqrt((u.sum() - ddof) * (v.sum() - ddof))
        distance = float(mean_gap + trace1 + trace2 - 2 * root_trace)
        return distance if distance > 1e-10 * float(np.trace(self.xx) + np.trace(self.yy)) else 0.0


@dataclass(frozen=True)
class Distance:
    """A distance, or a difference of distances, and how sure it is."""

    value: float
    interval: Interval


def frechet_interval(x: Rows, y: Rows, seed: int, resamples: int | None = None) -> Distance:
    """The distance with a 95 % bootstrap interval: pictures of both sets are drawn again with replacement.

    A resample repeats pictures, so its covariances are poorer and its distance is larger: the bias of small sets, once more. The
    interval is therefore the spread of the resamples moved back to the estimate (`bootstrap.centred`): how much the number would move
    with other pictures at this n, not where the number of infinitely many pictures lies. Each resample costs an eigen-decomposition,
    so there are 1000 of them at 64 dimensions, 24 at 2048, where the interval takes +-1.96 of their standard deviation.
    """
    _check(x, y)
    n1, n2, d = x.shape[0], y.shape[0], x.shape[1]
    rank = min(d, max(n1, n2))
    count = resamples if resamples is not None else int(np.clip(2e8 / rank**2.0 / max(1, rank / 512), 24, 1000))
    if max(n1, n2) <= min(d, SMALL):
        gram = _Gram(x, y)
        value = gram.distance(np.ones(n1), np.ones(n2))
        draws = [
            gram.distance(u, v)
            for u, v in zip(
                bootstrap.weights(n1, count, seed, "x"), bootstrap.weights(n2, count, seed, "y"), strict=True
            )
            if _spread(u) and _spread(v)
        ]
        return Distance(value, bootstrap.centred(value, draws))
    value = frechet(x, y)
    draws = []
    for u, v in zip(bootstrap.weights(n1, count, seed, "x"), bootstrap.weights(n2, count, seed, "y"), strict=True):
        if _spread(u) and _spread(v):
            a, b = Moments.of(x, u), Moments.of(y, v)
            draws.append(frechet_of(a.mean, a.covariance(), b.mean, b.covariance()))
    return Distance(value, bootstrap.centred(value, draws))


def _spread(weights: np.ndarray) -> bool:
    return bool((weights > 0).sum() >= 2)


def frechet_gap(mine: Sequence[Rows], theirs: Sequence[Rows], y: Rows, seed: int, resamples: int = 200) -> Distance:
    """How much farther the sets `mine` lie from y than `theirs` do, on average; below zero they are nearer.

    Picture i of every set was made from picture i of y, so all of them are drawn again together: what is hard for one is hard for all, and
    the interval is that of the difference, not of two distances. For sets no larger than their dimension.
    """
    grams = [[_Gram(x, y) for x in side] for side in (mine, theirs)]
    return Distance(*_gap([[gram.distance for gram in side] for side in grams], y.shape[0], seed, resamples))


def _gap(
    sides: Sequence[Sequence[Callable[[np.ndarray, np.ndarray], float]]], n: int, seed: int, resamples: int
) -> tuple[float, Interval]:
    def of(w: np.ndarray) -> float:
        first, second = (float(np.mean([distance(w, w) for distance in side])) for side in sides)
        return first - second

    value = of(np.ones(n))
    return value, bootstrap.centred(value, [of(w) for w in bootstrap.weights(n, resamples, seed, "gap")])


# ------------------------------------------------------------------------------------------------------------ kernel distance


def polynomial(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Binkowski et al. 2018, Sec. 3: k(x, y) = (x.y / d + 1)^3, float64 (n1, n2)."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def kernel_of(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased squared MMD of two sets (n1, d), (n2, d) (Gretton et al. 2012, Eq. 3). It may be below zero: that is its freedom
    from bias.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    n1, n2 = len(x), len(y)
    kxx, kyy, kxy = polynomial(x, x), polynomial(y, y), polynomial(x, y)
    within = (kxx.sum() - np.trace(kxx)) / (n1 * (n1 - 1)) + (kyy.sum() - np.trace(kyy)) / (n2 * (n2 - 1))
    return float(within - 2 * kxy.mean())


@dataclass(frozen=True)
class Kernel:
    """A kernel distance, its deviation over subsets, and its interval."""

    value: float
    deviation: float
    subsets: int
    subset_size: int
    whole: bool
    """Whether the value is that of all pictures together; otherwise it is the mean over the subsets."""
    interval: Interval


def kernel(
    x: Rows, y: Rows, seed: int, *, subsets: int = 100, subset_size: int = 1000, resamples: int = 1000
) -> Kernel:
    """KID's protocol (Binkowski et al. 2018): the mean and standard deviation of the unbiased estimate over `subsets` seeded subsets.

    Where a set has fewer than `subset_size` pictures, every such subset would be the whole set, and the deviation an empty zero. Then
    the value is the estimate of all pictures, which is unbiased at any n, and the deviation that of subsets of half the pictures.
    """
    _check(x, y)
    n1, n2 = x.shape[0], y.shape[0]
    for _ in blocks(x):  # refuses what is not a number before any subset is drawn
        pass
    for _ in blocks(y):
        pass
    whole = min(n1, n2) < subset_size
    size = max(2, min(n1, n2) // 2) if whole else subset_size
    dice = bootstrap.dice(seed, "kernel subsets")
    values = []
    for _ in range(subsets):
        a, b = (np.sort(dice.choice(n, size, replace=False)) for n in (n1, n2))
        values.append(kernel_of(x[a], y[b]))
    all_pictures: _Pairs | _Means = _Pairs(x, y) if max(n1, n2) <= SMALL else _Means(x, y)
    value = all_pictures.value() if whole else float(np.mean(values))
    draws = [
        all_pictures.value(u, v)
        for u, v in zip(
            bootstrap.weights(n1, resamples, seed, "x"), bootstrap.weights(n2, resamples, seed, "y"), strict=True
        )
        if _spread(u) and _spread(v)
    ]
    return Kernel(value, float(np.std(values)), subsets, size, whole, bootstrap.centred(value, draws))


def kernel_gap(mine: Sequence[Rows], theirs: Sequence[Rows], y: Rows, seed: int, resamples: int = 1000) -> Distance:
    """The same as `frechet_gap` of the unbiased kernel distance of whole sets."""
    pairs = [[_Pairs(x, y) for x in side] for side in (mine, theirs)]
    return Distance(*_gap([[pair.value for pair in side] for side in pairs], y.shape[0], seed, resamples))


class _Pairs:
    """All kernel values of two sets, for estimates in which picture i is counted u[i] times; a picture never meets its own copy, which
    would put the biased diagonal back in.
    """

    def __init__(self, x: Rows, y: Rows) -> None:
        a, b = (np.concatenate([rows for _, rows in blocks(z)]) for z in (x, y))
        self.xx, self.yy, self.xy = polynomial(a, a), polynomial(b, b), polynomial(a, b)
        np.fill_diagonal(self.xx, 0)
        np.fill_diagonal(self.yy, 0)

    def value(self, u: np.ndarray | None = None, v: np.ndarray | None = None) -> float:
        u = np.ones(len(self.xx)) if u is None else u
        v = np.ones(len(self.yy)) if v is None else v
        within = u @ self.xx @ u / (u.sum() ** 2 - u @ u) + v @ self.yy @ v / (v.sum() ** 2 - v @ v)
        return float(within - 2 * (u @ self.xy @ v) / (u.sum() * v.sum()))


class _Means:
    """The same of sets too large for all kernel values at once, by the mean kernel of each picture: exact where each picture counts
    once, and in resamples the first-order (Hajek) part, a mean over pictures.
    """

    def __init__(self, x: Rows, y: Rows) -> None:
        xx, xy, yx, yy = _mean_kernel(x, x), _mean_kernel(x, y), _mean_kernel(y, x), _mean_kernel(y, y)
        self.whole = float(xx.mean() + yy.mean() - 2 * xy.mean())
        self.x, self.y = xx - xy, yy - yx  # what a picture adds
        self.x, self.y = self.x - self.x.mean(), self.y - self.y.mean()

    def value(self, u: np.ndarray | None = None, v: np.ndarray | None = None) -> float:
        if u is None or v is None:
            return self.whole
        return self.whole + float(2 * (u @ self.x / u.sum() + v @ self.y / v.sum()))


def _mean_kernel(x: Rows, y: Rows) -> np.ndarray:
    """(n1,): the mean of k(x_i, .) over y; over the others where y is x itself."""
    sums = np.zeros(x.shape[0])
    for i, a in blocks(x):
        for j, b in blocks(y):
            k = polynomial(a, b)
            if x is y and i == j:
                np.fill_diagonal(k, 0)
            sums[i : i + len(a)] += k.sum(1)
    return sums / (y.shape[0] - (x is y))


# -------------------------------------------------------------------------------------------------------- nearest neighbours


@dataclass(frozen=True)
class Neighbours:
    """The four shares, each with its interval."""

    precision: float
    recall: float
    density: float
    coverage: float
    intervals: dict[str, Interval]


def neighbours(
    real: Rows, fake: Rows, seed: int, *, k: int = 3, k_density: int = 5, resamples: int = 1000
) -> Neighbours:
    """Precision and recall (Kynkaanniemi et al. 2019, Eq. 1-2) with k, density and coverage (Naeem et al. 2020, Eq. 2-3) with
    k_density neighbours.

    Precision: the share of fakes inside some real picture's ball, whose radius reaches its k-th real neighbour; recall, the converse.
    Density: the number of real balls a fake lies in, divided by k, on average; coverage: the share of real balls that hold a fake.
    Intervals: the pictures that are counted are drawn again, the balls stay (a copy of a picture would shrink its own ball to nothing).
    """
    _check(real, fake)
    if min(real.shape[0], fake.shape[0]) <= max(k, k_density):
        raise DataError(
            f"{min(real.shape[0], fake.shape[0])} pictures have no {max(k, k_density)} neighbours each.",
            fix=f"Give at least {max(k, k_density) + 1} pictures in each set.",
        )
    real_k, real_d = radii(real, (k, k_density))
    (fake_k,) = radii(fake, (k,))
    inside = np.zeros(fake.shape[0], bool)  # precision: fake j lies in some real ball
    counted = np.zeros(fake.shape[0])  # density: in how many
    reached = np.zeros(real.shape[0], bool)  # recall: real i lies in some fake ball
    covered = np.zeros(real.shape[0], bool)  # coverage: real i's ball holds a fake
    for i, a in blocks(real):
        rows = slice(i, i + len(a))
        for j, b in blocks(fake):
            columns = slice(j, j + len(b))
            d2, slack = _squared(a, b)
            inside[columns] |= (d2 <= real_k[rows, None] + slack).any(0)
            reached[rows] |= (d2 <= fake_k[None, columns] + slack).any(1)
            hit = d2 <= real_d[rows, None] + slack
            counted[columns] += hit.sum(0)
            covered[rows] |= hit.any(1)
    parts = {
        "precision": inside.astype(float),
        "recall": reached.astype(float),
        "density": counted / k_density,
        "coverage": covered.astype(float),
    }
    intervals = {
        name: (bootstrap.of_mean if name == "density" else bootstrap.of_share)(values, seed, resamples)
        for name, values in parts.items()
    }
    precision, recall, density, coverage = (float(values.mean()) for values in parts.values())
    return Neighbours(precision, recall, density, coverage, intervals)


def radii(x: Rows, ks: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Squared distances (n,) to the k-th nearest other row, for each k."""
    most = max(ks)
    best = np.full((x.shape[0], most), np.inf)
    for i, a in blocks(x):
        for j, b in blocks(x):
            d2, _ = _squared(a, b)
            if i == j:
                np.fill_diagonal(d2, np.inf)
            near = np.concatenate([best[i : i + len(a)], d2], 1)
            best[i : i + len(a)] = np.sort(np.partition(near, most - 1, 1)[:, :most], 1)
    return tuple(best[:, k - 1].copy() for k in ks)


def _squared(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|a_i - b_j|^2 (n1, n2), and the rounding of each: |a|^2 + |b|^2 - 2ab loses digits where the two are close."""
    sizes = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :]
    return np.maximum(sizes - 2 * a @ b.T, 0), 1e-13 * sizes


def nearest(x: Rows, among: Rows, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Distances (n, k) and indices (n, k) of the k rows of `among` nearest to each row of x, nearest first."""
    k = min(k, among.shape[0])
    best = np.full((x.shape[0], k), np.inf)
    which = np.full((x.shape[0], k), -1)
    for i, a in blocks(x):
        rows = slice(i, i + len(a))
        for j, b in blocks(among):
            d2, slack = _squared(a, b)
            d2[d2 <= slack] = 0
            near = np.concatenate([best[rows], d2], 1)
            index = np.concatenate([which[rows], np.broadcast_to(np.arange(j, j + len(b)), d2.shape)], 1)
            order = np.argsort(near, 1, kind="stable")[:, :k]
            best[rows], which[rows] = np.take_along_axis(near, order, 1), np.take_along_axis(index, order, 1)
    return np.sqrt(best), which
