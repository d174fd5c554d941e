"""The frontiers of a comparison as a table and as CSV."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recbole_delta.bench.comparison.compare import Row
from recbole_delta.bench.comparison.frontier_rows import Frontiers, embeds_cold_items
from recbole_delta.bench.report.tables import NOT_RUN, row_name
from recbole_delta.evaluator.labels import metric_label

NOT_STORED = "no frontier in its records"
"""Cell of a row whose records are older than frontiers, or of a smaller k."""
NOT_REACHED = "not reached"
"""Cell of a row that does not serve warm targets so well at any offset."""


def frontier_frame(frontiers: Frontiers) -> pd.DataFrame:
    """A line for each row with mean ± std over seeds, as text.

    Args:
        frontiers: frontiers of which at least one row has some.
    """
    rows = frontiers.comparison.rows
    named = {row.label: _cells(frontiers, row) for row in rows if row.label in frontiers.curves}
    columns = list(next(iter(named.values())))
    lines = []
    for row in rows:
        blank = NOT_STORED if row.records else NOT_RUN
        lines.append(list(named.get(row.label, dict.fromkeys(columns, blank)).values()))
    return pd.DataFrame(lines, index=[row_name(row) for row in rows], columns=columns)


def frontier_note(frontiers: Frontiers) -> str:
    """What the columns of :func:`frontier_frame` are, for the reader of a report."""
    label = metric_label(frontiers.metric)
    matched = (
        f" Cold at matched warm: cold {label} at the largest constant, one for all seeds of a row, "
        f"that keeps mean warm {label} at {frontiers.level:.4f}, that of {frontiers.reference} as "
        "run."
        if frontiers.level is not None
        else ""
    )
    return (
        "One constant added to the scores of all cold items trades cold against warm and says "
        "nothing about how well a model ranks. Within cold, within warm: the target ranked among "
        "candidates of its own group alone, which no constant changes. Best total: the largest "
        f"along the constant, found on these test targets.{matched} In the figure, a curve has the "
        "means over seeds of cold and warm at each constant, its dot is the model as run, and a "
        "hollow one the model without the constant on all cold items that calibration has chosen."
    )


def frontier_csv(frontiers: Frontiers) -> pd.DataFrame:
    """The figures themselves, unrounded: a line for each run and column of the table.

    Args:
        frontiers: frontiers of the rows.
    """
    return pd.DataFrame(
        {"dataset": frontiers.comparison.dataset, "row": row.label, "model": row.spec.model,
         "seed": record.facts["seed"], "metric": frontiers.metric, "of": name, "value": value}
        for row in frontiers.comparison.rows
        if row.label in frontiers.curves
        for name, values in frontiers.values(row).items()
        for record, value in zip(row.records, values)
    )  # fmt: skip


def _cells(frontiers: Frontiers, row: Row) -> dict[str, str]:
    missing = NOT_REACHED if embeds_cold_items(row) else "-"
    return {name: _shown(each, missing) for name, each in frontiers.values(row).items()}


def _shown(values: np.ndarray, missing: str) -> str:
    if np.isnan(values).any():
        return missing
    spread = f" ± {values.std(ddof=1):.4f}" if len(values) > 1 else ""
    return f"{values.mean():.4f}{spread}"
