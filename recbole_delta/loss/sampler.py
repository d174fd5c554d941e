"""Which items stand for the catalogue in a sampled softmax."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recbole_delta.compute.ragged import slices


class ItemSampler(nn.Module):
    """Draws warm items in proportion to their training counts.

    The draws of one call are stratified: the i-th of n falls into the i-th of n equal shares of
    the probability. An item's expected number of draws is n·q as for independent draws, with
    less variance and fewer repetitions.

    Args:
        count: ``[n_warm]`` training rows of items 1, 2, ...
        n: items a draw.
    """

    cumulative: Tensor
    weight: Tensor

    def __init__(self, count: Tensor, n: int) -> None:
        super().__init__()
        self.n = n
        share = count.double() / count.sum()
        # Follows from the data: not part of a checkpoint.
        cumulative = share.cumsum(0)
        cumulative[-1] = torch.inf  # a sum below 1 by rounding
        self.register_buffer("cumulative", cumulative, persistent=False)
        self.register_buffer("weight", (share * n).reciprocal().float(), persistent=False)

    def draw(self) -> tuple[Tensor, Tensor]:
        """Item ids ``[n]``, ascending, and one over how often each is expected among the n."""
        device = self.cumulative.device
        shares = torch.arange(self.n, device=device)
        at = (shares + torch.rand(self.n, dtype=torch.float64, device=device)) / self.n
        row = torch.searchsorted(self.cumulative, at, right=True)
        return row + 1, self.weight[row]


def hits(target: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Where a target has been drawn: it is no other item then, and does not count as one.

    Args:
        target: ``[N]`` item ids.
        drawn: ``[S]`` item ids, ascending.

    Returns:
        ``[H]`` positions in ``target`` and ``[H]`` in ``drawn`` that hold the same item.
    """
    first = torch.searchsorted(drawn, target)
    return slices(first, torch.searchsorted(drawn, target, right=True) - first)
