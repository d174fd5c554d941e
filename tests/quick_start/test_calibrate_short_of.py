"""Calibration where something is missing: validation targets, items, its end, or a GPU."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.datasets import planted, without_cold_items, without_cold_validation
from support.served import content_of

import recbole_delta
from dataset_prep.errors import DeltaError
from recbole_delta import Recommender
from recbole_delta.evaluator.mass import log_odds
from recbole_delta.quick_start import calibrate
from recbole_delta.trainer.checkpoint import Checkpoint
from recbole_delta.trainer.trainer import ColdWarmTrainer

RECIPE = {"recipe": "calibrated", "cold_share": 0.4, "epochs": 3}
TOTAL = {"valid_candidates": "all", "valid_metric": "NDCG@10"}


def validated_on(prepared, group):
    """The same rows, with validation targets of one group or of none."""
    cold = set(prepared.items.loc[prepared.items["is_cold"] == "1", "item_id"])
    rows = prepared.rows.copy()
    is_cold = rows["item_id"].isin(cold)
    kept = {"cold": is_cold, "none": is_cold & False}[group]
    rows.loc[(rows["split"] == "valid") & ~kept, "split"] = "history"
    return prepared.replace(rows=rows)


@pytest.mark.parametrize(
    ("group", "metric"),
    [("cold", "NDCG_cold@10"), ("cold", "NDCG@10"), ("none", "NDCG_warm@10"), ("none", "NDCG@10")],
)
def test_without_warm_validation_targets_equal_mass_is_all_there_is(
    tiny, train, caplog, group, metric
):
    """Else warm items would be buried: nothing on validation data speaks for them."""
    caplog.set_level("WARNING")
    settings = {**RECIPE, **TOTAL, "valid_metric": metric}
    result, (_, model, _, _, valid, _) = train(validated_on(tiny, group), **settings)
    found = result.calibration
    assert found["best"] is None
    assert found["after_cold"] == 0
    nothing = "cold_offset: auto stays 0: there is nothing to measure it on"
    assert (nothing in caplog.text) == (group == "none")
    if group == "none":
        assert found["offset"] == 0
    else:
        model.set_offsets()
        odds = log_odds(model, valid.dataset, 64)
        share = 1 / (1 + np.exp(-(odds + found["offset"])))
        assert np.nanmean(share) == pytest.approx(0.4, abs=1e-3)


def test_too_few_items_for_a_second_training_cost_nothing_but_it(train, caplog):
    """There are as many warm items as dimensions, and holding some out leaves fewer."""
    caplog.set_level("WARNING")
    prepared = without_cold_validation(planted(n_items=24, n_clusters=2, dim=32))
    size = dict.fromkeys(("hidden_size", "inner_size", "embedding_size"), 18)
    result, _ = train(prepared, **RECIPE, **size)
    assert "No second training, which would hold warm items out" in caplog.text
    assert result.calibration["best"] is None
    assert result.test_result["ndcg@10"] > 0


def test_a_second_training_on_other_data_is_none(tiny, train, caplog, monkeypatch):
    """Somebody may prepare the data set anew while the first training is going on."""
    caplog.set_level("WARNING")
    make_parts = calibrate.make_parts

    def after_a_change(config, **how):
        folder = Path(config["data_path"])
        os.utime(folder / f"{folder.name}.inter", (0, 0))
        return make_parts(config, **how)

    monkeypatch.setattr(calibrate, "make_parts", after_a_change)
    result, _ = train(without_cold_validation(tiny), **RECIPE)
    assert "have changed since they were read" in caplog.text
    assert result.calibration["best"] is None


def test_a_run_that_ended_before_its_offsets_were_chosen_says_so(tiny, train, caplog):
    caplog.set_level("WARNING")
    settings = {**RECIPE, **TOTAL, "stopping_step": 9}
    whole, _ = train(tiny, **settings)
    Recommender(whole.checkpoint)
    assert "resume" not in caplog.text
    killed = Checkpoint.load(whole.checkpoint)  # as it was when training ended
    killed.metadata = replace(
        killed.metadata,
        cold_offset=0.0,
        after_cold_offset=0.0,
        warm_offsets=[],
        cold_log_odds=[],
        calibrated=False,
    )
    killed.save(whole.checkpoint)
    for load in (Recommender, recbole_delta.load_run):
        caplog.clear()
        load(whole.checkpoint)
        assert f"recbole-delta resume {whole.checkpoint} chooses them" in caplog.text
    # What was made of it to recommend from cannot be resumed.
    Recommender(whole.checkpoint).save(f"{whole.checkpoint}.today")
    caplog.clear()
    Recommender(f"{whole.checkpoint}.today")
    assert "resume the run by its own checkpoint, and make this one from it again" in caplog.text
    resumed = recbole_delta.resume(whole.checkpoint)
    assert resumed.test_modes == whole.test_modes
    caplog.clear()
    Recommender(resumed.checkpoint)
    assert "resume" not in caplog.text


def test_a_share_is_for_the_cold_items_that_get_the_offset(tiny, train):
    """Removed items are no candidates, and what was warmed up has no offset."""
    result, _ = train(tiny, cold_offset=1.0, **TOTAL)
    recommender = Recommender(result.checkpoint)
    cold = recommender.cold_items
    recommender.set_cold_share(0.3)
    before = recommender.model.cold_offset
    gone, warmed = cold[: len(cold) // 3], cold[-1]
    recommender.remove_items(gone)
    recommender.warm_up([["i1", warmed], ["i2", warmed], ["i1", "i2", "i3"]])
    recommender.set_cold_share(0.3)
    left = len(cold) - len(gone) - 1
    assert recommender.model.cold_offset == pytest.approx(before + np.log(len(cold) / left))
    recommender.remove_items(cold[:-1])
    with pytest.raises(DeltaError, match="no cold item to give a share to"):
        recommender.set_cold_share(0.3)


def test_a_calibrated_run_without_cold_items_does_not_know_how_likely_they_are(tiny, train):
    result, _ = train(without_cold_items(tiny), require_cold=False, **RECIPE)
    recommender = Recommender(result.checkpoint)
    recommender.add_items(["new"], content_of(tiny, ["i1"]))
    with pytest.raises(DeltaError, match="no cold item with a vector, or no validation history"):
        recommender.set_cold_share(0.3)


def test_another_checkpoint_is_evaluated_with_its_own_offsets(tiny, train):
    moved, _ = train(tiny, cold_offset=2.0, **TOTAL)
    plain, (config, model, *_, test) = train(tiny, **TOTAL)
    trainer = ColdWarmTrainer(config, model)
    assert trainer.evaluate(test, model_file=moved.checkpoint) == moved.test_result
    assert trainer.evaluate(test, model_file=plain.checkpoint) == plain.test_result


def test_a_checkpoint_of_another_machine_s_gpu_is_served_here(tiny, train, monkeypatch):
    result, _ = train(tiny, gpu_id="1", anew=True)  # there is none: on the CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert Recommender(result.checkpoint, device="cpu").recommend([["i1"]], k=1)


def test_a_second_fit_begins_without_offsets(tiny, train):
    from recbole.utils import get_trainer

    _, (config, model, _, training, valid, _) = train(tiny, cold_offset=2.0, epochs=1, **TOTAL)
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    seen = []
    for _ in range(2):
        trainer.fit(training, valid, callback_fn=lambda *_: seen.append(model.cold_offset))
    assert model.cold_offset == 2.0
    assert seen == [0.0, 0.0]
