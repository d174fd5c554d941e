"""Amazon-M2: multilingual shopping sessions of the KDD Cup 2023 (Jin et al., NeurIPS 2023)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dataset_prep.errors import DeltaError
from dataset_prep.interactions.log import OFFICIAL_TEST
from dataset_prep.sources.raw_files import need, reading
from dataset_prep.sources.registry import RawData, source

WHERE = "They are on the page of the KDD Cup 2023 at aicrowd.com."
FIELDS = ["title", "brand", "color", "size", "model", "material", "author"]
TOKEN = r"'[^']+'|\"[^\"]+\""


@source(
    "amazon-m2",
    template="; ".join(f"{name}: {{{name}}}" for name in FIELDS),
    called=lambda name, options: f"{name}-{options['locale']}",
)
def read_amazon_m2(raw: Path | None, *, locale: str) -> RawData:
    """Amazon-M2, one locale: train sessions, the test sessions of task 2 (phase 1), products.

    The time of a row is its position in the session. ``gt_task2.csv`` has the next item of the
    test sessions, line by line, in its column ``next_item`` (or in its only column).
    """
    names = ["sessions_train.csv", "sessions_test_task2_phase1.csv", "gt_task2.csv"]
    train, test, truth, products = need(raw, *names, "products_train.csv", where=WHERE)
    with reading(truth):
        answers = pl.read_csv(truth, infer_schema=False)
        answer = answers["next_item" if "next_item" in answers.columns else answers.columns[-1]]
    with reading(test):
        tested = pl.read_csv(test, infer_schema=False)
        if len(tested) != len(answer):
            raise DeltaError(f"{truth} has {len(answer)} answers for {len(tested)} sessions.")
        tested_rows = _rows(
            tested.with_columns(next_item=answer).lazy(), locale, "test", official_test=1
        )
        if tested_rows.limit(1).collect().is_empty():
            raise DeltaError(f"{test} holds no session of locale {locale}.")
    with reading(train):
        trained_rows = _rows(pl.scan_csv(train, infer_schema=False), locale, "train", 0)
        sessions = pl.concat([trained_rows, tested_rows])
        sessions.collect_schema()
    with reading(products):
        table = pl.read_csv(products, infer_schema=False).filter(pl.col("locale") == locale)
        items = table.select("id", *FIELDS).rename({"id": "item_id"})
    types = {name: "token_seq" for name in FIELDS}
    return RawData(sessions, items, types, (train, test, truth, products))


def _rows(sessions: pl.LazyFrame, locale: str, prefix: str, official_test: int) -> pl.LazyFrame:
    """One row for each item; ``prev_items`` is "['A' 'B']", printed by NumPy without commas."""
    previous = pl.col("prev_items").str.extract_all(TOKEN)
    previous = previous.list.eval(pl.element().str.strip_chars("'\""))
    session = pl.lit(f"{prefix}-") + pl.col("index").cast(pl.String)
    return (
        sessions.with_row_index()
        .filter(pl.col("locale") == locale)
        .select(user_id=session, item_id=previous.list.concat(pl.concat_list("next_item")))
        .with_columns(timestamp=pl.int_ranges(pl.col("item_id").list.len()))
        .explode("item_id", "timestamp")
        .with_columns(pl.lit(official_test).alias(OFFICIAL_TEST))
    )
