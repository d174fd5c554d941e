"""The free table of IDs: no content."""

from __future__ import annotations

from torch import Tensor, nn

from recbole_delta.embedding.base import ItemEmbedding, rows_of


class IdEmbedding(ItemEmbedding):
    """One free row for padding and for each warm item; a cold item has none.

    Args:
        rows: ``[1 + n_warm, d]`` initial values; row 0 belongs to padding and becomes zero.

    Example:
        >>> import torch
        >>> embedding = IdEmbedding(torch.ones(4, 2))
        >>> embedding(torch.tensor([0, 3])).tolist()
        [[0.0, 0.0], [1.0, 1.0]]
        >>> embedding.embeds_cold_items
        False
    """

    embeds_cold_items = False

    def __init__(self, rows: Tensor) -> None:
        super().__init__(rows.size(0) - 1)
        rows = rows.detach().clone()
        rows[0] = 0
        self.weight = nn.Parameter(rows)

    @property
    def embedding_dim(self) -> int:
        """Dimension d of an item vector."""
        return self.weight.size(1)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of ``ids`` (any shape ``[...]``, none cold) as ``[..., d]``."""
        return rows_of(self.weight, ids, self.sparse)

    def trained_rows(self) -> Tensor:
        """Vectors of padding and of the warm items, ``[1 + n_warm, d]``."""
        return self.weight
