"""A row whose settings validation chooses: every combination of some values, on one seed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from recbole_delta.bench.plan.spec import Spec
from recbole_delta.bench.records.record import Record, is_done

FolderOf = Callable[[Spec], Path]
"""The folder of a run's record."""

_LATER = "it acts after the validation scores that a search compares"
_OTHERS = "the validation scores of its values are not comparable"
NOT_SEARCHED = {
    **dict.fromkeys(
        ("cold_offset", "after_cold_offset", "warm_offset", "cold_share", "cold_validation"), _LATER
    ),
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
        >>> search.read(lambda trial: Path("records", trial.label)).chosen  # nothing has run yet
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

    def read(self, folder_of: FolderOf) -> Tuned:
        """The trials that have a record, and what they choose.

        Args:
            folder_of: folder of a run's record.

        Raises:
            DeltaError: a record is not whole.
        """
        folders = [(spec, folder_of(spec)) for spec in self.trials]
        done = [(spec, Record.read(folder)) for spec, folder in folders if is_done(folder)]
        return Tuned(self, done, self._chosen(done) if len(done) == len(self.trials) else [])

    def _chosen(self, done: Sequence[tuple[Spec, Record]]) -> list[Spec]:
        _, scores = validation([record for _, record in done])
        if not all(map(math.isfinite, scores)):
            return []
        best, _ = done[scores.index(max(scores))]
        return [replace(best, label=self.label, varied={}, seed=seed) for seed in self.seeds]


@dataclass(frozen=True)
class Tuned:
    """How far a search has come.

    Attributes:
        search: the search.
        done: its trials that have a record, each with it.
        chosen: the runs of the row, a seed each, at the values with the best validation score, of
            equal ones the first; empty while a trial has no record, and where one was not
            validated. Test figures decide nothing.
    """

    search: Search
    done: Sequence[tuple[Spec, Record]]
    chosen: Sequence[Spec]

    @property
    def undecided(self) -> str:
        """Why nothing is chosen; empty where something is."""
        if self.chosen:
            return ""
        if self._is_done:
            return "as no validation score says what to choose"
        return "its search is not done"

    @property
    def unknown(self) -> int:
        """Runs that will be asked for once the search is done."""
        if self._is_done:
            return 0
        return len(self.search.seeds) - 1  # a trial is that of the first seed

    @property
    def _is_done(self) -> bool:
        return len(self.done) == len(self.search.trials)


def validation(records: Sequence[Record]) -> tuple[str, list[float]]:
    """What the trials of a search are compared by: one score, the same for all of them.

    Args:
        records: records of the trials.

    Returns:
        its name, and its value in each trial. Of runs whose offsets were chosen on cold and warm
        validation targets it is their total at that offset, since ``valid_metric`` may not know of
        cold items; where one of them has none, it is ``valid_metric`` for all.
    """
    totals = [record.calibrated_total for record in records]
    known = [total for total in totals if total is not None]
    metric = records[0].facts["settings"]["valid_metric"] if records else ""
    if records and len(known) == len(totals):
        return f"{metric}, total when calibrated", known
    return metric, [record.best_valid_score for record in records]


def combinations(lists: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of the values of some settings, by name.

    Args:
        lists: values of each setting; without any there is one combination, of nothing.
    """
    return (dict(zip(lists, values)) for values in itertools.product(*lists.values()))


def search_frame(searches: Sequence[Tuned]) -> pd.DataFrame:
    """What each row was tuned over and to, as text; a line a search.

    Args:
        searches: searches over one data set.
    """
    return pd.DataFrame([_line(each) for each in searches]).set_index("")


def _line(tuned: Tuned) -> dict[str, str]:
    search, runs = tuned.search, tuned.chosen
    _, scores = validation([record for _, record in tuned.done])
    known = [score for score in scores if math.isfinite(score)]
    return {
        "": search.label,
        "searched": "; ".join(
            f"{name} {', '.join(map(str, values))}"
            for name, values in search.trials[0].searched.items()
        ),
        "trials": f"{len(scores)} of {len(search.trials)}",
        "chosen": named({name: runs[0].settings[name] for name in runs[0].searched})
        if runs
        else f"nothing: {tuned.undecided}",
        "validation, best": f"{max(known):.4f}" if known else "–",
        "validation, worst": f"{min(known):.4f}" if known else "–",
    }


def search_csv(searches: Sequence[Tuned]) -> pd.DataFrame:
    """Every trial that is done: row, seed, settings tried, validation score, epochs.

    Args:
        searches: searches over one data set.
    """
    lines = []
    for each in searches:
        metric, scores = validation([record for _, record in each.done])
        lines += [
            {
                "row": each.search.label,
                "seed": spec.seed,
                "tried": named(spec.varied),
                "valid_metric": metric,
                "validation": score,
                "epochs": len(record.facts["curve"]),
            }
            for (spec, record), score in zip(each.done, scores)
        ]
    return pd.DataFrame(lines)


def named(values: dict[str, Any]) -> str:
    """Settings and their values in a line.

    Example:
        >>> named({"delta_max": 0.3, "n_layers": 1})
        'delta_max 0.3, n_layers 1'
    """
    return ", ".join(f"{name} {value}" for name, value in values.items())
