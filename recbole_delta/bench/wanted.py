"""What a bench's report is to show, and what its runs must compute for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from dataset_prep.errors import DeltaError, check_options
from recbole_delta.evaluator.metrics import GAINS
from recbole_delta.evaluator.recbole_metrics import check_valid_metric, wanted_metrics

REPORT_KEYS = ("title", "metrics", "reference", "baseline", "notes")
"""Keys of a bench file's ``report``."""


def read_report(given: Any) -> dict[str, Any]:
    """A bench file's ``report``, checked.

    Args:
        given: what the file says; None where it says nothing.

    Returns:
        its values, with ``metrics`` in lower case.

    Raises:
        DeltaError: it asks for something that does not exist.

    Example:
        >>> read_report({"title": "Mine", "metrics": ["NDCG@10", "recall@20"]})
        {'title': 'Mine', 'metrics': ['ndcg@10', 'recall@20']}
    """
    report = dict(given or {})
    check_options("report", report, REPORT_KEYS)
    metrics = report.get("metrics", ["ndcg@10", "hit@10"])
    if not isinstance(metrics, list) or not metrics:
        raise DeltaError(f"report: metrics must be a list, as [ndcg@10], but is {metrics!r}.")
    for metric in metrics:
        if not re.fullmatch(rf"({'|'.join(GAINS)})@[1-9]\d*", str(metric).lower()):
            raise DeltaError(
                f"report: metrics are such as ndcg@10, of {', '.join(GAINS)}, but {metric!r} is "
                "none."
            )
    return {**report, "metrics": list(dict.fromkeys(metric.lower() for metric in metrics))}


def cutoffs(metrics: Sequence[str]) -> list[int]:
    """The k of metrics such as ``ndcg@10``, each once, in order."""
    return sorted({int(metric.split("@")[1]) for metric in metrics})


def lacking(config: Any, metrics: Sequence[str]) -> dict[str, Any]:
    """What a run's settings need besides, to compute the report's metrics and its validation's k.

    Args:
        config: RecBole's ``Config`` of the run.
        metrics: metrics of the report, such as ``ndcg@10``.

    Returns:
        ``metrics`` and ``topk`` as they should be; each only where something is missing.

    Raises:
        DeltaError: the run's ``metrics`` or ``valid_metric`` do not exist.
    """
    computed, topk = wanted_metrics(config["metrics"]), config["topk"]
    valid_metric = config["valid_metric"].lower()
    more = [name for each in metrics if (name := each.split("@")[0]) not in computed]
    validated = [valid_metric] if re.fullmatch(r"[^@]+@[1-9]\d*", valid_metric) else []
    wanted = sorted({*topk, *cutoffs([*metrics, *validated])})
    check_valid_metric(valid_metric, [*computed, *more], wanted)
    found: dict[str, Any] = {}
    if more:
        found["metrics"] = [*config["metrics"], *dict.fromkeys(more)]
    if set(wanted) > set(topk):
        found["topk"] = wanted
    return found
