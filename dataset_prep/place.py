"""Where a prepared data set goes: its name, and what may be there already."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

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


def check_place(
    folder: Path,
    source: str,
    files: Iterable[Path],
    inputs: Mapping[str, str],
    renews: bool = False,
) -> dict[str, Any] | None:
    """Refuse a folder that a prepared data set cannot or must not take the place of.

    Args:
        folder: the prepared data set's, there or not.
        source: name of the raw format.
        files: the raw files.
        inputs: their :func:`hashes`.
        renews: the files may have changed since, as long as their names are the same.

    Returns:
        The ``name.json`` of the data set that is there, prepared from the same files; None if
        there is none.

    Raises:
        DeltaError: it holds the raw files, dataset_prep did not make it, or not from these files,
            or it cannot be written.
    """
    if any(path.resolve().parent == folder.resolve() for path in files):
        raise DeltaError(f"{folder} holds the raw files; choose another --name or --out.")
    check_writable(folder)
    if not folder.exists():
        return None
    there = record_of(folder)
    if there is None:
        raise DeltaError(
            f"{folder} is there and was not made by dataset_prep; move it away, or choose another "
            "--name."
        )
    same_files = digests(there) == sorted(inputs.values())
    same_data = same_files or (renews and there["inputs"].keys() & inputs.keys())
    if there["source"] != source or not same_data:
        made_of = ", ".join(there["inputs"]) or "other data"
        raise DeltaError(
            f"{folder} was prepared from other data ({there['source']}: {made_of}); choose another "
            "--name, or remove it."
        )
    return there


def other_preparation(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """How one preparation differs from another, in words; empty if it does not.

    Args:
        there: the ``name.json`` of the one.
        here: the ``name.json`` of the other.

    Example:
        >>> from dataset_prep.place import other_preparation
        >>> there = {"protocol": "paper", "filters": {"core": 5, "users": None}}
        >>> other_preparation(there, {"protocol": "paper", "filters": {"core": 1, "users": None}})
        'with filters core=5'
    """
    differing = differences(there, here)
    said = [f"with {', '.join(differing)}"] if differing else []
    if digests(there) != digests(here):
        said.append("from files that have changed")
    return " and ".join(said)


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """The options of one preparation that another does not have, in words.

    Args:
        there: the ``name.json`` of the one, or parts of it.
        here: the same of the other.
    """
    differing = []
    for kind in ("source_options", "filters", "protocol", "protocol_options", "content"):
        old, new = there.get(kind), here.get(kind)
        if isinstance(old, dict) and isinstance(new, dict):
            names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
            differing += [f"{kind} {name}={old.get(name)!r}" for name in names]
        elif old != new:
            differing.append(f"{kind}={old!r}")
    return differing


def digests(record: Mapping[str, Any]) -> list[str]:
    """Hashes of the raw files alone: their folder may have been moved since.

    Args:
        record: a ``name.json``.
    """
    return sorted(map(str, record.get("inputs", {}).values()))


def record_of(folder: Path) -> dict[str, Any] | None:
    """The ``name.json`` of a prepared data set; None if it has none.

    Args:
        folder: the data set's folder.
    """
    try:
        text = (folder / f"{folder.name}.json").read_text(encoding="utf-8")
        record = json.loads(text)
    except (OSError, ValueError):
        return None
    whole = isinstance(record, dict) and isinstance(record.get("inputs"), dict)
    return record if whole and "source" in record else None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
