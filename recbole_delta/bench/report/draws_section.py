"""What a report says of draws: one section in the place of one for each of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import numpy as np
import pandas as pd

from recbole_delta.bench.comparison.compare import LEVEL
from recbole_delta.bench.comparison.draws import ALONG, Draws
from recbole_delta.bench.plan.plan import Plan
from recbole_delta.bench.report import regret, tables
from recbole_delta.bench.report.published import beside_of_several
from recbole_delta.bench.report.section import (
    Section,
    caption,
    code_of,
    not_run,
    of_uncommitted_code,
)
from recbole_delta.bench.report.summary import bars
from recbole_delta.evaluator.labels import COLUMNS, NOTHING, metric_label


def make_draws_section(plan: Plan, draws: Draws) -> Section:
    """What the report says of draws, by their metric.

    Args:
        plan: what the bench file asks for.
        draws: data sets that differ in their cold items only.
    """
    label, reference, n = metric_label(draws.metric), draws.reference, len(draws.by_seed)
    name, first = f"{draws.dataset}-draws", next(iter(draws.by_seed.values()))
    rows = list(chain.from_iterable(each.rows for each in draws.by_seed.values()))
    by_draw = {f"seed {seed}": each for seed, each in draws.by_seed.items()}
    published = beside_of_several(plan.report.get("published", []), by_draw)
    others = {"Beside published figures": published} if len(published) else {}
    others[f"{label} of each draw"] = _frame_of_each(draws)
    data = {"": draws.values}
    notes: dict[str, str] = {}
    if len(draws.differences):
        heading = f"Differences from {reference} over the draws"
        others[heading] = tables.differences_frame(draws.differences, lambda test: {"of": test.of})
        notes[heading] = (
            f"Paired t-tests over the {n} draws, so that they hold for other items; corrected by "
            "Holm for all lines."
        )
        data["-differences"] = draws.differences
    chosen = [(each, regret.regrets(each)) for each in draws.frontiers]
    if any(found for _, found in chosen):
        heading = "What the chosen constant loses"
        others[heading] = regret.regret_frame([run for _, found in chosen for run in found])
        notes[heading] = (
            f"Share of the best total {label} along the constant, on the test targets, that a "
            "constant loses which has not seen them: mean over draws, the worst in brackets."
        )
        data["-regret"] = pd.concat(regret.regret_csv(*each) for each in chosen)
    others["How each row was run, on the first draw"] = tables.conditions(first)
    about = (
        f"{n} draws of the cold items ({', '.join(each.dataset for each in draws.by_seed.values())}"
        f"), on all of which a row was run in the same way. The first: {caption(first)}"
    )
    remarks = [
        f"{label}, mean ± standard deviation over the draws; best bold, second underlined. Within "
        "cold, best total: along a constant on the scores of cold items, as in other reports."
    ]
    if len(draws.differences):
        remarks.append(
            f"{tables.MARK}: differs from {reference} (paired t-test over the draws, p < {LEVEL} "
            f"after Holm's correction for the {len(draws.differences)} comparisons)."
        )
    remarks += not_run([*draws.by_seed.values()])
    values = {row: {each: draws.sample(row, each) for each in COLUMNS} for row in draws.labels}
    picture = bars(values, label, f"{draws.dataset} and {n - 1} other draws of the cold items")
    main = {form: _main_frame(draws, shown) for form, shown in tables.FORMATS.items()}
    return Section(name, about, main, others, notes, {name: picture}, [*remarks, code_of(rows)],
                   of_uncommitted_code(rows), data)  # fmt: skip


def _main_frame(draws: Draws, shown: Callable[[tables.Cell], str]) -> pd.DataFrame:
    """A line for each row, a column for each figure: mean ± std over the draws."""
    marked = draws.differences[draws.differences["p_holm"] < LEVEL]
    columns = {}
    for name in (*COLUMNS, *ALONG):
        values = {label: draws.sample(label, name) for label in draws.labels}
        known = {label: each for label, each in values.items() if not np.isnan(each).any()}
        cells = tables.column(known, set(marked.loc[marked["of"] == name, "row"]))
        columns[name] = [shown(cells[each]) if each in cells else NOTHING for each in draws.labels]
    return pd.DataFrame(columns, index=draws.labels)


def _frame_of_each(draws: Draws) -> pd.DataFrame:
    """Cold / warm / total: a line for each row, a column for each draw."""
    samples = {
        label: np.stack([draws.sample(label, group) for group in COLUMNS], axis=1)
        for label in draws.labels
    }
    lines = [
        [" / ".join(f"{value:.4f}" for value in of_draw) for of_draw in each]
        for each in samples.values()
    ]
    names = [f"seed {seed}, {' / '.join(COLUMNS)}" for seed in draws.by_seed]
    return pd.DataFrame(lines, index=list(samples), columns=names)
