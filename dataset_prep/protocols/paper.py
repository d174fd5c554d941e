"""The protocol of "Let It Go? Not Quite" (RecSys 2025): a global split in time."""

from __future__ import annotations

from dataset_prep.interactions.filters import in_n_core
from dataset_prep.interactions.log import Log
from dataset_prep.protocols.common import Split, counts, split_by_user, time_of_cut

QUANTILE = 0.9
CORE = 3
TRAIN_USERS = 0.9


def paper(log: Log, *, seed: int = 42) -> Split:
    """Split at the 0.9 quantile of time; cold items are those unseen in training.

    The rows up to the quantile are reduced to their 3-core, in which every user and every item
    has at least 3 rows. 90% of its users train; each of the others has one validation target,
    the last row with a warm item. Each user with a row after the quantile has one test target,
    the last row; the rows before it are its history.

    Args:
        log: in order of time.
        seed: seed of the sample of training users.

    Returns:
        The rows that are kept, each with what it is for, and counts on the way.

    Example:
        Four users take x, y and z, one after the other. The last two rows, dan's z and ann's n,
        are after the quantile; before it dan has too few rows for the 3-core:

        >>> import polars as pl
        >>> from dataset_prep.format.fields import SPLITS
        >>> from dataset_prep.interactions.log import Log
        >>> from dataset_prep.protocols import paper
        >>> users = [name for name in ("ann", "bob", "cleo", "dan") for _ in "xyz"] + ["ann"]
        >>> rows = {"user_id": users, "item_id": list("xyz" * 4 + "n")}
        >>> log, _ = Log.read(pl.LazyFrame({**rows, "timestamp": range(13)}), "plays")
        >>> done = paper(log)
        >>> for frame in done.log.frames(done.split, SPLITS):
        ...     for user, item, split in frame.select("user_id", "item_id", "split").rows():
        ...         print(user, item, split)
        ann x train
        ann y train
        ann z train
        bob x history
        bob y history
        bob z valid
        cleo x train
        cleo y train
        cleo z train
        dan z test
        ann n test
    """
    late = log.time > time_of_cut(log.time, QUANTILE)
    kept = late.copy()
    kept[~late] = in_n_core(log.user[~late], log.item[~late], CORE)
    steps = [
        counts(f"up to the {QUANTILE:g} quantile of time", log, ~late),
        counts("after it", log, late),
        counts(f"{CORE}-core up to it", log, kept & ~late),
    ]
    log, late = log.keep(kept), late[kept]
    return Split(log, split_by_user(log, late, TRAIN_USERS, seed), steps)
