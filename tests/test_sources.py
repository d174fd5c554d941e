"""Each raw format in its own exact shape, with counts and splits checked by hand."""

from __future__ import annotations

import bz2
import gzip
import json

import numpy as np
import polars as pl
import pytest
from conftest import as_pandas

from dataset_prep import SOURCES, prepare
from dataset_prep.filters import without_repeats
from dataset_prep.log import Log
from dataset_prep.protocols import official_test, paper
from dataset_prep.source import get_source
from recbole_delta.content import read_content
from recbole_delta.errors import DeltaError


def read(source, raw, **options):
    """(rows as [user, item, time, extras...], items by id, Log)."""
    data = get_source(source).read(raw, options)
    log, _ = Log.read(data.interactions, source)
    columns = [
        log.users.gather(log.user).to_list(),
        log.items.gather(log.item).to_list(),
        log.time.tolist(),
        *(column.tolist() for column in log.extra.values()),
    ]
    items = {row["item_id"]: row for row in data.items.to_dicts()}
    assert all(row["item_id"].__class__ is str for row in data.items.to_dicts())
    return [list(row) for row in zip(*columns)], items, log


def gz(path, text):
    path.write_bytes(gzip.compress(text.encode()))


def test_amazon_2014_strict_json_and_python_literals(tmp_path):
    review = {"reviewerID": "A1", "asin": "B01", "overall": 4.0, "unixReviewTime": 1370000000}
    other = {**review, "reviewerID": "A2", "overall": 2.0, "helpful": [0, 1]}
    gz(tmp_path / "reviews_Toys_5.json.gz", f"{json.dumps(review)}\n{other}\n")
    meta = {"asin": "B01", "title": 'It\'s "new"', "brand": "X", "categories": [["Toys", "Cars"]]}
    gz(tmp_path / "meta_Toys.json.gz", f"{meta}\n{json.dumps({'asin': 'B02'})}\n")
    rows, items, _ = read("amazon-2014", tmp_path, category="Toys")
    assert rows == [["A1", "B01", 1370000000, 4.0], ["A2", "B01", 1370000000, 2.0]]
    assert items["B01"]["title"] == 'It\'s "new"'
    assert items["B01"]["categories"] == "Toys Cars"
    assert items["B02"]["title"] is None


def test_amazon_2018_has_category_for_categories(tmp_path):
    review = {"reviewerID": "A1", "asin": "B01", "overall": 5.0, "unixReviewTime": 7, "style": {}}
    gz(tmp_path / "Gift_Cards_5.json.gz", json.dumps(review))
    meta = {"asin": "B01", "title": "Card", "brand": "Z", "category": ["Gift", "Cards"]}
    gz(tmp_path / "meta_Gift_Cards.json.gz", json.dumps(meta))
    rows, items, _ = read("amazon-2018", tmp_path, category="Gift_Cards")
    assert rows == [["A1", "B01", 7, 5.0]]
    assert items["B01"]["categories"] == "Gift Cards"


@pytest.mark.parametrize("shape", ["jsonl", "csv"])
def test_amazon_2023_full_and_rating_only(tmp_path, shape):
    row = {
        "rating": 5.0,
        "asin": "B01",
        "parent_asin": "P01",
        "user_id": "AF",
        "timestamp": 1588687728923,
    }
    if shape == "jsonl":
        gz(tmp_path / "All_Beauty.jsonl.gz", json.dumps({**row, "title": "t", "images": []}) + "\n")
    else:
        header = "user_id,parent_asin,rating,timestamp"
        gz(tmp_path / "All_Beauty.csv.gz", f"{header}\nAF,P01,5.0,1588687728923\n")
    meta = {"parent_asin": "P01", "title": "Soap", "store": "S", "categories": ["Beauty"]}
    gz(tmp_path / "meta_All_Beauty.jsonl.gz", json.dumps(meta) + "\n")
    rows, items, log = read("amazon-2023", tmp_path, category="All_Beauty")
    assert [row[:2] for row in rows] == [["AF", "P01"]]
    assert log.time[0] == pytest.approx(1588687728.923)
    assert log.extra["rating"].tolist() == [5.0]
    assert (items["P01"]["title"], items["P01"]["brand"]) == ("Soap", "S")


def test_movielens_1m_and_csv(tmp_path):
    old, new = tmp_path / "1m", tmp_path / "25m"
    old.mkdir(), new.mkdir()
    (old / "ratings.dat").write_text("1::1193::5::978300760\n2::1::3::978302109\n")
    movies = '1::Toy Story (1995)::Animation|Children\'s\n1193::Amélie: Un "film" (2001)::Drama\n'
    (old / "movies.dat").write_bytes(movies.encode("latin-1"))
    rows, items, _ = read("ml-1m", old)
    assert rows == [["1", "1193", 978300760, 5], ["2", "1", 978302109, 3]]
    assert items["1193"]["movie_title"] == 'Amélie: Un "film"'
    assert items["1"]["class"] == "Animation Children's"
    (new / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n")
    text = 'movieId,title,genres\n296,"Pulp, Fiction (1994)",Crime|Drama\n7,No Year,(no genres listed)\n'
    (new / "movies.csv").write_text(text)
    rows, items, _ = read("ml-25m", new)
    assert rows == [["1", "296", 1147880044, 5.0]]
    assert (items["296"]["movie_title"], items["296"]["release_year"]) == ("Pulp, Fiction", "1994")
    assert (items["7"]["movie_title"], items["7"]["release_year"], items["7"]["class"]) == (
        "No Year", None, "",
    )  # fmt: skip


def test_movielens_100k_original_equals_recboles_copy(tmp_path):
    (tmp_path / "u.data").write_text("196\t242\t3\t881250949\n")
    flags = "|".join("1" if n in (3, 5) else "0" for n in range(19))
    line = f"242|Kolya, Él (1996)|24-Jan-1997||http://x|{flags}\n"
    (tmp_path / "u.item").write_bytes(line.encode("latin-1"))
    rows, items, _ = read("ml-100k", tmp_path)
    assert rows == [["196", "242", 881250949, 3]]
    assert items["242"] == {
        "item_id": "242", "movie_title": "Kolya, Él", "release_year": "1996",
        "class": "Animation Comedy",
    }  # fmt: skip
    rows, items, log = read("ml-100k", None)
    assert (len(log), log.n_users(), log.n_items()) == (100_000, 943, 1_682)
    assert rows[0] == ["196", "242", 881250949, 3]
    assert items["242"]["movie_title"] == "Kolya"


M2_TRAIN = """prev_items,next_item,locale
"['B01' 'B01'
 'B02']",B03,FR
['B02' 'B03'],B01,DE
['B03'],B04,FR
['B01'],B02,FR
['B02'],B05,FR
['B01'],B03,FR
"""


@pytest.fixture
def m2(tmp_path):
    (tmp_path / "sessions_train.csv").write_text(M2_TRAIN)
    test = "prev_items,locale\n\"['B01' 'B01']\",FR\n['B02'],DE\n\"['B09' 'B02']\",FR\n"
    (tmp_path / "sessions_test_task2_phase1.csv").write_text(test)
    (tmp_path / "gt_task2.csv").write_text("next_item,locale\nB09,FR\nB01,DE\nB02,FR\n")
    products = "id,locale,title,price,brand,color,size,model,material,author,desc\n"
    for n in (1, 2, 3, 4, 5, 9):
        products += f'B0{n},FR,"Chose {n}, belle",1.0,Marque,,,,,,\nB0{n},DE,Ding,1.0,,,,,,,\n'
    (tmp_path / "products_train.csv").write_text(products)
    return tmp_path


def test_amazon_m2_through_the_papers_protocol(m2):
    rows, items, log = read("amazon-m2", m2, locale="FR")
    sessions = {}
    for user, item, time, _ in rows:
        sessions.setdefault(user, []).append(item)
        assert time == len(sessions[user]) - 1
    assert sessions == {
        "train-0": ["B01", "B01", "B02", "B03"],
        "train-2": ["B03", "B04"],
        "train-3": ["B01", "B02"],
        "train-4": ["B02", "B05"],
        "train-5": ["B01", "B03"],
        "test-0": ["B01", "B01", "B09"],
        "test-2": ["B09", "B02", "B02"],
    }
    assert items["B01"]["title"] == "Chose 1, belle"
    # Repeats are dropped in the train sessions only.
    kept = without_repeats(log.in_order_of_time())
    assert len(kept) == len(log) - 1
    split = as_pandas(*official_test(kept, seed=0))
    of = {user: list(mine["split"]) for user, mine in split.groupby("user_id")}
    assert of["test-0"] == of["test-2"] == ["history", "history", "test"]
    trained = [user for user in of if user.startswith("train") and "train" in of[user]]
    assert len(trained) == 4
    [validated] = {user for user in of if user.startswith("train")} - set(trained)
    warm = set(split.loc[split["split"] == "train", "item_id"])
    mine = split[split["user_id"] == validated]
    last_warm = [i for i in mine["item_id"] if i in warm][-1:]
    assert mine.loc[mine["split"] == "valid", "item_id"].tolist() == last_warm
    assert "official_test" not in split


def test_official_test_needs_test_sessions():
    _, _, log = read("ml-100k", None)
    with pytest.raises(DeltaError, match="needs a source with test sessions"):
        official_test(log)


@pytest.fixture
def zvuk(tmp_path):
    """500 plays in Zvuk's schema; the last tenth in time brings new tracks."""
    rng = np.random.default_rng(0)
    n = 600
    track = np.where(np.arange(n) < 540, rng.integers(0, 12, n), rng.integers(8, 16, n))
    plays = pl.DataFrame(
        {
            "user_id": rng.integers(0, 15, n),
            "session_id": rng.integers(0, 10**9, n),
            "datetime": pl.Series(np.arange(n) * 1000 + 1_650_000_000_000).cast(pl.Datetime("ms")),
            "track_id": track + 127_000_000,
            "play_duration": rng.uniform(10, 300, n),
        }
    )
    plays.write_parquet(tmp_path / "zvuk-interactions.parquet")
    vectors = pl.DataFrame(
        {
            "track_id": np.arange(16) + 127_000_000,
            "artist_id": np.arange(16),
            "cluster_id": np.zeros(16, dtype=int),
            "vector": rng.normal(size=(16, 8)).tolist(),
        }
    )
    pl.concat([vectors, vectors[:2]]).write_parquet(
        tmp_path / "zvuk-track_artist_embedding.parquet"
    )
    return tmp_path, plays, vectors


def test_zvuk_through_the_papers_protocol(zvuk, tmp_path):
    raw, plays, vectors = zvuk
    from dataset_prep import Filters

    filters = Filters(above={"play_duration": 60}, users=14, seed=1, drop_repeats=True)
    folder = prepare("zvuk", tmp_path / "out", raw=raw, filters=filters, protocol="paper")
    record = json.loads((folder / "zvuk-paper.json").read_text())
    long = plays.filter(pl.col("play_duration") > 60)
    assert [step["step"] for step in record["steps"]] == [
        "raw", "play_duration > 60", "14 users", "repeats dropped", "paper",
    ]  # fmt: skip
    assert record["steps"][0]["rows"] == 600
    assert record["steps"][1]["rows"] == len(long)
    assert record["steps"][2]["users"] == 14
    inter = pl.read_csv(folder / "zvuk-paper.inter", separator="\t", infer_schema=False)
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
    (onion / "userid_trackid_timestamp.tsv.bz2").write_bytes(bz2.compress(events.encode()))
    (onion / "id_maest.tsv").write_text("id\tx0\tx1\nabc\t0.5\t-1\nxyz\t1\t2e-3\n")
    rows, _, _ = read("music4all-onion", onion, features="id_maest.tsv")
    assert rows == [["7", "abc", 1577836805]]
    vectors = get_source("music4all-onion").read(onion, {"features": "id_maest.tsv"}).vectors
    assert vectors.collect().to_dicts() == [
        {"item_id": "abc", "vector": [0.5, -1.0]}, {"item_id": "xyz", "vector": [1.0, 0.002]},
    ]  # fmt: skip


def test_situnes_counts(beauty_folder):
    _, items, log = read("situnes", beauty_folder.parent / "situnes")
    assert (len(log), log.n_users(), log.n_items()) == (2_006, 30, 307)
    assert (int(log.time.min()), int(log.time.max())) == (1_625_022_948, 1_650_902_250)
    assert items["874"]["music"] == "The Privateers"
    assert set(log.items) <= set(items)


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "jsonl"])
def test_tables_of_ones_own(tmp_path, ending):
    rows = pl.DataFrame({"uid": ["007", "008"], "sku": ["x'1", "x'1"], "when": [2, 1]})
    rows = rows.with_columns(
        pl.col("when").cast(pl.Datetime("ms")) if ending == "parquet" else "when"
    )
    things = pl.DataFrame({"sku": ["x'1"], "title": ['a, "thing"'], "weight": [1.5]})
    writers = {
        "csv": pl.DataFrame.write_csv,
        "tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
        "parquet": pl.DataFrame.write_parquet,
        "jsonl": pl.DataFrame.write_ndjson,
    }
    writers[ending](rows, tmp_path / f"rows.{ending}")
    writers[ending](things, tmp_path / f"things.{ending}")
    options = {"interactions": f"rows.{ending}", "items": f"things.{ending}"}
    options |= {"user": "uid", "item": "sku", "time": "when"}
    got, items, log = read("table", tmp_path, **options)
    assert [row[0] for row in got] == ["007", "008"]
    assert [row[1] for row in got] == ["x'1", "x'1"]
    scale = 1000 if ending == "parquet" else 1
    assert (log.time * scale).tolist() == [2, 1]
    assert items["x'1"]["title"] == 'a, "thing"'
    assert items["x'1"]["weight"] == "1.5"


def test_a_recbole_data_set_that_one_has(ml_100k):
    name = ml_100k.name
    _, items, log = read("recbole", ml_100k, name=name)
    assert len(log) == 99_287
    assert items["242"]["movie_title"] == "Kolya"
    assert "is_cold" not in items["242"]
    types = get_source("recbole").read(ml_100k, {"name": name}).item_types
    assert types == {"movie_title": "token_seq", "release_year": "token", "class": "token_seq"}


@pytest.mark.parametrize("name", ["amazon-2014", "amazon-2023", "amazon-m2", "zvuk", "music4all",
                                  "situnes", "ml-1m", "ml-32m"])  # fmt: skip
def test_missing_files_are_named_with_where_to_get_them(tmp_path, name):
    get_source(name)
    options = {option: "X" for option in SOURCES[name].options()}
    for raw in (None, tmp_path):
        with pytest.raises(DeltaError) as error:
            get_source(name).read(raw, options)
        message = str(error.value)
        assert message.endswith(".")
        assert any(place in message for place in ("edu", "io", "com", "org", "repository"))
        assert "\n" not in message


def test_a_source_says_which_options_it_needs(tmp_path):
    with pytest.raises(DeltaError, match="amazon-2014 needs the option category"):
        get_source("amazon-2014").read(tmp_path, {})
    with pytest.raises(DeltaError, match="zvuk has no option 'locale'; it has: none"):
        get_source("zvuk").read(tmp_path, {"locale": "FR"})


def test_files_that_are_broken(tmp_path):
    gz(tmp_path / "reviews_X_5.json.gz", '{"reviewerID": "A1"}\n')
    (tmp_path / "meta_X.json.gz").write_bytes(gzip.compress(b'{"asin": "B"}\n' * 99)[:-9])
    with pytest.raises(DeltaError, match="Cannot read .*meta_X.json.gz.*is the file whole"):
        read("amazon-2014", tmp_path, category="X")
    (tmp_path / "rows.csv").write_text("user_id,item_id,timestamp\na,b,noon\n")
    (tmp_path / "items.csv").write_text("item_id\nb\n")
    options = {"interactions": "rows.csv", "items": "items.csv"}
    with pytest.raises(DeltaError, match="timestamp must hold numbers or times"):
        read("table", tmp_path, **options)
    with pytest.raises(DeltaError, match=r"rows.csv has no column 'uid'; it has: user_id"):
        read("table", tmp_path, **options, user="uid")
    (tmp_path / "rows.csv").write_text("user_id,item_id,timestamp\na,b,1\n,b,2\n")
    with pytest.raises(DeltaError, match="table: user_id is missing in 1 rows"):
        read("table", tmp_path, **options)
    (tmp_path / "rows.xls").write_text("")
    with pytest.raises(DeltaError, match="none of the endings"):
        read("table", tmp_path, **{**options, "interactions": "rows.xls"})


def test_the_papers_protocol_has_no_row_of_training_after_the_threshold():
    _, _, log = read("ml-100k", None)
    kept, split = paper(log.in_order_of_time())
    threshold = np.quantile(log.time, 0.9)
    assert (kept.time[split == 0] <= threshold).all()
