"""Adam for tables of which a step sees few rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.adam import adam


class RowAdam(torch.optim.Adam):
    """``torch.optim.Adam`` that touches, of a table with a sparse gradient, the rows in it only.

    The moments of a row rest while it is not seen, as in ``torch.optim.SparseAdam``. They are kept
    where Adam keeps them, so that either optimizer goes on from the other's state.

    Args:
        params: parameters to optimise.
        lr: learning rate.

    Example:
        >>> table = torch.nn.Parameter(torch.zeros(4, 2))
        >>> optimizer = RowAdam([table], lr=0.1)
        >>> rows = torch.nn.functional.embedding(torch.tensor([2]), table, sparse=True)
        >>> rows.sum().backward()
        >>> optimizer.step()
        >>> optimizer.updated_rows(table).tolist()
        [2]
        >>> table.detach().mul(10).round().tolist()
        [[0.0, 0.0], [0.0, 0.0], [-1.0, -1.0], [0.0, 0.0]]
    """

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        super().__init__(params, lr, fused=True)
        self._updated: dict[int, Tensor | None] = {}

    def updated_rows(self, table: Tensor) -> Tensor | None:
        """Rows of a table that the last step has changed.

        Args:
            table: ``[rows, d]`` one of the parameters.

        Returns:
            ``[n]`` int64; of all that has no gradient, row 0 alone may be there, and more than
            once. None where the step may have changed all of them.
        """
        return self._updated.get(id(table))

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient, or the rows that have one."""
        self._updated = {}
        for group in self.param_groups:
            updates = [
                self._update(each, each.grad) for each in group["params"] if each.grad is not None
            ]
            if not updates:
                continue
            values, means, squares = map(list, zip(*(each.parts for each in updates), strict=True))
            beta1, beta2 = group["betas"]
            adam(
                values,
                [each.gradient for each in updates],
                means,
                squares,
                [],
                [each.step for each in updates],
                fused=True,
                # Where a GradScaler leaves them.
                grad_scale=getattr(self, "grad_scale", None),
                found_inf=getattr(self, "found_inf", None),
                amsgrad=False,
                beta1=beta1,
                beta2=beta2,
                lr=group["lr"],
                weight_decay=0.0,
                eps=group["eps"],
                maximize=False,
            )
            for each in updates:
                self._updated[id(each.wholes[0])] = each.rows
                if each.rows is not None:
                    for whole, part in zip(each.wholes, each.parts, strict=True):
                        whole.index_copy_(0, each.rows, part)

    def _update(self, parameter: Tensor, gradient: Tensor) -> _Update:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), device=parameter.device)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        wholes = parameter, state["exp_avg"], state["exp_avg_sq"]
        if not gradient.is_sparse:
            return _Update(wholes, wholes, gradient, state["step"], None)
        rows, values = _merged(gradient)
        table, mean, square = (whole.index_select(0, rows) for whole in wholes)
        return _Update(wholes, (table, mean, square), values, state["step"], rows)


class _Update(NamedTuple):
    """A parameter and its two moments, and what of them is updated: some rows, or all."""

    wholes: tuple[Tensor, Tensor, Tensor]
    parts: tuple[Tensor, Tensor, Tensor]
    gradient: Tensor
    step: Tensor
    rows: Tensor | None


def _merged(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Rows ``[n]`` of a sparse gradient and their sums ``[n, d]``, each row once.

    On a GPU n is the number of summands, so that the host need not wait to know it; what is left
    over is row 0, padding, with a gradient of 0, which changes nothing however often it is there.
    """
    if gradient.device.type == "cpu":
        gradient = gradient.coalesce()
        return gradient.indices()[0], gradient.values()
    summand, order = gradient._indices()[0].sort()
    nth = F.pad((summand[1:] != summand[:-1]).cumsum(0), (1, 0))
    values = torch.zeros_like(gradient._values()).index_add_(0, nth, gradient._values()[order])
    return torch.zeros_like(summand).scatter_(0, nth, summand), values
