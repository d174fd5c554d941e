"""How a model is run where nothing is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

import torch

from recbole_delta.compute.matmul import quick_float32

SCORES_AT_ONCE = 2**22
"""Scores held at a time: 16 MiB of float32, which stay in the cache while they are compared."""

CASES_AT_ONCE = 64
"""Fewer would read the vectors of a large catalogue too often."""


def cases_at_once(n_items: int) -> int:
    """How many histories to score together over so many items."""
    return max(CASES_AT_ONCE, SCORES_AT_ONCE // n_items)


def model_device(model: torch.nn.Module) -> torch.device:
    """Where the model is, whether or not it has parameters."""
    return next(chain(model.parameters(), model.buffers())).device


@contextmanager
def inference_mode(model: Any) -> Iterator[None]:
    """Without gradients, and with all item vectors computed once for what is scored inside.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel`.
    """
    embedding = model.content_embedding
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(quick_float32(model_device(model)))
        if embedding is not None:
            stack.enter_context(embedding.cached_weight())
        yield
