"""Recommendations by external ids, and items that come and go."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dataset_prep.errors import DeltaError, at_least_1
from dataset_prep.format.content import ContentTable
from recbole_delta.embedding.base import ContentEmbedding
from recbole_delta.embedding.delta import DeltaEmbedding
from recbole_delta.serving.cold_share import offset_for_share
from recbole_delta.serving.explain import Spaces
from recbole_delta.serving.export import export
from recbole_delta.serving.items import ServedItems, check_new_ids, matrix_of
from recbole_delta.serving.load import stored_model
from recbole_delta.serving.search import Search, search_of
from recbole_delta.serving.warm_up import fitted_deltas
from recbole_delta.trainer.checkpoint import Checkpoint, catalogue_of
from recbole_delta.trainer.metadata import RECOMMENDER


@dataclass(frozen=True)
class Recommendation:
    """One recommended item: its id, and its score, comparable after the same history only."""

    item: str
    score: float


class Recommender:
    """A trained run that recommends, without the data set that it was trained on.

    An item that is added is mapped by the content pipeline that was fitted on the warm items, is
    recommended, and may stand in histories. Its delta is 0, or with ``cold_delta: neighbours`` the
    mean of its neighbours'. Histories are shown as they are: ``cold_history: drop`` is a setting of
    the evaluation.

    Args:
        path: path of a checkpoint, from a run or from :meth:`save`.
        device: where it computes, such as ``cpu`` or ``cuda:1``; by default on a GPU if there is
            one and the run's settings allow it.

    Raises:
        DeltaError: the file is not a whole checkpoint of one of our models, or there is no such
            device.

    Example:
        >>> import recbole_delta
        >>> from recbole_delta.quick_start.example import example_data
        >>> result = recbole_delta.run("SASRecDelta", "example", settings=example_data())
        >>> recommender = recbole_delta.Recommender(result.checkpoint)
        >>> [best] = recommender.recommend([["b0", "b1", "b2"]], k=3)
        >>> [each.item[0] for each in best]  # the genre of items is their first letter
        ['b', 'b', 'b']
    """

    def __init__(self, path: str | Path, device: str | torch.device | None = None) -> None:
        self._checkpoint = Checkpoint.load(path)
        self._model, catalogue = stored_model(self._checkpoint, device)
        tokens, n_warm = catalogue.item_tokens.tolist(), catalogue.n_warm
        if self._embedding is None:
            advice = "a run with IDs knows items with training rows alone, so leave it out"
            self._items = ServedItems(tokens[: n_warm + 1], n_warm, advice)
        else:
            self._items = ServedItems(tokens, n_warm)
        metadata = self._checkpoint.metadata
        self._items.remove(metadata.removed, f"{path}: removed")
        self._model.exempt(self._items.numbers(metadata.own_delta, f"{path}: own_delta").tolist())
        self._search: Search | None = None

    @property
    def items(self) -> list[str]:
        """Ids of all items that are recommended."""
        return self._items.listed

    @property
    def cold_items(self) -> list[str]:
        """Ids of the recommended items that no training row has."""
        return [token for token in self.items if self._items.is_cold(token)]

    @property
    def known_items(self) -> list[str]:
        """Ids of items 1, 2, ... of :attr:`model`, removed ones included."""
        return self._items.tokens[1:]

    @property
    def model(self) -> Any:
        """The model, in evaluation mode."""
        return self._model

    @property
    def encoding(self) -> dict[str, Any]:
        """How dataset_prep made the content of the run: encoder, template, ..."""
        return self._checkpoint.metadata.content

    def add_items(self, tokens: Sequence[str], vectors: np.ndarray) -> None:
        """Add items, or give items that are there another content.

        A warm item keeps its delta when its content is replaced.

        Args:
            tokens: ids of n items.
            vectors: ``[n, c]`` float, content vectors as the run's encoder gives them.

        Raises:
            DeltaError: the model has no vectors for cold items, or a content vector is of another
                dimension, not finite or zero, or an id is empty or there twice.
        """
        embedding = self._require_content("add items")
        check_new_ids(tokens)
        if not len(tokens):
            return
        table = ContentTable(tokens, matrix_of(tokens, vectors), "The content")
        rows = embedding.content_map(table.align(tokens))  # refuses before anything has changed
        numbers = self._items.add(tokens)
        embedding.put_content(numbers, rows)
        if isinstance(embedding, DeltaEmbedding):
            # The warm-up of an item has given rows to all before it.
            between = set(range(self._items.n_warm + 1, embedding.n_warm + 1))
            unfitted = sorted(between - self._model.own_delta)
            embedding.borrow_again_(torch.tensor(unfitted, device=embedding.delta.device))
        self._model.extend_catalogue(len(self._items))
        if (numbers <= self._items.n_warm).any():
            self._search = None  # cold items may borrow from these
        elif self._search is not None:
            self._search.update(numbers)

    def remove_items(self, tokens: Sequence[str]) -> None:
        """Recommend items no more, by their ids; histories may still hold them.

        Raises:
            DeltaError: there is no such item.
        """
        self._items.remove(tokens)

    def warm_up(self, histories: Sequence[Sequence[str]]) -> dict[str, int]:
        """Give the cold items of some histories deltas; all else stays as it was trained.

        Args:
            histories: ids of items, oldest first: all interactions with these items so far, among
                histories without them as they come, from which it is learnt where the new items are
                not wanted. Where they are few, single warm items stand in for them, and a
                ``UserWarning`` says so if these are the most.

        Returns:
            how often each of them was predicted from something before it, by id.

        Raises:
            DeltaError: the model has no deltas, a history is empty or has an unknown item, or no
                cold item follows anything.
        """
        embedding = self._require_content("warm items up")
        if not isinstance(embedding, DeltaEmbedding) or not embedding.delta_max:
            raise DeltaError(
                f"{self._checkpoint.path} has an item embedding without deltas to fit."
            )
        ids = [self.check_history(each, f"History {n}") for n, each in enumerate(histories, 1)]
        fitted, delta, count = fitted_deltas(
            self._model.content_model, embedding, self._items.n_warm, ids, self._train_count
        )
        embedding.extend_deltas(int(fitted.max()))
        embedding.delta.data[fitted] = delta
        # They are on the scale of warm items now.
        self._model.exempt(fitted.tolist())
        if self._search is not None:
            self._search.update(fitted)
        tokens = self._items.tokens
        return {tokens[item]: n for item, n in zip(fitted.tolist(), count.tolist())}

    def set_cold_share(self, share: float) -> None:
        """Move along the frontier: cold items get this share of the softmax's probability.

        It is what the model itself expects them to be taken; ``cold_offset: auto`` corrects that by
        what came true on validation data, so the same share gives another offset there.

        Args:
            share: between 0 and 1, for all cold items that are recommended and have no delta of
                their own.

        Raises:
            DeltaError: the run does not know how likely cold items are, or there are none.
        """
        lifted = self._items.candidates(None, (), cold_only=True)
        lifted[list(self._model.own_delta)] = False
        n_cold, path = int(lifted.sum()), self._checkpoint.path
        offset = offset_for_share(self._checkpoint.metadata, n_cold, share, path)
        model = self._model
        model.set_offsets(offset, model.warm_offsets, model.after_cold_offset)

    def recommend(
        self,
        histories: Sequence[Sequence[str]],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        allow: Collection[str] | None = None,
        deny: Collection[str] = (),
        cold_only: bool = False,
    ) -> list[list[Recommendation]]:
        """The k best items after each history, best first; fewer where fewer are left.

        Args:
            histories: ids of items, oldest first, as long as they are.
            k: items a history.
            exclude_seen: do not recommend items of the history.
            allow: recommend from these only.
            deny: never recommend these.
            cold_only: recommend items without training rows only.

        Raises:
            DeltaError: a history is empty or has an unknown item, as may the lists, or k < 1.
        """
        at_least_1("k", k)
        candidate = self._items.candidates(allow, deny, cold_only)
        ids = [self.check_history(each, f"History {n}") for n, each in enumerate(histories, 1)]
        if self._search is None:
            self._search = search_of(self._model)
        found = self._search.best(ids, k, candidate, exclude_seen)
        return [
            [
                Recommendation(self._items.tokens[item], score)
                for score, item in zip(scores.tolist(), items.tolist())
            ]
            for scores, items in found
        ]

    def check_history(self, history: Sequence[str], name: str) -> Tensor:
        """A history as numbers of the model's items, ``[n]`` int64.

        Args:
            history: ids of n items, oldest first.
            name: name of the history, for messages.

        Raises:
            DeltaError: the history is empty or has an unknown item.
        """
        if isinstance(history, str) or not isinstance(history, Sized) or not len(history):
            raise DeltaError(f"{name} must be a list of item ids, and not empty.")
        return torch.tensor([self._items.number(token, name) for token in history])

    def save(self, path: str | Path) -> None:
        """Write the recommender with its present items as a checkpoint to recommend from.

        Raises:
            DeltaError: the file cannot be written.
        """
        kept = {name: value.cpu() for name, value in self._model.state_dict().items()}
        count = self._train_count.numpy()
        metadata = replace(
            self._checkpoint.metadata,
            kind=RECOMMENDER,
            removed=sorted(self._items.removed),
            cold_offset=self._model.cold_offset,
            after_cold_offset=self._model.after_cold_offset,
            warm_offsets=list(self._model.warm_offsets),
            own_delta=[self._items.tokens[n] for n in sorted(self._model.own_delta)],
        )
        catalogue = catalogue_of(self.known_items, count)
        Checkpoint(kept, {}, self._checkpoint.generators, metadata, catalogue).save(path)

    def export(self, folder: str | Path) -> None:
        """Write item vectors and the session encoder as ONNX, for programs without PyTorch.

        Args:
            folder: path of the folder; :mod:`recbole_delta.serving.export` lists its files.

        Raises:
            DeltaError: the model cannot be exported, a package is missing, or the folder cannot be
                written.
        """
        export(self._model, self._items, self.encoding, folder)

    def spaces(self) -> Spaces:
        """The items by content and by adapted vector; ``spaces().explain(item)`` compares them.

        Raises:
            DeltaError: the model's vectors are not content plus delta.
        """
        if not isinstance(self._embedding, DeltaEmbedding):
            raise DeltaError(
                f"{self._checkpoint.path} has an item embedding that is not content plus delta; "
                "explain a model with item_embedding: delta, init or frozen."
            )
        count = self._train_count.numpy()
        return Spaces.of(self._embedding, self.known_items, count, self._items.removed)

    # -- inside ----------------------------------------------------------------------------

    @property
    def _train_count(self) -> Tensor:
        """``[n_warm]`` training rows of items 1, 2, ..."""
        return self._checkpoint.catalogue["train_count"]

    @property
    def _embedding(self) -> ContentEmbedding | None:
        """The embedding that holds content; None in a model of IDs."""
        return self._model.content_embedding

    def _require_content(self, what: str) -> ContentEmbedding:
        if self._embedding is None:
            raise DeltaError(
                f"{self._checkpoint.path} has item_embedding: id, which knows no content, so it "
                f"cannot {what}."
            )
        return self._embedding
