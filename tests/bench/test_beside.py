"""Figures of others in a report."""

from __future__ import annotations

import numpy as np
import pytest
from support.benches import table_below

from recbole_delta.bench.bench import bench
from recbole_delta.bench.records.record import Record


def test_published_figures_stand_beside_ours(plan, lay_down, tmp_path):
    published = [
        {"source": "Kang", "row": "default", "dataset": "tiny", "NDCG@10": 0.05, "hit@10": 0.1},
        {"source": "Hidasi", "setting": "best", "row": "content", "dataset": "tiny", "hit@10": 0.2},
    ]
    out = bench(lay_down(plan(report={"published": published})))
    header, (first, second) = table_below(out / "report.md", "Beside published figures")
    kang, hidasi = (dict(zip(header, line)) for line in (first, second))
    # Ours by the stored ranks: a target in place r of the list is worth 1 / log2(r + 1).
    runs = [Record.read(file.parent) for file in tmp_path.rglob("record.json")]
    runs = [r for r in runs if r.facts["model"] == "SASRecDelta" and is_default(r)]
    assert len(runs) == 2
    place = np.array([run.ranks.above for run in runs]) + 1
    assert all((run.ranks.tied == 0).all() for run in runs)
    ndcg = np.where(place <= 10, 1 / np.log2(place + 1), 0).mean()
    assert (kang["source"], kang["setting"], kang["ours"]) == ("Kang", "", "default")
    assert kang["NDCG@10, theirs"] == "0.0500"
    assert kang["NDCG@10, ours"] == f"{ndcg:.4f}"
    assert float(kang["NDCG@10, ratio"]) == pytest.approx(ndcg / 0.05, abs=0.006)
    assert float(kang["Hit@10, ratio"]) == pytest.approx((place <= 10).mean() / 0.1, abs=0.006)
    assert (hidasi["source"], hidasi["setting"], hidasi["NDCG@10, ours"]) == ("Hidasi", "best", "–")


def is_default(record):
    return record.facts["settings"]["delta_max"] == 0.5
