"""One module for each family of raw formats; importing it registers its sources."""

from dataset_prep.sources import (
    amazon,
    amazon_m2,
    movielens,
    music4all,
    recbole,
    situnes,
    table,
    zvuk,
)

__all__ = ["amazon", "amazon_m2", "movielens", "music4all", "recbole", "situnes", "table", "zvuk"]
