"""A log as it stood before its test rows, so that a protocol can be repeated without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from dataset_prep.interactions.log import OFFICIAL_TEST, Log, occurrences
from dataset_prep.protocols.common import (
    TEST,
    Split,
    before_first,
    first_of_users,
    last_of_users,
    time_of_cut,
)
from dataset_prep.protocols.global_time import global_time
from dataset_prep.protocols.leave_one_out import leave_one_out
from dataset_prep.protocols.official_test import official_test
from dataset_prep.protocols.paper import QUANTILE, paper


class Earlier(NamedTuple):
    """How a protocol is repeated without its test rows.

    Attributes:
        log: a function of the log before the core filter, of ``[n]`` bool, which rows of it the
            core filter has kept, of ``[kept rows]`` uint8, what the protocol made of these, and of
            the protocol's options by name. It returns the log before the core filter without the
            test rows and what came after them; or, as text, why there is none. Only
            ``leave_one_out`` reads what was made of the rows (other protocols may keep fewer rows
            than they were given).
        times: how often this can be done, each time on the result of the last.
        how: one sentence on it, without its full stop.
    """

    log: Callable[..., Log | str]
    times: int
    how: str


def up_to_the_cut(
    log: Log, kept: np.ndarray, split: np.ndarray, *, quantile: float = QUANTILE, **options: Any
) -> Log:
    """``paper`` and ``global_time``: the rows up to the time at which the protocol has cut."""
    time = log.time if kept.all() else log.time[kept]
    return log.keep(log.time <= time_of_cut(time, quantile))


def before_the_last(log: Log, kept: np.ndarray, split: np.ndarray, **options: Any) -> Log:
    """``leave_one_out``: the rows of each user before the test target."""
    tests = kept.copy()
    tests[kept] = split == TEST
    return log.keep(before_first(log.user, tests))


def newest_sessions(log: Log, kept: np.ndarray, split: np.ndarray, **options: Any) -> Log | str:
    """``official_test``: the other sessions, of which the newest take the given ones' place.

    Among these sessions as large a share is marked as the given sessions were of all.
    """
    given = log.extra[OFFICIAL_TEST] > 0
    n_all = np.count_nonzero(occurrences(log.user, len(log.users)))
    n_given = np.count_nonzero(occurrences(log.user, len(log.users), given))
    log = log.keep(~given)
    starts = log.time[first_of_users(log.user)]
    if (starts == starts[:1]).all():
        return "the sessions have no common clock, each starts at the same time"
    ends = np.sort(last_of_users(log.user, np.ones(len(log), dtype=bool)))
    newest = np.zeros(len(log.users), dtype=bool)
    newest[log.user[ends[len(ends) - round(len(ends) * n_given / n_all) :]]] = True
    return replace(log, extra={OFFICIAL_TEST: newest[log.user]})


BY_TIME = Earlier(
    up_to_the_cut,
    3,
    "the protocol repeated on the rows up to its cut in time, three times, each up to the cut "
    "of the one before; cold test targets of all three by all their test targets",
)

EARLIER: dict[Callable[..., Split], Earlier] = {
    paper: BY_TIME,
    global_time: BY_TIME,
    leave_one_out: Earlier(
        before_the_last,
        1,
        "the protocol repeated without the test target of each user; cold test targets by all",
    ),
    official_test: Earlier(
        newest_sessions,
        3,
        "the protocol repeated three times without its test sessions, with the newest of the "
        "others in their place; cold test targets of all three by all their test targets",
    ),
}
"""The protocols that can be repeated."""
