"""One cut in time, as in "Time to Split" (Gusak et al., RecSys 2025): what comes after it tests."""

from __future__ import annotations

import numpy as np

from dataset_prep.errors import DeltaError, one_of
from dataset_prep.interactions.draw import draw
from dataset_prep.interactions.log import Log, occurrences, sorted_users
from dataset_prep.protocols.common import (
    HISTORY,
    TEST,
    TRAIN,
    VALID,
    Split,
    counts,
    first_of_users,
    last_of_users,
    time_of_cut,
)

QUANTILE = 0.9
TARGETS = ("last", "first", "random", "successive")
VALIDATIONS = ("time", "user", "last_item")


def global_time(
    log: Log,
    *,
    quantile: float = QUANTILE,
    target: str = "last",
    validation: str = "time",
    validation_users: int = 1024,
    validation_quantile: float = 0.9,
    seed: int = 42,
) -> Split:
    """Cut at a quantile of time: rows up to it train and validate, rows after it are test targets.

    No row is trained on that is later than any test target, and no item is held out: cold is what
    came after the cut, as it comes in use. Only users with two rows or more to learn from train.
    "Time to Split: Exploring Data Splitting Strategies for Offline Evaluation of Sequential
    Recommenders" (RecSys 2025, arXiv 2507.16289), whose core filter is ``--core 5``.

    Args:
        log: in order of time.
        quantile: share of the rows up to the cut.
        target: which rows of a user after the cut are test targets: the ``last``, the ``first``,
            one at ``random``, or each of them, ``successive``.
        validation: ``time``: a second cut, at ``validation_quantile`` of the rows up to the first;
            targets after it are chosen as those of the test, cold ones among them. ``user``:
            ``validation_users`` users do not train, and the last row of each up to the cut is a
            target. ``last_item``: the last row up to the cut of every user who trains.
        validation_users: users who validate, with ``validation: user``.
        validation_quantile: share of the rows up to the first cut that are up to the second.
        seed: of the users who validate, and of random targets.

    Returns:
        All rows, each with what it is for, and counts on the way.

    Raises:
        DeltaError: an option that cannot be, or fewer users than are to validate.

    Example:
        The rows after the 0.75 quantile of time test, each user's last row before it validates:

        >>> import polars as pl
        >>> from dataset_prep.format.fields import SPLITS
        >>> from dataset_prep.interactions.log import Log
        >>> from dataset_prep.protocols import global_time
        >>> rows = {"user_id": list("uuuuvvuv"), "item_id": list("abcdabxy")}
        >>> log, _ = Log.read(pl.LazyFrame({**rows, "timestamp": range(8)}), "plays")
        >>> done = global_time(log, quantile=0.75, validation="last_item")
        >>> [SPLITS[code] for code in done.split]
        ['train', 'train', 'train', 'valid', 'history', 'valid', 'test', 'test']
    """
    _check(quantile, target, validation, validation_users, validation_quantile)
    late = log.time > time_of_cut(log.time, quantile)
    trains, validates = _up_to_the_cut(
        log, ~late, target, validation, validation_users, validation_quantile, seed
    )
    split = np.full(len(log), HISTORY)
    split[trains] = TRAIN
    split[validates] = VALID
    split[_targets(log.user, late, target, seed)] = TEST
    steps = [
        counts(f"up to the {quantile:g} quantile of time", log, ~late),
        counts("after it", log, late),
        counts("trained on", log, trains),
    ]
    return Split(log, split, steps)


def _up_to_the_cut(
    log: Log, early: np.ndarray, target: str, validation: str, n: int, quantile: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which rows of ``early`` (a mask) train, as a mask, and which validate, as positions."""
    learns = _with_two(log, early)
    if validation == "user":
        users = sorted_users(log, learns)
        if not n < len(users):
            raise DeltaError(
                f"validation_users is {n}, but only {len(users)} users have two rows up to the "
                "cut; set it lower."
            )
        validates = np.zeros(len(log.users), dtype=bool)
        validates[users[draw(len(users), n, seed)]] = True
        chosen = learns & validates[log.user]
        return learns & ~chosen, last_of_users(log.user, chosen)
    if validation == "time":
        later = learns.copy()
        if learns.any():
            later &= log.time > time_of_cut(log.time[learns], quantile)
        return _with_two(log, learns & ~later), _targets(log.user, later, target, seed)
    last = last_of_users(log.user, learns)
    before = learns.copy()
    before[last] = False
    return _with_two(log, before), last


def _with_two(log: Log, rows: np.ndarray) -> np.ndarray:
    """The ``rows`` (a mask) of users who have at least two of them: one says nothing of a next."""
    return rows & (occurrences(log.user, len(log.users), rows) >= 2)[log.user]


def _targets(user: np.ndarray, rows: np.ndarray, target: str, seed: int) -> np.ndarray:
    """Positions of the targets among ``rows`` (a mask)."""
    position = np.flatnonzero(rows)
    if target == "successive":
        return position
    if target == "first":
        return position[first_of_users(user[position])]
    if target == "random":
        position = np.random.default_rng(seed).permutation(position)
        return position[first_of_users(user[position])]
    return last_of_users(user, rows)


def _check(quantile: float, target: str, validation: str, users: int, second: float) -> None:
    one_of("target", target, TARGETS)
    one_of("validation", validation, VALIDATIONS)
    for name, value in (("quantile", quantile), ("validation_quantile", second)):
        if not 0 < value < 1:
            raise DeltaError(f"{name} must be between 0 and 1, but is {value}.")
    if users < 1:
        raise DeltaError(f"validation_users must be at least 1, but is {users}.")
