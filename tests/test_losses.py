"""Each loss against its closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from lianpu import losses


def test_logistic_is_minus_the_log_likelihood_of_being_right():
    real, fake = torch.tensor([[2.0], [-1.0]]), torch.tensor([[0.5], [-3.0]])
    right = -torch.log(torch.sigmoid(real)).mean() - torch.log(1 - torch.sigmoid(fake)).mean()
    assert_close(losses.logistic(real, fake), right)
    assert_close(losses.logistic(torch.zeros(4, 1), torch.zeros(4, 1)), torch.tensor(2 * math.log(2)))


def test_the_generator_s_loss_does_not_saturate():
    """Where D is sure that a picture is fake the gradient is -1, while that of the printed L_G = E[log(1 - D)]
    vanishes.
    """
    score = torch.tensor([[-30.0]], requires_grad=True)
    assert_close(torch.autograd.grad(losses.nonsaturating(score), score)[0], torch.tensor([[-1.0]]))
    saturating = -torch.nn.functional.softplus(score).mean()
    assert torch.autograd.grad(saturating, score)[0].abs() < 1e-12


def test_losses_stay_finite_for_any_score():
    far = torch.tensor([[1e4], [-1e4]])
    assert losses.logistic(far, far).isfinite()
    assert losses.nonsaturating(far).isfinite()


def test_r1_of_a_quadratic():
    """D(x) = |x|^2 has the gradient 2 x, so R1 = 4 |x|^2, whose own gradient is 8 x."""
    real = torch.randn(3, 2, 4, 4, requires_grad=True)
    penalty = losses.r1(real.square().sum((1, 2, 3))[:, None], real)
    assert_close(penalty, 4 * real.square().sum((1, 2, 3)))
    assert_close(torch.autograd.grad(penalty.sum(), real)[0], 8 * real)


def test_r1_is_taken_through_the_augmentation():
    real = torch.randn(2, 3, 4, 4, requires_grad=True)
    shown = 3 * real.flip(3)
    assert_close(losses.r1(shown.sum((1, 2, 3))[:, None], real), torch.full((2,), 9.0 * 48))


def test_path_length_of_a_linear_generator():
    """g(w) = W w: J^T y = W^T y, and the length is its norm over sqrt(h w) and the root mean square over layers."""
    weight, ws = torch.randn(3 * 4 * 4, 5), torch.randn(2, 6, 5, requires_grad=True)
    noise = torch.randn(2, 3, 4, 4)
    images = (ws.sum(1) @ weight.T).view(2, 3, 4, 4)  # every layer has the same Jacobian
    expected = (noise.view(2, -1) @ weight).norm(dim=1) / 4
    assert_close(losses.path_lengths(images, ws, noise), expected)
    first = (ws[:, 0] @ weight.T).view(2, 3, 4, 4)  # one layer of six has any
    assert_close(losses.path_lengths(first, ws, noise), expected / math.sqrt(6))


def test_path_penalty_follows_its_running_mean():
    average = torch.zeros([])
    lengths = torch.tensor([2.0, 4.0])
    for _ in range(500):
        penalty, average = losses.path_penalty(lengths, average)
    assert_close(average, 3 * (1 - torch.tensor(0.99) ** 500), rtol=1e-4, atol=0)
    assert_close(penalty, (lengths - average).square())
    assert not average.requires_grad


def test_path_penalty_of_several_processes_is_about_the_mean_of_all():
    both = torch.tensor([2.0, 4.0, 6.0, 8.0])
    whole, average = losses.path_penalty(both, torch.tensor(1.0))
    for rank in range(2):
        part, same = losses.path_penalty(both[rank::2], torch.tensor(1.0), mean=both.mean())
        assert_close(part, whole[rank::2])
        assert_close(same, average)


def test_gradients_of_several_processes_average_to_that_of_one():
    decay, start = 0.3, torch.tensor(0.5)
    both = torch.tensor([2.0, 4.0, 6.0, 9.0], requires_grad=True)
    whole = torch.autograd.grad(losses.path_penalty(both, start, decay)[0].mean(), both)[0]
    parts = [losses.path_penalty(both[rank::2], start, decay, mean=both.mean().detach())[0].mean() for rank in range(2)]
    assert_close(torch.autograd.grad(sum(parts) / 2, both)[0], whole)


@pytest.mark.parametrize("decay", [0.01, 0.5])
def test_the_new_mean_enters_the_penalty_with_its_gradient(decay):
    lengths = torch.tensor([1.0, 3.0], requires_grad=True)
    penalty, _ = losses.path_penalty(lengths, torch.tensor(0.5), decay)
    (gradient,) = torch.autograd.grad(penalty.sum(), lengths)
    rest = lengths.detach() - (0.5 + decay * (2.0 - 0.5))
    assert_close(gradient, 2 * rest - decay * rest.sum())  # d(mean)/d(length) = 1/2 for each of two


def test_flow_is_the_distance_of_the_match_from_the_known_place():
    side = (2 * torch.arange(8) + 1) / 8 - 1
    here = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1).expand(
        2, -1, -1, -1
    )  # (n, h, w, 2): every pixel its own place
    place = torch.nn.functional.avg_pool2d(here.movedim(3, 1), 2)
    assert_close(losses.flow(place, here), torch.tensor(1e-4))  # the root's rounded tip
    far = torch.tensor([0.3, -0.4])[:, None, None]
    assert_close(losses.flow(place + far, here), torch.tensor(0.5))
    unknown = here.clone()
    unknown[0] = torch.nan  # a whole row
    unknown[1, :, 3] = torch.nan  # one pixel in each place of the second column of four
    moved = (place + far).requires_grad_()
    error = losses.flow(moved, unknown)
    assert_close(error, torch.tensor(0.5 / 2 * 3 / 4))
    (gradient,) = torch.autograd.grad(error, moved)
    assert gradient.isfinite().all()
    assert gradient[0].abs().max() == gradient[1, :, :, 1].abs().max() == 0
