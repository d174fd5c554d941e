"""After training: a checkpoint as a recommender that takes items which were not there before."""

from recbole_delta.serving.explain import Explanation, Neighbour, Spaces
from recbole_delta.serving.recommender import Recommendation, Recommender

__all__ = ["Explanation", "Neighbour", "Recommendation", "Recommender", "Spaces"]
