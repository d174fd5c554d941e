"""Causal self-attention over padded sequences, in shapes that depend on no data."""

from __future__ import annotations

import torch
from torch import Tensor

from recbole_delta.model.transformer.packed import causal


class PaddedBatch:
    """Right-padded sequences as they stand, in place of a ``PackedBatch`` where torch traces.

    Padding stands after every item, where none attends to it.

    Args:
        item_seq: ``[B, L]`` item ids, padded with 0 on the right.

    Attributes:
        items: ``[B L]`` int64, the sequences row by row, padding included.
        position: ``[B L]`` the position of each in its sequence, from 0.
        mask: ``[1, L, L]`` float, 0 where a query may attend to a key, −inf elsewhere.
    """

    def __init__(self, item_seq: Tensor) -> None:
        width = item_seq.size(1)
        self.items = item_seq.flatten()
        step = torch.arange(width, device=item_seq.device)
        self.position = step.expand_as(item_seq).flatten()
        self.mask = causal(step[:, None] < step)[None]
