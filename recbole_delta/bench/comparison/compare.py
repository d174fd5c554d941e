"""Rows of a comparison, and which of their differences are more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests

from recbole_delta.bench.plan.plan import Plan
from recbole_delta.bench.plan.spec import Spec
from recbole_delta.bench.records.record import Cases, Record
from recbole_delta.evaluator.frontier import ROUNDING
from recbole_delta.evaluator.labels import COLUMNS, group_key
from recbole_delta.evaluator.metrics import expected_gain, group_masks

LEVEL = 0.05
"""Significance level of the tests; confidence intervals are at 1 - LEVEL."""


@dataclass(frozen=True, eq=False)
class Row:
    """The runs of one row of a table, a seed each.

    Attributes:
        spec: one of the runs, which differ in their seed only.
        seeds: seeds of the plan.
        records: records of the runs that are done.
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
    def is_trained(self) -> bool:
        """Whether some run of it has trained for an epoch."""
        return any(record.facts["curve"] for record in self.records)

    @property
    def _done(self) -> list[int]:
        return [record.facts["seed"] for record in self.records]

    def values(self, metric: str, group: str) -> np.ndarray:
        """A metric of each run.

        Args:
            metric: metric and k, such as ``ndcg@10``.
            group: ``cold``, ``warm`` or ``total``.

        Returns:
            ``[seeds]`` float64 means over the cases of the group; NaN where it has none.
        """
        key = group_key(metric, group)
        return np.array([each.mode["metrics"].get(key, np.nan) for each in self.records])

    @cache  # noqa: B019 (a row lives as long as its report)
    def gains(self, metric: str) -> np.ndarray:
        """A metric of every test case.

        Args:
            metric: metric and k, such as ``ndcg@10``.

        Returns:
            ``[n]`` float64 means over the seeds.
        """
        name, k = metric.split("@")
        return np.mean([expected_gain(name, each.ranks, int(k)) for each in self.records], axis=0)


@dataclass(frozen=True)
class Comparison:
    """The rows of one data set.

    Attributes:
        dataset: name of the data set.
        rows: rows in the order of the plan.
        cases: the test cases, which all rows share.
    """

    dataset: str
    rows: list[Row]
    cases: Cases

    @cached_property
    def ran(self) -> dict[str, Row]:
        """The rows that have a record, by label, in the order of the plan."""
        return {row.label: row for row in self.rows if row.records}

    @property
    def prepared(self) -> dict[str, Any]:
        """How the data set was prepared, as its records say; one must be there."""
        found: dict[str, Any] = next(iter(self.ran.values())).records[0].facts["prepared"]
        return found

    def differences(self, reference: str, metrics: Sequence[str]) -> pd.DataFrame:
        """Every other row against the reference: paired t-tests over users.

        A user's value is the mean over the seeds and over the user's cases in the group; the
        spread over seeds is not in it. p-values of all comparisons of this data set are corrected
        together (Holm 1979). Urbano, Lima & Hanjalic (SIGIR 2019) find this t-test closest to its
        nominal level for such data.

        Args:
            reference: label of a row that has a record.
            metrics: metrics and k, such as ``ndcg@10``.

        Returns:
            a line for each row, metric and group: ``users``, ``difference`` (row - reference),
            ``low`` and ``high`` of its confidence interval (uncorrected), ``p``, ``p_holm``.
        """
        base = self.ran[reference]
        others = [row for row in self.ran.values() if row is not base]
        lines = [
            {"row": row.label, "metric": metric, "group": group}
            | paired(*(self.by_user(each.gains(metric), group) for each in (row, base)))
            for row in others
            for metric in metrics
            for group in COLUMNS
            if len(self._cases[group][0])
        ]
        columns = ["row", "metric", "group", "users", "difference", "low", "high", "p"]
        return corrected(pd.DataFrame(lines, columns=columns))

    def by_user(self, gains: np.ndarray, group: str) -> np.ndarray:
        """Mean of each user's cases in a group, users in the order of their names.

        Args:
            gains: ``[n]`` a metric of every test case.
            group: ``cold``, ``warm`` or ``total``.

        Returns:
            ``[users]`` float64, of the users who have a case in the group.
        """
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
    """Paired t-test of two samples over the same users.

    Args:
        values: ``[users]`` a metric of each user.
        base: ``[users]`` that metric under the reference.

    Returns:
        ``users``, ``difference`` (mean of values - base), ``low`` and ``high`` of its 95%
        confidence interval, and the two-sided ``p``.

    Example:
        >>> import numpy as np
        >>> found = paired(np.array([0.5, 0.75, 1.0, 0.75]), np.array([0.25, 0.5, 0.75, 1.0]))
        >>> found["users"], found["difference"], round(found["p"], 3)
        (4, 0.125, 0.391)
    """
    # The mean of a value over three seeds may be another in its last bits: no difference.
    base = np.where(np.abs(values - base) < ROUNDING, values, base)
    found = {"users": len(values), "difference": float(np.mean(values - base))}
    if np.array_equal(values, base):
        return found | {"low": 0.0, "high": 0.0, "p": 1.0}
    test = ttest_rel(values, base)
    low, high = test.confidence_interval(1 - LEVEL)
    return found | {"low": float(low), "high": float(high), "p": float(test.pvalue)}


def corrected(table: pd.DataFrame) -> pd.DataFrame:
    """Tests with their p-values corrected together (Holm 1979), as ``p_holm``.

    Args:
        table: a line for each test, with its ``p``.

    Example:
        >>> corrected(pd.DataFrame({"p": [0.01, 0.5, 0.04]}))["p_holm"].tolist()
        [0.03, 0.5, 0.08]
    """
    p_holm = multipletests(table["p"], method="holm")[1] if len(table) else []
    return table.assign(p_holm=p_holm)


def without_record(plan: Plan, compared: Sequence[Comparison]) -> list[str]:
    """The data sets of a plan, by name, none of whose runs is done.

    Args:
        plan: what the bench file asks for.
        compared: :func:`comparisons` of it.
    """
    return [name for name in plan.data if name not in {each.dataset for each in compared}]


def comparisons(plan: Plan, done: Sequence[tuple[Spec, Record]]) -> list[Comparison]:
    """The comparison of each data set that has a record.

    Args:
        plan: what the bench file asks for.
        done: runs that have a record.

    Raises:
        DeltaError: records of one data set are of different test cases, or offsets in them were
            chosen for another share of cold targets than is expected now.
    """
    found = []
    for dataset in plan.data:
        specs = [spec for spec in plan.specs if spec.dataset == dataset]
        records = [(spec, record) for spec, record in done if spec.dataset == dataset]
        if records:
            cases = records[0][1].cases
            share = plan.data[dataset].cold_share
            for _, record in records:
                record.require_fit(cases)
                record.require_share(share)
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
