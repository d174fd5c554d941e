"""Raw formats: how the files of a public data set, or your own, are read.

Each module reads one family of formats. A reader is a function from the folder of raw files to a
:class:`~dataset_prep.sources.registry.RawData`; the decorator
:func:`~dataset_prep.sources.registry.source` enters it in :data:`SOURCES` when its module is
imported.

To add a format, write a module with one reader, import it below, and look at
:mod:`dataset_prep.sources.situnes`, which is short and whole. A reader

- finds its files with :func:`dataset_prep.sources.raw_files.need`, which says what is missing,
- reads them inside :func:`dataset_prep.sources.raw_files.reading`, which turns what goes wrong
  into one sentence about the file,
- takes its options as keyword arguments (``--set NAME=VALUE`` on the command line); ``rating``
  and ``numbers`` are for further columns of the interactions, to filter by.

A format that only your own project needs can be registered from there: the example of
:func:`~dataset_prep.sources.registry.source` does so.
"""

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
