"""SiTunes: music listened to in situations.

V. Grigorev et al., "SiTunes: A Situational Music Recommendation Dataset with Physiological and
Psychological Signals", CHIIR 2024.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dataset_prep.sources.raw_files import need, reading
from dataset_prep.sources.registry import RawData, source

WHERE = "They are in the repository JiayuLi-997/SiTunes_dataset."
ITEM_TYPES = {"music": "token_seq", "singer": "token_seq", "general_genre": "token"}


@source("situnes", template="{music} by {singer}. Genre: {general_genre}")
def read_situnes(raw: Path | None) -> RawData:
    """SiTunes: the three stages' listens, track names, singers and genres.

    A few of the tracks that were played have no metadata (``--without-content drop``).
    """
    stages = [f"Stage{n}/interactions.csv" for n in (1, 2, 3)]
    metadata = "music_metadata/music_info_withname.csv"
    *files, info = need(raw, *stages, metadata, where=WHERE)
    listens = pl.concat([_listens(file) for file in files])
    with reading(info):
        tracks = pl.read_csv(info, infer_schema=False).filter(pl.col("i_id_c").is_not_null())
        number = pl.col("i_id_c").cast(pl.Float64).cast(pl.Int64).cast(pl.String)
        items = tracks.select(item_id=number, **{name: pl.col(name) for name in ITEM_TYPES})
    return RawData(listens.lazy(), items, ITEM_TYPES, (*files, info))


def _listens(file: Path) -> pl.DataFrame:
    with reading(file):
        return pl.read_csv(file).select("user_id", "item_id", "timestamp", "rating")
