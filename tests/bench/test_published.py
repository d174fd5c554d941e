"""The published tables in results/: their figures follow from the published ranks of every case."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import ndcg_score
from support.paths import RESULTS

from recbole_delta.bench.plan.plan import read_plan
from recbole_delta.bench.plan.spec import Spec
from recbole_delta.bench.records.record import Record
from recbole_delta.config.settings import recipe_settings

TABLES = sorted(
    each
    for each in RESULTS.glob("*/tables/*.csv")
    if not each.stem.endswith(
        (
            "-dial",
            "-differences",
            "-draws",
            "-frontier",
            "-intervals",
            "-matched",
            "-regret",
            "-search",
        )
    )
)
PAPER = {
    "cold_offset": "none",
    "after_cold_offset": "none",
    "warm_offset": "none",
    "cold_delta": "zero",
}
"""Where a recipe changes something: what there is without."""
DIALS = sorted(RESULTS.glob("*/tables/*-dial.csv"))
DRAWS = sorted(RESULTS.glob("*/tables/*-draws.csv"))
GROUPS = ("cold", "warm", "total")
METRICS = ("ndcg@10", "hit@10")


@cache
def ndcg(above: int, tied: int) -> float:
    """By scikit-learn, which averages over ties as well: the target first, then ten behind it."""
    scores = np.r_[1.0, np.full(above, 2.0), np.full(tied, 1.0), np.zeros(10)]
    return ndcg_score(np.eye(1, len(scores)), scores[None], k=10)


@cache
def figures(folder: Path) -> list[float]:
    """NDCG@10 of the groups, then Hit@10, of a record."""
    record = Record.read(folder)
    ranks, cold = record.ranks, record.cases.is_cold
    # From the tenth place on nothing is gained, however many are tied there.
    places = [(int(a), int(t)) if a < 10 else (10, 0) for a, t in zip(ranks.above, ranks.tied)]
    gain = np.array([ndcg(above, tied) for above, tied in places])
    hit = np.array([min(1, (10 - above) / (tied + 1)) for above, tied in places])
    masks = (cold, ~cold, np.full(len(cold), True))
    return [values[mask].mean() for values in (gain, hit) for mask in masks]


def asked(model: str, seed: int, settings: dict) -> tuple[str, int, str]:
    """What tells a run from all others over its data set."""
    given = {**recipe_settings(settings.get("recipe")), **settings}
    given = {n: value for n, value in given.items() if n != "recipe" and value != PAPER.get(n)}
    return model, seed, json.dumps(given, sort_keys=True)


def was_asked(record: Record) -> tuple[str, int, str]:
    """The same of a record; what its recipe stood for then is what its run had."""
    facts = record.facts
    settings = {name: value for name, value in facts["asked"].items() if name != "recipe"}
    if "recipe" in facts["asked"]:
        settings |= {name: facts["settings"].get(name, default) for name, default in PAPER.items()}
    return asked(facts["model"], facts["seed"], settings)


@cache
def published(dataset: str) -> dict[tuple[str, int, str], list[Record]]:
    """All records by what was asked for; alike, but of other content, are several."""
    found = {}
    for path in RESULTS.glob(f"records/{dataset}-{'[0-9a-f]' * 8}/*/record.json"):
        record = Record.read(path.parent)
        found.setdefault(was_asked(record), []).append(record)
    return found


def chosen(trials: Sequence[Spec]) -> Spec:
    """The trial with the best validation score of any in the records.

    Of a calibrated row that is its total on cold and warm validation targets, if all have one.
    """

    tried = [published(t.dataset).get(asked(t.model, t.seed, t.settings), []) for t in trials]
    calibrated = all(each.calibrated_total is not None for records in tried for each in records)

    def score(record: Record) -> float:
        return record.calibrated_total if calibrated else record.facts["best_valid_score"]

    best = [max(map(score, records), default=-1.0) for records in tried]
    return trials[int(np.argmax(best))]


@pytest.fixture
def specs(tmp_path):
    """specs(table) -> the runs that its bench file asks for by row, data set and seed."""

    def specs(table: Path) -> dict[tuple[str, str, int], Spec]:
        path = RESULTS / f"{table.parts[-3]}.yaml"
        # A plan wants its data sets to be there; these stand for them and are never read.
        for name in yaml.safe_load(path.read_text())["datasets"]:
            (tmp_path / name).mkdir()
            for ending in ("inter", "item"):
                (tmp_path / name / f"{name}.{ending}").touch()
        plan = read_plan(path, tmp_path)
        found = {(spec.label, spec.dataset, spec.seed): spec for spec in plan.specs}
        for search in plan.searches:
            best = chosen(search.trials)
            for seed in search.seeds:
                found[best.entry, best.dataset, seed] = best
        return found

    return specs


def rows_that_do_not_fit(table: pd.DataFrame, specs: dict[tuple[str, str, int], Spec]) -> list:
    """(row, seed) whose figures are not those of the record of just that model and settings."""
    wrong = []
    for (dataset, row, model, seed), run in table.groupby(["dataset", "row", "model", "seed"]):
        spec = specs[row, dataset, seed]
        run = run.set_index(["metric", "group"])["value"]
        values = [run[metric, group] for metric in METRICS for group in GROUPS]
        known = published(dataset).get(asked(spec.model, seed, spec.settings), [])
        fits = any(values == pytest.approx(figures(each.path), abs=1e-9) for each in known)
        if spec.model != model or not fits:
            wrong.append((row, seed))
    return wrong


SEVERAL = {
    "beauty-embeddings",  # of one, in a checkout with another bench file changed
}
"""Reports with rows of several commits, or of changed files, of which docs/results.md warns."""


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*/report.md")), ids=lambda p: p.parent.name)
def test_a_published_report_is_of_one_commit(path):
    commits = set(re.findall(r"^Code: (.*)\.$", path.read_text(), re.MULTILINE))
    one = len(commits) == 1 and re.fullmatch("[0-9a-f]{12}", *commits) is not None
    assert one == (path.parent.name not in SEVERAL), commits


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parts[-3])
def test_published_figures_follow_from_the_ranks(path, specs):
    assert rows_that_do_not_fit(pd.read_csv(path), specs(path)) == []


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parts[-3])
def test_two_rows_that_change_places_are_noticed(path, specs):
    """Each two rows of one model; their figures differ by no more than what was asked for."""
    table, asked_for = pd.read_csv(path), specs(path)
    models = table.groupby("model")["row"].unique()
    pairs = [(a, b) for rows in models for a, b in pairwise(rows)]
    assert pairs
    for a, b in pairs:
        swapped = table.assign(row=table["row"].replace({a: b, b: a}))
        both = {(row, seed) for row, seed in zip(table["row"], table["seed"]) if row in (a, b)}
        seeds = {seed for row, seed in both if row == a} & {seed for row, seed in both if row == b}
        swapped = swapped[~swapped["row"].isin([a, b]) | swapped["seed"].isin(seeds)]
        # Runs may end alike, as where warm_offset: auto finds that no constant helps.
        alike = {seed for seed in seeds if figures_of(table, a, seed) == figures_of(table, b, seed)}
        expected = sorted((row, seed) for row, seed in both if seed in seeds - alike)
        assert len(alike) < len(seeds), (a, b)
        assert sorted(rows_that_do_not_fit(swapped, asked_for)) == expected, (a, b)


def figures_of(table: pd.DataFrame, row: str, seed: int) -> list[float]:
    """All figures of one run, in the order of the table."""
    return table.loc[(table["row"] == row) & (table["seed"] == seed), "value"].tolist()


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


@pytest.mark.parametrize("path", DIALS, ids=lambda path: path.parts[-3])
def test_published_dials_follow_from_the_ranks(path, specs):
    table, asked_for = pd.read_csv(path), specs(path)
    assert len(table)
    held_out: set[tuple[str, str]] = set()
    # The data set without shots is the first: there the held-out items are cold.
    for (_, dataset), lines in table.groupby(["shots", "dataset"]):
        known = {}
        for file in RESULTS.glob(f"records/{dataset}-{'[0-9a-f]' * 8}/*/record.json"):
            record = Record.read(file.parent)
            key = was_asked(record)
            cases = list(zip(record.cases.user, record.cases.target))
            held_out = held_out or {each for each, c in zip(cases, record.cases.is_cold) if c}
            mask = np.array([each in held_out for each in cases])
            ranks = zip(record.ranks.above, record.ranks.tied)
            gain = np.array([ndcg(int(a), int(t)) if a < 10 else 0.0 for a, t in ranks])
            known.setdefault(key, []).append({"held-out": gain[mask], "other": gain[~mask]})
        for line in lines.itertuples():
            spec = asked_for[line.row, dataset, line.seed]
            values = known[asked(spec.model, line.seed, spec.settings)]
            assert any(line.value == pytest.approx(v[line.group].mean(), abs=1e-9) for v in values)


@pytest.mark.parametrize("path", DRAWS, ids=lambda path: path.parts[-3])
def test_published_draws_follow_from_the_ranks(path, specs):
    table, asked_for = pd.read_csv(path), specs(path)
    checked = 0
    for (dataset, row), lines in table.groupby(["dataset", "row"]):
        runs = [spec for spec in asked_for.values() if (spec.dataset, spec.label) == (dataset, row)]
        keys = [asked(spec.model, spec.seed, spec.settings) for spec in runs]
        values = [figures(published(dataset)[key][0].path) for key in keys]
        expected = dict(zip(GROUPS, np.mean(values, axis=0)))
        for line in lines[lines["of"].isin(GROUPS)].itertuples():
            assert line.value == pytest.approx(expected[line.of], abs=1e-9), (dataset, row, line.of)
            checked += 1
    assert checked == 3 * table.groupby(["dataset", "row"]).ngroups
    assert table["dataset"].nunique() == len(yaml.safe_load(asked_file(path))["datasets"])


def asked_file(table: Path) -> str:
    """The bench file of a table."""
    return (RESULTS / f"{table.parts[-3]}.yaml").read_text()
