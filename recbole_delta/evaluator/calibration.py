"""How far to lift cold items: the constant to add to their scores, chosen on validation data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.evaluate import Mode, evaluate_modes
from recbole_delta.evaluator.frontier import Frontier
from recbole_delta.evaluator.inference import inference_mode
from recbole_delta.evaluator.metrics import expected_gain
from recbole_delta.evaluator.scoring import drops_cold, scored_blocks
from recbole_delta.evaluator.skill import claimed_gain, log_skill

QUANTILES = 101
"""Numbers by which a checkpoint remembers how log-odds are distributed over histories."""

DIGITS = 4
"""Decimals of an offset: more of them are the noise of float32."""

LARGEST = 30.0
"""Equal mass is looked for up to it, either sign: e to this power is all the mass there is."""

RESAMPLES = 100
"""Draws of the bootstrap that tells how far an offset depends on the targets that there are."""

ERROR = 0.5
"""How far each of the three offsets is from the best one on test data, beyond its standard error:
a standard deviation (``benchmarks/RESULTS.md``)."""


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
    """

    offset: float
    best: float | None
    spread: float | None
    equal_mass: float
    share: float
    by_skill: float | None = None
    skill_spread: float | None = None
    total: float | None = None

    @classmethod
    def by_mass(cls, odds: np.ndarray, share: float) -> Calibration:
        """The offset of equal mass, for want of anything better; 0 where no item is cold yet.

        Args:
            odds: :func:`log_odds` of the model; empty where there are no cold candidates.
            share: the expected share of cold targets.
        """
        mass = equal_mass(odds, share) if len(odds) else 0.0
        return cls(round(mass, DIGITS), None, None, mass, share)


def choose_offset(
    model: Any,
    cases: ColdWarmDataset,
    odds: np.ndarray,
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
    are weighted by the inverse of their variances, as measurements of one thing are. What that
    loses on test data is in ``benchmarks/RESULTS.md``.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel` with vectors for cold items
            and no offset on them.
        cases: validation data with cold and warm targets; no training row has seen the cold ones.
        odds: :func:`log_odds` of the model on ``cases``.
        metric: ``ndcg``, ``hit``, ``recall`` or ``mrr``.
        k: k of the metric.
        share: the expected share of cold targets; None for that of ``cases``.
        batch_size: most sequences at a time.
    """
    mode = Mode("all", cases.settings.cold_history)
    [evaluation] = evaluate_modes(model, cases, [mode], k=k, batch_size=batch_size)
    frontier = Frontier(evaluation.groups, metric, k, share)
    target = cases.instances.target.numpy()
    claimed = claimed_gain(model, cases, metric, k, batch_size)
    mass = equal_mass(odds, frontier.share)
    draws = resampled_best(frontier, target), mass + resampled_skill(frontier, claimed, target)
    best, by_skill = (float(np.median(each)) for each in draws)
    spread, skill_spread = (float(each.std()) for each in draws)
    weights = [1 / (ERROR**2 + error**2) for error in (0.0, spread, skill_spread)]
    # Test rows decide in what order cold items are numbered, and so the last bits of scores.
    offset = round(float(np.average([mass, best, by_skill], weights=weights)), DIGITS)
    estimates = (best, spread, mass, frontier.share, by_skill, skill_spread)
    return Calibration(offset, *estimates, total=frontier.total_at(offset))


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


def resampled_skill(
    frontier: Frontier, claimed: np.ndarray, target: np.ndarray, n: int = RESAMPLES
) -> np.ndarray:
    """The skill on cold items with other target items, by the same bootstrap.

    Args:
        frontier: frontier of the cases.
        claimed: ``[cases]`` what the model claims of each.
        target: ``[cases]`` their items.
        n: number of draws.

    Returns:
        ``[n]`` float64 values of :func:`~recbole_delta.evaluator.skill.log_skill`.
    """
    is_cold = frontier.ranks.is_cold
    gain = expected_gain(frontier.metric, frontier.ranks.within(), frontier.k)
    draws = _resampled(is_cold, target, n)
    return np.array([log_skill(gain[each], claimed[each], is_cold[each]) for each in draws])


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


def log_odds(model: Any, cases: ColdWarmDataset, batch_size: int) -> np.ndarray:
    """Log P(cold) − log P(warm) by the softmax over the candidates, ``[n]`` float64.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel`.
        cases: n cases with a history; those without one are left out. Their targets are not used.
        batch_size: most sequences at a time.
    """
    model.eval()
    drop = drops_cold(model, cases.settings.cold_history)
    found = []
    with inference_mode(model):
        for _, scores in scored_blocks(model, cases, drop, batch_size):
            warm, cold = scores[:, 1 : cases.n_warm + 1], scores[:, cases.n_warm + 1 :]
            found.append(cold.logsumexp(1) - warm.logsumexp(1))
    odds = torch.cat(found).cpu().double().numpy() if found else np.empty(0)
    return odds[np.isfinite(odds)]


def equal_mass(log_odds: Sequence[float] | np.ndarray, share: float) -> float:
    """The offset at which the mean probability of a cold target is ``share``.

    Args:
        log_odds: log P(cold) − log P(warm) after each history, without an offset.
        share: between 0 and 1, both excluded.

    Example:
        >>> round(equal_mass([-1.0, -1.0], 0.5), 6)
        1.0
    """
    odds = torch.as_tensor(np.asarray(log_odds, dtype=np.float64))
    low, high = -LARGEST, LARGEST
    for _ in range(60):  # halves the interval to less than a float64 can tell
        middle = (low + high) / 2
        if torch.sigmoid(odds + middle).mean() < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def quantiles(log_odds: np.ndarray) -> tuple[float, ...]:
    """:data:`QUANTILES` numbers in the place of many."""
    if not len(log_odds):
        return ()
    return tuple(np.quantile(log_odds, np.linspace(0, 1, QUANTILES)).round(DIGITS).tolist())
