from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.studio.opened import Studio, studio

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real processes on a busy machine: the limit ends what hangs, and must not end what is slow."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(3600))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio for all tests of a file."""
    with studio(tmp_path_factory.mktemp("studio") / "project") as running:
        yield running.enter()
