"""Where a prepared data set goes: its name, and what may be there already."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from dataset_prep.errors import DeltaError
from dataset_prep.files import check_writable


def check_name(name: str) -> str:
    """Refuse a name that is a path, or that RecBole takes for a data set of its own.

    Args:
        name: name of the prepared data set.

    Returns:
        The name.

    Raises:
        DeltaError: it cannot be taken.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise DeltaError(f"name must be letters, digits, dots, - and _, but is {name!r}.")
    if name == "ml-100k":
        raise DeltaError(
            "name must not be ml-100k: RecBole silently reads its own copy of a data set so named."
        )
    return name


def hashes(files: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file in hexadecimal digits, by its name and its folder's."""
    return {f"{path.parent.name}/{path.name}": _sha256(path) for path in files}


def check_place(folder: Path, files: Iterable[Path]) -> None:
    """Refuse a folder that a prepared data set cannot or must not take the place of.

    Args:
        folder: the prepared data set's, there or not.
        files: the raw files.

    Raises:
        DeltaError: it holds the raw files, dataset_prep did not make it, or it cannot be written.
    """
    if any(path.resolve().parent == folder.resolve() for path in files):
        raise DeltaError(f"{folder} holds the raw files; choose another --name or --out.")
    check_writable(folder)
    if folder.exists() and not (folder / f"{folder.name}.json").is_file():
        raise DeltaError(
            f"{folder} is there and was not made by dataset_prep; choose another --name."
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
