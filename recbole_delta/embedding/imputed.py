"""A table of IDs whose cold rows are imputed from the neighbours in content."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recbole_delta.embedding.base import ContentEmbedding
from recbole_delta.embedding.neighbours import Neighbours

NEIGHBOURS = 10
"""Warm items whose ID vectors a cold item's is the mean of."""


class KnnIdEmbedding(ContentEmbedding):
    """kNN imputation: a cold item gets the mean ID vector of the warm items nearest in content.

    The kNN mapping from attributes to factors of Gantner et al. (ICDM 2010), on a sequence model:
    training is that of the table of IDs, bit for bit, and content only says afterwards who the
    neighbours are.

    Args:
        rows: ``[1 + n_warm, d]`` initial ID vectors; row 0 belongs to padding and becomes zero.
        content: ``[n_items, c]`` unit rows of padding (zero) and of all items.

    Example:
        >>> import torch
        >>> content = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
        >>> ids = torch.tensor([[0.0], [1.0], [3.0]])
        >>> embedding = KnnIdEmbedding(ids, content)
        >>> embedding.weight[3].item()  # between 1 and 3, a little nearer to 3
        2.0996...
    """

    def __init__(self, rows: Tensor, content: Tensor) -> None:
        super().__init__(len(rows) - 1)
        self.register_buffer("content", content)
        rows = rows.detach().clone()
        rows[0] = 0
        self.table = nn.Parameter(rows)
        self._neighbours: Neighbours | None = None

    @property
    def embedding_dim(self) -> int:
        """Dimension d of an item vector."""
        return self.table.size(1)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of ``ids`` (any shape ``[...]``) as ``[..., d]``; zero for padding."""
        vectors = self.warm_rows(self.table, ids)
        if not self.training:  # training sees no cold item
            cold = ids > self.n_warm
            vectors[cold] = self._imputed_from().mean_of(self.table, ids[cold] - self.n_warm - 1)
        return vectors

    def trained_rows(self) -> Tensor:
        """Vectors of padding and of the warm items, ``[1 + n_warm, d]``, with their gradient."""
        return self.table

    def all_rows(self) -> Tensor:
        """Vectors of padding and of all items, ``[n_items, d]``."""
        return torch.cat([self.table, self._imputed_from().mean_of(self.table)])

    def put_content(self, ids: Tensor, rows: Tensor) -> None:
        """Give items a content, be they there or new; :meth:`ContentEmbedding.put_content`."""
        super().put_content(ids, rows)
        self._neighbours = None

    def _imputed_from(self) -> Neighbours:
        """The neighbours of the cold items, looked for when they are first asked for."""
        found = self._neighbours
        if found is None or found.index.device != self.content.device:
            warm, cold = self.content[1:].tensor_split([self.n_warm])
            found = self._neighbours = Neighbours.of(cold, warm, NEIGHBOURS)
        return found
