"""How a model is run where nothing is trained: how much at once, where, and in what mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any

import torch

from recbole_delta.compute.matmul import quick_float32

SCORES_AT_ONCE = 2**22
"""Scores held at a time: 16 MiB of float32, which stay in the cache while they are compared."""

DEVICE_SCORES_AT_ONCE = 2**27
"""Such scores on a GPU, which smaller blocks would leave idle: 512 MiB of float32."""

CASES_AT_ONCE = 64
"""Histories scored together at least: fewer would read a large catalogue's vectors too often."""


def cases_at_once(n_items: int, device: torch.device) -> int:
    """How many histories to score together.

    Args:
        n_items: number of items that each is scored over, padding included.
        device: where they are scored.
    """
    scores = SCORES_AT_ONCE if device.type == "cpu" else DEVICE_SCORES_AT_ONCE
    return max(CASES_AT_ONCE, scores // n_items)


def model_device(model: torch.nn.Module) -> torch.device:
    """Device of the model, whether it has parameters or buffers only."""
    return next(chain(model.parameters(), model.buffers())).device


@contextmanager
def inference_mode(model: Any) -> Iterator[None]:
    """Within the block: no gradients, and all item vectors are computed once.

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
