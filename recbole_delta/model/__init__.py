"""The models: a RecBole backbone with one of our item embeddings, and the untrained baseline."""

from recbole_delta.model.backbone import ContentBackbone
from recbole_delta.model.content_mean import ContentMean
from recbole_delta.model.gru4rec import GRU4RecDelta
from recbole_delta.model.sasrec import SASRecDelta

MODELS = (SASRecDelta, GRU4RecDelta, ContentMean)
"""What ``import recbole_delta`` makes known to RecBole. A new model is listed here."""

BACKBONES = tuple(model.__name__ for model in MODELS if issubclass(model, ContentBackbone))
"""Names of those that have an ``item_embedding`` to choose."""

__all__ = ["BACKBONES", "MODELS", "ContentMean", "GRU4RecDelta", "SASRecDelta"]
