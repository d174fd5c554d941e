"""What stands in a RecBole user's usual YAML is taken; all that cannot be is said in one go."""

from __future__ import annotations

import pytest
import torch
from recbole.quick_start import load_data_and_model

import recbole_delta
from dataset_prep.errors import DeltaError

USUAL = {
    "metrics": ["Recall", "MRR", "NDCG", "Hit", "Precision", "MAP"],
    "topk": [5, 10, 20],
    "valid_metric": "MRR@10",
    "eval_args": {
        "split": {"LS": "valid_and_test"},
        "order": "TO",
        "group_by": "user",
        "mode": "full",
    },
}


def test_the_usual_settings_pass(tiny, train, caplog):
    caplog.set_level("WARNING")
    result, _ = train(tiny, **USUAL, anew=True)
    [line] = {each.getMessage() for each in caplog.records if "eval_args" in each.getMessage()}
    assert "split: {'LS': 'valid_and_test'} is not read" in line
    assert "\n" not in line
    values = result.test_result
    for k in USUAL["topk"]:
        # One target a case: RecBole's definitions come to these.
        assert values[f"precision@{k}"] == pytest.approx(values[f"hit@{k}"] / k)
        assert values[f"map_cold@{k}"] == values[f"mrr_cold@{k}"]
        assert values[f"recall@{k}"] == values[f"hit@{k}"]


def test_eval_args_that_are_the_default_are_no_news(tiny, train, caplog):
    train(tiny, eval_args={"order": "TO", "group_by": "user", "mode": "full"}, anew=True)
    assert not [each for each in caplog.records if "eval_args" in each.getMessage()]


def test_recboles_own_function_loads_our_checkpoints(tiny, train):
    result, (_, model, *_) = train(tiny)
    _, again, dataset, *_ = load_data_and_model(result.checkpoint)
    assert dataset.n_warm == again.n_warm
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_all_problems_are_said_in_one_go(tiny, tmp_path):
    tiny.write(tmp_path)
    wrong = {
        "dleta_max": 0.5,
        "item_embedding": "detla",
        "cold_offset": "much",
        "delta_max": -1,
        "epochs": 0,
        "learning_rate": "fast",
        "sampled_items": 0,
        "data_path": str(tmp_path),
    }
    with pytest.raises(DeltaError) as caught:
        recbole_delta.run("SASRecDelta", "tiny", settings=wrong)
    first, *lines = str(caught.value).splitlines()
    assert first == "7 things have to be changed:"
    assert len(lines) == 7
    for name in wrong.keys() - {"data_path"}:
        starts = (f"- {name} ", f"- Unknown setting {name!r}")
        assert sum(line.startswith(starts) for line in lines) == 1, name
