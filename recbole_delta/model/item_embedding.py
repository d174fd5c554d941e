"""The item embedding of a backbone, from settings and data set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from logging import getLogger

import torch
from torch import nn

from recbole_delta.compute.seeded import seeded
from recbole_delta.data.dataset import ColdWarmDataset
from recbole_delta.embedding import ContentEmbedding, DeltaEmbedding, EmbeddingArgs, ItemEmbedding

LENDERS = 10
"""Warm neighbours whose deltas a cold item borrows: of 10 and 30, with whole and half deltas, the
best on validation data (``benchmarks/RESULTS.md``)."""


def build_item_embedding(
    dataset: ColdWarmDataset, dim: int, seed: int, init_table: Callable[[nn.Embedding], None]
) -> ItemEmbedding:
    """The embedding that the settings name; its rows have random numbers of their own.

    Args:
        dataset: the training data.
        dim: dimension d of an item vector.
        seed: seed of the run.
        init_table: gives a table of IDs the initial values that the backbone has in RecBole.

    Raises:
        DeltaError: the content is missing, or cannot fill the dimension.
    """
    settings = dataset.settings
    content_map, content = None, torch.empty(0)
    if settings.embedding_spec.fit is not None:
        content_map, content = dataset.content_rows(settings.embedding_spec.fit, dim)
    # However much it draws, the backbone starts from the same numbers beside every embedding.
    with seeded(rows_seed(seed)):
        embedding = settings.embedding_spec.make(
            EmbeddingArgs(
                content=content,
                n_warm=dataset.n_warm,
                dim=dim,
                options=settings.embedding_options,
                generator=torch.Generator().manual_seed(rows_seed(seed)),
                train_count=torch.from_numpy(dataset.train_counts()),
                init_table=init_table,
            )
        )
    if isinstance(embedding, ContentEmbedding) and content_map is not None:
        embedding.remember_map(content_map)
    if settings.cold_delta == "neighbours":
        if isinstance(embedding, DeltaEmbedding) and embedding.delta_max:
            embedding.lend_deltas(LENDERS)
        elif settings.recipe == "paper":  # it was asked for by itself
            getLogger().warning(
                "cold_delta: neighbours does nothing: item_embedding: "
                f"{settings.item_embedding} has no deltas to lend."
            )
    return embedding


def rows_seed(seed: int) -> int:
    """A seed for the item rows, from that of the run.

    With the run's own seed they would repeat the very numbers that the backbone draws.
    """
    return int.from_bytes(hashlib.sha256(f"item rows {seed}".encode()).digest()[:4], "big")
