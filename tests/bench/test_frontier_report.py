"""A bench's report and the demo show the frontier."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

import recbole_delta.bench.demo as demo_module
from recbole_delta.bench.bench import bench
from recbole_delta.bench.demo import demo

SIZES = {"hidden_size": 16, "inner_size": 16, "embedding_size": 16, "epochs": 2}


def test_a_report_has_table_tests_figure_and_csv(tiny, tmp_path, in_process):
    tiny.write(tmp_path / "dataset")
    models = {
        "ours": {"model": "SASRecDelta"},
        "frozen": {"model": "SASRecDelta", "item_embedding": "frozen"},
        "id": {"model": "SASRecDelta", "item_embedding": "id"},
        "calibrated": {"model": "SASRecDelta", "cold_offset": "auto"},
    }
    settings = {**SIZES, "MAX_ITEM_LIST_LENGTH": 8, "train_batch_size": 16}
    asked = {"datasets": ["tiny"], "seeds": [1, 2], "settings": settings, "models": models,
             "report": {"reference": "id"}}  # fmt: skip
    (tmp_path / "try.yaml").write_text(yaml.safe_dump(asked, sort_keys=False))
    out = bench(tmp_path / "try.yaml")
    report = (out / "report.md").read_text()
    lost = pd.read_csv(out / "tables" / "tiny-regret.csv")
    assert set(lost["row"]) == {"calibrated"}
    assert len(lost) == 10  # two seeds, five rules
    assert (lost["lost"] >= -1e-12).all()
    for words in ("### What the chosen constant loses", "### The frontier of NDCG@10\n", "says nothing about how well a model ranks",
                  "| within cold ", "![tiny-frontier](figures/tiny-frontier.png)"):  # fmt: skip
        assert words in report
    assert (
        'The frontier of NDCG@10</h3>\n<p class="note">One constant'
        in (out / "report.html").read_text()
    )
    assert (out / "figures" / "tiny-frontier.svg").exists()
    figures = pd.read_csv(out / "tables" / "tiny-frontier.csv")
    main = pd.read_csv(out / "tables" / "tiny.csv")
    for row in models:
        one = figures[figures["row"] == row].pivot(index="seed", columns="of", values="value")
        run = main[(main["row"] == row) & (main["metric"] == "ndcg@10")]
        run = run.pivot(index="seed", columns="group", values="value")
        assert one.index.tolist() == [1, 2]
        assert (one["warm as run"] == run["warm"]).all()
        assert (one["within warm"] >= run["warm"] - 1e-12).all()
        if row != "id":
            assert (one["cold as run"] == run["cold"]).all()
            assert (one["best total"] >= run["total"] - 1e-12).all()
            assert (one["within cold"] >= run["cold"] - 1e-12).all()
    matched = out / "tables" / "tiny-matched.csv"
    tested = set(pd.read_csv(matched)["row"]) if matched.exists() else set()
    assert ("Differences from id at its warm NDCG@10" in report) == bool(tested)
    line = next(line for line in report.splitlines() if line.startswith("| id ") and " - " in line)
    assert line.count(" - ") == 4


def test_the_demo_draws_it(tiny, tmp_path, monkeypatch, capsys):
    quick = tmp_path / "properties"
    quick.mkdir()
    asked = {**SIZES, "valid_candidates": "all", "valid_metric": "NDCG@10"}
    (quick / "demo.yaml").write_text(yaml.safe_dump(asked))
    monkeypatch.setattr(demo_module, "prepare", lambda s, out, *, name, **_: tiny.write(out, name))
    monkeypatch.setattr(demo_module, "properties", lambda: quick)
    monkeypatch.setattr(demo_module, "EMBEDDINGS", ("id", "delta"))
    drawn = []
    draw = demo_module.frontier_figure
    monkeypatch.setattr(demo_module, "frontier_figure", lambda *of: drawn.append(of) or draw(*of))
    table = demo(tmp_path / "out", seeds=(1, 2)).read_text()
    [(curves, points, plain, looks, unit, _)] = drawn
    assert list(plain) == ["delta, calibrated"]
    assert (list(curves), list(points)) == (
        ["ContentMean", "delta", "delta, calibrated"],
        ["ContentMean", "id", "delta", "delta, calibrated"],
    )
    assert {len(each.curves) for each in curves.values()} == {2}
    assert unit == "NDCG@10"
    assert list(looks) == list(points)
    for label, (cold, warm) in points.items():
        line = next(line for line in table.splitlines() if line.startswith(f"| {label} "))
        assert f"{cold:.4f}" in line
        assert f"{warm:.4f}" in line
    at = [each.at(0.0) for each in curves["delta"].curves]
    assert tuple(np.mean(at, axis=0)) == pytest.approx(points["delta"])
    assert f"{tmp_path / 'out' / 'frontier.png'}: cold against warm" in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "frontier.png") as picture:
        assert picture.width > 800
