"""Anyone's own data: tables of interactions and items, and RecBole data sets."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dataset_prep.raw_files import need, reading
from dataset_prep.source import RawData, source
from recbole_delta.errors import DeltaError

ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
WHERE = "They are yours: CSV, TSV, Parquet or JSON lines."


@source("table", template="{title}")
def read_table(
    raw: Path | None,
    *,
    interactions: str,
    items: str,
    user: str = "user_id",
    item: str = "item_id",
    time: str = "timestamp",
    rating: str = "",
) -> RawData:
    """Two tables of your own: interactions and items (CSV, TSV, Parquet, JSON lines).

    Args:
        raw: their folder.
        interactions: file of interactions.
        items: file of items; all its columns but the id can stand in the template.
        user: column of users.
        item: column of items, in both files.
        time: column of times: numbers, or dates and times.
        rating: column of ratings, if there is one.
    """
    rows_file, items_file = need(raw, interactions, items, where=WHERE)
    rows, table = _scan(rows_file, [user, item]), _scan(items_file, [item])
    wanted = {"user_id": user, "item_id": item, "timestamp": time}
    wanted |= {"rating": rating} if rating else {}
    schema = _require_columns(rows, list(wanted.values()), rows_file)
    _require_columns(table, [item], items_file)
    rows = rows.select(**{name: pl.col(column) for name, column in wanted.items()})
    with reading(rows_file):
        if rows.limit(1).collect().is_empty():
            raise DeltaError(f"{rows_file} holds no interactions.")
    if schema[time].is_temporal():
        rows = rows.with_columns(timestamp=pl.col("timestamp").dt.epoch("ms") / 1000)
    elif not schema[time].is_numeric():
        raise DeltaError(f"{rows_file}: {time} must hold numbers or times, not {schema[time]}.")
    texts = table.with_columns(pl.all().cast(pl.String)).rename({item: "item_id"}).collect()
    types = {name: "token_seq" for name in texts.columns if name != "item_id"}
    return RawData(rows, texts, types, (rows_file, items_file))


@source("recbole", template="{title}")
def read_recbole(raw: Path | None, *, name: str) -> RawData:
    """A RecBole data set that you have: name.inter and name.item."""
    inter, item = need(raw, f"{name}.inter", f"{name}.item", where="They are RecBole's files.")
    rows = _atomic(inter)
    _require_columns(rows, ["user_id", "item_id", "timestamp"], inter)
    numbers = [name for name in ("timestamp", "rating") if name in rows.collect_schema()]
    rows = rows.select("user_id", "item_id", pl.col(numbers).cast(pl.Float64))
    table = _atomic(item)
    _require_columns(table, ["item_id"], item)
    with reading(item), item.open(encoding="utf-8") as file:
        header = file.readline().rstrip("\n").split("\t")
        types = dict(field.split(":") for field in header)
    del types["item_id"]
    for flag in ("is_cold", "train_count"):
        types.pop(flag, None)
    return RawData(rows, table.select("item_id", *types).collect(), types, (inter, item))


def _scan(path: Path, ids: list[str]) -> pl.LazyFrame:
    """Rows of ``path``; the columns ``ids`` as text, so that 007 does not become 7."""
    if path.suffix not in ENDINGS:
        raise DeltaError(
            f"{path} has none of the endings that are understood: {', '.join(ENDINGS)}."
        )
    if path.suffix == ".parquet":
        return pl.scan_parquet(path)
    if path.suffix in (".jsonl", ".ndjson"):
        return pl.scan_ndjson(path)
    separator = "," if path.suffix == ".csv" else "\t"
    frame = pl.scan_csv(path, separator=separator, try_parse_dates=True)
    as_text = dict.fromkeys(set(ids) & set(_require_columns(frame, ids, path)), pl.String)
    return pl.scan_csv(path, separator=separator, try_parse_dates=True, schema_overrides=as_text)


def _atomic(path: Path) -> pl.LazyFrame:
    """A RecBole atomic file as text, its columns without types."""
    with reading(path):
        frame = pl.scan_csv(path, separator="\t", infer_schema=False)
        return frame.rename(lambda column: column.split(":")[0])


def _require_columns(frame: pl.LazyFrame, names: list[str], path: Path) -> pl.Schema:
    with reading(path):
        schema = frame.collect_schema()
    for name in names:
        if name not in schema:
            listed = ", ".join(schema)
            raise DeltaError(f"{path} has no column {name!r}; it has: {listed}.")
    return schema
