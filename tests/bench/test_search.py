"""Rows whose settings validation chooses."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from support.benches import MODELS

from dataset_prep.errors import DeltaError
from recbole_delta.audit.audit import audit_bench
from recbole_delta.bench.bench import bench
from recbole_delta.bench.records.record import Record

SEARCHED = {
    "plain": {"model": "SASRecDelta", "seeds": [1]},
    "tuned": {"model": "SASRecDelta", "search": {"learning_rate": [1e-9, 0.01], "n_layers": [1]}},
}


def records(folder: Path) -> dict[tuple[int, float], Record]:
    found = (Record.read(path.parent) for path in folder.glob("records/*/SASRec*/record.json"))
    return {(each.facts["seed"], each.facts["settings"]["learning_rate"]): each for each in found}


@pytest.mark.slow
def test_validation_alone_chooses_and_the_other_seeds_follow(plan, in_process):
    path = plan(models=SEARCHED, report={"reference": "plain"})
    out = bench(path)
    found = records(path.parent)
    assert set(found) == {(1, 0.001), (1, 1e-9), (1, 0.01), (2, 0.01)}
    by_score = sorted([1e-9, 0.01], key=lambda rate: found[1, rate].facts["best_valid_score"])
    assert by_score == [1e-9, 0.01]

    # The test figures of the other trial become the best there are: nothing changes.
    loser = found[1, 1e-9]
    for mode in loser.facts["modes"]:
        mode["metrics"] = dict.fromkeys(mode["metrics"], 0.99)
    (loser.path / "record.json").write_text(json.dumps(loser.facts))
    assert bench(path, train=False) == out
    table = pd.read_csv(out / "tables" / "tiny.csv")
    tuned = table[(table["row"] == "tuned") & (table["metric"] == "ndcg@10")]
    values = {
        (seed, group): value for seed, group, value in tuned[["seed", "group", "value"]].values
    }
    for seed in (1, 2):
        assert values[seed, "total"] == found[seed, 0.01].mode["metrics"]["ndcg@10"]

    trials = pd.read_csv(out / "tables" / "tiny-search.csv")
    assert trials["tried"].tolist() == [
        "learning_rate 1e-09, n_layers 1", "learning_rate 0.01, n_layers 1",
    ]  # fmt: skip
    scores = [found[1, rate].facts["best_valid_score"] for rate in (1e-9, 0.01)]
    assert trials["validation"].tolist() == scores
    report = (out / "report.md").read_text()
    [line] = [
        each for each in report.splitlines() if "learning_rate 1e-09, 0.01; n_layers 1" in each
    ]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[0] == "tuned"
    assert cells[2:] == [
        "2 of 2",
        "learning_rate 0.01, n_layers 1",
        *(f"{s:.4f}" for s in scores[::-1]),
    ]
    # A tuned row is a row like any other in the figures.
    drawn = (out / "figures" / "tiny-overview.svg").read_text()
    assert "<!-- tuned -->" in drawn
    [audit] = audit_bench(path)
    [finding] = [each for each in audit.findings if each.check == "unequal tuning"]
    assert finding.examples == ("tuned",)


@pytest.mark.slow
def test_a_calibrated_row_is_chosen_on_cold_and_warm_validation_targets(plan, in_process):
    """The total at the chosen offset decides, whatever the metric that stops the training says."""
    rates = [0.001, 0.01]
    calibrated = {"model": "SASRecDelta", "cold_offset": "auto", "valid_metric": "NDCG_warm@10"}
    path = plan(models={"tuned": {**calibrated, "search": {"learning_rate": rates}}}, seeds=[1])
    out = bench(path)
    found = records(path.parent)
    for rate, total, warm in zip(rates, (0.3, 0.2), (0.1, 0.4)):
        facts = found[1, rate].facts
        assert 0 < facts["calibration"]["total"] != facts["best_valid_score"]
        facts["calibration"]["total"], facts["best_valid_score"] = total, warm
        (found[1, rate].path / "record.json").write_text(json.dumps(facts))
    bench(path, train=False)
    assert "| learning_rate 0.001 | 0.3000 " in " ".join((out / "report.md").read_text().split())
    table = pd.read_csv(out / "tables" / "tiny.csv")
    [total] = table[(table["metric"] == "ndcg@10") & (table["group"] == "total")]["value"]
    assert total == found[1, 0.001].mode["metrics"]["ndcg@10"]


@pytest.mark.slow
def test_a_search_that_is_not_done_decides_nothing(plan, in_process, capsys):
    search = {"model": "SASRecDelta", "search": {"n_heads": [2, 3]}}
    path = plan(models={"content": MODELS["content"], "tuned": search})
    with pytest.raises(Exception, match="hidden size"):
        bench(path)
    out = bench(path, train=False)
    report = (out / "report.md").read_text()
    assert "tuned: not in the tables, its search is not done." in report
    # A trial has failed, and what the second seed would be run with is not known.
    assert "2 of 4 runs are missing" in report
    assert set(pd.read_csv(out / "tables" / "tiny.csv")["row"]) == {"content"}


@pytest.mark.slow
def test_where_nothing_is_validated_nothing_is_chosen_and_the_rest_is_reported(
    plan, in_process, tiny, tmp_path
):
    rows = tiny.rows.assign(split=tiny.rows["split"].replace("valid", "history"))
    tiny.replace(rows=rows).write(tmp_path / "dataset", "blind")
    search = {"model": "SASRecDelta", "search": {"n_layers": [1, 2]}}
    models = {"content": MODELS["content"], "tuned": search}
    path = plan(models=models, datasets=["tiny", "blind"], seeds=[1])
    out = bench(path)
    assert set(pd.read_csv(out / "tables" / "tiny.csv")["row"]) == {"content", "tuned"}
    assert set(pd.read_csv(out / "tables" / "blind.csv")["row"]) == {"content"}
    report = (out / "report.md").read_text()
    assert report.count("tuned: not in the tables, as no validation score says what to") == 1
    assert "are missing" not in report
    # JSON has no infinity.
    blind = [each for each in path.parent.glob("records/*/*/record.json") if "blind" in str(each)]
    texts = [each.read_text() for each in blind]
    assert sum('"best_valid_score": null' in text for text in texts) == 3
    assert not any("Infinity" in text or "NaN" in text for text in texts)
    assert len(audit_bench(path)) == 2


@pytest.mark.slow
def test_trials_of_unlike_scores_are_compared_by_the_one_that_all_have(plan, in_process):
    """A calibrated total and a warm metric say nothing of each other."""
    calibrated = {"model": "SASRecDelta", "recipe": "calibrated", "search": {"n_layers": [1, 2]}}
    path = plan(models={"tuned": calibrated}, seeds=[1])
    bench(path)
    by_layers = {
        record.facts["settings"]["n_layers"]: record
        for folder in path.parent.glob("records/*/SASRec*")
        for record in [Record.read(folder)]
    }
    for layers, total, score in ((1, None, 0.2), (2, 0.9, 0.1)):  # a record older than totals
        facts = by_layers[layers].facts
        facts["calibration"]["total"], facts["best_valid_score"] = total, score
        (by_layers[layers].path / "record.json").write_text(json.dumps(facts))
    out = bench(path, train=False)
    trials = pd.read_csv(out / "tables" / "tiny-search.csv")
    assert trials["validation"].tolist() == [0.2, 0.1]
    assert trials["valid_metric"].nunique() == 1
    assert "| n_layers 1 | 0.2000 " in " ".join((out / "report.md").read_text().split())


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"search": {"warm_offset": ["none", "auto"]}},
            "x cannot search warm_offset: it acts after",
        ),
        ({"search": {"valid_metric": ["NDCG@10", "MRR@10"]}}, "x cannot search .* not comparable"),
        ({"search": {"delta_max": 1}}, "search of x must hold lists"),
        ({"search": {"delta_max": []}}, "search of x must hold lists"),
        ({"search": {"n_layers": [1, 2]}, "eval_step": 0}, "x cannot be tuned without validation"),
        ({"search": {"n_layers": [1, 1]}}, "x has 1 twice for n_layers"),
        ({"search": {"model": ["SASRecDelta"]}}, "x: model is no setting of a row"),
        ({"search": {"delta_mx": [1, 2]}}, "did you mean 'delta_max'"),
        ({"search": {"delta_max": [1, -1]}}, "delta_max must be"),
        ({"search": {"n_layers": [1]}, "vary": {"delta_max": [1]}}, "x must have vary.* or search"),
    ],
)
def test_a_search_is_checked_before_anything_runs(plan, entry, message):
    with pytest.raises(DeltaError, match=message):
        bench(plan(models={"x": {"model": "SASRecDelta", **entry}}))
