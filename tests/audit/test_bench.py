"""Rows of a bench: what is unequal between them, and what their records cannot tell."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from recbole_delta.audit.audit import audit_rows
from recbole_delta.bench.comparison.compare import Comparison, Row
from recbole_delta.bench.plan.spec import Spec
from recbole_delta.bench.records.record import CASES, RECORD, Cases, Record, save_record
from recbole_delta.evaluator.group_ranks import GroupRanks
from recbole_delta.evaluator.ranking import MISS, TargetRanks

# Three warm items with 4, 2 and 1 training rows, two cold ones.
CASES_OF_ALL = Cases(
    user=np.array(["a", "b", "c", "d"]),
    target=np.array(["w0", "w1", "w2", "c0"]),
    train_count=np.array([4, 2, 1, 0]),
    item_train_count=np.array([4, 2, 1]),
)
SETTINGS = {"mask_history": True, "epochs": 9, "learning_rate": 0.1, "train_batch_size": 8}
FACTS = {
    "model": "Any",
    "prepared": {},
    "train_positions": "all",
    "configured_mode": 0,
    "best_valid_score": 0.5,
    "curve": [{"epoch": 0}, {"epoch": 1}],
    "parameters": 1,
    "revision": "c0ffee",
    "softmax_items": 3,
}
MODE = {
    "candidates": "all",
    "cold_history": "keep",
    "embeds_cold_items": True,
    "cases": {"cold": 1, "warm": 3, "total": 4},
    "empty_history": {"total": 0},
    "metrics": {"ndcg@10": 0.5},
}


@pytest.fixture
def row(tmp_path):
    """row(label, ...): a row of a table, with a record for each seed."""

    def row(label, seeds=(1, 2), asked=2, varied=None, settings=None, mode=None, above=None,
            recommended=(1, 0, 1, 0, 2), **facts):  # fmt: skip
        CASES_OF_ALL.save(tmp_path / CASES)
        records = []
        is_cold = CASES_OF_ALL.is_cold
        ranks = TargetRanks(np.array(above or [0, 1, 2, 3]), np.zeros(4, dtype=int))
        for seed in seeds:
            said = {**FACTS, "seed": seed, "settings": {**SETTINGS, **(settings or {})}, **facts}
            said["modes"] = [{**MODE, **(mode or {})}]
            folder = tmp_path / f"{label}-{seed}"
            measured = {"seconds": {"train_and_evaluate": 1.0}, "peak_gib": 0.1}
            groups = GroupRanks.missed(is_cold, 10)
            save_record(folder, said, measured, [ranks], groups, None, np.array(recommended))
            records.append(Record.read(folder))
            records[-1].require_fit(CASES_OF_ALL)
        entry = label.partition(",")[0]
        spec = Spec(label, entry, varied or {}, "data", "Any", 1, {})
        return Row(spec, list(range(1, asked + 1)), records)

    return row


def as_old_ones(row):
    """The records as they were written before there was anything to audit in them."""
    for record in row.records:
        facts = {k: v for k, v in record.facts.items() if k != "softmax_items"}
        (record.path / RECORD).write_text(json.dumps(facts))
        with np.load(record.path / "ranks.npz") as arrays:
            kept = {name: arrays[name] for name in arrays if name != "recommended"}
        np.savez_compressed(record.path / "ranks.npz", **kept)
    row = replace(row, records=[Record.read(each.path) for each in row.records])
    for record in row.records:
        record.require_fit(CASES_OF_ALL)
    return row


def findings(*rows):
    audit = audit_rows(Comparison("data", list(rows), CASES_OF_ALL))
    return {(each.severity, each.check): each.number for each in audit.findings}


BLIND = {"embeds_cold_items": False}
PLANTED = {
    "a cold item in the softmax": (
        {"softmax_items": 5},
        {("fault", "cold items in the training softmax"): 2},
    ),
    "a cold target of a model without vectors": (
        {"mode": BLIND},
        {("fault", "cold targets ranked without vectors"): 1},
    ),
    "no vectors, and no rank": ({"mode": BLIND, "above": [0, 1, 2, MISS]}, {}),
    "more seeds": ({"seeds": (1, 2, 3), "asked": 3}, {("warning", "unequal seeds"): 2}),
    "a missing seed": (
        {"asked": 3},
        {("warning", "missing runs"): 1},
    ),
    "another learning rate": (
        {"settings": {"learning_rate": 0.2}},
        {("warning", "unequal learning_rate"): 2},
    ),
    "another batch": (
        {"settings": {"train_batch_size": 16}},
        {("warning", "unequal train_batch_size"): 2},
    ),
    "a batch of targets": ({"settings": {"train_batch_size": 16}, "train_positions": "last"}, {}),
    "a setting that others lack": ({"settings": {"hidden_size": 16}}, {}),
    "a setting that is varied": (
        {"settings": {"learning_rate": 0.2}, "varied": {"learning_rate": 0.2}},
        {},
    ),
    "all epochs": ({"curve": [{}] * 9}, {("warning", "training cut off"): 2}),
    "nothing trained": ({"curve": [], "seeds": (1,), "asked": 1, "settings": {"epochs": 1}}, {}),
    "another commit": ({"revision": "decade"}, {("warning", "several commits"): 2}),
    "a changed tree": (
        {"revision": "c0ffee-dirty"},
        {("warning", "several commits"): 2, ("warning", "changes in no commit"): 2},
    ),
    "no commit": ({"revision": None}, {("note", "commit unknown"): 2}),
}


def test_equal_rows_pass(row):
    assert findings(row("one"), row("other")) == {}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_is_found_and_nothing_else(planted, row):
    changes, expected = PLANTED[planted]
    rows = [row("one"), row("other", **changes), row("third")]
    assert findings(*rows) == expected
    assert findings(*reversed(rows)) == expected


def test_an_entry_with_more_settings_than_the_others(row):
    swept = [row(f"swept, x {n}", varied={"x": n}) for n in range(3)]
    assert findings(*swept) == {}
    assert findings(*swept, row("one")) == {("warning", "unequal tuning"): 2}


def test_old_records_say_that_they_do_not_tell(row):
    audit = audit_rows(Comparison("data", [as_old_ones(row("old")), row("new")], CASES_OF_ALL))
    told = {each.check: (each.severity, each.number, each.examples) for each in audit.findings}
    assert told == {
        "softmax unknown": ("note", 1, ("old",)),
        "coverage unknown": ("note", 2, ("old",)),
    }
    columns = ["coverage@10 cold", "coverage@10 warm"]
    assert audit.rows.loc["old", columns].isna().all()
    assert audit.rows.loc["new", columns].tolist() == [1 / 2, 2 / 3]


def test_a_target_counts_by_one_over_its_training_rows(row):
    """Four, two and one training rows; NDCG 1, .5 and 0, or the other way round."""
    rows = [row("popular", above=[0, 2, 99, 99]), row("rare", above=[99, 2, 3, 0])]
    audit = audit_rows(Comparison("data", rows, CASES_OF_ALL))
    weights = np.array([1 / 4, 1 / 2, 1])
    for label, gains in (("popular", [1, 0.5, 0]), ("rare", [0, 0.5, np.log(2) / np.log(5)])):
        assert audit.rows.loc[label, "NDCG@10 warm"] == pytest.approx(np.mean(gains))
        expected = (weights * gains).sum() / weights.sum()
        assert audit.rows.loc[label, "warm, debiased"] == pytest.approx(expected)
    assert audit.rows["NDCG@10 cold"].tolist() == [0, 1]
    [finding] = audit.findings
    assert (finding.check, finding.number) == ("order depends on popularity", 1)
    assert finding.examples == ("popular and rare",)
