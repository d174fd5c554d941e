"""How a row is drawn: one colour, marker and line, the same in every figure of its data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.lines import Line2D

from recbole_delta.bench.comparison.compare import Row

COLOURS = (
    "#2078b7", "#ef7000", "#00a700", "#bf1868", "#9700ef", "#9f8700", "#0097f7", "#ef0000",
    "#806028", "#208f70", "#ff28ff", "#0050ff", "#87979f", "#ff388f", "#007800", "#bf78cf",
    "#b76868", "#8068ff", "#cf08bf", "#8f58a7",
)  # fmt: skip
"""Twenty colours as far from each other in OKLab as a contrast of 3 with both white and the dark
page allows, which is what WCAG asks of lines in a figure."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
"""Markers in turn, for who cannot tell two colours apart."""

LINES = ("-", "--", ":", "-.")
"""Line styles: another one whenever the colours have been used up."""


@dataclass(frozen=True)
class Look:
    """How one row is drawn.

    Attributes:
        colour: colour, as ``#rrggbb``.
        marker: matplotlib's name of the marker.
        line: matplotlib's name of the line style.
    """

    colour: str
    marker: str
    line: str

    @property
    def style(self) -> dict[str, Any]:
        """Arguments of matplotlib's ``plot``."""
        return {"color": self.colour, "marker": self.marker, "linestyle": self.line,
                "linewidth": 1.4, "markersize": 5}  # fmt: skip

    def key(self, **changes: Any) -> Line2D:
        """What stands in a legend.

        Args:
            changes: properties of the line that differ, such as ``linestyle=""``.
        """
        return Line2D([], [], **{**self.style, **changes})


def looks(names: Iterable[str]) -> dict[str, Look]:
    """A look for each name; no two of the first twenty have one colour.

    Args:
        names: names, in the order in which the looks are given out.

    Example:
        >>> found = looks(["id", "delta"])
        >>> found["delta"].colour, found["delta"].marker, found["delta"].line
        ('#ef7000', 's', '-')
    """
    return {
        name: Look(
            COLOURS[number % len(COLOURS)],
            MARKERS[number % len(MARKERS)],
            LINES[number // len(COLOURS) % len(LINES)],
        )
        for number, name in enumerate(dict.fromkeys(names))
    }


def row_looks(rows: Sequence[Row]) -> dict[str, Look]:
    """The looks of the rows of a data set by label, and of their entries that vary a setting.

    Rows of the plan come first, whether they have been run or not, so that a row keeps its colour
    while others are still to come; an entry is one line in the figure of its setting, and its rows
    are only drawn one by one where there are no others.

    Args:
        rows: all rows of the data set.
    """
    plain = [row.label for row in rows if not row.spec.varied]
    entries = [row.spec.entry for row in rows if row.spec.varied]
    return looks([*plain, *entries]) | looks(
        [*plain, *(row.label for row in rows if row.spec.varied)]
    )
