"""What every item embedding has in common.

Plain torch: nothing here knows RecBole. All classes follow one contract, so that a backbone can
hold any:

- items are numbered: 0 is padding, 1 .. ``n_warm`` are warm (seen in training), the rest cold;
- ``forward(ids)`` looks rows up, ``weight`` is every row that the embedding can score,
  ``trained_rows()`` those of the training softmax, padding before them;
- ``embeds_cold_items`` says whether a cold item has a vector.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from recbole_delta.embedding.content_map import ContentMap


class ContentEmbedding(nn.Module):
    """What all item embeddings that know cold items have in common.

    A subclass gives ``forward``, ``trained_rows`` and ``all_rows``.

    Args:
        n_warm: rows 1 .. ``n_warm`` are warm items.
    """

    embeds_cold_items = True
    content: Tensor
    """``[n_items, ...]`` rows of padding (zero) and all items, frozen."""
    content_map: ContentMap
    """What made them, and makes those of an item that is added."""
    sparse = False
    """Whether :meth:`forward` gives a table a gradient of the rows looked up only."""

    def __init__(self, n_warm: int) -> None:
        super().__init__()
        self.n_warm = n_warm
        self._cached: Tensor | None = None

    @property
    def embedding_dim(self) -> int:
        """Dimension d of an item vector."""
        raise NotImplementedError

    def trained_rows(self) -> Tensor:
        """Padding and the warm items that the training softmax ranks, ``[1 + n_warm, d]``."""
        raise NotImplementedError

    def all_rows(self) -> Tensor:
        """Vectors of padding and of all items, ``[n_items, d]``."""
        raise NotImplementedError

    @property
    def weight(self) -> Tensor:
        """:meth:`all_rows`, as RecBole's models read them."""
        return self.all_rows() if self._cached is None else self._cached

    @contextmanager
    def cached_weight(self) -> Iterator[None]:
        """Compute :attr:`weight` once for all that is scored inside, where nothing is trained."""
        with torch.no_grad():
            self._cached = self.all_rows()
        try:
            yield
        finally:
            self._cached = None

    @property
    def bounded(self) -> Tensor | None:
        """The table that :meth:`project_` keeps in bounds, where there are some."""
        return None

    def project_(self, rows: Tensor | None = None) -> None:
        """Back into the bounds: the table, or ``rows`` ``[n, d]`` that are to be written to it."""

    def own_rows(self, ids: Tensor) -> Tensor:
        """Rows of the tables of warm items: a cold item reads row 0, which is always zero."""
        return torch.where(ids <= self.n_warm, ids, 0)
