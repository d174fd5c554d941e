"""The code of a bench's own models, by which runs are told from those before it changed."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from recbole_delta.embedding import EMBEDDINGS
from recbole_delta.loss import LOSSES
from recbole_delta.model.registry import registered_defaults

SHIPPED = ("builtins", "recbole", "recbole_delta", "torch")
"""Packages whose code the commit of a record tells, or their version."""


def own_code(model: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a run takes from outside this package.

    Args:
        model: class of the model.
        settings: the run's settings, without the defaults of the model.

    Returns:
        ``defaults``, those that the model was registered with, and ``code``, a digest for each
        module or package that has its class, its embedding or its loss: of all its files, since one
        may use another. Empty for what this package and RecBole bring.
    """
    defaults = dict(registered_defaults(model))
    chosen = {**defaults, **settings}
    parts: list[Any] = [*model.__mro__]
    if embedding := EMBEDDINGS.get(chosen.get("item_embedding", "")):
        parts.append(embedding.make)
    if loss := LOSSES.get(chosen.get("loss", "")):
        parts.append(loss)
    packages = sorted({part.__module__.partition(".")[0] for part in parts} - {*SHIPPED})
    code = {name: _digest(sys.modules[name]) for name in packages if name in sys.modules}
    return {name: value for name, value in (("defaults", defaults), ("code", code)) if value}


def _digest(module: ModuleType) -> str:
    digest = hashlib.sha256()
    for file in _files(module):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _files(module: ModuleType) -> Iterator[Path]:
    """The files of a module, or all below the folders of a package."""
    folders = [Path(folder) for folder in getattr(module, "__path__", ())]
    if folders:
        yield from (file for folder in folders for file in sorted(folder.rglob("*.py")))
    elif file := getattr(module, "__file__", None):  # a notebook has none
        yield Path(file)
