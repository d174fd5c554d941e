"""The score ensemble of an ID model and a content model."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import SequentialRecommender
from recbole.utils import InputType
from torch import Tensor
from torch.nn import functional as F

from dataset_prep.errors import DeltaError
from recbole_delta.compute.seeded import seeded
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.embedding import ContentEmbedding
from recbole_delta.model.contract import CatalogueModel
from recbole_delta.model.sasrec import SASRecDelta


class SASRecEnsemble(CatalogueModel, SequentialRecommender):
    """Two SASRecs, trained side by side without a common parameter; their scores are added.

    After "ID and text embeddings are complementary" (arXiv 2512.17820). One has
    ``item_embedding: id``, the other the ``item_embedding`` that is set. The scores of each are
    standardised over the warm items first. The ID model adds 0 for cold items, and for every item
    after a history without a warm one.

    Args:
        config: a RecBole ``Config``.
        dataset: the training data.

    Raises:
        DeltaError: ``item_embedding`` is ``id``, or what :class:`SASRecDelta` refuses.
    """

    input_type = InputType.PAIRWISE
    causal = True
    fixed_length = False

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        if not isinstance(dataset, ColdWarmDataset):
            raise DeltaError("SASRecEnsemble needs a data set prepared with dataset_prep.")
        if not dataset.settings.embedding_spec.embeds_cold_items:
            raise DeltaError("item_embedding of SASRecEnsemble is that of the content; not id.")
        super().__init__(config, dataset)
        of_ids = copy.copy(dataset)
        of_ids.settings = replace(dataset.settings, item_embedding="id")
        self.by_id, self.by_content = (_as_alone(config, part) for part in (of_ids, dataset))
        self.updates_rows = self.by_id.updates_rows

    @property
    def content_model(self) -> SASRecDelta:
        """The SASRec over content vectors."""
        return self.by_content

    @property
    def content_embedding(self) -> ContentEmbedding | None:
        """The item embedding of :attr:`content_model`."""
        return self.by_content.content_embedding

    def vectors_of_all(self) -> Tensor:
        """``[n_catalogue, 2 d]`` both vectors of each item; a cold one has no ID."""
        content, ids = self.by_content.item_embedding.weight, self.by_id.item_embedding.weight
        return torch.cat([content, F.pad(ids, (0, 0, 0, len(content) - len(ids)))], 1)

    def calculate_loss(self, interaction: Interaction) -> Tensor:
        """Training loss: a scalar, the sum of the two models' losses."""
        return self.by_id.calculate_loss(interaction) + self.by_content.calculate_loss(interaction)

    def n_targets(self, interaction: Interaction) -> int:
        """Number of targets that each loss averages over."""
        return self.by_id.n_targets(interaction)

    def forward(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Scores ``[B, n_items]`` after histories ``[B, L]`` of lengths ``[B]``."""
        content = self._scores(self.by_content, item_seq, item_seq_len)
        warm_seq, n_seen = _without(item_seq > self.n_warm, item_seq)
        ids = self._scores(self.by_id, warm_seq, n_seen.clamp(min=1))
        ids = ids * (n_seen > 0)[:, None]
        return content + F.pad(ids, (0, content.size(1) - ids.size(1)))

    def predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B]`` of the interaction's items."""
        scores = self.full_sort_predict(interaction)
        return scores.gather(1, interaction[self.ITEM_ID][:, None])[:, 0]

    def full_sort_predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n_items]``."""
        scores = self.forward(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN])
        return self.calibrated(scores, interaction[self.ITEM_SEQ])

    def _scores(self, model: SASRecDelta, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Scores of a model, with mean 0 and variance 1 over the warm items of each row."""
        items = model.as_candidates(model.item_embedding.weight)
        scores = model.as_query(model.last_position(item_seq, item_seq_len)) @ items.T
        warm = scores[:, 1 : self.n_warm + 1]
        return (scores - warm.mean(1, keepdim=True)) / warm.std(1, keepdim=True)


def _as_alone(config: Any, dataset: ColdWarmDataset) -> SASRecDelta:
    """A SASRec with the initial weights that it would have outside the ensemble."""
    with seeded(config["seed"]):
        return SASRecDelta(config, dataset)


def _without(dropped: Tensor, item_seq: Tensor) -> tuple[Tensor, Tensor]:
    """Sequences ``[B, L]`` without the items of a mask, and how many are left of each."""
    kept = (item_seq > 0) & ~dropped
    order = kept.int().argsort(dim=1, descending=True, stable=True)
    return (item_seq * kept).gather(1, order), kept.sum(1)
