"""Options: misspelt keys get a did-you-mean, values are checked, and what is written reads back the same."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter

import pytest

from lianpu import recipes
from lianpu.config import (
    CocosNetConfig,
    SpadeConfig,
    StyleGAN2Config,
    TrainConfig,
    TranslateConfig,
    from_dict,
    override,
    run_from_dict,
    to_dict,
)
from lianpu.errors import LianpuError, UsageError


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_every_recipe_round_trips(name):
    config = recipes.RECIPES[name].config
    assert run_from_dict(json.loads(json.dumps(to_dict(config)))) == config


def test_yan2023_follows_the_seed():
    for name in ("stylegan2", "ada", "apa", "diffusion"):
        c = recipes.find(f"yan2023-{name}").config
        assert (c.net.resolution, c.batch, c.augment.interval) == (256, 64, 4)  # r_t over 4 x 64 pictures
    assert recipes.find("yan2023-ada").config.augment.transforms == "bgcfnc"  # 18 transforms
    assert 0 < recipes.find("yan2023-ada").config.augment.p_max < 1  # p in [0, 1)
    assert recipes.find("yan2023-diffusion").config.net.time == "label"
    assert "not run" in recipes.find("yan2023-ada").cost


def test_misspelt_recipe_and_keys_get_a_hint():
    with pytest.raises(UsageError, match="Did you mean tiny-64-ada"):
        recipes.find("tiny64-ada")
    with pytest.raises(UsageError, match=r"unknown option augment\.taget(.|\n)*target"):
        override(TrainConfig(), ["augment.taget=0.5"])
    with pytest.raises(UsageError, match=r"unknown option kmig(.|\n)*kimg"):
        override(TrainConfig(), ["kmig=3"])
    with pytest.raises(UsageError, match="unknown option lr_gg"):
        from_dict(TrainConfig, {"lr_gg": 1})


def test_settings_change_what_they_say_and_nothing_else():
    changed = override(TrainConfig(), ["augment.target=0.5", "batch=16", "mirror=false", "net.g_architecture=resnet"])
    assert changed == dataclasses.replace(
        TrainConfig(),
        batch=16,
        mirror=False,
        augment=dataclasses.replace(TrainConfig().augment, target=0.5),
        net=dataclasses.replace(TrainConfig().net, g_architecture="resnet"),
    )


@pytest.mark.parametrize(
    "setting",
    [
        "batch",
        "batch=many",
        "batch=-1",
        "net.resolution=100",
        "net.resolution=2048",
        "net=3",
        "augment.mode=adda",
        "kimg=0",
        "batch=18",
        "net.channel_base=8",
        "augment.target=7",
        "augment.interval=0",
        "net.nope.nope=1",
        "r1_every=0",
        "samples=0",
        "data_workers=-1",
        "kimg=inf",
        "kimg=nan",
        "lr_g=-1",
        "style_mixing=7",
        "ema_kimg=-1",
        "r1_gamma=-1",
        "freeze_d=99",
        "augment.speed_kimg=nan",
        "augment.beta_end=1",
    ],
)
def test_nonsense_is_refused(setting):
    with pytest.raises(UsageError):
        override(TrainConfig(), [setting])


SPADE = recipes.find("tiny-64-spade-vae").config


@pytest.mark.parametrize(
    ("base", "setting", "says"),
    [
        (TranslateConfig(), "weights.featt=1", r"unknown option weights\.featt(.|\n)*feat"),
        (TranslateConfig(), "net.vae=true", r"unknown option net\.vae"),
        (TranslateConfig(), "net=spade", "net must be a group of options"),
        (TranslateConfig(), "net.temperature=hot", r"option net\.temperature: .*\(got 'hot'\)"),
        (TranslateConfig(), "weights.kl=1", r"weights\.kl needs an encoder"),
        (TranslateConfig(), "weights.adv=-1", r"weights\.adv is -1\.0, outside"),
        (TranslateConfig(), "weights.adv=nan", r"weights\.adv is nan, outside"),
        (TranslateConfig(), "features=vgg11", "option features"),
        (TranslateConfig(), "lr_g=2", "lr_g is 2"),
        (SPADE, "weights.reg=1", r"SPADE finds none(.|\n)*-s weights\.domain=0"),
        (SPADE, "net.vae=false", r"weights\.kl needs an encoder"),
        (SPADE, "net.temperature=1", r"unknown option net\.temperature"),
    ],
)
def test_quarrels_and_nonsense_of_a_translator_are_named(base, setting, says):
    with pytest.raises(UsageError, match=says):
        override(base, [setting])


def test_which_of_several_configurations_is_meant_is_told_by_the_keys():
    values = to_dict(TranslateConfig())
    assert isinstance(run_from_dict({"lr_g": 1e-4, "pairs": {}}), TranslateConfig)
    assert isinstance(run_from_dict({"r1_gamma": 1.0}), TrainConfig)
    del values["net"]["attention"]  # of a run whose lianpu did not know it yet
    assert isinstance(from_dict(TranslateConfig, values).net, CocosNetConfig)
    assert from_dict(TranslateConfig, {"net": {"vae": True}, **NOT_OF_SPADE}).net == SpadeConfig(vae=True)
    with pytest.raises(UsageError, match=r"net may be CocosNetConfig or SpadeConfig(.|\n)*given: resolution"):
        from_dict(TranslateConfig, {"net": {"resolution": 64}})
    with pytest.raises(UsageError, match="TrainConfig or TranslateConfig"):
        run_from_dict({"kimg": 1})
    with pytest.raises(UsageError, match=r"unknown option net\.tempeature(.|\n)*temperature"):
        from_dict(TranslateConfig, {"net": {"tempeature": 1, "descriptor": 64}})


NOT_OF_SPADE = {"weights": {"domain": 0, "reg": 0, "flow": 0}}


def test_style_vectors_and_channels():
    c = StyleGAN2Config(resolution=256, channel_base=16384)
    assert (c.num_ws, c.resolutions, [c.channels(r) for r in c.resolutions]) == (
        14,
        [4, 8, 16, 32, 64, 128, 256],
        [512] * 4 + [256, 128, 64],
    )


def test_gamma_heuristic():
    assert TrainConfig(net=StyleGAN2Config(resolution=64), batch=16).gamma == pytest.approx(0.0512)
    assert TrainConfig(r1_gamma=3.0).gamma == 3.0


def test_every_option_explains_itself():
    import inspect

    from lianpu import config

    source = inspect.getsource(config)
    for kind in (
        StyleGAN2Config, config.AugmentConfig, TrainConfig, config.LossWeights, config.PairSettings, TranslateConfig,
    ):  # fmt: skip
        for field in dataclasses.fields(kind):
            lines = source[source.index(f"class {kind.__name__}") :].split("\n")
            at = next(i for i, line in enumerate(lines) if line.startswith(f"    {field.name}: "))
            assert lines[at + 1].strip().startswith('"""') or field.name in ("net", "augment", "pairs", "weights"), (
                f"{kind.__name__}.{field.name}"
            )


def test_errors_have_their_own_exit_codes():
    codes = {kind.__name__: kind.exit_code for kind in LianpuError.__subclasses__()}
    assert {
        "UsageError": 2,
        "DataError": 3,
        "ModelError": 4,
        "ResourceError": 5,
        "CheckFailed": 6,
    }.items() <= codes.items()


@pytest.mark.parametrize("kimg", [1, 2, 3, 5, 6, 7, 40])
@pytest.mark.parametrize("grow_kimg", [0, 1, 3])
def test_the_stages_of_a_growing_run_are_how_often_each_size_is_shown(kimg, grow_kimg):
    net = StyleGAN2Config(resolution=64, grown_from=16)
    c = TrainConfig(net=net, kimg=kimg, grow_kimg=grow_kimg)
    shown = Counter(c.size(images) for images in range(0, kimg * 1000, 250))
    assert c.stages == {size: n / 4 for size, n in shown.items()}
