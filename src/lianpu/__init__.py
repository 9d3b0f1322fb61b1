"""lianpu (脸谱): from a few hundred pictures of heritage faces to new opera masks. The verbs of `lianpu.api` are offered here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lianpu.api import dry_run, generate, inspect, rerun, train, walk

__version__ = "0.1.0"
__all__ = ["__version__", "dry_run", "generate", "inspect", "rerun", "train", "walk"]


def __getattr__(name: str) -> Any:
    """The verbs load on first use, so that `import lianpu` costs nothing (PEP 562)."""
    if name in __all__:
        from lianpu import api

        return getattr(api, name)
    raise AttributeError(f"module 'lianpu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
