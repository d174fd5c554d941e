"""RPG against plain loops over items and digits, and what it learns of cold items."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from support.datasets import Prepared, as_log, as_pandas

import recbole_delta
from dataset_prep.errors import DeltaError
from dataset_prep.protocols import item_holdout

SMALL_CODES = {"n_codebook": 6, "codebook_size": 4}


def histories(model):
    generator = torch.Generator().manual_seed(3)
    item_seq = torch.randint(1, model.n_warm + 1, (4, 5), generator=generator)
    lengths = torch.tensor([5, 3, 1, 2])
    item_seq = torch.where(torch.arange(5) < lengths[:, None], item_seq, 0)
    return {model.ITEM_SEQ: item_seq, model.ITEM_SEQ_LEN: lengths}


def test_a_score_is_the_sum_of_the_digits_log_probabilities(tiny, train):
    _, (_, model, dataset, *_) = train(tiny, "RPG", temperature=0.05, **SMALL_CODES)
    model.eval().requires_grad_(False)
    batch = histories(model)
    scores = model.full_sort_predict(batch)
    hidden = model.forward(batch[model.ITEM_SEQ], batch[model.ITEM_SEQ_LEN]).double()
    digits, codewords, _ = model.item_embedding.by_digit().shape
    assert (digits, codewords) == (6, 4)
    assert scores.shape == (4, len(dataset.item_tokens))
    for row, h in enumerate(hidden):
        log_p = []
        for k in range(digits):
            z = h @ model.heads.weight[k].double() + model.heads.bias[k].double()
            head = h + z * torch.sigmoid(z)
            words = model.item_embedding.table[1 + 4 * k : 5 + 4 * k].double()
            cosine = torch.tensor([head @ w / (head.norm() * w.norm()) for w in words])
            log_p.append((cosine.double() / 0.05).log_softmax(0))
        for item in range(1, len(dataset.item_tokens)):
            code = model.item_embedding.content[item].tolist()
            expected = float(sum(log_p[k][code[k] - 1 - 4 * k] for k in range(digits)))
            assert float(scores[row, item]) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    items = torch.tensor([1, 7, len(dataset.item_tokens) - 1, 2])
    asked = model.predict({**batch, model.ITEM_ID: items})
    torch.testing.assert_close(asked, scores[torch.arange(4), items])


def test_a_cold_item_with_the_code_of_a_warm_one_has_its_score(tiny, train):
    tokens = tiny.items["item_id"].tolist()
    is_cold = dict(zip(tokens, tiny.items["is_cold"]))
    warm = next(token for token in tokens if is_cold[token] == "0")
    cold = next(token for token in tokens if is_cold[token] == "1")
    twins = tiny.replace(vectors={**tiny.vectors, cold: tiny.vectors[warm]})
    # So many codewords that hardly any other items share a code.
    _, (_, model, dataset, *_) = train(twins, "RPG", n_codebook=12, codebook_size=8)
    model.eval().requires_grad_(False)
    warm, cold = (dataset.field2token_id["item_id"][token] for token in (warm, cold))
    scores = model.full_sort_predict(histories(model))
    assert torch.equal(scores[:, warm], scores[:, cold])
    codes = [tuple(code) for code in model.item_embedding.content[1:].tolist()]
    assert codes[warm - 1] == codes[cold - 1]
    found = model.item_embedding.count_codes()
    assert found.shared == sum(codes.count(code) > 1 for code in codes) >= 2
    # An offset tells them apart.
    model.set_offsets(1.5)
    lifted = model.full_sort_predict(histories(model))
    torch.testing.assert_close(lifted[:, cold] - lifted[:, warm], torch.full((4,), 1.5))


def test_cold_content_changes_neither_codebooks_nor_training(tiny, train):
    is_cold = tiny.items.set_index("item_id")["is_cold"] == "1"
    moved = {token: v + 3 if is_cold[token] else v for token, v in tiny.vectors.items()}
    settings = {**SMALL_CODES, "eval_step": 0}
    _, (_, model, *_) = train(tiny, "RPG", **settings)
    _, (_, other, *_) = train(tiny.replace(vectors=moved), "RPG", **settings)
    known = model.n_warm + 1
    state = other.state_dict()
    for name, value in model.state_dict().items():
        if name == "item_embedding.content":
            assert not torch.equal(value[known:], state[name][known:])
            value, state[name] = value[:known], state[name][:known]
        assert torch.equal(value, state[name]), name


def walks(n_users=120, length=9, seed=0) -> Prepared:
    """Items of 4 colours and 4 shapes; the next one has the next colour and the same shape."""
    rng = np.random.default_rng(seed)
    colour, shape = np.arange(64) % 4, np.arange(64) // 4 % 4
    user, item = [], []
    for u in range(n_users):
        now = int(rng.integers(64))
        for _ in range(length):
            user.append(f"u{u}")
            item.append(f"i{now}")
            following = (colour == (colour[now] + 1) % 4) & (shape == shape[now])
            now = int(rng.choice(np.flatnonzero(following)))
    rows = pd.DataFrame({"user_id": user, "item_id": item})
    rows["timestamp"] = np.arange(len(rows)) * 60 + 1_700_000_000
    rows = as_pandas(*item_holdout(as_log(rows), cold="random", fraction=0.2, seed=seed))
    trained = rows.loc[rows["split"] == "train", "item_id"].value_counts()
    items = pd.DataFrame({"item_id": sorted(rows["item_id"].unique())})
    items["train_count"] = items["item_id"].map(trained).fillna(0).astype(int)
    items["is_cold"] = np.where(items["train_count"] > 0, "0", "1")
    of_colour, of_shape = rng.normal(size=(2, 4, 12))
    vectors = {
        f"i{i}": (of_colour[colour[i]] + of_shape[shape[i]] + 0.1 * rng.normal(size=12)).astype(
            "f4"
        )
        for i in range(64)
    }
    return Prepared(rows, items, vectors)


def test_it_learns_what_digits_follow_from_digits_for_cold_items_too(train):
    data = walks()
    settings = {"epochs": 25, "n_codebook": 4, "codebook_size": 4, "mask_history": False}
    settings |= {"hidden_dropout_prob": 0.1, "attn_dropout_prob": 0.1, "temperature": 0.1}
    settings["learning_rate"] = 0.01
    found = train(data, "RPG", **settings)[0].test_result
    popular = train(data, "Pop", mask_history=False)[0].test_result
    # By chance 64 items give .07; who knows colour and shape chooses among 4, which gives .64.
    assert found["ndcg_warm@10"] > max(0.4, 2 * popular["ndcg_warm@10"])
    assert found["ndcg_cold@10"] > max(0.3, 2 * popular["ndcg_cold@10"])


def test_new_items_are_coded_by_the_fitted_quantiser_and_recommended(tiny, train, tmp_path):
    result, (_, _, dataset, *_) = train(tiny, "RPG", **SMALL_CODES)
    recommender = recbole_delta.Recommender(result.checkpoint)
    known = dataset.item_tokens[1]
    history, everything = [[known]], len(dataset.item_tokens)
    before = {each.item: each.score for each in recommender.recommend(history, everything)[0]}
    other = dataset.item_tokens[5]
    vectors = np.stack([tiny.vectors[other], -tiny.vectors[known]])
    recommender.add_items(["same", "new"], vectors)
    after = {each.item: each.score for each in recommender.recommend(history, everything + 2)[0]}
    assert after.keys() - before.keys() == {"same", "new"}
    assert after["same"] == before[other]
    recommender.save(tmp_path / "saved.safetensors")
    reloaded = recbole_delta.Recommender(tmp_path / "saved.safetensors")
    again = reloaded.recommend(history, everything + 2)[0]
    assert {each.item: each.score for each in again} == after
    with pytest.raises(DeltaError, match="without deltas"):
        recommender.warm_up([[known, "new"]])
    with pytest.raises(DeltaError, match="RPG has no encoder over item vectors to export"):
        recommender.export(tmp_path / "exported")


def test_a_resumed_run_goes_on_bit_for_bit(tiny, train):
    whole, _ = train(tiny, "RPG", epochs=4, **SMALL_CODES)
    begun, _ = train(tiny, "RPG", epochs=2, **SMALL_CODES, anew=True)
    done = recbole_delta.resume(begun.checkpoint, {"epochs": 4})
    assert [e["train_loss"] for e in done.curve] == [e["train_loss"] for e in whole.curve]
    assert done.test_result == whole.test_result


def test_the_log_says_how_many_items_a_code_can_tell_apart(tiny, train, caplog):
    with caplog.at_level(logging.INFO):
        _, (_, model, *_) = train(tiny, "RPG", **SMALL_CODES, state="INFO", anew=True)
    codes = [tuple(code) for code in model.item_embedding.content[1:].tolist()]
    shared = sum(codes.count(code) > 1 for code in codes)
    assert f"{shared} of {len(codes)} items share theirs with another" in caplog.text


def test_what_it_cannot_use_is_refused_in_a_sentence(attempt):
    said = {
        "item_embedding is a setting of our models": {"item_embedding": "delta"},
        "RPG has a loss of its own; leave out loss: chunked": {"loss": "chunked"},
        "temperature must be a number > 0, but is 0": {"temperature": 0},
        "n_codebook must be at least 1": {"n_codebook": 0},
        "codebook_size must be a whole number >= 2": {"codebook_size": 1},
        "cannot make 500 codewords": {"codebook_size": 500, "n_codebook": 4},
        "cannot fill 32 digits; choose at most 24": {"n_codebook": 32},
    }
    for sentence, settings in said.items():
        assert sentence in attempt(model="RPG", **settings)
