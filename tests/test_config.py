"""Options: misspelt keys get a did-you-mean, values are checked, and what is written reads back the same."""

from __future__ import annotations

import dataclasses

import pytest

from lianpu import recipes
from lianpu.config import CocosNetConfig, SpadeConfig, StyleGAN2Config, TrainConfig, from_dict, override, to_dict
from lianpu.errors import LianpuError, UsageError


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_every_recipe_round_trips(name):
    config = recipes.RECIPES[name].config
    assert from_dict(TrainConfig, to_dict(config)) == config


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


SIZES = [getattr(kind, size)() for kind in (CocosNetConfig, SpadeConfig) for size in ("paper", "small", "nano")]


@pytest.mark.parametrize("config", SIZES, ids=lambda c: f"{type(c).__name__} {c.resolution}")
def test_translators_sizes_round_trip(config):
    assert from_dict(type(config), to_dict(config)) == config


def test_translators_paper_sizes_are_the_defaults():
    """The widths of both papers at 256 pixels: 1024 channels at 8 and 16, 64 at the end; descriptors of 9 x 256 at 64 x 64."""
    c = CocosNetConfig()
    assert c == CocosNetConfig.paper() and SpadeConfig() == SpadeConfig.paper() and SpadeConfig.paper(vae=True).vae
    assert [c.channels(r) for r in (8, 16, 32, 64, 128, 256)] == [1024, 1024, 512, 256, 128, 64]
    assert (c.match_kernel, c.feature_width, c.descriptor, c.warp_stride, c.temperature) == (3, 256, 0, 4, 0.01)


@pytest.mark.parametrize("kind", [CocosNetConfig, SpadeConfig])
@pytest.mark.parametrize(
    "setting",
    [
        "resolution=100",
        "resolution=8",
        "resolution=2048",
        "condition_channels=0",
        "width=100000",
        "width_max=0",
        "hidden=0",
        "discriminator_layers=1",
        "discriminator_layers=99",
        "discriminator_scales=0",
    ],
)
def test_translators_refuse_nonsense(kind, setting):
    """A model file is untrusted: nothing in it may exhaust memory."""
    with pytest.raises(UsageError):
        override(kind(), [setting])


@pytest.mark.parametrize(
    "setting",
    [
        "encoder_width=0",
        "encoder_max=99999",
        "encoder_blocks=0",
        "feature_width=0",
        "trunk_blocks=99",
        "match_kernel=5",
        "descriptor=-1",
        "warp_stride=3",
        "temperature=0",
        "temperature=nan",
    ],
)
def test_cocosnet_refuses_nonsense(setting):
    with pytest.raises(UsageError):
        override(CocosNetConfig(), [setting])


@pytest.mark.parametrize("setting", ["z_dim=0", "style_width=99999"])
def test_spade_refuses_nonsense(setting):
    with pytest.raises(UsageError):
        override(SpadeConfig(), [setting])


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
        StyleGAN2Config,
        config.AugmentConfig,
        TrainConfig,
        config.PaintingConfig,
        CocosNetConfig,
        SpadeConfig,
    ):
        inherited = {
            f.name for base in kind.__bases__ if dataclasses.is_dataclass(base) for f in dataclasses.fields(base)
        }
        for field in dataclasses.fields(kind):
            if field.name in inherited:
                continue
            lines = source[source.index(f"class {kind.__name__}") :].split("\n")
            at = next(i for i, line in enumerate(lines) if line.startswith(f"    {field.name}: "))
            assert lines[at + 1].strip().startswith('"""') or field.name in ("net", "augment"), (
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
