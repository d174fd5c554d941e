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
    """Evaluations as a Markdown table: a line for each mode, a column for each metric and group.

    Args:
        modes: JSON values of :meth:`recbole_delta.evaluator.evaluate.Evaluation.as_json`.

    Example:
        >>> metrics = {"ndcg@10": 0.5, "ndcg_warm@10": 0.5}
        >>> mode = {"candidates": "all", "cold_history": "keep", "embeds_cold_items": True}
        >>> print(result_table([{**mode, "metrics": metrics}]))
        | mode                         |   ndcg@10 |   ndcg_warm@10 |
        |------------------------------|-----------|----------------|
        | all items, cold history kept |    0.5000 |         0.5000 |
    """
    lines = [{"mode": mode_note(mode), **mode["metrics"]} for mode in modes]
    return tabulate(lines, headers="keys", tablefmt="github", floatfmt=".4f", missingval=NOTHING)


_PAST = {"keep": "kept", "drop": "dropped"}
