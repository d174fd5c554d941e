"""RecBole atomic files, written so that RecBole's reader gives back what was written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from dataset_prep.errors import DeltaError

READ_AS_MISSING = [
    *["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"],
    *["<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"],
]
"""Texts that RecBole's reader (pandas.read_csv with its defaults) takes for a missing value."""


def write_atomic(frames: Iterable[pl.DataFrame], types: Mapping[str, str], path: Path) -> None:
    """Write the columns of ``types``, in that order, as ``name:type``, frame after frame.

    Ids must have passed :func:`check_ids`.
    """
    # Python 3.10's csv module, and so RecBole's reader, stops at a NUL.
    words = [
        pl.col(column).str.replace_all(r"[\s\x00]+", " ").str.strip_chars()
        for column, kind in types.items()
        if kind == "token_seq"
    ]
    with path.open("w", encoding="utf-8") as file:
        file.write("\t".join(f"{column}:{kind}" for column, kind in types.items()) + "\n")
        for frame in frames:
            text = frame.select(list(types)).with_columns(words)
            file.write(text.write_csv(include_header=False, separator="\t"))


def check_ids(ids: pl.Series, what: str) -> None:
    """RecBole's reader gives every id back as it is.

    Raises:
        DeltaError: it would drop or split one.
    """
    unreadable = ids.str.contains(r"[\t\r\n\x00]") | ids.is_in(READ_AS_MISSING)
    bad = ids.filter(unreadable | (ids.str.strip_chars() == ""))
    if len(bad):
        raise DeltaError(f"RecBole cannot read the {what} {bad[0]!r} back; rename it.")
