"""Checks of a prepared data set's files, before RecBole reads anything wrong in silence."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd

from dataset_prep.errors import DeltaError
from dataset_prep.format.fields import COLD_FIELD, SPLIT_FIELD, SPLITS
from dataset_prep.sources.delimited import take_long_fields
from recbole_delta.data.sequences import group_starts


def check_shape(path: Path, separator: str, encoding: str | None) -> None:
    """Check that every line has as many fields as the header.

    pandas would take one field too many for a row label and shift all columns by one.

    Args:
        path: path of an atomic file.
        separator: separator of its fields.
        encoding: encoding of the text; None for the platform's.

    Raises:
        DeltaError: a line has more or fewer fields, or the file is not text.
    """
    take_long_fields()  # RecBole's reader does not know them either
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        try:
            width = len(next(reader, []))
            wrong = next((row for row in reader if row and len(row) != width), None)
        except (csv.Error, UnicodeDecodeError) as error:
            raise DeltaError(f"{path}, line {reader.line_num}: {error}.") from error
    if wrong is not None:
        raise DeltaError(
            f"{path}, line {reader.line_num}: {len(wrong)} fields, but the header has {width}."
        )


def check_inter(inter: pd.DataFrame, fields: list[str], name: str) -> None:
    """Check that ids, times and splits of ``name``.inter are there and make sense.

    Args:
        inter: rows of .inter.
        fields: names of the fields of users, items and, last, times.
        name: name of the data set.

    Raises:
        DeltaError: a value is missing, a time is no number, a split is unknown, or there is no row.
    """
    require_filled(inter, [*fields, SPLIT_FIELD], f"{name}.inter")
    time = fields[-1]
    if not pd.api.types.is_numeric_dtype(inter[time]):
        raise DeltaError(f"{name}.inter: {time} must be of type float, as in {time}:float.")
    if not len(inter):
        raise DeltaError(f"{name}.inter holds no interactions.")
    unknown = set(inter[SPLIT_FIELD].unique()) - set(SPLITS)
    if unknown:
        raise DeltaError(
            f"{name}.inter: split must be one of {', '.join(SPLITS)}, but is {unknown.pop()!r}; "
            "the name is dataset_prep's: rename a column of your own that is called so."
        )


def check_item(
    item: pd.DataFrame,
    codes: np.ndarray,
    trained: np.ndarray,
    field: str,
    texts: np.ndarray,
    name: str,
    require_cold: bool,
) -> int:
    """Check that ``name``.item covers the interactions, and that ``is_cold`` tells the truth.

    Args:
        item: rows of .item, an item's code each in ``field``.
        codes: ``[rows]`` codes of the interactions' items.
        trained: ``[rows]`` bool, whether it is a training row.
        field: name of the field of item ids.
        texts: ``[n_items]`` ids by code.
        name: name of the data set.
        require_cold: whether some item has to be cold.

    Returns:
        The number of warm items.

    Raises:
        DeltaError: an item is missing, or flagged wrongly, or none is warm or cold.
    """
    appears, is_warm, is_listed = (np.zeros(len(texts), dtype=bool) for _ in range(3))
    appears[codes], is_warm[codes[trained]], is_listed[item[field]] = True, True, True
    unlisted = texts[appears & ~is_listed]
    if len(unlisted):
        raise DeltaError(
            f"{name}.item lacks {len(unlisted)} items of {name}.inter, "
            f"{min(unlisted)!r} among them."
        )
    flags = pd.to_numeric(item[COLD_FIELD], errors="coerce").to_numpy()
    wrong = item[field].to_numpy()[flags != ~is_warm[item[field]]]
    if len(wrong):
        raise DeltaError(
            f"{name}.item: is_cold must be 0 for an item with a training row and 1 for the others, "
            f"but is not so for {texts[wrong[0]]!r}; prepare the data set again."
        )
    if not is_warm.any():
        raise DeltaError(f"{name}.item has no warm item, so there is nothing to train on.")
    if require_cold and is_warm.all():
        raise DeltaError(
            f"{name}.item has no cold item, so there is nothing to compare; to go on without, "
            "set require_cold: False."
        )
    return int(is_warm.sum())


def check_order(user: np.ndarray, split: np.ndarray, name: str) -> None:
    """Check that no user has a training row after a target: the model would know what comes next.

    Args:
        user: ``[rows]`` ids, equal ones adjacent, a user's rows in order of time.
        split: ``[rows]`` positions in SPLITS.
        name: name of the data set.

    Raises:
        DeltaError: a user has one.
    """
    is_target = (split == SPLITS.index("valid")) | (split == SPLITS.index("test"))
    targets_before = is_target.cumsum() - is_target
    leaking = (split == SPLITS.index("train")) & (
        targets_before > targets_before[group_starts(user)]
    )
    if leaking.any():
        raise DeltaError(
            f"{name}.inter trains on {int(leaking.sum())} rows that come after a validation or "
            "test target of the same user; give these rows another split."
        )


def require_filled(frame: pd.DataFrame, fields: list[str], name: str) -> None:
    """Check that columns are there and have a value in each row.

    Args:
        frame: rows of an atomic file.
        fields: names of the columns.
        name: name of the file, for messages.

    Raises:
        DeltaError: a column or a value is missing.
    """
    for field in fields:
        if field not in frame:
            raise DeltaError(f"{name} has no column {field!r}; prepare it with dataset_prep.")
        empty = np.flatnonzero(frame[field].isna())
        if len(empty):
            raise DeltaError(f"{name}, line {empty[0] + 2}: {field} is missing.")
