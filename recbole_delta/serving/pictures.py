"""Pictures of drift from the content, and of items by content and by adapted vector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from adjustText import adjust_text
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from sklearn.manifold import TSNE

from dataset_prep.errors import DeltaError
from dataset_prep.files import replacing
from recbole_delta.evaluator.labels import COLOURS
from recbole_delta.serving.explain import Spaces

SHOWN = 2000
"""Items in the picture of the spaces, at most: more of them hide each other."""

PERPLEXITY = 30
"""Perplexity of t-SNE, at most."""
SEED = 0
"""Seed of the sample and of t-SNE."""
STEPS = 500
"""Steps, at most, in which the labels of marked items move away from each other."""
BESIDE: dict[str, Any] = {
    "fontsize": 8, "frameon": False, "loc": "center left", "bbox_to_anchor": (1, 0.5)
}  # fmt: skip
"""Where a legend stands: right of its axes."""


def write_pictures(spaces: Spaces, asked: Sequence[str], folder: Path) -> None:
    """Write ``drift.png`` and ``spaces.png``.

    Args:
        spaces: the items by content and by adapted vector.
        asked: ids of items to mark in ``spaces.png``.
        folder: path of the folder, which is made where it is missing.

    Raises:
        DeltaError: an item is not there, there are fewer than three or no warm one, or a file
            cannot be written.
    """
    figures = {"drift.png": drift(spaces), "spaces.png": both_spaces(spaces, asked)}
    for name, figure in figures.items():
        with replacing(folder / name) as temporary:
            figure.savefig(temporary, dpi=150, format="png")


def drift(spaces: Spaces) -> Figure:
    """cos(c, e) of every warm item against its training rows; the line joins the medians.

    A median is over the items with 2^i to 2^(i+1) - 1 training rows. For ‖d‖ ≤ δ_max < 1 no point
    lies below the dashed line, √(1 - δ_max²).

    Args:
        spaces: the items by content and by adapted vector.

    Raises:
        DeltaError: no warm item is recommended.
    """
    warm = spaces.listed & (spaces.train_count > 0)
    if not warm.any():
        raise DeltaError("No warm item is recommended any more, so there is no drift to draw.")
    count, cosine = spaces.train_count[warm], spaces.cosine[warm]
    bucket = np.floor(np.log2(count))
    medians = [
        (np.median(count[bucket == each]), np.median(cosine[bucket == each]))
        for each in np.unique(bucket)
    ]
    figure = Figure(figsize=(7.2, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.scatter(count, cosine, s=8, alpha=0.4, linewidths=0, color=COLOURS["warm"], label="item")
    axes.plot(*zip(*medians), marker="o", color="0.2", label="median")
    if spaces.delta_max < 1:
        bound = np.sqrt(1 - spaces.delta_max**2)
        label = f"bound by δ_max = {spaces.delta_max:g}"
        axes.axhline(bound, linestyle="--", color="0.5", label=label)
    axes.set_xscale("log")
    axes.set_xlabel("training rows of the item")
    axes.set_ylabel("cos(content, embedding)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(**BESIDE)
    return figure


def both_spaces(spaces: Spaces, asked: Sequence[str]) -> Figure:
    """Contents and adapted vectors, drawn in one plane by t-SNE: a panel each, on the same axes.

    One may read who is near whom, which items have left their neighbours by content, and whether
    warm items have moved away from cold ones; an item without a delta stands at the same place in
    both panels. One may not read sizes of groups, distances between groups, or how far an item
    has drifted, for t-SNE keeps neighbourhoods only; drift has its own picture. Where there are
    more than 2,000 items, a random sample of them is drawn, with the marked ones.

    Args:
        spaces: the items by content and by adapted vector.
        asked: ids of items to mark.

    Raises:
        DeltaError: an item is not there, or there are fewer than three.
    """
    marked = np.array([spaces.place(item) for item in dict.fromkeys(asked)], dtype=np.int64)
    shown = _sample(spaces.listed, marked)
    if len(shown) < 3:
        raise DeltaError(f"A picture of the spaces needs at least 3 items; there are {len(shown)}.")
    figure = Figure(figsize=(11.0, 5.4), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    cold = spaces.train_count[shown] == 0
    planes = _plane(spaces, shown)
    for axes, title, points in zip(panels, ("content", "adapted vectors"), planes):
        for name, mask in (("warm", ~cold), ("cold", cold)):
            axes.scatter(
                *points[mask].T, s=9, alpha=0.6, linewidths=0, color=COLOURS[name], label=name
            )
        axes.set_title(title, fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])
    panels[1].legend(markerscale=2, **BESIDE)
    # Labels find their places on axes that stay where they are.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    names = [spaces.items[item] for item in marked]
    for axes, points in zip(panels, planes):
        _mark(axes, points[np.searchsorted(shown, marked)], names)
    return figure


def _mark(axes: Axes, points: np.ndarray, names: Sequence[str]) -> None:
    """Rings around points, and their names beside them, none on another or on a ring."""
    texts = []
    for (x, y), name in zip(points, names):
        axes.plot(x, y, marker="o", markersize=8, markerfacecolor="none", color="black")
        text = axes.text(x, y, name, fontsize=9, fontweight="bold", parse_math=False)
        text.set_path_effects([withStroke(linewidth=2, foreground="white")])
        texts.append(text)
    # Limited by steps and not by seconds, which would put them elsewhere on another machine.
    adjust_text(
        texts, ax=axes, expand=(1.1, 1.4), iter_lim=STEPS,
        arrowprops={"arrowstyle": "-", "color": "black", "linewidth": 0.6, "shrinkB": 4},
    )  # fmt: skip


def _sample(listed: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """At most :data:`SHOWN` items, in order, and those that are marked in any case."""
    others = np.setdiff1d(np.flatnonzero(listed), marked)
    drawn = np.random.default_rng(SEED).permutation(others)[: max(0, SHOWN - len(marked))]
    return np.union1d(marked, drawn)


def _plane(spaces: Spaces, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points ``[n, 2]`` of contents and of adapted vectors, in one embedding.

    What has not drifted is one point for both: two equal ones would come out side by side.
    """
    drifted = spaces.delta_norm[shown] > 0
    rows = np.concatenate([spaces.content[shown], spaces.adapted[shown][drifted]])
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    plane = TSNE(perplexity=perplexity, init="pca", random_state=SEED).fit_transform(rows)
    content, moved = plane[: len(shown)], plane[len(shown) :]
    adapted = content.copy()
    adapted[drifted] = moved
    return content, adapted
