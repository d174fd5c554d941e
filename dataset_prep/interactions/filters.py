"""Filters: which rows of a log are kept, in the order in which they were."""

from __future__ import annotations

import numpy as np

from dataset_prep.errors import DeltaError
from dataset_prep.interactions.draw import draw
from dataset_prep.interactions.log import BATCH, OFFICIAL_TEST, Log, occurrences, sorted_users


def in_n_core(user: np.ndarray, item: np.ndarray, n: int) -> np.ndarray:
    """Which rows are in the n-core: the most in which every user and item has at least ``n``.

    Args:
        user: ``[rows]`` users as codes.
        item: ``[rows]`` items as codes.
        n: the fewest rows.

    Returns:
        ``[rows]`` bool.
    """
    kept = np.ones(len(user), dtype=bool)
    while True:
        rows = np.count_nonzero(kept)
        for codes in (item, user):
            counts = occurrences(codes, codes.max(initial=0) + 1, kept)
            kept &= (counts >= n)[codes]
        if np.count_nonzero(kept) == rows:
            return kept


def without_repeats(log: Log) -> Log:
    """Keep the first of a user's consecutive rows with the same item.

    Args:
        log: in order of time. Rows of given test sessions are all kept.
    """
    by_user = np.argsort(log.user, kind="stable")
    user, item = log.user[by_user], log.item[by_user]
    repeats = np.zeros(len(log), dtype=bool)
    repeats[by_user[1:]] = (user[1:] == user[:-1]) & (item[1:] == item[:-1])
    # The published targets of test sessions are counted in whole sessions.
    return log.keep(~repeats | (log.extra.get(OFFICIAL_TEST, np.zeros(1)) > 0))


def n_repeated(log: Log) -> int:
    """How many rows are like an earlier one: of the same user, item and time.

    Args:
        log: in order of time.
    """
    found, start = 0, 0
    while start < len(log):
        # Rows of one time stay together.
        last = log.time[min(start + BATCH, len(log)) - 1]
        end = int(np.searchsorted(log.time, last, side="right"))
        part = slice(start, end)
        row = log.user[part].astype(np.int64) * len(log.items) + log.item[part]
        time = log.time[part]
        order = np.lexsort((row, time))
        same = (np.diff(row[order]) == 0) & (np.diff(time[order]) == 0)
        found, start = found + int(same.sum()), end
    return found


def sample_users(log: Log, n: int, seed: int) -> Log:
    """Keep the rows of ``n`` users, drawn without replacement from the sorted users.

    Raises:
        DeltaError: there are fewer users than ``n``.
    """
    users = sorted_users(log)
    if n > len(users):
        raise DeltaError(f"Cannot draw {n} users; there are {len(users)}.")
    chosen = np.zeros(len(log.users), dtype=bool)
    chosen[users[draw(len(users), n, seed)]] = True
    return log.keep(chosen[log.user])
