"""A dial as tables."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from recbole_delta.bench.comparison.compare import LEVEL
from recbole_delta.bench.comparison.dial import GROUPS, Dial
from recbole_delta.bench.report import tables
from recbole_delta.evaluator.labels import NOTHING


def main_frame(
    dial: Dial, metric: str, differences: pd.DataFrame, shown: Callable[[tables.Cell], str]
) -> pd.DataFrame:
    """A metric of the held-out items: a line for each row, a column for each number of shots.

    Args:
        dial: the dial.
        metric: metric and k, such as ``ndcg@10``.
        differences: rows against the reference at each number of shots; may be empty.
        shown: text of a cell.
    """
    columns = {}
    for shots in dial.by_shots:
        runs = {row.label: dial.row(row.label, shots) for row in dial.rows}
        values = {
            label: dial.gains(run, shots, metric, "held-out").mean(1)
            for label, run in runs.items()
            if run
        }
        here = differences[differences["shots"] == shots]
        marked = set(here.loc[here["p_holm"] < LEVEL, "row"])
        cells = tables.column(values, marked)
        columns[at_most(shots)] = [
            shown(cells[row.label]) if row.label in cells else _lacking(dial, row.label, shots)
            for row in dial.rows
        ]
    return pd.DataFrame(columns, index=[row.label for row in dial.rows])


def interval_frame(dial: Dial, table: pd.DataFrame, group: str) -> pd.DataFrame:
    """Means and intervals of a group as text: a line for each row, a column for each number.

    Args:
        dial: the dial.
        table: its :func:`~recbole_delta.bench.comparison.dial.intervals`.
        group: one of :data:`~recbole_delta.bench.comparison.dial.GROUPS`.
    """
    texts = {
        (each.row, each.shots): f"{each.mean:.4f} ({each.low:.4f} to {each.high:.4f})"
        for each in table[table["group"] == group].itertuples()
    }
    labels = [row.label for row in dial.rows]
    columns = {
        at_most(n): [texts.get((each, n)) or _lacking(dial, each, n) for each in labels]
        for n in dial.by_shots
    }
    return pd.DataFrame(columns, index=labels)


def difference_frame(differences: pd.DataFrame) -> pd.DataFrame:
    """Differences from the reference as text: a line for each row and number of shots.

    Args:
        differences: :func:`~recbole_delta.bench.comparison.dial.differences`.
    """
    return tables.differences_frame(
        differences, lambda test: {"training rows": at_most(test.shots)}
    )


def rank_frame(dial: Dial) -> pd.DataFrame:
    """Median ranks of the held-out targets: a line for each row, a column for each number."""
    labels = [row.label for row in dial.rows]
    columns = {
        at_most(shots): [
            f"{dial.median_rank(run, shots):.0f}".replace("inf", "missed")
            if (run := dial.row(label, shots))
            else _lacking(dial, label, shots)
            for label in labels
        ]
        for shots in dial.by_shots
    }
    return pd.DataFrame(columns, index=labels)


def left_frame(dial: Dial) -> pd.DataFrame:
    """What held-out targets were left at each number of shots: their mean, and who has fewer."""
    counts = {at_most(shots): (dial.train_counts(shots), shots) for shots in dial.by_shots}
    return pd.DataFrame(
        {name: [f"{np.mean(rows):.1f}", f"{np.count_nonzero(rows < shots):,}"]
         for name, (rows, shots) in counts.items()},
        index=["training rows of a target, mean", "targets whose item has fewer"],
    )  # fmt: skip


def csv(dial: Dial, metric: str) -> pd.DataFrame:
    """The figures themselves, unrounded: a line for each run, number of shots and group.

    Args:
        dial: the dial.
        metric: metric and k, such as ``ndcg@10``.
    """
    return pd.DataFrame(
        {"dataset": dial.by_shots[shots].dataset, "shots": shots, "row": row.label,
         "model": row.spec.model, "seed": record.facts["seed"], "metric": metric,
         "group": group, "value": value}
        for row in dial.rows
        for shots in dial.by_shots
        if (run := dial.row(row.label, shots))
        for group in GROUPS
        for record, value in zip(run.records, dial.gains(run, shots, metric, group).mean(1))
    )  # fmt: skip


def _lacking(dial: Dial, label: str, shots: int) -> str:
    """What stands in the place of a row's value: whether one is to come."""
    planned = any(row.label == label for row in dial.by_shots[shots].rows)
    return tables.NOT_RUN if planned else NOTHING


def at_most(shots: int) -> str:
    """A number of shots as the name of a column."""
    return {0: "0 rows", 1: "≤ 1 row"}.get(shots, f"≤ {shots} rows")
