"""What protocols share: names of splits, and the first and last row of each user."""

from __future__ import annotations

import numpy as np

from recbole_delta.instances import SPLITS

TRAIN, VALID, TEST, HISTORY = map(np.uint8, range(len(SPLITS)))
"""Splits as codes: positions in :data:`recbole_delta.instances.SPLITS`."""


def last_of_users(user: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Positions of the last row of each user among ``rows`` (a mask)."""
    position = np.flatnonzero(rows)
    last = np.full(user.max(initial=0) + 1, -1, dtype=np.int64)
    last[user[position]] = position
    return last[last >= 0]


def before_first(user: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Mask of the rows of each user that come before all of the user's ``rows`` (a mask)."""
    position = np.flatnonzero(rows)[::-1]
    first = np.full(user.max(initial=0) + 1, len(user), dtype=np.int64)
    first[user[position]] = position
    return np.arange(len(user)) < first[user]
