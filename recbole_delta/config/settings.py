"""The settings this package adds to RecBole's, and checks of RecBole's own."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from dataset_prep.errors import DeltaError
from recbole_delta.embedding.modes import CONTENT_EMBEDDINGS
from recbole_delta.loss.exact import EXACT_LOSSES

CANDIDATES = ("all", "warm")
COLD_HISTORY = ("keep", "drop")
LOSSES = (*EXACT_LOSSES, "sampled")
ITEM_EMBEDDINGS = ("id", *CONTENT_EMBEDDINGS)
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
    loss: str
    sampled_items: int
    valid_candidates: str
    test_candidates: str
    cold_history: str
    mask_history: bool
    require_cold: bool

    def __post_init__(self) -> None:
        one_of("item_embedding", self.item_embedding, ITEM_EMBEDDINGS)
        if self.train_positions is not None:
            one_of("train_positions", self.train_positions, TRAIN_POSITIONS)
        one_of("loss", self.loss, LOSSES)
        _whole("sampled_items", self.sampled_items, 1)
        one_of("valid_candidates", self.valid_candidates, CANDIDATES)
        one_of("test_candidates", self.test_candidates, CANDIDATES)
        one_of("cold_history", self.cold_history, COLD_HISTORY)
        one_of("mask_history", self.mask_history, (True, False))
        one_of("require_cold", self.require_cold, (True, False))
        _at_least_0("delta_max", self.delta_max)

    @classmethod
    def from_config(cls, config: Any) -> DeltaSettings:
        """Read the settings from a RecBole ``Config``."""
        return cls(**{field.name: config[field.name] for field in fields(cls)})


def _whole(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise DeltaError(f"{name} must be a whole number >= {least}, but is {value!r}.")


def _at_least_0(name: str, value: Any) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or math.isnan(value) or value < 0:
        raise DeltaError(f"{name} must be a number >= 0, but is {value!r}.")


def one_of(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Refuse a value that is none of the choices of the setting ``name``.

    Raises:
        DeltaError: it is not.
    """
    if value not in choices:
        listed = " | ".join(map(str, choices))
        raise DeltaError(f"{name} must be one of {listed}, but is {value!r}.")
