"""Which items stand for the catalogue in a sampled softmax."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recbole_delta.sequences import ragged


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
    log_expected: Tensor

    def __init__(self, count: Tensor, n: int) -> None:
        super().__init__()
        self.n = n
        share = count.double() / count.sum()
        # Follows from the data: not part of a checkpoint.
        self.register_buffer("cumulative", share.cumsum(0), persistent=False)
        self.register_buffer("log_expected", (share * n).log().float(), persistent=False)

    def draw(self) -> tuple[Tensor, Tensor]:
        """Item ids ``[n]``, ascending, and the log of how often each is expected among the n."""
        device = self.cumulative.device
        shares = torch.arange(self.n, device=device)
        at = (shares + torch.rand(self.n, dtype=torch.float64, device=device)) / self.n
        row = torch.searchsorted(self.cumulative, at, right=True)
        row.clamp_(max=len(self.cumulative) - 1)
        return row + 1, self.log_expected[row]


def hits(target: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Where a target has been drawn: it is no other item then, and does not count as one.

    Args:
        target: ``[N]`` item ids.
        drawn: ``[S]`` item ids, ascending.

    Returns:
        ``[H]`` positions in ``target`` and ``[H]`` in ``drawn`` that hold the same item.
    """
    first = torch.searchsorted(drawn, target)
    position, nth = ragged(torch.searchsorted(drawn, target, right=True) - first)
    return position, first[position] + nth
