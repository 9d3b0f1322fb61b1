"""One call, one table: pictures against pictures, by every metric asked for. A row says what it is a number of: which network and file,
which resize, how many pictures, which pairs, which seed, how sure; and where there is no number, why.
"""

from __future__ import annotations

import csv
import io
import json
import math
import operator
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from lianpu import files, weights
from lianpu.data.colour import CLASSES
from lianpu.errors import CheckFailed, DataError, ModelError, UsageError, did_you_mean
from lianpu.metrics import bootstrap, distances, masks, perceptual, sources
from lianpu.metrics import memorisation as memory
from lianpu.metrics.bootstrap import Interval
from lianpu.metrics.features import Alone, Count, Extractor, Features, Peers, extract, share
from lianpu.metrics.sources import Source
from lianpu.nets import features as networks

__all__ = [
    "METRICS",
    "About",
    "Row",
    "available_extractors",
    "check_ending",
    "evaluate",
    "fail_if",
    "parse_check",
    "read_json",
    "to_csv",
    "to_json",
    "write",
]

PAIRS = 4096  # most pairs a perceptual metric looks at
PARTNERS = 4
SMALL = distances.SMALL
STANDARD = "inception-2015"


@dataclass(frozen=True)
class Row:
    """One number and all it takes to read it."""

    metric: str
    """Its standard name, or one that says what is not standard: "FD (efficientnet-lite0)", "MS-SSIM (2 scales)"."""
    value: float | None
    low: float | None
    high: float | None
    """95 % bootstrap interval."""
    n: int
    n_reference: int
    extractor: str = ""
    extractor_sha256: str = ""
    resize: str = ""
    pairing: str = ""
    seed: int = 0
    note: str = ""
    """Warnings, and "undefined because ..." where there is no value."""
    better: Literal["lower", "higher", "closer"] = "lower"
    """closer: to what `extra["reference"]` or the note says."""
    group: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(
                    f"{self.metric}: {name} is {number}; a value that is not a number is None, with the reason"
                )

    @property
    def key(self) -> str:
        """The name `--metrics` and `--fail-if` know it by: fid, ms-ssim, precision."""
        return self.extra.get("key") or self.metric.split(" (")[0].lower().replace(" ", "-")


@dataclass(frozen=True)
class About:
    """What a metric is, for help and reports."""

    what: str
    paper: str
    better: Literal["lower", "higher", "closer"]
    group: str


# fmt: off
METRICS: dict[str, About] = {
    "fid": About("Frechet distance of standard Inception features", "Heusel et al. 2017", "lower", "distance"),
    "kid": About("kernel distance of standard Inception features, unbiased", "Binkowski et al. 2018", "lower", "distance"),
    "fd": About("Frechet distance of another network's features", "Heusel et al. 2017; Stein et al. 2023", "lower", "distance"),
    "kd": About("kernel distance of another network's features", "Binkowski et al. 2018", "lower", "distance"),
    "precision": About("share of generated pictures that lie among real ones", "Kynkaanniemi et al. 2019", "higher", "neighbours"),
    "recall": About("share of real pictures that lie among generated ones", "Kynkaanniemi et al. 2019", "higher", "neighbours"),
    "density": About("how many real neighbourhoods hold a generated picture", "Naeem et al. 2020", "higher", "neighbours"),
    "coverage": About("share of real neighbourhoods that hold a generated picture", "Naeem et al. 2020", "higher", "neighbours"),
    "ssim": About("structural similarity of generated to real pictures", "Wang et al. 2004; Yan et al. 2023", "higher", "perceptual"),
    "ms-ssim": About("the same at several scales", "Wang et al. 2003; Yan et al. 2023", "higher", "perceptual"),
    "lpips": About("perceptual distance of generated to real pictures", "Zhang et al. 2018; Yan et al. 2023", "lower", "perceptual"),
    "diversity": About("perceptual distance among generated pictures", "Zhang et al. 2018; Yan et al. 2023", "higher", "perceptual"),
    "memorisation": About("chance that a generated picture is nearer to training than a held-out real one", "Meehan et al. 2020",
                          "closer", "memorisation"),
    "palette": About("share of the skin painted in another of the seven colours", "Yan et al. 2023, Fig. 7", "lower", "masks"),
    "symmetry": About("correlation of the lightness with its mirror image", "", "closer", "masks"),
}
# fmt: on
DISTANCES = ("fid", "kid", "fd", "kd")
NEIGHBOURS = ("precision", "recall", "density", "coverage")


def _chosen(metrics: Iterable[str]) -> tuple[set[str], bool]:
    """The metrics asked for, and whether by "all", which leaves out what cannot be had; a name that is none is a UsageError."""
    names = [part.strip().lower() for metric in metrics for part in metric.split(",") if part.strip()]
    for name in names:
        if name not in METRICS and name != "all":
            raise UsageError(f"no metric named {name}.", fix=did_you_mean(name, [*METRICS, "all"]))
    if not names:
        raise UsageError("no metric was asked for.", fix="Use --metrics all.")
    return (set(METRICS), True) if "all" in names else (set(names), False)


def evaluate(
    images: Source | Path | str,
    against: Source | Path | str,
    metrics: Iterable[str] = ("all",),
    *,
    seed: int = 0,
    n: int | None = None,
    extractors: Sequence[str | Extractor] | None = None,
    device: torch.device | str = "cpu",
    train: Source | Path | str | None = None,
    size: int | None = None,
    cache: Path | None = None,
    peers: Peers | None = None,
    lpips: torch.nn.Module | None = None,
    resamples: int | None = None,
    progress: Count | None = None,
) -> list[Row]:
    """Every metric asked for of `images` against `against`, a row each.

    n: at most so many of `images`, drawn by seed. extractors: names or networks; by default the standard Inception where its weights
    are here, and the best of the others. train: the pictures that trained the model, for memorisation; known by itself where `against`
    is a data set. size: compare at so many pixels. cache: where features are kept between calls. peers: under torchrun the `World`;
    the first process gets the rows, the others an empty list.
    """
    names, all_of_them = _chosen(metrics)
    count = progress or (lambda done, total, what: None)
    peers = peers or Alone(device=torch.device(device))
    shown, real = _sets(images, against, n, seed, size)
    rulers, absent = _extractors(names, all_of_them, extractors, peers.device)
    learnt, held = _training(names, shown, real, train, size)
    with tempfile.TemporaryDirectory(prefix="lianpu-features-") as temporary:

        def seen(source: Source) -> Features:
            return extract(source, rulers, cache=cache or Path(temporary), peers=peers, count=count)

        # what several processes share
        mine, theirs = seen(shown), seen(real)
        trained, left = (seen(source) if source is not None else None for source in (learnt, held))
    table = _Table(shown, real, mine, theirs, seed, resamples)
    table.pairs(names, all_of_them, lpips, peers, count)
    table.masks(names, peers, count)
    if peers.rank:
        return []

    # what one process concludes
    for ruler in rulers:
        table.distance(names, ruler)
        table.neighbours(names, ruler)
        if "memorisation" in names:
            table.memorisation(ruler, learnt, held, trained, left)
    table.absent(names, absent)
    order = {name: place for place, name in enumerate(METRICS)}
    return sorted(table.rows, key=lambda row: order[row.key])


# --------------------------------------------------------------------------------------------------------- what is compared


def _sets(
    images: Source | Path | str, against: Source | Path | str, n: int | None, seed: int, size: int | None
) -> tuple[Source, Source]:
    shown, real = (s if isinstance(s, Source) else sources.open_pictures(s) for s in (images, against))
    shown = shown.take(n, seed)
    if size is not None:
        shown, real = (sources.at_size(s, size, size) for s in (shown, real))
    else:
        real = sources.match(real, shown)
    for source in (shown, real):
        if len(source) < 2:
            raise DataError(
                f"{source.name} holds {len(source)} picture; a comparison needs at least two in each set.",
                source.facts.get("path", ""),
            )
    return shown, real


def _training(
    names: set[str], shown: Source, real: Source, train: Source | Path | str | None, size: int | None
) -> tuple[Source | None, Source | None]:
    """The training pictures and real ones that were held out; None for what is not known."""
    if "memorisation" not in names:
        return None, None

    def fit(source: Source) -> Source:
        return sources.at_size(source, size, size) if size is not None else sources.match(source, shown)

    if train is not None:
        if not isinstance(train, Source):
            is_set = (Path(train) / "dataset.json").is_file()
            train = sources.dataset(Path(train), "train") if is_set else sources.open_pictures(train)
        same = (
            train.path is not None and train.path == real.path and train.facts.get("split") == real.facts.get("split")
        )
        return fit(train), None if same else real
    if real.kind != "data set" or real.path is None:
        return None, None
    sides: list[Source | None] = []
    for split in ("train", "test"):
        try:
            sides.append(fit(sources.dataset(real.path, split)))
        except DataError:
            sides.append(None)
    return sides[0], sides[1]


def _extractors(
    names: set[str], all_of_them: bool, given: Sequence[str | Extractor] | None, device: torch.device
) -> tuple[list[Extractor], dict[str, str]]:
    """The networks to use, and for the metrics that "all" has to leave without a value the reason."""
    if not names & {*DISTANCES, *NEIGHBOURS, "memorisation"}:
        return [], {}
    chosen = _default(names, all_of_them) if given is None else list(given)
    for name in chosen:
        if isinstance(name, str) and name not in networks.EXTRACTORS:
            raise UsageError(f"no feature extractor named {name}.", fix=did_you_mean(name, networks.EXTRACTORS))
    loaded: list[Extractor] = []
    loaded += [networks.extractor(e, device) if isinstance(e, str) else _on(e, device) for e in chosen]
    found = [e.name for e in loaded]
    if len(set(found)) < len(found):
        raise UsageError(f"an extractor is named twice: {', '.join(found)}.")
    if not all_of_them:
        _refuse(names, loaded)
    absent: dict[str, str] = {}
    if not any(e.standard for e in loaded):
        here = weights.available(STANDARD)
        reason = "it was not asked for" if here else f"its weights are not here (lianpu weights get {STANDARD})"
        why = f"undefined because it is a number of the standard Inception, and {reason}"
        absent["fid"] = absent["kid"] = why
    if not loaded:
        why = "undefined because no network's weights are here (lianpu weights get efficientnet-lite0)"
        for name in ("fd", "kd", *NEIGHBOURS, "memorisation"):
            absent[name] = why
    return loaded, absent


def _default(names: set[str], all_of_them: bool) -> list[str | Extractor]:
    """The standard Inception where FID or KID is wanted, and the most trusted other network that is here for the rest."""
    here = weights.available(STANDARD)
    others: list[str | Extractor] = [e for e in networks.EXTRACTORS if e != STANDARD and weights.available(e)]
    chosen: list[str | Extractor] = []
    if names & {"fid", "kid"} and (here or not all_of_them):
        chosen.append(STANDARD)  # not here and asked for by name: `extractor` then says how to get it
    if names & {"fd", "kd"} or not chosen:
        chosen += others[:1]
    return chosen or ([STANDARD] if here else [])


def _refuse(names: set[str], loaded: Sequence[Extractor]) -> None:
    """Metrics named one by one are measured or an error."""
    if not loaded:
        raise ModelError(
            "no feature extractor's weights are on this machine.", fix="lianpu weights get efficientnet-lite0"
        )
    if names & {"fid", "kid"} and not any(e.standard for e in loaded):
        raise UsageError(
            f"FID and KID are of the standard Inception features; {', '.join(e.name for e in loaded)} has others.",
            fix=f"Ask for fd and kd, or --extractor {STANDARD}.",
        )
    if names & {"fd", "kd"} and all(e.standard for e in loaded):
        raise UsageError(
            "FD and KD are of other networks' features; on the standard Inception they are called FID and KID.",
            fix="Ask for fid and kid, or name another --extractor.",
        )


def available_extractors() -> list[str]:
    """Every network whose weights are on this machine, most trusted first; ModelError if there is none."""
    found = [name for name in networks.EXTRACTORS if weights.available(name)]
    return found or [networks.best_available()]


def _on(extractor: Extractor, device: torch.device) -> Extractor:
    if isinstance(extractor, torch.nn.Module):
        extractor.to(device).eval()
    return extractor


# ---------------------------------------------------------------------------------------------------------------- the rows


@dataclass
class _Table:
    """Two sets, what is known of them, and the rows found so far."""

    shown: Source
    real: Source
    seen: Features
    known: Features
    seed: int
    resamples: int | None
    rows: list[Row] = field(default_factory=list)

    @property
    def times(self) -> int:
        return self.resamples if self.resamples is not None else 1000

    def add(self, key: str, metric: str, value: float | None, interval: Interval, **rest: Any) -> None:
        about = METRICS[key]
        extra = {
            "key": key,
            "paper": about.paper,
            "interval": interval.how,
            "generated": _describe(self.shown),
            "reference_set": _describe(self.real),
            **rest.pop("extra", {}),
        }
        note = "; ".join(filter(None, (rest.pop("note", ""), self.sameness)))
        resize = "; ".join(filter(None, (*(_resized(s) for s in (self.shown, self.real)), rest.pop("resize", ""))))
        sizes = {"n": len(self.shown), "n_reference": len(self.real)} | rest.pop("sizes", {})
        low, high = (None, None) if value is None else (interval.low, interval.high)
        self.rows.append(
            Row(
                metric, value, low, high, **sizes, seed=self.seed, note=note, resize=resize,
                better=about.better, group=about.group, extra=extra, **rest,
            )
        )  # fmt: skip

    @property
    def identical(self) -> bool:
        """Whether both sets hold the same pictures, pixel for pixel."""
        return Counter(self.seen.keys) == Counter(self.known.keys)

    @property
    def sameness(self) -> str:
        """What a reader must know of copies within and between the sets."""
        if not self.seen.keys:
            return ""
        if self.identical:
            return "the two sets are the same pictures"
        said = []
        known = set(self.known.keys)
        if common := sum(key in known for key in self.seen.keys):
            said.append(f"{common} of {len(self.shown)} generated pictures are, pixel for pixel, in the reference")
        for source, features, what in ((self.shown, self.seen, "generated"), (self.real, self.known, "reference")):
            if (different := len(set(features.keys))) < len(source):
                one = different == 1
                said.append(
                    f"all {what} pictures are the same"
                    if one
                    else f"{len(source) - different} {what} pictures are copies"
                )
        return "; ".join(said)

    # ------------------------------------------------------------------------------------------------------- of features

    def distance(self, names: set[str], network: Extractor) -> None:
        frechet, kernel = ("fid", "kid") if network.standard else ("fd", "kd")
        x, y = self.seen.of[network.name], self.known.of[network.name]
        about: dict[str, Any] = _of(network)
        n, d = min(len(x), len(y)), x.shape[1]
        if frechet in names:
            found = distances.frechet_interval(x, y, self.seed, self.resamples)
            value, interval = (
                (0.0, Interval(0.0, 0.0)) if self.identical else (found.value, found.interval.within(0.0, np.inf))
            )
            warnings = []
            if n < SMALL:
                warnings.append(
                    f"n = {n} is below {SMALL}: too high by a bias that depends on n; compare at equal n only, and read "
                    f"{'KID' if network.standard else 'KD'} beside it"
                )
            if n <= d:
                warnings.append(f"fewer pictures than the {d} dimensions: the covariance is singular")
            extra = {"bootstrap_bias": found.interval.bias, "dimensions": d}
            metric = "FID" if network.standard else f"FD ({network.name})"
            self.add(frechet, metric, value, interval, note="; ".join(warnings), extra=extra, **about)
        if kernel in names or (frechet in names and n < SMALL):
            result = distances.kernel(x, y, self.seed, resamples=self.times)
            value, interval = (0.0, Interval(0.0, 0.0)) if self.identical else (result.value, result.interval)
            how = (
                "all pictures at once" if result.whole else f"mean of {result.subsets} subsets of {result.subset_size}"
            )
            extra = {
                "deviation": result.deviation,
                "subsets": result.subsets,
                "subset_size": result.subset_size,
                "estimate": how,
                **self._per_class(x, y),
            }
            note = f"{how}; standard deviation {result.deviation:.3g} over {result.subsets} subsets of {result.subset_size}"
            empty = [c for c, v in extra.get("per_class", {}).items() if v["value"] is None]
            if empty:
                note += f"; no value for class {', '.join(empty)}: too few pictures"
            metric = "KID" if network.standard else f"KD ({network.name})"
            self.add(kernel, metric, value, interval, note=note, extra=extra, **about)

    def _per_class(self, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
        """The kernel distance within each colour class, where the colours of all pictures are known."""
        if not self.shown.labels or not self.real.labels:
            return {}
        mine, theirs = np.array(self.shown.labels), np.array(self.real.labels)
        out = {}
        present = {*self.shown.labels, *self.real.labels, *self.shown.facts.get("empty_classes", ())}
        for name in (c for c in CLASSES if c in present):
            a, b = np.flatnonzero(mine == name), np.flatnonzero(theirs == name)
            value = distances.kernel_of(x[a[:SMALL]], y[b[:SMALL]]) if min(len(a), len(b)) >= 2 else None
            out[name] = {"value": value, "n": len(a), "n_reference": len(b)}
        return {"per_class": out}

    def neighbours(self, names: set[str], network: Extractor) -> None:
        if not names & set(NEIGHBOURS):
            return
        x, y = self.seen.of[network.name], self.known.of[network.name]
        why = ""
        if min(len(x), len(y)) <= 5:
            why = "undefined because a neighbourhood needs at least 6 pictures in each set"
        elif len(set(self.known.keys)) == 1:
            why = "undefined because all reference pictures are the same, which leaves neighbourhoods without size"
        found = None if why else distances.neighbours(y, x, self.seed, resamples=self.times)
        for name in (m for m in NEIGHBOURS if m in names):
            value = getattr(found, name) if found else None
            interval = found.intervals[name] if found else Interval(None, None)
            k = 3 if name in ("precision", "recall") else 5
            self.add(
                name, f"{name} ({network.name})", value, interval, note=why,
                extra={"k": k, "interval": f"{interval.how}; the neighbourhoods are kept"}, **_of(network),
            )  # fmt: skip

    def memorisation(
        self,
        network: Extractor,
        learnt: Source | None,
        held: Source | None,
        trained: Features | None,
        left: Features | None,
    ) -> None:
        metric = f"memorisation ({network.name})"
        if learnt is None or trained is None:
            why = "undefined because the training pictures are not known (--train DATA)"
            self.add("memorisation", metric, None, Interval(None, None), note=why, **_of(network))
            return
        found = memory.memorisation(
            self.seen.of[network.name],
            trained.of[network.name],
            left.of[network.name] if left else None,
            (self.shown.names, learnt.names),
            self.seed,
            resamples=self.times,
        )
        known = set(trained.keys)
        copies = [name for key, name in zip(self.seen.keys, self.shown.names, strict=True) if key in known]
        extra = {
            "training": _describe(learnt),
            "held_out": _describe(held) if held else None,
            "close": found.close,
            "median": found.median,
            "median_held_out": found.median_held_out,
            "reference": 0.5,
            "exact_copies": copies,
            "nearest": [asdict(neighbour) for neighbour in found.nearest],
        }
        if found.value is None:
            note = "undefined because there are no held-out real pictures to compare with"
        else:
            note = f"0.5 is expected of one that copies nothing; {found.close:.1%} are nearer to training than 95 % of held-out pictures"
        if copies:
            note += f"; {len(copies)} are exact copies (first: {copies[0]})"
        sizes = {"n_reference": len(held) if held else 0}
        self.add(
            "memorisation", metric, found.value, found.interval, note=note, extra=extra, sizes=sizes, **_of(network)
        )

    def absent(self, names: set[str], reasons: Mapping[str, str]) -> None:
        titles = {"fid": "FID", "kid": "KID", "fd": "FD", "kd": "KD"}
        for name in (m for m in METRICS if m in names and m in reasons):
            self.add(name, titles.get(name, name), None, Interval(None, None), note=reasons[name])

    # ---------------------------------------------------------------------------------------------------------- of pairs

    def pairs(
        self, names: set[str], all_of_them: bool, lpips: torch.nn.Module | None, peers: Peers, count: Count
    ) -> None:
        """SSIM and MS-SSIM, LPIPS to real and among generated; each beside the same number of real pictures among themselves."""
        n, m = len(self.shown), len(self.real)
        partners = int(np.clip(PAIRS // n, 1, PARTNERS))
        left, right = perceptual.between(n, m, partners, self.seed)
        if len(left) > PAIRS:
            keep = np.sort(bootstrap.dice(self.seed, "which pairs").choice(len(left), PAIRS, replace=False))
            left, right = left[keep], right[keep]
        cross = _Pairs(self.shown, self.real, left, right, self.seed)
        own = _Pairs(self.real, self.real, *perceptual.among(m, min(PAIRS, n * partners), self.seed), self.seed)
        made = _Pairs(self.shown, self.shown, *perceptual.among(n, min(PAIRS, n * partners), self.seed), self.seed)
        if names & {"ssim", "ms-ssim"}:
            self._ssim(names, cross, own, peers, count)
        if names & {"lpips", "diversity"}:
            self._lpips(names, all_of_them, lpips, cross, own, made, peers, count)

    def _ssim(self, names: set[str], cross: _Pairs, own: _Pairs, peers: Peers, count: Count) -> None:
        size = f"{self.shown.width} x {self.shown.height} px, as they are"
        scales = perceptual.scale_weights(self.shown.height, self.shown.width)
        if not scales:
            why = f"undefined because pictures of {self.shown.width} x {self.shown.height} px are smaller than the 11-pixel window"
            for name in (m for m in ("ssim", "ms-ssim") if m in names):
                self.add(name, name.upper(), None, Interval(None, None), note=why, pairing=cross.words)
            return

        def both(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return torch.stack([perceptual.ssim(x, y), perceptual.ms_ssim(x, y, scales)], 1)

        found = cross.measure(both, 2, False, peers, count, "SSIM")
        among_real = own.measure(both, 2, False, peers, count, "SSIM among real")
        few = len(scales) < len(perceptual.WEIGHTS)
        titles = {"ssim": "SSIM", "ms-ssim": f"MS-SSIM ({len(scales)} scales)" if few else "MS-SSIM"}
        for column, name in enumerate(titles):
            if name in names:
                note = ""
                if name == "ms-ssim" and few:
                    room = f"{self.shown.width} px have room for {len(scales)} of the 5 scales"
                    note = f"{room}; their weights are {', '.join(f'{w:.4f}' for w in scales)}"
                extra = {"reference": float(among_real[:, column].mean()), "reference_is": "among real pictures"}
                interval = cross.interval(found[:, column], self.times)
                self.add(
                    name, titles[name], float(found[:, column].mean()), interval,
                    note=note, resize=size, pairing=cross.words, extra=extra,
                )  # fmt: skip

    def _lpips(
        self, names: set[str], all_of_them: bool, ruler: torch.nn.Module | None,
        cross: _Pairs, own: _Pairs, made: _Pairs, peers: Peers, count: Count,
    ) -> None:  # fmt: skip
        wanted = [m for m in ("lpips", "diversity") if m in names]
        titles = {"lpips": "LPIPS to real", "diversity": "LPIPS among generated"}
        pairings = {"lpips": cross, "diversity": made}
        trunk, sha256, why = "alexnet", "", ""
        if ruler is None:
            try:
                pyramid = networks.trunk("alexnet", device=peers.device)
                ruler, sha256 = perceptual.LPIPS(pyramid, networks.lpips_heads("alex")).to(peers.device), pyramid.sha256
            except ModelError as error:
                if not all_of_them:
                    raise
                why = f"undefined because {error.what.rstrip('.')} (lianpu weights get alexnet)"
        else:
            trunk = str(getattr(ruler, "name", "own network"))
            titles = {name: f"{title} ({trunk})" for name, title in titles.items()}
        if not why and min(self.shown.height, self.shown.width) < 32:
            why = f"undefined because AlexNet has nothing left of {self.shown.width} x {self.shown.height} px; 32 are needed"
        about = {
            "extractor": trunk,
            "extractor_sha256": sha256,
            "resize": f"{self.shown.width} x {self.shown.height} px, as they are",
        }
        if why or ruler is None:
            for name in wanted:
                self.add(name, titles[name], None, Interval(None, None), note=why, pairing=pairings[name].words)
            return

        def distance(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return ruler(x / 127.5 - 1, y / 127.5 - 1)[:, None]

        among_real = float(own.measure(distance, 1, True, peers, count, "LPIPS among real").mean())
        for name in wanted:
            values = pairings[name].measure(distance, 1, True, peers, count, titles[name])[:, 0]
            extra = {"reference": among_real, "reference_is": "among real pictures"}
            interval = pairings[name].interval(values, self.times)
            self.add(
                name, titles[name], float(values.mean()), interval,
                pairing=pairings[name].words, extra=extra, **about,
            )  # fmt: skip

    # ---------------------------------------------------------------------------------------------------------- of masks

    def masks(self, names: set[str], peers: Peers, count: Count) -> None:
        if not names & {"palette", "symmetry"}:
            return
        mine, theirs = (
            share(
                len(s), lambda indices, s=s: np.stack([masks.describe(s.read(i)) for i in indices]), len(masks.PAINTS) + 1,
                peers, count, f"{s.name}: paints and symmetry",
            )
            for s in (self.shown, self.real)
        )  # fmt: skip
        if "palette" in names:
            self._palette(mine[:, :-1], theirs[:, :-1])
        if "symmetry" in names:
            self._symmetry(mine[:, -1], theirs[:, -1])

    def _defined(self, mine: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray, str, str]:
        """Both without undefined pictures; why there is no value; a note on what was left out."""
        a, b = (
            mine[~np.isnan(mine.reshape(len(mine), -1)).any(1)],
            theirs[~np.isnan(theirs.reshape(len(theirs), -1)).any(1)],
        )
        why, said = "", []
        for kept, whole, what in ((a, mine, "generated"), (b, theirs, "reference")):
            if not len(kept):
                why = f"undefined because every {what} picture is of one flat colour"
            elif len(kept) < len(whole):
                said.append(
                    f"{len(whole) - len(kept)} of {len(whole)} {what} pictures are of one flat colour and not counted"
                )
        return a, b, why, "; ".join(said)

    def _palette(self, mine: np.ndarray, theirs: np.ndarray) -> None:
        a, b, why, said = self._defined(mine, theirs)
        if why:
            self.add("palette", "palette distance", None, Interval(None, None), note=why)
            return
        p, q = a.mean(0), b.mean(0)
        value = masks.palette_distance(p, q)
        draws = [
            masks.palette_distance(u @ a / len(a), v @ b / len(b))
            for u, v in zip(
                bootstrap.weights(len(a), self.times, self.seed, "x"),
                bootstrap.weights(len(b), self.times, self.seed, "y"),
                strict=True,
            )
        ]
        interval = bootstrap.centred(value, draws).within(0.0, 1.0)
        extra = {
            "palette": {name: round(float(s), 6) for name, s in zip(masks.PAINTS, p, strict=True)},
            "reference_palette": {name: round(float(s), 6) for name, s in zip(masks.PAINTS, q, strict=True)},
        }
        self.add("palette", "palette distance", value, interval, note=said, extra=extra)

    def _symmetry(self, mine: np.ndarray, theirs: np.ndarray) -> None:
        a, b, why, said = self._defined(mine, theirs)
        if why:
            self.add("symmetry", "symmetry", None, Interval(None, None), note=why)
            return
        theirs_interval = bootstrap.of_mean(b, self.seed, self.times, "real")
        extra = {
            "reference": float(b.mean()),
            "reference_low": theirs_interval.low,
            "reference_high": theirs_interval.high,
            "reference_is": "of real pictures",
        }
        self.add(
            "symmetry", "symmetry", float(a.mean()), bootstrap.of_mean(a, self.seed, self.times), note=said, extra=extra
        )


@dataclass(frozen=True)
class _Pairs:
    """Pairs of pictures of two sources (or of one)."""

    first: Source
    second: Source
    left: np.ndarray
    right: np.ndarray
    seed: int

    @property
    def words(self) -> str:
        """The pairing, for a row."""
        if self.first is self.second:
            return f"{len(self.left)} pairs of different pictures, drawn with seed {self.seed}"
        partners = len(self.left) // len(set(self.left.tolist()))
        return f"each generated picture with {partners} real ones drawn with seed {self.seed}, {len(self.left)} pairs"

    def measure(
        self, compare: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], width: int, on_device: bool,
        peers: Peers, count: Count, what: str,
    ) -> np.ndarray:  # fmt: skip
        """float64 (pairs, width): `compare` of float pictures (n, 3, h, w) in [0, 255]."""
        device = peers.device if on_device else torch.device("cpu")

        def stack(source: Source, indices: np.ndarray) -> torch.Tensor:
            pictures = np.stack([source.read(int(i)) for i in indices])
            return torch.from_numpy(pictures).permute(0, 3, 1, 2).to(device, torch.float32)

        def values(rows: range) -> np.ndarray:
            with torch.inference_mode():
                x, y = stack(self.first, self.left[list(rows)]), stack(self.second, self.right[list(rows)])
                return compare(x, y).double().cpu().numpy()

        return share(len(self.left), values, width, peers, count, what)

    def interval(self, values: np.ndarray, resamples: int) -> Interval:
        sizes = (len(self.first), None if self.first is self.second else len(self.second))
        return bootstrap.of_pairs(values, self.left, self.right, sizes, self.seed, resamples)


def _of(network: Extractor) -> dict[str, str]:
    return {"extractor": network.name, "extractor_sha256": network.sha256, "resize": network.resize}


def _describe(source: Source) -> dict[str, Any]:
    return {"name": source.name, "kind": source.kind, "pictures": len(source), "note": source.note, **source.facts}


def _resized(source: Source) -> str:
    """The parts of a source's note that say its pictures were resized."""
    return "; ".join(part for part in source.note.split("; ") if "(Lanczos)" in part)


# --------------------------------------------------------------------------------------------------------------- rows on disk

COLUMNS = tuple(f.name for f in fields(Row) if f.name != "extra")


def to_json(rows: Sequence[Row]) -> str:
    """The rows as a JSON list, all they hold."""
    return json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV, without `extra`; an undefined value is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(["" if (v := getattr(row, name)) is None else v for name in COLUMNS] for row in rows)
    return out.getvalue()


_KINDS = {".json": to_json, ".csv": to_csv}


def check_ending(path: Path) -> None:
    """UsageError for a name `write` would not know what to do with."""
    if path.suffix.lower() not in _KINDS:
        raise UsageError(f"rows are written as .json or .csv, not {path.suffix or 'without an ending'}.")


def write(rows: Sequence[Row], path: Path) -> None:
    """Writes .json or .csv, whole or not at all."""
    check_ending(path)
    files.atomic_write(path, _KINDS[path.suffix.lower()](rows))


def read_json(path: Path) -> list[Row]:
    """Rows that `write` wrote; DataError for anything else."""
    try:
        values = json.loads(path.read_text("utf-8"))
        return [Row(**value) for value in values]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path.name} holds no rows of an evaluation.", f"{path}: {error}") from None


# --------------------------------------------------------------------------------------------------------------------- checks

_SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_CHECK = re.compile(r"\s*([a-z0-9-]+?)\s*(?:\(\s*([\w-]+)\s*\))?\s*(>=|<=|>|<)\s*([-+0-9.eE]+)\s*")


def parse_check(condition: str, known: Iterable[str] = METRICS) -> tuple[str, str, str, float]:
    """(metric, extractor or "", sign, bound) of "fid>40" or "fd(efficientnet-lite0)>400"; the metric is one of `known`."""
    match = _CHECK.fullmatch(condition.lower())
    try:
        if match is None:
            raise ValueError
        bound = float(match[4])
    except ValueError:
        raise UsageError(f"--fail-if {condition!r} is no condition.", fix="Write it as --fail-if 'fid>40'.") from None
    known = list(known)
    if match[1] not in known:
        raise UsageError(f"--fail-if {condition!r}: no metric named {match[1]}.", fix=did_you_mean(match[1], known))
    return match[1], match[2] or "", match[3], bound


def fail_if(rows: Sequence[Row], conditions: Sequence[str], known: Iterable[str] = METRICS) -> None:
    """CheckFailed (exit 6) where a condition holds, or cannot be told because its metric has no value."""
    failures = []
    for condition in conditions:
        name, network, sign, bound = parse_check(condition, known)
        mine = [row for row in rows if row.key == name and network in ("", row.extractor)]
        if not mine:
            failures.append(f"{condition}: {name} was not measured")
        for row in mine:
            if row.value is None:
                failures.append(f"{condition}: {row.metric} is {row.note}")
            elif _SIGNS[sign](row.value, bound):
                failures.append(f"{condition}: {row.metric} is {row.value:.6g}")
    if failures:
        raise CheckFailed("a check failed.", "\n".join(failures))
