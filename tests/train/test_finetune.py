"""Fine-tuning: `--from` starts a run of any regime from a model of any other; what does not fit is said, and what the model
learned from stays on record.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from lianpu import api, checkpoint
from lianpu.errors import ModelError, UsageError
from lianpu.progress import Progress

NET = ["net.channel_base=128", "net.channel_max=16", "net.z_dim=8", "net.w_dim=8"]
SMALL = ["batch=8", "tick_kimg=0.008", "snapshot_kimg=0.008", "samples=4", "kimg=0.008"]


def train(data: Path, out: Path, recipe: str, *settings: str, **options) -> str:
    said: list[str] = []

    class Ears(Progress):
        def say(self, text: str) -> None:
            said.append(text)

    api.train(out, data=data, recipe=recipe, settings=[*SMALL, *settings], report=Ears(), device="cpu", **options)
    return "\n".join(said)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "ada"
    train(data, out, "tiny-32-ada", *NET)
    return out


@pytest.mark.parametrize("regime", ["stylegan2", "ada", "apa", "diffusion"])
def test_from_one_regime_to_any(regime, trained, data, tmp_path):
    said = train(data, tmp_path / "run", f"tiny-32-{regime}", from_model=str(trained))
    fits = regime != "diffusion"  # its discriminator also hears t
    assert f"Starting from {trained}" in said
    assert ("another regime" in said) == (not fits)
    _, model = checkpoint.load_model(tmp_path / "run")
    _, parent = checkpoint.load_model(trained)
    assert model.parent == parent.sha256
    assert model.config["time"] == ("none" if fits else "sinusoidal")


def test_the_first_average_is_the_model_not_a_step_of_it(trained, data, tmp_path):
    """Without a ramp one small batch hardly moves the average; with one, it would be overwritten."""
    train(data, tmp_path / "run", "tiny-32-ada", from_model=str(trained))
    old, _ = checkpoint.load_model(trained)
    new, _ = checkpoint.load_model(tmp_path / "run")
    moved = [(a - b).abs().max() for a, b in zip(old.parameters(), new.parameters(), strict=True)]
    assert 0 < max(moved) < 1e-3


def test_fine_tuning_begins_sharp(trained, data, tmp_path):
    """A generator that knows its shapes is not judged through the blur that new ones begin with."""
    train(data, tmp_path / "run", "tiny-32-ada", from_model=str(trained))
    begun, tuned = (json.loads((run / "config.json").read_text())["config"] for run in (trained, tmp_path / "run"))
    assert begun["blur_kimg"] > 0
    assert (tuned["blur_sigma"], tuned["blur_kimg"]) == (0, 0)


def test_a_model_whose_pictures_grew_keeps_its_discriminator(data, tmp_path):
    """It has more ways in than one of full pictures alone; fine-tuned, its pictures are full from the start."""
    growing = ["net.grown_from=8", "grow_kimg=0.004", "blur_sigma=0", "blur_kimg=0"]
    train(data, tmp_path / "grown", "tiny-32-ada", *NET, *growing)
    said = train(data, tmp_path / "run", "tiny-32-ada", from_model=str(tmp_path / "grown"))
    assert "another regime" not in said
    tuned = json.loads((tmp_path / "run" / "config.json").read_text("utf-8"))["config"]
    assert (tuned["net"]["grown_from"], tuned["grow_kimg"]) == (8, 0)


@pytest.mark.parametrize("setting", ["net.classes=7", "net.w_dim=16", "net.resolution=16"])
def test_another_generator_is_refused(setting, trained, data, tmp_path):
    with pytest.raises(UsageError, match=f"fine-tuned with {setting}"):
        train(data, tmp_path / "run", "tiny-32-ada", setting, from_model=str(trained))


def test_classes_in_another_order_are_refused(data, tmp_path):
    train(data, tmp_path / "classes", "tiny-32-ada", *NET, "net.classes=7")
    model = tmp_path / "classes" / "model" / "model.json"
    model.write_text(model.read_text("utf-8").replace('"red"', '"x"').replace('"black"', '"red"'), "utf-8")
    with pytest.raises(UsageError, match="classes are not those of the data"):
        train(data, tmp_path / "run", "tiny-32-ada", from_model=str(tmp_path / "classes"))


def test_a_damaged_discriminator_is_refused(trained, data, tmp_path):
    copy = Path(shutil.copytree(trained / "model", tmp_path / "model"))
    content = bytearray((copy / "discriminator.safetensors").read_bytes())
    content[-3] ^= 1
    (copy / "discriminator.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"discriminator\.safetensors is not the file"):
        train(data, tmp_path / "run", "tiny-32-ada", from_model=str(copy))


def test_unknown_rights_survive_a_resume(trained, data, tmp_path):
    """Learned from unknown material, stopped, resumed on known material: still learned from unknown material."""
    parent = tmp_path / "parent"
    network, model = checkpoint.load_model(trained)
    facts = model.data | {"rights": "unknown", "licences": ["CC-BY-NC-4.0"]}
    checkpoint.save_model(parent, network, checkpoint.Model("stylegan2", model.config, data=facts))
    train(data, tmp_path / "run", "tiny-32-ada", from_model=str(parent))
    train(data, tmp_path / "run", "tiny-32-ada", "kimg=0.016")
    _, made = checkpoint.load_model(tmp_path / "run")
    assert made.images_seen == 16
    assert (made.data["rights"], made.data["licences"]) == ("unknown", ["CC-BY-NC-4.0", "CC0-1.0"])


def test_frozen_blocks_stay_and_the_others_learn(trained, data, tmp_path):
    train(data, tmp_path / "run", "tiny-32-ada", "freeze_d=2", from_model=str(trained))
    old, new = (checkpoint.load_discriminator(path) for path in (trained, tmp_path / "run"))
    assert old is not None
    assert new is not None
    same = {name for name, p in new.named_parameters() if torch.equal(p, old.get_parameter(name))}
    assert same == {name for name, _ in new.named_parameters() if name.startswith(("blocks.32.", "blocks.16."))}
