"""The best items for histories: by the products of vectors, or by all scores of a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from recbole.data.interaction import Interaction
from torch import Tensor
from torch.nn import functional as F

from recbole_delta.compute.matmul import quick_float32
from recbole_delta.compute.transfer import to_device
from recbole_delta.data.batch import SequenceBatch
from recbole_delta.evaluator.inference import cases_at_once, inference_mode, model_device
from recbole_delta.model import ContentBackbone
from recbole_delta.serving.group_maxima import GROUP, Allowed, bytes_are_quick
from recbole_delta.serving.screening import QUERIES_AT_ONCE, ScreenedVectors

SMALL = 2**14
"""The most candidates of which all are scored: nothing is quicker."""


class Search(Protocol):
    """Finds the best items of histories."""

    def best(
        self, histories: list[Tensor], k: int, candidate: Tensor, exclude_seen: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Scores and ids ``[≤ k]`` of the best items after each history, best first.

        Args:
            histories: ``[L]`` int64 item ids each, oldest first.
            k: number of items after each history.
            candidate: ``[n_items]`` bool, what may be found.
            exclude_seen: leave out items of the history.

        Yields:
            ``[≤ k]`` float32 scores and ``[≤ k]`` int64 item ids of each history.
        """

    def update(self, items: Tensor) -> None:
        """Take notice of new items, and of those whose vectors have changed: ``[n]`` int64 ids."""


def search_of(model: Any) -> Search:
    """The quickest search for a model, in evaluation mode."""
    by_vectors = isinstance(model, ContentBackbone) and model_device(model).type == "cpu"
    return VectorSearch(model) if by_vectors else ScoreSearch(model)


class ScoreSearch:
    """Scores every item, as the evaluation does.

    Args:
        model: one of our models, in evaluation mode.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def best(
        self, histories: list[Tensor], k: int, candidate: Tensor, exclude_seen: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Scores and ids ``[≤ k]`` of the best items after each history; :meth:`Search.best`."""
        device = model_device(self._model)
        never = torch.nonzero(~candidate).flatten().to(device)
        step = cases_at_once(len(candidate), device)
        with inference_mode(self._model):
            for start in range(0, len(histories), step):
                part = histories[start : start + step]
                scores = self._model.full_sort_predict(_batch(self._model, part))
                scores = scores[:, : len(candidate)]
                scores.index_fill_(1, never, -torch.inf)
                if exclude_seen:
                    seen = to_device(torch.stack(_members(part)), device)
                    scores[seen[0], seen[1]] = -torch.inf
                yield from _found(*scores.topk(min(k, scores.size(1)), dim=1))

    def update(self, items: Tensor) -> None:
        """Nothing is kept of the items."""


class VectorSearch:
    """Finds the items with the largest products, without the scores of all of them.

    Item vectors are laid out at the first search, in half a second for a million, and kept. Items
    with the same offset lie side by side, so that a group of them has one.

    Args:
        model: one of our backbones on a CPU, in evaluation mode.
    """

    def __init__(self, model: ContentBackbone) -> None:
        self._model = model
        self._all: ScreenedVectors | None = None
        self._item = self._place = torch.empty(0, dtype=torch.int64)
        """``[n]`` the item of each vector that is laid out, and the place of each item's."""

    def best(
        self, histories: list[Tensor], k: int, candidate: Tensor, exclude_seen: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Scores and ids ``[≤ k]`` of the best items after each history; :meth:`Search.best`."""
        n_warm, lifts = self._model.n_warm, bool(self._model.after_cold_offset)
        offset = self._model.offsets(len(candidate)) if self._model.has_offsets else None
        found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        # What is added to an item is the same after all histories that are looked at together.
        ends_cold = [lifts and bool(each[-1] > n_warm) for each in histories]
        for after_cold in sorted(set(ends_cold)):
            place = [n for n, each in enumerate(ends_cold) if each == after_cold]
            added = None if offset is None else offset[:, : 2 if after_cold else 1].sum(1)
            part = [histories[n] for n in place]
            found.update(zip(place, self._best(part, k, candidate, exclude_seen, added)))
        for n in range(len(histories)):
            yield found[n]

    def _best(
        self,
        histories: list[Tensor],
        k: int,
        candidate: Tensor,
        exclude_seen: bool,
        offset: Tensor | None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """What :meth:`best` yields where ``offset`` ``[n_items]`` is added to all scores."""
        chosen = torch.nonzero(candidate).flatten()
        with torch.no_grad(), quick_float32(model_device(self._model)):
            all_scored = len(chosen) <= max(SMALL, 4 * GROUP * k)
            vectors = self._vectors(chosen) if all_scored else None
            step = (
                cases_at_once(len(chosen) + 1, torch.device("cpu"))
                if all_scored
                else QUERIES_AT_ONCE
            )
            step = min(step, QUERIES_AT_ONCE)
            for start in range(0, len(histories), step):
                part = histories[start : start + step]
                row, item = _members(part if exclude_seen else [])
                query = self._query(part)
                if vectors is None:
                    everything, item_at = self._screened(), self._item
                    moved = None if offset is None else offset[item_at]
                    allowed = Allowed(candidate[item_at], moved, row, self._place[item])
                    scores, place = everything.best(query, k, allowed)
                    # What fills a list up lies behind the last item.
                    yield from _found(scores, item_at[place.clamp(max=len(item_at) - 1)])
                else:
                    allowed = Allowed(candidate, offset, row, item)
                    yield from _found(*_best_of_all(query, vectors, chosen, k, allowed))

    def update(self, items: Tensor) -> None:
        """Lay out the vectors of some items anew; all others stay as they are."""
        if self._all is not None:
            known = len(self._item)
            more = torch.arange(known, max(known, int(items.max()) + 1))  # they go to the end
            self._item, self._place = (torch.cat([x, more]) for x in (self._item, self._place))
            with torch.no_grad():
                self._all.put(self._place[items], self._vectors(items))

    def _screened(self) -> ScreenedVectors:
        if self._all is None:
            rows = self._model.as_candidates(self._model.item_embedding.weight)
            self._item = torch.arange(len(rows))
            if self._model.warm_offsets:
                self._item = self._model.offsets(len(rows))[:, 0].argsort(stable=True)
                rows = rows[self._item]
            self._place = self._item.argsort()
            self._all = ScreenedVectors(rows.float(), bytes_are_quick(rows.size(1)))
        return self._all

    def _vectors(self, items: Tensor) -> Tensor:
        return self._model.as_candidates(self._model.item_embedding(items)).float()

    def _query(self, histories: list[Tensor]) -> Tensor:
        batch = _batch(self._model, histories)
        item_seq, lengths = batch[self._model.ITEM_SEQ], batch[self._model.ITEM_SEQ_LEN]
        query = self._model.as_query(self._model.last_position(item_seq, lengths))
        return query.float().contiguous()


def _best_of_all(
    query: Tensor, vectors: Tensor, chosen: Tensor, k: int, allowed: Allowed
) -> tuple[Tensor, Tensor]:
    """Scores and ids ``[B, ≤ k]`` of the best among the ``chosen``, whose vectors are given."""
    scores = query @ vectors.T
    if allowed.offset is not None:
        scores += allowed.offset[chosen]
    column = torch.full(allowed.items.shape, -1)
    column[chosen] = torch.arange(len(chosen))
    seen = column[allowed.seen]
    scores[allowed.seen_by[seen >= 0], seen[seen >= 0]] = -torch.inf
    best, place = scores.topk(min(k, len(chosen)), dim=1)
    return best, chosen[place]


def _members(histories: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The number of its history, and the id, of each item."""
    lengths = torch.tensor([*map(len, histories)], dtype=torch.int64)
    items = torch.cat(histories) if histories else lengths
    return torch.arange(len(histories)).repeat_interleave(lengths), items


def _batch(model: Any, histories: list[Tensor]) -> Interaction:
    """The latest items of the histories, as many as the model takes."""
    longest = int(model.max_seq_length)
    recent = [each[-longest:] for each in histories]
    width = longest if model.fixed_length else max(map(len, recent))
    item_seq = torch.stack([F.pad(each, (0, width - len(each))) for each in recent])
    device, lengths = model_device(model), torch.tensor([*map(len, recent)])
    fields = {model.ITEM_SEQ: item_seq, model.ITEM_SEQ_LEN: lengths}
    return SequenceBatch(fields, model.ITEM_SEQ, lengths).to(device)


def _found(scores: Tensor, items: Tensor) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for score, item in zip(scores.cpu().numpy(), items.cpu().numpy()):
        there = score > -np.inf
        yield score[there], item[there]
