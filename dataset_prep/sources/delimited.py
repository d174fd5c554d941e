"""Tables of text with a separator; between tabs, quotes may be letters like others."""

from __future__ import annotations

import csv
import mmap
from pathlib import Path

import polars as pl


def scan_delimited(path: Path, separator: str) -> pl.LazyFrame:
    r"""The rows of a table, all columns as text, so that 007 does not become 7; no empty lines.

    Few tables with tabs are quoted as CSV is, and an id such as ``12" single`` swallows all lines
    up to the next such quote where it is read so. If each line has all its fields, its quotes are
    letters then.

    Args:
        path: path of the file.
        separator: what stands between two fields.

    Raises:
        OSError: it cannot be read. What polars finds wrong, a line with more fields than the header
            for one, it says where rows are collected.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from dataset_prep.sources.delimited import scan_delimited
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "songs.tsv")
        ...     _ = path.write_text('item_id\ttitle\n007\t12" single\n008\tthe end"\n')
        ...     scan_delimited(path, "\t").collect().rows()
        [('007', '12" single'), ('008', 'the end"')]
    """
    quote = None if separator == "\t" and _quotes_are_letters(path) else '"'
    table = _scan(path, separator, quote)
    # That all columns are asked for also makes polars see where a line has more of them.
    return table.filter(~pl.all_horizontal(pl.all().is_null()))


def is_a_line_each(path: Path) -> bool:
    """Whether each line has as many tabs as the first, so that no field can span lines."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        width = file.readline().count("\t")
        return all(line.count("\t") == width for line in file if line.strip())


def take_long_fields() -> None:
    """Let Python's ``csv``, and so pandas, read texts longer than 131,072 characters."""
    csv.field_size_limit(2**31 - 1)


def _quotes_are_letters(path: Path) -> bool:
    if not _has_quotes(path):
        return False
    texts = pl.all().str.contains("\n", literal=True).any()
    try:
        table = _scan(path, "\t", '"').select(pl.any_horizontal(texts)).collect()
        joins_lines = bool(table.item())
    except pl.exceptions.PolarsError:
        joins_lines = True
    return joins_lines and is_a_line_each(path)


def _has_quotes(path: Path) -> bool:
    with path.open("rb") as file:
        if not path.stat().st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return data.find(b'"') >= 0


def _scan(path: Path, separator: str, quote: str | None) -> pl.LazyFrame:
    return pl.scan_csv(path, separator=separator, infer_schema=False, quote_char=quote)
