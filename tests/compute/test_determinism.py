"""RecBole's ``reproducibility`` on a GPU: torch's own switch, during training only."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
import torch
from torch.utils import deterministic

from recbole_delta.compute.determinism import repeatable
from recbole_delta.trainer.trainer import ColdWarmTrainer

GPU, CPU = torch.device("cuda", 0), torch.device("cpu")


@pytest.mark.parametrize(("device", "wanted"), [(GPU, True), (GPU, False), (CPU, True)])
def test_the_switch_is_set_where_it_is_asked_for_on_a_gpu(monkeypatch, device, wanted):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    expected = wanted and device == GPU
    with suppress(KeyError), repeatable(device, wanted):
        assert torch.are_deterministic_algorithms_enabled() == expected
        assert torch.is_deterministic_algorithms_warn_only_enabled() == expected
        assert ("CUBLAS_WORKSPACE_CONFIG" in os.environ) == expected
        raise KeyError  # it is put back after an error too
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert deterministic.fill_uninitialized_memory


@pytest.mark.parametrize("wanted", [True, False])
def test_training_on_a_gpu_asks_for_it(tiny, train, monkeypatch, wanted):
    """The flag as training sees it; where it runs is said, not so."""
    seen = []
    sound = ColdWarmTrainer._train_epoch

    def watched(self, *arguments):
        seen.append(torch.are_deterministic_algorithms_enabled())
        self.device = CPU
        return sound(self, *arguments)

    monkeypatch.setattr(ColdWarmTrainer, "_train_epoch", watched)
    monkeypatch.setattr(ColdWarmTrainer, "_has_validation", lambda self, _: _on_gpu(self))
    train(tiny, epochs=1, reproducibility=wanted)
    assert seen == [wanted]
    assert not torch.are_deterministic_algorithms_enabled()


def _on_gpu(trainer):
    trainer.device = GPU
    return False
