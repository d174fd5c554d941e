"""What a report says of a dial: one section in the place of one for each of its data sets."""

from __future__ import annotations

from itertools import chain

from recbole_delta.bench.comparison.compare import LEVEL
from recbole_delta.bench.comparison.dial import GROUPS, Dial, differences, intervals
from recbole_delta.bench.plan.plan import Plan
from recbole_delta.bench.report import dial_tables, tables
from recbole_delta.bench.report.dial_figure import dial_figure
from recbole_delta.bench.report.published import beside_of_several
from recbole_delta.bench.report.section import (
    Section,
    caption,
    code_of,
    not_run,
    of_uncommitted_code,
)
from recbole_delta.evaluator.labels import metric_label


def make_dial_section(plan: Plan, dial: Dial) -> Section:
    """What the report says of a dial, by the first metric.

    Args:
        plan: what the bench file asks for.
        dial: comparisons by the number of shots.
    """
    metric, reference = plan.report["metrics"][0], plan.report.get("reference")
    name, label = f"{dial.dataset}-dial", metric_label(metric)
    spread, against = intervals(dial, metric), differences(dial, reference, metric)
    main = {
        form: dial_tables.main_frame(dial, metric, against, shown)
        for form, shown in tables.FORMATS.items()
    }
    others = {
        f"{label} of {group} items, with intervals": dial_tables.interval_frame(dial, spread, group)
        for group in GROUPS
    }
    rows = list(chain.from_iterable(each.rows for each in dial.by_shots.values()))
    several = any(len(row.records) > 1 for row in rows)
    notes = dict.fromkeys(
        others,
        f"Mean and 95% interval over {'cases and seeds' if several else 'cases, of one seed'}; the "
        "items that are held out are taken as given.",
    )
    entries = plan.report.get("published", [])
    by_rows_left = {dial_tables.at_most(shots): each for shots, each in dial.by_shots.items()}
    if len(published := beside_of_several(entries, by_rows_left)):
        others = {"Beside published figures": published, **others}
    heading = "Median rank of held-out targets"
    others[heading] = dial_tables.rank_frame(dial)
    notes[heading] = (
        "From 1; a mean over seeds. It tells apart what is too far down for a metric at k."
    )
    data = {"": dial_tables.csv(dial, metric), "-intervals": spread}
    if len(against):
        heading = f"Differences from {reference} on held-out items"
        others[heading] = dial_tables.difference_frame(against)
        notes[heading] = "Paired by case; p corrected by Holm for all lines."
        data["-differences"] = against
    others["What the held-out items were left"] = dial_tables.left_frame(dial)
    others["How each row was run"] = tables.of_several(
        {name: tables.conditions(each) for name, each in by_rows_left.items()}
    )
    spread_said = "mean ± standard deviation over seeds; " if several else ""
    remarks = [
        f"{label} of the targets among held-out items, the same with the same histories for every "
        f"number of training rows; {spread_said}best bold, second underlined."
    ]
    if len(against):
        remarks.append(
            f"{tables.MARK}: differs from {reference} at the same number of rows (p < {LEVEL} "
            f"after Holm's correction for {len(against)} comparisons)."
        )
    remarks += not_run([*dial.by_shots.values()])
    about = (
        "Items held out for test, as many others for validation, as in item_holdout, but "
        f"each left at most {_listed(dial)} training rows; without any: {caption(dial.by_shots[0])}"
    )
    picture = dial_figure(dial, spread, metric, f"{dial.dataset}, by rows left to held-out items")
    return Section(name, about, main, others, notes, {name: picture}, [*remarks, code_of(rows)],
                   of_uncommitted_code(rows), data)  # fmt: skip


def _listed(dial: Dial) -> str:
    *others, last = map(str, dial.by_shots)
    return f"{', '.join(others)} or {last}"
