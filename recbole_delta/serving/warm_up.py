"""Deltas of items that came after training, from their first interactions."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dataset_prep.errors import DeltaError
from recbole_delta.data.sequences import FlatSequences, prefix_slices, window_slices
from recbole_delta.embedding.delta import DeltaEmbedding
from recbole_delta.evaluator.inference import SCORES_AT_ONCE, inference_mode, model_device
from recbole_delta.model.sequence import next_items

POPULARITY = 3
"""How often a new item is assumed to be wanted, as a multiple of a warm item's average.

The histories cannot tell: most of them are older than the new items. (Chosen among 1, 3 and 5 on
Beauty, with other items than those of the report.)
"""

OTHERS = 2**15
"""Predictions of other items to sample, at least; they say where new items are not wanted.

Where the histories have so many, nothing is made up.
"""

SEQUENCES_AT_ONCE = 512
"""Sequences that the backbone reads at a time."""

STEPS = 60
"""Steps of the descent, which end within 1% of the least cross entropy."""

MADE_UP = 0.5
"""Share of made-up predictions above which there is a warning."""


def fitted_deltas(
    model: Any,
    embedding: DeltaEmbedding,
    n_warm: int,
    histories: list[Tensor],
    train_count: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """The deltas of the cold items of some histories; nothing is changed.

    Args:
        model: one of our backbones.
        embedding: item embedding of the model.
        n_warm: items 1 .. ``n_warm`` were trained.
        histories: ``[L]`` int64 item ids each, oldest first.
        train_count: ``[n_warm]`` training rows of items 1, 2, ...

    Returns:
        ``[k]`` int64 numbers of the cold items, ascending, ``[k, d]`` their deltas, and ``[k]`` how
        often each was predicted from something before it.

    Raises:
        DeltaError: no cold item follows anything.
    """
    new = torch.arange(len(embedding.content)) > n_warm
    following = torch.cat([each[1:] for each in histories]) if histories else torch.empty(0).long()
    fitted, count = following[new[following]].unique(return_counts=True)
    if not len(fitted):
        raise DeltaError("In these histories no cold item follows another item.")
    with inference_mode(model):
        contexts = read_contexts(model, histories, new, train_count)
        fitted = fitted.to(embedding.delta.device)
        delta = fit_deltas(model, embedding, n_warm, contexts, fitted)
    if contexts.made_up > MADE_UP:
        having = sum(bool(new[each].any()) for each in histories)
        warnings.warn(
            f"{having} of {len(histories)} histories hold a cold item, so {contexts.made_up:.0%} "
            "of what shows where these are not wanted is made up from single warm items; give "
            "ordinary histories among them (warm-up --background FILE.jsonl).",
            stacklevel=3,
        )
    return fitted, delta, count


@dataclass(frozen=True)
class Contexts:
    """Predictions in histories: what a model predicts from, and what came.

    Attributes:
        hidden: ``[n, d]`` sequence representations.
        target: ``[n]`` int64 items that came next; 0 where nobody has been asked.
        weight: ``[n]`` how many predictions each stands for; 1 where a new item came.
        made_up: share of the other predictions that single items stand for.
    """

    hidden: Tensor
    target: Tensor
    weight: Tensor
    made_up: float = 0.0


def read_contexts(
    model: Any, histories: list[Tensor], new: Tensor, train_count: Tensor
) -> Contexts:
    """Every prediction of a new item in the histories, and a sample of the others.

    The others are to be as many as there would be if the new items were as popular as assumed.
    A few histories that all hold new items have not so many, and in each of them a new item was
    wanted soon after: counted many times, they would push it away from where it belongs. Each then
    counts once, and histories of one warm item each, by their training rows, make up the rest.

    Args:
        model: one of our backbones, in evaluation mode.
        histories: ``[L]`` int64 item ids each, oldest first.
        new: ``[n_items]`` bool, the cold items.
        train_count: ``[n_warm]`` training rows of items 1, 2, ...
    """
    n_new = torch.tensor([int(new[each[1:]].sum()) for each in histories])
    others = torch.nonzero(n_new == 0).flatten()
    others = others[torch.randperm(len(others), generator=torch.Generator().manual_seed(0))]
    size = torch.tensor([len(each) - 1 for each in histories])[others]
    others = others[size.cumsum(0) - size < OTHERS]
    chosen = torch.cat([torch.nonzero(n_new).flatten(), others])
    parts = list(_read(model, [histories[n] for n in chosen.tolist()]))
    hidden, target = (torch.cat(column) for column in zip(*parts))
    is_new = new.to(target.device)[target]
    n_fitted = len(target[is_new].unique())
    wanted = int(is_new.sum()) * len(train_count) / n_fitted / POPULARITY
    n_others = int((~is_new).sum())
    missing = max(0.0, wanted - n_others) if n_others < OTHERS else 0.0
    weight = torch.where(is_new, 1.0, (wanted - missing) / max(1, n_others))
    if not missing:
        return Contexts(hidden, target, weight)
    alone = _after_one_item(model, len(train_count))
    rest = missing * train_count / train_count.sum()
    return Contexts(
        torch.cat([hidden, alone]),
        F.pad(target, (0, len(alone))),
        torch.cat([weight, rest.to(weight)]),
        missing / wanted,
    )


def fit_deltas(
    model: Any, embedding: DeltaEmbedding, n_warm: int, contexts: Contexts, ids: Tensor
) -> Tensor:
    """The deltas of some items, in the ball, with the least cross entropy.

    The softmax is over the warm items and these. The backbone's outputs do not depend on their
    deltas, so where scores are plain products the problem is convex; it is solved by
    accelerated projected gradients (FISTA, Beck & Teboulle 2009; restarts, O'Donoghue & Candès
    2015), each item with a step of its own.

    Args:
        model: one of our backbones, in evaluation mode.
        embedding: item embedding of the model.
        n_warm: items 1 .. ``n_warm`` were trained.
        contexts: predictions of these items and of others.
        ids: ``[k]`` int64 numbers of the items.

    Returns:
        ``[k, d]`` deltas.
    """
    hidden, weight = contexts.hidden, contexts.weight[:, None]
    warm = model.as_candidates(embedding.weight[1 : n_warm + 1])
    parts = hidden.split(max(1, SCORES_AT_ONCE // n_warm))
    added = model.offsets(n_warm + 1)[1:, 0].to(warm)
    known = torch.cat([(part @ warm.T).add_(added).logsumexp(1) for part in parts])
    place = torch.full((len(embedding.content),), -1, device=ids.device)
    place[ids] = torch.arange(len(ids), device=ids.device)
    target = place[contexts.target]
    is_new = target >= 0
    content = embedding.content[ids]
    linear_term = torch.zeros_like(content).index_add_(0, target[is_new], hidden[is_new])
    size = contexts.weight * hidden.square().sum(1)
    curvature_floor = content.new_zeros(len(ids)).index_add_(0, target[is_new], size[is_new] / 4)
    delta = momentum_point = torch.zeros_like(content)
    t = 1.0
    for _ in range(STEPS):
        with torch.enable_grad():
            at = momentum_point.clone().requires_grad_()
            rows = model.as_candidates(content + at)
        scores = hidden @ rows.detach().T
        total = torch.logaddexp(known, scores.logsumexp(1))[:, None]
        share = scores.sub_(total).exp_()
        # No greater than the trace of an item's part of the Hessian, diag(p) − p pᵀ.
        curvature = (size @ share + curvature_floor)[:, None]
        (gradient,) = torch.autograd.grad(rows, at, (share * weight).T @ hidden - linear_term)
        before, delta = (
            delta,
            (momentum_point - gradient / curvature).renorm(2, 0, embedding.delta_max),
        )
        step = delta - before
        if (gradient * step).sum() > 0:  # uphill: the momentum has gone too far
            t = 1.0
        last, t = t, (1 + (1 + 4 * t**2) ** 0.5) / 2
        momentum_point = delta + (last - 1) / t * step
    return delta


def _after_one_item(model: Any, n_items: int) -> Tensor:
    """Queries ``[n_items, d]`` of histories that are item 1, 2, ... alone."""
    device, hidden = model_device(model), []
    for part in torch.arange(1, n_items + 1, device=device).split(SEQUENCES_AT_ONCE):
        width = model.max_seq_length if model.fixed_length else 1
        item_seq = F.pad(part[:, None], (0, width - 1))
        hidden.append(model.as_query(model.last_position(item_seq, torch.ones_like(part))))
    return torch.cat(hidden)


def _read(model: Any, histories: list[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Queries ``[n, d]`` and what came next ``[n]``, block by block."""
    user = np.repeat(np.arange(len(histories)), [len(each) for each in histories])
    slices = window_slices(user, model.max_seq_length) if model.causal else prefix_slices(user)
    start, stop = (torch.from_numpy(each) for each in slices)
    sequences = FlatSequences(torch.cat(histories), start, stop)
    device = model_device(model)
    for index in sequences.lengths.argsort().split(SEQUENCES_AT_ONCE):
        padded = sequences.padded(index, model.max_seq_length, not model.fixed_length)
        item_seq, lengths = (each.to(device) for each in padded)
        target = sequences.items[stop[index]].to(device)
        if model.causal:
            target = next_items(item_seq, lengths, target)[item_seq > 0]
            yield model.as_query(model.every_position(item_seq)), target
        else:
            yield model.as_query(model.last_position(item_seq, lengths)), target
