"""RecBole's hyper-parameter search finds what the validation data say, for our models."""

from __future__ import annotations

import pytest
import yaml
from recbole.quick_start import objective_function
from recbole.trainer import HyperTuning
from support.datasets import SMALL

import recbole_delta

pytest.importorskip("hyperopt", reason="hyperopt is not installed")


@pytest.mark.parametrize("algorithm", ["exhaustive", "random", "bayes"])
@pytest.mark.parametrize("group", ["cold", "warm", "total"])
def test_hyper_tuning_takes_the_best_by_a_groups_validation_metric(
    tiny, tmp_path, algorithm, group
):
    if algorithm != "exhaustive" and group != "cold":
        pytest.skip("the group does not hang on the algorithm")
    tiny.write(tmp_path / "dataset")
    metric = "NDCG@10" if group == "total" else f"NDCG_{group}@10"
    fixed = {"model": "SASRecDelta", "dataset": "tiny", "data_path": str(tmp_path / "dataset"),
             "MAX_ITEM_LIST_LENGTH": 8, "train_batch_size": 16, "epochs": 2, "show_progress": False,
             "state": "ERROR", "valid_candidates": "all", "valid_metric": metric,
             "checkpoint_dir": str(tmp_path / "saved"), **SMALL}  # fmt: skip
    (tmp_path / "fixed.yaml").write_text(yaml.safe_dump(fixed))
    tuning = HyperTuning(
        objective_function, algo=algorithm, max_evals=2, early_stop=10,
        params_dict={"choice": {"item_embedding": ["delta", "id" if group == "warm" else "frozen"]}},
        fixed_config_file_list=[str(tmp_path / "fixed.yaml")],
    )  # fmt: skip
    tuning.run()
    scores = {}
    for mode in {result.split(":")[1] for result in tuning.params2result}:
        result = recbole_delta.run(settings={**fixed, "item_embedding": mode})
        scores[mode] = result.best_valid_score
    assert tuning.best_score == max(scores.values())
    assert scores[tuning.best_params["item_embedding"]] == tuning.best_score
    if algorithm == "exhaustive":
        assert len(scores) == 2
    tuning.export_result(str(tmp_path / "result.txt"))
    assert metric.lower() in (tmp_path / "result.txt").read_text()
