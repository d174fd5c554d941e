"""RecBole's atomic files, written so that RecBole reads back what was written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from dataset_prep.errors import DeltaError

READ_AS_MISSING = [
    *["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"],
    *["<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"],
]
"""Texts that RecBole's reader (pandas.read_csv with its defaults) takes for a missing value."""


def write_atomic(frames: Iterable[pl.DataFrame], types: Mapping[str, str], path: Path) -> None:
    r"""Write an atomic file: tab-separated, with ``name:type`` over each column.

    Args:
        frames: rows, part by part. Ids in them must have passed :func:`check_ids`.
        types: RecBole's type (``token``, ``token_seq``, ``float``) of each column that is
            written, in the order of the columns.
        path: the file; one that is there is overwritten.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import polars as pl
        >>> from dataset_prep.format.atomic import write_atomic
        >>> items = pl.DataFrame({"item_id": ["1", "2"], "title": ["Toy  Story", "Heat"]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "films.item")
        ...     write_atomic([items], {"item_id": "token", "title": "token_seq"}, path)
        ...     for line in path.read_text(encoding="utf-8").splitlines():
        ...         print(line.split("\t"))
        ['item_id:token', 'title:token_seq']
        ['1', 'Toy Story']
        ['2', 'Heat']
    """
    # Python 3.10's csv module, and so RecBole's reader, stops at a NUL.
    words = [
        pl.col(column).str.replace_all(r"[\s\x00]+", " ").str.strip_chars()
        for column, kind in types.items()
        if kind == "token_seq"
    ]
    with path.open("w", encoding="utf-8") as file:
        file.write("\t".join(f"{column}:{kind}" for column, kind in types.items()) + "\n")
        for frame in frames:
            text = frame.select(list(types)).with_columns(words)
            file.write(text.write_csv(include_header=False, separator="\t"))


def check_ids(ids: pl.Series, what: str) -> None:
    """Refuse ids that RecBole's reader would not give back as they are.

    Args:
        ids: the ids of all users, or of all items.
        what: the field's name, for the message.

    Raises:
        DeltaError: RecBole would drop or split one.
    """
    unreadable = ids.str.contains(r"[\t\r\n\x00]") | ids.is_in(READ_AS_MISSING)
    bad = ids.filter(unreadable | (ids.str.strip_chars() == ""))
    if len(bad):
        raise DeltaError(f"RecBole cannot read the {what} {bad[0]!r} back; rename it.")
