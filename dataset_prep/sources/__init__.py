"""Raw formats: one module for each family; importing it registers its sources."""

from dataset_prep.errors import DeltaError
from dataset_prep.sources import (  # noqa: F401 (each registers itself)
    amazon,
    amazon_m2,
    movielens,
    music4all,
    recbole,
    situnes,
    table,
    zvuk,
)
from dataset_prep.sources.registry import SOURCES, RawData, Source, source

__all__ = ["SOURCES", "RawData", "Source", "get_source", "source"]


def get_source(name: str) -> Source:
    """The source called ``name``.

    Raises:
        DeltaError: there is none.
    """
    if name not in SOURCES:
        raise DeltaError(f"Unknown data set {name!r}; choose from {', '.join(sorted(SOURCES))}.")
    return SOURCES[name]
