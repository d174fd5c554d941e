"""Versions: of this package, and of what a run's numbers depend on."""

from __future__ import annotations

from importlib.metadata import version

__version__ = "0.1.0"


def versions() -> dict[str, str]:
    """Installed versions of this package and of what a run's numbers depend on, by name."""
    others = ("recbole", "torch", "numpy", "pandas", "scikit-learn")
    return {"recbole_delta": __version__} | {name: version(name) for name in others}
