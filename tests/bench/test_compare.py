"""The tests of a comparison find a planted difference, and none where there is none."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import permutation_test

from recbole_delta.bench.comparison.compare import Comparison, paired
from recbole_delta.bench.comparison.interval import interval

GAINS = 1 / np.log2(np.arange(1, 11) + 1)


def ndcg(rng, n, rate):
    """NDCG@10 of n users: mostly 0, as in practice."""
    return np.where(rng.random(n) < rate, rng.choice(GAINS, n), 0.0)


def comparison(values: dict[str, np.ndarray], is_cold, user=None) -> Comparison:
    user = np.arange(len(is_cold)) if user is None else user
    rows = [
        SimpleNamespace(label=label, records=[None], gains=lambda metric, v=v: v)
        for label, v in values.items()
    ]
    return Comparison("planted", rows, SimpleNamespace(user=user, is_cold=is_cold))


def test_where_nothing_differs_a_table_errs_at_most_at_the_nominal_rate(monkeypatch):
    # statsmodels collects garbage on every correction, a quarter of a second each.
    monkeypatch.setattr("gc.collect", lambda: 0)
    rng = np.random.default_rng(0)
    wrong, tables, n = 0, 300, 600
    for _ in range(tables):
        easy = rng.random(n) * 0.2  # what a user has in common for all models
        values = {name: ndcg(rng, n, easy) for name in "abcd"}
        table = comparison(values, rng.random(n) < 0.3).differences("a", ["ndcg@10"])
        assert len(table) == 9
        wrong += bool((table["p_holm"] < 0.05).any())
    # .05 and three standard errors of a rate over 400 tables.
    assert wrong / tables <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / tables)


def test_a_planted_difference_is_found_where_it_is(monkeypatch):
    monkeypatch.setattr("gc.collect", lambda: 0)
    rng = np.random.default_rng(1)
    n, found = 4000, []
    for _ in range(50):
        is_cold = rng.random(n) < 0.5
        base = ndcg(rng, n, 0.1)
        better = np.where(is_cold, ndcg(rng, n, 0.16), ndcg(rng, n, 0.1))
        table = comparison({"base": base, "better": better}, is_cold).differences(
            "base", ["ndcg@10"]
        )
        table = table.set_index("group")
        found.append(table["p_holm"] < 0.05)
        assert table.loc["cold", "difference"] == pytest.approx((better - base)[is_cold].mean())
    rate = pd.DataFrame(found).mean()
    assert rate["cold"] > 0.9
    assert rate["warm"] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 50)


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(2)
    truth = (0.15 - 0.1) * GAINS.mean()
    covered = []
    for _ in range(1000):
        test = paired(ndcg(rng, 1000, 0.15), ndcg(rng, 1000, 0.1))
        covered.append(test["low"] <= truth <= test["high"])
    assert np.mean(covered) == pytest.approx(0.95, abs=3 * np.sqrt(0.05 * 0.95 / 1000))


def test_the_p_value_agrees_with_a_permutation_test():
    rng = np.random.default_rng(3)
    a, b = ndcg(rng, 500, 0.2), ndcg(rng, 500, 0.15)
    exact = permutation_test(
        (a, b), lambda x, y, axis: (x - y).mean(axis), permutation_type="samples",
        n_resamples=20_000, rng=4, vectorized=True,
    )  # fmt: skip
    assert paired(a, b)["p"] == pytest.approx(exact.pvalue, abs=0.02)


def test_a_user_with_several_cases_counts_once():
    user = np.array(["u", "u", "v", "w"])
    values = {"base": np.zeros(4), "other": np.array([1.0, 0.0, 0.2, 0.4])}
    table = comparison(values, np.zeros(4, dtype=bool), user).differences("base", ["ndcg@10"])
    # No case is cold: no such comparison.
    assert table["group"].tolist() == ["warm", "total"]
    assert (table["users"] == 3).all()
    assert table["difference"].tolist() == pytest.approx([(0.5 + 0.2 + 0.4) / 3] * 2)


def test_the_last_bits_of_a_mean_are_no_difference():
    """Three equal seeds have another mean than one of them, in the last bits."""
    one = np.random.default_rng(5).integers(0, 2, 900) / 10
    three = np.mean([one] * 3, axis=0)
    assert not np.array_equal(one, three)
    assert paired(three, one)["p"] == 1
    assert interval(np.stack([three]), np.stack([one]))["p"] == 1


def test_equal_rows_do_not_differ():
    assert paired(np.zeros(5), np.zeros(5))["p"] == 1
