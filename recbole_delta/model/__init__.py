"""The models: a RecBole backbone with one of our item embeddings, and the untrained baseline."""

from recbole_delta.model.content_mean import ContentMean
from recbole_delta.model.gru4rec import GRU4RecDelta
from recbole_delta.model.sasrec import SASRecDelta

MODELS = (SASRecDelta, GRU4RecDelta, ContentMean)
"""What ``import recbole_delta`` makes known to RecBole. A new model is listed here."""

__all__ = ["MODELS", "ContentMean", "GRU4RecDelta", "SASRecDelta"]
