"""Files that somebody else has made: what is missing, and what cannot be read, is said."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from dataset_prep.errors import DeltaError

FAULTS = (
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, EOFError, ValueError),
    *(SyntaxError, TypeError, KeyError, RecursionError, zlib.error),
)
"""What readers raise over a file that is not what it should be."""


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What goes wrong in the block is the fault of the file ``path``.

    Raises:
        DeltaError: it did.
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
    """Paths of files in the raw folder.

    Args:
        raw: the folder.
        names: of the files; of alternatives ``a|b`` the first that is there.
        where: one sentence on where to get them.

    Raises:
        DeltaError: one is missing; the message lists all of them and where they are to be had.
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
