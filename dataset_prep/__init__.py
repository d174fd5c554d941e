"""Raw data to RecBole atomic files with cold-item flags, a prepared split and content vectors."""

from dataset_prep.encoders.options import ContentOptions
from dataset_prep.pipeline import prepare
from dataset_prep.sources import SOURCES, RawData, Source, source
from dataset_prep.steps import Filters

__all__ = ["SOURCES", "ContentOptions", "Filters", "RawData", "Source", "prepare", "source"]
