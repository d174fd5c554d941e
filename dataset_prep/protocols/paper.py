"""The protocol of "Let It Go? Not Quite" (RecSys 2025): a global split in time."""

from __future__ import annotations

import numpy as np

from dataset_prep.interactions.filters import in_n_core
from dataset_prep.interactions.log import Log
from dataset_prep.protocols.common import Split, counts, split_by_user

QUANTILE = 0.9
CORE = 3
TRAIN_USERS = 0.9


def paper(log: Log, *, seed: int = 42) -> Split:
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
    steps = [
        counts(f"up to the {QUANTILE:g} quantile of time", log, ~late),
        counts("after it", log, late),
        counts(f"{CORE}-core up to it", log, kept & ~late),
    ]
    log, late = log.keep(kept), late[kept]
    return Split(log, split_by_user(log, late, TRAIN_USERS, seed), steps)
