"""Filters over random interactions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.datasets import as_log, as_pandas, random_interactions

from dataset_prep.interactions import filters
from dataset_prep.interactions.filters import in_n_core, n_repeated, sample_users, without_repeats


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_n_core_is_the_largest_subset(seed, n):
    whole = as_log(random_interactions(seed, n=120))
    kept = whole.keep(in_n_core(whole.user, whole.item, n))
    rows = Counter(zip(kept.user.tolist(), kept.item.tolist(), kept.time.tolist()))
    for codes in (kept.user, kept.item):
        assert all(count >= n for count in Counter(codes.tolist()).values())
    # By removing one bad row after the other, in another order, nothing more is left.
    left = list(zip(whole.user.tolist(), whole.item.tolist(), whole.time.tolist()))[::-1]
    while True:
        users, items = Counter(u for u, _, _ in left), Counter(i for _, i, _ in left)
        bad = next((r for r in left if users[r[0]] < n or items[r[1]] < n), None)
        if bad is None:
            break
        left.remove(bad)
    assert Counter(left) == rows


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_of_repeats_the_first_stays(seed):
    whole = as_log(random_interactions(seed, n=80, users=4, items=3))
    kept = without_repeats(whole)
    last, expected = {}, []
    for user, item, time in zip(whole.user, whole.item, whole.time):
        if last.get(user) != item:
            expected.append((user, item, time))
        last[user] = item
    assert list(zip(kept.user, kept.item, kept.time)) == expected


def test_sampled_users_do_not_depend_on_the_order_of_rows():
    rows = random_interactions(3)
    kept = [
        set(as_pandas(log, np.zeros(len(log), dtype=int))["user_id"])
        for log in (sample_users(as_log(r), 7, seed=1) for r in (rows, rows.iloc[::-1]))
    ]
    assert kept[0] == kept[1]
    assert len(kept[0]) == 7


@pytest.mark.parametrize("at_once", [1, 7, 10_000])
def test_rows_that_are_like_an_earlier_one_are_counted(monkeypatch, at_once):
    """By a set of all rows; many have one time, and few rows are looked at together."""
    monkeypatch.setattr(filters, "BATCH", at_once)
    rows = random_interactions(3, n=400)
    rows["timestamp"] //= 50
    log = as_log(rows).in_order_of_time()
    whole = list(zip(log.user.tolist(), log.item.tolist(), log.time.tolist()))
    assert n_repeated(log) == len(whole) - len(set(whole)) > 0
