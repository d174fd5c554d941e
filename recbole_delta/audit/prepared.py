"""The rows and flags of a prepared data set, read as they stand, whatever is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

from dataset_prep.errors import DeltaError
from dataset_prep.format.fields import COLD_FIELD, SPLIT_FIELD, SPLITS
from recbole_delta.audit.finding import SHOWN, some
from recbole_delta.data.fast_reader import coded, read_plain, recoded
from recbole_delta.data.fingerprint import read_preparation


@dataclass(frozen=True)
class PreparedRows:
    """Interactions and items of a prepared data set.

    Attributes:
        folder: folder of its files, which has its name.
        user: ``[rows]`` int64 codes of users.
        item: ``[rows]`` int64 codes of items.
        time: ``[rows]`` float64.
        split: ``[rows]`` int8 positions in :data:`dataset_prep.format.fields.SPLITS`.
        users: ``[n_users]`` tokens by code.
        items: ``[n_items]`` tokens by code, of .inter and .item.
        flag: ``[n_items]`` float64: ``is_cold`` of .item, NaN for an item without a line there.
        protocol: name of the protocol, as ``name.json`` has it; empty if it does not say.
    """

    folder: Path
    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    split: np.ndarray
    users: np.ndarray
    items: np.ndarray
    flag: np.ndarray
    protocol: str

    @classmethod
    def read(cls, folder: str | Path) -> PreparedRows:
        """Read ``name.inter``, ``name.item`` and ``name.json``.

        Args:
            folder: folder of the data set.

        Raises:
            DeltaError: a file or a column is missing, or a value cannot be read.
        """
        folder = Path(folder)
        inter, item = (folder / f"{folder.resolve().name}.{end}" for end in ("inter", "item"))
        tokens = ["user_id:token", "item_id:token", f"{SPLIT_FIELD}:token"]
        rows = _columns(inter, ["timestamp:float"], tokens)
        user, users = coded(rows[tokens[0]])
        code, items = coded(rows[tokens[1]])
        split = pd.Index(SPLITS).get_indexer(rows[tokens[2]].to_numpy())
        if (split < 0).any():
            unknown = rows[tokens[2]][int(np.argmin(split))]
            raise DeltaError(f"{inter}: split must be one of {', '.join(SPLITS)}, not {unknown!r}.")
        lines = _columns(item, [], ["item_id:token", f"{COLD_FIELD}:token"])
        listed, items = recoded(pd.Series(lines["item_id:token"].to_list()), items)
        flag = np.full(len(items), np.nan)
        flag[listed] = pd.to_numeric(lines[f"{COLD_FIELD}:token"].to_numpy(), errors="coerce")
        if not np.isin(flag[listed], (0, 1)).all():
            wrong = items[listed[~np.isin(flag[listed], (0, 1))][0]]
            raise DeltaError(f"{item}: is_cold must be 0 or 1, but is not so for {wrong!r}.")
        said = read_preparation(inter.with_suffix(".json")).get("protocol", "")
        time = rows["timestamp:float"].to_numpy()
        return cls(folder, user, code, time, split.astype(np.int8), users, items, flag, str(said))

    def of(self, *splits: str) -> np.ndarray:
        """``[rows]`` bool, rows of some splits."""
        return np.isin(self.split, [SPLITS.index(each) for each in splits])

    @property
    def pair(self) -> np.ndarray:
        """``[rows]`` int64, equal for rows of the same user and item."""
        return self.user * len(self.items) + self.item

    @cached_property
    def train_count(self) -> np.ndarray:
        """``[n_items]`` int64 training rows of each item; without any it is cold."""
        return np.bincount(self.item[self.of("train")], minlength=len(self.items))

    @cached_property
    def has_clock(self) -> bool:
        """Whether times of different users can be compared: not all users begin at one time."""
        first = np.full(len(self.users), np.inf)
        np.minimum.at(first, self.user, self.time)
        return len(first) < 2 or bool((first != first[0]).any())

    def examples(self, rows: np.ndarray) -> tuple[str, ...]:
        """A few rows in words, whatever their order in the file.

        Args:
            rows: ``[rows]`` bool, or positions.
        """
        user, item = self.user[rows], self.item[rows]
        # Millions of rows may be at fault; few of them are put into words.
        codes = np.unique(user)
        few = np.isin(user, codes[np.argsort(self.users[codes], kind="stable")[:SHOWN]])
        pairs = zip(self.users[user[few]], self.items[item[few]])
        return some(f"user {user}, item {item}" for user, item in pairs)


def _columns(path: Path, floats: list[str], texts: list[str]) -> pl.DataFrame:
    if not path.is_file():
        raise DeltaError(f"There is no {path}; prepare the data set with dataset_prep.")
    frame = read_plain(path, "\t", floats, texts)
    if frame is None or not len(frame):
        raise DeltaError(
            f"{path} must have rows with {', '.join([*texts, *floats])}, all filled; prepare the "
            "data set with dataset_prep."
        )
    return frame


def groups(*keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that agree in all keys, side by side.

    Args:
        keys: ``[rows]`` arrays; within a group rows are in their own order.

    Returns:
        ``[rows]`` the order, and where in it each group starts.

    Example:
        >>> order, starts = groups(np.array([7, 5, 7]), np.array([0, 0, 0]))
        >>> order.tolist(), starts.tolist()
        ([1, 0, 2], [0, 1])
    """
    order = np.lexsort(keys)
    changed = np.zeros(max(len(order) - 1, 0), dtype=bool)
    for key in keys:
        changed |= np.diff(key[order]) != 0
    return order, np.concatenate([[0], np.flatnonzero(changed) + 1]).astype(np.int64)


def group_sizes(*keys: np.ndarray) -> np.ndarray:
    """``[rows]`` number of rows that agree with each row in all keys, itself included.

    Example:
        >>> group_sizes(np.array([7, 5, 7]), np.array([0, 0, 0])).tolist()
        [2, 1, 2]
    """
    order, starts = groups(*keys)
    return of_each_row(np.diff(np.append(starts, len(order))), order, starts)


def of_each_row(values: np.ndarray, order: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """``[rows]`` the value of each row's group.

    Args:
        values: ``[groups]`` a value of each group, in the order of ``starts``.
        order: ``[rows]`` of :func:`groups`.
        starts: ``[groups]`` of :func:`groups`.
    """
    found = np.empty(len(order), dtype=values.dtype)
    found[order] = np.repeat(values, np.diff(np.append(starts, len(order))))
    return found
