"""The subcommand that audits a data set or a bench."""

from __future__ import annotations

import json
import shutil
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tabulate import tabulate

from dataset_prep.errors import DeltaError
from dataset_prep.files import write_text
from recbole_delta.audit.audit import Audit, audit_bench, audit_dataset, bench_file_of
from recbole_delta.audit.finding import FAULT, SEVERITIES
from recbole_delta.evaluator.labels import NOTHING, counted
from recbole_delta_command.refusal import printable


def audit(given: Namespace) -> None:
    """Print what an audit has found; exit code 1 if there is a fault.

    Raises:
        DeltaError: the path is neither a data set nor a bench, or a file of it cannot be read.
    """
    found = _found(Path(given.path), given)
    for each in found:
        _print(each)
    if given.json:
        write_text(given.json, json.dumps([_as_json(each) for each in found], indent=1))
    severities = [finding.severity for each in found for finding in each.findings]
    print(", ".join(counted(severities.count(severity), severity) for severity in SEVERITIES))
    if FAULT in severities:
        sys.exit(1)


def _found(path: Path, given: Namespace) -> list[Audit]:
    for folder in (path, Path(given.data_path or "dataset", path)):  # a path, or RecBole's name
        if (folder / f"{folder.resolve().name}.inter").is_file():
            return [audit_dataset(folder)]
    if path.is_file() or bench_file_of(path).is_file():
        return audit_bench(path, given.out, given.data_path)
    raise DeltaError(
        f"{path} is no prepared data set (a folder with NAME.inter), no bench file, and no folder "
        "of a bench file's report beside it."
    )


def _print(audit: Audit) -> None:
    print(f"{audit.dataset}\n")
    lines = [
        [each.severity, each.check, f"{each.number:,.4g}", each.sentence, "; ".join(each.examples)]
        for each in audit.findings
    ]
    if lines:
        shown = [[printable(cell) for cell in line] for line in lines]
        width = max(60, shutil.get_terminal_size((140, 24)).columns)
        widths = [None, 20, None, (width - 44) * 2 // 3, (width - 44) // 3]
        header = ["severity", "check", "number", "finding", "for example"]
        print(tabulate(shown, header, maxcolwidths=widths, disable_numparse=True), end="\n\n")
    for table in (each for each in (audit.rows, audit.renewal) if each is not None):
        shown = [[label, *map(_cell, values)] for label, *values in table.itertuples()]
        header = [table.index.name, *table.columns]
        print(tabulate(shown, header, disable_numparse=True), end="\n\n")


def _cell(value: float | None) -> str:
    if value is None or value != value:  # nothing to average, or records that do not tell
        return NOTHING
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def _as_json(audit: Audit) -> dict[str, Any]:
    findings = [asdict(each) for each in audit.findings]
    tables = {"rows": audit.rows, "renewal": audit.renewal}
    return {
        "dataset": audit.dataset,
        "findings": findings,
        **{
            name: None if table is None else json.loads(table.to_json(orient="index"))
            for name, table in tables.items()
        },
    }
