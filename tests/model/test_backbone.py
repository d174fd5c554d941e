"""What a backbone owes to its item embedding and its settings."""

from __future__ import annotations

import pytest
import torch

from dataset_prep.errors import DeltaError
from recbole_delta.model import BACKBONES


@pytest.mark.parametrize("backbone", BACKBONES)
def test_delta_max_0_is_frozen_bit_for_bit(tiny, train, backbone):
    frozen, (_, a, *_) = train(tiny, backbone, item_embedding="frozen")
    zero, (_, b, *_) = train(tiny, backbone, item_embedding="delta", delta_max=0)
    assert frozen.test_modes == zero.test_modes
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))


def test_only_a_causal_backbone_trains_at_every_position(tiny, train):
    with pytest.raises(DeltaError, match="causal"):
        train(tiny, "NARM", train_positions="all")


@pytest.mark.parametrize("mode", ["id", "delta"])
def test_item_rows_do_not_repeat_the_backbones_random_numbers(tiny, train, mode):
    _, (_, model, *_) = train(tiny, item_embedding=mode, epochs=1, learning_rate=0.0)
    embedding = model.item_embedding
    rows = set((embedding.weight if mode == "id" else embedding.delta).flatten().tolist())
    backbone = model.position_embedding.weight.flatten().tolist()
    assert not rows & set(backbone) - {0.0}
