"""Item embeddings: content plus bounded delta, the table of IDs, and those of other papers."""

from recbole_delta.embedding.base import ContentEmbedding, ItemEmbedding
from recbole_delta.embedding.delta import DeltaEmbedding
from recbole_delta.embedding.id import IdEmbedding
from recbole_delta.embedding.modes import EMBEDDINGS
from recbole_delta.embedding.spec import EmbeddingArgs, EmbeddingSpec

__all__ = [
    "EMBEDDINGS",
    "ContentEmbedding",
    "DeltaEmbedding",
    "EmbeddingArgs",
    "EmbeddingSpec",
    "IdEmbedding",
    "ItemEmbedding",
]
