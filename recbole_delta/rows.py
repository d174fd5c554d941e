"""Adam for a table of which a step sees few rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


@torch.no_grad()
def step_rows(optimizer: torch.optim.Adam, before: Callable[[Tensor, Tensor], None]) -> None:
    """Update the rows that have a gradient, and nothing else of their tables.

    To be called before ``optimizer.step``, which then finds no gradient there. The moments of a
    row rest while it is not seen, as in ``torch.optim.SparseAdam``; they are kept where Adam
    keeps them.

    Args:
        optimizer: holds the tables; one without sparse gradients is left to it.
        before: given a table and its updated rows ``[n, d]``, before they are written.
    """
    for group in optimizer.param_groups:
        for table in group["params"]:
            if table.grad is None or not table.grad.is_sparse:
                continue
            gradient = table.grad.coalesce()
            rows, values = gradient.indices()[0], gradient.values()
            state = optimizer.state[table]
            if not state:
                state["step"] = torch.zeros(())
                state["exp_avg"] = torch.zeros_like(table)
                state["exp_avg_sq"] = torch.zeros_like(table)
            state["step"] += 1
            beta1, beta2 = group["betas"]
            mean, square, updated = (
                each.index_select(0, rows)
                for each in (state["exp_avg"], state["exp_avg_sq"], table)
            )
            mean.lerp_(values, 1 - beta1)
            square.mul_(beta2).addcmul_(values, values, value=1 - beta2)
            state["exp_avg"].index_copy_(0, rows, mean)
            state["exp_avg_sq"].index_copy_(0, rows, square)
            step = state["step"].item()
            scale = square.div_(1 - beta2**step).sqrt_().add_(group["eps"])
            updated.addcdiv_(mean, scale, value=-group["lr"] / (1 - beta1**step))
            before(table, updated)
            table.index_copy_(0, rows, updated)
            table.grad = None
