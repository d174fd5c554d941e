"""Whether the rows of a bench had the same chances: seeds, settings tried, size, epochs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence

from recbole_delta.audit.finding import WARNING, Finding, some
from recbole_delta.bench.comparison.compare import Comparison, Row

SETTINGS = (
    *("learning_rate", "weight_decay", "epochs", "stopping_step"),
    *("embedding_size", "hidden_size", "inner_size", "n_layers", "n_heads"),
    *("hidden_dropout_prob", "attn_dropout_prob", "MAX_ITEM_LIST_LENGTH"),
    *("valid_metric", "valid_candidates"),
)
"""Settings that give a row more or less than another, whatever is compared."""


def budget(comparison: Comparison) -> Iterator[Finding]:
    """Unequal budgets of the rows that are trained.

    Args:
        comparison: rows of a data set.
    """
    trained = [row for row in comparison.rows if row.is_trained]
    yield from _seeds(trained)
    yield from _tried(trained)
    for setting in SETTINGS:
        yield from _setting(trained, setting)
    for positions in ("all", "last"):  # a batch counts windows, or targets
        alike = [r for r in trained if r.records[0].facts["train_positions"] == positions]
        yield from _setting(alike, "train_batch_size")
    yield from _cut_off(trained)


def _seeds(rows: Sequence[Row]) -> Iterator[Finding]:
    by_count = _grouped({row.label: len(row.records) for row in rows})
    if len(by_count) > 1:
        yield Finding(
            WARNING,
            "unequal seeds",
            f"Rows have different numbers of seeds: {_listed(by_count)}.",
            len(by_count),
            some(_fewest(by_count)),
        )


def settings_tried(rows: Sequence[Row]) -> dict[str, int]:
    """How many combinations of settings each entry of a bench file tries.

    The best of five is a choice that the others did not have.

    Args:
        rows: rows of the entries.
    """
    entries: dict[str, int] = {}
    for row in rows:
        tried = math.prod(map(len, row.spec.searched.values()))
        entries[row.spec.entry] = entries.get(row.spec.entry, 0) + tried
    return entries


def _tried(rows: Sequence[Row]) -> Iterator[Finding]:
    by_count = _grouped(settings_tried(rows))
    if len(by_count) > 1:
        yield Finding(
            WARNING,
            "unequal tuning",
            f"Entries are there with different numbers of settings: {_listed(by_count)}.",
            len(by_count),
            some(_fewest(by_count)),
        )


def _setting(rows: Sequence[Row], setting: str) -> Iterator[Finding]:
    """A setting that differs between rows which have it, but for those that vary it."""
    given = {
        row.label: settings[setting]
        for row in rows
        if setting in (settings := row.records[0].facts["settings"])
        and setting not in {*row.spec.varied, *row.spec.searched}
    }
    by_value = _grouped({label: json.dumps(value) for label, value in given.items()})
    if len(by_value) > 1:
        yield Finding(
            WARNING,
            f"unequal {setting}",
            f"{setting} differs between rows: {_listed(by_value)}.",
            len(by_value),
            some(_fewest(by_value)),
        )


def _cut_off(rows: Sequence[Row]) -> Iterator[Finding]:
    runs = [(row.label, each.facts) for row in rows for each in row.records]
    cut = [label for label, facts in runs if len(facts["curve"]) >= facts["settings"]["epochs"]]
    if cut:
        yield Finding(
            WARNING,
            "training cut off",
            f"{len(cut)} of {len(runs)} runs ended with the last epoch that was allowed, before "
            "early stopping: more epochs might have gained.",
            len(cut),
            some(cut),
        )


def _grouped(values: Mapping[str, object]) -> dict[object, list[str]]:
    """Labels by value, the most frequent value first."""
    found: dict[object, list[str]] = {}
    for label, value in values.items():
        found.setdefault(value, []).append(label)
    return dict(sorted(found.items(), key=lambda each: (-len(each[1]), str(each[0]))))


def _listed(groups: Mapping[object, list[str]]) -> str:
    return ", ".join(f"{value} ({len(labels)}×)" for value, labels in groups.items())


def _fewest(groups: Mapping[object, list[str]]) -> list[str]:
    """Labels of all values but the most frequent."""
    return [label for labels in list(groups.values())[1:] for label in labels]
