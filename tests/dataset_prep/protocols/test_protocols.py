"""Protocols: hand-made cases, and properties over random interactions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.datasets import as_log, as_pandas, random_interactions
from support.originals import numbers

from dataset_prep import protocols
from dataset_prep.errors import DeltaError
from dataset_prep.interactions.log import Log
from dataset_prep.sources import get_source


def item_holdout(frame, **options):
    return as_pandas(*protocols.item_holdout(as_log(frame), **options))


def paper(frame, **options):
    return as_pandas(*protocols.paper(as_log(frame), **options))


def frame(rows):
    """Rows "user item time", sorted stably by time."""
    table = pd.DataFrame([row.split() for row in rows], columns=["user_id", "item_id", "timestamp"])
    table["timestamp"] = table["timestamp"].astype(float)
    return table.sort_values("timestamp", kind="stable", ignore_index=True)


def check_no_leak(split, rows):
    """Properties that every protocol owes."""
    train = rows[rows["split"] == "train"]
    warm = set(train["item_id"])
    for _, mine in rows.groupby("user_id"):
        of = mine["split"].to_numpy()
        targets = np.flatnonzero((of == "valid") | (of == "test"))
        if split == "item_holdout" and len(targets):
            assert not (of[targets[0] :] == "train").any()
        for part in ("valid", "test"):
            chosen = mine.loc[of == part, "item_id"].isin(warm)
            assert chosen.sum() <= 1
            assert (~chosen).sum() <= 1
    return warm


@given(st.integers(0, 10_000), st.sampled_from(["newest", "random"]))
@settings(max_examples=40, deadline=None)
def test_item_holdout_properties(seed, cold):
    interactions = random_interactions(seed)
    rows = item_holdout(interactions, cold=cold, fraction=0.12, seed=seed)
    warm = check_no_leak("item_holdout", rows)
    pd.testing.assert_frame_equal(rows.drop(columns="split"), interactions)
    cold_targets = {
        part: set(rows.loc[(rows["split"] == part) & ~rows["item_id"].isin(warm), "item_id"])
        for part in ("valid", "test")
    }
    assert not cold_targets["valid"] & cold_targets["test"]
    for _, mine in rows.groupby("user_id"):
        first = mine.index[mine["split"] == "test"].min()
        later = mine.index[mine["split"] == "valid"]
        assert not len(later) or later.max() < first


def test_item_holdout_by_hand():
    rows = frame(
        ["a i1 1", "a i2 2", "a i3 3", "a y 4", "a i1 5", "a x 6", "a i2 7", "a x 8",
         "b i3 1", "b i2 2", "b i1 9", "c x 10", "d y 11"]
    )  # fmt: skip
    # x and y are the newest two of five items; this seed makes x test-cold, y validation-cold.
    rows = item_holdout(rows, cold="newest", fraction=0.2, seed=3)
    split = {user: mine["split"].tolist() for user, mine in rows.groupby("user_id")}
    assert split == {
        # Test: last warm i2 (7) and last x (8). Validation: last warm i1 (5) and last y (4)
        # before 7; x at 6 is history. Trained on: what comes before 4.
        "a": ["train", "train", "train", "valid", "valid", "history", "test", "test"],
        "b": ["train", "valid", "test"],
        "c": ["test"],
        "d": ["valid"],
    }


@given(st.integers(0, 10_000), st.sampled_from(["newest", "random"]))
@settings(max_examples=40, deadline=None)
def test_shots_are_nested_and_change_nothing_else(seed, cold):
    interactions = random_interactions(seed)
    options = {"cold": cold, "fraction": 0.12, "seed": seed}
    rows = item_holdout(interactions, **options)
    warm = check_no_leak("item_holdout", rows)
    target = rows["split"].isin(["valid", "test"])
    cold_targets = set(rows.loc[target, "item_id"]) - warm  # held out beyond doubt
    free = (target.groupby(rows["user_id"]).cumsum() == 0) & ~rows["item_id"].isin(warm)
    before = set()
    for shots in (0, 1, 2, 4, 1000):
        dialled = item_holdout(interactions, **options, shots=shots)
        assert dialled.drop(columns="split").equals(rows.drop(columns="split"))
        changed = dialled.index[dialled["split"] != rows["split"]]
        assert set(rows.loc[changed, "split"]) <= {"history"}
        assert set(dialled.loc[changed, "split"]) <= {"train"}
        assert free[changed].all()
        assert before <= set(changed)
        before = set(changed)
        expected = rows.loc[free, "item_id"].value_counts().clip(upper=shots).to_dict()
        found = rows.loc[changed, "item_id"].value_counts().to_dict()
        assert found.items() <= expected.items()
        assert all(found.get(item, 0) == expected.get(item, 0) for item in cold_targets)


def test_shots_by_hand():
    log = as_log(frame(
        ["a i1 1", "a i2 2", "a i3 3", "a y 4", "a x 5", "a i1 6", "a y 7", "a i2 8", "a x 9",
         "b i3 1", "b x 6", "b i2 7", "b x 8", "b i1 9"]
    ))  # fmt: skip
    options = {"cold": "newest", "fraction": 0.2, "seed": 3}
    done = protocols.item_holdout(log, **options, shots=2)
    rows = as_pandas(*done)
    # x is test-cold, y validation-cold. Targets begin at 6 for a and at 7 for b, so that y has one
    # row to train on, at 4, and x two, at 5 and at 6 (of b).
    assert {user: "".join(of[0] for of in mine) for user, mine in rows.groupby("user_id")["split"]} == {
        "a": "tttttvvtt", "b": "ttvtt",
    }  # fmt: skip
    assert rows.loc[rows["split"] == "train", "item_id"].value_counts()[["x", "y"]].tolist() == [
        2,
        1,
    ]
    assert [list(step.values()) for step in done.steps] == [
        ["rows left to held-out items, up to 2 each", 3, 2, 2], ["of items with fewer", 1, 1, 1],
    ]  # fmt: skip
    chosen = set()
    for seed in range(20):  # which of x's two rows stays alone is drawn
        one = as_pandas(*protocols.item_holdout(log, **{**options, "seed": seed}, shots=1))
        trained = one[(one["split"] == "train") & (one["item_id"] == "x")]
        if len(trained) and "x" not in set(one.loc[one["split"] == "valid", "item_id"]):
            chosen |= set(trained["user_id"])
    assert chosen == {"a", "b"}


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_paper_properties(seed):
    interactions = random_interactions(seed, n=400)
    rows = paper(interactions, seed=seed)
    threshold = interactions["timestamp"].quantile(0.9)
    warm = check_no_leak("paper", rows)
    assert rows.loc[rows["split"].isin(["train", "valid"]), "timestamp"].le(threshold).all()
    assert rows.loc[rows["split"] == "test", "timestamp"].gt(threshold).all()
    assert rows.loc[rows["split"] == "valid", "item_id"].isin(warm).all()
    late = interactions[interactions["timestamp"] > threshold]
    assert (rows["split"] == "test").sum() == late["user_id"].nunique()
    trained = rows.loc[rows["split"] == "train", "user_id"].unique()
    validated = rows.loc[rows["split"] == "valid", "user_id"].unique()
    assert not set(trained) & set(validated)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_leave_one_out_is_recboles_split(seed):
    rows = random_interactions(seed, n=40)
    split = as_pandas(*protocols.leave_one_out(as_log(rows)))
    for _, mine in split.groupby("user_id"):
        expected = {1: ["train"], 2: ["train", "test"]}.get(
            len(mine), ["train"] * (len(mine) - 2) + ["valid", "test"]
        )
        assert mine["split"].tolist() == expected


@pytest.mark.data
def test_the_papers_counts_on_beauty(real_data):
    """Every count that the paper and its code give for Beauty, with its seed 42."""
    data = get_source("amazon-2014").read(
        real_data("amazon-beauty-2014-5core"), {"category": "Beauty"}
    )
    log, raw = Log.read(data.interactions, "Beauty", above={"rating": 3})
    assert raw == {"rows": 198_502, "users": 22_363, "items": 12_101}
    liked = log.in_order_of_time()
    assert numbers(liked) == (154_272, 22_269, 12_086)
    rows = as_pandas(*protocols.paper(liked))
    late = rows["timestamp"] > np.quantile(liked.time, 0.9)
    assert ((~late).sum(), late.sum()) == (133_780, 15_373)
    test_users = set(rows.loc[late, "user_id"])
    assert late.sum() + rows.loc[~late, "user_id"].isin(test_users).sum() == 46_727
    targets = rows[rows["split"] == "test"]
    assert len(targets) == 5_161
    first = ~rows["user_id"].duplicated()
    assert first[targets.index].sum() == 294
    trained = rows.loc[rows["split"] == "train", "item_id"]
    warm = set(trained)
    assert (len(trained), len(warm)) == (120_122, 11_165)
    assert (~targets["item_id"].isin(warm)).sum() == 1_284
    validates = ~late & ~rows["user_id"].isin(rows.loc[rows["split"] == "train", "user_id"])
    assert validates.sum() == 13_658
    assert (validates & rows["item_id"].isin(warm)).sum() == 13_649
    assert rows["item_id"].nunique() - len(warm) == 568


@pytest.mark.parametrize(
    ("options", "message"),
    [({"cold": "oldest"}, "newest or random"), ({"fraction": 0.6}, "leaves no cold or no warm"),
     ({"fraction": 0.0}, "leaves no cold or no warm"),
     ({"shots": -1}, "shots must be a whole number >= 0, but is -1."),
     ({"shots": 1.5}, "shots must be a whole number >= 0, but is 1.5."),
     ({"shots": "few"}, "shots must be a whole number >= 0, but is 'few'.")],
)  # fmt: skip
def test_bad_options_are_refused(options, message):
    with pytest.raises(DeltaError, match=message):
        item_holdout(random_interactions(0), **options)


def roles(rows, **options):
    """What each row "user item time" is for, by ``global_time``, as one letter each."""
    split = as_pandas(*protocols.global_time(as_log(frame(rows)), **options))["split"]
    return "".join(part[0] for part in split)


ROWS = [
    "a i 1", "a j 2", "b i 3", "b j 4", "a k 5", "b k 6", "c i 7", "b i 8",  # up to the cut
    "a l 9", "a m 10", "c j 11", "a n 12",
]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "after"),
    [("last", "hhtt"), ("first", "thth"), ("successive", "tttt")],
)
def test_global_time_by_hand(target, after):
    # c has one row up to the cut: nothing to learn from. Of seven rows to learn from, two are
    # after the second cut (at 5.6 of the times 1 2 3 4 5 6 8).
    before = {"last": "ttttthhv", "first": "tttttvhh", "successive": "tttttvhv"}[target]
    assert roles(ROWS, quantile=0.65, validation_quantile=0.7, target=target) == before + after


def test_global_time_validates_on_last_items_or_on_users():
    given = {"quantile": 0.65}
    # b's k and i: the last of a and of b validate, and what is left of both is enough to train.
    assert roles(ROWS, validation="last_item", **given) == "ttttvthv" + "hhtt"
    drawn = {roles(ROWS, validation="user", validation_users=1, seed=s, **given) for s in range(9)}
    assert drawn == {"hhttvththhtt", "tthhthhvhhtt"}


def test_a_random_target_is_any_of_the_users_own():
    found = {roles(ROWS, quantile=0.65, target="random", seed=seed)[8:] for seed in range(40)}
    assert found == {"thth", "htth", "hhtt"}


@given(
    st.integers(0, 10_000),
    st.sampled_from(["last", "first", "random", "successive"]),
    st.sampled_from(["time", "user", "last_item"]),
)
@settings(max_examples=60, deadline=None)
def test_global_time_properties(seed, target, validation):
    rows = random_interactions(seed, n=300)
    given = {"target": target, "validation": validation, "validation_users": 3, "seed": seed}
    split = as_pandas(*protocols.global_time(as_log(rows), **given))
    cut = rows["timestamp"].quantile(0.9)
    late, tests = split["timestamp"] > cut, split["split"] == "test"
    trains, valid = split["split"] == "train", split["split"] == "valid"
    assert not (late & (trains | valid)).any()
    assert not (tests & ~late).any()
    assert set(split.loc[tests, "user_id"]) == set(split.loc[late, "user_id"])
    if target == "successive":
        assert (tests == late).all()
    else:
        assert split[tests].groupby("user_id").size().max() == 1
    assert split[trains].groupby("user_id").size().min() >= 2
    if validation == "time":
        assert split.loc[trains, "timestamp"].max() <= split.loc[valid, "timestamp"].min()
    elif validation == "user":
        assert valid.sum() == 3
        assert not set(split.loc[valid, "user_id"]) & set(split.loc[trains, "user_id"])


@pytest.mark.data
def test_beautys_test_users_are_those_of_time_to_split(real_data):
    """6,110 test users at the 0.9 quantile (arXiv 2507.16289, the files of its repository)."""
    raw = get_source("amazon-2014").read(
        real_data("amazon-beauty-2014-5core"), {"category": "Beauty"}
    )
    log, _ = Log.read(raw.interactions, "Beauty")
    split = as_pandas(*protocols.global_time(log.in_order_of_time(), validation="user"))
    of = split["split"].value_counts()
    assert (len(split), of["test"], of["valid"]) == (198_502, 6_110, 1_024)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "each"}, "target must be one of last | first | random | successive"),
        ({"validation": "all"}, "validation must be one of time | user | last_item"),
        ({"quantile": 1}, "quantile must be between 0 and 1, but is 1"),
        ({"validation": "user", "validation_users": 2}, "only 2 users have two rows"),
        ({"validation_users": 0}, "validation_users must be at least 1"),
    ],
)
def test_global_time_refuses(options, message):
    with pytest.raises(DeltaError, match=message):
        roles(ROWS, **options)
