"""What no bench file may ask for, said before anything runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from dataset_prep.errors import DeltaError, text
from recbole_delta.bench.plan.spec import Spec

ELSEWHERE = {
    "model": "it stands beside the settings, and another model is another row",
    "seed": "list them under seeds",
    "dataset": "list them under datasets",
    "data_path": "it stands at the top of the file",
    "nproc": "each run is one process, and --workers says how many at a time",
}
"""Settings that a row cannot have, and what to do instead."""

TABLE_ENDINGS = (
    "dial",
    "differences",
    "draws",
    "frontier",
    "intervals",
    "matched",
    "regret",
    "search",
)
"""What the names of a report's tables end in, after that of the data set and a dash."""


def check_settings(label: str, *settings: Iterable[str]) -> None:
    """Refuse settings that a row cannot have.

    Args:
        label: the row's, for messages.
        settings: names of settings that hold for it.

    Raises:
        DeltaError: with what to do instead.
    """
    for name in {each for names in settings for each in names} & ELSEWHERE.keys():
        raise DeltaError(f"{label}: {name} is no setting of a row: {ELSEWHERE[name]}.")


def check_labels(what: str, values: Mapping[Any, Any]) -> None:
    """Refuse names that a YAML takes for something else than text, and what is no mapping below.

    Args:
        what: the key of the file.
        values: its values by name.

    Raises:
        DeltaError: with the name.
    """
    for name, value in values.items():
        if not isinstance(name, str):
            raise DeltaError(f"{what}: the name {name!r} is no text; quote it in the YAML.")
        if not name or not name.isprintable():
            raise DeltaError(f"{what}: the name {name!r} must be one line of text.")
        if not isinstance(value, (Mapping, type(None))):
            raise DeltaError(f"{what}: {name} must hold settings, but is {value!r}.")


def check_text(values: Mapping[str, Any], *names: str) -> None:
    """Refuse what is no text where a text belongs; what is not there, or None, is left out.

    Args:
        values: values by name.
        names: names of those that must be text.

    Raises:
        DeltaError: with the first of them.
    """
    for name in names:
        if values.get(name) is not None:
            text(name, values[name])


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse a seed that stands there twice: its runs are one and the same.

    Raises:
        DeltaError: with the seed.
    """
    for seed in _repeated(seeds):
        raise DeltaError(f"seeds: {seed} is there twice; a run says nothing twice.")


def check_values(label: str, lists: Mapping[str, Sequence[Any]]) -> None:
    """Refuse a value that a setting varies over twice.

    Args:
        label: the row's, for messages.
        lists: values by the setting's name.

    Raises:
        DeltaError: with the value.
    """
    for name, values in lists.items():
        for value in _repeated([json.dumps(each, default=str) for each in values]):
            raise DeltaError(f"models: {label} has {value} twice for {name}.")


def check_rows(specs: Iterable[Spec], searches: Iterable[tuple[str, str]]) -> None:
    """Refuse two rows of one name, which would be averaged as seeds of one.

    Args:
        specs: runs of rows that are settled.
        searches: labels and data sets of rows that are tuned.

    Raises:
        DeltaError: with the name.
    """
    runs = [(spec.label, spec.dataset, spec.seed) for spec in specs]
    both = {run[:2] for run in runs} & set(searches)
    for label, *_ in [*_repeated(runs), *both]:
        raise DeltaError(f"models: two rows are called {label!r}; rename one.")


def check_report(report: Mapping[str, Any], labels: Collection[str], rows: Collection[str]) -> None:
    """Refuse a reference or baseline that is no row.

    Args:
        report: the file's ``report``.
        labels: rows that the reference may be.
        rows: rows that the baseline may be, which does not vary a setting.

    Raises:
        DeltaError: with the rows that there are.
    """
    for key, known in (("reference", labels), ("baseline", rows)):
        if report.get(key) is not None and report[key] not in known:
            raise DeltaError(
                f"report: {key} {report[key]!r} is none of {', '.join(map(str, known))}."
            )


def check_dataset_names(names: Collection[str]) -> None:
    """Refuse two data sets whose tables would be files of one name.

    Raises:
        DeltaError: with both names.
    """
    for name in names:
        for ending in TABLE_ENDINGS:
            if f"{name}-{ending}" in names:
                raise DeltaError(
                    f"datasets: the tables of {name} and {name}-{ending} would have the same "
                    "names; prepare one under another."
                )


def _repeated(values: Iterable[Any]) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]
