"""Rows of a comparison, and which of their differences are more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import pandas as pd
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests

from recbole_delta.bench.plan import Plan, Spec
from recbole_delta.bench.record import Cases, Record
from recbole_delta.evaluator.labels import COLUMNS, group_key
from recbole_delta.evaluator.metrics import expected_gain, group_masks

LEVEL = 0.05
"""Of the tests, and 1 - LEVEL of the confidence intervals."""


@dataclass(frozen=True, eq=False)
class Row:
    """The runs of one row of a table, a seed each.

    Attributes:
        spec: what they have in common; its seed is that of the first.
        seeds: that were asked for.
        records: of those that are done.
    """

    spec: Spec
    seeds: list[int]
    records: list[Record]

    @property
    def label(self) -> str:
        """Name of the row."""
        return self.spec.label

    @property
    def missing(self) -> list[int]:
        """Seeds that have not been run."""
        return [seed for seed in self.seeds if seed not in self._done]

    @property
    def _done(self) -> list[int]:
        return [record.facts["seed"] for record in self.records]

    def values(self, metric: str, group: str) -> np.ndarray:
        """Of each seed: ``ndcg@10`` over the cases of a group; NaN where it has none."""
        key = group_key(metric, group)
        return np.array([each.mode["metrics"].get(key, np.nan) for each in self.records])

    @cache  # noqa: B019 (a row lives as long as its report)
    def gains(self, metric: str) -> np.ndarray:
        """``[n]`` the metric of every test case, mean over the seeds."""
        name, k = metric.split("@")
        return np.mean([expected_gain(name, each.ranks, int(k)) for each in self.records], axis=0)


@dataclass(frozen=True)
class Comparison:
    """The rows of one data set.

    Attributes:
        dataset: its name.
        rows: in the order of the plan.
        cases: the test cases.
    """

    dataset: str
    rows: list[Row]
    cases: Cases

    def differences(self, reference: str, metrics: Sequence[str]) -> pd.DataFrame:
        """Every other row against the reference: paired t-tests over users.

        A user's value is the mean over the seeds and over the user's cases in the group; the
        spread over seeds is another thing and is not in it. p-values of all comparisons of this
        data set are corrected together (Holm 1979). The t-test is the one that Urbano, Lima &
        Hanjalic (SIGIR 2019) find closest to its nominal level for such data.

        Returns:
            A line a row, metric and group: ``difference`` (row - reference), ``low`` and ``high``
            of its confidence interval (uncorrected), ``p``, ``p_holm``.
        """
        base = next(row for row in self.rows if row.label == reference)
        others = [row for row in self.rows if row is not base and row.records]
        lines = [
            {"row": row.label, "metric": metric, "group": group}
            | paired(*(self._by_user(each.gains(metric), group) for each in (row, base)))
            for row in others
            for metric in metrics
            for group in COLUMNS
            if len(self._cases[group][0])
        ]
        columns = ["row", "metric", "group", "users", "difference", "low", "high", "p"]
        table = pd.DataFrame(lines, columns=columns)
        table["p_holm"] = multipletests(table["p"], method="holm")[1] if len(table) else []
        return table

    def _by_user(self, gains: np.ndarray, group: str) -> np.ndarray:
        """Mean of each user's cases in a group, users in the order of their names."""
        cases, user = self._cases[group]
        return np.bincount(user, gains[cases]) / np.bincount(user)

    @cached_property
    def _cases(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Cases of each group, and their users as numbers 0, 1, ..."""
        return {
            group: (np.flatnonzero(mask), np.unique(self.cases.user[mask], return_inverse=True)[1])
            for group, mask in group_masks(self.cases.is_cold).items()
        }


def paired(values: np.ndarray, base: np.ndarray) -> dict[str, float]:
    """Mean difference of two samples over the same users, its interval and p-value."""
    found = {"users": len(values), "difference": float(np.mean(values - base))}
    if np.array_equal(values, base):
        return found | {"low": 0.0, "high": 0.0, "p": 1.0}
    test = ttest_rel(values, base)
    low, high = test.confidence_interval(1 - LEVEL)
    return found | {"low": float(low), "high": float(high), "p": float(test.pvalue)}


def comparisons(plan: Plan, done: Sequence[tuple[Spec, Record]]) -> list[Comparison]:
    """The rows of each data set that has a record."""
    found = []
    for dataset in plan.data:
        specs = [spec for spec in plan.specs if spec.dataset == dataset]
        records = [(spec, record) for spec, record in done if spec.dataset == dataset]
        if records:
            cases = records[0][1].cases
            for _, record in records:
                record.require_fit(cases)
            rows = [
                Row(
                    next(spec for spec in specs if spec.label == label),
                    [spec.seed for spec in specs if spec.label == label],
                    [record for spec, record in records if spec.label == label],
                )
                for label in dict.fromkeys(spec.label for spec in specs)
            ]
            found.append(Comparison(dataset, rows, cases))
    return found
