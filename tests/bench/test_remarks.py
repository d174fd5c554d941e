"""What a report says of its runs in words."""

from __future__ import annotations

import json

import pytest
from support.benches import MODELS

from recbole_delta.bench.bench import bench

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("row", "several"), [("content", False), ("default", True)])
def test_a_spread_over_seeds_is_said_where_there_is_one(plan, lay_down, row, several):
    out = bench(lay_down(plan(models={row: MODELS[row]})))
    for name in ("report.md", "report.html", "tables/tiny.tex"):
        text = (out / name).read_text()
        assert ("standard deviation over seeds" in text) == several
    for name in ("report.md", "tables/tiny.tex"):
        text = (out / name).read_text()
        assert ("±" in text or r"\pm" in text) == several
    assert ("Best bold, second underlined." in (out / "report.md").read_text()) != several


def test_rows_of_code_that_no_commit_holds_are_named(plan, lay_down):
    path = lay_down(plan(models={k: MODELS[k] for k in ("content", "default")}))
    for revision in ("0123456789ab", "0123456789ab-dirty"):
        for record in path.parent.glob("records/*/ContentMean-*/record.json"):
            record.write_text(json.dumps(json.loads(record.read_text()) | {"revision": revision}))
        for record in path.parent.glob("records/*/SASRecDelta-*/record.json"):
            record.write_text(json.dumps(json.loads(record.read_text()) | {"revision": None}))
        out = bench(path)
        warned = revision.endswith("-dirty")
        words = f"Run by code with changes that are in no commit ({revision}): content."
        assert (f"\n**{words} " in (out / "report.md").read_text()) == warned
        assert (f'<p class="warning">{words} ' in (out / "report.html").read_text()) == warned
        assert f"Code: {revision}, unknown." in (out / "report.md").read_text()


def test_empty_histories_are_counted_as_each_kind_of_row_is_shown_them(plan, lay_down):
    """Popularity is shown no cold items: of a history of these nothing is left."""
    path = lay_down(plan(models={k: MODELS[k] for k in ("content", "default")}))
    [first, *_] = path.parent.glob("records/*/ContentMean-*/record.json")
    facts = json.loads(first.read_text())
    before = facts["modes"][facts["configured_mode"]]["empty_history"]["total"]
    facts["modes"][facts["configured_mode"]]["empty_history"]["total"] = before + 2
    first.write_text(json.dumps(facts))
    report = (bench(path) / "report.md").read_text()
    assert f"({before} or {before + 2} with an empty history, which are misses)" in report
