"""``recbole-delta bench``: every run once, whatever happens in between."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import ndcg_score
from support.benches import MODELS

from dataset_prep.errors import DeltaError
from recbole_delta.bench.bench import bench
from recbole_delta.bench.records.record import Record

pytestmark = [pytest.mark.slow, pytest.mark.subprocess]


def test_every_figure_follows_from_the_stored_ranks(plan, lay_down, tmp_path):
    """By scikit-learn's NDCG, which averages over ties as well, and a count for Hit."""
    out = bench(lay_down(plan(models={k: MODELS[k] for k in ("content", "default")})))
    table = pd.read_csv(out / "tables" / "tiny.csv")
    assert len(table) == 3 * 2 * 3
    for folder in {file.parent for file in tmp_path.rglob("record.json")}:
        record = Record.read(folder)
        ranks, cold = record.ranks, record.cases.is_cold
        # The target among 40 others: those above it, those tied with it, the rest below.
        place = np.arange(40)
        above = np.minimum(ranks.above, 20)[:, None]
        others = np.where(place < above, 2.0, np.where(place < above + ranks.tied[:, None], 1.0, 0))
        scores = np.c_[np.ones(len(cold)), others]
        relevant = np.zeros_like(scores)
        relevant[:, 0] = 1
        ndcg = np.array([ndcg_score([r], [s], k=10) for r, s in zip(relevant, scores)])
        hit = np.clip((10 - ranks.above) / (ranks.tied + 1), 0, 1)
        facts = record.facts
        row = table[(table["model"] == facts["model"]) & (table["seed"] == facts["seed"])]
        for group, mask in (("cold", cold), ("warm", ~cold), ("total", cold | ~cold)):
            for metric, values in (("ndcg@10", ndcg), ("hit@10", hit)):
                [value] = row.loc[(row["metric"] == metric) & (row["group"] == group), "value"]
                assert value == pytest.approx(values[mask].mean(), abs=1e-9), (group, metric)


def test_a_dollar_sign_is_no_tex(plan, lay_down):
    """Neither as TeX, with letters in italics, nor as what is no TeX: in tables and pictures."""
    names = {"content": "costs $5 to $9", "default": r"$\nothing_{$"}
    path = plan(models={label: MODELS[name] for name, label in names.items()})
    report = bench(lay_down(path))
    for name in names.values():
        assert name in (report / "report.md").read_text()
        for file in ("report.html", "figures/tiny-overview.svg"):
            text = (report / file).read_text()
            assert f">{name}</text>" in text or f"<!-- {name} -->" in text, file


def test_a_failed_run_stops_no_other_and_is_tried_again(plan, tmp_path):
    models = {"bad": {"model": "SASRecDelta", "n_heads": 3}, "content": MODELS["content"]}
    path = plan(models=models, seeds=[1])
    for _ in range(2):
        with pytest.raises(
            DeltaError, match=r"1 of 2 runs failed, first bad, tiny, seed 1: .*failed"
        ):
            bench(path)
        [log] = tmp_path.glob("bench/failed/*.log")
        assert "Traceback" not in log.read_text()
    report = (tmp_path / "bench" / "try" / "report.md").read_text()
    assert "1 of 2 runs are missing" in report
    assert "bad: not run with seed 1" in report
    assert "not run" in next(line for line in report.splitlines() if line.startswith("| bad"))


def test_a_changed_data_set_is_run_anew(plan, lay_down, tiny, tmp_path):
    path = lay_down(plan(models={"content": MODELS["content"]}))
    bench(path)
    tiny.replace(rows=tiny.rows.iloc[:-1]).write(tmp_path / "dataset")
    bench(path)
    assert len(list(tmp_path.glob("bench/records/*/*/record.json"))) == 2


@pytest.mark.slow
def test_an_offset_that_was_chosen_for_another_share_is_not_taken_for_todays(
    plan, in_process, tmp_path
):
    path = plan(models={"calibrated": {"model": "SASRecDelta", "recipe": "calibrated"}}, seeds=[1])
    said = tmp_path / "dataset" / "tiny" / "tiny.json"
    said.write_text(json.dumps({"cold_share": {"value": 0.1}}))
    bench(path)
    said.write_text(json.dumps({"cold_share": {"value": 0.6}}))
    with pytest.raises(DeltaError, match=r"of 0.1, and the data set says 0.6 now; remove the rec"):
        bench(path)
