"""Which models are ours: registered classes, with the defaults given at registration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_registered: dict[type, Mapping[str, Any]] = {}


def is_registered(model: type) -> bool:
    """Whether a model's class is registered; RecBole's own models see the warm items only."""
    return model in _registered


def registered_defaults(model: type) -> Mapping[str, Any]:
    """The defaults that a model's class was registered with; none for one that is not."""
    return _registered.get(model, {})
