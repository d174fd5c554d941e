"""Causal self-attention over sequences of different lengths, without computing padding."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from recbole_delta.precision import ROWS

SHORT = 8
"""Sequences up to this length are padded together; longer ones up to the next power of two."""

SEQUENCES = 8
"""The sequences of a group are padded to a multiple, as items are to one of ROWS."""


class PackedBatch:
    """The items of right-padded sequences, one after another, and their grouping by length.

    Attributes:
        items: ``[M]`` int64, every item of the batch, longest sequences first, then padding.
        position: ``[M]`` its position in its sequence, from 0.
        back: ``[N]`` where the items of ``item_seq``, row by row, stand in ``items``.
    """

    def __init__(self, item_seq: Tensor) -> None:
        # An empty sequence is one padding item, as for RecBole's models.
        lengths = (item_seq > 0).sum(1).clamp(min=1)
        step = torch.arange(item_seq.size(1), device=item_seq.device)
        given = step < lengths[:, None]
        lengths, order = lengths.sort(descending=True, stable=True)
        inside = given[order]
        self.n_items = int(lengths.sum())
        padding = (0, -self.n_items % ROWS)
        self.items = F.pad(item_seq[order][inside], padding)
        self.position = F.pad(step.expand_as(inside)[inside], padding)
        place = (lengths.cumsum(0) - lengths)[:, None] + step
        self.back = place[order.argsort()][given]
        self._groups = []
        end = 0
        for size, width in _groups(lengths.tolist(), item_seq.size(1)):
            start, end = end, end + size
            # Padding stands after the sequence, where no item of it attends to: any item will do.
            index = place[start:end, :width].clamp(max=self.n_items - 1)
            real = torch.nonzero(inside[start:end, :width].flatten()).flatten()
            self._groups.append((F.pad(index, (0, 0, 0, -size % SEQUENCES)), real))

    def attend(self, qkv: Tensor, heads: int, dropout: Any) -> Tensor:
        """Causal self-attention within each sequence.

        Args:
            qkv: ``[M, 3 d]`` queries, keys and values of :attr:`items`.
            heads: number of heads, a divisor of d.
            dropout: a module for the attention weights.

        Returns:
            ``[M, d]``, zero for padding.
        """
        dim = qkv.size(1) // 3
        outputs = []
        for index, real in self._groups:
            size, width = index.shape
            grouped = F.embedding(index, qkv).view(size, width, 3, heads, dim // heads)
            query, key, value = grouped.permute(2, 0, 3, 1, 4)
            output = attention(query, key, value, dropout)
            outputs.append(F.embedding(real, output.transpose(1, 2).reshape(-1, dim)))
        return F.pad(torch.cat(outputs), (0, 0, 0, len(qkv) - self.n_items))


def attention(query: Tensor, key: Tensor, value: Tensor, dropout: Any) -> Tensor:
    """Causal attention, ``[b, heads, L, d / heads]`` each."""
    heads = query.size(1)
    if query.device.type != "cpu":
        p = dropout.p if dropout.training else 0.0
        return F.scaled_dot_product_attention(query, key, value, dropout_p=p, is_causal=True)
    # On CPUs the fused kernel takes 3 to 10 times as long (benchmarks/attention.py), and with
    # dropout torch falls back to these very products.
    query, key, value = (part.flatten(0, 1) for part in (query, key, value))
    width = query.size(1)
    future = query.new_full((1, width, width), -torch.inf).triu_(1)
    scores = torch.baddbmm(future, query, key.mT, alpha=query.size(2) ** -0.5)
    return torch.bmm(dropout(scores.softmax(-1)), value).unflatten(0, (-1, heads))


def _groups(lengths: list[int], longest: int) -> list[tuple[int, int]]:
    """``(sequences, width)`` for each run of similar lengths of a descending list."""
    widths = [min(longest, 2 ** max(length - 1, SHORT - 1).bit_length()) for length in lengths]
    return [(len(list(run)), width) for width, run in groupby(widths)]
