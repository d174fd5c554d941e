"""Music4All and Music4All-Onion: listening events of songs.

I. A. P. Santana et al., "Music4All: A New Music Database and Its Applications", IWSSIP 2020.
M. Moscati et al., "Music4All-Onion", CIKM 2022.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dataset_prep.sources.raw_files import need, reading
from dataset_prep.sources.registry import RawData, source

WHERE = "Ask the authors for Music4All; Music4All-Onion is at zenodo.org."
ITEM_TYPES = {"song": "token_seq", "artist": "token_seq", "album_name": "token_seq"}
ITEM_TYPES |= {"genres": "token_seq"}
TEMPLATE = "{song} by {artist}, album {album_name}. Genres: {genres}"


@source("music4all", template=TEMPLATE)
def read_music4all(raw: Path | None) -> RawData:
    """Music4All: listening_history.csv, names and genres of the songs."""
    names = ["listening_history.csv", "id_information.csv", "id_genres.csv"]
    history, information, genres = need(raw, *names, where=WHERE)
    with reading(history):
        events = pl.scan_csv(history, separator="\t", infer_schema=False).select(
            user_id="user", item_id="song", timestamp=_seconds("timestamp")
        )
        events.collect_schema()
    with reading(information):
        songs = pl.read_csv(information, separator="\t", infer_schema=False, quote_char=None)
        songs = songs.select("id", "song", "artist", "album_name")
    with reading(genres):
        tagged = pl.read_csv(genres, separator="\t", infer_schema=False, quote_char=None)
        tagged = tagged.select("id", "genres")
    items = songs.join(tagged, on="id", how="left", maintain_order="left")
    items = items.with_columns(pl.col("genres").str.replace_all(",", " ", literal=True))
    return RawData(
        events,
        items.select(item_id="id", **{name: pl.col(name) for name in ITEM_TYPES}),
        ITEM_TYPES,
        (history, information, genres),
    )


@source("music4all-onion", template="")
def read_music4all_onion(raw: Path | None, *, features: str) -> RawData:
    """Music4All-Onion: userid_trackid_timestamp and one feature file, such as id_maest.tsv.

    Args:
        raw: folder of the files, unpacked (bunzip2).
        features: name of a file with a column ``id``; all its other columns are numbers.

    Raises:
        DeltaError: a file is missing or cannot be read.
    """
    name = "userid_trackid_timestamp.tsv"
    events_file, features_file = need(raw, name, features, where=f"{WHERE} Unpack the .bz2 files.")
    with reading(events_file):
        events = pl.scan_csv(events_file, separator="\t", infer_schema=False).select(
            "user_id", item_id="track_id", timestamp=_seconds("timestamp")
        )
        events.collect_schema()
    with reading(features_file):
        table = pl.read_csv(features_file, separator="\t", infer_schema_length=None)
        numbers = [column for column in table.columns if column != "id"]
        vectors = table.select(
            item_id=pl.col("id").cast(pl.String),
            vector=pl.concat_list(pl.col(numbers).cast(pl.Float64)),
        )
    files = (events_file, features_file)
    return RawData(events, vectors.select("item_id"), {}, files, vectors.lazy())


def _seconds(column: str) -> pl.Expr:
    """Seconds since the epoch of "2019-01-31 12:00" or "2019-01-31 12:00:05"."""
    text = pl.col(column)
    whole = pl.when(text.str.len_chars() == 16).then(text + ":00").otherwise(text)
    return whole.str.to_datetime("%Y-%m-%d %H:%M:%S").dt.epoch("s")
