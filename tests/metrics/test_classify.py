"""The colour judge: its intervals are the book's, it learns, resumes bit for bit; with ImageNet weights only its last layer moves."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lianpu import checkpoint, images
from lianpu.data import build
from lianpu.data.colour import CLASSES
from lianpu.data.folder import Folder
from lianpu.errors import DataError, ModelError, UsageError
from lianpu.metrics import classify
from lianpu.metrics.classify import JudgeConfig, Verdict

pytestmark = pytest.mark.slow  # starts programs or trains: `make check` has two minutes

PAINT = {"red": (200, 30, 30), "black": (20, 20, 20), "white": (225, 225, 235), "blue": (40, 70, 180),
         "green": (40, 130, 70), "yellow": (240, 200, 40), "purple": (120, 60, 150)}  # fmt: skip
SMALL = JudgeConfig(train_per_class=6, test_per_class=2, epochs=4)


def paint(to: Path, counts: dict[str, int]) -> Path:
    """Pictures of scattered boxes, each in the one colour of its class: what a judge of colours must be able to learn."""
    to.mkdir(parents=True)
    draw, lines = np.random.default_rng(0), []
    for colour, count in counts.items():
        for i in range(count):
            pixels = np.full((32, 32, 3), 160, np.uint8)
            for _ in range(5):
                y, x, h, w = (*draw.integers(0, 22, 2), *draw.integers(5, 12, 2))
                pixels[y : y + h, x : x + w] = PAINT[colour]
            pixels = np.clip(pixels + draw.integers(-8, 9, pixels.shape), 0, 255).astype(np.uint8)
            (to / f"{colour}{i:02d}.png").write_bytes(images.encode_png(pixels))
            lines.append(json.dumps({"file_name": f"{colour}{i:02d}.png", "colour": colour}))
    (to / "metadata.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (to / "rights.csv").write_text("file,source,licence\n*,this test,CC0-1.0\n", "utf-8")
    return to


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("painted")
    source = paint(folder / "source", dict.fromkeys(CLASSES, 12))
    build.build([source], folder / "data", size=32, test=0.34, workers=1)
    return folder / "data"


def tensors(out: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load_state(checkpoint.states(out / "checkpoints")[-1])[0]


def differing(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> list[str]:
    assert a.keys() == b.keys()
    return [k for k in a if not torch.equal(a[k], b[k])]


def imagenet_like() -> dict[str, torch.Tensor]:
    """Weights of the right names and shapes: what the trunk has learnt does not matter for what is tested here."""
    from torchvision.models import resnet18

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        return resnet18(weights=None).state_dict()


# ---------------------------------------------------------------------------------------------------------- intervals


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_are_those_of_scipy(counts):
    k, n = counts
    for ours, theirs in ((classify.wilson, "wilson"), (classify.clopper_pearson, "exact")):
        want = stats.binomtest(k, n).proportion_ci(0.95, method=theirs)
        assert np.allclose(ours(k, n), (want.low, want.high), atol=1e-9), theirs
        assert ours(k, n)[0] <= k / n <= ours(k, n)[1]


def test_the_exact_interval_covers_the_truth_at_least_as_often_as_it_says():
    n = 20
    for p in np.linspace(0.02, 0.98, 25):
        inside = sum(
            stats.binom.pmf(k, n, p)
            for k in range(n + 1)
            if (lambda i: i[0] <= p <= i[1])(classify.clopper_pearson(k, n))
        )
        assert inside >= 0.95 - 1e-9


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_proportion_is_refused(k, n):
    with pytest.raises(ValueError, match="no proportion"):
        classify.wilson(k, n)


def test_a_verdict_adds_up():
    v = Verdict(("red", "black", "white"), [[3, 1, 0], [0, 2, 2], [0, 0, 0]])
    assert (v.n, v.correct, v.accuracy) == (8, 5, 5 / 8)
    facts = v.facts()
    assert sum(c["n"] for c in facts["per_class"].values()) == v.n
    assert sum(c["correct"] for c in facts["per_class"].values()) == v.correct
    assert facts["per_class"]["white"]["accuracy"] is None, "no picture is no accuracy of 0"
    nobody = Verdict(("red",), [[0]]).facts()
    assert nobody["accuracy"] is None
    assert nobody["low"] is None
    json.dumps(facts, allow_nan=False)


# ------------------------------------------------------------------------------------------------------ which pictures


def test_pictures_are_drawn_without_replacement_by_seed_and_nested():
    labels = np.repeat(np.arange(3), 40)
    few, many = (classify.choose(labels, k, ("a", "b", "c"), 0, "train") for k in (5, 20))
    for number, name in enumerate("abc"):
        assert len(set(many[name].tolist())) == 20
        assert set(labels[many[name]]) == {number}
        assert set(few[name]) <= set(many[name])
    assert not np.array_equal(many["a"], classify.choose(labels, 20, ("a", "b", "c"), 1, "train")["a"])
    assert not np.array_equal(many["a"], classify.choose(labels, 20, ("a", "b", "c"), 0, "test")["a"])


def test_fewer_pictures_are_used_and_said_and_an_empty_class_is_an_error(painted, tmp_path):
    judge = classify.train(
        painted, tmp_path / "judge", replace(SMALL, train_per_class=500, test_per_class=20, epochs=1)
    )
    assert judge is not None
    said = " ".join(judge.facts["notes"])
    assert "fewer than 500 train pictures" in said
    assert "fewer than 20 test pictures" in said
    assert judge.facts["train_pictures"] == len(Folder.open(painted, "train"))
    lines = (painted / "train" / "metadata.jsonl").read_text("utf-8").splitlines(keepends=True)
    broken = tmp_path / "data"
    shutil.copytree(painted, broken)
    (broken / "train" / "metadata.jsonl").write_text("".join(x for x in lines if '"purple"' not in x), "utf-8")
    with pytest.raises(DataError, match="holds no purple mask"):
        classify.train(broken, tmp_path / "other", SMALL)


# --------------------------------------------------------------------------------------------------------------- learning


def test_it_learns_colours_and_says_that_all_layers_were_trained(painted, tmp_path):
    judge = classify.train(painted, tmp_path, replace(SMALL, train_per_class=8, test_per_class=4, epochs=12))
    assert judge is not None
    assert judge.facts["last_layer_only"] is False
    assert "no ImageNet weights" in " ".join(judge.facts["notes"])
    assert judge.facts["verdict"]["accuracy"] >= 0.8
    assert judge.facts["verdict"]["n"] == 28
    exam = Folder.open(painted, "test")
    alone = [judge.say([exam.image(i)])[0] for i in range(6)]
    assert alone == judge.say([exam.image(i) for i in range(6)]).tolist(), (
        "no picture's verdict depends on its neighbours"
    )
    again = classify.load(tmp_path)
    assert torch.equal(again.scores([exam.image(0)]), judge.scores([exam.image(0)]))


@pytest.mark.parametrize("last_layer", [False, True])
def test_stop_and_resume_equals_not_stopping(last_layer, painted, tmp_path):
    c = replace(SMALL, size=32)
    pretrained = imagenet_like() if last_layer else None
    straight = classify.train(painted, tmp_path / "straight", c, pretrained=pretrained)
    assert straight is not None
    asked = iter([False, True])
    assert classify.train(painted, tmp_path / "cut", c, pretrained=pretrained, stop=lambda: next(asked)) is None
    with pytest.raises(ModelError, match="not finished: epoch 2 of 4"):
        classify.load(tmp_path / "cut")
    resumed = classify.train(painted, tmp_path / "cut", c, pretrained=pretrained)
    assert resumed is not None
    assert differing(tensors(tmp_path / "straight"), tensors(tmp_path / "cut")) == []
    assert any(k.startswith("momentum.") and v.abs().sum() > 0 for k, v in tensors(tmp_path / "cut").items())
    assert straight.facts["verdict"] == resumed.facts["verdict"]


def test_each_epoch_shows_every_picture_once_in_an_order_of_its_own(painted):
    lessons = Folder.open(painted, "train")
    pictures = [lessons.image(i) for i in range(17)]

    def order(epoch: int) -> list[int]:
        lesson = classify.Lesson(classify.new_network(7, 0, None), pictures, np.arange(17), 32, SMALL, False)
        return [int(i) for _, rows in lesson.batches(epoch) for i in rows]

    for epoch in (0, 1):
        assert len(order(epoch)) == 16, "a last batch of one has no variance, and is left out"
        assert len(set(order(epoch))) == 16
    assert order(0) == order(0)
    assert order(0) != order(1)


def test_losing_the_momentum_is_noticed(painted, tmp_path):
    c = replace(SMALL, size=32)
    classify.train(painted, tmp_path / "straight", c)
    asked = iter([False, True])
    classify.train(painted, tmp_path / "cut", c, stop=lambda: next(asked))
    place = checkpoint.states(tmp_path / "cut" / "checkpoints")[-1]
    state, facts = checkpoint.load_state(place)
    kept = {k: torch.zeros_like(v) if k.startswith("momentum.") else v for k, v in state.items()}
    checkpoint.save_state(place, kept, facts)
    classify.train(painted, tmp_path / "cut", c)
    assert differing(tensors(tmp_path / "straight"), tensors(tmp_path / "cut"))


def test_with_imagenet_weights_only_the_last_layer_moves(painted, tmp_path):
    """Not even the running statistics of the normalisation: the well-known trap of a frozen trunk left in training mode."""
    given = imagenet_like()
    judge = classify.train(painted, tmp_path, replace(SMALL, size=32), pretrained=given)
    assert judge is not None
    assert judge.facts["last_layer_only"] is True
    trunk = {k: v for k, v in judge.network.state_dict().items() if not k.startswith("fc.")}
    assert [k for k, v in trunk.items() if not torch.equal(v, given[k])] == []
    fresh = classify.new_network(7, SMALL.seed, given).state_dict()
    assert not torch.equal(fresh["fc.weight"], judge.network.state_dict()["fc.weight"])


def test_a_judge_of_other_settings_or_data_is_not_gone_on_with(painted, tmp_path):
    asked = iter([True])
    classify.train(painted, tmp_path, SMALL, stop=lambda: next(asked))
    with pytest.raises(UsageError, match="another config"):
        classify.train(painted, tmp_path, replace(SMALL, batch=4))


def test_a_missing_or_damaged_judge_is_a_sentence(painted, tmp_path):
    with pytest.raises(ModelError, match="no judge here"):
        classify.load(tmp_path)
    classify.train(painted, tmp_path, replace(SMALL, epochs=1))
    file = checkpoint.states(tmp_path / "checkpoints")[-1] / "state.safetensors"
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(ModelError, match="no judge here"):
        classify.load(tmp_path)


@pytest.mark.parametrize("changes", [{"epochs": 0}, {"batch": 1}, {"full_lr": 0.0}, {"size": -1}, {"head_step": 0}])
def test_impossible_settings_are_refused(changes):
    with pytest.raises(UsageError):
        JudgeConfig(**changes)


def test_the_row_states_its_protocol(painted, tmp_path):
    judge = classify.train(painted, tmp_path, replace(SMALL, epochs=1))
    assert judge is not None
    exam = Folder.open(painted, "test")
    verdict = classify.score(judge, [exam.image(i) for i in range(7)], exam.labels()[:7])
    row = classify.row(judge, verdict, pairing="the first seven", reference=0)
    assert row.value == verdict.accuracy
    assert row.n == 7
    assert "all layers" in row.extractor
    assert row.extractor_sha256 == judge.facts["sha256"]
    assert row.extra["confusion"] == verdict.confusion
