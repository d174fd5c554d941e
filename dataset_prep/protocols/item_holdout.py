"""A protocol that takes items out of training: many cold targets, even on small data."""

from __future__ import annotations

import numpy as np

from dataset_prep.errors import DeltaError
from dataset_prep.interactions.log import Log, occurrences
from dataset_prep.protocols.common import (
    HISTORY,
    TEST,
    TRAIN,
    VALID,
    Split,
    before_first,
    last_of_users,
)


def item_holdout(log: Log, *, seed: int = 42, cold: str = "newest", fraction: float = 0.1) -> Split:
    """Hold out two disjoint sets of items, one for validation, one for test.

    A user's test targets are the last row with a warm item and the last row with an item held
    out for test. The validation targets are, among the rows before these, the last with a warm
    item and the last with an item held out for validation. Only rows with warm items before all
    targets of the user are trained on. An item that loses all its training rows this way is
    cold too, but never a target.

    Args:
        log: in order of time.
        seed: seed of the choice of cold items.
        cold: which items are held out: the ``newest`` (by first interaction) or ``random`` ones.
        fraction: share of the items held out for validation, and again for test.

    Returns:
        All rows, each with what it is for.

    Raises:
        DeltaError: an unknown choice, or a fraction that leaves no warm or no cold item.

    Example:
        Of the four items of one user c is held out for validation and d for test:

        >>> import polars as pl
        >>> from dataset_prep.format.fields import SPLITS
        >>> from dataset_prep.interactions.log import Log
        >>> from dataset_prep.protocols import item_holdout
        >>> items = list("ababcad")
        >>> rows = {"user_id": ["ann"] * 7, "item_id": items, "timestamp": range(7)}
        >>> log, _ = Log.read(pl.LazyFrame(rows), "plays")
        >>> for item, code in zip(items, item_holdout(log, fraction=0.25).split):
        ...     print(item, SPLITS[code])
        a train
        b train
        a train
        b valid
        c valid
        a test
        d test
    """
    if cold not in ("newest", "random"):
        raise DeltaError(f"cold must be newest or random, but is {cold!r}.")
    if not 0 < fraction < 0.5:
        raise DeltaError(
            f"fraction: {fraction} of the items, twice, leaves no cold or no warm item."
        )
    test_cold, valid_cold = _choose_cold(log, cold, fraction, seed)
    is_warm = ~(test_cold | valid_cold)
    while True:
        split = _assign(log.user, *(flags[log.item] for flags in (is_warm, valid_cold, test_cold)))
        trained = occurrences(log.item, len(log.items), split == TRAIN) > 0
        if (trained[log.item] | ~is_warm[log.item]).all():
            return Split(log, split)
        # Without a training row an item cannot be a warm target: choose the targets anew.
        is_warm &= trained


def _choose_cold(log: Log, cold: str, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which items are held out for test, and which for validation: ``[items]`` bool each."""
    present, first = np.unique(log.item, return_index=True)
    n_cold = int(len(present) * fraction)
    if not 0 < 2 * n_cold < len(present):
        raise DeltaError(
            f"fraction: {fraction} of {len(present)} items, twice, leaves no cold or no warm item."
        )
    if cold == "newest":
        pool = present[np.argsort(first, kind="stable")][-2 * n_cold :]
    else:
        pool = present[np.argsort(log.items.gather(present).to_numpy(), kind="stable")]
    chosen = np.random.default_rng(seed).permutation(pool)[: 2 * n_cold]
    flags = np.zeros((2, len(log.items)), dtype=bool)
    flags[0, chosen[:n_cold]] = flags[1, chosen[n_cold:]] = True
    return flags[0], flags[1]


def _assign(
    user: np.ndarray, is_warm: np.ndarray, is_valid_cold: np.ndarray, is_test_cold: np.ndarray
) -> np.ndarray:
    split = np.full(len(user), HISTORY)
    tests = np.zeros(len(user), dtype=bool)
    tests[last_of_users(user, is_warm)] = tests[last_of_users(user, is_test_cold)] = True
    before_tests = before_first(user, tests)
    valids = np.zeros(len(user), dtype=bool)
    for group in (is_warm, is_valid_cold):
        valids[last_of_users(user, group & before_tests)] = True
    split[is_warm & before_first(user, tests | valids)] = TRAIN
    split[valids] = VALID
    split[tests] = TEST
    return split
