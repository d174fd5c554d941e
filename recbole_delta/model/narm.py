"""NARM over content vectors with a bounded delta."""

from recbole.model.sequential_recommender.narm import NARM

from recbole_delta.model.backbone import ContentBackbone


class NARMDelta(ContentBackbone, NARM):
    """RecBole's ``NARM`` (Li et al., CIKM 2017) with our item embedding."""
