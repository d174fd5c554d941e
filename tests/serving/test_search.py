"""An index of vectors beside exact search."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from support.served import HISTORIES, content_of, listed

from recbole_delta import DeltaError, Recommender
from recbole_delta.model import BACKBONES
from recbole_delta.serving import search


def look_everywhere(monkeypatch):
    monkeypatch.setattr(search, "SMALL", 3)
    monkeypatch.setattr(search, "PROBED", 1.0)


def test_the_index_finds_what_exact_search_finds_where_it_looks_everywhere(
    tiny, trained, monkeypatch
):
    look_everywhere(monkeypatch)
    recommender = Recommender(trained)
    recommender.add_items(["new"], content_of(tiny, ["i5"]) + 0.01)
    histories = [*HISTORIES, ["new", "i1"], ["i1"] * 30]
    lists = [{}, {"exclude_seen": False}, {"deny": ["i2", "i3"]}, {"cold_only": True, "k": 100},
             {"allow": ["i8", "i9", "i10"]}]  # fmt: skip
    for options in lists:
        exact = recommender.recommend(histories, **options)
        found = recommender.recommend(histories, approximate=True, **options)
        for one, other in zip(exact, found):
            assert [each.item for each in one] == [each.item for each in other]
            assert [e.score for e in one] == pytest.approx([e.score for e in other], abs=1e-5)


@pytest.mark.parametrize("model", BACKBONES)
def test_an_index_knows_what_has_come_and_gone(tiny, train, monkeypatch, model):
    look_everywhere(monkeypatch)
    recommender = Recommender(train(tiny, model, epochs=1)[0].checkpoint)
    before = recommender.recommend(HISTORIES, approximate=True)
    top = before[0][0].item
    recommender.remove_items([top])
    assert top not in listed(recommender, HISTORIES, approximate=True)[0]
    recommender.add_items(["twin"], content_of(tiny, [recommender.cold_items[0]]))
    both = listed(recommender, HISTORIES, approximate=True, k=1000)[0]
    assert {"twin", recommender.cold_items[0]} <= set(both)


@pytest.mark.parametrize(("k", "seen"), [(10, 2000), (2000, 1)])
def test_where_much_is_wanted_or_seen_all_items_are_scored(trained, monkeypatch, k, seen):
    """The candidates of a search by index would take memory in proportion."""
    look_everywhere(monkeypatch)
    recommender = Recommender(trained)
    monkeypatch.setattr(search.IndexSearch, "_search", None)
    histories = [["i1", "i2"] * seen, ["i3"]]
    found = recommender.recommend(histories, k, approximate=True)
    assert found == recommender.recommend(histories, k)


def test_an_ensemble_has_no_index(tiny, train):
    recommender = Recommender(train(tiny, "SASRecEnsemble", epochs=1)[0].checkpoint)
    with pytest.raises(DeltaError, match="SASRecEnsemble scores by more than one vector an item"):
        recommender.recommend(HISTORIES, approximate=True)


def test_a_missing_index_library_is_named(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(DeltaError, match=r"pip install 'recbole-delta\[index\]'"):
        Recommender(trained).recommend(HISTORIES, approximate=True)


def test_an_index_over_many_items_finds_nearly_all(tiny, trained):
    recommender = Recommender(trained)
    draw = np.random.default_rng(0)
    dim = len(next(iter(tiny.vectors.values())))
    tokens = [f"made-up {n}" for n in range(20_000)]
    recommender.add_items(tokens, draw.standard_normal((20_000, dim)))
    histories = [[f"i{n}" for n in draw.integers(1, 40, 5) if f"i{n}" in recommender.items]
                 for _ in range(50)]  # fmt: skip
    deny = tokens[::2]
    exact = recommender.recommend(histories, deny=deny)
    found = recommender.recommend(histories, deny=deny, approximate=True)
    common = [{e.item for e in a} & {e.item for e in b} for a, b in zip(exact, found)]
    assert sum(map(len, common)) > 0.9 * sum(map(len, exact))
    assert not {e.item for each in found for e in each} & set(deny)
    best = {e.item: e.score for e in exact[0]}
    for each in found[0]:
        assert each.score == pytest.approx(best.get(each.item, each.score), abs=1e-5)
