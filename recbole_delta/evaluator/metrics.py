"""Top-k metrics of one target per case, exact in expectation under ties.

With a single relevant item the metrics of RecBole reduce to a gain at the target's rank r:
NDCG 1 / log₂(r + 1) (Järvelin & Kekäläinen 2002; the ideal DCG is 1), Hit and Recall 1,
MRR and MAP 1 / r, Precision 1 / k, and 0 beyond k. A tied target gets the mean gain over the ranks
it may take, as if ties were broken at random (McSherry & Najork 2008), never by item id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recbole_delta.evaluator.ranking import TargetRanks

GAINS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "ndcg": lambda rank, k: 1 / np.log2(rank + 1),
    "hit": lambda rank, k: np.ones_like(rank),
    "recall": lambda rank, k: np.ones_like(rank),
    "mrr": lambda rank, k: 1 / rank,
    "map": lambda rank, k: 1 / rank,
    "precision": lambda rank, k: np.full_like(rank, 1 / k),
}
"""Gain of a target by the metric's name: from ranks ``[n]`` up to k, and k, to ``[n]``."""

GROUPS = ("total", "cold", "warm")
"""Groups of test cases by whether the target is cold."""


def expected_gain(metric: str, ranks: TargetRanks, k: int) -> np.ndarray:
    """The metric of every case at k, in expectation over random orders of ties.

    Args:
        metric: name in :data:`GAINS`, such as ``ndcg``.
        ranks: ranks of ``n`` targets.
        k: length of the list of recommendations, at least 1.

    Returns:
        ``[n]`` float64, from 0 to 1.

    Example:
        A target that shares the first rank with another item is first or second, each half of the
        time; one that is third is no hit at 2:

        >>> import numpy as np
        >>> ranks = TargetRanks(above=np.array([0, 2]), tied=np.array([1, 0]))
        >>> expected_gain("mrr", ranks, k=2).tolist()
        [0.75, 0.0]
        >>> expected_gain("hit", ranks, k=1).tolist()
        [0.5, 0.0]
    """
    cumulated = cumulated_gain(metric, k)
    first = np.minimum(ranks.above, k)
    last = np.minimum(ranks.above + ranks.tied + 1, k)
    return (cumulated[last] - cumulated[first]) / (ranks.tied + 1)


def cumulated_gain(metric: str, k: int) -> np.ndarray:
    """``[k + 1]`` float64 sums of the gains at the ranks 1 .. r, for r = 0 .. ``k``."""
    gain = GAINS[metric](np.arange(1, k + 1, dtype=np.float64), k)
    return np.concatenate([[0.0], np.cumsum(gain)])


def group_masks(is_cold: np.ndarray) -> dict[str, np.ndarray]:
    """Masks of the cases by group.

    Args:
        is_cold: ``[n]`` bool, whether the case's target is cold.

    Returns:
        ``[n]`` bool for each of :data:`GROUPS`.
    """
    return {"total": np.ones_like(is_cold), "cold": is_cold, "warm": ~is_cold}


def metric_key(metric: str, group: str, k: int) -> str:
    """Key of a value: ``ndcg@10`` for ``ndcg`` over all cases, ``ndcg_cold@10`` over cold ones."""
    return f"{metric}@{k}" if group == "total" else f"{metric}_{group}@{k}"


def grouped_metrics(
    ranks: TargetRanks, is_cold: np.ndarray, metrics: Sequence[str], topk: Sequence[int]
) -> dict[str, float]:
    """Mean of every metric at every k over the cold, warm and all cases, unrounded.

    Args:
        ranks: ranks of ``n`` targets.
        is_cold: ``[n]`` bool, whether the target is cold.
        metrics: names in :data:`GAINS`.
        topk: values of k, at least 1.

    Returns:
        values by the key of :func:`metric_key`; a group without cases has none.

    Example:
        >>> import numpy as np
        >>> ranks = TargetRanks(above=np.array([0, 1, 7]), tied=np.array([0, 0, 0]))
        >>> is_cold = np.array([False, True, True])
        >>> grouped_metrics(ranks, is_cold, ["mrr"], [5])
        {'mrr@5': 0.5, 'mrr_cold@5': 0.25, 'mrr_warm@5': 1.0}
    """
    masks = {group: mask for group, mask in group_masks(is_cold).items() if mask.any()}
    result = {}
    for metric in metrics:
        for k in topk:
            gain = expected_gain(metric, ranks, k)
            for group, mask in masks.items():
                result[metric_key(metric, group, k)] = float(gain[mask].mean())
    return result
