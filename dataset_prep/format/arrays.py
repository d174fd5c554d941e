"""NumPy's files, read so that a damaged one is named in an error and costs no memory."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError

import numpy as np

from dataset_prep.errors import DeltaError

FAULTS = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, SyntaxError, TokenError),
    *(OverflowError, MemoryError, RecursionError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
"""Exceptions of NumPy for a damaged file; there are many, as it parses headers as Python."""

SWELLING, ALWAYS = 200, 2**26
"""An .npz may unpack to SWELLING times its size, and to ALWAYS bytes in any case."""


def read_npy(path: Path) -> np.ndarray:
    """The array of a ``.npy`` file; nothing is unpickled.

    Raises:
        DeltaError: it cannot be read, or is not whole.
    """
    try:
        # Mapped first: a header that claims more than there is takes no memory.
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except FAULTS as error:
        raise DeltaError(f"{path} is not a whole .npy matrix ({error}).") from error


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file by name; nothing is unpickled.

    Raises:
        DeltaError: it cannot be read, is not whole, or unpacks to far more than it is.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size > max(ALWAYS, SWELLING * path.stat().st_size):
            raise DeltaError(f"{path} would unpack to {size:,} bytes; remove it.")
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray):
                raise ValueError(f"{name} is no array")
        return arrays
    except DeltaError:
        raise
    except FAULTS as error:
        raise DeltaError(f"{path} is not a whole file of arrays ({error}); remove it.") from error
