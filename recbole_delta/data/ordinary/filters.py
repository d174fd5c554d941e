"""RecBole's own filters of interactions as options of dataset_prep, which come before the split."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from dataset_prep.errors import DeltaError, number
from recbole_delta.data.ordinary.fields import FIELDS, new_names

INTERVALS = ("user_inter_num_interval", "item_inter_num_interval")
"""RecBole's filters by the number of interactions."""

FILTERS = (*INTERVALS, "val_interval")
"""RecBole's filters that are applied before the split, and then are done."""


def filters_asked(config: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """``core`` from the intervals of counts, ``above`` from those of values and ``prepare``.

    Args:
        config: a RecBole ``Config``.
        given: the setting ``prepare``; of its bounds and RecBole's the stricter ones count.

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
    core = _core(config, given)
    if core != 1:
        found["core"] = core
    above = _above(config)
    if "above" in given:
        asked = given["above"]
        if not isinstance(asked, Mapping):
            raise DeltaError(
                f"prepare: above must be bounds, as in {{rating: 3}}, but is {asked!r}."
            )
        for column, bound in asked.items():
            name = _new_name(config, "prepare: above", column)
            number(f"prepare: above: the bound of {column}", bound)
            above[name] = max(bound, above.get(name, bound))
    return found | ({"above": above} if above else {})


def further_columns(filters: Mapping[str, Any]) -> str:
    """Columns of numbers that are filtered by and are none of RecBole's fields, with commas.

    Args:
        filters: as of :func:`filters_asked`.
    """
    return ",".join(name for name in filters.get("above", {}) if name not in FIELDS.values())


def _core(config: Any, given: Mapping[str, Any]) -> int:
    """The fewest rows of users and of items: that of an item itself is 1."""
    bounds = {setting: _least(setting, config[setting] or "[0,inf)") for setting in INTERVALS}
    least = {max(1, math.ceil(bound)) for bound in bounds.values()}
    if len(least) > 1:
        if "core" in given:
            return int(given["core"])
        raise DeltaError(
            f"{' and '.join(INTERVALS)} ask for different counts; set prepare: {{core: N}}, "
            "which is for users and items alike."
        )
    return max(least.pop(), given.get("core", 1))


def _above(config: Any) -> dict[str, float]:
    """Bounds by column: kept is what lies strictly above."""
    intervals = config["val_interval"] or {}
    if not isinstance(intervals, Mapping):
        raise DeltaError(
            f'val_interval must be intervals: {{rating: "[3,inf)"}}, but is {intervals!r}.'
        )
    return {
        _new_name(config, "val_interval", field): (
            math.nextafter(_least("val_interval", text), -math.inf)
            if str(text).strip().startswith("[")
            else _least("val_interval", text)
        )
        for field, text in intervals.items()
    }


def _new_name(config: Any, setting: str, field: Any) -> str:
    """What a column is called in the prepared data set.

    Raises:
        DeltaError: another column will have its name there.
    """
    names, field = new_names(config), str(field)
    if field in names.values() and field not in names:
        owner = next(theirs for theirs, name in names.items() if name == field)
        raise DeltaError(
            f"{setting}: in a prepared data set {owner} is called {field}, so no other column can "
            "be; rename yours in the .inter, and here."
        )
    return names.get(field, field)


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
