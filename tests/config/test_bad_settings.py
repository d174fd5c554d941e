"""Bad settings: one clear sentence, and nothing written."""

from __future__ import annotations

import math

import pytest

import recbole_delta
from dataset_prep.errors import DeltaError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"item_embedding": "detla"}, "item_embedding must be one of id | init | frozen | delta"),
        ({"block": "pre"}, "block must be one of recbole | original | ligr, but is 'pre'"),
        ({"delta_max": -0.1}, "delta_max must be a number >= 0, but is -0.1"),
        ({"delta_max": math.nan}, "delta_max must be a number"),
        ({"delta_max": "0.5"}, "delta_max must be a number"),
        ({"dleta_max": 0.5}, "Unknown setting 'dleta_max'; did you mean 'delta_max'?"),
        ({"train_positions": "first"}, "train_positions must be one of all | last"),
        ({"test_candidates": "cold"}, "test_candidates must be one of all | warm"),
        ({"cold_history": "mask"}, "cold_history must be one of keep | drop"),
        ({"mask_history": "yes"}, "mask_history must be one of True | False"),
        ({"use_gpu": "yess"}, "use_gpu must be one of True | False, but is 'yess'"),
        ({"loss": "bpr"}, "loss must be one of ce | chunked | sampled | simrec, but is 'bpr'"),
        ({"loss_type": "BPR"}, "loss_type must be CE"),
        ({"hidden_size": 64, "inner_size": 64}, "cannot fill an item embedding of dimension 64"),
        ({"metrics": ["NDCG", "GAUC"]}, "GAUC has no cold/warm version"),
        ({"metrics": ["NDGC"]}, "There is no metric named 'NDGC'"),
        ({"metrics": ["NDCG", "AUC"]}, "can not be used at the same time"),
        ({"topk": [0]}, "topk must be a positive integer"),
        ({"epochs": 0}, "epochs must be a whole number >= 1, but is 0"),
        ({"epochs": "abc"}, "epochs must be a whole number"),
        ({"train_batch_size": 0}, "train_batch_size must be a whole number >= 1"),
        ({"seed": -1}, "seed must be a whole number >= 0"),
        ({"learning_rate": "fast"}, "learning_rate must be a number"),
        ({"valid_metric": "NDCG@20"}, "valid_metric: ndcg@20 is not among metrics"),
        ({"valid_metric": "NDCG_hot@10"}, "valid_metric: ndcg_hot@10 is not among metrics"),
        ({"valid_metric": "NDCG_cold@10"}, "always 0 where only warm items are ranked"),
        ({"n_heads": 0}, "RecBole cannot use SASRecDelta with these settings ("),
        ({"n_layers": "two"}, "RecBole cannot use SASRecDelta with these settings ("),
        ({"layer_norm_eps": "x"}, "RecBole cannot use SASRecDelta with these settings ("),
        ({"transform": "foo"}, "RecBole cannot use the data set tiny with these settings ("),
        ({"LIST_SUFFIX": ""}, "RecBole cannot use"),
        ({"threshold": {"rating": 3}}, "RecBole cannot use the data set tiny"),
        ({"encoding": "utf-16"}, "tiny"),
        ({"field_separator": ""}, "tiny.inter is not a RecBole atomic file"),
        ({"local_rank": 1}, "local_rank is not yours to set"),
        ({"nproc": 0}, "nproc must be a whole number >= 1, but is 0"),
        ({"seed": 2**32}, "seed must be below 2^32"),
        ({"worker": -1}, "worker must be a whole number >= 0"),
        ({"n_layers": 10**40}, "n_layers must be at most 256"),
        ({"nproc": 10**6}, "nproc must be at most 256"),
        ({"train_batch_size": 10**40}, "train_batch_size must be at most 2147483648"),
        ({"topk": [5, 1e3]}, "topk must be a whole number >= 1, but is 1000.0"),
        ({"topk": [10**12]}, "topk must be at most 1,000,000, but is 1000000000000"),
        ({"state": ["INFO"]}, "state must be a level such as INFO"),
        ({"topk": []}, "topk must hold a number"),
        ({"learner": "sparse_adam"}, "learner must be one of"),
        ({"clip_grad_norm": {"foo": 1}}, "clip_grad_norm must be arguments"),
        ({"checkpoint_dir": "/proc/x"}, "checkpoint_dir cannot be written to"),
        ({"checkpoint_dir": 5}, "RecBole cannot use the data set tiny"),
        ({"eval_args": {"mode": "uni"}}, "RecBole cannot use a setting"),
        ({"eval_args": {"mode": {"valid": "full", "tset": "full"}}}, "mode is for valid and test"),
        (
            {"item_embedding": "id", "valid_metric": "NDCG_cold@10", "valid_candidates": "all"},
            "always 0 for a model without vectors for cold items",
        ),
        ({"metrics": []}, "metrics must be names, such as [NDCG, Hit], but is []"),
        ({"metrics": [1]}, "metrics must be names"),
        ({"metrics": ["Recall"]}, "set it to one of them, such as recall_warm@10"),
        ({"topk": [5]}, "set it to one of them, such as ndcg_warm@5"),
        ({"topk": "ten"}, "topk [ten] must be a integer"),
        ({"valid_metric": None}, "valid_metric must be a name"),
        ({"n_heads": 3}, "RecBole cannot use SASRecDelta with these settings ("),
        ({"hidden_dropout_prob": 2}, "RecBole cannot use SASRecDelta with these settings ("),
        ({"hidden_size": "wide"}, "RecBole cannot use SASRecDelta with these settings ("),
        ({"clip_grad_norm": 5}, "clip_grad_norm must be arguments, such as {max_norm: 5}"),
        ({"learner": "foo"}, "learner must be one of adam | adamw"),
        ({"weight_decay": -1}, "weight_decay must be a number >= 0"),
        ({"encoding": "utf-7.5"}, "encoding: there is no 'utf-7.5'"),
        ({"save_dataset": True}, "pickled caches"),
        ({"rm_dup_inter": "first"}, "filter in dataset_prep instead"),
        ({"user_inter_num_interval": "[50,inf)"}, "filter in dataset_prep instead"),
        ({"eval_args": {"mode": "uni100", "order": "TO"}}, "mode must be full"),
        ({"content_file": "nowhere.safetensors"}, "There is no content file nowhere.safetensors"),
    ],
)
def test_bad_settings(attempt, settings, message):
    assert message in attempt(**settings)


def test_a_bad_setting_of_bert4rec(attempt):
    said = attempt(model="BERT4RecDelta", output_layers="no")
    assert "output_layers must be one of True | False, but is 'no'" in said


def test_weights_and_biases_must_be_there_to_log_to(attempt, monkeypatch):
    monkeypatch.setattr("recbole_delta.config.recbole_checks.find_spec", lambda name: None)
    assert "log_wandb needs Weights & Biases: pip install wandb" in attempt(log_wandb=True)


def test_unknown_models_and_data_sets(attempt, tmp_path):
    assert "Unknown model 'SASRecDelt'; did you mean SASRecDelta" in attempt(model="SASRecDelt")
    assert "Say which model" in attempt(model=None)
    assert "LR is neither a sequential nor a general model" in attempt(model="LR")
    assert "has a training of its own" in attempt(model="S3Rec")
    assert "has no 'class' for SASRecF; name fields of its .item" in attempt(model="SASRecF")
    for model in ("SASRec", "ContentMean"):
        assert "item_embedding is a setting of" in attempt(model=model, item_embedding="id")
    with pytest.raises(DeltaError, match="Say which dataset"):
        recbole_delta.run("SASRecDelta")
    with pytest.raises(DeltaError, match="There is no .*elsewhere.inter; prepare the data set"):
        recbole_delta.run("SASRecDelta", "elsewhere", settings={"data_path": str(tmp_path)})


@pytest.mark.parametrize("name", ["../tiny", "/tiny", "a/b", "..", ".", "a\\b", "a\0"])
def test_a_data_sets_name_leads_nowhere_else(tmp_path, name):
    with pytest.raises(DeltaError, match="dataset: .* is no name"):
        recbole_delta.run("SASRecDelta", name, settings={"data_path": str(tmp_path)})
