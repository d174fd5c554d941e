"""What dataset_prep refuses of raw files: one sentence that names the culprit, and nothing written."""

from __future__ import annotations

import json

import pytest
from support.originals import gz
from support.refusals import cut, flip, refusal

REVIEW = json.dumps({"reviewerID": "A", "asin": "B", "overall": 5.0, "unixReviewTime": 7})
META = json.dumps({"asin": "B", "title": "t", "brand": "b", "categories": [["c"]]})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda raw: cut(raw / "reviews_Toys_5.json.gz"), "reviews_Toys_5.json.gz"),
        (lambda raw: (raw / "reviews_Toys_5.json.gz").write_text(REVIEW), "it should be the whole file"),
        (lambda raw: (raw / "reviews_Toys_5.json.gz").write_bytes(b""), "holds no interactions"),
        (lambda raw: gz(raw / "reviews_Toys_5.json.gz", "[1]\n"), "reviews_Toys_5.json.gz"),
        (lambda raw: gz(raw / "reviews_Toys_5.json.gz", "__import__('os').getpid()\n"),
         "reviews_Toys_5.json.gz"),
        (lambda raw: gz(raw / "reviews_Toys_5.json.gz", REVIEW.replace("reviewerID", "x")),
         "user_id is missing in 1 rows"),
        (lambda raw: gz(raw / "reviews_Toys_5.json.gz", REVIEW.replace("7", '"x"')),
         "reviews_Toys_5.json.gz"),
        (lambda raw: cut(raw / "meta_Toys.json.gz"), "meta_Toys.json.gz"),
        (lambda raw: flip(raw / "meta_Toys.json.gz"), "meta_Toys.json.gz"),
        (lambda raw: gz(raw / "meta_Toys.json.gz", "{{}: 1}\n"), "meta_Toys.json.gz"),
        (lambda raw: gz(raw / "meta_Toys.json.gz", "[" * 100_000), "meta_Toys.json.gz"),
        (lambda raw: (raw / "meta_Toys.json.gz").unlink(), "There is no meta_Toys.json.gz"),
    ],
)  # fmt: skip
def test_amazon(tmp_path, spoil, message):
    raw = tmp_path / "raw"
    raw.mkdir()
    gz(raw / "reviews_Toys_5.json.gz", REVIEW + "\n")
    gz(raw / "meta_Toys.json.gz", META + "\n")
    spoil(raw)
    assert message in refusal(tmp_path, "amazon-2014", raw=raw, source_options={"category": "Toys"})


def test_a_needed_option_and_an_unknown_data_set(tmp_path):
    assert "amazon-2014 needs the option category" in refusal(tmp_path, "amazon-2014")
    assert "Unknown data set 'amazon'; choose from" in refusal(tmp_path, "amazon")


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda raw: (raw / "gt_task2.csv").write_text("next_item\nB09\n"), {},
         "gt_task2.csv has 1 answers for 3 sessions"),
        (lambda raw: None, {"locale": "XX"}, "holds no session of locale XX"),
        (lambda raw: (raw / "sessions_train.csv").write_text("prev_items,locale\na,FR\n"), {},
         "sessions_train.csv"),
        (lambda raw: (raw / "products_train.csv").write_text("id\nB01\n"), {}, "products_train.csv"),
        (lambda raw: (raw / "sessions_test_task2_phase1.csv").write_bytes(b""), {},
         "sessions_test_task2_phase1.csv"),
    ],
)  # fmt: skip
def test_amazon_m2(m2, tmp_path, spoil, options, message):
    spoil(m2)
    given = {"locale": "FR", **options}
    assert message in refusal(
        tmp_path, "amazon-m2", raw=m2, source_options=given, protocol="official_test"
    )


@pytest.mark.parametrize(
    ("source", "files", "options", "message"),
    [
        ("zvuk", {"zvuk-interactions.parquet": b"PAR1", "zvuk-track_artist_embedding.parquet": b"x"},
         {}, "zvuk-"),
        ("ml-1m", {"ratings.dat": b"1::2::3\n", "movies.dat": b"1::A (1990)::X\n"}, {},
         "ratings.dat"),
        ("ml-1m", {"ratings.dat": b"1::2::x::7\n", "movies.dat": b"1::A (1990)::X\n"}, {},
         "ratings.dat"),
        ("ml-25m", {"ratings.csv": b"userId,movieId\n1,2\n", "movies.csv": b"movieId,title,genres\n"},
         {}, "ratings.csv"),
        ("ml-25m", {"ratings.csv": b"", "movies.csv": b""}, {}, ".csv"),
        ("ml-100k", {"u.data": b"a\n", "u.item": b"b\n"}, {}, "u."),
        ("music4all", {"listening_history.csv": b"user\tsong\ttimestamp\na\tb\tyesterday\n",
                       "id_information.csv": b"id\tartist\tsong\talbum_name\nb\tx\ty\tz\n",
                       "id_genres.csv": b"id\tgenres\nb\trock\n"}, {}, "listening_history.csv"),
        ("music4all-onion", {"userid_trackid_timestamp.tsv.bz2": b"", "f.tsv": b"id\tx\n"},
         {"features": "f.tsv"}, "Unpack the .bz2 files"),
        ("situnes", {"Stage1/interactions.csv": b"user_id\n"}, {}, "Stage2"),
        ("recbole", {"x.inter": b"user_id\titem_id\ttimestamp\n1\t2\t3\n", "x.item": b"item_id\n2\n"},
         {"name": "x"}, "x.item"),
        ("recbole", {"x.inter": b"user_id:token\titem_id:token\n1\t2\n",
                     "x.item": b"item_id:token\n2\n"}, {"name": "x"}, "x.inter has no column"),
        ("recbole", {"x.inter": b"user_id:token\titem_id:token\ttimestamp:float\n1\t2\tlate\n",
                     "x.item": b"item_id:token\n2\n"}, {"name": "x"}, "x.inter"),
        ("recbole", {"x.inter": b"", "x.item": b""}, {"name": "x"}, "x."),
        ("recbole", {"x.inter": b"", "x.item": b""}, {"name": "../raw/x"}, "is no name"),
    ],
)  # fmt: skip
def test_other_sources(tmp_path, source, files, options, message):
    raw = tmp_path / "raw"
    for name, content in files.items():
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_bytes(content)
    assert message in refusal(tmp_path, source, raw=raw, name="mine", source_options=options)


def test_a_column_that_a_recbole_set_lacks(tmp_path):
    """What is not the rating is named by an option of the source, and the message says which."""
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "x.inter").write_text("user_id:token\titem_id:token\ttimestamp:float\n1\t2\t3\n")
    (raw / "x.item").write_text("item_id:token\ttitle:token_seq\n2\tt\n")
    options = {"raw": raw, "source_options": {"name": "x"}, "filters": {"above": {"stars": 3}}}
    said = refusal(tmp_path, "recbole", **options)
    assert said.endswith("there are: none; --set numbers=stars adds it.")
    said = refusal(tmp_path, "ml-100k", filters={"above": {"stars": 3}})
    assert said.endswith("has no column 'stars' to filter by; there are: rating.")
