"""Bad input: one clear sentence, and nothing written."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import recbole_delta
from recbole_delta.checkpoint import Checkpoint
from recbole_delta.content import write_content
from recbole_delta.errors import DeltaError


@pytest.fixture
def attempt(tiny, tmp_path):
    """attempt(spoil, **settings): run over a data set that spoil(folder) has changed."""

    def attempt(spoil=lambda folder: None, model="SASRecDelta", **settings):
        folder = tiny.write(tmp_path / "dataset")
        spoil(folder)
        base = {"data_path": str(tmp_path / "dataset"), "checkpoint_dir": str(tmp_path / "saved"),
                "epochs": 1, "show_progress": False, "state": "ERROR"}  # fmt: skip
        if model == "SASRecDelta":
            base |= {"hidden_size": 16, "inner_size": 16}
        with pytest.raises(DeltaError) as error:
            recbole_delta.run(model, "tiny", settings={**base, **settings})
        assert not list((tmp_path / "saved").glob("*"))
        message = str(error.value)
        assert not (tmp_path / "log").exists()
        assert "\n" not in message
        return message

    return attempt


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"item_embedding": "detla"}, "item_embedding must be one of id | init | frozen | delta"),
        ({"delta_max": -0.1}, "delta_max must be a number >= 0, but is -0.1"),
        ({"delta_max": math.nan}, "delta_max must be a number"),
        ({"delta_max": "0.5"}, "delta_max must be a number"),
        ({"dleta_max": 0.5}, "Unknown setting 'dleta_max'; did you mean 'delta_max'?"),
        ({"train_positions": "first"}, "train_positions must be one of all | last"),
        ({"test_candidates": "cold"}, "test_candidates must be one of all | warm"),
        ({"cold_history": "mask"}, "cold_history must be one of keep | drop"),
        ({"mask_history": "yes"}, "mask_history must be one of True | False"),
        ({"loss_type": "BPR"}, "loss_type must be CE"),
        ({"hidden_size": 64, "inner_size": 64}, "cannot fill an item embedding of dimension 64"),
        ({"metrics": ["NDCG", "GAUC"]}, "GAUC has no cold/warm version"),
        ({"metrics": ["NDGC"]}, "There is no metric named 'NDGC'"),
        ({"metrics": ["NDCG", "AUC"]}, "can not be used at the same time"),
        ({"topk": [0]}, "topk must be a positive integer"),
        ({"epochs": 0}, "epochs must be a whole number >= 1, but is 0"),
        ({"epochs": "abc"}, "epochs must be a whole number"),
        ({"train_batch_size": 0}, "train_batch_size must be a whole number >= 1"),
        ({"seed": -1}, "seed must be a whole number >= 0"),
        ({"learning_rate": "fast"}, "learning_rate must be a number"),
        ({"metrics": ["MAP"], "valid_metric": "MAP@10"}, "MAP has no cold/warm version"),
        ({"valid_metric": "NDCG@20"}, "valid_metric: ndcg@20 is not among metrics"),
        ({"valid_metric": "NDCG_hot@10"}, "valid_metric: ndcg_hot@10 is not among metrics"),
        ({"valid_metric": "NDCG_cold@10"}, "always 0 where only warm items are ranked"),
        ({"n_heads": 0}, "RecBole cannot use SASRecDelta with these settings ("),
        ({"n_layers": 0}, "RecBole cannot use SASRecDelta with these settings ("),
        ({"layer_norm_eps": "x"}, "RecBole cannot use SASRecDelta with these settings ("),
        ({"transform": "foo"}, "RecBole cannot use the data set tiny with these settings ("),
        ({"LIST_SUFFIX": ""}, "RecBole cannot use"),
        ({"threshold": {"rating": 3}}, "RecBole cannot use the data set tiny"),
        ({"encoding": "utf-16"}, "tiny"),
        ({"field_separator": ""}, "tiny.inter and tiny.item"),
        ({"ITEM_ID_FIELD": "nope"}, "tiny.inter and tiny.item"),
        ({"local_rank": 1}, "RecBole cannot use a setting"),
        ({"nproc": 2}, "one process trains"),
        ({"seed": 2**32}, "seed must be below 2^32"),
        ({"worker": -1}, "worker must be a whole number >= 0"),
        ({"topk": []}, "topk must hold a number"),
        ({"learner": "sparse_adam"}, "learner must be one of"),
        ({"clip_grad_norm": {"foo": 1}}, "clip_grad_norm must be arguments"),
        ({"checkpoint_dir": "/proc/x"}, "checkpoint_dir cannot be written to"),
        ({"checkpoint_dir": 5}, "RecBole cannot use the data set tiny"),
        ({"eval_args": {"mode": "uni"}}, "RecBole cannot use a setting"),
        ({"eval_args": {"mode": {"valid": "full", "tset": "full"}}}, "mode is for valid and test"),
        (
            {"item_embedding": "id", "valid_metric": "NDCG_cold@10", "valid_candidates": "all"},
            "always 0 for a model without vectors for cold items",
        ),
        ({"metrics": []}, "metrics must be names, such as [NDCG, Hit], but is []"),
        ({"metrics": [1]}, "metrics must be names"),
        ({"metrics": ["Recall"]}, "set it to one of them, such as recall_warm@10"),
        ({"topk": [5]}, "set it to one of them, such as ndcg_warm@5"),
        ({"topk": "ten"}, "topk [ten] must be a integer"),
        ({"valid_metric": None}, "valid_metric must be a name"),
        ({"n_heads": 3}, "RecBole cannot use SASRecDelta with these settings ("),
        ({"hidden_dropout_prob": 2}, "RecBole cannot use SASRecDelta with these settings ("),
        ({"hidden_size": "wide"}, "RecBole cannot use SASRecDelta with these settings ("),
        ({"clip_grad_norm": 5}, "clip_grad_norm must be arguments, such as {max_norm: 5}"),
        ({"learner": "foo"}, "learner must be one of adam | adamw"),
        ({"weight_decay": -1}, "weight_decay must be a number >= 0"),
        ({"encoding": "utf-7.5"}, "encoding: there is no 'utf-7.5'"),
        ({"eval_args": {"split": {"LS": "valid_and_test"}}}, "eval_args: split is not read"),
        ({"eval_args": {"order": "RO"}}, "eval_args: order must be TO"),
        ({"save_dataset": True}, "pickled caches"),
        ({"rm_dup_inter": "first"}, "filter in dataset_prep instead"),
        ({"user_inter_num_interval": "[50,inf)"}, "filter in dataset_prep instead"),
        ({"eval_args": {"mode": "uni100", "order": "TO"}}, "mode must be full"),
        ({"content_file": "nowhere.safetensors"}, "There is no content file nowhere.safetensors"),
    ],
)
def test_bad_settings(attempt, settings, message):
    assert message in attempt(**settings)


def test_weights_and_biases_must_be_there_to_log_to(attempt, monkeypatch):
    monkeypatch.setattr("recbole_delta.seam.settings.find_spec", lambda name: None)
    assert "log_wandb needs Weights & Biases: pip install wandb" in attempt(log_wandb=True)


def test_unknown_models_and_data_sets(attempt, tmp_path):
    assert "Unknown model 'SASRecDelt'; did you mean SASRecDelta" in attempt(model="SASRecDelt")
    assert "Say which model" in attempt(model=None)
    assert "BPR is not a sequential model" in attempt(model="BPR")
    assert "has a training of its own" in attempt(model="S3Rec")
    assert "has no 'class' for SASRecF; name fields of its .item" in attempt(model="SASRecF")
    for model in ("SASRec", "ContentMean"):
        assert "item_embedding is a setting of" in attempt(model=model, item_embedding="id")
    with pytest.raises(DeltaError, match="Say which dataset"):
        recbole_delta.run("SASRecDelta")
    with pytest.raises(DeltaError, match="There is no .*elsewhere.inter; prepare the data set"):
        recbole_delta.run("SASRecDelta", "elsewhere", settings={"data_path": str(tmp_path)})


def test_a_setting_of_the_yaml_file_is_checked_too(tmp_path):
    for text, message in (
        ("- a\n", "must hold settings"),
        ("a: [", "is not YAML"),
        ("model: SASRecDelta\ndataset: x\n1: 2\n", "The setting 1 should be a name"),
        ("model: SASRecDelta\ndataset: x\non: 2\n", "The setting True should be a name"),
        ("a: 2020-13-45\n", "is not YAML"),
        ("model: a.b\ndataset: x\n", "Unknown model 'a.b'"),
        ("model: SASRecDelta\ndataset: 2024\n", "dataset must be text, but is 2024; quote it"),
    ):
        (tmp_path / "x.yaml").write_text(text)
        with pytest.raises(DeltaError, match=message):
            recbole_delta.run(config_files=[str(tmp_path / "x.yaml")])
    with pytest.raises(DeltaError, match="Cannot read .*nowhere.yaml"):
        recbole_delta.run(config_files=["nowhere.yaml"])


def rewrite(name, change):
    def spoil(folder):
        path = folder / name
        path.write_text(change(path.read_text()))

    return spoil


def with_content(tokens=None, change=lambda vectors: vectors):
    def spoil(folder):
        [path] = folder.glob("*.safetensors")
        from recbole_delta.content import read_content

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
        "has no column 'split'",
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
    "an empty file": (rewrite("tiny.inter", lambda _: ""), "tiny.inter is not a RecBole atomic file"),
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
        from recbole_delta.content import read_content

        table = read_content(path)
        again = np.concatenate([table.vectors, table.vectors[:4]])
        write_content(path, [*table.tokens, *table.tokens[:4]], again)

    once, _ = train(tiny)
    folder = tiny.write(tmp_path / "dataset")
    twice(folder)
    assert recbole_delta.run(settings=once.settings).test_result == once.test_result


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


def test_checkpoints_that_cannot_be_used(tiny, train, tmp_path):
    result, _ = train(tiny)
    cut = tmp_path / "cut.safetensors"
    for size in (0, 5, 500, -1):
        cut.write_bytes(Path(result.checkpoint).read_bytes()[:size])
        with pytest.raises(DeltaError, match="cut.safetensors is not a whole checkpoint"):
            recbole_delta.load_run(cut)
    write_content(cut, ["a"], np.ones((1, 2)))
    with pytest.raises(DeltaError, match="is not a checkpoint of this version"):
        Checkpoint.load(cut)
    with pytest.raises(DeltaError, match="There is no checkpoint"):
        recbole_delta.load_run("nowhere")


def test_training_rows_after_a_target_of_the_same_user(tiny, attempt):
    rows, user = tiny.rows, tiny.rows.loc[tiny.rows["split"] == "test", "user_id"].iloc[0]
    late = {"user_id": user, "item_id": "i0", "timestamp": 3e9, "split": "train"}
    rows = rows._append(late, ignore_index=True)

    def spoil(folder):
        tiny.replace(rows=rows).write(folder.parent)

    assert "trains on 1 rows that come after a validation or test target" in attempt(spoil)


def test_a_checkpoint_is_refused_when_a_row_has_changed(tiny, train):
    result, _ = train(tiny)
    last_history = tiny.rows.index[tiny.rows["split"] == "history"][-1]
    tiny.replace(rows=tiny.rows.drop(last_history)).write(Path(result.settings["data_path"]))
    for use in (recbole_delta.load_run, recbole_delta.resume):
        with pytest.raises(DeltaError, match="rows of tiny are not those"):
            use(result.checkpoint)


def test_a_checkpoint_is_refused_when_its_items_have_changed(tiny, train):
    result, _ = train(tiny)
    renamed = tiny.items["item_id"].iloc[-1]
    change = {renamed: "renamed"}
    vectors = {**tiny.vectors, "renamed": tiny.vectors[renamed]}
    changed = tiny.replace(
        rows=tiny.rows.replace({"item_id": change}),
        items=tiny.items.replace({"item_id": change}),
        vectors=vectors,
    )
    folder = result.settings["data_path"]
    changed.write(Path(folder))
    with pytest.raises(DeltaError, match="items of tiny are not those"):
        recbole_delta.load_run(result.checkpoint)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.model.pop("LayerNorm.weight"),
        lambda c: c.model.update(more=c.model["LayerNorm.weight"]),
        lambda c: c.model.update({"LayerNorm.weight": c.model["LayerNorm.weight"][:3]}),
        lambda c: c.facts.update(settings=1),
        lambda c: c.facts.update(data=None),
        lambda c: c.facts.update(curve=None),
        lambda c: c.optimizer.clear(),
        lambda c: c.generators.clear(),
    ],
)
def test_a_checkpoint_that_holds_something_else(tiny, train, tmp_path, spoil):
    result, _ = train(tiny)
    checkpoint = Checkpoint.load(result.checkpoint)
    spoil(checkpoint)
    checkpoint.save(tmp_path / "odd.safetensors")
    with pytest.raises(DeltaError, match="odd.safetensors"):
        recbole_delta.resume(tmp_path / "odd.safetensors")


@pytest.mark.parametrize("setting", ["learning_rate", "valid_metric", "item_embedding", "learner"])
def test_a_resumed_run_keeps_its_settings(tiny, train, setting):
    result, _ = train(tiny)
    with pytest.raises(DeltaError, match=f"A resumed run keeps its {setting}; only epochs"):
        recbole_delta.resume(result.checkpoint, {setting: 1})


def test_only_backbones_over_our_embedding_are_registered():
    from recbole.model.sequential_recommender import GRU4Rec

    for model in (GRU4Rec, dict):
        with pytest.raises(DeltaError, match="must extend ContentBackbone"):
            recbole_delta.register(model)


def test_a_pickled_checkpoint_is_not_loaded(tmp_path):
    import torch

    torch.save({"config": {}}, tmp_path / "stock.pth")
    with pytest.raises(DeltaError, match="not a whole checkpoint"):
        recbole_delta.load_run(tmp_path / "stock.pth")
