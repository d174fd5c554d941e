"""A row whose settings validation chooses: every combination of some values, on one seed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from recbole_delta.bench.record import Record, is_done
from recbole_delta.bench.spec import Spec

FolderOf = Callable[[Spec], Path]
"""The folder of a run's record."""


@dataclass(frozen=True)
class Search:
    """The trials of one row on one data set, and the seeds that the chosen one is run with.

    Attributes:
        trials: runs that differ by :attr:`Spec.varied` alone, with the first of the seeds.
        seeds: seeds of the row.
    """

    trials: Sequence[Spec]
    seeds: Sequence[int]

    @property
    def label(self) -> str:
        """Label of the row."""
        return self.trials[0].entry

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return self.trials[0].dataset

    def done(self, folder_of: FolderOf) -> list[tuple[Spec, Record]]:
        """The trials that have a record, each with it.

        Raises:
            DeltaError: a record is not whole.
        """
        folders = [(spec, folder_of(spec)) for spec in self.trials]
        return [(spec, Record.read(folder)) for spec, folder in folders if is_done(folder)]

    def chosen(self, folder_of: FolderOf) -> list[Spec]:
        """The runs of the row, a seed each, at the values with the best validation score.

        Of equal ones the first is taken. Test figures decide nothing.

        Returns:
            empty while a trial has no record.

        Raises:
            DeltaError: a record is not whole.
        """
        done = self.done(folder_of)
        if len(done) < len(self.trials):
            return []
        best, _ = max(done, key=lambda each: each[1].facts["best_valid_score"])
        return [replace(best, label=self.label, seed=seed) for seed in self.seeds]


def combinations(lists: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the values of some settings, by name."""
    return (dict(zip(lists, values)) for values in itertools.product(*lists.values()))


def search_frame(searches: Sequence[Search], folder_of: FolderOf) -> pd.DataFrame:
    """What each row was tuned over and to, as text; a line a search.

    Args:
        searches: searches over one data set.
        folder_of: folder of a run's record.
    """
    return pd.DataFrame([_line(each, folder_of) for each in searches]).set_index("")


def _line(search: Search, folder_of: FolderOf) -> dict[str, str]:
    done, runs = search.done(folder_of), search.chosen(folder_of)
    scores = [record.facts["best_valid_score"] for _, record in done]
    return {
        "": search.label,
        "searched": "; ".join(
            f"{name} {', '.join(map(str, values))}"
            for name, values in search.trials[0].searched.items()
        ),
        "trials": f"{len(done)} of {math.prod(map(len, search.trials[0].searched.values()))}",
        "chosen": named(runs[0].varied) if runs else "not yet",
        "validation, best": f"{max(scores):.4f}" if scores else "–",
        "validation, worst": f"{min(scores):.4f}" if scores else "–",
    }


def search_csv(searches: Sequence[Search], folder_of: FolderOf) -> pd.DataFrame:
    """Every trial that is done: row, seed, settings tried, validation score, epochs.

    Args:
        searches: searches over one data set.
        folder_of: folder of a run's record.
    """
    return pd.DataFrame(
        {
            "row": search.label,
            "seed": spec.seed,
            "tried": named(spec.varied),
            "valid_metric": record.facts["settings"]["valid_metric"],
            "validation": record.facts["best_valid_score"],
            "epochs": len(record.facts["curve"]),
        }
        for search in searches
        for spec, record in search.done(folder_of)
    )


def named(values: dict[str, Any]) -> str:
    """Settings and their values in a line."""
    return ", ".join(f"{name} {value}" for name, value in values.items())
