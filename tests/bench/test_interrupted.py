"""A run of a bench that was killed goes on, and leaves what an undisturbed one leaves."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from support.benches import SETTINGS

import recbole_delta.bench.bench as bench_module
from dataset_prep.errors import DeltaError
from recbole_delta.bench.plan.plan import read_plan
from recbole_delta.bench.runs import one
from recbole_delta.bench.runs.engine import Outcome
from recbole_delta.trainer.trainer import ColdWarmTrainer

MODELS = {
    "RecBole's SASRec": {"model": "SASRec"},
    "RecBole's GRU4Rec": {"model": "GRU4Rec"},
    "RecBole's BPR": {"model": "BPR"},
    "ours, calibrated": {"model": "SASRecDelta", "recipe": "calibrated", "valid_candidates": "all"},
}


@pytest.fixture
def task(plan, tmp_path, monkeypatch):
    """task(model, name) -> one run of that model, whose code is said to be of a commit."""
    monkeypatch.setattr(one, "_revision", lambda: "c0ffee")

    def task(entry, name: str) -> one.Task:
        path = plan(models={"row": entry}, settings={**SETTINGS, "epochs": 6}, seeds=[1])
        [spec] = read_plan(path, tmp_path / "dataset").specs
        record, work = tmp_path / name / "records" / "run", tmp_path / name / "work" / "run"
        work.parent.mkdir(parents=True)
        return one.Task(asdict(spec), str(tmp_path / "dataset"), str(record), str(work), 1)

    return task


def perform(task: one.Task, monkeypatch) -> Path | None:
    """Do the task as its process would; the checkpoint that it has gone on from."""
    checkpoint = one._begin(Path(task.work), task)
    monkeypatch.chdir(task.work)
    one.perform(task, checkpoint)
    return checkpoint


def killed_in(epoch: int, task: one.Task, monkeypatch) -> None:
    run = ColdWarmTrainer._timed_epoch

    def stopped(self, train_data, now, show_progress):
        if now == epoch:
            raise MemoryError
        return run(self, train_data, now, show_progress)

    with monkeypatch.context() as patch:
        patch.setattr(ColdWarmTrainer, "_timed_epoch", stopped)
        with pytest.raises(MemoryError):
            perform(task, monkeypatch)


def left_by(task: one.Task) -> tuple[dict, dict]:
    facts = json.loads((Path(task.record) / "record.json").read_text())
    with np.load(Path(task.record) / "ranks.npz") as arrays:
        return facts, {name: arrays[name].tolist() for name in arrays}


@pytest.mark.parametrize("name", MODELS)
def test_a_killed_run_leaves_the_record_of_an_undisturbed_one(name, task, monkeypatch):
    whole, broken = task(MODELS[name], "whole"), task(MODELS[name], "broken")
    assert perform(whole, monkeypatch) is None
    killed_in(4, broken, monkeypatch)
    assert not Path(broken.record).exists()
    trained = []
    run = ColdWarmTrainer._timed_epoch
    monkeypatch.setattr(
        ColdWarmTrainer,
        "_timed_epoch",
        lambda self, data, epoch, show: trained.append(epoch) or run(self, data, epoch, show),
    )
    assert perform(broken, monkeypatch) is not None
    assert 0 < trained[0] <= 4  # its first epochs are not trained again
    assert left_by(broken) == left_by(whole)


def test_two_data_sets_are_not_taken_for_one(plan, tiny, tmp_path, monkeypatch):
    """Runs alike in settings and content, over other rows, are kept apart while they run."""
    tiny.write(tmp_path / "dataset", "other")
    asked = []

    def refused(tasks, workers, cluster):
        asked.extend(tasks)
        yield from ((n, Outcome(1, "error: not today")) for n in range(len(tasks)))

    monkeypatch.setattr(bench_module, "in_order_of_completion", refused)
    path = plan(models={"row": {"model": "SASRecDelta"}}, datasets=["tiny", "other"], seeds=[1])
    with pytest.raises(DeltaError, match="2 of 2 runs failed"):
        bench_module.bench(path)
    assert len({task.work for task in asked}) == len(asked) == 2
    assert len(list((path.parent / "failed").glob("*.log"))) == 2


def test_a_model_of_the_users_own_is_trained_anew(task, monkeypatch):
    """Its code is in no commit of ours."""
    broken = task(MODELS["RecBole's GRU4Rec"], "broken")
    killed_in(3, broken, monkeypatch)
    assert one._begin(Path(broken.work), replace(broken, modules=["my_models"])) is None


def test_what_other_code_has_trained_is_not_gone_on_from(task, monkeypatch):
    broken = task(MODELS["RecBole's GRU4Rec"], "broken")
    for revision in ("other", "c0ffee-dirty", None):
        monkeypatch.setattr(one, "_revision", lambda: "c0ffee")
        killed_in(3, broken, monkeypatch)
        assert list(Path(broken.work).glob("*.safetensors"))
        monkeypatch.setattr(one, "_revision", lambda said=revision: said)
        assert one._begin(Path(broken.work), broken) is None
        assert not list(Path(broken.work).glob("*.safetensors"))
