"""Causal self-attention over padded sequences, in shapes that depend on no data."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recbole_delta.model.packed import attention, causal


class PaddedBatch:
    """Right-padded sequences as they stand; :class:`PackedBatch` for what is traced.

    Padding stands after every item, where none attends to it.

    Attributes:
        items: ``[B L]`` int64, the sequences row by row, padding included.
        position: ``[B L]`` the position of each in its sequence, from 0.
    """

    def __init__(self, item_seq: Tensor) -> None:
        width = item_seq.size(1)
        self.items = item_seq.flatten()
        step = torch.arange(width, device=item_seq.device)
        self.position = step.expand_as(item_seq).flatten()
        self._mask = causal(step[:, None] >= step)[None]

    def attend(self, query: Tensor, key: Tensor, value: Tensor, heads: int, drop: Any) -> Tensor:
        """See :meth:`PackedBatch.attend`, ``[B L, d]`` each."""
        return attention(query, key, value, self._mask, heads, drop)
