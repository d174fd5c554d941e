"""Causal self-attention over padded sequences, in shapes that depend on no data."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from recbole_delta.model.packed import attention


class PaddedBatch:
    """Right-padded sequences as they stand; :class:`PackedBatch` for what is traced.

    Padding stands after every item, where none attends to it.

    Attributes:
        items: ``[B L]`` int64, the sequences row by row, padding included.
        position: ``[B L]`` the position of each in its sequence, from 0.
    """

    def __init__(self, item_seq: Tensor) -> None:
        self.shape = item_seq.shape
        self.items = item_seq.flatten()
        step = torch.arange(item_seq.size(1), device=item_seq.device)
        self.position = step.expand_as(item_seq).flatten()

    def attend(self, qkv: Tensor, heads: int, dropout: Any) -> Tensor:
        """Causal self-attention within each sequence.

        Args:
            qkv: ``[B L, 3 d]`` queries, keys and values of :attr:`items`.
            heads: number of heads, a divisor of d.
            dropout: a module for the attention weights.

        Returns:
            ``[B L, d]``.
        """
        query, key, value = qkv.view(*self.shape, 3, heads, -1).permute(2, 0, 3, 1, 4)
        output = attention(query, key, value, dropout)
        return output.transpose(1, 2).flatten(2).flatten(0, 1)
