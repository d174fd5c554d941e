"""The report of a bench: tables, pictures and one page that holds all of it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from jinja2 import Environment
from matplotlib.figure import Figure

from dataset_prep.files import replacing, write_text
from recbole_delta.bench import figures, frontier_figures, frontier_tables, regret, tables
from recbole_delta.bench.compare import LEVEL, Comparison, comparisons
from recbole_delta.bench.frontier_rows import Frontiers
from recbole_delta.bench.plan import Plan, Spec
from recbole_delta.bench.record import Record
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
        data: tables of unrounded figures by the ending of their file name.
    """

    dataset: str
    caption: str
    main: dict[str, pd.DataFrame]
    tables: dict[str, pd.DataFrame]
    notes: dict[str, str]
    pictures: dict[str, Figure]
    remarks: list[str]
    data: dict[str, pd.DataFrame]


@matplotlib.rc_context({"svg.hashsalt": "recbole_delta"})  # the same names in it every time
def write_report(plan: Plan, done: Sequence[tuple[Spec, Record]], out: Path) -> None:
    """Write ``report.md``, ``report.html``, ``tables/`` and ``figures/`` into ``out``.

    Args:
        plan: what the bench file asks for.
        done: runs that have a record.
        out: folder of the report.

    Raises:
        DeltaError: records of one data set have different test cases, or a file cannot be written.
    """
    sections = []
    title = plan.report.get("title") or plan.path.stem
    for comparison in comparisons(plan, done):
        section = _section(plan, comparison)
        _save_tables(section, out / "tables")
        for name, figure in section.pictures.items():
            for ending in ("png", "svg"):
                with replacing(out / "figures" / f"{name}.{ending}") as temporary:
                    figure.savefig(temporary, format=ending, dpi=150, metadata=_UNDATED[ending])
        sections.append(section)
    notes = plan.report.get("notes") or ""
    missing = len(plan.specs) - len(done)
    heading = {"title": title, "notes": notes, "missing": missing, "runs": len(plan.specs)}
    write_text(out / "report.md", _render("report.md.jinja", sections, heading))
    write_text(out / "report.html", _render("report.html.jinja", sections, heading))


_UNDATED: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}}
"""Metadata by format, without dates and versions, so that equal figures make equal files."""


def _section(plan: Plan, comparison: Comparison) -> Section:
    metrics, reference = plan.report["metrics"], plan.report.get("reference")
    ran = {row.label for row in comparison.rows if row.records}
    differences = comparison.differences(reference, metrics) if reference in ran else None
    main = {
        form: tables.frame(comparison, metrics, differences, shown)
        for form, shown in tables.FORMATS.items()
    }
    others = {"How each row was run": tables.conditions(comparison)}
    data = {"": tables.csv(comparison, metrics)}
    if differences is not None:
        data["-differences"] = differences
        if len(differences):
            others[f"Differences from {reference}"] = _shown(differences)
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
    section = Section(name, _caption(comparison), main, others, {}, kept, remarks, data)
    _add_frontiers(section, Frontiers(comparison, first, reference if reference in ran else None))
    return section


def _add_frontiers(section: Section, frontiers: Frontiers) -> None:
    """The frontiers of the first metric, where the data have cold and warm targets."""
    is_cold = frontiers.comparison.cases.is_cold
    if is_cold.all() or not is_cold.any() or not frontiers.curves:
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
        section.notes[heading] = regret.regret_note(frontiers)
        section.data["-regret"] = regret.regret_csv(frontiers, chosen)
    differences = frontiers.differences()
    if len(differences):
        heading = f"Differences from {reference} at its warm {label}"
        section.tables[heading] = _shown(differences)
        section.notes[heading] = (
            f"Each row with the constant on its cold scores that brings its warm {label} to "
            f"{frontiers.level:.4f}, that of {reference} as run; paired t-test over users on "
            "values averaged over seeds, corrected by Holm for the rows of this table."
        )
        section.data["-matched"] = differences


def _caption(comparison: Comparison) -> str:
    """Protocol, encoder, cases and masking; what differs from row to row has its own table."""
    records = [record for row in comparison.rows for record in row.records]
    prepared, mode = records[0].facts["prepared"], records[0].mode
    content = prepared.get("content") or {}
    encoders = [each.get("encoder", kind) for kind, each in content.items()]
    settings = [record.facts["settings"] for record in records]
    masks = {each.get("mask_history") for each in settings}
    masked = {frozenset([True]): "history items are not recommended again",
              frozenset([False]): "history items may be recommended again"}  # fmt: skip
    lengths = sorted({str(each.get("MAX_ITEM_LIST_LENGTH")) for each in settings})
    cases, empty = mode["cases"], mode["empty_history"]
    return (
        f"{comparison.dataset}, protocol {prepared.get('protocol', 'unknown')}, content "
        f"{' and '.join(map(str, encoders)) or 'unknown'}; {cases['cold']:,} cold and "
        f"{cases['warm']:,} warm test targets ({empty['total']:,} with an empty history, which "
        f"are misses); {masked.get(frozenset(masks), 'masking differs from row to row')}; "
        f"histories up to {' or '.join(lengths)} items; best epoch by "
        f"{' or '.join(sorted({str(each.get('valid_metric')) for each in settings}))}."
    )


def _remarks(plan: Plan, comparison: Comparison, differences: pd.DataFrame | None) -> list[str]:
    remarks = ["Mean ± standard deviation over seeds; best bold, second underlined."]
    if differences is not None and len(differences):
        remarks.append(
            f"{tables.MARK}: differs from {plan.report['reference']} (paired t-test over users on "
            f"values averaged over seeds, p < {LEVEL} after Holm's correction for the "
            f"{len(differences)} comparisons of this data set)."
        )
    for row in comparison.rows:
        if row.missing:
            seeds = ", ".join(map(str, row.missing))
            remarks.append(f"{row.label}: not run with seed {seeds}.")
    revisions = {str(r.facts["revision"]) for row in comparison.rows for r in row.records}
    remarks.append(f"Code: {', '.join(sorted(revisions))}.")
    return remarks


def _shown(differences: pd.DataFrame) -> pd.DataFrame:
    lines = [
        {
            "row": each.row,
            "metric": f"{metric_label(each.metric)} {each.group}",
            "users": f"{each.users:,}",
            "difference": f"{each.difference:+.4f}",
            f"{1 - LEVEL:.0%} interval": f"{each.low:+.4f} to {each.high:+.4f}",
            "p": f"{each.p:.2g}",
            "p, Holm": f"{each.p_holm:.2g}",
        }
        for each in differences.itertuples()
    ]
    return pd.DataFrame(lines).set_index("row").rename_axis(None)


def _save_tables(section: Section, folder: Path) -> None:
    name = section.dataset
    write_text(folder / f"{name}.md", tables.markdown(section.main["markdown"]))
    caption = " ".join([section.caption, *section.remarks])
    write_text(folder / f"{name}.tex", tables.latex(section.main["latex"], caption, f"tab:{name}"))
    for ending, table in section.data.items():
        write_text(folder / f"{name}{ending}.csv", table.to_csv(index=False))


def _render(template: str, sections: list[Section], heading: dict[str, Any]) -> str:
    environment = Environment(autoescape=template.endswith("html.jinja"), trim_blocks=True,
                              lstrip_blocks=True, keep_trailing_newline=True)  # fmt: skip
    environment.filters |= {"markdown": tables.markdown, "html": tables.html, "data": _data}
    text = files("recbole_delta.bench").joinpath(template).read_text(encoding="utf-8")
    return environment.from_string(text).render(sections=sections, **heading)


def _data(figure: Figure) -> str:
    """A picture as a data URI, to stand inside the page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata=_UNDATED["svg"])
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
