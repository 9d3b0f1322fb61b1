"""Our networks, given the reference's weights, give the reference's pictures, scores and gradients of every order."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.parity.reference import NETWORK, SMALL, discriminator, generator
from torch.testing import assert_close

from lianpu import losses
from lianpu.config import StyleGAN2Config
from lianpu.nets.stylegan2 import Discriminator

ARCHITECTURES = ["skip", "resnet", "orig"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_generator_gives_the_reference_pictures(architecture):
    net, theirs = generator(f"generator_{architecture}", StyleGAN2Config(**SMALL, g_architecture=architecture))
    z = theirs["z"]
    assert_close(net.mapping(z), theirs["ws"], **NETWORK)
    assert_close(net.mapping(z, truncation=0.7), theirs["ws_psi0p7"], **NETWORK)
    assert_close(net.mapping(z, truncation=0.5, cutoff=3), theirs["ws_psi0p5_cut3"], **NETWORK)
    assert_close(net(z, noise="const"), theirs["img_const"], **NETWORK)
    assert_close(net(z, noise="none"), theirs["img_none"], **NETWORK)
    assert_close(net(z, noise="none", truncation=0.7), theirs["img_none_psi0p7"], **NETWORK)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_path_lengths_are_the_reference_ones(architecture):
    net, theirs = generator(f"generator_{architecture}", StyleGAN2Config(**SMALL, g_architecture=architecture))
    ws = theirs["ws"].requires_grad_()
    images = net.synthesis(ws, noise="const")
    (gradient,) = torch.autograd.grad((images * theirs["pl_y"] / 16).sum(), ws, retain_graph=True)
    assert_close(gradient, theirs["pl_grad_ws"], **NETWORK)
    assert_close(losses.path_lengths(images, ws, theirs["pl_y"]), theirs["pl_lengths"], **NETWORK)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_discriminator_gives_the_reference_scores_and_second_derivatives(architecture):
    config = StyleGAN2Config(**SMALL, d_architecture=architecture, mbstd_group=4)
    net, theirs = discriminator(f"discriminator_{architecture}", config)
    wanted = net.blocks["16"].conv0.weight, net.epilogue.fc.weight
    for weight in wanted:
        weight.requires_grad_()
    images = theirs["img"].requires_grad_()
    scores = net(images)
    assert_close(scores, theirs["logits"], **NETWORK)
    assert_close(torch.autograd.grad(scores.sum(), images, retain_graph=True)[0], theirs["r1_grad_img"], **NETWORK)
    penalty = losses.r1(scores, images)
    assert_close(penalty, theirs["r1_penalty"], **NETWORK)
    d_conv, d_fc = torch.autograd.grad((penalty * 0.5).mean(), wanted)
    assert_close(d_conv, theirs["r1_dW_b16_conv0"], **NETWORK)
    assert_close(d_fc, theirs["r1_dW_b4_fc"], **NETWORK)
