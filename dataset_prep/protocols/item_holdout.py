"""A protocol that takes items out of training: many cold targets, even on small data."""

from __future__ import annotations

import numpy as np

from dataset_prep.errors import DeltaError, whole_number
from dataset_prep.interactions.log import Log, occurrences
from dataset_prep.protocols.common import (
    HISTORY,
    TEST,
    TRAIN,
    VALID,
    Split,
    before_first,
    counts,
    last_of_users,
)


def item_holdout(
    log: Log, *, seed: int = 42, cold: str = "newest", fraction: float = 0.1, shots: int = 0
) -> Split:
    """Hold out two disjoint sets of items, one for validation, one for test.

    A user's test targets are the last row with a warm item and the last row with an item held
    out for test. The validation targets are, among the rows before these, the last with a warm
    item and the last with an item held out for validation. Only rows with warm items before all
    targets of the user are trained on. An item that loses all its training rows this way is
    cold too, but never a target.

    With ``shots``, each held-out item, for validation and for test, gets training rows: as many,
    drawn at random, of its rows that come before all targets of their user. The draw is nested:
    the rows of 1 shot are among those of 2. Targets and histories are the same for every number
    of shots, and so are all other training rows.

    Args:
        log: in order of time.
        seed: seed of the choice of cold items.
        cold: which items are held out: the ``newest`` (by first interaction) or ``random`` ones.
        fraction: share of the items held out for validation, and again for test.
        shots: most training rows of each held-out item; one with fewer keeps those it has.

    Returns:
        All rows, each with what it is for; with shots, counts of the rows that are left to the
        held-out items, and of the items that have fewer.

    Raises:
        DeltaError: an unknown choice, a fraction that leaves no warm or no cold item, or shots
            that are no whole number of at least 0.

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
    whole_number("shots", shots, 0)
    test_cold, valid_cold = _choose_cold(log, cold, fraction, seed)
    held_out = test_cold | valid_cold
    is_warm = ~held_out
    while True:
        split = _assign(log.user, *(flags[log.item] for flags in (is_warm, valid_cold, test_cold)))
        trained = occurrences(log.item, len(log.items), split == TRAIN) > 0
        if (trained[log.item] | ~is_warm[log.item]).all():
            return _with_shots(log, split, held_out, shots, seed) if shots else Split(log, split)
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


def _with_shots(log: Log, split: np.ndarray, held_out: np.ndarray, shots: int, seed: int) -> Split:
    """The split with up to ``shots`` training rows for each held-out item (``[items]`` bool)."""
    targets = (split == VALID) | (split == TEST)
    free = np.flatnonzero(held_out[log.item] & before_first(log.user, targets))
    # A stream of its own: the choice of items is the same with and without shots.
    free = np.random.default_rng([seed, 1]).permutation(free)
    left = free[_turn(log.item[free]) < shots]
    split[left] = TRAIN
    n_left = occurrences(log.item[left], len(log.items))
    is_left = np.zeros(len(log), dtype=bool)
    is_left[left] = True
    few = held_out & (n_left < shots)
    steps = [
        counts(f"rows left to held-out items, up to {shots} each", log, is_left),
        counts("of items with fewer", log, is_left & few[log.item]) | {"items": int(few.sum())},
    ]
    return Split(log, split, steps)


def _turn(item: np.ndarray) -> np.ndarray:
    """How many rows with the same item come before each row: ``[n]`` int64."""
    order = np.argsort(item, kind="stable")
    starts = np.flatnonzero(np.diff(item[order], prepend=-1))
    turn = np.empty(len(item), dtype=np.int64)
    turn[order] = np.arange(len(item)) - np.repeat(starts, np.diff(starts, append=len(item)))
    return turn
