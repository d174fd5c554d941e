"""Ready vectors: files of vectors that somebody has made already."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from dataset_prep.errors import DeltaError
from dataset_prep.format.content import ContentTable, read_content
from dataset_prep.sources.parquet import scan_parquet
from dataset_prep.sources.raw_files import reading


def read_vectors(path: Path) -> ContentTable:
    r"""Read a file of vectors.

    Args:
        path: ``.npy`` with an ``.ids.txt`` beside it (one item id per line), ``.safetensors`` as
            :mod:`dataset_prep.format.content` describes it, ``.parquet`` with a column of item
            ids and a column of lists, or a RecBole ``.item`` file with one ``float_seq`` field. An
            empty cell is no vector.

    Raises:
        DeltaError: the file is missing, or has none of these forms.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from dataset_prep.encoders.ready import read_vectors
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "mine.npy"), np.array([[0.5, 1.0], [2.0, 0.0]]))
        ...     _ = Path(folder, "mine.ids.txt").write_text("song-1\nsong-2", encoding="utf-8")
        ...     table = read_vectors(Path(folder, "mine.npy"))
        >>> table.tokens, table.vectors.tolist()
        (['song-1', 'song-2'], [[0.5, 1.0], [2.0, 0.0]])
    """
    if not path.is_file():
        raise DeltaError(f"There is no file of vectors {path}.")
    if path.suffix == ".parquet":
        return _read_parquet(path)
    if path.suffix == ".item":
        return _read_atomic(path)
    if path.suffix in (".npy", ".safetensors"):
        return read_content(path)
    raise DeltaError(f"{path} should end in .npy, .safetensors, .parquet or .item.")


def list_matrix(vectors: pl.Series, source: str) -> np.ndarray:
    """A column of lists as a matrix, without a Python object for each number.

    Args:
        vectors: ``n`` lists of numbers.
        source: the file that they are from, for messages.

    Returns:
        ``[n, dim]`` float32.

    Raises:
        DeltaError: the lists are not of numbers, or have different lengths.
    """
    inner = getattr(vectors.dtype, "inner", None)
    if inner is None or not inner.is_numeric():
        raise DeltaError(f"{source} should have lists of numbers, but has {vectors.dtype}.")
    if isinstance(vectors.dtype, pl.List):
        lengths = vectors.list.len().unique()
        if len(lengths) != 1 or vectors.null_count():
            raise DeltaError(f"{source} has vectors of {len(lengths)} different lengths.")
        vectors = vectors.list.to_array(lengths[0])
    return vectors.to_numpy().astype(np.float32)


def _read_parquet(path: Path) -> ContentTable:
    with reading(path):
        table = scan_parquet(path).collect()
    lists = [name for name, kind in table.schema.items() if isinstance(kind, (pl.List, pl.Array))]
    others = [name for name in table.columns if name not in lists]
    item = "item_id" if "item_id" in others else others[0] if len(others) == 1 else None
    if len(lists) != 1 or item is None:
        raise DeltaError(
            f"{path} should have a column item_id and one column of lists, but has "
            f"{', '.join(table.columns)}."
        )
    table = table.drop_nulls(lists[0])  # such an item has no vector
    tokens = table[item].cast(pl.String)
    return ContentTable(tokens.to_list(), list_matrix(table[lists[0]], str(path)), str(path))


def _read_atomic(path: Path) -> ContentTable:
    with reading(path):
        table = pl.read_csv(path, separator="\t", infer_schema=False, quote_char=None)
    fields = [name for name in table.columns if name.endswith(":float_seq")]
    ids = [name for name in table.columns if name.endswith(":token")]
    ids = ["item_id:token"] if "item_id:token" in ids else ids
    if len(fields) != 1 or len(ids) != 1:
        raise DeltaError(
            f"{path} should have item_id:token and one float_seq field, but has "
            f"{', '.join(table.columns)}."
        )
    table = table.filter(pl.col(fields[0]).str.strip_chars() != "")  # such an item has no vector
    numbers = table[fields[0]].str.split(" ").cast(pl.List(pl.Float32), strict=False)
    if numbers.explode().null_count():
        raise DeltaError(f"{path}: {fields[0]} must hold numbers with spaces between.")
    tokens = table[ids[0]].to_list()
    return ContentTable(tokens, list_matrix(numbers, str(path)), str(path))
