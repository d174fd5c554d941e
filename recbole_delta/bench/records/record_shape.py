"""What the files of a record must hold for a report to read it.

They may be of an older version, or damaged. Shapes of JSON values: a type, a dict of what is held
at least, a list for what all values are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dataset_prep.errors import DeltaError

_NUMBER = (int, float)
_MODE = {
    "candidates": str,
    "cold_history": str,
    "embeds_cold_items": bool,
    "cases": {"cold": int, "warm": int, "total": int},
    "empty_history": {"total": int},
    "metrics": [_NUMBER],
}

FACTS = {
    "model": str,
    "seed": int,
    "settings": {"mask_history": bool},
    "prepared": {},
    "train_positions": str,
    "modes": [_MODE],
    "configured_mode": int,
    "best_valid_score": (*_NUMBER, type(None)),
    "curve": list,
    "parameters": int,
    "revision": (str, type(None)),
}
"""``record.json``."""

CALIBRATION = {
    "offset": _NUMBER,
    "best": (*_NUMBER, type(None)),
    "equal_mass": _NUMBER,
    "share": _NUMBER,
}
"""Its ``calibration``, where it has one."""

MEASURED = {"seconds": {"train_and_evaluate": _NUMBER}, "peak_gib": _NUMBER}
"""``measured.json``."""


def require_values(value: Any, shape: Any, name: str) -> None:
    """Check the types of JSON values.

    Args:
        value: what a file holds.
        shape: what it must hold.
        name: of the value, for messages.

    Raises:
        KeyError: something is missing.
        TypeError: something is of another type.

    Example:
        >>> require_values({"seconds": {"train": 1.5}}, {"seconds": {"train": float}}, "file")
        >>> require_values({"seconds": []}, {"seconds": {"train": float}}, "file")
        Traceback (most recent call last):
        TypeError: list indices must be integers or slices, not str
    """
    if isinstance(shape, dict):
        for key, inner in shape.items():
            require_values(value[key], inner, key)
        shape = dict
    elif isinstance(shape, list):
        for each in value.values() if isinstance(value, dict) else value:
            require_values(each, shape[0], name)
        shape = (dict, list)
    if not isinstance(value, shape):
        raise TypeError(f"{name} is {type(value).__name__}")


def require_arrays(
    path: Path, arrays: dict[str, np.ndarray], kinds: Mapping[str, tuple[tuple[int, ...], str]]
) -> None:
    """Check the shapes and kinds of arrays.

    Args:
        path: path of their file.
        arrays: what it holds.
        kinds: shape, and letter of NumPy's ``dtype.kind``, of what it must hold.

    Raises:
        DeltaError: an array is missing, or another one.
    """
    for name, (shape, kind) in kinds.items():
        found = arrays.get(name)
        if found is None or found.shape != shape or found.dtype.kind != kind:
            raise DeltaError(f"{path} does not hold the {name} of its run; remove it.")
