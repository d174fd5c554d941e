"""What trainer, evaluator and serving may ask of a model: nothing else is read or set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

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
    """

    n_catalogue: int
    n_items: int
    n_warm: int

    cold_offset: float = 0.0
    """Constant added to the scores of cold items."""
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
    def embeds_cold_items(self) -> bool:
        """Whether cold items can be scored, and shown in a history."""
        return self.content_embedding is not None

    def remarks(self) -> list[str]:
        """What the log of a run should say of the model besides its settings; nothing here."""
        return []

    def vectors_of_all(self) -> Tensor | None:
        """``[n_catalogue, d]``: items with equal rows score alike but for their offset, if any."""
        return None

    def calibrate(self, offset: float) -> None:
        """Add ``offset`` to the scores of cold items from now on, instead of the present one."""
        self.cold_offset = float(offset)

    def exempt(self, items: Iterable[int]) -> None:
        """Give ``items`` no offset any more: interactions have given them a delta of their own."""
        self.own_delta = self.own_delta | frozenset(items)

    def offsets(self, n_items: int) -> Tensor:
        """``[n_items]`` float32: what is added to the score of each item, padding first."""
        offset = torch.zeros(n_items)
        offset[self.n_warm + 1 :] = self.cold_offset
        offset[[item for item in self.own_delta if item < n_items]] = 0.0
        return offset

    def calibrated(self, scores: Tensor, items: Tensor | None = None) -> Tensor:
        """Scores with what is added to each.

        Args:
            scores: ``[B, n]`` scores of padding and the first items, or ``[B]`` of ``items``.
            items: ``[B]`` item ids, one for each score.
        """
        if not self.cold_offset:
            return scores
        if items is None:
            return scores + self.offsets(scores.size(1)).to(scores)
        return scores + self.offsets(self.n_catalogue).to(scores)[items]

    def extend_catalogue(self, n_items: int) -> None:
        """Score ``n_items`` from now on, padding included; their content is there already."""
        self.n_catalogue = self.n_items = n_items
