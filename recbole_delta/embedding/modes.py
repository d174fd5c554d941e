"""The setting ``item_embedding``: from content vectors to each kind of item embedding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dataset_prep.errors import DeltaError
from recbole_delta.embedding.base import ContentEmbedding
from recbole_delta.embedding.content_map import ContentMap
from recbole_delta.embedding.delta import DeltaEmbedding
from recbole_delta.embedding.published import (
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
class Known:
    """What an item embedding is made of, besides the rows of its content.

    Attributes:
        n_warm: number of warm items, which come first.
        dim: d of the embedding.
        delta_max: radius of the deltas.
        generator: source of initial values.
    """

    n_warm: int
    dim: int
    delta_max: float
    generator: torch.Generator


Fit = Callable[[np.ndarray, np.ndarray, int], ContentMap]
Make = Callable[[Tensor, Known], ContentEmbedding]


@dataclass(frozen=True)
class Mode:
    """A value of the setting ``item_embedding``.

    Attributes:
        fit: from content ``[n_warm, c]`` and training rows ``[n_warm]`` of the warm items, and d,
            to what maps any item's content to its row.
        make: from the rows ``[n_items, ...]``, padding (zero) first, to the embedding.
    """

    fit: Fit
    make: Make


def standardised(warm: np.ndarray, train_count: np.ndarray, dim: int) -> ContentMap:
    """The paper's: standardise → PCA → unit norm."""
    return ContentMap.standardised(warm, dim)


def _init(rows: Tensor, known: Known) -> ContentEmbedding:
    """Content-based initialisation, then free fine-tuning."""
    return DeltaEmbedding(rows, known.n_warm, float("inf"), init_std=0.0)


def _frozen(rows: Tensor, known: Known) -> ContentEmbedding:
    return DeltaEmbedding(rows, known.n_warm, 0.0)


def _delta(rows: Tensor, known: Known) -> ContentEmbedding:
    start: dict[str, Any] = {"init_std": INIT_STD, "generator": known.generator}
    return DeltaEmbedding(rows, known.n_warm, known.delta_max, **start)


def _half_whitened(warm: np.ndarray, train_count: np.ndarray, dim: int) -> ContentMap:
    """Half of the dimensions for the content, as in AlphaFuse's default of 64 of 128.

    Its rows have mean square 1, as in the other modes; on the validation data of ml-100k that is
    twice as good as variance 1 in each dimension (.071 for .035).
    """
    size = dim // 2
    return ContentMap.whitened(warm, size, variance=1 / size)


def _alphafuse(rows: Tensor, known: Known) -> ContentEmbedding:
    start: dict[str, Any] = {"init_std": INIT_STD, "generator": known.generator}
    return AlphaFuseEmbedding(rows, known.n_warm, known.dim - rows.size(1), **start)


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


def _whitening(rows: Tensor, known: Known) -> ContentEmbedding:
    """WhitenRec (Zhang et al., ICDE 2024): whitened content, then Linear and GELU."""
    adaptor = nn.Sequential(nn.Linear(rows.size(1), known.dim), nn.GELU())
    return AdaptedEmbedding(rows, known.n_warm, _seeded(adaptor, known, INIT_STD), known.dim)


def _own_dimension(warm: np.ndarray, train_count: np.ndarray, dim: int) -> ContentMap:
    return ContentMap.standardised(warm, warm.shape[1])


def _moe(rows: Tensor, known: Known) -> ContentEmbedding:
    """UniSRec's adaptor over the standardised content."""
    # Rows of unit length stay so.
    adaptor = _seeded(MixtureOfExperts(rows.size(1), known.dim), known, known.dim**-0.5)
    return AdaptedEmbedding(rows, known.n_warm, adaptor, known.dim)


def _id_dropout(rows: Tensor, known: Known) -> ContentEmbedding:
    start: dict[str, Any] = {"init_std": INIT_STD, "generator": known.generator}
    return DroppedIdEmbedding(rows, known.n_warm, ID_DROPOUT, **start)


CONTENT_EMBEDDINGS = {
    "init": Mode(standardised, _init),
    "frozen": Mode(standardised, _frozen),
    "delta": Mode(standardised, _delta),
    "alphafuse": Mode(_half_whitened, _alphafuse),
    "llminit": Mode(_most_varied, _init),
    "whitening": Mode(_all_whitened, _whitening),
    "moe": Mode(_own_dimension, _moe),
    "id_dropout": Mode(standardised, _id_dropout),
}
"""By the setting ``item_embedding``; the remaining one is ``id``."""


def _seeded(adaptor: nn.Module, known: Known, std: float) -> nn.Module:
    """Weights N(0, std²) from the generator, so that they depend on nothing else."""
    with torch.no_grad():
        for parameter in adaptor.parameters():
            if parameter.dim() == 1:
                parameter.zero_()
            elif parameter.any():
                parameter.normal_(0.0, std, generator=known.generator)
    return adaptor
