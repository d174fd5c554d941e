"""How much of the softmax's probability falls on cold items, and the offset that makes it so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.inference import inference_mode
from recbole_delta.evaluator.scoring import drops_cold, scored_blocks

QUANTILES = 101
"""Numbers by which a checkpoint remembers how log-odds are distributed over histories."""

DIGITS = 4
"""Decimals of an offset on logits, digits of another: more of them are the noise of float32."""

LARGEST = 30.0
"""Equal mass is looked for up to it, either sign: e to this power is all the mass there is."""


def log_odds(model: Any, cases: ColdWarmDataset, batch_size: int) -> np.ndarray:
    """Log P(cold) − log P(warm) by the softmax over the candidates, ``[n]`` float64.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel`.
        cases: n cases, of which those without a history have NaN. Their targets are not used.
        batch_size: most sequences at a time.
    """
    model.eval()
    drop = drops_cold(model, cases.settings.cold_history)
    odds = np.full(len(cases), np.nan)
    with inference_mode(model):
        for index, scores in scored_blocks(model, cases, drop, batch_size):
            warm, cold = scores[:, 1 : cases.n_warm + 1], scores[:, cases.n_warm + 1 :]
            odds[index.numpy()] = (cold.logsumexp(1) - warm.logsumexp(1)).cpu().double().numpy()
    odds[~np.isfinite(odds)] = np.nan
    return odds


def equal_mass(log_odds: Sequence[float] | np.ndarray, share: float) -> float:
    """The offset at which the mean probability of a cold target is ``share``.

    Args:
        log_odds: log P(cold) − log P(warm) after each history, without an offset; NaN is left out.
        share: between 0 and 1, both excluded.

    Example:
        >>> round(equal_mass([-1.0, -1.0], 0.5), 6)
        1.0
    """
    odds = torch.as_tensor(_known(log_odds))
    low, high = -LARGEST, LARGEST
    for _ in range(60):  # halves the interval to less than a float64 can tell
        middle = (low + high) / 2
        if torch.sigmoid(odds + middle).mean() < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def rounded(offset: float, of_logits: bool = True) -> float:
    """An offset without the digits that are noise.

    Args:
        offset: what is to be added to scores.
        of_logits: whether these are logits; else they may be of any size.

    Example:
        >>> rounded(1.234567), rounded(-2.464567e-05, of_logits=False)
        (1.2346, -2.465e-05)
    """
    if of_logits or abs(offset) >= 1:
        return round(offset, DIGITS)
    return float(f"{offset:.{DIGITS}g}")


def quantiles(log_odds: np.ndarray) -> tuple[float, ...]:
    """:data:`QUANTILES` numbers in the place of many, NaN left out."""
    known = _known(log_odds)
    if not len(known):
        return ()
    return tuple(np.quantile(known, np.linspace(0, 1, QUANTILES)).round(DIGITS).tolist())


def _known(log_odds: Sequence[float] | np.ndarray) -> np.ndarray:
    odds = np.asarray(log_odds, dtype=np.float64)
    return odds[np.isfinite(odds)]
