"""Atomic files of ten million rows, read by polars into what RecBole makes of them with pandas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from pandas._libs.parsers import STR_NA_VALUES


def read_plain(
    path: Path, separator: str, floats: list[str], texts: list[str]
) -> pl.DataFrame | None:
    """The wanted columns of an atomic file without flaw; None where a flaw has to be explained.

    Args:
        path: of the file, in UTF-8.
        separator: of its fields.
        floats: columns of numbers, with their types as in the header.
        texts: the others, likewise.
    """
    try:
        frame = pl.read_csv(
            path,
            separator=separator,
            infer_schema=False,  # all are texts, but for:
            schema_overrides=dict.fromkeys(floats, pl.Float64),
            null_values=sorted(STR_NA_VALUES),
        ).select([*floats, *texts])
    except (pl.exceptions.PolarsError, OSError):
        return None
    return None if any(frame.null_count().row(0)) else frame


def coded(column: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Codes ``[rows]`` of a column's texts, and the distinct texts in order of appearance."""
    distinct = column.unique(maintain_order=True)
    codes = column.cast(pl.Enum(distinct)).to_physical().to_numpy().astype(np.int64)
    return codes, distinct.to_numpy().astype(object)


def recoded(texts: pd.Series, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes of ``texts`` by their place in ``known``, which new ones are added to."""
    codes = pd.Index(known).get_indexer(pd.Index(texts))
    new = np.flatnonzero(codes < 0)
    more, added = pd.factorize(texts.to_numpy()[new])
    codes[new] = len(known) + more
    return codes.astype(np.int64), np.concatenate([known, added])


def numbered(codes: np.ndarray, n: int, first: np.ndarray) -> np.ndarray:
    """New numbers of ``n`` codes by first appearance, the rows of the mask ``first`` before others.

    Returns:
        ``[n]``, from 0; codes that do not appear come last, in their order.
    """
    rows = len(codes)
    appears = np.arange(2 * rows, 2 * rows + n)
    for start, chosen in ((rows, ~first), (0, first)):
        at = np.flatnonzero(chosen)[::-1]
        # Written backwards: the first appearance stays.
        appears[codes[at]] = start + at
    number = np.empty(n, dtype=np.int64)
    number[np.argsort(appears)] = np.arange(n)
    return number
