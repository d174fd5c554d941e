"""What protocols share: codes of the splits, and first and last rows of users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dataset_prep.format.fields import SPLITS
from dataset_prep.interactions.draw import draw
from dataset_prep.interactions.log import Log, occurrences, parts, sorted_users

TRAIN, VALID, TEST, HISTORY = map(np.uint8, range(len(SPLITS)))
"""Splits as codes: positions in :data:`dataset_prep.format.fields.SPLITS`."""


class Split(NamedTuple):
    """The result of a protocol.

    Attributes:
        log: the rows that the protocol keeps, in order of time.
        split: ``[n]`` uint8, what each row is for: TRAIN, VALID, TEST or HISTORY.
        steps: counts on the way, made by :func:`counts`, which ``name.json`` lists.
    """

    log: Log
    split: np.ndarray
    steps: Sequence[dict[str, Any]] = ()


def counts(step: str, log: Log, rows: np.ndarray | None = None) -> dict[str, Any]:
    """Numbers of rows, users and items, as ``name.json`` lists them.

    Args:
        step: what has been done, in a few words.
        log: the rows.
        rows: mask of the rows that count; None for all.
    """
    users = np.count_nonzero(occurrences(log.user, len(log.users), rows))
    items = np.count_nonzero(occurrences(log.item, len(log.items), rows))
    n = len(log) if rows is None else np.count_nonzero(rows)
    return {"step": step, "rows": int(n), "users": int(users), "items": int(items)}


def time_of_cut(time: np.ndarray, quantile: float) -> float:
    """The time up to which rows train and validate: a quantile, between two rows linear.

    Args:
        time: ``[n]`` times of all rows, ``n`` at least 1.
        quantile: share of the rows up to it.
    """
    return float(np.quantile(time, quantile))


def last_of_users(user: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Positions of the last row of each user among ``rows`` (a mask)."""
    last = np.full(user.max(initial=0) + 1, -1, dtype=np.int64)
    for part in parts(len(user)):
        position = part.start + np.flatnonzero(rows[part])
        last[user[position]] = position
    return last[last >= 0]


def first_of_users(user: np.ndarray) -> np.ndarray:
    """Positions of the first row of each user."""
    first = _first(user, np.ones(len(user), dtype=bool))
    return first[first < len(user)]


def before_first(user: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Mask of the rows of each user that come before all of the user's ``rows`` (a mask)."""
    first, before = _first(user, rows), np.empty(len(user), dtype=bool)
    for part in parts(len(user)):
        before[part] = np.arange(part.start, part.stop) < first[user[part]]
    return before


def _first(user: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Position of the first of each user's ``rows``; for a user without, the number of rows."""
    first = np.full(user.max(initial=0) + 1, len(user), dtype=np.int64)
    for part in reversed(parts(len(user))):
        # The last assignment to a place stays: the first row, seen from the end.
        position = (part.start + np.flatnonzero(rows[part]))[::-1]
        first[user[position]] = position
    return first


def split_by_user(log: Log, is_test: np.ndarray, train_users: float, seed: int) -> np.ndarray:
    """Let some users train and the others validate, and test on given rows.

    Args:
        log: in order of time.
        is_test: mask of the rows that are kept from training and validation; each user's last
            one among them is a test target.
        train_users: share of the users of the other rows who train. The other users have one
            validation target each: their last row whose item is trained on.
        seed: seed of the sample of users.

    Returns:
        ``[n]`` uint8, what each row is for.
    """
    users = sorted_users(log, ~is_test)
    trains = np.zeros(len(log.users), dtype=bool)
    trains[users[draw(len(users), int(len(users) * train_users), seed)]] = True
    is_train = ~is_test & trains[log.user]
    warm = occurrences(log.item, len(log.items), is_train) > 0
    split = np.full(len(log), HISTORY)
    split[is_train] = TRAIN
    split[last_of_users(log.user, ~is_test & ~is_train & warm[log.item])] = VALID
    split[last_of_users(log.user, is_test)] = TEST
    return split
