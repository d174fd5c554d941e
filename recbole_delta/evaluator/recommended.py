"""Which items are recommended at all: how often each is among the best k of a case."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.evaluate import Mode
from recbole_delta.evaluator.inference import inference_mode
from recbole_delta.evaluator.scoring import drops_cold, scored_blocks


def recommended_counts(
    model: Any, cases: ColdWarmDataset, mode: Mode, *, batch_size: int, k: int = 10
) -> np.ndarray:
    """In how many cases each item is among the best k; of tied items at the end, any.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel`; afterwards it is in
            evaluation mode.
        cases: a validation or test data set.
        mode: candidates and history.
        batch_size: most sequences at a time.
        k: length of the list of recommendations.

    Returns:
        ``[n_items]`` int64 without padding, warm items first. A case without a history that the
        model may see is recommended nothing.

    Example:
        >>> import recbole_delta
        >>> from recbole_delta.quick_start.example import example_data
        >>> result = recbole_delta.run("ContentMean", "example", settings=example_data())
        >>> *_, model, _, _, _, test = recbole_delta.load_run(result.checkpoint)
        >>> cases = test.dataset
        >>> found = recommended_counts(model, cases, Mode("all", "keep"), batch_size=256)
        >>> len(found), bool((found > 0).mean() > 0.9)  # 48 items, nearly all in somebody's list
        (48, True)
    """
    model.eval()
    with inference_mode(model):
        drop, n_items = drops_cold(model, mode.cold_history), cases.item_num
        counts = torch.zeros(n_items, dtype=torch.int64)
        for _, scores in scored_blocks(model, cases, drop, batch_size, alike=True):
            scores[:, 0] = -torch.inf
            if mode.candidates == "warm":
                scores[:, cases.n_warm + 1 :] = -torch.inf
            best = scores.topk(min(k, n_items), dim=1)
            chosen = best.indices[torch.isfinite(best.values)].cpu()
            counts += torch.bincount(chosen, minlength=n_items)
    return counts[1:].numpy()
