"""A dial: the same test cases under several numbers of training rows of the held-out items."""

from __future__ import annotations

import json
import re
from math import log2
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t, ttest_1samp, ttest_rel
from support.benches import SETTINGS
from support.datasets import planted

from recbole_delta.bench.bench import bench
from recbole_delta.bench.comparison.compare import Comparison, Row
from recbole_delta.bench.comparison.dial import Dial, dials, differences, intervals
from recbole_delta.bench.comparison.interval import interval
from recbole_delta.bench.plan.spec import Spec
from recbole_delta.bench.records.record import Cases
from recbole_delta.bench.report import dial_tables
from recbole_delta.bench.report.dial_figure import dial_figure
from recbole_delta.evaluator.ranking import MISS, TargetRanks


def gain(above: int) -> float:
    """NDCG@10 of a target with so many items above it."""
    return 1 / log2(above + 2) if above < 10 else 0.0


def made(shots, cases, **rows) -> Comparison:
    """cases: (user, target, training rows); rows: the items above each target, a list a seed."""
    user, target, count = (np.array(each) for each in zip(*cases))
    options = {"cold": "random"} | ({"shots": shots} if shots else {})
    prepared = {"source": "s", "protocol": "item_holdout", "protocol_options": options}
    compared = []
    for label, runs in rows.items():
        spec = Spec(label, label, {}, f"d{shots}", "SASRecDelta", 1, {})
        records = [
            SimpleNamespace(
                facts={"seed": seed, "prepared": prepared},
                ranks=TargetRanks(np.array(above), np.zeros(len(above), dtype=np.int64)),
            )
            for seed, above in enumerate(runs)
        ]
        compared.append(Row(spec, list(range(len(runs))), records))
    return Comparison(f"d{shots}", compared, Cases(user, target, count, count[count > 0]))


@pytest.fixture
def dial() -> Dial:
    """x and y are held out; with 2 shots x has two rows and y one; the cases stand in other orders."""
    none = made(
        0, [("a", "x", 0), ("a", "i", 9), ("b", "y", 0), ("b", "i", 9), ("c", "x", 0)],
        id=[[99, 0, 99, 0, 99], [99, 0, 99, 0, 99]],
        ours=[[0, 2, 1, 0, 20], [2, 0, 6, 2, 20]],
        only=[[1, 1, 1, 1, 1]],
    )  # fmt: skip
    two = made(
        2, [("c", "x", 2), ("b", "y", 1), ("a", "x", 2), ("a", "i", 9), ("b", "i", 9)],
        id=[[6, 2, 30, 1, 1], [2, 30, 2, 1, 1]],
        ours=[[30, 0, 2, 6, 6], [2, 0, 0, 6, 6]],
    )  # fmt: skip
    [found] = dials([two, none])
    return found


def test_a_dial_has_the_held_out_items_of_the_data_set_without_shots(dial):
    assert (dial.dataset, list(dial.by_shots)) == ("d0", [0, 2])
    assert [row.label for row in dial.rows] == ["id", "ours", "only"]
    table = intervals(dial, "ndcg@10").set_index(["row", "shots", "group"])["mean"]
    expected = {  # the items above each target, of all cases and seeds
        ("id", 0, "held-out"): [99] * 6,
        ("ours", 0, "held-out"): [0, 1, 20, 2, 6, 20],
        ("ours", 2, "held-out"): [30, 0, 2, 2, 0, 0],
        ("id", 2, "held-out"): [6, 2, 30, 2, 30, 2],
        ("only", 0, "held-out"): [1, 1, 1],
        ("ours", 0, "other"): [2, 0, 0, 2],
        ("ours", 2, "other"): [6, 6, 6, 6],
    }
    for key, above in expected.items():
        assert table[key] == pytest.approx(np.mean([gain(n) for n in above]))
    assert table.index.isin([("only", 2, "held-out")]).sum() == 0
    assert dial.train_counts(2).tolist() == [2, 1, 2]
    left = dial_tables.left_frame(dial)
    assert left["≤ 2 rows"].tolist() == ["1.7", "1"]
    assert left["0 rows"].tolist() == ["0.0", "0"]


def test_median_ranks_by_hand(dial):
    table = dial_tables.rank_frame(dial)
    # ours: 0, 1, 20 items above, then 2, 6, 20; with 2 shots 2, 0, 30, then 0, 0, 2.
    assert table.loc["ours"].tolist() == [f"{(2 + 7) / 2:.0f}", "2"]
    assert table.loc["only"].tolist() == ["2", "–"]
    records = dial.row("id", 0).records
    for record in records:
        record.ranks.above[:] = MISS
    assert table.loc["id", "0 rows"] == "100"
    assert dial_tables.rank_frame(dial).loc["id", "0 rows"] == "missed"


def test_differences_are_paired_by_case(dial):
    table = differences(dial, "id", "ndcg@10").set_index(["row", "shots"])
    assert table.index.tolist() == [("ours", 0), ("ours", 2), ("only", 0)]
    # With 2 shots, case by case (a, b, c) and averaged over the two seeds of each row.
    ours = np.array([[gain(2), gain(0), 0], [gain(0), gain(0), gain(2)]])
    base = np.array([[0, gain(2), gain(6)], [gain(2), 0, gain(2)]])
    line = table.loc["ours", 2]
    assert line["difference"] == pytest.approx((ours - base).mean())
    spread = [np.var(ours.mean(0) - base.mean(0), ddof=1) / 3]
    spread += [np.var(each.mean(1), ddof=1) / 2 for each in (ours, base)]
    total, free = sum(spread), (2, 1, 1)
    freedom = total**2 / sum(s**2 / f for s, f in zip(spread, free))
    half = t.ppf(0.975, freedom) * total**0.5
    assert line["high"] - line["low"] == pytest.approx(2 * half)
    assert (table["p_holm"] >= table["p"]).all()
    assert differences(dial, None, "ndcg@10").empty


def test_an_interval_of_one_run_is_that_of_a_t_test():
    values, base = np.random.default_rng(0).random((2, 1, 50))
    for found, test in (
        (interval(values), ttest_1samp(values[0], 0)),
        (interval(values, base), ttest_rel(values[0], base[0])),
    ):
        low, high = test.confidence_interval(0.95)
        assert [found[n] for n in ("low", "high", "p")] == pytest.approx([low, high, test.pvalue])
    assert interval(np.zeros((3, 5))) == {"mean": 0, "low": 0, "high": 0, "p": 1}


def test_intervals_over_cases_and_seeds_hold_the_mean_as_often_as_they_say():
    rng, inside = np.random.default_rng(1), np.zeros(2)
    for _ in range(400):
        values = rng.normal(size=(3, 1)) + rng.normal(size=(1, 40)) + rng.normal(size=(3, 40))
        for n, runs in enumerate((values, values.mean(0)[None])):
            found = interval(runs)
            inside[n] += found["low"] < 0 < found["high"]
    over_both, over_cases = inside / 400
    assert 0.9 < over_both <= 0.98
    assert over_cases < 0.6


def test_the_figure_shows_the_table_and_a_lone_point(dial):
    table = intervals(dial, "ndcg@10")
    figure = dial_figure(dial, table, "ndcg@10", "title")
    for axes, group in zip(figure.axes, ("held-out", "other")):
        lines = {line.get_label(): line for line in axes.get_lines()}
        for label in ("id", "ours", "only"):
            of = table[(table["row"] == label) & (table["group"] == group)]
            assert lines[label].get_xdata().tolist() == of["shots"].tolist()
            assert lines[label].get_ydata().tolist() == of["mean"].tolist()
    assert [each.get_text() for each in figure.axes[1].get_xticklabels()] == ["0", "2"]
    places = figure.axes[0].transData.transform([(0, 0), (1, 0), (2, 0), (4, 0)])[:, 0]
    assert np.ptp(np.diff(places)) == pytest.approx(0, abs=1e-6)


def test_what_was_prepared_otherwise_is_no_dial():
    cases = [("a", "x", 0), ("a", "i", 9)]
    none = made(0, cases, id=[[1, 1]])
    others = made(2, [("a", "z", 2), ("a", "i", 9)], id=[[1, 1]])
    seeded = made(2, [("a", "x", 2), ("a", "i", 9)], id=[[1, 1]])
    seeded.rows[0].records[0].facts["prepared"]["protocol_options"]["seed"] = 7
    paper = made(2, [("a", "x", 2), ("a", "i", 9)], id=[[1, 1]])
    paper.rows[0].records[0].facts["prepared"]["protocol"] = "paper"
    assert dials([none]) == dials([seeded]) == []
    for other in (others, seeded, paper):
        assert dials([none, other]) == []


def test_a_bench_of_a_dial_reports_it_in_one_section(tmp_path, in_process):
    data = {f"tiny{shots}": planted(shots=shots) for shots in (0, 1, 3)}
    for name, prepared in data.items():
        folder = prepared.write(tmp_path / "dataset", name)
        options = {"cold": "random", "seed": 0, "shots": int(name[4:])}
        said = {"source": "toy", "protocol": "item_holdout", "protocol_options": options}
        (folder / f"{name}.json").write_text(json.dumps(said))
    path = tmp_path / "try.yaml"
    models = {
        "content": {"model": "ContentMean"},
        "ours": {"model": "SASRecDelta"},
        "id": {"model": "SASRecDelta", "item_embedding": "id", "datasets": ["tiny0", "tiny3"]},
    }
    settings = {**SETTINGS, "epochs": 1, "require_cold": False}
    asked = {"datasets": list(data), "seeds": [1, 2], "settings": settings, "models": models}
    published = [{"source": "Kang", "row": "ours", "dataset": "tiny3", "ndcg@10": 0.1}]
    asked["report"] = {"reference": "content", "published": published}
    path.write_text(json.dumps(asked))
    report = bench(path, data_path=tmp_path / "dataset")
    text = (report / "report.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## tiny0-dial"]
    assert re.search(r"^\| Kang, ≤ 3 rows +\|.*\| 0\.1000 ", text, re.M)
    table = pd.read_csv(report / "tables" / "tiny0-dial.csv")
    assert len(table) == 2 * 2 * (3 + 3 + 2)
    rows = data["tiny0"].rows
    cold = set(data["tiny0"].items.query("is_cold == '1'")["item_id"])
    targets = rows[rows["split"] == "test"].set_index("user_id")["item_id"]
    for folder in tmp_path.glob("records/*/*-*"):
        facts = json.loads((folder / "record.json").read_text())
        with np.load(folder / "ranks.npz") as ranks, np.load(folder.parent / "cases.npz") as cases:
            above = ranks["above"][facts["configured_mode"]]
            assert not ranks["tied"].any()
            held_out = np.isin(cases["target"], list(cold))
        assert held_out.sum() == targets.isin(cold).sum()
        found = table[(table["dataset"] == facts["dataset"]) & (table["seed"] == facts["seed"])]
        row = "id" if facts["asked"].get("item_embedding") else "ours"
        found = found[found["row"] == ("content" if facts["model"] == "ContentMean" else row)]
        for group, mask in (("held-out", held_out), ("other", ~held_out)):
            [value] = found.loc[found["group"] == group, "value"]
            mean = np.mean([gain(n) if n >= 0 else 0 for n in above[mask]])
            assert value == pytest.approx(mean, abs=1e-12)
