"""What validation cases say of the offset that cold items deserve: three estimates of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.evaluate import Mode, evaluate_modes
from recbole_delta.evaluator.frontier import Frontier
from recbole_delta.evaluator.group_ranks import GroupRanks
from recbole_delta.evaluator.mass import equal_mass, log_odds
from recbole_delta.evaluator.metrics import expected_gain
from recbole_delta.evaluator.skill import claimed_gain, log_skill

RESAMPLES = 100
"""Draws of the bootstrap that tells how far an offset depends on the targets that there are."""

ERROR = 0.5
"""How far each of the three offsets is from the best one on test data, beyond its standard error:
a standard deviation (``benchmarks/RESULTS.md``)."""


@dataclass(frozen=True)
class Estimates:
    """Three offsets on cold scores that should be one.

    Attributes:
        best: the one with the best total of the metric, the median of a bootstrap.
        spread: standard error of ``best``.
        equal_mass: the one at which cold items have the expected share of the softmax's mass.
        by_skill: that of equal mass, less what the model's confidence is wrong by on cold items.
        skill_spread: standard error of ``by_skill``.
        of_logits: whether the last two mean anything: they read probabilities from scores.
    """

    best: float
    spread: float
    equal_mass: float
    by_skill: float
    skill_spread: float
    of_logits: bool = True

    @property
    def agreed(self) -> float:
        """Their mean, weighted by the inverse of their variances; else the best one alone."""
        if not self.of_logits:
            return self.best
        offsets = self.equal_mass, self.best, self.by_skill
        errors = 0.0, self.spread, self.skill_spread
        return float(np.average(offsets, weights=[1 / (ERROR**2 + e**2) for e in errors]))


@dataclass(frozen=True)
class Evidence:
    """How a model scores ``n`` validation cases, cold and warm.

    Attributes:
        ranks: ranks of the targets among warm and among cold candidates.
        odds: ``[n]`` :func:`~recbole_delta.evaluator.mass.log_odds`.
        claimed: ``[n]`` :func:`~recbole_delta.evaluator.skill.claimed_gain`.
        target: ``[n]`` int64 item ids.
        metric: name in :data:`~recbole_delta.evaluator.metrics.GAINS`, such as ``ndcg``.
        k: k of the metric.
        of_logits: whether the model's scores are logits.
    """

    ranks: GroupRanks
    odds: np.ndarray
    claimed: np.ndarray
    target: np.ndarray
    metric: str
    k: int
    of_logits: bool = True

    @classmethod
    def of(
        cls, model: Any, cases: ColdWarmDataset, metric: str, k: int, batch_size: int
    ) -> Evidence:
        """Score the cases.

        Args:
            model: a :class:`recbole_delta.model.contract.CatalogueModel` with vectors for cold
                items.
            cases: validation data; no training row has seen its cold targets.
            metric: name in :data:`~recbole_delta.evaluator.metrics.GAINS`, such as ``ndcg``.
            k: k of the metric.
            batch_size: most sequences at a time.
        """
        mode = Mode("all", cases.settings.cold_history)
        [evaluation] = evaluate_modes(model, cases, [mode], k=k, batch_size=batch_size)
        odds = log_odds(model, cases, batch_size)
        claimed = claimed_gain(model, cases, metric, k, batch_size)
        target = cases.instances.target.numpy()
        of_logits = model.scores_are_logits
        return cls(evaluation.groups, odds, claimed, target, metric, k, of_logits)

    @property
    def is_cold(self) -> np.ndarray:
        """``[n]`` bool, whether the target is cold."""
        return self.ranks.is_cold

    def among(self, index: np.ndarray) -> Evidence:
        """That of some cases, by their positions."""
        odds, claimed, target = self.odds[index], self.claimed[index], self.target[index]
        return replace(self, ranks=self.ranks.of(index), odds=odds, claimed=claimed, target=target)

    def frontier(self, share: float | None) -> Frontier:
        """The frontier of the cases; ``share`` is the weight of cold ones, None for their share."""
        return Frontier(self.ranks, self.metric, self.k, share)

    def estimates(self, share: float | None) -> Estimates:
        """The three estimates.

        Args:
            share: the expected share of cold targets; None for that of the cases.
        """
        frontier = self.frontier(share)
        mass = equal_mass(self.odds, frontier.share)
        draws = resampled_best(frontier, self.target), mass + self._resampled_skill()
        best, by_skill = (float(np.median(each)) for each in draws)
        spread, skill_spread = (float(each.std()) for each in draws)
        return Estimates(best, spread, mass, by_skill, skill_spread, self.of_logits)

    def _resampled_skill(self) -> np.ndarray:
        """``[RESAMPLES]`` log of the skill on cold items, by the bootstrap of the best offset."""
        gain = expected_gain(self.metric, self.ranks.within(), self.k)
        draws = _resampled(self.is_cold, self.target, RESAMPLES)
        return np.array([log_skill(gain[n], self.claimed[n], self.is_cold[n]) for n in draws])


def resampled_best(frontier: Frontier, target: np.ndarray, n: int = RESAMPLES) -> np.ndarray:
    """The best offset with other target items: a bootstrap over items, cold and warm apart.

    Items and not cases are drawn, because all cases of an item are ranked well or badly together.

    Args:
        frontier: frontier of the cases.
        target: ``[cases]`` their items.
        n: number of draws.

    Returns:
        ``[n]`` float64; the same numbers for the same cases, however their items are numbered.
    """
    found = []
    for drawn in _resampled(frontier.ranks.is_cold, target, n):
        ranks = frontier.ranks.of(drawn)
        found.append(Frontier(ranks, frontier.metric, frontier.k, frontier.share).best_offset)
    return np.array(found)


def _resampled(is_cold: np.ndarray, target: np.ndarray, n: int) -> Iterator[np.ndarray]:
    """Positions of the cases of n draws of items, cold and warm ones apart."""
    random = np.random.default_rng(0)
    groups = [_cases_by_item(target, np.flatnonzero(mask)) for mask in (is_cold, ~is_cold)]
    for _ in range(n):
        drawn = [items[i] for items in groups for i in random.integers(0, len(items), len(items))]
        yield np.concatenate(drawn)


def _cases_by_item(target: np.ndarray, cases: np.ndarray) -> list[np.ndarray]:
    """The cases of each item, items in the order of their first case."""
    _, first, item = np.unique(target[cases], return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))[item]
    ordered = cases[np.argsort(place, kind="stable")]
    return np.split(ordered, np.cumsum(np.bincount(place))[:-1])
