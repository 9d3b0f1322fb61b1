"""The GAN step: what the discriminator is shown while the early blur lasts, and while pictures grow."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from lianpu.errors import UsageError
from lianpu.ops.resample import gaussian
from lianpu.randomness import Draw
from lianpu.train.feed import Batch
from lianpu.train.gan import GanTask, grown
from lianpu.train.loop import Clock
from tests.train import toys

BLUR = {"blur_sigma": 2.0, "blur_kimg": 0.08, "mirror": False}


def test_the_blur_fades_linearly_and_then_is_gone():
    task, x = GanTask(toys.config("none", **BLUR)), torch.randn(2, 3, 16, 16)
    assert_close(task.blurred(x, Clock(8, step=0)), gaussian(x, 2.0))
    assert_close(task.blurred(x, Clock(8, step=5)), gaussian(x, 1.0))
    assert task.blurred(x, Clock(8, step=10)) is x
    assert task.blurred(x, Clock(8, step=99)) is x


@pytest.mark.parametrize("mode", toys.REGIMES)
def test_nothing_sharp_is_shown_to_the_discriminator_while_the_blur_lasts(mode):
    """Every picture D sees, real, generated, in R1 or as a pseudo-real, has passed the blur; G still learns through it."""
    seen, task = [], GanTask(toys.config(mode, **BLUR))
    for name in ("show_fake", "show_real"):
        show = getattr(task.policy, name)
        setattr(task.policy, name, lambda images, *rest, show=show: seen.append(images.detach()) or show(images, *rest))
    real = torch.rand(8, 3, 16, 16) * 2 - 1
    batch = Batch(real, torch.arange(8) % 7)
    moved = False
    for update in task.updates(batch, Clock(8), Draw(0, 0)):
        update.loss.backward()
        if update.name == "loss/G":
            grads = [p.grad for p in task.G.synthesis.parameters() if p.grad is not None]
            moved = any(bool(grad.abs().sum() > 0) for grad in grads)
    assert moved and len(seen) == 4  # G, D fake, D real, R1
    blurred = gaussian(real, 2.0)
    assert_close(seen[2], blurred)
    assert_close(seen[3], blurred)
    for fake in seen[:2]:  # as smooth as a blurred picture is: blurring again changes little
        assert (gaussian(fake, 0.5) - fake).std() < 0.1 * fake.std()
        assert (gaussian(real, 0.5) - real).std() > 0.3 * real.std()


def test_blur_needs_both_settings():
    with pytest.raises(UsageError, match="belong together"):
        toys.config(blur_sigma=2.0)


def growing(mode: str = "none", **changes: object):
    """From 8 px to 16 after three batches."""
    plain = toys.config(mode, grow_kimg=0.0)
    return replace(plain, net=replace(plain.net, grown_from=8), **{"grow_kimg": 0.024, "mirror": False, **changes})


def test_pictures_double_on_schedule():
    c = growing()
    assert [c.size(8 * step) for step in (0, 2, 3, 99)] == [8, 8, 16, 16]
    assert replace(c, grow_kimg=0.0).size(0) == 16
    large = replace(c, net=replace(c.net, resolution=64), grow_kimg=1.0)
    assert [large.size(n) for n in (0, 999, 1000, 2000, 3000, 10**9)] == [8, 8, 16, 32, 64, 64]


def test_a_small_picture_is_the_mean_of_squares():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert_close(grown(x, 2), torch.tensor([[[[2.5, 4.5], [10.5, 12.5]]]]))
    assert grown(x, 4) is x


@pytest.mark.parametrize("mode", toys.REGIMES)
def test_all_that_is_shown_has_grown_alike(mode):
    """Every picture D sees, real, generated, in R1 or as a pseudo-real, is small at first, and then none is; R1's weight goes with the
    number of pixels; what is not used does not learn.
    """
    task = GanTask(growing(mode, path_weight=2.0))
    task.D.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-1]))
    batch = Batch(torch.rand(8, 3, 16, 16) * 2 - 1, torch.arange(8) % 7)
    for step, size in ((0, 8), (240, 16)):  # steps at which every regulariser is due
        seen: list[int] = []
        task.zero_grad()
        for update in task.updates(batch, Clock(8, step=step), Draw(0, 0)):
            update.loss.backward()
        assert seen == [size] * 4  # G, D fake, D real, R1
        used = {name for name, p in task.named_parameters() if p.grad is not None}
        assert any(name.startswith("G.synthesis.blocks.16") for name in used) == (size == 16)
        assert any(name.startswith("D.blocks.16") for name in used) == (size == 16)
        assert ("D.blocks.8.rgb.weight" in used) == (size == 8)


def test_r1_counts_less_in_small_pictures():
    """gamma = 0.0002 resolution^2 / batch, said once for the full size (Karras et al. 2020a, Appendix C)."""
    small = growing("none", r1_gamma=0.0, style_mixing=0.0, path_weight=0.0)
    alone = replace(small, net=replace(small.net, resolution=8, grown_from=0), grow_kimg=0.0)
    torch.manual_seed(0)
    real = torch.rand(8, 3, 16, 16) * 2 - 1
    grows, is_small = GanTask(small), GanTask(alone)
    its = is_small.state_dict()
    is_small.load_state_dict(
        {k: v for k, v in grows.state_dict().items() if k in its}
        | {k: v for k, v in its.items() if k not in grows.state_dict()}
    )
    losses = [
        {
            update.name: float(update.loss.detach())
            for update in task.updates(Batch(x, torch.arange(8) % 7), Clock(8), Draw(0, 0))
        }
        for task, x in ((grows, real), (is_small, grown(real, 8)))
    ]
    assert losses[0].keys() == losses[1].keys() >= {"loss/G", "loss/D", "loss/D R1"}
    for name, value in losses[0].items():
        assert value == pytest.approx(losses[1][name], rel=1e-5), name


@pytest.mark.parametrize(("wrong", "says"), [
    ({"grown_from": 4}, "no power of two from 8 to 16"), ({"grown_from": 32}, "no power of two from 8 to 16"),
    ({"grown_from": 8, "g_architecture": "resnet"}, "makes no small pictures"),
])  # fmt: skip
def test_what_cannot_grow_is_said(wrong, says):
    with pytest.raises(UsageError, match=says):
        replace(toys.config().net, **wrong)
    with pytest.raises(UsageError, match="needs a size to grow from"):
        toys.config(grow_kimg=1.0)
    with pytest.raises(UsageError, match="blur_sigma is 2"):  # 8 pixels have no room for it
        growing(blur_sigma=2.0, blur_kimg=0.08)
