"""The metrics of the frontier, through evaluations, training and validation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import recbole_delta
from dataset_prep.errors import DeltaError
from recbole_delta.evaluator.evaluate import Evaluation, Mode
from recbole_delta.evaluator.frontier import Frontier, ranks_at
from recbole_delta.evaluator.frontier_metrics import FRONTIER, frontier_metrics
from recbole_delta.evaluator.group_ranks import rank_in_groups
from recbole_delta.evaluator.metrics import GAINS

N_WARM, N_COLD, K = 30, 12, 10


def evaluation(scores, target, candidates="all", embeds=True) -> Evaluation:
    ranks = rank_in_groups(torch.from_numpy(scores), torch.from_numpy(target), N_WARM, K)
    mode, none = Mode(candidates, "keep"), np.zeros(len(target), dtype=bool)
    return Evaluation("test", mode, embeds, ranks.among(candidates), ranks.is_cold, none, ranks)


def some_scores(seed, n=300):
    """On a grid of quarters, with ties: sums with quarters are exact in float32."""
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=(n, 1 + N_WARM + N_COLD)) * 4) / 4
    scores[:, 1 + N_WARM :] -= 1
    scores[:, 0] = -np.inf
    target = rng.integers(1, 1 + N_WARM + N_COLD, n)
    scores[np.arange(n), target] += 0.75
    return scores.astype(np.float32), target


def test_by_hand():
    """Warm items 1, 2, cold ones 3, 4; two cold targets and a warm one."""
    scores = torch.tensor(
        [
            [-torch.inf, 5.0, 1.0, 2.0, 3.0],  # target 3: behind 4; ahead of 1 from +3 on
            [-torch.inf, 5.0, 1.0, 4.0, 3.0],  # target 3: ahead of 2 from −3 on, of 1 from +1 on
            [-torch.inf, 5.0, 1.0, 3.0, 2.0],  # target 1: behind 3 from +2 on, behind 4 from +3
        ]
    )
    ranks = rank_in_groups(scores, torch.tensor([3, 3, 1]), n_warm=2, k=2)
    found = frontier_metrics(ranks, ["mrr"], [2], embeds_cold_items=True)
    assert list(found) == [f"mrr_{name}@2" for name in FRONTIER]
    # Cold: half of 0 + 0, from −3 on 0 + 1/2, from 1 on 0 + 1, from 3 on 1/2 + 1.
    # Warm: 1, from 2 on 1/2, from 3 on 0.
    assert found["mrr_within_cold@2"] == 0.75
    assert found["mrr_within_warm@2"] == 1.0
    assert found["mrr_best@2"] == pytest.approx((0 + 1 + 1) / 3)
    # Cold is 1/2 at any warm level above 0: from 1 to 2 with warm 1, from 2 to 3 with warm 1/2.
    assert found["mrr_area@2"] == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(3))
def test_an_offset_alone_changes_no_metric_of_the_frontier(seed):
    scores, target = some_scores(seed)
    moved = scores.copy()
    moved[:, 1 + N_WARM :] += 1.25
    one, two = (evaluation(each, target).metrics(list(GAINS), [5, K]) for each in (scores, moved))
    for name, value in one.items():
        if any(f"_{kind}@" in name for kind in ("within_cold", "within_warm")):
            assert two[name] == value
        elif any(f"_{kind}@" in name for kind in FRONTIER):
            assert two[name] == pytest.approx(value, abs=1e-12)
        elif "_" in name:
            assert two[name] != pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_a_better_ranking_of_cold_items_does(seed):
    scores, target = some_scores(seed)
    better, rows = scores.copy(), np.flatnonzero(target > N_WARM)
    better[rows, target[rows]] += 0.75
    one, two = (evaluation(each, target).metrics(["ndcg"], [K]) for each in (scores, better))
    assert two["ndcg_within_warm@10"] == one["ndcg_within_warm@10"]
    for name in ("within_cold", "best", "area"):
        assert two[f"ndcg_{name}@10"] > one[f"ndcg_{name}@10"] + 0.01


@pytest.mark.parametrize("seed", range(3))
def test_best_and_area_by_a_grid_that_has_every_step(seed):
    scores, target = some_scores(seed)
    found = evaluation(scores, target)
    points = []
    for offset in np.arange(-8, 8, 0.25) + 0.125:  # scores are quarters: nothing ties here
        moved = scores.copy()
        moved[:, 1 + N_WARM :] += np.float32(offset)
        values = evaluation(moved, target).metrics(["ndcg"], [K])
        points.append([values["ndcg_cold@10"], values["ndcg_warm@10"], values["ndcg@10"]])
    points = np.array(points)
    metrics = found.metrics(["ndcg"], [K])
    assert metrics["ndcg_best@10"] == pytest.approx(points[:, 2].max(), abs=1e-12)
    # The area by levels: at each, the best cold value with at least so much warm.
    edges = np.r_[0.0, np.unique(points[:, 1])]
    best = [points[points[:, 1] >= level, 0].max() for level in edges[1:]]
    assert metrics["ndcg_area@10"] == pytest.approx((best * np.diff(edges)).sum(), abs=1e-12)
    curve = Frontier(found.groups, "ndcg", K)
    assert [curve.cold_at_warm(level) for level in edges[1:]] == pytest.approx(best, abs=1e-12)
    assert curve.cold_at_warm(edges[-1] + 0.01) == 0


def test_masked_items_tie_with_nothing():
    """Two of three cold items masked: they are no candidates, at any offset."""
    scores = torch.tensor([[-torch.inf, 2.0, 1.0, 0.0, -torch.inf, -torch.inf]])
    ranks = rank_in_groups(scores, torch.tensor([2]), n_warm=2, k=2)
    found = ranks_at(ranks, 1.0)
    assert (found.above.tolist(), found.tied.tolist()) == ([1], [1])


@pytest.mark.parametrize(
    ("case", "names"),
    [
        ({}, FRONTIER),
        ({"embeds": False}, ["within_warm"]),
        ({"candidates": "warm"}, []),
        ({"warm_only": True}, []),
        ({"cold_only": True}, []),
    ],
)
def test_where_there_is_something_to_trade(case, names):
    scores, target = some_scores(3)
    if case.pop("warm_only", False):
        target = np.minimum(target, N_WARM)
    if case.pop("cold_only", False):
        target = np.maximum(target, N_WARM + 1)
    found = evaluation(scores, target, **case).metrics(["ndcg", "hit"], [1, K])
    found = [name for name in found if any(f"_{kind}@" in name for kind in FRONTIER)]
    assert found == [f"{m}_{name}@{k}" for m in ("ndcg", "hit") for k in (1, K) for name in names]


@pytest.mark.parametrize("kind", FRONTIER)
def test_training_stops_by_any_of_them(tiny, train, kind):
    result, _ = train(tiny, epochs=2, valid_candidates="all", valid_metric=f"NDCG_{kind}@10")
    key = f"ndcg_{kind}@10"
    assert result.best_valid_score == max(epoch[key] for epoch in result.curve) > 0
    assert result.best_valid_result[key] == result.best_valid_score
    for mode in result.test_modes:
        assert (key in mode["metrics"]) == (mode["candidates"] == "all")
    assert 0 < result.test_result[key] <= 1


def test_a_metric_of_the_frontier_may_stand_among_the_metrics(tiny, train):
    result, _ = train(tiny, epochs=1, metrics=["NDCG", "MRR_within_cold"])
    assert {"ndcg@10", "mrr@10", "mrr_within_cold@10"} <= result.test_result.keys()


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("best", {}, "ndcg_best@10 has no value where only warm items.*set valid_candidates: all"),
        ("within_warm", {}, "has no value where only warm items are ranked"),
        (
            "within_cold",
            {"valid_candidates": "all", "item_embedding": "id"},
            "ndcg_within_cold@10 has no value for a model without vectors for cold items",
        ),
        ("area", {"valid_candidates": "all", "item_embedding": "id"}, "without vectors for cold"),
        ("bset", {"valid_candidates": "all"}, "is not among metrics.*_within_cold"),
    ],
)
def test_a_validation_metric_without_a_value_is_refused(tiny, train, kind, settings, message):
    with pytest.raises(DeltaError, match=message):
        train(tiny, **settings, valid_metric=f"NDCG_{kind}@10")


@pytest.mark.parametrize(("group", "kind"), [("cold", "best"), ("cold", "within_warm"), ("warm", "area")])  # fmt: skip
def test_validation_targets_of_one_group_are_no_frontier(tiny, train, group, kind):
    rows = tiny.rows
    is_cold = tiny.items.set_index("item_id")["is_cold"].astype(int)
    of_group = rows["item_id"].map(is_cold) == (group == "cold")
    data = tiny.replace(rows=rows[~((rows["split"] == "valid") & of_group)])
    with pytest.raises(DeltaError, match=f"ndcg_{kind}@10 has no value.*no {group} validation"):
        train(data, valid_candidates="all", valid_metric=f"NDCG_{kind}@10")


def test_a_model_of_recboles_own_has_its_warm_part(tiny, tmp_path):
    tiny.write(tmp_path / "dataset")
    settings = {"data_path": str(tmp_path / "dataset"), "hidden_size": 16, "embedding_size": 16,
                "inner_size": 16, "MAX_ITEM_LIST_LENGTH": 8, "epochs": 1, "state": "ERROR",
                "valid_candidates": "all", "valid_metric": "NDCG_within_warm@10",
                "show_progress": False, "checkpoint_dir": str(tmp_path / "saved")}  # fmt: skip
    found = recbole_delta.run("SASRec", "tiny", settings=settings).test_result
    assert found["ndcg_within_warm@10"] == found["ndcg_warm@10"]
    assert "ndcg_best@10" not in found
