"""Cross entropy over the warm items: exact in two orders of work, or over a sample of them.

The exact ones form the gradients in the forward pass, while a block of logits is in the cache, and
never hold the logits of all positions and items.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 2**22
"""Logits in a block of positions: 16 MiB of float32."""

CATALOGUE_BLOCK = 2**20
"""Logits in a block of items: 4 MiB of float32."""

ROWS = 64
"""Blocks are a multiple of it: oneDNN compiles a product for every new number of rows."""


def cross_entropy(hidden: Tensor, weight: Tensor, target: Tensor) -> Tensor:
    """Mean of −log softmax(h · Wᵀ)[target] over the positions; the whole catalogue at a time.

    Args:
        hidden: ``[N, d]``.
        weight: ``[V, d]``, a row an item.
        target: ``[N]`` int64 rows of ``weight``.
    """
    return _Exact.apply(hidden, weight, target, _by_positions)


def chunked_cross_entropy(hidden: Tensor, weight: Tensor, target: Tensor) -> Tensor:
    """The same but for rounding, a part of the catalogue at a time.

    The memory besides the gradients does not grow with the catalogue. The logits are computed
    twice, but the gradient of ``weight`` is written once: faster from some 100,000 items on.
    """
    return _Exact.apply(hidden, weight, target, _by_items)


class _Exact(torch.autograd.Function):
    """The derivative of −log softmax by the logits is softmax − one-hot."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, target: Tensor, order: Any) -> Tensor:
        hidden = hidden.to(weight.dtype)
        n_positions = len(hidden)
        # Rows of zeros add nothing to the gradient of the weight.
        rows = F.pad(hidden, (0, 0, 0, -n_positions % ROWS))
        total, grad_hidden, grad_weight = order(rows, weight, ctx.needs_input_grad[1])
        wanted = weight[target]
        grad_hidden = grad_hidden[:n_positions] - wanted
        if grad_weight is not None:
            grad_weight.index_add_(0, target, hidden, alpha=-1)
        ctx.save_for_backward(grad_hidden, grad_weight)
        return (total[:n_positions] - (hidden * wanted).sum(1)).mean()

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:  # type: ignore[override]
        grad_hidden, grad_weight = ctx.saved_tensors
        grad = grad / len(grad_hidden)
        return grad_hidden * grad, None if grad_weight is None else grad_weight * grad, None, None


def _by_positions(
    hidden: Tensor, weight: Tensor, trains_weight: bool
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Log of the softmax's denominator ``[N]``, and its derivatives by both factors."""
    n_positions, n_items = len(hidden), len(weight)
    step = min(n_positions, max(ROWS, BLOCK // n_items // ROWS * ROWS))
    # One block for all: fresh memory costs as much as the product.
    block = hidden.new_empty(step, n_items)
    total = hidden.new_empty(n_positions, 1)
    grad_hidden = torch.empty_like(hidden)
    grad_weight = torch.zeros_like(weight) if trains_weight else None
    for start in range(0, n_positions, step):
        part = slice(start, start + step)
        rows = hidden[part]
        share = torch.mm(rows, weight.T, out=block[: len(rows)])
        top = share.amax(1, keepdim=True)
        mass = share.sub_(top).exp_().sum(1, keepdim=True)
        total[part] = mass.log() + top
        torch.mm(share, weight, out=grad_hidden[part]).div_(mass)
        if grad_weight is not None:
            grad_weight.addmm_(share.T, rows / mass)
    return total[:, 0], grad_hidden, grad_weight


def _by_items(
    hidden: Tensor, weight: Tensor, trains_weight: bool
) -> tuple[Tensor, Tensor, Tensor | None]:
    """As :func:`_by_positions`."""
    n_positions, n_items = len(hidden), len(weight)
    step = min(n_items, max(ROWS, CATALOGUE_BLOCK // n_positions))
    block = hidden.new_empty(n_positions * step)
    top, mass = hidden.new_full((n_positions, 1), -torch.inf), hidden.new_zeros(n_positions, 1)

    def logits(start: int) -> Tensor:
        rows = weight[start : start + step]
        out = block[: n_positions * len(rows)].view(n_positions, -1)
        return torch.mm(hidden, rows.T, out=out)

    for start in range(0, n_items, step):
        share = logits(start)
        before, top = top, torch.maximum(top, share.amax(1, keepdim=True))
        mass.mul_((before - top).exp_()).add_(share.sub_(top).exp_().sum(1, keepdim=True))
    total = top + mass.log()
    grad_hidden = torch.zeros_like(hidden)
    grad_weight = torch.empty_like(weight) if trains_weight else None
    for start in range(0, n_items, step):
        share = logits(start).sub_(total).exp_()
        grad_hidden.addmm_(share, weight[start : start + step])
        if grad_weight is not None:
            torch.mm(share.T, hidden, out=grad_weight[start : start + step])
    return total[:, 0], grad_hidden, grad_weight


def sampled_cross_entropy(
    hidden: Tensor, positive: Tensor, drawn: Tensor, is_hit: Tensor, log_expected: Tensor
) -> Tensor:
    """Cross entropy with the softmax's denominator estimated from items drawn for all positions.

    Of position n the denominator is exp(h·w_target) + Σ exp(h·w_i − log_expected_i) over the
    drawn items that are not its target: unbiased (the logQ correction of sampled softmax, Bengio
    & Senécal 2008), so that the loss and its gradients come near the exact ones with more draws.

    Args:
        hidden: ``[N, d]``.
        positive: ``[N, d]`` vectors of the targets.
        drawn: ``[S, d]`` vectors of the drawn items.
        is_hit: ``[N, S]`` bool, whether a drawn item is the target.
        log_expected: ``[S]`` log of an item's expected number of draws.
    """
    return _Sampled.apply(hidden, positive, drawn, is_hit, log_expected)


class _Sampled(torch.autograd.Function):
    """As :class:`_Exact`, the target beside the drawn items."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        positive: Tensor,
        drawn: Tensor,
        is_hit: Tensor,
        log_expected: Tensor,
    ) -> Tensor:
        hidden, n_positions = hidden.to(drawn.dtype), len(hidden)
        rows = F.pad(hidden, (0, 0, 0, -n_positions % ROWS))
        logits = (rows @ drawn.T)[:n_positions].sub_(log_expected)
        logits.masked_fill_(is_hit, -torch.inf)
        own = (hidden * positive).sum(1, keepdim=True)
        top = torch.maximum(logits.amax(1, keepdim=True), own)
        share, own_share = logits.sub_(top).exp_(), (own - top).exp_()
        mass = share.sum(1, keepdim=True) + own_share
        excess = own_share / mass - 1
        share.div_(mass)
        ctx.save_for_backward(
            share @ drawn + excess * positive, excess * hidden, share.T @ hidden
        )
        return (mass.log() + top - own).mean()

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:  # type: ignore[override]
        grad = grad / len(ctx.saved_tensors[0])
        return *(each * grad for each in ctx.saved_tensors), None, None


EXACT_LOSSES = {"ce": cross_entropy, "chunked": chunked_cross_entropy}
"""By the setting ``loss``; the remaining one is ``sampled``."""
