"""EASE with side information: cold items have a column in the item-item matrix by their content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import SequentialRecommender
from recbole.utils import InputType
from scipy.linalg import lapack
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn import functional as F

from dataset_prep.errors import DeltaError, at_least_0, check_all, number
from recbole_delta.compute.memory import require_memory
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.embedding.content_map import ContentMap
from recbole_delta.model.contract import CatalogueModel

BYTES = 12
"""Held at a time for each pair of items: a float64 that is inverted in place, and a float32."""

ROWS_AT_ONCE = 256
"""Rows of the item-item matrix that are changed together."""


def collective_ease(
    rows: csr_matrix, content: np.ndarray, reg_weight: float, side_weight: float
) -> np.ndarray:
    """EASE of the interactions with the content below them, each of its dimensions a further user.

    The B that minimises ‖X − X B‖² + α² ‖T − T B‖² + λ ‖B‖² under diag B = 0.

    Args:
        rows: X ``[users, n]``, how often each user took each item.
        content: Tᵀ ``[n, c]``, a row for each item.
        reg_weight: λ, above 0.
        side_weight: α, at least 0.

    Returns:
        ``[n, n]`` float32.

    Example:
        The first two items always come together; the third is like the second, and has no rows:

        >>> rows = csr_matrix([[1.0, 1.0, 0.0]] * 4)
        >>> content = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> print(collective_ease(rows, content, reg_weight=1.0, side_weight=1.0).round(2)[1])
        [0.73 0.   0.3 ]
    """
    gram = (rows.T @ rows).toarray().astype(np.float64)
    _add_products(gram, content, side_weight**2)
    return _ease(gram, reg_weight).astype(np.float32)


def additive_ease(
    rows: csr_matrix, content: np.ndarray, reg_weight: float, side_weight: float
) -> np.ndarray:
    """(1 − α) times EASE of the interactions plus α times EASE of the content.

    Args:
        rows: X ``[users, n]``, how often each user took each item.
        content: Tᵀ ``[n, c]``, a row for each item.
        reg_weight: λ of both, above 0.
        side_weight: α, between 0 and 1.

    Returns:
        ``[n, n]`` float32.
    """
    weights = _ease((rows.T @ rows).toarray().astype(np.float64), reg_weight).astype(np.float32)
    weights *= 1 - side_weight
    gram = np.zeros(weights.shape)
    _add_products(gram, content, 1.0)
    side = _ease(gram, reg_weight)
    for part in _blocks(len(side)):
        weights[part] += side_weight * side[part]
    return weights


class CEASE(CatalogueModel, SequentialRecommender):
    """Collective EASE: :func:`collective_ease` of the training rows and the content.

    The collective model of "Closed-Form Models for Collaborative Filtering with Side-Information"
    (Jeunen, Van Balen and Goethals, RecSys 2020), which is EASE (Steck, WWW 2019) for
    ``side_weight: 0``. In place of the paper's tags stands the content, standardised and of unit
    length. A cold item has no training rows, so its row and its column of the item-item matrix
    come from its content alone. An item's score is the sum of its weights over the history, whose
    last MAX_ITEM_LIST_LENGTH items are seen; nothing is trained.

    The matrix is held whole: 12 bytes for each pair of items while it is computed, 4 afterwards
    (1.5 GiB and 0.5 GiB for 11,733 items; 100,000 items would need 112 GiB and are refused where
    there are none). It follows from the training rows and is in no checkpoint.

    Args:
        config: a RecBole ``Config``; ``reg_weight`` is λ and ``side_weight`` is α.
        dataset: the training data.

    Attributes:
        similarity: ``[n_catalogue, n_catalogue]`` float32, what an item of the history (row) adds
            to the score of another (column).

    Raises:
        DeltaError: a data set without prepared split, bad content, a weight that is none, or a
            catalogue whose matrix does not fit into memory.
    """

    input_type = InputType.POINTWISE
    fixed_length = False
    is_trained = False
    follows_from_rows = True
    weights: ClassVar[Callable[..., np.ndarray]] = staticmethod(collective_ease)
    similarity: Tensor

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        if not isinstance(dataset, ColdWarmDataset):
            raise DeltaError(f"{type(self).__name__} needs a data set prepared with dataset_prep.")
        reg_weight, side_weight = config["reg_weight"], config["side_weight"]
        check_all(
            [
                partial(at_least_0, "reg_weight", reg_weight),
                partial(at_least_0, "side_weight", side_weight),
            ]
        )
        super().__init__(config, dataset)
        n = dataset.n_catalogue
        require_memory(BYTES * n**2, f"The item-item matrix of {n:,} items")
        _, content = dataset.content_rows(_whole, 0)
        rows = dataset.inter_matrix(form="csr")
        weights = self.weights(rows, content.numpy(), reg_weight, side_weight)
        self.register_buffer("similarity", torch.from_numpy(weights), persistent=False)

    @property
    def embeds_cold_items(self) -> bool:
        """Cold items are scored, and may stand in a history."""
        return True

    def forward(self, item_seq: Tensor) -> Tensor:
        """Scores ``[B, n_catalogue]`` after histories ``[B, L]``."""
        return F.embedding_bag(item_seq, self.similarity, mode="sum")

    def predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B]`` of the interaction's items."""
        items = interaction[self.ITEM_ID]
        scores = self.similarity[interaction[self.ITEM_SEQ], items[:, None]].sum(1)
        return self.calibrated(scores, interaction[self.ITEM_SEQ], items)

    def full_sort_predict(self, interaction: Interaction) -> Tensor:
        """Scores ``[B, n_catalogue]``."""
        item_seq = interaction[self.ITEM_SEQ]
        return self.calibrated(self.forward(item_seq), item_seq)


class AddEASE(CEASE):
    """Additive EASE: :func:`additive_ease` of the training rows and the content.

    The additive model of the paper of :class:`CEASE`, whose description holds here too. That nobody
    has taken a cold item yet does not count against it, as it does in the collective model.

    Args:
        config: a RecBole ``Config``; ``reg_weight`` is λ and ``side_weight`` is α.
        dataset: the training data.

    Raises:
        DeltaError: as :class:`CEASE`, or ``side_weight`` is above 1.
    """

    weights = staticmethod(additive_ease)

    def __init__(self, config: Any, dataset: ColdWarmDataset) -> None:
        number("side_weight", config["side_weight"], 0.0, 1.0)
        super().__init__(config, dataset)


def _add_products(gram: np.ndarray, content: np.ndarray, factor: float) -> None:
    """Add a multiple of the products of content rows ``[n, c]`` to a matrix ``[n, n]``."""
    content = content.astype(np.float64)
    for part in _blocks(len(gram)):
        gram[part] += factor * (content[part] @ content.T)


def _ease(gram: np.ndarray, reg_weight: float) -> np.ndarray:
    """The weights B ``[n, n]`` from ZᵀZ, in its own memory.

    B_ij = −P_ij / P_jj off the diagonal, with P = (ZᵀZ + λI)⁻¹: the closed form of Steck, WWW 2019.
    """
    np.fill_diagonal(gram, gram.diagonal() + reg_weight)
    weights = _inverted(gram)
    weights /= -weights.diagonal()
    np.fill_diagonal(weights, 0.0)
    return weights


def _inverted(matrix: np.ndarray) -> np.ndarray:
    """The inverse of a symmetric matrix ``[n, n]`` of positive eigenvalues, in its own memory."""
    # LAPACK wants columns; those of a symmetric matrix are its rows.
    factor, failed = lapack.dpotrf(matrix.T, lower=True, overwrite_a=True)
    if failed:
        raise DeltaError("reg_weight is too small for these data; choose a larger one.")
    inverse, _ = lapack.dpotri(factor, lower=True, overwrite_c=True)
    inverse = inverse.T  # LAPACK fills one triangle, which is the upper one now
    for part in _blocks(len(inverse)):
        square = np.triu(inverse[part, part])
        inverse[part, part] = square + np.triu(square, 1).T
        inverse[part.stop :, part] = inverse[part, part.stop :].T
    return inverse


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, ROWS_AT_ONCE):
        yield slice(start, min(start + ROWS_AT_ONCE, n))


def _whole(warm: np.ndarray, train_count: np.ndarray, dim: int) -> ContentMap:
    return ContentMap.standardised(warm, warm.shape[1])
