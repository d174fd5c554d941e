"""How far to lift cold items: the constant to add to their scores, chosen on validation data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.evaluate import Mode, case_scores, evaluate_modes, with_history
from recbole_delta.evaluator.frontier import Frontier
from recbole_delta.evaluator.inference import cases_at_once, inference_mode

QUANTILES = 101
"""Numbers by which a checkpoint remembers how log-odds are distributed over histories."""

DIGITS = 4
"""Decimals of an offset: more of them are the noise of float32."""

LARGEST = 30.0
"""No offset is looked for beyond it, either sign: e to this power is all the mass there is."""


@dataclass(frozen=True)
class Calibration:
    """An offset on the scores of all cold items, and what it was chosen from.

    Attributes:
        offset: is added to the scores of all cold items.
        best: the offset with the best total of the validation metric.
        equal_mass: the offset at which cold items have the expected share of the softmax's mass.
        share: the expected share of cold targets.
    """

    offset: float
    best: float
    equal_mass: float
    share: float


def choose_offset(
    model: Any,
    cases: ColdWarmDataset,
    odds: np.ndarray,
    metric: str,
    k: int,
    share: float | None,
    batch_size: int,
) -> Calibration:
    """The offset half-way between the best one on ``cases`` and that of equal mass.

    The best one knows how well the model ranks cold items, but depends on the few cold items that
    validation has; that of equal mass (the most likely one: the mean probability of a cold target
    is the share of cold targets) is steady, but takes the model's confidence for its skill. What
    either and their mean lose on test data is in ``benchmarks/RESULTS.md``.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel` with vectors for cold items
            and no offset.
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
    best, mass = frontier.best_offset, equal_mass(odds, frontier.share)
    # Test rows decide in what order cold items are numbered, and so the last bits of scores.
    return Calibration(round((best + mass) / 2, DIGITS), best, mass, frontier.share)


def log_odds(model: Any, cases: ColdWarmDataset, batch_size: int) -> np.ndarray:
    """Log P(cold) − log P(warm) by the softmax over the candidates, ``[n]`` float64.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel`.
        cases: n cases with a history; those without one are left out. Their targets are not used.
        batch_size: most sequences at a time.
    """
    model.eval()
    drop = cases.settings.cold_history == "drop"
    step = min(batch_size, cases_at_once(cases.item_num))
    found = []
    with inference_mode(model):
        for index in with_history(cases, drop, step):
            scores = case_scores(model, cases, index, drop, None)
            warm, cold = scores[:, 1 : cases.n_warm + 1], scores[:, cases.n_warm + 1 :]
            found.append((cold.logsumexp(1) - warm.logsumexp(1)).cpu().double().numpy())
    odds = np.concatenate(found) if found else np.empty(0)
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
