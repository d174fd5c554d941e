"""Slices of different lengths of one flat array."""

from __future__ import annotations

import torch
from torch import Tensor


def slices(start: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Where the elements of several slices of one array stand, slice after slice.

    Args:
        start: ``[n]`` int64, where each slice begins in the array.
        lengths: ``[n]`` int64, how many elements it has; N in all.

    Returns:
        ``[N]`` the slice of each element, and ``[N]`` its position in the array.

    Example:
        >>> import torch
        >>> of, position = slices(torch.tensor([0, 5]), torch.tensor([2, 3]))
        >>> of.tolist(), position.tolist()
        ([0, 0, 1, 1, 1], [0, 1, 5, 6, 7])
    """
    of = torch.repeat_interleave(lengths)
    shift = start - lengths.cumsum(0) + lengths
    return of, torch.arange(len(of), device=lengths.device) + shift[of]
