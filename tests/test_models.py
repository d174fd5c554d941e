"""Models against RecBole's own, against oracles, and under planted changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import planted
from recbole.data import data_preparation
from recbole.data.interaction import Interaction
from recbole.utils import get_model
from torch.nn import functional as F

from dataset_prep.errors import DeltaError
from recbole_delta.config.run_config import RunConfig
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.evaluate import MODES, Mode, evaluate_modes
from recbole_delta.evaluator.metrics import expected_gain
from recbole_delta.model import BACKBONES


@pytest.mark.parametrize("backbone", BACKBONES)
def test_delta_max_0_is_frozen_bit_for_bit(tiny, train, backbone):
    frozen, (_, a, *_) = train(tiny, backbone, item_embedding="frozen")
    zero, (_, b, *_) = train(tiny, backbone, item_embedding="delta", delta_max=0)
    assert frozen.test_modes == zero.test_modes
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))


@pytest.mark.parametrize("backbone", [name for name in BACKBONES if name != "BERT4RecDelta"])
def test_recbole_weights_give_recboles_logits_loss_and_gradients(tiny, train, backbone):
    """`id` with `last` is RecBole's model; only RecBole's softmax has a padding column too."""
    names = ("hidden_dropout_prob", "attn_dropout_prob", "dropout_prob")
    no_dropout = dict.fromkeys((*names, "sess_dropout", "item_dropout"), 0.0)
    no_dropout["dropout_probs"] = [0.0, 0.0]
    _, (config, ours, dataset, train_data, *_) = train(
        tiny, backbone, item_embedding="id", train_positions="last", epochs=1, **no_dropout
    )
    stock_class = get_model(backbone.removesuffix("Delta"))
    stock = stock_class(config, dataset.with_items(dataset.n_warm + 1))
    with torch.no_grad():
        stock.item_embedding.weight[0] = 0
    ours.load_state_dict(stock.state_dict())
    batch = next(iter(train_data))
    ours.train(), stock.train()
    n_warm = dataset.n_warm
    logits = stock.full_sort_predict(batch)
    ours_scores = ours.full_sort_predict(batch)
    torch.testing.assert_close(ours_scores[:, : n_warm + 1], logits, rtol=1e-5, atol=1e-5)
    assert ours_scores[:, n_warm + 1 :].eq(-torch.inf).all()
    target = batch["item_id"]
    # The padding row is zero, and so is its logit.
    with_padding = F.cross_entropy(F.pad(ours_scores[:, 1 : n_warm + 1], (1, 0)), target)
    for a, b in (
        (ours.calculate_loss(batch), F.cross_entropy(logits[:, 1:], target - 1)),
        (with_padding, stock.calculate_loss(batch)),
    ):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
        ours.zero_grad(), stock.zero_grad()
        a.backward(retain_graph=True), b.backward(retain_graph=True)
        # Our padding row is no parameter: stock's moves by its column of the softmax.
        stock.item_embedding.weight.grad[0] = 0
        for (name, x), (_, y) in zip(ours.named_parameters(), stock.named_parameters()):
            torch.testing.assert_close(x.grad, y.grad, rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize("backbone", ["SASRecDelta", "GRU4RecDelta"])
def test_the_loss_at_every_position_is_the_mean_over_all_prefixes(tiny, train, backbone):
    _, (_, model, _, train_data, *_) = train(tiny, backbone, epochs=1)
    model.eval()
    batch = next(iter(train_data))
    losses = []
    for seq, n, target in zip(batch["item_id_list"], batch["item_length"], batch["item_id"]):
        whole = [*seq[:n].tolist(), int(target)]
        for t in range(1, n + 1):
            prefix = {
                "item_id_list": torch.tensor([whole[:t]]),
                "item_length": torch.tensor([t]),
                "item_id": torch.tensor([whole[t]]),
            }
            logits = model.full_sort_predict(Interaction(prefix))[
                :, 1 : model.item_embedding.n_warm + 1
            ]
            losses.append(F.cross_entropy(logits, prefix["item_id"] - 1))
    torch.testing.assert_close(model.calculate_loss(batch), torch.stack(losses).mean())


@pytest.mark.parametrize("length", [50, 3])
@pytest.mark.parametrize("mask_history", [True, False])
def test_content_mean_equals_an_oracle_per_user_in_all_modes(tiny, train, mask_history, length):
    """With 3 the model sees the end of the history; all of it is masked all the same."""
    settings = {"MAX_ITEM_LIST_LENGTH": length, "mask_history": mask_history}
    _, (_, model, dataset, _, _, test) = train(tiny, "ContentMean", **settings)
    users = dataset.field2id_token["user_id"][test.dataset.instances.user]
    items = dataset.field2id_token["item_id"][test.dataset.instances.target]
    for evaluation in evaluate_modes(model, test.dataset, MODES, batch_size=7):
        expected = content_mean_oracle(tiny, evaluation.mode, mask_history, length)
        gain = expected_gain("ndcg", evaluation.ranks, 10)
        assert len(gain) == len(expected)
        for user, item, value in zip(users, items, gain):
            assert value == pytest.approx(expected[user, item], abs=1e-6), (user, item)


def content_mean_oracle(prepared, mode, mask_history, length) -> dict[tuple[str, str], float]:
    """NDCG@10 of each (user, target) by plain numpy on the prepared frames."""
    items = prepared.items["item_id"].tolist()
    cold = np.array(prepared.items["is_cold"] == "1")
    raw = np.stack([prepared.vectors[i] for i in items]).astype(np.float64)
    raw = (raw - raw[~cold].mean(0)) / raw[~cold].std(0)
    centred = raw - raw[~cold].mean(0)
    _, _, axes = np.linalg.svd(centred[~cold], full_matrices=False)
    vectors = centred @ axes[:16].T
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    gains = {}
    for user, rows in prepared.rows.groupby("user_id"):
        seen = [items.index(i) for i in rows["item_id"]]
        for position, split in enumerate(rows["split"]):
            if split != "test":
                continue
            target, history = seen[position], seen[:position]
            shown = [i for i in history if mode.cold_history == "keep" or not cold[i]][-length:]
            candidate = np.ones(len(items), bool) if mode.candidates == "all" else ~cold
            if mask_history:
                candidate[history] = False
            gains[user, items[target]] = 0.0
            if shown and candidate[target]:
                scores = vectors @ vectors[shown].mean(0)
                rank = 1 + (scores[candidate] > scores[target]).sum()
                gains[user, items[target]] = 1 / np.log2(rank + 1) if rank <= 10 else 0.0
    return gains


def test_cold_ranking_comes_from_the_cold_items_content(train):
    """Content shuffled among cold items after training: cold NDCG falls to chance."""
    prepared = planted(n_users=200, n_items=160, length=30)
    _, (_, model, dataset, _, _, test) = train(prepared, item_embedding="frozen", epochs=15)
    cases, first = test.dataset, dataset.n_warm + 1

    def cold_ndcg():
        # Without cold items in the history, only the candidates' content is shuffled.
        [evaluation] = evaluate_modes(model, cases, [Mode("all", "drop")], batch_size=512)
        return evaluation.metrics(["ndcg"], [10])["ndcg_cold@10"]

    # Chance: the target has the content of any cold item.
    chance = []
    for case in torch.nonzero(cases.instances.target >= first).flatten():
        if cases.instances.warm_history.lengths[case] == 0:
            chance.append(torch.tensor(0.0))
            continue
        scores = model.full_sort_predict(cases.batch(case[None], drop_cold=True)).detach()[0]
        scores[0] = -torch.inf
        scores[cases.instances.warm_history.flat(case[None])[1]] = -torch.inf
        ranks = (scores[None] > scores[first:, None]).sum(1) + 1
        chance.append(torch.where(ranks <= 10, 1 / torch.log2(ranks + 1.0), 0).mean())
    chance = float(torch.stack(chance).mean())

    informed = cold_ndcg()
    content = model.item_embedding.content
    original = content[first:].clone()
    shuffled = []
    for seed in range(30):
        order = torch.randperm(len(original), generator=torch.Generator().manual_seed(seed))
        content[first:] = original[order]
        shuffled.append(cold_ndcg())
    assert informed > 2 * chance
    error = np.std(shuffled, ddof=1) / np.sqrt(len(shuffled))
    assert np.mean(shuffled) == pytest.approx(chance, abs=3 * error)


def test_items_with_one_vector_tie_in_blocks_of_any_size(tiny, train):
    """A product of few rows differs in the last bit from column to column."""
    prepared = planted(n_users=80, n_items=150, dim=64)
    cold = prepared.items.loc[prepared.items["is_cold"] == "1", "item_id"]
    same = {token: prepared.vectors[cold.iloc[0]] for token in cold}
    prepared = prepared.replace(vectors={**prepared.vectors, **same})
    _, (_, model, dataset, _, _, test) = train(prepared, hidden_size=43, n_heads=1, epochs=1)
    n_cold = len(dataset.item_tokens) - 1 - dataset.n_warm
    for size in (1, 2, 3, 5, 4096):
        [evaluation] = evaluate_modes(model, test.dataset, [Mode("all", "drop")], batch_size=size)
        ranked = evaluation.is_cold & ~evaluation.empty_history
        seen = [
            (history > dataset.n_warm).sum()
            for history in (
                test.dataset.instances.history.flat(torch.tensor([case]))[1]
                for case in np.flatnonzero(ranked)
            )
        ]
        assert (evaluation.ranks.tied[ranked] == n_cold - 1 - np.array(seen)).all(), size


def test_only_a_causal_backbone_trains_at_every_position(tiny, train):
    with pytest.raises(DeltaError, match="causal"):
        train(tiny, "NARM", train_positions="all")


def test_what_tells_cold_from_warm_is_no_input(tiny, tmp_path):
    tiny.write(tmp_path)
    config = RunConfig(
        "SASRecDelta", "tiny", config_dict={"data_path": str(tmp_path), "load_col": None}
    )
    dataset = ColdWarmDataset(config)
    train_data, _, test_data = data_preparation(config, dataset)
    for batch in (next(iter(train_data)), next(iter(test_data))[0]):
        assert not {"split", "is_cold", "train_count"} & set(batch.columns)
    assert not {"split", "is_cold", "train_count"} & set(dataset.field2type)


@pytest.mark.parametrize("mode", ["id", "delta"])
def test_item_rows_do_not_repeat_the_backbones_random_numbers(tiny, train, mode):
    _, (_, model, *_) = train(tiny, item_embedding=mode, epochs=1, learning_rate=0.0)
    embedding = model.item_embedding
    rows = set((embedding.weight if mode == "id" else embedding.delta).flatten().tolist())
    backbone = model.position_embedding.weight.flatten().tolist()
    assert not rows & set(backbone) - {0.0}


def test_bert4rec_gives_recboles_outputs_where_its_mask_leaves_room(tiny, train):
    """RecBole's drops the oldest item to make room for the mask: it gets one that it may drop."""
    _, (config, ours, dataset, *_) = train(tiny, "BERT4RecDelta", item_embedding="id")
    ours.eval()
    stock = get_model("BERT4Rec")(config, dataset.with_items(dataset.n_warm + 1)).eval()
    state = {n: v for n, v in ours.state_dict().items() if n in stock.state_dict()}
    stock.load_state_dict(
        {**state, "item_embedding.weight": stock.item_embedding.weight}, strict=False
    )
    with torch.no_grad():
        stock.item_embedding.weight[:-1] = ours.item_embedding.weight
        stock.item_embedding.weight[-1] = ours.mask_embedding
    item_seq, lengths = torch.tensor([[1, 2, 3, 4, 0, 0], [5, 6, 0, 0, 0, 0]]), torch.tensor([4, 2])
    with torch.no_grad():
        scores = ours.full_sort_predict({"item_id_list": item_seq, "item_length": lengths})
        older = F.pad(item_seq, (1, 0), value=7)
        expected = stock.full_sort_predict({"item_id_list": older, "item_length": lengths + 1})
        # RecBole gathers one position late, for the dropped item has moved the mask.
    assert scores.shape[1] > expected.shape[1]
    torch.testing.assert_close(scores[:, : expected.shape[1]], expected, rtol=1e-5, atol=1e-5)


def test_bert4rec_learns_from_masked_items_only(tiny, train):
    _, (_, model, _, train_data, *_) = train(tiny, "BERT4RecDelta", mask_ratio=0.4)
    batch = next(iter(train_data))
    hidden, target = model.examples(batch)
    whole = batch["item_length"] + 1
    assert len(target) == len(hidden) == model.n_targets(batch)
    kept = whole.clamp(max=8)
    assert len(target) == int((0.4 * kept).long().clamp(min=1).sum())
    assert (target > 0).all()
