from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.studio.opened import Studio, studio


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio for all tests of a file."""
    with studio(tmp_path_factory.mktemp("studio") / "project") as running:
        yield running.enter()
