"""The colour judge (Yan et al. 2023, "Classification task"): a ResNet18 that tells the seven main colours of real masks, then looks at
generated ones. Where ImageNet weights are at hand only its last layer is trained, as in the paper; otherwise all of it, and it says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from lianpu import checkpoint, config, files, images
from lianpu.data.folder import Folder
from lianpu.errors import DataError, LianpuError, ModelError, UsageError
from lianpu.randomness import generator, mix

if TYPE_CHECKING:
    from lianpu.metrics.suite import Row

__all__ = [
    "Judge",
    "JudgeConfig",
    "Verdict",
    "choose",
    "clopper_pearson",
    "imagenet",
    "load",
    "row",
    "score",
    "train",
    "wilson",
]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision's weights expect
SAVE_EVERY = 30.0  # seconds; a whole ResNet18 with its momenta is 90 MB


@dataclass(frozen=True)
class JudgeConfig:
    """How the judge learns. Yan et al. 2023 state 500 training and 20 test pictures of each class, batch 8 and 50 epochs, and only the
    last layer trained; what they leave open is the usual practice, and each line says whose.
    """

    train_per_class: int = 500
    """Training pictures of each class (Yan et al. 2023)."""
    test_per_class: int = 20
    """Test pictures of each class (Yan et al. 2023)."""
    batch: int = 8
    """Pictures in a minibatch (Yan et al. 2023)."""
    epochs: int = 50
    """Times each training picture is seen (Yan et al. 2023)."""
    size: int = 0
    """Height and width the network sees; 0 takes 224 with ImageNet weights, otherwise the pictures' own size."""
    head_lr: float = 0.001
    """SGD's learning rate where only the last layer learns (PyTorch's transfer learning tutorial), momentum 0.9."""
    head_step: int = 7
    """Epochs after which that rate is divided by ten (the same tutorial)."""
    full_lr: float = 0.1 * 8 / 256
    """SGD's learning rate where all layers learn: torchvision's 0.1 for batches of 256, scaled to 8; momentum 0.9."""
    full_step: int = 17
    """Epochs after which that rate is divided by ten: torchvision's 30 of 90, of 50."""
    full_decay: float = 1e-4
    """Weight decay where all layers learn (torchvision's reference training)."""
    mirror: bool = True
    """Show training pictures mirrored half the time. They are never cropped: a main colour is a share of the area."""
    seed: int = 0
    """Chooses the pictures, their order and the first weights."""

    def __post_init__(self) -> None:
        low = min(self.train_per_class, self.test_per_class, self.epochs)
        if low < 1 or self.batch < 2:
            raise UsageError("the judge needs a picture of each class, an epoch, and two pictures in a batch.")
        if self.size < 0 or min(self.head_lr, self.full_lr) <= 0 or min(self.head_step, self.full_step) < 1:
            raise UsageError("the judge's size, rates and steps must be positive.")


# ---------------------------------------------------------------------------------------------------------- intervals


def wilson(correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927, Eq. 4): where |k/n - p| = z sqrt(p (1 - p) / n)."""
    _counts(correct, n)
    z = float(stats.norm.isf((1 - level) / 2))
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return (0.0 if correct == 0 else centre - half), (
        1.0 if correct == n else centre + half
    )  # exactly, not to a rounding


def clopper_pearson(correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a proportion (Clopper and Pearson 1934): covers the truth at least as often as it says."""
    _counts(correct, n)
    tail = (1 - level) / 2
    low = 0.0 if correct == 0 else float(stats.beta.ppf(tail, correct, n - correct + 1))
    high = 1.0 if correct == n else float(stats.beta.isf(tail, correct + 1, n - correct))
    return low, high


def _counts(correct: int, n: int) -> None:
    if not 0 <= correct <= n or n == 0:
        raise ValueError(f"{correct} of {n} is no proportion")


# ------------------------------------------------------------------------------------------------------------ verdicts


@dataclass(frozen=True)
class Verdict:
    """How often the judge and the labels agree."""

    classes: tuple[str, ...]
    confusion: list[list[int]]
    """Row: the label; column: what the judge said."""
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return sum(map(sum, self.confusion))

    @property
    def correct(self) -> int:
        return sum(row[i] for i, row in enumerate(self.confusion))

    @property
    def accuracy(self) -> float | None:
        """None where there was no picture to judge."""
        return self.correct / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | tuple[None, None]:
        """The exact 95 % interval (Clopper-Pearson)."""
        return clopper_pearson(self.correct, self.n) if self.n else (None, None)

    def per_class(self) -> dict[str, dict[str, Any]]:
        """For each class: n, correct, accuracy and its exact interval; None where it has no picture."""
        found = {}
        for i, (name, row) in enumerate(zip(self.classes, self.confusion, strict=True)):
            n = sum(row)
            low, high = clopper_pearson(row[i], n) if n else (None, None)
            found[name] = {"n": n, "correct": row[i], "accuracy": row[i] / n if n else None, "low": low, "high": high}
        return found

    def facts(self) -> dict[str, Any]:
        """All of it as plain values, ready for json."""
        low, high = self.interval
        w_low, w_high = wilson(self.correct, self.n) if self.n else (None, None)
        return {
            "classes": list(self.classes),
            "n": self.n,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "low": low,
            "high": high,
            "wilson_low": w_low,
            "wilson_high": w_high,
            "confusion": self.confusion,
            "per_class": self.per_class(),
            "notes": list(self.notes),
        }


# ----------------------------------------------------------------------------------------------------- which pictures


def choose(labels: np.ndarray, per_class: int, classes: Sequence[str], seed: int, name: str) -> dict[str, np.ndarray]:
    """`per_class` indices of each class, drawn without replacement as a function of (seed, name); fewer where a class has fewer."""
    picked = {}
    for number, label in enumerate(classes):
        mine = np.flatnonzero(labels == number)
        order = torch.randperm(len(mine), generator=generator(seed, name, label)).numpy()
        picked[label] = np.sort(mine[order[:per_class]])
    return picked


def _chosen(data: Folder, per_class: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """The indices of one split's pictures, and what has to be said of them."""
    picked = choose(data.labels(), per_class, data.classes, seed, f"judge {data.split}")
    if empty := [name for name, rows in picked.items() if not len(rows)]:
        raise DataError(
            f"the {data.split} split of {data.path.name} holds no {', no '.join(empty)} mask; the judge needs each of "
            f"the {len(data.classes)} colours.",
            str(data.path / data.split),
            "Build the data set from more pictures"
            + (" or with a larger --test share." if data.split == "test" else "."),
        )
    short = {name: len(rows) for name, rows in picked.items() if len(rows) < per_class}
    notes = []
    if short:
        counts = ", ".join(f"{name} {count}" for name, count in short.items())
        notes.append(f"fewer than {per_class} {data.split} pictures of some classes: {counts}")
    return np.concatenate(list(picked.values())), notes


# ------------------------------------------------------------------------------------------------------------- network


def imagenet(path: Path | None = None) -> dict[str, Tensor] | None:
    """ResNet18's ImageNet weights where they are at hand, else None; a path that is given must hold them."""
    from lianpu import weights

    return weights.tensors("resnet18", path) if path is not None or weights.available("resnet18") else None


def new_network(classes: int, seed: int, pretrained: dict[str, Tensor] | None) -> nn.Module:
    """torchvision's ResNet18 with a new last layer; all first weights a function of the seed."""
    from torchvision.models import resnet18

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(mix(seed, "judge"))
        network = resnet18(weights=None)
        if pretrained is not None:
            network.load_state_dict(pretrained)
        network.fc = nn.Linear(network.fc.in_features, classes)
    return network


class Judge:
    """A trained judge: says the colour class of masks."""

    def __init__(self, network: nn.Module, classes: Sequence[str], size: int, facts: dict[str, Any]) -> None:
        self.network, self.classes, self.size, self.facts = network.eval(), tuple(classes), size, facts

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @torch.no_grad()
    def scores(self, pictures: np.ndarray | Sequence[np.ndarray], batch: int = 64) -> Tensor:
        """uint8 (n, h, w, 3) -> float32 (n, classes), unnormalised; the network is in evaluation mode, so no picture sees another."""
        rows = [
            self.network(_shown(pictures[i : i + batch], self.size, self.device)).cpu()
            for i in range(0, len(pictures), batch)
        ]
        return torch.cat(rows) if rows else torch.zeros(0, len(self.classes))

    def say(self, pictures: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """uint8 (n, h, w, 3) -> int64 (n,), the index of the class each most looks like."""
        return self.scores(pictures).argmax(1).numpy()


def _shown(pictures: np.ndarray | Sequence[np.ndarray], size: int, device: torch.device) -> Tensor:
    """uint8 pictures (h, w, 3) -> float32 (n, 3, size, size) as the network wants them."""
    return _normalised(np.stack([images.resize(p, size) for p in pictures]), device)


def _normalised(pixels: np.ndarray, device: torch.device) -> Tensor:
    """uint8 (n, h, w, 3) -> float32 (n, 3, h, w) with ImageNet's mean and deviation taken out."""
    x = (images.to_float(pixels).to(device) + 1) / 2
    return (x - x.new_tensor(MEAN)[:, None, None]) / x.new_tensor(STD)[:, None, None]


def score(judge: Judge, pictures: np.ndarray | Sequence[np.ndarray], labels: np.ndarray) -> Verdict:
    """The judge's word on labelled pictures."""
    if len(pictures) != len(labels):
        raise ValueError(f"{len(pictures)} pictures with {len(labels)} labels")
    confusion = np.zeros((len(judge.classes),) * 2, np.int64)
    if len(pictures):
        np.add.at(confusion, (np.asarray(labels), judge.say(pictures)), 1)
    return Verdict(judge.classes, confusion.tolist())


def row(judge: Judge, verdict: Verdict, *, pairing: str, reference: int, group: str = "judge") -> Row:
    """The verdict as a row of the metric table."""
    from lianpu.metrics.suite import Row

    low, high = verdict.interval
    return Row(
        metric="colour accuracy (ResNet18)",
        value=verdict.accuracy,
        low=low,
        high=high,
        n=verdict.n,
        n_reference=reference,
        extractor="resnet18, " + ("last layer" if judge.facts["last_layer_only"] else "all layers") + " trained here",
        extractor_sha256=str(judge.facts.get("sha256", "")),
        resize=f"to {judge.size} px (Lanczos)",
        pairing=pairing,
        seed=int(judge.facts["config"]["seed"]),
        note="; ".join((*judge.facts.get("notes", []), *verdict.notes)),
        better="closer",
        group=group,
        extra=verdict.facts(),
    )


# -------------------------------------------------------------------------------------------------------------- training


class Lesson:
    """What an epoch is made of: the training pictures, or, where only the last layer learns, what the trunk says of them."""

    def __init__(
        self,
        network: nn.Module,
        pictures: list[np.ndarray],
        labels: np.ndarray,
        size: int,
        c: JudgeConfig,
        frozen: bool,
    ) -> None:
        self.config, self.frozen = c, frozen
        self.device = next(network.parameters()).device
        self.labels = torch.from_numpy(labels).to(self.device)
        pixels = np.stack([images.resize(p, size) for p in pictures])
        self.pixels = pixels  # uint8 (n, size, size, 3)
        self.features: Tensor | None = None  # float32 (n, 2 or 1, 512): of each picture, and of its mirror image
        if frozen:  # the trunk does not learn and its normalisation stands still: each picture goes through it once
            head, network.fc = network.fc, nn.Identity()  # type: ignore[assignment]
            judge = Judge(network, (), size, {})
            sides = [pixels, pixels[:, :, ::-1]] if c.mirror else [pixels]
            self.features = torch.stack([judge.scores(side) for side in sides], dim=1).to(self.device)
            network.fc = head  # type: ignore[assignment]
        learners = network.fc.parameters() if frozen else network.parameters()  # type: ignore[union-attr]
        self.optimiser = torch.optim.SGD(
            learners, lr=1.0, momentum=0.9, weight_decay=0.0 if frozen else c.full_decay
        )  # the rate is set anew at each epoch

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The epoch's minibatches, in an order that is a function of (seed, epoch). A last batch of one is left out: it has no variance."""
        c, n = self.config, len(self.labels)
        order = torch.randperm(n, generator=generator(c.seed, "judge order", epoch))
        flips = torch.randint(2 if c.mirror else 1, (n,), generator=generator(c.seed, "judge mirror", epoch))
        for rows in order.split(c.batch):
            if len(rows) > 1:
                yield self._inputs(rows, flips[rows]), self.labels[rows.to(self.device)]

    def _inputs(self, rows: Tensor, flips: Tensor) -> Tensor:
        if self.features is not None:
            return self.features[rows.to(self.device), flips.to(self.device)]
        pixels = self.pixels[rows.numpy()]
        pixels[flips.numpy() == 1] = pixels[flips.numpy() == 1, :, ::-1]
        return _normalised(pixels, self.device)


def train(
    data: Path | Folder,
    out: Path,
    chosen: JudgeConfig | None = None,
    *,
    pretrained: dict[str, Tensor] | None = None,
    device: torch.device | str = "cpu",
    say: Callable[[str], None] = lambda text: None,
    stop: Callable[[], bool] = lambda: False,
) -> Judge | None:
    """Trains the judge in folder `out`, or goes on where it stopped; None where `stop()` asked it to leave first.

    data: a data set with a train and a test split; relatives of a training picture are on its side, so nothing leaks.
    pretrained: ResNet18's ImageNet weights, as `imagenet()` finds them: then only the last layer learns; None trains all layers.
    """
    c = chosen or JudgeConfig()
    lessons = data if isinstance(data, Folder) else Folder.open(data, "train")
    exam = Folder.open(lessons.path, "test", lessons.resolution)
    rows, notes = _chosen(lessons, c.train_per_class, c.seed)
    exam_rows, exam_notes = _chosen(exam, c.test_per_class, c.seed)
    frozen = pretrained is not None
    size = c.size or (224 if frozen else lessons.resolution)
    if not frozen:
        notes.append("all layers trained, from random weights: no ImageNet weights of ResNet18 were at hand")
    facts = {
        "config": asdict(c),
        "size": size,
        "classes": list(lessons.classes),
        "last_layer_only": frozen,
        "data": {"train": lessons.fingerprint, "test": exam.fingerprint, "rights": lessons.rights["status"]},
        "train_pictures": len(rows),
        "test_pictures": len(exam_rows),
        "notes": [*notes, *exam_notes],
    }
    network = new_network(len(lessons.classes), c.seed, pretrained).to(device)
    network.requires_grad_(not frozen)
    network.fc.requires_grad_(True)  # type: ignore[union-attr]
    pictures = [lessons.image(int(i)) for i in rows]
    lesson = Lesson(network, pictures, lessons.labels()[rows], size, c, frozen)
    epoch, seconds = _go_on(network, lesson, out, facts)
    if epoch:
        say(f"the judge goes on after epoch {epoch} of {c.epochs}")
    saved = began = time.monotonic()
    while epoch < c.epochs:
        loss = one_epoch(network, lesson, epoch)
        epoch += 1
        if not np.isfinite(loss):
            raise LianpuError(
                f"the judge diverged in epoch {epoch}.", f"in {out}", "Lower its learning rate and train it anew."
            )
        say(f"judge: epoch {epoch}/{c.epochs}, loss {loss:.4f}")
        asked = stop()
        if epoch == c.epochs or asked or time.monotonic() - saved > SAVE_EVERY:
            spent = seconds + time.monotonic() - began
            _save(network, lesson, out, {**facts, "epoch": epoch, "images": epoch * len(rows), "seconds": spent})
            saved = time.monotonic()
        if asked and epoch < c.epochs:
            return None
    judge = load(out)
    judge.network.to(device)
    if judge.facts.get("verdict") is None:
        verdict = score(judge, [exam.image(int(i)) for i in exam_rows], exam.labels()[exam_rows])
        judge.facts["verdict"] = verdict.facts()
        _save(network, lesson, out, {k: v for k, v in judge.facts.items() if k not in ("sha256", "schema")})
        judge.facts = load(out).facts
    return judge


def one_epoch(network: nn.Module, lesson: Lesson, epoch: int) -> float:
    """One pass over the lesson; its mean cross entropy."""
    c = lesson.config
    first, step = (c.head_lr, c.head_step) if lesson.frozen else (c.full_lr, c.full_step)
    for group in lesson.optimiser.param_groups:
        group["lr"] = first * 0.1 ** (epoch // step)
    learner = network.fc if lesson.frozen else network
    network.train(not lesson.frozen)
    total, count = 0.0, 0
    for inputs, labels in lesson.batches(epoch):
        loss = nn.functional.cross_entropy(learner(inputs), labels)  # type: ignore[operator]
        lesson.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        lesson.optimiser.step()
        total, count = total + loss.item(), count + 1
    return total / count if count else float("nan")


# -------------------------------------------------------------------------------------------------------------- on disk


def _tensors(network: nn.Module, lesson: Lesson) -> dict[str, Tensor]:
    state = {f"net.{k}": v for k, v in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        momentum = lesson.optimiser.state.get(parameter, {}).get("momentum_buffer")
        if momentum is not None:
            state[f"momentum.{name}"] = momentum
    return state


def _save(network: nn.Module, lesson: Lesson, out: Path, facts: dict[str, Any]) -> None:
    folder = out / "checkpoints"
    path = folder / f"{facts['epoch']:04d}"
    checkpoint.save_state(path, _tensors(network, lesson), facts)
    for old in checkpoint.states(folder):
        if old != path:
            files.remove(old)


def _go_on(network: nn.Module, lesson: Lesson, out: Path, facts: dict[str, Any]) -> tuple[int, float]:
    """(epochs done, seconds they took) of the newest whole checkpoint, put into network and optimiser; (0, 0) without one."""
    files.remove_partial(out / "checkpoints")
    found, _ = checkpoint.newest_state(out / "checkpoints")
    if found is None:
        return 0, 0.0
    tensors, was = found
    for key in ("config", "data", "last_layer_only", "size"):
        if was.get(key) != facts[key]:
            raise UsageError(
                f"the judge in {out.name} was trained with another {key.replace('_', ' ')}.",
                f"in {out}: {was.get(key)} instead of {facts[key]}",
                "Choose another folder.",
            )
    network.load_state_dict({k.removeprefix("net."): v for k, v in tensors.items() if k.startswith("net.")})
    for name, parameter in network.named_parameters():
        if (momentum := tensors.get(f"momentum.{name}")) is not None:
            lesson.optimiser.state[parameter]["momentum_buffer"] = momentum.to(parameter.device)
    return int(was["epoch"]), float(was["seconds"])


def load(folder: Path) -> Judge:
    """The finished judge in a folder that `train` wrote; ModelError where it is damaged, missing or not finished."""
    found, _ = checkpoint.newest_state(folder / "checkpoints")
    if found is None:
        raise ModelError("there is no judge here.", str(folder), "Train one: it belongs to `lianpu experiment`.")
    tensors, facts = found
    chosen = config.from_dict(JudgeConfig, facts["config"])
    if facts["epoch"] < chosen.epochs:
        raise ModelError(
            f"this judge is not finished: epoch {facts['epoch']} of {chosen.epochs}.",
            str(folder),
            "Run the same command again: it goes on.",
        )
    network = new_network(len(facts["classes"]), chosen.seed, None)
    try:
        network.load_state_dict({k.removeprefix("net."): v for k, v in tensors.items() if k.startswith("net.")})
    except RuntimeError as error:
        raise ModelError("the judge's file does not fit a ResNet18.", f"{folder}: {error}".splitlines()[0]) from None
    newest = checkpoint.states(folder / "checkpoints")[-1]
    facts["sha256"] = files.sha256(newest / "state.safetensors")
    return Judge(network.requires_grad_(False), facts["classes"], facts["size"], facts)
