"""What dataset_prep refuses of tables and options: one sentence that names the culprit, and nothing written."""

from __future__ import annotations

import pytest
from support.refusals import (
    GOOD_ITEMS,
    GOOD_ROWS,
    ROWS_HEADER,
    as_parquet,
    changed_row,
    drop,
    write,
)

from dataset_prep import Filters, prepare
from dataset_prep.__main__ import main
from dataset_prep.errors import DeltaError


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"spoil": drop("rows.csv")}, "There is no rows.csv in"),
        ({"spoil": drop("items.csv")}, "There is no items.csv in"),
        ({"rows": ""}, "rows.csv"),
        ({"rows": ",".join(ROWS_HEADER) + "\n"}, "rows.csv holds no interactions"),
        ({"rows": GOOD_ROWS.replace("user_id", "uid")}, "rows.csv has no column 'user_id'"),
        ({"rows": GOOD_ROWS.replace("item_id", "iid")}, "rows.csv has no column 'item_id'"),
        ({"rows": GOOD_ROWS.replace("timestamp", "at")}, "rows.csv has no column 'timestamp'"),
        ({"rows": GOOD_ROWS.replace("rating", "stars")}, "rows.csv has no column 'rating'"),
        ({"items": GOOD_ITEMS.replace("item_id", "id")}, "items.csv has no column 'item_id'"),
        ({"items": ""}, "items.csv"),
        ({"items": GOOD_ITEMS.splitlines()[0] + "\n"}, "20 of 20 items have no content"),
        ({"rows": changed_row(0, 2, "noon")}, "timestamp must hold numbers or times"),
        ({"rows": changed_row(250, 2, "noon")}, "[\"noon\"]"),
        ({"rows": changed_row(250, 3, "good")}, "[\"good\"]"),
        ({"rows": changed_row(9, 0, "")}, "rows.csv: user_id is missing in 1 rows"),
        ({"rows": changed_row(9, 1, "")}, "rows.csv: item_id is missing in 1 rows"),
        ({"rows": changed_row(9, 2, "")}, "rows.csv: timestamp is missing in 1 rows"),
        ({"rows": changed_row(9, 3, ""), "filters": {"above": {"rating": 1}}},
         "rows.csv: rating is missing in 1 rows"),
        ({"rows": changed_row(9, 1, "i1,of two")}, "rows.csv"),
        ({"rows": changed_row(9, 2, "nan")}, "rows.csv: timestamp is not a number in 1 rows"),
        ({"rows": changed_row(0, 2, "01/02/2024")}, "say how '01/02/2024' is to be read"),
        ({"names": {"time_format": "%d.%m.%Y"}, "rows": changed_row(0, 2, "01/02/2024")},
         "rows.csv"),
        ({"names": {"numbers": "plays"}}, "rows.csv has no column 'plays'"),
        ({"items": GOOD_ITEMS.encode() + "i20,Café\n".encode("latin-1")}, "items.csv"),
        ({"items": GOOD_ITEMS.replace("title", "rating", 1)}, "has a field 'rating'"),
        ({"items": GOOD_ITEMS.replace("title", "a:b", 1)}, "has a field 'a:b'"),
        ({"items": "song," + GOOD_ITEMS.replace("\n", "\n1,"), "names": {"item_of_items": "song"}},
         "has both song and item_id"),
        ({"names": {"items": "items.parquet"}, "spoil": write("items.parquet", b"PAR1PAR1")},
         "items.parquet"),
        ({"names": {"interactions": "rows.parquet"}, "spoil": as_parquet(float("nan"))},
         "rows.parquet: timestamp is not a number in 1 rows"),
        ({"names": {"interactions": "rows.parquet"}, "spoil": as_parquet(float("inf"))},
         "rows.parquet: timestamp is not a number in 1 rows"),
        ({"rows": changed_row(9, 3, "4,5")}, "rows.csv"),
        ({"rows": changed_row(9, 0, '"u1')}, "rows.csv"),
        ({"rows": GOOD_ROWS.encode() + b"\xff\xfe\xfa,i1,7,4\n"}, "rows.csv"),
        ({"rows": bytes(range(256)) * 20}, "rows.csv"),
        ({"rows": changed_row(9, 0, '"a\tb"')}, "RecBole cannot read the user_id"),
        ({"rows": changed_row(9, 1, '"a\nb"')}, "RecBole cannot read the item_id"),
        ({"rows": changed_row(9, 0, "NA")}, "RecBole cannot read the user_id 'NA' back"),
        ({"rows": changed_row(9, 0, '" "')}, "RecBole cannot read the user_id ' ' back"),
        ({"rows": changed_row(9, 1, "i99")}, "1 of 21 items have no content, 'i99' among them"),
        ({"items": GOOD_ITEMS + "i3,again\n"}, "Item 'i3' occurs twice among the items"),
        ({"names": {"interactions": "rows.xlsx"}, "spoil": write("rows.xlsx", b"PK")},
         "rows.xlsx has none of the endings"),
        ({"names": {"interactions": "rows.parquet"}, "spoil": write("rows.parquet", b"")},
         "rows.parquet"),
        ({"names": {"interactions": "rows.parquet"}, "spoil": write("rows.parquet", b"PAR1junk")},
         "rows.parquet"),
        ({"names": {"interactions": "rows.jsonl"}, "spoil": write("rows.jsonl", b'{"user_id": "a"')},
         "rows.jsonl"),
        ({"names": {"interactions": "rows.jsonl"}, "spoil": write("rows.jsonl", b"[1, 2]\n")},
         "rows.jsonl"),
        ({"names": {"colour": "red"}}, "table has no option 'colour'"),
    ],
)  # fmt: skip
def test_tables(table, files, message):
    assert message in table(**files)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"raw": "nowhere"}, "There is no rows.csv in nowhere"),
        ({"raw": None}, "Say where the raw files are (--raw DIR)"),
        ({"protocol": "leave_two_out"}, "protocol must be one of"),
        ({"protocol": "official_test"}, "needs a source with test sessions"),
        ({"protocol_options": {"cold": "oldest"}}, "cold must be newest or random"),
        ({"protocol_options": {"fraction": 0.6}}, "leaves no cold or no warm item"),
        ({"protocol_options": {"fraction": -1}}, "leaves no cold or no warm item"),
        ({"protocol_options": {"quantile": 0.5}}, "item_holdout has no option 'quantile'"),
        ({"protocol": "paper", "protocol_options": {"cold": "newest"}},
         "paper has no option 'cold'"),
        ({"name": "a/b"}, "name must be letters"),
        ({"name": ".."}, "name must be letters"),
        ({"name": "ml-100k"}, "name must not be ml-100k"),
        ({"filters": {"above": {"stars": 3}}}, "has no column 'stars' to filter by"),
        ({"filters": {"above": {"rating": 9}}}, "No interaction is left after rating > 9"),
        ({"filters": {"users": 13}}, "Cannot draw 13 users; there are 12"),
        ({"filters": {"users": 0}}, "users must be at least 1"),
        ({"filters": {"core": 0}}, "core must be at least 1"),
        ({"filters": {"core": 500}}, "No interaction is left after 500-core"),
        ({"download": True}, "table is not for --download"),
        ({"content": {"template": "{colour}"}}, "no field 'colour'; the fields are"),
        ({"content": {"template": "{title"}}, "template '{title'"),
        ({"content": {"template": "{}"}}, "template '{}': no field ''"),
        ({"content": {"template": "{title.__class__}"}}, "no field 'title.__class__'"),
        ({"content": {"template": "the same"}}, "template 'the same' names no field"),
        ({"content": {"devices": ["gpu0"]}}, "devices: there is no kind of device 'gpu0'"),
        ({"content": {"devices": ["cuda:99"]}}, "devices: cuda:99 is not there"),
        ({"content": {"encoder": "/nowhere/model"}}, "/nowhere/model is not a sentence-transf"),
        ({"content": {"encoder": "broken/model"}}, "The encoder broken/model cannot be loaded"),
        ({"content": {"without_content": "mean"}}, "without_content must be error or drop"),
        ({"content": {"audio": "clips"}}, "There is no folder of audio files clips"),
        ({"content": {"vectors": "none.npy"}}, "There is no file of vectors none.npy"),
        ({"content": {"audio_options": {"seconds": 0}}}, "A segment must have at least 1024 samples"),
        ({"content": {"audio_options": {"segments": 0}}}, "segments must be at least 1"),
        ({"content": {"audio_options": {"rate": 0}}}, "rate must be at least 1"),
        ({"content": {"audio_options": {"seconds": float("inf")}}}, "A segment must have"),
        ({"content": {"audio_options": {"rate": 8000}}}, "need a folder of audio files"),
        ({"content": {"vectors": "v.npy", "template": "{x}"}}, "There is no file of vectors v.npy"),
        ({"content": {"template": "{title:d}"}}, "fields are texts"),
        ({"content": {"devices": ["meta"]}}, "nothing can be computed on meta"),
        ({"filters": {"seed": -1}}, "seed must be from 0"),
        ({"protocol_options": {"seed": -1}}, "seed must be from 0"),
        ({"protocol_options": {"fraction": float("nan")}}, "leaves no cold or no warm item"),
        ({"content": {"workers": 0}}, "workers must be at least 1"),
    ],
)  # fmt: skip
def test_options(table, options, message):
    assert message in table(**options)


def test_a_place_that_cannot_be_written_to_is_noticed_before_the_encoding(
    table, tmp_path, counting
):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "sets"
    assert f"Cannot write {out / 'mine'}" in table(out=out, name="mine")
    assert not counting.encoded


def test_a_folder_that_is_not_ours_is_not_replaced(table, tmp_path):
    mine = tmp_path / "out" / "mine"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("years of work")
    names = {"interactions": "rows.csv", "items": "items.csv"}
    for name, message in (("mine", "was not made by dataset_prep"), ("raw", "holds the raw files")):
        out = mine.parent if name == "mine" else tmp_path
        (tmp_path / "raw").mkdir(exist_ok=True)
        (tmp_path / "raw" / "rows.csv").write_text(GOOD_ROWS)
        (tmp_path / "raw" / "items.csv").write_text(GOOD_ITEMS)
        with pytest.raises(DeltaError, match=message):
            prepare("table", out, raw=tmp_path / "raw", source_options=names, name=name)
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert (tmp_path / "raw" / "rows.csv").read_text() == GOOD_ROWS


@pytest.mark.parametrize(
    ("column", "adding"),
    [("rating", "rating=COLUMN adds one, as rating"), ("seconds", "numbers=seconds adds it")],
)
def test_a_column_to_filter_by_is_known_after_the_option_that_the_error_names(
    table, tmp_path, column, adding
):
    rows = GOOD_ROWS.replace("rating", column)
    bounds = {"above": {column: 3}}
    message = table(rows=rows, names={"rating": ""}, filters=bounds)
    assert message == (
        f"rows.csv has no column {column!r} to filter by; there are: none; --set {adding}."
    )
    option, value = adding.split(" ")[0].split("=")
    names = {"interactions": "rows.csv", "items": "items.csv"}
    names[option] = value.replace("COLUMN", column)
    folder = prepare(
        "table", tmp_path, raw=tmp_path / "raw", source_options=names, filters=Filters(**bounds)
    )
    assert "item_id:token" in (folder / f"{folder.name}.item").read_text()


@pytest.mark.parametrize(
    "arguments", [["--above", "rating"], ["--above", "rating=x"], ["--set", "=x"]]
)
def test_the_commands_own_arguments(arguments, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(["ml-100k", "--out", str(tmp_path / "out"), *arguments])
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "out").exists()
