"""What the explanation of an item says is what its vectors say."""

from __future__ import annotations

import dataclasses
import math
from itertools import combinations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from recbole_delta import DeltaError, Recommender
from recbole_delta.embedding.delta import DeltaEmbedding
from recbole_delta.serving import pictures
from recbole_delta.serving.explain import Spaces


@pytest.fixture
def trained(tiny, train):
    return train(tiny, epochs=3, learning_rate=0.03)[0].checkpoint


@pytest.fixture
def spaces(trained):
    return Recommender(trained).spaces()


def planted(content, delta, delta_max=0.5):
    """Items "a", "b", ... of these vectors, those that have a delta being warm."""
    content, delta = (torch.tensor([[0.0] * len(rows[0]), *rows]) for rows in (content, delta))
    embedding = DeltaEmbedding(content, len(delta) - 1, delta_max)
    embedding.delta.data = delta
    items = [chr(ord("a") + n) for n in range(len(content) - 1)]
    return Spaces.of(embedding, items, np.arange(1, len(delta)), set())


def neighbours_in(rows, items, item, k):
    """By scikit-learn: ids and cosines."""
    search = NearestNeighbors(metric="cosine").fit(rows)
    distance, place = search.kneighbors(rows[[items.index(item)]], k + 1)
    found = [(items[n], 1 - d) for n, d in zip(place[0], distance[0]) if items[n] != item]
    return [item for item, _ in found], pytest.approx([cosine for _, cosine in found], abs=1e-5)


def unzipped(neighbours):
    return [each.item for each in neighbours], [each.cosine for each in neighbours]


@pytest.mark.parametrize("model", ["SASRecDelta", "SASRecEnsemble"])
def test_neighbours_are_those_of_scikit_learn(tiny, train, model):
    recommender = Recommender(train(tiny, model)[0].checkpoint)
    embedding = getattr(recommender.model, "by_content", recommender.model).item_embedding
    rows = {
        "by_content": embedding.content[1:].numpy(),
        "by_adapted": embedding.weight[1:].detach().numpy(),
    }
    spaces, items = recommender.spaces(), recommender.known_items
    for item in ("i1", "i7", recommender.cold_items[0]):
        explained = spaces.explain(item, k=6)
        for name, vectors in rows.items():
            found = unzipped(getattr(explained, name))
            assert found == neighbours_in(vectors, items, item, 6)
        names = [set(unzipped(getattr(explained, name))[0]) for name in rows]
        assert explained.in_common == len(set.intersection(*names))


def test_drift_follows_the_law_of_cosines():
    spaces = planted([[1.0, 0.0], [0.0, 1.0]], [[-0.3, 0.4]])
    # e = (0.7, 0.4), and |d|² = |c|² + |e|² - 2 |c| |e| cos(c, e)
    explained = spaces.explain("a")
    length = math.sqrt(0.65)
    assert explained.delta_norm == pytest.approx(0.5)
    assert explained.cosine == pytest.approx((1 + 0.65 - 0.25) / (2 * length))
    assert unzipped(explained.by_content) == (["b"], [0])
    assert unzipped(explained.by_adapted) == (["b"], [pytest.approx(0.4 / length)])
    assert spaces.explain("b").cosine == 1
    assert (explained.train_count, spaces.explain("b").train_count) == (1, 0)


def test_a_borrowed_delta_is_drift_too(tiny, train):
    recommender = Recommender(
        train(tiny, cold_delta="neighbours", learning_rate=0.03)[0].checkpoint
    )
    spaces, embedding = recommender.spaces(), recommender.model.item_embedding
    item = recommender.cold_items[0]
    place = spaces.place(item) + 1
    with torch.no_grad():
        borrowed = (embedding.weight[place] - embedding.content[place]).norm().item()
    assert spaces.explain(item).delta_norm == pytest.approx(borrowed) != 0
    content, adapted = pictures.both_spaces(spaces, [item]).axes
    ring = [axes.lines[0].get_xydata()[0].tolist() for axes in (content, adapted)]
    assert ring[0] != ring[1]


def test_no_trained_item_drifts_beyond_the_bound(tiny, spaces):
    assert spaces.cosine.min() < 0.99
    assert spaces.cosine.min() >= math.sqrt(1 - spaces.delta_max**2) - 1e-6
    counts = dict(zip(tiny.items["item_id"], tiny.items["train_count"]))
    assert [spaces.explain(item).train_count for item in counts] == list(counts.values())


@pytest.mark.parametrize("model", ["SASRecDelta", "ContentMean"])
def test_frozen_content_has_not_drifted(tiny, train, model):
    settings = {} if model == "ContentMean" else {"item_embedding": "frozen"}
    spaces = Recommender(train(tiny, model, **settings)[0].checkpoint).spaces()
    for item in spaces.items:
        explained = spaces.explain(item)
        assert explained.cosine == pytest.approx(1, abs=1e-6)
        assert explained.delta_norm == 0
        assert explained.by_content == explained.by_adapted
    content, adapted = pictures.both_spaces(spaces, []).axes
    for one, other in zip(content.collections, adapted.collections):
        np.testing.assert_array_equal(one.get_offsets(), other.get_offsets())


def test_items_that_came_and_went(tiny, trained):
    recommender = Recommender(trained)
    vectors = np.stack([tiny.vectors["i5"], tiny.vectors["i6"]])
    recommender.add_items(["new", "newer"], vectors)
    explained = recommender.spaces().explain("new", k=3)
    assert (explained.train_count, explained.delta_norm) == (0, 0)
    assert explained.cosine == pytest.approx(1, abs=1e-6)
    assert explained.by_content[0] == ("i5", pytest.approx(1, abs=1e-6))
    recommender.remove_items(["i5"])
    left = recommender.spaces().explain("new", k=100)
    assert sorted([each.item for each in left.by_content] + ["new"]) == sorted(recommender.items)
    assert {each.item for each in left.by_adapted} == {each.item for each in left.by_content}
    removed = recommender.spaces().explain("i5", k=1)
    assert removed.by_content == (("new", pytest.approx(1, abs=1e-6)),)


@pytest.mark.parametrize(
    ("item", "k", "message"),
    [
        ("who", 10, "explain: there is no item 'who'; add it first"),
        (3, 10, "there is no item 3"),
        ("[PAD]", 10, "there is no item"),
        ("i1", 0, "k must be at least 1"),
    ],
)
def test_what_cannot_be_explained_is_said(spaces, item, k, message):
    with pytest.raises(DeltaError, match=message):
        spaces.explain(item, k)


@pytest.mark.parametrize("mode", ["id", "alphafuse", "whitening"])
def test_other_embeddings_are_refused(tiny, train, mode):
    recommender = Recommender(train(tiny, item_embedding=mode, epochs=1)[0].checkpoint)
    with pytest.raises(DeltaError, match="not content plus delta; explain a model with"):
        recommender.spaces()


# -- pictures ------------------------------------------------------------------------------


def test_drift_shows_the_warm_items_their_medians_and_the_bound(spaces):
    [axes] = pictures.drift(spaces).axes
    warm = spaces.train_count > 0
    [points] = axes.collections
    shown = np.column_stack([spaces.train_count[warm], spaces.cosine[warm]])
    np.testing.assert_allclose(points.get_offsets(), shown)
    assert axes.get_xscale() == "log"
    medians, bound = axes.lines
    few = warm & (spaces.train_count >= 4) & (spaces.train_count < 8)
    assert np.median(spaces.cosine[few]) in medians.get_ydata()
    assert bound.get_ydata() == pytest.approx([math.sqrt(0.75)] * 2)
    [free] = pictures.drift(dataclasses.replace(spaces, delta_max=math.inf)).axes
    assert len(free.lines) == 1


def test_drift_leaves_removed_items_out(spaces):
    warm = np.flatnonzero(spaces.train_count)
    listed = spaces.listed.copy()
    listed[warm[0]] = False
    [axes] = pictures.drift(dataclasses.replace(spaces, listed=listed)).axes
    assert len(axes.collections[0].get_offsets()) == len(warm) - 1


def test_both_spaces_show_a_sample_and_the_asked_items(spaces, monkeypatch):
    monkeypatch.setattr(pictures, "SHOWN", 20)
    warm, cold = spaces.items[0], spaces.items[-1]
    figure, again = (pictures.both_spaces(spaces, [cold, warm, cold]) for _ in range(2))
    for axes, same in zip(figure.axes, again.axes):
        assert sum(len(each.get_offsets()) for each in axes.collections) == 20
        assert [text.get_text() for text in axes.texts] == [cold, warm]
        for one, other in zip(axes.collections, same.collections):
            np.testing.assert_array_equal(one.get_offsets(), other.get_offsets())
    by_content, adapted = ([mark.get_xydata() for mark in axes.lines] for axes in figure.axes)
    np.testing.assert_array_equal(by_content[0], adapted[0])
    assert not np.allclose(by_content[1], adapted[1])


def test_labels_of_neighbours_do_not_cover_each_other():
    angles = np.r_[np.linspace(0, 0.05, 12), np.linspace(1, 6, 12)]
    spaces = planted(np.c_[np.cos(angles), np.sin(angles)].tolist(), [[0.0, 0.0]])
    spaces = dataclasses.replace(spaces, items=[f"an item of a long name {n}" for n in range(24)])
    asked = spaces.items[:12]  # near each other
    for axes in pictures.both_spaces(spaces, asked).axes:
        boxes = [text.get_window_extent() for text in axes.texts]
        assert len(boxes) == 12
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
        frame = axes.get_window_extent()
        # A pixel, since the labels are moved in steps.
        assert all(frame.x0 - 1 <= box.x0 and box.x1 <= frame.x1 + 1 for box in boxes)


def test_three_items_make_a_picture_and_two_do_not():
    content, delta = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], [[0.1, 0.1]]
    assert len(pictures.both_spaces(planted(content, delta), []).axes) == 2
    with pytest.raises(DeltaError, match="at least 3 items; there are 2"):
        pictures.both_spaces(planted(content[:2], delta), [])
