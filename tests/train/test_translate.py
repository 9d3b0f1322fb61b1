"""Training of translators: what its losses see, the watch over copying, runs from the command's side of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lianpu import api, checkpoint, images
from lianpu.config import PairSettings
from lianpu.errors import ModelError, UsageError
from lianpu.nets.cocosnet import CocosNet
from lianpu.progress import Progress
from lianpu.train.feed import PairFeed, pair_rows, rows
from lianpu.train.loop import Diverged
from lianpu.train.translate import likeness, strength
from lianpu.train.translators import TranslatorRun
from lianpu.train.world import World
from tests.train.toys import METHODS, Blobs, advance, config, feeding, loop, translating

pytestmark = pytest.mark.slow  # starts programs or trains: `make check` has two minutes

# ------------------------------------------------------------------------------------------------------------------- feed


def test_two_processes_share_a_batch_of_pairs_by_stride():
    c = translating()
    whole = next(iter(feeding(c, World())))
    assert set(whole.paired.tolist()) == {True, False}, "both kinds of reference must be among them"
    for rank in range(2):
        part = next(iter(feeding(c, World(rank, 2))))
        for mine, all_ in zip(part, whole, strict=True):
            torch.testing.assert_close(mine, all_[rank::2], rtol=0, atol=0, equal_nan=True)


def test_every_row_of_every_step_is_made_anew():
    """What is drawn at random for an example depends on the step and the row, not on the picture alone."""
    seeds = [seed for step in range(20) for _, _, seed in pair_rows(3, step, 8, 8)]
    assert len(set(seeds)) == len(seeds)
    assert [row[:2] for row in pair_rows(3, 5, 8, 11)] == rows(3, 5, 8, 11)  # the walk is that of all training


def test_without_mirror_sketches_are_those_of_the_pictures():
    c = translating(pairs=PairSettings(easy=0, hard=0, recolour=0, lines=0))
    pictures = Blobs()
    batch = next(iter(feeding(replace(c, mirror=False), World())))
    known = {picture.tobytes() for picture in pictures.pixels}
    assert all(picture.tobytes() in known for picture in images.to_uint8(batch.image))


# --------------------------------------------------------------------------------------------------------- one step of it


@pytest.mark.parametrize("method", METHODS)
def test_a_step_moves_both_networks_and_nothing_else_learns(method):
    c = config(method)
    running = advance(loop(c), c, 1)
    for name, network in (("G", running.task.G), ("D", running.task.D)):
        fresh = getattr(loop(c).task, name)
        still = [
            key
            for (key, new), old in zip(network.named_parameters(), fresh.parameters(), strict=True)
            if torch.equal(new, old)
        ]
        assert still == [], f"{name} has parameters that no loss reaches"
        assert not any(p.requires_grad for p in network.parameters())
    phi = running.task._phi[0]
    assert not any(p.requires_grad or p.grad is not None for p in phi.parameters())
    assert not any(key.startswith("_phi") or "features" in key for key in running.state())


def test_each_loss_is_weighed_by_its_own_weight_and_left_out_at_zero():
    c = translating()
    parts = advance(loop(c), c, 1).means
    weights = {f"loss/{name}": weight for name, weight in vars(c.weights).items() if weight}
    assert weights.keys() == {key for key in parts if key not in ("loss/G", "loss/D")}
    total = sum(weight * float(parts[name][0]) for name, weight in weights.items())
    assert total == pytest.approx(float(parts["loss/G"][0]), rel=1e-5)
    lighter = translating(weights=replace(c.weights, context=0.0, flow=0.0))
    assert {"loss/context", "loss/flow"} == parts.keys() - advance(loop(lighter), lighter, 1).means.keys()


@pytest.mark.parametrize("layer", ["G.alignment.theta", "D.scales.0.convs.1"])
def test_nan_in_a_weight_stops_that_step_and_names_the_weight(layer):
    c = translating()
    running = advance(loop(c), c, 2)
    name, parameter = next((n, p) for n, p in running.task.named_parameters() if n.startswith(layer) and p.dim() == 4)
    parameter.data[0, 0, 0, 0] = math.nan
    with pytest.raises(Diverged, match=name) as caught:
        advance(running, c, 1)
    assert "step 2" in caught.value.what
    assert "r1_gamma" not in caught.value.fix


def test_overflow_in_a_layer_with_spectral_norm_names_that_layer():
    c = translating()
    running = loop(c)
    with torch.no_grad():
        running.task.D.scales[0].convs[1].parametrizations.weight[0]._u.fill_(0)  # sigma is 0: the weight infinite
        running.task.D.scales[0].convs[1].parametrizations.weight[0].n_power_iterations = 0
    with pytest.raises(Diverged, match=r"D\.scales\.0\.convs\.1"):
        advance(running, c, 1)


# ------------------------------------------------------------------------------------------------------ the collapse watch


def test_edges_are_like_themselves_and_unlike_others():
    discs = torch.from_numpy(Blobs().pixels[:8]).permute(0, 3, 1, 2).float() / 127.5 - 1
    edges = strength(discs)
    torch.testing.assert_close(likeness(edges, edges), torch.ones(8))
    assert float(likeness(edges, edges.roll(1, 0)).max()) < 0.9
    assert likeness(edges, torch.zeros_like(edges)).tolist() == [0.0] * 8  # a grey picture is like nothing
    assert float(strength(torch.full((1, 3, 8, 8), 0.3)).max()) == 0


class Copyist(CocosNet):
    """Hands the reference back, whatever the sketch."""

    def forward(self, condition, reference, reference_condition, *, noise=None, symmetric="off"):
        painted = super().forward(condition, reference, reference_condition, noise=noise, symmetric=symmetric)
        return painted._replace(image=reference + 0 * painted.image)


class Draughtsman(CocosNet):
    """Paints grey, but for the sketch's lines."""

    def forward(self, condition, reference, reference_condition, *, noise=None, symmetric="off"):
        painted = super().forward(condition, reference, reference_condition, noise=noise, symmetric=symmetric)
        return painted._replace(image=-condition[:, :1] + 0 * painted.image)


@pytest.mark.parametrize(("network", "copies"), [(Copyist, True), (Draughtsman, False)])
def test_a_run_warns_once_when_its_network_copies_the_reference(network, copies, folder):
    c = translating(pairs=PairSettings(easy=1.0, hard=0.0))
    run = TranslatorRun(c, folder, World())
    running = loop(c)
    running.task = run.task
    assert run.task.statistics() == {}
    run.task.G = network(c.net).requires_grad_(False)
    running.learners = run.task.learners()
    running.optimisers["G"] = torch.optim.Adam(run.task.G.parameters(), lr=0.0)
    advance(running, c, 5, pictures=folder)
    own, others = run.task.likenesses()
    assert run.task.copies == copies == (others > own)
    assert run.task.statistics() == {"as sketch": pytest.approx(own), "as reference": pytest.approx(others)}
    said = run.warnings()
    assert len(said) == copies
    assert all("the network copies" in sentence for sentence in said)
    assert run.warnings() == []


@pytest.fixture
def folder() -> Blobs:
    return Blobs()


# -------------------------------------------------------------------------------------------------------------------- runs

SMALL = [
    "net.resolution=32", "net.width=4", "net.width_max=8", "net.hidden=4", "net.discriminator_width=4", "features=random",
    "batch=4", "kimg=0.008", "tick_kimg=0.008", "snapshot_kimg=0.008", "samples=2",
]  # fmt: skip
OWN = {
    "cocosnet": ["net.encoder_width=4", "net.encoder_max=8", "net.feature_width=8", "net.trunk_blocks=1"],
    "spade": [],
    "spade-vae": ["net.z_dim=4", "net.style_width=4"],
}


def train(data: Path | None, out: Path, method: str | None, *settings: str, **options) -> str:
    said: list[str] = []

    class Ears(Progress):
        def say(self, text: str) -> None:
            said.append(text)

    recipe = None if method is None else f"tiny-64-{method}"
    api.train(out, data=data, recipe=recipe, settings=list(settings), report=Ears(), device="cpu", **options)
    return "\n".join(said)


@pytest.fixture(scope="module", params=METHODS)
def trained(request, data, tmp_path_factory) -> tuple[str, Path]:
    out = tmp_path_factory.mktemp("translators") / request.param
    train(data, out, request.param, *SMALL, *OWN[request.param])
    return request.param, out


def test_a_run_leaves_a_model_a_sheet_and_the_name_of_its_features(trained):
    method, out = trained
    network, model = checkpoint.load_model(out, None)
    assert model.kind == method.removesuffix("-vae")
    assert (model.images_seen, model.classes) == (8, [])
    assert model.features == {"name": "random", "sha256": ""}
    assert model.data["rights"] == "known"
    assert not network.training
    assert "lianpu translate THIS_FOLDER" in (out / "model" / "README.md").read_text("utf-8")
    columns = 5 if method == "cocosnet" else 4  # sketch, reference, what the warp makes of it, result, truth
    sheet = images.decode((out / "samples" / "000000008.png").read_bytes()).pixels
    assert sheet.shape == (2 * 128 + 2, columns * 128 + 2 * (columns - 1), 3)
    tick = json.loads((out / "run.jsonl").read_text("utf-8").splitlines()[-1])
    assert {"loss/G", "loss/D", "loss/feat"} <= tick.keys()
    assert ("as sketch" in tick) == (method == "cocosnet")


def test_a_translator_is_no_generator(trained, tmp_path):
    method, out = trained
    kind = method.removesuffix("-vae")
    with pytest.raises(ModelError, match=f"this is a {kind}, and the command needs a stylegan2"):
        list(api.generate(str(out), out=tmp_path / "new"))


def test_the_average_is_what_is_saved_and_the_discriminator_lies_beside(trained):
    _, out = trained
    network, model = checkpoint.load_model(out, None)
    tensors, _ = checkpoint.load_state(checkpoint.states(out / "checkpoints")[-1])
    for prefix, net in (("task.G_ema.", network), ("task.D.", checkpoint.load_discriminator(out, model.kind))):
        assert net is not None
        for name, tensor in net.state_dict().items():
            assert torch.equal(tensor, tensors[prefix + name]), name


def test_fine_tuning_begins_with_the_model_and_its_discriminator(trained, data, tmp_path):
    method, out = trained
    said = train(data, tmp_path / "run", method, *SMALL, "kimg=0.004", from_model=str(out))
    assert f"Starting from {out}." in said
    _, parent = checkpoint.load_model(out, None)
    network, model = checkpoint.load_model(tmp_path / "run", None)
    assert model.parent == parent.sha256
    old, _ = checkpoint.load_model(out, None)
    moved = [float((a - b).abs().max()) for a, b in zip(old.parameters(), network.parameters(), strict=True)]
    assert 0 < max(moved) < 1e-3  # without a ramp one small batch hardly moves the average


def test_fine_tuning_another_network_is_refused(trained, data, tmp_path):
    method, out = trained
    with pytest.raises(UsageError, match=r"fine-tuned with net\.hidden=16 \(the model: 4\)"):
        train(data, tmp_path / "run", method, *SMALL, "net.hidden=16", from_model=str(out))
    with pytest.raises(ModelError, match=f"this is a {method.removesuffix('-vae')}, and the command needs a stylegan2"):
        api.train(tmp_path / "run", data=data, recipe="tiny-32-ada", from_model=str(out), device="cpu")


def test_a_run_goes_on_with_the_features_it_began_with_or_not_at_all(data, tmp_path):
    out = tmp_path / "run"
    train(data, out, "spade", *SMALL)
    plan = json.loads((out / "config.json").read_text("utf-8"))
    assert plan["config"]["features"] == "random"
    with pytest.raises(UsageError, match="features cannot change within a run"):
        train(None, out, None, "features=vgg16")
    train(None, out, None, "kimg=0.012")
    newest = checkpoint.states(out / "checkpoints")[-1]
    tensors, facts = checkpoint.load_state(newest)
    tensors = {k: v.clone() for k, v in tensors.items()}
    checkpoint.save_state(newest, tensors, {**facts, "features": {"name": "vgg19", "sha256": "ab" * 32}})
    with pytest.raises(ModelError, match=r"another network(.|\n)*vgg19 \(abababababab\), now random(.|\n)*get vgg19"):
        train(None, out, None, "kimg=0.016")


def test_auto_is_settled_when_a_run_begins(data, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIANPU_WEIGHTS", str(tmp_path / "nowhere"))
        train(data, tmp_path / "run", "spade", *SMALL, "features=auto")
    plan = json.loads((tmp_path / "run" / "config.json").read_text("utf-8"))
    assert plan["config"]["features"] in ("random", "vgg16", "vgg19")
    assert "complete" in train(None, tmp_path / "run", None)


def test_the_sheet_shows_the_same_examples_at_every_tick(folder):
    c = translating(samples=3)
    run = TranslatorRun(c, folder, World())
    first = run.sheet()
    assert np.array_equal(run.sheet(), first)
    assert np.array_equal(TranslatorRun(c, folder, World()).sheet(), first)
    assert run.examples.paired.tolist() == [False, True, False]


def test_pairs_are_no_batch_larger_than_the_data(folder):
    c = translating(batch=64)
    with pytest.raises(Exception, match=r"batch \(64\) is larger than the data set \(40 pictures\)"):
        feeding(c, World(), pictures=folder)
    assert issubclass(type(feeding(translating(), World())), PairFeed)
