"""`lianpu evaluate` as a user runs it: data on stdout, a table on stderr, exit codes that mean what they say."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys

import pytest

from lianpu.metrics import suite, table
from lianpu.metrics.suite import Row
from tests.metrics.rulers import paint

pytestmark = pytest.mark.slow  # starts programs or trains: `make check` has two minutes


@pytest.fixture
def lianpu(tmp_path):
    def run(*arguments: object, **more: str):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "LIANPU_CACHE": str(tmp_path / "cache"), **more}
        return subprocess.run(
            [sys.executable, "-m", "lianpu", "evaluate", *map(str, arguments)],
            env=environment, capture_output=True, text=True, timeout=250,
        )  # fmt: skip

    return run


def test_csv_on_stdout_table_on_stderr_and_a_file(lianpu, data, tmp_path):
    made = paint(tmp_path / "made", 6)
    done = lianpu(made, "--against", data, "--metrics", "ssim,symmetry", "--csv", tmp_path / "rows.json")
    assert done.returncode == 0, done.stderr
    lines = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [line["metric"] for line in lines] == ["SSIM", "symmetry"]
    assert "95 % interval" in done.stderr
    stored = suite.read_json(tmp_path / "rows.json")
    assert float(lines[0]["value"]) == stored[0].value
    assert f"{stored[0].value:.4g}" in done.stderr


def test_a_model_is_painted_and_json_is_json(lianpu, model, data):
    done = lianpu(model, "--against", data, "--metrics", "symmetry", "--n", "5", "--seed", "7", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["n"] == 5
    assert row["extra"]["generated"]["seeds"] == [7, 11]


def test_a_failed_check_exits_with_6_after_the_rows(lianpu, data, tmp_path):
    done = lianpu(
        paint(tmp_path / "made", 6), "--against", data, "--metrics", "symmetry", "--fail-if", "symmetry<2", "--quiet"
    )
    assert done.returncode == 6
    assert "symmetry<2" in done.stderr
    assert done.stdout.count("\n") == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--metrics", "symetry"), 2, "Did you mean symmetry?"),
        (("--metrics", "ssim", "--fail-if", "fid=3"), 2, "--fail-if"),
        (("--metrics", "ssim", "--split", "train", "--size", "7"), 2, "too small"),
        (("--metrics", "fid"), 4, "lianpu weights get inception-2015"),
        (("--metrics", "ssim", "--n", "1"), 2, "two pictures"),
    ],
)
def test_mistakes_are_told_apart(lianpu, data, tmp_path, arguments, code, said):
    done = lianpu(
        paint(tmp_path / "made", 6),
        "--against",
        data,
        *arguments,
        LIANPU_WEIGHTS=str(tmp_path),
        TORCH_HOME=str(tmp_path),
    )
    if "too small" in said:  # SSIM of such pictures is undefined, which is a row, not an error
        assert done.returncode == 0
        assert "smaller than the 11-pixel window" in done.stdout
        return
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_torchrun_gives_one_table(data, tmp_path):
    made = paint(tmp_path / "made", 9)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "-m", "lianpu"]
    arguments = [
        "evaluate",
        made,
        "--against",
        data,
        "--metrics",
        "ssim,ms-ssim,palette,symmetry",
        "--device",
        "cpu",
        "--quiet",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "LIANPU_CACHE": str(tmp_path / "cache")}
    both, one = (
        subprocess.run([*c, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=250)
        for c in (command, [sys.executable, "-m", "lianpu"])
    )
    assert both.returncode == one.returncode == 0, both.stderr
    assert both.stdout == one.stdout


def test_the_table_reads_well():
    rows = [
        Row("FID", 41.23456, 39.9, 43.2, 300, 200, note="n = 300 is below 2048"),
        Row("KID", 0.00081234, -0.0001, 0.002, 300, 200),
        Row("symmetry", 0.91, 0.9, 0.92, 300, 200, better="closer", extra={"reference": 0.955}),
        Row("palette distance", None, None, None, 300, 200, note="undefined because [x] is black"),
    ]
    out = io.StringIO()
    table.show(rows, out, width=100)
    text = out.getvalue()
    assert text.splitlines()[1].split() == ["FID", "41.23", "39.9", "to", "43.2", "lower", "300/200", "[1]"]
    assert "0.0008123" in text
    assert "closer to 0.955" in text
    assert "[1] n = 300 is below 2048" in text
    assert "[2] undefined because [x] is black" in text, "square brackets are text, not markup"
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.0, "0"), (89.408866, "89.41"), (123456.0, "1.23e+05"), (12345.6, "12346"), (-0.00075, "-0.00075")],
)
def test_numbers_for_people(value, text):
    assert table.number(value) == text
