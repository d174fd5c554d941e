"""The result of a comparison as people read it: a table and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from tabulate import tabulate

from dataset_prep.files import replacing
from recbole_delta.bench.report.canvas import DPI, stacked
from recbole_delta.evaluator.labels import COLOURS, COLUMNS, group_key, metric_label

Values = Mapping[str, Sequence[Mapping[str, float]]]
"""Metrics of each model, one mapping a seed."""


def comparison_table(values: Values, notes: Mapping[str, str], metrics: Sequence[str]) -> str:
    """A Markdown table: a row for each model, cold, warm and total of each metric, mean ± std.

    Args:
        values: metrics of each model, one mapping a seed, as :attr:`RunResult.test_result`.
        notes: what each model recommended (its evaluation mode).
        metrics: metrics and k, such as ``["ndcg@10", "hit@10"]``.

    Example:
        >>> runs = [{"mrr_cold@5": 0.1, "mrr_warm@5": 0.3, "mrr@5": 0.2},
        ...         {"mrr_cold@5": 0.1, "mrr_warm@5": 0.4, "mrr@5": 0.25}]
        >>> print(comparison_table({"delta": runs}, {"delta": "all items"}, ["mrr@5"]))
        | model   | MRR@5 cold      | MRR@5 warm      | MRR@5 total     | mode      |
        |---------|-----------------|-----------------|-----------------|-----------|
        | delta   | 0.1000 ± 0.0000 | 0.3500 ± 0.0707 | 0.2250 ± 0.0354 | all items |
    """
    header = [
        "model",
        *(f"{metric_label(m)} {group}" for m in metrics for group in COLUMNS),
        "mode",
    ]
    rows = [
        [model, *(_cell(runs, m, group) for m in metrics for group in COLUMNS), notes[model]]
        for model, runs in values.items()
    ]
    return tabulate(rows, header, tablefmt="github", disable_numparse=True)


def comparison_figure(values: Values, metric: str, title: str, path: Path) -> None:
    """Write a picture of a comparison: cold, warm and total of a metric for each model.

    Args:
        values: metrics of each model, one mapping a seed.
        metric: metric and k, such as ``ndcg@10``.
        title: title of the picture.
        path: path of the file, whose ending says its format.

    Raises:
        DeltaError: the file cannot be written.
    """
    grouped = {
        model: {g: np.array([run[group_key(metric, g)] for run in runs]) for g in COLUMNS}
        for model, runs in values.items()
    }
    save_figure(bars(grouped, metric_label(metric), title), path)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all.

    Args:
        figure: the figure.
        path: path of the file, whose ending says its format.

    Raises:
        DeltaError: the file cannot be written.
    """
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format=path.suffix[1:])


def bars(values: Mapping[str, Mapping[str, np.ndarray]], unit: str, title: str) -> Figure:
    """Cold, warm and total below each other for each row; lines are deviations over seeds.

    Args:
        values: ``[seeds]`` values by row and group.
        unit: label of the horizontal axis.
        title: title of the figure.
    """
    keys = {group: Line2D([], [], color=COLOURS[group], linewidth=6) for group in COLUMNS}
    figure, [axes] = stacked(1, 0.6 * len(values) + 0.6, title, keys)
    place = np.arange(len(values))
    for shift, group in zip((-0.28, 0.0, 0.28), COLUMNS):
        means = [float(each[group].mean()) for each in values.values()]
        spread = [
            float(each[group].std(ddof=1)) if len(each[group]) > 1 else 0.0
            for each in values.values()
        ]
        drawn = axes.barh(
            place + shift, means, 0.27, xerr=spread if any(spread) else None,
            color=COLOURS[group],
        )  # fmt: skip
        axes.bar_label(drawn, [f"{mean:.3f}" for mean in means], padding=3)
    axes.set_yticks(place, [fill(label, 24) for label in values])
    axes.invert_yaxis()
    axes.set_xlabel(unit)
    axes.margins(x=0.15, y=0.01)
    return figure


def _cell(runs: Sequence[Mapping[str, float]], metric: str, group: str) -> str:
    values = [run[group_key(metric, group)] for run in runs]
    mean = f"{np.mean(values):.4f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.4f}"
