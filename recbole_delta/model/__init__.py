"""The models: a RecBole backbone with one of our item embeddings, and the untrained baseline."""

from recbole_delta.model.backbone import ContentBackbone
from recbole_delta.model.bert4rec import BERT4RecDelta
from recbole_delta.model.content_mean import ContentMean
from recbole_delta.model.core import COREDelta
from recbole_delta.model.ensemble import SASRecEnsemble
from recbole_delta.model.gru4rec import GRU4RecDelta
from recbole_delta.model.lightsans import LightSANsDelta
from recbole_delta.model.narm import NARMDelta
from recbole_delta.model.sasrec import SASRecDelta
from recbole_delta.model.stamp import STAMPDelta

MODELS = (
    SASRecDelta,
    GRU4RecDelta,
    NARMDelta,
    STAMPDelta,
    COREDelta,
    LightSANsDelta,
    BERT4RecDelta,
    SASRecEnsemble,
    ContentMean,
)
"""What ``import recbole_delta`` makes known to RecBole. A new model is listed here."""

BACKBONES = tuple(model.__name__ for model in MODELS if issubclass(model, ContentBackbone))
"""Names of those that have an ``item_embedding`` to choose."""

__all__ = ["BACKBONES", "MODELS", *(model.__name__ for model in MODELS)]
