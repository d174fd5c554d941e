"""The models that are ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_registered: dict[type, Mapping[str, Any]] = {}


def is_registered(model: type) -> bool:
    """Whether a model is one of ours; RecBole's own see the warm items only."""
    return model in _registered
