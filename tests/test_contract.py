"""What every backbone with every item embedding must hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recbole_delta.model import BACKBONES
from recbole_delta.seam.evaluation import MODES as EVALUATION_MODES
from recbole_delta.seam.evaluation import evaluate_modes
from recbole_delta.seam.settings import ITEM_EMBEDDINGS

pytestmark = [
    pytest.mark.parametrize("backbone", BACKBONES),
    pytest.mark.parametrize("mode", ITEM_EMBEDDINGS),
]


def histories(model, n=6, length=7, seed=0):
    """Random warm histories [n, length] of full length."""
    generator = torch.Generator().manual_seed(seed)
    n_warm = model.item_embedding.n_warm
    return torch.randint(1, n_warm + 1, (n, length), generator=generator)


def scores(model, item_seq, lengths):
    interaction = {model.ITEM_SEQ: item_seq, model.ITEM_SEQ_LEN: lengths}
    with torch.no_grad():
        return model.full_sort_predict(interaction)


def test_content_and_cold_items_do_not_move_and_deltas_stay_bounded(tiny, train, backbone, mode):
    _, (_, model, dataset, *_) = train(tiny, backbone, item_embedding=mode, epochs=5)
    _, (_, fresh, *_) = train(tiny, backbone, item_embedding=mode, epochs=1, learning_rate=0)
    embedding, n_warm = model.item_embedding, dataset.n_warm
    if mode == "id":
        assert embedding.weight.shape[0] == n_warm + 1
        assert embedding.weight[0].eq(0).all()
        return
    assert torch.equal(embedding.content, fresh.item_embedding.content)
    assert torch.equal(embedding.weight[n_warm + 1 :], embedding.content[n_warm + 1 :])
    assert embedding.weight[0].eq(0).all()
    radius = {"frozen": 0.0, "delta": 0.5, "init": np.inf}[mode]
    assert (embedding.delta.norm(dim=1) <= radius * (1 + 1e-6)).all()
    if mode != "frozen":
        assert not torch.equal(embedding.delta, fresh.item_embedding.delta)


def test_test_rows_and_cold_items_leave_no_trace_in_the_parameters(tiny, train, backbone, mode):
    """Deleting all but the training rows, and nearly all cold items, changes no bit."""
    settings = {"item_embedding": mode, "eval_step": 0}
    _, (_, whole, *_) = train(tiny, backbone, **settings)
    # The smallest test split that there may be, of a user and a cold item of its own.
    rows = tiny.rows[tiny.rows["split"] == "train"]
    warm = rows["item_id"].iloc[-1]
    extra = [("v", warm, "history"), ("v", warm, "test"), ("v", "brand-new", "test")]
    last = rows["timestamp"].max()
    extra = [(u, i, last + n, split) for n, (u, i, split) in enumerate(extra)]
    columns = ["user_id", "item_id", "timestamp", "split"]
    rows = rows._append([dict(zip(columns, row)) for row in extra], ignore_index=True)
    items = tiny.items[tiny.items["is_cold"] == "0"]
    new = {"item_id": "brand-new", "is_cold": "1", "train_count": 0}
    items = items._append(new, ignore_index=True)
    vectors = {**tiny.vectors, "brand-new": np.ones(24, dtype=np.float32)}
    reduced = tiny.replace(rows=rows, items=items, vectors=vectors)
    _, (_, alone, *_) = train(reduced, backbone, **settings)
    for (name, a), (_, b) in zip(whole.named_parameters(), alone.named_parameters()):
        assert torch.equal(a, b), name


def test_permuting_ids_and_rows_leaves_the_metrics_unchanged(tiny, train, backbone, mode):
    result, (_, model, dataset, _, _, test) = train(tiny, backbone, item_embedding=mode)
    before = evaluate_modes(model, test.dataset, EVALUATION_MODES, batch_size=64)
    # Whole users in another order: each keeps the order of its rows, ids are dealt anew.
    users = np.random.default_rng(1).permutation(tiny.rows["user_id"].unique())
    shuffled = tiny.rows.sort_values(
        "user_id", key=lambda column: column.map({u: n for n, u in enumerate(users)}), kind="stable"
    )
    permuted = tiny.replace(rows=shuffled, items=tiny.items.iloc[::-1])
    settings = {"item_embedding": mode, "epochs": 1, "learning_rate": 0}
    _, (_, other, theirs, _, _, other_test) = train(permuted, backbone, name="permuted", **settings)
    tokens = theirs.field2id_token["item_id"][: dataset.n_warm + 1]
    ours = [dataset.field2token_id["item_id"][token] for token in tokens]
    assert ours != sorted(ours)
    state = model.state_dict()
    for name in ("item_embedding.delta", "item_embedding.weight"):
        if name in state:
            state[name] = state[name][ours]
    state.pop("item_embedding.content", None)
    other.load_state_dict(state, strict=False)
    after = evaluate_modes(other, other_test.dataset, EVALUATION_MODES, batch_size=64)
    for a, b in zip(before, after):
        metrics = a.metrics(["ndcg", "mrr"], [5, 10])
        assert b.metrics(["ndcg", "mrr"], [5, 10]) == pytest.approx(metrics, abs=1e-6)
    assert result.test_result["ndcg@10"] > 0


def test_neither_padding_nor_the_batch_changes_a_score(tiny, train, backbone, mode):
    _, (_, model, *_) = train(tiny, backbone, item_embedding=mode)
    model.eval()
    item_seq, lengths = histories(model), torch.tensor([7, 5, 3, 1, 6, 2])
    item_seq = torch.where(torch.arange(7) < lengths[:, None], item_seq, 0)
    together = scores(model, item_seq, lengths)
    padded = scores(model, torch.nn.functional.pad(item_seq, (0, 1)), lengths)
    torch.testing.assert_close(padded, together, rtol=1e-5, atol=1e-5)
    for row, length in enumerate(lengths):
        alone = scores(model, item_seq[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(alone[0], together[row], rtol=1e-5, atol=1e-5)


def test_an_output_does_not_see_later_items(tiny, train, backbone, mode):
    _, (_, model, *_) = train(tiny, backbone, item_embedding=mode)
    model.eval()
    before, after = histories(model), histories(model, seed=1)
    for t in (1, 4):
        changed = torch.cat([before[:, :t], after[:, t:]], dim=1)
        with torch.no_grad():
            outputs = [model.every_position(seq).view(6, 7, -1) for seq in (before, changed)]
        torch.testing.assert_close(*(o[:, :t] for o in outputs), rtol=1e-6, atol=1e-6)


def test_every_position_at_once_equals_each_prefix_alone(tiny, train, backbone, mode):
    _, (_, model, *_) = train(tiny, backbone, item_embedding=mode)
    model.eval()
    item_seq = histories(model)
    with torch.no_grad():
        at_once = model.every_position(item_seq).view(6, 7, -1)
        for t in range(1, 8):
            alone = model.forward(item_seq[:, :t], torch.full((6,), t))
            torch.testing.assert_close(at_once[:, t - 1], alone, rtol=1e-5, atol=1e-5)


def test_training_repeats_bit_for_bit_and_reloads_identically(tiny, train, backbone, mode):
    first, (_, a, _, _, _, test) = train(tiny, backbone, item_embedding=mode)
    second, (_, b, *_) = train(tiny, backbone, item_embedding=mode)
    assert first.test_result == second.test_result
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))
    reloaded = evaluate_modes(a, test.dataset, EVALUATION_MODES, batch_size=4096)
    metrics = [each.metrics(["ndcg", "hit", "mrr"], [10]) for each in reloaded]
    assert metrics == [record["metrics"] for record in first.test_modes]
