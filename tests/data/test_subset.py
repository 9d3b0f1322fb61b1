"""Subsets of a data set: nested, whole families, no test picture among them, and proved by the same check as any data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from lianpu.data import build, check, records, subset
from lianpu.errors import DataError


@pytest.fixture(scope="module")
def expanded(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("expanded") / "data"
    build.build([drawn], folder, size=32, test=0.3, expand=True, workers=1)
    return folder


def sources(folder: Path, split: str) -> set[str]:
    return {row["source_sha256"] for row in records.read_records(folder, split)}


def test_subsets_are_nested_whole_and_leak_free(expanded, tmp_path):
    for count in (3, 8):
        info = subset.take(expanded, count, tmp_path / str(count))
        assert info["originals"] == count
        check.check(tmp_path / str(count), workers=1).require()
    assert sources(tmp_path / "3", "train") < sources(tmp_path / "8", "train")
    assert not sources(tmp_path / "8", "train") & sources(expanded, "test")
    for row in records.read_records(tmp_path / "3", "train"):
        family = [r for r in records.read_records(expanded, "train") if r["source_sha256"] == row["source_sha256"]]
        mine = [r for r in records.read_records(tmp_path / "3", "train") if r["source_sha256"] == row["source_sha256"]]
        assert mine == family


def test_what_a_killed_process_left_half_written_is_gone_after_the_next_call(expanded, tmp_path):
    to = tmp_path / "a"
    subset.take(expanded, 5, to)
    for folder in (to, to / "train"):
        (folder / ".partial-7591-00003-recolour.png").write_bytes(b"half")
    subset.take(expanded, 5, to)
    assert list(to.rglob(".partial-*")) == []


def test_the_same_call_gives_the_same_set_and_another_seed_another(expanded, tmp_path):
    first = subset.take(expanded, 5, tmp_path / "a")
    assert subset.take(expanded, 5, tmp_path / "a") == first == subset.take(expanded, 5, tmp_path / "b")
    assert subset.take(expanded, 5, tmp_path / "c", seed=1)["fingerprint"] != first["fingerprint"]
    assert first["rights"]["status"] == "known"


@pytest.mark.parametrize("count", [0, 10_000])
def test_a_number_that_cannot_be_had_is_refused(count, expanded, tmp_path):
    with pytest.raises(DataError, match="training originals"):
        subset.take(expanded, count, tmp_path / "x")
