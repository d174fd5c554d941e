"""Which items stand for the catalogue in a sampled softmax."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recbole_delta.compute.distributed import of_first_
from recbole_delta.compute.ragged import slices


class ItemSampler(nn.Module):
    """Draws warm items in proportion to their training counts.

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
        """Draw n items, with random numbers of torch's generator.

        Of several processes, all get the draw of the first: they train on one batch together.

        Returns:
            item ids ``[n]`` int64, ascending, and ``[n]`` float32 one over how often each item is
            expected among the n.
        """
        device = self.cumulative.device
        shares = torch.arange(self.n, device=device)
        at = of_first_(torch.rand(self.n, dtype=torch.float64, device=device)).add_(shares) / self.n
        row = torch.searchsorted(self.cumulative, at, right=True)
        return row + 1, self.weight[row]


def hits(target: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Accidental hits: where a drawn item is the target, and so no negative.

    Args:
        target: ``[N]`` item ids.
        drawn: ``[S]`` item ids, ascending.

    Returns:
        ``[H]`` positions in ``target`` and ``[H]`` in ``drawn`` that hold the same item.

    Example:
        >>> import torch
        >>> row, column = hits(torch.tensor([5, 9, 2]), torch.tensor([2, 5, 5]))
        >>> row.tolist(), column.tolist()  # the first target is drawn twice
        ([0, 0, 2], [1, 2, 0])
    """
    first = torch.searchsorted(drawn, target)
    return slices(first, torch.searchsorted(drawn, target, right=True) - first)
