"""Draws: the same rows over data sets that differ in which items are cold."""

from __future__ import annotations

import json
from math import log2
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests
from support.benches import SETTINGS, done_here, table_below
from support.datasets import planted

import recbole_delta.bench.bench as bench_module
from recbole_delta.bench.bench import bench
from recbole_delta.bench.comparison.compare import Comparison, Row
from recbole_delta.bench.comparison.draws import draws
from recbole_delta.bench.plan.spec import Spec
from recbole_delta.bench.records.record import Cases

N_DRAWS = 3


def prepared(seed, **changes):
    options = {"cold": "random", "seed": seed, **changes.pop("options", {})}
    return {"source": "toy", "protocol": "item_holdout", "protocol_options": options,
            "items": {"all": 48}, **changes}  # fmt: skip


def compared(name, said) -> Comparison:
    record = SimpleNamespace(facts={"prepared": said})
    row = Row(Spec("ours", "ours", {}, name, "SASRecDelta", 1, {}), [1], [record])
    return Comparison(name, [row], Cases(*(np.zeros(1) for _ in range(4))))


def test_what_was_prepared_otherwise_is_no_draw():
    for alike, other in (
        (3, {}),
        (2, {"source": "films"}),
        (2, {"items": {"all": 47}}),
        (2, {"content": {"text": {"encoder": "other"}}}),
        (2, {"options": {"shots": 4}}),
        (0, {"options": {"cold": "newest"}}),
    ):
        others = [compared(f"d{seed}", prepared(seed)) for seed in (5, 1)]
        if alike == 0:
            others = [compared(f"d{n}", prepared(n, options={"cold": "newest"})) for n in (5, 1)]
        found = draws([*others, compared("d3", prepared(3, **other))], "ndcg@10", None)
        assert [list(each.by_seed) for each in found] == ([[1, 3, 5]] if alike == 3 else [])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The report's folder of a bench over three draws, which no test of it changes."""
    folder = tmp_path_factory.mktemp("drawn")
    for seed in range(N_DRAWS):
        written = planted(seed=seed).write(folder / "dataset", f"toy{seed}")
        (written / f"toy{seed}.json").write_text(json.dumps(prepared(seed)))
    asked = {
        "datasets": [f"toy{seed}" for seed in range(N_DRAWS)],
        "seeds": [1, 2],
        "settings": {**SETTINGS, "epochs": 1, "valid_candidates": "all"},
        "models": {
            "content": {"model": "ContentMean"},
            "id": {"model": "SASRecDelta", "item_embedding": "id"},
            "lifted": {"model": "SASRecDelta", "cold_offset": "auto"},
            "first": {"model": "SASRecDelta", "datasets": ["toy0"]},
        },
        "report": {
            "reference": "content",
            "published": [
                {"source": "Kang", "row": "id", "dataset": "toy2", "ndcg@10": 0.1},
                {"source": "Hidasi", "row": "id", "dataset": "toy0", "hit@10": 0.2},
            ],
        },
    }
    (folder / "try.yaml").write_text(json.dumps(asked))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_module, "in_order_of_completion", done_here)
        return bench(folder / "try.yaml", data_path=folder / "dataset")


def test_a_bench_of_draws_reports_them_in_one_section(drawn):
    text = (drawn / "report.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## toy0-draws"]
    assert sorted(file.name for file in (drawn / "figures").iterdir()) == [
        "toy0-draws.png", "toy0-draws.svg"
    ]  # fmt: skip
    table = pd.read_csv(drawn / "tables" / "toy0-draws.csv")
    assert set(table["row"]) == {"content", "id", "lifted"}  # not what has one draw only
    for dataset, draw in (("toy0", 0), ("toy2", 2)):
        of_draw = table[table["dataset"] == dataset]
        assert set(of_draw["draw"]) == {draw}
        for label, given in (("content", {}), ("id", {"item_embedding": "id"})):
            found = of_draw[of_draw["row"] == label].set_index("of")["value"]
            for group, value in by_hand(drawn.parent, dataset, label, given).items():
                assert found[group] == pytest.approx(value, abs=1e-12), (label, group)
    known = table[table["row"] == "id"].set_index("of")["value"]
    assert known["within cold"].isna().all()  # no vectors to rank them by


def test_published_figures_of_a_draw_stand_beside_its_own(drawn):
    header, lines = table_below(drawn / "report.md", "Beside published figures")
    hidasi, kang = (dict(zip(header, line)) for line in lines)  # by draw
    ours = by_hand(drawn.parent, "toy2", "id", {"item_embedding": "id"})["total"]
    assert (kang["source"], kang["ours"]) == ("Kang, seed 2", "id")
    assert kang["NDCG@10, theirs"] == "0.1000"
    assert kang["NDCG@10, ours"] == f"{ours:.4f}"
    assert kang["NDCG@10, ratio"] == f"{ours / 0.1:.2f}"
    assert (hidasi["source"], hidasi["Hit@10, theirs"]) == ("Hidasi, seed 0", "0.2000")
    assert (hidasi["NDCG@10, theirs"], kang["Hit@10, theirs"]) == ("–", "–")


def by_hand(folder, dataset, label, given):
    """Mean over seeds of NDCG@10 by group, from the stored ranks."""
    gains = []
    for record in folder.glob(f"records/{dataset}-*/*/record.json"):
        facts = json.loads(record.read_text())
        is_content = facts["model"] == "ContentMean"
        asked = {name: facts["asked"].get(name) for name in given}
        if is_content != (label == "content") or asked != given:
            continue
        with np.load(record.with_name("ranks.npz")) as ranks:
            above = ranks["above"][facts["configured_mode"]]
        gains.append([1 / log2(n + 2) if 0 <= n < 10 else 0.0 for n in above])
    with np.load(next(folder.glob(f"records/{dataset}-*/cases.npz"))) as cases:
        cold = cases["train_count"] == 0
    assert len(gains) == 2
    mean = np.mean(gains, axis=0)
    return {"cold": mean[cold].mean(), "warm": mean[~cold].mean(), "total": mean.mean()}


def test_differences_are_paired_by_draw(drawn):
    table = pd.read_csv(drawn / "tables" / "toy0-draws.csv")
    tests = pd.read_csv(drawn / "tables" / "toy0-draws-differences.csv")
    assert set(zip(tests["row"], tests["of"])) >= {("id", "total"), ("lifted", "within cold")}
    assert ("id", "within cold") not in set(zip(tests["row"], tests["of"]))

    def sample(row, of):
        return table[(table["row"] == row) & (table["of"] == of)].sort_values("draw")["value"]

    for test in tests.itertuples():
        ours, base = (sample(row, test.of).to_numpy() for row in (test.row, "content"))
        expected = ttest_rel(ours, base)
        low, high = expected.confidence_interval()
        assert test.draws == N_DRAWS
        assert (test.difference, test.low, test.high, test.p) == pytest.approx(
            (np.mean(ours - base), low, high, expected.pvalue)
        )
    assert tests["p_holm"].to_numpy() == pytest.approx(multipletests(tests["p"], method="holm")[1])


def test_what_the_constant_loses_is_that_of_all_draws(drawn):
    lost = pd.read_csv(drawn / "tables" / "toy0-draws-regret.csv").query("rule == 'chosen'")
    assert sorted(zip(lost["dataset"], lost["seed"])) == [
        (f"toy{draw}", seed) for draw in range(N_DRAWS) for seed in (1, 2)
    ]
    shown = f"{-lost['lost'].mean():.1%} ({-lost['lost'].max():.1%})"
    assert shown in (drawn / "report.md").read_text()
