"""The table says what it measured and with what; what cannot be measured has no value and a reason; nothing borrows a standard name."""

from __future__ import annotations

import json
import math
import os
import shutil
import socket

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from PIL import Image

from lianpu.errors import CheckFailed, DataError, ModelError, UsageError
from lianpu.metrics import distances, sources, suite
from lianpu.metrics.suite import METRICS, Row, evaluate
from lianpu.train.world import World
from tests.data.faces import face
from tests.metrics.rulers import Ruler, StandardRuler, paint
from tests.weights import need

FAST = {"extractors": [Ruler()], "resamples": 60}
NO_LPIPS = tuple(name for name in METRICS if name not in ("fid", "kid", "lpips", "diversity"))


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    return paint(tmp_path_factory.mktemp("generated") / "made", 24, 100)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    return paint(tmp_path_factory.mktemp("real") / "real", 30, colours=("red", "white", "black"))


@pytest.fixture(scope="module")
def rows(generated, data):
    return {row.key: row for row in evaluate(generated, data, NO_LPIPS, seed=4, **FAST)}


def test_each_metric_asked_for_has_its_row(rows):
    assert set(rows) == set(NO_LPIPS)
    for row in rows.values():
        about = METRICS[row.key]
        assert (row.better, row.group, row.seed, row.n) == (about.better, about.group, 4, 24)
        assert row.value is not None
        assert row.low <= row.value <= row.high
        assert row.extra["interval"]


def test_a_row_says_network_file_resize_and_pairs(rows):
    for key in ("fd", "kd", "precision", "recall", "density", "coverage", "memorisation"):
        row = rows[key]
        assert (row.extractor, row.extractor_sha256, row.resize) == ("ruler", Ruler().sha256, "bilinear to 32 x 32")
        assert row.metric.endswith("(ruler)"), "no standard name without the standard network"
    assert rows["fd"].metric == "FD (ruler)"
    assert "with 4 real ones drawn with seed 4, 96 pairs" in rows["ssim"].pairing
    assert rows["ms-ssim"].metric == "MS-SSIM (2 scales)"
    assert "0.1356, 0.8644" in rows["ms-ssim"].note
    assert rows["ms-ssim"].extra["reference_is"] == "among real pictures"


def test_a_row_says_what_both_sets_were(rows, data):
    of = rows["fd"].extra["reference_set"]
    assert (of["kind"], of["split"]) == ("data set", "test")
    assert of["fingerprint"] == sources.dataset(data, "test").facts["fingerprint"]


def test_below_2048_a_frechet_distance_is_warned_of_and_a_kernel_distance_stands_beside_it(generated, real):
    frechet, kernel = evaluate(generated, real, ["fd"], **FAST)
    assert (frechet.key, kernel.key) == ("fd", "kd"), "the kernel distance comes unasked"
    assert "n = 24 is below 2048" in frechet.note
    assert frechet.extra["bootstrap_bias"] > 0
    wide = evaluate(generated, real, ["fd"], extractors=[Ruler(cells=4)], resamples=20)[0]
    assert "fewer pictures than the 128 dimensions" in wide.note


def test_from_2048_on_no_warning(monkeypatch, generated, real):
    monkeypatch.setattr(suite, "SMALL", 24)
    (only,) = evaluate(generated, real, ["fd"], **FAST)
    assert only.note == ""


def test_only_the_standard_network_gives_a_fid(generated, real):
    assert [r.metric for r in evaluate(generated, real, ["fid"], extractors=[StandardRuler()], resamples=20)] == [
        "FID",
        "KID",
    ]
    with pytest.raises(UsageError, match="ruler has others"):
        evaluate(generated, real, ["fid"], **FAST)
    with pytest.raises(UsageError, match="they are called FID"):
        evaluate(generated, real, ["fd"], extractors=[StandardRuler()], resamples=20)


def test_all_without_the_standard_network_says_so_and_gives_no_fid(generated, real, monkeypatch, tmp_path):
    monkeypatch.setenv("LIANPU_WEIGHTS", str(tmp_path / "empty"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    table = {row.key: row for row in evaluate(generated, real, ["all"], **FAST)}
    assert set(table) == set(METRICS)
    for key in ("fid", "kid", "lpips", "diversity"):
        assert table[key].value is None
        assert "undefined because" in table[key].note
        assert "lianpu weights get" in table[key].note
    assert table["fd"].value is not None
    bare = {row.key: row for row in evaluate(generated, real, ["all"], resamples=20)}
    assert bare["fd"].value is bare["precision"].value is None
    assert bare["ssim"].value is not None


def test_asked_for_by_name_what_is_not_here_is_an_error(generated, real, monkeypatch, tmp_path):
    monkeypatch.setenv("LIANPU_WEIGHTS", str(tmp_path / "empty"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    for name in ("fid", "fd", "lpips", "coverage"):
        with pytest.raises(ModelError) as caught:
            evaluate(generated, real, [name])
        assert "lianpu weights get" in str(caught.value)


def test_the_real_networks_measure(generated, real):
    need("efficientnet-lite0", "alexnet")
    table = {
        row.key: row
        for row in evaluate(
            generated, real, ["kd", "lpips", "diversity"], extractors=["efficientnet-lite0"], resamples=50
        )
    }
    assert table["kd"].metric == "KD (efficientnet-lite0)"
    assert table["kd"].extractor_sha256.startswith("579344248a93")
    assert 0 < table["lpips"].value < 1
    assert table["lpips"].extractor == "alexnet"
    assert table["diversity"].extra["reference"] > 0


# ------------------------------------------------------------------------------------------------------------ odd and bad input


def test_identical_sets_are_at_distance_zero_and_it_is_said(real, tmp_path):
    copy = shutil.copytree(real, tmp_path / "copy")
    table = {row.key: row for row in evaluate(copy, real, ["fd", "kd", "precision", "palette"], **FAST)}
    for key in ("fd", "kd"):
        assert (table[key].value, table[key].low, table[key].high) == (0.0, 0.0, 0.0)
    assert table["palette"].value == 0.0
    assert table["precision"].value == 1.0
    assert all("the two sets are the same pictures" in row.note for row in table.values())


def test_copies_of_real_pictures_are_counted(real, generated, tmp_path):
    mixed = shutil.copytree(generated, tmp_path / "mixed")
    for i, path in enumerate(sorted(real.iterdir())[:3]):
        shutil.copy(path, mixed / f"stolen{i}.png")
    (row, _) = evaluate(mixed, real, ["fd"], **FAST)
    assert "3 of 27 generated pictures are, pixel for pixel, in the reference" in row.note


def test_exact_copies_of_training_pictures_are_named(data, generated, tmp_path):
    copier = shutil.copytree(generated, tmp_path / "copier")
    train = sources.dataset(data, "train")
    Image.fromarray(train.read(5)).save(copier / "a-copy.png")
    (row,) = evaluate(copier, data, ["memorisation"], **FAST)
    assert row.extra["exact_copies"] == ["a-copy.png"]
    first = row.extra["nearest"][0]
    assert (first["generated"], first["training"], first["distance"]) == ("a-copy.png", train.names[5], 0.0)
    assert row.extra["held_out"]["split"] == "test"


def test_memorisation_needs_to_know_the_training_pictures(generated, real, data):
    (row,) = evaluate(generated, real, ["memorisation"], **FAST)
    assert row.value is None
    assert "--train" in row.note
    (known,) = evaluate(generated, real, ["memorisation"], train=data, **FAST)
    assert known.value is not None
    assert known.extra["held_out"]["name"] == "real"
    (alone,) = evaluate(generated, data / "train", ["memorisation"], train=sources.dataset(data, "train"), **FAST)
    assert alone.extra["nearest"]


def flat(folder, level, count=8):
    folder.mkdir()
    for i in range(count):
        Image.fromarray(np.full((32, 32, 3), level, np.uint8)).save(folder / f"{i}.png")
    return folder


def test_all_black_pictures_give_no_nan(real, tmp_path):
    black = flat(tmp_path / "black", 0)
    for shown, against in ((black, real), (real, black), (black, flat(tmp_path / "white", 255))):
        table = {row.key: row for row in evaluate(shown, against, NO_LPIPS, **FAST)}
        assert table["palette"].value is None
        assert table["symmetry"].value is None
        assert "of one flat colour" in table["palette"].note
        assert table["fd"].value > 0, "a collapsed generator has a distance, and a large one"
        if against is not real:
            assert table["coverage"].value is None
            assert "undefined because all reference pictures are the same" in table["coverage"].note
        json.loads(suite.to_json(list(table.values())))  # which refuses NaN


def test_one_flat_picture_among_others_is_left_out_and_counted(real, generated, tmp_path):
    mixed = shutil.copytree(generated, tmp_path / "mixed")
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(mixed / "black.png")
    (row,) = evaluate(mixed, real, ["symmetry"], **FAST)
    assert "1 of 25 generated pictures are of one flat colour and not counted" in row.note
    (without,) = evaluate(generated, real, ["symmetry"], **FAST)
    assert row.value == pytest.approx(without.value)


@pytest.mark.parametrize("count", [1, 0])
def test_fewer_than_two_pictures_are_refused(real, tmp_path, count):
    with pytest.raises(DataError):
        evaluate(flat(tmp_path / "few", 9, count), real, ["fd"], **FAST)
    with pytest.raises(DataError):
        evaluate(real, flat(tmp_path / "few too", 9, count), ["fd"], **FAST)


def test_few_pictures_have_no_neighbourhoods(real, tmp_path):
    table = evaluate(paint(tmp_path / "five", 5), real, ["precision", "coverage"], **FAST)
    assert [row.value for row in table] == [None, None]
    assert "at least 6 pictures" in table[0].note


def test_other_sizes_are_refused_unless_a_size_is_asked_for(real, tmp_path):
    large = paint(tmp_path / "large", 8, size=48)
    with pytest.raises(DataError, match="--size"):
        evaluate(large, real, ["fd"], **FAST)
    frechet = evaluate(large, real, ["fd"], size=32, **FAST)[0]
    assert "48 x 48 to 32 x 32 px (Lanczos)" in frechet.resize


def test_an_empty_class_is_named(tmp_path, real):
    two = paint(tmp_path / "two", 12, 50, colours=("red", "white"))
    (row,) = evaluate(two, real, ["kd"], **FAST)
    classes = row.extra["per_class"]
    assert set(classes) == {"red", "black", "white"}
    assert classes["black"] == {"value": None, "n": 0, "n_reference": 10}
    assert "no value for class black" in row.note
    x = Ruler()(torch.from_numpy(np.stack([face(i, "red", 32) for i in range(50, 62, 2)])).permute(0, 3, 1, 2))
    y = Ruler()(torch.from_numpy(np.stack([face(i, "red", 32) for i in range(0, 30, 3)])).permute(0, 3, 1, 2))
    assert classes["red"]["value"] == pytest.approx(distances.kernel_of(x.numpy(), y.numpy()), rel=1e-4)


def test_tiny_pictures_have_no_ssim(tmp_path):
    a, b = paint(tmp_path / "a", 4, size=8), paint(tmp_path / "b", 4, 9, size=8)
    for row in evaluate(a, b, ["ssim", "ms-ssim"], **FAST):
        assert row.value is None
        assert "11-pixel window" in row.note


@pytest.mark.parametrize(("name", "guess"), [("fdi", "fid"), ("msssim", "ms-ssim"), ("memorization", "memorisation")])
def test_a_misspelt_metric_is_guessed(real, generated, name, guess):
    with pytest.raises(UsageError) as caught:
        evaluate(generated, real, ["ssim", name])
    assert guess in caught.value.fix


def test_a_misspelt_or_doubled_extractor_is_refused(real, generated):
    with pytest.raises(UsageError, match="efficientnet"):
        evaluate(generated, real, ["fd"], extractors=["eficientnet-lite0"])
    with pytest.raises(UsageError, match="twice"):
        evaluate(generated, real, ["fd"], extractors=[Ruler(), Ruler()])


def test_a_value_that_is_no_number_cannot_be_a_row():
    with pytest.raises(ValueError, match="None, with the reason"):
        Row("FID", math.nan, None, None, 2, 2)


# ----------------------------------------------------------------------------------------------------------------- the same again


def test_a_comparison_is_a_function_of_pictures_and_seed(generated, data, rows, tmp_path):
    again = {r.key: r for r in evaluate(generated, data, NO_LPIPS, seed=4, cache=tmp_path / "c", **FAST)}
    cached = {r.key: r for r in evaluate(generated, data, NO_LPIPS, seed=4, cache=tmp_path / "c", **FAST)}
    assert again == rows
    assert cached == rows
    other = {r.key: r for r in evaluate(generated, data, NO_LPIPS, seed=5, cache=tmp_path / "c", **FAST)}
    assert other["ssim"].value != rows["ssim"].value
    assert other["fd"].value == rows["fd"].value
    assert other["fd"].high != rows["fd"].high


def test_n_takes_a_seeded_part(generated, real):
    row = evaluate(generated, real, ["fd"], n=10, seed=1, **FAST)[0]
    assert row.n == 10
    assert "10 of 24" in row.extra["generated"]["note"]


def test_a_model_is_measured_by_what_it_paints(model, real):
    from lianpu.painter import Painter

    source = sources.painted(Painter(model), 8, seed=3)
    (row, _) = evaluate(source, real, ["fd"], **FAST)
    assert row.extra["generated"]["seeds"] == [3, 10]
    assert row.extra["generated"]["truncation"] == 1.0
    assert len(row.extra["generated"]["model_sha256"]) == 64


def _process(rank: int, port: int, folders: tuple, cache, out) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE="2")
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    ruler = Ruler()
    rows = evaluate(*folders, NO_LPIPS, seed=4, extractors=[ruler], resamples=60, cache=cache, peers=World(rank, 2))
    (out / f"{rank}.json").write_text(suite.to_json(rows))
    (out / f"{rank}.seen").write_text(str(ruler.seen))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_share_the_work_and_find_what_one_finds(generated, data, rows, tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    context = mp.get_context("spawn")
    arguments = (port, (generated, data), tmp_path / "cache", tmp_path)
    workers = [context.Process(target=_process, args=(rank, *arguments)) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(200)
        assert worker.exitcode == 0
    assert json.loads((tmp_path / "1.json").read_text()) == []
    together = {row.key: row for row in suite.read_json(tmp_path / "0.json")}
    assert together.keys() == rows.keys()
    for key, row in together.items():
        assert row.value == pytest.approx(rows[key].value, rel=1e-4, abs=1e-6), key
        assert (row.low, row.high) == pytest.approx((rows[key].low, rows[key].high), rel=1e-3, abs=1e-5), key
    seen = [int((tmp_path / f"{rank}.seen").read_text()) for rank in range(2)]
    total = len(
        {*_hashes(generated), *_hashes(sources.dataset(data, "train")), *_hashes(sources.dataset(data, "test"))}
    )
    assert sum(seen) == total, "each picture is computed by one of them"
    assert min(seen) > 0.3 * total


def _hashes(of) -> list[bytes]:
    source = of if isinstance(of, sources.Source) else sources.folder(of)
    return [sources.pixel_hash(source.read(i)) for i in range(len(source))]


# ----------------------------------------------------------------------------------------------------------- on disk, and checks


def test_rows_survive_the_disk(rows, tmp_path):
    suite.write(list(rows.values()), tmp_path / "r.json")
    assert suite.read_json(tmp_path / "r.json") == list(rows.values())
    suite.write(list(rows.values()), tmp_path / "r.csv")
    lines = (tmp_path / "r.csv").read_text().splitlines()
    assert len(lines) == len(rows) + 1
    assert lines[0].startswith("metric,value,low,high,n,")
    with pytest.raises(UsageError, match=r"\.json or \.csv"):
        suite.write([], tmp_path / "r.xlsx")
    (tmp_path / "bad.json").write_text('[{"metric": "FID"}]')
    with pytest.raises(DataError):
        suite.read_json(tmp_path / "bad.json")


def row(metric: str, value: float | None, extractor: str = "", note: str = "") -> Row:
    return Row(metric, value, None, None, 9, 9, extractor=extractor, note=note)


def test_a_check_fails_where_its_condition_holds_or_cannot_be_told():
    table = [
        row("FID", 41.0),
        row("FD (a)", 5.0, "a"),
        row("FD (b)", 7.0, "b"),
        row("SSIM", None, note="undefined because x"),
    ]
    for passing in ("fid>41", "fid<41", "fid > 1e3", "fd(a)>6", "fd<5"):
        suite.fail_if(table, [passing])
    for failing in ("fid>40", "FID>=41", "fd>6", "fd(b)>6", "ssim<0.1", "kid>1", "fid<=41"):
        with pytest.raises(CheckFailed) as caught:
            suite.fail_if(table, ["fid>1000", failing])
        assert failing in str(caught.value)
        assert caught.value.exit_code == 6


@pytest.mark.parametrize("wrong", ["fid", "fid>", "fid>x", "fid=4", ">4", "fdi>4", "fid>1>2"])
def test_a_condition_that_is_none_is_refused_before_any_work(wrong):
    with pytest.raises(UsageError, match="--fail-if"):
        suite.parse_check(wrong)
