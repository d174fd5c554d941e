"""Bad data sets: one clear sentence, and nothing written."""

from __future__ import annotations

import numpy as np
import pytest

import recbole_delta
from dataset_prep.format.content import write_content


def rewrite(name, change):
    def spoil(folder):
        path = folder / name
        path.write_text(change(path.read_text()))

    return spoil


def with_content(tokens=None, change=lambda vectors: vectors):
    def spoil(folder):
        [path] = folder.glob("*.safetensors")
        from dataset_prep.format.content import read_content

        table = read_content(path)
        kept = list(table.tokens) if tokens is None else tokens(list(table.tokens))
        write_content(path, kept, change(np.array(table.vectors))[: len(kept)])

    return spoil


def set_row(row, value):
    def change(vectors):
        vectors[row] = value
        return vectors

    return change


def first_twice(tokens):
    return [tokens[1], *tokens[1:]]


SPOILT = {
    "no content file": (
        lambda folder: [p.unlink() for p in folder.glob("*.safetensors")],
        "There is no content file tiny.content.<encoder>.safetensors",
    ),
    "content cut short": (
        lambda folder: [p.write_bytes(p.read_bytes()[:200]) for p in folder.glob("*.safetensors")],
        "is not a whole content file",
    ),
    "missing vectors": (with_content(lambda tokens: tokens[:-3]), "has no vector for 3 of"),
    "NaN": (with_content(change=set_row(3, np.nan)), "has NaN or infinite values for 1 items"),
    "zeros": (with_content(change=set_row(3, 0)), "has a vector of zeros for 1 items"),
    "double": (with_content(first_twice), "holds different vectors for item"),
    "no .item": (lambda folder: (folder / "tiny.item").unlink(), "There is no"),
    "no types in the header": (
        rewrite("tiny.inter", lambda text: text.replace(":token", "")),
        "tiny.inter is not a RecBole atomic file",
    ),
    "an unknown type": (
        rewrite("tiny.inter", lambda text: text.replace(":float", ":double")),
        "Type double from field timestamp is not supported",
    ),
    "a row too long": (
        rewrite("tiny.inter", lambda text: text + "u1\ti1\t3\ttrain\tmore\n"),
        ": 5 fields, but the header has 4",
    ),
    "a row too short": (rewrite("tiny.inter", lambda text: text + "u1\ti1\n"), ": 2 fields, but"),
    "an empty field": (
        rewrite("tiny.inter", lambda text: text + "u1\t\t3\ttrain\n"),
        "item_id is missing",
    ),
    "text for a time": (
        rewrite("tiny.inter", lambda text: text + "u1\ti1\tnoon\ttrain\n"),
        "tiny.inter is not a RecBole atomic file",
    ),
    "an unknown split": (
        rewrite("tiny.inter", lambda text: text.replace("\ttest", "\tTEST")),
        "split must be one of train, valid, test, history, but is 'TEST'",
    ),
    "a time that is a token": (
        rewrite("tiny.inter", lambda text: text.replace("timestamp:float", "timestamp:token")),
        "timestamp must be of type float",
    ),
    "no split": (
        rewrite("tiny.inter", lambda text: text.replace("split:", "part:")),
        "tiny.item has no field with words in it",  # it is taken for an ordinary data set
    ),
    "an item file without the item": (
        rewrite("tiny.item", lambda text: text.replace("item_id:", "iid:")),
        "must have user_id:token",
    ),
    "an item file with a byte order mark": (
        rewrite("tiny.item", lambda text: "\ufeff" + text),
        "must have user_id:token",
    ),
    "a split that is a list": (
        rewrite("tiny.inter", lambda text: text.replace("split:token", "split:token_seq")),
        "must have user_id:token",
    ),
    "nothing but a header": (
        rewrite("tiny.inter", lambda text: text.splitlines()[0] + "\n"),
        "tiny.inter holds no interactions",
    ),
    "an empty file": (rewrite("tiny.inter", lambda _: ""), "tiny.inter is empty"),
    "an item without a line": (
        rewrite("tiny.item", lambda text: "\n".join(text.splitlines()[:-1]) + "\n"),
        "tiny.item lacks 1 items of tiny.inter",
    ),
    "flags that lie": (
        rewrite("tiny.item", lambda text: text.replace("\t0\t", "\t1\t", 1)),
        "is_cold must be 0 for an item with a training row",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILT)
def test_bad_files(attempt, case):
    spoil, message = SPOILT[case]
    assert message in attempt(spoil)


def test_identical_double_vectors_are_accepted(tiny, train, tmp_path):
    def twice(folder):
        [path] = folder.glob("*.safetensors")
        from dataset_prep.format.content import read_content

        table = read_content(path)
        again = np.concatenate([table.vectors, table.vectors[:4]])
        write_content(path, [*table.tokens, *table.tokens[:4]], again)

    once, _ = train(tiny)
    folder = tiny.write(tmp_path / "dataset")
    twice(folder)
    assert recbole_delta.run(settings=once.settings).test_result == once.test_result


@pytest.mark.parametrize("text", ["[" * 100_000, "5", "[1]", '{"content": [1]}', "{"])
def test_what_is_said_of_the_content_is_not_needed_to_train(tiny, train, tmp_path, text):
    folder = tiny.write(tmp_path / "elsewhere")
    (folder / "tiny.json").write_text(text)
    result, _ = train(tiny)
    again = {**result.settings, "data_path": str(folder.parent)}
    assert recbole_delta.run(settings=again).test_result == result.test_result


@pytest.mark.parametrize("group", ["cold", "warm"])
def test_a_test_split_without_cold_or_warm_targets(tiny, attempt, group):
    warm = set(tiny.items.loc[tiny.items["is_cold"] == "0", "item_id"])
    hit = tiny.rows["split"].eq("test") & (tiny.rows["item_id"].isin(warm) == (group == "warm"))
    rows = tiny.rows.assign(split=tiny.rows["split"].mask(hit, "history"))

    def spoil(folder):
        tiny.replace(rows=rows).write(folder.parent)

    assert f"The test split of tiny has no {group} target" in attempt(spoil)


def test_a_cold_validation_metric_without_any_validation_target(tiny, attempt):
    rows = tiny.rows.assign(split=tiny.rows["split"].replace("valid", "history"))

    def spoil(folder):
        tiny.replace(rows=rows).write(folder.parent)

    message = attempt(spoil, valid_metric="NDCG_cold@10", valid_candidates="all")
    assert "gives no cold validation target" in message


def test_a_cold_validation_metric_without_cold_validation_targets(tiny, attempt):
    warm = set(tiny.items.loc[tiny.items["is_cold"] == "0", "item_id"])
    hit = tiny.rows["split"].eq("valid") & ~tiny.rows["item_id"].isin(warm)
    rows = tiny.rows.assign(split=tiny.rows["split"].mask(hit, "history"))

    def spoil(folder):
        tiny.replace(rows=rows).write(folder.parent)

    message = attempt(spoil, valid_metric="NDCG_cold@10", valid_candidates="all")
    assert "gives no cold validation target" in message


def test_training_rows_after_a_target_of_the_same_user(tiny, attempt):
    rows, user = tiny.rows, tiny.rows.loc[tiny.rows["split"] == "test", "user_id"].iloc[0]
    late = {"user_id": user, "item_id": "i0", "timestamp": 3e9, "split": "train"}
    rows = rows._append(late, ignore_index=True)

    def spoil(folder):
        tiny.replace(rows=rows).write(folder.parent)

    assert "trains on 1 rows that come after a validation or test target" in attempt(spoil)
