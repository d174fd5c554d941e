"""The text of an item where the user has not said what it is: all that its line has of words."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from dataset_prep.errors import DeltaError
from dataset_prep.sources.atomic import check_types, read_item_table

WORD = re.compile(r"[^\W\d_]{3}")
"""Three letters in a row: what a text has, and most codes have not."""

ROWS = 1000
"""Lines of ``.item`` that are looked at."""


def automatic_template(items: Path, item_field: str) -> str:
    """All fields of ``.item`` but the id that hold words, in their order.

    Args:
        items: the file, which need not be there.
        item_field: field of item ids.

    Raises:
        DeltaError: there are none, or the file cannot be read.
    """
    if items.is_file():
        table = read_item_table(items, ROWS)
        check_types(items, table.columns)
        kinds = [column.partition(":")[::2] for column in table.columns]
        wordy = [
            field
            for column, (field, kind) in zip(table.columns, kinds)
            if kind in ("token", "token_seq") and field != item_field and _has_words(table[column])
        ]
        if wordy:
            return "; ".join(f"{{{field}}}" for field in wordy)
    lacks = "has no field with words in it" if items.is_file() else "is not there"
    raise DeltaError(
        f"{items} {lacks}; name what items are made of: prepare: {{template: "
        '"{title}"}, {vectors: FILE} or {audio: FOLDER}.'
    )


def _has_words(column: pd.Series) -> bool:
    filled = column[column.str.strip() != ""]
    return len(filled) > 0 and filled.str.contains(WORD).mean() > 0.5
