"""What a run leaves to read: log file, tensorboard, and no bars where nobody looks."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from support.datasets import SMALL, without_cold_validation
from support.paths import CHECKOUT
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def in_table(text, value):
    """Whether the configured mode has the value as its total NDCG@10."""
    cells = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
    [total] = [
        each[3] for each in cells if each[1:3] == ["all items, cold history kept", "NDCG@10"]
    ]
    return total == value


@pytest.mark.subprocess
def test_the_log_file_and_tensorboard_hold_the_test_result_as_a_table(tiny, tmp_path):
    tiny.write(tmp_path / "data")
    settings = {**SMALL, "model": "SASRecDelta", "dataset": "tiny", "data_path": "data",
                "epochs": 1, "MAX_ITEM_LIST_LENGTH": 8}  # fmt: skip
    (tmp_path / "my.yaml").write_text(json.dumps(settings))
    command = [sys.executable, str(CHECKOUT / "run_recbole_delta.py"), "my.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])["test_result"]
    [log] = (tmp_path / "log" / "SASRecDelta").glob("*.log")
    assert in_table(log.read_text(), f"{result['ndcg@10']:.4f}")
    events = EventAccumulator(str(next((tmp_path / "log_tensorboard").iterdir())))
    events.Reload()
    [shown] = events.Tensors("test/text_summary")
    assert in_table(shown.tensor_proto.string_val[0].decode(), f"{result['ndcg@10']:.4f}")
    # Standard error is no terminal here.
    assert "\r" not in done.stderr


@pytest.fixture
def wandb(monkeypatch):
    """What W&B is told, in the place of W&B."""
    told = ModuleType("wandb")
    told.__spec__ = ModuleSpec("wandb", None)
    told.run, told.logged = SimpleNamespace(summary={}), []
    told.define_metric = lambda *args, **kwargs: None
    told.log = lambda values, commit: told.logged.append(values)
    monkeypatch.setitem(sys.modules, "wandb", told)
    return told


def test_curves_are_of_the_run_and_the_summary_is_of_the_test(tiny, train, wandb):
    """A calibrated run trains twice, and validates more often than it tests."""
    asked = {"recipe": "calibrated", "valid_candidates": "all", "log_wandb": True, "epochs": 3}
    result, _ = train(without_cold_validation(tiny), **asked)
    for name, value in result.test_result.items():
        assert wandb.run.summary[f"eval/{name}"] == value
    steps = [values["train_step"] for values in wandb.logged if "train_step" in values]
    assert steps == [0, 1, 2]
    events = EventAccumulator(str(next(Path("log_tensorboard").iterdir())))
    events.Reload()
    assert [each.step for each in events.Scalars("train/train_loss")] == steps
