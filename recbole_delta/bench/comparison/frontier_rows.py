"""The rows of a comparison on their frontiers, and side by side at one warm level.

Where a row stands on its frontier is a choice, so two rows are compared where they serve warm
targets equally well: at the offset on its cold scores that gives a row the reference's warm level.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from recbole_delta.bench.comparison.compare import Comparison, Row, corrected, paired
from recbole_delta.bench.comparison.frontier_mean import MeanFrontier


@dataclass(frozen=True, eq=False)
class Frontiers:
    """The frontiers of the rows of one data set, for one metric.

    Attributes:
        comparison: the rows.
        metric: metric and k, such as ``ndcg@10``.
        reference: label of the row whose warm level is matched, or None; it must have a record.
    """

    comparison: Comparison
    metric: str
    reference: str | None

    @cached_property
    def curves(self) -> dict[str, MeanFrontier]:
        """The frontier of a row by its label; rows whose records hold none have none."""
        name, k = self.metric.split("@")
        found = {}
        for row in self.comparison.rows:
            curves = [record.frontier(name, int(k)) for record in row.records]
            held = [curve for curve in curves if curve is not None]
            if held and len(held) == len(curves):
                found[row.label] = MeanFrontier(held)
        return found

    @cached_property
    def level(self) -> float | None:
        """Warm metric of the reference as it was run, mean over its seeds; None without one."""
        if self.reference is None:
            return None
        return float(self.comparison.ran[self.reference].values(self.metric, "warm").mean())

    def values(self, row: Row) -> dict[str, np.ndarray]:
        """What the frontiers of a row come to, each of its seeds.

        Args:
            row: a row of :attr:`curves`.

        Returns:
            ``[seeds]`` float64 by name: ``within cold``, ``within warm``, ``best total``, ``cold as
            run``, ``warm as run`` and, with a reference, ``cold at matched warm``, NaN where no
            offset reaches its warm level on average. A model without vectors for cold items has NaN
            for all but ``within warm`` and ``warm as run``.
        """
        mean = self.curves[row.label]
        found = {
            "within cold": np.array([each.within_cold for each in mean.curves]),
            "within warm": np.array([each.within_warm for each in mean.curves]),
            "best total": np.array([each.best_total for each in mean.curves]),
            "cold as run": row.values(self.metric, "cold"),
            "warm as run": row.values(self.metric, "warm"),
        }
        if self.level is not None:
            offset = mean.offset_at_warm(self.level)
            found["cold at matched warm"] = (
                np.full(len(mean.curves), np.nan) if offset is None
                else mean.gains_at(offset)[:, self.comparison.cases.is_cold].mean(1)
            )  # fmt: skip
        if not embeds_cold_items(row):
            kept = ("within warm", "warm as run")
            found = {k: v if k in kept else np.full(len(v), np.nan) for k, v in found.items()}
        return found

    def differences(self) -> pd.DataFrame:
        """Cold at matched warm against the reference: paired t-tests over users.

        All seeds of a row get the one offset that brings their mean warm metric to :attr:`level`,
        or as little above it as a step is high, the reference too, which stands at the end of its
        step of the curve then; a user's value is the mean over the seeds and over
        the user's cold cases. p-values of these tests are corrected together (Holm 1979).

        Returns:
            a line for each other row that reaches the level: ``row``, ``metric``, ``group`` (cold),
            ``offset``, ``warm`` (the mean there), ``users``, ``difference`` (row - reference),
            ``low`` and ``high`` of its confidence interval (uncorrected), ``p``, ``p_holm``. No
            line without a reference.
        """
        matched = {row.label: self._matched(row) for row in self.comparison.rows}
        lines = []
        if self.reference is not None:
            own = matched.pop(self.reference)
            base = own[1] if own else self.comparison.ran[self.reference].gains(self.metric)
            lines = [
                {"row": label, "metric": self.metric, "group": "cold", "offset": found[0],
                 "warm": float(found[1][~self.comparison.cases.is_cold].mean())}
                | paired(*(self.comparison.by_user(each, "cold") for each in (found[1], base)))
                for label, found in matched.items() if found
            ]  # fmt: skip
        columns = ["row", "metric", "group", "offset", "warm", "users", "difference", "low", "high",
                   "p"]  # fmt: skip
        return corrected(pd.DataFrame(lines, columns=columns))

    def _matched(self, row: Row) -> tuple[float, np.ndarray] | None:
        """The offset at which a row has :attr:`level`, and each case's metric there, ``[n]``.

        Returns:
            None where there is no such offset, or nothing to add it to.
        """
        mean = self.curves.get(row.label)
        if mean is None or self.level is None or not embeds_cold_items(row):
            return None
        offset = mean.offset_at_warm(self.level)
        return None if offset is None else (offset, mean.gains_at(offset).mean(0))


def embeds_cold_items(row: Row) -> bool:
    """Whether the row's model has vectors for cold items, so that an offset changes anything."""
    return bool(row.records[0].mode["embeds_cold_items"])
