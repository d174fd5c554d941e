"""All checks of a prepared data set, and all of a bench."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pandas as pd

from dataset_prep.errors import DeltaError
from recbole_delta.audit.births import births
from recbole_delta.audit.budget import budget, settings_tried
from recbole_delta.audit.content import content
from recbole_delta.audit.coverage import coverage, unknown_coverage
from recbole_delta.audit.finding import Finding, in_order
from recbole_delta.audit.flags import flags
from recbole_delta.audit.history import history
from recbole_delta.audit.leakage import leakage
from recbole_delta.audit.popularity import debiased, popularity
from recbole_delta.audit.prepared import PreparedRows
from recbole_delta.audit.provenance import no_record, provenance
from recbole_delta.audit.renewal import renewal, unit
from recbole_delta.audit.softmax import softmax
from recbole_delta.bench.bench import finished_runs
from recbole_delta.bench.comparison.compare import Comparison, comparisons, without_record
from recbole_delta.bench.plan.plan import read_plan

METRIC = "ndcg@10"


@dataclass(frozen=True)
class Audit:
    """What an audit has found in one data set, or in a bench's rows over it.

    Attributes:
        dataset: name of the data set.
        findings: the worst first.
        rows: figures of each row of a bench, by its label; None for the data set itself.
        renewal: shares of new items in a data set, :func:`~recbole_delta.audit.renewal.renewal`;
            None for a bench, and where its times do not tell.
    """

    dataset: str
    findings: list[Finding]
    rows: pd.DataFrame | None = None
    renewal: pd.DataFrame | None = None


def audit_dataset(folder: str | Path) -> Audit:
    """Every check of a prepared data set.

    Args:
        folder: folder of the data set, which has its name.

    Raises:
        DeltaError: a file is missing or cannot be read.

    Example:
        >>> from recbole_delta.quick_start.example import example_data
        >>> first, *others = audit_dataset(Path(example_data()["data_path"], "example")).findings
        >>> first.severity, first.check, f"{first.number:.0%}"
        ('warning', 'training after test targets', '29%')
        >>> [each.check for each in others]
        ['unborn cold candidates', 'unborn warm candidates', 'history that no case sees']
    """
    rows = PreparedRows.read(folder)
    checks = (leakage, history, births, flags, content, unit)
    found = in_order(chain.from_iterable(check(rows) for check in checks))
    return Audit(rows.folder.resolve().name, found, renewal=renewal(rows))


def audit_bench(
    path: str | Path, out: str | Path | None = None, data_path: str | Path | None = None
) -> list[Audit]:
    """Every check of a bench's records.

    Args:
        path: path of the bench file, or of the folder of its report, which lies beside the file.
        out: folder of the records; by default that of the bench file.
        data_path: folder of the prepared data sets, above the file's.

    Returns:
        an audit for each data set.

    Raises:
        DeltaError: the bench file cannot be read, a record is not whole, or there is none.
    """
    path = Path(path)
    if path.is_dir():
        path = bench_file_of(path)
    out = Path(out) if out is not None else path.parent
    plan = read_plan(path, data_path).settled(out)
    done = finished_runs(plan, out)
    if not done:
        raise DeltaError(f"{path} has no record yet; recbole-delta bench {path} does its runs.")
    pending = [search for search in plan.searches if not search.read(plan.folder_of(out)).chosen]
    compared = comparisons(plan, done)
    return [
        *(
            audit_rows(each, [s.label for s in pending if s.dataset == each.dataset])
            for each in compared
        ),
        *(Audit(name, [no_record(name)]) for name in without_record(plan, compared)),
    ]


def bench_file_of(folder: Path) -> Path:
    """The bench file of a report's folder, which lies beside it; ``.`` has a name too."""
    folder = folder.resolve()
    yaml, yml = (folder.with_name(folder.name + ending) for ending in (".yaml", ".yml"))
    return yml if yml.is_file() and not yaml.is_file() else yaml


def audit_rows(comparison: Comparison, searching: Sequence[str] = ()) -> Audit:
    """Every check of a bench's rows over one data set.

    Args:
        comparison: the rows, of which one has a record.
        searching: labels of rows whose search is not done, which are no rows yet.
    """
    count, ran = comparison.cases.train_count, list(comparison.ran.values())
    tried = settings_tried(comparison.rows)
    rows = pd.DataFrame(
        {
            "seeds": len(row.records),
            "settings tried": tried[row.spec.entry],
            "NDCG@10 cold": row.gains(METRIC)[count == 0].mean() if (count == 0).any() else None,
            "NDCG@10 warm": row.gains(METRIC)[count > 0].mean() if (count > 0).any() else None,
            "warm, debiased": debiased(row.gains(METRIC), count),
            "coverage@10 cold": coverage(row, "cold"),
            "coverage@10 warm": coverage(row, "warm"),
        }
        for row in ran
    ).set_axis(pd.Index([row.label for row in ran], name="row"))
    values = dict(zip(rows.index, zip(rows["NDCG@10 warm"], rows["warm, debiased"])))
    found = [
        *softmax(comparison),
        *budget(comparison),
        *provenance(comparison, searching),
        *popularity(comparison, values),
        *unknown_coverage(comparison),
    ]
    return Audit(comparison.dataset, in_order(found), rows)
