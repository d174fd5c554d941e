"""The offset that is chosen, on cases whose best offset is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recbole_delta.evaluator.calibration import LEAST_CASES, Calibration, difference_after_cold
from recbole_delta.evaluator.evidence import Evidence, resampled_best
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


def evidence(needed, endured, odds=-1.0):
    """Cases as of :func:`frontier`, and how sure of cold items the model is after each of them."""
    curve = frontier(needed, endured)
    n = len(needed) + len(endured)
    return Evidence(curve.ranks, np.full(n, odds), np.ones(n), np.arange(n), "hit", 1)


def together(first, second):
    """The cases of two, and which are of the first."""
    ranks = [each.ranks for each in (first, second)]
    joined = type(ranks[0])(
        *(np.concatenate([getattr(each, name) for each in ranks])
          for name in ("is_cold", "above", "tied", "gap", "further"))
    )  # fmt: skip
    odds = np.concatenate([first.odds, second.odds])
    n = len(odds)
    both = Evidence(joined, odds, np.ones(n), np.arange(n), "hit", 1)
    return both, np.arange(n) < len(first.odds)


def test_cases_that_need_more_after_a_cold_item_get_it():
    random = np.random.default_rng(3)
    low = evidence(random.normal(1, 0.3, 100), random.normal(2, 0.3, 300))
    high = evidence(random.normal(4, 0.3, 300), random.normal(5, 0.3, 100))
    both, after_cold = together(high, low)
    # The best offsets are 3 apart; of equal mass, at odds of e to the -1 in all: log 3 - log 1/3.
    assert 2 < difference_after_cold(both, after_cold, None) < 3.2
    alike, first = together(low, low)
    assert difference_after_cold(alike, first, None) == pytest.approx(0, abs=1e-6)


def test_the_expected_share_counts_and_not_that_of_the_cases():
    """Ten times the cold cases, the same expected share: the same constant."""
    high, low = (
        evidence(np.full(60, 3.0), np.full(20, 5.0)),
        evidence(np.ones(20), np.full(60, 2.0)),
    )
    many = [evidence(np.full(600, 3.0), np.full(20, 5.0)), evidence(np.ones(200), np.full(60, 2.0))]
    few = difference_after_cold(*together(high, low), 0.3)
    assert difference_after_cold(*together(*many), 0.3) == pytest.approx(few, abs=0.05)
    assert few > 1


@pytest.mark.parametrize("lacking", ["cold", "warm"])
def test_of_too_few_cases_nothing_is_concluded(lacking):
    sizes = {"cold": 50, "warm": 50, lacking: LEAST_CASES - 1}
    high = evidence(np.full(sizes["cold"], 3.0), np.full(sizes["warm"], 5.0))
    assert (
        difference_after_cold(*together(high, evidence(np.ones(50), np.full(50, 2.0))), None) == 0
    )


def test_where_the_targets_cannot_tell_one_offset_from_another_the_softmax_counts():
    """No case changes between -5 and 5: what the other estimates say is taken."""
    found = Calibration.by_evidence(evidence(np.full(50, -5.0), np.full(50, 5.0)), None)
    assert found.best == 0
    assert 0 < found.offset < found.equal_mass


def test_no_probability_is_read_from_scores_that_are_no_logits():
    """As the mass of cold items says nothing then, how much of it there is changes nothing."""
    random = np.random.default_rng(5)
    needed, endured = random.normal(3, 0.5, 200), random.normal(8, 0.5, 200)
    plain, sure = (
        replace(evidence(needed, endured, odds), of_logits=False) for odds in (-1.0, -9.0)
    )
    found = Calibration.by_evidence(plain, None)
    assert found.offset == pytest.approx(found.best, abs=1e-4)
    assert Calibration.by_evidence(sure, None).offset == found.offset
    assert difference_after_cold(*together(plain, sure), None) != 0  # as of logits
    both, first = together(plain, sure)
    assert difference_after_cold(replace(both, of_logits=False), first, None) == 0


@pytest.mark.parametrize(
    ("model", "settings"),
    [("ContentMean", {}), ("CEASE", {}), ("AddEASE", {}), ("CEASE", {"reg_weight": 1e5})],
)
def test_a_model_that_has_learnt_by_no_softmax_gets_the_best_one(tiny, train, model, settings):
    """However small its scores are: EASE's are by how much its weights are held down."""
    result, _ = train(tiny, model, cold_offset="auto", valid_candidates="all", **settings)
    calibration = result.calibration
    assert calibration["offset"] == pytest.approx(calibration["best"], rel=1e-3)
    assert calibration["offset"] or not calibration["best"]
    assert calibration["equal_mass"] != pytest.approx(calibration["best"], abs=1e-4)


def test_an_average_that_costs_validation_targets_is_taken_all_the_same():
    """Few items say what is best, and may say it by chance: their vote is one of three."""
    random = np.random.default_rng(4)
    needed, endured = random.uniform(-1, 1, 200), random.uniform(0, 1, 200)
    found = Calibration.by_evidence(evidence(needed, endured, odds=-9.0), None)
    assert found.equal_mass == pytest.approx(9)
    assert found.best < found.offset < found.equal_mass
    curve = frontier(needed, endured)
    assert found.total == pytest.approx(curve.total_at(found.offset))
    assert found.total < curve.total_at(0.0)
    # By hand: weights are inverse variances, with .5 beside each standard error.
    weights = [1 / (0.5**2 + e**2) for e in (0.0, found.spread, found.skill_spread)]
    three = found.equal_mass, found.best, found.by_skill
    assert found.offset == pytest.approx(np.average(three, weights=weights), abs=1e-4)
