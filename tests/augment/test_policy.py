"""The controller that all methods share, and what every policy owes the training loop."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lianpu import augment
from lianpu.augment import ADA, APA, Diffusion, Policy
from lianpu.config import AugmentConfig
from lianpu.randomness import Draw

MODES = ["none", "ada", "apa", "diffusion"]


def build(mode: str, p: float = 0.0, **options: object) -> Policy:
    policy = augment.build(AugmentConfig(mode=mode, **options), seed=1)  # type: ignore[arg-type]
    policy.set_strength(p)
    return policy


def step(policy: Policy, *scores: list[float], images: int = 16) -> None:
    for batch in scores:
        policy.observe(torch.tensor(batch)[:, None])
    policy.adjust(images)


def pair(n: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    pictures = torch.Generator().manual_seed(0)
    return tuple(torch.rand(n, 3, 16, 16, generator=pictures) * 2 - 1 for _ in range(2))  # type: ignore[return-value]


def test_build_makes_what_the_mode_says():
    assert [type(build(mode)) for mode in MODES] == [Policy, ADA, APA, Diffusion]


# ----------------------------------------------------------------------------------------------------------- controller


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    mode=st.sampled_from(["ada", "apa", "diffusion"]),
    positive=st.lists(st.integers(0, 20), min_size=1, max_size=40),
    target=st.sampled_from([-0.5, 0.0, 0.4, 0.6]),
    p_max=st.sampled_from([0.0, 0.25]),
    images=st.integers(1, 4000),
)
def test_p_takes_one_step_towards_less_overfitting_and_stays_in_bounds(mode, positive, target, p_max, images):
    policy = build(mode, target=target, p_max=p_max, speed_kimg=10, interval=1, t_max=20)
    upper = p_max or {"ada": math.inf, "apa": 1 - 1 / 1024, "diffusion": 1.0}[mode]
    p = 0.0
    for k in positive:
        step(policy, [1.0] * k + [-1.0] * (20 - k), images=images)
        r_t = (2 * k - 20) / 20
        direction = 0 if abs(r_t - target) < 1e-6 else math.copysign(1, r_t - target)
        p = min(max(p + direction * images / 10_000, 0.0), upper)
        assert policy.strength() == pytest.approx(p, rel=1e-5, abs=1e-5)
        assert 0 <= policy.strength() <= upper
        assert policy.stats()["r_t"] == pytest.approx(r_t)


def test_none_watches_overfitting_but_does_nothing_about_it():
    policy = build("none", interval=1)
    step(policy, [1.0, 1.0, 1.0, -1.0])
    assert policy.stats() == {"p": 0.0, "r_t": 0.5}


def test_r_t_is_the_mean_over_all_scores_since_the_last_adjustment():
    """Not the mean of the minibatches' means; and R1's scores count."""
    policy = build("ada", interval=3, target=0.0, speed_kimg=1)
    step(policy, [3.0, -0.1], images=100)
    step(policy, [2.0, 0.5], [1.0] * 6, images=50)
    assert policy.stats() == {"p": 0.0, "r_t": 0.0}, "too early to adjust"
    step(policy, [-1.0, 0.0], images=10)
    assert policy.stats()["r_t"] == pytest.approx((9 - 2) / 12)
    assert policy.strength() == pytest.approx(160 / 1000), "the pictures of all three steps"
    for _ in range(2):
        step(policy, [-1.0] * 4)
    step(policy, [-1.0] * 4)
    assert policy.stats()["r_t"] == -1, "older scores are forgotten"


@pytest.mark.parametrize("kimg", [100, 500])
def test_p_needs_the_stated_number_of_pictures_to_go_from_0_to_1(kimg):
    policy = build("ada", speed_kimg=kimg)
    for _ in range(kimg * 1000 // 500):
        step(policy, [1.0], images=500)
    assert policy.strength() == pytest.approx(1, abs=1e-4)


def test_adjusting_without_scores_is_an_error():
    policy = build("ada", interval=1)
    with pytest.raises(ValueError, match="observe was not called"):
        policy.adjust(16)


def test_several_processes_agree_with_one_at_every_step():
    """Each sees its rows; `reduce` adds up. So the state saved by any of them, at any step, is everybody's."""
    alone, several = build("ada", speed_kimg=1), [build("ada", speed_kimg=1) for _ in range(3)]
    for i in range(10):
        scores = torch.randn(12, 1, generator=torch.Generator().manual_seed(i)) + 1.5
        alone.observe(scores)
        for rank, policy in enumerate(several):
            policy.observe(scores[rank::3])
        total = torch.stack([policy.fresh for policy in several]).sum(0)
        alone.adjust(12)
        for policy in several:
            policy.adjust(12, lambda sums, total=total: total)
            for name, buffer in alone.state_dict().items():
                assert torch.equal(buffer, policy.state_dict()[name]), name
    assert alone.strength() > 0


# ---------------------------------------------------------------------------------------------------------- every policy


@pytest.mark.parametrize("mode", MODES)
def test_stop_and_resume_equals_not_stopping(mode):
    """From a state_dict taken at any step, between adjustments too."""
    real, fake = pair()

    def play(policy: Policy, steps: range) -> list[torch.Tensor]:
        seen = []
        for i in steps:
            shown = policy.show(real, fake, Draw(0, i))
            seen += [tensor for s in shown for tensor in s if tensor is not None]
            step(policy, [1.0, 1.0, 1.0, -1.0 if i % 3 else 1.0], images=40)
        return seen

    straight = build(mode, 0.4, speed_kimg=1, target=0.4)
    expected = play(straight, range(11))
    for stop in (3, 4, 6):
        first = build(mode, 0.4, speed_kimg=1, target=0.4)
        play(first, range(stop))
        second = build(mode, 0.0, speed_kimg=1, target=0.4)
        second.load_state_dict(first.state_dict())
        per_step = len(expected) // 11
        for a, b in zip(play(second, range(stop, 11)), expected[stop * per_step :], strict=True):
            assert torch.equal(a, b)
        for name, buffer in straight.state_dict().items():
            assert torch.equal(second.state_dict()[name], buffer), name
    assert mode == "none" or straight.strength() != 0.4, "the state this protects must change"


@pytest.mark.parametrize("mode", ["none", "ada", "apa"])
def test_p_0_is_none(mode):
    """The very tensors. (Diffusion keeps its floor of t_min steps.)"""
    real, fake = pair()
    shown_real, shown_fake = build(mode).show(real, fake, Draw(0, 0))
    assert shown_real.images is real and shown_real.t is None
    assert shown_fake.images is fake and shown_fake.t is None


@pytest.mark.parametrize("mode", MODES)
def test_gradients_flow_to_the_fake_that_g_made_and_to_no_other(mode):
    real, fake = (x.requires_grad_() for x in pair())
    policy = build(mode, 0.7)
    shown = policy.show_fake(fake, Draw(0, 0)).images
    (gradient,) = torch.autograd.grad(shown.square().sum(), fake)
    assert gradient.flatten(1).any(1).all()
    shown = policy.show_real(real, fake, Draw(0, 0)).images
    to_real, to_fake = torch.autograd.grad(shown.square().sum(), [real, fake], allow_unused=True)
    assert to_real.flatten(1).any(1).all(), "R1 must reach each real, through the augmentation"
    assert to_fake is None


@pytest.mark.parametrize("mode", MODES)
def test_real_and_fake_draw_their_own_luck_every_step(mode):
    real, fake = pair()
    policy = build(mode, 0.7)
    first, again, later = (policy.show_real(real, fake, Draw(0, i).scoped("real")) for i in (0, 0, 1))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.images, later.images) == (mode == "none")
    as_real, as_fake = policy.show(real, real, Draw(0, 0))
    assert torch.equal(as_real.images, as_fake.images) == (mode in ("none", "apa"))  # apa: a swap for the same picture


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("world", [2, 3])
def test_processes_show_the_rows_that_one_process_would(mode, world):
    real, fake = pair()
    policy = build(mode, 0.6)
    whole = policy.show(real, fake, Draw(0, 5))
    for rank in range(world):
        part = policy.show(real[rank::world], fake[rank::world], Draw(0, 5, rank, world))
        for ours, theirs in zip(part, whole, strict=True):
            torch.testing.assert_close(ours.images, theirs.images[rank::world], rtol=0, atol=1e-4)
            assert ours.t is None or torch.equal(ours.t, theirs.t[rank::world])


@pytest.mark.parametrize("mode", MODES)
def test_moving_the_module_leaves_the_controller_in_the_host_s_memory_and_precision(mode):
    """A half-precision p would stop moving: at p = 1/2 a step of 1e-4 rounds to nothing."""
    policy = build(mode, 0.5)
    before = {name: buffer.clone() for name, buffer in policy.state_dict().items()}
    policy.bfloat16()
    for name, buffer in policy.state_dict().items():
        assert name == "signs" or torch.equal(buffer, before[name]), name
    policy.to("meta")
    assert [name for name, buffer in policy.state_dict().items() if buffer.is_meta] == ["signs"]
    assert policy.strength() == before["p"]


@pytest.mark.parametrize("mode", MODES)
def test_dry_run_on_the_meta_device(mode):
    with torch.device("meta"):
        policy = build(mode, 0.5, interval=1)
        real, fake = (torch.empty(4, 3, 32, 32) for _ in range(2))
    shown_real, shown_fake = policy.show(real, fake, Draw(0, 0))
    assert shown_real.images.is_meta and shown_fake.images.shape == fake.shape
    policy.observe(torch.empty(4, 1, device="meta"))
    policy.adjust(4)
    assert policy.strength() == pytest.approx(0.0 if mode == "none" else 0.5)
