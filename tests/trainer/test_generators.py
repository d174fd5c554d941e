"""Random numbers on GPUs, without one: torch's functions for them are watched."""

from __future__ import annotations

import pytest
import torch
from recbole.data import data_preparation
from support.datasets import SMALL

from recbole_delta.config.run_config import RunConfig
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.model import MODELS
from recbole_delta.trainer import run_state
from recbole_delta.trainer.checkpoint import Checkpoint
from recbole_delta.trainer.run_state import RunState
from recbole_delta.trainer.trainer import ColdWarmTrainer

BY_NAME = {model.__name__: model for model in MODELS}


@pytest.fixture
def prepared(tiny, tmp_path):
    """prepared(model, **settings) -> config, loader of the training data."""
    tiny.write(tmp_path)

    def prepared(model, **settings):
        places = {"data_path": str(tmp_path), "checkpoint_dir": str(tmp_path / "saved")}
        config = RunConfig(model, "tiny", config_dict={**places, **SMALL, **settings})
        return config, data_preparation(config, ColdWarmDataset(config))[0]

    return prepared


def test_each_process_goes_on_with_the_generators_of_its_own_gpu(prepared, monkeypatch, tmp_path):
    """Two processes save, process 0 into the file; each takes its own states out of it."""
    config, data = prepared("SASRecDelta")
    trainer = ColdWarmTrainer(config, BY_NAME["SASRecDelta"](config, data.dataset))
    on_gpu = {0: torch.tensor([10, 11], dtype=torch.uint8), 1: torch.tensor([20, 21]).byte()}
    on_cpu = {n: torch.Generator().manual_seed(n).get_state() for n in range(2)}
    process, said, taken = 0, {}, {}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: on_gpu[device.index])
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: list(on_gpu.values()))
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda state, device: taken.update({device.index: state})
    )
    monkeypatch.setattr(run_state, "rank", lambda: process)
    # Process 1 speaks first, so that what it says is there when process 0 writes.
    monkeypatch.setattr(
        run_state, "gather", lambda own: said.update({process: own}) or [said.get(0), said[1]]
    )
    path = str(tmp_path / "run.safetensors")
    for process in (1, 0):
        torch.set_rng_state(on_cpu[process])
        RunState(data, torch.device("cuda", process)).save(trainer, 0, path)
    for process in (1, 0):
        torch.manual_seed(99)
        RunState(data, torch.device("cuda", process)).go_on_from(Checkpoint.load(path))
        assert torch.equal(torch.get_rng_state(), on_cpu[process])
        assert torch.equal(taken[process], on_gpu[process])


@pytest.mark.parametrize(
    ("model", "settings"),
    [("SASRecEnsemble", {"item_embedding": "delta"}), ("SASRecDelta", {"item_embedding": "id"})],
)
def test_building_a_model_seeds_no_gpu(prepared, monkeypatch, model, settings):
    """Numbers of its own are drawn on the CPU; what training draws on a GPU is not set back."""
    config, data = prepared(model, **settings)
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    BY_NAME[model](config, data.dataset)
    assert seeded == []
