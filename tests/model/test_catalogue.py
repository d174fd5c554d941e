"""RecBole's own models on our cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import recbole_delta
from dataset_prep.errors import DeltaError


def test_a_built_in_model_sees_warm_items_only(tiny, train):
    result, (_, model, dataset, train_data, *_) = train(
        tiny, "SASRec", hidden_size=16, inner_size=16, n_heads=1
    )
    assert model.n_items == dataset.n_warm + 1
    assert result.test_mode["embeds_cold_items"] is False
    assert all(record["metrics"]["ndcg_cold@10"] == 0 for record in result.test_modes)
    assert result.test_result["ndcg_warm@10"] > 0
    assert max(int(batch["item_id_list"].max()) for batch in train_data) <= dataset.n_warm


@pytest.mark.parametrize("model", ["NARM", "BERT4Rec", "LightSANs", "FPMC", "GRU4Rec"])
def test_built_in_models_run_on_the_same_cases(tiny, train, model):
    # A small batch in which BERT4Rec happens to mask nothing has no loss (0 / 0).
    settings = {"mask_ratio": 0.6, "train_batch_size": 4096} if model == "BERT4Rec" else {}
    result, _ = train(tiny, model, epochs=1, **settings)
    ours, _ = train(tiny, "SASRecDelta", epochs=1)
    assert result.test_mode["cases"] == ours.test_mode["cases"]


def loo(prepared):
    """The same rows, leave-one-out: every user trains, no item is held out."""
    rows = prepared.rows.copy()
    order = rows.groupby("user_id").cumcount(ascending=False)
    rows["split"] = np.select([order == 0, order == 1], ["test", "valid"], "train")
    return prepared.replace(rows=rows, items=counted(rows, prepared.items))


def test_popularity_ranks_by_training_counts(tiny, train):
    result, (_, model, dataset, _, _, test) = train(tiny, "Pop")
    counts = tiny.rows.loc[tiny.rows["split"] == "train", "item_id"].value_counts()
    scores = model.full_sort_predict(test.dataset.batch(torch.tensor([0, 1])))
    assert scores.shape == (2, len(dataset.item_tokens))
    tokens = dataset.item_tokens[1 : dataset.n_warm + 1]
    expected = counts[tokens] / counts.max()
    assert scores[1, 1 : dataset.n_warm + 1].tolist() == pytest.approx(expected.tolist())
    assert result.test_result["ndcg_cold@10"] == 0


def test_item_knn_scores_the_given_history(tiny, train):
    _, (_, model, dataset, _, _, test) = train(tiny, "ItemKNN", k=5)
    case = int((test.dataset.instances.warm_history.lengths >= 3).nonzero()[0])
    batch = test.dataset.batch(torch.tensor([case]), drop_cold=True)
    seen = batch["item_id_list"][0]
    similarity = model.w.toarray()
    expected = sum(similarity[item] for item in seen[seen > 0].tolist())
    scores = model.full_sort_predict(batch)[0, : dataset.n_warm + 1]
    np.testing.assert_allclose(scores.numpy(), expected, rtol=1e-5, atol=1e-6)
    # Cosine by hand, of two items over the users who trained on them.
    user, item = (t.numpy() for t in dataset.interactions.training_rows())
    a, b = 1, int(similarity[1].argmax())
    ua, ub = set(user[item == a]), set(user[item == b])
    cosine = len(ua & ub) / (np.sqrt(len(ua) * len(ub)) + 1e-6)
    assert similarity[a, b] == pytest.approx(cosine, rel=1e-3)


@pytest.mark.parametrize("model", ["BPR", "LightGCN"])
def test_a_user_without_training_rows_is_a_miss_that_is_counted(tiny, train, caplog, model):
    caplog.set_level("WARNING")
    trained = set(tiny.rows.loc[tiny.rows["split"] == "train", "user_id"])
    test = tiny.rows[tiny.rows["split"] == "test"]
    # Half of the users train no more.
    gone = sorted(trained)[::2]
    rows = tiny.rows.copy()
    rows.loc[rows["user_id"].isin(gone) & (rows["split"] == "train"), "split"] = "history"
    prepared = tiny.replace(rows=rows, items=counted(rows, tiny.items))
    strangers = ~test["user_id"].isin(trained - set(gone))
    result, (_, net, dataset, _, _, cases) = train(prepared, model, epochs=1, anew=True)
    [line] = {each.getMessage() for each in caplog.records if "misses" in each.getMessage()}
    assert f"{strangers.sum()} of {len(test)} test cases" in line
    assert result.test_mode["cases"]["total"] == len(test)
    users = dataset.field2id_token["user_id"][cases.dataset.instances.user.numpy()]
    scores = net.full_sort_predict(cases.dataset.batch(torch.arange(len(test))))
    served = torch.isfinite(scores).any(1).numpy()
    assert served.tolist() == [user in trained - set(gone) for user in users]
    assert 0 < served.sum() < len(test)


def counted(rows, items):
    counts = rows.loc[rows["split"] == "train", "item_id"].value_counts()
    train_count = items["item_id"].map(counts).fillna(0).astype(int)
    return items.assign(train_count=train_count, is_cold=np.where(train_count > 0, "0", "1"))


def test_bpr_runs_where_every_test_user_has_trained(tiny, train):
    result, _ = train(loo(tiny), "BPR", epochs=20, require_cold=False, learning_rate=0.01)
    pop, _ = train(loo(tiny), "Pop", require_cold=False)
    assert result.test_result["ndcg@10"] > 2 * pop.test_result["ndcg@10"]


def test_features_of_items_reach_the_models_that_use_them(tiny, train, tmp_path):
    kind = tiny.items.assign(kind=[f"k{n % 5}" for n in range(len(tiny.items))])

    class WithKind(type(tiny)):
        def write(self, out, name="tiny"):
            folder = super().write(out, name)
            frame = (folder / f"{name}.item").read_text().splitlines()
            column = ["kind:token", *kind["kind"]]
            lines = [f"{line}\t{value}" for line, value in zip(frame, column)]
            (folder / f"{name}.item").write_text("\n".join(lines) + "\n")
            return folder

    prepared = WithKind(tiny.rows, tiny.items, tiny.vectors)
    fields = {"inter": ["user_id", "item_id", "timestamp"], "item": ["item_id", "kind"]}
    for model in ("SASRecF", "GRU4RecF", "FDSA"):
        result, _ = train(prepared, model, selected_features=["kind"], load_col=fields)
        assert result.test_result["ndcg_warm@10"] > 0
    with pytest.raises(DeltaError, match="selected_features: tiny has no 'kind'"):
        train(tiny, "GRU4RecF", selected_features=["kind"])


@pytest.mark.parametrize("model", ["NeuMF", "NNCF"])
def test_a_model_of_pairs_scores_all_warm_items(tiny, train, model, monkeypatch):
    """RecBole's have ``predict`` alone; ours asks for some users at a time."""
    monkeypatch.setattr("recbole_delta.model.catalogue.PAIRS", 70)
    result, (_, net, dataset, _, _, cases) = train(tiny, model, epochs=1)
    batch = cases.dataset.batch(torch.arange(5))
    known = net.known_users[batch["user_id"]]
    net.eval().requires_grad_(False)
    scores = net.full_sort_predict(batch)[known]
    users = batch["user_id"][known]
    for user, row in zip(users, scores):
        for item in (1, dataset.n_warm):
            pair = {"user_id": user[None], "item_id": torch.tensor([item])}
            assert row[item] == pytest.approx(float(net.predict(pair)), rel=1e-4)
    assert len(users)
    assert scores[:, dataset.n_warm + 1 :].isneginf().all()
    assert result.test_result["ndcg_cold@10"] == 0


@pytest.mark.parametrize("model", ["SGL", "RecVAE"])
def test_models_that_prepare_their_training_in_ways_of_their_own(tiny, train, model):
    """SGL makes graphs when it is set to train, RecVAE's trainer tells its loss what to train."""
    result, _ = train(tiny, model, epochs=1)
    assert result.test_result["ndcg_warm@10"] > 0


@pytest.mark.parametrize(
    ("model", "reason"), [("FEARec", "table of all prefixes"), ("DIN", "a shown item is clicked")]
)
def test_sequential_models_that_do_not_run_here(tiny, train, model, reason):
    with pytest.raises(DeltaError, match=f"{model} does not run here: .*{reason}"):
        train(tiny, model)


def test_a_model_with_state_that_no_checkpoint_holds_is_not_resumed(tiny, train):
    """LINE draws its negative items from a shuffled list, and remembers where it was."""
    result, _ = train(tiny, "LINE", epochs=1)
    with pytest.raises(DeltaError, match="LINE"):
        recbole_delta.resume(result.checkpoint, {"epochs": 2})
