"""Coverage@10: how much of the catalogue is recommended to anybody."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recbole_delta.audit.finding import NOTE, Finding, some
from recbole_delta.bench.comparison.compare import Comparison, Row


def coverage(row: Row, group: str) -> float:
    """Distinct items in the top 10 of the test cases, by the candidates of their group.

    Args:
        row: row of a bench.
        group: ``cold`` or ``warm``.

    Returns:
        mean over the seeds; NaN where a record does not hold what was recommended, or the data have
        no such item.
    """
    n_warm = len(row.records[0].cases.item_train_count)
    members = slice(n_warm, None) if group == "cold" else slice(0, n_warm)
    counts = [each.recommended for each in row.records]
    shares = [
        np.nan if c is None or not c[members].size else (c[members] > 0).mean() for c in counts
    ]
    return float(np.mean(shares))


def unknown_coverage(comparison: Comparison) -> Iterator[Finding]:
    """Records that do not hold what was recommended.

    Args:
        comparison: rows of a data set.
    """
    records = [(row.label, each) for row in comparison.rows for each in row.records]
    lacking = [label for label, each in records if each.recommended is None]
    if lacking:
        yield Finding(
            NOTE,
            "coverage unknown",
            f"{len(lacking)} of {len(records)} records are older than the counts of recommended "
            "items: their rows have no coverage@10 (–).",
            len(lacking),
            some(lacking),
        )
