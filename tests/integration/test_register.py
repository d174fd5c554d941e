"""RecBole finds our models and trainers, and models of one's own."""

from __future__ import annotations

import sys

import pytest
from recbole.quick_start import run_recbole
from recbole.utils import get_model, get_trainer
from support.datasets import SMALL

import recbole_delta
from dataset_prep.errors import DeltaError
from recbole_delta.trainer.trainer import ColdWarmTrainer


@pytest.mark.parametrize("name", ["SASRecDelta", "GRU4RecDelta", "ContentMean", "CEASE"])
def test_recbole_finds_our_models_and_trainers(name):
    model = get_model(name)
    assert model.__name__ == name
    assert issubclass(get_trainer(model.type, name), ColdWarmTrainer)


def test_recboles_own_models_still_run_under_recbole(tiny, tmp_path, monkeypatch):
    """The stock trainer reloads the checkpoint it has just pickled."""
    monkeypatch.setattr(sys, "argv", ["anything"])
    rows = tiny.rows.assign(split="train")
    tiny.replace(rows=rows).write(tmp_path / "dataset")
    config = {"data_path": str(tmp_path / "dataset"), "epochs": 1, "train_neg_sample_args": None,
              "load_col": {"inter": ["user_id", "item_id", "timestamp"]}, "state": "ERROR",
              "show_progress": False}  # fmt: skip
    result = run_recbole("GRU4Rec", "tiny", config_dict=config)
    assert set(result["test_result"]) >= {"ndcg@10", "recall@10"}


def test_a_backbone_of_ones_own_is_registered(tiny, train):
    """Outside the package, with the defaults of the RecBole class that it extends."""
    from recbole.model.sequential_recommender.gru4rec import GRU4Rec

    from recbole_delta.model.backbone import ContentBackbone

    class MyGRU(ContentBackbone, GRU4Rec):
        causal = True

        def __init__(self, config, dataset):
            super().__init__(config, dataset)
            self.gate = config["my_gate"]

    recbole_delta.register(MyGRU, {"my_gate": 1})
    theirs, (config, model, *_) = train(
        tiny, "MyGRU", **SMALL, num_layers=1, my_gate=2, dropout_prob=0.0
    )
    ours, _ = train(tiny, "GRU4RecDelta", dropout_prob=0.0)
    assert isinstance(model, MyGRU)
    assert model.gate == 2
    assert config["loss_type"] == "CE"
    assert theirs.test_result == pytest.approx(ours.test_result)


def test_no_model_takes_the_name_of_another():
    """RecBole looks for a module of the name in lower case: SASRec would be no more."""
    for name in ("SASRec", "Sasrec", "lightgbm", "GRU4RECDelta", "SASRecDelta"):
        model = type(name, (recbole_delta.model.SASRecDelta,), {})
        with pytest.raises(DeltaError, match=f"There is a model .* call {name} something else"):
            recbole_delta.register(model)
    assert get_model("SASRec").__module__ == "recbole.model.sequential_recommender.sasrec"
    assert get_model("SASRecDelta") is recbole_delta.model.SASRecDelta


def test_only_backbones_over_our_embedding_are_registered():
    from recbole.model.sequential_recommender import GRU4Rec

    for model in (GRU4Rec, dict):
        with pytest.raises(DeltaError, match="must extend ContentBackbone"):
            recbole_delta.register(model)
