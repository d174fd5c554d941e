"""Checkpoints: whole or absent, and a resumed training goes on as if it had not stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from recbole.data import data_preparation
from recbole.utils import init_seed
from safetensors.torch import save_file
from support.datasets import SMALL

import recbole_delta
from dataset_prep.errors import DeltaError
from recbole_delta.cli.main import main
from recbole_delta.config.run_config import RunConfig
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.model import BACKBONES, MODELS
from recbole_delta.trainer.checkpoint import WITHOUT_DIGEST, Checkpoint, catalogue_of
from recbole_delta.trainer.metadata import CheckpointMetadata
from recbole_delta.trainer.trainer import ColdWarmTrainer

CATALOGUE = catalogue_of(["a", "b"], np.array([3]))
SOME_RUN = CheckpointMetadata(
    settings={},
    data={},
    epoch=1,
    cur_step=0,
    best_valid_score=0.5,
    best_valid_result=None,
    curve=[],
)


def fresh(folder, backbone, epochs, **others):
    settings = {"data_path": str(folder), "checkpoint_dir": str(folder / "saved"), "epochs": epochs,
                "train_batch_size": 16, "eval_step": 0, **SMALL, **others}  # fmt: skip
    config = RunConfig(backbone, "tiny", config_dict=settings)
    train_data, *_ = data_preparation(config, ColdWarmDataset(config))
    init_seed(config["seed"], True)
    [model_class] = [model for model in MODELS if model.__name__ == backbone]
    return ColdWarmTrainer(config, model_class(config, train_data.dataset)), train_data


@pytest.mark.parametrize("loss", ["ce", "sampled"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_resumed_training_is_bit_identical(tiny, tmp_path, backbone, loss):
    """With several windows a user, drawn anew each epoch; with moments of single rows."""
    tiny.write(tmp_path)
    others = {"loss": loss, "sampled_items": 8, "MAX_ITEM_LIST_LENGTH": 2}
    whole, data = fresh(tmp_path, backbone, epochs=5, **others)
    whole.fit(data)
    begun, data = fresh(tmp_path, backbone, epochs=3, **others)
    begun.fit(data)
    torch.rand(100)
    resumed, data = fresh(tmp_path, backbone, epochs=5, **others)
    resumed.resume_checkpoint(begun.saved_model_file)
    resumed.fit(data)
    for (name, a), (_, b) in zip(whole.model.named_parameters(), resumed.model.named_parameters()):
        assert torch.equal(a, b), name
    losses = [[entry["train_loss"] for entry in t.curve] for t in (whole, resumed)]
    assert losses[0] == losses[1]


def test_a_resumed_run_remembers_its_best_score_and_patience(tiny, tmp_path):
    """A best score that no epoch reaches: patience goes on where it stood."""
    tiny.write(tmp_path)
    trainer, data = fresh(tmp_path, "SASRecDelta", epochs=1)
    trainer.fit(data)
    checkpoint = Checkpoint.load(trainer.saved_model_file)
    checkpoint.metadata = replace(checkpoint.metadata, best_valid_score=2.0, cur_step=3)
    checkpoint.save(trainer.saved_model_file)
    resumed, data = fresh(tmp_path, "SASRecDelta", epochs=50)
    resumed.resume_checkpoint(trainer.saved_model_file)
    resumed.eval_step, resumed.stopping_step = 1, 4
    valid = data_preparation(resumed.config, ColdWarmDataset(resumed.config))[1]
    resumed.fit(data, valid)
    assert resumed.best_valid_score == 2.0
    assert [entry["epoch"] for entry in resumed.curve] == [0, 1, 2]


def test_another_models_checkpoint_is_not_resumed(tiny, tmp_path):
    tiny.write(tmp_path)
    sasrec, data = fresh(tmp_path, "SASRecDelta", epochs=1)
    sasrec.fit(data)
    gru, _ = fresh(tmp_path, "GRU4RecDelta", epochs=1)
    with pytest.raises(DeltaError, match="holds a SASRecDelta, not a GRU4RecDelta"):
        gru.resume_checkpoint(sasrec.saved_model_file)


def test_a_checkpoint_over_other_items_is_not_resumed(tiny, tmp_path):
    tiny.write(tmp_path)
    trainer, data = fresh(tmp_path, "SASRecDelta", epochs=1)
    trainer.fit(data)
    turned = dict(zip(tiny.items["item_id"], tiny.items["item_id"].iloc[::-1]))
    vectors = {turned[token]: vector for token, vector in tiny.vectors.items() if token in turned}
    renamed = {"rows": tiny.rows.replace({"item_id": turned}), "vectors": vectors}
    tiny.replace(items=tiny.items.replace({"item_id": turned}), **renamed).write(tmp_path)
    other, data = fresh(tmp_path, "SASRecDelta", epochs=2)
    other.resume_checkpoint(trainer.saved_model_file)
    with pytest.raises(DeltaError, match="items of tiny are not those that"):
        other.fit(data)


def test_runs_started_together_do_not_share_a_file(tiny, tmp_path):
    tiny.write(tmp_path)
    names = {fresh(tmp_path, "SASRecDelta", epochs=1)[0].saved_model_file for _ in range(5)}
    assert len(names) == 5


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    Checkpoint({"w": torch.ones(3)}, {}, {}, SOME_RUN, CATALOGUE).save(path)

    def full_disk(tensors, filename, metadata):
        Path(filename).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr("recbole_delta.trainer.checkpoint.save_file", full_disk)
    with pytest.raises(DeltaError, match="Cannot write .*run.safetensors .No space"):
        Checkpoint({"w": torch.zeros(3)}, {}, {}, replace(SOME_RUN, epoch=2), CATALOGUE).save(path)
    monkeypatch.undo()
    old = Checkpoint.load(path)
    assert old.metadata == SOME_RUN
    assert old.model["w"].eq(1).all()
    assert [each.name for each in tmp_path.iterdir()] == ["run.safetensors"]


@pytest.mark.parametrize("header", ["", "[]", "{}", '{"facts": {}}', '{"optimizer": 3}'])
def test_a_checkpoint_with_a_strange_header_is_refused(tmp_path, header):
    path = tmp_path / "run.safetensors"
    save_file({"model/w": torch.ones(1)}, path, {"format": WITHOUT_DIGEST, "header": header})
    with pytest.raises(DeltaError, match="run.safetensors says format"):
        Checkpoint.load(path)


def test_others_may_read_what_is_written(tmp_path):
    """safetensors alone writes files that only their owner can read."""
    (tmp_path / "plain").touch()
    path = tmp_path / "run.safetensors"
    Checkpoint({"w": torch.ones(3)}, {}, {}, SOME_RUN, CATALOGUE).save(path)
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_untrained_model_resumes_to_what_it_was(tiny, train):
    result, _ = train(tiny, "ContentMean")
    assert recbole_delta.resume(result.checkpoint).test_modes == result.test_modes


@pytest.mark.parametrize("how", ["function", "command"])
def test_an_interrupted_run_goes_on_to_the_same_result(tiny, train, capsys, how):
    whole, _ = train(tiny, epochs=6, learning_rate=0.01)
    begun, _ = train(tiny, epochs=2, learning_rate=0.01)
    torch.rand(100)
    if how == "function":
        resumed = recbole_delta.resume(begun.checkpoint, {"epochs": 6})
        assert resumed.test_modes == whole.test_modes
        losses = [[entry["train_loss"] for entry in each.curve] for each in (whole, resumed)]
        assert losses[0] == losses[1]
    else:
        main(["resume", begun.checkpoint, "--epochs=6"])
        printed = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
        assert printed["test_result"] == whole.test_result
        assert printed["checkpoint"] == begun.checkpoint
