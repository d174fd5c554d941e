"""Draws: data sets that differ only in the seed by which their cold items were drawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from recbole_delta.bench.comparison.compare import Comparison, Row, corrected, paired
from recbole_delta.bench.comparison.frontier_rows import Frontiers
from recbole_delta.evaluator.labels import COLUMNS

FEWEST = 3
"""Data sets that are drawn alike, from which on they are a sample."""
ALONG = ("within cold", "best total")
"""What is shown of a frontier, besides the groups."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Data sets that were prepared alike but for the seed that draws their cold items.

    Which items are cold moves what a model finds of them more than which seed it starts from does:
    what holds over draws does not hang on one of them.

    Attributes:
        by_seed: comparisons by the seed of the draw, ascending.
        metric: metric and k, such as ``ndcg@10``.
        reference: label of the row that others are compared with, or None.
    """

    by_seed: dict[int, Comparison]
    metric: str
    reference: str | None

    @property
    def dataset(self) -> str:
        """Name of the first data set."""
        return next(iter(self.by_seed.values())).dataset

    @cached_property
    def frontiers(self) -> list[Frontiers]:
        """The frontiers of each draw."""
        return [
            Frontiers(each, self.metric, self.reference if self.reference in each.ran else None)
            for each in self.by_seed.values()
        ]

    @cached_property
    def labels(self) -> list[str]:
        """The rows that have a record on every draw, in the order of the plan."""
        first, *others = (each.ran for each in self.by_seed.values())
        return [label for label in first if all(label in ran for ran in others)]

    @cached_property
    def values(self) -> pd.DataFrame:
        """A line for each draw, row and figure.

        Returns:
            ``dataset``, ``draw`` (its seed), ``row``, ``metric``, ``of`` (``cold``, ``warm``,
            ``total`` or of :data:`ALONG`), and ``value``, a mean over the seeds of the row: NaN
            where the draw has no such figure of it.
        """
        return pd.DataFrame(
            {"dataset": comparison.dataset, "draw": seed, "row": label, "metric": self.metric,
             "of": name, "value": value}
            for (seed, comparison), frontiers in zip(self.by_seed.items(), self.frontiers)
            for label in self.labels
            for name, value in _figures(frontiers, comparison.ran[label]).items()
        )  # fmt: skip

    def sample(self, label: str, of: str) -> np.ndarray:
        """A figure of a row on every draw, ``[draws]``.

        Args:
            label: a row of :attr:`labels`.
            of: the figure's name in :attr:`values`.
        """
        table = self.values
        return table.loc[(table["row"] == label) & (table["of"] == of), "value"].to_numpy()

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Every other row against the reference: paired t-tests over the draws.

        Returns:
            ``row``, ``metric``, ``of``, ``draws``, ``difference`` (row - reference), ``low`` and
            ``high`` of its 95% interval (uncorrected), ``p``, ``p_holm``; corrected by Holm (1979)
            for all of them. Empty without a reference, and of figures that a draw does not have.
        """
        lines = []
        if self.reference in self.labels:
            for label in (each for each in self.labels if each != self.reference):
                for name in (*COLUMNS, *ALONG):
                    ours, base = (self.sample(each, name) for each in (label, self.reference))
                    if not np.isnan(ours - base).any():
                        test = paired(ours, base)
                        test["draws"] = test.pop("users")
                        lines.append({"row": label, "metric": self.metric, "of": name} | test)
        columns = ["row", "metric", "of", "draws", "difference", "low", "high", "p"]
        return corrected(pd.DataFrame(lines, columns=columns))


def draws(comparisons: Sequence[Comparison], metric: str, reference: str | None) -> list[Draws]:
    """The draws among some comparisons, :data:`FEWEST` of a kind at least.

    Data sets belong together where their records say that they were prepared alike, from as many
    items, but for the seed.

    Args:
        comparisons: comparisons that have a record each.
        metric: metric and k, such as ``ndcg@10``.
        reference: label of a row, or None.
    """
    found: dict[str, dict[int, Comparison]] = {}
    for comparison in comparisons:
        prepared = comparison.prepared
        options = dict(prepared.get("protocol_options") or {})
        seed = options.pop("seed", None)
        if options.get("cold") == "random" and seed is not None:
            known = [prepared.get(name) for name in ("source", "protocol", "content")]
            n_items = (prepared.get("items") or {}).get("all")
            alike = json.dumps([*known, n_items, options], sort_keys=True)
            found.setdefault(alike, {}).setdefault(seed, comparison)
    return [
        Draws(dict(sorted(each.items())), metric, reference)
        for each in found.values()
        if len(each) >= FEWEST
    ]


def _figures(frontiers: Frontiers, row: Row) -> dict[str, float]:
    found = {group: row.values(frontiers.metric, group) for group in COLUMNS}
    along = frontiers.values(row) if row.label in frontiers.curves else {}
    found |= {name: along.get(name, np.array([np.nan])) for name in ALONG}
    return {name: float(values.mean()) for name, values in found.items()}
