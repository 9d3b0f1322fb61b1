"""The command line as a user meets it: instant help, exit codes, data on stdout, three-line errors on stderr."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # starts programs or trains: `make check` has two minutes

VERBS = [
    ("--help",),
    ("doctor", "--help"),
    ("data", "--help"),
    ("data", "sample", "--help"),
    ("data", "build", "--help"),
    ("data", "check", "--help"),
    ("data", "card", "--help"),
    ("train", "--help"),
    ("generate", "--help"),
    ("translate", "--help"),
    ("inspect", "--help"),
    ("report", "--help"),
    ("experiment", "--help"),
    ("weights", "list", "--help"),
    ("weights", "get", "--help"),
    ("weights", "verify", "--help"),
]


def run(*words: str | Path, cwd: Path | None = None, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "lianpu", *map(str, words)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=240,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_help_never_imports_torch_or_numpy(words):
    script = f"import sys; sys.argv = ['lianpu', *{words!r}]\nfrom lianpu.cli import main\n"
    script += "try: main()\nexcept SystemExit as e: assert not e.code, e.code\n"
    script += "heavy = {'torch', 'numpy', 'PIL', 'scipy', 'pydantic'} & set(sys.modules); assert not heavy, heavy"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "Usage: lianpu" in done.stdout


def test_import_is_silent_and_light():
    script = "import sys, lianpu; lianpu.api.generate; assert not {'torch', 'numpy'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["genrate"], 2, "generate"),
        (["generate", "opera-mask-64", "--clas", "red"], 2, "--class"),
        (["train"], 2, "needs --out"),
        (["train", "--out", "x"], 2, "a new run needs --data and --recipe"),
        (["train", "--out", "x", "--data", "nowhere", "--recipe", "tiny-64-adda"], 2, "Did you mean tiny-64-ada"),
        (["train", "--out", "x", "--data", "nowhere", "--recipe", "tiny-64-ada"], 3, "nowhere"),
        (["train", "--recipe", "tiny-32-ada", "--dry-run", "-s", "kmig=3"], 2, "kimg"),
        (["train", "--out", "x", "--device", "tpu9", "--data", "d", "--recipe", "tiny-32-ada"], 2, "unknown device"),
        (["generate", "nowhere"], 4, "no model named nowhere"),
        (["inspect", "nowhere"], 3, "nowhere"),
        (["data", "build", "nowhere", "--to", "y"], 3, "nowhere"),
        (["data", "build", ".", "--to", "y", "--size", "100"], 2, "power of two"),
        (["data", "check", "nowhere"], 3, "nowhere"),
        (["data", "sample", "masks", "--n", "0", "--to", "z"], 2, "Ask for one or more"),
        (["report", "nowhere", "--to", "x.html"], 3, "nowhere"),
        (["report", "nowhere", "--to", "x.pdf"], 2, "x.html"),
        (["experiment", "yan2023", "--scale", "tinny"], 2, "tiny"),
        (["experiment", "yan2023", "--scale", "paper", "--device", "cpu", "--out", "x"], 5, "needs CUDA"),
        (["experiment", "yan2023", "--scale", "tiny", "--rows", "adda", "--out", "x"], 2, "Did you mean ada"),
    ],
)
def test_errors_say_what_and_exit_with_their_code(words, code, says, tmp_path):
    done = run(*words, cwd=tmp_path, code=code)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_whole_way_on_the_command_line(tmp_path):
    """Every command the README shows, on a tiny scale."""
    assert (
        run("data", "sample", "masks", "--n", 30, "--seed", 0, "--size", 32, "--to", "masks", cwd=tmp_path).stdout
        == "masks\n"
    )
    assert run("data", "build", "masks", "--to", "data", "--size", 32, cwd=tmp_path).stdout == "data\n"
    run("data", "check", "data", cwd=tmp_path)
    run("data", "card", "data", cwd=tmp_path)
    tiny = [
        "-s",
        "kimg=0.032",
        "-s",
        "net.channel_base=128",
        "-s",
        "net.classes=7",
        "-s",
        "batch=8",
        "-s",
        "tick_kimg=0.016",
    ]
    done = run("train", "--data", "data", "--recipe", "tiny-32-ada", "--out", "runs/x", *tiny, cwd=tmp_path)
    assert done.stdout == f"{Path('runs/x/model')}\n"
    assert "kimg" in done.stderr
    assert "complete" in run("train", "--out", "runs/x", cwd=tmp_path).stderr
    paths = run("generate", "runs/x", "-n", 3, "--class", "red", "--out", "new", cwd=tmp_path).stdout.splitlines()
    assert len(paths) == 3
    facts = json.loads(run("inspect", paths[0], "--json", cwd=tmp_path).stdout)
    assert facts["subject"]["label"] == "red"
    assert "the same pixels" in run("inspect", paths[0], "--rerun", "--model", "runs/x", cwd=tmp_path).stdout
    for path in ("runs/x", "runs/x/model", "data"):
        assert run("inspect", path, cwd=tmp_path).stdout.startswith("what: ")


def test_doctor_is_well_here(tmp_path):
    rows = json.loads(run("doctor", "--json", cwd=tmp_path).stdout)
    assert all(row["ok"] for row in rows)
    assert {"Python", "torch", "device", "drawing", "video", "shipped models", "disk"} <= {row["what"] for row in rows}


def test_recipes_are_listed_with_their_cost():
    listed = run("train", "--list").stdout
    assert "yan2023-diffusion" in listed
    assert "not run" in listed


def test_progress_line_reads_well():
    from lianpu.progress import duration, training_line

    status = {
        "recipe": "tiny-64-ada",
        "kimg": 12.34,
        "of_kimg": 400,
        "images_per_second": 18.2,
        "eta_seconds": 21240,
        "save_seconds": 130,
        "p": 0.12,
        "r_t": 0.55,
        "loss/G": 0.93,
        "loss/D": 1.2,
    }
    assert training_line(status) == (
        "tiny-64-ada  12.3/400 kimg  18.2 img/s  ETA 5 h 54 m  p 0.120  r_t 0.550  G 0.930  D 1.200  next save 2 m"
    )
    assert [duration(s) for s in (None, 3, 60, 3700, 180000)] == ["...", "3 s", "1 m", "1 h 01 m", "2 d 2 h"]


def test_chinese_names_pass_a_pipe_that_is_not_utf_8(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "lianpu",
            "data",
            "sample",
            "masks",
            "-n",
            "1",
            "--size",
            "16",
            "--to",
            tmp_path / "脸谱",
        ],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().strip().endswith("脸谱")


def test_out_of_memory_is_no_bug(monkeypatch, capsys, tmp_path):
    import torch

    from lianpu import api, cli

    for error in (MemoryError("no more"), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")):

        def fail(*_, error=error):
            raise error

        monkeypatch.setattr(api, "card", fail)
        with pytest.raises(SystemExit) as left:
            cli.main(["data", "card", str(tmp_path)])
        assert left.value.code == 5
        assert "not enough memory" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_no_bug(tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot write" in run("data", "sample", "masks", "-n", "1", "--to", tmp_path / "file" / "x", code=5).stderr


def test_json_is_json_on_every_verb(tmp_path, drawn, data):
    made = json.loads(
        run("data", "sample", "masks", "-n", "1", "--size", "16", "--to", tmp_path / "m", "--json").stdout
    )
    assert made == [str(tmp_path / "m")]
    again = json.loads(run("inspect", tmp_path / "m" / "00000.png", "--rerun", "--json").stdout)
    assert again["same_pixels"] is True
    copy = shutil.copytree(data, tmp_path / "data")
    assert json.loads(run("data", "card", copy, "--json").stdout) == [str(copy / "README.md")]
    assert {r["name"] for r in json.loads(run("train", "--list", "--json").stdout)} >= {"tiny-32-ada", "opera-mask-64"}
    small = ["net.channel_base=128", "net.channel_max=16", "batch=4", "kimg=0.004", "samples=1"]
    words = ["train", "--data", copy, "--recipe", "tiny-32-ada", "--out", tmp_path / "run", "--json", "--quiet"]
    trained = run(*words, *(w for s in small for w in ("-s", s)))
    assert json.loads(trained.stdout) == [str(tmp_path / "run" / "model")]
    assert trained.stderr == ""
    painted = run("generate", tmp_path / "run", "-n", "2", "--out", tmp_path / "g", "--json")
    assert len(json.loads(painted.stdout)) == 2
    assert "mean nothing" in run("generate", tmp_path / "run", "--walk", tmp_path / "w.mp4", "--grid", code=2).stderr
