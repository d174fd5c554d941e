"""Finding and reading raw files, with an error that names the file at fault."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from dataset_prep.errors import DeltaError

FAULTS = (
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, EOFError, ValueError),
    *(SyntaxError, TypeError, KeyError, RecursionError, csv.Error, zlib.error),
)
"""Exceptions of readers for a damaged file, or a file in another format."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong in the block into an error that names the file ``path``.

    Raises:
        DeltaError: the file cannot be read in this way.
    """
    try:
        yield
    except DeltaError:
        raise
    except FAULTS as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DeltaError(
            f"Cannot read {path}: {line}; it should be the whole file, as its owner gives it."
        ) from error


def need(raw: Path | None, *names: str, where: str) -> list[Path]:
    """Paths of the files that a raw format consists of.

    Args:
        raw: folder of the raw files; None if none was given.
        names: names of the files; ``a|b`` means a, or else b.
        where: one sentence on where to get the files.

    Returns:
        One path for each of ``names``.

    Raises:
        DeltaError: a file is missing; the message lists all of them and says where to get them.
    """
    listed = " and ".join(name.replace("|", " or ") for name in names)
    if raw is None:
        raise DeltaError(f"Say where the raw files are (--raw DIR): {listed}. {where}")
    found = []
    for name in names:
        there = [raw / each for each in name.split("|") if (raw / each).is_file()]
        if not there:
            missing = name.replace("|", " or ")
            raise DeltaError(f"There is no {missing} in {raw}; it takes {listed}. {where}")
        found.append(there[0])
    return found
