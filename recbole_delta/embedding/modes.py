"""The values of the setting ``item_embedding``: from content to each kind of item embedding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from dataset_prep.errors import DeltaError, at_least_0
from recbole_delta.embedding.adaptors import MixtureOfExperts, ResidualAdaptor
from recbole_delta.embedding.base import ContentEmbedding
from recbole_delta.embedding.content_map import ContentMap
from recbole_delta.embedding.delta import DeltaEmbedding
from recbole_delta.embedding.id import IdEmbedding
from recbole_delta.embedding.imputed import KnnIdEmbedding
from recbole_delta.embedding.published import (
    AdaptedEmbedding,
    AlphaFuseEmbedding,
    DroppedIdEmbedding,
)
from recbole_delta.embedding.spec import EmbeddingArgs, EmbeddingSpec
from recbole_delta.embedding.two_paths import DenseRecEmbedding, GatedEmbedding

INIT_STD = 0.02
"""Standard deviation of initial deltas (the official code's value) and ID vectors."""
ID_DROPOUT = 0.5
"""Rate at which ``id_dropout`` drops ID vectors in training."""
DENSE_RATE = 0.5
"""Rate at which training shows ``denserec`` the content instead of the ID."""
HALF_OPEN = 5
"""Training rows of an item at which the gate of ``gated`` starts half open."""
TEMPERATURE = 0.07
"""Temperature of the cosine in the code of AlphaFuse, LIGER and UniSRec."""
POPULAR = 0.1
"""Share of the warm items over which ``llminit`` looks at variances."""


@dataclass(frozen=True)
class DeltaOptions:
    """Settings of ``item_embedding: delta``.

    Attributes:
        delta_max: radius of the ball around each content vector; 0 is frozen content.

    Raises:
        DeltaError: a radius below 0.
    """

    delta_max: float = 0.5

    def __post_init__(self) -> None:
        at_least_0("delta_max", self.delta_max)


def _id(args: EmbeddingArgs) -> IdEmbedding:
    """RecBole's own table, for warm items."""
    table = nn.Embedding(args.n_warm + 1, args.dim, padding_idx=0)
    args.init_table(table)
    return IdEmbedding(table.weight)


def _init(args: EmbeddingArgs) -> ContentEmbedding:
    """Content-based initialisation, then free fine-tuning."""
    return DeltaEmbedding(args.content, args.n_warm, math.inf, init_std=0.0)


def _frozen(args: EmbeddingArgs) -> ContentEmbedding:
    return DeltaEmbedding(args.content, args.n_warm, 0.0)


def _delta(args: EmbeddingArgs) -> ContentEmbedding:
    return DeltaEmbedding(args.content, args.n_warm, args.options.delta_max, **_start(args))


def _whitened_in_order(warm: np.ndarray, train_count: np.ndarray, dim: int) -> ContentMap:
    """All directions alike, at a mean square length of 1.

    AlphaFuse has variance 1 in each. For a cosine that is the same, but a step of Adam is then √d
    times smaller beside the IDs: on the validation data of ml-100k .048 instead of .068.
    """
    return ContentMap.whitened(warm, dim, variance=1 / dim)


def _alphafuse(args: EmbeddingArgs) -> ContentEmbedding:
    """Standardised content, and the null space half of the dimensions, as in AlphaFuse's code."""
    std = args.dim**-0.5  # as large as the content, as there
    return AlphaFuseEmbedding(
        args.content, args.n_warm, args.dim // 2, init_std=std, generator=args.generator
    )


def _most_varied(warm: np.ndarray, train_count: np.ndarray, dim: int) -> ContentMap:
    """LLMInit (EMNLP 2025, industry track): raw dimensions as they are, then free fine-tuning.

    Those with the highest variance over the most popular items, at the unit length that all
    contents have here.
    """
    if warm.shape[1] < dim:
        raise DeltaError(
            f"item_embedding: llminit chooses {dim} of the content's dimensions, which are "
            f"only {warm.shape[1]}; choose a smaller embedding."
        )
    order = np.argsort(-train_count, kind="stable")
    popular = order[: max(2, int(POPULAR * len(warm)))]
    variance = warm[popular].var(0, dtype=np.float64)
    return ContentMap.columns(np.sort(np.argsort(-variance, kind="stable")[:dim]), warm.shape[1])


def _all_whitened(warm: np.ndarray, train_count: np.ndarray, dim: int) -> ContentMap:
    return ContentMap.whitened(warm, min(warm.shape[1], len(warm) - 1))


def _whitening(args: EmbeddingArgs) -> ContentEmbedding:
    """WhitenRec (Zhang et al., ICDE 2024): whitened content, then Linear and GELU."""
    adaptor = nn.Sequential(nn.Linear(args.content.size(1), args.dim), nn.GELU())
    return AdaptedEmbedding(args.content, args.n_warm, _seeded(adaptor, args, INIT_STD), args.dim)


def _own_dimension(warm: np.ndarray, train_count: np.ndarray, dim: int) -> ContentMap:
    return ContentMap.standardised(warm, warm.shape[1])


def _moe(args: EmbeddingArgs) -> ContentEmbedding:
    """UniSRec's adaptor over the standardised content, without pre-training."""
    adaptor = MixtureOfExperts(args.content.size(1), args.dim)
    # Rows of unit length stay so.
    _seeded(adaptor, args, args.dim**-0.5)
    return AdaptedEmbedding(args.content, args.n_warm, adaptor, args.dim)


def _liger(args: EmbeddingArgs) -> ContentEmbedding:
    """The dense half of LIGER, over the standardised content; no semantic IDs."""
    adaptor = ResidualAdaptor(args.content.size(1), args.dim)
    _seeded(adaptor, args, args.content.size(1) ** -0.5)
    return AdaptedEmbedding(args.content, args.n_warm, adaptor, args.dim)


def _denserec(args: EmbeddingArgs) -> ContentEmbedding:
    return DenseRecEmbedding(args.content, args.n_warm, args.dim, DENSE_RATE, **_start(args))


def _gated(args: EmbeddingArgs) -> ContentEmbedding:
    return GatedEmbedding(
        args.content, args.n_warm, args.dim, args.train_count, HALF_OPEN, **_start(args)
    )


def _id_dropout(args: EmbeddingArgs) -> ContentEmbedding:
    return DroppedIdEmbedding(args.content, args.n_warm, ID_DROPOUT, **_start(args))


def _id_knn(args: EmbeddingArgs) -> ContentEmbedding:
    return KnnIdEmbedding(_id(args).weight, args.content)


EMBEDDINGS: dict[str, EmbeddingSpec] = {
    "id": EmbeddingSpec(_id, fit=None),
    "init": EmbeddingSpec(_init),
    "frozen": EmbeddingSpec(_frozen, learns_warm=False),
    "delta": EmbeddingSpec(_delta, options=DeltaOptions),
    "id_knn": EmbeddingSpec(_id_knn, _own_dimension, learns_cold=True),
    "alphafuse": EmbeddingSpec(_alphafuse, _whitened_in_order, cosine_temperature=TEMPERATURE),
    "llminit": EmbeddingSpec(_init, _most_varied),
    "whitening": EmbeddingSpec(_whitening, _all_whitened, learns_cold=True),
    "moe": EmbeddingSpec(_moe, _own_dimension, learns_cold=True, cosine_temperature=TEMPERATURE),
    "liger": EmbeddingSpec(
        _liger, _own_dimension, learns_cold=True, cosine_temperature=TEMPERATURE
    ),
    "denserec": EmbeddingSpec(_denserec, _own_dimension, learns_cold=True),
    "gated": EmbeddingSpec(_gated, _own_dimension, learns_cold=True),
    "id_dropout": EmbeddingSpec(_id_dropout),
}
"""Values of the setting ``item_embedding``. A new one is an :class:`EmbeddingSpec` listed here."""


def _start(args: EmbeddingArgs) -> dict[str, Any]:
    """Arguments for the initial values of free rows."""
    return {"init_std": INIT_STD, "generator": args.generator}


def _seeded(adaptor: nn.Module, args: EmbeddingArgs, std: float) -> nn.Module:
    """Weights N(0, std²) from the generator, so that they depend on nothing else."""
    with torch.no_grad():
        for name, parameter in adaptor.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif parameter.dim() > 1 and parameter.any():  # the scale of a LayerNorm stays 1
                parameter.normal_(0.0, std, generator=args.generator)
    return adaptor
