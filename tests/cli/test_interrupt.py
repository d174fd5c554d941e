"""Ctrl-C: one line that says what is kept and how to go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from support.datasets import SMALL
from support.paths import CHECKOUT

import recbole_delta

QUICK = {**SMALL, "MAX_ITEM_LIST_LENGTH": 8, "train_batch_size": 16, "stopping_step": 10_000}


def interrupted(command, ready, to_all=False, seconds=120):
    """Standard error of a command that gets Ctrl-C once ``ready()`` says so."""
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, start_new_session=True, **pipes)
    until = time.monotonic() + seconds
    while not ready() and time.monotonic() < until:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    (os.killpg if to_all else os.kill)(process.pid, signal.SIGINT)
    sent = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - sent < 10
    assert process.returncode == 130, errors
    return errors


@pytest.mark.subprocess
@pytest.mark.slow
@pytest.mark.parametrize(("nproc", "to_all"), [(1, False), (2, False), (2, True)])
def test_training_says_which_checkpoint_to_resume(tiny, tmp_path, several, nproc, to_all):
    """A terminal sends Ctrl-C to all processes, and the launcher passes it on once more."""
    tiny.write(tmp_path / "data")
    settings = {**QUICK, "model": "SASRecDelta", "dataset": "tiny",
                "data_path": str(tmp_path / "data"), "epochs": 100_000, "state": "ERROR",
                "nproc": nproc}  # fmt: skip
    (tmp_path / "my.yaml").write_text(json.dumps(settings))
    command = [sys.executable, str(CHECKOUT / "run_recbole_delta.py"), "my.yaml"]
    errors = interrupted(command, lambda: list(Path("saved").glob("*.safetensors")), to_all)
    assert "Traceback" not in errors
    line = errors.strip().splitlines()[-1]
    prefix = "Stopped; continue with: recbole-delta resume "
    assert line.startswith(prefix)
    checkpoint = str(tmp_path / line.removeprefix(prefix))
    begun = len(recbole_delta.trainer.checkpoint.Checkpoint.load(checkpoint).metadata.curve)
    more = {"epochs": begun + 1}
    if nproc == 1:
        curve = recbole_delta.resume(checkpoint, more).curve
    else:
        [resumed], _ = several([{"resume": checkpoint, "settings": more}])
        curve = resumed["result"]["curve"]
    assert len(curve) == begun + 1


def test_a_run_that_is_stopped_while_it_calibrates_is_not_lost(tiny, tmp_path, monkeypatch):
    tiny.write(tmp_path / "data")
    settings = {**QUICK, "data_path": "data", "epochs": 2, "cold_offset": "auto", "state": "ERROR",
                "valid_candidates": "all", "valid_metric": "NDCG@10"}  # fmt: skip
    whole = recbole_delta.run("SASRecDelta", "tiny", settings=settings)

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("recbole_delta.quick_start.run.calibrate", stopped)
        with pytest.raises(KeyboardInterrupt, match="continue with: recbole-delta resume") as told:
            recbole_delta.run("SASRecDelta", "tiny", settings=settings)
    resumed = recbole_delta.resume(str(told.value).split()[-1])
    assert resumed.test_result == whole.test_result


@pytest.mark.subprocess
@pytest.mark.slow
def test_a_bench_says_that_the_same_command_goes_on(tiny, tmp_path):
    tiny.write(tmp_path / "dataset")
    quick, long = ({**QUICK, "model": "SASRecDelta", "epochs": n} for n in (1, 100_000))
    asked = {"datasets": ["tiny"], "seeds": [1], "models": {"quick": quick, "long": long}}
    (tmp_path / "try.yaml").write_text(yaml.safe_dump(asked, sort_keys=False))
    command = [sys.executable, str(CHECKOUT / "run_recbole_delta.py"), "bench", "try.yaml"]

    def is_waiting() -> bool:
        """For the long run: the quick one has long been done."""
        done = [path.stat().st_mtime for path in Path("records").glob("*/*/record.json")]
        return bool(done) and time.time() - max(done) > 3

    errors = interrupted(command, is_waiting)
    assert "Traceback" not in errors
    assert "Stopped; 1 of 2 runs are done, and the same command does the others." in errors
