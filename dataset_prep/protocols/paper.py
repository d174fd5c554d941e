"""The protocol of "Let It Go? Not Quite" (RecSys 2025): a global split in time."""

from __future__ import annotations

import numpy as np

from dataset_prep.filters import in_n_core
from dataset_prep.log import Log, sorted_users
from dataset_prep.protocols.common import HISTORY, TEST, TRAIN, VALID, last_of_users

QUANTILE = 0.9
CORE = 3
TRAIN_USERS = 0.9


def paper(log: Log, *, seed: int = 42) -> tuple[Log, np.ndarray]:
    """Split at the 0.9 quantile of time; cold items are those unseen in training.

    Up to the quantile the rows are reduced to their 3-core; 90% of its users train, the
    others validate by their last warm item. Each user with a later row has one test target,
    the last item; the rows before it are its history.

    Args:
        log: in order of time.
        seed: of the sample of training users.
    """
    late = log.time > np.quantile(log.time, QUANTILE)
    kept = late.copy()
    kept[~late] = in_n_core(log.user[~late], log.item[~late], CORE)
    log, late = log.keep(kept), late[kept]

    users = sorted_users(log, log.user[~late])
    trains = np.zeros(len(log.users), dtype=bool)
    trains[np.random.default_rng(seed).permutation(users)[: int(len(users) * TRAIN_USERS)]] = True
    is_train = ~late & trains[log.user]
    warm = np.bincount(log.item[is_train], minlength=len(log.items)) > 0

    split = np.full(len(log), HISTORY)
    split[is_train] = TRAIN
    split[last_of_users(log.user, ~late & ~is_train & warm[log.item])] = VALID
    split[last_of_users(log.user, late)] = TEST
    return log, split
