"""A checkpoint recommends, alone, also items that were not there when it was trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from support.served import HISTORIES, content_of, listed

import recbole_delta
from recbole_delta import DeltaError, Recommender
from recbole_delta.evaluator import inference
from recbole_delta.trainer.checkpoint import Checkpoint
from recbole_delta.trainer.metadata import RECOMMENDER


def test_recommendations_are_those_that_the_evaluation_ranks(tiny, train):
    result, (_, _, dataset, _, _, test) = train(tiny, "SASRecDelta", epochs=3)
    recommender, cases, tokens = Recommender(result.checkpoint), test.dataset, dataset.item_tokens
    hits = []
    for case in range(len(cases.instances)):
        history = cases.instances.history.flat(torch.tensor([case]))[1].numpy()
        found = listed(recommender, [tokens[history].tolist()])[0] if len(history) else []
        target = tokens[cases.instances.target[case]]
        hits.append(1 / np.log2(found.index(target) + 2) if target in found else 0.0)
    assert np.mean(hits) == pytest.approx(result.test_result["ndcg@10"], abs=1e-6)


@pytest.mark.parametrize("block", [1, 100, 2**22])
def test_recommending_is_sorting_all_scores(trained, monkeypatch, block):
    monkeypatch.setattr(inference, "SCORES_AT_ONCE", block)
    monkeypatch.setattr(inference, "CASES_AT_ONCE", 1)
    recommender = Recommender(trained)
    everything = recommender.recommend(HISTORIES, k=1000, exclude_seen=False)
    for history, found in zip(HISTORIES, everything):
        scores = [each.score for each in found]
        assert scores == sorted(scores, reverse=True)
        assert sorted(each.item for each in found) == sorted(recommender.items)
        unseen = [each.item for each in found if each.item not in history]
        assert listed(recommender, [history], k=7)[0] == unseen[:7]
        allowed = [item for item in unseen if item in {"i8", "i9", "i10"}]
        assert listed(recommender, [history], allow=["i8", "i9", "i10"])[0] == allowed
        denied = set(unseen[:3])
        assert listed(recommender, [history], k=4, deny=denied)[0] == unseen[3:7]
        cold = [item for item in unseen if item in recommender.cold_items]
        assert listed(recommender, [history], cold_only=True, k=100)[0] == cold


@pytest.mark.parametrize("removed", [5, None, "i1", ["nobody"], [1], [["i1"]]])
def test_a_checkpoint_that_has_removed_what_is_not_there_is_refused(trained, tmp_path, removed):
    checkpoint = Checkpoint.load(trained)
    checkpoint.metadata = replace(checkpoint.metadata, removed=removed, kind=RECOMMENDER)
    checkpoint.save(tmp_path / "odd.safetensors")
    with pytest.raises(DeltaError, match="odd.safetensors.*removed"):
        Recommender(tmp_path / "odd.safetensors")


def test_a_delta_of_what_is_not_there_is_refused(trained, tmp_path):
    checkpoint = Checkpoint.load(trained)
    checkpoint.metadata = replace(checkpoint.metadata, own_delta=["nobody"], kind=RECOMMENDER)
    checkpoint.save(tmp_path / "odd.safetensors")
    with pytest.raises(DeltaError, match="odd.safetensors: own_delta: there is no item 'nobody'"):
        Recommender(tmp_path / "odd.safetensors")


def test_what_a_recommender_has_saved_is_no_run_to_go_on_with(trained, tmp_path):
    Recommender(trained).save(tmp_path / "today.safetensors")
    for use in (recbole_delta.resume, recbole_delta.load_run):
        with pytest.raises(DeltaError, match="today.safetensors was written after training"):
            use(tmp_path / "today.safetensors")


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda r, v: r.add_items(["a"], v[:, :5]), "dimension 5, and the model was trained on"),
        (lambda r, v: r.add_items(["a", "b"], v), "a vector for each of the 2 items"),
        (lambda r, v: r.add_items(["a"], v[0]), "an array of the shape"),
        (lambda r, v: r.add_items(["a", "b"], [[1.0], [1.0, 2.0]]), "as many for each item"),
        (lambda r, v: r.add_items(["a"], [["x"] * 16]), "Content vectors are numbers"),
        (lambda r, v: r.add_items(["\ud83d"], v), "An item id must be a line of text"),
        (lambda r, v: r.recommend([None]), "History 1 must be a list"),
        (lambda r, v: r.add_items([""], v), "An item id must be a line of text"),
        (lambda r, v: r.add_items(["a\nb"], v), "An item id must be a line of text"),
        (lambda r, v: r.add_items(["a", "a"], v.repeat(2, 0)), "'a' is there twice"),
        (lambda r, v: r.add_items(["a"], v * np.nan), "NaN or infinite values"),
        (lambda r, v: r.add_items(["a"], v * 0), "a vector of zeros"),
        (lambda r, v: r.recommend([["i1", "who"]]), "History 1: there is no item 'who'"),
        (lambda r, v: r.recommend([["i1"], []]), "History 2 must be a list of item ids, and not"),
        (lambda r, v: r.recommend(["i1"]), "History 1 must be a list"),
        (lambda r, v: r.recommend([[3]]), "ids are texts, in quotation marks, but one is 3"),
        (lambda r, v: r.recommend([["i1"]], k=0), "k must be at least 1"),
        (lambda r, v: r.recommend([["i1"]], allow=["who"]), "allow: there is no item 'who'"),
        (lambda r, v: r.recommend([["i1"]], deny=["who"]), "deny: there is no item 'who'"),
        (lambda r, v: r.recommend([["i1"]], deny="i2"), "deny takes a list of ids, but is 'i2'"),
        (lambda r, v: r.recommend([["i1"]], allow="i2"), "allow takes a list of ids"),
        (lambda r, v: r.remove_items("i2"), "remove takes a list of ids, but is 'i2'"),
        (lambda r, v: r.add_items("a", v), "Ids are a list of texts, but here is the text 'a'"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(tiny, trained, act, message):
    recommender = Recommender(trained)
    before = recommender.items, listed(recommender, HISTORIES)
    with pytest.raises(DeltaError, match=message):
        act(recommender, content_of(tiny, ["i1"]))
    assert (recommender.items, listed(recommender, HISTORIES)) == before


def test_models_without_content_recommend_but_take_no_items(tiny, train):
    result, _ = train(tiny, item_embedding="id")
    recommender = Recommender(result.checkpoint)
    assert recommender.cold_items == []
    assert len(listed(recommender, [recommender.items[:2]])[0]) == 10
    with pytest.raises(DeltaError, match="cannot add items"):
        recommender.add_items(["new"], content_of(tiny, ["i1"]))
    with pytest.raises(DeltaError, match="no item 'new'; a run with IDs knows items with training"):
        recommender.recommend([[recommender.items[0], "new"]])
    stock, _ = train(tiny, "SASRec", epochs=1)
    with pytest.raises(
        DeltaError, match="RecBole's SASRec; RecBole's own models are compared here, not served"
    ):
        Recommender(stock.checkpoint)


def test_content_mean_recommends(tiny, train):
    result, _ = train(tiny, "ContentMean")
    assert len(listed(Recommender(result.checkpoint), HISTORIES)[0]) == 10


def test_an_older_checkpoint_is_refused_in_words(trained, tmp_path, monkeypatch):
    checkpoint = Checkpoint.load(trained)
    monkeypatch.setattr("recbole_delta.trainer.checkpoint.FORMAT", "recbole_delta-2")
    checkpoint.save(tmp_path / "old.safetensors")
    monkeypatch.undo()
    with pytest.raises(DeltaError, match=r"recbole_delta-4\), but recbole_delta-2; train again"):
        Recommender(tmp_path / "old.safetensors")
