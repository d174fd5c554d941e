"""Scores over all items of a data set, whatever a model has vectors for."""

from __future__ import annotations

from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import SequentialRecommender
from torch import Tensor, inf
from torch.nn import functional as F


class WholeCatalogue(SequentialRecommender):
    """In front of a RecBole model: its scores end with −inf for items that it does not know.

    RecBole's tools, ``full_sort_topk`` among them, take one score for each item.
    """

    n_catalogue: int
    """Items of the data set, padding included."""

    def full_sort_predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n_catalogue]``; −inf for an item without a vector."""
        scores = self.score_known(interaction)
        unknown = self.n_catalogue - scores.size(1)
        return F.pad(scores, (0, unknown), value=-inf) if unknown else scores

    def score_known(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n]`` of the items that the model knows, which come first."""
        # Some of RecBole's models give them flat.
        return super().full_sort_predict(interaction).view(len(interaction[self.ITEM_SEQ]), -1)
