"""Cross entropy over a sample of the warm items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dataset_prep.errors import whole_number
from recbole_delta.compute.matmul import ROWS
from recbole_delta.compute.precision import full_precision
from recbole_delta.compute.transfer import to_device
from recbole_delta.loss.base import ItemVectors, TrainingLoss
from recbole_delta.loss.exact import exp_cannot_overflow, scaled_gradients
from recbole_delta.loss.sampler import Hits, ItemSampler, hits


@dataclass(frozen=True)
class SampledOptions:
    """Settings of ``loss: sampled``.

    Attributes:
        sampled_items: number of items drawn at each step, for all positions together.

    Raises:
        DeltaError: fewer than one.
    """

    sampled_items: int = 512

    def __post_init__(self) -> None:
        whole_number("sampled_items", self.sampled_items, 1)


class SampledCrossEntropy(TrainingLoss):
    """``loss: sampled``: the softmax's denominator estimated from items drawn by popularity.

    Args:
        train_count: ``[n_warm]`` int64 training rows of items 1, 2, ...
        options: number of items to draw.
    """

    gradient_of_all_items = False
    options = SampledOptions

    def __init__(self, train_count: Tensor, options: SampledOptions) -> None:
        super().__init__(train_count, options)
        self.sampler = ItemSampler(train_count, options.sampled_items)

    def forward(self, hidden: Tensor, target: Tensor, items: ItemVectors) -> Tensor:
        """Mean estimated cross entropy over the positions, a scalar.

        Args:
            hidden: ``[N, d]`` sequence representations.
            target: ``[N]`` int64 warm items that came next.
            items: vectors of the targets and of the drawn items.
        """
        drawn, weight = (to_device(each, target.device) for each in self.sampler.draw())
        rows = items.of(torch.cat([target, drawn]))
        return sampled_cross_entropy(hidden, rows, hits(target, drawn), weight)


def sampled_cross_entropy(hidden: Tensor, rows: Tensor, hits: Hits, weight: Tensor) -> Tensor:
    """Cross entropy with the softmax's denominator estimated from items drawn for all positions.

    The denominator at position n is exp(h·w_target) + Σ weight_i · exp(h·w_i) over the
    drawn items that are not its target: unbiased (the logQ correction of sampled softmax, Bengio
    & Senécal 2008), so that the loss and its gradients come near the exact ones with more draws.

    Args:
        hidden: ``[N, d]`` sequence representations.
        rows: ``[N + S, d]`` vectors of the targets, then of the drawn items.
        hits: where a position's target is among the drawn items, from
            :func:`recbole_delta.loss.sampler.hits`.
        weight: ``[S]`` one over an item's expected number of draws.

    Returns:
        a scalar in nats, with gradients for ``hidden`` and ``rows``.

    Example:
        With every item drawn once, the estimate is the exact cross entropy:

        >>> import torch
        >>> from recbole_delta.loss.sampler import hits
        >>> vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # items 1 and 2
        >>> hidden, target = torch.tensor([[2.0, 0.0]]), torch.tensor([1])
        >>> drawn = torch.tensor([1, 2])
        >>> rows = torch.cat([vectors[target - 1], vectors[drawn - 1]])
        >>> loss = sampled_cross_entropy(hidden, rows, hits(target, drawn), torch.ones(2))
        >>> exact = torch.nn.functional.cross_entropy(hidden @ vectors.T, target - 1)
        >>> torch.allclose(loss, exact)
        True
    """
    with full_precision(hidden, rows) as wide:
        return _Sampled.apply(*wide, hits, weight)


class _Sampled(torch.autograd.Function):
    """Value and gradients in one pass: the derivative by the logits is softmax − one-hot."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, rows: Tensor, hits: Hits, weight: Tensor) -> Tensor:
        n_positions = len(hidden)
        positive, drawn = rows[:n_positions], rows[n_positions:]
        share = (F.pad(hidden, (0, 0, 0, -n_positions % ROWS)) @ drawn.T)[:n_positions]
        own = (hidden * positive).sum(1, keepdim=True)
        if exp_cannot_overflow(hidden, rows):
            top = torch.zeros_like(own)
        else:
            top = torch.maximum(share.amax(1, keepdim=True), own)
            share.sub_(top)
        share.exp_()
        if isinstance(hits, tuple):
            share.index_put_(hits, share.new_zeros(()))
        else:
            share.masked_fill_(hits, 0.0)
        # An item's correction is a factor of its column: cheaper of the vectors than of the logits.
        weight = weight[:, None].to(share.dtype)
        own_share = (own - top).exp_()
        mass = share @ weight + own_share
        divisor = mass * n_positions
        excess = (own_share - mass).div_(divisor)
        grad_hidden = (share @ (drawn * weight)).div_(divisor).addcmul_(excess, positive)
        grad_rows = torch.empty_like(rows)
        torch.mul(excess, hidden, out=grad_rows[:n_positions])
        torch.mm(share.T, hidden / divisor, out=grad_rows[n_positions:]).mul_(weight)
        ctx.save_for_backward(grad_hidden, grad_rows)
        return (mass.log_() + top - own).mean()

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:  # type: ignore[override]
        return *scaled_gradients(ctx.saved_tensors, grad), None, None
