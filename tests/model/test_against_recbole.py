"""Backbones against RecBole's own models and against definitions."""

from __future__ import annotations

import pytest
import torch
from recbole.data.interaction import Interaction
from recbole.utils import get_model
from torch.nn import functional as F

from recbole_delta.model import BACKBONES


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
