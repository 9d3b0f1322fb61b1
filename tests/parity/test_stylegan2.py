"""Our networks, given the reference's weights, give the reference's pictures, scores and gradients of every order."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from lianpu import losses
from lianpu.config import StyleGAN2Config
from lianpu.nets.stylegan2 import Discriminator
from tests.parity.reference import NETWORK, SMALL, discriminator, generator

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


def test_conditional_generator():
    """One update of w_avg from 0, then a picture. The reference keeps one mean for all classes, we keep one each:
    from the same start theirs is the mean of ours (`Mapping.update_average`), exactly, and w itself does not depend
    on it.
    """
    config = StyleGAN2Config(
        resolution=8, image_channels=1, channel_base=64, channel_max=8, z_dim=8, w_dim=8, mapping_layers=2, classes=3
    )
    net, theirs = generator("generator_cond", config)
    label = theirs["c"].argmax(1)
    assert torch.equal(torch.nn.functional.one_hot(label, 3).float(), theirs["c"])
    net.mapping.w_avg.zero_()
    ws = net.mapping(theirs["z"], label, update_average=True)
    assert_close(ws, theirs["ws_train"], **NETWORK)
    assert_close(net.mapping.w_avg.mean(0), theirs["w_avg_after"], **NETWORK)
    assert_close(net(theirs["z"], label, noise="const"), theirs["img_const"], **NETWORK)


@pytest.fixture
def diffusion_config():
    return StyleGAN2Config(
        resolution=8, channel_base=64, channel_max=8, z_dim=8, w_dim=8, mapping_layers=2, mbstd_group=4, time="label"
    )


def test_diffusion_discriminator(diffusion_config):
    net, theirs = discriminator("discriminator_diffusion_t", diffusion_config)
    assert net.condition is not None
    t = theirs["t"][:, 0]
    assert_close(net.condition(8, None, t), theirs["cmap"], **NETWORK)
    assert_close(net(theirs["img"], t=t), theirs["logits"], **NETWORK)


def test_the_reference_tells_time_by_one_bit_at_first_and_ours_by_all(diffusion_config):
    """As published, t enters as a raw number: at initialisation every t > 0 looks the same and t = 0 makes the score
    0.
    """
    net, theirs = discriminator("discriminator_diffusion_t", diffusion_config)
    t = theirs["t"][:, 0]
    for layer in (net.condition.embed, *net.condition.layers):
        layer.bias.zero_()
    condition = net.condition(8, None, t)
    assert_close(condition, theirs["init_cmap"], rtol=1e-4, atol=1e-4)
    assert (condition[t == 0] == 0).all()
    assert_close(condition[t > 0], condition[t > 0][:1].expand(int((t > 0).sum()), -1), rtol=1e-3, atol=1e-4)

    ours = Discriminator(replace(diffusion_config, time="sinusoidal"))
    assert ours.condition is not None
    condition = ours.condition(8, None, torch.arange(8) * 100).detach()
    assert torch.cdist(condition, condition).fill_diagonal_(9).min() > 1e-3
