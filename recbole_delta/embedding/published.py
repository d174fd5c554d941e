"""Baseline embeddings from the literature, for comparison with the delta. Plain torch.

Each class names its paper; ``modes.py`` gives it the content and the initial values that the paper
has. LLMInit needs no class of its own: it is another content map. WhitenRec, UniSRec and LIGER are
an :class:`AdaptedEmbedding`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recbole_delta.embedding.base import ContentEmbedding, random_table
from recbole_delta.embedding.delta import DeltaEmbedding


class AlphaFuseEmbedding(ContentEmbedding):
    """AlphaFuse (Hu et al., SIGIR 2025): IDs are learnt where the content says little.

    An item's vector is its whitened content; an ID vector is added to it along the directions of
    least variance, its null space. A cold item has none. The null space has a fixed dimension, as
    its authors' code has it for SASRec (that by a threshold is DreamRec's); the loss is the run's,
    where they have InfoNCE over 64 negatives.

    Args:
        content: ``[n_items, d]`` whitened rows of padding (zero) and of all items, the direction of
            the largest variance first.
        n_warm: rows 1 .. ``n_warm`` have an ID vector.
        null_dim: dimension of the null space: the last of the d.
        init_std: ID vectors start at N(0, init_std²).
        generator: source of their initial values.

    Example:
        >>> import torch
        >>> content = torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])  # a warm item, a cold one
        >>> embedding = AlphaFuseEmbedding(content, n_warm=1, null_dim=1, init_std=1.0,
        ...                                generator=torch.Generator().manual_seed(0))
        >>> (embedding.weight - content)[:, 0].tolist()  # the leading direction is the content's
        [0.0, 0.0, 0.0]
        >>> (embedding.weight - content)[2].tolist()  # and all of a cold item
        [0.0, 0.0]
    """

    content: Tensor

    def __init__(
        self,
        content: Tensor,
        n_warm: int,
        null_dim: int,
        *,
        init_std: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__(n_warm)
        self.register_buffer("content", content)
        self.identity = random_table(n_warm, null_dim, init_std, generator)

    @property
    def embedding_dim(self) -> int:
        """Dimension d of an item vector."""
        return self.content.size(1)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of ``ids`` (any shape ``[...]``) as ``[..., d]``; zero for padding."""
        own = self.warm_rows(self.identity, ids)
        return F.embedding(ids, self.content) + self._in_null_space(own)

    def trained_rows(self) -> Tensor:
        """Vectors of padding and of the warm items, ``[1 + n_warm, d]``, with their gradient."""
        return self.content[: self.n_warm + 1] + self._in_null_space(self.identity)

    def all_rows(self) -> Tensor:
        """Vectors of padding and of all items, ``[n_items, d]``."""
        return torch.cat([self.trained_rows(), self.content[self.n_warm + 1 :]])

    def _in_null_space(self, own: Tensor) -> Tensor:
        return F.pad(own, (self.embedding_dim - own.size(-1), 0))


class AdaptedEmbedding(ContentEmbedding):
    """Frozen content through a trained network, the same for warm and cold items; no ID.

    The shape of UniSRec (Hou et al., KDD 2022), WhitenRec (Zhang et al., ICDE 2024) and LIGER's
    dense retrieval (Yang et al., 2024).

    Args:
        content: ``[n_items, c]`` rows of padding (zero) and of all items.
        n_warm: rows 1 .. ``n_warm`` are warm items.
        adaptor: network from ``[..., c]`` to ``[..., d]``.
        dim: dimension d of an item vector.

    Example:
        >>> import torch
        >>> content = torch.tensor([[0.0], [1.0], [2.0]])  # padding, a warm item, a cold one
        >>> adaptor = torch.nn.Linear(1, 4)
        >>> embedding = AdaptedEmbedding(content, n_warm=1, adaptor=adaptor, dim=4)
        >>> embedding(torch.tensor([[0, 2]])).shape
        torch.Size([1, 2, 4])
        >>> [name for name, _ in embedding.named_parameters()]  # nothing of an item's own
        ['adaptor.weight', 'adaptor.bias']
    """

    content: Tensor

    def __init__(self, content: Tensor, n_warm: int, adaptor: nn.Module, dim: int) -> None:
        super().__init__(n_warm)
        self.register_buffer("content", content)
        self.adaptor, self._dim = adaptor, dim

    @property
    def embedding_dim(self) -> int:
        """Dimension d of an item vector."""
        return self._dim

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of ``ids`` (any shape ``[...]``) as ``[..., d]``; zero for padding."""
        return self.adaptor(F.embedding(ids, self.content)) * (ids > 0).unsqueeze(-1)

    def trained_rows(self) -> Tensor:
        """Vectors of padding and of the warm items, ``[1 + n_warm, d]``, with their gradient."""
        return self._rows(self.content[: self.n_warm + 1])

    def all_rows(self) -> Tensor:
        """Vectors of padding and of all items, ``[n_items, d]``."""
        return self._rows(self.content)

    def _rows(self, content: Tensor) -> Tensor:
        return F.pad(self.adaptor(content[1:]), (0, 0, 1, 0))


class DroppedIdEmbedding(DeltaEmbedding):
    """Content plus a free ID vector that training drops at random (DropoutNet style).

    After DropoutNet (Volkovs et al., NeurIPS 2017): a model that often has to do without the ID
    can do without that of a cold item.

    Args:
        content: ``[n_items, d]`` float; row 0 (padding) is zero, every other row has unit norm.
        n_warm: rows 1 .. ``n_warm`` have an ID vector.
        rate: probability that an item's ID vector is dropped where it is looked up or ranked.
        init_std: ID vectors start at N(0, init_std²).
        generator: source of their initial values.

    Raises:
        DeltaError: content whose rows are not as said above.

    Example:
        >>> import torch
        >>> content = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> embedding = DroppedIdEmbedding(content, n_warm=1, rate=1.0, init_std=0.02)
        >>> embedding(torch.tensor([1])).tolist()  # in training, without its ID
        [[1.0, 0.0]]
        >>> embedding.eval()(torch.tensor([1])).equal(content[1:2])
        False
    """

    def __init__(
        self,
        content: Tensor,
        n_warm: int,
        rate: float,
        *,
        init_std: float = 0.02,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(content, n_warm, float("inf"), init_std=init_std, generator=generator)
        self.rate = rate

    def _shown(self, delta: Tensor) -> Tensor:
        """Training shows no ID at this rate, anew wherever one is looked up or ranked."""
        if not self.training:
            return delta
        kept = torch.rand(delta.shape[:-1], device=delta.device) >= self.rate
        return delta * kept.unsqueeze(-1)
