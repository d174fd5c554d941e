"""Versions: of this package, and of what a run's numbers depend on."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

from recbole_delta_command import __version__

__all__ = ["__version__", "versions"]


def versions() -> dict[str, str]:
    """Versions by package: this one, and those that a run's numbers depend on."""
    others = ("recbole", "torch", "numpy", "pandas", "scikit-learn", "scipy")
    return {"recbole_delta": __version__} | {name: _installed(name) for name in others}


@cache
def _installed(name: str) -> str:
    # Read from disk each time: a checkpoint an epoch would wait for it.
    return version(name)
