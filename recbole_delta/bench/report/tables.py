"""A comparison as tables: Markdown, LaTeX and CSV."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from recbole_delta.bench.comparison.compare import LEVEL, Comparison, Row
from recbole_delta.evaluator.labels import COLUMNS, metric_label

MARK = "†"
"""Mark of a value that differs from the reference by more than chance."""
NOT_RUN = "not run"
"""Cell of a row that has no run yet."""


@dataclass(frozen=True)
class Cell:
    """A value of a table.

    Attributes:
        mean: mean over the seeds.
        std: standard deviation over the seeds; None for one seed.
        place: 1 for the best of its column, 2 for the second, else 0.
        differs: whether it differs from the reference by more than chance.
    """

    mean: float
    std: float | None
    place: int = 0
    differs: bool = False


def cells(
    comparison: Comparison, metrics: Sequence[str], differences: pd.DataFrame | None
) -> dict[str, dict[tuple[str, str], Cell]]:
    """The cells of each row that has a run, by metric and group.

    Places go by the means as they are printed, so that equal figures look alike.

    Args:
        comparison: rows of one data set.
        metrics: metrics and k, such as ``ndcg@10``.
        differences: rows against the reference, or None.

    Returns:
        cells by the row's label, then by metric and group.
    """
    table: dict[str, dict[tuple[str, str], Cell]] = {label: {} for label in comparison.ran}
    marked = set()
    if differences is not None:
        significant = differences[differences["p_holm"] < LEVEL]
        marked = set(zip(significant["row"], significant["metric"], significant["group"]))
    for metric in metrics:
        for group in COLUMNS:
            values = {label: row.values(metric, group) for label, row in comparison.ran.items()}
            if any(np.isnan(each).any() for each in values.values()):
                continue  # the data have no such cases
            differ = {label for label in values if (label, metric, group) in marked}
            for label, cell in column(values, differ).items():
                table[label][metric, group] = cell
    return table


def column(values: Mapping[str, np.ndarray], differ: Collection[str]) -> dict[str, Cell]:
    """The cells of a column by the row's label.

    Args:
        values: ``[seeds]`` values of each row, none of them NaN.
        differ: labels of the rows that differ from the reference by more than chance.
    """
    means = {label: _printed(each) for label, each in values.items()}
    order = sorted(set(means.values()), reverse=True)
    return {
        label: Cell(
            float(each.mean()),
            float(each.std(ddof=1)) if len(each) > 1 else None,
            place if (place := order.index(means[label]) + 1) <= 2 and means[label] > 0 else 0,
            label in differ,
        )
        for label, each in values.items()
    }


def _printed(values: np.ndarray) -> float:
    return float(f"{values.mean():.4f}")


def difference(test: Any) -> dict[str, str]:
    """A difference from the reference as the last columns of a table.

    Args:
        test: line of a table of tests, with ``difference``, ``low``, ``high``, ``p``, ``p_holm``.
    """
    return {
        "difference": f"{test.difference:+.4f}",
        f"{1 - LEVEL:.0%} interval": f"{test.low:+.4f} to {test.high:+.4f}",
        "p": f"{test.p:.2g}",
        "p, Holm": f"{test.p_holm:.2g}",
    }


def differences_frame(tests: pd.DataFrame, about: Callable[[Any], dict[str, str]]) -> pd.DataFrame:
    """Differences from a reference as text, a line for each test, by its row.

    Args:
        tests: a line for each, with its ``row`` and what :func:`difference` shows.
        about: the columns before these, from a line.
    """
    lines = [about(test) | difference(test) for test in tests.itertuples()]
    return pd.DataFrame(lines, index=tests["row"].tolist())


def frame(
    comparison: Comparison,
    metrics: Sequence[str],
    differences: pd.DataFrame | None,
    shown: Callable[[Cell], str],
) -> pd.DataFrame:
    """The table with every cell as text, a column for each metric and group; rows not run say so.

    Args:
        comparison: rows of one data set.
        metrics: metrics and k, such as ``ndcg@10``.
        differences: rows against the reference, or None.
        shown: text of a cell.
    """
    table = cells(comparison, metrics, differences)
    columns = list(dict.fromkeys(column for row in table.values() for column in row))
    lines = [
        [shown(table[row.label][column]) if row.records else NOT_RUN for column in columns]
        for row in comparison.rows
    ]
    names = pd.MultiIndex.from_tuples([(metric_label(m), group) for m, group in columns])
    return pd.DataFrame(lines, index=[row_name(row) for row in comparison.rows], columns=names)


def row_name(row: Row) -> str:
    """The label of a row, and how many of its seeds have been run if not all."""
    if row.records and row.missing:
        return f"{row.label} ({len(row.records)} of {len(row.seeds)} seeds)"
    return row.label


def markdown(table: pd.DataFrame) -> str:
    """A table in GitHub's Markdown; column names of several levels are joined."""
    if isinstance(table.columns, pd.MultiIndex):
        table = table.set_axis([" ".join(column) for column in table.columns], axis=1)
    table = table.rename(index=_without_bars, columns=_without_bars).map(_without_bars)
    return table.to_markdown(disable_numparse=True)


def _without_bars(text: Any) -> str:
    """A text that ends no cell of a Markdown table."""
    return str(text).replace("|", "\\|")


def as_markdown(cell: Cell) -> str:
    """A cell in Markdown: mean ± std, the best bold, the second underlined."""
    text = f"{cell.mean:.4f}"
    text = {1: f"**{text}**", 2: f"<u>{text}</u>"}.get(cell.place, text)
    spread = "" if cell.std is None else f" ± {cell.std:.4f}"
    return text + (MARK if cell.differs else "") + spread


def as_latex(cell: Cell) -> str:
    """A cell in LaTeX: mean ± std, the best bold, the second underlined."""
    text = f"{cell.mean:.4f}"
    text = {1: rf"\textbf{{{text}}}", 2: rf"\underline{{{text}}}"}.get(cell.place, text)
    spread = "" if cell.std is None else rf" {{\scriptsize $\pm$ {cell.std:.4f}}}"
    return text + (r"$^\dagger$" if cell.differs else "") + spread


def as_html(cell: Cell) -> str:
    """A cell in HTML: mean ± std, the best bold, the second underlined."""
    text = f"{cell.mean:.4f}"
    text = {1: f"<b>{text}</b>", 2: f"<u>{text}</u>"}.get(cell.place, text)
    spread = "" if cell.std is None else f" <small>± {cell.std:.4f}</small>"
    return Markup(text + (MARK if cell.differs else "") + spread)


FORMATS = {"markdown": as_markdown, "latex": as_latex, "html": as_html}


def html(table: pd.DataFrame) -> str:
    """A table in HTML; cells of :func:`as_html` stay as they are, all else is escaped."""
    names = table.rename(index=escape, columns=escape).map(escape)
    return names.to_html(escape=False, border=0)


def latex(table: pd.DataFrame, caption: str, label: str) -> str:
    """A table in LaTeX, for the package booktabs.

    Args:
        table: table whose cells are LaTeX already; names are escaped.
        caption: caption, which is escaped.
        label: label to refer to.
    """
    escaped = table.rename(index=_escape, columns=_escape)
    return escaped.to_latex(
        escape=False, caption=_escape(caption), label=label, multicolumn_format="c",
        column_format="l" + "c" * len(table.columns), position="t",
    )  # fmt: skip


def csv(comparison: Comparison, metrics: Sequence[str]) -> pd.DataFrame:
    """The figures themselves, unrounded: a line for each run, metric and group.

    Args:
        comparison: rows of one data set.
        metrics: metrics and k, such as ``ndcg@10``.
    """
    return pd.DataFrame(
        {"dataset": comparison.dataset, "row": row.label, "model": row.spec.model,
         "seed": record.facts["seed"], "metric": metric, "group": group, "value": value}
        for row in comparison.rows
        for metric in metrics
        for group in COLUMNS
        for record, value in zip(row.records, row.values(metric, group))
    )  # fmt: skip


def conditions(comparison: Comparison) -> pd.DataFrame:
    """How each row was run: what a reader has to know to compare it, seconds and GiB included."""
    return pd.DataFrame(
        [_conditions(row) for row in comparison.ran.values()],
        index=list(comparison.ran),
    )


def _conditions(row: Row) -> dict[str, Any]:
    first, mode = row.records[0], row.records[0].mode
    settings = first.facts["settings"]
    epochs = [len(each.facts["curve"]) for each in row.records]
    seconds = [each.measured["seconds"]["train_and_evaluate"] for each in row.records]
    embeds = mode["embeds_cold_items"]
    score = np.mean([each.best_valid_score for each in row.records])
    return {
        "model": first.facts["model"],
        "item embedding": _item_embedding(settings.get("item_embedding"), embeds, epochs[0]),
        "trained at": _POSITIONS.get(first.facts["train_positions"], "-") if epochs[0] else "-",
        "recommends": f"{mode['candidates']} items" if embeds else "warm items",
        "cold history": ("kept" if mode["cold_history"] == "keep" else "dropped")
        if embeds
        else "dropped",
        "validation": f"{score:.4f}" if np.isfinite(score) else "-",
        "epochs": f"{np.mean(epochs):.0f}",
        "seconds": f"{np.median(seconds):.0f}",
        "peak GiB": f"{max(each.measured['peak_gib'] for each in row.records):.1f}",
        "parameters": f"{first.facts['parameters']:,}",
    }


def _item_embedding(setting: str | None, embeds_cold_items: bool, epochs: int) -> str:
    """The embedding that was in use: RecBole's own models have the setting, but do not read it."""
    if embeds_cold_items:
        return setting if epochs and setting else "content"
    return "id" if setting == "id" else "-"


_POSITIONS = {"all": "every position", "last": "the last position"}


def _escape(text: str) -> str:
    return text.translate(_LATEX)


_LATEX = str.maketrans(
    {sign: rf"\{sign}" for sign in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {sign: f"${sign}$" for sign in "<>|"}
    | {"±": r"$\pm$", "δ": r"$\delta$", "×": r"$\times$", "≤": r"$\leq$", "≥": r"$\geq$"}
    | {MARK: r"$\dagger$"}
)
"""Signs that LaTeX's text fonts do not have, or that it takes for something else."""


def of_several(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of several data sets as one, each line named by which it is of.

    Args:
        tables: one at least, by what tells its data set from the others.
    """
    return pd.concat(
        table.rename(lambda line, name=name: f"{line}, {name}") for name, table in tables.items()
    )
