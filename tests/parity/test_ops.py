"""Single operators against the reference's numbers: the plain ones, and with them the fast ones, which other tests
hold to the plain.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from lianpu.nets.stylegan2 import Conv, Dense, Shortcut, minibatch_stddev, unit_rms
from lianpu.ops import activation, modconv, plain, resample
from tests.parity.reference import SINGLE_OP, load


def outer(taps: Tensor) -> Tensor:
    return torch.outer(taps, taps)


@pytest.mark.parametrize("ops", [plain, resample])
def test_resampling(ops):
    n = load("upfirdn2d")
    x, f = n["x"], n["f4"]
    assert_close(ops.upsample(x, f), n["up2_f4"], **SINGLE_OP)
    assert_close(ops.downsample(x, f), n["down2_f4"], **SINGLE_OP)
    assert_close(ops.upsample(x, outer(n["f_sym6"])), n["up2_sym6"], **SINGLE_OP)
    x.requires_grad_()
    for name, op in (("up2", ops.upsample), ("down2", ops.downsample)):
        (gx,) = torch.autograd.grad(op(x, f), x, n[f"grad_{name}_f4_cotangent"])
        assert_close(gx, n[f"grad_{name}_f4_dx"], **SINGLE_OP)


def test_the_four_steps_of_resampling():
    n = load("upfirdn2d")
    x, odd = n["x"], n["f_asym"]
    assert_close(plain.upfirdn(x, n["f4"], padding=(2, 1, 2, 1)), n["filter_f4"], **SINGLE_OP)
    big = plain.upfirdn(x, n["f_sym6"], up=(2, 2), padding=(6, 5, 6, 5), gain=4)
    assert_close(big, n["up2_sym6"], **SINGLE_OP)
    small = plain.upfirdn(big, n["f_sym6"], down=(2, 2), padding=(2, 2, 2, 2), flip=True)  # 5 - 3: three cropped
    assert_close(small, n["down2_sym6_padm3_flip"], **SINGLE_OP)
    mixed = {"up": (2, 1), "down": (1, 2), "padding": (1, 2, 3, 0)}
    assert_close(plain.upfirdn(x, odd, **mixed, gain=1.5), n["raw_asym_up21_down12_pad1230_gain1p5"], **SINGLE_OP)
    assert_close(plain.upfirdn(x, odd, **mixed, flip=True), n["raw_asym_up21_down12_pad1230_flip"], **SINGLE_OP)
    assert_close(plain.upfirdn(x, odd, up=(2, 2), padding=(-1, 2, 1, -2)), n["raw_asym_up2_crop"], **SINGLE_OP)
    assert_close(plain.upfirdn(x, None, up=(2, 2)), n["raw_none_up2"], **SINGLE_OP)


@pytest.mark.parametrize("ops", [plain, activation])
def test_bias_and_activation(ops):
    """The activations that StyleGAN2's networks use: lrelu, and none."""
    n = load("bias_act")
    x, b, none = n["x"], n["b"], torch.zeros(4)
    assert_close(ops.bias_lrelu(x.clone(), b), n["lrelu_default"], **SINGLE_OP)
    assert_close(ops.bias_lrelu(x.clone(), b, gain=0.5).clamp(-0.3, 0.3), n["lrelu_gain0p5_clamp0p3"], **SINGLE_OP)
    assert_close(ops.bias_lrelu(x.clone(), none, slope=0.1), n["lrelu_alpha0p1_nobias"], **SINGLE_OP)
    assert_close(ops.bias_lrelu(x.clone(), b, gain=1, slope=1.0), n["linear_default"], **SINGLE_OP)
    assert_close(ops.bias_lrelu(n["x2d"].clone(), b), n["lrelu_2d"], **SINGLE_OP)


def test_modulated_convolution():
    n = load("modulated_conv2d")
    x, w, s, f = n["x"], n["w"], n["s"], n["f4"]
    for path in ("fused0", "fused1"):
        assert_close(plain.modulated_conv(x, w, s, n["noise"]), n[f"k3_demod_{path}"], **SINGLE_OP)
        assert_close(plain.modulated_conv(x, w, s, n["noise_up"], f), n[f"k3_up2_demod_{path}"], **SINGLE_OP)
        assert_close(plain.to_rgb(x, n["w1"], s, torch.zeros(4)), n[f"k1_nodemod_{path}"], **SINGLE_OP)
    leaves = [v.requires_grad_() for v in (x, w, s)]
    grads = torch.autograd.grad(plain.modulated_conv(x, w, s, fir=f), leaves, n["grad_up2_cotangent"])
    for grad, name in zip(grads, ("dx", "dw", "ds"), strict=True):
        assert_close(grad, n[f"grad_up2_{name}"], **SINGLE_OP)


@pytest.mark.parametrize("ops", [plain, modconv])
def test_a_styled_layer_is_that_convolution_and_the_activation(ops):
    n = load("modulated_conv2d")
    x, w, s, b = n["x"], n["w"], n["s"], torch.tensor([0.3, -0.2, 0.0, 1.0])
    for fir, noise, name in ((None, n["noise"], "k3"), (n["f4"], n["noise_up"], "k3_up2")):
        theirs = plain.bias_lrelu(n[f"{name}_demod_fused0"], b)
        assert_close(ops.styled_conv(x, w, s, b, noise, fir), theirs, **SINGLE_OP)
    assert_close(ops.to_rgb(x, n["w1"], s, torch.zeros(4)), n["k1_nodemod_fused0"], **SINGLE_OP)


@pytest.mark.parametrize(("name", "kernel", "down"), [("k3_lrelu", 3, False), ("k3_down2_lrelu", 3, True)])
def test_convolution_layers(name, kernel, down):
    n = load("conv2d_layer")
    layer = Conv(5, 6, kernel, down=down)
    layer.load_state_dict({"weight": n[f"{name}_w"], "bias": n[f"{name}_b"]})
    assert_close(layer(n["x"]), n[f"{name}_y"], **SINGLE_OP)
    assert_close(layer(n["x"], gain=1.0), n[f"{name}_y_gain_sqrt_half"], **SINGLE_OP)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_shortcuts(direction):
    n = load("conv2d_layer")
    layer = Shortcut(5, 6, direction)
    layer.load_state_dict({"weight": n[f"k1_{direction}2_nobias_w"]})
    assert_close(layer(n["x"]), n[f"k1_{direction}2_nobias_y_gain_sqrt_half"], **SINGLE_OP)


def test_minibatch_stddev():
    n = load("mbstd_fc")
    assert_close(minibatch_stddev(n["x"], 4), n["mbstd_g4_f1"], **SINGLE_OP)
    assert_close(minibatch_stddev(n["x"], 8), n["mbstd_g8_f1"], **SINGLE_OP)
    assert_close(minibatch_stddev(n["x"], 8), n["mbstd_gNone_f1"], **SINGLE_OP)
    assert_close(minibatch_stddev(n["x"], 4, 2), n["mbstd_g4_f2"], **SINGLE_OP)
    assert_close(minibatch_stddev(n["x_small"], 4), n["mbstd_small_g4_f1"], **SINGLE_OP)


def test_dense_layer_and_normalisation():
    n = load("mbstd_fc")
    layer = Dense(5, 4, lrelu=True, lr=0.01, bias=1.0)
    assert_close(layer.bias * 0.01, torch.ones(4))  # stored large, learnt slowly
    layer.load_state_dict({"weight": n["fc_w"], "bias": n["fc_b"]})
    assert_close(layer(n["fc_x"]), n["fc_y"], **SINGLE_OP)
    assert_close(unit_rms(n["norm2_x"]), n["norm2_y"], **SINGLE_OP)
