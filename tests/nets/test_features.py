"""Borrowed networks are the published ones: LPIPS gives the number its documentation prints, our EfficientNet and DINOv2 give what an
independent library gives on the same tensors, and FID's name is out of reach of any other file.
"""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from lianpu import weights
from lianpu.errors import ModelError, UsageError
from lianpu.nets import features
from tests.weights import need


def noise(*shape: int, seed: int = 0) -> Tensor:
    """uint8 pictures of noise."""
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def randomly(module: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """A state dict of `module`'s shapes with numbers that make every layer matter: small, variances positive."""
    draw = torch.Generator().manual_seed(seed)
    values = {}
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point():
            values[name] = torch.zeros_like(tensor, device="cpu")
            continue
        drawn = torch.randn(tensor.shape, generator=draw)
        fan_in = max(1, math.prod(tensor.shape[1:]))
        values[name] = (
            drawn.abs() + 0.5
            if "var" in name
            else drawn * (2 / fan_in) ** 0.5
            if tensor.dim() > 1
            else drawn * 0.2 + 0.5
        )
    return values


# ------------------------------------------------------------------------------------------------------------------ LPIPS


def lpips(net: features.Pyramid, heads: list[Tensor], a: Tensor, b: Tensor) -> Tensor:
    """Zhang et al. 2018, Eq. 1, in the plainest form, (n,)."""
    total = torch.zeros(len(a))
    for x, y, w in zip(net(a), net(b), heads, strict=True):
        x, y = F.normalize(x, dim=1), F.normalize(y, dim=1)
        total += ((x - y).square() * w[:, None, None]).sum(1).mean((1, 2))
    return total


def test_lpips_vgg_is_the_number_torchmetrics_documentation_prints():
    """torchmetrics 1.0: seed 123, then the network is built (which draws numbers), then two batches of ten: 0.3493."""
    need("vgg16", "lpips-vgg")
    with torch.random.fork_rng():
        torch.manual_seed(123)
        torchvision.models.vgg16(weights=None, init_weights=False)
        for channels in (64, 128, 256, 512, 512):
            nn.Conv2d(channels, 1, 1, bias=False)
        a, b = (torch.rand(10, 3, 100, 100) * 2 - 1 for _ in range(2))
    distance = lpips(features.trunk("vgg16"), features.lpips_heads("vgg"), a, b).mean()
    assert f"{distance:.4f}" == "0.3493"


@pytest.mark.parametrize(("net", "name"), [("alex", "alexnet"), ("vgg", "vgg16")])
def test_lpips_is_torchmetrics_own_on_the_same_published_numbers(net, name, tmp_path, monkeypatch):
    """The library, unchanged, in a torch cache of the test's own: torch.hub finds the published files there and downloads nothing."""
    need(name, f"lpips-{net}")
    hub = {"alexnet": "alexnet-owt-7be5be79.pth", "vgg16": "vgg16-397923af.pth"}[name]
    values = weights.tensors(name)
    with torch.device("meta"):
        whole = getattr(torchvision.models, name)().state_dict()
    # LPIPS has no use for the classifier: one stored zero, shown at every shape
    values = {k: values.get(k, torch.zeros(1).expand(v.shape)) for k, v in whole.items()}
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(values, tmp_path / "hub" / "checkpoints" / hub)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    from torchmetrics.functional.image.lpips import learned_perceptual_image_patch_similarity as reference

    a, b = (noise(3, 3, 72, 65, seed=s).float() / 127.5 - 1 for s in (1, 2))
    b[2] = a[2]
    want = reference(a, b, net_type=net, reduction="none").flatten()
    have = lpips(features.trunk(name), features.lpips_heads(net), a, b)
    torch.testing.assert_close(have, want, rtol=1e-5, atol=1e-6)
    assert have[2] == 0 and have[0] > 0.05


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_lpips_heads_are_weights_of_a_sum_of_squares(net, monkeypatch):
    need(f"lpips-{net}", {"alex": "alexnet", "vgg": "vgg16"}[net])
    heads = features.lpips_heads(net)
    assert [len(h) for h in heads] == {"alex": [64, 192, 384, 256, 256], "vgg": [64, 128, 256, 512, 512]}[net]
    assert all((h >= 0).all() and h.dim() == 1 for h in heads)
    known = weights.available
    monkeypatch.setattr(weights, "available", lambda name: known(name) and not name.startswith("lpips"))
    assert all(
        torch.equal(a, b) for a, b in zip(heads, features.lpips_heads(net), strict=True)
    )  # from beside the trunk


def test_lpips_has_no_heads_for_others():
    with pytest.raises(UsageError, match="no heads for squeeze"):
        features.lpips_heads("squeeze")


# ----------------------------------------------------------------------------------------------------------------- trunks


@pytest.mark.parametrize("name", ["vgg16", "vgg19", "alexnet"])
def test_layer_names_point_at_torchvision_s_layers(name):
    with torch.device("meta"):
        own = getattr(torchvision.models, name)().features
    kinds = {"conv": nn.Conv2d, "relu": nn.ReLU, "pool": nn.MaxPool2d}
    places = features._layers(name)
    assert all(isinstance(own[place], kinds[layer[:4]]) for layer, place in places.items())
    assert sorted(set(range(len(own))) - set(places.values())) == ([2, 5, 12] if name == "alexnet" else [])


def test_vgg19_gives_the_maps_of_torchvision_s(monkeypatch):
    """On random numbers: no package carries VGG19's."""
    with torch.device("meta"):
        own = torchvision.models.vgg19()
    values = randomly(own.features)
    layers = ("relu1_2", "conv2_2", "relu5_4", "pool5", "relu3_1")
    net = features.Pyramid("vgg19", layers, {f"features.{k}": v for k, v in values.items()})
    own.features.load_state_dict(values, assign=True)
    for layer in own.features:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    image = noise(1, 3, 40, 33).float() / 127.5 - 1
    x = torchvision.transforms.Normalize(*features.IMAGENET)((image + 1) / 2)
    at = {3: "relu1_2", 7: "conv2_2", 35: "relu5_4", 36: "pool5", 11: "relu3_1"}
    with torch.no_grad():
        want = {}
        for place, layer in enumerate(own.features):
            x = layer(x)
            want[at.get(place, "")] = x
        for layer, have in zip(layers, net(image), strict=True):
            torch.testing.assert_close(have, want[layer], rtol=1e-4, atol=1e-5)


def test_a_trunk_s_gradient_reaches_the_picture_and_nothing_else():
    net = features.Pyramid("alexnet", ("conv2", "relu2"))
    image = torch.zeros(1, 3, 64, 64, requires_grad=True)
    before, after = net.train()(image)
    assert torch.equal(before.relu(), after)  # the map before a relu was not overwritten by it
    after.sum().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in net.parameters()) and not net.training


def test_trunks_say_what_they_do_not_know():
    with pytest.raises(UsageError, match="no layer relu1_9"):
        features.Pyramid("vgg16", ("relu1_9",))
    with pytest.raises(UsageError, match="no layers"):
        features.Pyramid("vgg16", ())
    with pytest.raises(UsageError, match="no trunk named vgg99"):
        features.trunk("vgg99")  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------- extractors


def test_efficientnet_lite0_is_timm_s_on_the_published_numbers():
    import timm

    need("efficientnet-lite0")
    ours = features.extractor("efficientnet-lite0")
    theirs = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    published = weights.tensors("efficientnet-lite0")
    assert len(published) == len(theirs.state_dict()) == 296
    theirs.load_state_dict(dict(zip(theirs.state_dict(), published.values(), strict=True)))
    images = noise(2, 3, 224, 224)
    with torch.no_grad():
        x = (images.float() - 127) / 128
        pooled = theirs.forward_head(theirs.forward_features(x), pre_logits=True)
        torch.testing.assert_close(ours(images), pooled, rtol=1e-4, atol=1e-5)
        odd = F.interpolate(x, (97, 130))  # SAME padding differs between odd and even sizes
        pooled = theirs.forward_head(theirs.forward_features(odd), pre_logits=True)
        torch.testing.assert_close(ours.network(odd), pooled, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours.network.classify(pooled), theirs(odd), rtol=1e-4, atol=1e-5)
    assert not ours.standard and ours.sha256 == weights.CARDS["efficientnet-lite0"].sha256


def test_dinov2_is_timm_s_on_the_same_tensors():
    import timm

    with torch.device("meta"):
        small = features.DinoV2(grid=4)
    values = randomly(small)
    small.load_state_dict(values, assign=True)
    theirs = timm.create_model("vit_small_patch14_dinov2", pretrained=False, img_size=56, num_classes=0).eval()
    theirs.load_state_dict(values)
    x = noise(2, 3, 56, 56).float() / 60 - 2
    with torch.no_grad():
        torch.testing.assert_close(small(x), theirs(x), rtol=1e-3, atol=1e-4)


def test_dinov2_is_as_large_as_the_published_file():
    """mask_token (384 numbers) is in the file and not in the network; the rest of the file is its zip and names."""
    with torch.device("meta"):
        numbers = sum(v.numel() for v in features.DinoV2().state_dict().values()) + 384
    assert 0 < weights.CARDS["dinov2-vits14"].bytes - 4 * numbers < 60_000


def test_dinov2_position_embedding_moves_to_another_grid():
    with torch.device("meta"):
        net = features.DinoV2(dim=6, depth=1, heads=1, grid=37)
    net.load_state_dict(randomly(net), assign=True)
    assert torch.equal(net._places(37, 37), net.pos_embed)
    net.pos_embed.data[:, 1:] = torch.arange(6.0)
    moved = net._places(16, 16)
    assert moved.shape == (1, 257, 6)
    torch.testing.assert_close(moved[:, 1:], torch.arange(6.0).expand(1, 256, 6))  # a constant stays
    rows = torch.arange(37.0)[:, None].expand(37, 37).reshape(1, -1, 1)
    net.pos_embed.data[:, 1:] = rows
    moved = net._places(16, 10)[:, 1:, 0].view(16, 10)
    # cell i's centre (i + 0.5) lies at (i + 0.5) * 37 / 16.1 - 0.5 of the old rows, away from the border
    want = ((torch.arange(16) + 0.5) * 37 / 16.1 - 0.5)[:, None].expand(16, 10)
    torch.testing.assert_close(moved[1:-1], want[1:-1], rtol=1e-3, atol=0.05)


def test_dinov2_extractor_drops_the_mask_token_and_takes_the_rest():
    with torch.device("meta"):
        shapes = features.DinoV2()
    values = {**randomly(shapes), "mask_token": torch.zeros(1, 384)}
    net = features.build("dinov2-vits14", values)
    assert net(noise(1, 3, 40, 30)).shape == (1, net.dim) == (1, 384)
    with pytest.raises(RuntimeError, match="register_tokens"):
        features.build("dinov2-vits14", {**values, "register_tokens": torch.zeros(1, 4, 384)})


@pytest.fixture(scope="module")
def random_inception() -> dict[str, Tensor]:
    """Inception's shapes with random numbers: no package carries the real ones."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Empty(FeatureExtractorInceptionV3):
        def load_state_dict(self, *_, **__):
            return None

    nothing = io.BytesIO()
    torch.save({}, nothing)
    nothing.seek(0)
    return randomly(Empty("inception-v3-compat", ["2048"], feature_extractor_weights_path=nothing))


def test_inception_is_torch_fidelity_s_and_never_called_standard_without_its_file(random_inception, tmp_path):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    path = tmp_path / "inception.pth"
    torch.save(random_inception, path)
    theirs = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path))
    before = torch.get_rng_state()
    ours = features.build("inception-2015", random_inception)
    assert torch.equal(torch.get_rng_state(), before)
    images = noise(2, 3, 32, 48)
    have = ours(images)
    assert torch.equal(have, theirs(images)[0])
    assert have.shape == (2, ours.dim) == (2, 2048) and have.std() > 0
    assert not ours.standard
    with pytest.raises(ModelError, match="refused unread"):  # nor can a file talk its way in
        features.extractor("inception-2015", path=path)
    numbers = sum(v.numel() * v.element_size() for v in random_inception.values())
    assert 0 < weights.CARDS["inception-2015"].bytes - numbers < 150_000  # the published file is exactly as large


def test_standard_means_that_one_file():
    card = weights.CARDS["inception-2015"]
    nothing = nn.Identity()
    assert features.Extractor("inception-2015", nothing, 2048, nothing, "", card.sha256).standard
    assert not features.Extractor("inception-2015", nothing, 2048, nothing, "", "0" * 64).standard
    assert not features.Extractor("resnet18", nothing, 2048, nothing, "", card.sha256).standard


def test_resnet18_is_torchvision_s_without_its_last_layer():
    with torch.device("meta"):
        theirs = torchvision.models.resnet18()
    values = randomly(theirs)
    ours = features.build("resnet18", values)
    theirs.load_state_dict({k: v.clone() for k, v in values.items()}, assign=True)
    images = noise(2, 3, 224, 224)
    x = torchvision.transforms.Normalize(*features.IMAGENET)(images.float() / 255)
    with torch.no_grad():
        torch.testing.assert_close(ours.network.fc(ours(images)), ours(images))
        torch.testing.assert_close(theirs.fc(ours(images)), theirs.eval()(x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("name", "dim"), [("vgg16", 512), ("alexnet", 256), ("efficientnet-lite0", 1280)])
def test_an_extractor_is_a_fixed_function_of_each_picture(name, dim):
    need(name)
    net = features.extractor(name).train()
    images = noise(3, 3, 50, 70)
    together = net(images)
    assert together.shape == (3, dim) == (3, net.dim) and together.dtype == torch.float32
    assert not together.requires_grad and not net.training and net.resize
    alone = torch.cat([net(image[None]) for image in images])
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)  # neighbours in a batch do not matter
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(net(images), together)  # nor the caller's precision
    assert (together[0] - together[1]).abs().max() > 0


def test_preparing_keeps_flat_pictures_flat_and_does_not_alias():
    prepare = features.Prepare(224, *features.IMAGENET)
    mean, std = (torch.tensor(part)[:, None, None] for part in features.IMAGENET)
    for size in (32, 224, 500):
        flat = torch.full((1, 3, size, size), 200, dtype=torch.uint8)
        torch.testing.assert_close(
            prepare(flat), ((200 / 255 - mean) / std).expand(1, 3, 224, 224), rtol=1e-5, atol=1e-5
        )
    fine = torch.zeros(1, 3, 896, 896, dtype=torch.uint8)
    fine[..., ::4] = 255  # stripes of one pixel in four, four to a new pixel: a quarter grey, not stripes and not black
    grey = prepare(fine)[..., 8:-8, 8:-8] * std + mean
    assert (grey - 0.25).abs().max() < 0.01


@pytest.mark.parametrize(
    "images",
    [torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.zeros(3, 8, 8, dtype=torch.uint8),
     torch.zeros(1, 3, 0, 8, dtype=torch.uint8)],
)  # fmt: skip
def test_an_extractor_refuses_what_is_not_8_bit_rgb(images):
    net = features.Extractor("resnet18", nn.Flatten(), 3, nn.Identity(), "")
    with pytest.raises(UsageError, match="8-bit RGB"):
        net(images)


def test_misspelt_and_wrong_extractors(tmp_path):
    with pytest.raises(UsageError) as error:
        features.extractor("inception")
    assert "inception-2015" in error.value.fix
    need("efficientnet-lite0")
    with pytest.raises(ModelError, match="refused unread"):
        features.extractor("resnet18", path=weights.locate("efficientnet-lite0"))


def test_best_available_prefers_the_standard_and_says_so_if_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("LIANPU_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="no feature extractor"):
        features.best_available()
    for name in reversed(features.EXTRACTORS):
        content = name.encode()
        source = weights.Source(f"{name}.pth", len(content), __import__("hashlib").sha256(content).hexdigest())
        monkeypatch.setitem(weights.CARDS, name, weights.Card(name, "", "", "", "", (source,)))
        (tmp_path / source.file).write_bytes(content)
        assert features.best_available() == name


# ------------------------------------------------------------------------------------------- what translation losses compare


@pytest.fixture(scope="module")
def untaught() -> features.Perceptual:
    return features.perceptual("random")


def sizes(maps: list[Tensor]) -> Tensor:
    return torch.stack([x.square().mean().sqrt() for x in maps])


def masks_of(folder: Path) -> Tensor:
    read = [
        torchvision.io.decode_image(str(path), torchvision.io.ImageReadMode.RGB)
        for path in sorted(folder.rglob("*.png"))
    ]
    return torch.stack(read[:16]) / 127.5 - 1


def test_perceptual_maps_of_vgg16_are_its_own_but_for_their_size(drawn):
    need("vgg16")
    net = features.perceptual("vgg16")
    assert (net.name, net.sha256) == ("vgg16", features.trunk("vgg16").sha256) and net.sha256
    pictures = masks_of(drawn)
    own = features.trunk("vgg16", ("relu1_2", "relu2_2", "relu3_2", "relu4_2", "relu5_2"))(pictures)
    with torch.no_grad():
        for x, y in zip(net(pictures), own, strict=True):
            assert 0.1 < x.sum() / y.sum() < 1
            torch.testing.assert_close(x, y * (x.sum() / y.sum()), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["vgg16", "random"])
def test_perceptual_maps_are_of_size_one_on_what_they_were_measured_and_nearly_on_masks(name, drawn, untaught):
    if name != "random":
        need(name)
    net = untaught if name == "random" else features.perceptual(name)
    with torch.no_grad():
        torch.testing.assert_close(sizes(net(features._discs(16, 64))), torch.ones(5))
        on_masks = sizes(net(masks_of(drawn)))
    assert (on_masks > 0.7).all() and (on_masks < 1.45).all(), on_masks


def test_perceptual_maps_do_not_depend_on_how_large_a_trunk_s_numbers_are(untaught):
    """A layer without biases, three times as large, makes what follows three times as large; the losses see nothing of it."""
    values = features._random_vgg19()
    values["features.5.weight"] = 3 * values["features.5.weight"]
    larger = features.Perceptual("random", "vgg19", values)
    pictures = features._discs(2, 32)
    with torch.no_grad():
        for a, b in zip(larger(pictures), untaught(pictures), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_perceptual_maps_have_gradients_for_pictures_and_five_levels(untaught):
    pictures = features._discs(2, 32).requires_grad_()
    levels = untaught(pictures)
    assert [tuple(x.shape) for x in levels] == [
        (2, 64, 32, 32), (2, 128, 16, 16), (2, 256, 8, 8), (2, 512, 4, 4), (2, 512, 2, 2)
    ]  # fmt: skip
    assert untaught.layers[untaught.deep] == "relu4_2" and len(untaught.balance) == 5
    for level in levels:
        (gradient,) = torch.autograd.grad(level.sum(), pictures, retain_graph=True)
        assert gradient.isfinite().all() and gradient.abs().max() > 0
    assert not any(parameter.requires_grad for parameter in untaught.parameters())


def test_an_untaught_vgg_needs_no_file_and_is_always_the_same(untaught, tmp_path, monkeypatch):
    monkeypatch.setenv("LIANPU_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    again = features.perceptual("random")
    assert torch.equal(torch.get_rng_state(), before)
    assert (again.name, again.sha256) == ("random", "")
    with torch.no_grad():
        for a, b in zip(again(features._discs(2, 32)), untaught(features._discs(2, 32)), strict=True):
            assert torch.equal(a, b)


def test_an_untaught_vgg_can_be_costed_on_the_meta_device(untaught):
    with torch.device("meta"):
        net = features.perceptual("random")
        torch.testing.assert_close(net.gains, untaught.gains)  # its numbers are numbers, wherever others are made
        net.to("meta")
        pictures = torch.empty(2, 3, 16, 16, requires_grad=True)
        levels = net(pictures)
    assert all(level.is_meta for level in levels)
    assert torch.autograd.grad(levels[-1].sum(), pictures)[0].shape == pictures.shape


def test_auto_prefers_the_seed_s_vgg19_then_vgg16_then_random_numbers(tmp_path, monkeypatch):
    monkeypatch.setenv("LIANPU_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert features.perceptual_name() == "random"
    for name in ("vgg16", "vgg19"):
        content = name.encode()
        source = weights.Source(f"{name}.pth", len(content), __import__("hashlib").sha256(content).hexdigest())
        monkeypatch.setitem(weights.CARDS, name, weights.Card(name, "", "", "", "", (source,)))
        (tmp_path / source.file).write_bytes(content)
        assert features.perceptual_name() == name
    assert features.perceptual_name("vgg16") == "vgg16"
    with pytest.raises(UsageError, match="no perceptual features named vgg") as error:
        features.perceptual("vgg17")
    assert "vgg1" in error.value.fix


def test_a_named_vgg_whose_weights_are_not_here_is_not_replaced_in_silence(tmp_path, monkeypatch):
    monkeypatch.setenv("LIANPU_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="vgg19"):
        features.perceptual("vgg19")
