"""Interactions in memory: columns of small integers, whatever the ids look like.

A hundred million rows are 1.6 GB here (two int32 codes and an int64 time each). Ids are kept
once, as the tokens that the atomic files will hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from logging import getLogger

import numpy as np
import polars as pl
from polars import selectors

from dataset_prep.errors import DeltaError

OFFICIAL_TEST = "official_test"
"""Extra column of raw formats with given test sessions: 1 in the rows of such a session."""

BATCH = 1_000_000
"""Number of rows that are read or written at a time."""


@dataclass(frozen=True)
class Log:
    """``n`` interactions, one row each.

    Attributes:
        user: ``[n]`` int32, the user of each row as a position in ``users``.
        item: ``[n]`` int32, the item of each row as a position in ``items``.
        time: ``[n]`` int64 or float64 seconds, or any number that orders a user's rows.
        users: ids of users as text, in order of appearance.
        items: ids of items as text, in order of appearance.
        extra: further columns by name, such as ``rating``, ``[n]`` each.

    Example:
        >>> import polars as pl
        >>> from dataset_prep.interactions.log import Log
        >>> rows = {"user_id": ["ann", "bob", "ann"], "item_id": ["x", "x", "y"]}
        >>> rows = pl.LazyFrame({**rows, "timestamp": [30, 20, 10], "rating": [5, 2, 4]})
        >>> log, before = Log.read(rows, "plays", above={"rating": 3})
        >>> before
        {'rows': 3, 'users': 2, 'items': 2}
        >>> log = log.in_order_of_time()
        >>> log.item.tolist(), log.items.to_list(), log.time.tolist()
        ([1, 0], ['x', 'y'], [10, 30])
    """

    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    users: pl.Series
    items: pl.Series
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.user)

    @classmethod
    def read(
        cls, rows: pl.LazyFrame, source: str, above: Mapping[str, float] | None = None
    ) -> tuple[Log, dict[str, int]]:
        """Read rows batch by batch; only the codes of those that are kept stay in memory.

        Args:
            rows: ``user_id``, ``item_id``, ``timestamp`` and further columns of numbers.
            source: the file that is read, for messages.
            above: columns and bounds; only rows strictly above are kept. A column with a bound
                is dropped then, unless it is the rating or the timestamp.

        Returns:
            The kept rows, and counts of rows, users and items before the bounds.

        Raises:
            DeltaError: a value or a column is missing or not a number, or the file cannot be
                read.
        """
        above = above or {}
        categories = {name: pl.Categories.random() for name in ("user_id", "item_id")}
        tokens = (
            pl.col(name).cast(pl.String).cast(pl.Categorical(categories[name]))
            for name in categories
        )
        parts: dict[str, list[np.ndarray]] = {}
        needed, gaps = {*categories, "timestamp", OFFICIAL_TEST, *above}, set[str]()
        n_raw = 0
        try:
            _check_numbers(rows, source)
            coded = rows.with_columns(tokens).with_columns(selectors.decimal().cast(pl.Float64))
            for batch in coded.collect_batches(chunk_size=BATCH, maintain_order=True):
                gaps |= _with_gaps(batch.drop(gaps), needed, source)
                batch = batch.drop(gaps)
                n_raw += len(batch)
                for name, bound in above.items():
                    batch = batch.filter(pl.col(name) > bound)
                for column in batch.drop(set(above) - {"rating", "timestamp"}):
                    values = column.to_physical().to_numpy()
                    if column.name in categories:
                        values = values.astype(np.int32)
                    parts.setdefault(column.name, []).append(values)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DeltaError(f"Cannot read {source}: {_first_line(error)}.") from error
        if not parts:
            raise DeltaError(f"{source} holds no interactions.")
        for name in sorted(gaps):
            parts.pop(name, None)
            getLogger().warning(f"{source}: {name} is missing in some rows; it is left out.")
        raw = {"rows": n_raw, "users": len(categories["user_id"].to_series())}
        raw["items"] = len(categories["item_id"].to_series())
        columns = {name: np.concatenate(parts.pop(name)) for name in list(parts)}
        user, users = _by_appearance(columns.pop("user_id"), categories["user_id"])
        item, items = _by_appearance(columns.pop("item_id"), categories["item_id"])
        return cls(user, item, columns.pop("timestamp"), users, items, columns), raw

    def keep(self, rows: np.ndarray) -> Log:
        """Keep the rows that a mask or positions choose, in the order of the mask or positions."""
        extra = {name: column[rows] for name, column in self.extra.items()}
        kept = {"user": self.user[rows], "item": self.item[rows], "time": self.time[rows]}
        return replace(self, **kept, extra=extra)

    def in_order_of_time(self) -> Log:
        """The rows sorted by time; rows of one time keep their order."""
        if (self.time[1:] >= self.time[:-1]).all():
            return self
        return self.keep(np.argsort(self.time, kind="stable"))

    def numbers(self) -> list[str]:
        """Names of the extra columns that are written to the atomic file."""
        return [name for name in self.extra if name != OFFICIAL_TEST]

    def frames(self, split: np.ndarray, names: Sequence[str]) -> Iterable[pl.DataFrame]:
        """The rows as they are written: ids as text, and what each row is for.

        Args:
            split: ``[n]``, what each row is for as a position in ``names``.
            names: names of the splits.

        Returns:
            Frames of at most a million rows.
        """
        labels = pl.Series(names)
        for start in range(0, len(self), BATCH):
            part = slice(start, start + BATCH)
            columns = {
                "user_id": self.users.gather(self.user[part]),
                "item_id": self.items.gather(self.item[part]),
                **{name: self.extra[name][part] for name in self.numbers()},
                "timestamp": self.time[part],
                "split": labels.gather(split[part]),
            }
            yield pl.DataFrame(columns)


def parts(n: int) -> list[slice]:
    """``n`` rows as slices of at most a million rows each.

    Positions of all rows of a hundred million at once would take most of the memory.
    """
    return [slice(start, min(start + BATCH, n)) for start in range(0, n, BATCH)]


def occurrences(codes: np.ndarray, n: int, rows: np.ndarray | None = None) -> np.ndarray:
    """How often each of the codes from 0 to ``n`` - 1 occurs.

    Args:
        codes: users or items of the rows.
        n: how many codes there are.
        rows: mask of the rows that count; None for all.

    Returns:
        ``[n]`` int64.
    """
    counts = np.zeros(n, dtype=np.int64)
    for part in parts(len(codes)):
        chosen = codes[part] if rows is None else codes[part][rows[part]]
        counts += np.bincount(chosen, minlength=n)
    return counts


def sorted_users(log: Log, rows: np.ndarray | None = None) -> np.ndarray:
    """Codes of the users that occur, sorted by their ids: numbers by value, others as text.

    A sample of sorted users does not depend on the order of the rows.

    Args:
        log: the rows.
        rows: mask of the rows that count; None for all.
    """
    present = np.flatnonzero(occurrences(log.user, len(log.users), rows))
    tokens = log.users.gather(present)
    numbers = tokens.cast(pl.Int64, strict=False)
    keys = tokens if numbers.null_count() else numbers
    return present[keys.arg_sort().to_numpy()]


def _by_appearance(codes: np.ndarray, categories: pl.Categories) -> tuple[np.ndarray, pl.Series]:
    """Codes in order of appearance, whichever thread met a token first, and their tokens."""
    tokens = categories.to_series()
    first = np.full(len(tokens), len(codes), dtype=np.int64)
    for start in reversed(range(0, len(codes), BATCH)):
        part = codes[start : start + BATCH]
        # The last assignment to a position stays: the first appearance, seen from the end.
        first[part[::-1]] = np.arange(start, start + len(part))[::-1]
    order = np.argsort(first, kind="stable")
    rank = np.empty(len(tokens), dtype=np.int32)
    rank[order] = np.arange(len(tokens), dtype=np.int32)
    return rank[codes], tokens.gather(order)


def _check_numbers(rows: pl.LazyFrame, source: str) -> None:
    for name, kind in rows.collect_schema().items():
        if name not in ("user_id", "item_id") and not kind.is_numeric() and kind != pl.Null:
            raise DeltaError(f"{source}: {name} must hold numbers, not {kind}.")


def _with_gaps(batch: pl.DataFrame, needed: set[str], source: str) -> set[str]:
    """Columns with a gap that nothing reads: a rating, say, that somebody has not given.

    Raises:
        DeltaError: a column that is needed has one.
    """
    found = set()
    for column in batch:
        fault = _fault(column)
        if fault and column.name in needed:
            raise DeltaError(f"{source}: {column.name} {fault}.")
        if fault:
            found.add(column.name)
    return found


def _fault(column: pl.Series) -> str:
    """What is wrong with the values of a column; empty for nothing."""
    if missing := column.null_count():
        return f"is missing in {missing} rows; fix or drop them"
    if column.dtype.is_float() and not column.is_finite().all():
        strange = len(column) - int(column.is_finite().sum())
        return f"is not a number in {strange} rows; fix them"
    return ""


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
