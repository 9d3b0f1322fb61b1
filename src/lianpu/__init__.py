"""lianpu (脸谱): from a few hundred pictures of heritage faces to new opera masks. The verbs are the functions of `lianpu.api`."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "api"]


def __getattr__(name: str) -> Any:
    """`lianpu.api` loads on first use, so that `import lianpu` costs nothing (PEP 562)."""
    if name == "api":
        return importlib.import_module("lianpu.api")
    raise AttributeError(f"module 'lianpu' has no attribute {name!r}")
