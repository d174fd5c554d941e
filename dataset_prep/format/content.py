"""Content vectors on disk, aligned to items by token.

A content file is safetensors with two tensors: ``vectors`` ``[n, dim]`` float and ``tokens``,
the UTF-8 item tokens joined by line feeds. A ``.npy`` matrix with a text file of the same
name and the ending ``.ids.txt`` (one token per line) is read too. Neither can execute code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from dataset_prep.errors import DeltaError
from dataset_prep.files import replacing
from dataset_prep.format.arrays import read_npy


@dataclass(frozen=True)
class ContentTable:
    """Vectors of items by token (a token is an item id as the atomic files have it).

    Attributes:
        tokens: ``n`` item tokens.
        vectors: ``[n, dim]`` float32, one row for each token.
        source: the file that the vectors are from, for messages.
    """

    tokens: Sequence[str]
    vectors: np.ndarray
    source: str

    def align(self, tokens: Sequence[str]) -> np.ndarray:
        """The vectors of ``tokens``, in their order: ``[len(tokens), dim]``.

        Raises:
            DeltaError: a token has no vector, two different ones, or one that is not finite
                or all zero.

        Example:
            >>> import numpy as np
            >>> from dataset_prep.format.content import ContentTable
            >>> table = ContentTable(["a", "b"], np.array([[1.0, 0.0], [0.0, 2.0]]), "table")
            >>> table.align(["b", "a"]).tolist()
            [[0.0, 2.0], [1.0, 0.0]]
        """
        first: dict[str, int] = {}
        for row, token in enumerate(self.tokens):
            seen = first.setdefault(token, row)
            if seen != row and not np.array_equal(self.vectors[seen], self.vectors[row]):
                raise DeltaError(
                    f"{self.source} holds different vectors for item {token!r}; keep one."
                )
        missing = [token for token in tokens if token not in first]
        if missing:
            raise DeltaError(
                f"{self.source} has no vector for {len(missing)} of {len(tokens)} items "
                f"({_some(missing)}); encode them, or remove them from the data set."
            )
        rows = self.vectors[[first[token] for token in tokens]]
        self._refuse(tokens, ~np.isfinite(rows).all(axis=1), "NaN or infinite values")
        self._refuse(tokens, ~rows.any(axis=1), "a vector of zeros")
        return rows

    def _refuse(self, tokens: Sequence[str], bad: Any, what: str) -> None:
        if bad.any():
            names = [tokens[int(row)] for row in np.flatnonzero(bad)]
            raise DeltaError(
                f"{self.source} has {what} for {len(names)} items ({_some(names)}); "
                "encode them again."
            )


def read_content(path: str | Path) -> ContentTable:
    """Read a content file: ``.safetensors``, or ``.npy`` with its ``.ids.txt``.

    Raises:
        DeltaError: the file is missing, cut short, or not in the format.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from dataset_prep.format.content import read_content, write_content
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "films.content.mine.safetensors")
        ...     write_content(path, ["1", "2"], np.array([[0.5, 1.0], [2.0, 0.0]]))
        ...     table = read_content(path)
        >>> table.tokens, table.vectors.tolist()
        (['1', '2'], [[0.5, 1.0], [2.0, 0.0]])
    """
    path = Path(path)
    if not path.is_file():
        raise DeltaError(f"There is no content file {path}; make one with dataset_prep.")
    if path.suffix == ".npy":
        vectors, tokens = _read_npy(path)
    else:
        vectors, tokens = _read_safetensors(path)
    if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.floating):
        raise DeltaError(
            f"{path} must hold a [items, dimension] matrix of floats, "
            f"but holds {list(vectors.shape)} of {vectors.dtype}."
        )
    if len(vectors) != len(tokens):
        raise DeltaError(f"{path} holds {len(vectors)} vectors for {len(tokens)} item tokens.")
    return ContentTable(tokens, vectors.astype(np.float32, copy=False), str(path))


def write_content(path: str | Path, tokens: Sequence[str], vectors: np.ndarray) -> None:
    """Write a content file; an interrupted call leaves the old file or none.

    Args:
        path: the file, which ends in ``.safetensors``.
        tokens: ``n`` item tokens, without line feeds.
        vectors: ``[n, dim]``, one row for each token; written as float32.

    Raises:
        DeltaError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from dataset_prep.format.content import write_content
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_content(Path(folder, "films.safetensors"), ["1", "2"], np.eye(2))
        ...     print([path.name for path in Path(folder).iterdir()])
        ['films.safetensors']
    """
    packed = np.frombuffer("\n".join(tokens).encode(), dtype=np.uint8)
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    with replacing(path) as temporary:
        save_file({"vectors": vectors, "tokens": packed}, temporary)


def find_content(folder: str | Path, dataset: str) -> Path:
    """The one content file of a prepared data set.

    Args:
        folder: folder of the data set.
        dataset: name of the data set.

    Raises:
        DeltaError: there is none, or more than one.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from dataset_prep.format.content import find_content, write_content
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "films.content.mine.safetensors")
        ...     write_content(path, ["1"], np.ones((1, 2)))
        ...     print(find_content(folder, "films").name)
        films.content.mine.safetensors
    """
    found = sorted(Path(folder).glob(f"{dataset}.content.*.safetensors"))
    if not found:
        raise DeltaError(
            f"There is no content file {dataset}.content.<encoder>.safetensors in {folder}; "
            "make one with dataset_prep, or name yours with content_file."
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DeltaError(f"{folder} has several content files ({names}); choose by content_file.")
    return found[0]


def _read_safetensors(path: Path) -> tuple[np.ndarray, list[str]]:
    try:
        tensors = load_file(path)
        return tensors["vectors"], tensors["tokens"].tobytes().decode().split("\n")
    except (SafetensorError, UnicodeDecodeError, OSError, TypeError) as error:
        raise DeltaError(f"{path} is not a whole content file ({error}); make it again.") from error
    except KeyError as error:
        raise DeltaError(f"{path} has no tensor {error}; make it with dataset_prep.") from error


def _read_npy(path: Path) -> tuple[np.ndarray, list[str]]:
    ids = path.with_suffix(".ids.txt")
    if not ids.is_file():
        raise DeltaError(f"{path} needs its item tokens beside it, one a line, in {ids.name}.")
    vectors = read_npy(path)
    try:
        text = ids.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DeltaError(f"{ids} is not UTF-8 ({error}).") from error
    return vectors, text.removesuffix("\n").split("\n")


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (", …" if len(names) > 5 else "")
