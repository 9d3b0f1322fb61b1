"""Each loss against its closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
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


# ---- image translation ---------------------------------------------------------------------------------------------


def maps(n: int = 3, seed: int = 0) -> list[Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(n, c, s, s, generator=draw) for c, s in ((4, 16), (8, 8), (16, 4))]


def test_domain_and_regularity_are_mean_absolute_differences():
    for loss in (losses.domain, losses.regularisation):
        assert_close(loss(torch.ones(2, 3, 4, 4), torch.full((2, 3, 4, 4), -0.5)), torch.tensor(1.5))


def test_l_feat_is_of_the_pairs_and_each_weighs_one_over_the_batch():
    mine, its, weights = maps(4), maps(4, seed=1), (0.25, 0.5, 1.0)
    each = [
        losses.feature_loss([m[i : i + 1] for m in mine], [t[i : i + 1] for t in its], weights, torch.tensor([True]))
        for i in range(4)
    ]
    want = sum(w * (a[2] - b[2]).abs().mean() for w, a, b in zip(weights, mine, its, strict=True))
    assert_close(each[2], want)
    rows = torch.tensor([True, False, True, False])
    assert_close(losses.feature_loss(mine, its, weights, rows), (each[0] + each[2]) / 4)
    assert losses.feature_loss(mine, its, weights, ~rows & rows) == 0  # and not 0 / 0


def test_every_translation_loss_of_two_processes_averages_to_that_of_one():
    """The batch-size trap: a mean over parts of equal size is the mean over the whole."""
    mine, its, rows = maps(4), maps(4, seed=1), torch.tensor([True, False, False, False])
    mu, logvar = torch.randn(4, 5), torch.randn(4, 5)

    def all_of(part: slice) -> Tensor:
        a, b = ([m[part] for m in of] for of in (mine, its))
        return torch.stack([
            losses.feature_loss(a, b, (1, 1, 1), rows[part]), losses.perceptual_loss(a[1], b[1]),
            losses.contextual_loss(a, b, (1, 2, 4)), losses.hinge_d(a, b), losses.hinge_g(a), losses.domain(a[0], b[0]),
            losses.regularisation(a[0], b[0]), losses.feature_matching([a, b], [b, a]), losses.kl(mu[part], logvar[part]),
        ])  # fmt: skip

    assert_close((all_of(slice(0, None, 2)) + all_of(slice(1, None, 2))) / 2, all_of(slice(None)))


def test_l_perc_is_the_mean_square():
    assert_close(losses.perceptual_loss(torch.full((2, 3, 2, 2), 3.0), torch.ones(2, 3, 2, 2)), torch.tensor(4.0))


def affinities(x: Tensor, y: Tensor, h: float = 0.1) -> Tensor:
    """Mechrez et al. 2018, Eqs. 2 to 4, number by number: (n, i, j)."""
    mu = y.mean(2, keepdim=True)
    d = 1 - torch.stack([
        torch.stack([F.cosine_similarity(a[:, :, None], b[:, None, :], dim=0)]) for a, b in zip(x - mu, y - mu, strict=True)
    ])[:, 0]  # fmt: skip
    near = d / (d.min(2, keepdim=True).values + 1e-3)
    w = ((1 - near) / h).exp()
    return w / w.sum(2, keepdim=True)


@pytest.mark.parametrize("chunk", [5, 1024])
def test_contextual_is_the_mean_of_the_largest_affinities(chunk):
    x, y = (torch.randn(2, 8, 6, 6, dtype=torch.float64, requires_grad=True) for _ in range(2))
    want = -affinities(x.flatten(2), y.flatten(2)).max(2).values.mean(1).log()
    have = losses.contextual(x, y, chunk=chunk)
    assert_close(have, want)
    assert_close(torch.autograd.grad(have.sum(), [x, y]), torch.autograd.grad(want.sum(), [x, y]))


def test_contextual_in_parts_never_holds_the_matrix():
    """What autograd keeps of 1024 x 1024 places: the features, and nothing of the matrix."""
    x, y = (torch.randn(1, 8, 32, 32, requires_grad=True) for _ in range(2))

    def kept(chunk: int) -> int:
        sizes = [0]
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            losses.contextual(x, y, chunk=chunk).sum().backward()
        return max(sizes)

    assert kept(1024) == 1024 * 1024  # the guard sees a matrix where there is one
    assert kept(128) <= 128 * 1024


def test_contextual_does_not_mind_where_things_are():
    """The same features in another order are as alike as they can be: each has its own likeness nearest."""
    y = torch.randn(1, 16, 5, 5)
    x = y.flatten(2)[..., torch.randperm(25)].view_as(y)
    alike = losses.contextual(x, y)
    assert alike < 0.05
    assert losses.contextual(torch.randn(1, 16, 5, 5), y) > 20 * alike
    assert_close(losses.contextual(y, y), alike)


def test_l_context_averages_large_maps_and_leaves_out_layers_without_weight():
    x, y = maps(), maps(seed=1)
    want = (
        2 * losses.contextual(F.avg_pool2d(x[0], 2), F.avg_pool2d(y[0], 2)).mean()
        + 8 * losses.contextual(x[2], y[2]).mean()
    )
    assert_close(losses.contextual_loss(x, y, (2, 0, 8), places=64), want)


def test_hinge_has_no_gradient_beyond_its_margin():
    real, fake = torch.tensor([[2.0], [0.5]], requires_grad=True), torch.tensor([[-3.0], [0.25]], requires_grad=True)
    loss = losses.hinge_d([real], [fake])
    assert_close(loss, torch.tensor((0.5 + 1.25) / 2))
    assert_close(torch.autograd.grad(loss, [real, fake]), (torch.tensor([[0.0], [-0.5]]), torch.tensor([[0.0], [0.5]])))
    assert_close(losses.hinge_g([fake]), torch.tensor((3.0 - 0.25) / 2))


def test_adversarial_losses_are_means_over_scales():
    """However many patches a scale has."""
    one, other = torch.full((2, 1, 8, 8), 0.5), torch.full((2, 1, 3, 3), -0.5)
    assert_close(losses.hinge_g([one, other]), torch.tensor(0.0))
    assert_close(losses.hinge_d([one, other], [other, one]), torch.tensor((0.5 + 0.5 + 1.5 + 1.5) / 2))


def test_feature_matching_leaves_the_score_and_the_real_pictures_alone():
    fake, real = (
        [torch.randn(2, 4, 8, 8, requires_grad=True), torch.randn(2, 1, 4, 4, requires_grad=True)] for _ in range(2)
    )
    loss = losses.feature_matching([fake, fake], [real, real])
    assert_close(loss, (fake[0] - real[0]).abs().mean())
    gradients = torch.autograd.grad(loss, [*fake, *real], allow_unused=True)
    assert gradients[0] is not None and all(g is None for g in gradients[1:])


def test_kl_is_the_divergence_torch_knows():
    mu, logvar = torch.randn(3, 5), torch.randn(3, 5)
    normal = torch.distributions.Normal
    want = torch.distributions.kl_divergence(normal(mu, (logvar / 2).exp()), normal(0.0, 1.0)).sum(1).mean()
    assert_close(losses.kl(mu, logvar), want)
    assert losses.kl(torch.zeros(2, 4), torch.zeros(2, 4)) == 0
