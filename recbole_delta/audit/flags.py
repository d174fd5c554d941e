"""Whether ``is_cold`` of .item is what the training rows say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recbole_delta.audit.finding import FAULT, Finding, some
from recbole_delta.audit.prepared import PreparedRows


def flags(rows: PreparedRows) -> Iterator[Finding]:
    """Items that are flagged wrongly, or not at all.

    Args:
        rows: rows of a prepared data set.
    """
    trained = rows.train_count > 0
    for check, wrong, sentence in (
        ("cold items with training rows", (rows.flag == 1) & trained,
         "{} items are flagged cold but have training rows: results on them are not cold start."),
        ("cold items in the training softmax", (rows.flag == 0) & ~trained,
         "{} items are flagged warm but have no training row: a softmax over the warm items would "
         "hold them, as negatives only."),
        ("items without a flag", np.isnan(rows.flag),
         "{} items of .inter have no line in .item, so nothing says whether they are cold."),
    ):  # fmt: skip
        if wrong.any():
            yield Finding(
                FAULT,
                check,
                sentence.format(f"{wrong.sum():,}"),
                int(wrong.sum()),
                some(f"item {token}" for token in rows.items[wrong]),
            )
