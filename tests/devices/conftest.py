"""Runs on a fake accelerator."""

from __future__ import annotations

import pytest
import torch
from support.fake_device import NAME, fake_gpu

from recbole_delta.config.run_config import RunConfig


@pytest.fixture
def _runs_there(monkeypatch):
    stock = RunConfig.__init__

    def on_the_device(self, *args, **kwargs):
        stock(self, *args, **kwargs)
        if self["use_gpu"]:
            self["device"] = torch.device(NAME)

    monkeypatch.setattr(RunConfig, "__init__", on_the_device)


@pytest.fixture
def watch(_runs_there):
    """Runs of this test are on the fake device; gives what happens there."""
    with fake_gpu() as watch:
        yield watch


@pytest.fixture
def without_float64(_runs_there):
    """Runs of this test are on a fake device that has no float64."""
    with fake_gpu(float64=False) as watch:
        yield watch
