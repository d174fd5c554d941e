"""STAMP over content vectors with a bounded delta."""

from recbole.model.sequential_recommender.stamp import STAMP

from recbole_delta.model.backbone import ContentBackbone


class STAMPDelta(ContentBackbone, STAMP):
    """RecBole's ``STAMP`` (Liu et al., KDD 2018) with our item embedding."""
