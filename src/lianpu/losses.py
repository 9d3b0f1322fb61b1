"""The losses of the papers, one function per equation; what they return is to be minimised."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["flow", "logistic", "nonsaturating", "path_lengths", "path_penalty", "r1"]


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
