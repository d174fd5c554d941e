"""The free table of IDs."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class IdEmbedding(nn.Module):
    """One free row for padding and for each warm item; a cold item has none.

    Args:
        rows: ``[n_warm + 1, d]`` initial values; row 0 belongs to padding and becomes zero.
    """

    embeds_cold_items = False
    sparse = False
    """Whether :meth:`forward` gives a gradient of the rows looked up only."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.n_warm = rows.size(0) - 1
        rows = rows.detach().clone()
        rows[0] = 0
        self.weight = nn.Parameter(rows)

    @property
    def embedding_dim(self) -> int:
        """Dimension d of an item vector."""
        return self.weight.size(1)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of ``ids`` (any shape ``[...]``, none cold) as ``[..., d]``."""
        return F.embedding(ids, self.weight, padding_idx=0, sparse=self.sparse)

    def trained_rows(self) -> Tensor:
        """Padding and the warm items that the training softmax ranks, ``[1 + n_warm, d]``."""
        return self.weight
