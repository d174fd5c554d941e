"""Which items stand for the catalogue in a sampled softmax."""

from __future__ import annotations

import torch
from torch import Tensor

from recbole_delta.compute.distributed import of_first_
from recbole_delta.compute.ragged import slices


class ItemSampler:
    """Draws warm items in proportion to their training counts, on the host.

    A draw needs float64, which Apple's GPUs do not have; and a GPU gets it while it computes.

    The draws of one call are stratified: the i-th of n falls into the i-th of n equal shares of
    the probability. An item's expected number of draws is n·q as for independent draws, with
    less variance and fewer repetitions.

    Args:
        count: ``[n_warm]`` training rows of items 1, 2, ...
        n: number of items in a draw.

    Example:
        Item 1 has half of the training rows, so that two of four draws are expected to be of it:

        >>> import torch
        >>> sampler = ItemSampler(torch.tensor([2, 1, 1]), n=4)
        >>> ids, weight = sampler.draw()
        >>> ids.tolist(), weight.tolist()
        ([1, 1, 2, 3], [0.5, 0.5, 1.0, 1.0])
    """

    def __init__(self, count: Tensor, n: int) -> None:
        self.n = n
        share = count.double() / count.sum()
        self._cumulative = share.cumsum(0)
        self._cumulative[-1] = torch.inf  # a sum below 1 by rounding
        self._weight = (share * n).reciprocal().float()

    def draw(self) -> tuple[Tensor, Tensor]:
        """Draw n items, with random numbers of torch's generator of the CPU.

        Of several processes, all get the draw of the first: they train on one batch together.

        Returns:
            item ids ``[n]`` int64, ascending, and ``[n]`` float32 one over how often each item is
            expected among the n.
        """
        at = of_first_(torch.rand(self.n, dtype=torch.float64)).add_(torch.arange(self.n)) / self.n
        row = torch.searchsorted(self._cumulative, at, right=True)
        return row + 1, self._weight[row]


Hits = tuple[Tensor, Tensor] | Tensor
"""Positions and drawn items ``[H]`` that hold the same item; or where they do, ``[N, S]`` bool."""


def hits(target: Tensor, drawn: Tensor) -> Hits:
    """Accidental hits: where a drawn item is the target, and so no negative.

    Args:
        target: ``[N]`` item ids.
        drawn: ``[S]`` item ids, ascending.

    Returns:
        ``[H]`` positions in ``target`` and ``[H]`` in ``drawn`` that hold the same item; on a GPU,
        which the host would have to wait for to know H, ``[N, S]`` whether they do.

    Example:
        >>> import torch
        >>> row, column = hits(torch.tensor([5, 9, 2]), torch.tensor([2, 5, 5]))
        >>> row.tolist(), column.tolist()  # the first target is drawn twice
        ([0, 0, 2], [1, 2, 0])
    """
    if target.device.type != "cpu":
        return drawn == target[:, None]
    first = torch.searchsorted(drawn, target)
    return slices(first, torch.searchsorted(drawn, target, right=True) - first)
