"""A split whose test sessions are given, as Amazon-M2's."""

from __future__ import annotations

from dataset_prep.errors import DeltaError
from dataset_prep.interactions.log import OFFICIAL_TEST, Log
from dataset_prep.protocols.common import Split, split_by_user


def official_test(log: Log, *, seed: int = 42, train_users: float = 0.8) -> Split:
    """The last item of each given test session is a target; the other users train or validate.

    The paper's protocol for Amazon-M2: 80% of the other users train; of each of the rest the
    last warm item is the validation target.

    Args:
        log: in order of time, from a source that has test sessions.
        seed: of the sample of training users.
        train_users: their share.

    Raises:
        DeltaError: the source has no test sessions.
    """
    if OFFICIAL_TEST not in log.extra:
        raise DeltaError("protocol official_test needs a source with test sessions (amazon-m2).")
    split = split_by_user(log, log.extra[OFFICIAL_TEST] > 0, train_users, seed)
    return Split(log, split)
