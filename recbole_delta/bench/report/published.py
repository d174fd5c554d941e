"""Figures that others have published, and ours beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from recbole_delta.bench.comparison.compare import Comparison
from recbole_delta.bench.plan.wanted import ABOUT
from recbole_delta.bench.report import tables
from recbole_delta.evaluator.labels import metric_label


def beside(entries: list[dict[str, Any]], comparison: Comparison) -> pd.DataFrame:
    """Published figures of a data set, ours over all cases, and ours by theirs.

    Args:
        entries: checked entries of a bench file's ``report: published``.
        comparison: rows of one data set.

    Returns:
        a line for each entry of the data set whose row has run, by its source: ``setting``,
        ``ours`` (label of the row), and of each metric theirs, ours (mean over seeds) and their
        ratio, as text; empty without any.
    """
    lines = []
    for entry in entries:
        if entry["dataset"] != comparison.dataset or entry["row"] not in comparison.ran:
            continue
        line = {"": entry["source"], "setting": entry.get("setting", ""), "ours": entry["row"]}
        for metric in (name for name in entry if name not in ABOUT):
            ours = comparison.ran[entry["row"]].values(metric, "total").mean()
            name = metric_label(metric)
            line[f"{name}, theirs"] = f"{entry[metric]:.4f}"
            line[f"{name}, ours"] = f"{ours:.4f}"
            line[f"{name}, ratio"] = f"{ours / entry[metric]:.2f}"
        lines.append(line)
    return pd.DataFrame(lines).set_index("").fillna("–") if lines else pd.DataFrame()


def beside_of_several(
    entries: list[dict[str, Any]], comparisons: Mapping[str, Comparison]
) -> pd.DataFrame:
    """:func:`beside` of data sets that a report shows as one, its lines named by which.

    Args:
        entries: checked entries of a bench file's ``report: published``.
        comparisons: rows of each data set, by what tells it from the others.
    """
    found = {name: beside(entries, each) for name, each in comparisons.items()}
    found = {name: table for name, table in found.items() if len(table)}
    return tables.of_several(found).fillna("–") if found else pd.DataFrame()
