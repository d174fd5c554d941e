"""Lengths of padded sequences, known to the host before a device has counted them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from recbole_delta.compute.ragged import slices
from recbole_delta.compute.transfer import to_device

_known = WeakTensorKeyDictionary()
"""Lengths ``[B]`` on the CPU by the sequences on a device, from whoever has copied them there."""


def remember_lengths(item_seq: Tensor, lengths: Tensor) -> None:
    """Spare the host the wait for what it knows.

    Args:
        item_seq: ``[B, L]`` item ids, padded with 0 on the right, on a device; never changed again.
        lengths: ``[B]`` int64 number of items of each sequence, on the CPU.
    """
    _known[item_seq] = lengths


def host_lengths(item_seq: Tensor) -> Tensor:
    """``[B]`` int64 number of items of each sequence, on the CPU; counted if nobody knows it.

    Args:
        item_seq: ``[B, L]`` item ids, padded with 0 on the right.

    Example:
        >>> import torch
        >>> host_lengths(torch.tensor([[5, 6, 0], [7, 0, 0]])).tolist()
        [2, 1]
    """
    known = _known.get(item_seq)
    return (item_seq > 0).sum(1).cpu() if known is None else known


def at_items(values: Tensor, item_seq: Tensor) -> Tensor:
    """What belongs to items, without what belongs to padding.

    Args:
        values: ``[B, L, ...]``, for each place of the sequences.
        item_seq: ``[B, L]`` item ids, padded with 0 on the right; N items in all.

    Returns:
        ``[N, ...]``, row by row.

    Example:
        >>> import torch
        >>> item_seq = torch.tensor([[5, 6, 0], [7, 0, 0]])
        >>> at_items(torch.tensor([[1, 2, 3], [4, 5, 6]]), item_seq).tolist()
        [1, 2, 4]
    """
    if item_seq.device.type == "cpu":
        return values[item_seq > 0]
    start = torch.arange(len(item_seq)) * item_seq.size(1)
    _, place = slices(start, host_lengths(item_seq))
    return values.flatten(0, 1).index_select(0, to_device(place, item_seq.device))
