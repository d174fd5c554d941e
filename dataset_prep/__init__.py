"""From raw data to a data set that RecBole and recbole_delta read.

:func:`prepare` reads raw files, filters the interactions, splits them so that some items are
*cold* (without a training row), turns the content of every item into a vector, and writes one
folder. ``python -m dataset_prep`` does this on the command line.

Two lists can be extended: raw formats (:mod:`dataset_prep.sources`) and protocols, which say what
each interaction is for (:mod:`dataset_prep.protocols`).

Importing this package loads neither torch nor an encoder; they are loaded when something has to
be encoded.
"""

from dataset_prep.encoders.options import ContentOptions
from dataset_prep.pipeline import prepare
from dataset_prep.sources import SOURCES, RawData, Source, source
from dataset_prep.steps import Filters

__all__ = ["SOURCES", "ContentOptions", "Filters", "RawData", "Source", "prepare", "source"]
