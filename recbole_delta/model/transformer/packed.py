"""Causal self-attention over sequences of different lengths, without computing much padding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from recbole_delta.compute.matmul import mkl_is_quick
from recbole_delta.compute.ragged import slices

STEP = 8
"""Rows are as wide as the longest sequence, rounded up to it: fewer shapes of products."""


class PackedBatch:
    """The items of right-padded sequences in R rows of width W, each row several whole sequences.

    Attributes:
        items: ``[R W]`` int64, the rows one after another, 0 where a row has room left.
        position: ``[R W]`` the position of each item in its sequence, from 0.
        mask: ``[R, W, W]`` which items attend to which, see :func:`causal`.
        back: ``[N]`` where the items of ``item_seq``, row by row, stand in ``items``.
    """

    def __init__(self, item_seq: Tensor, longest: int) -> None:
        """Pack ``item_seq`` ``[B, L]`` with sequences of at most ``longest`` items."""
        # An empty sequence is one padding item, as for RecBole's models.
        lengths = (item_seq > 0).sum(1).clamp(min=1)
        sizes = lengths.tolist()
        width = min(max(sizes) + -max(sizes) % STEP, longest)
        rows, starts = best_fit(sizes, width)
        start = torch.tensor(starts, device=item_seq.device)
        sequence, self.back = slices(start, lengths)
        nth = self.back - start[sequence]
        self.items = item_seq.new_zeros(rows * width)
        self.items[self.back] = item_seq[sequence, nth]
        self.position = torch.zeros_like(self.items)
        self.position[self.back] = nth
        # A query attends to keys back to the start of its sequence, room left over to itself.
        slot = torch.arange(width, device=item_seq.device)
        ago = (slot[:, None] - slot) % (2 * width)  # of a later key more than any position
        self.mask = causal(ago > self.position.view(rows, width, 1))


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, heads: int, drop: Any
) -> Tensor:
    """Attention within each of R rows of width W, by the mask of a batch.

    Args:
        query: ``[R W, d]``.
        key: ``[R W, d]``.
        value: ``[R W, d]``.
        mask: ``[R, W, W]`` or ``[1, W, W]``, added to the scores; see :func:`causal`.
        heads: number of heads.
        drop: a module for the attention weights.

    Returns:
        ``[R W, d]``.
    """
    shape = (-1, mask.size(1), heads, query.size(1) // heads)
    q, k, v = (part.view(shape).transpose(1, 2) for part in (query, key, value))
    p = drop.p if drop.training else 0.0
    if query.device.type != "cpu" or (p == 0 and mkl_is_quick()):
        output = F.scaled_dot_product_attention(q, k, v, mask[:, None], dropout_p=p)
    else:
        # With dropout torch has no fused kernel for CPUs, and without MKL's help a slow one.
        added = mask[:, None].expand(-1, heads, -1, -1).flatten(0, 1)
        q, k, v = (part.flatten(0, 1) for part in (q, k, v))
        weights = torch.baddbmm(added, q * shape[3] ** -0.5, k.mT).softmax(-1)
        output = torch.bmm(drop(weights), v).unflatten(0, (-1, heads))
    return output.transpose(1, 2).reshape(query.shape)


def causal(barred: Tensor) -> Tensor:
    """−inf where a query may not attend to a key, 0 elsewhere."""
    return torch.zeros(barred.shape, device=barred.device).masked_fill_(barred, -torch.inf)


def best_fit(lengths: list[int], width: int) -> tuple[int, list[int]]:
    """Put every sequence, the longest first, into the fullest row that has room for it.

    Args:
        lengths: between 1 and ``width``.
        width: of a row.

    Returns:
        the number of rows, and where each sequence starts, the rows one after another.
    """
    starts = [0] * len(lengths)
    rows_by_room: list[list[int]] = [[] for _ in range(width + 1)]
    rooms, rows = 0, 0  # bit n of rooms: there is a row with room for n
    for index in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        length = lengths[index]
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = rows_by_room[room].pop()
            if not rows_by_room[room]:
                rooms ^= 1 << room
        else:
            room, row, rows = width, rows, rows + 1
        starts[index] = row * width + width - room
        room -= length
        if room:
            rows_by_room[room].append(row)
            rooms |= 1 << room
    return rows, starts
