"""What the frontier of an evaluation comes to, as metrics that no constant offset can change."""

from __future__ import annotations

from collections.abc import Sequence

from recbole_delta.evaluator.frontier import Frontier
from recbole_delta.evaluator.group_ranks import GroupRanks
from recbole_delta.evaluator.metrics import metric_key

FRONTIER = ("within_cold", "within_warm", "best", "area")
"""Metrics of a frontier: cold targets among cold candidates, warm among warm, the best total along
the offset, and the area under the curve of cold against warm."""


def frontier_metrics(
    ranks: GroupRanks, metrics: Sequence[str], topk: Sequence[int], *, embeds_cold_items: bool
) -> dict[str, float]:
    """The values of :data:`FRONTIER` for every metric at every k, unrounded.

    Args:
        ranks: ranks of ``n`` targets by group of the candidates.
        metrics: names in :data:`recbole_delta.evaluator.metrics.GAINS`.
        topk: values of k, at most the K of ``ranks``.
        embeds_cold_items: False for a model without vectors for cold items, which has
            ``within_warm`` alone.

    Returns:
        values by the key of :func:`~recbole_delta.evaluator.metrics.metric_key`, from 0 to 1;
        none where the targets are all warm or all cold, as then there is nothing to trade.

    Example:
        Two histories with the same scores; items 3 and 4 are cold. At offset 0 the cold target is
        behind both warm items, among cold ones it is the first:

        >>> import torch
        >>> from recbole_delta.evaluator.group_ranks import rank_in_groups
        >>> scores = torch.tensor([[-torch.inf, 3.0, 2.0, 1.0, 0.0]] * 2)
        >>> ranks = rank_in_groups(scores, torch.tensor([3, 1]), n_warm=2, k=1)
        >>> found = frontier_metrics(ranks, ["hit"], [1], embeds_cold_items=True)
        >>> found["hit_within_cold@1"], found["hit_within_warm@1"]
        (1.0, 1.0)
        >>> found["hit_best@1"], found["hit_area@1"]  # one place for two: either or the other
        (0.5, 0.0)
    """
    if ranks.is_cold.all() or not ranks.is_cold.any():
        return {}
    result = {}
    for metric in metrics:
        for k in topk:
            curve = Frontier(ranks, metric, k)
            values = {"within_warm": curve.within_warm}
            if embeds_cold_items:
                values["within_cold"] = curve.within_cold
                values |= {"best": curve.best_total, "area": curve.area}
            for name in FRONTIER:
                if name in values:
                    result[metric_key(metric, name, k)] = values[name]
    return result
