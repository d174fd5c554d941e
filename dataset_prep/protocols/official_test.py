"""A protocol for data that comes with test sessions, such as Amazon-M2."""

from __future__ import annotations

from dataset_prep.errors import DeltaError
from dataset_prep.interactions.log import OFFICIAL_TEST, Log
from dataset_prep.protocols.common import Split, split_by_user


def official_test(log: Log, *, seed: int = 42, train_users: float = 0.8) -> Split:
    """The last item of each given test session is a target; the other users train or validate.

    The protocol of "Let It Go? Not Quite" (RecSys 2025) for Amazon-M2: 80% of the other users
    train; each of the rest has one validation target, the last row with a warm item.

    Args:
        log: in order of time, from a raw format that has test sessions.
        seed: seed of the sample of training users.
        train_users: share of the users outside the test sessions who train.

    Returns:
        All rows, each with what it is for.

    Raises:
        DeltaError: the raw format has no test sessions.

    Example:
        Five users, of whom the last is a given test session:

        >>> import polars as pl
        >>> from dataset_prep.format.fields import SPLITS
        >>> from dataset_prep.interactions.log import Log
        >>> from dataset_prep.protocols import official_test
        >>> rows = {"user_id": list("aabbccddee"), "item_id": list("xy" * 5)}
        >>> rows |= {"timestamp": range(10), "official_test": [0] * 8 + [1] * 2}
        >>> log, _ = Log.read(pl.LazyFrame(rows), "sessions")
        >>> split = official_test(log, train_users=0.75).split
        >>> for user, codes in zip("abcde", split.reshape(5, 2)):
        ...     print(user, [SPLITS[code] for code in codes])
        a ['train', 'train']
        b ['train', 'train']
        c ['history', 'valid']
        d ['train', 'train']
        e ['history', 'test']
    """
    if OFFICIAL_TEST not in log.extra:
        raise DeltaError("protocol official_test needs a source with test sessions (amazon-m2).")
    split = split_by_user(log, log.extra[OFFICIAL_TEST] > 0, train_users, seed)
    return Split(log, split)
