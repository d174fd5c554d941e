"""The best items for histories: over all of them, or by an index that looks at the likely ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from recbole.data.interaction import Interaction
from torch import Tensor
from torch.nn import functional as F

from dataset_prep.errors import DeltaError
from recbole_delta.compute.transfer import to_device
from recbole_delta.data.batch import SequenceBatch
from recbole_delta.evaluator.inference import cases_at_once, inference_mode, model_device
from recbole_delta.model import BACKBONES, ContentBackbone

SMALL = 2**14
"""The most items of which all are scored: nothing is quicker."""

PROBED = 1 / 2
"""Share of the lists of an index that a search looks at."""

REFINED = 10
"""Candidates by their codes for each wanted item, among which the exact scores choose."""

MOST_REFINED = 2**14
"""Candidates that a search by index compares for a history; where it takes more, all are scored."""

HISTORIES_AT_ONCE = 512
"""Histories that a search by index takes at a time; it holds no scores of all items."""


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


class ExactSearch:
    """Scores every item.

    Args:
        model: one of our models, in evaluation mode.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def best(
        self, histories: list[Tensor], k: int, candidate: Tensor, exclude_seen: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Scores and ids ``[≤ k]`` of the best items after each history, best first.

        Args:
            histories: ``[L]`` int64 item ids each, oldest first.
            k: number of items after each history.
            candidate: ``[n_items]`` bool, what may be found.
            exclude_seen: leave out items of the history.
        """
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
                    lengths = torch.tensor([*map(len, part)])
                    row = torch.arange(len(part)).repeat_interleave(lengths)
                    seen = to_device(torch.stack([row, torch.cat(part)]), device)
                    scores[seen[0], seen[1]] = -torch.inf
                best, item = scores.topk(min(k, scores.size(1)), dim=1)
                yield from _found(best.cpu().numpy(), item.cpu().numpy())


class IndexSearch:
    """Looks at codes of the items in the likely clusters, and scores the best of these exactly.

    faiss (Johnson et al. 2019): an inverted file of 2·√n clusters, product codes of 4 bits for
    every two dimensions (André et al. 2015), and the exact vectors to choose by. What it recommends
    has exact scores, but an item may be missed. Where few can be found, or many are wanted or seen,
    all are scored.

    Args:
        model: one of our backbones, in evaluation mode.

    Raises:
        DeltaError: the model scores by something else than item vectors, or faiss is missing.
    """

    def __init__(self, model: Any) -> None:
        if not isinstance(model, ContentBackbone):
            raise DeltaError(
                f"{type(model).__name__} scores by more than one vector an item, so it has no "
                f"index; use one of {', '.join(BACKBONES)}, or exact search."
            )
        self._faiss, self._model = _faiss(), model
        with torch.no_grad():
            rows = model.scored_items()
        self._vectors = np.ascontiguousarray(rows.cpu().numpy())
        if len(self._vectors) > SMALL:
            self._build(*self._vectors.shape)

    def _build(self, n_items: int, dim: int) -> None:
        n_lists = int(2 * n_items**0.5)
        layout = f"IVF{n_lists},PQ{dim // 2 if dim % 2 == 0 else dim}x4fs,RFlat"
        metric = self._faiss.METRIC_INNER_PRODUCT
        self._index = self._faiss.index_factory(dim, layout, metric)
        # The default reads 256 vectors a cluster 10 times: minutes, and no better.
        clustering = self._faiss.extract_index_ivf(self._index).cp
        clustering.max_points_per_centroid, clustering.niter = 40, 6
        self._index.train(self._vectors)
        self._index.add(self._vectors)
        self._n_probed = round(n_lists * PROBED)

    def best(
        self, histories: list[Tensor], k: int, candidate: Tensor, exclude_seen: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Scores and ids ``[≤ k]`` of the best items after each history, best first.

        Args:
            histories: ``[L]`` int64 item ids each, oldest first.
            k: number of items after each history.
            candidate: ``[n_items]`` bool, what may be found.
            exclude_seen: leave out items of the history.
        """
        chosen = torch.nonzero(candidate).flatten().numpy()
        for start in range(0, len(histories), HISTORIES_AT_ONCE):
            part = histories[start : start + HISTORIES_AT_ONCE]
            more = max(map(len, part)) if exclude_seen else 0
            if REFINED * (k + more) > MOST_REFINED:
                yield from ExactSearch(self._model).best(part, k, candidate, exclude_seen)
                continue
            with inference_mode(self._model):
                batch = _batch(self._model, part)
                item_seq, lengths = batch[self._model.ITEM_SEQ], batch[self._model.ITEM_SEQ_LEN]
                hidden = self._model.last_position(item_seq, lengths)
                session = self._model.scored_session(hidden).cpu().numpy()
            scores, items = self._search(session, min(k + more, len(chosen)), chosen)
            if exclude_seen:
                for row, history in zip(range(len(part)), part):
                    scores[row, np.isin(items[row], history.numpy())] = -np.inf
            order = (-scores).argsort(axis=1, kind="stable")[:, :k]
            scores, items = (np.take_along_axis(each, order, 1) for each in (scores, items))
            yield from _found(scores, items)

    def _search(
        self, hidden: np.ndarray, k: int, chosen: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores and ids ``[B, k]``; −inf where the clusters hold fewer."""
        if len(chosen) <= SMALL:
            scores = hidden @ self._vectors[chosen].T
            best, place = torch.from_numpy(scores).topk(k)
            return best.numpy(), chosen[place.numpy()]
        allowed = np.zeros(len(self._vectors), dtype=bool)
        allowed[chosen] = True
        bits = np.packbits(allowed, bitorder="little")
        lists = self._faiss.SearchParametersIVF(
            sel=self._faiss.IDSelectorBitmap(bits), nprobe=self._n_probed
        )
        parameters = self._faiss.IndexRefineSearchParameters(
            k_factor=REFINED, base_index_params=lists
        )
        scores, items = self._index.search(hidden, k, params=parameters)
        return np.where(items < 0, -np.inf, scores), items


def _batch(model: Any, histories: list[Tensor]) -> Interaction:
    """The latest items of the histories, as many as the model takes."""
    longest = int(model.max_seq_length)
    recent = [each[-longest:] for each in histories]
    width = longest if model.fixed_length else max(map(len, recent))
    item_seq = torch.stack([F.pad(each, (0, width - len(each))) for each in recent])
    device, lengths = model_device(model), torch.tensor([*map(len, recent)])
    fields = {model.ITEM_SEQ: item_seq, model.ITEM_SEQ_LEN: lengths}
    return SequenceBatch(fields, model.ITEM_SEQ, lengths).to(device)


def _found(scores: np.ndarray, items: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for score, item in zip(scores, items):
        there = score > -np.inf
        yield score[there], item[there]


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise DeltaError(f"{error}; an index needs: pip install 'recbole-delta[index]'.") from error
    return faiss
