"""BERT4Rec over our embedding."""

from __future__ import annotations

import pytest
import torch
from recbole.utils import get_model
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence


@pytest.fixture(params=[True, False], ids=["output layers", "none"])
def both(tiny, train, request):
    """Ours with IDs, RecBole's with the same weights, both in evaluation mode, and a loader."""
    settings = {"item_embedding": "id", "output_layers": request.param}
    _, (config, ours, dataset, train_data, *_) = train(tiny, "BERT4RecDelta", **settings)
    ours.eval()
    stock = get_model("BERT4Rec")(config, dataset.with_items(dataset.n_warm + 1)).eval()
    if not request.param:
        stock.output_ffn = stock.output_gelu = stock.output_ln = nn.Identity()
        assert not any(name.startswith("output") for name in ours.state_dict())
    state = {n: v for n, v in ours.state_dict().items() if n in stock.state_dict()}
    stock.load_state_dict(
        {**state, "item_embedding.weight": stock.item_embedding.weight}, strict=False
    )
    with torch.no_grad():
        stock.item_embedding.weight[:-1] = ours.item_embedding.weight
        stock.item_embedding.weight[-1] = ours.mask_embedding
    return ours, stock, train_data


def test_bert4rec_gives_recboles_outputs_where_its_mask_leaves_room(both):
    """RecBole's drops the oldest item to make room for the mask: it gets one that it may drop."""
    ours, stock, _ = both
    item_seq, lengths = torch.tensor([[1, 2, 3, 4, 0, 0], [5, 6, 0, 0, 0, 0]]), torch.tensor([4, 2])
    with torch.no_grad():
        scores = ours.full_sort_predict({"item_id_list": item_seq, "item_length": lengths})
        older = F.pad(item_seq, (1, 0), value=7)
        expected = stock.full_sort_predict({"item_id_list": older, "item_length": lengths + 1})
        # RecBole gathers one position late, for the dropped item has moved the mask.
    assert scores.shape[1] > expected.shape[1]
    torch.testing.assert_close(scores[:, : expected.shape[1]], expected, rtol=1e-5, atol=1e-5)


def test_outputs_at_masks_and_gradients_are_recboles(both):
    """RecBole's encoder over the same windows, padded, with its mask token in the same places."""
    ours, stock, train_data = both
    batch = next(iter(train_data))
    torch.manual_seed(3)
    hidden, target = ours.examples(batch)

    length = batch["item_length"]
    whole = F.pad(batch["item_id_list"], (0, 1))
    whole[torch.arange(len(whole)), length] = batch["item_id"]
    rows = zip(whole.tolist(), (length + 1).tolist())
    whole = pad_sequence(
        [torch.tensor(row[:n][-ours.max_seq_length :]) for row, n in rows], batch_first=True
    )
    torch.manual_seed(3)
    order = torch.rand(whole.shape).masked_fill(whole == 0, 2.0).argsort(1)
    masked = torch.zeros_like(whole, dtype=torch.bool)
    for row, n in enumerate((whole > 0).sum(1).tolist()):
        masked[row, order[row, : max(1, int(ours.mask_ratio * n))]] = True
    expected = stock.forward(whole.masked_fill(masked, stock.mask_token))[masked]

    assert len({*(whole > 0).sum(1).tolist()}) > 3  # windows of many lengths lie in one row
    assert target.tolist() == whole[masked].tolist()
    torch.testing.assert_close(hidden, expected, rtol=1e-5, atol=1e-5)
    weight = torch.randn(hidden.shape)
    for model, outputs in ((ours, hidden), (stock, expected)):
        (outputs * weight).sum().backward()
        assert model.trm_encoder.layer[0].feed_forward.dense_1.weight.grad.abs().sum() > 0
    for (name, mine), other in zip(
        ours.trm_encoder.named_parameters(), stock.trm_encoder.parameters()
    ):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-5, msg=name)
    table = stock.item_embedding.weight.grad
    torch.testing.assert_close(ours.mask_embedding.grad, table[-1], rtol=1e-4, atol=1e-5)
    mine = ours.item_embedding.weight.grad.to_dense()
    torch.testing.assert_close(mine[1:], table[1:-1], rtol=1e-4, atol=1e-5)


def test_bert4rec_learns_from_masked_items_only(tiny, train):
    _, (_, model, _, train_data, *_) = train(tiny, "BERT4RecDelta", mask_ratio=0.4)
    batch = next(iter(train_data))
    hidden, target = model.examples(batch)
    whole = batch["item_length"] + 1
    assert len(target) == len(hidden) == model.n_targets(batch)
    kept = whole.clamp(max=8)
    assert len(target) == int((0.4 * kept).long().clamp(min=1).sum())
    assert (target > 0).all()
