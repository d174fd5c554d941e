"""An embedding of ids alone."""

import torch

from recbole_delta.embedding.id import IdEmbedding


def test_an_id_embedding_has_rows_for_padding_and_warm_items_only():
    embedding = IdEmbedding(torch.ones(7, 4))
    assert embedding.weight.shape == (7, 4)
    assert embedding(torch.tensor([0])).eq(0).all()
    assert embedding.trained_rows()[1:].shape == (6, 4)
