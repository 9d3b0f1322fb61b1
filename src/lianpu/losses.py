"""The losses of the papers, one function per equation; what they return is to be minimised."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

__all__ = [
    "albedo_details",
    "albedo_rank",
    "asymmetry",
    "contextual",
    "contextual_loss",
    "detail_distance",
    "domain",
    "feature_loss",
    "feature_matching",
    "flow",
    "hinge_d",
    "hinge_g",
    "identity_variance",
    "kl",
    "lamp",
    "logistic",
    "nonsaturating",
    "own_code",
    "parameter_cycle",
    "path_lengths",
    "path_penalty",
    "perceptual_distance",
    "perceptual_loss",
    "r1",
    "reconstruction",
    "regularisation",
    "style_prior",
]

Maps = Sequence[Tensor]
"""Feature maps (n, c, h, w) of several layers of a network, the shallowest first."""

LAMP = -0.3, 0.3  # raw ambient and diffuse light: 0.35 and 0.65


def logistic(score_real: Tensor, score_fake: Tensor) -> Tensor:
    """Yan et al. 2023, L_D = -E[g1(D(T(x)))] - E[g2(D(T(G(z))))], with g1(s) = log sigmoid(s) and g2(s) = log(1 -
    sigmoid(s)), the functions of Goodfellow et al. 2014, Eq. 1. Scores (n, 1) of real and generated pictures -> ().
    """
    return F.softplus(-score_real).mean() + F.softplus(score_fake).mean()


def nonsaturating(score_fake: Tensor) -> Tensor:
    """Goodfellow et al. 2014, Sec. 3: L_G = -E[g1(D(T(G(z))))], g1(s) = log sigmoid(s). Scores (n, 1) -> ().

    Yan et al. 2023 print L_G = E[g2(...)], whose gradient vanishes where D is sure of itself; StyleGAN2, which they
    train, minimises this.
    """
    return F.softplus(-score_fake).mean()


def r1(scores: Tensor, real: Tensor) -> Tensor:
    """Mescheder et al. 2018, Eq. 9, without gamma / 2: |grad_x D(x)|^2 of every picture, (n,).

    scores: (n, 1), computed from `real` (n, c, h, w), which requires grad. `real` are the pictures before
    augmentation: the gradient is taken through it (Karras et al. 2020a).
    """
    (gradient,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
    return gradient.square().sum((1, 2, 3))


def path_lengths(images: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """Karras et al. 2020b, Eq. 4: the lengths |J_w^T y| of every picture, (n,), root mean square over the layers that
    w enters.

    images: (n, c, h, w), computed from ws (n, num_ws, w_dim); noise: standard normal, shaped like images, scaled here
    to y so that the length does not depend on the resolution.
    """
    y = noise / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad((images * y).sum(), ws, create_graph=True)  # J_w^T y
    return gradient.square().sum(2).mean(1).sqrt()


def path_penalty(
    lengths: Tensor, average: Tensor, decay: float = 0.01, mean: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Karras et al. 2020b, Eq. 4: (|J_w^T y| - a)^2 of every picture, (n,), and the new running mean a, ().

    average: a so far, 0 at the start; a <- a + decay (mean - a). As in the authors' training the new a enters the
    penalty with its gradient. mean: of the lengths over all processes, when several share a batch; otherwise that of
    `lengths`. Gradients averaged over the processes are then those of one process with the whole batch.
    """
    local = lengths.mean()
    mean = (local if mean is None else mean).detach()
    average = torch.lerp(average, mean, decay)
    through_a = 2 * decay * (mean - average) * (local - local.detach())  # zero, but for its gradient
    return (lengths - average).square() - through_a, average


# ---- image translation: the terms of Yan et al. 2023, Eq. 20, phi_1 L_feat + ... + phi_6 L_reg -----------------------
# Each is a mean over the rows of the batch: a weight means the same whatever the batch and however processes share it.


def domain(x: Tensor, y: Tensor) -> Tensor:
    """Yan et al. 2023, Eq. 9: L_domain = |F_(A->W)(x_A) - F_(B->W)(x_B)|, of a sketch and of the picture it belongs to.

    x, y: (n, c, h, w), features of length 1 over the channels: without that, which the seed leaves out, zero would be the best of
    features. The sum of absolute differences over the channels, by sqrt(c): at most 2 however many there are. Zhang et al. 2020's code
    has the mean of 256 and the weight 10, which here is 0.6.
    """
    return (x - y).abs().sum(1).mean() / math.sqrt(x.shape[1])


def regularisation(cycled: Tensor, reference: Tensor) -> Tensor:
    """Yan et al. 2023, Eq. 13: L_reg = |r_(y->x->y) - y_B|, what the reference is after its way to the sketch and back.

    cycled, reference: (n, 3, h, w), both of the size at which places are matched.
    """
    return (cycled - reference).abs().mean()


def feature_loss(mine: Maps, its: Maps, weights: Sequence[float], rows: Tensor) -> Tensor:
    """Yan et al. 2023, Eq. 15: L_feat = sum_l lambda_l |phi_l(G(x_A, x'_B)) - phi_l(x_B)|, on pseudo-exemplar pairs.

    mine: of what was painted; its: of the picture the sketch was drawn from; weights: lambda_l; rows: (n,), true where the
    reference x'_B is that very picture, deformed. In the seed a bracket closes too late, after phi_l(G). The rest of the batch counts
    as zero: a pair weighs 1 / n. (Released code divides by the number of pairs and then takes the mean over the batch, by
    which the weight of a pair falls with the square of the batch.)
    """
    belongs = rows.to(mine[0])
    each = [w * (a - b).abs().mean((1, 2, 3)) for w, a, b in zip(weights, mine, its, strict=True)]
    return (belongs * torch.stack(each).sum(0)).mean()


def perceptual_loss(mine: Tensor, its: Tensor) -> Tensor:
    """Yan et al. 2023, Eq. 16: L_perc = |phi_l(^x_B) - phi_l(x_B)|, at one deep layer l.

    The seed prints an arrow for the minus and calls ^x_B "x_B - mean(x_B)", which is a slip from its Eq. 11: it is the picture
    that was painted. The square of the norm, per number, as in Zhang et al. 2020's code. mine, its: (n, c, h, w).
    """
    return (mine - its).square().mean()


def contextual_loss(
    mine: Maps, others: Maps, weights: Sequence[float] = (0.0, 1.0, 2.0, 4.0, 8.0), places: tuple[int, int] = (64, 1024)
) -> Tensor:
    """Yan et al. 2023, Eq. 17: L_context = sum_l omega_l [-log (1 / n_l sum_i max_j A^l(phi_i(^x_B), phi_j(y_B)))].

    mine: of what was painted (^x_B, not the seed's x_B - mean(x_B)); others: of the reference y_B. A^l is the affinity of features, see
    `contextual`; the seed's "A domain" is a slip. weights: omega_l, those of Zhang et al. 2020's code, brought to the sum 1.
    places: a map of more is averaged down to at most so many, as in that code; one of fewer is left out, too few to be a distribution:
    relu5_2 says nothing below 128 px.
    """
    least, most = places
    used = [(w, x, y) for w, x, y in zip(weights, mine, others, strict=True) if w and x[0, 0].numel() >= least]
    terms = []
    for w, x, y in used:
        stride = max(1, math.ceil(math.sqrt(x[0, 0].numel() / most)))
        terms.append(w * contextual(F.avg_pool2d(x, stride), F.avg_pool2d(y, stride)).mean())
    return torch.stack(terms).sum() / sum(w for w, _, _ in used)


def contextual(x: Tensor, y: Tensor, bandwidth: float = 0.1, chunk: int = 1024) -> Tensor:
    """Mechrez et al. 2018, Eqs. 2 to 5, of features x (n, c, h, w) to y (n, c, h', w'): -log mean_i max_j A_ij, (n,).

    d_ij = 1 - cos(x_i - mu, y_j - mu), mu the mean of y; d~_ij = d_ij / (min_k d_ik + 1e-3); A_ij = w_ij / sum_k w_ik with
    w_ij = exp((1 - d~_ij) / bandwidth). Only sums and extremes of rows are needed: beyond `chunk` of them the matrix is never whole,
    and each part is computed again for the gradient.
    """
    centre = y.mean((2, 3), keepdim=True)
    x, y = (F.normalize((z - centre).flatten(2), dim=1).transpose(1, 2) for z in (x, y))  # (n, h*w, c)
    parts = x.split(chunk, 1)
    if len(parts) == 1:
        largest = _largest_affinity(x, y, bandwidth)
    else:
        again = [
            checkpoint(_largest_affinity, part, y, bandwidth, use_reentrant=False, preserve_rng_state=False)
            for part in parts
        ]
        largest = torch.cat(again, 1)  # type: ignore[arg-type]
    return -largest.mean(1).log()


def _largest_affinity(x: Tensor, y: Tensor, bandwidth: float) -> Tensor:
    """max_j A_ij of unit vectors x (n, a, c) and y (n, b, c): (n, a)."""
    d = 1 - x @ y.transpose(1, 2)
    logits = (1 - d / (d.amin(2, keepdim=True) + 1e-3)) / bandwidth
    return (logits.amax(2) - logits.logsumexp(2)).exp()


def hinge_d(real: Maps, fake: Maps) -> Tensor:
    """Yan et al. 2023, Eq. 18: L_adv^D = -E[h(D(y_B))] - E[h(-D(G(x_A, y_B)))], h(t) = min(0, t - 1).

    Scores (n, 1, h, w) of each of D's scales, whose mean it is. Real are the pictures the sketches were drawn from: D sees the
    sketch too, to which y_B, another mask, would not belong.
    """
    both = [F.relu(1 - r).mean() + F.relu(1 + f).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(both).mean()


def hinge_g(fake: Maps) -> Tensor:
    """Yan et al. 2023, Eq. 19: L_adv^G = -E[D(G(x_A, y_B))], the mean over D's scales."""
    return -torch.stack([f.mean() for f in fake]).mean()


def feature_matching(fake: Sequence[Maps], real: Sequence[Maps]) -> Tensor:
    """Wang et al. 2018 (pix2pixHD), Eq. 4: sum over D's layers of |D_l(x, G) - D_l(x, real)|, the mean over its scales.

    Not in the seed, but in the training of both networks it compares. The last map of a scale is its score, which is left out.
    """
    each = [
        (a - b.detach()).abs().mean()
        for mine, its in zip(fake, real, strict=True)
        for a, b in zip(mine[:-1], its[:-1], strict=True)
    ]
    return torch.stack(each).sum() / len(fake)


def kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """Kingma & Welling 2014, Appendix B: KL(q(z | reference) | N(0, 1)), a sum over z, the mean over the batch.

    Park et al. 2019's code sums over the batch as well. mu, logvar: (n, z_dim).
    """
    return (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean() / 2


def flow(place: Tensor, known: Tensor) -> Tensor:
    """How far the match of each place lies from where it is known to be: ().

    Not in the seed. Where the reference is the picture itself, deformed, its flow says where; comparing places teaches the match inside
    a flat region and across two of one colour, of which the colours of the warp (`warp_self` of Zhang et al. 2020's code) say nothing.
    place: (n, 2, h', w'), the mean (x, y) of each place's match; known: (n, h, w, 2), NaN where it is not. Those count as no error, so
    that the mean over processes is that of the whole batch.
    """
    stride = known.shape[1] // place.shape[2]
    target = F.avg_pool2d(known.movedim(3, 1), stride)  # (n, 2, h', w'), NaN where any pixel of the place is unknown
    there = torch.isfinite(target).all(1)
    far = ((place - target.nan_to_num()).square().sum(1) + 1e-8).sqrt()  # a root without a kink at 0
    return torch.where(there, far, 0).mean()


# ---- lifting: the terms of Yan et al. 2024, "Loss function", and those of Shi et al. 2021 that the seed leaves out ----


def reconstruction(rendered: Tensor, picture: Tensor, mine: Maps, its: Maps, weight: float) -> Tensor:
    """Yan et al. 2024, "Reconstruction loss": L_rec = 1/N sum_i |I_w[i] - ^I_w[i]| + lambda_perc L_perc(I_w, ^I_w).

    rendered, picture: (n, 3, h, w) in [-1, 1]; mine, its: their features; weight: lambda_perc. L_flip is the same, of the mirrored face.
    """
    far = (rendered - picture).abs().mean()
    return far + weight * perceptual_distance(mine, its) if weight else far


def own_code(made: Tensor, w: Tensor, deviation: Tensor) -> Tensor:
    """Mean squared difference, in deviations of a code's numbers, of codes w (n, w_dim) and what M makes of them when it is asked for the
    views and lights that DV and DL find in them.
    """
    return ((made - w) / deviation).square().mean()


def asymmetry(pictures: Tensor) -> Tensor:
    """Mean |I - mirror I| of pictures (n, c, h, w)."""
    return (pictures - pictures.flip(-1)).abs().mean()


def lamp(light: Tensor) -> Tensor:
    """Mean squared difference of the ambient and diffuse parts of raw lights (n, 4) from a usual lamp's."""
    return (light[:, :2] - light.new_tensor(LAMP)).square().mean()


def detail_distance(difference: Tensor, blurred: Tensor) -> Tensor:
    """Mean |d - d'| of the difference d of two pictures (n, 3, h, w) and of the same blurred, d': how far fine parts lie from where they
    should.

    A turned head's outline hardly moves, since its far side comes into view, which no depth map knows of; so of all that differs the coarse
    part asks for less turning than is true, and the fine part does not.
    """
    return (difference - blurred).abs().mean()


def perceptual_distance(mine: Maps, its: Maps) -> Tensor:
    """L_perc of Yan et al. 2024, as Shi et al. 2021's code has it: |f - f'|^2 of features of length 1 over the channels, the mean over
    places and layers.

    There the layers are three of VGG16, at three sizes of the picture; here those that the trunk gives, which go as deep. The features'
    size does not matter, so one weight serves for every trunk.
    """
    each = [
        (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in zip(mine, its, strict=True)
    ]
    return torch.stack(each).mean()


def identity_variance(mine: Tensor, its: Tensor, rows: Tensor) -> Tensor:
    """Yan et al. 2024, "Identity variance regularization loss": L_idt = |f(I_w0) - f(I_w')|^2 where the face is turned little.

    mine, its: (n, d), features f of length 1, of the face from the front and of it turned; rows: (n,) true where it is turned little
    enough. The rest counts as zero, so that processes which share a batch find its mean.
    """
    return (rows.to(mine) * (mine - its).square().sum(1)).mean()


def albedo_details(albedo: Tensor, blurred: Tensor, face: Tensor, side: int) -> Tensor:
    """K A of Yan et al. 2024, "Albedo map regularization loss": the grey albedos through a Laplacian filter, as rows (n, side^2).

    The filter is that of Shi et al. 2021's code, what a blur takes away: A - G A. albedo: (n, c, h, w); blurred: G A; face: (n, h, w)
    bool, outside of which it is 0. Brought to side x side by averaging.
    """
    fine = (albedo - blurred).mean(1, keepdim=True) * face[:, None]
    return F.avg_pool2d(fine, fine.shape[2] // side).flatten(1)


def albedo_rank(details: Tensor) -> Tensor:
    """Yan et al. 2024, "Albedo map regularization loss": L_regA = |K A|_*, the sum of the singular values of the batch's details (n, d).

    Of all pictures of the global batch: it is no mean over rows. n rows of length r that are one have r sqrt(n), n that have nothing in
    common r n. Of numbers that are not finite it is NaN, where LAPACK would raise an error of its own.
    """
    finite = torch.where(details.isfinite(), details, 0)
    return torch.linalg.svdvals(finite).sum() + 0 * details.sum()


def parameter_cycle(light: Tensor, light_found: Tensor, view: Tensor, view_found: Tensor) -> Tensor:
    """L_LVcyc, Shi et al. 2021: view and light found again in M's code, |~L' - L'|^2 + |~V' - V'|^2, means over their numbers.

    light: (n, 4); view: (n, 6), of which only the three angles are compared.
    """
    return (light - light_found).square().mean() + (view - view_found)[:, :3].square().mean()


def style_prior(w: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Shi et al. 2021, released code: 1/2 |w' - mu|^2 / sigma^2 per number, of M's codes w' (n, w_dim); the teacher's own have 1/2.

    mean: mu, (n, w_dim) or (w_dim,); deviation: sigma, (), one for all numbers.
    """
    return (w - mean).square().mean() / (2 * deviation.square())
