"""How far a model's confidence comes true: on cold items often less than on warm ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.inference import inference_mode
from recbole_delta.evaluator.metrics import cumulated_gain
from recbole_delta.evaluator.scoring import drops_cold, scored_blocks


def claimed_gain(
    model: Any, cases: ColdWarmDataset, metric: str, k: int, batch_size: int
) -> np.ndarray:
    """What the metric would be if the model's probabilities were right, ``[n]`` float64.

    Each target is ranked among its own group, the cold or the warm candidates, and the softmax over
    these says how likely each of the k best is. The target itself is not used.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel`.
        cases: n cases; one without a history claims nothing.
        metric: name in :data:`~recbole_delta.evaluator.metrics.GAINS`, such as ``ndcg``.
        k: k of the metric.
        batch_size: most sequences at a time.
    """
    model.eval()
    drop = drops_cold(model, cases.settings.cold_history)
    gain = torch.from_numpy(np.diff(cumulated_gain(metric, k))).float()
    claimed = np.zeros(len(cases))
    with inference_mode(model):
        for index, scores in scored_blocks(model, cases, drop, batch_size):
            cold = cases.has_cold_target[index]
            candidates = scores[:, 1 : cases.n_warm + 1], scores[:, cases.n_warm + 1 :]
            for chosen, of_group in zip((~cold, cold), candidates):
                there = of_group[chosen.to(of_group.device)].softmax(1)
                best = there.topk(min(k, there.size(1))).values.nan_to_num(0.0).cpu()
                claimed[index[chosen].numpy()] = (best @ gain[: best.size(1)]).numpy()
    return claimed


def log_skill(gain: np.ndarray, claimed: np.ndarray, is_cold: np.ndarray) -> float:
    """Log of how much of its confidence comes true on cold targets, over the same on warm ones.

    If the k best cold items are taken half as often as the model says, and the warm ones as often
    as it says, every cold item deserves half of its mass: this much less in its score.

    Args:
        gain: ``[n]`` the metric of each target, ranked among its own group.
        claimed: ``[n]`` :func:`claimed_gain`.
        is_cold: ``[n]`` bool, whether the target is cold.

    Example:
        Of 50 hits among cold items that the model claims 11 come true, of 50 among warm ones all
        (one more of each is taken to be claimed and true, so that few cases say little):

        >>> import numpy as np
        >>> gain, claimed = np.r_[np.full(100, 0.11), np.full(100, 0.5)], np.full(200, 0.5)
        >>> round(float(np.exp(log_skill(gain, claimed, np.arange(200) < 100))), 3)
        0.235
    """
    cold, warm = (
        np.log((gain[mask].sum() + 1) / (claimed[mask].sum() + 1)) for mask in (is_cold, ~is_cold)
    )
    return float(cold - warm)
