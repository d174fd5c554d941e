"""A dial: data sets that differ only in how many training rows their held-out items are left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from recbole_delta.bench.comparison.compare import Comparison, Row, corrected
from recbole_delta.bench.comparison.interval import interval
from recbole_delta.bench.records.record import Cases
from recbole_delta.evaluator.metrics import expected_gain
from recbole_delta.evaluator.ranking import MISS

GROUPS = ("held-out", "other")
"""Groups of a dial's cases by their targets: items that are held out without shots, and others."""


@dataclass(frozen=True, eq=False)
class Dial:
    """One data set of the protocol ``item_holdout``, prepared with several numbers of shots.

    Its test cases are the same for every number of shots, and a user has at most one of a group,
    so that they are compared case by case.

    Attributes:
        by_shots: comparisons by the most training rows of a held-out item, ascending from 0.
    """

    by_shots: dict[int, Comparison]

    @property
    def dataset(self) -> str:
        """Name of the data set without shots."""
        return self.by_shots[0].dataset

    @property
    def rows(self) -> list[Row]:
        """A row for each label, in the order of the plan: the one with the fewest shots."""
        rows: dict[str, Row] = {}
        for comparison in self.by_shots.values():
            for row in comparison.rows:
                rows.setdefault(row.label, row)
        return list(rows.values())

    def row(self, label: str, shots: int) -> Row | None:
        """The row of a label at a number of shots; None without a run."""
        return self.by_shots[shots].ran.get(label)

    def gains(self, row: Row, shots: int, metric: str, group: str) -> np.ndarray:
        """A metric of every case of a group in each run.

        Args:
            row: a row of ``by_shots[shots]``.
            shots: number of shots.
            metric: metric and k, such as ``ndcg@10``.
            group: one of :data:`GROUPS`.

        Returns:
            ``[seeds, n]`` float64; the cases are in the same order for every row and number.
        """
        name, k = metric.split("@")
        chosen = self._chosen(shots, group)
        return np.stack([expected_gain(name, r.ranks, int(k))[chosen] for r in row.records])

    def median_rank(self, row: Row, shots: int) -> float:
        """The median rank, from 1, of the held-out targets, as a mean over the seeds.

        It still tells items apart that are too far down for any metric at k. Infinite where most
        targets are misses, as without a vector.

        Args:
            row: a row of ``by_shots[shots]``.
            shots: number of shots.
        """
        chosen = self._chosen(shots, "held-out")
        ranks = [
            np.where(r.ranks.above == MISS, np.inf, r.ranks.above + r.ranks.tied / 2 + 1)[chosen]
            for r in row.records
        ]
        return float(np.mean(np.median(ranks, axis=1)))

    def train_counts(self, shots: int) -> np.ndarray:
        """``[n]`` training rows of the held-out targets at a number of shots."""
        return self.by_shots[shots].cases.train_count[self._chosen(shots, "held-out")]

    def _chosen(self, shots: int, group: str) -> np.ndarray:
        """Positions of the cases of a group, in the common order."""
        cases = self.by_shots[shots].cases
        return _order(cases)[self._is_held_out == (group == "held-out")]

    @cached_property
    def _is_held_out(self) -> np.ndarray:
        """``[n]`` bool in the common order: without shots, the held-out items are the cold ones."""
        cases = self.by_shots[0].cases
        return cases.is_cold[_order(cases)]


def dials(comparisons: Sequence[Comparison]) -> list[Dial]:
    """The dials among some comparisons, each with no shots and some at least.

    Data sets belong together where their records say that they were prepared alike but for the
    shots, and where their test cases are the same.

    Args:
        comparisons: comparisons that have a record each.
    """
    found: dict[str, dict[int, Comparison]] = {}
    for comparison in comparisons:
        prepared = comparison.prepared
        if prepared.get("protocol") == "item_holdout":
            options = dict(prepared.get("protocol_options") or {})
            shots = options.pop("shots", 0)
            alike = [prepared.get("source"), options, prepared.get("content")]
            key = json.dumps([*alike, *_names(comparison.cases)], sort_keys=True)
            found.setdefault(key, {}).setdefault(shots, comparison)
    return [
        Dial(dict(sorted(each.items())))
        for each in found.values()
        if 0 in each and each.keys() > {0}
    ]


def intervals(dial: Dial, metric: str) -> pd.DataFrame:
    """A metric of every row, number of shots and group.

    Args:
        dial: the dial.
        metric: metric and k, such as ``ndcg@10``.

    Returns:
        ``row``, ``shots``, ``group``, ``seeds``, ``cases``, ``mean``, and ``low`` and ``high`` of
        its 95% interval over cases and seeds (:func:`~recbole_delta.bench.interval.interval`).
    """
    return pd.DataFrame(
        {"row": row.label, "shots": shots, "group": group,
         "seeds": len(gains), "cases": gains.shape[1]}
        | {name: value for name, value in interval(gains).items() if name != "p"}
        for row in dial.rows
        for shots in dial.by_shots
        if (run := dial.row(row.label, shots))
        for group in GROUPS
        for gains in [dial.gains(run, shots, metric, group)]
    )  # fmt: skip


def differences(dial: Dial, reference: str | None, metric: str) -> pd.DataFrame:
    """Every other row against the reference on the held-out items, at each number of shots.

    Args:
        dial: the dial.
        reference: label of a row, or None.
        metric: metric and k, such as ``ndcg@10``.

    Returns:
        ``row``, ``shots``, ``cases``, ``difference`` (row - reference), ``low`` and ``high`` of its
        95% interval over cases and seeds (uncorrected), ``p``, ``p_holm``; corrected by Holm
        (1979) for all of them. Empty without a reference that has a run.
    """
    lines = []
    for row in dial.rows:
        for shots in dial.by_shots:
            ours = dial.row(row.label, shots)
            base = dial.row(reference, shots) if reference else None
            if ours and base and row.label != reference:
                values = [dial.gains(each, shots, metric, "held-out") for each in (ours, base)]
                lines.append({"row": row.label, "shots": shots, "cases": values[0].shape[1]}
                             | interval(*values))  # fmt: skip
    columns = ["row", "shots", "cases", "mean", "low", "high", "p"]
    table = pd.DataFrame(lines, columns=columns).rename(columns={"mean": "difference"})
    return corrected(table)


def _order(cases: Cases) -> np.ndarray:
    """The order of cases by user, then target: their file has that of a data set's numbers."""
    return np.lexsort((cases.target, cases.user))


def _names(cases: Cases) -> list[list[str]]:
    order = _order(cases)
    return [cases.user[order].tolist(), cases.target[order].tolist()]
