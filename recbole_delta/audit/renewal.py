"""What share of what people take next is new, by how often a model would be trained again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from recbole_delta.audit.finding import NOTE, Finding
from recbole_delta.audit.prepared import PreparedRows

DAY = 86_400.0
INTERVALS = {"every day": 1, "every 7 days": 7, "every 30 days": 30, "every 90 days": 90}
"""Days between two trainings."""
LATEST = 1e11
"""Seconds since 1970, in the year 5138: larger numbers are of another unit."""
FEW = 5
"""Training rows up to which an item has few."""
NOTHING = -1
"""In the place of the item before a user's first."""


def unit(rows: PreparedRows) -> Iterator[Finding]:
    """Whether times can be days: what is new by the calendar is not counted otherwise.

    Args:
        rows: rows of a prepared data set.
    """
    if rows.has_clock and rows.time.max() > LATEST:
        yield Finding(
            NOTE,
            "times are no seconds",
            "They lie beyond the year 5000 (milliseconds?), so what is new by the calendar was not "
            "counted.",
            float(rows.time.max()),
        )


def renewal(rows: PreparedRows) -> pd.DataFrame | None:
    """The share of interactions with items that the latest training has not seen, or hardly.

    The later half of the log is cut into intervals that end with it. At the start of each a model
    would be trained on all rows before; an interaction in it is with a new item if the item has
    none of these. Splits are passed over: this is of the log, not of a protocol, and of whatever
    rows the filters of its preparation have left.

    Args:
        rows: rows of a prepared data set, with times in seconds since 1970.

    Returns:
        a line for each interval that fits into the later half of the log: ``new`` and ``1 to 5
        rows``, the shares of interactions with items of no row before, and of one to :data:`FEW`;
        ``interactions`` that these are shares of; and ``new after new``, the share of new items
        among the interactions of users whose last one was with an item just as new (NaN without
        any): where it is above ``new``, new items follow new items. None without such an
        interval, and for times in another unit.

    Example:
        >>> from pathlib import Path
        >>> from recbole_delta.quick_start.example import example_data
        >>> folder = Path(example_data()["data_path"], "example")
        >>> renewal(PreparedRows.read(folder)) is None  # a log of nine hours
        True
    """
    if not rows.has_clock or rows.time.max() > LATEST:
        return None
    user_item_time = pd.DataFrame({"user": rows.user, "item": rows.item, "time": rows.time})
    log = user_item_time.drop_duplicates()  # a row may be history of one case and train another
    log = log.sort_values(["user", "time"], kind="stable")
    item, time = log["item"].to_numpy(), log["time"].to_numpy()
    last = log.groupby("user")["item"].shift(fill_value=NOTHING).to_numpy()
    end, middle = time.max(), np.median(time)
    lines = {}
    for name, days in INTERVALS.items():
        n = int((end - middle) // (days * DAY))
        if n:
            lines[name] = _shares(item, last, time, end - np.arange(n, 0, -1) * days * DAY)
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("trained") if lines else None


def _shares(
    item: np.ndarray, last: np.ndarray, time: np.ndarray, cuts: np.ndarray
) -> dict[str, float]:
    """Shares over all rows after the first of ``cuts``, which rise; ``last`` items come before."""
    later = time > cuts[0]
    latest = cuts[np.searchsorted(cuts, time[later], side="left") - 1]
    before = _rows_until(item, time, item[later], latest)
    few = (before > 0) & (before <= FEW)
    follows = last[later] != NOTHING
    after_new = np.flatnonzero(follows)[
        _rows_until(item, time, last[later][follows], latest[follows]) == 0
    ]
    return {
        "new": (before == 0).mean(),
        "new after new": (before[after_new] == 0).mean() if len(after_new) else np.nan,
        f"1 to {FEW} rows": few.mean(),
        "interactions": int(later.sum()),
    }


def _rows_until(
    item: np.ndarray, time: np.ndarray, asked: np.ndarray, until: np.ndarray
) -> np.ndarray:
    """How many rows each asked item has up to a time, the time itself included."""
    moments, rank = np.unique(time, return_inverse=True)
    key = np.sort(item * (len(moments) + 1) + rank + 1)
    first = asked * (len(moments) + 1)
    last = first + np.searchsorted(moments, until, side="right")
    return np.searchsorted(key, last, side="right") - np.searchsorted(key, first, side="right")
