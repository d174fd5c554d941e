"""The settings this package adds to RecBole's, checked once."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from recbole_delta.errors import DeltaError

CANDIDATES = ("all", "warm")
COLD_HISTORY = ("keep", "drop")
ITEM_EMBEDDINGS = ("id", "init", "frozen", "delta")
TRAIN_POSITIONS = ("all", "last")


@dataclass(frozen=True)
class DeltaSettings:
    """What ``properties/overall.yaml`` documents, with the same names.

    Raises:
        DeltaError: a value that is not one of a setting's choices.
    """

    item_embedding: str
    delta_max: float
    content_file: str | None
    train_positions: str | None
    valid_candidates: str
    test_candidates: str
    cold_history: str
    mask_history: bool

    def __post_init__(self) -> None:
        _one_of("item_embedding", self.item_embedding, ITEM_EMBEDDINGS)
        if self.train_positions is not None:
            _one_of("train_positions", self.train_positions, TRAIN_POSITIONS)
        _one_of("valid_candidates", self.valid_candidates, CANDIDATES)
        _one_of("test_candidates", self.test_candidates, CANDIDATES)
        _one_of("cold_history", self.cold_history, COLD_HISTORY)
        _one_of("mask_history", self.mask_history, (True, False))
        is_number = isinstance(self.delta_max, (int, float)) and not isinstance(
            self.delta_max, bool
        )
        if not is_number or math.isnan(self.delta_max) or self.delta_max < 0:
            raise DeltaError(f"delta_max must be a number >= 0, but is {self.delta_max!r}.")

    @classmethod
    def from_config(cls, config: Any) -> DeltaSettings:
        """Read the settings from a RecBole ``Config``."""
        return cls(**{field.name: config[field.name] for field in fields(cls)})


LEAST = {
    "epochs": 1,
    "train_batch_size": 1,
    "eval_batch_size": 1,
    "MAX_ITEM_LIST_LENGTH": 1,
    "eval_step": 0,
    "stopping_step": 0,
    "seed": 0,
}
"""Whole numbers of RecBole that crash far from here when they are too small or none."""


def check_numbers(config: Any) -> None:
    """RecBole's numbers are numbers, and large enough.

    Raises:
        DeltaError: one is not.
    """
    for name, least in LEAST.items():
        value = config[name]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise DeltaError(f"{name} must be a whole number >= {least}, but is {value!r}.")
    rate = config["learning_rate"]
    if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not rate >= 0:
        raise DeltaError(f"learning_rate must be a number >= 0, but is {rate!r}.")


def refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    """A misspelt setting would otherwise be ignored in silence.

    Raises:
        DeltaError: a setting that nothing reads, with the nearest one that exists.
    """
    known = set(known)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise DeltaError(f"Unknown setting {name!r}{hint}")


def _one_of(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        listed = " | ".join(map(str, choices))
        raise DeltaError(f"{name} must be one of {listed}, but is {value!r}.")
