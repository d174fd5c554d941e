"""GRU4Rec over content vectors with a bounded delta."""

from recbole.model.sequential_recommender.gru4rec import GRU4Rec

from recbole_delta.model.backbone import ContentBackbone


class GRU4RecDelta(ContentBackbone, GRU4Rec):
    """RecBole's ``GRU4Rec`` (Tan et al., DLRS 2016) with our item embedding."""

    causal = True
