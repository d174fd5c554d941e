"""One small history in every raw format: each source must give the same split, by hand.

Users a, b, c and items p, q, r, s, leave-one-out:

    a: p q r s   p q are trained on, r is the validation target, s the test target
    b: q p q p   q p are trained on, q is the validation target, p the test target
    c: p q       p is trained on, q is the test target

p and q are warm with three and two training rows; r and s, never trained on, are cold.
"""

from __future__ import annotations

import gzip
import json

import numpy as np
import polars as pl
import pytest

from dataset_prep import ContentOptions, prepare

HISTORY = [(0, 0), (1, 1), (0, 1), (1, 0), (2, 0), (0, 2), (1, 1), (0, 3), (1, 0), (2, 1)]
"""(user, item) in order of time, a day apart from 1 January 2024."""

DAY = 86_400
FIRST = 1_704_067_200
SPLIT = {
    0: ["train", "train", "valid", "test"],
    1: ["train", "train", "valid", "test"],
    2: ["train", "test"],
}
COLD, COUNT = ["0", "0", "1", "1"], ["3.0", "2.0", "0.0", "0.0"]


def events():
    return [(u, i, FIRST + n * DAY) for n, (u, i) in enumerate(HISTORY)]


def gz(path, records):
    path.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in records).encode()))


def amazon(raw, reviews, kind):
    names = ("reviewerID", "asin", "unixReviewTime")
    rows = [dict(zip(names, (f"A{u}", f"B{i}", t)), overall=5.0) for u, i, t in events()]
    gz(raw / reviews, rows)
    gz(raw / "meta_X.json.gz", [{"asin": f"B{i}", "title": f"t{i}", kind: []} for i in range(4)])
    return {"category": "X"}, "A{}", "B{}"


def amazon_2014(raw):
    return amazon(raw, "reviews_X_5.json.gz", "categories")


def amazon_2018(raw):
    return amazon(raw, "X_5.json.gz", "category")


def amazon_2023(raw):
    lines = [f"A{u},B{i},5.0,{t * 1000}" for u, i, t in events()]
    (raw / "X.csv").write_text("\n".join(["user_id,parent_asin,rating,timestamp", *lines]) + "\n")
    meta = [{"parent_asin": f"B{i}", "title": f"t{i}", "store": "s"} for i in range(4)]
    gz(raw / "meta_X.jsonl.gz", meta)
    return {"category": "X"}, "A{}", "B{}"


def ml_100k(raw):
    (raw / "u.data").write_text("".join(f"{u}\t{i}\t5\t{t}\n" for u, i, t in events()))
    flags = "|".join(["0"] * 19)
    (raw / "u.item").write_text("".join(f"{i}|t{i} (1990)||||{flags}\n" for i in range(4)))
    return {}, "{}", "{}"


def ml_1m(raw):
    (raw / "ratings.dat").write_text("".join(f"{u}::{i}::5::{t}\n" for u, i, t in events()))
    (raw / "movies.dat").write_text("".join(f"{i}::t{i} (1990)::Drama\n" for i in range(4)))
    return {}, "{}", "{}"


def ml_32m(raw):
    lines = [f"{u},{i},5.0,{t}" for u, i, t in events()]
    (raw / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *lines]) + "\n")
    movies = [f"{i},t{i} (1990),Drama" for i in range(4)]
    (raw / "movies.csv").write_text("\n".join(["movieId,title,genres", *movies]) + "\n")
    return {}, "{}", "{}"


def zvuk(raw):
    users, items, times = map(list, zip(*events()))
    plays = {"user_id": users, "session_id": 0, "track_id": items, "play_duration": 99.0}
    stamps = pl.Series("datetime", [t * 1000 for t in times]).cast(pl.Datetime("ms"))
    pl.DataFrame(plays).with_columns(stamps).write_parquet(raw / "zvuk-interactions.parquet")
    vectors = np.random.default_rng(0).normal(size=(4, 3)).tolist()
    table = pl.DataFrame({"track_id": range(4), "artist_id": 0, "cluster_id": 0, "vector": vectors})
    table.write_parquet(raw / "zvuk-track_artist_embedding.parquet")
    return {}, "{}", "{}"


def music4all(raw):
    days = [f"2024-01-{1 + n:02d} 00:00" for n in range(len(HISTORY))]
    lines = [f"user_{u}\ts{i}\t{day}" for (u, i), day in zip(HISTORY, days)]
    (raw / "listening_history.csv").write_text("\n".join(["user\tsong\ttimestamp", *lines]) + "\n")
    songs = [f"s{i}\tx\ty\tz" for i in range(4)]
    header = "id\tartist\tsong\talbum_name"
    (raw / "id_information.csv").write_text("\n".join([header, *songs]) + "\n")
    (raw / "id_genres.csv").write_text("id\tgenres\n" + "".join(f"s{i}\trock\n" for i in range(4)))
    return {}, "user_{}", "s{}"


def music4all_onion(raw):
    days = [f"2024-01-{1 + n:02d} 00:00:00" for n in range(len(HISTORY))]
    lines = [f"{u}\ts{i}\t{day}" for (u, i), day in zip(HISTORY, days)]
    header = "user_id\ttrack_id\ttimestamp"
    (raw / "userid_trackid_timestamp.tsv").write_text("\n".join([header, *lines]) + "\n")
    features = "".join(f"s{i}\t{i}.5\t1\n" for i in range(4))
    (raw / "id_f.tsv").write_text("id\tx\ty\n" + features)
    return {"features": "id_f.tsv"}, "{}", "s{}"


def situnes(raw):
    header = "user_id,item_id,timestamp,rating\n"
    lines = [f"{u},{i},{t},5\n" for u, i, t in events()]
    for stage, part in ((1, lines[:4]), (2, lines[4:8]), (3, lines[8:])):
        folder = raw / f"Stage{stage}"
        folder.mkdir()
        (folder / "interactions.csv").write_text(header + "".join(part))
    folder = raw / "music_metadata"
    folder.mkdir()
    info = "".join(f"{i}.0,m{i},s,pop\n" for i in range(4))
    (folder / "music_info_withname.csv").write_text("i_id_c,music,singer,general_genre\n" + info)
    return {}, "{}", "{}"


def table(raw):
    lines = [f"u{u},i{i},{t}" for u, i, t in events()]
    (raw / "r.csv").write_text("\n".join(["user_id,item_id,timestamp", *lines]) + "\n")
    (raw / "i.csv").write_text("item_id,title\n" + "".join(f"i{i},t{i}\n" for i in range(4)))
    return {"interactions": "r.csv", "items": "i.csv"}, "u{}", "i{}"


def recbole(raw):
    lines = [f"u{u}\ti{i}\t{t}" for u, i, t in events()]
    header = "user_id:token\titem_id:token\ttimestamp:float"
    (raw / "x.inter").write_text("\n".join([header, *lines]) + "\n")
    items = "".join(f"i{i}\tt{i}\n" for i in range(4))
    (raw / "x.item").write_text("item_id:token\ttitle:token_seq\n" + items)
    return {"name": "x"}, "u{}", "i{}"


FORMATS = {
    "amazon-2014": amazon_2014, "amazon-2018": amazon_2018, "amazon-2023": amazon_2023,
    "ml-100k": ml_100k, "ml-1m": ml_1m, "ml-32m": ml_32m, "zvuk": zvuk, "music4all": music4all,
    "music4all-onion": music4all_onion, "situnes": situnes, "table": table, "recbole": recbole,
}  # fmt: skip


@pytest.mark.parametrize("source", FORMATS)
def test_every_source_gives_the_split_by_hand(source, tmp_path, counting):
    raw = tmp_path / "raw"
    raw.mkdir()
    options, user, item = FORMATS[source](raw)
    folder = prepare(
        source, tmp_path / "out", raw=raw, name="same", source_options=options,
        protocol="leave_one_out", content=ContentOptions(),
    )  # fmt: skip
    form = {"separator": "\t", "infer_schema": False}
    rows = pl.read_csv(folder / "same.inter", **form)
    for u, expected in SPLIT.items():
        mine = rows.filter(pl.col("user_id:token") == user.format(u))
        assert mine["split:token"].to_list() == expected
        played = [item.format(i) for v, i in HISTORY if v == u]
        assert mine["item_id:token"].to_list() == played
        times = [t for v, _, t in events() if v == u]
        assert mine["timestamp:float"].cast(float).to_list() == times
    items = pl.read_csv(folder / "same.item", **form).sort("item_id:token")
    assert items["item_id:token"].to_list() == [item.format(i) for i in range(4)]
    assert items["is_cold:token"].to_list() == COLD
    assert items["train_count:float"].cast(float).cast(str).to_list() == COUNT
    record = json.loads((folder / "same.json").read_text())
    assert record["steps"][0] == {"step": "raw", "rows": 10, "users": 3, "items": 4}
    assert record["targets"] == {
        "valid": {"cold": 1, "warm": 1, "empty_history": 0},
        "test": {"cold": 1, "warm": 2, "empty_history": 0},
    }
    assert len(record["inputs"]) >= 2
