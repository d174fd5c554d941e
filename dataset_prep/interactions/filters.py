"""Filters over interactions; each keeps the order of the rows."""

from __future__ import annotations

import numpy as np

from dataset_prep.errors import DeltaError
from dataset_prep.interactions.draw import draw
from dataset_prep.interactions.log import OFFICIAL_TEST, Log, occurrences, sorted_users


def n_core(log: Log, n: int) -> Log:
    """The largest subset in which every user and every item has at least ``n`` rows."""
    return log.keep(in_n_core(log.user, log.item, n))


def in_n_core(user: np.ndarray, item: np.ndarray, n: int) -> np.ndarray:
    """Mask of the rows of the n-core of (``user``, ``item``) codes."""
    kept = np.ones(len(user), dtype=bool)
    while True:
        rows = np.count_nonzero(kept)
        for codes in (item, user):
            counts = occurrences(codes, codes.max(initial=0) + 1, kept)
            kept &= (counts >= n)[codes]
        if np.count_nonzero(kept) == rows:
            return kept


def without_repeats(log: Log) -> Log:
    """Of consecutive rows of a user with the same item, the first (rows in order of time)."""
    by_user = np.argsort(log.user, kind="stable")
    user, item = log.user[by_user], log.item[by_user]
    repeats = np.zeros(len(log), dtype=bool)
    repeats[by_user[1:]] = (user[1:] == user[:-1]) & (item[1:] == item[:-1])
    # Given test sessions stay as they are.
    return log.keep(~repeats | (log.extra.get(OFFICIAL_TEST, np.zeros(1)) > 0))


def sample_users(log: Log, n: int, seed: int) -> Log:
    """Rows of ``n`` users drawn without replacement from the sorted users.

    Raises:
        DeltaError: there are fewer users.
    """
    users = sorted_users(log)
    if n > len(users):
        raise DeltaError(f"Cannot draw {n} users; there are {len(users)}.")
    chosen = np.zeros(len(log.users), dtype=bool)
    chosen[users[draw(len(users), n, seed)]] = True
    return log.keep(chosen[log.user])
