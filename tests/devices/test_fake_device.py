"""Every model on a device that is not the CPU: nothing mixes devices."""

from __future__ import annotations

import pytest
import torch
from support.datasets import planted
from support.fake_device import NAME, FakeTensor, fake_gpu

import recbole_delta
from dataset_prep.errors import DeltaError
from recbole_delta.config.run_config import RunConfig
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.embedding import EMBEDDINGS
from recbole_delta.loss import LOSSES
from recbole_delta.model import BACKBONES

STOCK = {
    "SASRec": {"hidden_size": 16, "inner_size": 16, "n_heads": 1},
    "GRU4Rec": {"hidden_size": 16, "embedding_size": 16},
    "BPR": {"embedding_size": 16},
    "Pop": {},
    "ItemKNN": {},
}
"""RecBole's own models of each kind: sequential, general, computed."""


@pytest.fixture(scope="module")
def small():
    """A few batches."""
    return planted(n_users=40, n_items=40)


@pytest.fixture
def train(train):
    def once(prepared, model, **settings):
        return train(prepared, model, **{"epochs": 1, "train_batch_size": 16, **settings})

    return once


# -- the fake device itself ----------------------------------------------------------------


def test_it_computes_what_the_cpu_does_and_mixes_nothing():
    with fake_gpu() as watch:
        host = torch.arange(6.0).view(2, 3)
        there = host.to(NAME)
        assert isinstance(there, FakeTensor)
        assert there.device == torch.device(NAME, 0)
        assert (there @ there.T).cpu().equal(host @ host.T)
        (there + torch.tensor(1.0)).add_(there)
        for mix in (lambda: there + host, lambda: host[there.long()], lambda: host @ there.T):
            with pytest.raises(RuntimeError, match="same device"):
                mix()
        assert watch.operations["mm"] == 1


def test_it_counts_where_the_host_waits():
    waits = {
        "item": lambda x: float(x.sum()),
        "copy to the host": lambda x: x.tolist(),
        "boolean mask": lambda x: x[x > 0],
        "nonzero": lambda x: torch.nonzero(x),
        "unique2": lambda x: x.unique(),
        "repeat_interleave without output_size": lambda x: torch.repeat_interleave(x),
        "copy to the device": lambda x: torch.ones(2).to(NAME, non_blocking=True),
    }
    none = {
        "output_size": lambda x: torch.repeat_interleave(x, output_size=3),
        "pinned": lambda x: torch.ones(2).pin_memory().to(NAME, non_blocking=True),
        "fill": lambda x: x.masked_fill(x > 1, 0),
        "index": lambda x: x[x],
    }
    with fake_gpu() as watch:
        x = torch.arange(3).to(NAME)
        for name, wait in waits.items():
            watch.reset()
            wait(x)
            assert dict(watch.waits) == {name: 1}
        for work in none.values():
            watch.reset()
            work(x)
            assert not watch.waits


# -- every model ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", EMBEDDINGS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_with_every_embedding(small, train, watch, backbone, mode):
    result, _ = train(small, backbone, item_embedding=mode)
    assert 0 < result.curve[0]["train_loss"] < 20
    assert watch.operations["mm"]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("mode", EMBEDDINGS)
def test_a_run_gives_the_numbers_of_the_cpu(small, train, watch, mode, loss, no_noise):
    settings = {
        "item_embedding": mode,
        "loss": loss,
        "sampled_items": 300,
        "hidden_dropout_prob": 0,
    }
    settings |= {"attn_dropout_prob": 0, "epochs": 2}
    there, here = (train(small, "SASRecDelta", use_gpu=gpu, **settings)[0] for gpu in (True, False))
    losses = [[entry["train_loss"] for entry in each.curve] for each in (there, here)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert there.test_result == pytest.approx(here.test_result, abs=0.02)


@pytest.mark.parametrize("model", ["SASRecEnsemble", "RPG", "ContentMean", *STOCK])
def test_the_other_models(small, train, watch, model):
    """``Pop`` counted on the CPU and was asked on the device."""
    settings = {**STOCK.get(model, {}), "hidden_dropout_prob": 0.0, "attn_dropout_prob": 0.0}
    settings |= {"dropout_prob": 0.0, "n_codebook": 8}
    there, here = (train(small, model, use_gpu=gpu, **settings)[0] for gpu in (True, False))
    assert there.test_result == pytest.approx(here.test_result, abs=0.02)


@pytest.mark.parametrize(
    "model", ["SASRecDelta", "SASRecEnsemble", "RPG", "ContentMean", "GRU4RecDelta"]
)
def test_recommend_add_warm_up_and_save(small, train, watch, tmp_path, model):
    result, _ = train(small, model, cold_offset=0.5, n_codebook=8)
    recommender = recbole_delta.Recommender(result.checkpoint)
    assert next(iter(recommender.model.state_dict().values())).device.type == NAME
    histories = [recommender.known_items[:n] for n in (2, 5)]
    before = recommender.recommend(histories, k=3)
    here = recbole_delta.Recommender(result.checkpoint, device="cpu").recommend(histories, k=3)
    for a, b in zip(before, here):
        assert [each.score for each in a] == pytest.approx([each.score for each in b], rel=1e-4)
    recommender.add_items(["new"], small.vectors["i0"][None])
    if model in BACKBONES:
        known = recommender.known_items
        recommender.warm_up([[known[0], "new", known[1]], [known[2], known[3], "new"]])
    recommender.save(tmp_path / "grown.safetensors")
    grown = recbole_delta.Recommender(tmp_path / "grown.safetensors").recommend([["new"]], k=3)
    assert grown == recommender.recommend([["new"]], k=3)


@pytest.mark.parametrize("cold_delta", ["zero", "neighbours"])
def test_an_offset_is_chosen_and_deltas_are_lent(small, train, watch, cold_delta):
    settings = {"cold_delta": cold_delta, "cold_offset": "auto", "valid_candidates": "all"}
    result, _ = train(small, "SASRecDelta", **settings)
    assert result.calibration
    recommender = recbole_delta.Recommender(result.checkpoint)
    assert recommender.recommend([recommender.cold_items[:2]], k=3)


# -- devices by name -----------------------------------------------------------------------


@pytest.mark.parametrize("model", ["SASRecDelta", "GRU4RecDelta", "Pop"])
def test_a_run_goes_on_on_another_device(small, train, watch, model):
    result, _ = train(small, model)
    done = recbole_delta.resume(result.checkpoint, {"epochs": 2, "use_gpu": False, "gpu_id": "1"})
    assert len(done.curve) == (0 if model == "Pop" else 2)
    watch.reset()
    recbole_delta.resume(done.checkpoint, {"epochs": 3, "use_gpu": True})
    assert watch.operations


def test_a_device_that_is_not_there(small, train):
    result, _ = train(small, "SASRecDelta")
    for name in ("cuda:7", "gpu", "privateuseone"):
        with pytest.raises(DeltaError, match=f"there is no '{name}' here") as error:
            recbole_delta.Recommender(result.checkpoint, device=name)
        assert "\n" not in str(error.value)


# -- no float64 ----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("mode", EMBEDDINGS)
def test_no_embedding_and_no_loss_needs_float64(small, train, without_float64, mode, loss):
    result, _ = train(small, "SASRecDelta", item_embedding=mode, loss=loss)
    recommender = recbole_delta.Recommender(result.checkpoint)
    recommender.recommend([recommender.known_items[:1]])
    assert without_float64.operations


# -- RecBole's own launcher ----------------------------------------------------------------


def test_recboles_launcher_is_refused_in_a_sentence(small, train):
    result, _ = train(small, "SASRecDelta")
    config = RunConfig(config_dict=result.settings)
    config["single_spec"] = False  # what RecBole's Config says of a process that it has started
    with pytest.raises(DeltaError, match=r"recbole-delta --nproc=N, or with torchrun"):
        ColdWarmDataset(config)
