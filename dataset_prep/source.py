"""The registry of raw formats, and what each turns its files into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from recbole_delta.errors import DeltaError

Reader = Callable[[Path | None], "RawData"]


@dataclass(frozen=True)
class RawData:
    """A raw data set in memory.

    Attributes:
        interactions: ``user_id``, ``item_id`` (strings), ``timestamp`` (seconds) and perhaps
            ``rating``, one row an interaction, in the order of the file.
        items: ``item_id`` and the text fields, one row an item.
        item_types: RecBole's type of each text field, ``token`` or ``token_seq``.
        files: what was read, for the record.
    """

    interactions: pd.DataFrame
    items: pd.DataFrame
    item_types: Mapping[str, str]
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Source:
    """A raw format.

    Attributes:
        name: what the command calls it.
        read: turns a folder (None for data that comes with RecBole) into :class:`RawData`.
        template: the text of an item that is encoded, with field names in braces.
        about: one line for the command's help.
    """

    name: str
    read: Reader
    template: str
    about: str


SOURCES: dict[str, Source] = {}


def source(name: str, *, template: str) -> Callable[[Reader], Reader]:
    """Register a reader; the first line of its docstring becomes its description."""

    def register(read: Reader) -> Reader:
        SOURCES[name] = Source(name, read, template, (read.__doc__ or "").splitlines()[0])
        return read

    return register


def get_source(name: str) -> Source:
    """The source called ``name``.

    Raises:
        DeltaError: there is none.
    """
    import dataset_prep.sources  # noqa: F401 (each module registers itself)

    if name not in SOURCES:
        raise DeltaError(f"Unknown data set {name!r}; choose from {', '.join(sorted(SOURCES))}.")
    return SOURCES[name]
