"""Which models are ours: registered classes, with the defaults given at registration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_registered: dict[type, Mapping[str, Any]] = {}


def is_registered(model: type) -> bool:
    """Whether a model's class is registered; RecBole's own models see the warm items only."""
    return model in _registered
