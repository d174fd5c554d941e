"""Whether the records of a bench are of one commit, and all there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recbole_delta.audit.finding import NOTE, WARNING, Finding, some
from recbole_delta.bench.comparison.compare import Comparison


def no_record(dataset: str) -> Finding:
    """What there is to say of a data set of a bench, none of whose runs is done.

    Args:
        dataset: name of the data set.
    """
    return Finding(WARNING, "missing runs", f"No run on {dataset} has a record.", 0)


def provenance(comparison: Comparison, searching: Sequence[str]) -> Iterator[Finding]:
    """Several commits, code that is in no commit, and runs without a record.

    Args:
        comparison: rows of a data set.
        searching: labels of rows whose search is not done.
    """
    code = [(row.label, r.facts["revision"]) for row in comparison.rows for r in row.records]
    commits = {revision for _, revision in code if revision is not None}
    if len(commits) > 1:
        yield Finding(
            WARNING,
            "several commits",
            f"The {len(code)} records are of {len(commits)} commits: a difference between rows may "
            "be one of the code.",
            len(commits),
            some(commits),
        )
    dirty = [label for label, revision in code if revision and revision.endswith("-dirty")]
    if dirty:
        yield Finding(
            WARNING,
            "changes in no commit",
            f"{len(dirty)} of {len(code)} records were made by code with changes that are in no "
            "commit: none gives these numbers again.",
            len(dirty),
            some(dirty),
        )
    unknown = [label for label, revision in code if revision is None]
    if unknown:
        yield Finding(
            NOTE,
            "commit unknown",
            f"{len(unknown)} of {len(code)} records do not say of which commit they are.",
            len(unknown),
            some(unknown),
        )
    missing = [row.label for row in comparison.rows for _ in row.missing]
    if missing:
        yield Finding(
            WARNING,
            "missing runs",
            f"{len(missing)} of {len(missing) + len(code)} runs have no record.",
            len(missing),
            some(missing),
        )
    if searching:
        yield Finding(
            WARNING,
            "searches not done",
            f"{len(searching)} rows are not there yet, as trials of their search have no record.",
            len(searching),
            some(searching),
        )
