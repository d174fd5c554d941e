"""Item embeddings: content plus bounded delta, the table of IDs, and baselines of the literature.

Plain torch: nothing here knows RecBole. To add an embedding: a subclass of
:class:`ItemEmbedding`, or of :class:`ContentEmbedding` where cold items have a vector (both in
``base.py``), and an :class:`EmbeddingSpec` of it in :data:`EMBEDDINGS` of ``modes.py``; its own
settings are the spec's ``options``. The setting ``item_embedding``, every backbone and the
contract suite take it from there. The example of :class:`EmbeddingSpec` is a whole one.
"""

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
