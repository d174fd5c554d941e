"""The setting ``item_embedding``: from content vectors to each kind of item embedding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.nn import functional as F

from recbole_delta.embedding import ContentEmbedding, DeltaEmbedding
from recbole_delta.errors import DeltaError
from recbole_delta.reduction import ContentReduction
from recbole_delta.rivals import (
    AdaptedEmbedding,
    AlphaFuseEmbedding,
    DroppedIdEmbedding,
    MixtureOfExperts,
)

INIT_STD = 0.02
"""Standard deviation of initial deltas (the official code's value) and ID vectors."""
ID_DROPOUT = 0.5
POPULAR = 0.1
"""Share of the warm items over which ``llminit`` looks at variances."""


@dataclass(frozen=True)
class Items:
    """What an item embedding is made of.

    Attributes:
        content: ``[n_items - 1, c]`` float32 content vectors of items 1, 2, ...
        train_count: ``[n_warm]`` training rows of the warm items, which come first.
        dim: d of the embedding.
        delta_max: radius of the deltas.
        generator: source of initial values.
    """

    content: np.ndarray
    train_count: np.ndarray
    dim: int
    delta_max: float
    generator: torch.Generator

    @property
    def n_warm(self) -> int:
        """Number of warm items."""
        return len(self.train_count)

    def reduced(self) -> Tensor:
        """Unit rows ``[n_items, d]`` by warm statistics; row 0 (padding) is zero."""
        return reduced(self.content, self.n_warm, self.dim)

    def whitened(self, dim: int) -> np.ndarray:
        """``[n_items - 1, dim]`` leading principal directions with unit variance over warm items.

        Raises:
            DeltaError: the content has not so many directions.
        """
        if dim > min(self.n_warm, self.content.shape[1]):
            raise DeltaError(
                f"{self.n_warm} warm items with content of dimension {self.content.shape[1]} have "
                f"no {dim} directions to whiten; choose a smaller embedding."
            )
        pca = PCA(dim, whiten=True, svd_solver="full")
        pca.fit(self.content[: self.n_warm].astype(np.float64))
        return pca.transform(self.content.astype(np.float64))


def reduced(content: np.ndarray, n_warm: int, dim: int) -> Tensor:
    """Content ``[n_items - 1, c]`` as unit rows ``[n_items, dim]``, padding (zero) before them."""
    rows = ContentReduction(dim).fit(content[:n_warm]).transform(content)
    return _after_padding(rows)


def _init(items: Items) -> ContentEmbedding:
    """Content-based initialisation, then free fine-tuning."""
    return DeltaEmbedding(items.reduced(), items.n_warm, float("inf"), init_std=0.0)


def _frozen(items: Items) -> ContentEmbedding:
    return DeltaEmbedding(items.reduced(), items.n_warm, 0.0)


def _delta(items: Items) -> ContentEmbedding:
    return DeltaEmbedding(
        items.reduced(), items.n_warm, items.delta_max,
        init_std=INIT_STD, generator=items.generator,
    )  # fmt: skip


def _alphafuse(items: Items) -> ContentEmbedding:
    """Half of the dimensions each, as in the paper's default of 64 of 128."""
    size = items.dim // 2
    rows = items.whitened(size)
    # Whitened rows have a mean square of s; the contents of all modes have one of 1 here.
    return AlphaFuseEmbedding(
        _after_padding(rows / np.sqrt(size)), items.n_warm, items.dim - size,
        init_std=INIT_STD, generator=items.generator,
    )  # fmt: skip


def _llminit(items: Items) -> ContentEmbedding:
    """LLMInit (EMNLP 2025, industry track): raw dimensions as they are, then free fine-tuning.

    Those with the highest variance over the most popular items, at the unit length that all
    contents have here.
    """
    if items.content.shape[1] < items.dim:
        raise DeltaError(
            f"item_embedding: llminit chooses {items.dim} of the content's dimensions, which are "
            f"only {items.content.shape[1]}; choose a smaller embedding."
        )
    order = np.argsort(-items.train_count, kind="stable")
    popular = order[: max(2, int(POPULAR * items.n_warm))]
    variance = items.content[popular].var(0, dtype=np.float64)
    chosen = np.sort(np.argsort(-variance, kind="stable")[: items.dim])
    rows = F.normalize(_after_padding(items.content[:, chosen]))
    return DeltaEmbedding(rows, items.n_warm, float("inf"), init_std=0.0)


def _whitening(items: Items) -> ContentEmbedding:
    """WhitenRec (Zhang et al., ICDE 2024): whitened content, then Linear and GELU."""
    content_dim = min(items.content.shape[1], items.n_warm - 1)
    rows = _after_padding(items.whitened(content_dim) / np.sqrt(content_dim))
    adaptor = nn.Sequential(nn.Linear(content_dim, items.dim), nn.GELU())
    return AdaptedEmbedding(rows, items.n_warm, _seeded(adaptor, items), items.dim)


def _moe(items: Items) -> ContentEmbedding:
    """UniSRec's adaptor over the standardised content."""
    content_dim = items.content.shape[1]
    rows = reduced(items.content, items.n_warm, content_dim)
    adaptor = MixtureOfExperts(content_dim, items.dim)
    return AdaptedEmbedding(rows, items.n_warm, _seeded(adaptor, items), items.dim)


def _id_dropout(items: Items) -> ContentEmbedding:
    return DroppedIdEmbedding(
        items.reduced(), items.n_warm, ID_DROPOUT, init_std=INIT_STD, generator=items.generator
    )


CONTENT_EMBEDDINGS: dict[str, Callable[[Items], ContentEmbedding]] = {
    "init": _init,
    "frozen": _frozen,
    "delta": _delta,
    "alphafuse": _alphafuse,
    "llminit": _llminit,
    "whitening": _whitening,
    "moe": _moe,
    "id_dropout": _id_dropout,
}
"""By the setting ``item_embedding``; the remaining one is ``id``."""


def _seeded(adaptor: nn.Module, items: Items) -> nn.Module:
    """Weights that keep lengths, from the items' generator, so that they depend on nothing else."""
    with torch.no_grad():
        for parameter in adaptor.parameters():
            if parameter.dim() == 1:
                parameter.zero_()
            elif parameter.any():
                parameter.normal_(0.0, items.dim**-0.5, generator=items.generator)
    return adaptor


def _after_padding(rows: np.ndarray) -> Tensor:
    return F.pad(torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32)), (0, 0, 1, 0))
