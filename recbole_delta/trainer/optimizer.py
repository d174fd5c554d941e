"""The optimizer of a model, and what it leaves to project."""

from __future__ import annotations

from typing import Any

import torch

from recbole_delta.trainer.row_adam import RowAdam


def quicker(optimizer: torch.optim.Optimizer, updates_rows: bool) -> torch.optim.Optimizer:
    """The optimizer that RecBole has built, or a faster one with the same updates.

    Args:
        optimizer: optimizer from RecBole's ``Trainer._build_optimizer``.
        updates_rows: whether the model's lookups give sparse gradients that only
            :class:`RowAdam` understands.
    """
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    if updates_rows:
        return RowAdam(parameters, optimizer.defaults["lr"])
    if type(optimizer) in (torch.optim.Adam, torch.optim.AdamW):
        # One pass over the moments instead of one for each operation.
        given = {name: optimizer.defaults[name] for name in ("lr", "weight_decay")}
        return type(optimizer)(parameters, **given, fused=True)  # type: ignore[call-arg]
    return optimizer


def project(model: Any, optimizer: torch.optim.Optimizer) -> None:
    """Put the deltas that a step has moved back into their ball (the paper's renorm).

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel`.
        optimizer: optimizer of the model, which has just made a step.
    """
    embedding = model.content_embedding
    if embedding is not None and embedding.bounded is not None:
        few = optimizer.updated_rows(embedding.bounded) if isinstance(optimizer, RowAdam) else None
        embedding.project_(few)
