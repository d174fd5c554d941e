"""Zvuk, Music4All and SiTunes in the originals' exact formats, checked by hand."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import polars as pl
import pytest
from support.originals import numbers, read, write_zvuk

from dataset_prep import Filters, prepare
from dataset_prep.format.content import read_content
from dataset_prep.sources import get_source


def test_zvuk_through_the_papers_protocol(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    plays, vectors = write_zvuk(raw)
    filters = Filters(above={"play_duration": 60}, users=14, seed=1, drop_repeats=True)
    folder = prepare("zvuk", tmp_path / "out", raw=raw, filters=filters, protocol="paper")
    record = json.loads((folder / "zvuk-paper.json").read_text())
    long = plays.filter(pl.col("play_duration") > 60)
    assert [step["step"] for step in record["steps"]] == [
        "raw", "play_duration > 60", "14 users", "repeats dropped",
        "up to the 0.9 quantile of time", "after it", "3-core up to it", "paper", "training",
    ]  # fmt: skip
    assert record["steps"][0]["rows"] == 600
    assert record["steps"][1]["rows"] == len(long)
    assert record["steps"][2]["users"] == 14
    inter = pl.read_csv(folder / "zvuk-paper.inter", separator="\t", infer_schema=False)
    # Milliseconds become seconds.
    assert inter["timestamp:float"].cast(float).min() >= 1_650_000_000
    assert inter["timestamp:float"].cast(float).max() < 1_650_000_600
    files = ("zvuk-interactions.parquet", "zvuk-track_artist_embedding.parquet")
    assert record["inputs"] == {
        f"raw/{name}": hashlib.sha256((raw / name).read_bytes()).hexdigest() for name in files
    }
    targets = inter.filter(pl.col("split:token") == "test")
    assert targets["user_id:token"].n_unique() == len(targets)
    assert record["targets"]["test"]["cold"] + record["targets"]["test"]["warm"] == len(targets)
    # Content is the data set's own, aligned by token.
    table = read_content(folder / "zvuk-paper.content.own.safetensors")
    expected = dict(zip(vectors["track_id"].cast(pl.String), vectors["vector"].to_list()))
    for token, row in zip(table.tokens, table.vectors):
        np.testing.assert_allclose(row, expected[token], rtol=1e-6)


def test_music4all_and_onion(tmp_path):
    history = (
        "user\tsong\ttimestamp\nuser_1\tabc\t2019-01-31 12:00\nuser_2\txyz\t2019-02-01 00:30\n"
    )
    (tmp_path / "listening_history.csv").write_text(history)
    songs = 'id\tartist\tsong\talbum_name\nabc\tA "B"\tOne\tFirst\nxyz\tC\tTwo\tSecond\n'
    (tmp_path / "id_information.csv").write_text(songs)
    (tmp_path / "id_genres.csv").write_text("id\tgenres\nabc\trock,pop\n")
    rows, items, _ = read("music4all", tmp_path)
    assert rows == [["user_1", "abc", 1548936000], ["user_2", "xyz", 1548981000]]
    assert items["abc"]["artist"] == 'A "B"'
    assert items["abc"]["genres"] == "rock pop"
    onion = tmp_path / "onion"
    onion.mkdir()
    events = "user_id\ttrack_id\ttimestamp\n7\tabc\t2020-01-01 00:00:05\n"
    (onion / "userid_trackid_timestamp.tsv").write_text(events)
    (onion / "id_maest.tsv").write_text("id\tx0\tx1\nabc\t0.5\t-1\nxyz\t1\t2e-3\n")
    rows, _, _ = read("music4all-onion", onion, features="id_maest.tsv")
    assert rows == [["7", "abc", 1577836805]]
    vectors = get_source("music4all-onion").read(onion, {"features": "id_maest.tsv"}).vectors
    assert vectors.collect().to_dicts() == [
        {"item_id": "abc", "vector": [0.5, -1.0]}, {"item_id": "xyz", "vector": [1.0, 0.002]},
    ]  # fmt: skip


@pytest.mark.data
def test_situnes_counts(real_data):
    _, items, log = read("situnes", real_data("situnes"))
    assert numbers(log) == (2_006, 30, 307)
    assert (int(log.time.min()), int(log.time.max())) == (1_625_022_948, 1_650_902_250)
    assert items["874"]["music"] == "The Privateers"
    # A few tracks that were played have no metadata.
    assert len(set(log.items) - set(items)) == 9
