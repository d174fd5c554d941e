"""How groups, metrics and modes are called in tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from recbole_delta.evaluator.metrics import metric_key

COLUMNS = ("cold", "warm", "total")
"""Groups of test cases, in the order of a table."""

NOTHING = "–"
"""Stands where a group has no target, and so no value."""

COLOURS = {"cold": "#3b75af", "warm": "#e08214", "total": "#7f7f7f"}
"""Colour of each group in pictures."""


def group_key(metric: str, group: str) -> str:
    """Key of a metric over a group: ``ndcg_cold@10`` for ``ndcg@10`` and ``cold``."""
    name, k = metric.split("@")
    return metric_key(name, group, int(k))


def metric_label(metric: str) -> str:
    """Label of a metric: ``NDCG@10`` for ``ndcg@10``, ``Hit@10`` for ``hit@10``."""
    name, k = metric.split("@")
    return f"{'Hit' if name == 'hit' else name.upper()}@{k}"


def counted(number: int, noun: str) -> str:
    """A number of things in words.

    Args:
        number: how many there are.
        noun: what one of them is called.

    Example:
        >>> counted(1, "epoch"), counted(2, "epoch")
        ('1 epoch', '2 epochs')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def mode_note(evaluation: Mapping[str, Any]) -> str:
    """What was recommended, in a few words for a table's column.

    Args:
        evaluation: JSON values of :meth:`recbole_delta.evaluator.evaluate.Evaluation.as_json`.
    """
    if not evaluation["embeds_cold_items"]:
        return "warm items, cold history dropped"
    return f"{evaluation['candidates']} items, cold history {_PAST[evaluation['cold_history']]}"


def result_table(modes: Sequence[Mapping[str, Any]]) -> str:
    """Evaluations as a Markdown table: a line for each mode and metric, a column for each group.

    Modes that are one for a model, such as those of a model that knows no cold item, have one line.

    Args:
        modes: JSON values of :meth:`recbole_delta.evaluator.evaluate.Evaluation.as_json`.

    Example:
        >>> metrics = {"ndcg@10": 0.5, "ndcg_warm@10": 0.6, "hit@10": 0.8, "hit_warm@10": 0.9}
        >>> mode = {"candidates": "all", "cold_history": "keep", "embeds_cold_items": True}
        >>> print(result_table([{**mode, "metrics": metrics}]))
        | mode                         | metric   |   total |   warm |
        |------------------------------|----------|---------|--------|
        | all items, cold history kept | NDCG@10  |  0.5000 | 0.6000 |
        | all items, cold history kept | Hit@10   |  0.8000 | 0.9000 |
    """
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for mode in modes:
        for key, value in mode["metrics"].items():
            name, k = key.split("@")
            name, _, group = name.partition("_")
            of = mode_note(mode), metric_label(f"{name}@{k}")
            line = lines.setdefault(of, dict(zip(("mode", "metric"), of)))
            line[group.replace("_", " ") or "total"] = value
    shown = list(lines.values())
    return tabulate(shown, headers="keys", tablefmt="github", floatfmt=".4f", missingval=NOTHING)


_PAST = {"keep": "kept", "drop": "dropped"}
