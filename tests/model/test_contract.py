"""What every backbone with every item embedding must hold."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from recbole_delta.config.run_config import RunConfig
from recbole_delta.embedding import EMBEDDINGS
from recbole_delta.evaluator.evaluate import MODES as EVALUATION_MODES
from recbole_delta.evaluator.evaluate import evaluate_modes
from recbole_delta.model import BACKBONES, MODELS
from recbole_delta.quick_start.build import make_parts

CAUSAL = [m.__name__ for m in MODELS if m.__name__ in BACKBONES and m.causal]

# A backbone with a mode of item embedding; RPG has one of its own.
DIGITS = ("RPG", "digits")
each_model = pytest.mark.parametrize(
    ("backbone", "mode"), [*product(BACKBONES, EMBEDDINGS), DIGITS]
)
each_causal_model = pytest.mark.parametrize(
    ("backbone", "mode"), [*product(CAUSAL, EMBEDDINGS), DIGITS]
)


def of(mode) -> dict:
    """Settings for a mode of item embedding."""
    return {"n_codebook": 8, "codebook_size": 4} if mode == "digits" else {"item_embedding": mode}


# What a mode of item embedding promises.


def knows_content(mode) -> bool:
    """Whether items have content, and cold ones a vector therefore."""
    return mode == "digits" or EMBEDDINGS[mode].embeds_cold_items


def learns_rows(mode) -> bool:
    """Whether anything at all of a warm item's vector is learnt."""
    return mode == "digits" or EMBEDDINGS[mode].learns_warm


def bound_on_delta(mode) -> float | None:
    """The norm that no warm item's delta exceeds by default; None where there is no bound."""
    return 0.5 if mode == "delta" else None


def moves_cold_items(mode) -> bool:
    """Whether something that cold items share is learnt, so that they move with it."""
    return mode == "digits" or EMBEDDINGS[mode].learns_cold


def draws_noise(mode) -> bool:
    """Whether training draws random numbers of the embedding's own, and in which order matters."""
    return mode in ("moe", "liger", "denserec", "id_dropout")


def histories(model, n=6, length=7, seed=0):
    """Random warm histories [n, length] of full length."""
    generator = torch.Generator().manual_seed(seed)
    n_warm = model.item_embedding.n_warm
    return torch.randint(1, n_warm + 1, (n, length), generator=generator)


def scores(model, item_seq, lengths):
    interaction = {model.ITEM_SEQ: item_seq, model.ITEM_SEQ_LEN: lengths}
    with torch.no_grad():
        return model.full_sort_predict(interaction)


def table_rows(model, n_warm):
    """Names of parameters with a row for padding and each warm item."""
    return {name for name, p in model.named_parameters() if len(p) == n_warm + 1}


@each_model
def test_content_does_not_move_and_a_cold_item_is_its_content_alone(tiny, train, backbone, mode):
    _, (_, model, dataset, *_) = train(tiny, backbone, **of(mode))
    _, (_, fresh, *_) = train(tiny, backbone, **of(mode), epochs=1, learning_rate=0)
    model.eval(), fresh.eval()
    embedding, n_warm = model.item_embedding, dataset.n_warm
    own, before = embedding.trained_rows(), fresh.item_embedding.trained_rows()
    assert own.shape == (n_warm + 1, 16)
    assert own[0].eq(0).all()
    assert torch.equal(own[1:], before[1:]) == (not learns_rows(mode))
    for (name, now), (_, then) in zip(
        embedding.named_buffers(), fresh.item_embedding.named_buffers()
    ):
        assert torch.equal(now, then), name
    if not knows_content(mode):
        assert len(embedding.weight) == n_warm + 1
        return
    bound = bound_on_delta(mode)
    if bound is not None:
        assert (embedding.delta.norm(dim=1) <= bound * (1 + 1e-6)).all()
    # Whatever is learnt for an item is learnt for a warm one: no table knows a cold item.
    n_items = len(dataset.item_tokens)
    assert len(embedding.weight) == n_items
    assert all(len(parameter) != n_items for parameter in model.parameters())
    cold = torch.arange(n_warm + 1, n_items)
    torch.testing.assert_close(embedding(cold), embedding.weight[n_warm + 1 :])
    without = fresh.item_embedding.weight[n_warm + 1 :]
    assert torch.equal(embedding.weight[n_warm + 1 :], without) == (not moves_cold_items(mode))


@pytest.mark.parametrize("mode", EMBEDDINGS)
def test_a_cold_item_that_borrows_has_one_vector_wherever_it_is_looked_up(tiny, train, mode):
    _, (_, model, *_) = train(tiny, **of(mode), cold_delta="neighbours", epochs=1)
    embedding = model.eval().item_embedding
    ids = torch.arange(len(embedding.weight))
    torch.testing.assert_close(embedding(ids), embedding.weight)


@each_model
def test_test_rows_and_cold_items_leave_no_trace_in_the_parameters(tiny, train, backbone, mode):
    """Deleting all but the training rows, and nearly all cold items, changes no bit."""
    settings = {**of(mode), "eval_step": 0}
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


@each_model
def test_permuting_ids_and_rows_leaves_the_metrics_unchanged(tiny, train, backbone, mode):
    result, (_, model, dataset, _, _, test) = train(tiny, backbone, **of(mode))
    before = evaluate_modes(model, test.dataset, EVALUATION_MODES, batch_size=64)
    # Whole users in another order: each keeps the order of its rows, ids are dealt anew.
    users = np.random.default_rng(1).permutation(tiny.rows["user_id"].unique())
    shuffled = tiny.rows.sort_values(
        "user_id", key=lambda column: column.map({u: n for n, u in enumerate(users)}), kind="stable"
    )
    permuted = tiny.replace(rows=shuffled, items=tiny.items.iloc[::-1])
    settings = {**of(mode), "epochs": 1, "learning_rate": 0}
    _, (_, other, theirs, _, _, other_test) = train(permuted, backbone, name="permuted", **settings)
    tokens = theirs.field2id_token["item_id"][: dataset.n_warm + 1]
    ours = [dataset.field2token_id["item_id"][token] for token in tokens]
    assert ours != sorted(ours)
    state = dict(model.named_parameters())
    for name in table_rows(model, dataset.n_warm):
        state[name] = state[name][ours]
    other.load_state_dict(state, strict=False)
    if mode == "digits":  # k-means starts from some items, by their numbers
        tokens = theirs.field2id_token["item_id"]
        ours = [dataset.field2token_id["item_id"][token] for token in tokens]
        other.item_embedding.content = model.item_embedding.content[ours]
    after = evaluate_modes(other, other_test.dataset, EVALUATION_MODES, batch_size=64)
    for a, b in zip(before, after):
        metrics = a.metrics(["ndcg", "mrr"], [5, 10])
        assert b.metrics(["ndcg", "mrr"], [5, 10]) == pytest.approx(metrics, abs=1e-6)
    assert result.test_result["ndcg@10"] > 0


@each_model
def test_neither_padding_nor_the_batch_changes_a_score(tiny, train, backbone, mode):
    _, (_, model, *_) = train(tiny, backbone, **of(mode))
    model.eval()
    item_seq, lengths = histories(model), torch.tensor([7, 5, 3, 1, 6, 2])
    item_seq = torch.where(torch.arange(7) < lengths[:, None], item_seq, 0)
    padded = torch.nn.functional.pad(item_seq, (0, 1))
    together = scores(model, padded, lengths)
    if not model.fixed_length:
        shorter = scores(model, item_seq, lengths)
        torch.testing.assert_close(shorter, together, rtol=1e-5, atol=1e-5)
    for row, length in enumerate(lengths):
        width = 8 if model.fixed_length else length
        alone = scores(model, padded[row : row + 1, :width], lengths[row : row + 1])
        torch.testing.assert_close(alone[0], together[row], rtol=1e-5, atol=1e-5)


@each_causal_model
def test_an_output_does_not_see_later_items(tiny, train, backbone, mode):
    _, (_, model, *_) = train(tiny, backbone, **of(mode))
    model.eval()
    before, after = histories(model), histories(model, seed=1)
    for t in (1, 4):
        changed = torch.cat([before[:, :t], after[:, t:]], dim=1)
        with torch.no_grad():
            outputs = [model.every_position(seq).view(6, 7, -1) for seq in (before, changed)]
        torch.testing.assert_close(*(o[:, :t] for o in outputs), rtol=1e-6, atol=1e-6)


@each_causal_model
def test_every_position_at_once_equals_each_prefix_alone(tiny, train, backbone, mode):
    _, (_, model, *_) = train(tiny, backbone, **of(mode))
    model.eval()
    item_seq = histories(model)
    with torch.no_grad():
        at_once = model.every_position(item_seq).view(6, 7, -1)
        for t in range(1, 8):
            alone = model.padded_last_position(item_seq[:, :t], torch.full((6,), t))
            torch.testing.assert_close(at_once[:, t - 1], alone, rtol=1e-5, atol=1e-5)


@each_model
def test_training_repeats_bit_for_bit_and_reloads_identically(tiny, train, backbone, mode):
    first, (_, a, _, _, _, test) = train(tiny, backbone, **of(mode))
    second, (_, b, *_) = train(tiny, backbone, **of(mode), anew=True)
    assert first.test_result == second.test_result
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))
    reloaded = evaluate_modes(a, test.dataset, EVALUATION_MODES, batch_size=4096)
    metrics = [each.metrics(["ndcg", "hit", "mrr"], [10]) for each in reloaded]
    assert metrics == [record["metrics"] for record in first.test_modes]


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_backbone_starts_from_the_same_numbers_beside_every_embedding(tiny, train, backbone):
    def start(mode):
        result, _ = train(tiny, backbone, **of(mode))
        model = make_parts(RunConfig(config_dict=result.settings)).model
        return {n: p for n, p in model.named_parameters() if not n.startswith("item_embedding.")}

    frozen = start("frozen")
    for mode in EMBEDDINGS:
        for name, parameter in start(mode).items():
            assert torch.equal(parameter, frozen[name]), f"{mode}: {name}"


@pytest.mark.parametrize("mode", EMBEDDINGS)
@pytest.mark.parametrize("loss", ["chunked", "sampled"])
def test_every_embedding_learns_from_every_loss(tiny, train, mode, loss, no_noise):
    """From one seed, the exact losses agree; the sampled one comes near with many draws."""
    settings = {"item_embedding": mode, "epochs": 3, "hidden_dropout_prob": 0.0}
    settings |= {"attn_dropout_prob": 0.0, "sampled_items": 400, "eval_step": 0}
    curves = [train(tiny, loss=each, **settings)[0].curve for each in ("ce", loss)]
    exact, other = ([epoch["train_loss"] for epoch in curve] for curve in curves)
    # Noise is drawn in another order.
    tolerance = 0.15 if loss == "sampled" or draws_noise(mode) else 1e-4
    assert other == pytest.approx(exact, abs=tolerance)
