"""What a report says of one data set: tables, figures, remarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from recbole_delta.bench.comparison.compare import LEVEL, Comparison, Row
from recbole_delta.bench.comparison.frontier_rows import Frontiers
from recbole_delta.bench.plan.plan import Plan
from recbole_delta.bench.report import figures, frontier_figures, frontier_tables, regret, tables
from recbole_delta.bench.report.published import beside
from recbole_delta.evaluator.labels import metric_label


@dataclass(frozen=True)
class Section:
    """What the report says of one data set.

    Attributes:
        dataset: name of the data set.
        caption: protocol, content, cases, masking: what a reader has to know.
        main: table of results by format: ``markdown``, ``latex``, ``html``.
        tables: further tables by heading.
        notes: what has to be said of some of these, by heading.
        pictures: figures by file name, without ending.
        remarks: sentences below the main table.
        warnings: sentences that nobody may overlook.
        data: tables of unrounded figures by the ending of their file name.
    """

    dataset: str
    caption: str
    main: dict[str, pd.DataFrame]
    tables: dict[str, pd.DataFrame]
    notes: dict[str, str]
    pictures: dict[str, Figure]
    remarks: list[str]
    warnings: list[str]
    data: dict[str, pd.DataFrame]

    @property
    def files(self) -> list[str]:
        """Names of the files with its tables: unrounded as CSV, and the main one as LaTeX."""
        return [*(f"{self.dataset}{ending}.csv" for ending in self.data), f"{self.dataset}.tex"]


def make_section(plan: Plan, comparison: Comparison) -> Section:
    """What the report says of one data set.

    Args:
        plan: what the bench file asks for.
        comparison: the rows of the data set.
    """
    metrics, reference = plan.report["metrics"], plan.report.get("reference")
    ran = comparison.ran
    differences = comparison.differences(reference, metrics) if reference in ran else None
    main = {
        form: tables.frame(comparison, metrics, differences, shown)
        for form, shown in tables.FORMATS.items()
    }
    others = {"How each row was run": tables.conditions(comparison)}
    data = {"": tables.csv(comparison, metrics)}
    published = beside(plan.report.get("published", []), comparison)
    if len(published):
        others = {"Beside published figures": published, **others}
    if differences is not None:
        data["-differences"] = differences
        if len(differences):
            others[f"Differences from {reference}"] = _tests(differences)
    baseline = plan.report.get("baseline")
    name, about = comparison.dataset, f"{comparison.dataset}, {{}}"
    first = metrics[0]
    pictures: dict[str, Figure | None] = {
        f"{name}-overview": figures.overview(comparison, first, about.format("all rows")),
        f"{name}-by-frequency": figures.by_frequency(
            comparison, first, baseline, about.format("by frequency of the target")
        ),
        f"{name}-drift": figures.drift(comparison, about.format("drift from the content")),
    }
    for setting, figure in figures.sweeps(comparison, first, name).items():
        pictures[f"{name}-{setting}"] = figure
    kept = {key: figure for key, figure in pictures.items() if figure is not None}
    remarks = _remarks(plan, comparison, differences)
    warnings = of_uncommitted_code(comparison.rows)
    section = Section(name, caption(comparison), main, others, {}, kept, remarks, warnings, data)
    _add_frontiers(section, Frontiers(comparison, first, reference if reference in ran else None))
    return section


def _add_frontiers(section: Section, frontiers: Frontiers) -> None:
    """The frontiers of the first metric, where the data have cold and warm targets."""
    is_cold = frontiers.comparison.cases.is_cold
    if is_cold.all() or not is_cold.any():
        return
    if not frontiers.curves:
        section.remarks.append(
            f"No frontier: the records hold none for {metric_label(frontiers.metric)} (they are "
            "older, or its k is above the number of items)."
        )
        return
    label, reference = metric_label(frontiers.metric), frontiers.reference
    heading = f"The frontier of {label}"
    section.tables[heading] = frontier_tables.frontier_frame(frontiers)
    section.notes[heading] = frontier_tables.frontier_note(frontiers)
    section.data["-frontier"] = frontier_tables.frontier_csv(frontiers)
    section.pictures[f"{section.dataset}-frontier"] = frontier_figures.frontiers_of_rows(
        frontiers, f"{section.dataset}, cold against warm along a constant on cold scores"
    )
    chosen = regret.regrets(frontiers)
    if chosen:
        heading = "What the chosen constant loses"
        section.tables[heading] = regret.regret_frame(chosen)
        section.notes[heading] = regret.regret_note(frontiers, chosen)
        section.data["-regret"] = regret.regret_csv(frontiers, chosen)
    differences = frontiers.differences()
    if len(differences):
        heading = f"Differences from {reference} at its warm {label}"
        section.tables[heading] = _tests(differences)
        section.notes[heading] = (
            f"Each row with the constant on its cold scores that brings its warm {label} to "
            f"{frontiers.level:.4f}, that of {reference} as run, {reference} too; paired t-test "
            "over users on values averaged over seeds, corrected by Holm for the rows of this "
            "table."
        )
        section.data["-matched"] = differences


def caption(comparison: Comparison) -> str:
    """Protocol, encoder, cases and masking; what differs from row to row has its own table.

    Args:
        comparison: rows of one data set, of which one has a record.
    """
    records = [record for row in comparison.rows for record in row.records]
    prepared, mode = comparison.prepared, records[0].mode
    content = prepared.get("content") or {}
    encoders = [each.get("encoder", kind) for kind, each in content.items()]
    settings = [record.facts["settings"] for record in records]
    masks = {each.get("mask_history") for each in settings}
    masked = {frozenset([True]): "history items are not recommended again",
              frozenset([False]): "history items may be recommended again"}  # fmt: skip
    lengths = sorted({str(each.get("MAX_ITEM_LIST_LENGTH")) for each in settings})
    cases = mode["cases"]
    # Whether what is left of a history is empty depends on whether its cold items are shown.
    left = {record.mode["empty_history"]["total"] for record in records}
    empty = " or ".join(f"{n:,}" for n in sorted(left))
    return (
        f"{comparison.dataset}, protocol {prepared.get('protocol', 'unknown')}, content "
        f"{' and '.join(map(str, encoders)) or 'unknown'}; {cases['cold']:,} cold and "
        f"{cases['warm']:,} warm test targets ({empty} with an empty history, which "
        f"are misses); {masked.get(frozenset(masks), 'masking differs from row to row')}; "
        f"histories up to {' or '.join(lengths)} items; best epoch by "
        f"{' or '.join(sorted({str(each.get('valid_metric')) for each in settings}))}."
    )


def _remarks(plan: Plan, comparison: Comparison, differences: pd.DataFrame | None) -> list[str]:
    places = "best bold, second underlined."
    several = any(len(row.records) > 1 for row in comparison.rows)
    spread = f"Mean ± standard deviation over seeds; {places}"
    remarks = [spread if several else places.capitalize()]
    if differences is not None and len(differences):
        remarks.append(
            f"{tables.MARK}: differs from {plan.report['reference']} (paired t-test over users on "
            f"values averaged over seeds, p < {LEVEL} after Holm's correction for the "
            f"{len(differences)} comparisons of this data set)."
        )
    return [*remarks, *not_run([comparison]), code_of(comparison.rows)]


def not_run(comparisons: Sequence[Comparison]) -> list[str]:
    """A sentence for each row that lacks seeds, with its data set where there are several."""
    return [
        f"{row.label}{f', {each.dataset}' if len(comparisons) > 1 else ''}: not run with seed "
        f"{', '.join(map(str, row.missing))}."
        for each in comparisons
        for row in each.rows
        if row.missing
    ]


def code_of(rows: Sequence[Row]) -> str:
    """The commits whose code has run some rows, in a sentence."""
    return f"Code: {', '.join(sorted({code for row in rows for code in _revisions(row)}))}."


def of_uncommitted_code(rows: Sequence[Row]) -> list[str]:
    """A warning of the rows that changed code has run; empty where there are none."""
    changed = {row: {code for code in _revisions(row) if code.endswith("-dirty")} for row in rows}
    labels = dict.fromkeys(row.label for row, revisions in changed.items() if revisions)
    if not labels:
        return []
    revisions = ", ".join(sorted(set().union(*changed.values())))
    return [
        f"Run by code with changes that are in no commit ({revisions}): {', '.join(labels)}. "
        "No commit gives these numbers again."
    ]


def _revisions(row: Row) -> set[str]:
    return {record.facts["revision"] or "unknown" for record in row.records}


def _tests(differences: pd.DataFrame) -> pd.DataFrame:
    return tables.differences_frame(
        differences,
        lambda test: {
            "metric": f"{metric_label(test.metric)} {test.group}",
            "users": f"{test.users:,}",
        },
    )
