"""The registry of raw formats, and what a reader of one returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dataset_prep.errors import DeltaError, check_options
from dataset_prep.sources.download import Archive
from dataset_prep.sources.raw_files import reading

Reader = Callable[..., "RawData"]
Called = Callable[[str, Mapping[str, Any]], str]
"""A function from a source's name and the reader's options to what the data are called."""


@dataclass(frozen=True)
class RawData:
    """A raw data set; its interactions are not in memory yet.

    Attributes:
        interactions: ``user_id``, ``item_id``, ``timestamp`` and further columns of numbers such
            as ``rating``; one row for each interaction, in the order of the file.
        items: ``item_id`` and the fields that describe an item, all of them text; one row for
            each item. None where there is no such file: then the items are those of the
            interactions, and have no texts.
        item_types: RecBole's type of each of these fields: ``token`` (one word or code) or
            ``token_seq`` (words).
        files: the files that are read; ``name.json`` lists their hashes.
        vectors: ``item_id`` and ``vector`` (a list of numbers), if the data set has vectors of
            its own.
        items_file: where ``items`` is None, how to give the file of items, for messages.

    Example:
        >>> import polars as pl
        >>> from dataset_prep import RawData
        >>> plays = {"user_id": ["ann", "bob"], "item_id": ["1", "2"], "timestamp": [10, 20]}
        >>> songs = {"item_id": ["1", "2"], "title": ["So What", "Naima"]}
        >>> data = RawData(pl.LazyFrame(plays), pl.DataFrame(songs), {"title": "token_seq"}, ())
        >>> data.interactions.collect().shape, data.items.columns
        ((2, 3), ['item_id', 'title'])
    """

    interactions: pl.LazyFrame
    items: pl.DataFrame | None
    item_types: Mapping[str, str]
    files: tuple[Path, ...]
    vectors: pl.LazyFrame | None = None
    items_file: str = ""

    @property
    def first(self) -> str:
        """The name of the first file, for messages; empty if there is none."""
        return self.files[0].name if self.files else ""


@dataclass(frozen=True)
class Source:
    """A raw format.

    Attributes:
        name: the name by which it is asked for, on the command line too.
        reader: function that takes the folder of raw files (None if none is given) and options
            as keyword arguments, and returns a :class:`RawData`.
        template: the text of an item, with names of fields in braces; empty if there is none.
        about: one line for the command's help.
        archive: where anybody may download the raw files; None where that is not allowed.
        called: function that says what the data are called, as the default name of the prepared
            set does. Sources that read more than one data set need one of their own.
    """

    name: str
    reader: Reader
    template: str
    about: str
    archive: Archive | None = None
    called: Called = lambda name, options: name

    def options(self) -> dict[str, Any]:
        """Names and defaults of the reader's own options."""
        parameters = inspect.signature(self.reader).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    def check(self, options: Mapping[str, Any]) -> None:
        """Refuse options that the reader would not take.

        Raises:
            DeltaError: an unknown or missing option.
        """
        known = self.options()
        check_options(self.name, options, known)
        for name, default in known.items():
            if default is inspect.Parameter.empty and name not in options:
                raise DeltaError(f"{self.name} needs the option {name}.")

    def read(self, raw: Path | None, options: Mapping[str, Any]) -> RawData:
        """Open the raw files.

        Raises:
            DeltaError: an unknown or missing option, or a file that is not there.
        """
        self.check(options)
        return self.reader(raw, **options)

    def check_filtered(self, data: RawData, columns: Iterable[str]) -> None:
        """Refuse to filter by a column that the interactions do not have.

        Args:
            data: what :meth:`read` has returned.
            columns: the columns that there are bounds on.

        Raises:
            DeltaError: with the columns that there are, and the option that adds one.
        """
        with reading(Path(data.first or self.name)):
            known = list(data.interactions.collect_schema())
        for column in columns:
            if column not in known:
                others = [name for name in known if name not in ("user_id", "item_id", "timestamp")]
                raise DeltaError(
                    f"{data.first or self.name} has no column {column!r} to filter by; there are: "
                    f"{', '.join(others) or 'none'}{self._adding(column)}."
                )

    def _adding(self, column: str) -> str:
        """Which of the reader's options, ``rating`` or ``numbers``, makes a column known."""
        options = self.options()
        if "numbers" in options and column != "rating":
            return f"; --set numbers={column} adds it"
        return "; --set rating=COLUMN adds one, as rating" if "rating" in options else ""

    def fetch(self, folder: Path, options: Mapping[str, Any]) -> Path:
        """Download the raw files into a folder in ``folder``, if they are not there yet.

        Args:
            folder: folder of all raw files that have been downloaded.
            options: options of the reader.

        Returns:
            The folder of these raw files.

        Raises:
            DeltaError: the files may not be downloaded without their owner's leave (the message
                says whose), or the download fails.
        """
        if self.archive is None:
            try:
                self.read(None, options)
            except DeltaError as error:
                raise DeltaError(f"{self.name} is not for --download. {error}") from error
            raise DeltaError(f"{self.name} needs no --download.")
        return self.archive.fetch(folder / self.name)


SOURCES: dict[str, Source] = {}
"""All raw formats by name."""


def source(
    *names: str,
    template: str,
    archives: Mapping[str, Archive] | None = None,
    called: Called = Source.called,
) -> Callable[[Reader], Reader]:
    """Decorator that registers a reader of raw files.

    The first line of the reader's docstring is its description in the command's help, and its
    keyword arguments are its options.

    Args:
        names: names under which it is registered, one for each data set that it reads.
        template: the text of an item, with names of fields in braces; empty if there is none.
        archives: where the raw files may be downloaded, by name.
        called: what the data are called, from the source's name and the reader's options; by
            default the source's name.

    Example:
        A raw format that is whole: a file of plays and a file of songs.

        >>> import tempfile
        >>> from pathlib import Path
        >>> import polars as pl
        >>> from dataset_prep import SOURCES, RawData, source
        >>> from dataset_prep.sources.raw_files import need, reading
        >>> @source("plays", template="{title}")
        ... def read_plays(raw, *, least_seconds=0):
        ...     '''Plays of songs, those of a few seconds left out: plays.csv and songs.csv.'''
        ...     plays, songs = need(raw, "plays.csv", "songs.csv", where="Ask the radio station.")
        ...     with reading(plays):
        ...         rows = pl.scan_csv(plays).filter(pl.col("seconds") >= least_seconds)
        ...         rows = rows.select(user_id="user", item_id="song", timestamp="time")
        ...         rows.collect_schema()  # a column that is not there is noticed here
        ...     with reading(songs):
        ...         items = pl.read_csv(songs, infer_schema=False).rename({"song": "item_id"})
        ...     return RawData(rows, items, {"title": "token_seq"}, (plays, songs))
        >>> SOURCES["plays"].about
        'Plays of songs, those of a few seconds left out: plays.csv and songs.csv.'

        From here on ``prepare("plays", ...)`` takes it, with ``source_options``:

        >>> plays = {"user": ["ann", "bob"], "song": [1, 2], "time": [10, 20], "seconds": [90, 3]}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     raw = Path(folder)
        ...     pl.DataFrame(plays).write_csv(raw / "plays.csv")
        ...     pl.DataFrame({"song": [1], "title": ["So What"]}).write_csv(raw / "songs.csv")
        ...     data = SOURCES["plays"].read(raw, {"least_seconds": 30})
        ...     print(data.interactions.collect().rows(), data.items.rows())
        [('ann', 1, 10)] [('1', 'So What')]
        >>> del SOURCES["plays"]
    """

    def register(reader: Reader) -> Reader:
        about = (reader.__doc__ or "").splitlines()[0]
        for name in names:
            archive = (archives or {}).get(name)
            SOURCES[name] = Source(name, reader, template, about, archive, called)
        return reader

    return register
