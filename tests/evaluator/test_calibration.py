"""The offset that is chosen, on cases whose best offset is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recbole_delta.evaluator.calibration import resampled_best
from recbole_delta.evaluator.frontier import Frontier
from recbole_delta.evaluator.group_ranks import rank_in_groups


def frontier(needed, endured):
    """Hits at 1: a cold case needs an offset above its number, a warm one endures one up to its."""
    n = len(needed) + len(endured)
    scores = torch.full((n, 6), -torch.inf)  # padding, items 1 and 2 warm, 3 to 5 cold
    scores[:, 1], scores[:, 3] = torch.from_numpy(np.r_[needed, endured]).float(), 0.0
    target = torch.tensor([3] * len(needed) + [1] * len(endured))
    return Frontier(rank_in_groups(scores, target, n_warm=2, k=1), "hit", 1)


def world(seed, n=100):
    random = np.random.default_rng(seed)
    return random.normal(2, 1, n), random.normal(4, 1, n)


def test_where_all_items_want_the_same_nothing_depends_on_the_draw():
    curve = frontier(np.full(30, 2.0), np.full(30, 4.0))
    draws = resampled_best(curve, np.arange(60))
    assert draws.tolist() == [3.0] * len(draws)  # in the middle between 2 and 4


def test_few_items_say_less_than_many_and_cases_of_one_item_no_more_than_one():
    needed, endured = world(0)
    curve = frontier(np.sort(needed), endured)
    many, few = np.arange(200), np.r_[np.arange(100) // 20, np.arange(100, 200)]
    spread = [resampled_best(curve, target).std() for target in (many, few)]
    assert spread[0] < 0.8 * spread[1]


def test_the_numbers_of_the_items_do_not_matter():
    random = np.random.default_rng(0)
    curve = frontier(*world(1, 50))
    target = np.r_[random.integers(0, 9, 50), random.integers(20, 29, 50)]
    other = random.permutation(40)[target]
    assert resampled_best(curve, target).tolist() == resampled_best(curve, other).tolist()


def test_the_spread_is_that_of_new_samples():
    """The bootstrap's standard error against the true one, over samples of the same world."""
    truth = np.std([frontier(*world(seed)).best_offset for seed in range(100, 300)])
    told = [resampled_best(frontier(*world(seed)), np.arange(200)).std() for seed in range(20)]
    assert np.median(told) == pytest.approx(truth, rel=0.35)
