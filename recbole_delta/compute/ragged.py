"""Slices of different lengths of one flat array."""

from __future__ import annotations

import torch
from torch import Tensor


def slices(start: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """All elements of the slices of an array that begin at ``start`` ``[n]``, one after another.

    Returns:
        the slice of each ``[N]``, and its position in the array ``[N]``.
    """
    of = torch.repeat_interleave(lengths)
    shift = start - lengths.cumsum(0) + lengths
    return of, torch.arange(len(of), device=lengths.device) + shift[of]
