"""What a case is shown: every earlier row of its user, in order of time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recbole_delta.audit.finding import NOTE, WARNING, Finding
from recbole_delta.audit.prepared import PreparedRows, group_sizes, groups, of_each_row


def history(rows: PreparedRows) -> Iterator[Finding]:
    """Targets that their history holds already, or whose place in time is not known.

    Args:
        rows: rows of a prepared data set.
    """
    target = rows.of("test")
    n = int(target.sum())
    again = rows.time > _first_time(rows)
    for split, name, check in (
        ("test", "test", "targets seen before"),
        ("valid", "validation", "validation targets seen before"),
    ):
        targets = rows.of(split)
        repeated = targets & again
        if repeated.any():
            yield Finding(
                WARNING,
                check,
                f"{repeated.sum():,} of {targets.sum():,} {name} targets are items that their "
                "user's history has already: with mask_history (the default) they are misses, "
                "whatever the model.",
                float(repeated.sum() / targets.sum()),
                rows.examples(repeated),
            )
    at_once = group_sizes(rows.time, rows.user)
    tied = target & (at_once > group_sizes(rows.time, rows.pair))
    if tied.any():
        yield Finding(
            NOTE,
            "targets tied in time",
            f"{tied.sum():,} of {n:,} test targets have the very time of other rows of their user; "
            "which of these are history follows from the order of the file alone.",
            float(tied.sum() / n),
            rows.examples(tied),
        )
    targets = rows.of("valid", "test")
    last = np.full(len(rows.users), -np.inf)
    np.maximum.at(last, rows.user[targets], rows.time[targets])
    unused = rows.of("history") & (rows.time > last[rows.user])
    if unused.any():
        yield Finding(
            NOTE,
            "history that no case sees",
            f"{unused.sum():,} of {rows.of('history').sum():,} history rows come after every "
            "target of their user; no case is shown them, and nothing is trained on them.",
            int(unused.sum()),
            rows.examples(unused),
        )


def _first_time(rows: PreparedRows) -> np.ndarray:
    """``[rows]`` the time at which each row's user took its item first."""
    order, starts = groups(rows.pair)
    return of_each_row(np.minimum.reduceat(rows.time[order], starts), order, starts)
