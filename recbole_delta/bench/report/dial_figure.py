"""A dial as a picture."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from recbole_delta.bench.comparison.dial import GROUPS, Dial
from recbole_delta.bench.report.canvas import stacked
from recbole_delta.bench.report.palette import row_looks
from recbole_delta.evaluator.labels import metric_label


def dial_figure(dial: Dial, table: pd.DataFrame, metric: str, title: str) -> Figure:
    """A metric against the training rows of held-out items, a line a row, a panel a group.

    The band is the 95% interval over cases and seeds; a row with one number of shots is a point
    with a bar.

    Args:
        dial: the dial.
        table: its :func:`~recbole_delta.bench.comparison.dial.intervals` of the metric.
        metric: metric and k, such as ``ndcg@10``.
        title: title of the figure.
    """
    looks = {label: look for label, look in row_looks(dial.rows).items() if label in set(table.row)}
    keys = {label: look.key() for label, look in looks.items()}
    figure, panels = stacked(len(GROUPS), 3.0, title, keys)
    for axes, group in zip(panels, GROUPS):
        for label, look in looks.items():
            line = table[(table["row"] == label) & (table["group"] == group)]
            place, mean, low, high = line[["shots", "mean", "low", "high"]].to_numpy().T
            axes.plot(place, mean, **look.style, label=label)
            if len(line) > 1:
                axes.fill_between(place, low, high, color=look.colour, alpha=0.15, linewidth=0)
            else:
                axes.errorbar(place, mean, [mean - low, high - mean], color=look.colour, capsize=3)
        axes.set_ylabel(f"{metric_label(metric)}, {group} items")
        axes.set_ylim(bottom=0)
    # From 0 to 1 as far as from 1 to 2: a logarithm has no place for 0.
    panels[-1].set_xscale("symlog", base=2, linthresh=1, linscale=0.5)
    panels[-1].set_xticks(list(dial.by_shots), [str(shots) for shots in dial.by_shots])
    panels[-1].minorticks_off()
    panels[-1].set_xlabel("training rows of a held-out item, at most")
    return figure
