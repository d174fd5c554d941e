"""Raw data to RecBole atomic files with cold-item flags, a prepared split and content vectors."""

from dataset_prep.pipeline import ContentOptions, Filters, prepare
from dataset_prep.source import SOURCES, RawData, Source, source

__all__ = ["SOURCES", "ContentOptions", "Filters", "RawData", "Source", "prepare", "source"]
