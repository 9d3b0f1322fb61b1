"""Published weights in tests: `make test` has put those that packages carry into the folder LIANPU_WEIGHTS. Nothing here downloads."""

from __future__ import annotations

import os

import pytest

from lianpu import weights


def need(*names: str) -> None:
    """Skips a test whose weights are not here, but fails it where they must be: in CI, or where LIANPU_WEIGHTS is set."""
    for name in names:
        if not weights.available(name):
            absent = f"the weights {name} are not here; make weights"
            if os.environ.get("CI") or os.environ.get(weights.ENVIRONMENT):
                pytest.fail(absent)
            pytest.skip(absent)
