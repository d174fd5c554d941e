"""Top-k metrics of one target per case, exact in expectation under ties.

With a single relevant item the metrics of RecBole reduce to a gain at the target's rank r:
NDCG 1 / log₂(r + 1) (Järvelin & Kekäläinen 2002; the ideal DCG is 1), Hit and Recall 1,
MRR 1 / r, and 0 beyond k. A tied target gets the mean gain over the ranks it may take, as
if ties were broken at random (McSherry & Najork 2008), never by item id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recbole_delta.evaluator.ranking import TargetRanks

GAINS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ndcg": lambda rank: 1 / np.log2(rank + 1),
    "hit": np.ones_like,
    "recall": np.ones_like,
    "mrr": lambda rank: 1 / rank,
}
GROUPS = ("total", "cold", "warm")


def expected_gain(metric: str, ranks: TargetRanks, k: int) -> np.ndarray:
    """The metric at ``k`` for every case, ``[n]`` float64: its mean over random tie orders."""
    cumulated = cumulated_gain(metric, k)
    first = np.minimum(ranks.above, k)
    last = np.minimum(ranks.above + ranks.tied + 1, k)
    return (cumulated[last] - cumulated[first]) / (ranks.tied + 1)


def cumulated_gain(metric: str, k: int) -> np.ndarray:
    """``[k + 1]`` the sum of the gains at the ranks 1 .. r, for r = 0 .. ``k``."""
    gain = GAINS[metric](np.arange(1, k + 1, dtype=np.float64))
    return np.concatenate([[0.0], np.cumsum(gain)])


def group_masks(is_cold: np.ndarray) -> dict[str, np.ndarray]:
    """Boolean masks of :data:`GROUPS` by whether each case's target is cold, ``[n]`` bool."""
    return {"total": np.ones_like(is_cold), "cold": is_cold, "warm": ~is_cold}


def metric_key(metric: str, group: str, k: int) -> str:
    """``ndcg@10`` for the total, ``ndcg_cold@10`` and ``ndcg_warm@10`` for the groups."""
    return f"{metric}@{k}" if group == "total" else f"{metric}_{group}@{k}"


def grouped_metrics(
    ranks: TargetRanks, is_cold: np.ndarray, metrics: Sequence[str], topk: Sequence[int]
) -> dict[str, float]:
    """Mean of every metric at every k over the cold, warm and all cases, unrounded.

    A group without cases has no value and no key.
    """
    masks = {group: mask for group, mask in group_masks(is_cold).items() if mask.any()}
    result = {}
    for metric in metrics:
        for k in topk:
            gain = expected_gain(metric, ranks, k)
            for group, mask in masks.items():
                result[metric_key(metric, group, k)] = float(gain[mask].mean())
    return result
