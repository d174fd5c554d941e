"""Amazon product reviews: the 5-cores of 2014, the files of 2018 and of 2023, any category.

J. McAuley et al., SIGIR'15; R. He and J. McAuley, WWW'16 (2014). J. Ni et al., EMNLP'19 (2018).
Y. Hou et al., arXiv 2403.03952 (2023).
"""

from __future__ import annotations

import ast
import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from dataset_prep.sources.raw_files import need, reading
from dataset_prep.sources.registry import RawData, source

WHERE = "See jmcauley.ucsd.edu/data/amazon (2014) or amazon-reviews-2023.github.io (2018, 2023)."
TEMPLATE = "{title}"
ITEM_TYPES = {"title": "token_seq", "brand": "token", "categories": "token_seq"}


def _called(name: str, options: Mapping[str, Any]) -> str:
    """The source and the category; Beauty alone keeps the name that published results have."""
    category = options["category"]
    return name if category == "Beauty" else f"{name}-{category}"


@source("amazon-2014", "amazon-2018", template=TEMPLATE, called=_called)
def read_amazon(raw: Path | None, *, category: str) -> RawData:
    """Amazon 2014 or 2018, one category (5-core): reviews and metadata, JSON or Python lines."""
    reviews_file, meta_file = need(
        raw,
        f"reviews_{category}_5.json.gz|{category}_5.json.gz|{category}.json.gz",
        f"meta_{category}.json.gz",
        where=WHERE,
    )
    reviews = _reviews(reviews_file)
    fields = {"asin": "item_id", "title": "title", "brand": "brand"}
    kind = "category" if category_key_is_new(meta_file) else "categories"
    items = _records(meta_file, dict.fromkeys([*fields, kind], pl.String())).rename(fields)
    return RawData(reviews, _items(items, kind), ITEM_TYPES, (reviews_file, meta_file))


@source("amazon-2023", template=TEMPLATE, called=_called)
def read_amazon_2023(raw: Path | None, *, category: str) -> RawData:
    """Amazon Reviews 2023, one category: full reviews (jsonl) or ratings only (csv), metadata."""
    reviews_file, meta_file = need(
        raw,
        f"{category}.jsonl.gz|{category}.jsonl|{category}.csv.gz|{category}.csv",
        f"meta_{category}.jsonl.gz|meta_{category}.jsonl",
        where=WHERE,
    )
    columns = ["user_id", "parent_asin", "rating", "timestamp"]
    with reading(reviews_file):
        if ".csv" in reviews_file.name:
            text = {"user_id": pl.String, "parent_asin": pl.String}
            reviews = pl.scan_csv(reviews_file, schema_overrides=text).select(columns)
        else:
            reviews = pl.scan_ndjson(reviews_file).select(columns)
        reviews.collect_schema()
    seconds = (pl.col("timestamp") / 1000).cast(pl.Float64)
    reviews = reviews.rename({"parent_asin": "item_id"}).with_columns(timestamp=seconds)
    wanted = ["parent_asin", "title", "store", "categories"]
    items = _records(meta_file, dict.fromkeys(wanted, pl.String()))
    items = items.rename({"parent_asin": "item_id", "store": "brand"})
    return RawData(reviews, _items(items, "categories"), ITEM_TYPES, (reviews_file, meta_file))


def category_key_is_new(meta_file: Path) -> bool:
    """Whether the categories are called ``category`` (2018) and not ``categories`` (2014)."""
    return "category" in next(_records_of(meta_file), {})


def _reviews(path: Path) -> pl.LazyFrame:
    """The reviews; they are read in batches only if their lines are strict JSON."""
    names = {"reviewerID": "user_id", "asin": "item_id", "overall": "rating"}
    names["unixReviewTime"] = "timestamp"
    types = {"reviewerID": pl.String(), "asin": pl.String(), "overall": pl.Float64()}
    types |= {"unixReviewTime": pl.Int64()}
    first = next(_lines(path), "")
    if first.startswith("{'"):
        return _records(path, types).rename(names).lazy()
    with reading(path):
        return pl.scan_ndjson(path, schema=types).rename(names)


def _items(table: pl.DataFrame, categories: str) -> pl.DataFrame:
    return table.with_columns(categories=pl.col(categories)).select("item_id", *ITEM_TYPES)


def _records(path: Path, types: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """One row for each line, with the fields ``types``; a field that a line lacks is null."""
    columns: dict[str, list[Any]] = {name: [] for name in types}
    for record in _records_of(path):
        for name, values in columns.items():
            value = record.get(name)
            as_words = value is not None and types[name] == pl.String
            values.append(_words(value) if as_words else value)
    with reading(path):
        return pl.DataFrame(columns, schema=types)


def _records_of(path: Path) -> Iterator[dict[str, Any]]:
    """The lines as dictionaries: strict JSON, or Python literals in the files of 2014."""
    with reading(path):
        yield from map(_parse, _lines(path))


def _lines(path: Path) -> Iterator[str]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with reading(path), opener(path, "rt", encoding="utf-8") as file:
        yield from (line for line in file if line.strip())


def _parse(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        record = ast.literal_eval(line)
    if not isinstance(record, dict):
        raise ValueError("not a record")
    return record


def _words(value: Any) -> str:
    """The text of a value: a list, perhaps a list of lists, becomes words with spaces between."""
    return " ".join(map(_words, value)) if isinstance(value, list) else str(value)
