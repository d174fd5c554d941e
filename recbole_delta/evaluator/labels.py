"""How groups, metrics and modes are called in tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recbole_delta.evaluator.metrics import metric_key

COLUMNS = ("cold", "warm", "total")


COLOURS = {"cold": "#3b75af", "warm": "#e08214", "total": "#7f7f7f"}


def group_key(metric: str, group: str) -> str:
    """``ndcg@10`` and ``cold`` to ``ndcg_cold@10``."""
    name, k = metric.split("@")
    return metric_key(name, group, int(k))


def metric_label(metric: str) -> str:
    """``ndcg@10`` to ``NDCG@10``."""
    name, k = metric.split("@")
    return f"{'Hit' if name == 'hit' else name.upper()}@{k}"


def mode_note(record: Mapping[str, Any]) -> str:
    """What an evaluation recommended, in a few words for a table's column."""
    if not record["embeds_cold_items"]:
        return "warm items, cold history dropped"
    return f"{record['candidates']} items, cold history {_PAST[record['cold_history']]}"


_PAST = {"keep": "kept", "drop": "dropped"}
