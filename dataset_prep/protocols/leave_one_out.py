"""RecBole's own split, for comparison with older tables."""

from __future__ import annotations

import numpy as np

from dataset_prep.interactions.log import Log
from dataset_prep.protocols.common import TEST, TRAIN, VALID, Split, last_of_users


def leave_one_out(log: Log) -> Split:
    """Each user's last row is the test target, the one before it the validation target.

    As RecBole's ``{'LS': 'valid_and_test'}``: a user with two rows gives no validation target,
    one with a single row only trains. A target whose item no other row trains on is cold.

    Args:
        log: in order of time.
    """
    split = np.full(len(log), TRAIN)
    left = np.bincount(log.user, minlength=1)[log.user]
    split[last_of_users(log.user, left >= 2)] = TEST
    split[last_of_users(log.user, (left >= 3) & (split != TEST))] = VALID
    return Split(log, split)
