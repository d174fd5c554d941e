"""RecBole's atomic files of items, as they are found in the wild."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dataset_prep.errors import DeltaError
from dataset_prep.sources.delimited import is_a_line_each, take_long_fields
from dataset_prep.sources.raw_files import reading


def read_item_table(path: Path, rows: int | None = None) -> Any:
    """An atomic file as RecBole reads it: quotes and byte order marks mean the same.

    A title such as ``"O" Is for Outlaw`` is not quoted as CSV wants it: RecBole refuses its file,
    or takes all lines up to the next such quote for one. Here quotes are then letters like others.

    Args:
        path: the file.
        rows: read the first lines only; None for all.

    Returns:
        A pandas table of texts, with the header's names and types (``title:token_seq``).

    Raises:
        DeltaError: it cannot be read.
    """
    import pandas as pd  # not at the top: it takes longer to load than all the rest

    how: dict[str, Any] = {"sep": "\t", "dtype": str, "keep_default_na": False, "nrows": rows,
                           "engine": "python", "encoding": "utf-8-sig"}  # fmt: skip
    take_long_fields()
    with reading(path):
        try:
            table = pd.read_csv(path, **how)
            joined = any(table[field].str.contains("\n", na=False).any() for field in table)
            if not joined or not is_a_line_each(path):
                return table
        except (pd.errors.ParserError, csv.Error):
            if not is_a_line_each(path):
                raise
        return pd.read_csv(path, **how, quoting=csv.QUOTE_NONE)


def check_types(path: Path, columns: Iterable[str]) -> None:
    """Refuse a header that does not say what its columns hold.

    Args:
        path: path of the file, for messages.
        columns: the header's columns.

    Raises:
        DeltaError: one has no type.
    """
    for column in columns:
        if column.count(":") != 1:
            raise DeltaError(
                f"{path}: the column {column!r} must say its type, as RecBole's headers do: "
                f"{column.split(':')[0]}:token_seq."
            )
