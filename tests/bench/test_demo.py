"""What people read of a comparison: the table, and what the demo leaves."""

from __future__ import annotations

import json

from PIL import Image

import recbole_delta.bench.demo as demo_module
from recbole_delta.bench.demo import demo
from recbole_delta.bench.report.summary import comparison_table


def runs(*values):
    names = ("ndcg_cold@10", "ndcg_warm@10", "ndcg@10")
    return [dict(zip(names, each)) for each in values]


def test_a_table_by_hand():
    values = {"id": runs((0, 0.2, 0.1)), "delta": runs((0.1, 0.2, 0.15), (0.3, 0.2, 0.25))}
    table = comparison_table(values, {"id": "warm", "delta": "all"}, ["ndcg@10"])
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert cells[0] == ["model", "NDCG@10 cold", "NDCG@10 warm", "NDCG@10 total", "mode"]
    assert cells[2] == ["id", "0.0000", "0.2000", "0.1000", "warm"]
    # The deviation of two values is their distance over the root of two.
    assert cells[3][1:4] == ["0.2000 ± 0.1414", "0.2000 ± 0.0000", "0.2000 ± 0.0707"]


def test_the_demo_ends_with_a_table_a_picture_and_where_they_are(
    tiny, tmp_path, monkeypatch, capsys, caplog
):
    """The whole command over a small data set and two epochs."""
    folder = tmp_path / "out"

    def prepared(source, out, *, name, **_):
        tiny.write(out, name)

    quick = tmp_path / "properties"
    quick.mkdir()
    small = "hidden_size: 16\ninner_size: 16\nembedding_size: 16\nepochs: 2\n"
    (quick / "demo.yaml").write_text(small + "valid_candidates: all\nvalid_metric: NDCG@10\n")
    monkeypatch.setattr(demo_module, "prepare", prepared)
    monkeypatch.setattr(demo_module, "properties", lambda: quick)
    table = demo(folder).read_text().splitlines()
    rows = [line.split("|")[1].strip() for line in table if line.startswith("| ")]
    assert rows == ["model", "ContentMean", "id", "init", "frozen", "delta", "delta, calibrated"]
    with Image.open(folder / "comparison.png") as picture:
        assert picture.width > 800
    printed = capsys.readouterr().out
    # No terminal and so no bar: a line an epoch shows that it goes on.
    said = [each for each in caplog.messages if each.startswith("epoch 1 train")]
    assert len(said) == len(rows) - 2  # the header, and the one that is not trained
    for name in ("table.md", "comparison.png", "results.json", "saved", "dataset"):
        assert str(folder / name) in printed
        assert (folder / name).exists()
    records = json.loads((folder / "results.json").read_text())
    assert {len(record["test_modes"]) for [record] in records.values()} == {4}
