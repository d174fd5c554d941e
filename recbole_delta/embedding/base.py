"""The contract of all item embeddings. Plain torch: nothing here knows RecBole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recbole_delta.embedding.content_map import ContentMap


class ItemEmbedding(nn.Module):
    """Item vectors as a backbone looks them up, is trained on and is scored by.

    Items are numbered: 0 is padding, 1 .. ``n_warm`` are warm (seen in training), the rest cold.
    A subclass gives ``embedding_dim``, ``forward``, ``trained_rows`` and ``weight``.

    Args:
        n_warm: number of warm items.

    Attributes:
        weight: ``[n, d]`` vectors of padding (zero) and of every item that has one.
        sparse: whether :meth:`forward` gives a table a gradient of the looked-up rows only.
    """

    embeds_cold_items: ClassVar[bool]
    """Whether a cold item has a vector."""
    weight: Tensor
    sparse: bool = False

    def __init__(self, n_warm: int) -> None:
        super().__init__()
        self.n_warm = n_warm

    @property
    def embedding_dim(self) -> int:
        """Dimension d of an item vector."""
        raise NotImplementedError

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of ``ids`` (any shape ``[...]``) as ``[..., d]``; zero for padding."""
        raise NotImplementedError

    def trained_rows(self) -> Tensor:
        """Vectors of padding and of the warm items, ``[1 + n_warm, d]``, with their gradient."""
        raise NotImplementedError

    def use_sparse_gradients(self, sparse: bool) -> None:
        """Choose what gradient a lookup gives to a table.

        Args:
            sparse: give a sparse gradient, of the looked-up rows only. An optimizer must understand
                it, unless a dense gradient of the same table is added to it in each step.
        """
        self.sparse = sparse


class ContentEmbedding(ItemEmbedding):
    """An item embedding whose vectors follow from content, so that cold items have one.

    A subclass gives ``embedding_dim``, ``forward``, ``trained_rows`` and ``all_rows``, and
    registers its ``content`` as a buffer.

    Args:
        n_warm: number of warm items.

    Attributes:
        content: ``[n_items, ...]`` frozen rows of padding (zero) and of all items.
        content_map: map from content vectors to these rows, also those of items added later.
    """

    embeds_cold_items = True
    content: Tensor
    content_map: ContentMap

    def __init__(self, n_warm: int) -> None:
        super().__init__(n_warm)
        self._cached: Tensor | None = None

    def all_rows(self) -> Tensor:
        """Vectors of padding and of all items, ``[n_items, d]``."""
        raise NotImplementedError

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """Vectors of padding and of all items, ``[n_items, d]``, as RecBole's models read them."""
        return self.all_rows() if self._cached is None else self._cached

    @contextmanager
    def cached_weight(self) -> Iterator[None]:
        """Within the block, :attr:`weight` is computed once; nothing may be trained there."""
        with torch.no_grad():
            self._cached = self.all_rows()
        try:
            yield
        finally:
            self._cached = None

    def project_(self, ids: Tensor | None = None) -> None:
        """Put rows back into their bounds after an update; there are none by default.

        Args:
            ids: ``[n]`` rows that may have left them, without repetition; all by default.
        """

    @property
    def bounded(self) -> Tensor | None:
        """The table ``[1 + n_warm, k]`` that :meth:`project_` changes; None without a bound."""
        return None

    def warm_rows(self, table: Tensor, ids: Tensor) -> Tensor:
        """Rows of a table of the warm items, ``[..., k]``; zero for a cold item and for padding.

        Args:
            table: ``[1 + n_warm, k]``, row 0 zero.
            ids: any shape ``[...]``; cold ids map to row 0.
        """
        return rows_of(table, torch.where(ids <= self.n_warm, ids, 0), self.sparse)

    def remember_map(self, content_map: ContentMap) -> None:
        """Keep the map that made the content rows, in the state dict too."""
        self.content_map = content_map

    def put_content(self, ids: Tensor, rows: Tensor) -> None:
        """Replace the content of items, and append that of new ones.

        Args:
            ids: ``[n]`` numbers of the items; those beyond the last item are appended.
            rows: ``[n, ...]`` content rows that :attr:`content_map` has made.
        """
        n_items = max(len(self.content), int(ids.max()) + 1)
        grown = F.pad(self.content, (0, 0, 0, n_items - len(self.content)))
        grown[ids] = rows.to(grown.device)
        self.content = grown


def random_table(n: int, dim: int, init_std: float, generator: torch.Generator) -> nn.Parameter:
    """A table to learn: N(0, init_std²), and zero for padding.

    Args:
        n: number of rows besides that of padding.
        dim: dimension of a row.
        init_std: standard deviation of the initial values.
        generator: their source.

    Returns:
        ``[1 + n, dim]``, padding first.
    """
    table = torch.zeros(1 + n, dim)
    table[1:].normal_(0.0, init_std, generator=generator)
    return nn.Parameter(table)


def rows_of(table: Tensor, ids: Tensor, sparse: bool) -> Tensor:
    """Rows of a table, ``[..., k]``; that of padding gets no gradient.

    Args:
        table: ``[n, k]``, row 0 (padding) zero.
        ids: any shape ``[...]``.
        sparse: give the table a sparse gradient, of these rows only.
    """
    if sparse and table.device.type != "cpu":
        # torch leaves padding out of a sparse gradient by a mask that the host must wait for.
        return F.embedding(ids, table, sparse=True) * (ids > 0).unsqueeze(-1)
    return F.embedding(ids, table, padding_idx=0, sparse=sparse)
