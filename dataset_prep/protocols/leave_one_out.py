"""RecBole's own split, for comparison with older tables: each user's last rows are targets."""

from __future__ import annotations

import numpy as np

from dataset_prep.interactions.log import Log
from dataset_prep.protocols.common import TEST, TRAIN, VALID, Split, last_of_users


def leave_one_out(log: Log) -> Split:
    """Each user's last row is the test target, the one before it the validation target.

    This is RecBole's ``{'LS': 'valid_and_test'}``: a user with two rows gives no validation
    target, one with a single row only trains. No item is held out; a target is cold if no
    other row trains on its item.

    Args:
        log: in order of time.

    Returns:
        All rows, each with what it is for.

    Example:
        >>> import polars as pl
        >>> from dataset_prep.format.fields import SPLITS
        >>> from dataset_prep.interactions.log import Log
        >>> from dataset_prep.protocols import leave_one_out
        >>> rows = {"user_id": list("uuuv"), "item_id": list("abca"), "timestamp": range(4)}
        >>> log, _ = Log.read(pl.LazyFrame(rows), "plays")
        >>> [SPLITS[code] for code in leave_one_out(log).split]
        ['train', 'valid', 'test', 'train']
    """
    split = np.full(len(log), TRAIN)
    left = np.bincount(log.user, minlength=1)[log.user]
    split[last_of_users(log.user, left >= 2)] = TEST
    split[last_of_users(log.user, (left >= 3) & (split != TEST))] = VALID
    return Split(log, split)
