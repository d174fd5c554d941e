"""Scores over all items of a data set, whatever a model has vectors for."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import GeneralRecommender, SequentialRecommender
from scipy.sparse import csr_matrix, issparse
from torch import Tensor, inf
from torch.nn import functional as F

from recbole_delta.compute.memory import require_memory
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.model.contract import CatalogueModel

PAIRS = 2**18
"""Pairs of user and item that are scored at a time, where a model scores nothing else."""


class WholeCatalogue(CatalogueModel, SequentialRecommender):
    """In front of a sequential RecBole model: its scores end with −inf for items it does not know.

    RecBole's tools, ``full_sort_topk`` among them, take one score for each item of the data set.
    """

    def full_sort_predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n_catalogue]``; −inf for an item without a vector."""
        scores = self.calibrated(self.score_known(interaction), interaction[self.ITEM_SEQ])
        return _padded(scores, self.n_catalogue)

    def score_known(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n]`` of the items that the model knows, which come first."""
        # Some of RecBole's models give them flat.
        return super().full_sort_predict(interaction).view(len(interaction[self.ITEM_SEQ]), -1)


class GeneralCatalogue(CatalogueModel, GeneralRecommender):
    """In front of a RecBole model that knows users instead of histories, such as BPR.

    Its scores end with −inf for items it does not know. A user without training rows gets nothing
    recommended: all scores are −inf, and every target is a miss.
    """

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        super().__init__(config, dataset)
        self.known_users = torch.zeros(dataset.user_num, dtype=torch.bool)
        self.known_users[dataset.instances.user] = True

    def full_sort_predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n_catalogue]``; −inf for an item without a vector."""
        user = interaction[self.USER_ID]
        try:
            scores = super().full_sort_predict(interaction).view(len(user), -1)
        except NotImplementedError:  # NeuMF and its like score a pair of user and item
            scores = self._scores_of_pairs(user)
        scores = _padded(self.calibrated(scores), self.n_catalogue)
        return scores.masked_fill(~self.known_users[user.cpu(), None].to(scores.device), -inf)

    def _scores_of_pairs(self, user: Tensor) -> Tensor:
        """Scores ``[B, n]`` of the items that the model knows, a pair at a time."""
        items = torch.arange(self.n_items, device=user.device)
        scores = []
        for users in user.split(max(1, PAIRS // self.n_items)):
            pairs = {
                self.USER_ID: users.repeat_interleave(self.n_items),
                self.ITEM_ID: items.repeat(len(users)),
            }
            scores.append(self.predict(Interaction(pairs)).view(len(users), -1))
        return torch.cat(scores)


class PopularityCatalogue(CatalogueModel, GeneralRecommender):
    """In front of RecBole's ``Pop``: popularity is counted over the training rows at once."""

    is_trained = False

    def __init__(self, config: Any, dataset: Any) -> None:
        super().__init__(config, dataset)
        items = dataset.inter_feat[dataset.iid_field]
        count = torch.bincount(items, minlength=self.n_items)[:, None]
        self.item_cnt = count.to(config["device"])
        self.max_cnt = self.item_cnt.max(0)[0]

    def full_sort_predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n_catalogue]``: training rows of each item; −inf for an item without any."""
        scores = super().full_sort_predict(interaction).view(len(interaction[self.USER_ID]), -1)
        return _padded(self.calibrated(scores), self.n_catalogue)


class HistoryCatalogue(CatalogueModel, GeneralRecommender):
    """In front of RecBole's ``ItemKNN``: it scores the given history, not the user's training rows.

    A test user may have no training rows, but has a history.

    Attributes:
        similarity: ``[n_items, n_items]``, what an item of the history (row) adds to the score of
            another (column).
    """

    is_trained = False

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        super().__init__(config, dataset)
        self.item_seq_field = config["ITEM_ID_FIELD"] + config["LIST_SUFFIX"]

    @property
    def similarity(self) -> csr_matrix | np.ndarray:
        """The similarities of ItemKNN, sparse."""
        return self.w

    def full_sort_predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n_catalogue]``: sums of an item's similarities to the history's items."""
        item_seq = interaction[self.item_seq_field].cpu().numpy()
        row, _ = np.nonzero(item_seq)
        seen = csr_matrix(
            (np.ones(len(row), dtype=np.float32), (row, item_seq[item_seq > 0])),
            shape=(len(item_seq), self.n_items),
        )
        sums = seen @ self.similarity
        scores = torch.from_numpy(sums.toarray() if issparse(sums) else np.asarray(sums))
        return _padded(self.calibrated(scores.float().to(self.device)), self.n_catalogue)


class EaseCatalogue(HistoryCatalogue):
    """In front of RecBole's ``EASE``, whose weights between items are dense."""

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        n = dataset.item_num
        # NumPy inverts in float64, which takes three matrices, beside two in float32.
        require_memory(32 * n**2, f"The item-item matrix of EASE over {n:,} items")
        super().__init__(config, dataset)

    @property
    def similarity(self) -> np.ndarray:
        """The weights of EASE."""
        return self.item_similarity


BASELINES = {"Pop": PopularityCatalogue, "ItemKNN": HistoryCatalogue, "EASE": EaseCatalogue}
"""RecBole's models that are computed, not trained, and the class that goes in front of each."""


def _padded(scores: Tensor, n_items: int) -> Tensor:
    unknown = n_items - scores.size(1)
    return F.pad(scores, (0, unknown), value=-inf) if unknown else scores
