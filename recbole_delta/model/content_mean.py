"""The untrained baseline of the paper."""

from __future__ import annotations

from typing import Any

from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import SequentialRecommender
from recbole.utils import InputType
from torch import Tensor

from dataset_prep.errors import DeltaError
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.embedding import DeltaEmbedding
from recbole_delta.embedding.spec import standardised
from recbole_delta.model.contract import CatalogueModel


class ContentMean(CatalogueModel, SequentialRecommender):
    """Scores by the dot product with the mean content vector of the history; nothing is trained.

    Content is standardised and reduced to ``embedding_size`` dimensions as for the trained models;
    the history is its last MAX_ITEM_LIST_LENGTH items.

    Args:
        config: a RecBole ``Config``.
        dataset: the training data.

    Raises:
        DeltaError: a data set without prepared split, or bad content.
    """

    input_type = InputType.POINTWISE
    fixed_length = False
    is_trained = False

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        if not isinstance(dataset, ColdWarmDataset):
            raise DeltaError("ContentMean needs a data set prepared with dataset_prep.")
        super().__init__(config, dataset)
        content_map, rows = dataset.content_rows(standardised, config["embedding_size"])
        self.item_embedding = DeltaEmbedding(rows, dataset.n_warm, delta_max=0.0)
        self.item_embedding.remember_map(content_map)

    @property
    def content_embedding(self) -> DeltaEmbedding:
        """The frozen content."""
        return self.item_embedding

    def vectors_of_all(self) -> Tensor:
        """``[n_catalogue, d]`` content vectors."""
        return self.item_embedding.weight

    def forward(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """Mean vectors ``[B, d]`` of histories ``[B, L]`` with lengths ``[B]``."""
        return self.item_embedding(item_seq).sum(1) / item_seq_len[:, None]

    def predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B]`` of the interaction's items."""
        mean = self.forward(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN])
        items = interaction[self.ITEM_ID]
        return self.calibrated(
            (mean * self.item_embedding(items)).sum(1), interaction[self.ITEM_SEQ], items
        )

    def full_sort_predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n_items]``."""
        mean = self.forward(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN])
        return self.calibrated(mean @ self.item_embedding.weight.T, interaction[self.ITEM_SEQ])
