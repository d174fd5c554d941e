"""A comparison as pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recbole_delta.bench.comparison.compare import Comparison, Row
from recbole_delta.bench.report.canvas import stacked
from recbole_delta.bench.report.palette import Look, row_looks
from recbole_delta.bench.report.summary import bars
from recbole_delta.evaluator.labels import COLUMNS, metric_label

BUCKETS = (*range(1, 10), 10, 20, 50)
"""Smallest training counts of the groups by frequency; cold targets are a group before them."""

FEW = 30
"""A mean over fewer test targets than these is drawn faint and hollow."""


def _shown(comparison: Comparison) -> list[Row]:
    """The rows with a record that do not vary a setting; all where there is none."""
    ran = list(comparison.ran.values())
    return [row for row in ran if not row.spec.varied] or ran


def overview(comparison: Comparison, metric: str, title: str) -> Figure:
    """Bars of a metric, cold, warm and total one below the other for each row.

    Args:
        comparison: rows of one data set.
        metric: metric and k, such as ``ndcg@10``.
        title: title of the figure.
    """
    rows = _shown(comparison)
    values = {row.label: {g: row.values(metric, g) for g in COLUMNS} for row in rows}
    return bars(values, metric_label(metric), title)


def sweeps(comparison: Comparison, metric: str, title: str) -> dict[str, Figure]:
    """A metric against each setting that an entry varies, a line an entry, one panel a group.

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
    looks = row_looks(comparison.rows)
    return {
        name: _sweep(name, lines, others, looks, metric, title)
        for name, lines in entries.items()
        if max(map(len, lines.values())) > 1
    }


def _sweep(
    name: str,
    lines: dict[str, list[Row]],
    others: list[Row],
    looks: Mapping[str, Look],
    metric: str,
    title: str,
) -> Figure:
    groups = [
        g for g in COLUMNS if not np.isnan(next(iter(lines.values()))[0].values(metric, g)[0])
    ]
    level = {"linestyle": ":", "marker": ""}
    keys = {entry: looks[entry].key() for entry in lines}
    keys |= {row.label: looks[row.label].key(**level) for row in others}
    figure, panels = stacked(len(groups), 2.2, title, keys)
    for axes, group in zip(panels, groups):
        for entry, rows in lines.items():
            rows = sorted(rows, key=lambda row: row.spec.varied[name])
            place = [row.spec.varied[name] for row in rows]
            mean, std = (_over_seeds(rows, metric, group, f) for f in (np.mean, _spread))
            look = looks[entry]
            axes.plot(place, mean, **look.style, label=entry)
            axes.fill_between(
                place, mean - std, mean + std, color=look.colour, alpha=0.2, linewidth=0
            )
        for row in others:
            style = looks[row.label].style | level
            axes.axhline(float(row.values(metric, group).mean()), **style, label=row.label)
        axes.set_ylabel(f"{metric_label(metric)} {group}")
    panels[-1].set_xlabel(name)
    return figure


def by_frequency(comparison: Comparison, metric: str, baseline: str | None, title: str) -> Figure:
    """A metric against the target's training rows; below it, relative to the baseline.

    It shows the rows that have the baseline's model, and those that are not trained. Where a group
    has fewer than :data:`FEW` targets, markers are hollow and lines faint.

    Args:
        comparison: rows of one data set.
        metric: metric and k, such as ``ndcg@10``.
        baseline: label of a row, or None.
        title: title of the figure.
    """
    rows = _shown(comparison)
    models = {row.spec.model for row in rows if row.label == baseline}
    rows = (
        [row for row in rows if row.spec.model in models or not row.records[0].facts["curve"]]
        if models
        else rows
    )
    names, masks = _buckets(comparison.cases.train_count, cold=True)
    sizes = np.array([mask.sum() for mask in masks])
    values = {row.label: np.array([row.gains(metric)[m].mean() for m in masks]) for row in rows}
    looks = {label: look for label, look in row_looks(comparison.rows).items() if label in values}
    keys = {label: looks[label].key() for label in values}
    figure, panels = (
        stacked(2, 3.0, title, keys) if baseline in values else stacked(1, 3.8, title, keys)
    )
    for label, line in values.items():
        _with_few(panels[0], line, sizes, looks[label], label)
        if baseline in values and label != baseline:
            _with_few(panels[1], line - values[baseline], sizes, looks[label], label)
    panels[0].set_ylabel(metric_label(metric))
    if baseline in values:
        panels[1].axhline(0, color="0.5", linewidth=0.8)
        panels[1].set_ylabel(f"less that of {baseline}")
    hollow = f"\nhollow: fewer than {FEW} targets" if sizes.min() < FEW else ""
    _name_groups(panels[-1], [f"{name} ({size:,})" for name, size in zip(names, sizes)])
    panels[-1].set_xlabel(f"training rows of the target (number of targets){hollow}")
    return figure


def _with_few(axes: Axes, line: np.ndarray, sizes: np.ndarray, look: Look, label: str) -> None:
    """A line a group of targets; what joins or is a group of few is faint, its marker hollow."""
    place, few = np.arange(len(line)), sizes < FEW
    axes.plot(place, line, **look.style | {"marker": ""}, alpha=0.4, label=label)
    axes.plot(place, np.where(few, np.nan, line), **look.style)
    hollow = look.style | {"linestyle": "", "markerfacecolor": "white"}
    axes.plot(place[few], line[few], **hollow)


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
    looks = row_looks(comparison.rows)
    names, masks = _buckets(comparison.cases.item_train_count, cold=False)
    figure, [axes] = stacked(1, 3.4, title, {row.label: looks[row.label].key() for row in rows})
    place = np.arange(len(names))
    for row in rows:
        look = looks[row.label]
        cosine = np.stack([each.drift for each in row.records]).mean(0, dtype=np.float64)  # type: ignore[misc]
        low, middle, high = (
            [np.quantile(cosine[mask], q) for mask in masks] for q in (0.05, 0.5, 0.95)
        )
        axes.plot(place, middle, **look.style, label=row.label)
        axes.fill_between(place, low, high, color=look.colour, alpha=0.12, linewidth=0)
    _name_groups(axes, names)
    axes.set_xlabel("training rows of the item")
    axes.set_ylabel("cos(content, embedding)")
    return figure


def _name_groups(axes: Axes, names: list[str]) -> None:
    """Names upright below the axis: a dozen do not fit side by side."""
    axes.set_xticks(np.arange(len(names)), names, rotation=90)


def _buckets(count: np.ndarray, cold: bool) -> tuple[list[str], list[np.ndarray]]:
    """Names and masks of the groups by training count that are not empty."""
    ends = [*BUCKETS[1:], np.inf]
    found = [("cold", count == 0)] if cold else []
    for start, end in zip(BUCKETS, ends):
        name = str(start) if end == start + 1 else f"{start}–{end - 1:.0f}"
        found.append((name if np.isfinite(end) else f"{start}+", (count >= start) & (count < end)))
    found = [(name, mask) for name, mask in found if mask.any()]
    return [name for name, _ in found], [mask for _, mask in found]


def _over_seeds(
    rows: Sequence[Row], metric: str, group: str, function: Callable[[np.ndarray], Any]
) -> np.ndarray:
    return np.array([function(row.values(metric, group)) for row in rows])


def _spread(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
