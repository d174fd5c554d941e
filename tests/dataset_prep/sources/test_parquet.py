"""Parquet files whose pages claim what they cannot hold: polars would end the process over them."""

from __future__ import annotations

import polars as pl
import pytest

from dataset_prep.encoders.ready import read_vectors
from dataset_prep.errors import DeltaError
from dataset_prep.sources.parquet import scan_parquet
from dataset_prep.sources.table import read_items
from dataset_prep.sources.zvuk import read_zvuk

N = 300
COUNT = b"\x15" + bytes([0x80 | (2 * N & 127), 2 * N >> 7])
"""The first field of a page: its number of values, which Thrift writes as twice that."""


def spoilt(path, count):
    """A table of N rows, whose pages claim ``count`` values."""
    columns = {"item_id": [f"i{n}" for n in range(N)], "vector": [[1.0, n] for n in range(N)]}
    pl.DataFrame(columns).write_parquet(path)
    data = path.read_bytes()
    assert COUNT in data
    claimed = 2 * count if count >= 0 else -2 * count - 1
    path.write_bytes(data.replace(COUNT, b"\x15" + bytes([128 | claimed & 127, claimed >> 7])))
    return path


@pytest.mark.parametrize("count", [-1, -N, N + 1, 8000])
@pytest.mark.parametrize("read", [scan_parquet, read_vectors, read_items])
def test_a_page_that_claims_what_it_cannot_hold_is_refused(tmp_path, read, count):
    path = spoilt(tmp_path / "rows.parquet", count)
    with pytest.raises(DeltaError, match=rf"rows.parquet: .* claims {count} values; it should be"):
        read(path)


def test_so_are_the_files_of_a_data_set_that_is_known(tmp_path):
    for name in ("zvuk-interactions", "zvuk-track_artist_embedding"):
        spoilt(tmp_path / f"{name}.parquet", -1)
    with pytest.raises(DeltaError, match="zvuk-interactions.parquet: .* claims -1 values"):
        read_zvuk(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "uncompressed"},
        {"row_group_size": 7, "data_page_size": 64},
        {"statistics": "full"},
        {"statistics": False},
    ],
)
def test_whole_files_are_read_as_they_are(tmp_path, options):
    columns = {
        "text": ["a", None, "c"] * 50, "flag": [True, False, None] * 50,
        "list": [[1, 2], [], None] * 50, "nested": [{"x": 1, "y": [2.0]}] * 150,
        "category": pl.Series(["u", "v", "u"] * 50, dtype=pl.Categorical),
        "nothing": [None] * 150,
    }  # fmt: skip
    table = pl.DataFrame(columns)
    table.write_parquet(tmp_path / "table.parquet", **options)
    assert scan_parquet(tmp_path / "table.parquet").collect().equals(table)
    table.clear().write_parquet(tmp_path / "table.parquet", **options)
    assert scan_parquet(tmp_path / "table.parquet").collect().is_empty()
