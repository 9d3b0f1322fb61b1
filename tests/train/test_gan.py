"""The GAN step: what the discriminator is shown while the early blur lasts."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from lianpu.errors import UsageError
from lianpu.ops.resample import gaussian
from lianpu.randomness import Draw
from lianpu.train.feed import Batch
from lianpu.train.gan import GanTask
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
