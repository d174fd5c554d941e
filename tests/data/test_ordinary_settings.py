"""What settings of one's own RecBole project mean for a data set that is prepared on the way."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support.shop import rename_columns, settings

import recbole_delta
from dataset_prep import ContentOptions, Filters, prepare
from dataset_prep.errors import DeltaError


def run(data, model="ContentMean", **more):
    return recbole_delta.run(model, "shop", settings=settings(data, **more))


def preparation(data, pattern="shop-item_holdout*"):
    [folder] = data.glob(pattern)
    return json.loads((folder / f"{folder.name}.json").read_text())


def rows_of(data, **how):
    [path] = data.glob("shop-item_holdout*/*.inter")
    return pd.read_csv(path, sep="\t", **how)


# -- the text of an item ---------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["item_id", "sku"])
def test_an_id_of_letters_is_no_text(data, field):
    for path in (data / "shop").iterdir():
        path.write_text(re.sub(r"\bB(\d{3})\b", r"ITEM_\1", path.read_text()))
    rename_columns(data, item_id=field)
    run(data, ITEM_ID_FIELD=field)
    assert preparation(data)["content"]["text"]["template"] == "{title}; {brand}"


def test_fields_whose_names_mean_something_to_python(data):
    rename_columns(data, title="attributes.title", brand="0")
    result = run(data)
    rename_columns(data, **{"attributes.title": "title", "0": "brand"})
    assert run(data).test_result == result.test_result


def test_two_stray_quotes_do_not_swallow_the_lines_between(data):
    file = data / "shop" / "shop.item"
    text = file.read_text().replace("night trains volume 2\t", '"Heroes\t')
    file.write_text(text.replace("night trains volume 10\t", 'x 12"\t'))
    run(data)
    said = preparation(data)
    assert said["items"]["all"] == 48
    assert said["without_content"] == {}


def test_a_stray_quote_in_the_last_lines(data):
    file = data / "shop" / "shop.item"
    file.write_text(file.read_text().replace("green tea volume 47\t", '"Tea\t'))
    run(data)
    assert preparation(data)["items"]["all"] == 48


# -- names of columns ------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [{"threshold": {"stars": 3}}, {"normalize_field": ["stars"]}])
def test_settings_that_name_columns_follow_them(data, named):
    rename_columns(data, item_id="sku", rating="stars")
    columns = {"inter": ["user_id", "sku", "stars"], "item": ["sku", "title"]}
    result = run(data, ITEM_ID_FIELD="sku", RATING_FIELD="stars", load_col=columns, **named)
    assert result.test_mode["cases"]["total"] > 0


def test_a_set_that_the_command_has_prepared_has_our_names(data, caplog):
    caplog.set_level("WARNING")
    rename_columns(data, user_id="uid", timestamp="at")
    made = prepare("recbole", data, raw=data / "shop", name="mine",
                   source_options={"name": "shop", "user": "uid", "time": "at"})  # fmt: skip
    names = {"USER_ID_FIELD": "uid", "TIME_FIELD": "at"}
    asked = settings(data, **names, state="WARNING")
    assert recbole_delta.run("ContentMean", made.name, settings=asked).test_mode["cases"]["total"]
    assert "mine has no at and uid: it is a prepared data set, whose columns are" in caplog.text


def test_an_item_file_with_two_columns_of_ids(data):
    rename_columns(data, item_id="sku", shelf="item_id")
    with pytest.raises(DeltaError, match="has both sku and item_id; rename or drop one"):
        run(data, ITEM_ID_FIELD="sku")


# -- filters ---------------------------------------------------------------------------------------


def test_prepare_adds_to_recboles_filter_of_values(data):
    run(data, val_interval={"rating": "[3,inf)"}, prepare={"above": {"timestamp": 1_700_000_100}})
    rows = rows_of(data)
    assert rows["rating:float"].min() == 3
    assert rows["timestamp:float"].min() > 1_700_000_100


def test_of_two_bounds_on_one_thing_the_stricter_one_counts(data):
    run(data, val_interval={"rating": "[4,inf)"}, prepare={"above": {"rating": 1}})
    assert rows_of(data)["rating:float"].min() == 4
    run(data, val_interval={"rating": "[1,inf)"}, prepare={"above": {"rating": 3}, "core": 2},
        user_inter_num_interval="[3,inf)", item_inter_num_interval="[3,inf)")  # fmt: skip
    said = [json.loads(path.read_text())["filters"] for path in data.glob("shop-*/shop-*-*.json")]
    assert {"rating": 3} in [each["above"] for each in said]
    assert 3 in [each["core"] for each in said]


@pytest.mark.parametrize("asked", ["val_interval", "prepare"])
def test_a_column_cannot_have_the_name_that_another_one_gets(data, asked):
    """Else the bound on the one would be applied to the other."""
    rename_columns(data, rating="stars")
    file = data / "shop" / "shop.inter"
    table = pd.read_csv(file, sep="\t")
    table["rating:float"] = 0.0
    table.to_csv(file, sep="\t", index=False)
    settings = {"val_interval": {"val_interval": {"rating": "[3,inf)"}},
                "prepare": {"prepare": {"above": {"rating": 3}}}}[asked]  # fmt: skip
    with pytest.raises(DeltaError, match="stars is called rating, so no other column can be"):
        run(data, RATING_FIELD="stars", **settings)


def test_any_column_of_numbers_is_filtered_by(data):
    rename_columns(data, timestamp="at", rating="stars")
    file = data / "shop" / "shop.inter"
    table = pd.read_csv(file, sep="\t")
    table["weight:float"] = np.arange(len(table)) % 10
    table.to_csv(file, sep="\t", index=False)
    run(data, TIME_FIELD="at", RATING_FIELD="stars", prepare={"above": {"stars": 1}},
        val_interval={"weight": "(2,inf)", "at": "[1.7e9,inf]"})  # fmt: skip
    kept = table[(table["weight:float"] > 2) & (table["stars:float"] > 1)]
    kept = kept[kept["at:float"] >= 1.7e9]
    assert 0 < len(rows_of(data)) == len(kept) < len(table)


def test_counts_that_ask_for_nothing_and_core_instead_of_counts_that_differ(data):
    run(data, user_inter_num_interval="[1,inf)")
    assert preparation(data)["filters"]["core"] == 1
    run(data, user_inter_num_interval="[2,inf)", item_inter_num_interval="[4,inf)",
        prepare={"core": 3})  # fmt: skip
    assert preparation(data, "shop-item_holdout-*")["filters"]["core"] == 3


def test_rm_dup_inter_is_refused_before_anything_is_prepared(data):
    with pytest.raises(DeltaError, match="rm_dup_inter cannot be applied before the split"):
        run(data, rm_dup_inter="first")
    assert not list(data.glob("shop-*"))


# -- content ---------------------------------------------------------------------------------------


def vectors(folder: Path) -> Path:
    rows = np.random.default_rng(0).normal(size=(48, 24)).astype(np.float32)
    np.save(folder / "v.npy", rows)
    (folder / "v.ids.txt").write_text("\n".join(f"B{i:03d}" for i in range(48)))
    return folder / "v.npy"


def test_ids_beside_the_vectors_that_have_changed_are_read_anew(data, tmp_path):
    asked = {"prepare": {"vectors": str(vectors(tmp_path))}}
    right = run(data, **asked).test_result
    ids = tmp_path / "v.ids.txt"
    ids.write_text("\n".join(reversed(ids.read_text().split("\n"))))
    assert run(data, **asked).test_result != right


def test_content_file_is_the_content_of_an_ordinary_data_set(data, tmp_path):
    (data / "shop" / "shop.item").unlink()
    path = vectors(tmp_path)
    by_file = run(data, content_file=str(path))
    assert by_file.test_result == run(data, prepare={"vectors": str(path)}).test_result
    matrix, tokens = np.load(path), path.with_suffix(".ids.txt").read_text().split()
    table = pl.DataFrame({"item_id": tokens, "vector": matrix.tolist()})
    table.write_parquet(tmp_path / "v.parquet")
    by_table = run(data, content_file=str(tmp_path / "v.parquet"))
    assert by_table.test_result == by_file.test_result


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"missing": None}, 'prepare: missing is empty; .*missing: "None"'),
        ({"prefix": None}, "prepare: prefix is empty"),
        ({"template": 5}, "prepare: template must be text; quote it in the YAML, but is 5"),
        ({"drop_repeats": "no"}, "prepare: drop_repeats must be True or False"),
        ({"fraction": "0.2"}, "prepare: fraction must be a number, but is '0.2'"),
        ({"seed": 1.5}, "prepare: seed must be a whole number"),
        ({"devices": "cpu"}, r"prepare: devices must be a list, such as \[cpu\], but is 'cpu'"),
        ({"above": {"rating": None}}, "above: the bound of rating must be a number, but is None"),
    ],
)
def test_values_of_another_kind(data, asked, message):
    with pytest.raises(DeltaError, match=message):
        run(data, prepare=asked)


def test_options_that_may_be_left_empty(data):
    run(data, prepare={"vectors": None, "users": None, "encoder": None})
    assert (data / "shop-item_holdout").is_dir()


# -- where it is -----------------------------------------------------------------------------------


def test_a_set_that_the_command_made_otherwise_is_not_taken_over(data):
    prepare("recbole", data, raw=data / "shop", source_options={"name": "shop"},
            filters=Filters(core=3))  # fmt: skip
    with pytest.raises(
        DeltaError,
        match="was prepared with filters core=3.*dataset: shop-item_holdout to run on it",
    ):
        run(data)
    assert preparation(data)["filters"]["core"] == 3


def test_a_set_that_the_command_made_alike_is_taken(data):
    made = prepare("recbole", data, raw=data / "shop", source_options={"name": "shop"},
                   protocol_options={"cold": "newest"},
                   content=ContentOptions(template="{title}; {brand}"))  # fmt: skip
    before = (made / f"{made.name}.json").stat().st_mtime_ns
    run(data)
    assert (made / f"{made.name}.json").stat().st_mtime_ns == before


def test_an_item_file_that_is_gone_since_makes_another_data_set(data):
    asked = {"prepare": {"template": "{title}"}}
    run(data, **asked)
    (data / "shop" / "shop.item").unlink()
    with pytest.raises(DeltaError, match="comes without a file of items"):
        run(data, **asked)


@pytest.mark.parametrize("damaged", ["[]", "{}", "{"])
def test_a_damaged_record_of_the_preparation(data, damaged):
    run(data)
    (data / "shop-item_holdout" / "shop-item_holdout.json").write_text(damaged)
    with pytest.raises(DeltaError, match="was not made by dataset_prep; move it away"):
        run(data)


def test_where_nothing_can_be_written_a_prepared_set_is_read(data):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    data.chmod(0o500)
    try:
        with pytest.raises(DeltaError, match="cannot be written .*prepare it elsewhere"):
            run(data)
        data.chmod(0o700)
        result = run(data)
        data.chmod(0o500)
        assert run(data).test_result == result.test_result
    finally:
        data.chmod(0o700)


def test_prepare_is_not_read_for_a_prepared_set_and_it_says_so(data, caplog):
    run(data)
    caplog.set_level("WARNING")
    asked = settings(data, prepare={"core": 50}, state="WARNING")
    recbole_delta.run("ContentMean", "shop-item_holdout", settings=asked)
    said = [each.getMessage() for each in caplog.records if "prepare is not" in each.getMessage()]
    assert len(said) == 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"benchmark_filename": ["train", "valid", "test"]}, "benchmark_filename is not read: put"),
        ({"additional_feat_suffix": ["ent"]}, "additional_feat_suffix: a prepared data set has"),
        ({"field_separator": ";"}, "field_separator: .*must have tabs between columns"),
        ({"encoding": "latin-1"}, "must be UTF-8 to be prepared.*iconv -f latin-1"),
        ({"val_interval": "[3,inf)"}, "val_interval must be intervals"),
        ({"val_interval": {"rating": "[3.1.2,inf)"}}, "only intervals without an upper end"),
        ({"val_interval": {"price": "[1,inf)"}}, "shop.inter has no column 'price'"),
    ],
)
def test_what_cannot_be_prepared_is_refused_before_it_is(data, asked, message):
    with pytest.raises(DeltaError, match=message):
        run(data, **asked)
    assert not list(data.glob("shop-*"))


def test_a_name_that_no_prepared_set_can_have(data):
    (data / "shop").rename(data / "my shop")
    for path in (data / "my shop").iterdir():
        path.rename(path.with_stem("my shop"))
    with pytest.raises(DeltaError, match="The data set's name 'my shop'.*rename its folder"):
        recbole_delta.run("ContentMean", "my shop", settings=settings(data))


def test_empty_lines_at_the_end_are_no_rows(data):
    before = run(data).test_result
    with (data / "shop" / "shop.inter").open("a") as file:
        file.write("\n\n")
    assert run(data).test_result == before


# -- what is recommended ---------------------------------------------------------------------------


def test_repeated_targets_are_misses_and_it_says_so(data, caplog):
    """RecBole recommends items of the history again."""
    caplog.set_level("WARNING")
    file = data / "shop" / "shop.inter"
    table = pd.read_csv(file, sep="\t").sort_values("timestamp:float")
    again = table.groupby("user_id:token").head(1).assign(**{"timestamp:float": 1_800_000_000})
    pd.concat([table, again]).to_csv(file, sep="\t", index=False)
    asked = {"prepare": {"protocol": "leave_one_out"}, "require_cold": False, "state": "WARNING"}
    result = run(data, **asked)
    assert "100% of shop-leave_one_out's test targets stand in their own history" in caplog.text
    assert result.test_result["hit@10"] == 0
    caplog.clear()
    assert run(data, **asked, mask_history=False).test_result["hit@10"] > 0
    assert "own history" not in caplog.text


# -- rows and texts of any kind --------------------------------------------------------------------


def test_rows_that_are_there_twice_are_warned_of(data, caplog):
    caplog.set_level("WARNING")
    file = data / "shop" / "shop.inter"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines, *lines[1:6]]))
    run(data, state="WARNING")
    assert "5 rows are like an earlier one, of the same user, item and time" in caplog.text


def test_a_text_of_any_length(data):
    """Python's csv, with which RecBole reads, takes 131,072 characters by itself."""
    file = data / "shop" / "shop.item"
    file.write_text(file.read_text().replace("green tea volume 47\t", f"{'tea ' * 40_000}\t"))
    assert run(data, model="SASRec", epochs=1).test_result["ndcg_warm@10"] >= 0
    assert preparation(data)["items"]["all"] == 48


def test_a_run_goes_on_where_its_data_lie_now(data, tmp_path):
    begun = run(data, model="SASRecDelta", epochs=1, checkpoint_dir=str(tmp_path / "saved"))
    data.rename(data.with_name("elsewhere"))
    with pytest.raises(DeltaError, match="There is no"):
        recbole_delta.resume(begun.checkpoint, {"epochs": 2})
    moved = {"epochs": 2, "data_path": str(data.with_name("elsewhere"))}
    assert len(recbole_delta.resume(begun.checkpoint, moved).curve) == 2
