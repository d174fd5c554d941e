"""An item as the mean of its digits' learnt vectors: a semantic ID as an embedding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from recbole_delta.embedding.base import ContentEmbedding, random_table


@dataclass(frozen=True)
class CodeCounts:
    """What codes make of a catalogue.

    Attributes:
        items: number of items.
        shared: items whose whole code another item has too: their scores are always equal.
        cold: number of cold items.
        reachable: cold items each of whose digits some warm item has, so that all of their vectors
            were trained.
    """

    items: int
    shared: int
    cold: int
    reachable: int


class DigitEmbedding(ContentEmbedding):
    """e_i = mean of the vectors of item i's m digits; nothing is learnt for an item of its own.

    The input embedding of RPG (Hou et al., KDD 2025) and of VQ-Rec (Hou et al., WWW 2023).

    Args:
        content: ``[n_items, m]`` int32 codes: numbers of codewords, from 1 on, those of each digit
            after those of the digit before; row 0 (padding) is zero.
        n_warm: rows 1 .. ``n_warm`` are warm items.
        codewords: number M of each digit's codewords.
        dim: dimension d of an item vector.
        init_std: digits' vectors start at N(0, m init_std²), so that the mean of an item's m starts
            at N(0, init_std²).
        generator: source of their initial values.

    Attributes:
        table: ``[1 + m M, d]`` vectors of padding (zero) and of all codewords.

    Example:
        Two digits of two codewords: 1 and 2, 3 and 4.

        >>> import torch
        >>> codes = torch.tensor([[0, 0], [1, 3], [2, 3], [1, 3]], dtype=torch.int32)
        >>> embedding = DigitEmbedding(codes, n_warm=2, codewords=2, dim=1, init_std=0.02,
        ...                            generator=torch.Generator().manual_seed(0))
        >>> _ = embedding.table.data.copy_(torch.tensor([[0.0], [1.0], [2.0], [5.0], [9.0]]))
        >>> embedding(torch.tensor([0, 1, 2])).flatten().tolist()
        [0.0, 3.0, 3.5]
        >>> embedding.count_codes()
        CodeCounts(items=3, shared=2, cold=1, reachable=1)
    """

    content: Tensor

    def __init__(
        self,
        content: Tensor,
        n_warm: int,
        codewords: int,
        dim: int,
        *,
        init_std: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__(n_warm)
        self.register_buffer("content", content)
        digits = content.size(1)
        self.table = random_table(digits * codewords, dim, init_std * digits**0.5, generator)

    @property
    def embedding_dim(self) -> int:
        """Dimension d of an item vector."""
        return self.table.size(1)

    @property
    def digits(self) -> int:
        """Number m of digits."""
        return self.content.size(1)

    def by_digit(self) -> Tensor:
        """``[m, M, d]`` vectors of the codewords of each digit."""
        return self.table[1:].view(self.digits, -1, self.embedding_dim)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of ``ids`` (any shape ``[...]``) as ``[..., d]``; zero for padding."""
        rows = self._mean(self.content[ids.flatten()])
        return rows.view(*ids.shape, self.embedding_dim)

    def trained_rows(self) -> Tensor:
        """Vectors of padding and of the warm items, ``[1 + n_warm, d]``, with their gradient."""
        return self._mean(self.content[: self.n_warm + 1])

    def all_rows(self) -> Tensor:
        """Vectors of padding and of all items, ``[n_items, d]``."""
        return self._mean(self.content)

    def count_codes(self) -> CodeCounts:
        """How many items share their code, and how many cold ones have trained digits only."""
        codes = self.content[1:]
        _, code, size = codes.unique(dim=0, return_inverse=True, return_counts=True)
        trained = torch.zeros(len(self.table), dtype=torch.bool, device=codes.device)
        trained[codes[: self.n_warm].long()] = True
        reachable = trained[codes[self.n_warm :].long()].all(1)
        shared = int((size[code] > 1).sum())
        return CodeCounts(len(codes), shared, len(reachable), int(reachable.sum()))

    def extra_repr(self) -> str:
        """What ``print(model)`` shows."""
        digits, codewords, dim = self.by_digit().shape
        return f"{len(self.content)} items, {digits} digits of {codewords} codewords, {dim}"

    def _mean(self, codes: Tensor) -> Tensor:
        return F.embedding_bag(codes, self.table, mode="mean", padding_idx=0)
