"""Cross entropy over all warm items, in two orders of work.

The gradients are formed in the forward pass, while a block of logits is in the cache; the logits
of all positions and items are never held together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from recbole_delta.compute.matmul import ROWS
from recbole_delta.compute.precision import full_precision
from recbole_delta.loss.base import ItemVectors, TrainingLoss

BLOCK = 2**22
"""Logits in a block of positions: 16 MiB of float32."""

CATALOGUE_BLOCK = 2**20
"""Logits in a block of items: 4 MiB of float32."""

DEVICE_BLOCK = 2**27
"""Logits in either block on a GPU: 512 MiB of float32; a smaller one would not fill it."""

MAX_SAFE_LOGIT = 60.0
"""e to this power, either sign, leaves room in float32 for the sum over any catalogue."""


class CrossEntropy(TrainingLoss):
    """``loss: ce``: exact, a block of positions and the whole catalogue at a time."""

    gradient_of_all_items = True

    def forward(self, hidden: Tensor, target: Tensor, items: ItemVectors) -> Tensor:
        """Mean cross entropy over the positions, a scalar.

        Args:
            hidden: ``[N, d]`` sequence representations.
            target: ``[N]`` int64 warm items that came next.
            items: vectors of all warm items.
        """
        return cross_entropy(hidden, items.all_warm(), target)


class ChunkedCrossEntropy(TrainingLoss):
    """``loss: chunked``: exact, all positions and a block of the catalogue at a time.

    Faster than ``ce`` from some 100,000 items on, in memory that does not grow with them.
    """

    gradient_of_all_items = True

    def forward(self, hidden: Tensor, target: Tensor, items: ItemVectors) -> Tensor:
        """Mean cross entropy over the positions, a scalar.

        Args:
            hidden: ``[N, d]`` sequence representations.
            target: ``[N]`` int64 warm items that came next.
            items: vectors of all warm items.
        """
        return chunked_cross_entropy(hidden, items.all_warm(), target)


def cross_entropy(hidden: Tensor, table: Tensor, target: Tensor) -> Tensor:
    """Mean of −log softmax(h · Wᵀ)[target] over the positions; the whole catalogue at a time.

    Args:
        hidden: ``[N, d]`` sequence representations h.
        table: ``[1 + V, d]``, padding and W, a row an item. Padding is no choice of the softmax.
        target: ``[N]`` int64 rows of ``table``.

    Returns:
        a scalar in nats, with gradients for ``hidden`` and ``table``.

    Example:
        >>> import torch
        >>> table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> hidden, target = torch.tensor([[2.0, 0.0]]), torch.tensor([1])
        >>> loss = cross_entropy(hidden, table, target)
        >>> expected = torch.nn.functional.cross_entropy(hidden @ table[1:].T, target - 1)
        >>> torch.allclose(loss, expected)
        True
    """
    with full_precision(hidden, table) as wide:
        return _Exact.apply(*wide, target, _by_positions)


def chunked_cross_entropy(hidden: Tensor, table: Tensor, target: Tensor) -> Tensor:
    """Mean of −log softmax(h · Wᵀ)[target] over the positions; a part of the catalogue at a time.

    It equals :func:`cross_entropy` but for rounding. The memory besides the gradients does not grow
    with the catalogue. The logits are computed twice, but the gradient of ``table`` is written
    once.

    Args:
        hidden: ``[N, d]`` sequence representations h.
        table: ``[1 + V, d]``, padding and W, a row an item. Padding is no choice of the softmax.
        target: ``[N]`` int64 rows of ``table``.

    Returns:
        a scalar in nats, with gradients for ``hidden`` and ``table``.

    Example:
        >>> import torch
        >>> table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> hidden, target = torch.tensor([[2.0, 0.0]]), torch.tensor([1])
        >>> loss = chunked_cross_entropy(hidden, table, target)
        >>> torch.allclose(loss, cross_entropy(hidden, table, target))
        True
    """
    with full_precision(hidden, table) as wide:
        return _Exact.apply(*wide, target, _by_items)


class _Exact(torch.autograd.Function):
    """The derivative of −log softmax by the logits is softmax − one-hot."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, table: Tensor, target: Tensor, order: Any) -> Tensor:
        n_positions = len(hidden)
        # Rows of zeros add nothing to the gradient of the table.
        rows = F.pad(hidden, (0, 0, 0, -n_positions % ROWS))
        grad_table = grad_weight = None
        if ctx.needs_input_grad[1]:
            grad_table = torch.empty_like(table)
            grad_table[0], grad_weight = 0, grad_table[1:]
        total, grad_hidden = order(rows, table[1:], grad_weight, 1 / n_positions)
        wanted = table[target]
        grad_hidden = grad_hidden[:n_positions].sub_(wanted).div_(n_positions)
        if grad_table is not None:
            grad_table.index_add_(0, target, hidden, alpha=-1 / n_positions)
        ctx.save_for_backward(grad_hidden, grad_table)
        return (total[:n_positions] - (hidden * wanted).sum(1)).mean()

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:  # type: ignore[override]
        return *scaled_gradients(ctx.saved_tensors, grad), None, None


def _by_positions(
    hidden: Tensor, weight: Tensor, grad_weight: Tensor | None, scale: float
) -> tuple[Tensor, Tensor]:
    """The softmax's denominator, and its part in the gradients.

    Args:
        hidden: ``[N, d]`` sequence representations.
        weight: ``[V, d]`` item vectors.
        grad_weight: ``[V, d]``, overwritten by ``scale`` times the derivative by ``weight``; None
            where it is not wanted.
        scale: one over the number of positions that are averaged over.

    Returns:
        The log of the denominator ``[N]``, and its derivative by ``hidden`` ``[N, d]``.
    """
    n_positions, n_items = len(hidden), len(weight)
    blocks = -(-n_positions * n_items // _at_once(BLOCK, hidden))
    step = -(-n_positions // blocks // ROWS) * ROWS
    # One block for all: fresh memory costs as much as the product.
    block = hidden.new_empty(step, n_items)
    total = hidden.new_empty(n_positions, 1)
    grad_hidden = torch.empty_like(hidden)
    no_shift = exp_cannot_overflow(hidden, weight)
    for start in range(0, n_positions, step):
        part = slice(start, start + step)
        rows = hidden[part]
        share = torch.mm(rows, weight.T, out=block[: len(rows)])
        top = share.new_zeros(()) if no_shift else share.amax(1, keepdim=True)
        if not no_shift:
            share.sub_(top)
        mass = share.exp_().sum(1, keepdim=True)
        total[part] = mass.log() + top
        torch.mm(share, weight, out=grad_hidden[part]).div_(mass)
        if grad_weight is not None:
            rows = rows * (scale / mass)
            if start:
                grad_weight.addmm_(share.T, rows)
            else:
                torch.mm(share.T, rows, out=grad_weight)
    return total[:, 0], grad_hidden


def _at_once(logits: int, hidden: Tensor) -> int:
    return logits if hidden.device.type == "cpu" else DEVICE_BLOCK


def exp_cannot_overflow(hidden: Tensor, weight: Tensor) -> bool:
    """Whether logits need no shift by their row's largest before exp, by |h·w| ≤ ‖h‖‖w‖.

    On a GPU the shift is made without asking: the host would have to wait for the answer.

    Args:
        hidden: ``[N, d]`` sequence representations.
        weight: ``[V, d]`` item vectors.
    """
    if hidden.device.type != "cpu":
        return False
    longest = hidden.norm(dim=1).amax() * weight.norm(dim=1).amax()
    return float(longest) < MAX_SAFE_LOGIT


def _by_items(
    hidden: Tensor, weight: Tensor, grad_weight: Tensor | None, scale: float
) -> tuple[Tensor, Tensor]:
    """:func:`_by_positions`, with the blocks along the catalogue."""
    n_positions, n_items = len(hidden), len(weight)
    step = min(n_items, max(ROWS, _at_once(CATALOGUE_BLOCK, hidden) // n_positions))
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
    grad_hidden, scaled = torch.zeros_like(hidden), hidden * scale
    for start in range(0, n_items, step):
        share = logits(start).sub_(total).exp_()
        grad_hidden.addmm_(share, weight[start : start + step])
        if grad_weight is not None:
            torch.mm(share.T, scaled, out=grad_weight[start : start + step])
    return total[:, 0], grad_hidden


def scaled_gradients(gradients: Sequence[Tensor | None], grad: Tensor) -> Sequence[Tensor | None]:
    """Gradients by the chain rule, on a CPU without a copy of large ones where the factor is 1.

    Args:
        gradients: gradients of the loss, of any shapes; None for one that is not wanted.
        grad: ``[]`` derivative of the objective by the loss.
    """
    if grad.device.type == "cpu" and grad == 1:
        return gradients
    return [each if each is None else each * grad for each in gradients]
