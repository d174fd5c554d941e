"""Item embeddings: a frozen content vector plus a bounded delta, and the free ID table.

Plain torch: nothing here knows RecBole. All classes, :mod:`recbole_delta.rivals` too, follow one
contract, so that a backbone can hold any:

- items are numbered: 0 is padding, 1 .. ``n_warm`` are warm (seen in training), the rest cold;
- ``forward(ids)`` looks rows up, ``weight`` is every row that the embedding can score,
  ``trained_rows()`` those of the training softmax, padding before them;
- ``embeds_cold_items`` says whether a cold item has a vector.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recbole_delta.errors import DeltaError
from recbole_delta.reduction import ContentMap


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
        self._held: Tensor | None = None

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
        return self.all_rows() if self._held is None else self._held

    @contextmanager
    def held(self) -> Iterator[None]:
        """Compute :attr:`weight` once for all that is scored inside, where nothing is trained."""
        with torch.no_grad():
            self._held = self.all_rows()
        try:
            yield
        finally:
            self._held = None

    @property
    def bounded(self) -> Tensor | None:
        """The table that :meth:`project_` keeps in bounds, where there are some."""
        return None

    def project_(self, rows: Tensor | None = None) -> None:
        """Back into the bounds: the table, or ``rows`` ``[n, d]`` that are to be written to it."""

    def own_rows(self, ids: Tensor) -> Tensor:
        """Rows of the tables of warm items: a cold item reads row 0, which is always zero."""
        return torch.where(ids <= self.n_warm, ids, 0)


class DeltaEmbedding(ContentEmbedding):
    """e_i = c_i + d_i with ‖d_i‖₂ ≤ δ_max, from "Let It Go? Not Quite" (RecSys 2025).

    For unit c_i the angle between c_i and e_i is at most arcsin δ_max: the bound on the delta
    is a bound on drift. ``delta_max=0`` is frozen content; ``delta_max=inf`` with
    ``init_std=0`` is content initialisation followed by free fine-tuning.

    Args:
        content: ``[n_items, d]`` float; row 0 (padding) is zero, every other row has unit norm.
        n_warm: rows 1 .. ``n_warm`` get a delta; the delta of a cold row is exactly 0.
        delta_max: radius of the ball, at least 0.
        init_std: deltas start at N(0, init_std²), projected into the ball.
        generator: source of the initial deltas, so that they depend on nothing else.

    Raises:
        DeltaError: a radius below 0, or content that breaks the contract.
    """

    def __init__(
        self,
        content: Tensor,
        n_warm: int,
        delta_max: float = 0.5,
        *,
        init_std: float = 0.02,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(n_warm)
        _check_content(content, n_warm)
        if not delta_max >= 0:
            raise DeltaError(f"delta_max must be at least 0, but is {delta_max}.")
        self.delta_max = float(delta_max)
        self.register_buffer("content", content.detach().clone())
        delta = torch.zeros(n_warm + 1, content.size(1), dtype=content.dtype)
        if self.delta_max > 0:
            delta[1:].normal_(0.0, init_std, generator=generator)
        self.delta = nn.Parameter(delta, requires_grad=self.delta_max > 0)
        self.project_()

    @property
    def embedding_dim(self) -> int:
        """Dimension d of an item vector."""
        return self.content.size(1)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of ``ids`` (any shape ``[...]``) as ``[..., d]``; zero for padding."""
        delta = F.embedding(self.own_rows(ids), self.delta, padding_idx=0, sparse=self.sparse)
        return F.embedding(ids, self.content).add_(delta)

    def trained_rows(self) -> Tensor:
        """See :meth:`ContentEmbedding.trained_rows`."""
        return self.content[: self.n_warm + 1] + self.delta

    def all_rows(self) -> Tensor:
        """See :meth:`ContentEmbedding.all_rows`."""
        known = self.n_warm + 1
        return torch.cat([self.content[:known] + self.delta, self.content[known:]])

    @property
    def bounded(self) -> Tensor:
        """See :meth:`ContentEmbedding.bounded`."""
        return self.delta

    @torch.no_grad()
    def project_(self, rows: Tensor | None = None) -> None:
        """Scale every delta outside the ball back onto it (the paper's renorm).

        Args:
            rows: ``[n, d]`` deltas, changed in place; those of the table by default.
        """
        if not 0 < self.delta_max < math.inf:  # by 0, deltas start and stay there
            return
        rows = self.delta if rows is None else rows
        norm = rows.norm(dim=1, keepdim=True)
        rows.mul_(self.delta_max / norm.clamp_(min=self.delta_max))

    def let_drift(self, last: int) -> None:
        """Items up to ``last`` have a delta from now on, 0 where they had none."""
        rows = F.pad(self.delta.detach(), (0, 0, 0, max(0, last + 1 - len(self.delta))))
        self.delta = nn.Parameter(rows, requires_grad=self.delta.requires_grad)
        self.n_warm = len(rows) - 1

    def extra_repr(self) -> str:
        """What ``print(model)`` shows."""
        n_items, dim = self.content.shape
        return f"{n_items} items ({self.n_warm} warm), {dim}, delta_max={self.delta_max}"


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


def _check_content(content: Tensor, n_warm: int) -> None:
    if content.dim() != 2 or not 1 <= n_warm < content.size(0):
        raise DeltaError(
            f"content must be [n_items, d] with 1 <= n_warm < n_items, "
            f"but is {list(content.shape)} with n_warm={n_warm}."
        )
    norm = content.norm(dim=1)
    if norm[0] != 0 or not torch.allclose(norm[1:], torch.ones_like(norm[1:]), atol=1e-4):
        raise DeltaError("content rows must have unit norm, and row 0 (padding) must be zero.")
