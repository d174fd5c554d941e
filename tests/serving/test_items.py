"""Items that come and go after training."""

from __future__ import annotations

import pytest
import torch
from support.datasets import without_cold_items
from support.served import HISTORIES, content_of, listed

from recbole_delta import DeltaError, Recommender
from recbole_delta.model import MODELS


def cold_tokens(prepared):
    return prepared.items.loc[prepared.items["is_cold"] == "1", "item_id"].tolist()


MODES = ["delta", "alphafuse", "whitening", "moe", "id_knn"]
TRAINED = [m.__name__ for m in MODELS if m.is_trained]
CASES = [(m, mode) for m in TRAINED for mode in (MODES if m != "RPG" else [None])]
"""Models and modes of item embedding; RPG has its own."""


@pytest.mark.parametrize(("model", "mode"), CASES)
def test_added_items_rank_as_if_they_had_been_there_from_the_start(tiny, train, model, mode):
    own = {"item_embedding": mode} if mode else {"n_codebook": 8, "codebook_size": 4}
    settings = {"eval_step": 0, **own}
    known, _ = train(tiny, model, **settings)
    later, _ = train(without_cold_items(tiny), model, name="before", require_cold=False, **settings)
    new = cold_tokens(tiny)
    whole, grown = Recommender(known.checkpoint), Recommender(later.checkpoint)
    assert grown.cold_items == []
    grown.add_items(new, content_of(tiny, new))
    assert sorted(grown.items) == sorted(whole.items)
    assert sorted(grown.cold_items) == sorted(new)
    histories = [*HISTORIES, [new[0], "i1"], [new[1]]]
    for options in ({}, {"cold_only": True}, {"exclude_seen": False, "k": 48}):
        ours, theirs = (each.recommend(histories, **options) for each in (grown, whole))
        for a, b in zip(ours, theirs):
            if model != "RPG":  # items with one code tie
                assert [each.item for each in a] == [each.item for each in b]
            assert [each.score for each in a] == pytest.approx([each.score for each in b], abs=1e-5)


def test_a_removed_item_is_not_recommended_but_may_be_past(trained, tmp_path):
    recommender = Recommender(trained)
    first = listed(recommender, HISTORIES, k=1)[0][0]
    recommender.remove_items([first, "i1"])
    assert first not in recommender.items
    assert first not in listed(recommender, HISTORIES, k=100)[0]
    recommender.save(tmp_path / "less.safetensors")
    again = Recommender(tmp_path / "less.safetensors")
    assert listed(again, HISTORIES) == listed(recommender, HISTORIES)
    with pytest.raises(DeltaError, match="remove: there is no item 'nobody'"):
        recommender.remove_items(["nobody"])


def test_replacing_content_moves_a_cold_item_and_keeps_a_warm_ones_delta(tiny, trained):
    recommender = Recommender(trained)
    cold = recommender.cold_items[0]
    warm = next(token for token in recommender.items if token not in recommender.cold_items)
    embedding = recommender._embedding
    row = {token: n for n, token in enumerate(recommender.known_items, 1)}
    delta = embedding.delta[row[warm]].clone()
    recommender.add_items([cold, warm], content_of(tiny, ["i2", "i3"]))
    content = embedding.content
    assert torch.equal(embedding.weight[row[cold]], content[row["i2"]])
    torch.testing.assert_close(embedding.weight[row[warm]], content[row["i3"]] + delta)


def test_a_saved_recommender_holds_what_was_added(tiny, trained, tmp_path):
    recommender = Recommender(trained)
    recommender.add_items(["new", "newer"], content_of(tiny, ["i5", "i6"]) + 0.01)
    histories = [*HISTORIES, ["new", "i1", "newer"]]
    recommender.save(tmp_path / "more.safetensors")
    again = Recommender(tmp_path / "more.safetensors")
    assert again.recommend(histories) == recommender.recommend(histories)
    assert "new" in listed(again, [["i1"]], cold_only=True, k=100)[0]
    again.add_items(["newest"], content_of(tiny, ["i7"]))
    assert {"new", "newer", "newest"} <= set(again.cold_items)


def test_an_id_may_be_strange_or_long(tiny, trained, tmp_path):
    """An array of texts would take the longest id's room for each of them."""
    recommender, strange = Recommender(trained), ["nul\0", "l" * 10**8]
    recommender.add_items(strange, content_of(tiny, ["i5", "i6"]))
    recommender.save(tmp_path / "more.safetensors")
    assert Recommender(tmp_path / "more.safetensors").items[-2:] == strange
