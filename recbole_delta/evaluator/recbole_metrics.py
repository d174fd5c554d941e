"""The cold and warm metrics as RecBole metric classes, so that its Config accepts their names."""

from __future__ import annotations

from typing import Any

from recbole.evaluator.base_metric import AbstractMetric
from recbole.utils import EvaluatorType

from dataset_prep.errors import DeltaError
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.metrics import GAINS, GROUPS, metric_key


class GroupMetric(AbstractMetric):
    """A metric over the cold or the warm targets, such as ``NDCG_cold``, as RecBole knows it.

    RecBole's collector does not know which targets are cold; ``ColdWarmTrainer`` computes
    these values. RecBole reads the attributes of this class only.
    """

    metric_type = EvaluatorType.RANKING
    metric_need: list[str] = []  # noqa: RUF012 (RecBole's contract)
    smaller = False

    def calculate_metric(self, dataobject: Any) -> dict[str, float]:
        """Refuse: reached only in a stock trainer.

        Raises:
            DeltaError: always.
        """
        raise DeltaError(
            f"{type(self).__name__} needs the cold/warm evaluation: "
            "run the model with recbole-delta instead of RecBole's own runner."
        )


def group_metrics() -> dict[str, type[GroupMetric]]:
    """Metric classes by the lower-case name under which RecBole looks them up."""
    names = [f"{metric}_{group}" for metric in GAINS for group in GROUPS if group != "total"]
    return {name: type(name, (GroupMetric,), {}) for name in names}


def wanted_metrics(names: list[str]) -> list[str]:
    """The metrics behind RecBole's ``metrics`` setting, without their groups.

    Args:
        names: names as RecBole takes them, such as ``NDCG`` and ``Hit_cold``.

    Returns:
        each once, in lower case: ``ndcg``, ``hit``.

    Raises:
        DeltaError: a metric that has no cold/warm version.
    """
    wanted = []
    for name in names:
        metric = name.lower()
        for group in GROUPS:
            metric = metric.removesuffix(f"_{group}")
        if metric not in GAINS:
            known = ", ".join(GAINS)
            raise DeltaError(f"metrics: {name} has no cold/warm version; choose from {known}.")
        if metric not in wanted:
            wanted.append(metric)
    return wanted


def check_valid_metric(valid_metric: str, metrics: list[str], topk: list[int]) -> None:
    """Check that ``valid_metric`` is one of the values that an evaluation gives.

    Args:
        valid_metric: key in lower case, such as ``ndcg_warm@10``.
        metrics: names of :func:`wanted_metrics`.
        topk: values of k.

    Raises:
        DeltaError: it is not.
    """
    keys = {metric_key(metric, group, k) for metric in metrics for group in GROUPS for k in topk}
    if valid_metric not in keys:
        raise DeltaError(
            f"valid_metric: {valid_metric} is not among metrics {', '.join(metrics)} "
            f"(with _cold, _warm or neither) at {topk}; set it to one of them, such as "
            f"{metrics[0]}_warm@{topk[0]}."
        )


def check_validation(valid_metric: str, cases: ColdWarmDataset) -> None:
    """Check that the group of the validation metric has targets, and that they can be recommended.

    Without any validation target there is no early stopping, whatever the metric says of warm
    items.

    Args:
        valid_metric: key in lower case, such as ``ndcg_warm@10``.
        cases: the validation data set.

    Raises:
        DeltaError: the metric would have no value, or always 0.
    """
    n_cold = int((cases.instances.target > cases.n_warm).sum())
    n_warm = len(cases.instances) - n_cold
    for group, count, other in (("cold", n_cold, 1), ("warm", n_warm, n_cold)):
        if f"_{group}" in valid_metric and other and not count:
            raise DeltaError(
                f"valid_metric: {valid_metric} has no value, because the protocol of "
                f"{cases.dataset_name} gives no {group} validation target; use another group."
            )
    if "_cold" in valid_metric and cases.drops_cold:
        raise DeltaError(
            f"valid_metric: {valid_metric} is always 0 for a model without vectors for cold items; "
            "use another group."
        )
    if "_cold" in valid_metric and cases.settings.valid_candidates == "warm":
        raise DeltaError(
            f"valid_metric: {valid_metric} is always 0 where only warm items are ranked; "
            "set valid_candidates: all."
        )
