"""Frontiers as a picture: cold against warm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure

from recbole_delta.bench.comparison.frontier_mean import MeanFrontier
from recbole_delta.bench.comparison.frontier_rows import Frontiers, embeds_cold_items
from recbole_delta.bench.report.canvas import stacked
from recbole_delta.bench.report.palette import Look, row_looks
from recbole_delta.evaluator.labels import metric_label


def frontier_figure(
    curves: Mapping[str, MeanFrontier],
    points: Mapping[str, tuple[float, float]],
    uncalibrated: Mapping[str, tuple[float, float]],
    looks: Mapping[str, Look],
    unit: str,
    title: str,
) -> Figure:
    """Cold against warm: a curve for each row, and a marker where the model stands.

    Args:
        curves: frontiers by row; a row without one has its marker alone.
        points: cold and warm value of each row as it was run.
        uncalibrated: the same without the offset that calibration has chosen, a hollow marker.
        looks: how each row is drawn.
        unit: name of the metric, such as ``NDCG@10``.
        title: title of the figure.
    """
    keys = {
        name: looks[name].key(**({} if name in curves else {"linestyle": ""})) for name in points
    }
    if uncalibrated:
        look = looks[next(iter(uncalibrated))]
        keys["without its constant"] = look.key(linestyle="", markerfacecolor="none")
    figure, [axes] = stacked(1, 4.0, title, keys)
    for name, (cold, warm) in points.items():
        look = looks[name]
        if name in curves:
            axes.plot(*curves[name].drawn(), **look.style | {"marker": ""})
        dot = look.style | {"linestyle": ""}
        axes.plot(warm, cold, **dot, label=name, clip_on=False, zorder=3)
        if name in uncalibrated:
            cold, warm = uncalibrated[name]
            axes.plot(warm, cold, **dot, markerfacecolor="white", zorder=2.5)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"{unit} warm")
    axes.set_ylabel(f"{unit} cold")
    return figure


def frontiers_of_rows(frontiers: Frontiers, title: str) -> Figure:
    """The frontiers of a comparison; rows that vary a setting only where there are no others.

    Args:
        frontiers: frontiers of which at least one row has some.
        title: title of the figure.
    """
    rows = [row for row in frontiers.comparison.rows if row.label in frontiers.curves]
    rows = [row for row in rows if not row.spec.varied] or rows
    curves = {row.label: frontiers.curves[row.label] for row in rows if embeds_cold_items(row)}
    points = {
        row.label: (
            float(row.values(frontiers.metric, "cold").mean()),
            float(row.values(frontiers.metric, "warm").mean()),
        )
        for row in rows
    }
    plain = {
        row.label: uncalibrated_point(frontiers.curves[row.label], said)
        for row in rows
        if (said := [each.calibration for each in row.records if each.calibration])
    }
    looks = row_looks(frontiers.comparison.rows)
    unit = metric_label(frontiers.metric)
    return frontier_figure(curves, points, plain, looks, unit, title)


def uncalibrated_point(
    mean: MeanFrontier, calibrations: Sequence[Mapping[str, Any]]
) -> tuple[float, float]:
    """Cold and warm value of calibrated runs without the offsets that were chosen.

    Args:
        mean: frontiers of the runs as they were, offsets included.
        calibrations: how each was chosen.
    """
    both = [curve.at(-said["offset"]) for curve, said in zip(mean.curves, calibrations)]
    return fmean(cold for cold, _ in both), fmean(warm for _, warm in both)
