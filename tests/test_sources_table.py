"""Tables of one's own, RecBole data sets, and what every source says of missing files."""

from __future__ import annotations

import polars as pl
import pytest
from originals import read

from dataset_prep import SOURCES
from dataset_prep.source import get_source
from recbole_delta.errors import DeltaError


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
