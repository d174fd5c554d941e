"""The report of a bench: tables, pictures and one page that holds all of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from dataset_prep.files import replacing, write_text
from recbole_delta.bench.comparison.compare import comparisons, without_record
from recbole_delta.bench.comparison.dial import dials
from recbole_delta.bench.comparison.draws import draws
from recbole_delta.bench.plan.plan import Plan
from recbole_delta.bench.plan.search import Tuned, search_csv, search_frame
from recbole_delta.bench.plan.spec import Spec
from recbole_delta.bench.records.record import Record, is_done
from recbole_delta.bench.report import tables
from recbole_delta.bench.report.canvas import DPI
from recbole_delta.bench.report.dial_section import make_dial_section
from recbole_delta.bench.report.draws_section import make_draws_section
from recbole_delta.bench.report.page import html_page, markdown_page
from recbole_delta.bench.report.section import Section, make_section


# A dollar sign in the label of a row is one, not TeX.
@matplotlib.rc_context({"text.parse_math": False})
def write_report(plan: Plan, done: Sequence[tuple[Spec, Record]], out: Path) -> None:
    """Write ``report.md``, ``report.html``, ``tables/`` and ``figures/`` into ``out``.

    Args:
        plan: what the bench file asks for.
        done: runs that have a record.
        out: folder of the bench, in which the report has one of its own.

    Raises:
        DeltaError: records of one data set have different test cases, or a file cannot be written.
    """
    compared = comparisons(plan, done)
    folders, folder_of = plan.records(out), plan.folder_of(out)
    tuned = [search.read(folder_of) for search in plan.searches]
    unknown = sum(each.unknown for each in tuned)
    metric, reference = plan.report["metrics"][0], plan.report.get("reference")
    grouped = [
        *((make_dial_section(plan, each), [*each.by_shots.values()]) for each in dials(compared)),
        *(
            (make_draws_section(plan, each), [*each.by_seed.values()])
            for each in draws(compared, metric, reference)
        ),
    ]
    within = {each.dataset for _, several in grouped for each in several}
    alone = [each for each in compared if each.dataset not in within]
    grouped += [(make_section(plan, each), [each]) for each in alone]
    for section, several in grouped:
        _add_searches(section, [each.dataset for each in several], tuned)
    sections = [section for section, _ in grouped]
    out = out / plan.path.stem
    for section in sections:
        _save_tables(section, out / "tables")
        _save_pictures(section, out / "figures")
    heading = {
        "title": plan.report.get("title") or plan.path.stem,
        "notes": plan.report.get("notes") or "",
        "missing": sum(not is_done(folder) for folder in folders) + unknown,
        "runs": len(folders) + unknown,
        "without": without_record(plan, compared),
    }
    write_text(out / "report.md", markdown_page(sections, heading))
    write_text(out / "report.html", html_page(sections, heading))


def _add_searches(section: Section, datasets: list[str], tuned: Sequence[Tuned]) -> None:
    """What the rows of a section over some data sets were tuned over, and to."""
    tuned = [each for each in tuned if each.search.dataset in datasets]
    if not tuned:
        return
    heading = "What was tuned"
    section.tables[heading] = search_frame(tuned)
    section.notes[heading] = (
        "Every combination of the values, with the first seed; the one with the best validation "
        "score is the row of this report, run with every seed. No test figure decides anything."
    )
    section.data["-search"] = search_csv(tuned)
    for each in tuned:
        if not each.chosen:
            section.remarks.append(f"{each.search.label}: not in the tables, {each.undecided}.")


def _save_tables(section: Section, folder: Path) -> None:
    name = section.dataset
    write_text(folder / f"{name}.md", tables.markdown(section.main["markdown"]))
    caption = " ".join([section.caption, *section.remarks, *section.warnings])
    write_text(folder / f"{name}.tex", tables.latex(section.main["latex"], caption, f"tab:{name}"))
    for ending, table in section.data.items():
        write_text(folder / f"{name}{ending}.csv", table.to_csv(index=False))


# The same names in it every time.
@matplotlib.rc_context({"svg.hashsalt": "recbole_delta"})
def _save_pictures(section: Section, folder: Path) -> None:
    for name, figure in section.pictures.items():
        for ending in ("png", "svg"):
            with replacing(folder / f"{name}.{ending}") as temporary:
                figure.savefig(temporary, format=ending, dpi=DPI, metadata=_UNDATED[ending])


_UNDATED: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}}
"""Metadata by format, without dates and versions, so that equal figures make equal files."""
