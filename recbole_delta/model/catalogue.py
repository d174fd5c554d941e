"""Scores over all items of a data set, whatever a model has vectors for."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import GeneralRecommender, SequentialRecommender
from scipy.sparse import csr_matrix
from torch import Tensor, inf
from torch.nn import functional as F


class WholeCatalogue(SequentialRecommender):
    """In front of a sequential RecBole model: its scores end with −inf for items it does not know.

    RecBole's tools, ``full_sort_topk`` among them, take one score for each item.
    """

    n_catalogue: int
    """Items of the data set, padding included."""

    def full_sort_predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n_catalogue]``; −inf for an item without a vector."""
        return _padded(self.score_known(interaction), self.n_catalogue)

    def score_known(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n]`` of the items that the model knows, which come first."""
        # Some of RecBole's models give them flat.
        return super().full_sort_predict(interaction).view(len(interaction[self.ITEM_SEQ]), -1)


class GeneralCatalogue(GeneralRecommender):
    """The same in front of a model that knows users instead of histories, such as BPR."""

    n_catalogue: int

    def full_sort_predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n_catalogue]``; −inf for an item without a vector."""
        users = len(interaction[self.USER_ID])
        return _padded(super().full_sort_predict(interaction).view(users, -1), self.n_catalogue)


class PopularityCatalogue(GeneralCatalogue):
    """In front of RecBole's ``Pop``: counts are taken from the training rows, in one go."""

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        items = dataset.inter_feat[dataset.iid_field]
        self.item_cnt = torch.bincount(items, minlength=self.n_items)[:, None]
        self.max_cnt = self.item_cnt.max(0)[0]


class HistoryCatalogue(GeneralCatalogue):
    """In front of RecBole's ``ItemKNN``: it scores the given history, not the user's training rows.

    A test user may have none of these, and has a history all the same.
    """

    def full_sort_predict(self, interaction: Interaction) -> Tensor:
        """Sums ``[B, n_catalogue]`` of an item's similarities to those of the history."""
        item_seq = interaction[_ITEM_SEQ].cpu().numpy()
        row, _ = np.nonzero(item_seq)
        seen = csr_matrix(
            (np.ones(len(row), dtype=np.float32), (row, item_seq[item_seq > 0])),
            shape=(len(item_seq), self.n_items),
        )
        scores = torch.from_numpy((seen @ self.w).toarray()).to(self.device)
        return _padded(scores, self.n_catalogue)


_ITEM_SEQ = "item_id_list"

BASELINES = {"Pop": PopularityCatalogue, "ItemKNN": HistoryCatalogue}
"""RecBole's models that are computed, not trained, and what goes in front of them."""


def _padded(scores: Tensor, n_items: int) -> Tensor:
    unknown = n_items - scores.size(1)
    return F.pad(scores, (0, unknown), value=-inf) if unknown else scores
