"""Each loss against its closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close

from lianpu import losses
from lianpu.data.samples import heads
from lianpu.ops.resample import gaussian
from lianpu.render import camera, views


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


# ---- image translation -----------------------------------------------------------------------------------------------


def maps(n: int = 4, seed: int = 0, sides: tuple[int, ...] = (8, 4)) -> list[torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [torch.randn(n, 3 + level, side, side, generator=draw) for level, side in enumerate(sides)]


def directions(angles: list[float]) -> torch.Tensor:
    """(1, 2, 1, w): unit vectors of the plane, one place each."""
    return torch.tensor([[math.cos(a), math.sin(a)] for a in angles]).T[None, :, None]


def affinities(x: torch.Tensor, y: torch.Tensor, bandwidth: float) -> torch.Tensor:
    """Mechrez et al. 2018, Eqs. 2 to 5, place by place: x (c, n), y (c, m) in float64 -> ()."""
    mean = y.mean(1)
    total = 0.0
    for i in range(x.shape[1]):
        a = x[:, i] - mean
        d = torch.stack([1 - torch.cosine_similarity(a, y[:, j] - mean, 0) for j in range(y.shape[1])])
        w = torch.exp((1 - d / (d.min() + 1e-3)) / bandwidth)
        total += float((w / w.sum()).max())
    return torch.tensor(-math.log(total / x.shape[1]), dtype=torch.float64)


def test_domain_is_the_distance_of_unit_vectors_whatever_the_channels():
    for c in (4, 64):
        x = torch.nn.functional.normalize(torch.randn(2, c, 3, 5), dim=1)
        assert_close(losses.domain(x, x), torch.tensor(0.0))
        even = torch.full((2, c, 3, 5), 1 / math.sqrt(c))  # as far apart as can be: each channel as much as all others
        assert_close(losses.domain(even, -even), torch.tensor(2.0))
        one, other = (torch.eye(c)[i].view(1, c, 1, 1).expand(2, c, 3, 5) for i in (0, 1))
        assert_close(losses.domain(one, other), torch.tensor(2 / math.sqrt(c)))


def test_regularisation_is_the_mean_difference():
    there_and_back = torch.zeros(2, 3, 4, 4)
    there_and_back[0] = 0.5
    assert_close(losses.regularisation(there_and_back, torch.full((2, 3, 4, 4), -1.0)), torch.tensor(1.25))


def test_feature_loss_weighs_levels_and_counts_pairs_only():
    its = maps()
    mine = [its[0] + 1, its[1] - 2]
    rows = torch.tensor([True, False, True, False])
    assert_close(losses.feature_loss(mine, its, (0.5, 0.25), torch.ones(4, dtype=torch.bool)), torch.tensor(1.0))
    assert_close(losses.feature_loss(mine, its, (0.5, 0.25), rows), torch.tensor(0.5))
    assert losses.feature_loss(mine, its, (0.5, 0.25), torch.zeros(4, dtype=torch.bool)) == 0
    mine = [level.requires_grad_() for level in mine]
    gradients = torch.autograd.grad(losses.feature_loss(mine, its, (0.5, 0.25), rows), mine)
    for gradient in gradients:
        assert gradient[~rows].abs().max() == 0 < gradient[rows].abs().min()


def test_half_batches_of_unlike_shares_of_pairs_average_to_the_whole():
    """However pairs fall to the processes: the loss and its gradient are the whole batch's."""
    mine, its, rows = maps(seed=1), maps(seed=2), torch.tensor([True, True, True, False])
    mine = [level.requires_grad_() for level in mine]
    whole = losses.feature_loss(mine, its, (0.5, 0.25), rows)
    halves = [
        losses.feature_loss([level[part] for level in mine], [level[part] for level in its], (0.5, 0.25), rows[part])
        for part in (slice(2), slice(2, None))
    ]
    assert_close(torch.stack(halves).mean(), whole)
    for a, b in zip(*(torch.autograd.grad(x, mine) for x in (whole, torch.stack(halves).mean())), strict=True):
        assert_close(a, b)


def test_feature_loss_needs_no_values_to_know_its_cost():
    meta = [level.to("meta") for level in maps()]
    assert losses.feature_loss(meta, meta, (1, 1), torch.ones(4, dtype=torch.bool, device="meta")).shape == ()


def test_perceptual_loss_is_the_mean_square():
    assert_close(losses.perceptual_loss(torch.full((2, 3, 4, 4), 3.0), torch.ones(2, 3, 4, 4)), torch.tensor(4.0))


def test_contextual_of_two_directions_by_hand():
    """y is a vector and its opposite, whose mean is 0. A vector of y finds itself, one across finds both halves."""
    y = directions([0, math.pi])
    assert_close(losses.contextual(directions([0, math.pi]), y), torch.zeros(1))
    assert_close(losses.contextual(directions([math.pi / 2]), y), torch.tensor([math.log(2)]))
    assert_close(losses.contextual(directions([0, math.pi / 2]), y), torch.tensor([-math.log(0.75)]))
    cosine, bandwidth = 0.05, 0.2  # d = 0.95 and 1.05, both divided by 0.951
    expected = math.log1p(math.exp(-2 * cosine / (1 - cosine + 1e-3) / bandwidth))
    assert_close(losses.contextual(directions([math.acos(cosine)]), y, bandwidth), torch.tensor([expected]))


def test_contextual_is_mechrez_s_place_by_place():
    x, y = torch.randn(2, 3, 3, 4).double(), torch.randn(2, 3, 2, 4).double()  # as many places as each has
    for bandwidth in (0.1, 0.5):
        expected = torch.stack([affinities(a.flatten(1), b.flatten(1), bandwidth) for a, b in zip(x, y, strict=True)])
        assert_close(losses.contextual(x, y, bandwidth), expected)


def test_contextual_asks_which_features_there_are_not_where_nor_how_large():
    draw = torch.Generator().manual_seed(0)
    x, y, offset = (
        torch.randn(*shape, generator=draw).double() for shape in [(2, 8, 4, 6), (2, 8, 4, 6), (1, 8, 1, 1)]
    )
    there = losses.contextual(x, y)
    shuffled = [z.flatten(2)[:, :, torch.randperm(24)].view(2, 8, 6, 4) for z in (x, y)]
    assert_close(losses.contextual(*shuffled), there)
    assert_close(losses.contextual(7 * x + offset, 7 * y + offset), there)
    same = losses.contextual(x.flip(3), x)
    assert (same.abs() < 1e-4).all() and (there > 0.1).all()  # the least it can be: every feature is found, once


def test_contextual_in_parts_is_contextual_and_never_has_the_whole_matrix():
    draw = torch.Generator().manual_seed(0)
    x, y = (torch.randn(2, 5, 8, 8, generator=draw).requires_grad_() for _ in range(2))

    def run(chunk: int) -> tuple[torch.Tensor, tuple[torch.Tensor, ...], int]:
        kept = [0]

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            kept.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = losses.contextual(x, y, chunk=chunk)
        return loss, torch.autograd.grad(loss.sum(), (x, y)), max(kept)

    whole, of_whole, most = run(64)
    assert most == 2 * 64 * 64
    for chunk in (16, 7):
        loss, gradients, kept = run(chunk)
        assert_close(loss, whole)
        for a, b in zip(gradients, of_whole, strict=True):
            assert_close(a, b, rtol=1e-4, atol=1e-6)
        assert kept < 2 * 64 * 64 / 4


def test_contextual_loss_is_the_weighted_mean_of_levels_that_have_places_enough():
    mine, others = maps(2, seed=1, sides=(48, 16, 8, 4)), maps(2, seed=2, sides=(48, 16, 8, 4))
    pooled = [torch.nn.functional.avg_pool2d(level[0], 2) for level in (mine, others)]  # 24 x 24, at most 1024 places
    first, second, third = (
        losses.contextual(*pair).mean() for pair in (pooled, (mine[1], others[1]), (mine[2], others[2]))
    )
    loss = losses.contextual_loss(mine, others, (1.0, 2.0, 5.0, 100.0))
    assert_close(loss, (first + 2 * second + 5 * third) / 8)  # 4 x 4 places are too few, whatever they weigh
    assert_close(losses.contextual_loss(mine, others, (0.0, 2.0, 0.0, 0.0)), second)


def test_hinge_stops_where_the_discriminator_is_right_by_one():
    real = [torch.tensor([[2.0, 0.5]]), torch.tensor([[-1.0]])]
    fake = [torch.tensor([[-2.0, 0.5]]), torch.tensor([[-0.25]])]
    # of the first scale (0 + 0.5) / 2 + (0 + 1.5) / 2, of the second 2 + 0.75: each scale counts as much, however many scores it has
    assert_close(losses.hinge_d(real, fake), torch.tensor((1.0 + 2.75) / 2))
    assert_close(losses.hinge_g(fake), torch.tensor((0.75 + 0.25) / 2))
    score = torch.tensor([[1.5, 0.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(losses.hinge_d([score], [-score.detach()]), score)
    assert_close(gradient, torch.tensor([[0.0, -0.5]]))
    (gradient,) = torch.autograd.grad(losses.hinge_g([score]), score)
    assert_close(gradient, torch.tensor([[-0.5, -0.5]]))  # the generator's never stops


def test_feature_matching_leaves_out_the_score_and_what_is_real():
    real = [[level.requires_grad_() for level in maps(seed=seed)] for seed in (1, 2)]
    fake = [[(scale[0] + 1).detach().requires_grad_(), scale[1] + 100] for scale in real]
    loss = losses.feature_matching(fake, real)
    assert_close(loss, torch.tensor(1.0))
    loss.backward()
    assert all(level.grad is None for scale in real for level in scale)
    assert fake[0][0].grad is not None
    three = [[x, x, x] for x in (torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 1, 1))]
    ahead = [[x + 1, x + 2, x] for x, _, _ in three]
    assert_close(losses.feature_matching(ahead, three), torch.tensor(3.0))  # a sum over layers, a mean over scales


def test_kl_is_that_of_normal_distributions():
    mu, logvar = torch.randn(5, 7), torch.randn(5, 7)
    parts = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(torch.zeros(5, 7), torch.ones(5, 7)))
    assert_close(losses.kl(mu, logvar), parts.sum(1).mean())
    assert losses.kl(torch.zeros(5, 7), torch.zeros(5, 7)) == 0


# ---- lifting ----


def test_reconstruction_is_l1_and_its_weighed_perceptual_part():
    x, y = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    f, g = [torch.randn(2, 5, 2, 2)], [torch.randn(2, 5, 2, 2)]
    assert_close(losses.reconstruction(x, x + 0.25, f, g, 0.0), torch.tensor(0.25))
    assert_close(losses.reconstruction(x, x, f, g, 3.0), 3 * losses.perceptual_distance(f, g))
    expected = (x - y).abs().sum() / 96 + 0.5 * losses.perceptual_distance(f, g)
    assert_close(losses.reconstruction(x, y, f, g, 0.5), expected)


def test_detail_distance_knows_nothing_of_what_a_blur_keeps():
    x = torch.rand(2, 3, 32, 32)
    stripes = 0.1 * (torch.arange(32) % 2 * 2.0 - 1).expand_as(x)
    for coarse, fine in ((0.4, 0.0), (0.0, 1.0), (0.4, 1.0)):
        y = x - coarse - fine * stripes
        found = losses.detail_distance(x - y, gaussian(x - y, 3.0))
        assert_close(found, torch.tensor(0.1 * fine), rtol=0.02, atol=1e-6)


def test_the_fine_part_tells_how_far_a_true_head_is_turned_and_l1_says_less():
    """Of drawn heads, whose own depth is turned: what comes into view beside them no depth map knows."""
    yaws, scales, size = (-28.0, 20.0, 31.0), (0.25, 0.5, 0.75, 1.0, 1.25), 64
    light = (-0.3, 0.3, 0.3, -0.5)
    drawn = [heads.head(99, k) for k in range(len(yaws))]
    seen = [one.see(size=size, light=light) for one in drawn]
    turned = [one.see((0, y / 60, 0, 0, 0, 0), light, size) for one, y in zip(drawn, yaws, strict=True)]
    front, there = (
        torch.from_numpy(np.stack([s.picture for s in each])).permute(0, 3, 1, 2) / 127.5 - 1 for each in (seen, turned)
    )
    depth = torch.from_numpy(np.stack([s.depth for s in seen])).clamp(max=camera.BORDER)
    far, fine = [], []
    for scale in scales:
        view = torch.cat([camera.raw_view(scale * y) for y in yaws])
        image = views.render(depth, front, None, view).image
        far.append(float(losses.reconstruction(image, there, [], [], 0.0)))
        fine.append(float(losses.detail_distance(image - there, gaussian(image - there, 3.0))))
    assert scales[int(np.argmin(fine))] == 1.0, fine
    assert scales[int(np.argmin(far))] < 1.0, far


def test_perceptual_distance_compares_directions_not_sizes():
    """Of unit vectors: 0 if they are parallel, 2 if orthogonal, 4 if opposite; each layer counts alike."""
    a = torch.zeros(1, 4, 2, 2)
    a[:, 0] = 1
    assert_close(losses.perceptual_distance([a], [7 * a]), torch.tensor(0.0))
    assert_close(losses.perceptual_distance([a], [-0.1 * a]), torch.tensor(4.0))
    assert_close(losses.perceptual_distance([a], [a.roll(1, 1)]), torch.tensor(2.0))
    big = torch.ones(1, 9, 16, 16)
    assert_close(losses.perceptual_distance([a, big], [-a, big]), torch.tensor(2.0))


def test_identity_variance_counts_the_rows_that_are_turned_little():
    f, g = torch.eye(4), torch.eye(4).roll(1, 1)
    rows = torch.tensor([True, False, False, True])
    assert_close(losses.identity_variance(f, g, rows), torch.tensor(2 * 2 / 4))
    assert_close(losses.identity_variance(f, g, ~rows & rows), torch.tensor(0.0))  # not the mean of nothing
    parts = [losses.identity_variance(f[r::2], g[r::2], rows[r::2]) for r in range(2)]
    assert_close(torch.stack(parts).mean(), losses.identity_variance(f, g, rows))


def test_details_of_an_albedo_are_what_the_blur_takes_and_only_on_the_face():
    smooth, fine = torch.rand(2, 1, 1, 1).expand(-1, 3, 8, 8), torch.randn(2, 3, 8, 8)
    face = torch.zeros(2, 8, 8, dtype=torch.bool)
    face[:, 2:6, 2:6] = True
    K = losses.albedo_details(smooth + fine, smooth, face, 4)
    assert K.shape == (2, 16)
    expected = (fine.mean(1) * face).view(2, 4, 2, 4, 2).mean((2, 4)).view(2, 16)
    assert_close(K, expected)


def test_albedo_rank_is_the_nuclear_norm():
    """n equal rows of length r have r sqrt n, n orthogonal ones r n; its gradient is U V^T."""
    row = torch.randn(16)
    row /= row.norm()
    assert_close(losses.albedo_rank(3 * row.expand(4, -1)), torch.tensor(3 * 2.0))
    assert_close(losses.albedo_rank(3 * torch.eye(16)[:4]), torch.tensor(3 * 4.0))
    A = torch.randn(4, 16, dtype=torch.float64, requires_grad=True)
    assert_close(losses.albedo_rank(A), torch.linalg.matrix_norm(A, "nuc"))
    U, _, Vh = torch.linalg.svd(A.detach(), full_matrices=False)
    assert_close(torch.autograd.grad(losses.albedo_rank(A), A)[0], U @ Vh)
    same = torch.ones(
        4, 16, requires_grad=True
    )  # three singular values are 0, and none of them makes the gradient infinite
    assert torch.autograd.grad(losses.albedo_rank(same), same)[0].isfinite().all()
    for wrong in (math.nan, math.inf):
        assert losses.albedo_rank(torch.tensor([[1.0, wrong], [0.0, 1.0]])).isnan()


def test_the_cycle_compares_all_of_the_light_and_the_angles_of_the_view():
    light, view = torch.zeros(2, 4), torch.zeros(2, 6)
    assert_close(losses.parameter_cycle(light, light + 0.5, view, view), torch.tensor(0.25))
    moved = view.clone()
    moved[:, 3:] = 9  # a shift is not found again in a code
    assert_close(losses.parameter_cycle(light, light, view, moved), torch.tensor(0.0))
    moved[:, 1] = 0.3
    assert_close(losses.parameter_cycle(light, light, view, moved), torch.tensor(0.09 / 3))


def test_the_style_prior_of_the_teacher_s_own_codes_is_a_half():
    draw = torch.Generator().manual_seed(0)
    mean, deviation = torch.randn(512, generator=draw), torch.tensor(0.3)
    w = mean + deviation * torch.randn(64, 512, generator=draw)
    assert_close(losses.style_prior(w, mean, deviation), torch.tensor(0.5), rtol=0, atol=0.01)
    assert_close(losses.style_prior(mean.expand(2, -1), mean, deviation), torch.tensor(0.0))


# --------------------------------------------------------------------------------------------- what lifters of a short run need


def test_a_code_that_m_gives_back_costs_nothing_and_others_by_their_deviations():
    w = torch.randn(4, 8)
    assert float(losses.own_code(w, w, torch.tensor(2.0))) == 0
    assert float(losses.own_code(w + 3, w, torch.tensor(2.0))) == pytest.approx(2.25)


def test_a_picture_and_its_mirror_image_are_equally_unlike_each_other():
    half = torch.rand(2, 3, 8, 4)
    assert float(losses.asymmetry(torch.cat([half, half.flip(-1)], -1))) == 0
    left = torch.zeros(1, 1, 2, 4)
    left[..., 0] = 1
    assert float(losses.asymmetry(left)) == float(losses.asymmetry(left.flip(-1))) == 0.5


def test_a_usual_lamp_costs_nothing_wherever_it_stands():
    light = torch.rand(5, 4)
    light[:, :2] = torch.tensor(losses.LAMP)
    assert float(losses.lamp(light)) == pytest.approx(0, abs=1e-12)
    light[:, 0] += 0.2
    assert float(losses.lamp(light)) == pytest.approx(0.02, rel=1e-4)
