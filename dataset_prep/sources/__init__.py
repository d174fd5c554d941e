"""One module for each family of raw formats; importing it registers its sources."""

from dataset_prep.sources import amazon, movielens, situnes

__all__ = ["amazon", "movielens", "situnes"]
