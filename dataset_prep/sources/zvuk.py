"""Zvuk: plays of a music service, with audio vectors of the tracks (Kaggle alexxl/zvuk-dataset)."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dataset_prep.sources.parquet import scan_parquet
from dataset_prep.sources.raw_files import need, reading
from dataset_prep.sources.registry import RawData, source

WHERE = "They are at kaggle.com/datasets/alexxl/zvuk-dataset."


@source("zvuk", template="")
def read_zvuk(raw: Path | None) -> RawData:
    """Zvuk: plays with seconds (parquet, read in batches) and the data set's own 128-d vectors."""
    plays_file, vectors_file = need(
        raw, "zvuk-interactions.parquet", "zvuk-track_artist_embedding.parquet", where=WHERE
    )
    with reading(plays_file):
        plays = scan_parquet(plays_file).select(
            "user_id",
            item_id="track_id",
            timestamp=pl.col("datetime").dt.epoch("ms") / 1000,
            play_duration="play_duration",
        )
        plays.collect_schema()
    with reading(vectors_file):
        token = pl.col("track_id").cast(pl.String)
        vectors = scan_parquet(vectors_file).select(item_id=token, vector="vector")
        items = vectors.select("item_id").unique(maintain_order=True).collect()
    return RawData(plays, items, {}, (plays_file, vectors_file), vectors)
