"""Cold items in a training softmax, as far as records tell."""

from __future__ import annotations

from collections.abc import Iterator

from recbole_delta.audit.finding import FAULT, NOTE, Finding, some
from recbole_delta.bench.comparison.compare import Comparison
from recbole_delta.bench.records.record import Record
from recbole_delta.evaluator.ranking import MISS


def softmax(comparison: Comparison) -> Iterator[Finding]:
    """Rows whose training ranged over cold items, and rows whose records do not tell.

    A record tells how many items its training loss ranged over (``softmax_items``); older ones do
    not. What any record shows: a model without vectors for cold items cannot rank a cold target.

    Args:
        comparison: rows of a data set.
    """
    n_warm = len(comparison.cases.item_train_count)
    trained = [row for row in comparison.rows if row.is_trained]
    held = {row.label: max(_cold_items(each, n_warm) for each in row.records) for row in trained}
    with_cold = {label: count for label, count in held.items() if count > 0}
    if with_cold:
        yield Finding(
            FAULT,
            "cold items in the training softmax",
            f"{len(with_cold)} rows were trained with up to {max(with_cold.values()):,} cold items "
            "in their softmax, as negatives only.",
            max(with_cold.values()),
            some(with_cold),
        )
    contrary = [row.label for row in comparison.rows if any(map(_ranks_cold, row.records))]
    if contrary:
        yield Finding(
            FAULT,
            "cold targets ranked without vectors",
            f"{len(contrary)} rows rank cold targets, but their records say that the model has no "
            "vectors for cold items.",
            len(contrary),
            some(contrary),
        )
    silent = [row for row in trained if not all(map(_tells, row.records))]
    if silent:
        blind = sum(not row.records[0].mode["embeds_cold_items"] for row in silent)
        yield Finding(
            NOTE,
            "softmax unknown",
            f"{len(silent)} of {len(trained)} trained rows have records older than the field that "
            f"says how many items their softmax held; {blind} of these have no vectors for cold "
            "items, so none there.",
            len(silent),
            some(row.label for row in silent),
        )


def _tells(record: Record) -> bool:
    return isinstance(record.facts.get("softmax_items"), int)


def _cold_items(record: Record, n_warm: int) -> int:
    return record.facts["softmax_items"] - n_warm if _tells(record) else 0


def _ranks_cold(record: Record) -> bool:
    if record.mode["embeds_cold_items"]:
        return False
    return bool((record.ranks.above[record.cases.is_cold] < MISS).any())
