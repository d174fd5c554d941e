"""What a bench's report is to show, and what its runs must compute for it."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Sequence
from typing import Any

from dataset_prep.errors import DeltaError, check_options, number
from recbole_delta.evaluator.metrics import GAINS
from recbole_delta.evaluator.recbole_metrics import check_valid_metric, wanted_metrics

REPORT_KEYS = ("title", "metrics", "reference", "baseline", "notes", "published")
"""Keys of a bench file's ``report``."""
ABOUT = ("source", "setting", "row", "dataset")
"""What an entry of ``report: published`` says besides its figures."""


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
    if not isinstance(given or {}, dict):
        raise DeltaError(f"report must be settings, as in {{title: Mine}}, but is {given!r}.")
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
    report["metrics"] = list(dict.fromkeys(metric.lower() for metric in metrics))
    if "published" in report:
        report["published"] = read_published(report["published"], report["metrics"])
    return report


def read_published(given: Any, metrics: Collection[str]) -> list[dict[str, Any]]:
    """The ``published`` figures of a bench file's ``report``, checked.

    Args:
        given: what the file says: a list of mappings with ``source``, ``setting`` (may be left
            out), ``row`` and ``dataset`` of the run beside it, and figures by metric.
        metrics: metrics that the report shows, in lower case.

    Returns:
        the list, with metrics in lower case.

    Raises:
        DeltaError: an entry lacks something, or has a figure that the report does not show.

    Example:
        >>> entry = {"source": "Kang", "row": "SASRec", "dataset": "beauty", "NDCG@10": 0.05}
        >>> read_published([entry], ["ndcg@10"])[0]["ndcg@10"]
        0.05
    """
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise DeltaError("report: published must be a list of entries with source, row, dataset.")
    entries = []
    for entry in given:
        lower = {str(name).lower(): value for name, value in entry.items()}
        check_options("report: published", lower, [*ABOUT, *metrics])
        missing = [name for name in ("source", "row", "dataset") if name not in lower]
        figures = {name: value for name, value in lower.items() if name not in ABOUT}
        if missing or not figures:
            what = " and ".join(missing) or f"a figure of {', '.join(metrics)}"
            raise DeltaError(f"report: published: {entry} lacks {what}.")
        for name, value in figures.items():
            number(f"report: published: {name} of {entry}", value, least=sys.float_info.min)
        entries.append(lower)
    return entries


def check_names(
    entries: list[dict[str, Any]], labels: Collection[str], datasets: Collection[str]
) -> None:
    """Refuse an entry that stands beside no row or data set of the bench.

    Raises:
        DeltaError: with the name, and those that there are.
    """
    for entry in entries:
        for name, known in (("row", labels), ("dataset", datasets)):
            if entry[name] not in list(known):
                raise DeltaError(
                    f"report: published: {name} {entry[name]!r} is none of {', '.join(known)}."
                )


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
