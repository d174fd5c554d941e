"""What a cached encoding hangs on: the files of the model that made it."""

from __future__ import annotations

import hashlib
from pathlib import Path

PARTS = (".json", ".safetensors", ".bin", ".txt")


def fingerprint(model: str) -> str:
    """Of the files of a model folder, or of the whole name where there is no such folder."""
    files = [path for path in sorted(Path(model).rglob("*")) if path.suffix in PARTS]
    digest = hashlib.sha256(b"" if files else model.encode())
    for path in files:
        digest.update(path.relative_to(model).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
