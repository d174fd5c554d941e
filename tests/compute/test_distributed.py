"""Two processes do what one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import recbole_delta
from recbole_delta.trainer.checkpoint import Checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.subprocess]


STILL = {"hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0, "dropout_prob": 0.0}


@pytest.fixture
def two_processes(several):
    """two_processes(settings) -> the result of the run."""

    def two_processes(settings):
        [said], _ = several([{"settings": {**settings, "nproc": 2}}])
        return recbole_delta.RunResult(**said["result"])

    return two_processes


def close(one, two):
    assert len(one.curve) == len(two.curve)
    for a, b in zip(one.curve, two.curve):
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=1e-5)
        assert a["mrr_warm@10"] == pytest.approx(b["mrr_warm@10"], abs=1e-6)
    for a, b in zip(one.test_modes, two.test_modes):
        assert a["metrics"] == pytest.approx(b["metrics"], abs=1e-6)
        assert a["cases"] == b["cases"]


@pytest.mark.parametrize(
    "settings",
    [
        {"item_embedding": "delta", "delta_max": 0.1, "learning_rate": 0.01},
        {"item_embedding": "id", "train_positions": "last", "loss": "chunked"},
        {"model": "GRU4RecDelta", "item_embedding": "init"},
    ],
)
def test_losses_and_metrics_of_one_process_with_the_same_batches(
    tiny, train, two_processes, settings
):
    """19 sequences a batch: the processes' shares are unequal, and so are their numbers of items."""
    settings = {"train_batch_size": 19, "epochs": 3, **settings, **STILL}
    one, _ = train(tiny, **settings)
    two = two_processes(one.settings)
    close(one, two)
    assert len(list(os.scandir(one.settings["checkpoint_dir"]))) == 2  # a file a run


@pytest.mark.parametrize("model", ["ContentMean", "Pop", "ItemKNN", "EASE", "CEASE"])
def test_a_baseline_that_is_not_trained(tiny, train, two_processes, model):
    one, _ = train(tiny, model)
    assert two_processes(one.settings).test_modes == one.test_modes


@pytest.mark.parametrize(
    "settings",
    [
        {"item_embedding": "delta", "delta_max": 0.1},
        {"item_embedding": "id"},
        {"model": "SASRecEnsemble"},
        {"item_embedding": "delta", "weight_decay": 1e-3},
    ],
)
def test_sampled_negatives_and_row_updates_of_one_process(tiny, train, two_processes, settings):
    """The same items are drawn, and the moments of rows that no process has seen rest."""
    settings = {"loss": "sampled", "sampled_items": 8, "learning_rate": 0.01, **settings}
    one, _ = train(tiny, **{"train_batch_size": 19, "epochs": 3, **settings, **STILL})
    close(one, two_processes(one.settings))


def test_an_offset_is_chosen_and_written_once(tiny, train, two_processes):
    settings = {"cold_offset": "auto", "valid_candidates": "all", "epochs": 1, **STILL}
    one, _ = train(tiny, **settings)
    two = two_processes(one.settings)
    close(one, two)
    offsets = [Checkpoint.load(each.checkpoint).metadata.cold_offset for each in (one, two)]
    assert offsets[0] == pytest.approx(offsets[1], abs=2e-3)
    assert offsets[1] != 0


def test_a_process_without_a_row_of_the_last_batch(tiny, train, two_processes):
    one, _ = train(tiny, **STILL)
    sequences = len(recbole_delta.load_run(one.checkpoint)[3].dataset)
    settings = {**one.settings, "train_batch_size": sequences - 1}
    close(recbole_delta.run(settings=settings), two_processes(settings))


def test_dropout_resumes_to_the_same_numbers_in_every_process(tiny, train, several):
    """Each process has dropout masks of its own; with those of another, the losses differ."""
    given = {"loss": "sampled", "sampled_items": 8, "learning_rate": 0.01, "stopping_step": 9}
    one, _ = train(tiny, epochs=4, eval_step=2, **given)
    settings = {**one.settings, "nproc": 2}
    cases = [{"settings": settings}, {"settings": {**settings, "epochs": 2}}]
    (whole, half), _ = several(cases)
    rest = {"resume": half["result"]["checkpoint"], "settings": {"epochs": 4}}
    [resumed], _ = several([rest])
    results = [each["result"] for each in (whole, resumed)]
    losses = [[entry["train_loss"] for entry in each["curve"]] for each in results]
    assert losses[0] == losses[1]
    assert results[0]["test_modes"] == results[1]["test_modes"]


def test_torchrun(tiny, train, tmp_path):
    one, _ = train(tiny, epochs=1, **STILL)
    (tmp_path / "run.json").write_text(json.dumps(one.settings))
    program = (
        "import json, os, recbole_delta\n"
        "result = recbole_delta.run(settings=json.load(open('run.json')))\n"
        "json.dump(result.test_result, open(os.environ['RANK'], 'w'))\n"
    )
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "program.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for rank in "01":
        result = json.loads((tmp_path / rank).read_text())
        assert result == pytest.approx(one.test_result, abs=1e-6)


def test_an_error_is_one_sentence_of_its_own(tiny, train, several):
    one, _ = train(tiny, epochs=1)
    wrong = ({"valid_metric": "NDCG@7"}, {"model": "STAMP"})
    (metric, model), _ = several([{"settings": {**one.settings, "nproc": 2, **w}} for w in wrong])
    assert metric["error"] == model["error"] == "DeltaError"
    assert "metric" in metric["sentence"]
    assert "\n" not in metric["sentence"]
    assert "several are for our models" in model["sentence"]
