"""Metrics against RecBole's own classes, scikit-learn, and brute force over tie orders."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from recbole.config import Config
from recbole.evaluator.collector import Collector
from recbole.evaluator.register import metrics_dict
from sklearn.metrics import ndcg_score

import recbole_delta  # noqa: F401 (mends RecBole before the next import)
from dataset_prep.errors import DeltaError
from recbole_delta.evaluator.group_ranks import GroupRanks, rank_in_groups
from recbole_delta.evaluator.metrics import GAINS, expected_gain, grouped_metrics

TOPK = [1, 5, 10]


class RecBoleConfig(dict):
    def __missing__(self, key):
        return None


def recbole_metrics(scores, target):
    """RecBole's collector and metric classes, at nine decimals."""
    config = RecBoleConfig(
        metrics=list(GAINS), topk=TOPK, device="cpu", eval_args={"mode": {}},
        metric_decimal_place=9,
    )  # fmt: skip
    Config.compatibility_settings(None)
    collector = Collector(config)
    collector.eval_batch_collect(scores, None, torch.arange(len(target)), target)
    struct = collector.get_data_struct()
    result = {}
    for name in GAINS:
        result |= metrics_dict[name](config).calculate_metric(struct)
    return result


def test_without_ties_every_group_equals_recbole():
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(400, 60, generator=generator)
    scores[:, 0] = -torch.inf
    target = torch.randint(1, 60, (400,), generator=generator)
    is_cold = target > 45
    ranks = rank_in_groups(scores, target, 45, max(TOPK)).among("all")
    ours = grouped_metrics(ranks, is_cold.numpy(), list(GAINS), TOPK)
    for group, mask in (("", torch.ones(400, dtype=bool)), ("_cold", is_cold), ("_warm", ~is_cold)):
        for key, value in recbole_metrics(scores[mask], target[mask]).items():
            name, k = key.split("@")
            assert ours[f"{name}{group}@{k}"] == pytest.approx(value, abs=1e-6)


@given(
    scores=st.lists(st.integers(0, 3), min_size=2, max_size=7),
    k=st.integers(1, 8),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_with_ties_the_value_is_the_mean_over_all_orders(scores, k, data):
    target = data.draw(st.integers(0, len(scores) - 1))
    orders = [
        sorted(range(len(scores)), key=lambda item: (-scores[item], shuffled[item]))
        for shuffled in itertools.permutations(range(len(scores)))
    ]
    ranks = np.array([order.index(target) + 1 for order in orders], dtype=float)
    row = torch.tensor([[0.0, *scores]])
    n_warm = data.draw(st.integers(0, len(scores)))
    ours = rank_in_groups(row, torch.tensor([target + 1]), n_warm, k).among("all")
    for metric, gain in GAINS.items():
        brute = np.where(ranks <= k, gain(ranks, k), 0).mean()
        assert expected_gain(metric, ours, k)[0] == pytest.approx(brute, abs=1e-9)


def test_tied_ndcg_equals_scikit_learn():
    rng = np.random.default_rng(5)
    scores = rng.integers(0, 6, size=(50, 30)).astype(float)
    target = rng.integers(0, 30, 50)
    ranks = rank_in_groups(
        torch.tensor(np.c_[np.zeros(50), scores]), torch.tensor(target + 1), 20, 10
    ).among("all")
    theirs = ndcg_score(np.eye(30)[target], scores, k=10)
    assert expected_gain("ndcg", ranks, 10).mean() == pytest.approx(theirs, abs=1e-9)


def test_a_target_that_is_no_candidate_or_masked_is_a_miss():
    scores = torch.tensor([[0.0, 1.0, 2.0, 9.0], [0.0, 1.0, 2.0, -torch.inf]])
    target = torch.tensor([3, 3])
    ranks = rank_in_groups(scores, target, 2, 10)
    warm_only, everything = ranks.among("warm"), ranks.among("all")
    assert expected_gain("hit", warm_only, 10).tolist() == [0, 0]
    assert expected_gain("hit", everything, 10).tolist() == [1, 0]


def test_a_missed_target_stays_a_miss_at_any_k():
    missed = GroupRanks.missed(np.array([False, True]), 10_000)
    for ranks in (missed.among("all"), missed.among("warm"), missed.within()):
        assert expected_gain("mrr", ranks, 10_000).tolist() == [0, 0]


def test_nan_scores_are_refused_not_ranked_first():
    scores = torch.tensor([[0.0, 1.0, float("nan")]])
    with pytest.raises(DeltaError, match="NaN"):
        rank_in_groups(scores, torch.tensor([2]), 1, 10)


def test_a_group_without_targets_has_no_value():
    is_cold = np.array([False, False])
    ranks = GroupRanks.missed(is_cold, 10).among("all")
    result = grouped_metrics(ranks, is_cold, ["ndcg"], [10])
    assert set(result) == {"ndcg@10", "ndcg_warm@10"}
