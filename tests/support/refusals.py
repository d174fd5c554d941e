"""A table of one's own that is right, ways to spoil it, and what is said then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dataset_prep import ContentOptions, Filters, prepare
from dataset_prep.encoders.audio import AudioOptions
from dataset_prep.errors import DeltaError

N_USERS, N_ITEMS = 12, 20


def good_rows() -> list[list[str]]:
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, N_USERS, 300), rng.integers(0, N_ITEMS, 300)
    return [[f"u{u}", f"i{i}", str(n), "4"] for n, (u, i) in enumerate(zip(users, items))]


def as_csv(header, rows) -> str:
    return "\n".join(",".join(row) for row in [header, *rows]) + "\n"


ROWS_HEADER = ["user_id", "item_id", "timestamp", "rating"]
ITEMS = [[f"i{i}", f"title {i}"] for i in range(N_ITEMS)]
GOOD_ROWS, GOOD_ITEMS = as_csv(ROWS_HEADER, good_rows()), as_csv(["item_id", "title"], ITEMS)


def refusal(tmp_path, source, **options) -> str:
    out = options.setdefault("out", tmp_path / "out")
    with pytest.raises(DeltaError) as error:
        prepare(source, **built(options))
    message = str(error.value)
    assert "\n" not in message
    assert message.endswith(".")
    if out.is_dir():
        assert {path.name for path in out.iterdir()} <= {".content"}
    return message


def built(options) -> dict:
    """``filters`` and ``content`` from their settings, whose own checks are part of what is tested."""
    options = dict(options)
    content = dict(options.get("content", {}))
    if "audio_options" in content:
        content["audio_options"] = AudioOptions(**content["audio_options"])
    content |= {name: Path(content[name]) for name in ("audio", "vectors") if name in content}
    options["content"] = ContentOptions(**content)
    options["filters"] = Filters(**options.get("filters", {}))
    return options


def changed_row(n, column, value) -> str:
    rows = good_rows()
    rows[n][column] = value
    return as_csv(ROWS_HEADER, rows)


def as_parquet(time):
    """The good rows as rows.parquet, the first at another time."""
    columns = dict(zip(ROWS_HEADER, zip(*good_rows())))
    columns["timestamp"] = [time, *map(float, columns["timestamp"][1:])]
    columns["rating"] = [4.0] * len(columns["timestamp"])
    return lambda raw: pl.DataFrame(columns).write_parquet(raw / "rows.parquet")


def drop(name):
    return lambda raw: (raw / name).unlink()


def write(name, content):
    return lambda raw: (raw / name).write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def flip(path):
    """Some bits in the middle of a packed file."""
    packed = bytearray(path.read_bytes())
    packed[len(packed) // 2 :] = bytes(255 - byte for byte in packed[len(packed) // 2 :])
    path.write_bytes(packed)
