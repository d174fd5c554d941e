"""LightSANs over content vectors with a bounded delta."""

from recbole.model.sequential_recommender.lightsans import LightSANs

from recbole_delta.model.backbone import ContentBackbone


class LightSANsDelta(ContentBackbone, LightSANs):
    """RecBole's ``LightSANs`` (Fan et al., SIGIR 2021) with our item embedding.

    Its attention pools over padding too: sequences have MAX_ITEM_LIST_LENGTH.
    """

    fixed_length = True
