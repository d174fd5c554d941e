"""An ID vector beside projected content: baselines that choose between the two, or mix them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recbole_delta.embedding.base import ContentEmbedding, random_table


class TwoPathEmbedding(ContentEmbedding):
    """share · ID vector + (1 − share) · W content; a cold item has no ID, so its share is 0.

    A subclass says how large the share of a warm item is.

    Args:
        content: ``[n_items, c]`` rows of padding (zero) and of all items.
        n_warm: rows 1 .. ``n_warm`` have an ID vector.
        dim: dimension d of an item vector.
        init_std: ID vectors and the projection W start at N(0, init_std²).
        generator: source of their initial values.
    """

    content: Tensor

    def __init__(
        self,
        content: Tensor,
        n_warm: int,
        dim: int,
        *,
        init_std: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__(n_warm)
        self.register_buffer("content", content)
        self.identity = random_table(n_warm, dim, init_std, generator)
        self.projection = nn.Linear(content.size(1), dim, bias=False)
        with torch.no_grad():
            self.projection.weight.normal_(0.0, init_std, generator=generator)

    @property
    def embedding_dim(self) -> int:
        """Dimension d of an item vector."""
        return self.identity.size(1)

    def share(self, ids: Tensor) -> Tensor:
        """``[...]`` weights of the ID vectors of warm items ``[...]``, between 0 and 1."""
        raise NotImplementedError

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of ``ids`` (any shape ``[...]``) as ``[..., d]``; zero for padding."""
        is_warm = ids <= self.n_warm
        share = self.share(torch.where(is_warm, ids, 0)) * is_warm
        projected = self.projection(F.embedding(ids, self.content))
        return _mixed(self.warm_rows(self.identity, ids), projected, share)

    def trained_rows(self) -> Tensor:
        """Vectors of padding and of the warm items, ``[1 + n_warm, d]``, with their gradient."""
        ids = torch.arange(self.n_warm + 1, device=self.identity.device)
        projected = self.projection(self.content[: self.n_warm + 1])
        return _mixed(self.identity, projected, self.share(ids))

    def all_rows(self) -> Tensor:
        """Vectors of padding and of all items, ``[n_items, d]``."""
        cold = self.projection(self.content[self.n_warm + 1 :])
        return torch.cat([self.trained_rows(), cold])


def _mixed(identity: Tensor, projected: Tensor, share: Tensor) -> Tensor:
    share = share.to(identity.dtype).unsqueeze(-1)  # mixed precision gives fewer digits
    return torch.lerp(projected.to(identity.dtype), identity, share)


class DenseRecEmbedding(TwoPathEmbedding):
    """DenseRec (Lichtenberg et al., 2025, arXiv 2508.18442): training tosses a coin between two.

    Wherever a warm item is looked up or ranked in training, its projected content takes the place
    of its ID vector at a fixed rate, so that the projection learns to stand in for IDs. Afterwards
    a warm item is its ID and a cold one its projected content.

    Args:
        content: ``[n_items, c]`` rows of padding (zero) and of all items.
        n_warm: rows 1 .. ``n_warm`` have an ID vector.
        dim: dimension d of an item vector.
        rate: how often training takes the content.
        init_std: ID vectors and the projection start at N(0, init_std²).
        generator: source of their initial values.

    Example:
        >>> import torch
        >>> content = torch.tensor([[0.0], [1.0], [2.0]])  # padding, a warm item, a cold one
        >>> embedding = DenseRecEmbedding(content, n_warm=1, dim=4, rate=0.5, init_std=0.02,
        ...                               generator=torch.Generator().manual_seed(0)).eval()
        >>> embedding.weight[1].equal(embedding.identity[1])
        True
        >>> embedding.weight[2].equal(embedding.projection(content[2]))
        True
    """

    def __init__(
        self,
        content: Tensor,
        n_warm: int,
        dim: int,
        rate: float,
        *,
        init_std: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__(content, n_warm, dim, init_std=init_std, generator=generator)
        self.rate = rate

    def share(self, ids: Tensor) -> Tensor:
        """``[...]`` 1 where an item is its ID vector: at random in training, always after it."""
        if not self.training:
            return torch.ones(ids.shape, device=ids.device)
        return (torch.rand(ids.shape, device=ids.device) >= self.rate).float()


class GatedEmbedding(TwoPathEmbedding):
    """A cold-aware gate: the more training rows an item has, the more of it is its ID vector.

    share = σ(a log(1 + n) + b) for n training rows, with learnt a and b. The gate by an item's
    maturity of GateSID (Zhu et al., 2026, arXiv 2603.22916), without its semantic IDs.

    Args:
        content: ``[n_items, c]`` rows of padding (zero) and of all items.
        n_warm: rows 1 .. ``n_warm`` have an ID vector.
        dim: dimension d of an item vector.
        train_count: ``[n_warm]`` training rows of the warm items.
        half_open: number of training rows at which the gate starts half open.
        init_std: ID vectors and the projection start at N(0, init_std²).
        generator: source of their initial values.

    Example:
        >>> import torch
        >>> content = torch.tensor([[0.0], [1.0], [2.0], [3.0]])  # two warm items, a cold one
        >>> embedding = GatedEmbedding(content, n_warm=2, dim=4, train_count=torch.tensor([5, 90]),
        ...                            half_open=5, init_std=0.02,
        ...                            generator=torch.Generator().manual_seed(0))
        >>> [round(share.item(), 2) for share in embedding.share(torch.tensor([1, 2]))]
        [0.5, 0.94]
    """

    log_count: Tensor

    def __init__(
        self,
        content: Tensor,
        n_warm: int,
        dim: int,
        train_count: Tensor,
        half_open: int,
        *,
        init_std: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__(content, n_warm, dim, init_std=init_std, generator=generator)
        self.register_buffer("log_count", F.pad(train_count.float().log1p(), (1, 0)))
        self.gate = nn.Linear(1, 1)
        with torch.no_grad():
            self.gate.weight.fill_(1.0)
            self.gate.bias.fill_(-math.log1p(half_open))

    def share(self, ids: Tensor) -> Tensor:
        """``[...]`` weights of the ID vectors of warm items ``[...]``, between 0 and 1."""
        return self.gate(self.log_count[ids].unsqueeze(-1)).squeeze(-1).sigmoid()
