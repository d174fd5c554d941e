"""Cross entropy over the warm items: at once, or block by block for large catalogues."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

LOGITS_AT_ONCE = 2**25
"""Most logits that the blockwise loss holds: 128 MiB of float32."""


def cross_entropy(hidden: Tensor, weight: Tensor, target: Tensor) -> Tensor:
    """Mean of −log softmax(h · Wᵀ)[target] over the positions.

    Args:
        hidden: ``[N, d]``.
        weight: ``[V, d]``, a row an item.
        target: ``[N]`` int64 rows of ``weight``.
    """
    return F.cross_entropy(hidden @ weight.T, target)


def chunked_cross_entropy(hidden: Tensor, weight: Tensor, target: Tensor) -> Tensor:
    """The same value and gradients, but for rounding, with a block of the logits at a time.

    The gradients are formed in the forward pass, while a block is there: the memory is that of
    one block and of the gradients themselves, and no logit is computed twice.
    """
    return _ChunkedCrossEntropy.apply(hidden, weight, target)


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, target: Tensor) -> Tensor:
        n_positions, n_items = len(hidden), len(weight)
        step = max(1, LOGITS_AT_ONCE // n_items)
        wants = [hidden.requires_grad, weight.requires_grad]
        grad_hidden = torch.empty_like(hidden) if wants[0] else None
        grad_weight = torch.zeros_like(weight) if wants[1] else None
        loss = hidden.new_zeros(())
        for start in range(0, n_positions, step):
            part = slice(start, start + step)
            logits = hidden[part] @ weight.T
            wanted = target[part, None]
            total = logits.logsumexp(dim=1, keepdim=True)
            loss += (total - logits.gather(1, wanted)).sum()
            # The logits' gradient, softmax − one-hot, in the place of the logits.
            share = logits.sub_(total).exp_()
            share.scatter_add_(1, wanted, share.new_full(wanted.shape, -1.0)).div_(n_positions)
            if grad_hidden is not None:
                grad_hidden[part] = share @ weight
            if grad_weight is not None:
                grad_weight.addmm_(share.T, hidden[part])
        ctx.gradients = grad_hidden, grad_weight
        return loss / n_positions

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:  # type: ignore[override]
        return *(None if each is None else each * grad for each in ctx.gradients), None


LOSSES = {"ce": cross_entropy, "chunked": chunked_cross_entropy}
"""By the setting ``loss``."""
