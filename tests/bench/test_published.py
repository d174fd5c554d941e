"""The published tables in results/: their figures follow from the published ranks of every case."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import ndcg_score
from support.paths import RESULTS

from recbole_delta.bench.record import Record

TABLES = sorted(
    each for each in RESULTS.glob("*/tables/*.csv") if not each.stem.endswith("-differences")
)
GROUPS = ("cold", "warm", "total")


@cache
def ndcg(above: int, tied: int) -> float:
    """By scikit-learn, which averages over ties as well: the target first, then ten behind it."""
    scores = np.r_[1.0, np.full(above, 2.0), np.full(tied, 1.0), np.zeros(10)]
    return ndcg_score(np.eye(1, len(scores)), scores[None], k=10)


def figures(record: Record) -> list[float]:
    """NDCG@10 of the groups, then Hit@10."""
    ranks, cold = record.ranks, record.cases.is_cold
    # From the tenth place on nothing is gained, however many are tied there.
    places = [(int(a), int(t)) if a < 10 else (10, 0) for a, t in zip(ranks.above, ranks.tied)]
    gain = np.array([ndcg(above, tied) for above, tied in places])
    hit = np.array([min(1, (10 - above) / (tied + 1)) for above, tied in places])
    masks = (cold, ~cold, np.full(len(cold), True))
    return [values[mask].mean() for values in (gain, hit) for mask in masks]


@cache
def published(dataset: str) -> dict[tuple[str, int], list[list[float]]]:
    """The figures of all records by model and seed."""
    found: dict[tuple[str, int], list[list[float]]] = {}
    for path in RESULTS.glob(f"records/{dataset}-*/*/record.json"):
        record = Record.read(path.parent)
        key = (record.facts["model"], record.facts["seed"])
        found.setdefault(key, []).append(figures(record))
    return found


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parts[-3])
def test_published_figures_follow_from_the_ranks(path):
    table = pd.read_csv(path)
    runs = table.groupby(["dataset", "row", "model", "seed"])
    for (dataset, row, model, seed), run in runs:
        run = run.set_index(["metric", "group"])["value"]
        values = [run[metric, group] for metric in ("ndcg@10", "hit@10") for group in GROUPS]
        assert any(
            values == pytest.approx(known, abs=1e-9) for known in published(dataset)[model, seed]
        ), (row, seed)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parts[-3])
def test_published_means_are_those_of_the_runs(path):
    runs = pd.read_csv(path).groupby(["row", "metric", "group"])["value"]
    lines = path.with_suffix(".md").read_text().splitlines()
    header = [cell.strip().lower().split() for cell in lines[0].split("|")[2:-1]]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
    shown = [(row, *key, cell) for row, *others in cells for key, cell in zip(header, others)]
    assert len(shown) >= runs.ngroups
    for row, metric, group, cell in shown:
        if cell != "not run":
            of = runs.get_group((row, metric, group))
            expected = [of.mean(), *([of.std()] if len(of) > 1 else [])]
            numbers = [float(each) for each in re.findall(r"\d\.\d{4}", cell)]
            assert numbers == pytest.approx(expected, abs=5.1e-5), (row, metric, group)
