"""How groups, metrics and modes are called in tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recbole_delta.evaluator.metrics import metric_key

COLUMNS = ("cold", "warm", "total")
"""Groups of test cases, in the order of a table."""

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


_PAST = {"keep": "kept", "drop": "dropped"}
