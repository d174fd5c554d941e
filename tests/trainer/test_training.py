"""What a training run does with its settings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import recbole_delta
from recbole_delta.trainer.checkpoint import Checkpoint
from recbole_delta.trainer.trainer import ColdWarmTrainer

FAST = {"learning_rate": 0.05, "epochs": 4}


def test_every_step_is_projected_back_into_the_ball(tiny, train):
    """With these steps free deltas leave the ball at once (the `init` run shows it)."""
    _, (_, free, *_) = train(tiny, item_embedding="init", **FAST)
    _, (_, bounded, *_) = train(tiny, item_embedding="delta", delta_max=0.1, **FAST)
    assert free.item_embedding.delta.norm(dim=1).max() > 0.3
    norm = bounded.item_embedding.delta.norm(dim=1)
    assert norm.max() <= 0.1 * (1 + 1e-6)
    assert norm.max() > 0.09


def test_deltas_start_small_and_fine_tuning_at_the_content(tiny, train):
    start = {"learning_rate": 0.0, "epochs": 1}
    _, (_, delta, *_) = train(tiny, item_embedding="delta", **start)
    _, (_, init, *_) = train(tiny, item_embedding="init", **start)
    assert delta.item_embedding.delta[1:].detach().std() == pytest.approx(0.02, rel=0.15)
    assert torch.equal(init.item_embedding.weight, init.item_embedding.content)


def test_the_best_epoch_is_kept_and_tested(tiny, train):
    result, _ = train(tiny, learning_rate=0.1, epochs=8, stopping_step=100)
    values = [entry["ndcg_warm@10"] for entry in result.curve]
    best = int(np.argmax(values))
    assert best < len(values) - 1
    metadata = Checkpoint.load(result.checkpoint).metadata
    assert metadata.epoch == best
    assert result.best_valid_score == values[best] == metadata.best_valid_score


def test_the_best_epoch_is_tested_not_the_last(tiny, train, tmp_path, monkeypatch):
    """By our own runner and by RecBole's."""
    from recbole.quick_start import run_recbole

    settings = {"learning_rate": 0.1, "epochs": 8, "stopping_step": 100}
    best, _ = train(tiny, **settings)
    assert best.curve[-1]["ndcg_warm@10"] < best.best_valid_score
    last = recbole_delta.run(settings={**best.settings, **settings}, saved=False)
    assert last.test_result != best.test_result
    monkeypatch.setattr("sys.argv", ["anything"])
    assert dict(run_recbole(config_dict=best.settings)["test_result"]) == best.test_result


def test_improvements_beyond_the_fourth_decimal_count(tiny, train, monkeypatch):
    """RecBole rounds to four decimals before it compares."""
    values = iter([0.50001, 0.50002, 0.50003, 0.1, 0.1, 0.1])
    metrics = lambda *_, **__: {"ndcg_warm@10": next(values)}  # noqa: E731
    monkeypatch.setattr(ColdWarmTrainer, "evaluate", metrics)
    result, _ = train(tiny, epochs=50, stopping_step=1)
    assert Checkpoint.load(result.checkpoint).metadata.epoch == 2
    assert len(result.curve) == 5


def test_validation_ranks_warm_items_unless_all_are_asked_for(tiny, train):
    warm, _ = train(tiny, epochs=1)
    everything, _ = train(tiny, epochs=1, valid_candidates="all", valid_metric="NDCG_cold@10")
    assert warm.curve[0]["ndcg_cold@10"] == 0
    assert everything.curve[0]["ndcg_cold@10"] > 0
    assert everything.best_valid_score == everything.curve[0]["ndcg_cold@10"]


@pytest.mark.parametrize("cold_history", ["keep", "drop"])
@pytest.mark.parametrize("candidates", ["all", "warm"])
def test_the_result_is_that_of_the_configured_mode(tiny, train, candidates, cold_history):
    settings = {"test_candidates": candidates, "cold_history": cold_history}
    settings |= {"topk": [1, 3], "valid_metric": "MRR@3", "learning_rate": 0.0}
    result, _ = train(tiny, epochs=1, **settings)
    [record] = [
        r
        for r in result.test_modes
        if (r["candidates"], r["cold_history"]) == (candidates, cold_history)
    ]
    assert result.test_mode == record
    assert result.test_result == record["metrics"]
    different = {str(r["metrics"]) for r in result.test_modes}
    assert len(different) == 4


def test_a_history_of_cold_items_alone_is_empty_only_when_they_are_dropped(tiny, train):
    cold = tiny.items.loc[tiny.items["is_cold"] == "1", "item_id"].iloc[0]
    extra = pd.DataFrame(
        {
            "user_id": "new",
            "item_id": [cold, "i0"],
            "timestamp": [1, 2],
            "split": ["history", "test"],
        }
    )
    rows = pd.concat([extra, tiny.rows], ignore_index=True)
    before, _ = train(tiny, epochs=1)
    after, _ = train(tiny.replace(rows=rows), epochs=1)
    added = {
        (a["candidates"], a["cold_history"]): b["empty_history"]["total"]
        - a["empty_history"]["total"]
        for a, b in zip(before.test_modes, after.test_modes)
    }
    assert added == {
        ("all", "keep"): 0,
        ("all", "drop"): 1,
        ("warm", "keep"): 0,
        ("warm", "drop"): 1,
    }


def test_validation_every_second_epoch(tiny, train):
    result, _ = train(tiny, epochs=5, eval_step=2)
    validated = [entry["epoch"] for entry in result.curve if "ndcg@10" in entry]
    assert validated == [1, 3]


def test_early_stopping_takes_no_tie_for_an_improvement(tiny, train):
    """With nothing learnt every evaluation ties: the paper's patience 5 is stopping_step 4."""
    result, _ = train(tiny, epochs=50, learning_rate=0.0, stopping_step=4)
    assert len(result.curve) == 1 + 5


def test_gradients_are_clipped_at_their_own_size(tiny, train, monkeypatch):
    """A loss is scaled by 2^16 for half precision, and so are its gradients until they are used."""
    asked = {"epochs": 1, "learner": "sgd", "clip_grad_norm": {"max_norm": 0.01}}
    _, (_, plain, *_) = train(tiny, **asked)
    always = property(lambda _: True, lambda *_: None)  # RecBole's own needs a GPU
    monkeypatch.setattr(ColdWarmTrainer, "enable_scaler", always, raising=False)
    _, (_, scaled, *_) = train(tiny, **asked)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(scaled.state_dict()[name], value, rtol=0, atol=1e-7, msg=name)
