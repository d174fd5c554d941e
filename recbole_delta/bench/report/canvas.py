"""A figure that reads on a phone: narrow, its panels one above the other, its legend below."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

WIDTH = 5.2
"""Inches: a phone of 390 pixels has 358 for them, which makes letters of 10 points 9.6 pixels."""
DPI = 200
"""Dots per inch of a picture's file."""

_TITLE, _LEGEND, _KEY = 54, 56, 6
"""Characters: of a line of a title, of a line of a legend, and what a sample in it takes up."""
_LINE = 0.21
"""Inches of a line of a legend or of a title."""


def stacked(
    n: int, height: float, title: str, keys: Mapping[str, Line2D]
) -> tuple[Figure, list[Axes]]:
    """A figure of ``n`` panels, one above the other, with a title and a legend.

    Letters have matplotlib's 10 points; smaller ones could not be read on a phone.

    Args:
        n: number of panels, which share their horizontal axis.
        height: inches of a panel.
        title: title of the figure.
        keys: what stands in the legend, by its text; it may be empty.

    Returns:
        the figure and its panels, from top to bottom.
    """
    heading, texts = fill(title, _TITLE), [fill(text, _LEGEND - _KEY) for text in keys]
    longest = max((len(line) for text in texts for line in text.split("\n")), default=0)
    columns = max(1, min(len(texts), _LEGEND // (longest + _KEY)))
    lines = ceil(sum(text.count("\n") + 1 for text in texts) / columns) + heading.count("\n") + 1
    figure = Figure(figsize=(WIDTH, n * height + lines * _LINE + 0.3), layout="constrained")
    panels = list(figure.subplots(n, 1, sharex=True, squeeze=False)[:, 0])
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(heading, fontsize=10)
    if texts:
        figure.legend(
            list(keys.values()), texts, loc="outside lower center", ncols=columns, frameon=False
        )
    return figure, panels
