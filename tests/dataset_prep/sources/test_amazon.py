"""Amazon's reviews and sessions in the originals' exact formats, checked by hand."""

from __future__ import annotations

import json

import pytest
from support.datasets import as_pandas
from support.originals import gz, read

from dataset_prep.interactions.filters import without_repeats
from dataset_prep.protocols import official_test


@pytest.mark.parametrize("strict", [True, False])
def test_amazon_2014_strict_json_and_python_literals(tmp_path, strict):
    review = {"reviewerID": "A1", "asin": "B01", "overall": 4.0, "unixReviewTime": 1370000000}
    other = {**review, "reviewerID": "A2", "overall": 2.0, "helpful": [0, 1]}
    lines = map(json.dumps if strict else str, (review, other))
    gz(tmp_path / "reviews_Toys_5.json.gz", "\n".join(lines) + "\n")
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
