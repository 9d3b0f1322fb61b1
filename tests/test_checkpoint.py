"""Model files from strangers: loaded only when exactly what their json says, refused with a reason otherwise, never unpickled."""

from __future__ import annotations

import json
import math
import os
import pickle
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lianpu import checkpoint
from lianpu.checkpoint import Model
from lianpu.config import CocosNetConfig, SpadeConfig, StyleGAN2Config, to_dict
from lianpu.errors import ModelError
from lianpu.nets.stylegan2 import Discriminator, Generator

CONFIG = StyleGAN2Config(resolution=16, channel_base=128, channel_max=8, z_dim=8, w_dim=8, mapping_layers=2, classes=2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "脸谱 model"
    checkpoint.save_model(
        path,
        Generator(CONFIG),
        Model("stylegan2", to_dict(CONFIG), ["red", "blue"], 1234, "toy", {"rights": "known"}),
        discriminator=Discriminator(CONFIG),
    )
    return path


def rewrite(folder: Path, **changes: object) -> None:
    values = json.loads((folder / "model.json").read_text("utf-8"))
    (folder / "model.json").write_text(json.dumps({**values, **changes}), "utf-8")


def retensor(folder: Path, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def test_round_trip_keeps_every_number(folder):
    network, model = checkpoint.load_model(folder)
    torch.manual_seed(0)
    for (name, loaded), original in zip(
        network.state_dict().items(), Generator(CONFIG).state_dict().values(), strict=True
    ):
        assert torch.equal(loaded, original), name
    assert (model.classes, model.images_seen, model.recipe) == (["red", "blue"], 1234, "toy")
    assert not network.training
    assert checkpoint.load_discriminator(folder) is not None


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_whoever_may_read_the_json_may_read_the_weights(folder, tmp_path):
    checkpoint.save_state(tmp_path / "state", {"x": torch.zeros(1)}, {})
    for path in (*folder.iterdir(), *(tmp_path / "state").iterdir()):
        assert path.stat().st_mode == (folder / "model.json").stat().st_mode, path.name


def test_half_precision_is_half_the_size_and_computes_in_float32(folder, tmp_path):
    network, model = checkpoint.load_model(folder)
    half = tmp_path / "half"
    checkpoint.save_model(half, network, model, dtype=torch.float16)
    assert (half / "model.safetensors").stat().st_size < 0.6 * (folder / "model.safetensors").stat().st_size
    loaded, _ = checkpoint.load_model(half)
    for (name, a), b in zip(loaded.state_dict().items(), network.state_dict().values(), strict=True):
        assert a.dtype == b.dtype
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3, msg=name)


def test_all_ways_to_name_a_model(folder):
    for name in (folder, str(folder), folder / "model.safetensors"):
        assert checkpoint.find_model(name) == folder
    shutil.copytree(folder, folder.parent / "run" / "model")
    assert checkpoint.find_model(folder.parent / "run") == folder.parent / "run" / "model"


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("pickle-was-run"),))


@pytest.mark.parametrize("name", ["model.safetensors", "discriminator.safetensors"])
def test_a_pickle_named_safetensors_is_refused_unread(name, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (folder / name).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ModelError, match="not a readable safetensors"):
        checkpoint.load_model(folder) if name.startswith("model") else checkpoint.load_discriminator(folder)
    assert not Path("pickle-was-run").exists()


@pytest.mark.parametrize("ending", [".pkl", ".pt", ".ckpt"])
def test_a_pickle_is_no_model(ending, tmp_path):
    (tmp_path / f"network{ending}").write_bytes(pickle.dumps({}))
    with pytest.raises(ModelError, match=r"not a lianpu model(.|\n)*never read"):
        checkpoint.load_model(tmp_path / f"network{ending}")


@pytest.mark.parametrize("keep", [0, 4, 7, 100, 0.5, -1])
def test_truncated_safetensors(keep, folder):
    path = folder / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(ModelError, match="not a readable safetensors"):
        checkpoint.load_model(folder)


@pytest.mark.parametrize(
    "header",
    [
        (2**40).to_bytes(8, "little") + b"{}",
        b"\xff" * 8 + b"{}",
        (2).to_bytes(8, "little") + b"{",
        len(b := b'{"x":{"dtype":"F32","shape":[9999999999],"data_offsets":[0,4]}}').to_bytes(8, "little")
        + b
        + b"0000",
        len(
            b
            := b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
        ).to_bytes(8, "little")
        + b
        + b"0000",
    ],
)
def test_hostile_headers(header, folder):
    (folder / "model.safetensors").write_bytes(header)
    with pytest.raises(ModelError):
        checkpoint.load_model(folder)


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_not_finite_weights(poison, folder):
    retensor(folder, lambda t: t["mapping.w_avg"].view(-1)[:1].fill_(poison))
    with pytest.raises(ModelError, match=r"mapping\.w_avg holds NaN or infinity"):
        checkpoint.load_model(folder)


def test_wrong_shape_missing_and_extra_tensors(folder):
    good = (folder / "model.safetensors").read_bytes()
    retensor(folder, lambda t: t.update({"mapping.w_avg": torch.zeros(3, 3)}))
    with pytest.raises(ModelError, match=r"w_avg has shape \(3, 3\)"):
        checkpoint.load_model(folder)
    (folder / "model.safetensors").write_bytes(good)
    retensor(folder, lambda t: t.pop("mapping.w_avg"))
    with pytest.raises(ModelError, match="1 tensors are missing"):
        checkpoint.load_model(folder)
    (folder / "model.safetensors").write_bytes(good)
    retensor(folder, lambda t: t.update(stranger=torch.zeros(1)))
    with pytest.raises(ModelError, match="stranger"):
        checkpoint.load_model(folder)


def test_integers_where_floats_belong(folder):
    retensor(folder, lambda t: t.update({"mapping.w_avg": t["mapping.w_avg"].to(torch.int64)}))
    with pytest.raises(ModelError, match="int64"):
        checkpoint.load_model(folder)


def test_other_weights_under_the_same_json(folder):
    retensor(folder, lambda t: t["mapping.w_avg"].add_(1))
    with pytest.raises(ModelError, match="SHA-256 differs"):
        checkpoint.load_model(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("channel_max", 10**9),
        ("channel_base", 10**12),
        ("resolution", 2**30),
        ("resolution", 48),
        ("mapping_layers", 10**6),
        ("z_dim", -1),
        ("classes", 10**9),
        ("g_architecture", "../../etc/passwd"),
        ("kanal_max", 3),
        ("channel_max", "many"),
    ],
)
def test_hostile_configurations_allocate_nothing(key, value, folder):
    rewrite(folder, config={**to_dict(CONFIG), key: value})
    with pytest.raises(ModelError, match=r"configuration in model.json is refused"):
        checkpoint.load_model(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"kind": "cocosnett"}, r"unknown kind(.|\n)*cocosnet"),
        ({"schema": 99}, "newer lianpu"),
        ({"kind": None}, "kind: Input should be a valid string"),
        ({"config": []}, "config: Input should be an object"),
        ({"config": {**to_dict(CONFIG), "classes": 0}}, "its classes are not 0 different plain names"),
        ({"data": None}, "data: Input should be an object"),
        ({"images_seen": "many"}, "images_seen: Input should be"),
        ({"schema": "x"}, "schema: Input should be"),
        ({"sha256": ""}, "sha256 is no SHA-256"),
        ({"sha256": None}, "sha256: Input should be"),
        ({"classes": 5}, "classes: Input should be"),
        ({"classes": ["red"]}, "not 2 different plain names"),
        ({"classes": ["red", "red"]}, "not 2 different plain names"),
        ({"classes": ["red", "x/../../../escaped"]}, "not 2 different plain names"),
        ({"classes": ["red", "C:blue"]}, "not 2 different plain names"),
        ({"classes": ["red", "..\\blue"]}, "not 2 different plain names"),
        ({"classes": ["red", ""]}, "not 2 different plain names"),
    ],
)
def test_hostile_model_json(change, says, folder):
    rewrite(folder, **change)
    with pytest.raises(ModelError, match=says):
        checkpoint.load_model(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "null", '{"kind": "stylegan2"}', " " * (1 << 21)])
def test_json_that_is_not_ours(text, folder):
    (folder / "model.json").write_text(text)
    with pytest.raises(ModelError):
        checkpoint.load_model(folder)


def test_a_model_that_is_replaced_while_it_is_read_is_read_again(folder, tmp_path):
    """As `generate` meets it on a run in training."""
    run = tmp_path / "run"
    shutil.copytree(folder, run / "model")
    rewrite(run / "model", sha256="0" * 64)
    (run / ".pid").write_text("1")

    def replaced() -> None:
        shutil.rmtree(run / "model")
        shutil.copytree(folder, run / "model")

    timer = threading.Timer(0.1, replaced)
    timer.start()
    network, _ = checkpoint.load_model(run)
    timer.join()
    assert isinstance(network, Generator)
    rewrite(run / "model", sha256="0" * 64)
    (run / ".pid").unlink()
    with pytest.raises(ModelError, match="SHA-256 differs"):
        checkpoint.load_model(run)


def test_a_model_of_the_wrong_kind_is_refused_with_a_sentence(folder, monkeypatch):
    monkeypatch.setitem(checkpoint.KINDS, "translator", checkpoint.KINDS["stylegan2"])
    rewrite(folder, kind="translator")
    with pytest.raises(ModelError, match="this is a translator, and the command needs a stylegan2"):
        checkpoint.load_model(folder)


def test_a_missing_model_names_the_nearest(tmp_path, monkeypatch, folder):
    monkeypatch.setattr(checkpoint, "SHIPPED", folder.parent)
    with pytest.raises(ModelError, match="Did you mean 脸谱 model"):
        checkpoint.load_model("脸谱 modell")
    with pytest.raises(ModelError, match="holds no model"):
        checkpoint.load_model(tmp_path)


def test_unknown_rights_are_on_the_card(folder, tmp_path):
    network, model = checkpoint.load_model(folder)
    assert "unknown" not in (folder / "README.md").read_text("utf-8")
    checkpoint.save_model(tmp_path / "b", network, Model(**{**vars(model), "data": {"rights": "unknown"}}))
    assert "rights of some training pictures are unknown" in (tmp_path / "b" / "README.md").read_text("utf-8")


# ---- translators ---------------------------------------------------------------------------------------------------

COMMON = {
    "resolution": 16,
    "width": 4,
    "width_max": 8,
    "hidden": 4,
    "discriminator_width": 4,
    "discriminator_layers": 2,
}
ENCODING = {"encoder_width": 4, "encoder_max": 8, "encoder_blocks": 1, "feature_width": 6, "trunk_blocks": 1}
TRANSLATORS = {
    "cocosnet": replace(CocosNetConfig.nano(), **COMMON, **ENCODING),
    "spade": replace(SpadeConfig.nano(), **COMMON),
    "spade-vae": replace(SpadeConfig.nano(vae=True), **COMMON, z_dim=4, style_width=4),
}


def translator(name: str, path: Path) -> tuple[str, torch.nn.Module, torch.nn.Module]:
    """Saves a translator that has been used in training, so that its buffers are not the initial ones, with its discriminator."""
    torch.manual_seed(0)
    config = TRANSLATORS[name]
    kind = checkpoint.kind_of(config)
    network, discriminator = checkpoint.KINDS[kind].network(config), checkpoint.KINDS[kind].discriminator(config)
    condition, reference = torch.randn(2, 6, 16, 16), torch.rand(2, 3, 16, 16) * 2 - 1
    discriminator(condition, network(condition, reference, condition).image)
    model = Model(kind, to_dict(config), data={"rights": "known"})
    checkpoint.save_model(path, network, model, discriminator=discriminator)
    return kind, network.eval(), discriminator.eval()


@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_translator_paints_the_same_after_a_round_trip(name, tmp_path):
    kind, network, discriminator = translator(name, tmp_path / "m")
    loaded, _ = checkpoint.load_model(tmp_path / "m", kind)
    judge = checkpoint.load_discriminator(tmp_path / "m", kind)
    assert judge is not None and loaded.state_dict().keys() == network.state_dict().keys()
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in loaded.state_dict().items())
    condition, reference = torch.randn(2, 6, 16, 16), torch.rand(2, 3, 16, 16) * 2 - 1
    image = network(condition, reference, condition).image
    assert torch.equal(loaded(condition, reference, condition).image, image)
    for maps, its in zip(judge.eval()(condition, image), discriminator(condition, image), strict=True):
        assert torch.equal(maps[-1], its[-1])


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("cocosnet", "resolution", 2**30),
        ("cocosnet", "resolution", 48),
        ("cocosnet", "condition_channels", 10**9),
        ("cocosnet", "width", 10**9),
        ("cocosnet", "width_max", -1),
        ("cocosnet", "hidden", 10**9),
        ("cocosnet", "encoder_width", 10**9),
        ("cocosnet", "encoder_blocks", 10**9),
        ("cocosnet", "feature_width", 0),
        ("cocosnet", "trunk_blocks", 10**9),
        ("cocosnet", "descriptor", 10**9),
        ("cocosnet", "match_kernel", 99),
        ("cocosnet", "warp_stride", 0),
        ("cocosnet", "temperature", 0.0),
        ("cocosnet", "temperature", "cold"),
        ("cocosnet", "discriminator_scales", 10**9),
        ("cocosnet", "vae", True),
        ("spade-vae", "z_dim", 10**9),
        ("spade-vae", "style_width", 10**9),
        ("spade-vae", "vae", "yes please"),
        ("spade", "discriminator_layers", 10**9),
        ("spade", "temperature", 0.01),
    ],
)
def test_hostile_configurations_of_translators_allocate_nothing(name, key, value, tmp_path):
    kind, _, _ = translator(name, tmp_path / "m")
    rewrite(tmp_path / "m", config={**to_dict(TRANSLATORS[name]), key: value})
    with pytest.raises(ModelError, match=r"configuration in model.json is refused"):
        checkpoint.load_model(tmp_path / "m", kind)


LARGEST = {"width": 4096, "width_max": 4096, "hidden": 4096, "discriminator_width": 4096, "discriminator_layers": 6}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("cocosnet", {"encoder_width": 4096, "encoder_max": 4096, "encoder_blocks": 4}),
        ("spade-vae", {"z_dim": 4096, "style_width": 4096}),
    ],
)
def test_a_small_file_with_the_largest_configuration_is_refused_before_there_is_a_network(name, more, tmp_path):
    """Hundreds of gigabytes, if anything of it were made."""
    kind, _, _ = translator(name, tmp_path / "m")
    rewrite(tmp_path / "m", config={**to_dict(TRANSLATORS[name]), **LARGEST, **more})
    with pytest.raises(ModelError, match=r"tensors are (missing|not of this model)|has shape"):
        checkpoint.load_model(tmp_path / "m", kind)
    with pytest.raises(ModelError, match=r"tensors are (missing|not of this model)|has shape"):
        checkpoint.load_discriminator(tmp_path / "m", kind)


@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_translator_of_another_kind_does_not_fit(name, tmp_path):
    kind, _, _ = translator(name, tmp_path / "m")
    other = "cocosnet" if kind == "spade" else "spade"
    with pytest.raises(ModelError, match=f"this is a {kind}, and the command needs a {other}"):
        checkpoint.load_model(tmp_path / "m", other)
    change = next(config for key, config in TRANSLATORS.items() if key.partition("-")[0] == other)
    rewrite(tmp_path / "m", kind=other, config=to_dict(change))
    with pytest.raises(ModelError, match=r"tensors are (missing|not of this model)|has shape"):
        checkpoint.load_model(tmp_path / "m", other)
