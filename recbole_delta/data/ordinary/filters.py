"""RecBole's own filters of interactions as options of dataset_prep, which come before the split."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from dataset_prep.errors import DeltaError
from recbole_delta.data.ordinary.fields import FIELDS, new_names

INTERVALS = ("user_inter_num_interval", "item_inter_num_interval")
"""RecBole's filters by the number of interactions."""

FILTERS = (*INTERVALS, "val_interval")
"""RecBole's filters that are applied before the split, and then are done."""


def filters_asked(config: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """``core`` from the intervals of counts, ``above`` from those of values and ``prepare``.

    Args:
        config: a RecBole ``Config``.
        given: the setting ``prepare``; what it says goes first.

    Returns:
        Arguments of :class:`dataset_prep.Filters`; columns have their names in a prepared data set.

    Raises:
        DeltaError: a filter that cannot be applied before the split.
    """
    if config["rm_dup_inter"]:
        raise DeltaError(
            "rm_dup_inter cannot be applied before the split; remove it, and the rows from the "
            "data set. (prepare: {drop_repeats: true} drops repeats that follow each other.)"
        )
    found: dict[str, Any] = {}
    core = given["core"] if "core" in given else _core(config)
    if core != 1:
        found["core"] = core
    above = _above(config)
    if "above" in given:
        asked = given["above"]
        if not isinstance(asked, Mapping):
            raise DeltaError(
                f"prepare: above must be bounds, as in {{rating: 3}}, but is {asked!r}."
            )
        names = new_names(config)
        above |= {names.get(str(column), str(column)): bound for column, bound in asked.items()}
    return found | ({"above": above} if above else {})


def further_columns(filters: Mapping[str, Any]) -> str:
    """Columns of numbers that are filtered by and are none of RecBole's fields, with commas.

    Args:
        filters: as of :func:`filters_asked`.
    """
    return ",".join(name for name in filters.get("above", {}) if name not in FIELDS.values())


def _core(config: Any) -> int:
    """The fewest rows of users and of items: that of an item itself is 1."""
    bounds = {setting: _least(setting, config[setting] or "[0,inf)") for setting in INTERVALS}
    least = {max(1, math.ceil(bound)) for bound in bounds.values()}
    if len(least) > 1:
        raise DeltaError(
            f"{' and '.join(INTERVALS)} ask for different counts; set prepare: {{core: N}}, "
            "which is for users and items alike."
        )
    return least.pop()


def _above(config: Any) -> dict[str, float]:
    """Bounds by column: kept is what lies strictly above."""
    intervals, names = config["val_interval"] or {}, new_names(config)
    if not isinstance(intervals, Mapping):
        raise DeltaError(
            f'val_interval must be intervals: {{rating: "[3,inf)"}}, but is {intervals!r}.'
        )
    return {
        names.get(str(field), str(field)): (
            math.nextafter(_least("val_interval", text), -math.inf)
            if str(text).strip().startswith("[")
            else _least("val_interval", text)
        )
        for field, text in intervals.items()
    }


def _least(setting: str, interval: Any) -> float:
    """The lower end of RecBole's ``[5,inf)``; for ``(4,inf)`` of whole numbers that is 5."""
    match = re.fullmatch(r"([\[(])([^,;]+),\s*inf\s*[\])]", str(interval).strip())
    try:
        if match is None:
            raise ValueError
        bound = float(match[2])
    except ValueError as error:
        raise DeltaError(
            f"{setting}: {interval!r} cannot be applied before the split, only intervals without "
            "an upper end, such as [5,inf); filter the data set, or prepare it with dataset_prep."
        ) from error
    return bound + 1 if setting in INTERVALS and match[1] == "(" else bound
