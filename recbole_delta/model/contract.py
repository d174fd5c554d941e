"""What trainer, evaluator and serving may ask of a model: nothing else is read or set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np
import torch
from recbole.data.interaction import Interaction
from torch import Tensor

from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.data.traits import SequenceTraits
from recbole_delta.embedding.base import ContentEmbedding, ItemEmbedding


class CatalogueModel(SequenceTraits):
    """A model that scores every item of the data set; all that run here extend it.

    Its ``full_sort_predict`` gives scores ``[B, n_catalogue]`` as in RecBole, −inf for an item
    without a vector. The values here are those of a model without item vectors of ours, such as
    RecBole's own.

    Args:
        config: a RecBole ``Config``.
        dataset: the training data, which may show the model fewer items than there are.

    Attributes:
        n_catalogue: items of the data set, padding included.
        n_warm: items with a training row, which come first.
        warm_class: ``[n_warm]`` int64 class of each warm item by its training rows, as of
            :func:`row_class`.
    """

    n_catalogue: int
    n_items: int
    n_warm: int
    warm_class: Tensor

    cold_offset: float = 0.0
    """Constant added to the scores of cold items."""
    after_cold_offset: float = 0.0
    """Constant added to them besides, after a history whose last item is cold."""
    warm_offsets: tuple[float, ...] = ()
    """Constants added to the scores of warm items with 1, 2, 3 to 4, 5 to 8, ... training rows."""
    own_delta: frozenset[int] = frozenset()
    """Cold items that interactions have given a delta of their own: they get no offset."""

    updates_rows: bool = False
    """Whether a step gives gradients to few rows of the item table, so that an optimizer may
    leave the others alone."""

    is_trained: ClassVar[bool] = True
    """Whether there is anything to train; a baseline without parameters is validated once."""

    follows_from_rows: ClassVar[bool] = False
    """Whether it is computed from the training rows each time, so that no checkpoint can serve."""

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        super().__init__(config, dataset)  # type: ignore[call-arg]  # of RecBole's class behind it
        self.n_catalogue, self.n_warm = dataset.n_catalogue, dataset.n_warm
        self.warm_class = row_class(dataset.train_counts())

    def row_tables(self) -> list[str]:
        """Names of the parameters of which a step changes few rows; see :attr:`updates_rows`."""
        if not self.updates_rows:
            return []
        return [
            f"{name}.{table}"
            for name, module in self.named_modules()  # type: ignore[attr-defined]
            if isinstance(module, ItemEmbedding)
            for table, _ in module.named_parameters(recurse=False)
        ]

    def n_targets(self, interaction: Interaction) -> int:
        """Number of targets that ``calculate_loss`` averages over."""
        return len(interaction)

    @property
    def content_model(self) -> Any:
        """The model, or the part of it, whose item vectors follow from content."""
        return self

    @property
    def content_embedding(self) -> ContentEmbedding | None:
        """The item embedding of :attr:`content_model`; None where it knows no content."""
        return None

    @property
    def scores_are_logits(self) -> bool:
        """Whether the softmax of its scores says how sure it is: if it has learnt at all."""
        return self.is_trained

    @property
    def embeds_cold_items(self) -> bool:
        """Whether cold items can be scored, and shown in a history."""
        return self.content_embedding is not None

    def remarks(self) -> list[str]:
        """What the log of a run should say of the model besides its settings; nothing here."""
        return []

    def vectors_of_all(self) -> Tensor | None:
        """``[n_catalogue, d]``: items with equal rows score alike but for their offsets, if any."""
        return None

    def set_offsets(
        self, cold: float = 0.0, warm: Iterable[float] = (), after_cold: float = 0.0
    ) -> None:
        """Add constants to the scores from now on, instead of the present ones.

        Args:
            cold: for cold items.
            warm: for warm items, one for each :func:`row_class`; empty for none.
            after_cold: for cold items besides, after a history whose last item is cold.
        """
        self.cold_offset, self.warm_offsets = float(cold), tuple(warm)
        self.after_cold_offset = float(after_cold)

    @property
    def has_offsets(self) -> bool:
        """Whether something is added to scores."""
        return bool(self.cold_offset or self.warm_offsets or self.after_cold_offset)

    def exempt(self, items: Iterable[int]) -> None:
        """Give ``items`` no offset any more: interactions have given them a delta of their own."""
        self.own_delta = self.own_delta | frozenset(items)

    def offsets(self, n_items: int) -> Tensor:
        """``[n_items, 2]`` float32: what is added to the score of each item, padding first.

        The first number is added after every history, the second besides after one that
        :func:`ends_cold`.
        """
        offset = torch.zeros(n_items, 2)
        if self.warm_offsets:
            offset[1 : self.n_warm + 1, 0] = torch.tensor(self.warm_offsets)[self.warm_class]
        offset[self.n_warm + 1 :] = torch.tensor([self.cold_offset, self.after_cold_offset])
        offset[[item for item in self.own_delta if item < n_items]] = 0.0
        return offset

    def calibrated(
        self, scores: Tensor, item_seq: Tensor | None = None, items: Tensor | None = None
    ) -> Tensor:
        """Scores with what is added to each.

        Args:
            scores: ``[B, n]`` scores of padding and the first items, or ``[B]`` of ``items``.
            item_seq: ``[B, L]`` the histories, padded with 0 on the right; None for a model that
                cannot be shown a cold item.
            items: ``[B]`` item ids, one for each score.
        """
        if not self.has_offsets:
            return scores
        if items is None:
            offsets = self.offsets(scores.size(1)).to(scores)[None]
        else:
            offsets = self.offsets(self.n_catalogue).to(scores)[items]
        scores = scores + offsets[..., 0]
        if self.after_cold_offset and item_seq is not None:
            after_cold = ends_cold(item_seq, self.n_warm).to(scores)
            after_cold = after_cold.view(-1, *[1] * (scores.dim() - 1))
            scores = torch.addcmul(scores, after_cold, offsets[..., 1])
        return scores

    def extend_catalogue(self, n_items: int) -> None:
        """Score ``n_items`` from now on, padding included; their content is there already."""
        self.n_catalogue = self.n_items = n_items


def ends_cold(item_seq: Tensor, n_warm: int) -> Tensor:
    """Whether the last item of each history is cold: ``[B]`` bool.

    Args:
        item_seq: ``[B, L]`` item ids, padded with 0 on the right.
        n_warm: items 1 .. ``n_warm`` are warm.

    Example:
        >>> ends_cold(torch.tensor([[9, 2, 0], [2, 9, 0], [0, 0, 0]]), n_warm=5).tolist()
        [False, True, False]
    """
    last = (item_seq > 0).sum(1, keepdim=True) - 1
    return item_seq.gather(1, last.clamp(min=0))[:, 0] > n_warm


def row_class(count: np.ndarray) -> Tensor:
    """Classes of items by training rows: 0 for one row, 1 for 2, 2 for 3 to 4, 3 for 5 to 8, ...

    Args:
        count: ``[n]`` training rows, at least 1.

    Example:
        >>> row_class(np.array([1, 2, 3, 4, 5, 8, 9])).tolist()
        [0, 1, 2, 2, 3, 3, 4]
    """
    return torch.from_numpy(np.frexp(np.maximum(count, 1) - 1)[1].astype(np.int64))
