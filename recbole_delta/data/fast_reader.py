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
    """Some columns of an atomic file without flaw; None where RecBole's reader has to explain one.

    Args:
        path: path of the file, in UTF-8.
        separator: separator of its fields.
        floats: columns of numbers, as they stand in the header (``timestamp:float``).
        texts: columns of texts, as they stand in the header (``user_id:token``).
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
    """A column's texts as numbers.

    Args:
        column: ``[rows]`` texts.

    Returns:
        ``[rows]`` int64 codes, and ``[n]`` the distinct texts in order of appearance.
    """
    distinct = column.unique(maintain_order=True)
    codes = column.cast(pl.Enum(distinct)).to_physical().to_numpy().astype(np.int64)
    return codes, distinct.to_numpy().astype(object)


def recoded(texts: pd.Series, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Texts as their positions among known ones.

    Args:
        texts: ``[rows]`` texts.
        known: ``[n]`` distinct texts.

    Returns:
        ``[rows]`` int64 codes, and the known texts with new ones appended.
    """
    codes = pd.Index(known).get_indexer(pd.Index(texts))
    new = np.flatnonzero(codes < 0)
    more, added = pd.factorize(texts.to_numpy()[new])
    codes[new] = len(known) + more
    return codes.astype(np.int64), np.concatenate([known, added])


def numbered(codes: np.ndarray, n: int, first: np.ndarray) -> np.ndarray:
    """New numbers of codes by first appearance, in some rows before the others.

    Args:
        codes: ``[rows]`` int64 codes, from 0.
        n: number of codes.
        first: ``[rows]`` bool, the rows that come first.

    Returns:
        ``[n]`` int64, from 0; codes that do not appear come last, in their order.

    Example:
        >>> import numpy as np
        >>> codes, trained = np.array([2, 0, 1]), np.array([False, True, True])
        >>> numbered(codes, 3, trained).tolist()  # 0 and 1 are trained on, 2 comes after them
        [0, 1, 2]
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
