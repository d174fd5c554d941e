"""Self-attention over padded sequences, in shapes that depend on no data."""

from __future__ import annotations

import torch
from torch import Tensor

from recbole_delta.model.transformer.packed import added_mask


class PaddedBatch:
    """Right-padded sequences as they stand, in place of a ``PackedBatch`` where torch traces.

    Args:
        item_seq: ``[B, L]`` item ids, padded with 0 on the right.
        causal: an item attends to itself and to earlier ones, so that no item attends to padding;
            else to its whole sequence.

    Attributes:
        items: ``[B L]`` int64, the sequences row by row, padding included.
        position: ``[B L]`` the position of each in its sequence, from 0.
        mask: ``[1, L, L]``, or ``[B, L, L]`` if not causal, float, 0 where a query may attend to a
            key, −inf elsewhere.
    """

    def __init__(self, item_seq: Tensor, causal: bool = True) -> None:
        width = item_seq.size(1)
        self.items = self.spread(item_seq)
        step = torch.arange(width, device=item_seq.device)
        self.position = step.expand_as(item_seq).flatten()
        if causal:
            barred = (step[:, None] < step)[None]
        else:
            barred = (item_seq == 0)[:, None].expand(-1, width, -1)
        self.mask = added_mask(barred)

    def spread(self, values: Tensor) -> Tensor:
        """What belongs to the items, ``[B, L]``, where they stand, ``[B L]``."""
        return values.flatten()
