"""RecBole atomic files, written so that RecBole's reader gives back what was written."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from recbole_delta.errors import DeltaError

READ_AS_MISSING = frozenset(
    [
        "",
        "#N/A",
        "#N/A N/A",
        "#NA",
        "-1.#IND",
        "-1.#QNAN",
        "-NaN",
        "-nan",
        "1.#IND",
        "1.#QNAN",
        "<NA>",
        "N/A",
        "NA",
        "NULL",
        "NaN",
        "None",
        "n/a",
        "nan",
        "null",
    ]
)
"""Texts that RecBole's reader (pandas.read_csv with its defaults) takes for a missing value."""


def write_atomic(frame: pd.DataFrame, types: Mapping[str, str], path: Path) -> None:
    """Write the columns of ``types``, in that order, as ``name:type``.

    Raises:
        DeltaError: an id that RecBole's reader would drop or split.
    """
    for column in ("user_id", "item_id"):
        if column in types:
            _check_ids(frame[column], path.name)
    written = frame[list(types)].copy()
    for column, kind in types.items():
        if kind == "token_seq":
            written[column] = written[column].str.split().str.join(" ")
    written.columns = [f"{column}:{kind}" for column, kind in types.items()]
    written.to_csv(path, sep="\t", index=False, quoting=csv.QUOTE_MINIMAL, lineterminator="\n")


def _check_ids(ids: pd.Series, name: str) -> None:
    blank = ids.str.strip() == ""
    bad = ids[blank | ids.isin(READ_AS_MISSING) | ids.str.contains(r"[\t\r\n]", regex=True)]
    if len(bad):
        raise DeltaError(
            f"{name}: RecBole cannot read the {ids.name} {bad.iloc[0]!r} back; rename it."
        )
