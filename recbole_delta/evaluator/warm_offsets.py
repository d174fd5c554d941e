"""Constants for warm items by their number of training rows, chosen on validation data."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from recbole_delta.compute.distributed import of_first
from recbole_delta.compute.transfer import to_device
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.evaluator.evaluate import Mode, evaluate_modes
from recbole_delta.evaluator.inference import inference_mode, model_device
from recbole_delta.evaluator.mass import DIGITS
from recbole_delta.evaluator.scoring import drops_cold, scored_blocks

PARTS = (0.5, 1.0)
"""What part of the likeliest constants is tried besides none: a model that ranks rare items badly
among each other gains nothing from more of them."""


def choose_warm_offsets(
    model: Any, cases: ColdWarmDataset, metric: str, k: int, batch_size: int
) -> tuple[float, ...]:
    """The constants that warm items deserve, for 1, 2, 3 to 4, 5 to 8, ... training rows.

    Training takes an item with a row or two for what it was there: the right answer once or twice,
    and a wrong one everywhere else. What people take next is less sure of that, as in Good and
    Turing's estimate of what was seen once. The constants are the likeliest ones of validation's
    warm targets, with a standard normal prior on each: in the softmax over warm items, the items of
    a class then have the mass that its targets have a share of. Of these, the part that has the
    best validation metric is taken, none at all included.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel` without offsets.
        cases: validation data, which is in no training row.
        metric: name in :data:`~recbole_delta.evaluator.metrics.GAINS`, such as ``ndcg``.
        k: k of the metric.
        batch_size: most sequences at a time.

    Returns:
        a constant for each class that there is; empty where none is better, or there are no warm
        targets. Together they leave warm items the mass that they have beside cold ones, in the
        mean over cases of its logarithm.

    Example:
        >>> import recbole_delta
        >>> from recbole_delta.quick_start.example import example_data
        >>> settings = {**example_data(), "epochs": 3}
        >>> result = recbole_delta.run("SASRecDelta", "example", settings=settings)
        >>> *_, model, _, _, valid, _ = recbole_delta.load_run(result.checkpoint)
        >>> offsets = choose_warm_offsets(model, valid.dataset, "ndcg", 10, 256)
        >>> model.set_offsets(model.cold_offset, offsets)
    """
    mass, target = class_masses(model, cases, batch_size)
    if not len(target):
        return ()
    likeliest = likeliest_offsets(mass, target)
    # Another processor may have found other last bits.
    tried = of_first([(), *(_levelled(part * likeliest, mass) for part in PARTS)])
    best, chosen = -1.0, ()
    mode = Mode("warm", cases.settings.cold_history)
    for offsets in tried:
        model.set_offsets(0.0, offsets)
        [found] = evaluate_modes(model, cases, [mode], k=k, batch_size=batch_size)
        value = found.metrics([metric], [k])[f"{metric}_warm@{k}"]
        if value > best:
            best, chosen = value, offsets
    model.set_offsets(0.0)
    return chosen


def _levelled(offsets: np.ndarray, mass: np.ndarray) -> tuple[float, ...]:
    """Offsets that leave warm items their mean log-mass, rounded."""
    level = (logsumexp(mass + offsets, axis=1) - logsumexp(mass, axis=1)).mean()
    return tuple((offsets - level).round(DIGITS).tolist())


def class_masses(
    model: Any, cases: ColdWarmDataset, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """How the softmax over warm items divides among the classes of training rows.

    Args:
        model: a :class:`recbole_delta.model.contract.CatalogueModel` without offsets.
        cases: cases, of which the n count that have a history and a warm target outside of it.
        batch_size: most sequences at a time.

    Returns:
        ``[n, classes]`` float64 log-masses, −inf for a class without a candidate, and ``[n]`` the
        class of each target.
    """
    model.eval()
    drop = drops_cold(model, cases.settings.cold_history)
    n_classes, device = int(model.warm_class.max()) + 1, model_device(model)
    members = [torch.nonzero(model.warm_class == n).flatten() + 1 for n in range(n_classes)]
    members = [to_device(each, device) for each in members]
    masses, targets = [np.empty((0, n_classes))], [np.empty(0, dtype=np.int64)]
    with inference_mode(model):
        warm = ~cases.has_cold_target
        for index, scores in scored_blocks(model, cases, drop, batch_size, among=warm):
            target = cases.instances.target[index]
            own = scores.gather(1, to_device(target, device)[:, None]).flatten().cpu()
            mass = torch.stack([scores[:, each].logsumexp(1) for each in members], 1).cpu()
            known = torch.isfinite(own)  # what was seen before is no candidate
            masses.append(mass[known].double().numpy())
            targets.append(model.warm_class[target[known] - 1].numpy())
    return np.concatenate(masses), np.concatenate(targets)


def likeliest_offsets(mass: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Offsets of classes with the largest posterior, standard normal a priori, ``[classes]``.

    Args:
        mass: ``[n, classes]`` log-masses.
        target: ``[n]`` classes of the targets.

    Returns:
        float64 with mean 0.

    Example:
        >>> mass = np.log(np.tile([0.9, 0.1], (10_000, 1)))  # class 1 has a tenth of the mass
        >>> target = np.arange(10_000) % 2  # and half of the targets
        >>> gap = np.diff(likeliest_offsets(mass, target))
        >>> gap.round(1), round(float(np.log(9)), 1)
        (array([2.2]), 2.2)
    """
    count = np.bincount(target, minlength=mass.shape[1])

    def loss(offset: np.ndarray) -> tuple[float, np.ndarray]:
        odds = mass + offset
        value = logsumexp(odds, axis=1).sum() - count @ offset + offset @ offset / 2
        return value, softmax(odds, axis=1).sum(0) - count + offset

    return minimize(loss, np.zeros(mass.shape[1]), jac=True, method="L-BFGS-B", tol=1e-12).x
