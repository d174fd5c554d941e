"""Self-attention over sequences of different lengths, without computing much padding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from recbole_delta.compute.host_lengths import host_lengths
from recbole_delta.compute.matmul import mkl_is_quick
from recbole_delta.compute.ragged import slices
from recbole_delta.compute.transfer import to_device

STEP = 8
"""Rows are as wide as the longest sequence, rounded up to it: fewer shapes of products."""


class PackedBatch:
    """The items of right-padded sequences in R rows of width W, each row several whole sequences.

    Attributes:
        items: ``[R W]`` int64, the rows one after another, 0 where a row has room left.
        position: ``[R W]`` the position of each item in its sequence, from 0.
        mask: ``[R, W, W]`` float, 0 where a query may attend to a key, −inf elsewhere.
        back: ``[N]`` where the items of ``item_seq``, row by row, stand in ``items``.

    Args:
        item_seq: ``[B, L]`` item ids, padded with 0 on the right; N items in all.
        longest: the most items that a sequence may have, which no row is wider than.
        causal: an item attends to itself and to earlier ones; else to its whole sequence.
    """

    def __init__(self, item_seq: Tensor, longest: int, causal: bool = True) -> None:
        # An empty sequence is one padding item, as for RecBole's models.
        lengths = host_lengths(item_seq).clamp(min=1)
        sizes = lengths.tolist()
        width = min(max(sizes) + -max(sizes) % STEP, longest)
        rows, starts = best_fit(sizes, width)
        start = torch.tensor(starts)
        sequence, back = slices(start, lengths)
        places = torch.stack([sequence, back - start[sequence], back])
        self._sequence, self._nth, self.back = to_device(places, item_seq.device)
        self._size = rows * width
        self.items = self.spread(item_seq)
        self.position = item_seq.new_zeros(self._size)
        self.position[self.back] = self._nth
        if causal:
            # Back to the start of the sequence; room left over attends to itself.
            slot = torch.arange(width, device=item_seq.device)
            ago = (slot[:, None] - slot) % (2 * width)  # of a later key more than any position
            barred = ago > self.position.view(rows, width, 1)
        else:
            owner = torch.full_like(self.position, -1)
            owner[self.back] = self._sequence
            barred = owner.view(rows, width, 1) != owner.view(rows, 1, width)
        self.mask = added_mask(barred)

    def spread(self, values: Tensor) -> Tensor:
        """What belongs to the items, ``[B, L]``, where they stand, ``[R W]``; elsewhere 0."""
        spread = values.new_zeros(self._size)
        spread[self.back] = values[self._sequence, self._nth]
        return spread


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, heads: int, drop: Any
) -> Tensor:
    """Attention within each of R rows of width W, by the mask of a batch.

    Args:
        query: ``[R W, d]``.
        key: ``[R W, d]``.
        value: ``[R W, d]``.
        mask: ``[R, W, W]`` or ``[1, W, W]`` float of :func:`added_mask`.
        heads: number of heads.
        drop: dropout module for the attention weights.

    Returns:
        ``[R W, d]``.
    """
    shape = (-1, mask.size(1), heads, query.size(1) // heads)
    q, k, v = (part.view(shape).transpose(1, 2) for part in (query, key, value))
    mask, p = mask.to(query.dtype), drop.p if drop.training else 0.0
    if query.device.type != "cpu" or (p == 0 and mkl_is_quick()):
        output = F.scaled_dot_product_attention(q, k, v, mask[:, None], dropout_p=p)
    else:
        # With dropout torch has no fused kernel for CPUs, and without MKL's help a slow one.
        added = mask[:, None].expand(-1, heads, -1, -1).flatten(0, 1)
        q, k, v = (part.flatten(0, 1) for part in (q, k, v))
        weights = torch.baddbmm(added, q * shape[3] ** -0.5, k.mT).softmax(-1)
        output = torch.bmm(drop(weights), v).unflatten(0, (-1, heads))
    return output.transpose(1, 2).reshape(query.shape)


def added_mask(barred: Tensor) -> Tensor:
    """An attention mask to add to the scores.

    Args:
        barred: bool, of any shape: where a query may not attend to a key.

    Returns:
        float of that shape, −inf where it is barred and 0 elsewhere.
    """
    return torch.zeros(barred.shape, device=barred.device).masked_fill_(barred, -torch.inf)


def best_fit(lengths: list[int], width: int) -> tuple[int, list[int]]:
    """Best-fit-decreasing bin packing of sequences into rows.

    Args:
        lengths: length of each sequence, between 1 and ``width``.
        width: width of a row.

    Returns:
        the number of rows, and where each sequence starts in the rows one after another.

    Example:
        Two rows of 8: the sequences of 5 and 3 in the first, those of 4 and 2 in the second.

        >>> best_fit([2, 5, 3, 4], width=8)
        (2, [12, 0, 5, 8])
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
