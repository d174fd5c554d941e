"""Parquet tables, whose page headers are checked before polars reads them.

In a damaged table the number of values of a page may have become negative. polars then asks for
2^61 bytes, and Rust ends the process, which no Python can catch. So the headers are read first.
They are Thrift structs in the compact protocol, the only part of the format that is read here:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import polars as pl

from dataset_prep.sources.raw_files import reading

# Fields by their numbers in Parquet's parquet.thrift.
ROW_GROUPS, COLUMNS, META_DATA = 4, 1, 3
N_VALUES, CHUNK_SIZE, DATA_OFFSET, DICTIONARY_OFFSET = 5, 7, 9, 11
PAGE_SIZE, DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_2 = 3, 5, 7, 8
OF_PAGE = 1
"""The number of values in any of the three kinds of pages."""


def scan_parquet(path: Path) -> pl.LazyFrame:
    """The rows of a Parquet file, to be read when they are needed.

    Raises:
        DeltaError: it is no Parquet file, or the header of a page cannot be right.
    """
    with reading(path), path.open("rb") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                _check_pages(data)
            except (AttributeError, LookupError, TypeError) as error:
                raise ValueError("its footer or the header of a page is damaged") from error
        return pl.scan_parquet(path)


def _check_pages(data: mmap.mmap) -> None:
    """Check the headers of all pages of every column.

    Raises:
        ValueError: a page has a number of values or a size that it cannot have.
    """
    footer = _Thrift(data, len(data) - 8 - int.from_bytes(data[-8:-4], "little"))
    for group in footer.struct()[ROW_GROUPS]:
        for column in group[COLUMNS]:
            chunk = column[META_DATA]
            # Some writers say 0 where there is no dictionary.
            place = chunk.get(DICTIONARY_OFFSET) or chunk[DATA_OFFSET]
            end = place + chunk[CHUNK_SIZE]
            while place < end:
                thrift = _Thrift(data, place)
                page = thrift.struct()
                most = {DATA_PAGE: chunk[N_VALUES], DATA_PAGE_2: chunk[N_VALUES]}
                for kind in (DATA_PAGE, DATA_PAGE_2, DICTIONARY_PAGE):
                    count = page[kind][OF_PAGE] if kind in page else 0
                    if not 0 <= count <= most.get(kind, count):
                        raise ValueError(f"a page at byte {place} claims {count} values")
                if page[PAGE_SIZE] < 0:
                    raise ValueError(f"a page at byte {place} claims {page[PAGE_SIZE]} bytes")
                place = thrift.place + page[PAGE_SIZE]


class _Thrift:
    """A reader of values in Thrift's compact protocol.

    Args:
        data: the bytes that hold them.
        place: position of the first value; it moves on with every value that is read.
    """

    def __init__(self, data: mmap.mmap, place: int) -> None:
        if not 0 <= place < len(data):
            raise ValueError(f"there is no byte {place}")
        self._data, self.place = data, place

    def struct(self) -> dict[int, Any]:
        """The fields of a struct by their numbers."""
        fields: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            step = kind >> 4
            number = number + step if step else self._integer()
            kind &= 15
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind)
        return fields

    def _value(self, kind: int) -> Any:
        if kind in (1, 2, 3):  # booleans of lists, and bytes
            return self._byte()
        if kind in (4, 5, 6):
            return self._integer()
        if kind == 7:
            return self._bytes(8)
        if kind == 8:
            return self._bytes(self._varint())
        if kind in (9, 10):
            head = self._byte()
            size = head >> 4
            return [self._value(head & 15) for _ in range(size if size < 15 else self._varint())]
        if kind == 12:
            return self.struct()
        raise ValueError(f"byte {self.place} is not Thrift")

    def _integer(self) -> int:
        zigzag = self._varint()
        return (zigzag >> 1) ^ -(zigzag & 1)

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 64, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError(f"byte {self.place} is not Thrift")

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, size: int) -> bytes:
        start, self.place = self.place, self.place + size
        if self.place > len(self._data):
            raise ValueError(f"there is no byte {self.place}")
        return self._data[start : self.place]
