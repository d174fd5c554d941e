"""The share of new items by how often a model is trained again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recbole_delta.audit.prepared import PreparedRows
from recbole_delta.audit.renewal import DAY, renewal
from recbole_delta.audit.renewal import unit as check_unit


def log(user, item, days) -> PreparedRows:
    user, item = np.asarray(user), np.asarray(item)
    time = np.asarray(days, dtype=np.float64) * DAY
    split = np.zeros(len(user), dtype=np.int8)
    names = [np.arange(each.max() + 1).astype(str) for each in (user, item)]
    return PreparedRows(Path(), user, item, time, split, *names, np.zeros(len(names[1])), "")


def test_by_hand():
    """The log ends on day 10, half of it is over on day 5: cuts every day from then on."""
    item = [0, 0, 0, 0, 0, 1, 0, 1, 1, 2, 2]
    days = [0, 1, 2, 3, 4, 5, 6, 6.5, 8, 9.5, 10]
    found = renewal(log([0] * 9 + [1, 2], item, days))
    # After day 5: item 0 on day 6 has five rows, item 1 one and two, item 2 none on day 9.5
    # and none on day 10, as both fall between the cuts of days 9 and 10.
    assert found.loc["every day", "new"] == pytest.approx(2 / 5)
    assert found.loc["every day", "1 to 5 rows"] == pytest.approx(3 / 5)
    assert found.loc["every day", "interactions"] == 5
    # Nobody has taken anything after item 2, and item 1 was not new any more when it was followed.
    assert np.isnan(found.loc["every day", "new after new"])
    assert list(found.index) == ["every day"]  # seven days do not fit into five


@pytest.mark.parametrize("seed", range(5))
def test_against_a_loop(seed):
    rng = np.random.default_rng(seed)
    n, days = 400, 60
    rows = log(rng.integers(0, 30, n), rng.integers(0, 60, n), np.sort(rng.integers(0, days, n)))
    found = renewal(rows)
    frame = pd.DataFrame({"user": rows.user, "item": rows.item, "day": rows.time / DAY})
    frame = frame.drop_duplicates()
    end, half = frame["day"].max(), frame["day"].median()
    for name, step in (("every day", 1), ("every 7 days", 7), ("every 30 days", 30)):
        new, few, seen, after = 0, 0, 0, []
        start = end - step
        while start >= half:
            before = frame[frame["day"] <= start]["item"].value_counts()
            window = frame[(frame["day"] > start) & (frame["day"] <= start + step)]
            counts = window["item"].map(before).fillna(0)
            new, few = new + (counts == 0).sum(), few + counts.between(1, 5).sum()
            for place, count in counts.items():
                earlier = frame.loc[: place - 1]
                earlier = earlier[earlier["user"] == frame.loc[place, "user"]]
                if len(earlier) and earlier["item"].iloc[-1] not in before:
                    after.append(count == 0)
            seen, start = seen + len(window), start - step
        if not seen:
            assert name not in found.index
            continue
        expected = [new / seen, few / seen, seen, np.mean(after) if after else np.nan]
        columns = ["new", "1 to 5 rows", "interactions", "new after new"]
        assert found.loc[name, columns].tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("unit", [1e3, 1e9])
def test_times_in_another_unit_say_nothing(unit):
    start = 1_700_000_000 / DAY
    rows = log([0, 0, 1, 1], [0, 1, 0, 1], (start + np.array([0, 5, 1, 6])) * unit)
    assert renewal(rows) is None
    assert [each.check for each in check_unit(rows)] == ["times are no seconds"]


def test_a_log_without_a_clock_says_nothing():
    assert renewal(log([0, 0, 1, 1], [0, 1, 0, 1], [0, 5, 0, 5])) is None
