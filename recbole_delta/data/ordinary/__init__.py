"""An ordinary RecBole data set, whose rows do not say what they are for, on the way to a run."""

from recbole_delta.data.ordinary.on_the_way import prepare_on_the_way

__all__ = ["prepare_on_the_way"]
