"""Data sets that are in RecBole's atomic files already."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dataset_prep.errors import DeltaError, check_folder_name
from dataset_prep.sources.atomic import check_types, read_item_table
from dataset_prep.sources.delimited import scan_delimited
from dataset_prep.sources.raw_files import need, reading
from dataset_prep.sources.registry import RawData, source
from dataset_prep.sources.table import further_numbers, require_columns, require_one_id

OURS = ("is_cold", "train_count")
"""Fields of a prepared data set that are not read, as they are counted anew."""


@source("recbole", template="{title}", called=lambda _, options: options["name"])
def read_recbole(
    raw: Path | None,
    *,
    name: str,
    user: str = "user_id",
    item: str = "item_id",
    time: str = "timestamp",
    rating: str = "rating",
    numbers: str = "",
) -> RawData:
    """A RecBole data set that you have: name.inter and name.item.

    Items that have vectors or audio need no name.item.

    Args:
        raw: folder of the data set.
        name: name of the data set.
        user: field of users.
        item: field of items, in both files.
        time: field of times.
        rating: field of ratings; it need not be there.
        numbers: further fields of numbers to filter by, with commas between their names.

    Raises:
        DeltaError: a file or a field is missing, or a file cannot be read.
    """
    check_folder_name("name", name)
    [inter] = need(raw, f"{name}.inter", where="It is RecBole's file.")
    items_file = inter.with_suffix(".item")
    with reading(inter):
        rows = scan_delimited(inter, "\t")
        rows = rows.rename(lambda column: column.split(":")[0])
    known = require_columns(rows, [user, item], inter)
    if time not in known:
        raise DeltaError(
            f"{inter} has no column {time!r}; it has: {', '.join(known)}. What is next needs an "
            "order: name the column of times (TIME_FIELD in a YAML, --set time=NAME)."
        )
    fields = {"timestamp": time} | ({"rating": rating} if rating in known else {})
    fields |= further_numbers(numbers, ["user_id", "item_id", *fields])
    require_columns(rows, list(fields.values()), inter)
    rows = rows.select(
        user_id=user,
        item_id=item,
        **{name: pl.col(field).cast(pl.Float64) for name, field in fields.items()},
    )
    if not items_file.is_file():
        return RawData(rows, None, {}, (inter,), items_file=str(items_file))
    with reading(items_file):
        table = read_item_table(items_file)
        check_types(items_file, table.columns)
        types = dict(field.split(":") for field in table.columns)
        items = pl.DataFrame({field.split(":")[0]: table[field].tolist() for field in table})
    require_columns(items.lazy(), [item], items_file)
    require_one_id(types, item, items_file)
    types = {field: kind for field, kind in types.items() if field not in (item, *OURS)}
    items = items.select(pl.col(item).alias("item_id"), *types)
    return RawData(rows, items, types, (inter, items_file))
