"""Deltas of items that came after training, from their first interactions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from recbole_delta.embedding import DeltaEmbedding
from recbole_delta.model.backbone import next_items
from recbole_delta.seam.evaluation import SCORES_AT_ONCE
from recbole_delta.sequences import FlatSequences, prefix_slices, window_slices

OTHERS = 2**15
"""Predictions of other items, at least, that say where the new ones are not wanted."""

AT_ONCE = 512
"""Sequences that the backbone reads at a time."""

PRIOR = 1.0
BALANCE = 1.0
STEPS, RATE = 100, 0.02
"""Of Adam; the optimum is unique, and its ranks no longer change by then."""


@dataclass(frozen=True)
class Contexts:
    """What a model predicts from, and what came.

    Attributes:
        hidden: ``[n, d]`` outputs of the backbone.
        target: ``[n]`` the items that came next.
        weight: ``[n]`` how many such predictions each stands for.
    """

    hidden: Tensor
    target: Tensor
    weight: Tensor


def read_contexts(model: Any, histories: list[Tensor], new: Tensor) -> Contexts:
    """Every prediction of a new item in the histories, and a sample of the others.

    Args:
        model: one of our backbones, in evaluation mode.
        histories: item ids, oldest first.
        new: ``[n_items]`` bool, the items to be fitted.
    """
    has_new = torch.tensor([bool(new[each[1:]].any()) for each in histories])
    size = torch.tensor([len(each) - 1 for each in histories])
    others = torch.nonzero(~has_new & (size > 0)).flatten()
    generator = torch.Generator().manual_seed(0)
    others = others[torch.randperm(len(others), generator=generator)]
    enough = int((size[others].cumsum(0) < OTHERS).sum()) + 1
    P = sum(int(new[each[1:]].sum()) for each in histories)
    k = len(torch.cat([each[1:][new[each[1:]]] for each in histories]).unique())
    n_warm = int((~new).sum()) - 1
    share = BALANCE * P * n_warm / k / size[others[:enough]].sum().clamp(min=1) if BALANCE else size[others].sum() / size[others[:enough]].sum().clamp(min=1)
    chosen = torch.cat([torch.nonzero(has_new).flatten(), others[:enough]])
    weight = torch.where(has_new[chosen], 1.0, share)
    parts = list(_read(model, [histories[n] for n in chosen.tolist()], weight))
    return Contexts(*(torch.cat(column) for column in zip(*parts)))


def fit_deltas(
    model: Any, embedding: DeltaEmbedding, n_warm: int, contexts: Contexts, ids: Tensor
) -> Tensor:
    """The most probable deltas of some items, all else being as it was trained.

    They minimise the cross entropy over the warm items and these, and ‖d‖² / 2σ² of each, in the
    ball of the model's own: the trained deltas, of variance σ², are the prior of the new ones. The
    outputs of the backbone do not depend on them, so where scores are plain products the problem is
    convex.

    Args:
        model: the backbone.
        embedding: its item embedding.
        n_warm: items 1 .. ``n_warm`` were trained.
        contexts: predictions of these items and of others.
        ids: ``[k]`` the items.

    Returns:
        ``[k, d]``.
    """
    hidden, weight = contexts.hidden, contexts.weight[:, None]
    place = torch.full((len(embedding.content),), -1, device=ids.device)
    place[ids] = torch.arange(len(ids), device=ids.device)
    target = place[contexts.target]
    ours = target >= 0
    warm = slice(1, n_warm + 1)
    known = _log_mass(hidden, model.ranked(embedding.weight[warm]))
    trained = embedding.delta[warm]
    variance = trained.square().sum(1).mean() / trained.size(1)
    content = embedding.content[ids]
    delta = torch.zeros_like(content, requires_grad=True)
    optimizer = torch.optim.Adam([delta], lr=RATE)
    pull = torch.zeros_like(content).index_add_(0, target[ours], hidden[ours] * weight[ours])
    for _ in range(STEPS):
        optimizer.zero_grad()
        with torch.enable_grad():
            rows = model.ranked(content + delta)
        with torch.no_grad():
            scores = hidden @ rows.T
            total = torch.logaddexp(known, scores.logsumexp(1))[:, None]
            gradient = (scores.sub_(total).exp_() * weight).T @ hidden - pull
        rows.backward(gradient)
        delta.grad += delta.detach() / variance * PRIOR
        optimizer.step()
        with torch.no_grad():
            delta.copy_(delta.renorm(2, 0, embedding.delta_max))
    return delta.detach()


def _read(
    model: Any, histories: list[Tensor], weight: Tensor
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Contexts, block by block."""
    user = np.repeat(np.arange(len(histories)), [len(each) for each in histories])
    slices = window_slices(user, model.max_seq_length) if model.causal else prefix_slices(user)
    start, stop = (torch.from_numpy(each) for each in slices)
    sequences = FlatSequences(torch.cat(histories), start, stop)
    owner = weight[torch.from_numpy(user)[stop]]
    device = next(model.parameters()).device
    order = sequences.lengths.argsort()
    for index in order.split(AT_ONCE):
        item_seq, lengths = (
            each.to(device)
            for each in sequences.padded(index, model.max_seq_length, not model.fixed_length)
        )
        target, each_weight = sequences.items[stop[index]].to(device), owner[index].to(device)
        if model.causal:
            real = item_seq > 0
            target = next_items(item_seq, lengths, target)[real]
            each_weight = each_weight.repeat_interleave(lengths)
            yield model.every_position(item_seq), target, each_weight
        else:
            yield model.last_position(item_seq, lengths), target, each_weight


def _log_mass(hidden: Tensor, rows: Tensor) -> Tensor:
    """log Σ exp over the rows, of each output ``[n]``."""
    step = max(1, SCORES_AT_ONCE // len(rows))
    return torch.cat([(part @ rows.T).logsumexp(1) for part in hidden.split(step)])
