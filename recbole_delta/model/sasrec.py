"""SASRec over content vectors with a bounded delta."""

from recbole.model.sequential_recommender.sasrec import SASRec

from recbole_delta.model.backbone import ContentBackbone


class SASRecDelta(ContentBackbone, SASRec):
    """RecBole's ``SASRec`` (Kang & McAuley, ICDM 2018) with our item embedding."""

    causal = True
