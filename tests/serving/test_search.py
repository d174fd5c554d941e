"""Recommending by the products of vectors is recommending by all scores of the model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.served import HISTORIES, content_of, listed

from recbole_delta import Recommender
from recbole_delta.model import BACKBONES
from recbole_delta.serving import group_maxima, screening, search
from recbole_delta.serving.screening import ScreenedVectors

MANY = 20_000


@pytest.fixture(params=[True, False], ids=["bytes", "float32"])
def always_screened(request, monkeypatch):
    """As with a catalogue of millions."""
    monkeypatch.setattr(search, "SMALL", 3)
    monkeypatch.setattr(search, "GROUP", 0)
    for module in (group_maxima, screening):
        monkeypatch.setattr(module, "GROUP", 4)
        monkeypatch.setattr(module, "BLOCK", 16)
    monkeypatch.setattr(search, "bytes_are_quick", lambda dim: request.param)


def by_all_scores(recommender, histories, k=10, exclude_seen=True, **lists):
    """Ids by the scores that RecBole's evaluation sees."""
    model, tokens = recommender.model, ["[PAD]", *recommender.known_items]
    number = {token: n for n, token in enumerate(tokens)}
    allowed = set(lists.get("allow", recommender.items)) & set(recommender.items)
    allowed -= set(lists.get("deny", ()))
    if lists.get("cold_only"):
        allowed &= set(recommender.cold_items)
    found = []
    for history in histories:
        ids = torch.tensor([[number[each] for each in history][-model.max_seq_length :]])
        width = model.max_seq_length if model.fixed_length else ids.size(1)
        batch = {
            model.ITEM_SEQ: torch.nn.functional.pad(ids, (0, width - ids.size(1))),
            model.ITEM_SEQ_LEN: torch.tensor([ids.size(1)]),
        }
        with torch.no_grad():
            scores = model.full_sort_predict(batch)[0].tolist()
        unwanted = set(history) if exclude_seen else set()
        best = sorted(allowed - unwanted, key=lambda item: -scores[number[item]])
        found.append([(item, scores[number[item]]) for item in best[:k]])
    return found


def assert_as_by_all_scores(recommender, histories=HISTORIES, **options):
    found = recommender.recommend(histories, **options)
    for one, other in zip(found, by_all_scores(recommender, histories, **options), strict=True):
        assert [each.item for each in one] == [item for item, _ in other]
        assert [each.score for each in one] == pytest.approx([s for _, s in other], abs=1e-5)


LISTS = [
    {},
    {"exclude_seen": False},
    {"deny": ["i2", "i3"]},
    {"cold_only": True, "k": 100},
    {"allow": ["i8", "i9", "i10"]},
    {"allow": ["i8", "i9", "i10", "i11", "i12", "i13"], "deny": ["i9"], "k": 2},
    {"k": 1000},
]


def with_warm_offsets(recommender: Recommender) -> Recommender:
    """The same with a constant for each number of training rows, of either sign."""
    model = recommender.model
    classes = int(model.warm_class.max()) + 1
    assert classes > 2
    model.set_offsets(model.cold_offset, torch.linspace(2, -1, classes).tolist())
    return recommender


@pytest.mark.parametrize("offsets", [lambda r: r, with_warm_offsets], ids=["plain", "warm offsets"])
@pytest.mark.parametrize("options", LISTS)
def test_what_is_found_is_what_all_scores_say(tiny, trained, always_screened, options, offsets):
    recommender = offsets(Recommender(trained))
    recommender.add_items(["new"], content_of(tiny, ["i5"]) + 0.01)
    recommender.remove_items(["i4"])
    assert_as_by_all_scores(recommender, [*HISTORIES, ["new", "i1"], ["i1"] * 30], **options)


@pytest.mark.parametrize("model", BACKBONES)
def test_every_backbone_is_searched_by_its_vectors(
    tiny, train, monkeypatch, always_screened, model
):
    recommender = Recommender(train(tiny, model, epochs=1, cold_offset=0.5)[0].checkpoint)
    with monkeypatch.context() as during:
        during.setattr(type(recommender.model), "full_sort_predict", None)
        recommender.recommend(HISTORIES)
    assert_as_by_all_scores(recommender, exclude_seen=False)


@pytest.mark.filterwarnings("ignore:3 of 3 histories hold a cold item")
@pytest.mark.parametrize("offsets", [lambda r: r, with_warm_offsets], ids=["plain", "warm offsets"])
@pytest.mark.parametrize("settings", [{}, {"cold_delta": "neighbours"}], ids=["delta", "lent"])
def test_a_search_takes_notice_of_every_change(tiny, train, always_screened, settings, offsets):
    """Each change is followed by a search, so that nothing is laid out anew by chance."""
    recommender = offsets(Recommender(train(tiny, cold_offset="auto", **settings)[0].checkpoint))
    assert_as_by_all_scores(recommender)
    cold, warm = recommender.cold_items[0], "i3"
    recommender.add_items(["twin", "other"], content_of(tiny, [cold, "i5"]) + 0.01)
    assert_as_by_all_scores(recommender)
    assert {"twin", cold} <= set(listed(recommender, HISTORIES, k=1000)[0])
    recommender.add_items([cold, "third"], content_of(tiny, ["i1", "i2"]) + 0.02)
    assert_as_by_all_scores(recommender)
    recommender.add_items([warm], content_of(tiny, ["i9"]) - 0.03)
    assert_as_by_all_scores(recommender)
    for share in (0.9, 0.1):
        recommender.set_cold_share(share)
        assert_as_by_all_scores(recommender)
    recommender.remove_items(["other"])
    assert_as_by_all_scores(recommender)
    recommender.warm_up([["i1", "twin"], ["i2", "twin", "i3"], ["i5", "i6", "i7"]])
    assert_as_by_all_scores(recommender, k=100)
    recommender.save("today.safetensors")
    assert listed(Recommender("today.safetensors"), HISTORIES) == listed(recommender, HISTORIES)


def grown(tiny, trained, n=MANY):
    recommender = Recommender(trained)
    dim = len(next(iter(tiny.vectors.values())))
    vectors = np.random.default_rng(0).standard_normal((n, dim))
    recommender.add_items([f"made-up {each}" for each in range(n)], vectors)
    return recommender


def test_only_what_is_new_is_laid_out_when_items_are_added(tiny, trained, monkeypatch):
    recommender = grown(tiny, trained)
    recommender.recommend(HISTORIES)
    rounded = []
    whole = ScreenedVectors._round

    def counting(self, groups):
        rounded.append(len(groups))
        return whole(self, groups)

    monkeypatch.setattr(ScreenedVectors, "_round", counting)
    recommender.add_items(["twin", "new"], content_of(tiny, ["i1", "i5"]) + 0.01)
    for share in (-0.5, 0.0):
        recommender.model.set_offsets(share)
        recommender.recommend(HISTORIES, deny=["i1"])
    assert sum(rounded) <= 2
    assert_as_by_all_scores(recommender)


def test_many_items_are_screened_and_few_candidates_among_them_are_not(tiny, trained, monkeypatch):
    recommender = grown(tiny, trained)
    draw = np.random.default_rng(1)
    warm = sorted(set(recommender.items) - set(recommender.cold_items))
    histories = [list(draw.choice(warm, 5)) for _ in range(20)]
    assert_as_by_all_scores(recommender, histories, deny=[f"made-up {n}" for n in range(99)])
    monkeypatch.setattr(ScreenedVectors, "best", None)
    assert_as_by_all_scores(recommender, histories, allow=[f"made-up {n}" for n in range(9999)])
    assert_as_by_all_scores(recommender, histories[:2], k=1000)


def test_models_without_vectors_are_searched_by_their_scores(tiny, train, always_screened):
    for model in ("SASRecEnsemble", "RPG", "ContentMean"):
        result, _ = train(tiny, model, epochs=1, n_codebook=4, codebook_size=16)
        assert_as_by_all_scores(Recommender(result.checkpoint))
