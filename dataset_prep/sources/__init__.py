"""One module for each raw format; importing it registers its sources."""

from dataset_prep.sources import ml_100k

__all__ = ["ml_100k"]
