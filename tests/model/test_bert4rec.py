"""BERT4Rec over our embedding."""

from __future__ import annotations

import torch
from recbole.utils import get_model
from torch.nn import functional as F


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
