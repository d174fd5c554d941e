"""A row whose settings validation chooses: every combination of some values, on one seed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from dataset_prep.errors import DeltaError
from recbole_delta.bench.record import Record, is_done
from recbole_delta.bench.spec import Spec

FolderOf = Callable[[Spec], Path]
"""The folder of a run's record."""

_LATER = "it acts after the validation scores that a search compares"
_OTHERS = "the validation scores of its values are not comparable"
NOT_SEARCHED = {
    **dict.fromkeys(("cold_offset", "warm_offset", "cold_share", "cold_validation"), _LATER),
    **dict.fromkeys(("recipe", "metrics", "topk", "test_candidates"), _LATER),
    **dict.fromkeys(("valid_metric", "valid_candidates", "mask_history", "cold_history"), _OTHERS),
}
"""Settings that no search can choose, and why."""


@dataclass(frozen=True)
class Search:
    """The trials of one row on one data set, and the seeds that the chosen one is run with.

    Attributes:
        trials: runs that differ by :attr:`Spec.varied` alone, with the first of the seeds.
        seeds: seeds of the row.

    Example:
        >>> lists = {"delta_max": [0.3, 0.5]}
        >>> trials = [
        ...     Spec(named(one), "delta", one, "shop", "SASRecDelta", 42, one, lists)
        ...     for one in combinations(lists)
        ... ]
        >>> search = Search(trials, seeds=[42, 221])
        >>> search.label, [trial.label for trial in search.trials]
        ('delta', ['delta_max 0.3', 'delta_max 0.5'])
        >>> search.chosen(lambda trial: Path("records", trial.label))  # nothing has run yet
        []
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

        Args:
            folder_of: folder of a run's record.

        Raises:
            DeltaError: a record is not whole.
        """
        folders = [(spec, folder_of(spec)) for spec in self.trials]
        return [(spec, Record.read(folder)) for spec, folder in folders if is_done(folder)]

    def chosen(self, folder_of: FolderOf) -> list[Spec]:
        """The runs of the row, a seed each, at the values with the best validation score.

        Of equal ones the first is taken. Test figures decide nothing.

        Args:
            folder_of: folder of a run's record.

        Returns:
            empty while a trial has no record.

        Raises:
            DeltaError: a record is not whole, or a trial was not validated.
        """
        done = self.done(folder_of)
        if len(done) < len(self.trials):
            return []
        scores = [record.facts["best_valid_score"] for _, record in done]
        if not all(map(math.isfinite, scores)):
            raise DeltaError(f"{self.label} has no validation score to choose by.")
        best, _ = done[scores.index(max(scores))]
        return [replace(best, label=self.label, varied={}, seed=seed) for seed in self.seeds]


def combinations(lists: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the values of some settings, by name.

    Args:
        lists: values of each setting; without any there is one combination, of nothing.
    """
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
        "trials": f"{len(done)} of {len(search.trials)}",
        "chosen": named({name: runs[0].settings[name] for name in runs[0].searched})
        if runs
        else "not yet",
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
    """Settings and their values in a line.

    Example:
        >>> named({"delta_max": 0.3, "n_layers": 1})
        'delta_max 0.3, n_layers 1'
    """
    return ", ".join(f"{name} {value}" for name, value in values.items())
