"""README and docs: the figures in their tables are those of the published reports."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from support.paths import PAGES, RESULTS

DEMO = RESULTS / "ml-100k-holdout" / "table.md"
KEYS = ["dataset", "row", "metric", "group", "of", "shots"]
"""Columns of a published table that tell its figures apart, but for the seed."""

Figure = tuple[str, str | None]
"""A mean with four places, and the standard deviation over seeds where there is one."""


def lines(page: Path) -> dict[int, set[Figure]]:
    """The figures in the tables of a page, by the number of the line.

    Other people's figures, and those of a look that has no record, are written without the zero
    before the point.
    """
    found: dict[int, set[Figure]] = {}
    for number, line in enumerate(page.read_text().splitlines(), 1):
        for cell in line.split("|")[1:-1] if line.startswith("|") else []:
            bare = re.sub(r"[*†]|</?u>", "", cell).strip()
            for part in bare.split(" / "):
                if figure := re.fullmatch(r"(0\.\d{4})(?: ± (0\.\d{4}))?", part):
                    found.setdefault(number, set()).add(figure.groups())
    return found


@cache
def reports() -> list[set[Figure]]:
    """All figures of each report, and of the demo, with their deviation and without."""
    found = {"demo": set().union(*lines(DEMO).values())}
    for path in RESULTS.glob("*/tables/*.csv"):
        table = pd.read_csv(path)
        if "value" in table:
            # Draws are what a mean of them is over, as seeds are elsewhere.
            keys = [
                key for key in KEYS if key in table and not (key == "dataset" and "draw" in table)
            ]
            runs = table.groupby(keys)["value"]
            figures = {(f"{m:.4f}", f"{s:.4f}") for m, s in zip(runs.mean(), runs.std())}
            found[path.parts[-3]] = found.get(path.parts[-3], set()) | figures
    return [figures | {(mean, None) for mean, _ in figures} for figures in found.values()]


def is_published(figures: set[Figure]) -> bool:
    """Whether one report has them all."""
    return any(figures <= report for report in reports())


@pytest.mark.parametrize("page", [p for p in PAGES if lines(p)], ids=lambda page: page.name)
def test_a_line_of_a_table_is_from_one_report(page):
    assert {n: each for n, each in lines(page).items() if not is_published(each)} == {}


def test_a_line_that_is_not_up_to_date_is_noticed():
    """Another training's figures differ in their last places."""
    all_lines = [figures for page in PAGES for figures in lines(page).values()]
    others = [{(f"{float(m) + 0.0013:.4f}", s) for m, s in figures} for figures in all_lines]
    assert len(others) > 50
    assert sum(map(is_published, others)) < len(others) / 20
