"""Items taken out of training: many cold targets, even on small data."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recbole_delta.errors import DeltaError


def item_holdout(
    interactions: pd.DataFrame, *, seed: int = 42, cold: str = "newest", fraction: float = 0.1
) -> pd.DataFrame:
    """Hold out two disjoint sets of items, one for validation, one for test.

    A user's test targets are the last interaction with a warm item and the last with a
    test-cold one; the validation targets are likewise the last warm and the last
    validation-cold one before them. Only warm rows before all targets of the user are
    trained on. An item that loses all its training rows this way is cold too, but never a
    target.

    Args:
        interactions: sorted stably by time.
        seed: of the choice of cold items.
        cold: ``newest`` (by first interaction) or ``random``.
        fraction: of the items, for validation and again for test.

    Returns:
        All rows with ``split``.

    Raises:
        DeltaError: an unknown choice, or a fraction that leaves no warm or no cold item.
    """
    if cold not in ("newest", "random"):
        raise DeltaError(f"cold must be newest or random, but is {cold!r}.")
    test_cold, valid_cold = _choose_cold(interactions, cold, fraction, seed)
    item = interactions["item_id"]
    is_test_cold, is_valid_cold = item.isin(test_cold), item.isin(valid_cold)
    is_warm = ~(is_test_cold | is_valid_cold)
    while True:
        split = _assign(interactions["user_id"], is_warm, is_valid_cold, is_test_cold)
        trained = item.isin(set(item[split == "train"]))
        if (trained | ~is_warm).all():
            return interactions.assign(split=split)
        # Without a training row an item cannot be a warm target: choose the targets anew.
        is_warm &= trained


def _choose_cold(
    interactions: pd.DataFrame, cold: str, fraction: float, seed: int
) -> tuple[set[str], set[str]]:
    born = interactions.drop_duplicates("item_id")["item_id"].to_numpy()
    n_cold = int(len(born) * fraction)
    if not 0 < 2 * n_cold < len(born):
        raise DeltaError(
            f"fraction: {fraction} of {len(born)} items, twice, leaves no cold or no warm item."
        )
    rng = np.random.default_rng(seed)
    pool = born[-2 * n_cold :] if cold == "newest" else np.sort(born)
    chosen = rng.permutation(pool)[: 2 * n_cold]
    return set(chosen[:n_cold]), set(chosen[n_cold:])


def _assign(
    user: pd.Series, is_warm: pd.Series, is_valid_cold: pd.Series, is_test_cold: pd.Series
) -> pd.Series:
    split = pd.Series("history", index=user.index)
    tests = _last(user, is_warm) | _last(user, is_test_cold)
    before_tests = _before_first(user, tests)
    valids = _last(user, is_warm & before_tests) | _last(user, is_valid_cold & before_tests)
    split[is_warm & _before_first(user, tests | valids)] = "train"
    split[valids] = "valid"
    split[tests] = "test"
    return split


def _last(user: pd.Series, rows: pd.Series) -> pd.Series:
    """The last of ``rows`` of each user."""
    chosen = user[rows]
    last = pd.Series(False, index=user.index)
    last[chosen.index[~chosen.duplicated(keep="last")]] = True
    return last


def _before_first(user: pd.Series, rows: pd.Series) -> pd.Series:
    """Rows of each user that come before all of its ``rows``."""
    return rows.astype(int).groupby(user).cumsum() == 0
