"""Stop and resume equals not stopping, bit for bit, for all four regimes of GAN training, all three methods of translation and both
lifters; and losing any one piece of state is noticed.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lianpu import checkpoint
from lianpu.train.loop import RunFolder
from tests.train.toys import LIFTERS, METHODS, REGIMES, advance, config, differing, loop

pytestmark = pytest.mark.slow  # starts programs or trains: `make check` has two minutes

MODES = (*REGIMES, *METHODS, *LIFTERS)
STEPS = 7  # crosses an epoch's end (40 pictures, batch 8: step 5), adjustments of p, and every regulariser


@pytest.fixture(scope="module")
def straight():
    """The state after STEPS uninterrupted steps, by regime or method."""
    return {mode: advance(loop(config(mode)), config(mode), STEPS).state() for mode in MODES}


def through_disk(running, folder):
    run = RunFolder(folder)
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    return checkpoint.load_state(running.save(run))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stop", [1, 4, 6])
def test_stop_and_resume_equals_not_stopping(mode, stop, straight, tmp_path):
    c = config(mode)
    tensors, facts = through_disk(advance(loop(c), c, stop), tmp_path)
    resumed = loop(c)
    resumed.load(tensors, facts)
    assert differing(advance(resumed, c, STEPS - stop).state(), straight[mode]) == []
    if mode in ("ada", "apa", "diffusion"):
        assert straight[mode]["task.policy.p"] > 0, "the state this test protects must not be trivial"


@pytest.mark.parametrize("stop", [2, 3, 4])
def test_stop_and_resume_while_pictures_grow(stop, tmp_path):
    """Before, at and after the step at which they double, when Adam begins with what has not learnt yet."""
    c = config("ada", grow_kimg=0.0)
    c = replace(c, net=replace(c.net, grown_from=8), grow_kimg=0.024)
    tensors, facts = through_disk(advance(loop(c), c, stop), tmp_path)
    resumed = loop(c)
    resumed.load(tensors, facts)
    assert differing(advance(resumed, c, STEPS - stop).state(), advance(loop(c), c, STEPS).state()) == []


@pytest.mark.parametrize("mode", ["ada", "cocosnet"])
def test_number_of_workers_changes_nothing(mode, straight, tmp_path):
    c = config(mode)
    tensors, facts = through_disk(advance(loop(c), c, 3, workers=2), tmp_path)
    resumed = loop(c)
    resumed.load(tensors, facts)
    assert differing(advance(resumed, c, STEPS - 3, workers=1).state(), straight[mode]) == []


# beta1 = 0 makes Adam's first moment the last gradient, overwritten unread at each step; r_t is kept for the log and found anew at
# the next adjustment; the power iteration of spectral norm finds u anew from v: the pieces nobody can miss
UNREAD = ("exp_avg", "policy.r_t", "_u")
BOTH = {"task.G", "task.D", "task.G_ema", *(f"adam.{n}.{part}" for n in "GD" for part in ("exp_avg_sq", "step"))}
LIFTED = {"task.G3D", "task.G3D_ema", "task.seen", *(f"adam.G3D.{part}" for part in ("exp_avg", "exp_avg_sq", "step"))}
EXPECTED = {
    **{regime: BOTH | {"task.path_mean"} for regime in REGIMES},
    "cocosnet": BOTH | {"task.lines", "task.G._v", "task.D._v"},
    "spade": BOTH | {"task.G._v", "task.D._v", "task.G.mean", "task.G.variance"},
    "spade-vae": BOTH | {"task.G._v", "task.D._v", "task.G.mean", "task.G.variance"},
    **dict.fromkeys(LIFTERS, LIFTED),  # Adam's first moment is a mean there, not the last gradient
}


def piece_of(key: str) -> str:
    """What is lost together: a network's weights, its spectral norms' vectors, its running means, one moment of its Adam.
    The moving average takes over G's vectors and means at each step, as they are then.
    """
    parts = key.split(".")
    learns = parts[1] in ("G", "D")
    own = parts[0] == "adam" or parts[1] == "policy" or (learns and parts[-1] in ("_v", "mean", "variance"))
    return ".".join(parts[:2] + parts[-1:] * own)


@pytest.mark.parametrize("mode", MODES)
def test_losing_any_one_piece_of_state_is_noticed(mode, straight, tmp_path):
    c = config(mode)
    stop = 4
    tensors, facts = through_disk(advance(loop(c), c, stop), tmp_path)
    fresh = loop(c).state()
    pieces: dict[str, list[str]] = {}
    for key in tensors:
        changed = key not in fresh or not torch.equal(tensors[key], fresh[key])
        if changed and (mode in LIFTERS or not key.endswith(UNREAD)):
            pieces.setdefault(piece_of(key), []).append(key)
    assert EXPECTED[mode] <= pieces.keys()
    for piece, keys in pieces.items():
        lost = {k: fresh.get(k, torch.zeros_like(v)) if k in keys else v for k, v in tensors.items()}
        if piece.startswith("adam"):
            lost = {k: v for k, v in lost.items() if k not in keys or piece.endswith("step")}
            if not piece.endswith("step"):  # a moment without the others is no state torch can use: it starts at zero
                lost |= {k: torch.zeros_like(tensors[k]) for k in keys}
        resumed = loop(c)
        resumed.load(lost, facts)
        try:
            unnoticed = not differing(advance(resumed, c, STEPS - stop).state(), straight[mode])
        except IndexError:  # diffusion's table of steps without its T
            unnoticed = False
        assert not unnoticed, f"losing {piece} went unnoticed"


@pytest.mark.parametrize("lost", ["step"])
def test_losing_the_clock_is_noticed(lost, straight, tmp_path):
    c = config("ada")
    tensors, facts = through_disk(advance(loop(c), c, 4), tmp_path)
    resumed = loop(c)
    resumed.load(tensors, {**facts, lost: 0})
    assert differing(advance(resumed, c, STEPS - 4).state(), straight["ada"])


@pytest.mark.parametrize("mode", ["ada", "cocosnet", "digan"])
def test_another_seed_is_another_run(mode, straight):
    c = config(mode, seed=1)
    assert differing(advance(loop(c), c, STEPS).state(), straight[mode])
