"""Validation targets that training has never seen, for protocols that have none.

Some warm items are taken out of training, as if they had come later. What a model does with them is
what it will do with cold items, and no test row is looked at.
"""

from __future__ import annotations

import numpy as np

from dataset_prep.protocols.common import HISTORY, TRAIN, VALID, last_of_users

LEAST_ITEMS, MOST_SHARE = 20, 0.2
"""Items that are held out at least, and at most as a share of the warm ones."""


def n_held_out(n_warm: int, n_cold: int) -> int:
    """How many warm items to hold out: as many as are cold, so that competition is alike.

    Args:
        n_warm: items with a training row.
        n_cold: items without one.
    """
    return max(1, min(max(n_cold, LEAST_ITEMS), int(MOST_SHARE * n_warm)))


def hold_out(
    user: np.ndarray,
    item: np.ndarray,
    time: np.ndarray,
    split: np.ndarray,
    *,
    which: str,
    n_items: int,
    seed: int,
) -> np.ndarray:
    """The split with ``n_items`` warm items taken out of training.

    A user whose last training row is of such an item gives it as a validation target; every other
    training row of such an item is only history. Validation targets of such items become cold ones.

    Args:
        user: ``[rows]`` int64 codes.
        item: ``[rows]`` int64 codes.
        time: ``[rows]`` float64; rows of equal time are in the order of the rows.
        split: ``[rows]`` positions in ``dataset_prep.format.fields.SPLITS``.
        which: the ``newest`` items by their first training row, or ``random`` ones.
        n_items: number of items to take out.
        seed: seed of the choice of random items.

    Returns:
        ``[rows]`` the new split; rows of test keep theirs. Where no user's last training row is of
        such an item, it has no cold target that the old one had not.

    Example:
        >>> user, item = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 0, 1])
        >>> split = np.zeros(5, dtype=np.int8)
        >>> hold_out(user, item, np.arange(5.0), split, which="newest", n_items=1, seed=0).tolist()
        [0, 0, 1, 0, 0]
    """
    order = np.argsort(time, kind="stable")
    trained = order[split[order] == TRAIN]
    warm, first = np.unique(item[trained], return_index=True)
    if which == "newest":
        chosen = warm[np.argsort(first, kind="stable")][len(warm) - n_items :]
    else:
        chosen = np.random.default_rng(seed).permutation(warm)[:n_items]
    is_held = np.zeros(item.max() + 1, dtype=bool)
    is_held[chosen] = True
    last = order[last_of_users(user[order], split[order] == TRAIN)]
    changed = split.copy()
    changed[(split == TRAIN) & is_held[item]] = HISTORY
    changed[last[is_held[item[last]]]] = VALID
    return changed
