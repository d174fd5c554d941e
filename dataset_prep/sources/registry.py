"""The registry of raw formats, and what each turns its files into."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dataset_prep.errors import DeltaError, check_options
from dataset_prep.sources.download import Archive

Reader = Callable[..., "RawData"]


@dataclass(frozen=True)
class RawData:
    """A raw data set, not yet in memory.

    Attributes:
        interactions: ``user_id``, ``item_id``, ``timestamp`` and further numbers such as
            ``rating``, one row an interaction, in the order of the file.
        items: ``item_id`` (text) and the text fields, one row an item.
        item_types: RecBole's type of each text field, ``token`` or ``token_seq``.
        files: what is read, for the record.
        vectors: ``item_id`` and ``vector`` (a list of numbers), where the data has them.
    """

    interactions: pl.LazyFrame
    items: pl.DataFrame
    item_types: Mapping[str, str]
    files: tuple[Path, ...]
    vectors: pl.LazyFrame | None = None


@dataclass(frozen=True)
class Source:
    """A raw format.

    Attributes:
        name: what the command calls it.
        reader: takes a folder (None for data that comes with RecBole) and options.
        template: the text of an item that is encoded, with field names in braces.
        about: one line for the command's help.
        archive: where anybody may download the raw files.
    """

    name: str
    reader: Reader
    template: str
    about: str
    archive: Archive | None = None

    def options(self) -> dict[str, Any]:
        """Names and defaults of the reader's own options."""
        parameters = inspect.signature(self.reader).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    def read(self, raw: Path | None, options: Mapping[str, Any]) -> RawData:
        """Open the raw files.

        Raises:
            DeltaError: an unknown or missing option, or a file that is not there.
        """
        known = self.options()
        check_options(self.name, options, known)
        for name, default in known.items():
            if default is inspect.Parameter.empty and name not in options:
                raise DeltaError(f"{self.name} needs the option {name}.")
        return self.reader(raw, **options)

    def fetch(self, folder: Path, options: Mapping[str, Any]) -> Path:
        """The folder of raw files in ``folder``, downloaded if they are not there yet.

        Raises:
            DeltaError: their owner wants to be asked, and who that is; or :meth:`Archive.fetch`.
        """
        if self.archive is None:
            try:
                self.read(None, options)
            except DeltaError as error:
                raise DeltaError(f"{self.name} is not for --download. {error}") from error
            raise DeltaError(f"{self.name} needs no --download.")
        return self.archive.fetch(folder / self.name)


SOURCES: dict[str, Source] = {}


def source(
    *names: str, template: str, archives: Mapping[str, Archive] | None = None
) -> Callable[[Reader], Reader]:
    """Register a reader; the first line of its docstring becomes its description.

    Args:
        names: of the data sets that it reads.
        template: the text of an item.
        archives: where the raw files are downloaded, by name.
    """

    def register(reader: Reader) -> Reader:
        about = (reader.__doc__ or "").splitlines()[0]
        for name in names:
            SOURCES[name] = Source(name, reader, template, about, (archives or {}).get(name))
        return reader

    return register
