"""Cross entropy over a sample of the warm items."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from recbole_delta.compute.matmul import ROWS
from recbole_delta.loss.exact import _are_harmless, _scaled


def sampled_cross_entropy(
    hidden: Tensor, rows: Tensor, hits: tuple[Tensor, Tensor], weight: Tensor
) -> Tensor:
    """Cross entropy with the softmax's denominator estimated from items drawn for all positions.

    Of position n the denominator is exp(h·w_target) + Σ weight_i · exp(h·w_i) over the
    drawn items that are not its target: unbiased (the logQ correction of sampled softmax, Bengio
    & Senécal 2008), so that the loss and its gradients come near the exact ones with more draws.

    Args:
        hidden: ``[N, d]``.
        rows: ``[N + S, d]`` vectors of the targets, then of the drawn items.
        hits: positions and drawn items ``[H]`` that fall together, see
            :func:`recbole_delta.loss.sampler.hits`.
        weight: ``[S]`` one over an item's expected number of draws.
    """
    return _Sampled.apply(hidden, rows, hits, weight)


class _Sampled(torch.autograd.Function):
    """As :class:`_Exact`, the target beside the drawn items."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        rows: Tensor,
        hits: tuple[Tensor, Tensor],
        weight: Tensor,
    ) -> Tensor:
        hidden, n_positions = hidden.to(rows.dtype), len(hidden)
        positive, drawn = rows[:n_positions], rows[n_positions:]
        share = (F.pad(hidden, (0, 0, 0, -n_positions % ROWS)) @ drawn.T)[:n_positions]
        own = (hidden * positive).sum(1, keepdim=True)
        if _are_harmless(hidden, rows):
            top = torch.zeros_like(own)
        else:
            top = torch.maximum(share.amax(1, keepdim=True), own)
            share.sub_(top)
        share.exp_().index_put_(hits, share.new_zeros(()))
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
        return *_scaled(ctx.saved_tensors, grad), None, None
