"""Deltas that cold items borrow from the warm items whose content is nearest to theirs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

COSINES_AT_ONCE = 2**24
"""Numbers held while neighbours are looked for: 64 MiB of float32."""


@dataclass(frozen=True)
class Neighbours:
    """The k warm items nearest to each of m cold ones.

    They follow from the content, so they are in no checkpoint and no part of a module: a new one is
    made where the content is.

    Attributes:
        index: ``[m, k]`` int64 numbers of warm items.
        weight: ``[m, k]`` their shares, which add up to 1.
    """

    index: Tensor
    weight: Tensor

    @classmethod
    def of(cls, cold: Tensor, warm: Tensor, k: int) -> Neighbours:
        """The nearest by cosine, weighted by the softmax of the cosines.

        Args:
            cold: ``[m, d]`` unit rows.
            warm: ``[n, d]`` unit rows of items 1 .. n.
            k: neighbours of an item; fewer where there are fewer.

        Example:
            >>> warm = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
            >>> Neighbours.of(torch.tensor([[0.8, 0.6]]), warm, k=2).index.tolist()
            [[1, 2]]
        """
        cosine, index = nearest(cold, warm, k)
        return cls(index, cosine.softmax(1))

    def mean_of(self, table: Tensor, rows: Tensor | None = None) -> Tensor:
        """``[m, d]`` weighted means of the neighbours' rows of ``table``: inside any ball they are.

        Args:
            table: ``[1 + n, d]`` rows of padding and of the warm items.
            rows: ``[r]`` which of the m cold items; all by default.
        """
        index, weight = self.index, self.weight
        if rows is not None:
            index, weight = index[rows], weight[rows]
        # One neighbour at a time: all of them together would be k tables.
        mean = torch.zeros(len(index), table.size(1), dtype=table.dtype, device=table.device)
        for place in range(index.size(1)):
            mean.add_(table[index[:, place]] * weight[:, place, None])
        return mean


def nearest(items: Tensor, warm: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The warm items nearest to each of some items by cosine, the nearest first.

    Args:
        items: ``[m, d]`` unit rows.
        warm: ``[n, d]`` unit rows of items 1 .. n.
        k: neighbours of an item; fewer where there are fewer.

    Returns:
        ``[m, k]`` cosines, and ``[m, k]`` int64 numbers of warm items.

    Example:
        >>> warm = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> cosine, index = nearest(torch.tensor([[0.6, 0.8]]), warm, k=1)
        >>> index.tolist()
        [[2]]
    """
    blocks = items.split(max(1, COSINES_AT_ONCE // len(warm)))
    found = [(block @ warm.T).topk(min(k, len(warm)), dim=1) for block in blocks]
    return torch.cat([each.values for each in found]), torch.cat([e.indices for e in found]) + 1
