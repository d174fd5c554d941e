"""Cold items borrow the deltas of their nearest warm items."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.served import content_of
from torch.nn import functional as F

from recbole_delta import Recommender
from recbole_delta.embedding import DeltaEmbedding
from recbole_delta.serving import memory_guard


def some(n_warm=30, n_cold=7, dim=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    content = F.normalize(torch.randn(1 + n_warm + n_cold, dim, generator=generator), dim=1)
    content[0] = 0
    return DeltaEmbedding(content, n_warm, 0.4, init_std=1.0, generator=generator).eval()


def by_hand(embedding, item, k):
    """In NumPy, one item."""
    content, delta = embedding.content.numpy(), embedding.delta.detach().numpy()
    cosine = content[1 : embedding._n_lenders + 1] @ content[item]
    near = np.argsort(-cosine)[:k]
    share = np.exp(cosine[near]) / np.exp(cosine[near]).sum()
    return content[item] + share @ delta[near + 1]


@pytest.mark.parametrize("k", [1, 10, 100])
def test_a_cold_item_has_the_mean_delta_of_its_neighbours(k):
    embedding = some()
    embedding.lend_deltas(k)
    cold = torch.arange(31, 38)
    expected = np.stack([by_hand(embedding, item, k) for item in cold.tolist()])
    with torch.no_grad():
        assert embedding.weight[31:].numpy() == pytest.approx(expected, abs=1e-6)
        assert embedding(cold[None]).numpy()[0] == pytest.approx(expected, abs=1e-6)
        # In the ball, as every mean of deltas in it.
        assert (embedding.weight - embedding.content).norm(dim=1).max() <= 0.4 + 1e-6
        # Warm items and padding are as before.
        assert torch.equal(embedding.weight[:31], embedding.trained_rows())


def test_what_is_lent_follows_the_deltas():
    embedding = some()
    embedding.lend_deltas(3)
    with torch.no_grad():
        embedding.delta.mul_(0.5)
        assert embedding.weight[33].numpy() == pytest.approx(by_hand(embedding, 33, 3), abs=1e-6)


def test_added_items_borrow_and_warmed_up_ones_do_not(tiny, train):
    result, _ = train(tiny, cold_delta="neighbours", epochs=3, learning_rate=0.05)
    recommender = Recommender(result.checkpoint)
    embedding = recommender.model.item_embedding
    [one, two] = recommender.cold_items[:2]
    recommender.add_items(["twin"], content_of(tiny, [one]))
    place = {token: n for n, token in enumerate(recommender.known_items, 1)}
    with torch.no_grad():
        assert torch.equal(embedding.weight[place["twin"]], embedding.weight[place[one]])
        assert not torch.equal(embedding.weight[place[one]], embedding.content[place[one]])
        lent = embedding.weight[place[two]].clone()
    recommender.warm_up([["i1", one], ["i2", one], ["i1", "i2", "i3"]])
    with torch.no_grad():
        delta = embedding.delta[place[one]]
        torch.testing.assert_close(
            embedding.weight[place[one]], embedding.content[place[one]] + delta
        )
        torch.testing.assert_close(embedding.weight[place[two]], lent)
    recommender.save("warm.safetensors")
    again = Recommender("warm.safetensors").model.item_embedding
    with torch.no_grad():
        torch.testing.assert_close(again.weight, embedding.weight)


def test_what_is_lent_follows_the_content_when_another_item_has_warmed_up(tiny, train):
    """The warm-up gives rows to all items before it, too."""
    result, _ = train(tiny, cold_delta="neighbours", epochs=3, learning_rate=0.05)
    warmed, plain = Recommender(result.checkpoint), Recommender(result.checkpoint)
    [other, *_, one] = warmed.cold_items
    warmed.warm_up([["i1", one], ["i2", one], ["i1", "i2", "i3"]])
    content = content_of(tiny, ["i2"])
    vectors = []
    for recommender in (warmed, plain):
        recommender.add_items([other], content)
        with torch.no_grad():
            place = recommender.known_items.index(other) + 1
            vectors.append(recommender.model.item_embedding.weight[place])
    torch.testing.assert_close(vectors[0], vectors[1])


def test_a_large_catalogue_with_neighbours_fits_the_allowance_of_its_file(monkeypatch):
    """The cosines between all cold and all warm items are no part of what a checkpoint makes."""
    monkeypatch.setattr(memory_guard, "SPARE", 0)
    n_items, dim = 1001, 4
    with memory_guard.Allowance(2 * n_items * dim):
        embedding = some(n_warm=500, n_cold=500, dim=dim)
        embedding.lend_deltas(10)
    with torch.no_grad():
        assert embedding.weight[501].numpy() == pytest.approx(by_hand(embedding, 501, 10), abs=1e-6)
