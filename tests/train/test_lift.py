"""Training of lifters: what each loss teaches, the perturbation, the teacher that stays as it is, runs from the command's side of it."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from lianpu import api, checkpoint, images
from lianpu.config import LiftWeights, StyleGAN2Config, from_dict, to_dict
from lianpu.errors import ModelError, UsageError
from lianpu.nets import digan, features
from lianpu.nets.digan import Digan
from lianpu.progress import Progress
from lianpu.randomness import Draw
from lianpu.render import camera, surface
from lianpu.render.views import Seen
from lianpu.train.lift import LiftTask, Otherwise, Pictured, asymmetries, code_statistics
from lianpu.train.lifters import LifterRun, Teacher
from lianpu.train.loop import Clock, Diverged
from lianpu.train.world import World
from tests.render.shapes import ball
from tests.train.toys import LIFTERS, advance, config, lifting, loop, task, teacher

PARTS = ("DV", "DL", "DS", "DT", "M")
OFF = LiftWeights(**dict.fromkeys(vars(LiftWeights()), 0.0))


def only(name: str) -> LiftWeights:
    """That loss alone; L_flip is weighed by that of L_rec too."""
    return replace(OFF, **dict.fromkeys({"flip": ("rec", "flip")}.get(name, (name,)), 1.0))


def reached(weights: LiftWeights, take: str = "", cycle: str = "all") -> dict[str, float]:
    """How much of a gradient each part of the student gets, from one term or all of them."""
    c = lifting(weights=weights, cycle=cycle)
    learning = task(c)
    assert isinstance(learning, LiftTask)
    for update in learning.updates(None, Clock(c.batch), Draw(0, 0)):
        loss = update.parts[f"loss/{take}"] if take else update.loss
        loss.backward()
    return {
        part: sum(float(p.grad.abs().sum()) for p in getattr(learning.G3D, part).parameters() if p.grad is not None)
        for part in PARTS
    }


# ------------------------------------------------------------------------------------------------------------- the losses


@pytest.mark.parametrize(
    ("term", "weights", "learns"),
    [
        ("rec", only("rec"), PARTS),
        ("flip", only("flip"), PARTS),
        ("idt", only("idt"), PARTS),
        ("rega", only("rega"), ("DL", "DS", "M")),  # an albedo has no view, and is not moved
        ("perturb", only("perturb"), PARTS),
        ("perturb M", only("perturb"), ("M",)),  # what is asked of the teacher is a goal that does not move
        ("stereo", only("stereo"), ("DL", "DS", "M")),  # its light is no network's; DL's is taken from the albedo
        ("lvcyc", only("lvcyc"), ("DV", "DL", "M")),
        ("own", only("own"), ("DV", "DL")),
        ("front", only("front"), ("M",)),
        ("lamp", only("lamp"), ("DL",)),
        ("style", only("style"), ("M",)),
    ],
)
def test_each_loss_teaches_exactly_the_networks_it_should(term, weights, learns):
    got = reached(weights, term)
    assert {part for part, size in got.items() if size > 0} == set(learns)


def test_the_cycle_may_teach_m_alone_and_is_the_same_loss():
    """DV and DL then say of M's codes what they have learnt of the teacher's, and cannot agree with M on something else."""
    assert {part for part, size in reached(only("lvcyc"), cycle="M").items() if size > 0} == {"M"}
    both = [advance(loop(c), c, 1).means["loss/lvcyc"] for c in (lifting(cycle="all"), lifting(cycle="M"))]
    assert both[0][0] == both[1][0]


@pytest.mark.parametrize("method", LIFTERS)
def test_a_step_moves_the_student_and_nothing_else(method):
    c = lifting(method)
    G2D, critic = teacher(c.net.teacher)
    before = {k: v.clone() for net in (G2D, critic) for k, v in net.state_dict().items()}
    running = advance(loop(c), c, 1)
    fresh = loop(c).task.G3D
    still = [
        k
        for (k, p), q in zip(running.task.G3D.named_parameters(), fresh.parameters(), strict=True)
        if torch.equal(p, q)
    ]
    assert still == [], "parameters that no loss reaches"
    assert all(torch.equal(v, before[k]) for net in (G2D, critic) for k, v in net.state_dict().items())
    assert not any(p.requires_grad or p.grad is not None for net in (G2D, critic) for p in net.parameters())
    assert not any(p.requires_grad for p in running.task.parameters())
    assert {key.split(".")[1] for key in running.state()} == {"G3D", "G3D_ema", "w_mean", "w_deviation", "seen"}


def test_a_shape_stands_still_for_as_long_as_it_is_told():
    c = lifting(still_kimg=0.016)
    learning = loop(c)
    student = learning.task.G3D
    before = {name: value.clone() for name, value in student.state_dict().items()}

    def moved() -> set[str]:
        return {
            name.partition(".")[0]
            for name, value in student.state_dict().items()
            if not torch.equal(value, before[name])
        }

    advance(learning, c, 2)
    assert moved() == {"DV", "DL", "M"}
    advance(learning, c, 1)
    assert moved() == set(PARTS)


def test_each_loss_is_weighed_by_its_own_weight_and_left_out_at_zero():
    c = lifting()
    w, parts = c.weights, advance(loop(c), c, 1).means
    weights = {"rec": w.rec, "flip": w.rec * w.flip, "idt": w.idt, "rega": w.rega, "perturb": w.perturb, "perturb M": w.perturb,
               "stereo": w.stereo, "lvcyc": w.lvcyc, "own": w.own, "front": w.front, "lamp": w.lamp, "style": w.style}  # fmt: skip
    assert {f"loss/{name}" for name in weights} == parts.keys() - {"loss/G3D"}
    total = sum(weight * float(parts[f"loss/{name}"][0]) for name, weight in weights.items())
    assert total == pytest.approx(float(parts["loss/G3D"][0]), rel=1e-5)
    for name in ("flip", "idt", "rega", "perturb", "stereo", "lvcyc", "own", "front", "lamp", "style"):
        lighter = lifting(weights=replace(w, **{name: 0.0}))
        gone = parts.keys() - advance(loop(lighter), lighter, 1).means.keys()
        assert gone == {f"loss/{name}", *(["loss/perturb M"] if name == "perturb" else [])}
    bare = lifting(weights=replace(w, perc=0.0))
    without = advance(loop(bare), bare, 1).means
    assert without.keys() == parts.keys()
    assert float(without["loss/rec"][0]) < float(parts["loss/rec"][0])


def test_ablations_are_the_recipe_without_one_weight():
    whole = lifting("digan").weights
    for name in ("flip", "idt", "rega"):
        assert lifting(f"digan-wo-{name}").weights == replace(whole, **{name: 0.0})
        assert replace(lifting(f"digan-wo-{name}"), weights=whole) == lifting("digan")
    assert lifting("liftedgan").net == lifting("digan").net.liftedgan()


def test_what_is_not_asked_for_is_not_computed(monkeypatch):
    """Without perturbation M is asked once, for w0, and one view is rendered."""
    calls = []
    monkeypatch.setattr(
        LiftTask, "look", lambda self, *a, look=LiftTask.look, **k: calls.append(k) or look(self, *a, **k)
    )
    reached(only("rec"))
    assert calls == [{}]
    calls.clear()
    reached(only("flip"))
    assert calls == [{}, {"mirrored": True}]


# ------------------------------------------------------------------------------------------------------------------ one step


def perturbation(c, step: int = 0) -> Otherwise:
    learning = task(c)
    assert isinstance(learning, LiftTask)
    with torch.no_grad():
        w, _ = learning.codes(Draw(0, step))
        return Otherwise(learning, learning.G3D(w, learning.G2D), w, Draw(0, step))


def test_the_perturbation_turns_within_its_range_and_moves_the_face_back():
    c = lifting(
        net=replace(lifting().net, aligned=False), batch=256, yaw=40.0, pitch=10.0, shift=0.2, apart=0.0, weights=OFF
    )
    pitch, yaw, roll, x, y, z = (perturbation(c).view * 60).unbind(1)  # degrees, of the angles
    assert 35 < float(yaw.abs().max()) <= 40 and abs(float(yaw.mean())) < 4
    assert 8 < float(pitch.abs().max()) <= 10
    assert not roll.any() and not y.any() and not z.any()
    assert_close(x / 60, -0.2 * torch.deg2rad(yaw).sin())


def test_the_goals_of_both_halves_of_the_perturbation_stand_still():
    """The student learns from what the teacher paints, M from what the student renders; neither is moved to meet the other."""
    c = lifting()
    learning = task(c)
    assert isinstance(learning, LiftTask)
    learning.G3D.requires_grad_(True)
    w, _ = learning.codes(Draw(0, 0))
    other = Otherwise(learning, learning.G3D(w, learning.G2D), w, Draw(0, 0))
    student = learning.distance(other.rendered, other.painted.detached())
    teacher_s, mine = torch.autograd.grad(
        student, (other.painted.picture, other.rendered.image), retain_graph=True, allow_unused=True
    )
    assert teacher_s is None and mine.any()
    assert not other.asked.image.requires_grad
    assert torch.autograd.grad(learning.distance(other.asked, other.painted), other.painted.picture)[0].any()


def test_turned_apart_from_lit():
    """Where one thing changes, what is seen of it is known: half of the faces keep their light in front, half are not turned."""
    other = perturbation(lifting(batch=256, yaw=40.0, apart=1.0, aside=0.6))
    turned, lit = (x[:, 0] for x in other.alone)
    assert torch.equal(turned, ~lit) and 0.4 < float(lit.float().mean()) < 0.6
    assert not other.view[lit].any() and (other.view[turned, 1] != 0).all()
    assert not other.light[turned, 2:].any()
    own = other.face.light[:, :2]
    assert torch.equal(other.light[:, :2], own)
    assert (
        0.5 < float(other.light[lit, 2:].abs().max()) <= 0.6 and float(other.light[lit, 2:].mean(0).abs().max()) < 0.1
    )
    some = perturbation(lifting(batch=256, apart=0.5, aside=0.6))
    both = ~(some.alone[0] | some.alone[1])[:, 0]
    assert 0.4 < float(both.float().mean()) < 0.6
    assert (some.view[both, 1] != 0).all() and (some.light[both, 2] != 0).all()
    every = perturbation(lifting(batch=64, apart=0.0, aside=0.6, weights=OFF))
    assert (every.view[:, 1] != 0).all() and (every.light[:, 2] != 0).all()


def test_stereo_is_nothing_for_the_true_shape_whatever_light_was_asked_for():
    c = lifting(batch=64, apart=1.0, aside=0.6)
    other = perturbation(c)
    depth, _ = ball(16)
    S = depth.float().expand(64, -1, -1)
    A = torch.full((64, 3, 16, 16), 0.2)
    torch.manual_seed(0)
    true = surface.light(torch.cat([torch.zeros(64, 2), torch.rand(64, 2) - 0.5], 1))
    painted = surface.relight(A, surface.shading(surface.normals(S), true))
    other.painted = Pictured(other.task, painted)

    def of(S: torch.Tensor) -> torch.Tensor:
        return other.task.stereo(other.face._replace(depth=S, albedo=A), other)

    bulge = (camera.BORDER - S).requires_grad_()
    right, half = of(S), of(camera.BORDER - bulge / 2)
    lopsided = of(S + 0.01 * torch.linspace(-1, 1, 16) * (S < camera.GROUND))
    assert float(right) < 0.25 * min(float(half.detach()), float(lopsided))
    (slope,) = torch.autograd.grad(half, bulge)
    assert float((slope * bulge.detach()).sum()) < 0, "deeper is better"
    lit = other.alone[1][:, 0]
    painted[~lit] = 1.0  # of what is turned it asks nothing
    assert float(of(S)) == float(right)
    with pytest.raises(UsageError, match=r"weights\.stereo looks at faces that are only lit otherwise"):
        lifting(apart=0.0, weights=only("stereo"))


def test_the_light_it_asks_for_is_such_as_other_faces_have():
    other = perturbation(lifting(batch=64, apart=0.0, aside=0.0, weights=OFF))
    L = other.task.G3D.DL(other.of)
    assert not other.light.requires_grad
    assert (other.light != L).any(1).all(), "not the face's own"
    assert_close(other.light.mean(0), L.mean(0), rtol=0, atol=0.1)


def test_an_m_of_mlps_has_no_front_of_its_own():
    with pytest.raises(UsageError, match=r"weights\.front is for an M of directions"):
        lifting(net=replace(lifting().net, directions=0))


def test_codes_are_drawn_towards_the_mean_of_their_class():
    c = lifting(truncation=0.0)
    learning = task(c)
    assert isinstance(learning, LiftTask)
    w, mean = learning.codes(Draw(0, 0))
    assert torch.equal(w, mean)
    assert {tuple(row.tolist()) for row in mean} <= {tuple(row.tolist()) for row in learning.w_mean}
    G2D = learning.G2D
    z, labels = torch.randn(28000, 8), torch.arange(28000) % 7
    drawn = G2D.mapping(z, labels)[:, 0]
    for label in range(7):
        assert_close(drawn[labels == label].mean(0), learning.w_mean[label], rtol=0, atol=0.1)
    mean, deviation = code_statistics(G2D)
    assert torch.equal(mean, learning.w_mean) and torch.equal(deviation, learning.w_deviation)
    assert float(deviation) == pytest.approx(float(drawn[labels == 0].std(0).mean()), rel=0.1)


def test_what_a_mirror_changes_is_found_in_the_codes_of_a_teacher_before_any_training():
    """A shipped teacher of heads, never told of views or lights: two directions hold a good part of all that is unlike in two halves of its
    pictures, and as many others next to nothing."""
    G2D = Teacher.open(checkpoint.shipped("clay-head-64")).G2D
    mean = code_statistics(G2D)[0]
    centre, found = mean[0], asymmetries(G2D, mean, 2, 0.7)
    assert_close(found.even @ found.even, found.even, rtol=0, atol=1e-3)
    assert_close(found.odd @ found.even, torch.zeros(2, 128), rtol=0, atol=1e-2)
    again = asymmetries(G2D, mean, 2, 0.7)
    assert torch.equal(again.even, found.even) and torch.equal(again.odd, found.odd)
    torch.manual_seed(1)
    w = G2D.mapping(torch.randn(96, 128), None)[:, 0]
    d = (w - centre) * 0.7
    some = torch.linalg.qr(torch.randn(128, 2)).Q

    def unlike(d: torch.Tensor) -> float:
        picture = torch.nn.functional.avg_pool2d(digan.paint(G2D, centre + d)[0].clamp(-1, 1), 4)
        return float((picture - picture.flip(-1)).square().mean())

    with torch.no_grad():
        before, even, others = unlike(d), unlike(d @ found.even), unlike(d - d @ some @ some.T)
    assert even < 0.6 * before and others > 0.85 * before


def test_m_begins_with_codes_that_its_teacher_can_paint():
    c = lifting()
    learning = task(replace(c, net=replace(c.net, directions=0), weights=replace(c.weights, front=0.0)))
    assert isinstance(learning, LiftTask)
    assert torch.equal(learning.G3D.M.joined[-1].bias, learning.w_mean.mean(0))


def test_where_a_render_shows_nothing_it_is_given_the_picture():
    learning = task(lifting())
    assert isinstance(learning, LiftTask)
    from lianpu.train.lift import Pictured

    picture, other = torch.rand(2, 2, 3, 16, 16)
    blind = Seen(other, torch.ones(2, 16, 16), torch.zeros(2, 16, 16, dtype=torch.bool))
    assert float(learning.distance(blind, Pictured(learning, picture))) == 0
    half = blind.mask.clone()
    half[..., :8] = True
    bare = lifting(weights=replace(LiftWeights(), perc=0.0))
    seen = blind._replace(mask=half, image=picture + 1)
    assert float(task(bare).distance(seen, Pictured(task(bare), picture))) == pytest.approx(0.5)


def test_identity_is_compared_where_the_face_is_turned_little(monkeypatch):
    c = lifting(idt_yaw=25.0, batch=64, yaw=45.0)
    other, rows = perturbation(c), []
    monkeypatch.setattr("lianpu.losses.identity_variance", lambda f, g, r: rows.append(r) or f.sum())
    with torch.no_grad():
        other.task.identity(other.face, other)
    assert torch.equal(rows[0], (other.view[:, 1] * 60).abs() < 25)
    assert 0 < int(rows[0].sum()) < 64


def test_the_watch_says_how_far_faces_are_turned_and_how_deep_they_are():
    learning = task(lifting())
    assert isinstance(learning, LiftTask)
    assert learning.statistics() == {}
    with torch.no_grad():
        face = learning.G3D(learning.codes(Draw(0, 0))[0], learning.G2D)
    flat = face._replace(
        view=torch.tensor([[0, 0.5, 0, 0, 0, 0], [0, -0.5, 0, 0, 0, 0]] * 4), depth=torch.ones(8, 16, 16)
    )
    learning.watch(flat)
    assert learning.statistics() == {"yaw": pytest.approx(30), "relief": pytest.approx(0)}


@pytest.mark.parametrize("layer", ["G3D.DS", "G3D.DV"])
def test_nan_in_a_weight_stops_that_step_and_names_the_weight(layer):
    c = lifting()
    running = advance(loop(c), c, 1)
    name, parameter = next((n, p) for n, p in running.task.named_parameters() if n.startswith(layer))
    parameter.data.view(-1)[0] = math.nan
    with pytest.raises(Diverged, match=name) as caught:
        advance(running, c, 1)
    assert "Lower the learning rate" in caught.value.fix


def test_critic_gives_the_discriminator_s_own_features():
    _, critic = teacher(lifting().net.teacher)
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    maps = critic(x)
    assert [m.shape[2:] for m in maps] == [(8, 8), (4, 4)]
    assert torch.equal(
        critic.network.epilogue(maps[-1], x, critic.network.condition(2, torch.tensor([0, 1]), None)),
        critic.network(x, torch.tensor([0, 1])),
    )
    assert critic.train().training is False


# -------------------------------------------------------------------------------------------------------------------- runs

STUDENT = ["net.hidden=8", "net.transform_hidden=4", "net.width=4"]
SMALL = ["batch=4", "kimg=0.008", "tick_kimg=0.004", "snapshot_kimg=0.004", "samples=2"]
TAUGHT = ["net.channel_base=128", "net.channel_max=16", "net.z_dim=8", "net.w_dim=8", "net.mapping_layers=2", "batch=8",
          "kimg=0.008", "tick_kimg=0.008", "snapshot_kimg=0.008", "samples=4"]  # fmt: skip


def train(out: Path, recipe: str | None, *settings: str, **options) -> str:
    said: list[str] = []

    class Ears(Progress):
        def say(self, text: str) -> None:
            said.append(text)

    api.train(out, recipe=recipe, settings=list(settings), report=Ears(), device="cpu", **options)
    return "\n".join(said)


@pytest.fixture(scope="module")
def taught(data, tmp_path_factory) -> Path:
    """A StyleGAN2 of 32 px that has learnt next to nothing."""
    out = tmp_path_factory.mktemp("teachers") / "run"
    train(out, "tiny-32-stylegan2", *TAUGHT, data=data)
    return out


@pytest.fixture(scope="module", params=LIFTERS)
def lifted(request, taught, tmp_path_factory) -> tuple[str, Path]:
    out = tmp_path_factory.mktemp("lifters") / request.param
    train(out, f"tiny-64-{request.param}", *SMALL, *STUDENT, teacher=str(taught))
    return request.param, out


@pytest.mark.slow
def test_a_run_leaves_a_model_that_holds_all_it_needs(lifted, taught, tmp_path):
    method, out = lifted
    moved = shutil.copytree(out / "model", tmp_path / "elsewhere")
    network, model = checkpoint.load_model(moved, "digan")
    G2D, parent = checkpoint.load_model(taught)
    assert isinstance(network, Digan)
    assert all(
        torch.equal(a, b) for a, b in zip(G2D.state_dict().values(), network.G2D.state_dict().values(), strict=True)
    )
    assert model.teacher == {"name": "tiny-32-stylegan2", "sha256": parent.sha256}
    assert model.data == parent.data, "name, fingerprint, rights and licences of what its teacher has learnt from"
    assert model.features == {"name": "discriminator", "sha256": parent.discriminator_sha256}
    assert (model.kind, model.images_seen, model.recipe) == ("digan", 8, f"tiny-64-{method}")
    assert network.config.networks == ("kan" if method == "digan" else "mlp")
    card = (moved / "README.md").read_text("utf-8")
    assert "A digan at 32 px" in card and f"distilled from: tiny-32-stylegan2, {parent.sha256}" in card
    assert "lianpu lift THIS_FOLDER" in card
    tick = json.loads((out / "run.jsonl").read_text("utf-8").splitlines()[-1])
    assert {"loss/G3D", "loss/rec", "loss/flip", "yaw", "relief"} <= tick.keys()
    assert api.inspect(out)["teacher"] == str(taught) and api.inspect(moved)["teacher"]["sha256"] == parent.sha256


@pytest.mark.slow
def test_the_average_is_what_is_saved(lifted):
    _, out = lifted
    network, _ = checkpoint.load_model(out, "digan")
    tensors, _ = checkpoint.load_state(checkpoint.states(out / "checkpoints")[-1])
    for name, tensor in network.G3D.state_dict().items():
        assert torch.equal(tensor, tensors[f"task.G3D_ema.{name}"]), name
    assert not any("G2D" in key for key in tensors), "the teacher does not change and is no part of a checkpoint"


@pytest.mark.slow
def test_the_sheet_shows_the_same_faces_at_every_tick(lifted, taught):
    method, out = lifted
    sheets = [images.decode(path.read_bytes()).pixels for path in sorted((out / "samples").glob("*.png"))]
    assert len(sheets) == 2
    cells = [3 + 4 + 3 + 2, 2]  # teacher, render, front; turned; depth, normals, albedo; relit: for each of two faces
    assert sheets[0].shape == (128 * 2 + 2, 128 * cells[0] + 2 * (cells[0] - 1), 3)
    first = [sheet[:, :128] for sheet in sheets]
    assert np.array_equal(*first), "the teacher's pictures are the same"
    assert not np.array_equal(*sheets)
    c = LifterRun.settled(replace(lifting(method), samples=2), str(taught))
    run = LifterRun(c, Teacher.open(str(taught)), World())
    assert np.array_equal(run.sheet(), run.sheet())


@pytest.mark.slow
def test_stopped_and_gone_on_with_is_the_same_run(lifted, taught, tmp_path):
    method, out = lifted
    train(tmp_path / "run", f"tiny-64-{method}", *SMALL, *STUDENT, "kimg=0.004", teacher=str(taught))
    train(tmp_path / "run", None, "kimg=0.008")
    straight, resumed = (
        checkpoint.load_state(checkpoint.states(run / "checkpoints")[-1])[0] for run in (out, tmp_path / "run")
    )
    assert straight.keys() == resumed.keys()
    assert [key for key in straight if not torch.equal(straight[key], resumed[key])] == []


@pytest.mark.slow
def test_a_teacher_may_move_but_not_change(lifted, taught, data, tmp_path):
    _, out = lifted
    run = Path(shutil.copytree(out, tmp_path / "run"))
    moved = shutil.copytree(taught / "model", tmp_path / "moved")
    assert "complete" in train(run, None, teacher=str(moved))
    assert json.loads((run / "config.json").read_text("utf-8"))["teacher"] == str(moved)
    assert "complete" in train(run, None, teacher=str(out)), "a lifter has its teacher inside"
    train(tmp_path / "other", "tiny-32-stylegan2", *TAUGHT, "seed=1", data=data)
    with pytest.raises(ModelError, match=r"not the one this run learns from(.|\n)*--teacher MODEL"):
        train(run, None, "kimg=0.012", teacher=str(tmp_path / "other"))


@pytest.mark.slow
def test_fine_tuning_begins_with_the_lifter_and_its_teacher(lifted, tmp_path):
    method, out = lifted
    said = train(tmp_path / "run", f"tiny-64-{method}", *SMALL, "kimg=0.004", from_model=str(out))
    assert f"Starting from {out}." in said
    old, parent = checkpoint.load_model(out, "digan")
    new, model = checkpoint.load_model(tmp_path / "run", "digan")
    assert (model.parent, model.teacher) == (parent.sha256, parent.teacher)
    largest = max(float((a - b).abs().max()) for a, b in zip(old.parameters(), new.parameters(), strict=True))
    assert 0 < largest < 1e-3
    with pytest.raises(UsageError, match=r"fine-tuned with net\.hidden=16 \(the model: 8\)"):
        train(tmp_path / "x", f"tiny-64-{method}", *SMALL, "net.hidden=16", from_model=str(out))
    with pytest.raises(ModelError, match="this is a stylegan2, and the command needs a digan"):
        train(tmp_path / "x", f"tiny-64-{method}", *SMALL, from_model="opera-mask-64")
    with pytest.raises(ModelError, match="distilled from another teacher"):
        train(tmp_path / "x", f"tiny-64-{method}", *SMALL, from_model=str(out), teacher=str(_twin(out, tmp_path)))


def _twin(out: Path, folder: Path) -> Path:
    """The same teacher inside, said to be another."""
    twin = Path(shutil.copytree(out / "model", folder / "twin"))
    facts = json.loads((twin / "model.json").read_text("utf-8"))
    facts["teacher"]["sha256"] = "ab" * 32
    (twin / "model.json").write_text(json.dumps(facts), "utf-8")
    return twin


@pytest.mark.slow
def test_unknown_rights_of_a_teacher_are_the_lifter_s(taught, tmp_path):
    network, model = checkpoint.load_model(taught)
    facts = model.data | {"rights": "unknown", "licences": ["CC-BY-NC-4.0"]}
    checkpoint.save_model(tmp_path / "teacher", network, replace(model, data=facts))
    train(
        tmp_path / "run",
        "tiny-64-digan",
        *SMALL,
        *STUDENT,
        "features=random",
        "kimg=0.004",
        teacher=str(tmp_path / "teacher"),
    )
    _, made = checkpoint.load_model(tmp_path / "run", "digan")
    assert (made.data["rights"], made.data["licences"]) == ("unknown", ["CC-BY-NC-4.0"])
    assert "Do not publish" in (tmp_path / "run" / "model" / "README.md").read_text("utf-8")
    assert made.features == {"name": "random", "sha256": ""}
    assert checkpoint.load_discriminator(tmp_path / "run", "digan") is None
    with pytest.raises(ModelError, match="discriminator is not beside it"):
        train(tmp_path / "x", "tiny-64-digan", *SMALL, *STUDENT, teacher=str(tmp_path / "teacher"))


@pytest.mark.slow
def test_data_is_not_read(taught, data, tmp_path):
    said = train(tmp_path / "run", "tiny-64-digan", *SMALL, *STUDENT, "kimg=0.004", teacher=str(taught), data=data)
    assert "learns from its teacher alone: --data is not read" in said
    assert json.loads((tmp_path / "run" / "config.json").read_text("utf-8"))["data"] is None


def test_auto_takes_the_best_features_there_are(monkeypatch, tmp_path):
    c = lifting(features="auto")
    monkeypatch.setenv("LIANPU_WEIGHTS", str(tmp_path / "nowhere"))
    monkeypatch.setattr(features.weights, "available", lambda name: False)
    assert LifterRun.settled(c, "opera-mask-64").features == "discriminator"
    monkeypatch.setattr(features.weights, "available", lambda name: name == "vgg16")
    assert LifterRun.settled(c, "opera-mask-64").features == "vgg16"
    settled = LifterRun.settled(lifting(), "opera-mask-64")
    known = checkpoint.read_model(checkpoint.find_model("opera-mask-64")).config
    assert settled.net.teacher == from_dict(StyleGAN2Config, known)


@pytest.mark.parametrize("method", ["cocosnet", "spade"])
def test_a_translator_is_no_teacher(method, tmp_path):
    c = config(method)
    kind = checkpoint.KINDS[method]
    model = checkpoint.Model(method, to_dict(c.net), data={"rights": "known"})
    checkpoint.save_model(tmp_path / "model", kind.network(c.net), model)
    with pytest.raises(ModelError, match=f"this is a {method}, and a teacher must be a stylegan2(.|\n)*--teacher"):
        train(tmp_path / "run", "tiny-64-digan", *SMALL, teacher=str(tmp_path / "model"))
    assert not (tmp_path / "run").exists()


def test_a_lifter_is_no_generator_and_no_translator(tmp_path):
    c = lifting()
    network = Digan(c.net)
    classes = list("abcdefg")
    checkpoint.save_model(tmp_path / "model", network, checkpoint.Model("digan", to_dict(c.net), classes))
    with pytest.raises(ModelError, match="this is a digan, and the command needs a stylegan2"):
        list(api.generate(str(tmp_path / "model"), out=tmp_path / "new"))
    with pytest.raises(ModelError, match="digan"):
        api.load_translator(tmp_path / "model")
    loaded, model = checkpoint.load_model(tmp_path / "model", "digan")
    assert model.classes == classes and isinstance(loaded, digan.Digan)


@pytest.mark.parametrize(
    ("recipe", "options", "said"),
    [
        ("tiny-64-digan", {}, r"a new run needs --teacher\.(.|\n)*--teacher MODEL --recipe tiny-64-digan"),
        ("tiny-64-ada", {"teacher": "opera-mask-64"}, "--teacher is for recipes that lift"),
        (None, {}, "a new run needs --data and --recipe"),
    ],
)
def test_what_a_run_learns_from_must_be_said(recipe, options, said, tmp_path):
    with pytest.raises(UsageError, match=said):
        train(tmp_path / "run", recipe, **options)


def test_no_such_teacher(tmp_path):
    with pytest.raises(ModelError, match="no model named clay"):
        train(tmp_path / "run", "tiny-64-digan", teacher="clay")
