"""A short name for the exact files of a model, on which its encodings depend."""

from __future__ import annotations

import hashlib
from pathlib import Path

PARTS = (".json", ".safetensors", ".bin", ".txt")
"""Endings of the files of a model that may change what it computes."""


def fingerprint(model: str) -> str:
    """The first 16 digits of a SHA-256 of a model.

    Args:
        model: a folder, whose files are hashed, or a name, which is hashed itself if there is
            no folder of that name.

    Example:
        >>> from dataset_prep.encoders.fingerprint import fingerprint
        >>> fingerprint("mel")
        '03cdf3e00e74fb35'
    """
    files = [path for path in sorted(Path(model).rglob("*")) if path.suffix in PARTS]
    digest = hashlib.sha256(b"" if files else model.encode())
    for path in files:
        digest.update(path.relative_to(model).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
