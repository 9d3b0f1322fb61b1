"""The loop: Adam's lazy correction, averages, divergence, two processes equal one."""

from __future__ import annotations

import math
import multiprocessing as mp
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lianpu.config import RunConfig
from lianpu.train.loop import Adam, Clock, Diverged
from lianpu.train.world import World
from tests.train.toys import LIFTERS, METHODS, REGIMES, advance, config, differing, lifting, loop


def test_lazy_adam_follows_the_appendix():
    adam = Adam.lazy(0.002, 4)
    assert adam.lr == pytest.approx(0.002 * 4 / 5)
    assert adam.betas == pytest.approx((0.0, 0.99 ** (4 / 5)))
    assert Adam.lazy(0.002, 0) == Adam(0.002, (0.0, 0.99))


def test_moving_average_has_its_half_life():
    c = config("none", ema_kimg=0.016, ema_ramp=0.0)
    running = loop(c)
    before = {k: v.clone() for k, v in running.task.G_ema.named_parameters()}
    with torch.no_grad():
        for p in running.task.G.parameters():
            p.add_(1.0)
    running.task.policy.observe(torch.ones(1))
    running.task.finish(Clock(c.batch, 1))
    running.task.finish(Clock(c.batch, 2))  # two steps of 8 pictures: 16 pictures, one half-life
    for name, p in running.task.G_ema.named_parameters():
        torch.testing.assert_close(p, before[name] + 0.5)


def test_ramp_shortens_the_half_life_at_first():
    c = config("none", ema_kimg=10, ema_ramp=0.05)
    running = loop(c)
    with torch.no_grad():
        for p in running.task.G.parameters():
            p.add_(1.0)
    running.task.finish(Clock(c.batch, 0))  # nothing shown yet: the average is G itself
    assert not differing(dict(running.task.G_ema.named_parameters()), dict(running.task.G.named_parameters()))


@pytest.mark.parametrize("layer", ["G.synthesis", "D"])
def test_nan_in_a_weight_stops_that_step_and_names_the_weight(layer):
    c = config("ada")
    running = advance(loop(c), c, 2)
    name, parameter = next((n, p) for n, p in running.task.named_parameters() if n.startswith(layer) and p.dim() == 4)
    parameter.data[0, 0, 0, 0] = math.nan
    before = {k: v.clone() for k, v in running.state().items() if "G_ema" not in k}
    with pytest.raises(Diverged, match=name) as caught:
        advance(running, c, 1)
    assert "step 2" in caught.value.what
    nan_as_number = {k: torch.nan_to_num(v, nan=7.0) for k, v in running.state().items()}
    for key, value in before.items():
        if key.startswith("adam") or (".w_avg" not in key and "policy" not in key):
            assert torch.equal(nan_as_number[key], torch.nan_to_num(value, nan=7.0)), f"{key} changed after divergence"


def test_overflow_in_a_layer_names_the_first_layer_that_overflows():
    c = config("none")
    running = loop(c)
    with torch.no_grad():
        running.task.D.epilogue.fc.weight.fill_(3e38)
    with pytest.raises(Diverged, match=r"D\.epilogue\.fc"):
        advance(running, c, 1)


# Adam's first steps are gradient / |gradient|: where a gradient is near 0, rounding decides its sign. Small steps keep the processes'
# weights together, and the moments, which hold the averaged gradients, are then compared to full precision.
MODES = (*REGIMES, *METHODS, *LIFTERS)


def slow(mode: str) -> RunConfig:
    """A lifter's without the gate, too: it asks whether a gradient is exactly 0, which is for rounding to decide as well."""
    if mode in LIFTERS:
        return lifting(mode, lr=1e-7, net=replace(lifting(mode).net, gate="off"))
    return config(mode, lr_g=1e-7, lr_d=1e-7)


def _process(rank: int, size: int, port: int, folder: str) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(size))
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", rank=rank, world_size=size)
    for mode in MODES:
        c = slow(mode)
        running = advance(loop(c, World(rank, size)), c, 3)
        save_file({k: v.contiguous() for k, v in running.state().items()}, Path(folder) / f"{mode}-{rank}.safetensors")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Path:
    """What two processes over gloo hold after three steps, by regime or method."""
    folder = tmp_path_factory.mktemp("pair")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    context = mp.get_context("spawn")
    workers = [context.Process(target=_process, args=(rank, 2, port, str(folder))) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(200)
        assert worker.exitcode == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_two_processes_equal_one_on_the_same_global_batch(mode, pair):
    c = slow(mode)
    alone = advance(loop(c), c, 3).state()
    first, second = (load_file(pair / f"{mode}-{rank}.safetensors") for rank in range(2))
    assert differing(first, second) == [], "processes must hold the same state"
    assert alone.keys() == first.keys()
    largest: dict[str, float] = {}
    for key, value in alone.items():
        largest[kin(key)] = max(largest.get(kin(key), 0.0), float(value.double().norm()))
    for key, value in alone.items():
        # a bias before a normalisation has no gradient but its rounding: that is held against the others'
        size = max(float(value.double().norm()), 1e-3 * largest[kin(key)], 1e-9)
        error = float((first[key] - value).double().norm()) / size
        assert error < 1e-2, f"{key}: relative error {error:.2e}"  # 4e-3 by rounding alone on one CPU, 1e-3 on another


def kin(key: str) -> str:
    """Tensors of one kind: one network's first moments, for instance."""
    parts = key.split(".")
    return ".".join([*parts[:2], parts[-1]]) if parts[0] == "adam" else key
