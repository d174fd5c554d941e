"""Your own tables of interactions and items."""

from __future__ import annotations

from collections.abc import Collection
from logging import getLogger
from pathlib import Path

import polars as pl

from dataset_prep.errors import DeltaError
from dataset_prep.sources.atomic import read_item_table
from dataset_prep.sources.delimited import scan_delimited
from dataset_prep.sources.parquet import scan_parquet
from dataset_prep.sources.raw_files import need, reading
from dataset_prep.sources.registry import RawData, source

ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".inter", ".item")
WHERE = "They are yours: CSV, TSV, Parquet or JSON lines."
DAY = r"^(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$"
ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"


@source("table", template="{title}", called=lambda _, options: Path(options["interactions"]).stem)
def read_table(
    raw: Path | None,
    *,
    interactions: str,
    items: str = "",
    user: str = "user_id",
    item: str = "item_id",
    time: str = "timestamp",
    rating: str = "",
    numbers: str = "",
    item_of_items: str = "",
    time_format: str = "",
) -> RawData:
    """Tables of your own: interactions and items (CSV, TSV, Parquet, JSON lines).

    Args:
        raw: folder of the files.
        interactions: file of interactions.
        items: file of items; all its columns but the id may be named in the template. Items that
            have vectors or audio need none.
        user: column of users.
        item: column of items.
        time: column of times: numbers, or dates and times in the form of ISO 8601.
        rating: column of ratings, if there is one.
        numbers: further columns of numbers to filter by, with commas between their names.
        item_of_items: column of items in the file of items, if it has another name there.
        time_format: form of dates and times that are not ISO 8601, such as ``%m/%d/%Y``.

    Raises:
        DeltaError: a file or a column is missing, a file cannot be read, or it is not clear how
            times are meant.
    """
    names = [interactions, items] if items else [interactions]
    rows_file, *items_files = need(raw, *names, where=WHERE)
    rows = _scan(rows_file)
    wanted = {"user_id": user, "item_id": item, "timestamp": time}
    wanted |= {"rating": rating} if rating else {}
    wanted |= further_numbers(numbers, wanted)
    require_columns(rows, list(wanted.values()), rows_file)
    rows = rows.select(**{name: pl.col(column) for name, column in wanted.items()})
    with reading(rows_file):
        first = rows.head(1).collect()
        filled = rows.select("timestamp").drop_nulls().head(1).collect()["timestamp"]
    if first.is_empty():
        raise DeltaError(f"{rows_file} holds no interactions.")
    if filled.is_empty():
        raise DeltaError(f"{rows_file}: {time} is empty in every row.")
    as_numbers = [
        pl.col(name).cast(pl.Float64)
        for name in first.columns[3:]
        if first.schema[name] == pl.String
    ]
    rows = rows.with_columns(_times(filled, time, time_format, rows_file), *as_numbers)
    if not items_files:
        return RawData(rows, None, {}, (rows_file,), items_file="--set items=FILE")
    texts = read_items(items_files[0], item_of_items or item)
    types = {name: "token_seq" for name in texts.columns if name != "item_id"}
    return RawData(rows, texts, types, (rows_file, *items_files))


def further_numbers(listed: str, taken: Collection[str]) -> dict[str, str]:
    """Further columns of numbers, which keep their names.

    Args:
        listed: their names, with commas between.
        taken: names that other columns have already.

    Raises:
        DeltaError: one of the names is taken.
    """
    names = [name.strip() for name in listed.split(",") if name.strip()]
    for name in names:
        if name in taken:
            raise DeltaError(f"numbers: {name} is the name of another column; rename the file's.")
    return {name: name for name in names}


def require_columns(frame: pl.LazyFrame, names: list[str], path: Path) -> pl.Schema:
    """Refuse a table that lacks one of the columns ``names``.

    Args:
        frame: the table.
        names: columns that it has to have.
        path: the table's file, for messages.

    Returns:
        All columns with their types.

    Raises:
        DeltaError: the file cannot be read, or lacks a column.
    """
    with reading(path):
        schema = frame.collect_schema()
    for name in names:
        if name not in schema:
            raise DeltaError(f"{path} has no column {name!r}; it has: {', '.join(schema)}.")
    return schema


def require_one_id(columns: Collection[str], key: str, path: Path) -> None:
    """Refuse a table of items whose ids would be called ``item_id``, as another column is.

    Args:
        columns: its columns.
        key: that of the ids.
        path: the table's file, for messages.

    Raises:
        DeltaError: there are both.
    """
    if key != "item_id" and "item_id" in columns:
        raise DeltaError(f"{path} has both {key} and item_id; rename or drop one.")


def _scan(path: Path) -> pl.LazyFrame:
    """The rows of a table, as it has its columns; those of CSV and TSV are text."""
    if path.suffix not in ENDINGS:
        raise DeltaError(
            f"{path} has none of the endings that are understood: {', '.join(ENDINGS)}."
        )
    if path.suffix == ".parquet":
        return scan_parquet(path)
    if path.suffix in (".jsonl", ".ndjson"):
        return pl.scan_ndjson(path, infer_schema_length=None)
    with reading(path):
        table = scan_delimited(path, "," if path.suffix == ".csv" else "\t")
    if path.suffix in (".inter", ".item"):  # RecBole's, whose header says item_id:token
        return table.rename(lambda column: column.rpartition(":")[0] or column)
    return table


def _scan_items(path: Path) -> pl.LazyFrame:
    """The rows of a file that may have stray quotes, as a data set of RecBole's may."""
    table = read_item_table(path)
    columns = {name.rpartition(":")[0] or name: table[name].tolist() for name in table}
    return pl.LazyFrame(columns, schema=dict.fromkeys(columns, pl.String))


def _times(first: pl.Series, column: str, form: str, path: Path) -> pl.Expr:
    """Seconds since the epoch, read in the way that fits the first value.

    Raises:
        DeltaError: the first value could be read in several ways, or in none.
    """
    time = pl.col("timestamp")
    if first.dtype.is_temporal():
        return time.dt.epoch("ms") / 1000
    if first.dtype != pl.String:
        return time
    if form:
        return time.str.to_datetime(form).dt.epoch("ms") / 1000
    # 20240131 would be a night of August 1970.
    is_day = first.str.contains(DAY).all()
    if not is_day and first.cast(pl.Float64, strict=False).null_count() == 0:
        return time.cast(pl.Float64)
    if is_day or not first.str.contains(ISO).all():
        raise DeltaError(
            f"{path}: {column} must hold numbers or times, such as 2024-01-31 12:00; say how "
            f"{first[0]!r} is to be read, as in time_format={'%Y%m%d' if is_day else '%m/%d/%Y'}."
        )
    # polars reads ISO 8601 only in full; a time without a zone is taken as UTC.
    text = time.str.replace(" ", "T")
    text = pl.when(text.str.len_chars() == 10).then(text + "T00:00:00").otherwise(text)
    text = text.str.replace(r"^(.{13}:\d{2})($|[^:0-9])", "${1}:00${2}")
    zone = text.str.contains(r"(Z|[+-]\d{2}:?\d{2})$")
    text = pl.when(zone).then(text).otherwise(text + "+00:00")
    return text.str.to_datetime("%+", time_unit="ms", time_zone="UTC").dt.epoch("ms") / 1000


def read_items(path: Path, key: str = "item_id") -> pl.DataFrame:
    """A table of items as text; a list of words becomes words with spaces between.

    A vector, or a table in a cell, is left out.

    Args:
        path: the file (CSV, TSV, Parquet, JSON lines).
        key: column of item ids, which is called ``item_id`` in the result.

    Raises:
        DeltaError: the file cannot be read, or its columns are not as they should be.
    """
    table = _scan_items(path) if path.suffix == ".item" else _scan(path)
    schema = require_columns(table, [key], path)
    require_one_id(schema, key, path)
    texts = {name: _as_text(name, kind) for name, kind in schema.items() if _is_words(kind)}
    if left_out := [name for name in schema if name not in texts]:
        getLogger().warning(f"{path}: {', '.join(left_out)} is no text, and is left out.")
    with reading(path):
        return table.select(texts.values()).rename({key: "item_id"}).collect()


def _is_words(kind: pl.DataType) -> bool:
    """Whether a column can be words: not of arrays, which are vectors, nor of tables."""
    inner = kind.inner if isinstance(kind, pl.List) else kind
    return not inner.is_nested()


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(kind, pl.List):
        column = column.list.eval(pl.element().cast(pl.String)).list.join(" ")
    return column.cast(pl.String)
