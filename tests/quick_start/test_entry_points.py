"""Every way to start a run trains the same model to the same numbers."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from recbole.quick_start import run_recbole
from support.datasets import SMALL, without_cold_validation
from support.paths import CHECKOUT

import recbole_delta
from recbole_delta.cli.main import main


@pytest.fixture
def settings(tiny, tmp_path):
    tiny.write(tmp_path / "dataset")
    return {
        "model": "SASRecDelta",
        "dataset": "tiny",
        "data_path": str(tmp_path / "dataset"),
        "checkpoint_dir": str(tmp_path / "saved"),
        "MAX_ITEM_LIST_LENGTH": 8,
        "train_batch_size": 16,
        "learning_rate": 2e-3,
        "epochs": 2,
        "show_progress": False,
        "state": "ERROR",
        **SMALL,
    }


def last_json(text):
    return json.loads(text.strip().splitlines()[-1])["test_result"]


@pytest.mark.slow
@pytest.mark.subprocess
def test_all_entry_points_give_the_same_numbers(settings, tmp_path, capsys, monkeypatch):
    expected = recbole_delta.run(settings=settings).test_result

    whole = tmp_path / "whole.yaml"
    whole.write_text(yaml.safe_dump(settings))
    main([str(whole)])
    assert last_json(capsys.readouterr().out) == expected

    rest = {k: v for k, v in settings.items() if k not in ("model", "dataset", "epochs")}
    part = tmp_path / "part.yaml"
    part.write_text(yaml.safe_dump(rest))
    command = ["--model=SASRecDelta", "--dataset=tiny", f"--config_files={part}", "--epochs=2"]
    script = [sys.executable, str(CHECKOUT / "run_recbole_delta.py"), *command]
    printed = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    assert last_json(printed) == pytest.approx(expected, abs=1e-12)

    monkeypatch.setattr(sys, "argv", ["anything"])
    theirs = run_recbole(
        "SASRecDelta", "tiny", config_file_list=[str(part)], config_dict={"epochs": 2}
    )
    assert dict(theirs["test_result"]) == expected
    nothing = run_recbole(config_file_list=[str(whole)])
    assert dict(nothing["test_result"]) == expected


@pytest.mark.parametrize("held_out", [False, True], ids=["own cold targets", "second training"])
@pytest.mark.parametrize("given", [{}, {"item_embedding": "id_knn"}], ids=["delta", "id_knn"])
def test_recboles_runner_calibrates_too(settings, tiny, tmp_path, monkeypatch, given, held_out):
    if held_out:
        without_cold_validation(tiny).write(tmp_path / "dataset")
    monkeypatch.setattr(sys, "argv", ["anything"])
    asked = {**settings, "recipe": "calibrated", **given}
    expected = recbole_delta.run(settings=asked)
    assert expected.calibration["offset"] != 0
    theirs = run_recbole(config_dict=asked)
    assert dict(theirs["test_result"]) == expected.test_result


def test_recboles_pickled_caches_are_not_read(settings, tmp_path, monkeypatch):
    """A file where RecBole looks for a cached data set or loaders is not unpickled."""
    monkeypatch.setattr(sys, "argv", ["anything"])
    trap = tmp_path / "trap"

    class Trap:
        def __reduce__(self):
            return Path.touch, (trap,)

    (tmp_path / "saved").mkdir()
    for name in ("tiny-ColdWarmDataset.pth", "tiny-for-SASRecDelta-dataloader.pth"):
        (tmp_path / "saved" / name).write_bytes(pickle.dumps(Trap()))
    run_recbole(config_dict=settings)
    recbole_delta.run(settings=settings)
    assert not trap.exists()
