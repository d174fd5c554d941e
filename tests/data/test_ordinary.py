"""An ordinary RecBole data set: one word in the YAML, and it is prepared on the way."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recbole.quick_start import run_recbole
from support.shop import rename_columns, settings

import recbole_delta
from dataset_prep import ContentOptions, Filters, prepare
from dataset_prep.errors import DeltaError
from recbole_delta.cli import main
from recbole_delta.trainer.checkpoint import Checkpoint


def test_the_numbers_are_those_of_a_preparation_by_hand(data, tmp_path, caplog):
    caplog.set_level("WARNING")
    result = recbole_delta.run("SASRecDelta", "shop", settings=settings(data))
    [line] = [each.getMessage() for each in caplog.records if "cold start" in each.getMessage()]
    assert "shop is prepared for cold start" in line
    assert "'{title}; {brand}' by all-MiniLM-L6-v2" in line
    assert "prepare: {protocol" in line
    by_hand = prepare("recbole", tmp_path / "hand", raw=data / "shop", name="shop-by-hand",
                      source_options={"name": "shop"},
                      content=ContentOptions(template="{title}; {brand}"))  # fmt: skip
    other = recbole_delta.run("SASRecDelta", by_hand.name, settings=settings(by_hand.parent))
    assert result.test_modes == other.test_modes
    # The checkpoint stands on the prepared data set.
    assert recbole_delta.resume(result.checkpoint).test_result == result.test_result


def test_every_entry_point_takes_it_and_it_is_prepared_once(data, tmp_path, capsys):
    mine = settings(data)
    ours = recbole_delta.run("SASRecDelta", "shop", settings=mine)
    made = data / "shop-item_holdout" / "shop-item_holdout.json"
    before = made.stat().st_mtime_ns
    (tmp_path / "my.yaml").write_text(
        json.dumps({"model": "SASRecDelta", "dataset": "shop", **mine})
    )
    main([str(tmp_path / "my.yaml")])
    assert f"NDCG@10 {ours.test_result['ndcg@10']:.4f}".lower() in capsys.readouterr().out.lower()
    theirs = run_recbole(config_file_list=[str(tmp_path / "my.yaml")])
    assert theirs["test_result"]["ndcg@10"] == pytest.approx(ours.test_result["ndcg@10"], abs=1e-4)
    stock = recbole_delta.run("GRU4Rec", "shop", settings=mine)
    assert stock.test_mode["cases"] == ours.test_mode["cases"]
    assert made.stat().st_mtime_ns == before
    assert sorted(each.name for each in data.iterdir() if each.name[0] != ".") == [
        "shop", "shop-item_holdout",
    ]  # fmt: skip


def test_options_make_a_set_of_their_own(data):
    prepared = {"protocol": "leave_one_out", "core": 2, "template": "{title}"}
    prepared["cache"] = str(data / "encoded")
    recbole_delta.run(
        "ContentMean", "shop", settings=settings(data, prepare=prepared, require_cold=False)
    )
    [folder] = data.glob("shop-leave_one_out-*")
    said = json.loads((folder / f"{folder.name}.json").read_text())
    assert said["protocol"] == "leave_one_out"
    assert said["filters"]["core"] == 2
    assert said["content"]["text"]["template"] == "{title}"


def test_recboles_filters_are_applied_before_the_split(data, tmp_path):
    asked = {"user_inter_num_interval": "[3,inf)", "item_inter_num_interval": "(2,inf)",
             "val_interval": {"rating": "[3,inf)"}}  # fmt: skip
    result = recbole_delta.run("SASRecDelta", "shop", settings=settings(data, **asked))
    by_hand = prepare("recbole", tmp_path / "hand", raw=data / "shop", name="hand",
                      source_options={"name": "shop"}, filters=Filters(above={"rating": 2}, core=3),
                      content=ContentOptions(template="{title}; {brand}"))  # fmt: skip
    assert recbole_delta.resume(result.checkpoint).test_result == result.test_result
    assert result.test_mode["cases"]["total"] == sum(
        json.loads((by_hand / "hand.json").read_text())["targets"]["test"][group]
        for group in ("cold", "warm")
    )


def test_fields_of_other_names(data):
    rename_columns(data, user_id="session", item_id="sku", timestamp="at")
    names = {"USER_ID_FIELD": "session", "ITEM_ID_FIELD": "sku", "TIME_FIELD": "at",
             "load_col": {"inter": ["session", "sku", "at"]}}  # fmt: skip
    result = recbole_delta.run("SASRecDelta", "shop", settings=settings(data, **names))
    assert result.test_mode["embeds_cold_items"]
    # So do what trains a second time, and what reads the checkpoint.
    prepared = {"protocol": "leave_one_out"}
    asked = settings(data, recipe="calibrated", prepare=prepared, require_cold=False, **names)
    calibrated = recbole_delta.run("SASRecDelta", "shop", settings=asked)
    assert Checkpoint.load(calibrated.checkpoint).metadata.cold_offset != 0
    assert recbole_delta.resume(calibrated.checkpoint).test_result == calibrated.test_result


def test_another_column_is_another_data_set(data):
    rename_columns(data, item_id="sku")
    for path in (data / "shop" / "shop.inter", data / "shop" / "shop.item"):
        table = pd.read_csv(path, sep="\t")
        table["other:token"] = table["sku:token"].str.replace("B", "C")
        table.to_csv(path, sep="\t", index=False)
    for column in ("sku", "other"):
        recbole_delta.run("ContentMean", "shop", settings=settings(data, ITEM_ID_FIELD=column))
    assert len(list(data.glob("shop-item_holdout-*"))) == 2


def test_vectors_that_have_changed_are_read_anew(data, tmp_path):
    items = [f"B{i:03d}" for i in range(48)]
    (tmp_path / "v.ids.txt").write_text("\n".join(items))
    rng = np.random.default_rng(0)
    asked = settings(data, prepare={"vectors": str(tmp_path / "v.npy")})
    results = []
    for _ in range(2):
        np.save(tmp_path / "v.npy", rng.normal(size=(48, 24)).astype(np.float32))
        results.append(recbole_delta.run("ContentMean", "shop", settings=asked).test_result)
    assert results[0] != results[1]
    assert recbole_delta.run("ContentMean", "shop", settings=asked).test_result == results[1]


def test_rows_that_have_come_since_are_taken_in(data, capfd):
    asked = settings(data)
    before = recbole_delta.run("ContentMean", "shop", settings=asked)
    with (data / "shop" / "shop.inter").open("a") as file:
        file.writelines(
            f"v{n}\tB{i:03d}\t3\t{1_800_000_000 + i}\n" for n in range(9) for i in range(9)
        )
    after = recbole_delta.run("ContentMean", "shop", settings=asked)
    assert after.test_mode["cases"]["total"] > before.test_mode["cases"]["total"]
    assert "prepared from files that have changed" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"prepare": {"kore": 5}}, "prepare: there is no option 'kore', did you mean core? choose"),
        ({"prepare": {"above": "rating=3"}}, "above must be bounds, as in {rating: 3}"),
        (
            {"prepare": {"template": "{title} {is_cold}"}},
            "no field 'is_cold'; the fields are item_id",
        ),
        ({"prepare": "paper"}, "prepare must be options"),
        ({"prepare": {"protocol": "newest"}}, "prepare: protocol must be one of"),
        ({"prepare": {"core": "five"}}, "prepare: core must be a whole number, but is 'five'"),
        ({"user_inter_num_interval": "[3,9]"}, "only intervals without an upper end"),
        (
            {"user_inter_num_interval": "[3,inf)", "item_inter_num_interval": "[5,inf)"},
            "ask for different counts",
        ),
    ],
)
def test_bad_options(data, asked, message):
    with pytest.raises(DeltaError, match=re.escape(message)):
        recbole_delta.run("ContentMean", "shop", settings=settings(data, **asked))


def test_items_without_words_need_a_name_for_their_content(data):
    (data / "shop" / "shop.item").unlink()
    with pytest.raises(DeltaError, match=r"shop.item is not there; name what items are made of"):
        recbole_delta.run("ContentMean", "shop", settings=settings(data))
    (data / "shop" / "shop.item").write_text("item_id:token\tcode:token\nB001\t17-X\n")
    with pytest.raises(DeltaError, match=r"shop.item has no field with words in it; name what"):
        recbole_delta.run("ContentMean", "shop", settings=settings(data))


def test_a_title_with_a_stray_quote_is_text_like_any_other(data):
    """RecBole refuses such a file where it loads it: CSV has quotes around a field or nowhere."""
    file = data / "shop" / "shop.item"
    title = '"O" Is for Outlaw'
    file.write_text(file.read_text().replace("old stones volume 1\t", f"{title}\t"))
    result = recbole_delta.run("ContentMean", "shop", settings=settings(data))
    [prepared] = data.glob("shop-item_holdout*/*.item")
    items = pd.read_csv(prepared, sep="\t", engine="python")  # as RecBole reads it
    assert items.set_index("item_id:token")["title:token_seq"]["B001"] == title
    assert result.test_mode["cases"]["total"] > 0


def test_without_times_it_says_what_they_are_for(data):
    file = data / "shop" / "shop.inter"
    rows = pd.read_csv(file, sep="\t").drop(columns="timestamp:float")
    rows.to_csv(file, sep="\t", index=False)
    with pytest.raises(DeltaError, match="no column 'timestamp'.*needs an order: name the column"):
        recbole_delta.run("ContentMean", "shop", settings=settings(data))


def test_columns_between_commas_are_no_atomic_file(data):
    file = data / "shop" / "shop.inter"
    file.write_text(file.read_text().replace("\t", ","))
    with pytest.raises(
        DeltaError, match=r"shop.inter has commas between its columns; .* have tabs"
    ):
        recbole_delta.run("ContentMean", "shop", settings=settings(data))


def test_ids_that_are_written_otherwise_among_the_items(data):
    file = data / "shop" / "shop.item"
    file.write_text(file.read_text().replace("\nB", "\nb"))
    with pytest.raises(
        DeltaError, match=r"No item has content; of 'B\d+', the file of items has no"
    ):
        recbole_delta.run("ContentMean", "shop", settings=settings(data))


def test_an_empty_file_is_called_empty(data):
    (data / "shop" / "shop.inter").write_text("")
    with pytest.raises(DeltaError, match=r"shop.inter is empty; its first line names the columns"):
        recbole_delta.run("ContentMean", "shop", settings=settings(data))


@pytest.mark.parametrize(("size", "warned"), [(2048, True), (32, False)])
def test_recboles_batch_size_is_warned_of(data, caplog, size, warned):
    """2,048 targets are many batches in RecBole; 2,048 histories are all of them."""
    caplog.set_level("WARNING")
    asked = settings(data, train_batch_size=size, epochs=1, state="WARNING")
    recbole_delta.run("SASRecDelta", "shop", settings=asked)
    said = [each.message for each in caplog.records if "1 step an epoch" in each.message]
    assert len(said) == warned


@pytest.mark.slow
def test_the_data_set_that_recbole_ships(tmp_path):
    result = recbole_delta.run(
        "ContentMean", "ml-100k", settings=settings("dataset", epochs=1, prepare={"core": 40})
    )
    [folder] = Path("dataset").glob("ml-100k-item_holdout-*")
    template = json.loads((folder / f"{folder.name}.json").read_text())["content"]["text"][
        "template"
    ]
    assert template == "{movie_title}; {class}"
    assert result.test_mode["cases"]["cold"] > 50
