"""The frontier from stored ranks equals brute force over a grid of offsets, ties included."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recbole_delta.evaluator.frontier import Frontier, ranks_at
from recbole_delta.evaluator.group_ranks import rank_in_groups

N_WARM, N_COLD, K = 40, 15, 10


def some_scores(seed, n=200, step=0.25):
    """On a coarse grid: every sum is exact in float32, and ties are everywhere."""
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=(n, 1 + N_WARM + N_COLD)) / step) * step
    scores[:, 1 + N_WARM :] -= 1
    scores[rng.random(scores.shape) < 0.1] = -np.inf  # seen items
    scores[:, 0] = -np.inf
    target = rng.integers(1, 1 + N_WARM + N_COLD, n)
    some = rng.random(n) < 0.95
    rows = np.flatnonzero(some)
    scores[rows, target[rows]] = np.where(
        np.isinf(scores[rows, target[rows]]), 0, scores[rows, target[rows]]
    )
    return scores.astype(np.float32), target


def brute_force(scores, target, offset, metric, k=K):
    """Gain of each case: the mean over all places that a tied target may take."""
    moved = scores.astype(np.float64)
    moved[:, 1 + N_WARM :] += offset
    own = np.take_along_axis(moved, target[:, None], 1)
    above, tied = (moved > own).sum(1), (moved == own).sum(1)
    places = np.arange(1, moved.shape[1] + 1)
    gain = {"ndcg": 1 / np.log2(places + 1), "hit": np.ones(len(places)), "mrr": 1 / places}[metric]
    summed = np.r_[0, np.cumsum(np.where(places <= k, gain, 0))]
    gains = (summed[above + tied] - summed[above]) / tied
    return np.where(np.isinf(own[:, 0]), 0, gains)


def frontier(scores, target, metric="ndcg", k=K, **options):
    ranks = rank_in_groups(torch.from_numpy(scores), torch.from_numpy(target), N_WARM, K)
    return Frontier(ranks, metric, k, **options)


@pytest.mark.parametrize("metric", ["ndcg", "hit", "mrr"])
@pytest.mark.parametrize("k", [1, 5, K])
@pytest.mark.parametrize("seed", range(3))
def test_every_offset_is_that_of_brute_force(metric, k, seed):
    scores, target = some_scores(seed)
    curve = frontier(scores, target, metric, k)
    cold = target > N_WARM
    for offset in np.arange(-6, 6.01, 0.125):
        expected = brute_force(scores, target, offset, metric, k)
        np.testing.assert_allclose(curve.gains_at(offset), expected, atol=1e-12)
        assert curve.at(offset) == pytest.approx((expected[cold].mean(), expected[~cold].mean()))
        # Between two points of the grid nothing ties: the step has the value.
        between = np.searchsorted(curve.offsets, offset + 1e-3)
        expected = brute_force(scores, target, offset + 1e-3, metric, k)
        assert curve.cold[between] == pytest.approx(expected[cold].mean())
        assert curve.warm[between] == pytest.approx(expected[~cold].mean())


def test_the_limits_are_the_ranks_within_a_group():
    scores, target = some_scores(5)
    curve, cold = frontier(scores, target), target > N_WARM
    for part, value in ((cold, curve.within_cold), (~cold, curve.within_warm)):
        alone = scores.copy()
        other = slice(1, 1 + N_WARM) if part is cold else slice(1 + N_WARM, None)
        alone[:, other] = -np.inf
        assert value == pytest.approx(brute_force(alone[part], target[part], 0.0, "ndcg").mean())


def test_an_offset_moves_along_the_frontier_and_does_not_move_it():
    scores, target = some_scores(7)
    moved = scores.copy()
    moved[:, 1 + N_WARM :] += 1.5
    one, two = frontier(scores, target), frontier(moved, target)
    for name in ("within_cold", "within_warm", "best_total", "area"):
        assert getattr(two, name) == pytest.approx(getattr(one, name), abs=1e-12)
    assert two.cold_at_warm(one.at(0.3)[1]) == pytest.approx(one.cold_at_warm(one.at(0.3)[1]))
    assert two.at(-1.5) == pytest.approx(one.at(0.0))
    assert two.at(0.0) != pytest.approx(one.at(0.0))


def test_ranking_cold_items_better_among_each_other_lifts_the_frontier():
    scores, target = some_scores(9)
    better = scores.copy()
    rows = np.flatnonzero((target > N_WARM) & np.isfinite(scores[np.arange(len(target)), target]))
    better[rows, target[rows]] += 0.5
    one, two = frontier(scores, target), frontier(better, target)
    assert two.within_cold > one.within_cold
    assert two.within_warm == one.within_warm
    assert two.area > one.area
    assert two.best_total > one.best_total


@pytest.mark.parametrize("share", [None, 0.1, 0.9])
def test_the_best_offset_has_the_best_total(share):
    scores, target = some_scores(11)
    curve = frontier(scores, target, cold_share=share)
    weight = (target > N_WARM).mean() if share is None else share
    cold = target > N_WARM

    def total(offset):
        gains = brute_force(scores, target, offset, "ndcg")
        return weight * gains[cold].mean() + (1 - weight) * gains[~cold].mean()

    assert total(curve.best_offset) == pytest.approx(curve.best_total)
    assert max(total(offset) for offset in np.arange(-6, 6, 0.125)) <= curve.best_total + 1e-12


def test_without_cold_candidates_there_is_nothing_to_trade():
    scores, target = some_scores(13)
    target = np.minimum(target, N_WARM)
    scores[:, 1 + N_WARM :] = -np.inf
    curve = frontier(scores, target)
    assert len(curve.offsets) == 0
    assert curve.best_offset == 0.0
    assert curve.best_total == curve.within_warm == pytest.approx(curve.at(3.0)[1])
    assert (ranks_at(curve.ranks, 2.0).above == curve.ranks.within().above).all()
