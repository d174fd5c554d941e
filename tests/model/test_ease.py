"""EASE with and without side information."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix
from support.served import content_of

from recbole_delta import DeltaError, Recommender
from recbole_delta.evaluator.evaluate import MODES, evaluate_modes
from recbole_delta.model import ease

OURS = ["CEASE", "AddEASE"]
ours = pytest.mark.parametrize("model", OURS)


def some(users=30, n=13, dim=4, n_cold=3, seed=0):
    """Interactions [users, n], of which the last items have none, and unit rows of content."""
    rng = np.random.default_rng(seed)
    rows = (rng.random((users, n)) < 0.3).astype(float)
    rows[:, n - n_cold :] = 0
    content = rng.normal(size=(n, dim))
    return rows, content / np.linalg.norm(content, axis=1, keepdims=True)


def by_least_squares(stacked, reg):
    """Each column by itself, from all other columns, without a closed form."""
    n = stacked.shape[1]
    weights = np.zeros((n, n))
    for j in range(n):
        others = np.delete(np.arange(n), j)
        design = np.vstack([stacked[:, others], np.sqrt(reg) * np.eye(n - 1)])
        target = np.concatenate([stacked[:, j], np.zeros(n - 1)])
        weights[others, j] = np.linalg.lstsq(design, target, rcond=None)[0]
    return weights


@pytest.mark.parametrize("at_once", [4, 256])
@pytest.mark.parametrize("reg", [0.5, 20.0])
def test_the_closed_forms_minimise_their_objectives(monkeypatch, at_once, reg):
    monkeypatch.setattr(ease, "ROWS_AT_ONCE", at_once)
    rows, content = some()
    found = ease.collective_ease(csr_matrix(rows), content, reg, side_weight=1.7)
    expected = by_least_squares(np.vstack([rows, 1.7 * content.T]), reg)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    found = ease.additive_ease(csr_matrix(rows), content, reg, side_weight=0.3)
    expected = 0.7 * by_least_squares(rows, reg) + 0.3 * by_least_squares(content.T, reg)
    np.testing.assert_allclose(found, expected, atol=2e-6)


@ours
def test_without_side_weight_it_is_recboles_ease_and_says_nothing_of_cold_items(tiny, train, model):
    settings = {"reg_weight": 3.0}
    _, (_, net, dataset, *_) = train(tiny, model, side_weight=0, **settings)
    _, (_, stock, *_) = train(tiny, "EASE", **settings)
    known = dataset.n_warm + 1
    similarity = net.similarity.numpy()
    np.testing.assert_allclose(similarity[:known, :known], stock.item_similarity, atol=1e-5)
    assert (similarity[known:] == 0).all()
    assert (similarity[:, known:] == 0).all()
    # By hand, in float64.
    user, item = (each.numpy() for each in dataset.interactions.training_rows())
    rows = np.zeros((user.max() + 1, known))
    np.add.at(rows, (user, item), 1.0)
    inverse = np.linalg.inv(rows.T @ rows + 3.0 * np.eye(known))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(similarity[:known, :known], expected, atol=1e-7)


@ours
def test_no_item_speaks_for_itself_and_cold_ones_are_reached_by_content(tiny, train, model):
    result, (_, net, dataset, _, _, test) = train(tiny, model, reg_weight=1.0)
    similarity = net.similarity
    assert similarity.diagonal().eq(0).all()
    assert similarity[0].eq(0).all()
    assert similarity[:, 0].eq(0).all()
    assert similarity[1 : dataset.n_warm + 1, dataset.n_warm + 1 :].ne(0).all()
    assert result.test_mode["embeds_cold_items"] is True
    # Content gives the clusters away, so a target beats most other cold items.
    cases = test.dataset
    cold = cases.has_cold_target.nonzero().flatten()
    scores = net.full_sort_predict(cases.batch(cold))
    own = scores.gather(1, cases.instances.target[cold, None])
    beaten = (scores[:, dataset.n_warm + 1 :] < own).double().mean()
    assert beaten > 0.65


@ours
def test_test_rows_leave_no_trace(tiny, train, model):
    """All but one of the cold test targets are taken away."""
    _, (_, whole, dataset, *_) = train(tiny, model)
    cold = tiny.items.loc[tiny.items["is_cold"] == "1", "item_id"]
    gone = (tiny.rows["split"] == "test") & tiny.rows["item_id"].isin(cold)
    gone &= gone.cumsum() > 1
    assert gone.sum() > 5
    _, (_, reduced, less, *_) = train(tiny.replace(rows=tiny.rows[~gone]), model, name="reduced")
    same_weights(whole, dataset, reduced, less)


@ours
def test_items_in_another_order_have_the_same_weights(tiny, train, model):
    _, (_, one, dataset, *_) = train(tiny, model)
    shuffled = tiny.replace(rows=tiny.rows.sort_values("user_id", kind="stable"))
    _, (_, other, theirs, *_) = train(shuffled, model, name="shuffled")
    assert dataset.item_tokens.tolist() != theirs.item_tokens.tolist()
    same_weights(one, dataset, other, theirs)


def same_weights(one, dataset, other, theirs):
    place = [theirs.item_tokens.tolist().index(token) for token in dataset.item_tokens]
    ours, moved = one.similarity.numpy(), other.similarity.numpy()[np.ix_(place, place)]
    np.testing.assert_allclose(ours, moved, atol=1e-6)


@ours
def test_items_of_the_same_content_without_rows_have_the_same_scores(tiny, train, model):
    cold = tiny.items.loc[tiny.items["is_cold"] == "1", "item_id"].tolist()
    twins = {**tiny.vectors, cold[0]: content_of(tiny, [cold[1]])[0]}
    _, (_, net, dataset, *_) = train(tiny.replace(vectors=twins), model, name="twins")
    a, b = (dataset.field2token_id["item_id"][token] for token in cold[:2])
    history = torch.arange(1, dataset.n_warm + 1)[:, None]
    scores = net.forward(history)
    torch.testing.assert_close(scores[:, a], scores[:, b], rtol=1e-4, atol=1e-7)
    assert scores[:, a].ne(0).all()


@ours
def test_a_score_is_the_sum_over_the_history_and_the_offset(tiny, train, model):
    _, (_, net, dataset, _, _, test) = train(tiny, model)
    batch = test.dataset.batch(torch.arange(12))
    batch["item_id"] = torch.arange(31, 43)  # warm ones and cold ones
    similarity = net.similarity.numpy()
    expected = np.stack([similarity[seen].sum(0) for seen in batch["item_id_list"].numpy()])
    np.testing.assert_allclose(net.full_sort_predict(batch).numpy(), expected, atol=1e-6)
    net.set_offsets(0.5)
    expected[:, dataset.n_warm + 1 :] += 0.5
    np.testing.assert_allclose(net.full_sort_predict(batch).numpy(), expected, atol=1e-6)
    alone = expected[np.arange(12), batch["item_id"]]
    np.testing.assert_allclose(net.predict(batch).numpy(), alone, atol=1e-6)


@ours
def test_a_checkpoint_is_computed_again_and_recommends_nothing(tiny, train, model):
    settings = {"valid_candidates": "all", "valid_metric": "NDCG@10", "cold_offset": "auto"}
    result, (_, net, _, _, _, test) = train(tiny, model, **settings)
    assert result.calibration["offset"] == net.cold_offset != 0
    again = evaluate_modes(net, test.dataset, MODES, batch_size=64)
    metrics = [each.metrics(["ndcg", "hit", "mrr"], [10]) for each in again]
    assert metrics == [record["metrics"] for record in result.test_modes]
    with pytest.raises(DeltaError, match=f"of {model}, which is computed from training rows"):
        Recommender(result.checkpoint)


def test_recboles_ease_scores_the_history_of_users_who_never_trained(tiny, train):
    rows = tiny.rows.copy()
    gone = rows["user_id"].isin(sorted(rows["user_id"].unique())[::2])
    rows.loc[gone & (rows["split"] == "train"), "split"] = "history"
    counts = rows.loc[rows["split"] == "train", "item_id"].value_counts()
    train_count = tiny.items["item_id"].map(counts).fillna(0).astype(int)
    is_cold = np.where(train_count > 0, "0", "1")
    items = tiny.items.assign(train_count=train_count, is_cold=is_cold)
    prepared = tiny.replace(rows=rows, items=items)
    _, (_, net, dataset, _, _, test) = train(prepared, "EASE", reg_weight=2.0)
    trained = set(rows.loc[rows["split"] == "train", "user_id"])
    user = pd.Series(dataset.field2id_token["user_id"][test.dataset.instances.user.numpy()])
    strangers = torch.from_numpy((~user.isin(trained)).to_numpy()).nonzero().flatten()
    assert len(strangers) > 5
    batch = test.dataset.batch(strangers, drop_cold=True)
    weights = np.asarray(net.item_similarity)
    expected = np.stack([weights[seen[seen > 0]].sum(0) for seen in batch["item_id_list"].numpy()])
    scores = net.full_sort_predict(batch).numpy()
    np.testing.assert_allclose(scores[:, : dataset.n_warm + 1], expected, atol=1e-5)
    assert np.isneginf(scores[:, dataset.n_warm + 1 :]).all()
    assert (expected != 0).any(1).sum() > 5


@pytest.mark.parametrize("model", [*OURS, "EASE"])
def test_a_matrix_that_does_not_fit_is_refused_with_its_size(attempt, monkeypatch, model):
    free = SimpleNamespace(available=2**10)
    monkeypatch.setattr("recbole_delta.compute.memory.psutil.virtual_memory", lambda: free)
    message = attempt(model=model)
    assert "GiB of memory, and 0.0 GiB are free" in message
    assert "item-item matrix" in message


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"side_weight": -1}, "side_weight must be a number"),
        ({"model": "AddEASE", "side_weight": 1.5}, "side_weight must be a number from 0 to 1"),
        ({"reg_weight": "much"}, "reg_weight must be a number >= 0"),
        ({"reg_weight": 0}, "reg_weight is too small"),
    ],
)
def test_bad_weights_are_refused(attempt, settings, said):
    assert said in attempt(**{"model": "CEASE", **settings})
