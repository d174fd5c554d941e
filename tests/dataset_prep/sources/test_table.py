"""Tables of one's own, RecBole data sets, and what every source says of missing files."""

from __future__ import annotations

import polars as pl
import pytest
from support.originals import read

from dataset_prep import SOURCES
from dataset_prep.errors import DeltaError
from dataset_prep.interactions.log import Log
from dataset_prep.sources import get_source
from dataset_prep.sources.table import read_items


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


@pytest.mark.slow
def test_a_recbole_data_set_that_one_has(ml_100k):
    name = ml_100k.name
    _, items, log = read("recbole", ml_100k, name=name)
    assert len(log) == 99_287
    assert items["242"]["movie_title"] == "Kolya"
    assert "is_cold" not in items["242"]
    types = get_source("recbole").read(ml_100k, {"name": name}).item_types
    assert types == {"movie_title": "token_seq", "release_year": "token", "class": "token_seq"}


@pytest.mark.parametrize(
    ("written", "options"),
    [
        (["2024-01-02", "2024-01-03", "2024-12-31"], {}),
        (["2024-01-02 00:00", "2024-01-03T00:00", "2024-12-31 00:00"], {}),
        (["2024-01-02 00:00:00.000", "2024-01-03 00:00:00", "2024-12-31T00:00:00Z"], {}),
        (["2024-01-02T02:00:00+02:00", "2024-01-02T19:00:00-0500", "2024-12-31T00:00Z"], {}),
        (["01/02/2024", "01/03/2024", "12/31/2024"], {"time_format": "%m/%d/%Y"}),
        (["1704153600", "1704240000.0", "1735603200"], {}),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_times_are_read_as_they_are_meant(tmp_path, written, options, ending):
    """2, 3 January and 31 December 2024, midnight UTC."""
    rows = pl.DataFrame({"user_id": "u", "item_id": ["a", "b", "c"], "timestamp": written})
    path = tmp_path / f"rows.{ending}"
    {"csv": rows.write_csv, "jsonl": rows.write_ndjson, "parquet": rows.write_parquet}[ending](path)
    pl.DataFrame({"item_id": ["a", "b", "c"]}).write_csv(tmp_path / "items.csv")
    names = {"interactions": path.name, "items": "items.csv"}
    _, _, log = read("table", tmp_path, **names, **options)
    assert log.time.tolist() == [1_704_153_600, 1_704_240_000, 1_735_603_200]


def test_a_day_without_dashes_is_no_number_of_seconds(tmp_path):
    (tmp_path / "rows.csv").write_text("user_id,item_id,timestamp\nu,a,20240131\nu,b,20240201\n")
    names = {"interactions": "rows.csv"}
    with pytest.raises(DeltaError, match="how '20240131' is to be read, as in time_format=%Y%m%d"):
        get_source("table").read(tmp_path, names)
    data = get_source("table").read(tmp_path, {**names, "time_format": "%Y%m%d"})
    log, _ = Log.read(data.interactions, "rows")
    assert log.time.tolist() == [1_706_659_200, 1_706_745_600]


def test_an_empty_first_time_does_not_say_how_times_are_read(tmp_path):
    (tmp_path / "rows.csv").write_text("user_id,item_id,timestamp\nu,a,\nu,b,1\nu,c,2\n")
    data = get_source("table").read(tmp_path, {"interactions": "rows.csv"})
    assert data.interactions.collect()["timestamp"].to_list() == [None, 1.0, 2.0]


def test_a_recbole_header_without_a_type_is_named(tmp_path):
    (tmp_path / "x.inter").write_text("user_id:token\titem_id:token\ttimestamp:float\ns\tt\t5\n")
    (tmp_path / "x.item").write_text("item_id:token\ttitle\nt\tSo What\n")
    with pytest.raises(
        DeltaError, match=r"x.item: the column 'title' must say its type.*token_seq"
    ):
        get_source("recbole").read(tmp_path, {"name": "x"})


def test_items_in_recboles_form_are_a_table(tmp_path):
    (tmp_path / "new.item").write_text("item_id:token\ttitle:token_seq\na\tSo What\n")
    assert read_items(tmp_path / "new.item").to_dicts() == [{"item_id": "a", "title": "So What"}]


def test_columns_of_ones_own(tmp_path):
    """Plays to filter by, another name of the item's column, numbers with leading zeros, lists."""
    (tmp_path / "rows.csv").write_text("user_id,song,timestamp,seconds\nu,007,1,61\nu,7,2,60\n")
    things = {"id": ["007", "7"], "year": ["0099", "1.50"], "tags": [["a", "b"], []]}
    pl.DataFrame(things).write_parquet(tmp_path / "items.parquet")
    names = {"interactions": "rows.csv", "items": "items.parquet", "item": "song"}
    names |= {"item_of_items": "id", "numbers": "seconds"}
    data = get_source("table").read(tmp_path, names)
    log, _ = Log.read(data.interactions, "rows", above={"seconds": 60})
    assert log.items.gather(log.item).to_list() == ["007"]
    assert data.items.to_dicts() == [
        {"item_id": "007", "year": "0099", "tags": "a b"},
        {"item_id": "7", "year": "1.50", "tags": ""},
    ]


def test_a_recbole_set_with_fields_of_other_names_and_quotes(tmp_path):
    (tmp_path / "x.inter").write_text("session:token\ttrack:token\tat:float\ns\tt\t5\n")
    text = '\ufefftrack:token\ttitle:token_seq\tyear:float\nt\t"say ""hi"""\t1999\n'
    (tmp_path / "x.item").write_text(text, encoding="utf-8")
    options = {"name": "x", "user": "session", "item": "track", "time": "at"}
    rows, items, _ = read("recbole", tmp_path, **options)
    assert rows == [["s", "t", 5.0]]
    assert items == {"t": {"item_id": "t", "title": 'say "hi"', "year": "1999"}}


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


@pytest.mark.parametrize("ending", ["tsv", "inter"])
def test_quotes_between_tabs_that_are_letters(tmp_path, ending):
    """One that is never closed, and one in the middle of an id; read as CSV they swallow lines."""
    rows = 'user_id\titem_id\ttimestamp\nu\t12" single\t1\nu\t"Heroes\t2\nu\tb\t3\n\n\n'
    (tmp_path / f"rows.{ending}").write_text(rows)
    data = get_source("table").read(tmp_path, {"interactions": f"rows.{ending}"})
    assert data.interactions.collect()["item_id"].to_list() == ['12" single', '"Heroes', "b"]


def test_quotes_between_tabs_that_quote(tmp_path):
    (tmp_path / "x.inter").write_text(
        'user_id:token\titem_id:token\ttimestamp:float\n"s"\t"t"\t5\n'
    )
    rows = get_source("recbole").read(tmp_path, {"name": "x"}).interactions.collect()
    assert rows.rows() == [("s", "t", 5.0)]


def test_what_nothing_reads_may_be_missing(tmp_path, caplog):
    """A rating that somebody has not given, a number of another kind, a vector among the texts."""
    prices = pl.Series("rating", ["4.5", None, "3"]).cast(pl.Decimal(4, 1))
    rows = pl.DataFrame({"user_id": ["u"] * 3, "item_id": ["a", "b", "c"], "timestamp": [1, 2, 3]})
    rows.with_columns(prices).write_parquet(tmp_path / "rows.parquet")
    items = {"item_id": ["a", "b", "c"], "title": ["x", "y", "z"], "rows": [[[1]], [[2]], [[3]]]}
    items = pl.DataFrame({**items, "vector": pl.Series([[1.0, 2.0]] * 3, dtype=pl.Array(float, 2))})
    items.write_parquet(tmp_path / "items.parquet")
    options = {"interactions": "rows.parquet", "items": "items.parquet", "rating": "rating"}
    data = get_source("table").read(tmp_path, options)
    log, _ = Log.read(data.interactions, "rows.parquet")
    assert log.numbers() == []
    assert data.items.columns == ["item_id", "title"]
    assert "rows.parquet: rating is missing in some rows; it is left out" in caplog.text
    assert "items.parquet: rows, vector is no text, and is left out" in caplog.text
    with pytest.raises(DeltaError, match="rating is missing in 1 rows"):
        Log.read(data.interactions, "rows.parquet", above={"rating": 1})
    rows.with_columns(prices.fill_null(1)).write_parquet(tmp_path / "rows.parquet")
    log, _ = Log.read(get_source("table").read(tmp_path, options).interactions, "rows.parquet")
    assert log.extra["rating"].tolist() == [4.5, 1.0, 3.0]
