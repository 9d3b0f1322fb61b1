"""Measures of identity by closed forms, with embedders whose answers are known, and the shipped one on heads it has never seen."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lianpu.errors import DataError, ModelError
from lianpu.metrics import identity
from tests.weights import need


class Angle:
    """Stands in for an embedder: a picture's first pixel is an angle in degrees."""

    name = "angle"

    def __call__(self, views):
        angles = np.radians([float(v[0, 0, 0]) for v in views])
        if angles[0] > np.radians(200):
            raise DataError("no face was found in the frontal view.")
        return np.stack([np.cos(angles), np.sin(angles)], 1)


def by_yaw(i: int, yaw: int) -> np.ndarray:
    """Face i, which embeds at |yaw| + 10 i degrees; face 3 is none."""
    return np.full((2, 2, 3), abs(yaw) + 10 * i if i != 3 else 250, np.uint8)


def test_the_cosine_is_that_of_the_angle_between_embeddings():
    cosines = identity.turned(Angle(), by_yaw, 4, (-30, 0, 60))
    for yaw in (-30, 0, 60):
        assert cosines[yaw][:3] == pytest.approx([math.cos(math.radians(yaw))] * 3)
        assert math.isnan(cosines[yaw][3])


def test_rows_say_means_the_ceiling_and_their_ratio():
    mine = {0: np.array([1.0, 1.0, 1.0]), 30: np.array([0.6, 0.8, np.nan])}
    true = {0: np.array([1.0, 1.0]), 30: np.array([0.9, 0.85])}
    rows = identity.kept(mine, true, resamples=300)
    assert [row.yaw for row in rows] == [0, 30]
    assert rows[1].cosine == pytest.approx(0.7) and rows[1].faces == 2
    assert rows[1].ceiling == pytest.approx(0.875) and rows[1].ratio == pytest.approx(0.8)
    interval = rows[1].ratio_interval
    assert interval is not None and interval.low is not None and interval.high is not None
    assert 0.6 / 0.9 - 0.01 <= interval.low < 0.8 < interval.high <= 0.8 / 0.85 + 0.01
    assert rows[0].ratio == 1 and rows[0].ratio_interval is not None and rows[0].ratio_interval.low == pytest.approx(1)
    alone = identity.kept(mine)
    assert alone[1].ceiling is None and alone[1].ratio is None
    assert identity.kept(mine, true, seed=0) == identity.kept(mine, true, seed=0)
    with pytest.raises(DataError, match="no face was found in any of 2 pictures at a yaw of 15"):
        identity.kept({15: np.array([np.nan, np.nan])})


def test_auc_is_the_share_of_rightly_ordered_pairs():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(14, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    who = rng.integers(0, 4, 14)
    alike = rows @ rows.T
    pairs = [(alike[i, j], who[i] == who[j]) for i in range(14) for j in range(i)]
    right = [(a > b) + 0.5 * (a == b) for a, same in pairs if same for b, other in pairs if not other]
    assert identity.auc(rows, who) == pytest.approx(np.mean(right))
    apart = np.eye(4)[[0, 0, 1, 1, 2, 2]]
    assert identity.auc(apart, np.array([0, 0, 1, 1, 2, 2])) == 1
    assert identity.auc(np.ones((6, 1)), np.array([0, 0, 1, 1, 2, 2])) == 0.5
    with pytest.raises(DataError, match="two views"):
        identity.auc(apart, np.arange(6))


def test_the_network_does_not_see_exposure_or_colour():
    torch.manual_seed(0)
    net = identity.Network().eval()
    picture = torch.rand(1, 3, 64, 64) * 100 + 50
    with torch.no_grad():
        assert (net(picture) @ net(picture * 1.5).T).item() > 0.999
        assert torch.allclose(net(picture), net(picture.flip(1)), atol=1e-5)


def test_learning_tells_simple_identities_apart_and_is_a_function_of_its_seed():
    rng = np.random.default_rng(1)
    patterns = rng.integers(0, 255, (6, 8, 8, 1)).repeat(8, 1).repeat(8, 2).repeat(3, 3)
    who = np.repeat(np.arange(6), 6)
    pictures = np.clip(patterns[who] + rng.normal(0, 40, (36, 64, 64, 3)), 0, 255).astype(np.uint8)
    train = np.arange(36) % 6 < 4
    one, two = (identity.learn(pictures[train], who[train], steps=40, batch=24, seed=s) for s in (0, 0))
    held = identity.Clay(one, {})(list(pictures[~train]))
    assert identity.auc(held, who[~train]) > 0.95
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_an_embedder_comes_back_from_its_file(tmp_path):
    torch.manual_seed(0)
    clay = identity.Clay(identity.Network().eval(), {"auc": 0.5})
    clay.save(tmp_path / "clay.safetensors")
    back = identity.Clay.load(tmp_path / "clay.safetensors")
    views = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3)).astype(np.uint8)
    assert back.facts == {"auc": 0.5}
    assert np.abs(clay(views) - back(views)).max() < 5e-3  # half precision
    for content in (b"", (tmp_path / "clay.safetensors").read_bytes()[:-9]):
        (tmp_path / "bad.safetensors").write_bytes(content)
        with pytest.raises(ModelError, match="not an embedder of clay heads"):
            identity.Clay.load(tmp_path / "bad.safetensors")


def test_the_shipped_embedder_knows_heads_it_has_never_seen():
    from lianpu.data.samples import heads

    clay = identity.Clay.shipped()
    assert clay.facts["auc"] > 0.85  # 0.895 of 100 held-out heads, from -60 to 60 degrees
    views = [(0, yaw / 60, 0, 0, 0, 0) for yaw in (-20, 0, 25)]
    lights = [(-0.4, 0.6, 0.4, -0.5), (-0.2, 0.5, 0.0, -0.3), (-0.5, 0.7, -0.5, -0.2)]
    rows, who = [], []
    for k in range(8):  # of a series it was neither trained nor measured on
        rows += [heads.head(909, k).see(v, l, 64).picture for v, l in zip(views, lights, strict=True)]
        who += [k] * 3
    assert identity.auc(clay(rows), np.array(who)) > 0.85


def test_true_heads_are_the_ceiling():
    show = identity.true_heads(909, 3, 48)
    assert show(0, 0).shape == (48, 48, 3)
    assert np.array_equal(show(0, 15), identity.true_heads(909, 2, 48)(1, 15))
    cosines = identity.turned(identity.Clay.shipped(), show, 2, (0, 60))
    assert cosines[0] == pytest.approx([1, 1], abs=1e-5) and max(cosines[60]) < 0.99


def test_sface_sees_clay_heads():
    need("sface", "mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet")
    embed = identity.Photographic()
    cosines = identity.turned(embed, identity.true_heads(909, 0, 128), 2, (0, 15, 45))
    assert cosines[0] == pytest.approx([1, 1], abs=1e-4)
    assert all(cosines[15] > cosines[45])
    with pytest.raises(DataError, match="no face"):
        embed([np.zeros((64, 64, 3), np.uint8)])
