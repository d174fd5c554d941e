"""What a value of the setting ``item_embedding`` declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recbole_delta.embedding.base import ItemEmbedding
from recbole_delta.embedding.content_map import ContentMap


@dataclass(frozen=True)
class EmbeddingArgs:
    """What an item embedding is made of.

    Attributes:
        content: ``[n_items, ...]`` content rows, padding (zero) first; empty without content.
        n_warm: number of warm items, whose rows come first.
        dim: dimension d of an item vector.
        options: settings of its own, an instance of :attr:`EmbeddingSpec.options`.
        generator: source of initial values, so that they depend on nothing else.
        train_count: ``[n_warm]`` int64 training rows of the warm items.
        init_table: gives a table of IDs the initial values that the backbone has in RecBole.
    """

    content: Tensor
    n_warm: int
    dim: int
    options: Any
    generator: torch.Generator
    train_count: Tensor
    init_table: Callable[[nn.Embedding], None]


Fit = Callable[[np.ndarray, np.ndarray, int], ContentMap]
"""From content ``[n_warm, c]`` and training rows ``[n_warm]`` of the warm items, and d, to the map
from any item's content to its row."""


def standardised(warm: np.ndarray, train_count: np.ndarray, dim: int) -> ContentMap:
    """The paper's map: standardise → PCA → unit norm."""
    return ContentMap.standardised(warm, dim)


@dataclass(frozen=True)
class EmbeddingSpec:
    """A value of the setting ``item_embedding``, complete: nothing else knows its name.

    Attributes:
        make: the embedding.
        fit: how content becomes its rows; None for an embedding without content.
        options: a frozen dataclass whose fields are its own settings, with defaults and checks;
            None for none. They may stand in any YAML once the spec is listed.
        learns_warm: training moves the vectors of warm items.
        learns_cold: training moves those of cold items too, by what is shared with warm ones.
        cosine_temperature: items are scored by the cosine over this number, as its paper has it;
            None for the product.

    Example:
        An embedding with a setting of its own, known to every model and to the contract suite once
        it is listed:

        >>> from dataclasses import dataclass
        >>> from recbole_delta.embedding import EMBEDDINGS, DeltaEmbedding
        >>> @dataclass(frozen=True)
        ... class SphereOptions:
        ...     sphere_radius: float = 0.3
        >>> def sphere(args):
        ...     return DeltaEmbedding(args.content, args.n_warm, args.options.sphere_radius,
        ...                           init_std=0.0)
        >>> EMBEDDINGS["sphere"] = EmbeddingSpec(sphere, options=SphereOptions)
        >>> from recbole_delta.config.settings import own_settings
        >>> own_settings()["sphere_radius"]
        0.3
        >>> del EMBEDDINGS["sphere"]
    """

    make: Callable[[EmbeddingArgs], ItemEmbedding]
    fit: Fit | None = standardised
    options: type | None = None
    learns_warm: bool = True
    learns_cold: bool = False
    cosine_temperature: float | None = None

    @property
    def embeds_cold_items(self) -> bool:
        """Whether a cold item has a vector: that of its content."""
        return self.fit is not None
