"""How far to lift cold items: constants to add to their scores, chosen on validation data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.evidence import Evidence
from recbole_delta.evaluator.mass import equal_mass, rounded

LEAST_CASES = 10
"""Cold and warm validation targets, after a cold item and after others, that say enough."""


@dataclass(frozen=True)
class Calibration:
    """An offset on the scores of all cold items, and what it was chosen from.

    Attributes:
        offset: is added to the scores of all cold items.
        best: the offset with the best total of the validation metric, the median of a bootstrap;
            None where validation has no cold targets.
        spread: standard error of ``best``; None with it.
        equal_mass: the offset at which cold items have the expected share of the softmax's mass.
        share: the expected share of cold targets.
        by_skill: that of equal mass, less what the model's confidence is wrong by on cold items;
            None where validation has no cold targets.
        skill_spread: standard error of ``by_skill``; None with it.
        total: the metric on cold and warm validation targets at ``offset``, the cold ones with the
            weight ``share``; None where validation has no cold targets.
        after_cold: is added besides after a history whose last item is cold.
    """

    offset: float
    best: float | None
    spread: float | None
    equal_mass: float
    share: float
    by_skill: float | None = None
    skill_spread: float | None = None
    total: float | None = None
    after_cold: float = 0.0

    @classmethod
    def by_evidence(
        cls, evidence: Evidence, share: float | None, after_cold: float = 0.0
    ) -> Calibration:
        """What :func:`choose_offset` finds.

        Args:
            evidence: how a model without ``cold_offset`` scores validation cases.
            share: the expected share of cold targets; None for that of the cases.
            after_cold: the constant that the model has already.
        """
        frontier, three = evidence.frontier(share), evidence.estimates(share)
        # Test rows decide in what order cold items are numbered, and so the last bits of scores.
        offset = rounded(three.agreed, three.of_logits)
        return cls(
            offset,
            best=three.best,
            spread=three.spread,
            equal_mass=three.equal_mass,
            share=frontier.share,
            by_skill=three.by_skill,
            skill_spread=three.skill_spread,
            total=frontier.total_at(offset),
            after_cold=after_cold,
        )

    @classmethod
    def by_mass(cls, odds: np.ndarray, share: float, after_cold: float = 0.0) -> Calibration:
        """The offset of equal mass, for want of anything better; 0 where it cannot be measured.

        Args:
            odds: :func:`~recbole_delta.evaluator.mass.log_odds` of the model; nothing but NaN where
                there are no cold candidates, or no case has a history.
            share: the expected share of cold targets.
            after_cold: the constant that the model has already.
        """
        mass = equal_mass(odds, share) if np.isfinite(odds).any() else 0.0
        return cls(rounded(mass), None, None, mass, share, after_cold=after_cold)


def choose_offset(
    model: Any,
    cases: ColdWarmDataset,
    metric: str,
    k: int,
    share: float | None,
    batch_size: int,
) -> Calibration:
    """The offset that three estimates of it agree on.

    The best one on ``cases`` knows how well the model ranks cold items, but depends much on the
    ones that validation happens to have. That of equal mass (the most likely one: the mean
    probability of a cold target is the share of cold targets) depends on none, but takes the
    model's confidence for its skill. That of equal mass with the confidence corrected by what came
    true on ``cases`` (:func:`~recbole_delta.evaluator.skill.log_skill`) is between the two. They
    are weighted by the inverse of their variances, as measurements of one thing are. Of a model
    whose scores are no logits (``scores_are_logits``) the best one alone counts. What that loses on
    test data is in ``benchmarks/RESULTS.md``.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel` with vectors for cold items
            and ``cold_offset`` 0; its other offsets are taken into account.
        cases: validation data with cold and warm targets; no training row has seen the cold ones.
        metric: name in :data:`~recbole_delta.evaluator.metrics.GAINS`, such as ``ndcg``.
        k: k of the metric.
        share: the expected share of cold targets; None for that of ``cases``.
        batch_size: most sequences at a time.
    """
    evidence = Evidence.of(model, cases, metric, k, batch_size)
    return Calibration.by_evidence(evidence, share, model.after_cold_offset)


def choose_after_cold_offset(
    model: Any,
    cases: ColdWarmDataset,
    metric: str,
    k: int,
    share: float | None,
    batch_size: int,
) -> float:
    """How much further to lift cold items after a history whose last item is cold.

    Who has just taken a new item lives in a time that has new items, and goes on taking them: more
    often than the content of that item lets the model expect. So the offset is estimated on the
    cases after a cold item and on the others apart, each as :func:`choose_offset` does; their
    difference is what the first need besides.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel` with vectors for cold items
            and no offset on them.
        cases: validation data with cold and warm targets; no training row has seen the cold ones.
        metric: name in :data:`~recbole_delta.evaluator.metrics.GAINS`, such as ``ndcg``.
        k: k of the metric.
        share: the expected share of cold targets; None for that of ``cases``.
        batch_size: most sequences at a time.

    Returns:
        0 where the model is not shown cold items of a history, and where there are fewer than
        :data:`LEAST_CASES` cold or warm targets after a cold item, or after others.
    """
    after_cold = cases.ends_cold.numpy()
    if cases.settings.cold_history == "drop" or not after_cold.any():
        return 0.0
    evidence = Evidence.of(model, cases, metric, k, batch_size)
    return difference_after_cold(evidence, after_cold, share)


def difference_after_cold(evidence: Evidence, after_cold: np.ndarray, share: float | None) -> float:
    """The difference of the offsets that cases after a cold item and the others need.

    Args:
        evidence: how a model scores ``n`` validation cases.
        after_cold: ``[n]`` bool, whether the last item of the history is cold.
        share: the expected share of cold targets; None for that of the cases.

    Returns:
        0 where a group has fewer than :data:`LEAST_CASES` cold or warm targets.
    """
    is_cold, expected = evidence.is_cold, evidence.frontier(share).share
    n_cold, n_warm = int(is_cold.sum()), int((~is_cold).sum())
    offsets = []
    for group in (after_cold, ~after_cold):
        cold, warm = int(is_cold[group].sum()), int((~is_cold)[group].sum())
        if min(cold, warm) < LEAST_CASES:
            return 0.0
        # The group's share of cold targets where they have the expected one in all (Bayes).
        odds = expected * cold / n_cold / ((1 - expected) * warm / n_warm)
        estimates = evidence.among(np.flatnonzero(group)).estimates(odds / (1 + odds))
        offsets.append(estimates.agreed)
    return rounded(offsets[0] - offsets[1], evidence.of_logits)
