"""A frozen content vector plus a bounded delta: the embedding of the paper."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dataset_prep.errors import DeltaError
from recbole_delta.embedding.base import ContentEmbedding
from recbole_delta.embedding.neighbours import Neighbours


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

    Example:
        >>> import torch
        >>> content = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> embedding = DeltaEmbedding(content, n_warm=1, delta_max=0.5, init_std=0.0)
        >>> with torch.no_grad():
        ...     _ = embedding.delta[1].copy_(torch.tensor([0.0, 2.0]))  # far outside the ball
        >>> embedding.project_()
        >>> embedding.weight.tolist()  # padding, a warm item, a cold one
        [[0.0, 0.0], [1.0, 0.5], [0.0, 1.0]]
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
        self._n_lenders, self._k = n_warm, 0
        self._neighbours: Neighbours | None = None

    @property
    def embedding_dim(self) -> int:
        """Dimension d of an item vector."""
        return self.content.size(1)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of ``ids`` (any shape ``[...]``) as ``[..., d]``; zero for padding."""
        delta = self._shown(self.warm_rows(self.delta, ids))
        vectors = F.embedding(ids, self.content).add_(delta)
        if self._k and not self.training:  # training sees no cold item
            cold = ids > self.n_warm
            rows = ids[cold] - self.n_warm - 1
            vectors[cold] += self._lenders().mean_of(self.delta, rows)
        return vectors

    def trained_rows(self) -> Tensor:
        """Vectors of padding and of the warm items, ``[1 + n_warm, d]``, with their gradient."""
        return self.content[: self.n_warm + 1] + self._shown(self.delta)

    def _shown(self, delta: Tensor) -> Tensor:
        """What training shows of rows of deltas ``[..., d]``."""
        return delta

    def all_rows(self) -> Tensor:
        """Vectors of padding and of all items, ``[n_items, d]``."""
        known = self.n_warm + 1
        cold = self.content[known:]
        if self._k:
            cold = cold + self._lenders().mean_of(self.delta)
        return torch.cat([self.content[:known] + self.delta, cold])

    @property
    def bounded(self) -> Tensor:
        """The table of deltas, ``[1 + n_warm, d]``."""
        return self.delta

    @torch.no_grad()
    def project_(self, ids: Tensor | None = None) -> None:
        """Scale every delta outside the ball back onto it (the paper's renorm).

        Args:
            ids: ``[n]`` rows that may have left the ball, without repetition; all by default.
        """
        if not 0 < self.delta_max < math.inf:  # at radius 0, deltas start and stay there
            return
        rows = self.delta if ids is None else self.delta.index_select(0, ids)
        norm = rows.norm(dim=1, keepdim=True)
        rows.mul_(self.delta_max / norm.clamp_(min=self.delta_max))
        if ids is not None:
            self.delta.index_copy_(0, ids, rows)

    def lend_deltas(self, k: int) -> None:
        """Let every cold item have the mean delta of its k nearest warm items from now on.

        A mean of deltas in the ball is in the ball. What is lent follows the deltas, also those
        of items whose content comes later; an item with a delta of its own borrows none.
        """
        self._k, self._neighbours = k, None

    def put_content(self, ids: Tensor, rows: Tensor) -> None:
        """Give items a content, be they there or new; :meth:`ContentEmbedding.put_content`."""
        super().put_content(ids, rows)
        self._neighbours = None

    def extend_deltas(self, last: int) -> None:
        """Append rows to the deltas, so that items up to number ``last`` have one of their own.

        They start with what was lent to them, else with zero.
        """
        more = last + 1 - len(self.delta)
        if more <= 0:
            return
        delta = self.delta.detach()
        own = delta.new_zeros(more, delta.size(1))
        if self._k:
            own = self._lenders().mean_of(delta, torch.arange(more, device=delta.device))
        rows = torch.cat([delta, own])
        self.delta = nn.Parameter(rows, requires_grad=self.delta.requires_grad)
        self.n_warm = len(rows) - 1
        self._neighbours = None

    @torch.no_grad()
    def borrow_again_(self, ids: Tensor) -> None:
        """Give rows that :meth:`extend_deltas` appended what is lent to their items now.

        Args:
            ids: ``[n]`` numbers of items that have a row, but nothing of their own in it.
        """
        if self._k and len(ids):
            lent = Neighbours.of(self.content[ids], self._lending(), self._k).mean_of(self.delta)
            self.delta.index_copy_(0, ids, lent)

    def _lending(self) -> Tensor:
        """``[n, d]`` content of the items that training has given a delta."""
        return self.content[1 : self._n_lenders + 1]

    def _lenders(self) -> Neighbours:
        """The neighbours of the cold items, looked for when they are first asked for."""
        found = self._neighbours
        if found is None or found.index.device != self.content.device:
            cold = self.content[self.n_warm + 1 :]
            found = self._neighbours = Neighbours.of(cold, self._lending(), self._k)
        return found

    def extra_repr(self) -> str:
        """What ``print(model)`` shows."""
        n_items, dim = self.content.shape
        return f"{n_items} items ({self.n_warm} warm), {dim}, delta_max={self.delta_max}"


def _check_content(content: Tensor, n_warm: int) -> None:
    if content.dim() != 2 or not 1 <= n_warm < content.size(0):
        raise DeltaError(
            f"content must be [n_items, d] with 1 <= n_warm < n_items, "
            f"but is {list(content.shape)} with n_warm={n_warm}."
        )
    norm = content.norm(dim=1)
    if norm[0] != 0 or not torch.allclose(norm[1:], torch.ones_like(norm[1:]), atol=1e-4):
        raise DeltaError("content rows must have unit norm, and row 0 (padding) must be zero.")
