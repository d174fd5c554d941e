"""Baseline embeddings from the literature, for comparison with the delta. Plain torch.

Each class names its paper; ``modes.py`` gives it the content and the initial values that the paper
has. LLMInit and WhitenRec need no class of their own: they are other content maps, and an
:class:`AdaptedEmbedding` for the latter.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recbole_delta.embedding.base import ContentEmbedding
from recbole_delta.embedding.delta import DeltaEmbedding


class AlphaFuseEmbedding(ContentEmbedding):
    """AlphaFuse (Hu et al., SIGIR 2025): IDs are learnt where the content says little.

    An item's vector is its whitened content along the leading principal directions, which stays
    as it is, and an ID vector along the others, whose content is dropped. A cold item's ID vector
    is zero.

    Args:
        content: ``[n_items, s]`` rows of padding (zero) and of all items.
        n_warm: rows 1 .. ``n_warm`` have an ID vector.
        null_dim: dimension of the ID vectors; d = s + ``null_dim``.
        init_std: ID vectors start at N(0, init_std²).
        generator: source of their initial values.

    Example:
        >>> import torch
        >>> content = torch.tensor([[0.0], [1.0], [2.0]])  # padding, a warm item, a cold one
        >>> embedding = AlphaFuseEmbedding(content, n_warm=1, null_dim=2, init_std=0.02,
        ...                                generator=torch.Generator().manual_seed(0))
        >>> embedding.embedding_dim
        3
        >>> embedding.weight[2].tolist()  # its ID part is zero
        [2.0, 0.0, 0.0]
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
        identity = torch.zeros(n_warm + 1, null_dim)
        identity[1:].normal_(0.0, init_std, generator=generator)
        self.identity = nn.Parameter(identity)

    @property
    def embedding_dim(self) -> int:
        """Dimension d of an item vector."""
        return self.content.size(1) + self.identity.size(1)

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of ``ids`` (any shape ``[...]``) as ``[..., d]``; zero for padding."""
        own = self.warm_rows(self.identity, ids)
        return torch.cat([F.embedding(ids, self.content), own], -1)

    def trained_rows(self) -> Tensor:
        """Vectors of padding and of the warm items, ``[1 + n_warm, d]``, with their gradient."""
        return torch.cat([self.content[: self.n_warm + 1], self.identity], 1)

    def all_rows(self) -> Tensor:
        """Vectors of padding and of all items, ``[n_items, d]``."""
        n_cold = len(self.content) - len(self.identity)
        return torch.cat([self.content, F.pad(self.identity, (0, 0, 0, n_cold))], 1)


class AdaptedEmbedding(ContentEmbedding):
    """Frozen content through a trained network, the same for warm and cold items; no ID.

    The shape of UniSRec (Hou et al., KDD 2022) and WhitenRec (Zhang et al., ICDE 2024).

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


class MixtureOfExperts(nn.Module):
    """The adaptor of UniSRec (Hou et al., KDD 2022): parametric whitenings, mixed by a gate.

    An expert is (dropout(x) − b) W; the gate is a softmax of x G, with noise in training whose
    scale is learnt.

    Args:
        content_dim: dimension c of the content.
        dim: dimension d of an item vector.
        experts: number of experts.
        dropout: rate at which the experts' inputs are dropped.

    Example:
        >>> import torch
        >>> adaptor = MixtureOfExperts(content_dim=8, dim=4)
        >>> adaptor(torch.randn(3, 5, 8)).shape
        torch.Size([3, 5, 4])
    """

    def __init__(self, content_dim: int, dim: int, experts: int = 8, dropout: float = 0.2) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(experts, content_dim))
        self.weight = nn.Parameter(torch.empty(experts, content_dim, dim).normal_(0.0, 0.02))
        self.gate = nn.Parameter(torch.zeros(content_dim, experts))
        self.noise = nn.Parameter(torch.zeros(content_dim, experts))

    def forward(self, content: Tensor) -> Tensor:
        """Item vectors ``[..., d]`` of content ``[..., c]``."""
        logits = content @ self.gate
        if self.training:
            scale = F.softplus(content @ self.noise) + 1e-2
            logits = logits + torch.randn_like(logits) * scale
        share = logits.softmax(-1)
        shift = torch.einsum("kc,kcd->kd", self.bias, self.weight)
        # Σ share_k (x − b_k) W_k, one expert at a time: all of them would be eight tables.
        x = self.dropout(content)
        mixed = -share @ shift
        for expert, weight in enumerate(self.weight):
            mixed = mixed + share[..., expert, None] * (x @ weight)
        return mixed


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

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of ``ids`` (any shape ``[...]``) as ``[..., d]``; zero for padding."""
        own = self.warm_rows(self.delta, ids)
        return F.embedding(ids, self.content) + self._drop(own)

    def trained_rows(self) -> Tensor:
        """Vectors of padding and of the warm items, ``[1 + n_warm, d]``, with their gradient."""
        return self.content[: self.n_warm + 1] + self._drop(self.delta)

    def _drop(self, own: Tensor) -> Tensor:
        if not self.training:
            return own
        return own * (torch.rand(own.shape[:-1], device=own.device) >= self.rate).unsqueeze(-1)
