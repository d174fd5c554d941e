"""The models: a RecBole backbone with one of our item embeddings, and untrained baselines.

To add a backbone to this package: a subclass of
:class:`~recbole_delta.model.backbone.ContentBackbone` in a file of its own here (``narm.py`` is the
shortest), its defaults in ``properties/model/<name>.yaml``, and an entry in :data:`MODELS`. The
contract suite then runs it with every item embedding. A backbone outside this package is made known
by :func:`recbole_delta.register` instead.
"""

from recbole_delta.model.backbone import ContentBackbone
from recbole_delta.model.bert4rec import BERT4RecDelta
from recbole_delta.model.content_mean import ContentMean
from recbole_delta.model.core import COREDelta
from recbole_delta.model.ease import CEASE, AddEASE
from recbole_delta.model.ensemble import SASRecEnsemble
from recbole_delta.model.gru4rec import GRU4RecDelta
from recbole_delta.model.lightsans import LightSANsDelta
from recbole_delta.model.narm import NARMDelta
from recbole_delta.model.rpg import RPG
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
    RPG,
    ContentMean,
    CEASE,
    AddEASE,
)
"""Models that ``import recbole_delta`` makes known to RecBole."""

BACKBONES = tuple(model.__name__ for model in MODELS if issubclass(model, ContentBackbone))
"""Names of the models that have an item embedding to choose (setting ``item_embedding``)."""

__all__ = ["BACKBONES", "MODELS", *(model.__name__ for model in MODELS)]
