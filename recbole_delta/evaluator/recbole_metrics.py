"""The cold and warm metrics as RecBole metric classes, so that its Config accepts their names."""

from __future__ import annotations

from typing import Any

from recbole.evaluator.base_metric import AbstractMetric
from recbole.utils import EvaluatorType

from dataset_prep.errors import DeltaError
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.frontier_metrics import FRONTIER
from recbole_delta.evaluator.metrics import GAINS, GROUPS, metric_key

KINDS = (*FRONTIER, *GROUPS)
"""What a metric may be of: a value of the frontier, or a group of targets."""


class GroupMetric(AbstractMetric):
    """A metric of cold or warm targets or of the frontier, such as ``NDCG_cold``, for RecBole.

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
    names = [f"{metric}_{kind}" for metric in GAINS for kind in KINDS if kind != "total"]
    return {name: type(name, (GroupMetric,), {}) for name in names}


def wanted_metrics(names: list[str]) -> list[str]:
    """The metrics behind RecBole's ``metrics`` setting, without their groups.

    Args:
        names: names as RecBole takes them, such as ``NDCG``, ``Hit_cold`` and ``MRR_best``.

    Returns:
        each once, in lower case: ``ndcg``, ``hit``.

    Raises:
        DeltaError: a metric that has no cold/warm version.
    """
    wanted = []
    for name in names:
        metric = name.lower()
        for kind in KINDS:  # _within_cold before _cold
            metric = metric.removesuffix(f"_{kind}")
        if metric not in GAINS:
            known = ", ".join(GAINS)
            raise DeltaError(f"metrics: {name} has no cold/warm version; choose from {known}.")
        if metric not in wanted:
            wanted.append(metric)
    return wanted


def check_valid_metric(valid_metric: str, metrics: list[str], topk: list[int]) -> None:
    """Check that ``valid_metric`` is one of the values that an evaluation gives.

    Args:
        valid_metric: key in lower case, such as ``ndcg_warm@10`` or ``ndcg_best@10``.
        metrics: names of :func:`wanted_metrics`.
        topk: values of k.

    Raises:
        DeltaError: it is not.
    """
    keys = {metric_key(metric, kind, k) for metric in metrics for kind in KINDS for k in topk}
    if valid_metric not in keys:
        raise DeltaError(
            f"valid_metric: {valid_metric} is not among metrics {', '.join(metrics)} "
            f"(with _cold, _warm, _{', _'.join(FRONTIER)} or none of these) at {topk}; set it to "
            f"one of them, such as {metrics[0]}_warm@{topk[0]}."
        )


def check_validation(valid_metric: str, cases: ColdWarmDataset) -> None:
    """Check that the validation metric has a value that says something.

    A metric of cold targets, and one of the frontier, needs such targets among all candidates, and
    a model that can recommend them. Without any validation target there is no early stopping,
    whatever the metric says of warm items.

    Args:
        valid_metric: key in lower case, such as ``ndcg_warm@10`` or ``ndcg_best@10``.
        cases: the validation data set.

    Raises:
        DeltaError: the metric would have no value, or always 0.
    """
    kind = next((kind for kind in KINDS if f"_{kind}@" in valid_metric), "total")
    of_frontier = kind in FRONTIER
    n_cold = int(cases.has_cold_target.sum())
    n_warm = len(cases.instances) - n_cold
    needs_cold = kind == "cold" or (of_frontier and (kind != "within_warm" or n_warm > 0))
    needs_warm = kind == "warm" or of_frontier
    for group, missing in (
        ("cold", needs_cold and not n_cold),
        ("warm", needs_warm and n_cold and not n_warm),
    ):
        if missing:
            raise DeltaError(
                f"valid_metric: {valid_metric} has no value, because the protocol of "
                f"{cases.dataset_name} gives no {group} validation target; use another group."
            )
    nothing = "has no value" if of_frontier else "is always 0"
    if needs_cold and kind != "within_warm" and cases.drops_cold:
        raise DeltaError(
            f"valid_metric: {valid_metric} {nothing} for a model without vectors for cold items; "
            "use another group."
        )
    if (needs_cold or of_frontier) and cases.settings.valid_candidates == "warm":
        raise DeltaError(
            f"valid_metric: {valid_metric} {nothing} where only warm items are ranked; "
            "set valid_candidates: all."
        )
