"""kNN imputation: IDs for warm items, means of their neighbours' IDs for cold ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.served import HISTORIES, content_of, listed

from recbole_delta import DeltaError, Recommender
from recbole_delta.embedding.imputed import KnnIdEmbedding


def nearest(tiny, dataset, token):
    """Numbers and cosines of the ten warm items nearest to an item, in NumPy."""
    warm = content_of(tiny, dataset.item_tokens[1 : dataset.n_warm + 1]).astype(np.float64)
    rows = np.vstack([warm, content_of(tiny, [token])])
    rows = (rows - warm.mean(0)) / warm.std(0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosine = rows[:-1] @ rows[-1]
    near = np.argsort(-cosine)[:10]
    return near + 1, cosine[near]


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("SASRecDelta", {}),
        ("SASRecDelta", {"loss": "sampled"}),
        ("GRU4RecDelta", {"learner": "adamw", "weight_decay": 0.01}),
        ("COREDelta", {}),
    ],
)
def test_it_trains_as_the_table_of_ids_bit_for_bit(tiny, train, model, settings):
    # Without validation, which shows a table of IDs other histories: it may prefer another epoch.
    settings = {"epochs": 3, "eval_step": 0, **settings}
    ids, (_, table, *_) = train(tiny, model, item_embedding="id", **settings)
    imputed, (_, net, dataset, *_) = train(tiny, model, item_embedding="id_knn", **settings)
    for (name, a), (_, b) in zip(table.named_parameters(), net.named_parameters()):
        assert torch.equal(a, b), name
    losses = [[epoch["train_loss"] for epoch in run.curve] for run in (ids, imputed)]
    assert losses[0] == losses[1]
    # After warm items, warm ones have the scores that they had, and cold ones have some.
    history = torch.arange(1, 9)[:, None] % dataset.n_warm + torch.zeros(1, 8, dtype=torch.int64)
    case = {net.ITEM_SEQ: history, net.ITEM_SEQ_LEN: torch.full((8,), 8)}
    with torch.no_grad():
        before, after = (each.eval().full_sort_predict(case) for each in (table, net))
    known = dataset.n_warm + 1
    torch.testing.assert_close(after[:, :known], before[:, :known], rtol=1e-5, atol=1e-6)
    assert before[:, known:].isneginf().all()
    assert after.isfinite().all()


def test_a_cold_item_has_the_mean_id_of_its_neighbours(tiny, train):
    _, (_, net, dataset, *_) = train(tiny, item_embedding="id_knn")
    embedding = net.eval().item_embedding
    with torch.no_grad():
        for item in range(dataset.n_warm + 1, len(dataset.item_tokens)):
            near, cosine = nearest(tiny, dataset, dataset.item_tokens[item])
            share = np.exp(cosine) / np.exp(cosine).sum()
            expected = share @ embedding.trained_rows().numpy()[near]
            np.testing.assert_allclose(embedding.weight[item].numpy(), expected, atol=1e-6)
            np.testing.assert_allclose(embedding(torch.tensor(item)).numpy(), expected, atol=1e-6)


def test_content_says_nothing_in_training(tiny, train):
    rng = np.random.default_rng(5)
    other = {token: rng.normal(size=24).astype(np.float32) for token in tiny.vectors}
    settings = {"item_embedding": "id_knn", "eval_step": 0}
    _, (_, one, dataset, *_) = train(tiny, **settings)
    _, (_, two, *_) = train(tiny.replace(vectors=other), name="other", **settings)
    for (name, a), (_, b) in zip(one.named_parameters(), two.named_parameters()):
        assert torch.equal(a, b), name
    cold = slice(dataset.n_warm + 1, None)
    moved = one.item_embedding.weight[cold] != two.item_embedding.weight[cold]
    assert moved.any(1).all()


def test_added_items_are_imputed_and_kept(tiny, train, tmp_path):
    result, _ = train(tiny, item_embedding="id_knn")
    recommender = Recommender(result.checkpoint)
    cold = recommender.cold_items[0]
    recommender.add_items(["twin"], content_of(tiny, [cold]))
    place = {token: n for n, token in enumerate(recommender.known_items, 1)}
    weight = recommender.model.item_embedding.weight
    torch.testing.assert_close(weight[place["twin"]], weight[place[cold]])
    recommender.save(tmp_path / "more.safetensors")
    again = Recommender(tmp_path / "more.safetensors")
    assert listed(again, [["twin", "i1"], *HISTORIES]) == listed(
        recommender, [["twin", "i1"], *HISTORIES]
    )
    with pytest.raises(DeltaError, match="without deltas to fit"):
        recommender.warm_up([["i1", cold]])


def test_fewer_warm_items_than_neighbours_are_all_neighbours():
    content = torch.nn.functional.normalize(torch.randn(5, 3), dim=1)
    content[0] = 0
    embedding = KnnIdEmbedding(torch.tensor([[9.0], [1.0], [1.0]]), content)
    assert embedding.weight.flatten().tolist() == pytest.approx([0, 1, 1, 1, 1])
