"""Checkpoints that cannot be used: one clear sentence."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import save_file

import recbole_delta
from dataset_prep.errors import DeltaError
from dataset_prep.format.content import write_content
from recbole_delta import Recommender
from recbole_delta.trainer.checkpoint import Checkpoint


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
        lambda c: object.__setattr__(c.metadata, "settings", 1),
        lambda c: object.__setattr__(c.metadata, "data", None),
        lambda c: object.__setattr__(c.metadata, "curve", None),
        lambda c: c.optimizer.clear(),
        lambda c: c.optimizer["state"][0].pop("exp_avg_sq"),
        lambda c: c.optimizer["state"][0].update(exp_avg_sq=c.optimizer["state"][0]["exp_avg"][:1]),
        lambda c: c.generators.clear(),
        lambda c: c.generators["numpy"].__setitem__(1, [2**40] * 624),
    ],
)
def test_a_checkpoint_that_holds_something_else(tiny, train, tmp_path, spoil):
    result, _ = train(tiny)
    checkpoint = Checkpoint.load(result.checkpoint)
    spoil(checkpoint)
    checkpoint.save(tmp_path / "odd.safetensors")
    with pytest.raises(DeltaError, match="odd.safetensors"):
        recbole_delta.resume(tmp_path / "odd.safetensors")


@pytest.mark.parametrize(
    "claim",
    [
        {"hidden_size": 10**8},
        {"inner_size": 10**9},
        {"MAX_ITEM_LIST_LENGTH": 10**9},
        {"hidden_size": 10**5, "inner_size": 10**5, "n_layers": 256},
    ],
)
def test_a_small_checkpoint_takes_little_memory_whatever_it_claims(tiny, train, tmp_path, claim):
    checkpoint = Checkpoint.load(train(tiny, epochs=1)[0].checkpoint)
    checkpoint.metadata.settings.update(claim)
    checkpoint.save(tmp_path / "claims.safetensors")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DeltaError, match="claims.safetensors does not fit together"):
        Recommender(tmp_path / "claims.safetensors")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**20  # KiB


def test_how_to_optimise_is_said_by_the_settings(tiny, train, tmp_path):
    result, _ = train(tiny, epochs=1)
    expected = recbole_delta.resume(result.checkpoint, {"epochs": 3}).curve
    again, _ = train(tiny, epochs=1)
    checkpoint = Checkpoint.load(again.checkpoint)
    changes = {"lr": 100.0, "betas": [0.9], "amsgrad": True, "differentiable": True}
    checkpoint.optimizer["param_groups"][0].update(changes)
    checkpoint.save(again.checkpoint)
    found = recbole_delta.resume(again.checkpoint, {"epochs": 3}).curve
    assert [each["train_loss"] for each in found] == [each["train_loss"] for each in expected]


@pytest.mark.parametrize("setting", ["learning_rate", "valid_metric", "item_embedding", "learner"])
def test_a_resumed_run_keeps_its_settings(tiny, train, setting):
    result, _ = train(tiny)
    with pytest.raises(DeltaError, match=f"A resumed run keeps its {setting}; only epochs"):
        recbole_delta.resume(result.checkpoint, {setting: 1})


def test_a_pickled_checkpoint_is_not_loaded(tmp_path):
    import torch

    torch.save({"config": {}}, tmp_path / "stock.pth")
    with pytest.raises(DeltaError, match="not a whole checkpoint"):
        recbole_delta.load_run(tmp_path / "stock.pth")


def test_a_flipped_bit_is_noticed(tiny, train, tmp_path):
    path = Path(train(tiny, epochs=1)[0].checkpoint)
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    for place in np.random.default_rng(0).integers(start, len(whole), 20):
        flipped = bytearray(whole)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(DeltaError, match="is damaged: it does not match its SHA-256"):
            Checkpoint.load(path)


def test_a_checkpoint_from_before_the_digest_is_read(tiny, train, tmp_path):
    result, _ = train(tiny, epochs=1)
    with safe_open(result.checkpoint, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = file.metadata()["header"]
    older = tmp_path / "older.safetensors"
    save_file(tensors, older, {"format": "recbole_delta-3", "header": header})
    recommender, same = Recommender(older), Recommender(result.checkpoint)
    assert recommender.recommend([["i1", "i2"]]) == same.recommend([["i1", "i2"]])
