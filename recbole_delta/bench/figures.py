"""A comparison as pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from recbole_delta.bench.compare import Comparison, Row
from recbole_delta.bench.summary import bars
from recbole_delta.evaluator.labels import COLOURS, COLUMNS, metric_label

BUCKETS = (*range(1, 10), 10, 20, 50)
"""Smallest training counts of the groups by frequency; cold targets are a group before them."""


def overview(comparison: Comparison, metric: str, title: str) -> Figure:
    """Bars of a metric, cold, warm and total side by side for each row.

    Args:
        comparison: rows of one data set.
        metric: metric and k, such as ``ndcg@10``.
        title: title of the figure.
    """
    rows = [row for row in comparison.rows if row.records and not row.spec.varied]
    rows = rows or [row for row in comparison.rows if row.records]
    values = {row.label: {g: row.values(metric, g) for g in COLUMNS} for row in rows}
    return bars(values, metric_label(metric), title)


def sweeps(comparison: Comparison, metric: str, title: str) -> dict[str, Figure]:
    """A metric against each setting that an entry varies, a line a group, one panel an entry.

    The band is the standard deviation over seeds; each group has its own scale. The other rows are
    dotted lines.

    Args:
        comparison: rows of one data set.
        metric: metric and k, such as ``ndcg@10``.
        title: title of the figures.

    Returns:
        figures by the setting's name.
    """
    entries: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in comparison.rows:
        if row.records and len(row.spec.varied) == 1 and _number(*row.spec.varied.values()):
            [name] = row.spec.varied
            entries[name][row.spec.entry].append(row)
    others = [row for row in comparison.rows if row.records and not row.spec.varied]
    return {
        name: _sweep(name, lines, others, metric, title)
        for name, lines in entries.items()
        if max(map(len, lines.values())) > 1
    }


def _sweep(
    name: str, lines: dict[str, list[Row]], others: list[Row], metric: str, title: str
) -> Figure:
    groups = [
        g for g in COLUMNS if not np.isnan(next(iter(lines.values()))[0].values(metric, g)[0])
    ]
    figure, panels = _panels(len(groups), title)
    for axes, group in zip(panels, groups):
        for number, (entry, rows) in enumerate(lines.items()):
            rows = sorted(rows, key=lambda row: row.spec.varied[name])
            place = [row.spec.varied[name] for row in rows]
            mean, std = (_over_seeds(rows, metric, group, f) for f in (np.mean, _spread))
            colour = COLOURS[group] if len(lines) == 1 else f"C{number}"
            axes.plot(place, mean, marker="o", color=colour, label=entry)
            axes.fill_between(place, mean - std, mean + std, color=colour, alpha=0.2, linewidth=0)
        for number, row in enumerate(others):
            level = float(row.values(metric, group).mean())
            axes.axhline(level, linestyle=":", color=f"C{number + 4}", label=row.label)
        axes.set_title(group, fontsize=10)
        axes.set_xlabel(name)
        axes.set_ylabel(metric_label(metric))
    panels[-1].legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def by_frequency(comparison: Comparison, metric: str, baseline: str | None, title: str) -> Figure:
    """A metric against the target's training rows; beside it, relative to the baseline.

    It shows the rows that have the baseline's model, and those that are not trained.

    Args:
        comparison: rows of one data set.
        metric: metric and k, such as ``ndcg@10``.
        baseline: label of a row, or None.
        title: title of the figure.
    """
    rows = [row for row in comparison.rows if row.records and not row.spec.varied]
    models = {row.spec.model for row in rows if row.label == baseline}
    rows = (
        [row for row in rows if row.spec.model in models or not row.records[0].facts["curve"]]
        if models
        else rows
    )
    count = comparison.cases.train_count
    names, masks = _buckets(count, cold=True)
    values = {row.label: [row.gains(metric)[mask].mean() for mask in masks] for row in rows}
    figure, panels = _panels(2 if baseline in values else 1, title)
    place = np.arange(len(names))
    labels = [f"{name}\n{mask.sum()}" for name, mask in zip(names, masks)]
    for number, (label, line) in enumerate(values.items()):
        panels[0].plot(place, line, marker=".", color=f"C{number}", label=label)
        if baseline in values and label != baseline:
            gain = np.subtract(line, values[baseline])
            panels[1].plot(place, gain, marker=".", color=f"C{number}", label=label)
    for axes in panels:
        axes.set_xticks(place, labels, fontsize=7)
        axes.set_xlabel("training rows of the target, and number of targets")
    panels[0].set_ylabel(metric_label(metric))
    if baseline in values:
        panels[1].axhline(0, color="0.3", linewidth=0.8)
        panels[1].set_ylabel(f"{metric_label(metric)} less that of {baseline}")
    panels[-1].legend(
        *panels[0].get_legend_handles_labels(),
        fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5),
    )  # fmt: skip
    return figure


def drift(comparison: Comparison, title: str) -> Figure | None:
    """cos(content, embedding) of warm items against their training rows: median, and 5% to 95%.

    Args:
        comparison: rows of one data set.
        title: title of the figure.

    Returns:
        the figure; None where no row has deltas.
    """
    rows = [row for row in comparison.rows if row.records and row.records[0].drift is not None]
    rows = [row for row in rows if not row.spec.varied] or rows
    if not rows:
        return None
    names, masks = _buckets(comparison.cases.item_train_count, cold=False)
    figure, [axes] = _panels(1, title)
    place = np.arange(len(names))
    for number, row in enumerate(rows):
        cosine = np.stack([each.drift for each in row.records]).mean(0, dtype=np.float64)  # type: ignore[misc]
        low, middle, high = (
            [np.quantile(cosine[mask], q) for mask in masks] for q in (0.05, 0.5, 0.95)
        )
        axes.plot(place, middle, marker=".", color=f"C{number}", label=row.label)
        axes.fill_between(place, low, high, color=f"C{number}", alpha=0.15, linewidth=0)
    axes.set_xticks(place, names, fontsize=7)
    axes.set_xlabel("training rows of the item")
    axes.set_ylabel("cos(content, embedding)")
    axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _buckets(count: np.ndarray, cold: bool) -> tuple[list[str], list[np.ndarray]]:
    """Names and masks of the groups by training count that are not empty."""
    ends = [*BUCKETS[1:], np.inf]
    found = [("cold", count == 0)] if cold else []
    for start, end in zip(BUCKETS, ends):
        name = str(start) if end == start + 1 else f"{start}–{end - 1:.0f}"
        found.append((name if np.isfinite(end) else f"{start}+", (count >= start) & (count < end)))
    found = [(name, mask) for name, mask in found if mask.any()]
    return [name for name, _ in found], [mask for _, mask in found]


def _panels(n: int, title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(5.6 * n + 1.6, 3.8), layout="constrained")
    panels = figure.subplots(1, n, squeeze=False)[0]
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10)
    return figure, panels


def _over_seeds(
    rows: Sequence[Row], metric: str, group: str, function: Callable[[np.ndarray], Any]
) -> np.ndarray:
    return np.array([function(row.values(metric, group)) for row in rows])


def _spread(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
